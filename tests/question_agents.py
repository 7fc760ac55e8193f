"""Questions, scripted solvers and a stage for the tests of protocols that answer questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from agents.scripted import scripted_model
from arena.play.run import Arena
from arena.studies.study import Arm, Protocol, Study
from arena.types import Agent, Reply, Request, Sampling, Subject

QUESTION = Subject("What is 2+2?", "question", "4")
CHOICE = Subject("Which is even?", "question", "B", ("three", "four", "five"))
Script = Callable[[Request], str | Reply]


def box(answer: object) -> str:
    """A reply with this answer."""
    return f"I thought about it. \\boxed{{{answer}}}"


def by_seat(replies: Mapping[str, str], otherwise: str = "I cannot tell.") -> Script:
    """A script that answers by the name of the seat."""
    return lambda request: replies.get(request.place.seat, otherwise)


def paths(*answers: object, solver: str = "I cannot tell.") -> Script:
    """A script with these answers of path0, path1, ... (None: unreadable), and the solver's."""
    said = {
        f"path{i}": "I cannot tell." if answer is None else box(answer)
        for i, answer in enumerate(answers)
    }
    return by_seat({**said, "solver": solver})


def by_seed(request: Request) -> str:
    """An answer that depends on the seed alone."""
    return f"I thought {request.seed}. \\boxed{{{request.seed % 3}}}"


def agent_with_capabilities(script: Script, *can: str) -> Agent:
    """A scripted agent whose model says of itself what it can."""
    return Agent("m", replace(scripted_model(script, "m"), capabilities=frozenset({"seed", *can})))  # type: ignore[type-var]


def play(
    path: Path,
    protocol: Protocol,
    reply: Script | Agent,
    options: Mapping[str, object] | None = None,
    question: Subject = QUESTION,
) -> Arena:
    """Play one question, which must succeed."""
    solver = (
        reply
        if isinstance(reply, Agent)
        else Agent("s", scripted_model(reply), sampling=Sampling(temperature=0.7))
    )
    arena = Arena(path)
    summary = arena.run(
        Study("s", [Arm("a", protocol, [{"solver": solver}], options or {})], [question]),
        watch=lambda tally: None,
    )
    assert summary.done == 1, arena.sql("select error_kind, error from episodes").rows
    return arena


def final(arena: Arena) -> tuple[object, ...]:
    """(answer, correct, confidence) of the one final answer."""
    (row,) = arena.sql("select answer, correct, confidence from answers where final").rows
    return row


def others(arena: Arena) -> list[tuple[object, ...]]:
    """(seat, stage, answer, correct) of the answers that are not final."""
    return list(
        arena.sql(
            "select seat, stage, answer, correct from answers where not final order by stage, seat"
        ).rows
    )


def seats_shown(arena: Arena, seat: str = "solver") -> list[str]:
    """The seats whose turns stood in a seat's last prompt, in their order."""
    (parts,) = arena.sql(
        f"select prompt from turns where seat = '{seat}' order by step desc limit 1"
    ).rows[0]
    return [part["seat"] for part in parts if part["seat"] is not None]
