"""`arena compare`: two studies on the same motions or questions, play by play."""

from __future__ import annotations

import argparse
import json

from arena.cli.commands import Command


def add(command: Command) -> None:
    """The command that compares."""
    compare = command(
        "compare",
        show_comparison,
        "what changed from one study to another on the same motions or questions",
    )
    compare.add_argument("a", metavar="A", help="the study to compare with")
    compare.add_argument("b", metavar="B", help="the study that is compared with it")
    by = "models: the same models in the seats (default); subject: the same motion or question, whatever the models"
    compare.add_argument("--by", choices=("models", "subject"), default="models", help=by)
    compare.add_argument(
        "--pairs",
        action="store_true",
        help="the pairs of plays too: printed, those that differ; in JSON, all",
    )
    compare.add_argument("--json", action="store_true", help="as one JSON object")


def show_comparison(words: argparse.Namespace) -> int:
    """arena compare"""
    from dataclasses import asdict

    from analysis.reports.comparison import compare_studies, pair_plays, read_both
    from analysis.reports.tables.comparison import print_comparison

    studies = read_both(words.db, words.a, words.b)
    found, rows = (
        compare_studies(studies, words.by),
        pair_plays(studies, words.by) if words.pairs else [],
    )
    if words.json:
        print(
            json.dumps(
                found | ({"pairs": [asdict(row) for row in rows]} if words.pairs else {}),
                indent=1,
                ensure_ascii=False,
            )
        )
    else:
        print_comparison(found, rows)
    return 0
