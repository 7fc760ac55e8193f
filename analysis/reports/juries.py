"""Report which arm's texts a blind jury prefers, where nothing grades them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.juries import Compared
from analysis.reports.plain_json import interval_as
from analysis.reports.rows import mean_interval
from analysis.statistics.bootstrap import Interval
from analysis.statistics.judge_bias import by_cluster


@dataclass(frozen=True, slots=True)
class JuryRow:
    """How far `judges` prefer the texts of `arm` to those of `against`, on `tasks`.

    `preferred` in [0, 1] is the mean over tasks of what the judges prefer, each in both orders;
    `without` counts judgings that lack an order.  `first` is the mean preference for the text that
    is read first, 0.5 for a judge without a liking; `split` the share of judgings in which the two
    orders favour different texts.
    """

    arm: str
    against: str
    tasks: int
    judges: int
    without: int
    preferred: Annotated[Interval, interval_as("preferred")]
    first: float
    split: float


def jury_row(found: Compared) -> JuryRow:
    """Return the findings about two arms."""
    known = ~np.isnan(found.preferred)
    there = found.preferred[known]
    one, two = found.read_first[known], found.read_second[known]
    # Read second, the arm's text is preferred by two, and the text that is read first by the rest.
    first = np.mean((one + 1 - two) / 2) if there.size else np.nan
    split = np.mean((one - 0.5) * (two - 0.5) < 0) if there.size else np.nan
    return JuryRow(
        found.arm,
        found.against,
        np.unique(found.task[known]).size,
        np.unique(found.judge[known]).size,
        int((~known).sum()),
        mean_interval(by_cluster(there, found.task[known])),
        float(first),
        float(split),
    )
