"""Report how far a block of LeaP moves the paths that read their peers in it.

The paper (arXiv 2505.07787, its figure 9) gives the share of influenced paths by block; its rule
was not available.  Here a path is influenced if the answer that it is made to give right after the
block is another than that right before it; in an arm whose paths read nobody, the same share is
what the words of the block do alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.influence import BlockProbes
from analysis.reports.plain_json import interval_as
from analysis.reports.rows import mean_interval
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array
from analysis.statistics.judge_bias import by_cluster


@dataclass(frozen=True, slots=True)
class InfluenceRow:
    """How often the answer of a path changes in one block of an arm.

    Over `paths` with both answers, `changed` is the share with another answer, `to_right` and
    `to_wrong` the shares that became right and ceased to be; `without` lack an answer.
    """

    arm: str
    block: int
    paths: int
    without: int
    changed: Annotated[Interval, interval_as("changed")]
    to_right: Annotated[Interval, interval_as("to_right")]
    to_wrong: Annotated[Interval, interval_as("to_wrong")]


def influence_row(found: BlockProbes) -> InfluenceRow:
    """Return the findings about one block."""
    known = ~np.isnan(found.changed)
    question = found.question[known]
    before, after = found.before[known], found.after[known]

    def mean(values: Array) -> Interval:
        return mean_interval(by_cluster(values, question))

    # A question without a right answer has neither.
    gradable = ~(np.isnan(before) | np.isnan(after))
    mended = np.where(gradable, (before == 0) & (after == 1), np.nan)
    spoilt = np.where(gradable, (before == 1) & (after == 0), np.nan)
    return InfluenceRow(
        found.arm,
        found.block,
        int(known.sum()),
        int((~known).sum()),
        mean(found.changed[known]),
        mean(mended),
        mean(spoilt),
    )
