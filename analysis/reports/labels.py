"""Report what people say of debates and answers, and hold judges and graders against it.

How far raters agree; how often a judge is right, by what people say; and win rates and accuracies
corrected by its errors (statistics/label_correction.py).  People's word on an item is the majority
of its raters.  Their own errors are not corrected: agreement says how large these may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan
from pathlib import Path
from typing import Annotated

import numpy as np

from analysis.read.labels import CORRECT, WINNER, Graded, Labels, read_graded, read_judged
from analysis.read.selection import ALL, Selection
from analysis.read.verdicts import Verdicts
from analysis.reports.plain_json import JsonField, interval_as
from analysis.statistics.aggregation import majority
from analysis.statistics.agreement import alpha_interval, krippendorff_alpha
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, Codes, Mask
from analysis.statistics.kappa import agreement
from analysis.statistics.label_correction import Correction, prediction_powered, rogan_gladen
from analysis.statistics.shares import share_intervals

# What the values of both questions count: a tie is half a win.
WORTH = {
    WINNER: {"proposition": 1.0, "opposition": 0.0, "tie": 0.5},
    CORRECT: {"right": 1.0, "wrong": 0.0},
}
# The pairs of more are hundreds of rows: alpha says it for all.
MOST_RATERS = 10
PANEL = "majority of votes"
GRADER = "grader"
PROPOSITION = "the proposition"
EVERY_ARM = "all arms"


def corrected_as(name: str) -> JsonField:
    """Return the annotation of a correction: its numbers begin with a name."""
    return JsonField(
        inline=True,
        names={"share": name, "weight": f"{name}_weight", "reason": f"{name}_note"},
        parts={"share": interval_as(name)},
    )


@dataclass(frozen=True, slots=True)
class RaterPair:
    """How far two raters agree on the `n` items that both have labelled."""

    first: str
    second: str
    n: int
    same: Annotated[Interval, interval_as("same")]
    kappa: Annotated[Interval, interval_as("kappa")]


@dataclass(frozen=True, slots=True)
class JudgeErrorRow:
    """A judge on the `n` items that people have labelled and it has judged.

    `sensitivity` is the share of the `yes` items, which people give to the proposition (or call
    right), that the judge does too, `specificity` that of the `no` items; a tie of the judge is
    wrong there, and what people call a tie is in neither.
    """

    judge: str
    n: int
    same: Annotated[Interval, interval_as("same")]
    kappa: Annotated[Interval, interval_as("kappa")]
    yes: int
    sensitivity: Annotated[Interval, interval_as("sensitivity")]
    no: int
    specificity: Annotated[Interval, interval_as("specificity")]


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """A share as judged over `n` items, and as people would give it, by the `labelled` ones."""

    what: str
    n: int
    labelled: int
    judged: Annotated[Interval, interval_as("judged")]
    powered: Annotated[Correction, corrected_as("powered")]
    by_errors: Annotated[Correction, corrected_as("rogan_gladen")]


@dataclass(frozen=True, slots=True)
class LabelFindings:
    """The labels of one question: raters' agreement, judges' errors, and corrected shares.

    Of `items`, a sheet drew `at_random`, of at most `drawn`; `values` counts labels.
    """

    question: str
    labels: int
    items: int
    raters: int
    at_random: int
    drawn: int
    values: Mapping[str, int]
    alpha: Annotated[Interval, interval_as("alpha")]
    pairs: tuple[RaterPair, ...]
    judges: tuple[JudgeErrorRow, ...]
    corrected: tuple[CorrectedRow, ...]


@dataclass(frozen=True, slots=True)
class JudgedItems:
    """N judged items with their labels: `judged` and `label` (N,) in [0, 1], nan where none."""

    judged: Array
    label: Array
    cluster: Codes


def label_findings(
    path: Path, labels: Sequence[Labels], selection: Selection = ALL
) -> tuple[LabelFindings, ...]:
    """Return the findings on each question of one study."""
    return tuple(question_findings(path, each, selection) for each in labels)


def question_findings(path: Path, labels: Labels, selection: Selection) -> LabelFindings:
    """Return the findings on one question."""
    judges: tuple[JudgeErrorRow, ...] = ()
    corrected: tuple[CorrectedRow, ...] = ()
    if labels.question == WINNER:
        verdicts = read_judged(path, labels.study, selection)
        if verdicts is not None:
            judges = tuple(judge_error_rows(verdicts, labels))
            corrected = tuple(win_rate_rows(verdicts, labels))
    elif labels.question == CORRECT:
        graded = read_graded(path, labels.study, selection)
        if graded.item:
            items = graded_items(graded, labels)
            judges = tuple(filter(None, [judge_error_row(GRADER, items)]))
            corrected = tuple(accuracy_rows(graded, items))
    counts = value_counts(labels)
    together = counts.sum(axis=1)
    alpha = Interval(float(krippendorff_alpha(together)), *alpha_interval(together))
    totals = np.bincount(labels.value, minlength=len(labels.values)).tolist()
    return LabelFindings(
        labels.question,
        labels.value.size,
        len(labels.items),
        len(labels.raters),
        int((~np.isnan(labels.chance)).sum()),
        labels.drawn,
        dict(zip(labels.values, totals, strict=True)),
        alpha,
        tuple(rater_pairs(labels, counts)),
        judges,
        corrected,
    )


def value_counts(labels: Labels) -> Array:
    """Return (items, raters, values) whether each rater gave each value to each item."""
    counts = np.zeros((len(labels.items), len(labels.raters), len(labels.values)))
    counts[labels.item, labels.rater, labels.value] = 1
    return counts


def rater_pairs(labels: Labels, counts: Array) -> Iterator[RaterPair]:
    """Return how far each two raters agree who have items in common, unless there are many."""
    if len(labels.raters) > MOST_RATERS:
        return
    given = counts.sum(axis=2) > 0
    value = counts.argmax(axis=2)
    for first, second in combinations(range(len(labels.raters)), 2):
        both = given[:, first] & given[:, second]
        if both.any():
            found = agreement(
                value[both, first],
                value[both, second],
                np.arange(int(both.sum())),
                len(labels.values),
            )
            names = labels.raters[first], labels.raters[second]
            yield RaterPair(*names, found.n, found.same, found.kappa)


def word_of_people(labels: Labels) -> dict[str, float]:
    """Return what the raters of each item say by majority: 1, 0, or 0.5 for a tie.

    As many on either side are a tie; of answers, which are right or wrong, nobody knows then.
    """
    worth = np.array([WORTH[labels.question][name] for name in labels.values])
    lead = np.bincount(labels.item, 2 * worth[labels.value] - 1, len(labels.items))
    word = (np.sign(lead) + 1) / 2
    if labels.question == CORRECT:
        word[word == 0.5] = nan
    return dict(zip(labels.items, word.tolist(), strict=True))


def judged_items(winner: Array, verdicts: Verdicts, labels: Labels) -> tuple[JudgedItems, Mask]:
    """Return the debates with a winner (G,) by some judge, and which of all debates they are."""
    word = word_of_people(labels)
    there = ~np.isnan(winner)
    label = np.array([word.get(name, nan) for name in verdicts.episode])
    _, cluster = np.unique(verdicts.pair_cluster()[there], return_inverse=True)
    return JudgedItems(winner[there], label[there], cluster.ravel()), there


def judge_error_rows(verdicts: Verdicts, labels: Labels) -> Iterator[JudgeErrorRow]:
    """Return how often all judges together, and each of them, say what people say."""
    size = len(verdicts.episode)
    cast = verdicts.votes
    winners = [(PANEL, majority(cast, size))]
    if len(verdicts.judges) > 1:
        winners += [
            (name, majority(cast.select(cast.judge == number), size))
            for number, name in enumerate(verdicts.judges)
        ]
    for name, winner in winners:
        row = judge_error_row(name, judged_items(winner, verdicts, labels)[0])
        if row is not None:
            yield row


def judge_error_row(judge: str, items: JudgedItems) -> JudgeErrorRow | None:
    """Return how often a judge says what people say; None without items that both know."""
    both = ~np.isnan(items.label)
    if not both.any():
        return None
    judged, label = items.judged[both], items.label[both]
    _, cluster = np.unique(items.cluster[both], return_inverse=True)
    first, second = (np.round(2 * values).astype(np.int64) for values in (judged, label))
    found = agreement(first, second, cluster.ravel(), 3)
    yes, right, no, right_no = (
        by_cluster(which.astype(np.float64), cluster.ravel())
        for value in (1, 0)
        for which in (label == value, (label == value) & (judged == value))
    )
    sensitivity, specificity = share_intervals(
        np.stack((right, right_no), axis=1), np.stack((yes, no), axis=1)
    )
    return JudgeErrorRow(
        judge,
        found.n,
        found.same,
        found.kappa,
        int(yes.sum()),
        sensitivity,
        int(no.sum()),
        specificity,
    )


def by_cluster(values: Array, cluster: Codes) -> Array:
    """Return the sum of the values (N,) of each cluster."""
    sums: Array = np.bincount(cluster, values).astype(np.float64)
    return sums


def win_rate_rows(verdicts: Verdicts, labels: Labels) -> Iterator[CorrectedRow]:
    """Return the corrected win rates of the proposition and of each contestant against others."""
    winner = majority(verdicts.votes, len(verdicts.episode))
    items, there = judged_items(winner, verdicts, labels)
    if np.isnan(items.label).all():
        return
    side = verdicts.side[there]
    everywhere = np.ones(len(side), dtype=bool)
    yield corrected_row(PROPOSITION, items, everywhere, ~everywhere)
    others = side[:, 0] != side[:, 1]
    for number, name in enumerate(verdicts.agents):
        held = (side == number).any(axis=1) & others
        if held.any():
            yield corrected_row(name, items, held, held & (side[:, 1] == number))


def accuracy_rows(graded: Graded, items: JudgedItems) -> Iterator[CorrectedRow]:
    """Return the corrected accuracy of each arm, and of all if there are several."""
    if np.isnan(items.label).all():
        return
    turned = np.zeros(len(graded.item), dtype=bool)
    if len(graded.arms) > 1:
        yield corrected_row(EVERY_ARM, items, ~turned, turned)
    for number, name in enumerate(graded.arms):
        yield corrected_row(name, items, graded.arm == number, turned)


def graded_items(graded: Graded, labels: Labels) -> JudgedItems:
    """Return the graded answers with their labels."""
    word = word_of_people(labels)
    label = np.array([word.get(name, nan) for name in graded.item])
    return JudgedItems(graded.correct, label, graded.subject)


def corrected_row(what: str, items: JudgedItems, member: Mask, turned: Mask) -> CorrectedRow:
    """Return a share of the items in a mask (N,), as judged and corrected.

    Of those that are `turned`, the other answer counts.
    """
    judged, label = (
        np.where(turned, 1 - values, values)[member] for values in (items.judged, items.label)
    )
    _, cluster = np.unique(items.cluster[member], return_inverse=True)
    top = by_cluster(judged, cluster.ravel())
    bottom = by_cluster(np.ones(judged.shape), cluster.ravel())
    [plain] = share_intervals(top[:, None], bottom[:, None])
    return CorrectedRow(
        what,
        judged.size,
        int((~np.isnan(label)).sum()),
        plain,
        prediction_powered(judged, label, cluster.ravel()),
        rogan_gladen(items.judged, items.label, items.cluster, member=member, turned=turned),
    )
