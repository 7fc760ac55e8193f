"""`arena import`, `arena merge` and `arena export`: in from elsewhere, and out."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from arena.cli.commands import Command


def add(command: Command) -> None:
    """The commands that exchange."""
    imports = command("import", import_published, "take in published debates")
    imports.add_argument("format", choices=["llms-overconfidence"])
    imports.add_argument("folder", type=Path, help="the folder with the publication's JSON files")

    merge = command("merge", merge_stores, "take in what other machines have played")
    merge.add_argument("stores", type=Path, nargs="+", help="their stores")

    export = command("export", export_tables, "write the tables to files")
    export.add_argument("folder", type=Path, help="a new folder")
    export.add_argument(
        "--format",
        choices=["parquet", "jsonl", "csv", "pairwise"],
        default="parquet",
        help="pairwise: verdicts as a CSV",
    )
    export.add_argument(
        "--include-related",
        action="store_true",
        help="pairwise: keep judges that are a contestant, or of its family",
    )


def import_published(words: argparse.Namespace) -> int:
    """arena import"""
    from arena.imports import import_llms_overconfidence, summary_lines

    imported = import_llms_overconfidence(words.folder, words.db)
    for text in summary_lines(imported):
        print(text)
    print(f"the record is in {words.db}; next: arena report --db {shlex.quote(str(words.db))}")
    return 1 if imported.refused else 0


def merge_stores(words: argparse.Namespace) -> int:
    """arena merge"""
    from arena.store.database import create
    from arena.store.merge import merge

    create(words.db)
    for other in words.stores:
        new, disputed = merge(words.db, other)
        print(f"{other}: {new} rows were new")
        if disputed:
            print(
                f"{other}: {disputed} episodes were played otherwise there, and were left as they are here",
                file=sys.stderr,
            )
    print(f"the record is in {words.db}; next: arena status --db {shlex.quote(str(words.db))}")
    return 0


def export_tables(words: argparse.Namespace) -> int:
    """arena export"""
    from arena.exports.tables import export

    if words.format == "pairwise":
        from analysis.read.verdicts import judged_studies
        from arena.exports.pairwise import export_pairwise

        file = words.folder / "pairwise.csv"
        wrote = export_pairwise(
            words.db, file, list(judged_studies(words.db)), include_related=words.include_related
        )
        print(
            f"{file}: {wrote.rows} rows; left out: {wrote.missing} missing verdicts, {wrote.related} by judges related to a contestant"
        )
        return 0
    for name, rows in export(words.db, words.folder, words.format):
        print(f"{words.folder / name}: {rows} rows")
    return 0
