"""Print the result of a query for people and programs: as a table, CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import json
import sys

from arena.cli.terminal import print_table
from arena.store.result import QueryResult
from arena.text import finite

FORMATS = ("table", "csv", "json", "markdown")


def print_result(table: QueryResult, format: str) -> None:
    """Print a result in one of FORMATS; csv and json have every cell whole, the others are cut."""
    match format:
        case "json":
            # JSON has neither NaN nor infinity: `finite` turns them into null.
            rows = [{name: finite(value) for name, value in row.items()} for row in table.dicts()]
            print(json.dumps(rows, indent=1, default=str, ensure_ascii=False))
        case "csv":
            csv.writer(sys.stdout, lineterminator="\n").writerows([table.columns, *table.rows])
        case "markdown":
            print_table(table, edge="| ", between=" | ", after=" |")
        case _:
            print_table(table)
