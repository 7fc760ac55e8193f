"""`arena power`: how many debates are needed to see an effect of a given size, by simulated studies."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import isnan, sqrt
from typing import TYPE_CHECKING, Any

from arena.cli.commands import Command
from arena.errors import StudyError

if TYPE_CHECKING:
    from pathlib import Path

    from agents.simulated.debater import Profile, SimulatedDebater
    from analysis.statistics.power import Draw, Power, Spread, Test

CLAIMS = ("rise", "above-half", "difference", "equivalence")
LEAST_PILOT = 10
# A hundred studies of this size still fit into the memory of a small machine.
MOST_DEBATES, MOST_PHASES = 20_000, 10
QUIET_S = 2.0
FROM_PILOT = ("noise", "debate_sd", "unreadable")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is claimed of which debaters, as checked; the two `names` and `sides` are the same where no other was named."""

    names: tuple[str, str]
    sides: tuple[Profile, Profile]
    claim: str
    paired: str | None
    phases: int
    margin: float

    @property
    def study_kinds(self) -> int:
        """How many kinds of studies it takes: two where each kind of debater debates itself."""
        return 2 if self.claim == "difference" and self.paired != "debate" else 1


def add(command: Command) -> None:
    """The command that plans."""
    power = command(
        "power",
        show_power,
        "how many debates are needed to see an effect, by simulated studies (SIMULATED, asks no model)",
    )
    power.add_argument(
        "profile",
        metavar="PROFILE",
        help="a simulated debater with the effect you expect, such as sim/even:drift=0.02",
    )
    power.add_argument(
        "--against",
        metavar="PROFILE",
        help="its opponent, or for the claim difference the other kind (default: itself)",
    )
    power.add_argument(
        "--claim",
        choices=CLAIMS,
        default="rise",
        help="rise: ratings move from the first to the last phase; above-half: in the last phase their mean is not 50%%; difference: in the"
        " last phase the two kinds differ; equivalence: in the last phase the mean is within the margin of 50%% (default: rise)",
    )
    power.add_argument(
        "--paired",
        choices=("motion", "debate"),
        help="difference: the two studies share their motions, or the two kinds meet in each debate (default: two studies, unpaired)",
    )
    power.add_argument(
        "--debates",
        default="10,20,40,80,160",
        metavar="N,N",
        help="numbers of debates (default: 10,20,40,80,160)",
    )
    power.add_argument(
        "--phases",
        type=int,
        default=3,
        metavar="N",
        help="ratings of each side in a debate (default: 3)",
    )
    power.add_argument(
        "--margin",
        type=float,
        default=0.05,
        metavar="X",
        help="of equivalence, 0.05 for 5 points (default)",
    )
    power.add_argument(
        "--target",
        type=float,
        default=0.8,
        metavar="X",
        help="the power that is wanted (default: 0.8)",
    )
    power.add_argument(
        "--most",
        type=int,
        default=2000,
        metavar="N",
        help="look no further than so many debates (default: 2000)",
    )
    power.add_argument(
        "--studies", type=int, default=2000, metavar="N", help="simulated studies (default: 2000)"
    )
    power.add_argument(
        "--level",
        type=float,
        default=0.05,
        metavar="X",
        help="of the two-sided test, or of each of two (default: 0.05)",
    )
    power.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="another one gives other simulated studies (default: 0)",
    )
    power.add_argument(
        "--pilot",
        metavar="STUDY",
        help="take noise, debate_sd and unreadable from this study of the store, not the effect",
    )
    power.add_argument("--json", action="store_true", help="as JSON")


def show_power(words: argparse.Namespace) -> int:
    """arena power"""
    plan, debates = parse_plan(words), parse_debate_counts(words.debates, words.most)
    check_numbers(words)
    first_look = None
    if words.pilot is not None:
        spread, is_simulated = pilot(words.db, words.pilot)
        plan, first_look = (
            with_spread(plan, spread),
            {"study": words.pilot, "simulated": is_simulated, **asdict(spread)},
        )
    from analysis.statistics.power import find_smallest, power

    draw, test = make_draw(plan, Progress()), choose_test(plan)

    def measure(number: int) -> Power:
        """The power with so many debates; the same simulated studies every time."""
        return power(draw, test, number, studies=words.studies, level=words.level, seed=words.seed)

    powers = [measure(number) for number in debates]
    found = find_smallest(measure, words.target, most=words.most, measured_powers=powers)
    settings = {
        name: getattr(words, name) for name in ("target", "most", "studies", "level", "seed")
    }
    result = {"simulated": True, **describe_plan(plan), "pilot": first_look, **settings}
    result |= {
        "powers": [power_row(plan, one) for one in powers],
        "smallest": power_row(plan, found) if found else None,
    }
    if words.json:
        print(json.dumps(result, indent=1))
    else:
        from analysis.reports.tables.power import print_power

        print_power(result)
    return 0


