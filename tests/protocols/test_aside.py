"""An aside is asked from the seat's own view, shown to nobody, and changes nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import agents
from arena import (
    Agent,
    Arena,
    Arm,
    Episode,
    RunSelection,
    Seat,
    Stage,
    Study,
    Subject,
    own,
    run_stages,
)
from arena.errors import StudyError
from arena.play.memory import MemoryJournal, play_in_memory
from arena.play.sync import run_blocking
from arena.studies.study import plays
from arena.tournaments.stored_moments import StoredMoment, stored_moments
from arena.types import Message, Reply, Request
from protocols import laws, named
from protocols.aside import READERS, WINNING, aside, asked_aside
from tests.fake_agents import agent

VERSION = "1"
MOTIONS = [Subject("This house would test.")]
# What defines a turn; the times and the run are those of the wall clock.
TURNS = """
    select episode, seat, step, text, prompt, roles, seed, request_hash, sample_key, confidence
    from turns join plays using (episode) where study = 'talks' order by episode, seat, step
"""


def speak(request: Request) -> str:
    """Words that tell who spoke when, and a secret of its own."""
    place = request.place
    who = f"{place.seat} {place.step} of {request.seed}"
    if place.phase.startswith("aside"):
        return "<rating>40</rating>"
    return f"<thoughts>secret of {who}</thoughts><speech>words of {who}</speech><rating>70</rating>"


PRO, CON = (replace(agent(name, speak), system=f"You are {name}.") for name in ("pro", "con"))


def talks(*forms: str) -> Study:
    """Debates on two motions in each of these forms of prompt."""
    lineup = {"proposition": PRO, "opposition": CON}
    arms = [Arm(form, named("debate"), [lineup], {"form": form}) for form in forms]
    return Study("talks", arms, MOTIONS)


BOTH = talks("transcript", "chat")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose debates were asked aside half-way and at their end."""
    path = tmp_path_factory.mktemp("asides") / "a.duckdb"
    arena = Arena(path)
    arena.run(BOTH, selection=RunSelection(limit=1))
    half = run_stages(arena, [aside(BOTH)])[0]
    assert (half.done, half.calls) == (6, 6)
    arena.run(BOTH)
    rest = run_stages(arena, [aside(BOTH)])[0]
    assert (rest.done, rest.calls, rest.others) == (12, 6, 0)
    return path


def test_a_play_with_and_without_asides_is_equal_to_the_byte(path: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.duckdb"
    Arena(alone).run(BOTH)
    rows = Arena(path).sql(TURNS).rows
    assert len(rows) == 12
    assert rows == Arena(alone).sql(TURNS).rows


def test_an_aside_is_the_stored_request_and_reply_and_a_question(path: Path) -> None:
    sent: dict[str, tuple[Message, ...]] = {}

    def note(request: Request) -> str:
        sent[request.place.episode] = request.messages
        return "<rating>40</rating>"

    asked: defaultdict[tuple[str, str, int], list[Message]] = defaultdict(list)

    def replay(request: Request) -> str:
        place = request.place
        asked[place.episode, place.seat, place.step] += request.messages
        return speak(request)

    arena = Arena(path.with_name("noted.duckdb"))
    lineup = {
        "proposition": replace(agent("pro", replay), system=PRO.system),
        "opposition": replace(agent("con", replay), system=CON.system),
    }
    noted = replace(BOTH, arms=[replace(arm, lineups=(lineup,)) for arm in BOTH.arms])
    arena.run(noted)
    stand_ins = [replace(each, model=agent(each.name, note).model) for each in lineup.values()]
    run_stages(arena, [aside("talks", agents=stand_ins)])
    parents = arena.sql(
        "select e.episode, parent, parent_seat, parent_step, t.text from episodes e"
        " join turns t on t.episode = parent and seat = parent_seat and step = parent_step"
    ).rows
    assert len(parents) == len(sent) == len(asked) == 12
    for episode, parent, seat, step, text in parents:
        *before, reply, question = sent[episode]
        assert before == asked[parent, seat, step]
        assert (reply, question) == (Message("assistant", text), Message("user", WINNING))


def test_private_faces_in_an_aside_are_those_of_the_seat_alone(path: Path) -> None:
    rows = Arena(path).sql(
        "select face, s.seen_seat = e.parent_seat as own, count(*) as n from saw s"
        " join episodes e using (episode) where e.parent is not null and seen_seat is not null"
        " and seen_step is not null group by all"
    )
    by_face = {(row[0], row[1]) for row in rows.rows}
    assert ("public", False) in by_face
    assert {own for face, own in by_face if face != "public"} == {True}
    texts = (
        Arena(path)
        .sql(
            "select parent_seat, list_transform(prompt, lambda p: p.text) from turns"
            " join episodes using (episode) where parent is not null"
        )
        .rows
    )
    assert not any("secret" in (text or "") for _, words in texts for text in words)


def test_what_is_said_aside_is_private_and_read(path: Path) -> None:
    rows = (
        Arena(path)
        .sql(
            "select distinct phase, confidence, public, e.study, options->>'read'"
            " from turns join episodes e using (episode) where parent is not null order by all"
        )
        .rows
    )
    phases = ("closing", "opening", "rebuttal")
    assert rows == tuple(
        (f"aside after {p}", 0.4, "", "talks asked aside", "rating") for p in phases
    )


@pytest.mark.parametrize("read", READERS)
def test_no_reader_makes_an_aside_public(read: Any) -> None:
    reading = READERS[read](
        Reply("Confidence: 40%" if read == "confidence" else "<rating>40</rating>")
    )
    assert reading.public == ""
    assert reading.confidence == (None if read == "text" else 0.4)


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({"at": "closing"}, 4),
        ({"at": ["closing", 0]}, 8),
        ({"seats": ["opposition"]}, 6),
        ({"at": 1, "seats": ["proposition"]}, 2),
    ],
)
def test_phases_steps_and_seats_choose_the_moments(
    path: Path, chosen: dict[str, Any], count: int
) -> None:
    assert aside(BOTH, **chosen).count_episodes(path) == count


