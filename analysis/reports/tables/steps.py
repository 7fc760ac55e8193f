"""Show how sure both sides are, and each contestant against 50% and from phase to phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.reports.blocks import Block, table
from analysis.reports.debate_findings import DebateFindings
from analysis.reports.steps import ContestantDetails, PatternRow
from analysis.reports.tables.claims import claim_cells, claim_headings
from analysis.reports.tables.formatting import (
    count_with_share,
    decimal,
    is_defined,
    mean_with_interval,
    p_value,
    percent,
    points,
)

MORE = "Each {noun} against 50% and from phase to phase: --details."


def step_words(debates: DebateFindings) -> list[str]:
    """Say what part of the rise each step between two phases has, where there are several."""
    known = [
        f"{points(row.change.mean, 2)} from {row.start} to {row.end}"
        for row in debates.steps
        if is_defined(row.change.mean)
    ]
    return [f"Step by step: {', '.join(known)}."] if len(known) > 1 else []


def pattern_words(debates: DebateFindings) -> list[str]:
    """Say in one sentence which levels of confidence meet in the last phase."""
    rows = [row.pattern for row in debates.patterns]
    whole = sum(row.debates for row in rows)
    if not whole:
        return []
    alike = [row for row in rows if row.lower == row.higher]
    counts = [f"{row.lower}: {count_with_share(row.debates, whole)}" for row in alike]
    mixed = whole - sum(row.debates for row in alike)
    return [
        f"In {debates.phases[-1].phase} both sides {'; '.join(counts)}; mixed:"
        f" {count_with_share(mixed, whole)}."
    ]


def details_blocks(debates: DebateFindings, noun: str) -> Iterator[Block]:
    """Return the patterns and the tables by contestant, where the details were asked for."""
    rows = debates.by_contestant
    if rows is None:
        return
    yield pattern_block(debates.patterns, debates.phases[-1].phase)
    # What stands between can be read off the steps, and is in the JSON.
    ends = sorted({0, len(debates.phases) - 1})
    for at in ends:
        yield half_block(rows, at, noun, explain=at == ends[-1])
    yield steps_block(rows, noun)


def pattern_block(patterns: Sequence[PatternRow], phase: str) -> Block:
    """Return how many debates have sides of which levels of confidence."""
    scopes = claim_headings([row.pattern.claims for row in patterns])
    rows = [
        (
            f"both {row.lower}" if row.lower == row.higher else f"{row.lower} and {row.higher}",
            row.debates,
            percent(row.share),
            *claim_cells(row.claims, scopes),
        )
        for row in (each.pattern for each in patterns)
    ]
    headings = ("one side and the other", "debates", "share", *scopes)
    return table(f"Both sides of a debate in {phase}, percent", headings, rows)


def half_block(
    contestants: Sequence[ContestantDetails], at: int, noun: str, *, explain: bool
) -> Block:
    """Return each contestant's ratings of one phase against 50%; `explain` says what p is."""
    rows = []
    phase = ""
    for contestant in contestants:
        if at >= len(contestant.against_half):
            continue
        test = contestant.against_half[at]
        phase = test.phase
        moments = percent(test.mean), decimal(test.sd, 1, scale=100)
        tests = (
            *(test.p, test.p_holm, test.p_t, test.p_t_holm),
            *(test.p_wilcoxon, test.p_wilcoxon_holm),
        )
        rows.append((contestant.contestant, test.n, *moments, *map(p_value, tests)))
    notes = [
        "p: two-sided, of further debates of the same contestant, whose ratings of one debate"
        " depend on each other. t, Wilcoxon: the published tests for a mean above 50%, one-sided,"
        " ratings taken as independent. Holm: the p before it, adjusted for the number of"
        f" contestants ({len(rows)}). -: all ratings are the same."
    ]
    headings = (noun, "n", "mean", "sd", "p", "Holm", "t", "Holm", "Wilcoxon", "Holm")
    return table(f"By {noun} against 50%, {phase}", headings, rows, notes if explain else ())


def steps_block(contestants: Sequence[ContestantDetails], noun: str) -> Block:
    """Return each contestant's change from phase to phase."""
    rows = []
    headings = [noun]
    for contestant in contestants:
        cells: list[object] = [contestant.contestant]
        for step in contestant.steps:
            cells += [mean_with_interval(step.change), p_value(step.p_holm)]
        rows.append(cells)
    for step in contestants[0].steps if contestants else ():
        headings += [f"{step.start} to {step.end}", "Holm"]
    notes = [
        "95% intervals with debates as clusters. Holm: the two-sided p, adjusted for the number of"
        " contestants; the published one-sided p is in --json."
    ]
    has_steps = len(headings) > 1
    title = f"By {noun} from phase to phase, points"
    return table(title, headings, rows if has_steps else (), notes if has_steps else ())
