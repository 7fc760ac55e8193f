"""Scorings and asides that are killed at any moment ask nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arena import Arena

ROOT = Path(__file__).resolve().parents[2]
# Plays rated answers and a debate, scores the one and asks aside about the other.  The process
# kills itself when so many turns are written, the last of them perhaps not on the disk.
PROGRAM = """
import os
import signal
import sys

from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Study, Subject
from arena.store.journal import Journal
from arena.tournaments.stages import run_stages
from protocols import named
from protocols.aside import aside
from protocols.scoring import score

left = int(sys.argv[2])
append = Journal.append


def append_and_die(self, *lines):
    global left
    append(self, *lines)
    left -= sum(b'{"t":"turns"' in line for line in lines)
    if left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def reply(request):
    if request.place.phase == "probe":
        return f"Confidence: {request.seed % 101}%"
    words = f"<speech>words</speech><rating>{request.seed % 101}</rating>"
    return words if request.place.phase != "path" else f"\\\\boxed{{{request.seed % 2}}}"


Journal.append = append_and_die
solver = Agent("solver", scripted_model(reply, name="instant"))
questions = [Subject(f"Question {number}?", "question", "1") for number in range(6)]
paths = Arm("paths", named("self_consistency"), [{"solver": solver}], {"paths": 4})
answered = Study("answered", [paths], questions)
sides = {"proposition": solver, "opposition": solver}
debated = Study("debated", [Arm("debate", named("debate"), [sides])], [Subject("This house.")])
stages = [
    answered,
    score("scores", of=answered, estimators=["consistency", "self_probing"]),
    debated,
    aside(debated),
]
print(run_stages(Arena(sys.argv[1], concurrency=3), stages))
"""
ASKED_TWICE = """
    select episode, seat, step, ask from call_ends where status = 'ok'
    group by all having count(*) > 1
"""


@pytest.mark.slow
def test_a_scoring_and_asides_that_are_killed_again_and_again_ask_nothing_twice(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.duckdb"
    for _ in range(8):
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path), "13"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if ended.returncode != -signal.SIGKILL:
            break
    assert ended.returncode == 0, ended.stderr
    arena = Arena(path)
    assert arena.sql(ASKED_TWICE).rows == ()
    turns = "select study, count(*) from turns join plays using (episode) group by 1 order by 1"
    assert dict(arena.sql(turns).rows) == {
        "answered": 24,
        "debated": 6,
        "debated asked aside": 6,
        "scores": 12,
    }
    # Each kill may take replies that were on their way, at most as many as were in flight.
    unknown = arena.sql("select count(*) from calls where status = 'unknown'").rows[0][0]
    runs = arena.sql("select count(*) from runs").rows[0][0]
    assert runs >= 6
    assert unknown <= 3 * runs
    rows = "select name, count(*), count(value) from latest_scores group by 1 order by 1"
    by_name = {name: counts for name, *counts in arena.sql(rows).rows}
    assert (by_name["consistency"], by_name["self_probing"]) == ([24, 24], [24, 24])
    assert arena.sql("select count(*) from asides where aside_confidence is not null").rows == (
        (6,),
    )
