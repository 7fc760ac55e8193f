"""Crossed random effects: against statsmodels, and where the data show no effect."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.crossed import crossed_mean

nan = np.nan


def study(seed: int, sd: float = 0.08) -> tuple[Array, Codes, Codes]:
    """42 debates of pairs of seven models on six motions, with two ratings missing."""
    rng = np.random.default_rng(seed)
    model = np.array([(a, b) for a in range(7) for b in range(7) if a != b])
    motion = rng.permutation(np.arange(42) % 6)
    values = 0.7 + rng.normal(0, sd, 7)[model] + rng.normal(0, 0.05, model.shape)
    values += rng.normal(0, 0.09, 6)[motion][:, None] + rng.normal(0, 0.06, (42, 1))
    values[3, 0] = values[8, 1] = nan
    return values, model, motion


def test_the_fit_is_that_of_statsmodels() -> None:
    values, model, motion = study(5)
    found = crossed_mean(values, model, motion, within=(-9, 9))
    there = ~np.isnan(values)
    debate, side = np.nonzero(there)
    data = pd.DataFrame(
        {"y": 100 * values[there], "m": model[debate, side], "d": debate, "s": motion[debate]}
    )
    parts = {"d": "0 + C(d)", "m": "0 + C(m)", "s": "0 + C(s)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MixedLM.from_formula("y ~ 1", data, groups=np.ones(len(data)), vc_formula=parts).fit()
    variances = dict(zip(sorted(parts), fit.vcomp, strict=True)) | {"rest": fit.scale}
    sds = {name: np.sqrt(each) / 100 for name, each in variances.items()}
    assert 100 * found.mean == pytest.approx(fit.fe_params.iloc[0], abs=1e-3)
    assert 100 * found.se == pytest.approx(fit.bse_fe.iloc[0], rel=1e-3)
    ours = (found.sd_debate, found.sd_model, found.sd_motion, found.sd_rest)
    assert ours == pytest.approx([sds[name] for name in ("d", "m", "s", "rest")], rel=5e-3)
    assert (found.n, found.debates, found.models, found.motions, found.note) == (82, 42, 7, 6, None)


def test_an_effect_that_the_data_do_not_show_is_named() -> None:
    values, model, motion = study(5)
    mirrored = np.column_stack((values[:, 0], 1.4 - values[:, 0]))
    found = crossed_mean(mirrored, model, motion)
    assert found.sd_debate == 0
    assert found.note
    assert "no effect of" in found.note


def test_there_is_no_interval_without_spread_or_models() -> None:
    values, model, motion = study(5)
    few = crossed_mean(values, model % 5, motion)
    alike = crossed_mean(np.full((42, 2), 0.75), model, motion)
    one = crossed_mean(values[:1], model[:1], motion[:1])
    assert all(np.isnan(each.ci_low) and each.note for each in (few, alike, one))
    assert alike.mean == 0.75


def test_motions_that_are_debated_once_are_left_to_their_debates() -> None:
    values, model, _ = study(5)
    found = crossed_mean(values, model, np.arange(42))
    assert np.isnan(found.sd_motion)
    assert found.note == "motions cannot be told from debates"
    assert found.ci_low < found.mean < found.ci_high
