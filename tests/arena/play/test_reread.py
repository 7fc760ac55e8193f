"""Stored replies that are read anew: what is recorded, what counts, and what never changes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from arena.arena import Arena
from arena.errors import StudyError
from arena.play.reread import RereadSummary
from arena.store.merge import merge
from arena.studies.study import Arm, Study
from arena.tournaments.study_file import load_study
from arena.types import Subject
from protocols.single import single
from tests.fake_agents import agent, study

# The first reader knows one form of a rating and of an answer, the mended one two of each, and
# takes what stands in brackets for private.
FILE = """
import asyncio
import re
from agents.scripted import scripted_model
from arena import Agent, Arm, Study, Subject
from arena.types import Answer, Reading

VERSION = "1"


def read(reply):
    number = re.search({number!r}, reply.text)
    answer = re.search({answer!r}, reply.text)
    thoughts = re.search(r"\\[(.*)\\]", reply.text) if {mended} else None
    public = reply.text if thoughts is None else reply.text.replace(thoughts[0], "").strip()
    return Reading(
        public,
        thoughts and thoughts[1],
        int(number[1]) / 100 if number else None,
        "read" if number else "no number",
        answer and answer[1],
    )


async def talk(episode, motion, proposition, opposition):
    first = await episode.ask(proposition, [motion.text], phase="opening", read=read)
    await episode.ask(opposition, [motion.text, first], phase="opening", read=read)


async def vote(episode, question, solver):
    from arena.types import Seat

    paths = await asyncio.gather(*(
        episode.ask(Seat(f"path{{i}}", solver.agent), question.text, phase="path", read=read)
        for i in range(3)))
    given = [turn.answer for turn in paths]
    said = [answer for answer in given if answer is not None]
    best = max(said, key=said.count) if said else None
    return [*(Answer(turn.seat, turn.answer, final=False) for turn in paths),
            Answer("solver", best)]


def say(request):
    if request.place.seat.startswith("path"):
        return "answer=3" if request.place.seat == "path0" else "It is 4!"
    return "I say so [hush hush] rating=70" if request.place.seat == "proposition" else "no, 60%"


def study():
    speaker = Agent("s", scripted_model(say, name="s"))
    return Study("own", [
        Arm("talk", talk, [{{"proposition": speaker, "opposition": speaker}}]),
        Arm("vote", vote, [{{"solver": speaker}}]),
    ], [Subject("2+2", "question", gold="4")])
"""
FIRST = FILE.format(number=r"rating=(\d+)", answer=r"answer=(\d+)", mended=False)
MENDED = FILE.format(
    number=r"(?:rating=|no, )(\d+)", answer=r"(?:answer=|It is )(\d+)", mended=True
)
PLAYED = ("turns", "saw", "answers", "calls", "statuses")


@dataclass(frozen=True)
class Reread:
    """A store before and after a rereading with a mended reader, and its study's file."""

    path: Path
    file: Path
    before: dict[str, tuple[tuple[object, ...], ...]]
    summary: RereadSummary


@pytest.fixture(scope="module")
def reread(tmp_path_factory: pytest.TempPathFactory) -> Reread:
    folder = tmp_path_factory.mktemp("reread")
    file, arena = folder / "own_study.py", Arena(folder / "a.duckdb")
    file.write_text(FIRST)
    assert arena.run(load_study(file)).done == 2
    before = {name: arena.sql(f"from {name} order by all").rows for name in PLAYED}
    file.write_text(MENDED)
    return Reread(arena.path, file, before, arena.reread(load_study(file)))


def test_what_was_played_never_changes(reread: Reread) -> None:
    arena = Arena(reread.path)
    for name, rows in reread.before.items():
        assert arena.sql(f"from {name} order by all").rows == rows, name


def test_the_summary_counts_what_is_read_otherwise(reread: Reread) -> None:
    assert (reread.summary.turns, reread.summary.episodes, reread.summary.unchanged) == (5, 2, 0)
    counts = {key: n for key, n in reread.summary.counts.items() if n}
    assert counts == {
        ("talk", "scripted/s", "turns"): 2,
        ("talk", "scripted/s", "now_read"): 1,
        ("talk", "scripted/s", "otherwise"): 1,
        ("vote", "scripted/s", "turns"): 3,
        ("vote", "scripted/s", "now_read"): 2,
        ("vote", "scripted/s", "grades_changed"): 3,
    }
    assert not reread.summary.left_out
    assert not reread.summary.failures


