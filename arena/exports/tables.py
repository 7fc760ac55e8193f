"""Write the tables and views that users read to files.

As CSV and JSON lines each table and view is one file.  As Parquet, the form for a record of any
size, all tables are files by study, which DuckDB, pandas, Polars and Spark read where they lie,
and `views.sql` makes the views of them.  Nothing is left out of either: private thoughts, ratings
and raw replies are in them, as in the store.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import duckdb

from analysis.read.selection import ALL, Selection, open_selected
from arena.errors import StoreError
from arena.exports.formats import ExportOptions, check_new_folder
from arena.store.migrations import quote_sql
from arena.store.parquet_folder import write_info
from arena.store.query import select_without_formulas
from arena.store.schema import JOURNALED, TABLES
from arena.store.tempdir import scratch
from arena.store.views.registry import ALL_VIEWS, VIEWS, statement
from arena.text import plain_name

INTERNAL = (
    *("plays", "statuses", "call_starts", "call_ends", "unfinished_turns", "rulings"),
    *("batch_plans", "batch_states"),
)
EXPORTED = (*(name for name in JOURNALED if name not in INTERNAL), *VIEWS)
# The tables of which a choice of episodes leaves out rows.
WITH_EPISODES = tuple(name for name in JOURNALED if "episode" in TABLES[name].columns)
FORMATS = {
    "parquet": "format parquet, compression zstd",
    "jsonl": "format json",
    "csv": "format csv, header",
}
# Prompts are long: larger groups would take gigabytes of memory.
ROW_GROUP = 16_384
PARQUET = f"{FORMATS['parquet']}, row_group_size {ROW_GROUP}"
FLUSH = "partitioned_write_flush_threshold"
FLUSH_ROWS = 4_096
README = """# Tables of Peer Arena

These files hold the tables of a store whole: prompts, raw replies, private thoughts and private
ratings are in them. Look before you share them.

Query them where they lie, alone or beside stores:

    arena sql "select study, count(*) from episodes group by study" --db {name} --db arena.duckdb

In DuckDB, within this folder, with all views: `duckdb -init views.sql`, or in Python

    con = duckdb.connect(); con.execute(open("views.sql").read())

A store again: `arena merge {name} --db new.duckdb`. What tables and columns mean: `arena schema`.
"""
# Called after each table with the number of tables that are written, and how many there are.
Watch = Callable[[int, int], None]


def export(
    path: Path,
    folder: Path,
    kind: str,
    *,
    spreadsheet: bool = False,
    selection: Selection = ALL,
    watch: Watch | None = None,
) -> tuple[list[tuple[str, int]], list[str]]:
    """Write the tables of a store into a new folder, of the chosen episodes.

    Returns (file or table, rows) of each, and in sentences what is left out.  `kind` is parquet,
    jsonl or csv; with `spreadsheet` no text of a csv file is a formula.
    Raises StoreError if the folder is not empty or cannot be written.
    """
    check_new_folder(folder)
    with open_selected(path, selection, tables=WITH_EPISODES) as (con, left_out):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if kind == "parquet":
                written = write_by_study(con, folder, watch)
            else:
                plain = spreadsheet and kind == "csv"
                written = write_flat(con, folder, kind, without_formulas=plain)
        except (OSError, duckdb.IOException) as error:
            raise StoreError(f"cannot write to {folder}: {error}") from error
    return written, [f"{study}: {chosen.note}" for study, chosen in sorted(left_out.items())]


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write the tables, as `export`, and return lines that say what was written."""
    written, notes = export(
        path,
        folder,
        options.format,
        spreadsheet=options.spreadsheet,
        selection=options.selection,
        watch=options.watch,
    )
    # Tables in files by study have a name that ends in a stroke.
    lines = [f"{folder / name}{'/' * name.endswith('/')}: {rows} rows" for name, rows in written]
    return [*notes, *lines]


def write_flat(
    con: duckdb.DuckDBPyConnection, folder: Path, kind: str, *, without_formulas: bool
) -> list[tuple[str, int]]:
    """Write every table and view that users read as a file of its own."""
    written = []
    for name in EXPORTED:
        file = folder / f"{name}.{kind}"
        rows = select_without_formulas(con, name) if without_formulas else f"from {name}"
        written.append((file.name, copy(con, rows, file, FORMATS[kind])))
    return written


