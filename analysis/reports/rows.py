"""Rows that several reports share: counts, and how well confidence fits what came true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from analysis.read.debates import Count
from analysis.reports.plain_json import JsonField, interval_as
from analysis.statistics.bootstrap import Interval
from analysis.statistics.calibration import auroc, auroc_interval, ece
from analysis.statistics.clustered import CHANGE, Array, clustered_mean


@dataclass(frozen=True, slots=True)
class Pool:
    """Contestants that count as one in a report, since it is by model or by setting."""

    name: str
    contestants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpisodeCounts:
    """How many episodes are finished, have failed, or are still open."""

    done: int
    failed: int
    open: int

    @property
    def unfinished(self) -> list[str]:
        """Both other counts in words, without those that are 0."""
        counts = (("failed", self.failed), ("open", self.open))
        return [f"{count:,} {status}" for status, count in counts if count]


@dataclass(frozen=True, slots=True)
class WinnerCounts:
    """Judged debates by winner."""

    proposition: int
    opposition: int
    tie: int


@dataclass(frozen=True, slots=True)
class Scores:
    """How well confidence fits outcomes of 0 and 1; nan if undefined.

    `gap` is mean confidence minus the share of outcomes that are 1, in [-1, 1].
    """

    ece: float
    ece_left_closed: float
    auroc: Annotated[Interval, interval_as("auroc")]
    gap: Interval


def scores_with(gap: str) -> JsonField:
    """Return the annotation of scores whose gap is called so in the JSON."""
    return JsonField(inline=True, parts={"gap": interval_as(gap)})


# What an interval speaks of, beside the interval itself, and that of these models alone.
CLAIMS = JsonField(
    inline=True,
    only=("speaks_of", "models", "these_ci_low", "these_ci_high", "these_p", "note"),
    names={
        "these_ci_low": "these_models_ci_low",
        "these_ci_high": "these_models_ci_high",
        "these_p": "these_models_p",
        "note": "interval_note",
    },
)
# A share has no test.
CLAIMS_OF_SHARE = replace(
    CLAIMS, only=("ci_low", "ci_high", *(key for key in CLAIMS.only if key != "these_p"))
)


def totals(counts: Iterable[Count]) -> Counter[str]:
    """Return how often everything that is counted holds, by `what`, over all arms."""
    total = Counter[str]()
    for count in counts:
        total[count.what] += count.n
    return total


def episode_counts(counts: Iterable[Count]) -> EpisodeCounts:
    """Return the episodes of all arms by status."""
    status = totals(counts)
    return EpisodeCounts(status["done"], status["failed"], status["open"])


def scores(confidence: Array, outcome: Array) -> Scores:
    """Return the scores of values (clusters, members); a nan in either leaves the value out."""
    # ECE and AUROC take plain values, the interval and the gap take them by cluster.
    there = ~(np.isnan(confidence) | np.isnan(outcome))
    stated = confidence[there]
    true = outcome[there]
    return Scores(
        ece(stated, true),
        ece(stated, true, edges="left"),
        Interval(auroc(stated, true), *auroc_interval(confidence, outcome)),
        mean_interval(confidence - outcome),
    )


def mean_interval(values: Array) -> Interval:
    """Return the mean of values in [-1, 1] (clusters, members), nan left out, with its interval."""
    # An Interval has the three numbers that reports print of a mean.
    estimate = clustered_mean(values, within=CHANGE)
    return Interval(estimate.mean, estimate.ci_low, estimate.ci_high)
