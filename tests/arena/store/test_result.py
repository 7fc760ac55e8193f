"""What a query returns: records, frames of three libraries, Arrow's C stream, and its faces."""

from __future__ import annotations

import datetime
import decimal
import html.parser
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from arena.errors import StoreError
from arena.play.run import Arena
from arena.store import database
from arena.store.database import query
from arena.store.query import QueryLimits
from arena.store.result import HTML_ROWS, TEXT_ROWS, QueryResult

polars = pytest.importorskip("polars", reason="polars is not installed")
pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

MIXED = """
    select * from (values
        (1::integer, true, 'a', date '2026-01-02', 1.5::double, [1, 2], {'x': 1, 'y': 'z'},
         2::hugeint),
        (null, null, null, null, null, null, null, null)
    ) t(number, flag, word, day, share, list, struct, total)
"""
TYPES = (
    *("INTEGER", "BOOLEAN", "VARCHAR", "DATE", "DOUBLE", "INTEGER[]"),
    *("STRUCT(x INTEGER, y VARCHAR)", "HUGEINT"),
)
# Every type that a view may give, and some that only a query can make.
EXPRESSIONS = (
    "1::tinyint, 2::ubigint, 3::hugeint, 1.25::float, 'nan'::double, 1.23::decimal(9, 2), true,"
    " 'ü', 'b'::blob, uuid '00000000-0000-0000-0000-000000000001', date '2026-01-02',"
    " time '01:02:03.5', timestamp '2026-01-02 03:04:05.123456',"
    " timestamptz '2026-01-02 03:04:05Z', interval '3 days',"
    " 'b'::enum('a', 'b'), [1, null], ['a'], {'k': [1]}, map {'a': 1},"
    " [1, 2]::integer[2], null, '{}'::json, row(1, 'x'), union_value(n := 1)"
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, which answers queries of its own making."""
    path = tmp_path_factory.mktemp("store") / "a.duckdb"
    database.create(path)
    return path


def ask(path: Path, sql: str, *, limited: bool) -> QueryResult:
    """A result as DuckDB holds it, or as rows that were read within limits."""
    return query(path, sql, limits=QueryLimits(rows=10**6)) if limited else query(path, sql)


LIMITED = pytest.mark.parametrize("limited", [False, True], ids=["held", "within limits"])


@LIMITED
def test_frames_keep_names_types_and_missing_values(path: Path, limited: bool) -> None:
    result = ask(path, MIXED, limited=limited)
    assert result.types == TYPES
    assert result.rows[0][:4] == (1, True, "a", datetime.date(2026, 1, 2))
    table = result.arrow()
    assert isinstance(table, pyarrow.Table)
    assert table.schema.names == list(result.columns)
    assert [str(field.type) for field in table.schema] == [
        *("int32", "bool", "string", "date32[day]", "double", "list<l: int32>"),
        *("struct<x: int32, y: string>", "decimal128(38, 0)"),
    ]
    assert table.to_pylist() == result.dicts()
    frame = result.pl()
    assert isinstance(frame, polars.DataFrame)
    assert frame.schema["number"] == polars.Int32
    assert frame.schema["list"] == polars.List(polars.Int32)
    assert frame.rows(named=True) == result.dicts()
    panda = result.df()
    assert isinstance(panda, pandas.DataFrame)
    assert list(panda.columns) == list(result.columns)
    assert [str(kind) for kind in panda.dtypes[:2]] == ["Int32", "boolean"]
    assert panda["number"].isna().tolist() == [False, True]


@LIMITED
def test_whatever_speaks_arrow_takes_the_result_itself(path: Path, limited: bool) -> None:
    result = ask(path, "select range as n, 'w' || range as w from range(5000)", limited=limited)
    reader = pyarrow.RecordBatchReader.from_stream(result)
    # A stream that is still open keeps nobody from the result.
    assert result.df().n.sum() == sum(range(5000))
    assert polars.DataFrame(result)["w"][4999] == "w4999"
    assert reader.read_all().num_rows == 5000
    assert pyarrow.table(result).column("n").to_pylist() == list(range(5000))


def test_values_are_as_those_that_duckdb_gives_whatever_their_type(path: Path) -> None:
    """Held rows pass by Arrow, others do not: both must give the same."""
    sql = f"select {EXPRESSIONS}"
    held, read = ask(path, sql, limited=False), ask(path, sql, limited=True)
    assert held.columns == read.columns
    assert held.types == read.types
    assert repr(held.rows) == repr(read.rows)


@LIMITED
def test_columns_of_one_name_are_told_apart_in_frames_and_not_in_columns(
    path: Path, limited: bool
) -> None:
    result = ask(path, "select 1 as a, 2 as a, 3 as A, 4 as a_1", limited=limited)
    assert result.columns == ("a", "a", "A", "a_1")
    names = list(result.dicts()[0])
    assert names == ["a", "a_1", "A_2", "a_1_1"]
    assert list(result.df().columns) == names
    assert result.arrow().schema.names == names
    assert result.pl().columns == names
    assert list(next(iter(result)).keys()) == names


@LIMITED
@pytest.mark.parametrize("sql", ["select 1 as n where false", "select [] as l, null as n"])
def test_empty_results_are_frames_too(path: Path, limited: bool, sql: str) -> None:
    result = ask(path, sql, limited=limited)
    assert result.arrow().num_rows == len(result) == len(result.df()) == len(result.pl())
    assert ("no rows" in repr(result)) == ("no rows" in result._repr_html_()) == (not result.rows)


@LIMITED
def test_a_span_of_time_is_one_in_every_frame(path: Path, limited: bool) -> None:
    sql = """
        select 1 as n, timestamp '2026-01-02 03:04:05' - timestamp '2026-01-02 03:04:04.5' as took
        union all select 2, null order by n
    """
    result = ask(path, sql, limited=limited)
    half = datetime.timedelta(seconds=0.5)
    assert [row["took"] for row in result] == [half, None]
    assert result.pl().schema["took"] == polars.Duration("us")
    assert result.pl()["took"].to_list() == [half, None]
    assert result.df().took[0] == half
    assert str(result.arrow().schema.field("took").type) == "month_day_nano_interval"


def test_rows_are_records(path: Path) -> None:
    result = query(path, "select 1 as n, 'x' as \"two words\" union all select 2, null order by n")
    first, second = result
    assert (first["n"], first["two words"], first[0], first[-1]) == (1, "x", 1, "x")
    assert first == (1, "x") == result.rows[0]
    number, word = second
    assert (number, word) == (2, None)
    assert dict(first) == {"n": 1, "two words": "x"} == result.dicts()[0]
    with pytest.raises(KeyError, match="there is no column 'm'; there are: n, two words"):
        first["m"]
    assert list(pandas.DataFrame(result).columns) == ["n", "two words"]
    assert dict(pickle.loads(pickle.dumps(first))) == dict(first)


def test_a_result_is_of_its_moment_and_the_file_is_free(path: Path, tmp_path: Path) -> None:
    own = tmp_path / "b.duckdb"
    database.create(own)
    before = query(own, "select count(*) as n from subjects")
    own.unlink()
    assert before.df().n.tolist() == [0]
    assert before.rows == ((0,),)


@LIMITED
def test_a_result_is_pickled_with_its_types(path: Path, limited: bool) -> None:
    result = ask(path, MIXED, limited=limited)
    again = pickle.loads(pickle.dumps(result))
    assert again == result
    assert again.types == result.types
    assert again.arrow().schema == result.arrow().schema


def test_many_results_share_one_database(path: Path) -> None:
    before = len(os.listdir("/proc/self/task")) if Path("/proc").exists() else 0
    results = [query(path, f"select {n} as n") for n in range(9)]
    after = len(os.listdir("/proc/self/task")) if Path("/proc").exists() else 0
    assert [result.df().n[0] for result in results] == list(range(9))
    assert after - before < 12


def test_threads_read_one_result(path: Path) -> None:
    result = query(path, "select range as n from range(100000)")
    sums: list[int] = []
    ways = [
        lambda: sums.append(int(result.df().n.sum())),
        lambda: sums.append(result.pl()["n"].sum()),
        lambda: sums.append(sum(row[0] for row in result.rows)),
        lambda: sums.append(sum(pyarrow.table(result).column("n").to_pylist())),
    ]
    threads = [threading.Thread(target=way) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [sum(range(100000))] * 4


def test_a_forked_process_is_told_instead_of_waiting_for_ever(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from arena.store.database import query\n"
        f"result = query(Path({str(path)!r}), 'select 1 as n')\n"
        "if not os.fork():\n"
        "    try: result.rows\n"
        "    except Exception as error: print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait(); print(result.rows)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    said, rows = done.stdout.splitlines()
    assert "made before the process was forked; take its .rows" in said
    assert rows == "((1,),)"


def test_a_million_rows_reach_arrow_without_a_python_value_each(path: Path) -> None:
    result = query(path, "select range as n, 'word ' || range as w from range(1000000)")
    tracemalloc.start()
    try:
        assert result.arrow().num_rows == 1_000_000
        assert (
            sum(batch.num_rows for batch in pyarrow.RecordBatchReader.from_stream(result)) == 10**6
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A million numbers and texts of Python take 80 MB.
    assert most < 2**20
    assert "rows" not in vars(result)


@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
def test_a_package_that_is_missing_is_named_with_its_command(
    path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = query(path, "select 1 as n")
    method = {"pandas": "df", "polars": "pl", "pyarrow": "arrow"}[package]
    with pytest.raises(
        StoreError, match=rf"^\.{method}\(\) needs {package}: pip install {package}$"
    ):
        getattr(result, method)()
    assert result.rows == ((1,),)


def test_nothing_heavy_is_imported_for_a_result() -> None:
    code = (
        "import sys, arena.store.result\n"
        "print([name for name in ('pandas', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"


# Parameters.


def test_parameters_are_bound_and_never_pasted(path: Path) -> None:
    evil = "x'; drop table turns; --"
    assert query(path, "select $a as a, $b as b", {"a": evil, "b": 2}).rows == ((evil, 2),)
    assert query(path, "select ? as a, ? as b", [evil, None]).rows == ((evil, None),)
    assert query(path, "select $2 as a, $1 as b", ("first", "second")).rows == (
        ("second", "first"),
    )
    assert query(path, "from range(9) where range in $some", {"some": [1, 7, 99]}).rows == (
        (1,),
        (7,),
    )
    # A text adapts to what it is compared with, as a literal does.
    assert query(path, "from range(9) where range > $n", {"n": "7"}).rows == ((8,),)
    limited = QueryLimits(rows=3)
    assert query(path, "select $a as a", {"a": evil}, limits=limited).rows == ((evil,),)
    assert query(path, "select 1; select $a", {"a": 2}).rows == ((2,),)
    day = datetime.date(2026, 1, 2)
    assert query(path, "select ?, ?", [day, decimal.Decimal("1.5")]).rows == (
        (day, decimal.Decimal("1.5")),
    )


@pytest.mark.parametrize(
    ("sql", "parameters", "words"),
    [
        ("select $a", None, r"the query has \$a, and no parameter was given"),
        ("select $a, $b", {"a": 1}, r"has \$a, \$b, and \$a was given"),
        ("select $a", {"a": 1, "c": 2}, r"has \$a, and \$a, \$c was given"),
        ("select ?", [1, 2], r"has \?1, and \?1, \?2 was given"),
        ("select ?", {"a": 1}, r"has \?1, and \$a was given; \$name takes a mapping"),
        ("select 1", [1], r"has no parameter, and \?1 was given"),
        ("select $a", "text", r"parameters are a mapping, .* found str"),
        ("select $a", 5, r"parameters are a mapping, .* found int"),
        ("select $a; select 2", {"a": 1}, r"the last one alone may have parameters; found \$a"),
        ("select $a", {"a": object()}, r"the query failed: .*object"),
        ("select $a, ?", {"a": 1}, r"the query failed: .*named and positional"),
    ],
)
def test_wrong_parameters_get_one_sentence(
    path: Path, sql: str, parameters: Any, words: str
) -> None:
    with pytest.raises(StoreError, match=words) as error:
        query(path, sql, parameters)
    assert len(str(error.value).splitlines()) == 1


def test_an_arena_takes_parameters(path: Path) -> None:
    arena = Arena(path)
    assert arena.sql("select $n as n", {"n": 3}).pl()["n"].to_list() == [3]
    numbers = [np.float64(0.5), np.int64(3), np.bool_(True)]
    assert arena.sql("select ?, ?, ?", numbers).rows == ((0.5, 3, True),)
    assert arena.sql("from range(9) where range in $some", {"some": np.array([3, 5])}).rows == (
        (3,),
        (5,),
    )


# Faces.


class Tags(html.parser.HTMLParser):
    """The tags of an HTML text, and the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name not in ("class", "style", "title")]
        self.cells += [""] if tag in ("td", "th") else []

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><h1>",
    "&lt;b&gt;",
    "\u202eabc\x1b[31m\x07",
    "<!-- ",
    "x" * 5_000,
]


