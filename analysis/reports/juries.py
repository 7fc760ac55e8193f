"""Report which arm's texts a blind jury prefers, where nothing grades them.

Each judge votes in each order: for the text whose reading is above a half, half for each at a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.juries import Compared
from analysis.reports.plain_json import interval_as
from analysis.reports.rows import mean_interval
from analysis.reports.self_preference import votes_of
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import SHARE, clustered_mean
from analysis.statistics.judge_bias import by_cluster
from analysis.statistics.multiplicity import holm


@dataclass(frozen=True, slots=True)
class JuryRow:
    """How far `judges` prefer the texts of `arm` to those of `against`, on `tasks`.

    `votes` is the share of votes for the arm, one vote of a judge an order, and `p_holm` tests it
    against a half, tasks as clusters, by Holm's method over the rows of a study.  `preferred` in
    [0, 1] is the mean of the readings behind the votes, probabilities where judges give them.
    `without` counts judgings that lack an order.  `first` is the share of votes for the text that
    is read first, 0.5 for a judge without a liking; `split` the share of judgings in which the two
    orders favour different texts.
    """

    arm: str
    against: str
    tasks: int
    judges: int
    without: int
    votes: Annotated[Interval, interval_as("votes")]
    preferred: Annotated[Interval, interval_as("preferred")]
    first: float
    split: float
    p: float
    p_holm: float = nan


def jury_rows(found: Sequence[Compared]) -> tuple[JuryRow, ...]:
    """Return the findings about each two arms of a study."""
    rows = [jury_row(each) for each in found]
    adjusted = holm([row.p for row in rows]).tolist()
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def jury_row(found: Compared) -> JuryRow:
    """Return the findings about two arms."""
    known = ~np.isnan(found.preferred)
    task = found.task[known]
    # (orders, judgings): the arm's text is read first, and second.
    one, two = votes_of(np.stack((found.read_first[known], found.read_second[known])))
    votes = clustered_mean(by_cluster((one + two) / 2, task), against=0.5, within=SHARE)
    return JuryRow(
        found.arm,
        found.against,
        np.unique(task).size,
        np.unique(found.judge[known]).size,
        int((~known).sum()),
        Interval(votes.mean, votes.ci_low, votes.ci_high),
        mean_interval(by_cluster(found.preferred[known], task)),
        # Read second, the arm's text has `two`, and the text that is read first the rest.
        float(np.mean((one + 1 - two) / 2)) if one.size else nan,
        float(np.mean((one - 0.5) * (two - 0.5) < 0)) if one.size else nan,
        votes.p,
    )
