"""The options by which report, rank, compare and export choose episodes and contestants."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from arena.cli.commands import Options, add_flag, add_repeatable

if TYPE_CHECKING:
    from analysis.read.selection import By, Selection

BY = (
    "who counts as one contestant: agent (default; agents differ by name, model, system prompt or"
    " sampling), model, or setting (system prompt and sampling, whatever the model)"
)


def add_selection(options: Options) -> None:
    """Add the options that choose episodes."""
    models = "only debates in which every debater is one of these models, agents or contestants"
    add_repeatable(options, "--models", metavar="A,B", help=models)
    add_repeatable(options, "--arms", metavar="A,B", help="only these arms")
    options.add_argument(
        "--where",
        default="",
        metavar="SQL",
        help="only episodes for which this holds, a condition on the columns of the view episodes,"
        ' such as "repeat = 0"',
    )
    add_flag(
        options, "--leftovers", "count in episodes that the last plan of their study does not hold"
    )


def add_by(options: Options) -> None:
    """Add the option that says who counts as one contestant."""
    options.add_argument("--by", choices=("agent", "model", "setting"), default="agent", help=BY)


def selection_of(words: argparse.Namespace, by: By = "agent") -> Selection:
    """Return what was chosen."""
    from analysis.read.selection import Selection

    return Selection(by, tuple(words.models), tuple(words.arms), words.where, words.leftovers)
