"""Show the power of a plan as blocks: shares in percent, effects and deviations in points."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan, sqrt
from typing import TextIO

from analysis.reports.blocks import Block, document, sentences_block, table
from analysis.reports.power import PowerReport, PowerRow
from analysis.reports.tables.formatting import decimal, interval, percent, points
from analysis.reports.terminal import print_documents
from analysis.statistics.claims import FEWEST_MODELS
from analysis.statistics.power import LIKE_THESE, MOTIONS, THESE
from analysis.statistics.shares import Z95

SIMULATED_NOTICE = (
    "SIMULATED studies: no model was asked, and these numbers are no findings about language models"
)
# A change that gains less is within the error of simulating.
GAIN = 0.03
ANEW = {
    THESE: "debates are drawn anew; models, motions and wordings are held fixed",
    LIKE_THESE: "debates and models are drawn anew; motions and wordings are held fixed",
    MOTIONS: "debates, models and motions are drawn anew; wordings are held fixed",
}


def print_power(report: PowerReport, file: TextIO | None = None) -> None:
    """Print the power of a plan, to standard output or a file."""
    blocks = (
        sentences_block(*assumption_notes(report)),
        sources_block(report),
        powers_block(report),
        sentences_block(*answers(report)),
    )
    print_documents([document(SIMULATED_NOTICE, [], blocks)], file)


def assumption_notes(report: PowerReport) -> Iterator[str]:
    """Say the claim and its test, the design, the assumptions, and the effect."""
    planned = as_planned(report).design
    yield f"Claim: {claim_words(report)}."
    if report.claim in ("difference", "majority"):
        yield f"It is about {THESE}, as the report's test of it is."
    else:
        yield f"It is about {report.speaks_of}: {ANEW[report.speaks_of]}."
    lineups = "each against itself" if planned.alone else "each against every other in both seats"
    words = [counted(planned.models, "model"), counted(planned.motions, "motion")]
    words += [counted(planned.wordings, "wording"), counted(planned.repeats, "play")]
    judges = f"; {counted(planned.judges, 'judge')}" if planned.judges else ""
    if report.between is None:
        yield f"Design: {words[0]}, {lineups}, {words[1]}, {words[2]}, {words[3]} of each{judges}."
    else:
        yield f"Design: two studies with so many debates each, {words[1]}, {words[3]} of each."
    effect = f"Effect: {points(report.effect)} points."
    if report.claim == "equivalence":
        false = abs(report.effect) >= (report.margin or 0)
    else:
        false = report.effect == 0
    # A plan with no effect is allowed: its power is then the share of false alarms.
    if false:
        effect += " The claim is false of it, so that every study that finds it is in error."
    yield effect
    if report.missing:
        yield f"Missing: {percent(report.missing)}% of ratings, by chance."
    if report.pilot is not None:
        simulated = ", SIMULATED" if report.pilot.simulated else ""
        yield (
            f"Variances are those of the pilot {report.pilot.study}"
            f" ({counted(report.pilot.design.debates, 'debate')} of"
            f" {counted(report.pilot.design.models, 'model')}{simulated}); the effect is not."
        )


def sources_block(report: PowerReport) -> Block:
    """Return where the variance comes from, and what of it moves the mean."""
    if report.votes is not None:
        shares = [(source, percent(share)) for source, share in report.votes.items()]
        return table("Where the variance of single readings comes from", "source, % of it", shares)
    ranged = report.pilot is not None
    kept = [row for row in report.sources if row.component.sd or row.component.high]
    rows: list[tuple[str, ...]] = []
    for row in kept:
        each = row.component
        limits = f"{percent(each.low)} to {percent(each.high)}" if each.low < each.high else "-"
        cells = [each.source, percent(each.sd), *([limits] if ranged else [])]
        rows.append((*cells, percent(row.share), each.origin))
    headings = "source, sd, " + ("80% range, " if ranged else "")
    what = "difference" if report.between else "rise" if report.claim == "rise" else "rating"
    return table(
        f"Where the variance of a {what} comes from, points",
        headings + "% of the mean's variance, from",
        rows,
        few_levels_notes(report),
    )


def few_levels_notes(report: PowerReport) -> Iterator[str]:
    """Say what no interval holds, and what the pilot could not tell."""
    planned = as_planned(report).design
    wording = sum(
        row.component.sd**2 for row in report.sources if row.component.source == "wording"
    )
    if wording:
        off = sqrt(wording / planned.wordings)
        yield (
            f"No interval draws wordings anew: with {counted(planned.wordings, 'wording')} the mean"
            f" is that of these words, and others may move it by {percent(off)} points (one"
            " standard deviation)."
        )


def powers_block(report: PowerReport) -> Block:
    """Return the power by number of debates, or of changes at the same cost."""
    priced = any(row.usd is not None for row in report.rows)
    both = any(row.these is not None for row in report.rows)
    ranged = any(not isnan(row.low) for row in report.rows)
    headings = [*(["change"] if report.by_change else []), "debates", "power"]
    headings += [*(["pilot's range"] if ranged else []), "half-width"]
    headings += ["of these models: power", "half-width"] if both else []
    headings += ["$"] if priced else []
    rows = []
    for row in report.rows:
        cells = [*([row.change] if report.by_change else []), str(row.design.debates)]
        cells.append(percent(row.power.share))
        if ranged:
            cells.append("-" if isnan(row.low) else f"{percent(row.low)} to {percent(row.high)}")
        cells.append(percent(row.power.half_width))
        if both:
            these = row.these
            cells += [percent(these.share), percent(these.half_width)] if these else ["-", "-"]
        rows.append([*cells, decimal(row.usd, 2)] if priced else cells)
    title = f"{same_cost(report)}, the best first" if report.by_change else "By number of debates"
    error = percent(Z95 * sqrt(0.25 / report.studies))
    notes = [
        "Power: percent of simulated studies that find it, with an error of up to"
        f" {error} points for only {report.studies:,} studies. Half-width: of the report's 95%"
        " interval, in points."
    ]
    notes += few_models_notes(report) if ranged else []
    return table(title, headings, rows, notes, text_columns=int(report.by_change))


def few_models_notes(report: PowerReport) -> Iterator[str]:
    """Say what the pilot's range is."""
    if report.pilot is not None:
        yield (
            "The pilot's range: the power where its variances are at the ends of their 80% ranges;"
            f" {counted(report.pilot.design.models, 'model')} tell that of models no better."
        )


