"""`arena import labels` and `arena export --format label-sheet`: sheets out, judgements in."""

from __future__ import annotations

import argparse
import shlex

from arena.cli.commands import Options, add_flag
from arena.errors import StudyError


def add_import_options(options: Options) -> None:
    """Add the options of `arena import labels`."""
    options.add_argument(
        "--study",
        help="with labels: the study whose episodes the file names; with plays of other systems:"
        " the study's name here",
    )
    options.add_argument(
        "--rater",
        default="",
        metavar="NAME",
        help="with labels: who said it, without such a column",
    )
    options.add_argument(
        "--question",
        default="",
        metavar="WORD",
        help="with labels: what was asked, without such a column (default: winner of debates,"
        " correct of answers)",
    )
    add_flag(
        options,
        "--replace",
        "with labels: take new values of stored labels; a blank one withdraws the label",
    )


def import_labels(options: argparse.Namespace) -> int:
    """Run `arena import labels`: import a file of people's judgements, and print a summary."""
    from arena.imports.labels import import_labels, label_lines

    imported = import_labels(
        options.folder,
        options.db,
        study=options.study,
        question=options.question,
        rater=options.rater,
        overwrite=options.replace,
    )
    print("\n".join(label_lines(imported)))
    study = f" --study {shlex.quote(options.study)}" if options.study else ""
    print(f"next: arena report{study} --db {shlex.quote(str(options.db))}")
    return 0


def refuse_import_options(options: argparse.Namespace) -> None:
    """Raise StudyError for an option that only the import of labels has."""
    for name in ("rater", "question", "replace"):
        if getattr(options, name):
            raise StudyError(f"--{name} is for `arena import labels FILE`")
    # A publication has its own names of studies.
    if options.format == "llms-overconfidence" and (options.study or options.map):
        raise StudyError("--study and --map are not for `arena import llms-overconfidence`")


def add_sheet_options(options: Options) -> None:
    """Add the options of `arena export --format label-sheet`."""
    options.add_argument(
        "--items",
        type=int,
        metavar="N",
        help="with label-sheet: how many debates or answers to draw (default: 100)",
    )
    options.add_argument(
        "--question",
        default="",
        metavar="WORD",
        help="with label-sheet: what to ask (default: winner of debates, correct of answers)",
    )
    options.add_argument(
        "--seed",
        type=int,
        help="with label-sheet: of the draw (default: 0); a larger N with the same seed adds items",
    )
