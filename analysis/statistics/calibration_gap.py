"""Compare how well two confidences in the same answers fit: the model's own, and a listener's.

The gaps of Steyvers et al. (arXiv 2401.13835): the calibration gap is the listener's ECE minus the
model's, the discrimination gap the model's AUROC minus the listener's.  Another number goes by the
first name too, the mean difference of the confidences; all are here, each under its own name, with
percentile intervals over questions that resample both confidences together.  Left out: a correction
of the bias of ECE, which is alike in both and mostly cancels in the gap.

Arrays are (N,): confidences in [0, 1], `correct` 0 or 1, `question` codes of what is resampled
together.  Undefined results are nan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.bootstrap import Interval, intervals, ratio_intervals, value_weights
from analysis.statistics.calibration import bin_of, check_ratings
from analysis.statistics.clustered import Array, Codes, divide, sums_by_code

# A stated 0 or 1 has no logit.
CLIP = 0.005
BINS = 10


@dataclass(frozen=True, slots=True)
class CalibrationGap:
    """The fit of two confidences in `n` answers to `questions` questions.

    `ece_gap` is listener minus model, `auroc_gap` model minus listener, `difference` the mean of
    listener minus model, and `overconfidence` the listener's mean minus the share right.
    """

    n: int
    questions: int
    accuracy: float
    model: float
    listener: float
    ece_model: float
    ece_listener: float
    ece_gap: Interval
    auroc_model: float
    auroc_listener: float
    auroc_gap: Interval
    difference: Interval
    overconfidence: Interval


def calibration_gap(
    model: Array, listener: Array, correct: Array, question: Codes, *, resamples: int = 2000
) -> CalibrationGap:
    """Return both gaps, with paired intervals over questions.  ECE: 10 bins, closed on the right.

    Raises ValueError for other shapes or values, as `ece` does.
    """
    check_ratings(model, correct)
    check_ratings(listener, correct)
    if question.shape != model.shape or model.ndim != 1:
        raise ValueError(f"all must be (N,), found {model.shape} and {question.shape}")
    _, code = np.unique(question, return_inverse=True)
    size = int(code.max(initial=-1)) + 1
    fits = np.concatenate(
        [
            fit_of(weight, model, listener, correct)
            for weight in value_weights(code, size, resamples)
        ]
    )
    ece_gap, auroc_gap = fits[:, 1] - fits[:, 0], fits[:, 2] - fits[:, 3]
    gaps = np.stack((ece_gap, auroc_gap), axis=1)
    of_ece, of_auroc = intervals(gaps[0], gaps[1:])
    differences = np.stack((listener - model, listener - correct), axis=1)
    top = sums_by_code(differences, code, size)[0]
    count = np.repeat(np.bincount(code, minlength=size)[:, None], 2, axis=1).astype(np.float64)
    difference, over = ratio_intervals(top, count, resamples=resamples)
    accuracy, own, heard = (
        float(each.mean()) if each.size else np.nan for each in (correct, model, listener)
    )
    ece_model, ece_listener, auroc_model, auroc_listener = fits[0].tolist()
    return CalibrationGap(
        len(model),
        size,
        accuracy,
        own,
        heard,
        ece_model,
        ece_listener,
        of_ece,
        auroc_model,
        auroc_listener,
        of_auroc,
        difference,
        over,
    )


def fit_of(weight: Array, model: Array, listener: Array, correct: Array) -> Array:
    """Return (draws, 4) both ECEs and both AUROCs, the model's first."""
    pairs = [measure(weight, each, correct) for measure in FITS for each in (model, listener)]
    return np.stack(pairs, axis=1)


def weighted_ece(weight: Array, confidence: Array, correct: Array) -> Array:
    """Return (draws,) the ECE of values that count `weight` (draws, N) times each."""
    place = bin_of(confidence, bins=BINS)
    excess = np.zeros((len(confidence), BINS))
    excess[np.arange(len(confidence)), place] = confidence - correct
    return divide(np.abs(weight @ excess).sum(axis=1), weight.sum(axis=1))


def weighted_auroc(weight: Array, confidence: Array, correct: Array) -> Array:
    """Return (draws,) the AUROC of values that count `weight` (draws, N) times; ties a half."""
    order = np.argsort(confidence, kind="stable")
    ordered, right, weight = confidence[order], correct[order], weight[:, order]
    # The weight of wrong values below each place: of those smaller, and of those not larger.
    wrong = np.concatenate(
        (np.zeros((len(weight), 1)), np.cumsum(weight * (1 - right), axis=1)), axis=1
    )
    below, not_above = (np.searchsorted(ordered, ordered, side) for side in ("left", "right"))
    placed = weight * right * (wrong[:, below] + wrong[:, not_above]) / 2
    return divide(placed.sum(axis=1), (weight * right).sum(axis=1) * wrong[:, -1])


FITS = (weighted_ece, weighted_auroc)


def length_slope(
    confidence: Array, length: Array, question: Codes, *, resamples: int = 2000
) -> Interval:
    """Return by how much the logit of a confidence rises with the logarithm of a length.

    Within questions: what a question has in common, such as the answer and the model's own
    confidence, is taken out.  Confidences are cut to [.005, .995].  nan if no question has
    different lengths.
    """
    stated = np.clip(confidence, CLIP, 1 - CLIP)
    values = np.stack((np.log(stated / (1 - stated)), np.log(length)), axis=1)
    _, code = np.unique(question, return_inverse=True)
    size = int(code.max(initial=-1)) + 1
    sums, counts = sums_by_code(values, code, size)
    level, size_of = (values - divide(sums, counts)[code]).T
    products = np.stack((level * size_of, size_of * size_of), axis=1)
    top, bottom = np.hsplit(sums_by_code(products, code, size)[0], 2)
    [slope] = ratio_intervals(top, bottom, resamples=resamples)
    return slope
