"""`arena power`: how many debates show an effect, and what to add for a budget."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from arena.cli.commands import Command, add_flag, add_repeatable, margin_share
from arena.errors import StudyError

if TYPE_CHECKING:
    from analysis.reports.pilot import Pilot
    from analysis.reports.power import Plan
    from analysis.statistics.designs import Component, Design
    from analysis.statistics.variance_parts import VariancePart

CLAIMS = {"rise": 5.0, "above-half": 5.0, "equivalence": 0.0, "difference": 5.0, "majority": 10.0}
SPEAKS_OF = {
    "models": "models like these",
    "motions": "models and motions like these",
    "these": "these models",
}
# What a debate shares is said shorter here than in the report.
SHORT = {
    "the same debate": "debate",
    "the same repeat": "repeat",
    "one side in one debate": "rest",
}
# A hundred studies of this size still fit into the memory of a small machine.
MOST_DEBATES = 20_000
MOST_OF_ANY = 1_000
DEBATES = "20,40,80,160,320"
QUIET_S = 2.0
# What there is of everything without a pilot; the published debates had so many models and motions.
COUNTS = {"models": 10, "motions": 6, "wordings": 1, "repeats": 1, "judges": 3}

# Option, type, default, name of its value, help.
# Check ranges in check_numbers and make_plan: argparse would not say what to do.
NUMBERS: tuple[tuple[str, type, float | None, str, str], ...] = (
    ("--effect", float, None, "POINTS", "effect expected (default: 5, majority 10, equivalence 0)"),
    ("--margin", float, 5.0, "POINTS", "of equivalence (default: 5, for 5 points)"),
    *(
        (f"--{name}", int, None, "N", f"how many (default: as the pilot has, else {number})")
        for name, number in COUNTS.items()
    ),
    ("--missing", float, None, "SHARE", "of ratings that cannot be read (default: the pilot's)"),
    ("--budget-usd", float, None, "X", "instead of --debates: as many as it pays for"),
    ("--debate-usd", float, None, "X", "the price of a debate (default: of the pilot's calls)"),
    ("--judging-usd", float, None, "X", "of one judge's readings of a debate, likewise"),
    ("--target", float, 0.8, "X", "the power that is wanted (default: 0.8)"),
    ("--most", int, 2000, "N", "look no further than so many debates (default: 2000)"),
    ("--studies", int, 2000, "N", "simulated studies (default: 2000)"),
    ("--level", float, 0.05, "X", "of the two-sided test, or of each of two (default: 0.05)"),
    ("--seed", int, 0, "N", "another one gives other simulated studies (default: 0)"),
)


def add(command: Command) -> None:
    """Add the command that plans."""
    power = command(
        "power",
        show_power,
        "how many debates show an effect, and what to add for a budget (SIMULATED, asks no model)",
    )
    power.add_argument(
        "--claim",
        choices=tuple(CLAIMS),
        default="rise",
        help="rise: ratings move from the first to the last phase; above-half: in the last phase"
        " their mean is not 50%%; equivalence: it is within the margin of 50%%; difference: it"
        " differs between two arms or models; majority: the surer side wins by the majority of a"
        " panel (default: rise)",
    )
    power.add_argument(
        "--between",
        choices=("arms", "models"),
        help="difference: of two arms with the same debates, or of two models that each debate"
        " themselves on the same motions (default: arms)",
    )
    power.add_argument(
        "--speaks-of",
        choices=tuple(SPEAKS_OF),
        default="models",
        help="whom the claim is about: models like these, models and motions like these, or these"
        " models alone (default: models)",
    )
    power.add_argument(
        "--lineups",
        choices=("pairs", "self"),
        help="every model meets every other, or itself (default: the pilot's; else self for"
        " above-half and equivalence)",
    )
    power.add_argument(
        "--debates",
        metavar="N[,N]",
        help=f"one number: what to change at the same cost; several: their power (default:"
        f" {DEBATES})",
    )
    power.add_argument(
        "--pilot",
        metavar="STUDY",
        help="take variances, counts and prices from this study of the store, not the effect",
    )
    add_repeatable(
        power,
        "--sd",
        metavar="SOURCE=POINTS",
        help="a standard deviation: model, opponent, motion, wording, model by motion, model by"
        " wording, debate, repeat or rest (default: of the pilot, else as published)",
    )
    for option, kind, default, metavar, help in NUMBERS:
        power.add_argument(option, type=kind, default=default, metavar=metavar, help=help)
    add_flag(power, "--json", "as JSON")


def show_power(words: argparse.Namespace) -> int:
    """Run `arena power`."""
    # Check all options before a simulation that may take seconds.
    check_numbers(words)
    # Numpy and scipy load now, not when `arena --help` runs.
    from analysis.reports.pilot import read_pilot
    from analysis.reports.plain_json import json_object
    from analysis.reports.power import power_report

    pilot = None if words.pilot is None else read_pilot(words.db, words.pilot)
    plan = make_plan(words, pilot)
    result = power_report(plan, pilot, Progress())
    if words.json:
        print(json.dumps(json_object(result), indent=1))
    else:
        from analysis.reports.tables.power import print_power

        print_power(result)
    return 0


def make_plan(words: argparse.Namespace, pilot: Pilot | None) -> Plan:
    """Return the plan that the options ask for; raise StudyError if that makes no study."""
    from analysis.reports.pilot import vote_shares
    from analysis.reports.power import SPLITS, Plan

    if words.between is not None and words.claim != "difference":
        raise StudyError(
            f"--between is for --claim difference; the claim {words.claim} compares nothing"
        )
    between: Literal["arms", "models"] | None = None
    if words.claim == "difference":
        between = words.between or "arms"
    split, _ = SPLITS[words.claim]
    parts = pilot.parts.get(split, ()) if pilot is not None else ()
    if pilot is not None and not parts:
        what = "verdicts" if split == "votes" else "ratings in a first and a last phase"
        raise StudyError(
            f"the claim {words.claim} needs {what}, and the pilot {pilot.study} has none; leave"
            " --pilot out to plan with the published variances"
        )
    design = design_of(words, pilot.design if pilot is not None else None)
    votes, _ = vote_shares(parts if split == "votes" else ())
    effect = CLAIMS[words.claim] if words.effect is None else words.effect
    missing = words.missing
    if missing is None:
        missing = pilot.missing if pilot is not None else 0.0
    plan = Plan(
        words.claim,
        between,
        SPEAKS_OF[words.speaks_of],
        effect / 100,
        margin_share(words.margin) if words.claim == "equivalence" else None,
        design,
        (),
        () if split == "votes" else sources(words.sd, split, parts),
        votes,
        missing,
        prices(words, pilot),
        **{
            name: getattr(words, name)
            for name in ("budget_usd", "target", "most", "studies", "level", "seed")
        },
    )
    return replace(plan, debates=debate_counts(words, plan))


def design_of(words: argparse.Namespace, pilot: Design | None) -> Design:
    """Return the design that the options ask for, by default that of the pilot."""
    from analysis.statistics.designs import Design

    counts = {}
    for name, usual in COUNTS.items():
        known = usual if pilot is None else getattr(pilot, name)
        number = getattr(words, name)
        counts[name] = number if number is not None else max(known, 1)
        if not 1 <= counts[name] <= MOST_OF_ANY:
            raise StudyError(
                f"--{name} must lie between 1 and {MOST_OF_ANY:,}, found {counts[name]}"
            )
    alone = words.claim in ("above-half", "equivalence") if pilot is None else pilot.alone
    if words.lineups is not None:
        alone = words.lineups == "self"
    if not alone and counts["models"] < 2:
        raise StudyError(
            "one model has nobody to meet; give --models 2 or more, or --lineups self, in which"
            " each debates itself"
        )
    if words.claim != "majority":
        # Nobody needs to be judged to say how sure he is.
        counts["judges"] = 0 if words.judges is None else counts["judges"]
    return Design(0, alone=alone, **counts)


def sources(given: list[str], split: str, parts: tuple[VariancePart, ...]) -> tuple[Component, ...]:
    """Return what is assumed of the sources of variance, by the options --sd and the pilot."""
    from analysis.reports.pilot import components
    from analysis.statistics.designs import SOURCES

    names = {SHORT.get(source, source): source for source in SOURCES}
    sds = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            sd = float(number)
        except ValueError:
            sd = -1.0
        if name not in names or not 0 <= sd <= 50:
            raise StudyError(
                f"--sd is SOURCE=POINTS, from 0 to 50, such as model=7; found {text[:60]!r}; the"
                f" sources are {', '.join(names)}"
            )
        sds[names[name]] = sd / 100
    return components(split, parts, sds)


def prices(words: argparse.Namespace, pilot: Pilot | None) -> tuple[float, float] | None:
    """Return the dollars of a debate and of a judge's readings of it, None if not known."""
    known: tuple[float | None, float | None] = (None, None)
    if pilot is not None:
        known = (pilot.prices.debate_usd, pilot.prices.judging_usd)
    given = (words.debate_usd, words.judging_usd)
    for option, value in zip(("debate", "judging"), given, strict=True):
        if value is not None and not 0 <= value < float("inf"):
            raise StudyError(f"--{option}-usd must be a price in dollars, found {value:g}")
    debate, judging = (
        value if value is not None else price for value, price in zip(given, known, strict=True)
    )
    judged = words.claim == "majority" or words.judges is not None
    if debate is None or (judged and judging is None):
        if words.budget_usd is not None:
            missing = "--debate-usd" if debate is None else "--judging-usd"
            raise StudyError(
                f"--budget-usd needs to know what a debate costs; give {missing} in dollars, or a"
                " pilot whose calls have a price"
            )
        return None
    return debate, judging or 0.0


