"""Hold confidence against outcomes by more measures than the tables of reports have room for."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.debates import Debates
from analysis.reports.plain_json import INLINE
from analysis.statistics.calibration import ece
from analysis.statistics.calibration_error import ace, ece_floor, equal_mass_ece, mce
from analysis.statistics.clustered import Array
from analysis.statistics.proper_scores import nll
from analysis.statistics.rank_correlation import kendall, spearman
from analysis.statistics.selective_risk import aurc_x1000
from analysis.statistics.smooth_ece import smooth_ece


@dataclass(frozen=True, slots=True)
class CalibrationMeasures:
    """How well confidence fits outcomes of 0 and 1, beside ECE, AUROC and Brier; nan if undefined.

    `ece_floor` is the ECE to be expected by chance of who is perfectly calibrated.
    """

    ece_floor: float
    ece_equal_mass: float
    smooth_ece: float
    mce: float
    ace: float
    nll: float
    aurc_x1000: float
    spearman: float
    kendall: float


@dataclass(frozen=True, slots=True)
class CalibrationDetails:
    """How well the confidence of one phase fits who won, over `n` ratings without ties."""

    phase: str
    n: int
    ece: float
    measures: Annotated[CalibrationMeasures, INLINE]


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
    stated, won = confidence[there], outcome[there]
    return CalibrationDetails(
        phase, stated.size, ece(stated, won), calibration_measures(stated, won)
    )


def calibration_measures(confidence: Array, correct: Array) -> CalibrationMeasures:
    """Return the measures of values (n,) without nan."""
    # Sorted once: most of the measures sort, which takes little time of what is sorted already.
    order = np.argsort(confidence)
    stated, right = confidence[order], correct[order]
    return CalibrationMeasures(
        ece_floor(stated),
        equal_mass_ece(stated, right),
        smooth_ece(stated, right),
        mce(stated, right),
        ace(stated, right),
        nll(stated, right),
        aurc_x1000(stated, right),
        spearman(stated, right),
        kendall(stated, right),
    )