def write_by_study(
    con: duckdb.DuckDBPyConnection, folder: Path, watch: Watch | None
) -> list[tuple[str, int]]:
    """Write every table as Parquet, in a file for each study where its rows belong to one."""
    written = []
    # Rows of each study wait until there are so many of them; what waits may spill to disk.
    settings = {
        FLUSH: str(FLUSH_ROWS),
        "memory_limit": "'1GB'",
        "threads": "1",
    }
    before = {
        name: con.execute(f"select current_setting('{name}')").fetchall()[0][0] for name in settings
    }
    con.execute("; ".join(f"set {name} = {value}" for name, value in settings.items()))
    # To a folder of ours, not to the current one; DuckDB refuses another once it has spilled.
    with suppress(duckdb.NotImplementedException):
        con.execute(f"set temp_directory = {quote_sql(str(scratch() / 'spilled'))}")
    try:
        for number, name in enumerate(JOURNALED):
            if rows := write_table(con, name, folder / name):
                written.append((f"{name}/", rows))
            if watch is not None:
                watch(number + 1, len(JOURNALED))
    finally:
        for name, value in before.items():
            con.execute(f"set {name} = {quote_sql(str(value))}")
    (folder / "README.md").write_text(README.format(name=folder.name), encoding="utf-8")
    (folder / "views.sql").write_text("\n".join(view_statements()), encoding="utf-8")
    # The last file: without it the folder is no store.
    write_info(folder)
    return written


def write_table(con: duckdb.DuckDBPyConnection, name: str, folder: Path) -> int:
    """Write a table into a folder of its own; return how many rows it has."""
    folder.mkdir()
    columns = TABLES[name].columns
    empty = con.execute(f"from {name} limit 1").fetchone() is None
    # The columns of a table without rows are worth a file.
    if empty or not columns.keys() & {"study", "episode"}:
        return copy(con, f"from {name}", folder / "0.parquet", PARQUET)
    # Each file has all columns of its table, and the study in its name, as Hive writes it.
    select, with_study = f"from {name}", "true"
    if "study" not in columns:
        select = f"select t.*, p.study from {name} t left join plays p using (episode)"
        with_study = "false"
    # A name too long for a folder has one of its own.
    studies = con.execute("select distinct study from plays union select study from runs")
    long = [study for (study,) in studies.fetchall() if study and len(quote(study, "")) > 200]
    options = f"{PARQUET}, partition_by (study), write_partition_columns {with_study}"
    listed = ", ".join(map(quote_sql, long)) or "''"
    short = f"from ({select}) where study is null or study not in ({listed})"
    rows = copy(con, short if long else select, folder, options)
    columns_of = "*" if "study" in columns else "* exclude (study)"
    for study in long:
        of_study = f"select {columns_of} from ({select}) where study = {quote_sql(study)}"
        if con.execute(f"from ({of_study}) limit 1").fetchone() is not None:
            place = folder / f"study={plain_name(study)}"
            place.mkdir()
            rows += copy(con, of_study, place / "0.parquet", PARQUET)
    return rows


def copy(con: duckdb.DuckDBPyConnection, select: str, file: Path, options: str) -> int:
    """Write the rows of a query to a file; return their number, with which DuckDB answers."""
    words = f"copy ({select}) to {quote_sql(str(file))} ({options})"
    ((rows,),) = con.execute(words).fetchall()
    return int(rows)


def view_statements() -> list[str]:
    """Return the statements that show tables and views to DuckDB within the folder."""
    statements = ["-- Run within this folder: duckdb -init views.sql"]
    for name in JOURNALED:
        columns = ", ".join(
            f"{column}::json as {column}" if kind == "JSON" else column
            for column, (kind, _) in TABLES[name].columns.items()
        )
        files = f"read_parquet('{name}/**/*.parquet', hive_partitioning = false)"
        statements.append(f"create or replace view {name} as select {columns} from {files};")
    statements += [f"{statement(name, view)};" for name, view in ALL_VIEWS.items()]
    return statements
