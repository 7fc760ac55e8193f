"""Measure the preferences of judges for anything but the better side.

A judge may favour a side, the side that it reads first, the longer speeches, its own family of
models, or the surer debater.  Plain shares say how often; `effects` says how much, in logits, with
the contestants' strengths held fixed: one logistic regression over all readings, in which all
judges share the strengths and each has effects of its own.  Intervals are cluster-robust
(clustered.py).  Self-preference follows "Beyond the Surface: Measuring Self-Preference in LLM
Judgments" (arXiv 2506.02592): how often a judge votes for its own family minus how often a panel of
others does.  The paper's DBG score takes the panel's majority.  A majority is surer than any judge,
so that a fair judge seems to dislike its own; with the panel's share of votes it does not.  Both
are here, each by its name.  Different from the paper: votes stand in for token probabilities.

Winners are 1 for the proposition, 0 for the opposition, 0.5 for an abstention, nan for no winner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from analysis.statistics.clustered import (
    CHANGE,
    Array,
    Codes,
    Mask,
    MeanEstimate,
    clustered_mean,
    divide,
    student_interval,
)
from analysis.statistics.shares import share_intervals

EFFECTS = ("side", "first", "length", "family")
LONGEST_STEP = 2.0
MAX_STEPS = 100
# Weak enough to move nothing that the readings say, strong enough to keep the effects of a judge
# finite that always votes one way.
PRIOR_SD = 5.0
# The least share of the variance of independent readings that an effect is given: where a judge
# always votes one way, no cluster differs from another, which is no certainty.
LEAST_VARIANCE = 0.5


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects in logits with 95% intervals, all (judges, 4) in the order of EFFECTS.

    nan for effects that the readings cannot tell.  `side`: for the proposition.  `first`: for
    whoever is read first (nan if a judge read one order only; then `side` holds both).  `length`:
    per unit of log(words of one side / words of the other).  `family`: for a contestant of its own
    family, against the panel.
    """

    size: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Readings:
    """N readings with a winner, as `effects` takes them; all fields are (N,) but `own`.

    `first_read` is 1 if the proposition was read first, -1 if the opposition was; `log_length` is
    log(words of the proposition / words of the opposition); `own` (judges, agents) says whether a
    judge shares a family with a contestant; `cluster` holds any whole numbers.
    """

    proposition: Codes
    opposition: Codes
    judge: Codes
    winner: Array
    first_read: Array
    log_length: Array
    own: Mask
    cluster: Codes


def by_cluster(values: Array, cluster: Codes) -> Array:
    """Return the values (N,) as (clusters, members), filled up with nan, for clustered.py."""
    if not len(values):
        return np.empty((0, 1))
    # A stable sort keeps the members of a cluster in their order.
    order = np.argsort(cluster, kind="stable")
    _, size = np.unique(cluster, return_counts=True)
    result = np.full((len(size), int(size.max())), nan)
    result[np.arange(result.shape[1]) < size[:, None]] = values[order]
    return result


def clustered_share(values: Array, cluster: Codes) -> MeanEstimate:
    """Estimate the mean of values (N,) in [0, 1], with its interval over clusters, against a half.

    The interval is exact for as many values as the share is worth (shares.py), and lies in [0, 1].
    nan is left out.
    """
    rows = by_cluster(values, cluster)
    estimate = clustered_mean(rows, against=0.5)
    there = ~np.isnan(rows)
    top, bottom = np.nansum(rows, axis=1), there.sum(axis=1).astype(np.float64)
    [found] = share_intervals(top[:, None], bottom[:, None])
    return replace(estimate, ci_low=found.ci_low, ci_high=found.ci_high)


def won_by_more(winner: Array, amount: Array) -> Array:
    """Return (N,) whether the side won that had more, as of words or of confidence.

    `amount` is (N, 2) by side.  1 if that side won, 0 if it lost, 0.5 for a tie, nan if both have
    the same amount or one is missing.
    """
    lead = amount[:, 0] - amount[:, 1]
    return np.where(lead > 0, winner, np.where(lead < 0, 1 - winner, nan))


def self_preference(
    winner: Array,
    debate: Codes,
    judge: Codes,
    own: Mask,
    cluster: Codes,
    *,
    by_majority: bool = False,
) -> list[MeanEstimate]:
    """Estimate how much each judge prefers its own family, in [-1, 1].

    It is the share of wins of the judge's own family by its own votes, minus that by the panel's:
    by the share of its votes, or with `by_majority` (the DBG score) by whom most of it vote for, a
    tie half a win, and by whom the judge does over its repeats.
    Of V votes, `winner`, `debate` (0 to G - 1) and `judge` are (V,); `own` (judges, G, 2) says
    which side shares a judge's family, and `cluster` (G,) which debates belong together.  Only
    debates with exactly one side of the family count, and the panel are the judges who share a
    family with neither side.  nan without such debates or such a panel.
    """
    outside: Mask = np.asarray(~own.any(axis=2))
    mine, panel = win_shares(winner, debate, judge, outside, by_majority=by_majority)
    estimates = []
    for number, shares in enumerate(mine):
        one_side = own[number, :, 0] != own[number, :, 1]
        both = one_side & ~np.isnan(shares) & ~np.isnan(panel)
        lead = shares[both] - panel[both]
        # A lead of the proposition is one against the family if that is the opposition.
        lead = np.where(own[number, both, 0], lead, -lead)
        estimates.append(clustered_mean(by_cluster(lead, cluster[both]), within=CHANGE))
    return estimates


