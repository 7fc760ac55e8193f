"""Report how far models prefer their own answers: the DBG score, and ours (arXiv 2506.02592).

The DBG score is the rate of wins of a model against another by its own judgment, minus that by the
majority of a panel's votes, both over the same questions.  The model's own judgment is the larger
mean of its probabilities in both orders.  Of every judge of the panel each order is one vote.  Ours
compares shares of votes: a majority is surer than any judge, so that a fair judge which is unsure
seems to dislike itself by the paper's rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.preferences import Judge, Preferences
from analysis.reports.plain_json import interval_as
from analysis.statistics.bootstrap import Interval, ratio_intervals
from analysis.statistics.clustered import Array, Mask, divide
from analysis.statistics.judge_bias import win_shares

# Probabilities of a tie differ from a half by rounding.
DIGITS = 9


@dataclass(frozen=True, slots=True)
class SelfPreferenceRow:
    """How far one agent prefers its answers to those of another, against a panel.

    Over `questions` that the agent and somebody of the panel judged; `without` are those that were
    judged by either and lack a reading.  `criterion` is what it was told to judge by; `by`
    is "choices" or "words", as the agent was read.
    `by_itself` and `by_panel` are its rates of wins, a tie half a win; `dbg` their difference, and
    `share` the difference of the shares of votes, in [-1, 1].  `flips` is the share of questions on
    which the agent votes for another answer in the other order, `to_first` the share of these in
    which it votes for the one that it reads first, `panel_flips` that of the panel's.
    """

    arm: str
    agent: str
    other: str
    criterion: str
    by: str
    panel: int
    questions: int
    without: int
    by_itself: float
    by_panel: float
    dbg: Annotated[Interval, interval_as("dbg")]
    share: Annotated[Interval, interval_as("share")]
    flips: float
    to_first: float
    panel_flips: float


def self_preference_rows(found: Preferences) -> tuple[SelfPreferenceRow, ...]:
    """Return the row of an agent that judged itself, none for one that did not."""
    if found.agent not in found.judges:
        return ()
    own = found.judges.index(found.agent)
    outside = np.array([is_outside(judge, found) for judge in found.judges])
    shape = found.read_first.shape
    panel = np.broadcast_to(outside[:, None], shape)
    readings = np.stack((found.read_first, found.read_second))
    # What the agent itself says counts in both orders together, or not.
    readings[:, own, np.isnan(readings[:, own]).any(axis=0)] = nan
    votes = votes_of(readings)
    means = np.round(readings.mean(axis=0), DIGITS)
    # By the paper's rule the agent has one vote, which is the mean of its probabilities.
    own_mean = np.stack((means[own], np.full(shape[1], nan)))
    by_rule = votes.copy()
    by_rule[:, own] = own_mean
    mine, gold = wins(by_rule, panel, own, by_majority=True)
    share, panel_share = wins(votes, panel, own, by_majority=False)
    there = ~(np.isnan(mine) | np.isnan(gold))
    top = np.stack((mine - gold, share - panel_share), axis=1)[there]
    dbg, by_share = ratio_intervals(top, np.ones_like(top))
    flips, to_first = flip_shares(votes[:, own])
    panel_flips, _ = flip_shares(votes[:, outside])
    return (
        SelfPreferenceRow(
            found.arm,
            found.agent[0],
            found.other[0],
            found.criterion,
            found.by[own],
            int(outside.sum()),
            int(there.sum()),
            int((~there).sum()),
            mean_of(mine[there]),
            mean_of(gold[there]),
            dbg,
            by_share,
            flips,
            to_first,
            panel_flips,
        ),
    )


def is_outside(judge: Judge, found: Preferences) -> bool:
    """Return whether a judge is of the panel: no agent of the pair, and of neither one's model."""
    return judge[1] not in (found.agent[1], found.other[1])


def votes_of(readings: Array) -> Array:
    """Return 1 for a reading above a half, 0 for one below, 0.5 for a half, nan for none."""
    return (np.sign(np.round(readings - 0.5, DIGITS)) + 1) / 2


def wins(votes: Array, panel: Mask, own: int, *, by_majority: bool) -> tuple[Array, Array]:
    """Return what the agent wins by itself and by the panel, both (Q,), from votes (2, J, Q)."""
    _, judges, questions = votes.shape
    judge, question = np.divmod(np.arange(judges * questions), max(questions, 1))
    mine, gold = win_shares(
        votes.reshape(-1), np.tile(question, 2), np.tile(judge, 2), panel, by_majority=by_majority
    )
    return mine[own], gold


def flip_shares(votes: Array) -> tuple[float, float]:
    """Return (share of flips, share of these for the answer that is read first), from (2, ...)."""
    decided = ~np.isnan(votes).any(axis=0) & (votes != 0.5).all(axis=0)
    first, second = votes[0][decided], votes[1][decided]
    flipped = first != second
    share = divide(
        np.array([flipped.sum(), first[flipped].sum()]), np.array([first.size, flipped.sum()])
    )
    return float(share[0]), float(share[1])


def mean_of(values: Array) -> float:
    """Return the mean, nan of no value."""
    return float(values.mean()) if values.size else nan
