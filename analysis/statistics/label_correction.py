"""Correct shares that a judge gives, by items that people have labelled too.

A judge (or a jury, or a grader) says of N items whether they hold, f in [0, 1], and people of n of
these, y in [0, 1]; a tie is a half.  Two estimates of the share that people would give to all:

- Prediction-powered (PPI++; Angelopoulos, Duchi and Zrnic, arXiv 2311.01453), which needs that the
  labelled items are a random sample.  With q the judge's share over all items, and a and b the mean
  labels where it says yes and no, weighted by f and 1 - f,

      theta = q a + (1 - q) b

  which for f of 0 and 1 is the mean judgement plus the mean error on labelled items at the best
  weight of the judge, lambda = a - b: a judge that errs much gets little weight.  Interval: those
  of a and b (Jeffreys) and of q, combined as variances (MOVER; Zou and Donner, 2008).
- Rogan and Gladen (1978), which needs that the judge errs as often on the items in question as on
  the labelled ones of the same truth, whichever were labelled, and that no label is a tie: two
  error rates do not say what a judge makes of a third class.  With sensitivity and specificity,

      theta = (q + specificity - 1) / (sensitivity + specificity - 1)

  Interval: Fieller's, of that ratio, with half an item added to each kind of right and wrong, and
  with the part of the items that are labelled counted once.  That of Lang and Reiczigel (2014)
  takes both samples for separate ones, and covers 97 to 100% where labelled items are among the
  judged ones, as they always are here; experiments/benchmarks/labels.py has the figures.

Both speak of further items of this kind.  Items of one cluster, such as the debates of a pair on a
motion, depend on each other: counts are divided by the design effect, and Fieller's variances are
sums over clusters.  Left out: several classes, and weights of items.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, Codes, Mask, sums_by_code
from analysis.statistics.shares import Z95, jeffreys

# With fewer labels an interval would promise what nobody knows.
LEAST_LABELS = 10
LEAST_OF_CLASS = 5
# Added to right and to wrong, so that a judge that never erred on few items may still err.
ADDED = 0.5
NOTHING = Interval(nan, nan, nan)


@dataclass(frozen=True, slots=True)
class Correction:
    """A corrected share in [0, 1] with its 95% interval; `reason` says why a number is missing.

    `weight` is the weight of the judge in the prediction-powered share, or Youden's J, sensitivity
    plus specificity minus 1, of Rogan and Gladen's.
    """

    share: Interval
    weight: float
    reason: str = ""


def prediction_powered(judged: Array, label: Array, cluster: Codes) -> Correction:
    """Return the share that people would give to all items.

    All are (N,): `judged` in [0, 1], `label` in [0, 1] or nan where nobody labelled the item, and
    `cluster` codes from 0.
    """
    there = ~np.isnan(label)
    if there.sum() < LEAST_LABELS:
        return Correction(NOTHING, nan, f"fewer than {LEAST_LABELS} labels")
    weights = np.array([judged, 1 - judged])
    all_shares = weights.mean(axis=1)
    of_class = weights[:, there].sum(axis=1)
    if ((of_class == 0) & (all_shares > 0)).any():
        return Correction(NOTHING, nan, "no label where the judge says one of both")
    truth = np.where(there, label, 0.0)
    # What a class never holds counts for nothing; a mean of 0 stands for it.
    means = weights @ truth / np.where(of_class > 0, of_class, 1.0)
    share = float(all_shares @ means)
    slope = float(means[0] - means[1])
    scale = np.where(of_class > 0, all_shares / np.where(of_class > 0, of_class, 1.0), 0.0)
    influence = slope * (judged - all_shares[0]) / len(judged)
    residuals = scale[:, None] * weights * (truth - means[:, None])
    influence = influence + np.where(there, residuals.sum(axis=0), 0.0)
    effect = design_effect(influence, cluster, there)
    down = up = effect * (Z95 * slope / len(judged)) ** 2 * np.square(judged - all_shares[0]).sum()
    for part, mean, size in zip(all_shares, means, of_class / effect, strict=True):
        if size > 0:
            low, high = jeffreys(min(mean * size, size), size)
            down += (part * (mean - low)) ** 2
            up += (part * (high - mean)) ** 2
    ends = max(share - sqrt(down), 0.0), min(share + sqrt(up), 1.0)
    return Correction(Interval(share, *ends), slope)


def design_effect(influence: Array, cluster: Codes, labelled: Mask) -> float:
    """Return how much wider clusters make the variance of an estimate, at least 1.

    `influence` (N,) is what each item adds to its error.  Few clusters with labels make it larger,
    as Student's t with so many has it (Korn and Graubard, 1998).
    """
    from scipy.special import stdtrit

    sums, _ = sums_by_code(influence[:, None], cluster, int(cluster.max()) + 1)
    alone = float(influence @ influence)
    found = float(np.square(sums).sum()) / alone if alone > 0 else 1.0
    clusters = np.unique(cluster[labelled]).size
    if clusters == labelled.sum() and found <= 1:
        return 1.0
    if clusters < 2:
        return max(found, 1.0) * float(labelled.sum())
    few = clusters / (clusters - 1) * (float(stdtrit(clusters - 1, 0.975)) / Z95) ** 2
    return max(found * few, 1.0)


def rogan_gladen(
    judged: Array,
    label: Array,
    cluster: Codes,
    *,
    member: Mask | None = None,
    turned: Mask | None = None,
) -> Correction:
    """Return the share that people would give to some items, by the judge's errors on all labels.

    Arguments (N,) as for `prediction_powered`.  `member` are the items in question, by default all.
    Of items that are `turned`, the share counts the other answer: debates in which a contestant is
    the opposition, where `judged` is 1 for the proposition.
    """
    there = ~np.isnan(label)
    member = np.ones(judged.shape, dtype=bool) if member is None else member
    turned = np.zeros(judged.shape, dtype=bool) if turned is None else turned
    yes, no = (label == 1).astype(np.float64), (label == 0).astype(np.float64)
    if yes.sum() + no.sum() < there.sum():
        return Correction(NOTHING, nan, "people call some a tie: two error rates do not tell these")
    if min(yes.sum(), no.sum()) < LEAST_OF_CLASS:
        return Correction(NOTHING, nan, f"fewer than {LEAST_OF_CLASS} labels of one kind")
    right = float(yes @ judged), float(no @ (1 - judged))
    youden = right[0] / float(yes.sum()) + right[1] / float(no.sum()) - 1
    if not youden > 0:
        return Correction(NOTHING, youden, "the judge is no better than chance on labelled items")
    straight = 1 - float(turned[member].mean())
    counted = np.where(turned, 1 - judged, judged)
    mean = float(counted[member].mean())
    raw = mean + straight * (right[1] / no.sum() - 1) + (1 - straight) * (right[0] / yes.sum() - 1)
    share = min(max(float(raw) / youden, 0.0), 1.0)
    # The error of top - theta * bottom, item by item; theta is the ratio.
    sizes = yes.sum() + 2 * ADDED, no.sum() + 2 * ADDED
    rates = [(found + ADDED) / size for found, size in zip(right, sizes, strict=True)]
    errors = (
        yes * (judged - rates[0]) / sizes[0],
        no * (1 - judged - rates[1]) / sizes[1],
    )
    top_error = np.where(member, (counted - mean) / member.sum(), 0.0)
    top_error = top_error + (1 - straight) * errors[0] + straight * errors[1]
    added = [
        ADDED * (rate**2 + (1 - rate) ** 2) / size**2
        for rate, size in zip(rates, sizes, strict=True)
    ]
    variances = cluster_variances(top_error, errors[0] + errors[1], cluster, share)
    variances += np.array(
        [
            (1 - straight) ** 2 * added[0] + straight**2 * added[1],
            (1 - straight) * added[0] + straight * added[1],
            added[0] + added[1],
        ]
    )
    top = mean + straight * (rates[1] - 1) + (1 - straight) * (rates[0] - 1)
    ends = fieller(top, rates[0] + rates[1] - 1, variances)
    if ends is None:
        reason = "too few labels to tell the judge from chance"
        return Correction(Interval(share, 0.0, 1.0), youden, reason)
    if ends[1] <= 0 or ends[0] >= 1:
        reason = (
            "no share gives such verdicts: the judge errs otherwise here than on labelled items"
        )
        return Correction(NOTHING, youden, reason)
    low, high = (min(max(end, 0.0), 1.0) for end in ends)
    found = Interval(share, min(low, share), max(high, share))
    # Cut off, the interval looks surer than it is.
    cut = "" if 0 <= raw / youden <= 1 else "cut at 0 or 100%; the judge may err otherwise here"
    return Correction(found, youden, cut)


def cluster_variances(top: Array, bottom: Array, cluster: Codes, share: float) -> Array:
    """Return the variance of the top of a ratio, the covariance of both, and the bottom's.

    `top` and `bottom` (N,) are what each item adds to their errors; items of one cluster add up,
    unless they then seem to tell more than apart, which few clusters do by chance.
    """
    clusters = int(cluster.max()) + 1
    first, second = sums_by_code(np.column_stack((top, bottom)), cluster, clusters)[0].T
    together = float(np.square(first - share * second).sum())
    if together < float(np.square(top - share * bottom).sum()):
        first, second = top, bottom
    few = clusters / (clusters - 1) if clusters > 1 else 1.0
    result: Array = few * np.array([first @ first, first @ second, second @ second])
    return result


def fieller(top: float, bottom: float, variances: Array) -> tuple[float, float] | None:
    """Return Fieller's 95% interval of top / bottom; None if it has no ends."""
    square = bottom**2 - Z95**2 * variances[2]
    half = top * bottom - Z95**2 * variances[1]
    rest = half**2 - square * (top**2 - Z95**2 * variances[0])
    if square <= 0 or rest < 0:
        return None
    return float((half - sqrt(rest)) / square), float((half + sqrt(rest)) / square)
