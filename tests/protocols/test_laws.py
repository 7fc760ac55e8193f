"""Every protocol is held to the laws, and the laws find what breaks them."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.scripted import scripted_model
from arena.play.episode import Episode
from arena.play.prompt import own
from arena.types import Agent, Answer, Reading, Reply, Request, Seat, Subject, Turn
from protocols import laws
from protocols.asking import question_prompt, reader
from protocols.parsing.tags import speech_and_confidence
from tests.question_agents import CHOICE, QUESTION, by_seed

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1"
SOLVER = {"solver": Agent("s", scripted_model(by_seed))}


def is_protocol(node: ast.stmt) -> bool:
    """Whether a statement is an async function of an episode, a subject, seats, and options by
    keyword.
    """
    if not isinstance(node, ast.AsyncFunctionDef) or node.name.startswith("_"):
        return False
    given = [(each.arg, ast.unparse(each.annotation)) for each in node.args.args if each.annotation]
    if len(given) < 2:
        return False
    first, second, *seats = given
    # A last seat may take a list of agents.
    last = node.args.vararg
    if last is not None and last.annotation is not None:
        seats.append((last.arg, ast.unparse(last.annotation)))
    kinds = {kind for _, kind in seats}
    stored = ("StoredArgument", "StoredDebate", "StoredThoughts", "StoredRequest", "StoredMoment")
    subjects = ("Subject", "AnswerPair", "Compared", "StoredSamples", *stored)
    return first[0] == "episode" and second[1] in subjects and kinds == {"Seat"}


def protocols_of(folder: Path) -> Iterator[str]:
    """The protocols in the files of a folder that have a VERSION."""
    for file in sorted(folder.glob("*.py")):
        body = ast.parse(file.read_text()).body
        if any(
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION"
            for node in body
        ):
            names = [node.name for node in body if is_protocol(node)]
            assert names, f"{file.name} has a VERSION, but no protocol"
            yield from names


def held_to_the_laws(folder: Path) -> set[str]:
    """What stands first in a call of laws.check in a test, in any file of a folder."""
    return {
        ast.unparse(node.args[0])
        for file in folder.glob("test_*.py")
        for test in ast.walk(ast.parse(file.read_text()))
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef)
        and test.name.startswith("test_")
        for node in ast.walk(test)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "laws.check"
    }


def test_every_protocol_has_a_test_of_the_laws(tmp_path: Path) -> None:
    found = list(protocols_of(ROOT / "protocols"))
    assert {"debate", "judging", "single", "moa"} <= set(found)
    lawless = set(found) - held_to_the_laws(Path(__file__).parent)
    assert not lawless, (
        "write a test that calls laws.check(<the protocol by its name>, ...) for"
        f" {', '.join(sorted(lawless))}"
    )
    (tmp_path / "novel.py").write_text(
        'VERSION = "1"\nasync def novel(episode: Episode, question: Subject, solver: Seat) -> None:'
        " ...\n"
    )
    assert set(protocols_of(tmp_path)) - held_to_the_laws(Path(__file__).parent) == {"novel"}


async def told(episode: Episode, question: Subject, solver: Seat) -> Answer:
    said = await episode.ask(
        solver,
        f"{question_prompt(question)} Hint: {question.gold}",
        phase="a",
        read=reader(question),
    )
    return Answer(solver.name, said.answer)


async def guessed(episode: Episode, question: Subject, solver: Seat) -> Answer:
    said = await episode.ask(solver, question_prompt(question), phase="a", read=reader(question))
    return Answer(solver.name, said.answer or "A")


class Forgetful:
    """Counts the plays of this process, which no replay can know."""

    plays = 0


async def fickle(episode: Episode, question: Subject, solver: Seat) -> Answer:
    said = await episode.ask(solver, question_prompt(question), phase="a", read=reader(question))
    Forgetful.plays += 1
    return Answer(solver.name, said.answer, confidence=1 / Forgetful.plays)


@pytest.mark.parametrize(
    ("protocol", "question", "words"),
    [
        (told, QUESTION, "gold: solver was told"),
        (guessed, CHOICE, "silence: nobody said anything"),
        (fickle, QUESTION, "order: the transcript depends"),
    ],
)
def test_a_protocol_of_questions_that_breaks_a_law_is_found(
    protocol: object, question: Subject, words: str
) -> None:
    with pytest.raises(laws.BrokenLawError, match=words):
        laws.check(protocol, SOLVER, question)  # type: ignore[arg-type]


def one_name(reply: Reply) -> Reading:
    """The one debater that a ballot names."""
    named = [name for name in ("first", "second") if name in reply.text]
    return Reading(reply.text, answer=named[0] if len(named) == 1 else None)


async def panel(
    episode: Episode,
    motion: Subject,
    first: Seat,
    second: Seat,
    moderator: Seat,
    *audience: Seat,
    fallback: str | None = None,
) -> list[Answer]:
    """Two debaters with private ratings, twice; a moderator who sums up; an audience that votes."""
    said: list[Turn] = []
    for round in (0, 1):
        for seat in (first, second):
            seen = [own(turn) if turn.seat == seat.name else turn for turn in said]
            turn = await episode.ask(
                seat, [motion.text, seen], phase="speech", round=round, read=speech_and_confidence
            )
            said.append(turn)
    said.append(await episode.ask(moderator, [motion.text, said], phase="summary"))
    votes = await asyncio.gather(
        *(episode.ask(seat, [motion.text, said], phase="vote", read=one_name) for seat in audience)
    )
    return [Answer(turn.seat, turn.answer or fallback, final=False) for turn in votes]


def on_the_panel(request: Request) -> str:
    """A speech with private words, a summary, or a vote, as the phase asks for."""
    if request.place.phase != "speech":
        return "first" if request.seed % 2 else "second"
    private = f"what {request.place.seat} thinks to itself, {request.seed}"
    return (
        f"<thoughts>{private}</thoughts><speech>Tea.</speech><rating>{request.seed % 101}</rating>"
    )


SPEAKER = Agent("p", scripted_model(on_the_panel))
PANEL = {"first": SPEAKER, "second": SPEAKER, "moderator": SPEAKER, "audience": [SPEAKER] * 3}


def test_the_laws_know_seats_that_are_given_as_a_list() -> None:
    laws.check(panel, PANEL)
    with pytest.raises(laws.BrokenLawError, match="nobody said anything, but audience1 is given"):
        laws.check(panel, PANEL, options={"fallback": "first"})


async def overheard(episode: Episode, motion: Subject, *audience: Seat) -> None:
    """Each listener hears what the one before it thought."""
    said: list[Turn] = []
    for seat in audience:
        prompt = [motion.text, [own(turn) for turn in said]]
        said = [await episode.ask(seat, prompt, phase="speech", read=speech_and_confidence)]


def test_a_listener_who_is_shown_anothers_thoughts_is_found() -> None:
    laws.check(overheard, {"audience": [SPEAKER]})
    with pytest.raises(laws.BrokenLawError, match=r"LeakError: .* shown to audience2"):
        laws.check(overheard, {"audience": [SPEAKER] * 2})
