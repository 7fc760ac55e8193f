"""Show ratings and words by seat as blocks: ratings in percent, differences in points."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.reports.blocks import Block, sentences_block, table
from analysis.reports.seats import SeatFindings
from analysis.reports.tables.ballots import ballot_blocks
from analysis.reports.tables.claims import claim_cells, claim_headings, scope_notes
from analysis.reports.tables.formatting import (
    count_with_share,
    decimal,
    mean_with_interval,
    percent,
    points,
)
from arena.text import pluralize


def seat_blocks(seats: SeatFindings) -> Iterator[Block]:
    """Return the findings about plays with any seats."""
    several_arms = len({row.arm for row in seats.words}) > 1
    if not seats.words:
        yield sentences_block("No finished play with a turn.")
    yield ratings_block(seats, several_arms)
    yield rivals_block(seats, several_arms)
    yield contestants_block(seats)
    yield words_block(seats, several_arms)
    if seats.ballots:
        yield from ballot_blocks(seats.ballots, several_arms)


def ratings_block(seats: SeatFindings, several_arms: bool) -> Block:
    """Return mean ratings by seat and phase."""
    if not seats.ratings:
        return sentences_block()
    scopes = claim_headings([row.claims for row in seats.ratings])
    rows = []
    for row in seats.ratings:
        place = (*[row.arm] * several_arms, row.seat, row.phase, row.rating.n)
        limits = claim_cells(row.claims, scopes)
        rows.append(
            (*place, percent(row.rating.mean), *limits, percent(row.rating.sd), row.missing)
        )
    notes = scope_notes({f"{row.seat}, {row.phase}": row.claims for row in seats.ratings})
    notes += source_notes(seats)
    headings = (*["arm"] * several_arms, "seat", "phase", "n", "mean", *scopes, "sd", "missing")
    title = "Ratings by seat and phase, percent"
    return table(title, headings, rows, notes, text_columns=2 + several_arms)


def source_notes(seats: SeatFindings) -> list[str]:
    """Say what kind of numbers the ratings are, as far as it is known."""
    sources = dict.fromkeys(row.source for row in seats.ratings if row.source)
    return [f"What a rating is here: {', '.join(sources)}."] if sources else []


def rivals_block(seats: SeatFindings, several_arms: bool) -> Block:
    """Return the ratings of seats of which one can win, beside what can be right at most."""
    if not seats.rivals:
        rated = {(row.arm, row.seat) for row in seats.ratings}
        if len(rated) < 2:
            return sentences_block()
        return sentences_block(
            "Nothing says which of these seats are rivals: no votes inside the plays name two of"
            " them. So their ratings are not added up."
        )
    scopes = claim_headings([row.claims for row in seats.rivals])
    rows = []
    for row in seats.rivals:
        episodes = row.rating.clusters
        sure = (count_with_share(n, episodes) for n in (row.two_above_half, row.all_above_half))
        limits = claim_cells(row.claims, scopes)[:1]
        place = (*[row.arm] * several_arms, row.phase, episodes)
        mean = (percent(row.rating.mean), *limits, percent(row.at_most))
        above = points(row.rating.mean - row.at_most)
        rows.append((*place, *mean, above, *sure))
    named = "; ".join(
        ", ".join(names) for names in dict.fromkeys(row.seats for row in seats.rivals)
    )
    notes = [
        f"Rivals are the seats that votes inside the plays name: {named}. One of k can win, so that"
        " their mean can be right at 1/k at most, and two of them cannot be right above 50%."
    ]
    headings = ("phase", "episodes", "mean", scopes[0], "at most", "points", "two > 50%", "all")
    title = "Rivals: mean rating, and what can be right at most, percent"
    arm = ["arm"] * several_arms
    return table(title, (*arm, *headings), rows, notes, text_columns=1 + several_arms)


def contestants_block(seats: SeatFindings) -> Block:
    """Return each contestant's ratings in its first and last phase, and the rise."""
    rows = []
    for row in seats.contestants:
        ends = (f"{percent(row.first)} ({row.first_phase})", f"{percent(row.last)}")
        last = f"{ends[1]} ({row.last_phase})" if row.last_phase != row.first_phase else "-"
        rows.append(
            (row.contestant, row.n, ends[0], last, mean_with_interval(row.rise), row.missing)
        )
    headings = "contestant, n, first, last, rise (95% interval), missing"
    where = " in the rivals' seats" if seats.rivals else ""
    return table(f"Ratings by contestant{where}, percent; n: seats in episodes", headings, rows)


def words_block(seats: SeatFindings, several_arms: bool) -> Block:
    """Return who spoke how often and how much, rated or not."""
    rows = []
    for row in seats.words:
        name = f"{row.role} ({pluralize(row.seats, 'seat')})" if row.seats > 1 else row.role
        words = decimal(row.mean_words, 1)
        rated = "yes" if row.rated else "no"
        place = (*[row.arm] * several_arms, name)
        rows.append((*place, row.turns, words, row.no_speech, rated))
    headings = ("seat", "turns", "words a turn", "no speech", "asked for a rating")
    arm = ["arm"] * several_arms
    return table("Who spoke", (*arm, *headings), rows, text_columns=1 + several_arms)
