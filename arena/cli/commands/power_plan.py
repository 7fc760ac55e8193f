"""The plan of `arena power`: a claim, and the simulated debaters that it is about."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isnan, sqrt
from typing import TYPE_CHECKING, Any

from arena.cli.commands import margin_share
from arena.errors import StudyError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from agents.simulated.debater import Profile, SimulatedDebater
    from analysis.reports.power import Claim, DebaterAssumptions, Pilot
    from analysis.statistics.clustered import Array
    from analysis.statistics.power import Draw, Ratings, Spread, Test

MIN_PILOT_DEBATES = 10
MOST_PHASES = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """A claim about debaters; the two `names` and `sides` are equal if one kind debates itself."""

    names: tuple[str, str]
    sides: tuple[Profile, Profile]
    claim: Claim
    paired: str | None
    phases: int
    margin: float

    @property
    def study_kinds(self) -> int:
        """How many kinds of studies it takes: two if each kind of debater debates itself."""
        return 2 if self.claim == "difference" and self.paired != "debate" else 1


def parse_plan(words: argparse.Namespace) -> Plan:
    """Return the plan that the options ask for; raise StudyError if that makes no study."""
    if words.claim == "difference" and words.against is None:
        raise StudyError(
            "a difference is between two kinds of debaters; name the other one with --against, such"
            " as --against sim/even"
        )
    if words.claim in ("above-half", "equivalence") and words.against is not None:
        raise StudyError(
            f"the claim {words.claim} is about debates against oneself, where 50% is right; leave"
            " --against out"
        )
    if words.paired is not None and words.claim != "difference":
        raise StudyError(
            f"--paired is for --claim difference; the claim {words.claim} compares no two kinds of"
            " debaters"
        )
    # A rise needs a first and a last rating.
    least = 2 if words.claim == "rise" else 1
    if not least <= words.phases <= MOST_PHASES:
        raise StudyError(
            f"--phases must lie between {least} and {MOST_PHASES} for the claim {words.claim},"
            f" found {words.phases}"
        )
    margin = margin_share(words.margin)
    first = debater(words.profile)
    second = first if words.against is None else debater(words.against)
    names = (first.name, second.name)
    sides = (first.profile, second.profile)
    return Plan(names, sides, words.claim, words.paired, words.phases, margin)


def check_share(option: str, value: float, *, below: float, example: str) -> None:
    """Raise StudyError unless an option's value lies between 0 and a limit, both excluded."""
    if not 0 < value < below:
        raise StudyError(
            f"--{option} must lie between 0 and {below:g} ({example}), found {value:g}"
        )


def debater(reference: str) -> SimulatedDebater:
    """Return the debater that a reference names; raise StudyError if it is no simulated debater."""
    from agents.simulated.debater import EXAMPLE, JUDGE, SOLVER, simulated_debater

    kind, _, rest = reference.partition("/")
    if kind != "sim" or rest.partition(":")[0] in (JUDGE, SOLVER):
        raise StudyError(
            "power is planned with simulated debaters;"
            f" {reference.partition('@')[0]!r} is none (for example {EXAMPLE})"
        )
    return simulated_debater(rest)


def read_pilot(path: Path, study: str) -> Pilot:
    """Return the noise of a stored study; raise StudyError if it has too few debates."""
    import numpy as np

    from analysis.read.debates import read_records
    from analysis.reports.power import Pilot
    from analysis.statistics.power import estimate_spread

    [record] = read_records(path, study)
    debates = record.debates
    # Ratings vary around the mean of their kind: the same model in the same arm.
    kinds: dict[tuple[str, str | None], int] = {}
    code = [
        [kinds.setdefault((arm, model), len(kinds)) for model in pair]
        for arm, pair in zip(debates.arm, debates.model, strict=True)
    ]
    codes = np.array(code, dtype=np.int64).reshape(debates.model.shape)
    spread = estimate_spread(debates.confidence, debates.asked, codes)
    # Fewer debates give a standard deviation that is wrong by a quarter of itself, give or take.
    if spread.debates < MIN_PILOT_DEBATES or isnan(spread.noise):
        needed = max(MIN_PILOT_DEBATES, len(kinds) + 1)
        raise StudyError(
            f"a pilot needs at least {needed} finished debates with ratings, {study} has"
            f" {spread.debates}; play more of it, or write what you expect into the profile, such"
            " as sim/even:noise=0.08:debate_sd=0.05"
        )
    return Pilot(study, record.simulated, spread)


