"""The report of `arena power`: a plan, its assumptions about simulated debaters, and its power.

The command fills these rows in (arena/cli/commands/power.py), since only it may know the simulated
debaters; tables/power.py shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from analysis.reports.plain_json import INLINE
from analysis.statistics.power import Power, Spread

Claim = Literal["rise", "above-half", "difference", "equivalence"]


@dataclass(frozen=True, slots=True)
class DebaterAssumptions:
    """The assumptions about one kind of debater, all in [0, 1].

    Exact means of its first and last rating; `bias` and `drift` move them, `noise` and `debate_sd`
    spread them.  `unreadable` is the share of replies without a rating, `missing` that of ratings
    which the re-ask does not bring either.
    """

    name: str
    first: float
    last: float
    missing: float
    bias: float
    drift: float
    noise: float
    debate_sd: float
    unreadable: float


@dataclass(frozen=True, slots=True)
class Pilot:
    """The stored study whose noise is taken, and its noise."""

    study: str
    simulated: bool
    spread: Annotated[Spread, INLINE]


@dataclass(frozen=True, slots=True)
class PowerRow:
    """The power of studies of one size, the calls they take, and about how many re-asks on top."""

    power: Annotated[Power, INLINE]
    calls: int
    re_asks: int


@dataclass(frozen=True, slots=True)
class PowerReport:
    """The power of a plan.

    `true` says whether the claim holds of the assumed debaters, whose `effect` is in [-1, 1];
    `margin` is that of equivalence.  `smallest` is the smallest number of debates up to `most` that
    reaches the `target`, or None.
    """

    simulated: bool
    claim: Claim
    true: bool
    effect: float
    paired: str | None
    margin: float | None
    phases: int
    debaters: tuple[DebaterAssumptions, ...]
    pilot: Pilot | None
    target: float
    most: int
    studies: int
    level: float
    seed: int
    powers: tuple[PowerRow, ...]
    smallest: PowerRow | None
