"""A judged study has further measures of calibration, one that was not judged has none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.reports.debates import report, study_reports
from analysis.reports.tables.debates import print_report
from analysis.statistics.calibration_error import ece_floor
from analysis.statistics.rank_correlation import spearman

Add = Callable[..., Path]
PHASES = {"phases": ("opening", "closing")}
ONE = PHASES | {"ratings": [(60, 90), (50, 70)]}
OTHER = PHASES | {"ratings": [(80, 70), (50, 60)]}
KEYS = "phase n ece ece_floor ece_equal_mass smooth_ece mce ace nll aurc_x1000 spearman kendall"


def test_a_judged_study_has_details_by_phase(add: Add) -> None:
    path = add(
        "judged",
        ONE | {"votes": [("proposition", 0.9)]},
        OTHER | {"votes": [("opposition", 0.9)]},
    )
    [found] = report(path)
    first, _ = found["calibration_details"]
    assert list(first) == KEYS.split()
    assert (first["phase"], first["n"]) == ("opening", 4)
    stated, won = np.array([0.6, 0.5, 0.8, 0.5]), np.array([1.0, 0.0, 0.0, 1.0])
    assert first["ece_floor"] == pytest.approx(ece_floor(stated))
    assert first["spearman"] == pytest.approx(spearman(stated, won))
    # The table above has the same ECE.
    assert first["ece"] == found["calibration"][0]["ece"]
    text = io.StringIO()
    print_report(study_reports(path), text)
    assert "More on calibration" in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= 100


def test_without_verdicts_there_are_none_and_effect_sizes_need_no_jury(add: Add) -> None:
    path = add("played", ONE, OTHER)
    [found] = report(path)
    assert "calibration_details" not in found
    change = np.array([0.3, 0.2, -0.1, 0.1])
    assert found["rise"]["d"] == pytest.approx(change.mean() / change.std(ddof=1))
    assert all("rise_d" in row for row in found["contestants"])
