"""Plan a study: how many debates show an effect, and what to add at the same cost.

The power is that of the report's tests (statistics/power.py), of models like these and of these
models alone.  tables/power.py shows the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import isnan, nan, sqrt
from typing import Annotated, Literal

from analysis.reports.pilot import Pilot
from analysis.reports.plain_json import INLINE, OPTIONAL
from analysis.statistics.claims import FEWEST_MODELS
from analysis.statistics.designs import (
    SOURCES,
    Component,
    Design,
    layout,
    variance_range,
    variances_of_mean,
)
from analysis.statistics.power import (
    SPEAKS_OF,
    THESE,
    Power,
    Truth,
    can_speak,
    find_smallest,
    majority_power,
    power,
)

Claim = Literal["rise", "above-half", "equivalence", "difference", "majority"]
# What is drawn of each claim: which split of the variance, and around which value.
SPLITS: dict[Claim, tuple[str, float]] = {
    "rise": ("rise", 0.0),
    "above-half": ("level", 0.5),
    "equivalence": ("level", 0.5),
    "difference": ("level", 0.0),
    "majority": ("votes", 0.5),
}
# Sources that both sides of a comparison share, so that they cancel; of the others there are two.
SHARED = {
    "arms": set(SOURCES) - {"the same repeat", "one side in one debate"},
    "models": {"model", "opponent", "motion", "wording"},
}
MOST_MODELS = 200
# Enough for debates without chance of their own to show what models alone leave open.
CEILING_DEBATES = 600


@dataclass(frozen=True, slots=True)
class Plan:
    """What is planned; all shares are in [0, 1].

    `between` says what a difference is of, `speaks_of` whom the claim is about.  The `design` has
    the smallest of `debates`.  With one number of debates others at the same cost are looked at,
    with several their power.  `usd` is what a debate and each judge's readings of it cost.
    """

    claim: Claim
    between: Literal["arms", "models"] | None
    speaks_of: str
    effect: float
    margin: float | None
    design: Design
    debates: tuple[int, ...]
    components: tuple[Component, ...]
    votes: Mapping[str, float]
    missing: float = 0.0
    usd: tuple[float, float] | None = None
    budget_usd: float | None = None
    target: float = 0.8
    most: int = 2000
    studies: int = 2000
    level: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source of variance, and its share of the variance of the mean; 0 if it is held fixed."""

    component: Annotated[Component, INLINE]
    share: float


@dataclass(frozen=True, slots=True)
class PowerRow:
    """The power of one design: of the claim, and of the narrower one of these models.

    `change` says in words what differs from the plan, `usd` what it costs, None if unknown.  `low`
    and `high` are the power where the pilot's variances are at the ends of their range.
    """

    change: str
    design: Annotated[Design, INLINE]
    usd: float | None
    power: Power
    these: Annotated[Power | None, OPTIONAL] = None
    low: float = nan
    high: float = nan


@dataclass(frozen=True, slots=True)
class PowerReport:
    """The power of a plan.

    `rows` are by number of debates, or by change with the best first; `smallest` is the smallest
    number of debates that reaches the target, `models_needed` the smallest number of models with as
    many debates as the last row, `ceiling` the power that no number of debates exceeds with so many
    models; None where it was not looked for, or there is none.
    """

    simulated: bool
    claim: Claim
    between: str | None
    speaks_of: str
    effect: float
    margin: float | None
    target: float
    most: int
    studies: int
    level: float
    seed: int
    missing: float
    pilot: Pilot | None
    budget_usd: float | None
    sources: tuple[SourceRow, ...]
    votes: Mapping[str, float] | None
    by_change: bool
    rows: tuple[PowerRow, ...]
    smallest: PowerRow | None
    models_needed: PowerRow | None
    ceiling: float | None


