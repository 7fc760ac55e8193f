"""Report strengths of contestants: at equal length and form, and how few votes decide who is first.

Strengths and the standings around them are in standings.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf, isnan
from typing import Annotated

import numpy as np

from analysis.read.verdicts import Verdicts
from analysis.reports.plain_json import JsonField
from analysis.statistics.aggregation import Votes
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array, Codes
from analysis.statistics.first_place import fewest_to_overturn
from analysis.statistics.ranking import rank

UNBEATEN = "never lost to others, alone or with some: no upper end"
WINLESS = "never won against others, alone or with some: no lower end"
UNCONNECTED = "no votes connect it with the others"
MISSING_ENDS = (UNBEATEN, WINLESS)
# What the sides of a debate may differ in beside their arguments.
FORMS = ("words", "list items", "headings")


@dataclass(frozen=True, slots=True)
class FormStrength:
    """The strength of a contestant in logits at equal form; `missing_end` as in the standings."""

    agent: str
    strength: Annotated[Interval, JsonField(inline=True, names={"mean": "strength"})]
    missing_end: str | None


@dataclass(frozen=True, slots=True)
class FormEffect:
    """Logits for the side that has twice as much of something; nan with the reason `missing`."""

    what: str
    size: Annotated[Interval, JsonField(inline=True, names={"mean": "size"})]
    missing: str | None


@dataclass(frozen=True, slots=True)
class EqualForm:
    """Strengths if both sides wrote as much, and in the same form.

    `votes` on debates of which both sides have words; the others are not here.
    """

    votes: int
    contestants: tuple[FormStrength, ...]
    effects: tuple[FormEffect, ...]


@dataclass(frozen=True, slots=True)
class FirstPlace:
    """Without `dropped` of all `votes`, chosen against it, `rival` comes before `agent`."""

    agent: str
    rival: str
    dropped: int
    votes: int


def comparisons(verdicts: Verdicts, cast: Votes) -> tuple[Codes, Codes, Array, Codes]:
    """Return (first, second, score, debate) of the votes on debates between two contestants."""
    # A debate of a contestant against itself tells nothing about strengths.
    there = ~np.isnan(cast.winner) & ~verdicts.against_itself()[cast.debate]
    # What was declined in one order may be what it would have lost: the other alone is biased.
    if verdicts.half is not None:
        there &= ~verdicts.half[cast.debate]
    debate = cast.debate[there]
    first, second = verdicts.side[debate].T
    return first, second, cast.winner[there], debate


def missing_end(size: float, low: float, high: float, unbeaten: str, winless: str) -> str | None:
    """Return why an interval lacks an end, in words; None if it has both."""
    if isnan(size):
        return UNCONNECTED
    if isinf(high):
        return unbeaten
    return winless if isinf(low) else None


def places(low: Array, high: Array) -> list[int | None]:
    """Return the place of each contestant by the ends of its interval (A,); None without one.

    It is 1 more than the number of those whose whole interval lies above its own, so that it says
    how many are surely better; contestants with one place are tied.
    """
    return [None if isnan(end) else 1 + int((low > end).sum()) for end in high.tolist()]


def equal_form(verdicts: Verdicts, cast: Votes) -> EqualForm:
    """Return strengths with the words, list items and headings of the sides held equal.

    The strongest come first, those without a vote are left out.
    """
    first, second, score, debate = comparisons(verdicts, cast)
    written = (verdicts.words[debate] > 0).all(axis=1)
    first, second, debate = first[written], second[written], debate[written]
    score = score[written]
    # In units of doublings; lists and headings may be none, hence one more of each.
    amounts = (verdicts.words, verdicts.items + 1, verdicts.headings + 1)
    columns = [np.log2(each[debate, 0] / each[debate, 1]) for each in amounts]
    ranking = rank(
        first,
        second,
        score,
        verdicts.pair_cluster()[debate],
        len(verdicts.agents),
        np.column_stack(columns),
    )
    ends = np.column_stack((ranking.strength, ranking.low, ranking.high)).tolist()
    rows = [
        FormStrength(name, Interval(size, low, high), missing_end(size, low, high, *MISSING_ENDS))
        for name, (size, low, high) in zip(verdicts.agents, ends, strict=True)
        if not isnan(size)
    ]
    rows.sort(key=lambda row: (-row.strength.mean, row.agent))
    effects = [
        FormEffect(
            what,
            Interval(*size),
            f"the sides do not differ in {what}, or only as contestants do"
            if isnan(size[0])
            else None,
        )
        for what, size in zip(FORMS, ranking.columns.tolist(), strict=True)
    ]
    return EqualForm(len(score), tuple(rows), tuple(effects))


def first_place(verdicts: Verdicts, cast: Votes) -> FirstPlace | None:
    """Return how few votes, left out, change who is first; None if no number was found."""
    first, second, score, _ = comparisons(verdicts, cast)
    found = fewest_to_overturn(first, second, score, len(verdicts.agents))
    if found is None:
        return None
    return FirstPlace(
        verdicts.agents[found.first], verdicts.agents[found.rival], found.dropped, found.votes
    )
