"""Estimate intervals of shares: of a count, of clusters, and of the difference of two paired ones.

Near 0 and 1 the interval "share plus or minus error" leaves the possible range or has no width;
those of Clopper and Pearson (1934) and of Wilson (1927) do neither.  The former covers at least as
often as it says; the latter is shorter, and with 18 questions of which 97% are right covers 90%.
Answers to one question are not independent: a share of n plays is then as sure as one of

    n_eff = share (1 - share) / variance of the share with questions as clusters

independent plays, and the exact interval is taken with that number (Korn and Graubard, 1998).  The
difference is that of Newcombe (1998), method 10, for paired shares, made of Wilson's intervals.
Left out: intervals that are centred on the share.

Counts are (clusters, K): of each cluster, for K shares at once.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import NO_SPREAD, Array, divide

Z95 = 1.959963984540054


def wilson(count: float, of: float) -> tuple[float, float]:
    """Return (low, high), Wilson's 95% interval for the share `count` out of `of` (above 0).

    The numbers may be effective ones, and need not be whole.
    """
    share = count / of
    spread = Z95**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    # Exactly 0 and 1 at the ends, which rounding would miss.
    return (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)


def clopper_pearson(count: float, of: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return (low, high), the exact interval of `level` for the share `count` out of `of`.

    It covers at least as often as it says, whatever the share.  The numbers may be effective ones,
    and need not be whole.
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(count, of - count + 1, tail)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return low, high


def jeffreys(count: float, of: float) -> tuple[float, float]:
    """Return (low, high), the 95% interval of Jeffreys' prior for the share `count` out of `of`.

    It covers 95% on average over shares, where the exact one covers more (Brown, Cai and DasGupta,
    2001).  The numbers may be effective ones, and need not be whole.
    """
    from scipy.special import betaincinv

    low = float(betaincinv(count + 0.5, of - count + 0.5, 0.025)) if count > 0 else 0.0
    high = float(betaincinv(count + 0.5, of - count + 0.5, 0.975)) if count < of else 1.0
    return low, high


def share_intervals(top: Array, bottom: Array, most: Array | None = None) -> list[Interval]:
    """Return K shares of clustered counts, each with its 95% interval; nan without any count.

    `top` and `bottom` are (clusters, K), what was right of how many plays; `top` may be a sum of
    shares, each of a play.  `most` (K,) is how many independent answers there can be at most, by
    default the sum of `bottom`.
    """
    shares = divide(top.sum(axis=0), bottom.sum(axis=0))
    sizes = effective_sizes(top, bottom, most)
    return [
        share_interval(share, size)
        for share, size in zip(shares.tolist(), sizes.tolist(), strict=True)
    ]


def share_interval(share: float, size: float) -> Interval:
    """Return a share of `size` answers, effective ones or counted, with its 95% interval."""
    if not size > 0:
        return Interval(share, np.nan, np.nan)
    # A count of all is all, which a product of floats may miss.
    return Interval(share, *clopper_pearson(size if share == 1 else share * size, size))


def effective_sizes(top: Array, bottom: Array, most: Array | None = None) -> Array:
    """Return (K,) how many independent answers tell as much as the counts of `share_intervals`.

    With one answer a cluster it is the number of answers.
    """
    n = bottom.sum(axis=0)
    most = n if most is None else most
    clusters = (bottom > 0).sum(axis=0)
    variance = np.square(share_errors(top, bottom)).sum(axis=0)
    variance *= divide(clusters, clusters - 1)
    shares = divide(top.sum(axis=0), n)
    found = divide(shares * (1 - shares), variance, above=NO_SPREAD**2)
    # Answers of one cluster that always agree count as one: there cannot be fewer than clusters,
    # of the size that they have (Kish).  Where all are right, or none is, this is all that is
    # known; clusters that are all alike in between have answers that differ as independent ones.
    least = divide(np.square(n), np.square(bottom).sum(axis=0))
    unknown = np.where(shares * (1 - shares) > NO_SPREAD, np.inf, least)
    sizes: Array = np.clip(np.where(np.isnan(found), unknown, found), least, np.fmax(most, least))
    return np.where(n > 0, sizes, np.nan)


def share_errors(top: Array, bottom: Array) -> Array:
    """Return (clusters, K) what each cluster adds to the error of each share; columns sum to 0."""
    n = bottom.sum(axis=0)
    shares = divide(top.sum(axis=0), n)
    errors: Array = (top - shares * bottom) / np.where(n > 0, n, np.nan)
    return errors


def difference_intervals(
    top: Array, bottom: Array, other_top: Array, other_bottom: Array
) -> list[Interval]:
    """Return K differences of shares of the same clusters, the first minus the other.

    All are (clusters, K), as in `share_intervals`.  The 95% intervals lie in [-1, 1]; nan without
    counts on either side.
    """
    first, second = wilson_intervals(top, bottom), wilson_intervals(other_top, other_bottom)
    errors, other_errors = share_errors(top, bottom), share_errors(other_top, other_bottom)
    clusters = len(top)
    covariance = clusters * (errors * other_errors).sum(axis=0)
    spread, other_spread = (
        clusters * np.square(each).sum(axis=0) for each in (errors, other_errors)
    )
    # Newcombe's correction for continuity, of positive correlations alone.
    corrected = np.where(
        covariance > 0, np.maximum(covariance - 0.5 / max(clusters, 1), 0), covariance
    )
    phi = np.nan_to_num(divide(corrected, np.sqrt(spread * other_spread)))
    return [
        newcombe(one, other, correlation)
        for one, other, correlation in zip(first, second, phi.tolist(), strict=True)
    ]


def wilson_intervals(top: Array, bottom: Array) -> list[Interval]:
    """Return K shares as in `share_intervals`, each with Wilson's interval."""
    shares = divide(top.sum(axis=0), bottom.sum(axis=0)).tolist()
    sizes = effective_sizes(top, bottom).tolist()
    return [
        Interval(share, *(wilson(share * size, size) if size > 0 else (np.nan, np.nan)))
        for share, size in zip(shares, sizes, strict=True)
    ]


def newcombe(first: Interval, second: Interval, correlation: float = 0.0) -> Interval:
    """Return the difference of two shares, the first minus the second, with its interval.

    `correlation` is that of the two in [-1, 1], 0 if they are independent.
    """
    down, up = first.mean - first.ci_low, first.ci_high - first.mean
    other_down, other_up = second.mean - second.ci_low, second.ci_high - second.mean
    low = down**2 - 2 * correlation * down * other_up + other_up**2
    high = up**2 - 2 * correlation * up * other_down + other_down**2
    difference = first.mean - second.mean
    # A correlation of 1 leaves a square of 0, which rounding may take below.
    return Interval(difference, difference - sqrt(max(low, 0.0)), difference + sqrt(max(high, 0.0)))