def with_spread(plan: Plan, spread: Spread) -> Plan:
    """Return the plan with the noise of a pilot."""
    noise = min(spread.noise, 1.0)
    debate_sd = min(spread.debate_sd, 1.0)
    # A rating is missing if the re-ask was unreadable too, so that the share is a square.
    unreadable = sqrt(spread.missing)
    first, second = (
        replace(side, noise=noise, debate_sd=debate_sd, unreadable=unreadable)
        for side in plan.sides
    )
    return replace(plan, sides=(first, second))


def make_draw(plan: Plan, watch: Callable[[int], None]) -> Draw:
    """Return the function that draws the plan's studies; `watch` hears of each draw."""
    from agents.simulated.studies import ratings

    # Two kinds that are compared between studies debate themselves, each in its own study.
    pairs = [plan.sides] if plan.study_kinds == 1 else [(side, side) for side in plan.sides]

    def draw(studies: int, debates: int, rng: np.random.Generator) -> tuple[Any, ...]:
        """Return one array (S, G, 2, P) for each kind of study."""
        watch(debates)
        return tuple(
            ratings(first, second, studies=studies, debates=debates, phases=plan.phases, rng=stream)
            for (first, second), stream in zip(pairs, rng.spawn(len(pairs)), strict=True)
        )

    return draw


def choose_test(plan: Plan, level: float) -> Test:
    """Return the test of the plan's claim, at so high a level."""
    from analysis.statistics import power

    def difference(drawn: Ratings) -> Array:
        """Compare last ratings: of the two sides of one study, or of two studies."""
        last = [ratings[..., -1] for ratings in drawn]
        if plan.paired == "debate":
            return power.difference_test(last[0][:, :, :1], last[0][:, :, 1:], paired=True)
        return power.difference_test(*last, paired=plan.paired == "motion")

    tests: dict[Claim, Test] = {
        "rise": lambda drawn: power.rise_test(drawn[0]),
        "above-half": lambda drawn: power.above_half_test(drawn[0]),
        "equivalence": lambda drawn: power.equivalence_test(drawn[0], plan.margin, alpha=level),
        "difference": difference,
    }
    return tests[plan.claim]


def assumptions(plan: Plan) -> tuple[DebaterAssumptions, ...]:
    """Return the assumptions about each kind of debater."""
    from agents.simulated.debater import expected_confidence
    from analysis.reports.power import DebaterAssumptions

    kinds = []
    for name, side in dict(zip(plan.names, plan.sides, strict=True)).items():
        # The mean depends on these parameters alone; a profile's other ones do not move ratings.
        spread = {key: getattr(side, key) for key in ("bias", "drift", "noise", "debate_sd")}
        text = ":".join(["even", *(f"{key}={value!r}" for key, value in spread.items())])
        first, last = (expected_confidence(text, phase) for phase in (0, plan.phases - 1))
        missing = side.unreadable**2
        kinds.append(
            DebaterAssumptions(name, first, last, missing, unreadable=side.unreadable, **spread)
        )
    return tuple(kinds)


def true_effect(plan: Plan, kinds: tuple[DebaterAssumptions, ...]) -> tuple[float, bool]:
    """Return the effect, in [-1, 1], with clipping and rounding, and whether the claim is true of
    it.
    """
    first, last = kinds[0], kinds[-1]
    effect = {
        "rise": (first.last + last.last) / 2 - (first.first + last.first) / 2,
        "above-half": first.last - 0.5,
        "equivalence": first.last - 0.5,
        "difference": first.last - last.last,
    }[plan.claim]
    # The noise of adding up is no effect; and adding 0 takes the minus from -0.
    effect = round(effect, 9) + 0.0
    return effect, abs(effect) < plan.margin if plan.claim == "equivalence" else effect != 0