def parse_plan(words: argparse.Namespace) -> Plan:
    """What was asked for, or StudyError where that makes no study."""
    if words.claim == "difference" and words.against is None:
        raise StudyError(
            "a difference is between two kinds of debaters; name the other one with --against, such as --against sim/even"
        )
    if words.claim in ("above-half", "equivalence") and words.against is not None:
        raise StudyError(
            f"the claim {words.claim} is about debates against oneself, where 50% is right; leave --against out"
        )
    if words.paired is not None and words.claim != "difference":
        raise StudyError(
            f"--paired is for --claim difference; the claim {words.claim} compares no two kinds of debaters"
        )
    least = 2 if words.claim == "rise" else 1
    if not least <= words.phases <= MOST_PHASES:
        raise StudyError(
            f"--phases must lie between {least} and {MOST_PHASES} for the claim {words.claim}, found {words.phases}"
        )
    if not 0 < words.margin < 0.5:
        raise StudyError(
            f"--margin must lie between 0 and 0.5 (0.05 is 5 points), found {words.margin:g}"
        )
    one = debater(words.profile)
    other = one if words.against is None else debater(words.against)
    return Plan(
        (one.name, other.name),
        (one.profile, other.profile),
        words.claim,
        words.paired,
        words.phases,
        words.margin,
    )


def check_numbers(words: argparse.Namespace) -> None:
    """Raise StudyError for a number out of range."""
    if not 0 < words.target < 1:
        raise StudyError(
            f"--target must lie between 0 and 1 (0.8 is a power of 80%), found {words.target:g}"
        )
    if not 0 < words.level < 0.5:
        raise StudyError(
            f"--level must lie between 0 and 0.5 (0.05 is usual), found {words.level:g}"
        )
    if not 1 <= words.studies <= 1_000_000:
        raise StudyError(
            f"--studies must lie between 1 and 1,000,000, found {words.studies}; 2,000 leave an error of about 2 points"
        )
    if words.seed < 0:
        raise StudyError(f"--seed must be 0 or more, found {words.seed}")


def parse_debate_counts(text: str, most: int) -> list[int]:
    """The numbers of debates, smallest first; StudyError for anything else, or where `most` is out of range."""
    if not 2 <= most <= MOST_DEBATES:
        raise StudyError(f"--most must lie between 2 and {MOST_DEBATES:,} debates, found {most}")
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise StudyError(
            f"--debates must be whole numbers with commas between, such as 10,20,40; found {text[:40]!r}"
        ) from None
    if found[0] < 2 or found[-1] > most:
        wrong = found[0] if found[0] < 2 else found[-1]
        raise StudyError(
            f"--debates must lie between 2, which a test needs, and {most} (--most), found {wrong}"
        )
    return found


def debater(reference: str) -> SimulatedDebater:
    """The debater that a reference names; StudyError where it is no simulated debater."""
    from agents.simulated.debater import EXAMPLE, JUDGE, SOLVER, simulated_debater

    kind, _, rest = reference.partition("/")
    if kind != "sim" or rest.partition(":")[0] in (JUDGE, SOLVER):
        raise StudyError(
            f"power is planned with simulated debaters; {reference.partition('@')[0]!r} is none (for example {EXAMPLE})"
        )
    return simulated_debater(rest)


def pilot(path: Path, study: str) -> tuple[Spread, bool]:
    """What a stored study tells about its noise, and whether it is simulated; StudyError where it has too few debates."""
    import numpy as np

    from analysis.read.debates import read_records
    from analysis.statistics.power import estimate_spread

    [record] = read_records(path, study)
    debates = record.debates
    kinds: dict[tuple[str, str | None], int] = {}
    code = [
        [kinds.setdefault((arm, model), len(kinds)) for model in pair]
        for arm, pair in zip(debates.arm, debates.model, strict=True)
    ]
    found = estimate_spread(
        debates.confidence,
        debates.asked,
        np.array(code, dtype=np.int64).reshape(debates.model.shape),
    )
    if found.debates < LEAST_PILOT or isnan(found.noise):
        needed = max(LEAST_PILOT, len(kinds) + 1)
        raise StudyError(
            f"a pilot needs at least {needed} finished debates with ratings, {study} has {found.debates}; play more of it, or write what you"
            " expect into the profile, such as sim/even:noise=0.08:debate_sd=0.05"
        )
    return found, record.simulated


