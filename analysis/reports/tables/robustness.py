"""Show the checks for reviewers as blocks: percent and points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.reports.blocks import Block, sentences_block, table
from analysis.reports.debate_findings import ContestantRow, DebateFindings
from analysis.reports.robustness import EquivalenceRow, Robustness, Sensitivity
from analysis.reports.tables.claims import claim_words
from analysis.reports.tables.formatting import (
    HasMean,
    count_with_share,
    interval,
    is_defined,
    p_value,
    percent,
    points,
)
from analysis.statistics.claims import LIKE_THESE, THESE
from analysis.statistics.escalation import MixedFit
from analysis.statistics.sensitivity import Bounds, Headlines

# Of the tests of rises, after Holm's adjustment.
LEVEL = 0.05


def robustness_blocks(debates: DebateFindings) -> Iterator[Block]:
    """Return the slopes, the models' adjusted rises, other ratings, and equivalence to 50%."""
    checks = debates.robustness
    if checks is None:
        return
    notes = [*slope_notes(checks), *contestant_notes(debates.contestants)]
    yield Block("For a reviewer", notes=sentences_block(*notes).notes)
    yield sensitivity_block(checks.sensitivity, debates.rise is not None)
    yield equivalence_block(checks.equivalence or ())


def slope_notes(checks: Robustness) -> Iterator[str]:
    """Return the slope over phases with both claims, and by the mixed-effects model."""
    line = checks.slope
    mixed = checks.mixed
    if line and is_defined(line.slope):
        yield (
            f"Slope: {points(line.slope, 2)} points a phase ({claim_words(line.claims, 2)}), p"
            f" {p_value(line.p)}."
        )
    if mixed and is_defined(mixed.slope):
        deviations = (
            ("debates", mixed.sd_debate),
            ("their slopes", mixed.sd_slope),
            ("sides within debates", mixed.sd_side),
            ("the rest", mixed.sd_residual),
        )
        known = [f"{name} {percent(value)}" for name, value in deviations if is_defined(value)]
        spread = f"; standard deviations of {', '.join(known)} points" if known else ""
        yield f"Slope of the mixed-effects model, of these models: {slope_words(mixed)}{spread}."
    if mixed and mixed.note:
        # The fit is slow, so that --mixed may take only some of the debates.
        sampled = "ON A SAMPLE ONLY, " if 0 < mixed.debates < mixed.of_debates else ""
        yield f"{sampled}mixed-effects model: {mixed.note}."
    yield from motion_notes(checks)
    yield from crossed_notes(checks)


def motion_notes(checks: Robustness) -> Iterator[str]:
    """Return the headlines with motions drawn anew too, or why they cannot be."""
    known = [
        f"{row.of} {interval(row.claim)}" for row in checks.motions if is_defined(row.claim.ci_low)
    ]
    if known:
        count = checks.motions[0].claim.motions
        of = f"of models and motions like these ({count} motions)"
        yield f"95% intervals {of}: {'; '.join(known)}."


def crossed_notes(checks: Robustness) -> Iterator[str]:
    """Return the headlines by crossed random effects, with what models, debates, motions differ."""
    for row in checks.crossed or ():
        fit = row.fit
        if not is_defined(fit.ci_low):
            yield f"Crossed random effects, {row.of}: {fit.note}."
            continue
        deviations = (
            ("models", fit.sd_model),
            ("debates", fit.sd_debate),
            ("motions", fit.sd_motion),
            ("the rest", fit.sd_rest),
        )
        known = [f"{name} {percent(value)}" for name, value in deviations if is_defined(value)]
        noted = f" ({fit.note})" if fit.note else ""
        yield (
            f"Crossed random effects of models like these, {row.of}: {percent(fit.mean)} (95%"
            f" interval {interval(fit)}); standard deviations of {', '.join(known)} points{noted}."
        )


def slope_words(line: MixedFit) -> str:
    """Return a slope in words."""
    words = f"{points(line.slope, 2)} points a phase"
    if not is_defined(line.ci_low):
        return words
    return f"{words} (95% interval {interval(line, 2)}), p {p_value(line.p)}"