def claim_words(report: PowerReport) -> str:
    """Say in words the claim and the test that finds it."""
    level = f"level {100 * report.level:g}%"
    margin = f"{100 * (report.margin or 0):g} points"
    return {
        "rise": f"ratings differ between the first and the last phase (two-sided, {level})",
        "above-half": f"the mean rating of the last phase differs from 50% (two-sided, {level})",
        "difference": f"the mean ratings of the last phase differ between two {report.between},"
        f" debate by debate as in arena compare (two-sided, {level})",
        "equivalence": f"the mean rating of the last phase is within {margin} of 50% (two one-sided"
        f" tests, each at {level})",
        "majority": "the surer side wins more or less than half of the debates by the majority of"
        f" the panel, each judge in both orders (two-sided, {level})",
    }[report.claim]


def answers(report: PowerReport) -> Iterator[str]:
    """Say what to do: how many debates, or what to add, or that nothing helps."""
    planned = as_planned(report)
    models = planned.design.models
    target = f"{100 * report.target:g}%"
    if report.speaks_of != THESE and models < FEWEST_MODELS:
        yield (
            f"With {counted(models, 'model')} no number of debates helps to speak for models like"
            f" these: below {FEWEST_MODELS} models the report has no such interval. What could be"
            f" claimed is about {THESE}: power {these_words(planned)}."
        )
    elif isnan(planned.power.share):
        yield (
            f"With {counted(planned.design.motions, 'motion')} there is no interval of motions like"
            f" these: below {FEWEST_MODELS} motions the report has none. Plan more of them"
            " (--motions), or speak of models alone."
        )
    elif report.ceiling is not None and report.ceiling < report.target:
        yield (
            f"With {counted(models, 'model')} no number of debates brings more than"
            f" {percent(report.ceiling, 0)}%: other models would have other means."
        )
    if report.by_change:
        yield best_words(report, planned)
    elif report.smallest is not None:
        yield f"For a power of {target}: {row_words(report.smallest)}."
    elif planned.power.share >= 0 and not (report.ceiling or 1.0) < report.target:
        yield f"No number of debates up to {report.most:,} (--most) reaches a power of {target}."
    if report.models_needed is not None:
        yield (
            f"For a power of {target} with {report.models_needed.design.debates} debates:"
            f" {row_words(report.models_needed)}."
        )


def best_words(report: PowerReport, planned: PowerRow) -> str:
    """Say which change at the same cost gains most, if one does."""
    best, cost = report.rows[0], same_cost(report)
    if isnan(best.power.share) or best.power.share - planned.power.share < GAIN:
        narrower = min(report.rows, key=lambda row: row.power.half_width)
        width, now = (percent(row.power.half_width) for row in (narrower, planned))
        if isnan(planned.power.share) or width == now:
            return f"{cost} no change gains more than the error of simulating."
        return (
            f"{cost} no change gains power beyond the error of simulating;"
            f" {narrower.change} makes the interval narrowest ({width} instead of {now} points)."
        )
    share, width = percent(best.power.share), percent(best.power.half_width)
    if isnan(planned.power.share):
        return f"{cost} best: {best.change} (power {share}%, half-width {width} points)."
    return (
        f"{cost} best: {best.change} (power {share} instead of"
        f" {percent(planned.power.share)}%, half-width {width} instead of"
        f" {percent(planned.power.half_width)} points)."
    )


def same_cost(report: PowerReport) -> str:
    """Say what the changes have in common: judges without a price cost what nobody knows."""
    judged = report.votes is not None and report.rows[0].usd is None
    return "With as many debates" if judged else "At the same cost"


def row_words(row: PowerRow) -> str:
    """Say a design and its power."""
    usd = "" if row.usd is None else f", ${row.usd:,.2f}"
    what = row.change or counted(row.design.debates, "debate")
    return f"{what}{usd} (power {percent(row.power.share)}%, {interval(row.power)}; by bisection)"


def these_words(row: PowerRow) -> str:
    """Say the power of the claim about these models."""
    if row.these is None:
        return "-"
    return f"{percent(row.these.share)}% with {counted(row.design.debates, 'debate')}"


def as_planned(report: PowerReport) -> PowerRow:
    """Return the row of the design that was asked for."""
    return next((row for row in report.rows if row.change in ("", "as planned")), report.rows[0])


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
