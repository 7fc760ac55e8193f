"""Each contestant against 50% and from phase to phase, of studies that can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from math import nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.reports.debates import study_reports
from analysis.reports.plain_json import json_object
from analysis.reports.robustness import Checks
from analysis.reports.tables.debates import print_report
from analysis.statistics.multiplicity import holm

Add = Callable[..., Path]
# Of "m/a": 60 70 80 80 70 70 and 50 60 80 in three debates; "m/b" always says 50 and then 90.
DEBATES = [
    {"ratings": [(60, 70, 80), (50, 90, 90)]},
    {"ratings": [(80, 70, 70), (50, 90, 90)]},
    {"ratings": [(50, 90, 90), (55, 60, 85)], "models": ("m/b", "m/a")},
    {"ratings": [(90, "no tag", 80), (60, 65, 70)], "models": ("m/a", "m/a")},
]


@pytest.fixture
def found(add: Add) -> dict[str, Any]:
    [row] = study_reports(add("s", *DEBATES), checks=Checks(details=True))
    return json_object(row)


def test_each_contestant_against_half_by_the_published_tests_and_ours(
    found: dict[str, Any],
) -> None:
    first, second = found["by_contestant"]
    test = first["against_half"][0]
    ratings = np.array([60, 80, 55, 90, 60]) / 100
    assert (test["phase"], test["n"], test["debates"]) == ("opening", 5, 4)
    assert (test["mean"], test["sd"]) == pytest.approx((0.69, ratings.std(ddof=1)))
    published = stats.ttest_1samp(ratings, 0.5, alternative="greater").pvalue
    assert test["p_t"] == pytest.approx(published)
    # All five lie above: of 2^5 signs only these have ranks as high.
    assert test["p_wilcoxon"] == pytest.approx(1 / 32)
    # By debate the residuals add up to -.09, .11, -.14 and .12 (two ratings).
    se = sqrt(4 / 3 * (0.09**2 + 0.11**2 + 0.14**2 + 0.12**2)) / 5
    assert test["p"] == pytest.approx(2 * stats.t.sf(0.19 / se, 3))
    flat = second["against_half"][0]
    assert (flat["n"], flat["mean"], flat["p"], flat["p_t"], flat["p_wilcoxon"]) == (
        3,
        0.5,
        None,
        None,
        None,
    )
    # The other contestant's test could not be made, and so does not count.
    assert test["p_t_holm"] == pytest.approx(published)


def test_each_contestant_from_phase_to_phase(found: dict[str, Any]) -> None:
    steps = [row["steps"] for row in found["by_contestant"]]
    names = [(step["from"], step["to"], step["n"]) for step in steps[0]]
    assert names == [("opening", "rebuttal", 4), ("rebuttal", "closing", 4)]
    changes = np.array([10, -10, 5, 5]) / 100
    step = steps[0][0]
    assert step["change"] == pytest.approx(0.025)
    assert step["p_one_sided"] == pytest.approx(
        stats.ttest_1samp(changes, 0, alternative="greater").pvalue
    )
    # One change a debate: clusters change nothing.
    low, high = stats.t.interval(0.95, 3, 0.025, changes.std(ddof=1) / 2)
    assert (step["change_ci_low"], step["change_ci_high"]) == pytest.approx((low, high))
    # m/b has no spread, so that the family is one test.
    assert step["p_holm"] == step["p"]
    assert steps[1][0]["change"] == pytest.approx(0.4)
    assert steps[1][0]["p"] is None


def test_p_is_adjusted_over_the_contestants_of_one_phase(add: Add) -> None:
    debates = [
        {"ratings": [(60 + k, 70), (52 + 7 * k % 5, 50 + k)], "phases": ("opening", "closing")}
        for k in range(4)
    ]
    [row] = study_reports(add("s", *debates), checks=Checks(details=True))
    for at in range(2):
        tests = [each.against_half[at] for each in row.debates.by_contestant]
        for name in ("p", "p_t", "p_wilcoxon"):
            family = [getattr(test, name) for test in tests]
            got = [getattr(test, f"{name}_holm") for test in tests]
            assert got == pytest.approx(holm(family).tolist(), nan_ok=True)


def test_all_steps_together_add_up_to_the_rise_where_nothing_is_missing(add: Add) -> None:
    [row] = study_reports(add("s", *DEBATES[:3]))
    steps = [step.change.mean for step in row.debates.steps]
    assert sum(steps) == pytest.approx(row.debates.rise.change.mean)
    assert row.debates.by_contestant is None


@pytest.mark.slow
def test_the_screen_is_short_without_details_and_says_where_more_is(add: Add) -> None:
    path = add("s", *DEBATES)
    short, full = StringIO(), StringIO()
    print_report(study_reports(path), short)
    print_report(study_reports(path, checks=Checks(details=True)), full)
    assert "--details" in short.getvalue()
    assert "against 50%, opening" not in short.getvalue()
    assert "In closing both sides at most 50: 0 (0.0);" in short.getvalue()
    for title in ("against 50%, opening", "against 50%, closing", "from phase to phase"):
        assert f"By contestant {title}" in full.getvalue()
    assert "--details" not in full.getvalue()


def test_a_single_phase_has_tests_and_no_steps(add: Add) -> None:
    path = add("s", *({"ratings": [(60 + k,), (50,)], "phases": ("opening",)} for k in range(3)))
    [row] = study_reports(path, checks=Checks(details=True))
    assert [len(each.steps) for each in row.debates.by_contestant] == [0, 0]
    printed = StringIO()
    print_report([row], printed)
    assert "from phase to phase" not in printed.getvalue()
    assert nan not in [each.against_half[0].mean for each in row.debates.by_contestant]
