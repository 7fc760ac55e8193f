"""Forgetting: all rows go, nothing comes back, and a kill leaves the old state or the new one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agents import agent as agent_of
from arena.calls.spending import load_spending
from arena.errors import StoreError, StudyError
from arena.play.run import Arena
from arena.store.database import create, fold, journal_folder, journals, open_live
from arena.store.forgetting import Selected, forget, select
from arena.store.journal import first_line, line, open_segment
from arena.store.schema import TABLES
from arena.store.study_lock import lock_study
from arena.tournaments.stages import resolve_stage
from arena.types import Reply, Request
from protocols.judging import jury
from tests.fake_agents import agent, by_seed, study

JURY = jury("jury", "talks", [agent_of("sim/judge")])
BY_EPISODE = [name for name, table in TABLES.items() if "episode" in table.columns]


def paid(request: Request) -> Reply:
    """A reply for a cent."""
    return Reply(by_seed(request), cost_usd=0.01)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two debates that were judged."""
    path = tmp_path_factory.mktemp("forgetting") / "made.duckdb"
    Arena(path).run(study(agent(reply=paid)))
    Arena(path).run(resolve_stage(JURY, path))
    return path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(made, tmp_path / "a.duckdb"))


def first(path: Path) -> Selected:
    """Select the first debate of a store."""
    first_of_all = "episode = (select min(episode) from episodes where study = $study)"
    return select(path, "talks", "the first", first_of_all, {})


def rows(path: Path) -> dict[str, int]:
    """Count the rows of all tables that go by episode, and of subjects."""
    with open_live(path) as con:
        count = "select count(*) from {}"
        return {
            name: con.execute(count.format(name)).fetchall()[0][0]
            for name in (*BY_EPISODE, "subjects")
        }


@pytest.mark.slow
def test_all_rows_go_and_a_run_plays_the_episode_anew(store: Path) -> None:
    before = rows(store)
    debate = first(store)
    assert len(debate.judgings) == 2
    assert forget(store, debate) == []
    gone = [*debate.episodes, *debate.judgings]
    with open_live(store) as con:
        for name in BY_EPISODE:
            left = f"select count(*) from {name} where list_contains($1, episode)"
            assert con.execute(left, [gone]).fetchall() == [(0,)], name
    after = rows(store)
    assert (before["turns"], after["turns"]) == (16, 8)
    assert after["subjects"] == before["subjects"] - 2
    note = Arena(store).sql("select study, episodes, calls, cost_usd from forgotten order by 1")
    assert note.rows == (("jury", 2, 2, 0.0), ("talks", 1, 6, pytest.approx(0.06)))
    assert load_spending(store, "talks", {}).usd == pytest.approx(0.12)
    summary = Arena(store).run(study(agent(reply=paid)))
    assert (summary.done, summary.replies, summary.others) == (2, 6, 0)
    assert {name: count for name, count in rows(store).items() if name == "turns"} == {"turns": 14}


def leave_journal(path: Path, host: str) -> Path:
    """Write the journal of a run that was killed a moment ago on a machine."""
    create(path)
    at = "2026-01-01T00:00:00"
    run = {"run": "r", "study": "talks", "origin": "played", "planned": 1, "host": host}
    lines = [
        line("runs", run | {"started_at": at}),
        line("plays", {"episode": "e", "study": "talks", "arm": "only", "started_at": at}),
        line("turns", {"episode": "e", "seat": "a", "step": 0, "text": "Private."}),
    ]
    journal = journal_folder(path) / "r-000.jsonl"
    journal.write_bytes(b"".join((first_line(), *lines)))
    return journal


def test_nothing_comes_back_from_the_journal_of_a_killed_run(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    leave_journal(path, socket.gethostname())
    assert forget(path, select(path, "talks", "all", "true", {})) == []
    assert (journals(path), fold(path).journals, rows(path)["turns"]) == ([], 0, 0)
    # The same file, brought back by hand, is known as folded.
    leave_journal(path, socket.gethostname())
    assert (fold(path).journals, rows(path)["turns"]) == (0, 0)


@pytest.mark.slow
def test_a_journal_that_another_machine_may_go_on_writing_prevents_it(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    journal = leave_journal(path, "elsewhere")
    everything = select(path, "talks", "all", "true", {})
    with pytest.raises(StoreError, match=r"nothing was removed: .* must go first"):
        forget(path, everything)
    assert (journals(path), rows(path)["turns"]) == ([journal], 1)


@pytest.mark.slow
def test_it_waits_for_no_run(store: Path) -> None:
    debate = first(store)
    journal_folder(store).mkdir()
    with lock_study(store, "jury"), pytest.raises(StoreError, match="is in use by a run"):
        forget(store, debate)
    held = open_segment(journal_folder(store) / "s.jsonl")
    with held[1], pytest.raises(StoreError, match="is in use by a run"):
        forget(store, debate)
    os.close(held[0])
    assert rows(store)["turns"] == 16


def test_what_is_not_there_cannot_be_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    leave_journal(path, "elsewhere")
    with pytest.raises(StudyError, match="no such episode of the study 'talks': arm x"):
        select(path, "talks", "arm x", "arm = $arm", {"arm": "x"})
    with pytest.raises(StudyError, match="there are: talks"):
        select(path, "talk", "all", "true", {})
    with pytest.raises(StudyError, match=r"--where does not fit: .*nonsense"):
        select(path, "talks", "where nonsense", "nonsense", {})


@pytest.mark.slow
def test_no_bracket_of_a_condition_reaches_another_study(store: Path) -> None:
    condition = "true) or (true"
    selected = select(store, "talks", f"where {condition}", condition, {})
    of_study = Arena(store).sql("select episode from all_episodes where study = 'talks'").rows
    assert sorted(selected.episodes) == sorted(episode for (episode,) in of_study)


# Kills itself before the n-th statement or removal of a file.
FORGET = """
import os, signal, sys
from pathlib import Path
import duckdb
from arena.store import forgetting
path, number = Path(sys.argv[1]), int(sys.argv[2])
selected = forgetting.select(path, "talks", "all", "true", {})
steps = 0
def counted(call):
    def step(*arguments, **options):
        global steps
        steps += 1
        if steps == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return step
duckdb.DuckDBPyConnection.execute = counted(duckdb.DuckDBPyConnection.execute)
os.unlink = counted(os.unlink)
forgetting.forget(path, selected)
print(steps)
"""


def kill_at(path: Path, number: int) -> subprocess.CompletedProcess[str]:
    """Forget a study in a process that kills itself at a statement; 0: never."""
    command = [sys.executable, "-c", FORGET, str(path), str(number)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new_one(
    store: Path, tmp_path: Path
) -> None:
    def copied(name: str) -> Path:
        path = Path(shutil.copy(store, tmp_path / f"{name}.duckdb"))
        # Its rows are in the database too, and it was written a moment ago.
        leave_journal(path, socket.gethostname())
        return path

    done = copied("whole")
    statements = int(kill_at(done, 0).stdout)
    before, after = rows(copied("before")), rows(done)
    assert (before["turns"], after["turns"]) == (17, 0)
    states = set()
    # The last one writes into the file what the one before it has made durable.
    for number in (*range(1, statements - 1, 20), statements - 1, statements):
        path = copied(str(number))
        assert kill_at(path, number).returncode == -signal.SIGKILL
        states.add((rows(path) == before, rows(path) == after))
        fold(path)
        assert rows(path) in (before, after)
    assert states == {(True, False), (False, True)}
    # What a kill has left over hinders nobody.
    assert Arena(path).run(study(agent(reply=paid))).replies == 12
