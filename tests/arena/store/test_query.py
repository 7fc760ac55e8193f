"""Queries of users: they reach nothing but the store, change nothing, and stay within limits."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from arena.errors import StoreError
from arena.play.run import Arena
from arena.store import database
from arena.store.database import download, query
from arena.store.journal import line, write_journal
from arena.store.query import QueryLimits
from tests.fake_agents import agent, study

ENDLESS = "select count(*) from range(100000000000) a, range(100000) b"
LISTS = "select 1 as a, [1, 2] as l, {'x': 1, 'y': 'z'} as s, null as n, date '2026-01-02' as d"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with a folded study and a line that is not folded yet, for all who only read."""
    path = tmp_path_factory.mktemp("store") / "a.duckdb"
    Arena(path).run(study(agent(), subjects=1))
    write_journal(
        database.journal_folder(path) / "z.jsonl",
        [line("subjects", {"subject": "new", "kind": "motion"})],
    )
    return path


def contents(*folders: Path) -> dict[Path, bytes]:
    """Return the bytes of every file under these folders."""
    files = (file for folder in folders for file in folder.rglob("*"))
    return {file: file.read_bytes() for file in files if file.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('{file}')",
        "from '{file}'",
        "from read_text('{file}')",
        "from read_blob('{file}')",
        "from read_json('{file}')",
        "from glob('{file}')",
        "from sniff_csv('{file}')",
        "from parquet_schema('{file}')",
        "from read_csv('http://127.0.0.1:9/x')",
        "from duckdb_secrets()",
        "select getenv('HOME')",
        "from Path",
        "copy (select 1) to '{file}.csv'",
        "export database '{file}.d'",
        "import database '{file}.d'",
        "attach '{file}.db' as x",
        "attach ':memory:' as x",
        "attach '{store}' as again",
        "install httpfs",
        "load httpfs",
        "update extensions",
        "set enable_external_access = true",
        "reset lock_configuration",
        "set memory_limit = '64GB'",
        "pragma memory_limit = '64GB'",
        "pragma database_list",
        "call enable_logging()",
        "create secret s (type s3)",
        "create table t (a integer)",
        "insert into store.subjects (subject) values ('x')",
        "delete from store.subjects",
        "with gone as (delete from store.subjects returning *) from gone",
        "with gone as (delete from pending.subjects returning *) from gone",
        "explain analyze delete from store.subjects",
        "explain analyze copy (select 1) to '{store}' (use_tmp_file false)",
        "explain analyze create temp table t (a integer)",
        "explain analyze create table memory.t (a integer)",
        "/* a */ explain -- b\n analyze /* c */ (format json) create temp table t (a integer)",
        "explain analyze verbose create temp table t (a integer)",
        "explain create temp view v as select 1",
        "explain set threads = 1",
        "drop view store.both_sides",
        "use store",
        "detach store; attach '{store}' as store; delete from store.turns",
        "detach pending",
        "prepare p as detach store; execute p",
        "checkpoint store",
        "vacuum",
    ],
)
def test_a_query_reaches_no_file_no_network_no_setting_and_changes_nothing(
    path: Path, tmp_path: Path, sql: str
) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("a,b\n1,2\n")
    before = contents(tmp_path, path.parent)
    with pytest.raises(StoreError, match="the query failed"):
        query(path, sql.format(file=file, store=path))
    assert contents(tmp_path, path.parent) == before
    assert query(path, "select count(*) from subjects").rows == ((2,),)


@pytest.mark.slow
def test_what_reads_is_allowed_and_the_last_of_several_results_is_given(path: Path) -> None:
    assert query(path, "select 1; select 2; -- and no more").rows == ((2,),)
    assert query(
        path, "pivot turns on seat using count(*) group by phase order by phase"
    ).columns == ("phase", "opposition", "proposition")
    for sql in (
        "describe turns",
        "summarize seats",
        "show tables",
        "explain select 1",
        "explain analyze select 1",
        "explain (format json) (select 1)",
        "explain -- a\n analyze /* b */ from turns",
        "explain (from turns)",
        "values (1)",
        "table seats",
        "from seats; from turns",
    ):
        assert len(query(path, sql)) > 0, sql
    with pytest.raises(StoreError, match="no query to run"):
        query(path, " -- nothing ;")


@pytest.mark.slow
def test_a_query_that_takes_too_long_is_stopped_and_the_next_one_runs(path: Path) -> None:
    with pytest.raises(
        StoreError,
        match=r"took longer than 0.2 s and was stopped; narrow it, or run it with arena sql",
    ):
        query(path, ENDLESS, limits=QueryLimits(seconds=0.2))
    with pytest.raises(StoreError, match="took longer"):
        download(path, ENDLESS, "csv", limits=QueryLimits(seconds=0.2))
    assert query(path, "select 1", limits=QueryLimits(seconds=60)).rows == ((1,),)


@pytest.mark.slow
def test_one_long_value_is_stopped_too(path: Path) -> None:
    """DuckDB hears no interrupt while it makes a value; a minute and more without a process."""
    began = time.monotonic()
    with pytest.raises(StoreError, match="took longer than 1 s and was stopped"):
        query(path, "select length(repeat('x', 2e9::bigint))", limits=QueryLimits(seconds=1))
    assert time.monotonic() - began < 30


