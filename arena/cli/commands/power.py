"""`arena power`: how many debates are needed to see an effect, by simulated studies."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from arena.cli.commands import Command
from arena.cli.commands.power_plan import (
    Plan,
    assumptions,
    check_share,
    choose_test,
    make_draw,
    parse_plan,
    read_pilot,
    true_effect,
    with_spread,
)
from arena.errors import StudyError

if TYPE_CHECKING:
    from analysis.reports.power import PowerRow
    from analysis.statistics.power import Power

CLAIMS = ("rise", "above-half", "difference", "equivalence")
# A hundred studies of this size still fit into the memory of a small machine.
MOST_DEBATES = 20_000
QUIET_S = 2.0


# Option, type, default, name of its value, help.
# Check ranges in check_numbers and parse_plan: argparse would not say what to do.
NUMBERS: tuple[tuple[str, type, float, str, str], ...] = (
    ("--phases", int, 3, "N", "ratings of each side in a debate (default: 3)"),
    ("--margin", float, 5.0, "POINTS", "of equivalence (default: 5, for 5 points)"),
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
        "how many debates are needed to see an effect, by simulated studies (SIMULATED, asks no"
        " model)",
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
        help="rise: ratings move from the first to the last phase; above-half: in the last phase"
        " their mean is not 50%%; difference: in the last phase the two kinds differ; equivalence:"
        " in the last phase the mean is within the margin of 50%% (default: rise)",
    )
    power.add_argument(
        "--paired",
        choices=("motion", "debate"),
        help="difference: the two studies share their motions, or the two kinds meet in each debate"
        " (default: two studies, unpaired)",
    )
    power.add_argument(
        "--debates",
        default="10,20,40,80,160",
        metavar="N,N",
        help="numbers of debates (default: 10,20,40,80,160)",
    )
    for option, kind, default, metavar, help in NUMBERS:
        power.add_argument(option, type=kind, default=default, metavar=metavar, help=help)
    power.add_argument(
        "--pilot",
        metavar="STUDY",
        help="take noise, debate_sd and unreadable from this study of the store, not the effect",
    )
    power.add_argument("--json", action="store_true", help="as JSON")


def show_power(words: argparse.Namespace) -> int:
    """Run `arena power`."""
    plan = parse_plan(words)
    debates = parse_debate_counts(words.debates, words.most)
    check_numbers(words)
    # Check all options before a simulation that may take minutes.
    pilot = None if words.pilot is None else read_pilot(words.db, words.pilot)
    if pilot is not None:
        plan = with_spread(plan, pilot.spread)
    # Numpy and scipy load now, not when `arena --help` runs.
    from analysis.reports.plain_json import json_object
    from analysis.reports.power import PowerReport
    from analysis.statistics.power import find_smallest, power

    draw = make_draw(plan, Progress())
    test = choose_test(plan, words.level)

    def measure(number: int) -> Power:
        """Return the power with so many debates; the same simulated studies every time."""
        return power(draw, test, number, studies=words.studies, level=words.level, seed=words.seed)

    powers = [measure(number) for number in debates]
    smallest = find_smallest(measure, words.target, most=words.most, measured_powers=powers)
    debaters = assumptions(plan)
    effect, is_true = true_effect(plan, debaters)
    result = PowerReport(
        simulated=True,
        claim=plan.claim,
        true=is_true,
        effect=effect,
        paired=plan.paired,
        margin=plan.margin if plan.claim == "equivalence" else None,
        phases=plan.phases,
        debaters=debaters,
        pilot=pilot,
        **{name: getattr(words, name) for name in ("target", "most", "studies", "level", "seed")},
        powers=tuple(power_row(plan, each) for each in powers),
        smallest=power_row(plan, smallest) if smallest else None,
    )
    if words.json:
        print(json.dumps(json_object(result), indent=1))
    else:
        from analysis.reports.tables.power import print_power

        print_power(result)
    return 0


def power_row(plan: Plan, power: Power) -> PowerRow:
    """Return a power with the calls that so many debates take, and about how many re-asks."""
    from analysis.reports.power import PowerRow

    unreadable = sum(side.unreadable for side in plan.sides) / 2
    calls = power.debates * plan.study_kinds * 2 * plan.phases
    return PowerRow(power, calls, round(calls * unreadable))


def check_numbers(words: argparse.Namespace) -> None:
    """Raise StudyError for a number out of range."""
    check_share("target", words.target, below=1, example="0.8 is a power of 80%")
    check_share("level", words.level, below=0.5, example="0.05 is usual")
    if not 1 <= words.studies <= 1_000_000:
        raise StudyError(
            f"--studies must lie between 1 and 1,000,000, found {words.studies};"
            " 2,000 leave an error of about 2 points"
        )
    if words.seed < 0:
        raise StudyError(f"--seed must be 0 or more, found {words.seed}")


def parse_debate_counts(text: str, most: int) -> list[int]:
    """Return the numbers of debates, smallest first.

    Raises StudyError for anything else, and if `most` is out of range.
    """
    if not 2 <= most <= MOST_DEBATES:
        raise StudyError(f"--most must lie between 2 and {MOST_DEBATES:,} debates, found {most}")
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise StudyError(
            "--debates must be whole numbers with commas between, such as 10,20,40; found"
            f" {text[:40]!r}"
        ) from None
    if counts[0] < 2 or counts[-1] > most:
        wrong = counts[0] if counts[0] < 2 else counts[-1]
        raise StudyError(
            f"--debates must lie between 2, which a test needs, and {most} (--most), found {wrong}"
        )
    return counts


class Progress:
    """Says every two seconds, on standard error, how far the simulation has come."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()

    def __call__(self, debates: int) -> None:
        """Report a draw of studies with so many debates, unless it is too early to."""
        now = time.monotonic()
        # Quick plans say nothing: a line a draw would bury the table.
        if now - self.last >= QUIET_S:
            self.last = now
            print(
                f"simulating studies of {debates} debates, {now - self.began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
