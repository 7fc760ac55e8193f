"""A store written by hand: debates as lists of ratings, so that every expected number can be read off the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from arena import store
from arena.journal import line, write_journal

Add = Callable[..., Path]
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
}


def debate_rows(name: str, debate: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Rows of one debate, given as what differs from DEBATE.

    `ratings` are those of each side by phase: a number in percent, "none" where none was asked for, or the reason why it is missing;
    `votes` are (winner or None, confidence) of each judge.
    """
    play = DEBATE | debate
    study = name.partition("/")[0]
    rows: list[tuple[str, dict[str, Any]]] = [("plays", {"episode": name, "study": study, "arm": play["arm"], "protocol": "debate"})]
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
        rows.append(("statuses", {"episode": name, "status": play["status"], "error_kind": "Refused", "ended_at": NOW}))
    for number, (winner, confidence) in enumerate(play["votes"]):
        judging = f"{name} judging {number}"
        why = "read" if winner else "no winner tag"
        rows.append(("plays", {"episode": judging, "study": study, "arm": "jury", "protocol": "judging"}))
        rows.append(("statuses", {"episode": judging, "status": "done", "ended_at": NOW}))
        said = {"judge": f"judge {number}", "seat_order": "as played", "repeat": 0, "winner": winner, "confidence": confidence, "status": why}
        rows.append(("rulings", {"episode": judging, "debate": name, **said}))
    return rows


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """`add("study", debate, debate, simulated=False)`: put debates, each as in `debate_rows`, into a store; returns its path."""
    path = tmp_path / "arena.duckdb"
    number = itertools.count()

    def write(study: str, *debates: dict[str, Any], simulated: bool = False, fold: bool = True) -> Path:
        store.create(path)
        run = {"run": f"run {next(number)}", "study": study, "started_at": NOW, "simulated": simulated, "origin": "played"}
        rows: list[tuple[str, dict[str, Any]]] = [("runs", run)]
        for debate in debates:
            rows += debate_rows(f"{study}/{next(number)}", debate)
        write_journal(store.journal_folder(path) / f"{next(number)}.jsonl", [line(table, row) for table, row in rows])
        if fold:
            store.fold(path)
        return path

    return write
