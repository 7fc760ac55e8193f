"""Follow confidence from phase to phase, sort debates by it, and hold it against 50%.

The tables by model of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184).  Its tests
are one-sided and take all ratings of a model as independent, although two of them come from one
debate; they stand beside ours, which is two-sided with debates as clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Annotated, TypeVar

import numpy as np

from analysis.read.debates import Debates
from analysis.reports.plain_json import JsonField, interval_as
from analysis.reports.rows import CLAIMS, CLAIMS_OF_SHARE
from analysis.statistics.clustered import Array, Codes, clustered_mean
from analysis.statistics.multiplicity import holm
from analysis.statistics.overconfidence import (
    AgainstHalf,
    Rise,
    against_half,
    independent_test,
    rise,
)
from analysis.statistics.patterns import Pattern, patterns
from analysis.statistics.signed_ranks import wilcoxon

WITH_CLAIMS = JsonField(inline=True, parts={"claims": CLAIMS})
SHARE_OF_DEBATES = JsonField(inline=True, parts={"claims": CLAIMS_OF_SHARE})
CHANGE = interval_as("change")


@dataclass(frozen=True, slots=True)
class RiseRow:
    """How confidence moved from one phase to a later one."""

    start: Annotated[str, JsonField("from")]
    end: Annotated[str, JsonField("to")]
    change: Annotated[Rise, WITH_CLAIMS]


@dataclass(frozen=True, slots=True)
class PatternRow:
    """How many debates have sides of two levels of confidence."""

    pattern: Annotated[Pattern, SHARE_OF_DEBATES]


@dataclass(frozen=True, slots=True)
class AgainstHalfRow:
    """The test against 50% in one phase; `p_holm` is adjusted for the number of phases."""

    phase: str
    test: Annotated[AgainstHalf, WITH_CLAIMS]
    p_holm: float


@dataclass(frozen=True, slots=True)
class HalfTest:
    """The ratings of one contestant in one phase against 50%; undefined numbers are nan.

    `p` is two-sided, with debates as clusters.  `p_t` and `p_wilcoxon` are the published tests,
    one-sided, with ratings taken as independent.  Each stands beside itself as adjusted for the
    number of contestants.
    """

    phase: str
    n: int
    debates: int
    mean: float
    sd: float
    p: float
    p_t: float
    p_wilcoxon: float
    p_holm: float = nan
    p_t_holm: float = nan
    p_wilcoxon_holm: float = nan


@dataclass(frozen=True, slots=True)
class StepChange:
    """The change of one contestant from a phase to the next, with debates as clusters.

    `p` is two-sided, `p_holm` the same adjusted for the number of contestants; `p_one_sided` is the
    published test, paired, with debaters taken as independent.
    """

    start: Annotated[str, JsonField("from")]
    end: Annotated[str, JsonField("to")]
    n: int
    change: Annotated[Rise, CHANGE]
    p: float
    p_one_sided: float
    p_holm: float = nan


Row = TypeVar("Row", HalfTest, StepChange)


@dataclass(frozen=True, slots=True)
class ContestantDetails:
    """One contestant by phase, and from each phase to the next."""

    contestant: str
    against_half: tuple[HalfTest, ...]
    steps: tuple[StepChange, ...]


def pattern_rows(confidence: Array, model: Codes, *, intervals: bool) -> tuple[PatternRow, ...]:
    """Return the patterns of debates (G, 2) in one phase."""
    return tuple(map(PatternRow, patterns(confidence, model, intervals=intervals)))


def step_rows(debates: Debates) -> tuple[RiseRow, ...]:
    """Return the change of all debaters from each phase to the next."""
    model = debates.model_code
    return tuple(
        RiseRow(*names, rise(debates.confidence[:, :, at], debates.confidence[:, :, at + 1], model))
        for at, names in enumerate(zip(debates.phases, debates.phases[1:], strict=False))
    )


def contestant_details(debates: Debates) -> tuple[ContestantDetails, ...]:
    """Return the tests and steps of each contestant, by name."""
    names = debates.contestants()
    places = range(len(debates.phases))
    mine = [
        np.where((debates.contestant == name)[:, :, None], debates.confidence, nan)
        for name in names
    ]
    # One family of tests: those of all contestants in one phase, or step.
    tests = [
        with_holm(
            [half_test(debates.phases[at], values[:, :, at]) for values in mine],
            ("p", "p_t", "p_wilcoxon"),
        )
        for at in places
    ]
    steps = [
        with_holm(
            [step(debates.phases[at : at + 2], values[:, :, at : at + 2]) for values in mine],
            ("p",),
        )
        for at in places[:-1]
    ]
    return tuple(
        ContestantDetails(
            name, tuple(family[at] for family in tests), tuple(family[at] for family in steps)
        )
        for at, name in enumerate(names)
    )


def half_test(phase: str, values: Array) -> HalfTest:
    """Test one contestant's ratings (G, 2) of a phase against 50%."""
    mean = clustered_mean(values, against=0.5)
    _, p_t = independent_test(values - 0.5)
    ranks = wilcoxon(values.ravel())
    return HalfTest(phase, mean.n, mean.clusters, mean.mean, mean.sd, mean.p, p_t, ranks.p)


def step(phases: Sequence[str], values: Array) -> StepChange:
    """Return one contestant's change between two phases, (G, 2 sides, 2 phases)."""
    change = rise(values[:, :, 0], values[:, :, 1])
    start, end = phases
    return StepChange(start, end, change.n, change, change.p, change.p_paired_one_sided)


def with_holm(family: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return the rows of one family of tests with each p adjusted by Holm's method."""
    columns = {
        f"{name}_holm": holm([getattr(row, name) for row in family]).tolist() for name in names
    }
    return [
        replace(row, **{key: values[at] for key, values in columns.items()})
        for at, row in enumerate(family)
    ]


def against_half_rows(debates: Debates) -> tuple[AgainstHalfRow, ...] | None:
    """Return the test against 50% by phase, over debates of one against itself, or None."""
    # Only here is it known that 50% is right on average: the same model sits on both sides, with
    # the same system prompt and sampling.
    part = debates.select(debates.against_itself())
    model = part.model_code
    tests = [
        against_half(part.confidence[:, :, number], model) for number in range(len(part.phases))
    ]
    adjusted = holm([test.p for test in tests])
    rows = zip(part.phases, tests, adjusted.tolist(), strict=True)
    return tuple(AgainstHalfRow(*row) for row in rows) or None
