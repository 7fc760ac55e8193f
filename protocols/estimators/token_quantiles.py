"""Measure how sure a model is of a reply by its weakest tokens: Chow quantiles.

Gupta et al., Language model cascades: token-level uncertainty and beyond (arXiv 2404.10136).  The
sum of log probabilities falls with every token, so that it says how long a reply is; the mean hides
one token that is a guess.  A quantile does neither.  Sum and mean are the measures of a turn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.estimators.arrays import Array


def chow_quantiles(logprobs: Array, shares: Sequence[float]) -> Array:
    """Return (shares,) the quantiles of a reply's token log probabilities, in nats, at most 0.

    `logprobs` is (n,); of the shares, each in [0, 1], 0 gives the weakest token, 0.5 the median and
    1 the surest.  Between two tokens they are interpolated linearly, at place share (n - 1).  nan
    without tokens.  Raises ValueError for another share.
    """
    wanted = np.asarray(shares, dtype=np.float64)
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise ValueError(f"shares must lie in [0, 1], found {list(shares)}")
    if not logprobs.size:
        return np.full(wanted.shape, np.nan)
    result: Array = np.quantile(logprobs, wanted, method="linear")
    return result
