"""The power of a plan as plain tables, in the manner of analysis/reports/tables/debates.py: shares in percent, effects in points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from analysis.reports.tables.formatting import WIDTH, interval, percent, print_block, say

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]
SIMULATED_NOTICE = (
    "SIMULATED studies: no model was asked, and these numbers are no findings about language models"
)
FALSE_CLAIM_NOTE = (
    " The claim is false of these debaters, so that every study that finds it is in error."
)
DESIGNS = {
    None: "{0} debates itself in one study, {1} in another, each with so many debates; unpaired (Welch)",
    "motion": "{0} debates itself in one study, {1} in another, each with so many debates on the same motions; paired by motion and seat, as"
    " in arena compare",
    "debate": "{0} is the proposition and {1} the opposition of each debate; paired by debate",
}


def print_power(plan: Json, file: TextIO | None = None) -> None:
    """Print the object that `arena power --json` gives, to standard output or a file."""
    from rich.console import Console

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    say(console, SIMULATED_NOTICE)
    say(console, "=" * min(console.width, len(SIMULATED_NOTICE)))
    print_assumptions(console, plan)
    rows = [
        [one["debates"], percent(one["share"]), interval(one), f"{one['calls']:,}", one["re_asks"]]
        for one in plan["powers"]
    ]
    headings = ["debates", "power", "95% interval", "calls", "re-asks"]
    if not any(one["re_asks"] for one in plan["powers"]):
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    notes = [f"The interval is the error of simulating {plan['studies']:,} studies, not more."]
    undefined = [
        f"{one['undefined']:,} with {one['debates']:,} debates"
        for one in plan["powers"]
        if one["undefined"]
    ]
    if undefined:
        notes.append(
            f"Studies whose test has no value (no spread, or fewer than 2 debates) have found nothing: {', '.join(undefined)}."
        )
    console.print()
    print_block(
        console,
        f"Share of studies that find it, percent ({plan['studies']:,} simulated studies)",
        headings,
        rows,
        notes,
        text_columns=0,
    )
    say(console, answer(plan))


def print_assumptions(console: Console, plan: Json) -> None:
    """The claim and its test, who debates, what the model assumes of them, and the effect that follows, in words."""
    names = [one["name"] for one in plan["debaters"]]
    if plan["claim"] == "difference":
        design = DESIGNS[plan["paired"]].format(names[0], names[-1])
    else:
        design = f"{names[0]} debates {names[1] if len(names) > 1 else 'itself'}"
    say(console, f"Claim: {claim(plan)}, with debates as clusters.")
    say(
        console,
        f"Design: {design}. Each side rates in {plan['phases']} phase{'s' if plan['phases'] > 1 else ''}.",
    )
    for one in plan["debaters"]:
        say(console, assumption_words(one))
    if plan["pilot"] is not None:
        pilot = plan["pilot"]
        size = f"{pilot['ratings']:,} ratings in {pilot['debates']:,} debates{', SIMULATED' if pilot['simulated'] else ''}"
        say(
            console,
            f"Noise, debate_sd and unreadable replies are those of the study {pilot['study']} ({size}); the effect is not. A difference that"
            " lasts between the two sides of a debate counts as noise there.",
        )
    if plan["paired"] == "motion":
        say(
            console,
            "In this model two debates on one motion share nothing, so that pairing by motion gains nothing here; motions may differ.",
        )
    say(
        console,
        f"True effect, with clipping and rounding: {100 * plan['effect']:+.1f} points.{'' if plan['true'] else FALSE_CLAIM_NOTE}",
    )


def assumption_words(debater: Json) -> str:
    """What the model assumes of a debater."""
    missing = " No rating is missing."
    if debater["unreadable"]:
        missing = (
            f" {percent(debater['unreadable'])}% of replies have no readable rating, and so has the re-ask: {percent(debater['missing'])}% of"
            " ratings are missing."
        )
    return (
        f"Assumed of {debater['name']}: the first rating is {percent(debater['first'])}% on average, {100 * debater['drift']:+.1f} points in"
        f" each further phase, {percent(debater['last'])}% in the last. Standard deviations: {percent(debater['noise'])} points for each rating"
        f" (noise), {percent(debater['debate_sd'])} points that all ratings of a debate share (debate_sd).{missing}"
    )


def claim(plan: Json) -> str:
    """What is claimed, and the test that finds it."""
    level, margin = f"level {100 * plan['level']:g}%", f"{100 * (plan['margin'] or 0):g} points"
    return {
        "rise": f"ratings differ between the first and the last phase (two-sided, {level})",
        "above-half": f"the mean rating of the last phase differs from 50% (two-sided, {level})",
        "difference": f"the mean ratings of the last phase differ between two kinds of debaters (two-sided, {level})",
        "equivalence": f"the mean rating of the last phase is within {margin} of 50% (two one-sided tests, each at {level})",
    }[plan["claim"]]


def answer(plan: Json) -> str:
    """The smallest number of debates that reaches the target, or that there is none."""
    found, target = plan["smallest"], f"{100 * plan['target']:g}%"
    if found is None:
        return f"No number of debates up to {plan['most']:,} (--most) reaches a power of {target}."
    both = (
        " in each of both studies"
        if plan["claim"] == "difference" and plan["paired"] != "debate"
        else ""
    )
    re_asks = f" and about {found['re_asks']:,} re-asks" if found["re_asks"] else ""
    return (
        f"For a power of {target}: {found['debates']:,} debates{both}, {found['calls']:,} calls{re_asks}"
        f" (power {percent(found['share'])}%, {interval(found)}; by bisection, with the same random numbers for every number of debates)."
    )
