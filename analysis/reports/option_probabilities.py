"""Report how probabilities of options change with reasoning, and when a question is put again.

The first is arXiv 2501.09775, whose protocol is option_probability; the second CL, CS and RSS of
arXiv 2412.19513 in their form for options, whose protocol is ask_again with form="options".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.option_probabilities import OptionAnswers, OptionScores
from analysis.reports.plain_json import INLINE, interval_as
from analysis.reports.rows import mean_interval
from analysis.statistics.bootstrap import Interval, intervals, ratio_draws
from analysis.statistics.clustered import Array, Mask, divide, sums_by_code
from analysis.statistics.judge_bias import by_cluster
from analysis.statistics.option_changes import OptionChange, option_change
from analysis.statistics.signed_ranks import wilcoxon


@dataclass(frozen=True, slots=True)
class ReasoningRow:
    """The probability of the chosen option before and after reasoning, over `n` items.

    `kind` is "raw", or "share": that among the options.  `items` says which: all, those that were
    right (wrong) both times, or, as the paper has it, those right (wrong) at each time, which are
    not the same items.  `change` is after minus before, with questions as clusters; `p` is
    Wilcoxon's, two-sided over questions, nan where items differ.
    """

    arm: str
    kind: str
    items: str
    n: int
    questions: int
    before: float
    after: float
    change: Annotated[Interval, interval_as("change")]
    p: float


@dataclass(frozen=True, slots=True)
class OptionsRow:
    """CL, CS and RSS of one arm from probabilities; `left_out` plays lack some of them."""

    arm: str
    left_out: int
    change: Annotated[OptionChange, INLINE]


def options_row(found: OptionAnswers) -> OptionsRow:
    """Return CL, CS and RSS of an arm."""
    change = option_change(found.first, found.second, found.right, found.question)
    return OptionsRow(found.arm, found.left_out, change)


def reasoning_rows(found: OptionScores) -> tuple[ReasoningRow, ...]:
    """Return the changes of an arm, raw and among the options, over all, right and wrong items."""
    rows = []
    for kind, values in (("share", found.share), ("raw", found.raw)):
        if not np.isnan(values).all():
            rows += rows_of_kind(found, kind, values)
    return tuple(row for row in rows if row.n)


def rows_of_kind(found: OptionScores, kind: str, values: Array) -> list[ReasoningRow]:
    """Return the rows of one kind of probability (N, 2)."""
    known: Mask = ~np.isnan(values.sum(axis=1))
    # How often the item was answered right, and whether it was, each time.
    times = found.right.sum(axis=1)
    groups: tuple[tuple[str, Mask], ...] = (
        ("all", known),
        ("right both times", np.logical_and(known, times == 2)),
        ("wrong both times", np.logical_and(known, times == 0)),
    )
    whole = [paired_row(found, kind, items, values, chosen) for items, chosen in groups]
    parts = [
        unpaired_row(found, kind, f"{word} at each time", values, known[:, None] & chosen)
        for word, chosen in (("right", found.right > 0), ("wrong", found.right < 1))
    ]
    return [*whole, *parts]


def paired_row(
    found: OptionScores, kind: str, items: str, values: Array, chosen: Mask
) -> ReasoningRow:
    """Return the change of the chosen items, a mask (N,)."""
    pairs, question = values[chosen], found.question[chosen]
    # Plays of one question hang together: a mean of each for the test, a row for the interval.
    moved = by_cluster(pairs[:, 1] - pairs[:, 0], question)
    of_question = np.nanmean(moved, axis=1) if len(pairs) else np.empty(0)
    test = wilcoxon(of_question, against=0.0, alternative="two-sided")
    before, after = pairs.mean(axis=0).tolist() if len(pairs) else (np.nan, np.nan)
    change = mean_interval(moved)
    size = len(pairs), len(of_question)
    return ReasoningRow(found.arm, kind, items, *size, before, after, change, test.p)


def unpaired_row(
    found: OptionScores, kind: str, items: str, values: Array, chosen: Mask
) -> ReasoningRow:
    """Return the difference of two means over other items, chosen (N, 2) for each time."""
    questions = int(found.question.max(initial=-1)) + 1
    top, bottom = (
        sums_by_code(each, found.question, questions)[0]
        for each in (np.where(chosen, values, 0.0), chosen.astype(np.float64))
    )
    before, after = divide(top.sum(axis=0), bottom.sum(axis=0)).tolist()
    draws = ratio_draws(top, bottom)
    [change] = intervals(np.array([after - before]), draws[:, 1:] - draws[:, :1])
    size = int(chosen.any(axis=1).sum()), int((bottom.sum(axis=1) > 0).sum())
    return ReasoningRow(found.arm, kind, items, *size, before, after, change, np.nan)
