"""`arena compare`: two studies on the same motions or questions, play by play."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from arena.cli.commands import RULES, Command
from arena.cli.commands.selection import add_selection, selection_of


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
        "what a play and its partner share beside motion or question: agent: the same agents in the"
        " seats (default), model: the same models, setting: the same system prompts and sampling;"
        " subject: nothing else"
    )
    ways = ("agent", "model", "setting", "subject")
    compare.add_argument("--by", choices=ways, default="agent", help=by)
    on = (
        "repeat: plays of one repeat are partners (default); tokens: plays of one subject whose"
        " replies have about as many tokens, reasoning included"
    )
    compare.add_argument("--match", choices=("repeat", "tokens"), default="repeat", help=on)
    add_selection(compare)
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
    from analysis.reports.play_pairs import pair_plays
    from analysis.reports.tables.comparison import print_comparison
    from analysis.reports.token_matching import read_matched

    selection = selection_of(words)
    studies = read_matched(words.db, words.a, words.b, words.by, selection, words.match)
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
