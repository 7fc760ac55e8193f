"""`arena sql` and `arena schema`: asking the record, and what it can be asked."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from arena.cli.commands import Command
from arena.errors import StoreError

FORMATS = ("table", "csv", "json", "markdown")


def add(command: Command) -> None:
    """The commands that query."""
    sql = command(
        "sql",
        run_sql,
        "query everything that was said, a running study included; without a query: a prompt, or what is piped in",
    )
    sql.add_argument(
        "query",
        nargs="?",
        help="SQL, or the name of a table, view, canned or saved query (see --list)",
    )
    sql.add_argument("--format", choices=FORMATS, default="table")
    sql.add_argument(
        "--list", action="store_true", help="list the questions that can be asked by name"
    )
    sql.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the result to a file: .csv, .json or .parquet",
    )

    schema = command(
        "schema", show_schema, "the tables, views and macros, with what each column means"
    )
    schema.add_argument("name", nargs="?", help="one of them, in full; without it, a list")
    schema.add_argument("--format", choices=("table", "markdown", "json"), default="table")


def run_sql(words: argparse.Namespace) -> int:
    """arena sql"""
    from arena.store.names import list_lines

    if words.list:
        print("\n".join(list_lines(words.db)))
        return 0
    if words.query is None and sys.stdin.isatty() and words.output is None:
        from arena.cli.sql_prompt import run_prompt

        return run_prompt(words.db, words.format)
    text = words.query if words.query is not None else sys.stdin.read()
    if not text.strip():
        raise StoreError(
            "there is no query to run; give one, pipe one in, or see what can be asked with: arena sql --list"
        )
    run_query(words.db, text, words.format, words.output)
    return 0


def run_query(path: Path, text: str, format: str, output: Path | None) -> None:
    """Run one query, given as SQL or by name, and print its result, or write it to a file by the file's ending."""
    from arena.cli.output import print_result
    from arena.store.database import download, query
    from arena.store.names import sql_of

    sql = sql_of(path, text)
    if output is None:
        table = query(path, sql)
        print_result(table, format)
        # Who reads csv or json knows what was asked; a table is copied into a talk.
        if (
            format == "table"
            and "study" not in table.columns
            and query(path, "from studies where simulated limit 1").rows
        ):
            print("SIMULATED studies are in this store", file=sys.stderr)
        return
    kind = output.suffix.lower().removeprefix(".")
    content = download(path, sql, kind)
    try:
        output.write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}") from error
    print(f"wrote {output}: {len(content):,} bytes")


def show_schema(words: argparse.Namespace) -> int:
    """arena schema"""
    from arena.store import catalogue

    if words.format == "json":
        found = (
            [catalogue.find_entry(words.name)]
            if words.name
            else list(catalogue.read_catalogue().values())
        )
        as_json = [catalogue.as_dict(item) for item in found]
        print(json.dumps(as_json[0] if words.name else as_json, indent=1, ensure_ascii=False))
        return 0
    markdown = words.format == "markdown"
    lines = (
        catalogue.detail_lines(catalogue.find_entry(words.name), markdown)
        if words.name
        else catalogue.overview_lines(markdown)
    )
    print("\n".join(lines))
    return 0
