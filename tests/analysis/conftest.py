"""A store written by hand: debates as lists of ratings, so that tests show every number."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agents import agent
from arena import Arena, Arm, Study, Subject, against_itself, round_robin, run_stages
from arena.cli.main import main
from arena.store import database
from arena.store.journal import line, write_journal
from protocols.debate import FOUR_SPEECHES
from protocols.debate import debate as debating
from protocols.judging import jury

Add = Callable[..., Path]
AddPlays = Callable[..., Path]
NOW = datetime(2026, 1, 2, 3, 4, 5)
SIDES = ("proposition", "opposition")
DEBATE = {
    "arm": "only",
    "models": ("m/a", "m/b"),
    "phases": ("opening", "rebuttal", "closing"),
    "status": "done",
    "votes": (),
    "public": "Said.",
    "flags": (),
    "subject": None,
    "repeat": None,
}


PLAY = {
    "arm": "single",
    "question": 0,
    "repeat": 0,
    "model": "m/a",
    "status": "done",
    "paths": (),
    "final": ("4", True, None),
    "calls": (),
    "routes": 0,
}


def play_rows(study: str, play: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Rows of one play of a question, given as what differs from PLAY.

    `paths` are (value, correct, confidence) of path0, path1, ..., or (seat, stage, value, correct,
    confidence); `final` is that of the solver, or with seat and stage, or None; `calls` are (tokens
    in, tokens out, dollars), or with a status in front.
    """
    play = PLAY | play
    episode = f"{study}/{play['arm']}/{play['model']}/{play['question']}/{play['repeat']}"
    own = {name: play[name] for name in ("arm", "repeat")} | {
        "episode": episode,
        "study": study,
        "protocol": "solve",
    }
    subject = f"question {play['question']}"
    rows: list[tuple[str, dict[str, Any]]] = [
        ("plays", own | {"subject": subject}),
        ("subjects", {"subject": subject, "kind": "question", "text": subject, "gold": "4"}),
        (
            "seats",
            {"episode": episode, "seat": "solver", "agent": play["model"], "model": play["model"]},
        ),
    ]
    given = [
        (path if len(path) == 5 else (f"path{k}", 0, *path), False)
        for k, path in enumerate(play["paths"])
    ]
    if play["final"] is not None:
        given.append(
            (play["final"] if len(play["final"]) == 5 else ("solver", 0, *play["final"]), True)
        )
    for (seat, stage, value, correct, confidence), final in (
        given if play["status"] == "done" else ()
    ):
        answer = {
            "episode": episode,
            "seat": seat,
            "stage": stage,
            "answer": value,
            "canonical": value,
            "correct": correct,
        }
        status = "no answer" if correct is None else "graded"
        rows.append(
            ("answers", answer | {"confidence": confidence, "final": final, "status": status})
        )
    for step, call in enumerate(play["calls"]):
        status, tokens_in, tokens_out, cost_usd = call if len(call) == 4 else ("ok", *call)
        place = {
            "episode": episode,
            "seat": "solver",
            "step": step,
            "ask": 0,
            "run": "r",
            "attempt": 0,
            "started_at": NOW,
        }
        rows.append(
            (
                "call_ends",
                place
                | {
                    "status": status,
                    "tokens_in": tokens_in,
                    "tokens_out": tokens_out,
                    "cost_usd": cost_usd,
                },
            )
        )
    for rank in range(play["routes"]):
        rows.append(
            (
                "routes",
                {
                    "episode": episode,
                    "block": 0,
                    "path": 0,
                    "peer": rank + 1,
                    "rank": rank,
                    "router": "random",
                },
            )
        )
    if play["status"] != "open":
        rows.append(
            (
                "statuses",
                {
                    "episode": episode,
                    "status": play["status"],
                    "error_kind": "Refused",
                    "ended_at": NOW,
                },
            )
        )
    return rows


