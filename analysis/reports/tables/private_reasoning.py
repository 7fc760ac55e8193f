"""Show private reasoning against the stated number, and tokens and dollars, as blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.read.usage import StudyUsage, Usage
from analysis.reports.blocks import Block, sentences_block, table
from analysis.reports.private_reasoning import PrivateReasoning
from analysis.reports.tables.formatting import (
    decimal,
    interval,
    number_interval,
    percent,
    points,
)
from analysis.statistics.bootstrap import Interval
from arena.text import pluralize

PUBLISHED = "as published (no calls of ours)"
UNKNOWN = "Tokens and dollars are not known: neither calls nor published counts are in the store."


def private_reasoning_blocks(found: PrivateReasoning) -> Iterator[Block]:
    """Return the shares of aligned numbers by rater, and how far each two raters agree."""
    rows = [
        (
            row.rater,
            row.labels,
            row.no_label,
            *map(share_cell, (row.aligned, row.overstated, row.understated)),
            points(row.difference.mean),
        )
        for row in found.raters
    ]
    notes = [
        f"Of {pluralize(found.turns, 'turn')} with a number and with thoughts that were asked for"
        " as private. overstated: the number is above what the rater reads from the thoughts;"
        " points: by how much on average, below it negative. none: read without a label. 95%"
        " intervals, debates as clusters."
    ]
    if found.reasoning_only:
        notes.append(
            f"Left out: {pluralize(found.reasoning_only, 'turn')} with nothing but a provider's own"
            " text of reasoning, which was not asked for."
        )
    headings = "rater, n, none, aligned, overstated, understated, points"
    yield table("Private reasoning against the stated number, percent", headings, rows, notes)
    agreement = [
        (row.first, row.second, row.n, share_cell(row.same), kappa_cell(row.kappa))
        for row in found.agreement
    ]
    yield table(
        "Agreement of these raters, percent of the turns that both labelled",
        "rater, other rater, n, same label, kappa (95% interval)",
        agreement,
        text_columns=2,
    )


def share_cell(share: Interval) -> str:
    """Return a share with its interval, in percent."""
    limits = interval(share, 0)
    return percent(share.mean) if limits == "-" else f"{percent(share.mean)} ({limits})"


def kappa_cell(kappa: Interval) -> str:
    """Return kappa with its interval."""
    limits = number_interval(kappa)
    mean = decimal(kappa.mean, 2)
    return mean if limits == "-" else f"{mean} ({limits})"


def usage_blocks(usage: StudyUsage | None, noun: str, *, details: bool) -> Iterator[Block]:
    """Return tokens and dollars with `details`, in one sentence without.

    `noun` says by what: contestant, model or setting.
    """
    if usage is None:
        yield sentences_block(*[UNKNOWN] * details)
        return
    if not details:
        if usage.published:
            yield sentences_block(*usage_words(usage))
        return
    if usage.calls:
        yield usage_block(f"Tokens and dollars by {noun}", noun, usage.calls, [])
    if usage.published:
        yield usage_block(
            f"Tokens and dollars by model, {PUBLISHED}",
            "model",
            usage.published,
            total_words(usage),
        )


def usage_words(usage: StudyUsage) -> list[str]:
    """Say in one sentence what the debaters used, as published."""
    rows = [row for row in usage.published if row.role == "debater"]
    calls, read, written = (
        sum(getattr(row, name) or 0 for row in rows)
        for name in ("calls", "tokens_in", "tokens_out")
    )
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    dollars = f", {sum(known):,.2f} dollars at the published prices" if known else ""
    words = (
        f"Debaters used, {PUBLISHED}: {calls:,} calls, {read:,} prompt tokens and"
        f" {written:,} completion tokens{dollars}; by model with --details."
    )
    return [words]


def total_words(usage: StudyUsage) -> list[str]:
    """Say what the publication states over all its debates."""
    if usage.total_usd is None:
        return []
    debates = pluralize(usage.total_debates or 0, "debate")
    return [f"The publication states {usage.total_usd:,.2f} dollars for {debates} in all."]


def usage_block(title: str, noun: str, rows: Sequence[Usage], notes: Sequence[str]) -> Block:
    """Return the table of tokens and dollars of one source; `noun` heads the contestants."""
    cells = [
        (
            name_of(row),
            row.role,
            row.plays,
            *map(count, (row.calls, row.failed, row.tokens_in, row.tokens_out)),
            count(row.tokens_reasoning),
            dollars(row),
        )
        for row in rows
    ]
    headings = f"{noun}, role, plays, calls, failed, tokens in, out, reasoning, dollars"
    unknown = [
        f"{row.calls_of_unknown_cost:,} of {name_of(row)}"
        for row in rows
        if row.calls_of_unknown_cost
    ]
    more = [f"Calls of unknown cost, not in the dollars: {', '.join(unknown)}."] if unknown else []
    return table(title, headings, cells, [*more, *notes], text_columns=2)


def name_of(row: Usage) -> str:
    """Return a contestant's name, with its model where the name does not say it."""
    return row.contestant if row.model in row.contestant else f"{row.contestant} ({row.model})"


def dollars(row: Usage) -> str:
    """Return the known dollars, "-" where no call that was answered has a known cost."""
    # Refused calls cost nothing, which says nothing about the others.
    if row.cost_usd is None or (row.cost_usd == 0 and row.calls_of_unknown_cost):
        return "-"
    return f"{row.cost_usd:,.4f}"


def count(value: int | None) -> str:
    """Return a count, "-" if nobody counted."""
    return "-" if value is None else f"{value:,}"