def contestant_notes(contestants: Sequence[ContestantRow]) -> Iterator[str]:
    """Say whose rise stands when p is adjusted for the number of contestants, if it is above 1."""
    tested = [
        (row, row.rise.mean) for row in contestants if row.rise and is_defined(row.rise_p_holm)
    ]
    if len(tested) < 2:
        return
    up = sum(row.rise_p_holm < LEVEL and rise > 0 for row, rise in tested)
    down = sum(row.rise_p_holm < LEVEL and rise <= 0 for row, rise in tested)
    # Those without a clear direction are named: they are what a reader must not conclude from.
    rest = [
        f"{row.contestant} ({p_value(row.rise_p_holm)})"
        for row, _ in tested
        if row.rise_p_holm >= LEVEL
    ]
    unclear = f"; not distinguishable from 0: {', '.join(rest)}" if rest else ""
    yield (
        f"Of {len(tested)} contestants, with p adjusted by Holm's method, {up} rise and {down} fall"
        f" at 5%{unclear}."
    )


def sensitivity_block(checks: Sensitivity, rises: bool) -> Block:
    """Return the headline numbers with other ratings, and the bounds that missing ones leave."""
    bounds = checks.bounds
    variants = [
        ("no flagged turns", checks.without_flagged),
        ("complete debates", checks.complete_debates),
    ]
    # A variant that leaves nothing out would repeat the first row.
    shown = [("as reported", checks.as_reported)] + [each for each in variants if each[1].left_out]
    rows = [headline_cells(words, row, rises) for words, row in shown]
    if bounds.missing:
        rows.append(bounds_cells(bounds, rises))
    # The first row alone compares nothing: a sentence says so.
    if len(rows) == 1:
        return sentences_block(
            "No rating of a finished debate is missing or flagged, so the headline numbers hang on"
            " no choice of ratings."
        )
    headings = "ratings taken, left out, last (95%), rise (95%), both > 75%"
    return table("The headline numbers with other ratings, percent", headings, rows)


def headline_cells(words: str, row: Headlines, rises: bool) -> tuple[object, ...]:
    """Return one row of headline numbers."""
    return (
        words,
        row.left_out,
        mean_cell(percent(row.last.mean), row.last),
        mean_cell(points(row.rise.mean), row.rise) if rises else "-",
        count_with_share(row.both.above_75, row.both.debates),
    )


def bounds_cells(bounds: Bounds, rises: bool) -> tuple[object, ...]:
    """Return the row of the bounds."""
    return (
        "missing: 0 or 100",
        f"{bounds.missing} set",
        range_cell(bounds.last_low, bounds.last_high),
        range_cell(bounds.rise_low, bounds.rise_high) if rises else "-",
        range_cell(bounds.both_above_75_low, bounds.both_above_75_high),
    )


def mean_cell(mean: str, row: HasMean) -> str:
    """Return a mean with its interval in whole percent."""
    return f"{mean} ({interval(row, 0)})" if is_defined(row.ci_low) else mean


def range_cell(low: float, high: float) -> str:
    """Return the lowest and highest that a number can be, in percent, or "-"."""
    return f"{percent(low)} to {percent(high)}" if is_defined(low) else "-"


def equivalence_block(equivalence: Sequence[EquivalenceRow]) -> Block:
    """Say whether the mean of debates of a model against itself is as good as 50%."""
    rows = []
    for row in equivalence:
        test = row.test
        claims = [(test.speaks_of, test.test)]
        if test.speaks_of == LIKE_THESE:
            claims.append((THESE, test.these))
        for claim, found in claims:
            numbers = (percent(test.mean), interval(found), p_value(found.p))
            rows.append((row.phase, claim, found.verdict, *numbers))
    margin = f"{100 * equivalence[0].test.margin:g}" if equivalence else ""
    title = f"A model against itself: is the mean within {margin} points of 50%?"
    notes = [
        "p: the larger of two one-sided tests, that the mean lies below the margin and above it;"
        " the 90% interval goes with these at 5%.  Of fewer than 20 debates that differ it"
        " reaches as far as what was not seen could move the mean."
    ]
    headings = "phase, of, verdict, mean, 90% interval, p (of two)"
    return table(title, headings, rows, notes if rows else [], text_columns=3)
