"""A study with a jury is asked in batches and killed at every state of every batch.

The provider is a server in this process; the run is a process of its own, which the server kills
when it is asked for something, or which kills itself when it has half of the replies of a batch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import pytest

from arena import Arena
from tests.fake_batches import BatchServer, serving

ROOT = Path(__file__).resolve().parents[3]
# Imports all that a run needs, and then forks a process for each run: to import takes seconds.
PROGRAM = """
import importlib
import os
import signal
import sys

from agents import agent
from arena import Arena, Arm, Sampling, Study, Subject
from arena.calls.batch_calls import BatchSettings
from arena.store.journal import Journal
from arena.tournaments.stages import run_stages
from protocols.debate import debate
from protocols.judging import jury

reference = sys.argv[1]
importlib.import_module(reference.partition("/")[0])
append = Journal.append
left = 0


def append_and_die(self, *lines):
    # A turn is written: the reply was taken from the batch.  The others were not yet.
    global left
    append(self, *lines)
    turns = sum(b'{"t":"turns"' in line for line in lines)
    left -= turns
    if turns and left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def run(store, how):
    Journal.append = append_and_die
    speaker = agent(reference, sampling=Sampling(max_tokens=60))
    motions = [Subject("This house would test."), Subject("This house would wait.")]
    lineup = {"proposition": speaker, "opposition": speaker}
    talks = Study("talks", [Arm("only", debate, [lineup])], motions)
    soon = BatchSettings(first_wait_s=0.01, longest_wait_s=0.05, settle_s=0.0)
    arena = Arena(store, batches=soon if how == "batched" else None)
    for summary in run_stages(arena, [talks, jury("jury", talks, [speaker])]):
        print(summary, file=sys.stderr)


for line in sys.stdin:
    store, how, left = line.split()
    left = int(left)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run(store, how)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
TURNS = (
    "select episode, seat, step, phase, round, asks, text, public, thoughts, confidence,"
    " confidence_status, answer, flags, prompt, request_hash, seed, model_served, finish_reason,"
    " sample_key, fingerprint from turns order by all"
)
VERDICTS = (
    "select debate, judge, seat_order, repeat, winner, confidence, reasons, status from verdicts"
    " order by all"
)
ANSWERS_IN_A_BATCH = 4
HALF = ANSWERS_IN_A_BATCH // 2
# Before it is created, created but not noted, running, ended but unread, half read.
OPENAI = ("upload", "created", "look: in_progress", "results", "half")
# A running batch has no key, and its states pass while it is looked for.
ANTHROPIC = ("create", "created", "results", "half")


class Runs:
    """Processes that play one study into one store, one after the other."""

    def __init__(self, server: BatchServer, folder: Path, reference: str) -> None:
        self.folder = folder
        self.kills: deque[str] = deque()
        self.pid = 0
        self.killed = 0
        server.on_event = self.kill
        (folder / "program.py").write_text(PROGRAM)
        self.errors = (folder / "errors.txt").open("wb")
        self.program = subprocess.Popen(
            [sys.executable, "program.py", reference],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def kill(self, event: str) -> None:
        """Kill the process if this is the next event at which it dies."""
        if self.kills and event == self.kills[0]:
            self.kills.popleft()
            os.kill(self.pid, signal.SIGKILL)
            self.died.wait()
            if event == "create":
                raise ConnectionResetError("the request was not whole")

    def run(self, store: str, how: str) -> int:
        """Play to the end, or to the death of the process; return its status."""
        half = bool(self.kills) and self.kills[0] == "half"
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.died = threading.Event()
        self.program.stdin.write(f"{store} {how} {HALF if half else 0}\n")
        self.program.stdin.flush()
        self.pid = int(self.program.stdout.readline())
        status = int(self.program.stdout.readline())
        self.died.set()
        if half and status == -signal.SIGKILL:
            self.kills.popleft()
        self.killed += status == -signal.SIGKILL
        assert status in (0, -signal.SIGKILL), (self.folder / "errors.txt").read_text()
        return status

    def close(self) -> None:
        """End the program."""
        self.program.communicate()
        self.errors.close()

    def run_to_the_end(self, kills: Sequence[str]) -> None:
        """Run it again and again, killed at each of these, until it ends by itself."""
        self.kills.extend(kills)
        while self.run("batched.duckdb", "batched") != 0:
            pass
        assert not self.kills


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("reference", "name", "root", "states"),
    [
        ("openai/gpt-4o-mini", "OPENAI", "/v1", OPENAI),
        ("anthropic/claude-haiku-4-5", "ANTHROPIC", "", ANTHROPIC),
    ],
)
def test_a_study_killed_at_every_state_of_every_batch_pays_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reference: str,
    name: str,
    root: str,
    states: Sequence[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(f"{name}_API_KEY", "sk-test-0123456789abcdef")
    with serving(BatchServer()) as server:
        monkeypatch.setenv(f"{name}_BASE_URL", server.url.removesuffix("/v1") + root)
        runs = Runs(server, tmp_path, reference)
        # Opening, rebuttal and closing, then the judges.
        runs.run_to_the_end(states * 4)
        assert runs.killed == 4 * len(states)
        assert sorted(server.asked.values()) == [1] * 4 * ANSWERS_IN_A_BATCH
        batched_tokens = server.tokens["batched"]
        assert server.tokens["single"] == 0
        runs.run("single.duckdb", "single")
        runs.close()
    batched, single = Arena(tmp_path / "batched.duckdb"), Arena(tmp_path / "single.duckdb")
    for rows in (TURNS, VERDICTS):
        assert len(single.sql(rows)) > 0
        assert batched.sql(rows).rows == single.sql(rows).rows
    bill = "select sum(cost_usd), sum(tokens_in + tokens_out) from calls"
    ((half, tokens),), ((whole, same),) = batched.sql(bill).rows, single.sql(bill).rows
    assert half == pytest.approx(whole / 2)
    assert tokens == same == batched_tokens
    # Whatever was written down and not sent cost nothing; nothing is left open.
    open_or_paid = "select count(*) from calls where cost_usd is null or status = 'unknown'"
    assert batched.sql(open_or_paid).rows == ((0,),)
    assert batched.sql("select sum(unread) from batches").rows == ((0,),)
