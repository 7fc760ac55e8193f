"""A passage is read by those who are shown it, and refused to those it is hidden from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from arena import Arena, Arm, Episode, Seat, Study, Subject, checked, passage
from arena.errors import StudyError
from arena.studies.motions import subject_id
from arena.types import Request
from tests.question_agents import agent_with_capabilities

WORDS = "the old lighthouse keeper hid the brass key beneath the third stone of the pier"
ABOUT = Subject(
    "Where is the key?", "question", "A", ("pier", "church"), passage=WORDS, published="2024-05"
)
Play = Callable[[Episode, Subject, Seat, Seat], Awaitable[None]]
VERSION = "1"


async def shows_and_quotes(episode: Episode, subject: Subject, reader: Seat, judge: Seat) -> None:
    """Show the passage to one, and what it said of it to the other."""
    episode.hide_passage_from(judge)
    said = await episode.ask(reader, [passage(subject), subject.text], phase="speech")
    await episode.ask(judge, [subject.text, checked(said, subject)], phase="verdict")


async def shows_it_to_the_judge(
    episode: Episode, subject: Subject, reader: Seat, judge: Seat
) -> None:
    """Show the passage to a seat from which it is hidden."""
    episode.hide_passage_from(judge)
    await episode.ask(judge, [passage(subject), subject.text], phase="verdict")


async def pastes_it(episode: Episode, subject: Subject, reader: Seat, judge: Seat) -> None:
    """Give the words as text."""
    episode.hide_passage_from(judge)
    await episode.ask(judge, f"Read this: {subject.passage[10:60].upper()}", phase="verdict")


async def hides_it_too_late(episode: Episode, subject: Subject, reader: Seat, judge: Seat) -> None:
    """Hide what has been read."""
    await episode.ask(judge, [passage(subject)], phase="speech")
    episode.hide_passage_from(judge)


async def begins_with_it(episode: Episode, subject: Subject, reader: Seat, judge: Seat) -> None:
    """Let the judge continue the passage that is hidden from it."""
    episode.hide_passage_from(judge)
    await episode.ask(judge, subject.text, phase="verdict", prefill=[passage(subject)])


async def hides_its_beginning(
    episode: Episode, subject: Subject, reader: Seat, judge: Seat
) -> None:
    """Hide what has been continued."""
    await episode.ask(judge, subject.text, phase="speech", prefill=[passage(subject)])
    episode.hide_passage_from(judge)


async def shows_another(episode: Episode, subject: Subject, reader: Seat, judge: Seat) -> None:
    """Show a passage that is not the subject's."""
    await episode.ask(judge, passage(Subject("Else?", passage="Other words.")), phase="speech")


def play(path: Path, protocol: Play, requests: list[Request] | None = None) -> Arena:
    """Play a protocol once, and note what was asked."""

    def reply(request: Request) -> str:
        if requests is not None:
            requests.append(request)
        return "It says <quote>hid the brass key</quote> and <quote>in the church</quote>."

    speaker = agent_with_capabilities(reply, "prefill")
    arm = Arm("once", protocol, [{"reader": speaker, "judge": speaker}])
    arena = Arena(path / "store.duckdb")
    arena.run(Study("hidden", [arm], [ABOUT]))
    return arena


def test_the_record_says_who_read_the_passage_and_whose_quotes_were_checked(tmp_path: Path) -> None:
    requests: list[Request] = []
    arena = play(tmp_path, shows_and_quotes, requests)
    seen = arena.sql("select seat, face, seen_seat from saw order by all").rows
    assert seen == (("judge", "checked", "reader"), ("reader", "passage", None))
    by_seat = {request.place.seat: request.messages[-1].content for request in requests}
    assert by_seat["reader"] == WORDS + ABOUT.text
    assert "<verified>hid the brass key</verified>" in by_seat["judge"]
    assert "<unverified>in the church</unverified>" in by_seat["judge"]
    (public,) = arena.sql("select public from turns where seat = 'reader'").rows[0]
    assert "<quote>hid the brass key</quote>" in public
    assert arena.sql("select passage, published from subjects").rows == ((WORDS, "2024-05"),)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (shows_it_to_the_judge, "about to be shown to judge"),
        (pastes_it, "stand as text in a request to judge"),
        (hides_it_too_late, "has read the passage"),
        (begins_with_it, "about to be shown to judge"),
        (hides_its_beginning, "has read the passage"),
        (shows_another, "not the subject's"),
    ],
)
def test_a_hidden_passage_is_refused(tmp_path: Path, protocol: Play, words: str) -> None:
    arena = play(tmp_path, protocol)
    ((error,),) = arena.sql("select error from episodes").rows
    assert words in error


def test_a_passage_identifies_a_subject_and_the_day_does_not() -> None:
    plain = Subject("Where is the key?", "question", "A", ("pier", "church"))
    assert "passage" not in plain.content()
    assert subject_id(ABOUT) != subject_id(plain)
    later = Subject("Where is the key?", "question", "A", ("pier", "church"), published="2025")
    assert subject_id(later) == subject_id(plain)


@pytest.mark.parametrize("day", ["2024-13", "May 2024", "2024-02-30", "24"])
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(StudyError, match="was published on a day such as"):
        Subject("Where?", published=day)


def test_a_subject_without_a_passage_has_none_to_show() -> None:
    with pytest.raises(StudyError, match="has no passage"):
        passage(Subject("Where?"))
