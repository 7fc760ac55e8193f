"""Write the tables and views that users read to files."""

from __future__ import annotations

from pathlib import Path

import duckdb

from analysis.read.selection import ALL, Selection, open_selected
from arena.errors import StoreError
from arena.store.migrations import quote_sql
from arena.store.query import select_without_formulas
from arena.store.schema import JOURNALED, TABLES
from arena.store.views.registry import VIEWS

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


def export(
    path: Path,
    folder: Path,
    kind: str,
    *,
    spreadsheet: bool = False,
    selection: Selection = ALL,
) -> tuple[list[tuple[str, int]], list[str]]:
    """Write every table and view that users read into a new folder, of the chosen episodes.

    Each gets a file of its own.  Returns (file name, rows) of each, and in sentences what is left
    out.  `kind` is parquet, jsonl or csv; with `spreadsheet` no text of a csv file is a formula.
    Raises StoreError if the folder is not empty or cannot be written.
    """
    if folder.is_file():
        raise StoreError(f"{folder} is a file; name a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} exists and is not empty; name a new folder")
    written = []
    with open_selected(path, selection, tables=WITH_EPISODES) as (con, left_out):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in EXPORTED:
                file = folder / f"{name}.{kind}"
                # DuckDB answers a copy with the number of rows.
                plain = spreadsheet and kind == "csv"
                rows_of = select_without_formulas(con, name) if plain else f"from {name}"
                copy = f"copy ({rows_of}) to {quote_sql(str(file))} ({FORMATS[kind]})"
                ((rows,),) = con.execute(copy).fetchall()
                written.append((file.name, rows))
        except (OSError, duckdb.IOException) as error:
            raise StoreError(f"cannot write to {folder}: {error}") from error
    return written, [f"{study}: {chosen.note}" for study, chosen in sorted(left_out.items())]
