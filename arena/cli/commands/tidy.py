"""Add `arena tidy`, which puts a store's files in order."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from arena.cli.commands import Command, add_flag


def add(command: Command) -> None:
    """Add the command to the parser."""
    tidy = command(
        "tidy", run_tidy, "move what runs have left in journals into the database, and remove them"
    )
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
    """Run `arena tidy`: remove folded journals, and rewrite the file if that is wanted."""
    path = Path(options.db)
    remove_journals(path)
    if options.rewrite:
        rewrite_file(path)
    return 0


def remove_journals(path: Path) -> None:
    """Remove folded journals, and print how large they were, and which stay for which reason."""
    from arena.store.database import fold, remove_folded

    # Those of runs that have ended are removed with it.
    before = size_of_journals(path)
    folding = fold(path)
    if folding.put_off:
        print(f"not folded yet: {folding.put_off}", file=sys.stderr)
    removals = remove_folded(path)
    kept = [removal for removal in removals if removal.kept is not None]
    for removal in kept:
        print(f"kept {removal.journal} ({removal.bytes / 1e6:,.1f} MB): {removal.kept}")
    # A run may have opened a journal since the first look, so the numbers of both say little.
    gone = {journal: size for journal, size in before.items() if not journal.exists()}
    gone |= {removal.journal: removal.bytes for removal in removals if removal.kept is None}
    if gone:
        journals = f"{len(gone)} folded journal{'s' if len(gone) > 1 else ''}"
        print(
            f"removed {journals}, {sum(gone.values()) / 1e6:,.1f} MB: all their rows are in {path}"
            f" ({path.stat().st_size / 1e6:,.1f} MB)"
        )
    elif not kept:
        print("there are no journals to remove")


def size_of_journals(path: Path) -> dict[Path, int]:
    """Return the bytes of each journal of a store."""
    from arena.store.database import journals

    sizes = {}
    for journal in journals(path):
        with suppress(FileNotFoundError):  # another process has removed it
            sizes[journal] = journal.stat().st_size
    return sizes


def rewrite_file(path: Path) -> None:
    """Write the database file anew, and print how large it was and is."""
    from arena.store.rewrite import rewrite

    done = rewrite(path)
    print(
        f"rewrote {path} for DuckDB 1.4 and later: {done.bytes_before / 1e6:,.1f} MB before,"
        f" {done.bytes_after / 1e6:,.1f} MB now; {sum(done.rows.values()):,} rows in"
        f" {len(done.rows)} tables are the same"
    )
