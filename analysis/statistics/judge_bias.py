"""What judges favour besides the better side: a side, the side they read first, the longer speeches, their own family, the surer debater.

Plain shares say how often; `effects` says how much, in logits, with the contestants' strengths held fixed: one logistic regression over all
readings, in which all judges share the strengths and each has effects of its own.  Intervals are cluster-robust (clusters.py).  Self-
preference is the DBG score of "Beyond the Surface: Measuring Self-Preference in LLM Judgments" (arXiv 2506.02592): what a judge gives to
its own family minus what a panel of others gives to it.  Different: the panel's share of votes stands in for its majority, since a
majority is surer than any judge, so that a fair judge would seem to dislike its own; and votes stand in for token probabilities.

Winners are 1 for the proposition, 0 for the opposition, 0.5 for an abstention, nan where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from analysis.statistics.aggregation import Codes
from analysis.statistics.clustered import Array, MeanEstimate, clustered_mean, student_interval
from analysis.statistics.ranking import LONGEST_STEP, MAX_STEPS, PRIOR_SD

EFFECTS = ("side", "first", "length", "family")


@dataclass(frozen=True, slots=True)
class Effects:
    """Logits with 95% intervals, all (judges, 4) in the order of EFFECTS; nan where the readings do not tell.

    `side`: for the proposition.  `first`: for whoever is read first (nan where a judge read one order only; then `side` holds both).
    `length`: per unit of log(words of one side / words of the other).  `family`: for a contestant of its own family, against the panel.
    """

    size: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Readings:
    """N readings with a winner, as `effects` takes them; all (N,) but `own`.

    `first_read` is 1 where the proposition was read first, -1 where the opposition was; `log_length` is log(words of the proposition /
    words of the opposition); `own` (judges, agents) says whom a judge shares a family with; `cluster` any whole numbers.
    """

    proposition: Codes
    opposition: Codes
    judge: Codes
    winner: Array
    first_read: Array
    log_length: Array
    own: NDArray[np.bool_]
    cluster: Codes


def by_cluster(values: Array, cluster: Codes) -> Array:
    """The values (N,) as (clusters, members), filled up with nan, as clusters.py takes them."""
    if not len(values):
        return np.empty((0, 1))
    order = np.argsort(cluster, kind="stable")
    _, size = np.unique(cluster, return_counts=True)
    result = np.full((len(size), int(size.max())), nan)
    result[np.arange(result.shape[1]) < size[:, None]] = values[order]
    return result


def clustered_share(values: Array, cluster: Codes) -> MeanEstimate:
    """The mean of values (N,), nan left out, with its interval over clusters; tested against one half."""
    return clustered_mean(by_cluster(values, cluster), against=0.5)


def longer_won(winner: Array, words: Array) -> Array:
    """1 where the side with more words won, 0 where it lost, 0.5 for a tie, nan where both are as long; `words` is (N, 2) by side."""
    return won_by_more(winner, words)


def surer_won(winner: Array, confidence: Array) -> Array:
    """1 where the side that was surer of winning won, 0 where it lost, 0.5 for a tie, nan where equal or missing; confidence (N, 2)."""
    return won_by_more(winner, confidence)


def won_by_more(winner: Array, amount: Array) -> Array:
    """What the side with the larger amount won, (N,)."""
    lead = amount[:, 0] - amount[:, 1]
    return np.where(lead > 0, winner, np.where(lead < 0, 1 - winner, nan))


def self_preference(
    winner: Array, debate: Codes, judge: Codes, own: NDArray[np.bool_], cluster: Codes
) -> list[MeanEstimate]:
    """The DBG score of each judge: share of wins of its own family by its own votes minus that by the panel's, in [-1, 1].

    Of V votes, `winner`, `debate` (0 to G - 1) and `judge` are (V,); `own` (judges, G, 2) says which side shares a judge's family, and
    `cluster` (G,) which debates belong together.  Only debates with exactly one side of the family count, and the panel are the judges
    who share a family with neither side.  Undefined (nan) without such debates or such a panel.
    """
    judges, debates = own.shape[:2]
    there = ~np.isnan(winner)
    flat = judge[there] * debates + debate[there]
    size = np.bincount(flat, minlength=judges * debates).reshape(judges, debates)
    total = np.bincount(flat, winner[there], judges * debates).reshape(judges, debates)
    outside = ~own.any(axis=2)
    panel_size, panel_total = (size * outside).sum(axis=0), (total * outside).sum(axis=0)
    found = []
    for number in range(judges):
        one = own[number, :, 0] != own[number, :, 1]
        both = one & (size[number] > 0) & (panel_size > 0)
        lead = total[number, both] / size[number, both] - panel_total[both] / panel_size[both]
        found.append(
            clustered_mean(by_cluster(np.where(own[number, both, 0], lead, -lead), cluster[both]))
        )
    return found


def effects(readings: Readings) -> Effects:
    """The effects of each judge, and their intervals by Student's t over clusters.

    A weak prior (sd 5 logits) keeps the effects of a judge finite that always votes one way.
    """
    judges, agents = readings.own.shape
    design = design_matrix(readings)
    at = fit_coefficients(design, readings.winner, agents)
    chance = 1 / (1 + np.exp(-design @ at))
    bend = design.T @ (design * (chance * (1 - chance))[:, None])
    told = identifiable_mask(bend)[agents:].reshape(judges, len(EFFECTS))
    inverse = np.linalg.inv(bend + prior_information(len(at), agents))
    names, row = np.unique(readings.cluster, return_inverse=True)
    clusters = len(names)
    of_cluster = sparse.csr_array(
        (readings.winner - chance, (row.ravel(), np.arange(len(design)))),
        shape=(clusters, len(design)),
    )
    influence = of_cluster @ design
    spread = influence.T @ influence * (clusters / max(clusters - 1, 1))
    error = np.sqrt(np.maximum(np.diag(inverse @ spread @ inverse), 0))[agents:].reshape(
        judges, len(EFFECTS)
    )
    size = at[agents:].reshape(judges, len(EFFECTS))
    limits = np.array(
        [
            student_interval(float(s), float(e), clusters)
            for s, e in zip(size.ravel(), error.ravel(), strict=True)
        ]
    )
    low, high = limits.T.reshape(2, judges, len(EFFECTS))
    return Effects(*(np.where(told, value, nan) for value in (size, low, high)))


def design_matrix(readings: Readings) -> Array:
    """(N, agents + judges x 4): strengths as +1 and -1, then each judge's effects, 0 for the readings of others."""
    judges, agents = readings.own.shape
    rows = np.arange(len(readings.judge))
    design = np.zeros((len(rows), agents + judges * len(EFFECTS)))
    design[rows, readings.proposition] = 1
    design[rows, readings.opposition] = -1
    family = (
        readings.own[readings.judge, readings.proposition].astype(float)
        - readings.own[readings.judge, readings.opposition]
    )
    column = agents + readings.judge * len(EFFECTS)
    for number, values in enumerate(
        (np.ones(len(rows)), readings.first_read, readings.log_length, family)
    ):
        design[rows, column + number] = values
    for judge in range(judges):
        mine = readings.judge == judge
        # In one order only, "first" is the same as "side".
        if len(np.unique(readings.first_read[mine])) < 2:
            design[mine, agents + judge * len(EFFECTS) + 1] = 0
    return design


