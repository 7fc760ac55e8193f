"""Hold confidence against the jury by more measures than the table of a report has room for."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.read.debates import Debates
from analysis.statistics.calibration import ece
from analysis.statistics.calibration_error import ace, ece_floor, equal_mass_ece, mce
from analysis.statistics.clustered import Array
from analysis.statistics.proper_scores import nll
from analysis.statistics.rank_correlation import kendall, spearman
from analysis.statistics.selective_risk import aurc_x1000
from analysis.statistics.smooth_ece import smooth_ece


@dataclass(frozen=True, slots=True)
class CalibrationDetails:
    """How well the confidence of one phase fits who won, over `n` ratings without ties.

    `ece_floor` is the ECE that a perfectly calibrated debater would have by chance.  Undefined
    numbers are nan.
    """

    phase: str
    n: int
    ece: float
    ece_floor: float
    ece_equal_mass: float
    smooth_ece: float
    mce: float
    ace: float
    nll: float
    aurc_x1000: float
    spearman: float
    kendall: float


def calibration_details(debates: Debates) -> tuple[CalibrationDetails, ...] | None:
    """Return the measures by phase, over debates with a winner; None without one."""
    outcome = debates.outcome()
    decided = np.where(outcome == 0.5, nan, outcome)
    if np.isnan(decided).all():
        return None
    return tuple(
        phase_details(phase, debates.confidence[:, :, number], decided)
        for number, phase in enumerate(debates.phases)
    )


def phase_details(phase: str, confidence: Array, outcome: Array) -> CalibrationDetails:
    """Return the measures of one phase; both arrays are (G, 2), nan if not rated or not decided."""
    there = ~(np.isnan(confidence) | np.isnan(outcome))
    # Sorted once: most of the measures sort, which takes little time of what is sorted already.
    order = np.argsort(confidence[there])
    stated, won = confidence[there][order], outcome[there][order]
    return CalibrationDetails(
        phase,
        stated.size,
        ece(stated, won),
        ece_floor(stated),
        equal_mass_ece(stated, won),
        smooth_ece(stated, won),
        mce(stated, won),
        ace(stated, won),
        nll(stated, won),
        aurc_x1000(stated, won),
        spearman(stated, won),
        kendall(stated, won),
    )