def win_shares(
    winner: Array, debate: Codes, judge: Codes, outside: Mask, *, by_majority: bool = False
) -> tuple[Array, Array]:
    """Return what the proposition wins by each judge (judges, G), and by the panel (G,).

    It is the share of the votes, or with `by_majority` 1, 0 or 0.5 by whom most are for; nan
    without votes.  The votes are as in `self_preference`; `outside` (judges, G) says who is of the
    panel in which debate.
    """
    judges, debates = outside.shape
    there = ~np.isnan(winner)
    # Votes and wins of the proposition, both (judges, G).
    flat = judge[there] * debates + debate[there]
    size = np.bincount(flat, minlength=judges * debates).reshape(judges, debates)
    total = np.bincount(flat, winner[there], judges * debates).reshape(judges, debates)
    if by_majority:
        # One judge, one vote: a half where its votes are even.
        total = np.where(size > 0, side_of(total, size), 0.0)
        size = np.minimum(size, 1)
    panel_size = (size * outside).sum(axis=0)
    panel_total = (total * outside).sum(axis=0)
    if by_majority:
        panel_total = side_of(panel_total, panel_size) * panel_size
    return divide(total, size), divide(panel_total, panel_size)


def side_of(total: NDArray[np.number], size: NDArray[np.number]) -> Array:
    """Return 1 where more than half of the votes are won, 0 where fewer are, 0.5 for a half."""
    result: Array = (np.sign(2 * total - size) + 1) / 2
    return result


def effects(readings: Readings) -> Effects:
    """Estimate the effects of each judge, with intervals by Student's t over clusters.

    A weak prior (sd 5 logits) keeps the effects of a judge finite that always votes one way.
    """
    judges, agents = readings.own.shape
    shape = judges, len(EFFECTS)
    design = design_matrix(readings)
    at = fit_coefficients(design, readings.winner, agents)
    chance, information = chance_and_information(design, at)
    identifiable = identifiable_mask(information)[agents:].reshape(shape)
    inverse = np.linalg.inv(information + prior_information(len(at), agents))
    # The sandwich of Liang and Zeger: the spread of the clusters' gradients between two inverse
    # informations.  A sparse matrix of residuals sums them by cluster.
    names, row = np.unique(readings.cluster, return_inverse=True)
    clusters = len(names)
    residuals = sparse.csr_array(
        (readings.winner - chance, (row.ravel(), np.arange(len(design)))),
        shape=(clusters, len(design)),
    )
    influence = residuals @ design
    spread = influence.T @ influence * (clusters / max(clusters - 1, 1))
    robust = np.diag(inverse @ spread @ inverse)
    error = np.sqrt(np.maximum(robust, LEAST_VARIANCE * np.diag(inverse)))[agents:]
    size = at[agents:]
    limits = np.array(
        [
            student_interval(float(estimate), float(se), clusters)
            for estimate, se in zip(size, error, strict=True)
        ]
    )
    low, high = limits.T.reshape(2, *shape)
    return Effects(
        *(np.where(identifiable, value, nan) for value in (size.reshape(shape), low, high))
    )


def design_matrix(readings: Readings) -> Array:
    """Return (N, agents + judges x 4): strengths as +1 and -1, then each judge's effects.

    The effects of a judge are 0 in the readings of others.
    """
    judges, agents = readings.own.shape
    rows = np.arange(len(readings.judge))
    design = np.zeros((len(rows), agents + judges * len(EFFECTS)))
    design[rows, readings.proposition] = 1
    design[rows, readings.opposition] = -1
    # 1, 0 or -1; with both sides of the family nothing is left to prefer.
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
    """Return the prior's share of the information, and the ones that fix mean strength at 0."""
    result = np.eye(size) * PRIOR_SD**-2
    result[:agents, :agents] += 1
    return result


def chance_and_information(design: Array, at: Array) -> tuple[Array, Array]:
    """Return (fitted chances of the proposition (N,), information of the readings) at `at`."""
    chance = 1 / (1 + np.exp(-design @ at))
    return chance, design.T @ (design * (chance * (1 - chance))[:, None])


def fit_coefficients(design: Array, winner: Array, agents: int) -> Array:
    """Return the coefficients of largest posterior density, by Newton's method."""
    at = np.zeros(design.shape[1])
    prior = prior_information(len(at), agents)
    for _ in range(MAX_STEPS):
        chance, information = chance_and_information(design, at)
        step = np.linalg.solve(information + prior, design.T @ (winner - chance) - prior @ at)
        longest = float(np.abs(step).max(initial=0.0))
        # A long step would overshoot into chances of 0 and 1, at which the information vanishes.
        at = at + step * min(1.0, LONGEST_STEP / max(longest, 1e-300))
        if longest < 1e-9:
            break
    return at


def identifiable_mask(information: Array) -> Mask:
    """Return which coefficients the readings tell apart from the others.

    Those without a part in any direction in which the likelihood does not change.
    """
    values, vectors = np.linalg.eigh(information)
    # Eigenvectors of eigenvalue 0 are the directions along which the readings say nothing.
    silent = values < 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
    result: Mask = np.abs(vectors[:, silent]).max(axis=1, initial=0.0) < 1e-5
    return result
