"""Add `arena tidy`, which puts a store's files in order."""

from __future__ import annotations

import argparse
from pathlib import Path

from arena.cli.commands import Command, add_flag


def add(command: Command) -> None:
    """Add the command to the parser."""
    tidy = command("tidy", run_tidy, "put the files of a store in order")
    # As `--db`, for a command that is about a file.  With a type, argparse would convert its
    # SUPPRESS too.
    tidy.add_argument(
        "db",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="the store, in place of --db",
    )
    add_flag(
        tidy,
        "--rewrite",
        "write the database file anew, so that DuckDB 1.4 and later open it; needs as much free"
        " space as the file takes",
    )


def run_tidy(options: argparse.Namespace) -> int:
    """Run `arena tidy`: rewrite the file if that is wanted."""
    if options.rewrite:
        rewrite_file(Path(options.db))
    return 0


def rewrite_file(path: Path) -> None:
    """Write the database file anew, and print how large it was and is."""
    from arena.store.rewrite import rewrite

    done = rewrite(path)
    print(
        f"rewrote {path} for DuckDB 1.4 and later: {done.bytes_before / 1e6:,.1f} MB before,"
        f" {done.bytes_after / 1e6:,.1f} MB now; {sum(done.rows.values()):,} rows in"
        f" {len(done.rows)} tables are the same"
    )
