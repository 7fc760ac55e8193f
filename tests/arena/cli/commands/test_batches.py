"""`arena run --batch` and `arena batches`, with OpenAI's SDK against a server of its form."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from arena.calls import batch_calls
from arena.cli.main import main
from tests.fake_batches import BatchServer, serving

STUDY = """
from agents import agent
from arena import Sampling
from tests.fake_agents import study as make


def study():
    return make(agent("openai/gpt-4o-mini", sampling=Sampling(max_tokens=50)))
"""
Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    monkeypatch.chdir(tmp_path)
    Path("talks.py").write_text(STUDY)
    soon = partial(batch_calls.BatchSettings, first_wait_s=0.01, longest_wait_s=0.02, settle_s=0.0)
    monkeypatch.setattr(batch_calls, "BatchSettings", soon)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    with serving(BatchServer()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


def ask(capsys: Capsys, status: int, *words: str) -> str:
    """What a command prints, standard error too."""
    capsys.readouterr()
    assert main(list(words)) == status
    shown = capsys.readouterr()
    return shown.out + shown.err


@pytest.mark.slow
def test_batches_are_listed_cancelled_and_given_up(server: BatchServer, capsys: Capsys) -> None:
    assert "add --batch" in ask(capsys, 2, "run", "talks.py", "--max-rounds", "1")
    again = ask(capsys, 3, "run", "talks.py", "--batch", "--max-rounds", "1")
    assert "as --max-rounds allows" in again
    assert "continue with the same command" in again
    listed = ask(capsys, 0, "batches")
    assert "openai/gpt-4o-mini  batch_2" in listed
    assert "is over" in ask(capsys, 2, "batches", "--cancel", "batch_2")
    # A provider that never ends a batch, and a run that is stopped while it waits.
    server.stages = ("in_progress",)
    looks = 0

    def interrupt(event: str) -> None:
        """Stop the run as Ctrl-C does."""
        nonlocal looks
        looks += event.startswith("look")
        if looks == 2:
            signal.raise_signal(signal.SIGINT)

    server.on_event = interrupt
    stopped = ask(capsys, 130, "run", "talks.py", "--batch")
    assert "4 calls go on in batches" in stopped
    name = next(iter(server.batches))
    assert name in stopped
    assert name in ask(capsys, 0, "batches", "--update")
    assert "is cancel" in ask(capsys, 0, "batches", "--cancel", name)
    assert "gave up" in ask(capsys, 0, "batches", "--forget", name)
    server.stages = ("completed",)
    assert "2 of 2 episodes done" in ask(capsys, 0, "run", "talks.py", "--batch")
    # Six rounds of four with re-asks, of which one was given up and is paid twice.
    assert sorted(server.asked.values()) == [1] * 20 + [2] * 4
    costs = ask(capsys, 0, "sql", "select count(*), count(cost_usd) from calls", "--format", "csv")
    assert costs.split() == ["count_star(),count(cost_usd)", "28,24"]
