"""Say in words what intervals speak of: models like these, or these models alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from analysis.reports.tables.formatting import interval, percent
from analysis.statistics.claims import (
    FEWEST_MODELS,
    LIKE_THESE,
    THESE,
    Claims,
    too_few_models,
)
from arena.text import pluralize


def claim_headings(rows: Sequence[Claims]) -> tuple[str, ...]:
    """Return the headings of the columns of intervals: of both claims if a row has both."""
    return (LIKE_THESE, THESE) if any(row.speaks_of == LIKE_THESE for row in rows) else (THESE,)


def claim_cells(row: Claims, headings: Sequence[str], digits: int = 1) -> tuple[str, ...]:
    """Return a row's intervals in percent, under the headings of `claim_headings`."""
    wider = interval(row, digits) if row.speaks_of == LIKE_THESE else "-"
    return (wider, these_interval(row, digits))[-len(headings) :]


def these_interval(row: Claims, digits: int = 1) -> str:
    """Return the interval of these models in percent, or "-"."""
    low, high = percent(row.these_ci_low, digits), percent(row.these_ci_high, digits)
    return low if low == "-" else f"{low} to {high}"


def claim_words(row: Claims, digits: int = 1) -> str:
    """Return the intervals of both claims in words, or why there are none."""
    these = these_interval(row, digits)
    if row.speaks_of == LIKE_THESE:
        words = f"{interval(row, digits)} for models like these"
        return f"95% interval {words}" + ("" if these == "-" else f", {these} for these models")
    return f"no interval: {row.note}" if these == "-" else f"95% interval {these} for these models"


def scope_notes(rows: Mapping[str, Claims], varied: Collection[str] = ()) -> list[str]:
    """Say whom the intervals by phase speak of, what was held fixed, and where there is none.

    `varied` are the options that were played with several values, as random factors.
    """
    # The widest claim that a phase has.
    row = max(rows.values(), key=lambda claim: (claim.speaks_of == LIKE_THESE, claim.models))
    who = "model" if row.models == 1 else pluralize(row.models, "model")
    scope = f"95% intervals. These models: other debates of the same {who}."
    if row.speaks_of == LIKE_THESE:
        scope = (
            "95% intervals. Models like these: other models in other debates. These models: other"
            f" debates of the same {who}."
        )
    elif 0 < row.models < FEWEST_MODELS:
        words = too_few_models(row.models)
        scope += f" {words[0].upper()}{words[1:]}."
    fixed = [each for each in ("wording", "system prompts", "sampling") if each not in varied]
    also = f" Varied, and pooled: {', '.join(varied)}." if varied else ""
    notes = [f"{scope} Held fixed: {', '.join(fixed)} and effort.{also}"]
    without: dict[str, list[str]] = {}
    for phase, claim in rows.items():
        if these_interval(claim) == "-" and claim.note:
            without.setdefault(claim.note, []).append(phase)
    return notes + [
        f"No interval in {'; '.join(phases)}: {why}." for why, phases in without.items()
    ]


def brackets(row: Claims, digits: int = 1) -> str:
    """Return the wider interval in brackets with what it speaks of, after a space, or nothing."""
    limits = interval(row, digits)
    return "" if limits == "-" else f" (95% interval {limits}, of {row.speaks_of})"