def power_report(
    plan: Plan, pilot: Pilot | None = None, watch: Callable[[Design], None] = lambda design: None
) -> PowerReport:
    """Return the power of a plan; `watch` hears of each design that is simulated."""
    by_change = len(plan.debates) == 1
    planned = replace(plan.design, debates=plan.debates[0])
    designs = [("as planned", planned)]
    if by_change:
        designs += alternatives(plan, planned)
    else:
        designs = [("", replace(planned, debates=number)) for number in plan.debates]
    rows = [power_row(plan, *each, pilot, watch) for each in designs]
    like = plan.speaks_of if plan.claim not in ("difference", "majority") else THESE
    ceiling = smallest = needed = None
    if like != THESE and can_speak(planned, like):
        watch(planned)
        ceiling = ceiling_of(plan, planned)
    reachable = can_speak(planned, like) and (ceiling is None or ceiling >= plan.target)
    if reachable and not by_change:
        smallest = smallest_debates(plan, rows, watch)
    if like != THESE and smallest is None and not rows[0].power.share >= plan.target:
        needed = smallest_models(plan, replace(planned, debates=plan.debates[-1]), watch)
    if by_change:
        rows.sort(key=lambda row: (isnan(row.power.share), -row.power.share, row.power.half_width))
    return PowerReport(
        True,
        plan.claim,
        plan.between,
        like,
        plan.effect,
        plan.margin,
        plan.target,
        plan.most,
        plan.studies,
        plan.level,
        plan.seed,
        plan.missing,
        pilot,
        plan.budget_usd,
        source_rows(plan, planned),
        plan.votes if plan.claim == "majority" else None,
        by_change,
        tuple(rows),
        smallest,
        needed,
        ceiling,
    )


def truth_of(plan: Plan, scale: float = 1.0) -> Truth:
    """Return what is true of the simulated ratings; `scale` multiplies all deviations."""
    sds = {each.source: scale * each.sd for each in assumed(plan)}
    printed = SPLITS[plan.claim][0] == "level" and plan.claim != "difference"
    margin = plan.margin if plan.claim == "equivalence" else None
    middle = SPLITS[plan.claim][1]
    # Of a rise and of a difference two ratings have to be there.
    missing = plan.missing if middle else 1 - (1 - plan.missing) ** 2
    return Truth(middle, plan.effect, sds, missing, printed, margin, plan.level)


def assumed(plan: Plan) -> Iterator[Component]:
    """Yield the sources of variance of the number that the claim is about."""
    for each in plan.components:
        if plan.between is None:
            yield each
        elif each.source not in SHARED[plan.between]:
            # The difference of two independent effects.
            low, sd, high = (sqrt(2) * value for value in (each.low, each.sd, each.high))
            yield replace(each, sd=sd, low=low, high=high)


def played(plan: Plan, design: Design) -> Design:
    """Return the design by which a claim's ratings are drawn.

    Of a difference only what is compared: pairs of debates, in which no model is a cluster.
    """
    return replace(design, models=1, alone=True) if plan.claim == "difference" else design


def measure(plan: Plan, design: Design, speaks_of: str, scale: float = 1.0) -> Power:
    """Return the power of a design for one claim."""
    if plan.claim == "majority":
        return majority_power(
            design, plan.votes, plan.effect, studies=plan.studies, level=plan.level, seed=plan.seed
        )
    return power(
        played(plan, design), truth_of(plan, scale), speaks_of, studies=plan.studies, seed=plan.seed
    )


def power_row(
    plan: Plan,
    change: str,
    design: Design,
    pilot: Pilot | None,
    watch: Callable[[Design], None],
) -> PowerRow:
    """Return the power of a design, with that of the pilot's range and of these models."""
    watch(design)
    one_claim = plan.claim in ("difference", "majority") or plan.speaks_of == THESE
    speaks_of = THESE if one_claim else plan.speaks_of
    found = measure(plan, design, speaks_of)
    these = None if one_claim else measure(plan, design, THESE)
    low = high = nan
    if pilot is not None and plan.claim != "majority" and not isnan(found.share):
        codes = layout(played(plan, design))
        variances = variances_of_mean(codes, list(assumed(plan)), SPEAKS_OF[speaks_of])
        total = sum(middle for middle, *_ in variances.values())
        # More variance is less power.
        ends = [sqrt(end / total) if total else 1.0 for end in variance_range(variances)]
        high, low = (measure(plan, design, speaks_of, end).share for end in ends)
    return PowerRow(change, design, cost(plan, design), found, these, low, high)


def cost(plan: Plan, design: Design) -> float | None:
    """Return the dollars that a design takes, None without prices."""
    if plan.usd is None:
        return None
    each = plan.usd[0] + design.judges * plan.usd[1]
    return design.debates * each * studies_played(plan)


def studies_played(plan: Plan) -> int:
    """Return how many studies of so many debates a plan takes: two if it compares two."""
    return 2 if plan.claim == "difference" else 1


