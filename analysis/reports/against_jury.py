"""Hold the confidence of debaters against the verdicts of juries, as `arena report` does."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.debates import SIDES, Debates
from analysis.reports.plain_json import interval_as
from analysis.reports.rows import Scores, WinnerCounts, mean_interval, scores, scores_with
from analysis.statistics.bootstrap import Interval
from analysis.statistics.calibration import brier
from analysis.statistics.clustered import Array
from analysis.statistics.judge_error import (
    calibration_slope,
    error_of_majority,
    error_of_retest,
    perfect_slope,
)


@dataclass(frozen=True, slots=True)
class VoteCounts:
    """Votes for a side, abstentions, those of them that changed with the seat order, and missing.

    A vote is a judge's word over all seat orders that it read; it is missing with any of these.
    """

    for_a_side: int
    abstained: int
    flipped: int
    missing: int


@dataclass(frozen=True, slots=True)
class Retest:
    """How often judges agree with themselves, and the slope of a perfect debater under that.

    Of `pairs` of readings of one debate by one judge in one order of sides, the share `same` names
    the same winner, as with an `error` of each reading.  A perfectly calibrated debater then shows
    `slope_together` if the judges of a debate err together, `slope_apart` if the `votes` on the
    median debate err by themselves; nan without pairs.
    """

    pairs: int
    same: float
    error: float
    votes: int
    slope_together: float
    slope_apart: float


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """Judged debates by winner: by the majority of votes, and by confidence sum."""

    judged: int
    majority: WinnerCounts
    confidence_sum: WinnerCounts
    votes: VoteCounts
    retest: Retest


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """Confidence in one phase against the jury's verdicts: `n` ratings of `debates` judged debates.

    `brier` counts ties as half a win, `scores` and `slope`, of the outcome on confidence, leave
    them out; `brier_of_half` is the score of always saying 50%.
    """

    phase: str
    n: int
    n_without_ties: int
    debates: int
    ties: int
    brier: Annotated[Interval, interval_as("brier")]
    brier_without_ties: float
    brier_of_half: float
    scores: Annotated[Scores, scores_with("mean_minus_win_rate")]
    slope: Annotated[Interval, interval_as("slope")]


def outcome_counts(debates: Debates) -> OutcomeCounts | None:
    """Return how debates were judged, or None without verdicts."""
    votes = debates.votes.sum(axis=0)
    if not votes.sum():
        return None
    majority, by_sum = (
        WinnerCounts(*(int((winner == name).sum()) for name in (*SIDES, "tie")))
        for winner in (debates.winner, debates.by_confidence_sum)
    )
    # A debate whose votes are all missing is not judged.
    judged = sum(winner is not None for winner in debates.winner.tolist())
    counts = VoteCounts(*map(int, votes))
    return OutcomeCounts(judged, majority, by_sum, counts, retest_of(debates))


def retest_of(debates: Debates) -> Retest:
    """Return how often the judges of these debates agree with themselves."""
    pairs, same = debates.retest.sum(axis=0).tolist()
    agreement = same / pairs if pairs else nan
    error = error_of_retest(agreement)
    voted = debates.votes[debates.votes[:, 0] > 0, 0]
    votes = int(np.median(voted)) if voted.size else 0
    apart = perfect_slope(error_of_majority(error, votes))
    return Retest(pairs, agreement, error, votes, perfect_slope(error), apart)


def calibration_rows(debates: Debates) -> tuple[CalibrationRow, ...]:
    """Return confidence against the jury by phase, over debates with a winner or a tie."""
    outcome = debates.outcome()
    # Verdicts that could not be read leave debates without an outcome.
    if np.isnan(outcome).all():
        return ()
    return tuple(
        calibration_row(phase, debates.confidence[:, :, number], outcome)
        for number, phase in enumerate(debates.phases)
    )


def calibration_row(phase: str, confidence: Array, outcome: Array) -> CalibrationRow:
    """Return one phase; `confidence` and `outcome` are (G, 2), nan if not rated or not judged."""
    # The Brier score can take a tie as half a win; ECE and AUROC know two classes only.
    judged = ~(np.isnan(confidence) | np.isnan(outcome))
    decided = judged & (outcome != 0.5)
    stated, true = (np.where(decided, values, nan) for values in (confidence, outcome))
    return CalibrationRow(
        phase,
        int(judged.sum()),
        int(decided.sum()),
        int(judged.any(axis=1).sum()),
        int((judged & ~decided).any(axis=1).sum()),
        mean_interval(np.square(confidence - outcome)),
        brier(confidence[decided], outcome[decided]),
        brier(np.full(int(judged.sum()), 0.5), outcome[judged]),
        scores(stated, true),
        Interval(*calibration_slope(stated, true)),
    )
