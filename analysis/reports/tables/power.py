"""Show the power of a plan as blocks: shares in percent, effects in points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from analysis.reports.blocks import Block, document, sentences_block, table
from analysis.reports.power import DebaterAssumptions, PowerReport
from analysis.reports.tables.formatting import interval, percent, points
from analysis.reports.terminal import print_documents

SIMULATED_NOTICE = (
    "SIMULATED studies: no model was asked, and these numbers are no findings about language models"
)
DESIGNS = {
    None: "{0} debates itself in one study, {1} in another, each with so many debates; unpaired"
    " (Welch)",
    "motion": "{0} debates itself in one study, {1} in another, each with so many debates on the"
    " same motions; paired by motion and seat, as in arena compare",
    "debate": "{0} is the proposition and {1} the opposition of each debate; paired by debate",
}


def print_power(report: PowerReport, file: TextIO | None = None) -> None:
    """Print the power of a plan, to standard output or a file."""
    blocks = (
        sentences_block(*assumption_notes(report)),
        powers_block(report),
        sentences_block(answer(report)),
    )
    print_documents([document(SIMULATED_NOTICE, [], blocks)], file)


def powers_block(report: PowerReport) -> Block:
    """Return the power by the number of debates."""
    # Debaters whose replies are always readable need no column for it.
    has_re_asks = any(row.re_asks for row in report.powers)
    rows = []
    for row in report.powers:
        power = row.power
        cells = [power.debates, percent(power.share), interval(power), f"{row.calls:,}"]
        rows.append([*cells, row.re_asks] if has_re_asks else cells)
    notes = [f"The interval is the error of simulating {report.studies:,} studies, not more."]
    undefined = [
        f"{row.power.undefined:,} with {row.power.debates:,} debates"
        for row in report.powers
        if row.power.undefined
    ]
    if undefined:
        notes.append(
            "Studies whose test has no value (no spread, or fewer than 2 debates) have found"
            f" nothing: {', '.join(undefined)}."
        )
    title = f"Share of studies that find it, percent ({report.studies:,} simulated studies)"
    headings = "debates, power, 95% interval, calls" + (", re-asks" if has_re_asks else "")
    return table(title, headings, rows, notes, text_columns=0)


def assumption_notes(report: PowerReport) -> Iterator[str]:
    """Say the claim and its test, the design, the assumptions, and the effect that follows."""
    first, last = report.debaters[0].name, report.debaters[-1].name
    design = f"{first} debates {last if len(report.debaters) > 1 else 'itself'}"
    # Only a difference compares two studies, or two kinds in one.
    if report.claim == "difference":
        design = DESIGNS[report.paired].format(first, last)
    yield f"Claim: {claim_words(report)}, with debates as clusters."
    phases = f"{report.phases} phase{'s' if report.phases > 1 else ''}"
    yield f"Design: {design}. Each side rates in {phases}."
    yield from map(debater_words, report.debaters)
    if report.pilot is not None:
        spread = report.pilot.spread
        simulated = ", SIMULATED" if report.pilot.simulated else ""
        yield (
            "Noise, debate_sd and unreadable replies are those of the study"
            f" {report.pilot.study} ({spread.ratings:,} ratings in {spread.debates:,} debates"
            f"{simulated}); the effect is not. A difference that lasts between the two sides of a"
            " debate counts as noise there."
        )
    if report.paired == "motion":
        yield (
            "In this model two debates on one motion share nothing, so that pairing by motion gains"
            " nothing here; motions may differ."
        )
    # A plan with no effect is allowed: its power is then the share of false alarms.
    false = " The claim is false of these debaters, so that every study that finds it is in error."
    yield (
        f"True effect, with clipping and rounding: {points(report.effect)} points."
        f"{'' if report.true else false}"
    )


def debater_words(debater: DebaterAssumptions) -> str:
    """Say in words how a debater is assumed to rate."""
    missing = "No rating is missing."
    if debater.unreadable:
        missing = (
            f"{percent(debater.unreadable)}% of replies have no readable rating, and so has the"
            f" re-ask: {percent(debater.missing)}% of ratings are missing."
        )
    return (
        f"Assumed of {debater.name}: the first rating is {percent(debater.first)}% on average,"
        f" {points(debater.drift)} points in each further phase, {percent(debater.last)}% in the"
        f" last. Standard deviations: {percent(debater.noise)} points for each rating (noise),"
        f" {percent(debater.debate_sd)} points that all ratings of a debate share (debate_sd)."
        f" {missing}"
    )


def claim_words(report: PowerReport) -> str:
    """Say in words the claim and the test that finds it."""
    level = f"level {100 * report.level:g}%"
    margin = f"{100 * (report.margin or 0):g} points"
    return {
        "rise": f"ratings differ between the first and the last phase (two-sided, {level})",
        "above-half": f"the mean rating of the last phase differs from 50% (two-sided, {level})",
        "difference": "the mean ratings of the last phase differ between two kinds of debaters"
        f" (two-sided, {level})",
        "equivalence": f"the mean rating of the last phase is within {margin} of 50% (two one-sided"
        f" tests, each at {level})",
    }[report.claim]


def answer(report: PowerReport) -> str:
    """Say the smallest number of debates that reaches the target, or that there is none."""
    target = f"{100 * report.target:g}%"
    if report.smallest is None:
        return f"No number of debates up to {report.most:,} (--most) reaches a power of {target}."
    row = report.smallest
    power = report.smallest.power
    two_studies = report.claim == "difference" and report.paired != "debate"
    both = " in each of both studies" if two_studies else ""
    re_asks = f" and about {row.re_asks:,} re-asks" if row.re_asks else ""
    return (
        f"For a power of {target}: {power.debates:,} debates{both}, {row.calls:,} calls{re_asks}"
        f" (power {percent(power.share)}%, {interval(power)}; by bisection, with the same random"
        " numbers for every number of debates)."
    )