def test_asides_of_a_study_to_come_are_counted_by_its_plan(tmp_path: Path) -> None:
    path = tmp_path / "none.duckdb"
    assert aside(BOTH).count_episodes(path) == 12
    assert aside(BOTH, at=["closing", 0], seats=["opposition"]).count_episodes(path) == 4


def failing(stage: Stage, path: Path, words: str) -> None:
    """Hold that a stage cannot be written, with these words."""
    with pytest.raises(StudyError, match=words):
        stage.write(path)


@pytest.mark.parametrize("at", [1.5, True, [1, None], ["opening", False]])
def test_an_aside_is_asked_at_phases_and_whole_steps_alone(at: Any) -> None:
    with pytest.raises(StudyError, match=r"names of phases, .* or at steps of a seat.*; found"):
        aside("talks", at=at)


def test_a_bare_name_of_a_seat_is_one_seat(path: Path) -> None:
    counts = [
        aside("talks", agents=[PRO, CON], seats=seats).count_episodes(path)
        for seats in ("proposition", ["proposition"])
    ]
    assert counts[0] == counts[1] > 0


def test_asides_are_not_asked_aside_themselves(path: Path) -> None:
    failing(aside("talks asked aside", agents=[PRO, CON]), path, "holds asides, whose seats are")


def test_only_who_sat_there_is_asked_aside(path: Path) -> None:
    other = Agent("pro", agents.model("sim/modest"), PRO.system)
    failing(aside("talks", agents=[other, CON]), path, r"only who sat there can be asked aside")
    failing(aside("talks", agents=[CON]), path, r"pro sat as proposition .*; give it")
    failing(aside(BOTH, at="nowhere"), path, r"there are: opposition in closing, ")
    failing(aside("nothing", agents=[PRO]), path, r"holds no turn of a study 'nothing'")
    with pytest.raises(StudyError, match="asks a question"):
        aside(BOTH, ask=" ")
    wrong: Any = ["sim/debater"]
    with pytest.raises(StudyError, match=r"^agents of aside\(\) needs an Agent, found str;"):
        aside("talks", agents=wrong)


async def overheard(episode: Episode, moment: StoredMoment, speaker: Seat, other: Seat) -> None:
    """Show a seat's own words to another seat."""
    assert moment.turn is not None
    await episode.ask(other, own(moment.turn), phase="aside")


def test_another_seat_of_an_aside_is_not_shown_the_private_face(path: Path) -> None:
    moment = stored_moments(path, "talks")[0]
    arm = Arm("overheard", overheard, [{"speaker": PRO, "other": CON}])
    journal = MemoryJournal()
    (play,) = plays(Study("s", [arm], [moment]))
    run_blocking(lambda: play_in_memory(play, journal))
    (status,) = journal.rows("statuses")
    assert (status["status"], status["error_kind"]) == ("failed", "LeakError")


def test_an_aside_obeys_the_laws(path: Path) -> None:
    moment = stored_moments(path, "talks")[0]
    options = {"ask": "How sure are you?", "read": "rating"}
    laws.check(asked_aside, {"speaker": PRO}, moment, options=options)


def test_asides_are_renamed_with_their_study() -> None:
    stage = aside(BOTH)
    assert stage.rename is not None
    assert stage.rename(lambda name: f"new {name}").name == "new talks asked aside"