def prior_information(size: int, agents: int) -> Array:
    """What is added to the information: the prior, and ones that fix the mean of the strengths at 0."""
    result = np.eye(size) * PRIOR_SD**-2
    result[:agents, :agents] += 1
    return result


def fit_coefficients(design: Array, winner: Array, agents: int) -> Array:
    """The coefficients, by Newton's method."""
    at = np.zeros(design.shape[1])
    base = prior_information(len(at), agents)
    for _ in range(MAX_STEPS):
        chance = 1 / (1 + np.exp(-design @ at))
        bend = design.T @ (design * (chance * (1 - chance))[:, None])
        step = np.linalg.solve(bend + base, design.T @ (winner - chance) - base @ at)
        longest = float(np.abs(step).max(initial=0.0))
        at = at + step * min(1.0, LONGEST_STEP / max(longest, 1e-300))
        if longest < 1e-9:
            break
    return at


def identifiable_mask(bend: Array) -> NDArray[np.bool_]:
    """Which coefficients the readings tell apart from the others: those without a part in any direction in which nothing changes."""
    values, vectors = np.linalg.eigh(bend)
    silent = values < 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
    result: NDArray[np.bool_] = np.abs(vectors[:, silent]).max(axis=1, initial=0.0) < 1e-5
    return result
