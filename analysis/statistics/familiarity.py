"""Say from which self-familiarity on a question is answered: the threshold of arXiv 2309.02654.

It is the midpoint of the 95% interval of the 5th percentile of the familiarities of common
concepts, which a model may be taken to know; the interval is the bootstrap's of scipy, bias
corrected and accelerated.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from analysis.statistics.clustered import Array

PERCENTILE = 5.0
RESAMPLES = 9999


def familiarity_threshold(common: Array, *, seed: int = 0, resamples: int = RESAMPLES) -> float:
    """Return the familiarity above which a question is answered.

    `common` (N,) are the familiarities of common concepts.  Where all resamples agree, as of equal
    values, it is the percentile itself.  Raises ValueError for fewer than two, or nan.
    """
    if common.size < 2 or np.isnan(common).any():
        raise ValueError(
            f"a threshold needs two familiarities of common concepts without nan, found {common!r}"
        )

    def percentile(values: Array, axis: int = -1) -> Any:
        """Return the 5th percentile along an axis."""
        return np.percentile(values, PERCENTILE, axis=axis)

    with warnings.catch_warnings():
        # Of values that all resamples share, the interval is nan, with a warning.
        warnings.simplefilter("ignore")
        ends = bootstrap(
            (common,),
            percentile,
            n_resamples=resamples,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    middle = (ends.low + ends.high) / 2
    return float(percentile(common) if np.isnan(middle) else middle)
