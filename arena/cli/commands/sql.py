"""Add `arena sql` and `arena schema`, which query the store and describe it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arena.cli.commands import SPREADSHEET, Command, add_flag, add_repeatable
from arena.errors import StoreError

if TYPE_CHECKING:
    from arena.store.result import QueryResult

# As in arena.cli.output, which imports DuckDB and is loaded only when a query runs.
FORMATS = ("table", "csv", "json", "markdown")


@dataclass(frozen=True, slots=True)
class Job:
    """A query, the kind of file that its result goes to (None: none), and its parameters."""

    sql: str
    kind: str | None
    parameters: Mapping[str, str]
    spreadsheet: bool


def add(command: Command) -> None:
    """Add the commands to the parser."""
    sql = command(
        "sql",
        run_sql,
        "query stores with SQL, also during a run; opens a prompt without a query",
        several=True,
    )
    sql.add_argument(
        "query",
        nargs="?",
        help="SQL, or the name of a table, view, canned or saved query (see --list); read from"
        " standard input if it is piped in",
    )
    sql.add_argument(
        "--format", choices=FORMATS, default="table", help="format of the result (default: table)"
    )
    parameter = (
        "bind a value to $NAME in the query, as text, which DuckDB compares with numbers and dates"
        " as they are ($NAME::integer makes a number of it); repeatable"
    )
    add_repeatable(sql, "-p", "--parameter", metavar="NAME=VALUE", help=parameter)
    add_flag(sql, "--spreadsheet", SPREADSHEET)
    add_flag(sql, "--list", "list the queries that can be run by name, and exit")
    output = "write the result to a .csv, .json or .parquet file"
    sql.add_argument("--output", type=Path, metavar="FILE", help=output)

    schema = command(
        "schema", show_schema, "describe the tables, views and macros, with all their columns"
    )
    schema.add_argument("name", nargs="?", help="describe only this one, in full")
    schema.add_argument(
        "--format",
        choices=("table", "markdown", "json"),
        default="table",
        help="format of the description (default: table)",
    )


def run_sql(options: argparse.Namespace) -> int:
    """Run `arena sql`: run a query, list the named ones, or open the prompt."""
    from arena.store.names import list_lines

    if options.list:
        print("\n".join(list_lines(options.db)))
        return 0
    parameters = dict(map(name_and_value, options.parameter))
    stores = getattr(options, "stores", [options.db])
    single = len(stores) == 1 and not options.db.is_dir()
    if (
        single
        and options.query is None
        and sys.stdin.isatty()
        and options.output is None
        and not parameters
    ):
        from arena.cli.sql_prompt import run_prompt

        return run_prompt(options.db, options.format)
    text = options.query
    if text is None:
        # At a terminal nothing is piped in, and the wait for it would have no end.
        text = "" if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        raise StoreError(
            "there is no query to run; give one, pipe one in, or see what can be asked with:"
            " arena sql --list"
        )
    spreadsheet = options.spreadsheet
    run_query(stores, text, options.format, options.output, parameters, spreadsheet=spreadsheet)
    return 0


def name_and_value(word: str) -> tuple[str, str]:
    """Return the parameter that NAME=VALUE gives.  Raises StoreError if it has no name."""
    name, equals, value = word.partition("=")
    if not equals or not name.isidentifier():
        raise StoreError(f"a parameter is given as NAME=VALUE for $NAME, found {word[:80]!r}")
    return name, value


def run_query(
    stores: Sequence[Path],
    text: str,
    format: str,
    output: Path | None,
    parameters: Mapping[str, str],
    *,
    spreadsheet: bool,
) -> None:
    """Run a query, given as SQL or by name; print its result, or write it to `output`.

    The ending of `output` decides the file's format.
    """
    from arena.cli.output import print_result
    from arena.store.names import sql_of

    sql = sql_of(stores[0], text)
    kind = None if output is None else output.suffix.lower().removeprefix(".")
    job = Job(sql, kind, parameters, spreadsheet)
    single = len(stores) == 1 and not stores[0].is_dir()
    answer, simulated = ask_store(stores[0], job) if single else ask_sources(stores, job)
    if output is None:
        assert not isinstance(answer, bytes)
        print_result(answer, format, spreadsheet=spreadsheet)
        # Programs read csv and json; a table may be copied into a talk without its store.
        if format == "table" and "study" not in answer.columns and simulated:
            of = "this store" if single else "these stores"
            print(f"SIMULATED studies are in {of}", file=sys.stderr)
        return
    assert isinstance(answer, bytes)
    content = answer
    try:
        output.write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}") from error
    print(f"wrote {output}: {len(content):,} bytes")


def ask_store(path: Path, job: Job) -> tuple[QueryResult | bytes, bool]:
    """Return the answer of one store, and whether simulated models speak in it."""
    from arena.store.database import download, query, select_rows

    answer: QueryResult | bytes
    if job.kind is None:
        answer = query(path, job.sql, job.parameters)
    else:
        answer = download(path, job.sql, job.kind, job.parameters, spreadsheet=job.spreadsheet)
    return answer, bool(select_rows(path, "from studies where simulated limit 1").rows)


def ask_sources(stores: Sequence[Path], job: Job) -> tuple[QueryResult | bytes, bool]:
    """Return the same of several stores and folders, and warn of episodes that several hold."""
    from arena.store.sources import open_sources

    with open_sources(stores, job.sql) as sources:
        simulated = sources.has_simulated()
        if words := sources.episodes_twice():
            print(words, file=sys.stderr)
        if job.kind is None:
            return sources.query(job.sql, job.parameters), simulated
        content = sources.download(job.sql, job.kind, job.parameters, spreadsheet=job.spreadsheet)
        return content, simulated


def show_schema(options: argparse.Namespace) -> int:
    """Run `arena schema`: describe all tables, views and macros, or one of them."""
    from arena.store import catalogue

    entry = catalogue.find_entry(options.name) if options.name else None
    if options.format == "json":
        entries = [entry] if entry else list(catalogue.read_catalogue().values())
        as_json = [catalogue.as_dict(item) for item in entries]
        print(json.dumps(as_json[0] if entry else as_json, indent=1, ensure_ascii=False))
        return 0
    markdown = options.format == "markdown"
    lines = catalogue.detail_lines(entry, markdown) if entry else catalogue.overview_lines(markdown)
    print("\n".join(lines))
    return 0
