"""Show what a study was registered with as blocks: its claims first, then what departs."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.reports.blocks import Block, sentences_block, table
from analysis.reports.registered import ClaimRow, Estimate, RegisteredFindings
from analysis.reports.tables.formatting import (
    decimal,
    interval,
    number_interval,
    p_value,
    percent,
    points,
)
from arena.studies.registration import ITEMS

ADJUSTED = {"holm": "p (Holm)", "bonferroni": "p (Bonferroni)", "bh": "p (BH)"}


def registered_heading(found: RegisteredFindings | None) -> str:
    """Return what the first line of a report says of a registration; "" without one."""
    if found is None:
        return ""
    if found.fault:
        return f"; its registration {found.hash[:12]} does not count: {found.fault}"
    late = " AFTER episodes of it had begun" if found.late else ""
    return f", registered {found.registered_at} as {found.hash[:12]}{late}"


def registered_blocks(found: RegisteredFindings) -> Iterator[Block]:
    """Return the registered results, all deviations, and what was there before."""
    if found.fault:
        yield sentences_block("EXPLORATORY: no registration of this study fits its hash.")
        return
    yield claims_block(found)
    if found.deviations:
        rows = [(each.part, each.what) for each in found.deviations]
        yield table("Deviations from the registration", "of, what", rows, text_columns=2)
    else:
        yield sentences_block("Deviations from the registration: none.")
    yield table("Before the registration, and beside it", "", [], found.earlier)
    yield sentences_block(
        "EXPLORATORY: all that follows was not registered.  Numbers of the claims above stand there"
        " again, as this report was asked for."
    )


def claims_block(found: RegisteredFindings) -> Block:
    """Return the claims, each with its numbers."""
    adjusted = ADJUSTED.get(found.multiplicity, "p adjusted")
    rows = [
        (
            f"{row.claim} (primary)" if row.primary else row.claim,
            row.estimate.what,
            value(row.estimate),
            limits(row.estimate),
            p_value(row.estimate.p),
            p_value(row.p_adjusted),
        )
        for row in found.claims
    ]
    notes = [f"SHA-256 {found.hash}"]
    if found.late:
        count = f"{found.begun_before:,} episodes" if found.begun_before else "Episodes"
        notes.append(
            f"{count} of this study had begun before it was registered: what is called registered"
            " may have been chosen by its results."
        )
    if found.question:
        notes.append(f"Question: {found.question}")
    notes += expectations(found.claims)
    notes.append(
        f"Of the registered episodes, with a margin of {100 * found.margin:g} points; left out:"
        f" {found.exclusions}."
    )
    if any(each.part in ITEMS for each in found.deviations):
        notes.append("Episodes that depart in what is named below are among these.")
    if not rows:
        notes.append("No claim was registered: all results are exploratory.")
    headings = ("claim", "of", "estimate", "95% interval", "p", adjusted)
    return table(
        "REGISTERED: the claims that were registered", headings, rows, notes, text_columns=2
    )


def expectations(claims: tuple[ClaimRow, ...]) -> list[str]:
    """Return what the claims compute and test, what was expected of them, and verdicts."""
    numbers = {f"{row.claim}: {row.number}" for row in claims if row.number}
    words = {f"{row.claim}, as registered: {row.expected}" for row in claims if row.expected}
    verdicts = [
        f"{row.claim}, {row.estimate.what}: {row.estimate.verdict}"
        for row in claims
        if row.estimate.verdict
    ]
    return [*sorted(numbers), *sorted(words), *verdicts]


def value(estimate: Estimate) -> str:
    """Return the number of an estimate: a share in percent, a change in points, or a score."""
    if estimate.kind == "score":
        return decimal(estimate.value, 4)
    return points(estimate.value) if estimate.kind == "change" else percent(estimate.value)


def limits(estimate: Estimate) -> str:
    """Return the interval of an estimate."""
    return number_interval(estimate, 4) if estimate.kind == "score" else interval(estimate)