def debate_counts(words: argparse.Namespace, plan: Plan) -> tuple[int, ...]:
    """Return the numbers of debates, smallest first; raise StudyError if there is none.

    One that a budget pays for is the only one.
    """
    if plan.budget_usd is not None:
        if words.debates is not None:
            raise StudyError("give --budget-usd or --debates: one follows from the other")
        from analysis.reports.power import cost

        one = cost(plan, replace(plan.design, debates=1)) or 0.0
        most = MOST_DEBATES if one <= 0 else int(plan.budget_usd / one + 1e-9)
        if most < 2:
            raise StudyError(
                f"a test needs 2 debates; at ${one:.3g} each ${plan.budget_usd:g} pays for {most}"
            )
        return (min(most, MOST_DEBATES),)
    try:
        counts = sorted({int(part) for part in (words.debates or DEBATES).split(",")})
    except ValueError:
        raise StudyError(
            "--debates must be whole numbers with commas between, such as 10,20,40; found"
            f" {words.debates[:40]!r}"
        ) from None
    if counts[0] < 2 or counts[-1] > MOST_DEBATES:
        wrong = counts[0] if counts[0] < 2 else counts[-1]
        raise StudyError(
            f"--debates must lie between 2, which a test needs, and {MOST_DEBATES:,}, found {wrong}"
        )
    return tuple(counts)