def test_a_limited_query_takes_parameters_and_keeps_types(path: Path) -> None:
    result = query(path, "select $n::hugeint as n", {"n": 5}, limits=QueryLimits(seconds=60))
    assert (result.rows, result.types) == (((5,),), ("HUGEINT",))
    with pytest.raises(StoreError, match="the query has "):
        query(path, "select $n", limits=QueryLimits(seconds=60))
    limits = QueryLimits(seconds=60, rows=1)
    assert (
        download(
            path,
            "select '=' || $a as a from range(3)",
            "csv",
            {"a": 1},
            limits=limits,
            spreadsheet=True,
        )
        == b"a\n'=1\n"
    )


def test_a_query_that_needs_too_much_memory_is_stopped(path: Path) -> None:
    with pytest.raises(StoreError, match=r"needs more than 100 MB of memory"):
        query(
            path,
            "select list(repeat('x', 10000) || i) from range(1000000) t(i)",
            limits=QueryLimits(memory_mb=100),
        )


def test_rows_beyond_the_limit_are_cut_and_the_result_says_so(path: Path) -> None:
    cut = query(path, "from range(1000)", limits=QueryLimits(rows=10))
    assert (len(cut), cut.rows[-1], cut.cut) == (10, (9,), True)
    assert not query(path, "from range(10)", limits=QueryLimits(rows=10)).cut
    assert not query(path, "from range(1000)").cut
    assert download(path, "from range(1000)", "csv", limits=QueryLimits(rows=2)) == b"range\n0\n1\n"


def test_cells_beyond_the_limit_are_cut_however_large_they_are(path: Path) -> None:
    few = QueryLimits(rows=9_000, cells_mb=1)
    for sql, least in (
        ("select repeat('x', 400000) from range(9)", 2),
        ("select range(20000) from range(99)", 1),
        ("from range(8000)", 8000),
    ):
        found = query(path, sql, limits=few)
        assert (len(found), found.cut) == (least, least < 8000), sql


def test_json_knows_no_nan_and_texts_keep_the_word(path: Path) -> None:
    content = download(
        path, "select 'nan'::double a, ['-inf'::double, 1] b, 'x\",NaN' c, 1 a", "json"
    )
    assert json.loads(content, parse_constant=pytest.fail) == [
        {"a": None, "b": [None, 1.0], "c": 'x",NaN', "a_1": 1}
    ]


@pytest.mark.parametrize("columns", ["1 a, 2 a, 3 a", "1 a, 2 A, 3 a_1", "1 a, 2 a_1, 3 a, 4 A"])
def test_columns_of_one_name_are_told_apart_as_in_a_file(path: Path, columns: str) -> None:
    assert query(path, f"select {columns}").dicts() == json.loads(
        download(path, f"select {columns}", "json")
    )


def test_a_result_is_downloaded_with_its_nested_types(path: Path) -> None:
    assert (
        download(path, LISTS, "csv")
        == b"a,l,s,n,d\n1,\"[1, 2]\",\"{'x': 1, 'y': z}\",,2026-01-02\n"
    )
    row = {"a": 1, "l": [1, 2], "s": {"x": 1, "y": "z"}, "n": None, "d": "2026-01-02"}
    assert json.loads(download(path, LISTS, "json")) == [row]
    (path.parent / "r.parquet").write_bytes(
        download(path, LISTS + " -- a comment\n ; -- and another", "parquet")
    )
    with closing(duckdb.connect()) as con:
        found = con.execute(f"from '{path.parent / 'r.parquet'}'").fetchall()
    assert found[0][:3] == (1, [1, 2], {"x": 1, "y": "z"})


def test_a_download_reads_unfolded_rows_canned_queries_and_the_catalogue(path: Path) -> None:
    assert b"\nnew\n" in download(path, "select subject from subjects", "csv")
    assert len(io.BytesIO(download(path, "from confidence_by_model", "csv")).readlines()) == 4
    assert b"turns" in download(path, "show tables", "csv")


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("select 1; select 2", "csv", "one query alone"),
        ("", "csv", "one query alone"),
        ("explain select 1", "csv", "one query alone"),
        ("delete from store.turns", "csv", "it can only read"),
        ("select 1) to 'evil.csv'; copy (select 1", "csv", "Parser Error"),
        ("select 1", "xlsx", "written as csv, json, parquet, not as 'xlsx'"),
        ("from read_text('/etc/hostname')", "csv", "Permission Error"),
        ("from trns", "csv", 'Did you mean "turns"'),
    ],
)
def test_what_cannot_be_downloaded_says_why(path: Path, sql: str, kind: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        download(path, sql, kind)


def test_a_name_that_is_missed_by_a_letter_is_guessed_among_all(path: Path) -> None:
    with pytest.raises(StoreError, match='Did you mean "confidence_by_model'):
        query(path, "from confidence_by_mode")


@pytest.mark.slow
def test_ctrl_c_stops_a_query_within_two_seconds(path: Path) -> None:
    code = (
        "from pathlib import Path; from arena.store.database import query; print('on', flush=True);"
        f" query(Path({str(path)!r}), {ENDLESS!r})"
    )
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import signal; signal.signal(2, signal.default_int_handler); {code}",
        ],
        **PIPES,
    ) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "on\n"
        time.sleep(1)
        asking.send_signal(signal.SIGINT)
        _, err = asking.communicate(timeout=10)
    assert "KeyboardInterrupt" in err


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def test_threads_query_one_store_at_once(path: Path) -> None:
    counts: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: counts.append(
                len(query(path, "from speeches", limits=QueryLimits(rows=99, memory_mb=500)))
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [6] * 4
