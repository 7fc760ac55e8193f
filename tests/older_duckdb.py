"""Open stores with DuckDB alone, whatever its version, and count the rows of everything in them.

    PYTHONPATH=FOLDER_WITH_DUCKDB python tests/older_duckdb.py STORE ...

Imports nothing of ours: this is how others open a store.  Prints the version of DuckDB, and
{store: {table, view or macro: its rows}}, as JSON; ends with an error at the first that fails.
"""

from __future__ import annotations

import json
import sys

import duckdb

NAMES = "select table_name from information_schema.tables order by table_name"
MACROS = """
    select function_name, len(parameters) from duckdb_functions()
    where function_type = 'table_macro' and not internal order by function_name
"""


def count_rows(path: str) -> dict[str, int]:
    """The rows of all tables, views and macros of a store; macros are given numbers as text."""
    with duckdb.connect(path, read_only=True) as con:
        sources = [name for (name,) in con.execute(NAMES).fetchall()]
        for name, parameters in con.execute(MACROS).fetchall():
            sources.append(f"{name}({', '.join(['$$0.5$$'] * parameters)})")
        # All columns are read, and not only counted.
        return {source: len(con.execute(f"from {source}").fetchall()) for source in sources}


if __name__ == "__main__":
    rows = {path: count_rows(path) for path in sys.argv[1:]}
    print(json.dumps([duckdb.__version__, rows]))