def debates_for(plan: Plan, design: Design) -> int:
    """Return how many debates a design has at the cost of the plan."""
    if plan.usd is None:
        return plan.debates[0]
    planned = replace(plan.design, debates=plan.debates[0])
    money = plan.budget_usd or cost(plan, planned) or 0.0
    one = cost(plan, replace(design, debates=1)) or 0.0
    return int(money / one + 1e-9) if one else plan.debates[0]


def alternatives(plan: Plan, planned: Design) -> Iterator[tuple[str, Design]]:
    """Yield changes of a design at the same cost, each with what it changes in words."""
    compared = plan.claim == "difference"
    judged = plan.claim == "majority"
    some_words = any(each.sd and "wording" in each.source for each in assumed(plan))
    more = {
        "models": 0 if compared else max(2 * planned.models, FEWEST_MODELS),
        "motions": 2 * planned.motions,
        "wordings": 2 * planned.wordings if some_words else 0,
        "repeats": 2 * planned.repeats,
    }
    changes = [(name, number) for name, number in more.items() if number]
    changes += [("repeats", 1)] if planned.repeats > 1 else []
    if judged:
        changes += [("judges", planned.judges + 2)]
        changes += [("judges", planned.judges - 2)] if planned.judges > 2 else []
    for name, number in changes:
        design = Design(**{**asdict(planned), name: number})
        design = replace(design, debates=debates_for(plan, design))
        # Each model debates at least twice on average, or its mean is that of one debate.
        if design.debates * (1 if design.alone else 2) >= 2 * design.models * design.repeats:
            yield f"{number} {name if number > 1 else name[:-1]}", design


def ceiling_of(plan: Plan, design: Design) -> float:
    """Return the power that no number of debates exceeds: that of debates without chance."""
    truth = truth_of(plan)
    kept = {source: sd for source, sd in truth.sds.items() if "debate" not in SOURCES[source]}
    truth = replace(truth, sds=kept, missing=0.0, printed=False)
    pairs = design.models * (1 if design.alone else design.models - 1)
    debates = min(pairs * design.motions, CEILING_DEBATES)
    full = replace(design, debates=debates, repeats=1)
    found = power(full, truth, plan.speaks_of, studies=plan.studies, seed=plan.seed)
    # Without any variance of models left there is no interval, and no bound.
    return 1.0 if isnan(found.half_width) else found.share


def smallest_debates(
    plan: Plan, rows: list[PowerRow], watch: Callable[[Design], None]
) -> PowerRow | None:
    """Return the row of the smallest number of debates that reaches the target, or None."""
    design = rows[0].design
    speaks_of = rows[0].power.speaks_of

    def at(number: int) -> Power:
        """Return the power with so many debates."""
        changed = replace(design, debates=number)
        watch(changed)
        return measure(plan, changed, speaks_of)

    known = [(row.design.debates, row.power) for row in rows]
    found = find_smallest(at, plan.target, least=2, most=plan.most, measured=known)
    if found is None:
        return None
    changed = replace(design, debates=found[0])
    return PowerRow("", changed, cost(plan, changed), found[1])


def smallest_models(plan: Plan, design: Design, watch: Callable[[Design], None]) -> PowerRow | None:
    """Return the row of the smallest number of models that reaches the target, or None."""
    if plan.speaks_of == THESE or plan.claim in ("difference", "majority"):
        return None

    def at(number: int) -> Power:
        """Return the power with so many models."""
        changed = replace(design, models=number)
        watch(changed)
        return measure(plan, changed, plan.speaks_of)

    most = min(MOST_MODELS, design.debates)
    if most < FEWEST_MODELS or not can_speak(replace(design, models=most), plan.speaks_of):
        return None
    found = find_smallest(at, plan.target, least=FEWEST_MODELS, most=most)
    if found is None:
        return None
    changed = replace(design, models=found[0])
    return PowerRow(f"{found[0]} models", changed, cost(plan, changed), found[1])


def source_rows(plan: Plan, design: Design) -> tuple[SourceRow, ...]:
    """Return the sources of variance, and what each adds to the variance of the mean."""
    if plan.claim == "majority":
        return ()
    speaks_of = THESE if plan.claim == "difference" else plan.speaks_of
    found = list(assumed(plan))
    codes = layout(played(plan, design))
    variances = variances_of_mean(codes, found, SPEAKS_OF[speaks_of])
    total = sum(middle for middle, *_ in variances.values())
    return tuple(
        SourceRow(each, variances.get(each.source, (0.0,))[0] / total if total else nan)
        for each in found
    )
