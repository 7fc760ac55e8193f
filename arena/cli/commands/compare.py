"""`arena compare`: two studies on the same motions or questions, play by play."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from arena.cli.commands import RULES, Command


def add(command: Command) -> None:
    """Add the command that compares."""
    compare = command(
        "compare",
        show_comparison,
        "what changed from one study to another on the same motions or questions",
    )
    compare.add_argument("a", metavar="A", help="the study to compare with")
    compare.add_argument("b", metavar="B", help="the study that is compared with it")
    by = (
        "models: the same models in the seats (default); subject: the same motion or question,"
        " whatever the models"
    )
    compare.add_argument("--by", choices=("models", "subject"), default="models", help=by)
    compare.add_argument(
        "--pairs",
        action="store_true",
        help="the pairs of plays too: printed, those that differ; in JSON, all",
    )
    compare.add_argument("--json", action="store_true", help="as one JSON object")
    compare.add_argument("--rules", action="store_true", help=RULES)


def show_comparison(words: argparse.Namespace) -> int:
    """Run `arena compare`."""
    from analysis.reports.comparison import compare_studies
    from analysis.reports.plain_json import json_object
    from analysis.reports.play_matching import read_both
    from analysis.reports.play_pairs import pair_plays
    from analysis.reports.tables.comparison import print_comparison

    studies = read_both(words.db, words.a, words.b)
    comparison = compare_studies(studies, words.by)
    pairs = pair_plays(studies, words.by) if words.pairs else []
    if words.json:
        result = json_object(comparison)
        if words.pairs:
            result["pairs"] = [asdict(pair) for pair in pairs]
        print(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        print_comparison(comparison, pairs, rules=words.rules)
    return 0
