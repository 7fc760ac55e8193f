"""Hold the confidence of debaters against the verdicts of juries, as `arena report` does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.debates import SIDES, Debates
from analysis.reports.plain_json import interval_as
from analysis.reports.rows import Scores, WinnerCounts, mean_interval, scores, scores_with
from analysis.statistics.bootstrap import Interval
from analysis.statistics.calibration import brier
from analysis.statistics.clustered import Array


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
class OutcomeCounts:
    """Judged debates by winner: by the majority of votes, and by confidence sum."""

    judged: int
    majority: WinnerCounts
    confidence_sum: WinnerCounts
    votes: VoteCounts


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """Confidence in one phase against the jury: `n` ratings of `debates` judged debates.

    `brier` counts ties as half a win, `scores` leave them out; `brier_of_half` is the score of
    always saying 50%.
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
    return OutcomeCounts(judged, majority, by_sum, VoteCounts(*map(int, votes)))


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
    return CalibrationRow(
        phase,
        int(judged.sum()),
        int(decided.sum()),
        int(judged.any(axis=1).sum()),
        int((judged & ~decided).any(axis=1).sum()),
        mean_interval(np.square(confidence - outcome)),
        brier(confidence[decided], outcome[decided]),
        brier(np.full(int(judged.sum()), 0.5), outcome[judged]),
        scores(np.where(decided, confidence, np.nan), np.where(decided, outcome, np.nan)),
    )
