"""What a protocol returns is checked before anything is asked, and again when it was played."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from arena import Agent, Answer, Arena, Arm, Episode, Seat, Study, Subject, Turn, Verdict
from arena.errors import ProtocolError, StudyError
from arena.play.rehearsal import rehearse
from arena.play.results import check_result
from arena.studies.study import plays
from arena.types import BaseModel, Reading, Reply, Request
from tests.fake_agents import MOTION, agent, rating

VERSION = "1"
Ends = Callable[[Turn, Seat, Episode], object]


def one_that(ends: Ends) -> object:
    """A protocol that asks twice, and returns what a function makes of the last turn."""

    async def speaks(episode: Episode, motion: Subject, speaker: Seat) -> object:
        await episode.ask(speaker, motion.text, phase="first", read=rating)
        turn = await episode.ask(speaker, motion.text, phase="last", read=last_number)
        return ends(turn, speaker, episode)

    return speaks


def study_of(*protocols: object, speaker: Agent) -> Study:
    arms = [
        Arm(f"a{number}", protocol, [{"speaker": speaker}])  # type: ignore[arg-type]
        for number, protocol in enumerate(protocols)
    ]
    return Study("s", arms, [MOTION])


def never(request: Request) -> str:
    raise AssertionError("a model was asked")


def verdict(**changes: object) -> Verdict:
    return replace(Verdict("d", "j", None, None, None, "read"), **changes)  # type: ignore[arg-type]


MAY = "a protocol returns an Answer, a list of Answers, a list of Scores, a Verdict, or None"
HERE = r"\(test_rehearsal\.py, line \d+\)$"
RESULTS = {
    f"speaks returned a Turn; {MAY}; the record holds its turns": lambda t, s, e: t,
    f"returned a list of 2 Turns; {MAY}": lambda t, s, e: [t, t],
    "returned a tuple of 2: Answer, Turn": lambda t, s, e: (Answer(s.name, None), t),
    "returned a str; .* a text is given as Answer": lambda t, s, e: "because",
    "returned a dict; a protocol returns": lambda t, s, e: {s.name: t},
    "returned a generator; a protocol returns": lambda t, s, e: (t for _ in "ab"),
    "list of 1 Verdict; .* an episode has one Verdict": lambda t, s, e: [verdict()],
    "an Answer of 'jury', where nobody sat; .* are speaker": lambda t, s, e: Answer("jury", "4"),
    "2 answers of 'speaker' with stage=0; count": lambda t, s, e: [Answer(s.name, None)] * 2,
    "returned 2 final answers; one is the answer of the episode": lambda t, s, e: [
        Answer(s.name, None, stage=stage) for stage in (0, 1)
    ],
    rf"Answer.__init__\(\) got .* 'sure' {HERE}": lambda t, s, e: Answer(s.name, "4", sure=1),
    rf"Episode.ask\(\) .* {HERE}": lambda t, s, e: e.ask(s, "again", fase="x"),
    "a turn is not text": lambda t, s, e: f"They said: {t}",
    "<private number> cannot become text": lambda t, s, e: f"{t.confidence:.0%}",
    "private text has no upper": lambda t, s, e: t.text.upper(),
}
ANSWERS = {
    "seat is a Seat; it is the name of a seat": lambda t, s: {"seat": s},
    "answer is a Turn; it is a text": lambda t, s: {"answer": t},
    "answer is an int; it is a text": lambda t, s: {"answer": 42},
    "correct is a str; it is True or False": lambda t, s: {"correct": "yes"},
    "confidence is a str; it is a number in": lambda t, s: {"confidence": "80"},
    "confidence is a bool; it is a number in": lambda t, s: {"confidence": True},
    "final is None; it is True or False": lambda t, s: {"final": None},
    "stage is a str; it is a whole number": lambda t, s: {"stage": "1"},
}
VERDICTS = {
    "debate is a Turn; it is the id of a debate": lambda t, s: {"debate": t},
    "judge is a Seat; it is the judge's name": lambda t, s: {"judge": s},
    "winner is a Seat; it is the name of a seat": lambda t, s: {"winner": s},
    "confidence is a list of 1 int; it is a number": lambda t, s: {"confidence": [80]},
    "reasons is a Turn; it is a text": lambda t, s: {"reasons": t},
    "status is None; it is": lambda t, s: {"status": None},
}
WRONG = [
    *RESULTS.items(),
    *(
        (
            f"an Answer whose {words}",
            lambda t, s, e, of=of: replace(Answer(s.name, "4"), **of(t, s)),
        )
        for words, of in ANSWERS.items()
    ),
    *(
        (f"a Verdict whose {words}", lambda t, s, e, of=of: verdict(**of(t, s)))
        for words, of in VERDICTS.items()
    ),
]


@pytest.mark.parametrize(("words", "ends"), WRONG, ids=[words for words, _ in WRONG])
async def test_what_may_not_be_returned_is_refused_before_anything_is_asked(
    words: str, ends: Ends
) -> None:
    made = study_of(one_that(ends), speaker=agent("m", never))
    with pytest.raises(StudyError, match=f"^nothing was asked: .*{words}") as caught:
        await rehearse(plays(made))
    assert "\n" not in str(caught.value)


def test_a_run_and_a_dry_run_refuse_it_before_they_open_a_model(tmp_path: Path) -> None:
    class Closed(BaseModel):
        name = "mine/closed"

        async def __call__(self, request: Request) -> Reply:
            raise AssertionError("a model was asked")

        async def open(self) -> None:
            raise AssertionError("a model was opened")

    made = study_of(one_that(lambda t, s, e: t), speaker=Agent("m", Closed()))
    arena = Arena(tmp_path / "a.duckdb")
    for check in (arena.dry_run, arena.run):
        with pytest.raises(StudyError, match="speaks returned a Turn"):
            check(made)
    assert list(tmp_path.iterdir()) == []
    arena.run(study_of(makes_a_seat, speaker=agent()))
    with pytest.raises(StudyError, match="speaks returned a Turn"):
        arena.run(made)
    assert arena.sql("select count(*) from runs").rows == ((1,),)


async def streams(episode: Episode, motion: Subject, speaker: Seat) -> object:
    """Yields, which makes it no coroutine."""
    yield Answer("speaker", None)


def blocks(episode: Episode, motion: Subject, speaker: Seat) -> None:
    """Is not async."""


@pytest.mark.parametrize(("protocol", "kind"), [(blocks, "NoneType"), (streams, "async_generator")])
async def test_a_function_that_is_not_async_is_told_to_be(protocol: object, kind: str) -> None:
    with pytest.raises(StudyError, match=f"{kind} at once; write it as `async def`"):
        await rehearse(plays(study_of(protocol, speaker=agent("m", never))))


async def makes_a_seat(episode: Episode, motion: Subject, speaker: Seat) -> list[Answer]:
    """Answers for a seat of its own, and for the seat that it was given, which never speaks."""
    path = Seat("path0", speaker.agent)
    await episode.ask(path, motion.text, phase="x", read=rating)
    return [Answer(path.name, None, final=False), Answer(speaker.name, None)]


async def names_by_words(episode: Episode, motion: Subject, speaker: Seat) -> Answer:
    """Answers for the seat that a reply names."""
    turn = await episode.ask(speaker, motion.text, phase="x", read=rating)
    return Answer((turn.public or "").strip(), None)


async def names_what_was_read(episode: Episode, motion: Subject, speaker: Seat) -> Answer:
    """Answers for nobody where no name was read."""
    turn = await episode.ask(speaker, motion.text, phase="x", read=rating)
    return Answer("speaker" if turn.public == "speaker" else None, None)  # type: ignore[arg-type]


async def surest(episode: Episode, motion: Subject, speaker: Seat) -> list[Answer]:
    """Takes the surest of three; where all are as sure, all answers are final."""
    seats = [Seat(f"path{number}", speaker.agent) for number in range(3)]
    said = [await episode.ask(seat, motion.text, phase="x", read=last_number) for seat in seats]
    best = max(turn.confidence for turn in said if turn.confidence is not None)
    return [Answer(turn.seat, None, final=turn.confidence == best) for turn in said]


async def needs_words(episode: Episode, motion: Subject, speaker: Seat) -> Answer:
    """Breaks where a reply does not begin with the word."""
    turn = await episode.ask(speaker, motion.text, phase="x", read=rating)
    return Answer(speaker.name, {"speaker": "yes"}[turn.public or ""])


async def until_agreed(episode: Episode, motion: Subject, speaker: Seat) -> None:
    """Goes on until somebody says the word."""
    while (await episode.ask(speaker, motion.text, phase="x", read=rating)).public != "speaker":
        pass


async def leaves(episode: Episode, motion: Subject, speaker: Seat) -> None:
    """Leaves by the exit where nobody says the word."""
    turn = await episode.ask(speaker, motion.text, phase="x", read=rating)
    if turn.public != "speaker":
        raise SystemExit("no word")


def last_number(reply: Reply) -> Reading:
    """Read the last number of a reply as its rating."""
    return Reading("-", confidence=int(re.findall(r"\d+", reply.text)[-1]) / 100)


HONEST = (
    makes_a_seat,
    names_by_words,
    names_what_was_read,
    surest,
    needs_words,
    until_agreed,
    leaves,
)


def test_a_protocol_that_hangs_on_words_is_played(tmp_path: Path) -> None:
    made = study_of(*HONEST, speaker=agent("m", lambda request: f"speaker|{request.seed % 101}"))
    summary = Arena(tmp_path / "a.duckdb").run(made)
    assert (summary.done, summary.failed) == (len(HONEST), 0)


def test_the_rehearsal_takes_one_episode_of_a_protocol_however_long_the_study(
    tmp_path: Path,
) -> None:
    played = []

    async def counted(episode: Episode, motion: Subject, speaker: Seat) -> None:
        played.append(episode.id)
        await episode.ask(speaker, motion.text, phase="x")

    arm = Arm("a", counted, [{"speaker": agent(name)} for name in "ab"])
    arms = [arm, replace(arm, label="b"), replace(arm, label="c")]
    Arena(tmp_path / "a.duckdb").run(Study("s", arms, [MOTION, Subject("Another.")]))
    assert len(played) == 1 + 3 * 2 * 2


async def test_a_rehearsal_that_is_stopped_leaves_nothing_running() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def waits(episode: Episode, motion: Subject, speaker: Seat) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(rehearse(plays(study_of(waits, speaker=agent("m", never)))))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended.wait()


@pytest.mark.parametrize("confidence", [80, -0.1, float("nan")])
def test_a_confidence_is_in_0_to_1_when_it_is_stored(confidence: float) -> None:
    with pytest.raises(
        ProtocolError, match=r"an Answer with the confidence \S+; it is a number in"
    ):
        check_result("p", Answer("s", "4", confidence=confidence), {"s"})
    with pytest.raises(ProtocolError, match="a Verdict with the confidence"):
        check_result("p", verdict(confidence=confidence), {"s"})
    assert check_result("p", verdict(confidence=0.5), ()) == verdict(confidence=0.5)


def test_messages_name_at_most_some_seats_and_end_with_whole_words() -> None:
    seats = {f"audience{number}" for number in range(1, 200)}
    name = "somebody whose name is long and says a lot of things about who this might be"
    with pytest.raises(ProtocolError) as caught:
        check_result("p", Answer(name, None), seats)
    assert "'somebody whose name is long and says a lot of things about ...'" in str(caught.value)
    assert len(str(caught.value)) < 250


async def test_a_rehearsal_is_quick() -> None:
    todo = plays(study_of(one_that(lambda t, s, e: None), speaker=agent("m", never)))
    times = []
    for _ in range(3):
        began = time.process_time()
        await rehearse(todo)
        times.append(time.process_time() - began)
    assert min(times) < 0.05
