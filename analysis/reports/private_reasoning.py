"""Say how often the stated number fits the private thoughts, and how far raters of it agree.

The fifth finding of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184): by its own
labels, by our rules, and by any model that labels (protocols/private_reasoning.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

import numpy as np

from analysis.read.private_reasoning import DIRECTIONS, Label, PrivateLabels
from analysis.reports.plain_json import interval_as
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import CHANGE, Array, clustered_mean
from analysis.statistics.kappa import agreement
from analysis.statistics.shares import share_intervals


@dataclass(frozen=True, slots=True)
class RaterRow:
    """What one rater says of `labels` turns; `no_label` further ones it read without a label.

    Aligned, overstated and understated are shares; `difference` in [-1, 1] is how far the number
    lies above the chance that the rater reads from the thoughts, on average of `with_estimate`
    turns.  Debates are the clusters.
    """

    rater: str
    labels: int
    no_label: int
    debates: int
    aligned: Annotated[Interval, interval_as("aligned")]
    overstated: Annotated[Interval, interval_as("overstated")]
    understated: Annotated[Interval, interval_as("understated")]
    with_estimate: int
    difference: Annotated[Interval, interval_as("difference")]


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """How far two raters agree on the `n` turns that both have labelled."""

    first: str
    second: str
    n: int
    same: Annotated[Interval, interval_as("same")]
    kappa: Annotated[Interval, interval_as("kappa")]


@dataclass(frozen=True, slots=True)
class PrivateReasoning:
    """What raters say of the private thoughts of one study.

    `turns` counts turns with a number and thoughts that were asked for as private,
    `reasoning_only` those with a provider's text of reasoning alone, which nobody labels.
    """

    turns: int
    reasoning_only: int
    raters: tuple[RaterRow, ...]
    agreement: tuple[AgreementRow, ...]


def private_reasoning(found: PrivateLabels | None) -> PrivateReasoning | None:
    """Return the shares by rater and the agreement of each two raters; None without a label."""
    if found is None:
        return None
    by_rater: defaultdict[str, dict[str, Label]] = defaultdict(dict)
    for label in found.labels:
        by_rater[label.rater][label.item] = label
    return PrivateReasoning(
        found.turns,
        found.reasoning_only,
        tuple(rater_row(rater, list(labels.values())) for rater, labels in by_rater.items()),
        tuple(
            agreement_row(first, second, by_rater[first], by_rater[second])
            for first, second in combinations(by_rater, 2)
        ),
    )


def rater_row(rater: str, labels: list[Label]) -> RaterRow:
    """Return the shares of one rater's labels."""
    given = [label for label in labels if label.direction is not None]
    place = {name: at for at, name in enumerate(dict.fromkeys(each.episode for each in given))}
    top = np.zeros((len(place), len(DIRECTIONS)))
    for label in given:
        assert label.direction is not None
        top[place[label.episode], DIRECTIONS.index(label.direction)] += 1
    whole = np.repeat(top.sum(axis=1, keepdims=True), len(DIRECTIONS), axis=1)
    mean = clustered_mean(by_debate(labels), within=CHANGE)
    aligned, overstated, understated = share_intervals(top, whole)
    return RaterRow(
        rater,
        len(given),
        len(labels) - len(given),
        len(place),
        aligned,
        overstated,
        understated,
        mean.n,
        Interval(mean.mean, mean.ci_low, mean.ci_high),
    )


def by_debate(labels: list[Label]) -> Array:
    """Return the differences (debates, labels of one debate), nan where there are fewer."""
    rows: defaultdict[str, list[float]] = defaultdict(list)
    for label in labels:
        rows[label.episode].append(label.difference)
    values = np.full((len(rows), max(map(len, rows.values()), default=1)), np.nan)
    for at, row in enumerate(rows.values()):
        values[at, : len(row)] = row
    return values


def agreement_row(
    first: str, second: str, ours: Mapping[str, Label], theirs: Mapping[str, Label]
) -> AgreementRow:
    """Return how far two raters agree, over the turns to which both gave a label."""
    pairs = [
        (label.episode, label.direction, theirs[item].direction)
        for item, label in ours.items()
        if item in theirs
    ]
    both = [(name, DIRECTIONS.index(a), DIRECTIONS.index(b)) for name, a, b in pairs if a and b]
    place = {name: at for at, name in enumerate(dict.fromkeys(name for name, _, _ in both))}
    codes = np.array([(a, b, place[name]) for name, a, b in both], dtype=np.int64).reshape(-1, 3)
    found = agreement(codes[:, 0], codes[:, 1], codes[:, 2], len(DIRECTIONS))
    return AgreementRow(first, second, found.n, found.same, found.kappa)
