"""How fast confidence rises from phase to phase, with ratings nested in sides and sides in debates.

Two answers to the same question.  The slope of a straight line through all ratings by least squares, with debates as clusters (Liang and
Zeger, 1986; the estimator of clusters.py), is in closed form and assumes nothing about how ratings of a debate hang together.  The
mixed-effects model (Laird and Ware, Random-effects models for longitudinal data, 1982; by REML, from statsmodels) says besides how much
debates, sides and phases differ, and assumes normal effects.  Left out: degrees of freedom by Satterthwaite or Kenward and Roger, for
which Python has no trusted code, so that the model's test is Wald's; and crossed effects of models and motions.

Arrays are (debates, 2 sides, phases), confidence in [0, 1], nan where there is none; phases count 0, 1, 2 in playing order.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import nan

import numpy as np

from analysis.statistics.clustered import Array, cluster_se, student_interval, student_test
from arena.errors import StudyError

MOST_DEBATES = 2_000
# A share of the variance below this, or a correlation this near to 1, is the edge of what the model can say.
NO_VARIANCE, MAX_CORRELATION = 1e-5, 0.999
INSTALL = (
    "the mixed-effects model needs statsmodels, which is not installed: pip install '.[mixed]'"
)


@dataclass(frozen=True, slots=True)
class Slope:
    """The straight line through `n` ratings of `debates` debates: points per phase in [-1, 1], cluster-robust; nan where undefined."""

    n: int
    debates: int
    slope: float
    se: float
    ci_low: float
    ci_high: float
    t: float
    p: float


@dataclass(frozen=True, slots=True)
class MixedFit:
    """The mixed-effects model: confidence ~ phase, with intercept and slope by debate, and an intercept by side within debates.

    `slope` per phase with standard error, 95% interval and two-sided p, by the normal distribution.  Standard deviations in [0, 1]:
    `sd_debate` of debates' intercepts, `sd_slope` of their slopes, with their `correlation`; `sd_side` of sides within debates,
    `sd_residual` of what is left.  `debates` took part out of `of_debates`.  `note` says why numbers are nan, or what else to know.
    """

    n: int
    debates: int
    of_debates: int
    converged: bool
    slope: float
    se: float
    ci_low: float
    ci_high: float
    p: float
    sd_debate: float
    sd_slope: float
    correlation: float
    sd_side: float
    sd_residual: float
    note: str | None


def slope(confidence: Array) -> Slope:
    """The cluster-robust slope of ratings (G, 2, P) over phases; nan with ratings in fewer than 2 phases."""
    debates, _, phases = confidence.shape
    there = ~np.isnan(confidence)
    n = int(there.sum())
    place = np.broadcast_to(np.arange(phases, dtype=np.float64), confidence.shape)
    centred = place - (place[there].mean() if n else nan)
    spread = float(np.square(centred[there]).sum())
    if not spread > 0:
        return Slope(n, int(there.any(axis=(1, 2)).sum()), nan, nan, nan, nan, nan, nan)
    mean = float(confidence[there].mean())
    found = float((centred * (confidence - mean))[there].sum() / spread)
    residuals = confidence - mean - found * centred
    se, clusters = cluster_se((centred * residuals / spread).reshape(debates, -1))
    low, high = student_interval(found, se, clusters)
    return Slope(n, clusters, found, se, low, high, *student_test(found, se, clusters - 1))


def mixed_model(confidence: Array, *, sample: int | None = None, seed: int = 0) -> MixedFit:
    """The mixed-effects model of ratings (G, 2, P) over phases; takes about half a second for 100 debates.

    More than 2,000 debates are not fitted unless `sample` says how many to draw, by `seed`; the result says so.  What could not be fitted
    is nan, with the reason in `note`.  Raises StudyError without statsmodels, and ValueError for a `sample` below 2.
    """
    if sample is not None and sample < 2:
        raise ValueError(f"at least 2 debates are needed, found {sample}")
    try:
        import statsmodels.regression.mixed_linear_model  # noqa: F401
    except ImportError as error:
        raise StudyError(INSTALL) from error
    kept = confidence[~np.isnan(confidence).all(axis=(1, 2))]
    total, note = len(kept), None
    if sample is not None and total > sample:
        kept = kept[np.sort(np.random.default_rng(seed).choice(total, sample, replace=False))]
        note = f"fitted on {sample:,} of {total:,} debates, drawn at random with seed {seed}"
    n, phases = int((~np.isnan(kept)).sum()), int((~np.isnan(kept)).any(axis=(0, 1)).sum())
    if sample is None and total > MOST_DEBATES:
        return empty_fit(
            n,
            0,
            total,
            f"left out: {total:,} debates take too long, the most is {MOST_DEBATES:,}; --mixed 500 draws 500 of them",
        )
    if len(kept) < 3 or phases < 2:
        return empty_fit(
            n, len(kept), total, "at least 3 debates with ratings in 2 phases are needed"
        )
    if kept[~np.isnan(kept)].std() < 1e-9:
        return empty_fit(n, len(kept), total, "all ratings are the same")
    return fit(kept, total, note)


def empty_fit(n: int, debates: int, of_debates: int, note: str) -> MixedFit:
    """A model without numbers, and why."""
    return MixedFit(n, debates, of_debates, False, *[nan] * 10, note)


def fit(confidence: Array, of_debates: int, note: str | None) -> MixedFit:
    """The model fitted by REML in points, where its optimiser's tolerances fit, and given back in [0, 1]."""
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    where = np.nonzero(~np.isnan(confidence))
    data = pd.DataFrame(
        {
            "points": 100 * confidence[where],
            "debate": where[0],
            "side": where[1],
            "phase": where[2].astype(np.float64),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is read off the result
        model = MixedLM.from_formula(
            "points ~ phase",
            data,
            groups="debate",
            re_formula="~phase",
            vc_formula={"side": "0 + C(side)"},
        )
        try:
            found = model.fit(reml=True, method=["lbfgs", "bfgs", "powell"])
        except (np.linalg.LinAlgError, ValueError) as error:
            return empty_fit(
                len(data), len(confidence), of_debates, f"could not be fitted: {error}"
            )
        line, errors = float(found.fe_params["phase"]), float(found.bse_fe["phase"])
    if not found.converged or not np.isfinite([line, errors]).all() or not errors > 0:
        return empty_fit(
            len(data),
            len(confidence),
            of_debates,
            "did not converge: none of three optimisers found the best fit",
        )
    low, high = (float(limit) / 100 for limit in found.conf_int().loc["phase"])
    test = line / 100, errors / 100, low, high, float(found.pvalues["phase"])
    parts, edge = components(np.asarray(found.cov_re), float(found.vcomp[0]), float(found.scale))
    notes = "; ".join(words for words in (note, edge) if words) or None
    return MixedFit(len(data), len(confidence), of_debates, True, *test, *parts, notes)


def components(
    of_debates: Array, of_sides: float, left: float
) -> tuple[tuple[float, float, float, float, float], str | None]:
    """(standard deviations of Mixed, in its order and in [0, 1]; a note) from variances in points; nan on the edge of the model.

    On the edge a variance is 0 or a correlation 1: the model has more parts than the data can tell apart.  The slope stands, for it does
    not hang on how the parts share the variance, but the parts are not given.
    """
    intercepts, slopes = of_debates[0, 0], of_debates[1, 1]
    least = NO_VARIANCE * (intercepts + slopes + of_sides + left)
    correlation = (
        float(of_debates[0, 1] / np.sqrt(intercepts * slopes))
        if intercepts > least and slopes > least
        else nan
    )
    if min(intercepts, slopes, of_sides, left) <= least or not abs(correlation) < MAX_CORRELATION:
        return (nan, nan, nan, nan, nan), (
            "singular fit: debates, their slopes and sides cannot be told apart, so no standard deviations are given; rely on the slope with"
            " debates as clusters"
        )
    sd_debate, sd_slope, sd_side, sd_residual = (
        float(np.sqrt(part)) / 100 for part in (intercepts, slopes, of_sides, left)
    )
    return (sd_debate, sd_slope, correlation, sd_side, sd_residual), None
