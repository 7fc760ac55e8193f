"""Connections: the program's own reads share one, and a store is free after each."""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from arena.errors import StoreError
from arena.store.connection import IDLE_INSTANCES, attach_store, writing
from arena.store.database import create, fold, journal_folder, open_live, query, select_rows
from arena.store.journal import line, write_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a journal that is not folded."""
    path = tmp_path / "a.duckdb"
    create(path)
    write_journal(journal_folder(path) / "j.jsonl", [line("subjects", {"subject": "a"})])
    return path


def count_connects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by one with each database that DuckDB opens."""
    opened: list[str] = []
    connect = duckdb.connect

    def counting(database: str, **options: object) -> duckdb.DuckDBPyConnection:
        opened.append(database)
        return connect(database, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(duckdb, "connect", counting)
    return opened


def test_reads_of_the_program_share_one_instance_and_a_users_query_has_its_own(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query(path, "select 1")  # all results of a process share another instance
    IDLE_INSTANCES.clear()
    opened = count_connects(monkeypatch)
    for _ in range(3):
        assert select_rows(path, "select subject from subjects").rows == (("a",),)
    assert len(opened) == 1
    query(path, "select 1")
    assert len(opened) == 2


def test_nothing_of_one_reader_is_there_for_the_next(path: Path) -> None:
    with open_live(path) as con:
        con.execute("create temp table mine as from subjects")
    with open_live(path) as con, pytest.raises(duckdb.CatalogException):
        con.execute("from mine")
    with attach_store(path) as (con, _):
        names = con.execute("select database_name from duckdb_databases() where not internal")
        assert sorted(names.fetchall()) == [("memory",), ("store",)]


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_other_processes_find_the_file_free_after_each_read(path: Path, fails: bool) -> None:
    if fails:
        with pytest.raises(ZeroDivisionError), open_live(path):
            raise ZeroDivisionError
    select_rows(path, "from subjects")
    code = f"import duckdb; duckdb.connect({str(path)!r}).execute('create table own (a integer)')"
    written = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert written.stderr == ""
    assert fold(path).journals == 1


def test_a_read_inside_another_has_an_instance_of_its_own(path: Path, tmp_path: Path) -> None:
    create(tmp_path / "b.duckdb")
    with open_live(path) as con:
        assert select_rows(tmp_path / "b.duckdb", "from subjects").rows == ()
        assert select_rows(path, "select subject from subjects").rows == (("a",),)
        assert con.execute("select subject from subjects").fetchall() == [("a",)]


def test_a_store_that_plain_duckdb_reads_in_this_process_can_be_read_and_folded_after(
    path: Path,
) -> None:
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("from subjects").fetchall() == []
    assert fold(path).journals == 1
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("select subject from subjects").fetchall() == [("a",)]


def test_threads_take_turns(path: Path) -> None:
    counts: list[int] = []

    def read() -> None:
        counts.append(len(select_rows(path, "from subjects")))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1] * 8


def read_in_child(path: Path) -> int:
    """Count the subjects in a forked process."""
    return len(select_rows(path, "from subjects"))


def test_a_forked_process_has_an_instance_of_its_own(path: Path) -> None:
    assert read_in_child(path) == 1
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(read_in_child, (path,)).get(timeout=60) == 1
    with writing(path, wait_s=0) as con:
        con.execute("create table own (a integer)")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are only files")
def test_what_is_no_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.duckdb").mkdir()
    # Like a pipe, but to open it would not wait for ever.
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("b.duckdb")
        for name, what in (("a.duckdb", "a folder"), ("b.duckdb", "no file"), ("/dev/null", "no")):
            with pytest.raises(StoreError, match=f"{name} is {what}"), attach_store(Path(name)):
                pass
            with pytest.raises(StoreError, match=f"{name} is {what}"):
                query(Path(name), "select 1")