def with_spread(plan: Plan, spread: Spread) -> Plan:
    """The plan with the noise of a pilot; a rating is missing when the re-ask was unreadable too, so that the share is a square."""
    values = {
        "noise": min(spread.noise, 1.0),
        "debate_sd": min(spread.debate_sd, 1.0),
        "unreadable": sqrt(spread.missing),
    }
    one, other = (replace(side, **values) for side in plan.sides)
    return replace(plan, sides=(one, other))


def make_draw(plan: Plan, watch: Callable[[int], None]) -> Draw:
    """The function that draws the plan's studies; `watch` hears of each draw."""
    from agents.simulated.studies import ratings

    def draw(studies: int, debates: int, rng: Any) -> tuple[Any, ...]:
        """One (S, G, 2, P) for each kind of study."""
        watch(debates)
        pairs = [plan.sides] if plan.study_kinds == 1 else [(side, side) for side in plan.sides]
        return tuple(
            ratings(one, other, studies=studies, debates=debates, phases=plan.phases, rng=stream)
            for (one, other), stream in zip(pairs, rng.spawn(len(pairs)), strict=True)
        )

    return draw


def choose_test(plan: Plan) -> Test:
    """The test of the plan's claim."""
    from analysis.statistics.power import (
        above_half_test,
        difference_test,
        equivalence_test,
        rise_test,
    )

    match plan.claim, plan.paired:
        case "rise", _:
            return lambda found: rise_test(found[0])
        case "above-half", _:
            return lambda found: above_half_test(found[0])
        case "equivalence", _:
            return lambda found: equivalence_test(found[0], plan.margin)
        case _, "debate":
            return lambda found: difference_test(
                found[0][:, :, :1, -1], found[0][:, :, 1:, -1], paired=True
            )
        case _:
            return lambda found: difference_test(
                found[0][..., -1], found[1][..., -1], paired=plan.paired == "motion"
            )


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The plan as JSON has it: the claim, what each kind of debater is assumed to be, and the true effect with clipping and rounding."""
    kinds = [
        {"name": name, **assumptions(side, plan.phases)}
        for name, side in dict(zip(plan.names, plan.sides, strict=True)).items()
    ]
    first, last = ([kinds[k][name] for k in (0, -1)] for name in ("first", "last"))
    effect = {
        "rise": sum(last) / 2 - sum(first) / 2,
        "above-half": last[0] - 0.5,
        "equivalence": last[0] - 0.5,
        "difference": last[0] - last[1],
    }[plan.claim]
    # What adding up leaves over is no effect; and no minus in front of 0.
    effect = round(effect, 9) + 0.0
    margin = plan.margin if plan.claim == "equivalence" else None
    true = effect != 0 if margin is None else abs(effect) < margin
    found = {
        "claim": plan.claim,
        "true": true,
        "effect": effect,
        "paired": plan.paired,
        "margin": margin,
        "phases": plan.phases,
    }
    return found | {"debaters": kinds}


def assumptions(profile: Profile, phases: int) -> dict[str, float]:
    """What the model assumes of a debater: exact means of its first and last rating, and the parameters that spread them, in [0, 1]."""
    from agents.simulated.debater import expected_confidence

    own = asdict(profile)
    text = ":".join(
        ["even", *(f"{name}={own[name]!r}" for name in ("bias", "drift", "noise", "debate_sd"))]
    )
    means = {"first": expected_confidence(text, 0), "last": expected_confidence(text, phases - 1)}
    return (
        means
        | {name: own[name] for name in ("bias", "drift", *FROM_PILOT)}
        | {"missing": own["unreadable"] ** 2}
    )


def power_row(plan: Plan, power: Power) -> dict[str, float]:
    """A power with the calls that so many debates take, and about how many re-asks come on top."""
    unreadable = sum(side.unreadable for side in plan.sides) / 2
    calls = power.debates * plan.study_kinds * 2 * plan.phases
    return asdict(power) | {"calls": calls, "re_asks": round(calls * unreadable)}


class Progress:
    """Says on standard error, every two seconds, which number of debates is being simulated."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()

    def __call__(self, debates: int) -> None:
        """Hear of one draw."""
        now = time.monotonic()
        if now - self.last >= QUIET_S:
            self.last = now
            print(
                f"simulating studies of {debates} debates, {now - self.began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
