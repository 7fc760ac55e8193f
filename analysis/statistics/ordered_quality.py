"""Measure how well an order of replies, the surest first, separates right from wrong ones.

The same numbers as `average_precision`, `selective_accuracy` (calibration.py) and `aurc_x1000`
(selective_risk.py), of estimators in any unit and under many weights of questions at once; and PRR,
the prediction rejection ratio (Malinin and Gales, arXiv 2002.07650, as lm-polygraph has it): what
selective accuracy gains on a random order, as a share of what the best order would gain.

Equal values count with their expectation over random orders in selective accuracy, AURC (mean form)
and PRR; they enter together in average precision and in AURC by trapezoids, as those are published.
Arguments are as in reply_order.py; weights are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.clustered import Array, Codes, divide
from analysis.statistics.reply_order import counts_by_value


@dataclass(frozen=True, slots=True)
class OrderedQuality:
    """Numbers of each draw, (B,); nan where they are undefined.

    `auprc_right` and `auprc_wrong`: average precision of finding right replies by high values, and
    wrong ones by low values, in [0, 1]; a random order gives the share of them.  `selective`: the
    mean share right of the k surest; `aurc` is 1 - `selective`, the mean of the risks.
    `aurc_x1000`: the area under risk and coverage by trapezoids, in thousandths.  `prr`: 1 for the
    best order, 0 for a random one, below 0 for worse.
    """

    auprc_right: Array
    auprc_wrong: Array
    selective: Array
    aurc: Array
    aurc_x1000: Array
    prr: Array


def ordered_quality(values: Array, right: Array, question: Codes, weights: Array) -> OrderedQuality:
    """Return all numbers of an order under each of the weights (B, Q) of questions."""
    rights, everything = counts_by_value(values, right, question, weights)
    if not values.size:
        nothing = np.full(len(weights), np.nan)
        return OrderedQuality(*[nothing] * 6)
    passed = np.cumsum(everything, axis=1)
    passed_right = np.cumsum(rights, axis=1)
    wrongs = everything - rights
    left = passed[:, -1:] - passed + everything
    left_wrong = passed[:, -1:] - passed_right[:, -1:] - (passed - passed_right) + wrongs
    selective = divide(selective_sum(rights, everything, passed, passed_right), passed[:, -1])
    return OrderedQuality(
        step_area(rights, passed_right, passed),
        step_area(wrongs, left_wrong, left),
        selective,
        1 - selective,
        risk_area(everything, passed, passed_right),
        rejection_ratio(selective, passed_right[:, -1], passed[:, -1]),
    )


def step_area(hits: Array, found: Array, passed: Array) -> Array:
    """Return (B,) average precision: hits (B, U) weighted by found / passed, over all hits."""
    precision = np.divide(found, passed, out=np.zeros_like(found), where=passed > 0)
    return divide(np.einsum("bu,bu->b", hits, precision), hits.sum(axis=1))


def selective_sum(rights: Array, everything: Array, passed: Array, passed_right: Array) -> Array:
    """Return (B,) the sum over k of the expected share right of the k surest.

    With R right of S before a tie of s replies, r of them right, place j of it has the share
    (R + r j / s) / (S + j), whose sum over j is r + (R - r S / s) (H(S + s) - H(S)) with the
    harmonic numbers H.
    """
    harmonic = harmonic_numbers(int(passed.max(initial=0)))
    before = passed - everything
    rise = harmonic[passed.astype(np.int64)] - harmonic[before.astype(np.int64)]
    share = np.divide(rights, everything, out=np.zeros_like(rights), where=everything > 0)
    bend = passed_right - rights - share * before
    total: Array = rights.sum(axis=1) + np.einsum("bu,bu->b", bend, rise)
    return total


def rejection_ratio(selective: Array, right: Array, replies: Array) -> Array:
    """Return (B,) the prediction rejection ratio; nan where all are right, or all wrong."""
    harmonic = harmonic_numbers(int(replies.max(initial=0)))
    # The best order has all right replies first; then its share falls as right / k.
    ends = (harmonic[each.astype(np.int64)] for each in (replies, right))
    best = divide(right * (1 + np.subtract(*ends)), replies)
    random = divide(right, replies)
    return divide(selective - random, best - random)


def risk_area(everything: Array, passed: Array, passed_right: Array) -> Array:
    """Return (B,) the area under risk and coverage by trapezoids, in thousandths.

    Below the coverage of the surest the risk stays theirs.
    """
    share = np.divide(passed_right, passed, out=np.full_like(passed, np.nan), where=passed > 0)
    # A value that no draw has repeats the risk before it; before the first, the first.
    risk = 1 - fill_forward(share, passed)
    earlier = np.concatenate((risk[:, :1], risk[:, :-1]), axis=1)
    area = np.einsum("bu,bu->b", everything, risk + earlier) / 2
    return 1000 * divide(area, passed[:, -1])


def fill_forward(share: Array, passed: Array) -> Array:
    """Return shares whose leading nan, of nothing passed, take the first share of their row."""
    first = np.argmax(passed > 0, axis=1)
    filled: Array = np.where(passed > 0, share, share[np.arange(len(share)), first][:, None])
    return filled


def harmonic_numbers(upto: int) -> Array:
    """Return (upto + 1,) the sums 1 + 1/2 + ... + 1/k, for k from 0."""
    return np.concatenate(([0.0], np.cumsum(1 / np.arange(1, upto + 1))))
