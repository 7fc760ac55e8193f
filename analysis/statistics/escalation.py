"""Estimate how fast confidence rises from phase to phase, in two ways.

Ratings are nested in sides, and sides in debates.  The slope of a straight line through all ratings
by least squares, with debates as clusters (Liang and Zeger, 1986; the estimator of clustered.py),
is in closed form and assumes nothing about how the ratings of a debate depend on each other.  The
mixed-effects model (Laird and Ware, Random-effects models for longitudinal data, 1982; by REML,
from statsmodels) also says how much debates, sides and phases differ, and assumes normal effects.
Left out: degrees of freedom by Satterthwaite or Kenward and Roger, for which Python has no trusted
code, so that the model's test is Wald's; and crossed effects of models and motions.

Arrays are (debates, 2 sides, phases), confidence in [0, 1], nan if missing; phases count 0, 1, 2 in
playing order.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.claims import THESE, Claims, claims
from analysis.statistics.clustered import CHANGE, Array, Codes, Mask
from arena.errors import StudyError

MOST_DEBATES = 2_000
# A share of the variance below this, or a correlation this near to 1, is the edge of what the model
# can say.
NO_VARIANCE = 1e-5
MAX_CORRELATION = 0.999
INSTALL = (
    "the mixed-effects model needs statsmodels, which is not installed:"
    " pip install 'peer-arena[mixed]'"
)

NOTHING = Claims(THESE, 0, note="ratings in two phases are needed")


@dataclass(frozen=True, slots=True)
class Slope:
    """The straight line through `n` ratings of `debates` debates; nan for undefined numbers.

    `slope` is the rise per phase in [-1, 1]; error, interval and test are those of the wider of
    both `claims`.
    """

    n: int
    debates: int
    slope: float = nan
    se: float = nan
    ci_low: float = nan
    ci_high: float = nan
    t: float = nan
    p: float = nan
    claims: Claims = NOTHING


@dataclass(frozen=True, slots=True)
class MixedFit:
    """The mixed-effects model: confidence ~ phase, with random effects of debates and sides.

    Debates have an intercept and a slope, sides within debates an intercept.  `slope` is per phase,
    with standard error, 95% interval and two-sided p, by the normal distribution.  Standard
    deviations in [0, 1]: `sd_debate` of debates' intercepts, `sd_slope` of their slopes, with their
    `correlation`; `sd_side` of sides within debates, `sd_residual` of the rest.  `debates` took
    part out of `of_debates`.  `note` says why numbers are nan, or how the fit was limited.
    """

    n: int
    debates: int
    of_debates: int
    converged: bool = False
    slope: float = nan
    se: float = nan
    ci_low: float = nan
    ci_high: float = nan
    p: float = nan
    sd_debate: float = nan
    sd_slope: float = nan
    correlation: float = nan
    sd_side: float = nan
    sd_residual: float = nan
    note: str | None = None


def slope(confidence: Array, model: Codes | None = None) -> Slope:
    """Estimate the slope of ratings (G, 2, P) over phases, with both claims.

    `model` (G, 2) holds codes of models, None where one model gave all the ratings.  nan with
    ratings in fewer than 2 phases.
    """
    debates, sides, phases = confidence.shape
    there = ~np.isnan(confidence)
    n = int(there.sum())
    place = np.broadcast_to(np.arange(phases, dtype=np.float64), confidence.shape)
    centred = place - (place[there].mean() if n else nan)
    spread = float(np.square(centred[there]).sum())
    if not spread > 0:
        return Slope(n, np.unique(np.nonzero(there)[0]).size)
    mean = float(confidence[there].mean())
    estimate = float((centred * (confidence - mean))[there].sum() / spread)
    residuals = confidence - mean - estimate * centred
    # One number a debater: what its ratings of all phases add to the error, and to the spread.
    rated: Mask = np.any(there, axis=2)
    influence, weight = (
        np.where(rated, np.where(there, values, 0.0).sum(axis=2) / spread, nan)
        for values in (centred * residuals, np.square(centred))
    )
    codes = np.zeros((debates, sides), dtype=np.int64) if model is None else model
    both = claims(estimate, influence, weight, codes, within=CHANGE)
    clusters = int(rated.any(axis=1).sum())
    test = both.se, both.ci_low, both.ci_high, both.t, both.p
    return Slope(n, clusters, estimate, *test, both)


def mixed_model(confidence: Array, *, sample: int | None = None, seed: int = 0) -> MixedFit:
    """Fit the mixed-effects model to ratings (G, 2, P); about half a second for 100 debates.

    More than 2,000 debates are not fitted unless `sample` says how many to draw, by `seed`; the
    result says so.  A model that could not be fitted is nan, with the reason in `note`.  Raises
    StudyError without statsmodels, and ValueError for a `sample` below 2.
    """
    if sample is not None and sample < 2:
        raise ValueError(f"at least 2 debates are needed, found {sample}")
    try:
        import statsmodels.regression.mixed_linear_model  # noqa: F401
    except ImportError as error:
        raise StudyError(INSTALL) from error
    rated = confidence[~np.isnan(confidence).all(axis=(1, 2))]
    total = len(rated)
    note = None
    if sample is not None and total > sample:
        # Sorted, so that the fit sees the drawn debates in the order of the record.
        rated = rated[np.sort(np.random.default_rng(seed).choice(total, sample, replace=False))]
        note = f"fitted on {sample:,} of {total:,} debates, drawn at random with seed {seed}"
    there = ~np.isnan(rated)
    n = int(there.sum())
    if sample is None and total > MOST_DEBATES:
        reason = (
            f"left out: {total:,} debates take too long, the most is {MOST_DEBATES:,};"
            " --mixed 500 draws 500 of them"
        )
        return MixedFit(n, 0, total, note=reason)
    if len(rated) < 3 or there.any(axis=(0, 1)).sum() < 2:
        reason = "at least 3 debates with ratings in 2 phases are needed"
        return MixedFit(n, len(rated), total, note=reason)
    if rated[there].std() < 1e-9:
        return MixedFit(n, len(rated), total, note="all ratings are the same")
    return fit(rated, total, note)


def fit(confidence: Array, of_debates: int, note: str | None) -> MixedFit:
    """Fit the model by REML to ratings (G, 2, P), every debate with at least one."""
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    debate, side, phase = np.nonzero(~np.isnan(confidence))
    # In points, not in [0, 1]: the tolerances of the optimisers are absolute and fit that scale.
    data = pd.DataFrame(
        {
            "points": 100 * confidence[debate, side, phase],
            "debate": debate,
            "side": side,
            "phase": phase.astype(np.float64),
        }
    )
    n = len(data)
    debates = len(confidence)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their content is read off the result
        # "0 + C(side)": one intercept for each side of a debate, of a common variance.
        model = MixedLM.from_formula(
            "points ~ phase",
            data,
            groups="debate",
            re_formula="~phase",
            vc_formula={"side": "0 + C(side)"},
        )
        try:
            result = model.fit(reml=True, method=["lbfgs", "bfgs", "powell"])
        except (np.linalg.LinAlgError, ValueError) as error:
            return MixedFit(n, debates, of_debates, note=f"could not be fitted: {error}")
        line = float(result.fe_params["phase"])
        error_of_line = float(result.bse_fe["phase"])
    if not result.converged or not np.isfinite([line, error_of_line]).all() or error_of_line <= 0:
        reason = "did not converge: none of three optimisers found the best fit"
        return MixedFit(n, debates, of_debates, note=reason)
    low, high = (float(limit) / 100 for limit in result.conf_int().loc["phase"])
    test = line / 100, error_of_line / 100, low, high, float(result.pvalues["phase"])
    parts, edge = components(np.asarray(result.cov_re), float(result.vcomp[0]), float(result.scale))
    notes = "; ".join(words for words in (note, edge) if words) or None
    return MixedFit(n, debates, of_debates, True, *test, *parts, notes)


def components(
    of_debates: Array, of_sides: float, left: float
) -> tuple[tuple[float, float, float, float, float], str | None]:
    """Return (standard deviations of MixedFit, in its order and in [0, 1]; a note).

    The arguments are variances in points: the covariance (2, 2) of debates' intercepts and slopes,
    the variance of sides, and that of the rest.  All are nan on the edge of the model, at which a
    variance is 0 or a correlation 1: the model has more parts than the data can tell apart.  The
    slope stands, for it does not depend on how the parts share the variance.
    """
    intercepts, slopes = of_debates[0, 0], of_debates[1, 1]
    least = NO_VARIANCE * (intercepts + slopes + of_sides + left)
    correlation = nan
    if intercepts > least and slopes > least:
        correlation = float(of_debates[0, 1] / np.sqrt(intercepts * slopes))
    # "not <" holds for nan too.
    if min(intercepts, slopes, of_sides, left) <= least or not abs(correlation) < MAX_CORRELATION:
        return (nan, nan, nan, nan, nan), (
            "singular fit: debates, their slopes and sides cannot be told apart, so no standard"
            " deviations are given; rely on the slope with debates as clusters"
        )
    sd_debate, sd_slope, sd_side, sd_residual = (
        float(np.sqrt(part)) / 100 for part in (intercepts, slopes, of_sides, left)
    )
    return (sd_debate, sd_slope, correlation, sd_side, sd_residual), None
