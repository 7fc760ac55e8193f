"""The slope over phases, against statsmodels and hand values; the mixed-effects model, and what it
says where it cannot be fitted.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.statistics.clustered import Array
from analysis.statistics.escalation import MOST_DEBATES, mixed_model, slope
from analysis.statistics.overconfidence import rise
from arena.errors import StudyError

nan = np.nan
ratings = arrays(
    np.float64, (6, 2, 3), elements=st.integers(0, 100).map(lambda n: n / 100) | st.just(nan)
)


def made_up(
    debates: int, *, debate: float = 0.1, slopes: float = 0.03, side: float = 0.06, seed: int = 0
) -> Array:
    """(debates, 2, 3) ratings with a slope of 0.05 a phase and known standard deviations; 0.05 is
    left.
    """
    rng = np.random.default_rng(seed)
    phases = np.arange(3)
    own = (
        rng.normal(0, debate, (debates, 1, 1))
        + rng.normal(0.05, slopes, (debates, 1, 1)) * phases
        + rng.normal(0, side, (debates, 2, 1))
    )
    return 0.6 + own + rng.normal(0, 0.05, (debates, 2, 3))


def test_the_slope_is_least_squares_with_clusters_of_statsmodels() -> None:
    """Theirs without a small-sample factor, times ours, G / (G - 1); with missing ratings and
    unequal debates.
    """
    values = made_up(20)
    values[np.random.default_rng(1).random(values.shape) < 0.2] = nan
    debate, _, phase = np.nonzero(~np.isnan(values))
    groups = {"groups": debate, "use_correction": False}
    outside = sm.OLS(values[~np.isnan(values)], sm.add_constant(phase)).fit(
        cov_type="cluster", cov_kwds=groups
    )
    found = slope(values)
    assert (found.n, found.debates) == (debate.size, 20)
    assert found.slope == pytest.approx(outside.params[1])
    assert found.se == pytest.approx(outside.bse[1] * np.sqrt(20 / 19))


def test_two_debates_by_hand() -> None:
    """Slopes 0.1 and 0.3, with nothing left over: the mean 0.2, and 0.1 either way."""
    found = slope(np.array([[[0.5, 0.6], [0.5, 0.6]], [[0.4, 0.7], [0.4, 0.7]]]))
    assert (found.slope, found.se) == pytest.approx((0.2, 0.1))


def test_with_three_full_phases_it_is_half_the_rise() -> None:
    values = made_up(15)
    found, whole = slope(values), rise(values[:, :, 0], values[:, :, 2])
    assert (found.slope, found.ci_low, found.p) == pytest.approx(
        (whole.mean / 2, whole.ci_low / 2, whole.p)
    )


@given(ratings)
def test_backwards_is_the_slope_down(values: Array) -> None:
    ahead, back = slope(values), slope(values[:, ::-1, ::-1])
    assert (ahead.slope, ahead.se, ahead.p) == pytest.approx(
        (-back.slope, back.se, back.p), nan_ok=True, abs=1e-9
    )


def test_one_phase_has_no_slope() -> None:
    found = slope(np.array([[[0.5, nan], [0.6, nan]], [[0.7, nan], [nan, nan]]]))
    assert (found.n, found.debates) == (3, 2)
    assert np.isnan([found.slope, found.se, found.p]).all()


def test_the_mixed_model_finds_what_was_put_in() -> None:
    found = mixed_model(made_up(150))
    assert (found.converged, found.note, found.n, found.debates) == (True, None, 900, 150)
    assert found.slope == pytest.approx(0.05, abs=0.01)
    assert (found.sd_debate, found.sd_slope, found.sd_side, found.sd_residual) == pytest.approx(
        (0.1, 0.03, 0.06, 0.05), abs=0.015
    )
    assert abs(found.correlation) < 0.4


def test_with_full_debates_its_slope_and_error_are_those_with_clusters() -> None:
    values = made_up(40)
    found, robust = mixed_model(values), slope(values)
    assert (found.slope, found.se) == pytest.approx((robust.slope, robust.se), rel=0.01)


def test_a_singular_fit_keeps_its_slope_and_says_that_its_parts_cannot_be_told() -> None:
    found = mixed_model(made_up(30, debate=0.05, slopes=0))
    assert found.converged
    assert found.slope == pytest.approx(0.05, abs=0.02)
    assert np.isnan([found.sd_debate, found.sd_slope, found.sd_side]).all()
    assert found.note
    assert "singular" in found.note


def test_too_many_debates_are_left_out_unless_some_are_drawn_and_both_are_said() -> None:
    many = np.tile(made_up(11), (MOST_DEBATES // 10, 1, 1))
    left_out, drawn = mixed_model(many), mixed_model(many, sample=20)
    assert np.isnan(left_out.slope)
    assert left_out.note
    assert f"{len(many):,} debates take too long" in left_out.note
    assert drawn.note
    assert "20 of 2,200 debates, drawn at random with seed 0" in drawn.note
    # As text: since Python 3.13 a dataclass with a nan is not equal to its copy.
    assert repr(drawn) == repr(mixed_model(many, sample=20))
    assert (drawn.debates, drawn.of_debates) == (20, len(many))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.full((5, 2, 3), 0.5), "the same"),
        (made_up(2), "at least 3"),
        (made_up(5)[:, :, :1], "2 phases"),
        (np.full((5, 2, 3), nan), "at least 3"),
    ],
)
def test_what_cannot_be_fitted_says_why(values: Array, why: str) -> None:
    found = mixed_model(values)
    assert not found.converged
    assert np.isnan(found.slope)
    assert found.note
    assert why in found.note


def test_without_statsmodels_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.regression.mixed_linear_model", None)
    with pytest.raises(StudyError, match=r"pip install 'peer-arena\[mixed\]'"):
        mixed_model(made_up(5))