@LIMITED
def test_text_of_models_is_escaped_in_cells_and_headings(path: Path, limited: bool) -> None:
    quoted = ["'" + text.replace("'", "''") + "'" for text in HOSTILE]
    names = ["<script>", 'a" onload="b']
    first, second = ('"' + name.replace('"', '""') + '"' for name in names)
    sql = f"select unnest([{', '.join(quoted)}]) as {first}, ['<i>'] as {second}"
    shown = Tags(ask(path, sql, limited=limited)._repr_html_())
    assert shown.tags == {"table", "thead", "tbody", "tr", "th", "td", "p", "small"}
    assert shown.cells[:2] == names
    assert shown.cells[2:8:2] == HOSTILE[:3]
    assert not any(char in cell for cell in shown.cells for char in "\u202e\x1b\x07")
    assert all(len(cell) < 400 for cell in shown.cells)


@LIMITED
def test_faces_cut_and_say_how_many_there_are(path: Path, limited: bool) -> None:
    result = ask(
        path, "select range as n, repeat('y', 999) as w from range(12345)", limited=limited
    )
    text, page = repr(result), result._repr_html_()
    assert text == str(result)
    assert len(text.splitlines()) == TEXT_ROWS + 4
    assert f"{TEXT_ROWS} of 12,345 rows" in text
    assert f"{HTML_ROWS} of 12,345 rows" in page
    assert page.count("<tr>") == HTML_ROWS + 1
    assert "long cells are cut" in text
    assert "long cells are cut" in page
    # Only what is shown was made into Python values.
    assert limited or "rows" not in vars(result)
    wide = ask(path, "select " + ", ".join(f"{n} as c{n}" for n in range(60)), limited=limited)
    assert "50 of 60 columns" in wide._repr_html_()


def test_faces_of_small_results_say_nothing_more(path: Path) -> None:
    result = query(path, "select 1 as n, null as w, 'a' as t")
    assert repr(result) == "n  w     t\n-  ----  -\n1  NULL  a"
    assert "<p>" not in result._repr_html_()
    cut = query(path, "from range(9)", limits=QueryLimits(rows=2))
    assert "limits of the query cut off further rows" in repr(cut)
    assert "limits of the query cut off further rows" in cut._repr_html_()
