"""Print the result of a query for people and programs: as a table, CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import io
import json
import sys

from arena.cli.terminal import print_table
from arena.store.result import QueryResult
from arena.text import finite, printable, without_formula

FORMATS = ("table", "csv", "json", "markdown")


def print_result(table: QueryResult, format: str, *, spreadsheet: bool = False) -> None:
    """Print a result in one of FORMATS; csv and json have every cell whole, the others are cut.

    With `spreadsheet` no text of csv is a formula.  Files and pipes get texts as they are; on a
    terminal they cannot steer it.
    """
    match format:
        case "json":
            write_json(plain_rows(table))
        case "csv":
            lines = io.StringIO()
            writer = csv.writer(lines, lineterminator="\n")
            for row in (table.columns, *table.rows):
                writer.writerow(map(without_formula, row) if spreadsheet else row)
            write(lines.getvalue())
        case "markdown":
            print_table(table, edge="| ", between=" | ", after=" |")
        case _:
            print_table(table)


def plain_rows(table: QueryResult) -> list[dict[str, object]]:
    """Return the rows of a result for JSON, which has neither NaN nor infinity: they are null."""
    return [{name: finite(value) for name, value in row.items()} for row in table.dicts()]


def write_json(value: object) -> None:
    """Write a value as JSON; what JSON cannot hold, such as a time, becomes text."""
    write(json.dumps(value, indent=1, default=str, ensure_ascii=False) + "\n")


def write(text: str) -> None:
    """Write text to standard output; a terminal gets no character that could steer it."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