def test_a_reading_names_its_reader_and_the_grade_of_its_answer(reread: Reread) -> None:
    rows = Arena(reread.path).sql(
        "select seat, reader, length(reader_version), status, public, thoughts, confidence, answer,"
        " correct, grade_status from readings order by seat"
    )
    assert [row[1:3] for row in rows.rows] == [("read", 16)] * 5
    assert [(row[0], *row[3:]) for row in rows.rows] == [
        ("opposition", "read", "no, 60%", None, 0.6, None, None, "no answer"),
        ("path0", "read", "answer=3", None, None, "3", False, "graded"),
        ("path1", "read", "It is 4!", None, None, "4", True, "graded"),
        ("path2", "read", "It is 4!", None, None, "4", True, "graded"),
        ("proposition", "read", "I say so  rating=70", "hush hush", 0.7, None, None, "no answer"),
    ]


def test_views_go_by_the_latest_reading_and_say_so(reread: Reread) -> None:
    arena = Arena(reread.path)
    ratings = "select seat, confidence, reader_version is not null from ratings order by seat"
    assert arena.sql(ratings).rows == (("opposition", 0.6, True), ("proposition", 0.7, True))
    plays = "select answer, correct, paths_correct, reader_version is not null from question_plays"
    assert arena.sql(plays).rows == (("4", True, 2, True),)
    assert arena.sql("select accuracy from accuracy").rows == ((1.0,),)
    assert arena.sql("from missing where what <> 'confidence'").rows == ()
    assert arena.sql("select public from latest_turns where seat = 'proposition'").rows == (
        ("I say so  rating=70",),
    )


def test_the_same_code_adds_nothing_and_a_replay_asks_nothing(reread: Reread) -> None:
    arena = Arena(reread.path)
    count = "select count(*) from readings"
    before = arena.sql(count).rows
    again = arena.reread(load_study(reread.file))
    assert (again.unchanged, again.episodes, arena.sql(count).rows) == (2, 2, before)
    assert arena.run(load_study(reread.file)).replies == 0


def test_readings_are_merged_with_their_store(reread: Reread, tmp_path: Path) -> None:
    other = Arena(tmp_path / "b.duckdb")
    other.run(study(agent("b"), subjects=1))
    merge(other.path, reread.path)
    query = "select seat, confidence from latest_turns where seat = 'opposition' and round = 0"
    assert ("opposition", 0.6) in other.sql(query).rows


def test_a_protocol_of_no_package_is_asked_for_with_its_file(reread: Reread) -> None:
    (reason,) = [reason for reason in Arena(reread.path).reread("own").left_out if "talk" in reason]
    assert "the protocol talk of study 'own' is in no installed package" in reason
    assert "arena reread STUDY.py --study own" in reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[motion.text, first]", "[motion.text, 'now', first]", "others today than when it was"),
        ('VERSION = "1"', 'VERSION = "12"', "VERSION 1 of talk, which has VERSION 12 now"),
        (
            "    first = ",
            "    raise OSError('!')\n    first = ",
            "its protocol failed with OSError",
        ),
        ('phase="opening"', 'phase="first words"', "it asks for a turn that is not stored"),
    ],
)
def test_an_episode_is_left_out_with_the_reason(
    reread: Reread, tmp_path: Path, old: str, new: str, reason: str
) -> None:
    path = tmp_path / "a.duckdb"
    shutil.copy(reread.path, path)
    file = tmp_path / "other_study.py"
    file.write_text(MENDED.replace(old, new) + "# another size\n")
    left_out = Arena(path).reread(load_study(file)).left_out
    assert any(reason in words for words in left_out), left_out


def test_a_reader_that_fails_leaves_its_turn_as_it_was(reread: Reread, tmp_path: Path) -> None:
    path, file = tmp_path / "a.duckdb", tmp_path / "failing_study.py"
    shutil.copy(reread.path, path)
    file.write_text(
        MENDED.replace("    number = ", "    assert '60' not in reply.text\n    number = ")
    )
    arena = Arena(path)
    summary = arena.reread(load_study(file))
    assert list(summary.failures) == ["AssertionError: "]
    assert not summary.left_out
    query = "select confidence from latest_turns where seat = 'opposition'"
    assert arena.sql(query).rows == ((0.6,),)


def test_an_unknown_study_is_refused(reread: Reread) -> None:
    with pytest.raises(StudyError, match="no episode of a study 'none'"):
        Arena(reread.path).reread("none")


@pytest.mark.slow
def test_a_grader_of_the_study_is_needed_and_used(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    solver = agent("s", lambda request: "\\boxed{4}")
    arms = [Arm("single", single, [{"solver": solver}])]
    question = Subject("An even number?", "question", gold="2")

    def is_even(subject: Subject, answer: str) -> bool:
        return int(answer) % 2 == 0

    graded = Study("even", arms, [question], grader=is_even)
    arena.run(graded)
    (reason,) = arena.reread().left_out
    assert "decides by a function of its own, " in reason
    assert "is_even" in reason
    assert arena.reread(graded).turns == 1
    query = "select correct, reader_version is not null from latest_answers"
    assert arena.sql(query).rows == ((True, True),)