def check_numbers(words: argparse.Namespace) -> None:
    """Raise StudyError for a number out of range."""
    shares = [
        ("target", words.target, 0.0, 1.0, "0.8 is a power of 80%"),
        ("level", words.level, 0.0, 0.5, "0.05 is usual"),
    ]
    if words.missing is not None:
        shares.append(("missing", words.missing, -1e-9, 1.0, "0.05 for one in twenty"))
    for option, value, above, below, example in shares:
        if not above < value < below:
            raise StudyError(
                f"--{option} must lie between 0 and {below:g} ({example}), found {value:g}"
            )
    effect = words.effect if words.effect is not None else 0.0
    limit = 100 if words.claim in ("rise", "difference") else 50
    if not -limit < effect < limit:
        raise StudyError(
            f"--effect is in points of percent, between -{limit} and {limit} for the claim"
            f" {words.claim}, found {effect:g}"
        )
    if words.budget_usd is not None and not 0 < words.budget_usd < float("inf"):
        raise StudyError(f"--budget-usd must be above 0, found {words.budget_usd:g}")
    if not 1 <= words.studies <= 1_000_000:
        raise StudyError(
            f"--studies must lie between 1 and 1,000,000, found {words.studies};"
            " 2,000 leave an error of about 2 points"
        )
    if not 2 <= words.most <= MOST_DEBATES:
        raise StudyError(
            f"--most must lie between 2 and {MOST_DEBATES:,} debates, found {words.most}"
        )
    if words.seed < 0:
        raise StudyError(f"--seed must be 0 or more, found {words.seed}")


class Progress:
    """Says every two seconds, on standard error, how far the simulation has come."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()

    def __call__(self, design: Design) -> None:
        """Report a draw of studies of this design, unless it is too early to."""
        now = time.monotonic()
        # Quick plans say nothing: a line a draw would bury the table.
        if now - self.last >= QUIET_S:
            self.last = now
            print(
                f"simulating studies of {design.debates} debates of {design.models} models,"
                f" {now - self.began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
