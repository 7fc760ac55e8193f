"""Add `arena import`, `arena merge` and `arena export`, which exchange records."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from arena.cli.commands import SPREADSHEET, Command, add_flag, add_repeatable
from arena.cli.commands.labels import (
    add_import_options,
    add_sheet_options,
    import_labels,
    refuse_import_options,
)
from arena.cli.commands.selection import add_by, add_selection, selection_of
from arena.exports.formats import FORMATS, TRANSCRIPTS
from arena.imports.formats import FORMATS as PLAYS

# Options of an export that some formats alone have.
OF_SOME_FORMATS = (
    *("study", "private", "spreadsheet", "exclude_related", "items", "question", "seed"),
)
NOTHING: tuple[object, ...] = (None, "", False, [])


def add(command: Command) -> None:
    """Add the commands to the parser."""
    imports = command(
        "import", import_published, "import published debates, or people's labels, into the store"
    )
    imports.add_argument(
        "format",
        choices=["llms-overconfidence", "labels", *PLAYS],
        help="the format; labels: what people said of stored debates, answers or turns; "
        + "; ".join(f"{name}: {form.help}" for name, form in PLAYS.items()),
    )
    imports.add_argument(
        "folder",
        type=Path,
        help="the folder with the publication's files, or one of them, or the file of labels (CSV,"
        " JSON lines or Parquet with the columns item, rater, value)",
    )
    add_import_options(imports)
    add_repeatable(
        imports,
        "--map",
        metavar="NAME=PATH",
        help="with json: where NAME stands in the files, such as messages=dialogue or"
        " content=utterance.text; repeatable",
    )

    merge = command("merge", merge_stores, "copy the episodes of other stores into this one")
    merge.add_argument(
        "stores",
        type=Path,
        nargs="+",
        help="the other stores, any number, or folders of tables that `arena export` wrote",
    )

    export = command("export", export_record, "write tables or transcripts to files")
    export.add_argument("folder", type=Path, help="a folder that is new or empty")
    words = "; ".join(f"{name}: {form.help}" for name, form in FORMATS.items())
    export.add_argument(
        "--format",
        choices=list(FORMATS),
        default="parquet",
        help=f"format of the files (default: parquet); {words}",
    )
    add_repeatable(
        export, "--study", metavar="STUDY", help="with transcripts and label-sheet: only this study"
    )
    add_flag(
        export,
        "--private",
        "with transcripts: include private thoughts, ratings, raw replies and reasoning",
    )
    add_sheet_options(export)
    add_flag(export, "--spreadsheet", SPREADSHEET)
    related = "with pairwise: leave out judges that are a contestant, or of its family"
    add_flag(export, "--exclude-related", related)
    # All judges count by default: the former switch for it does nothing.
    add_flag(export, "--include-related", argparse.SUPPRESS)
    add_by(export)
    add_selection(export)


def import_published(options: argparse.Namespace) -> int:
    """Run `arena import`: import published debates, and print a summary with each refused file."""
    if options.format == "labels":
        return import_labels(options)
    refuse_import_options(options)
    if options.format in PLAYS:
        refused = import_others(options)
    else:
        from arena.imports import import_llms_overconfidence, summary_lines

        imported = import_llms_overconfidence(options.folder, options.db)
        print("\n".join(summary_lines(imported)))
        refused = bool(imported.refused)
    db = shlex.quote(str(options.db))
    print(f"the record is in {options.db}; next: arena report --db {db}")
    return 1 if refused else 0


def import_others(options: argparse.Namespace) -> bool:
    """Import plays of another system, print a summary, and tell whether a file was refused."""
    from arena.imports.formats import import_format
    from arena.imports.plays import summary_lines

    imported = import_format(
        options.format, options.folder, options.db, study=options.study, mapping=options.map
    )
    print("\n".join(summary_lines(imported)))
    return bool(imported.refused)


def merge_stores(options: argparse.Namespace) -> int:
    """Run `arena merge`: copy rows of other stores that are not in this one yet."""
    from arena.store.database import create
    from arena.store.merge import check_others, merge_all

    # All of them before anything is made: the target may be a new store.
    check_others(options.db, options.stores)
    create(options.db)
    for number, result in enumerate(merge_all(options.db, options.stores), 1):
        place = f" ({number} of {len(options.stores)})" if len(options.stores) > 1 else ""
        print(f"{result.other}: {result.new} rows were new{place}", flush=True)
        if result.disputed:
            print(
                f"{result.other}: {result.disputed} episodes were played otherwise there, and were"
                " left as they are here, without what was judged, scored or asked of them there",
                file=sys.stderr,
            )
    db = shlex.quote(str(options.db))
    print(f"the record is in {options.db}; next: arena status --db {db}")
    return 0


def export_record(options: argparse.Namespace) -> int:
    """Run `arena export`: write the store in a format, and say what was written."""
    from arena.cli.terminal import progress_printer
    from arena.exports.formats import ExportOptions, refuse_foreign, write_export

    given = {name: getattr(options, name) for name in OF_SOME_FORMATS}
    given["by"] = options.by != "agent"
    refuse_foreign(options.format, [name for name, value in given.items() if value not in NOTHING])
    transcripts = FORMATS[options.format].options == TRANSCRIPTS
    asked = ExportOptions(
        options.format,
        selection_of(options, options.by),
        options.study,
        options.private,
        options.spreadsheet,
        options.exclude_related,
        options.items,
        options.question,
        options.seed,
        progress_printer("plays" if transcripts else "tables"),
    )
    print("\n".join(write_export(options.db, options.folder, asked)))
    return 0