def debate_rows(name: str, debate: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Rows of one debate, given as what differs from DEBATE.

    `ratings` are those of each side by phase: a number in percent, "none" if none was asked for, or
    the reason why it is missing;
    `votes` are (winner or None, confidence) of each judge.
    """
    play = DEBATE | debate
    study = name.partition("/")[0]
    kept = {key: play[key] for key in ("arm", "subject", "repeat")}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("plays", {"episode": name, "study": study, "protocol": "debate"} | kept)
    ]
    for side, model, own in zip(SIDES, play["models"], play["ratings"], strict=True):
        rows.append(("seats", {"episode": name, "seat": side, "agent": model, "model": model}))
        for step, (phase, rating) in enumerate(zip(play["phases"], own, strict=True)):
            turn = {
                "episode": name,
                "seat": side,
                "step": step,
                "round": step,
                "phase": phase,
                "public": play["public"],
                "flags": play["flags"],
            }
            number = None if isinstance(rating, str) else rating / 100
            why = rating.replace("none", "not asked") if isinstance(rating, str) else "read"
            rows.append(("turns", turn | {"confidence": number, "confidence_status": why}))
    if play["status"] != "open":
        rows.append(
            (
                "statuses",
                {
                    "episode": name,
                    "status": play["status"],
                    "error_kind": "Refused",
                    "ended_at": NOW,
                },
            )
        )
    for number, (winner, confidence) in enumerate(play["votes"]):
        judging = f"{name} judging {number}"
        why = "read" if winner else "no winner tag"
        rows.append(
            ("plays", {"episode": judging, "study": study, "arm": "jury", "protocol": "judging"})
        )
        rows.append(("statuses", {"episode": judging, "status": "done", "ended_at": NOW}))
        said = {
            "judge": f"judge {number}",
            "seat_order": "as played",
            "repeat": 0,
            "winner": winner,
            "confidence": confidence,
            "status": why,
        }
        rows.append(("rulings", {"episode": judging, "debate": name, **said}))
    return rows


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Put debates into a store, each as in `debate_rows`, and return its path.

    It is called as `add("study", debate, debate, simulated=False)`.
    """
    path = tmp_path / "arena.duckdb"
    number = itertools.count()

    def write(
        study: str, *debates: dict[str, Any], simulated: bool = False, fold: bool = True
    ) -> Path:
        database.create(path)
        run = {
            "run": f"run {next(number)}",
            "study": study,
            "started_at": NOW,
            "simulated": simulated,
            "origin": "played",
        }
        rows: list[tuple[str, dict[str, Any]]] = [("runs", run)]
        for debate in debates:
            rows += debate_rows(f"{study}/{next(number)}", debate)
        write_journal(
            database.journal_folder(path) / f"{next(number)}.jsonl",
            [line(table, row) for table, row in rows],
        )
        if fold:
            database.fold(path)
        return path

    return write


@pytest.fixture
def solve(tmp_path: Path) -> AddPlays:
    """Put plays of questions into a store, each as in `play_rows`, and return its path.

    It is called as `solve("study", play, play, simulated=False)`.
    """
    path = tmp_path / "arena.duckdb"
    number = itertools.count()

    def write(study: str, *plays: dict[str, Any], simulated: bool = False) -> Path:
        database.create(path)
        run = {
            "run": f"solving {next(number)}",
            "study": study,
            "started_at": NOW,
            "simulated": simulated,
            "origin": "played",
        }
        rows = [("runs", run), *(row for play in plays for row in play_rows(study, play))]
        write_journal(
            database.journal_folder(path) / f"solving {next(number)}.jsonl",
            [line(table, row) for table, row in rows],
        )
        database.fold(path)
        return path

    return write


@pytest.fixture(scope="session")
def cup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with two simulated studies: "it's a cup" and self_agreement.

    The first has three models in two arms and a jury, the second questions.
    """
    path = tmp_path_factory.mktemp("cup") / "arena.duckdb"
    arena = Arena(path, concurrency=64)
    models = [
        agent(name) for name in ("sim/modest", "sim/confident", "sim/overconfident:unreadable=0.2")
    ]
    arms = [
        Arm("plain", debating, [*round_robin(models), *against_itself(models[:1])]),
        Arm("rounds", debating, round_robin(models[:2]), {"phases": FOUR_SPEECHES}),
    ]
    played = Study(
        "it's a cup", arms, [Subject(f"This house would count to {n}.") for n in range(4)]
    )
    run_stages(
        arena,
        [played, jury("cup jury", played, [agent("sim/judge:seed=1"), agent("sim/judge:seed=2")])],
    )
    solving = Path(__file__).resolve().parents[2] / "experiments" / "self_agreement.py"
    assert main(["run", str(solving), "--db", str(path), "-o", "number=8", "-o", "calls=5"]) == 0
    return path
