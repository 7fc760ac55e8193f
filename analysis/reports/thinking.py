"""Report whether models that reason know when they are right (arXiv 2504.06564).

By arm, which is a training stage in the study that comes with the package: how often a reply says
that its author does not know, how well the stated confidence fits, and whether it falls with the
length of the reasoning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.thinking import ThoughtReplies
from analysis.reports.plain_json import interval_as
from analysis.reports.rows import Scores, scores, scores_with
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import sums_by_code
from analysis.statistics.judge_bias import by_cluster
from analysis.statistics.rank_interval import clustered_spearman
from analysis.statistics.shares import share_intervals


@dataclass(frozen=True, slots=True)
class ThinkingRow:
    """The replies of one arm.

    Of `n` replies `unknown` say that they do not know, a share of `unknown_share`; `rated` have a
    confidence and an outcome, with the share `accuracy` right.  `length_all` is Spearman's rho of
    confidence and length in `unit`, over rated replies; `length_right` and `length_wrong` over
    right and wrong ones.
    """

    arm: str
    n: int
    questions: int
    unknown: int
    unknown_share: Annotated[Interval, interval_as("unknown_share")]
    rated: int
    accuracy: float
    scores: Annotated[Scores, scores_with("mean_minus_accuracy")]
    unit: str
    length: float
    length_all: Annotated[Interval, interval_as("length_all")]
    length_right: Annotated[Interval, interval_as("length_right")]
    length_wrong: Annotated[Interval, interval_as("length_wrong")]


def thinking_row(found: ThoughtReplies) -> ThinkingRow:
    """Return the findings about one arm."""
    questions = int(found.question.max(initial=-1)) + 1
    ones = np.stack((found.unknown.astype(np.float64), np.ones(found.unknown.size)), axis=1)
    top, whole = np.hsplit(sums_by_code(ones, found.question, questions)[0], 2)
    [share] = share_intervals(top, whole)
    rated = ~np.isnan(found.confidence + found.correct)
    stated, right = found.confidence[rated], found.correct[rated]
    question = found.question[rated]
    over_all, over_right, over_wrong = (
        clustered_spearman(stated[chosen], found.length[rated][chosen], question[chosen])
        for chosen in (np.ones(stated.size, dtype=bool), right == 1, right == 0)
    )
    known = found.length[~np.isnan(found.length)]
    return ThinkingRow(
        found.arm,
        found.unknown.size,
        questions,
        int(found.unknown.sum()),
        share,
        int(rated.sum()),
        float(right.mean()) if right.size else np.nan,
        scores(by_cluster(stated, question), by_cluster(right, question)),
        found.unit,
        float(known.mean()) if known.size else np.nan,
        over_all,
        over_right,
        over_wrong,
    )
