"""Show the votes inside plays as blocks: shares in percent, strengths in logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.reports.ballots import BallotFindings, ShareRow, VoteStandings
from analysis.reports.blocks import Block, Document, document, sentences_block, table
from analysis.reports.tables.formatting import (
    decimal,
    interval,
    number_interval,
    percent,
)
from arena.text import pluralize

WARNING = (
    "SIMULATED models spoke or voted here: these numbers are no findings about language models"
)
MOST_OPTIONS = 10


def ballot_blocks(ballots: BallotFindings, several_arms: bool) -> Iterator[Block]:
    """Return the votes inside the plays of a study."""
    yield polls_block(ballots, several_arms)
    if not ballots.seats:
        yield options_block(ballots)
    elif len(ballots.contestants) > 1 and len(ballots.seats) > 1:
        yield shares_block("Votes by contestant, percent", "contestant", ballots.contestants)
    if len(ballots.seats) == 1:
        [row] = ballots.seats
        yield sentences_block(
            f"All votes that name a seat ({row.votes:,}) name {row.name}; whom else they could name"
            " is not known."
        )
    else:
        yield shares_block("Votes by seat, percent", "seat", ballots.seats)


def polls_block(ballots: BallotFindings, several_arms: bool) -> Block:
    """Return how many voted, how many votes are missing, and how the episodes ended."""
    rows = []
    notes = []
    for poll in ballots.polls:
        counts = (poll.voters, poll.votes, poll.voters - poll.votes)
        ends = (poll.ties, poll.unanimous)
        rows.append((*[poll.arm] * several_arms, poll.episodes, *counts, *ends))
        if poll.overruled:
            arm = f" of {poll.arm}" if several_arms else ""
            notes.append(
                f"In {pluralize(poll.overruled, 'episode')}{arm} the final answer is not the option"
                " with most votes."
            )
    reasons = ", ".join(f"{count.what} {count.n:,}" for count in ballots.missing)
    notes += [f"Missing votes: {reasons}."] if reasons else []
    headings = (*["arm"] * several_arms, "episodes", "voters", "votes", "missing", "ties")
    title = "Votes inside the plays"
    return table(
        title, (*headings, "unanimous"), rows, notes, text_columns=1 if several_arms else 0
    )


def options_block(ballots: BallotFindings) -> Block:
    """Return the votes by option, the most frequent ones."""
    rows = [(count.arm, count.option, count.n) for count in ballots.options[:MOST_OPTIONS]]
    left = len(ballots.options) - len(rows)
    notes = [f"{left:,} more options are not shown: `from ballots` has all."] if left else []
    return table("Votes by option", "arm, option, votes", rows, notes, text_columns=2)


def shares_block(title: str, what: str, shares: Sequence[ShareRow]) -> Block:
    """Return shares of votes beside what they would be by chance."""
    rows = [
        (
            row.name,
            row.episodes,
            f"{row.votes:,} of {row.votes_cast:,}",
            percent(row.share.mean),
            interval(row.share),
            percent(row.by_chance),
        )
        for row in shares
    ]
    return table(title, f"{what}, episodes, votes, share, 95% interval, by chance", rows)


def vote_standings_document(standings: VoteStandings, origin: str | None = None) -> Document:
    """Return who won the votes inside the plays of a study."""
    heading = (
        f"{standings.study}: {pluralize(standings.episodes, 'episode')} with"
        f" {pluralize(standings.votes, 'vote')} inside"
        f"{f', {origin}' if origin else ''}"
    )
    blocks = (
        strengths_block(standings),
        shares_block("Votes by contestant, percent", "contestant", standings.contestants),
        shares_block("Votes by seat, percent", "seat", standings.seats),
    )
    return document(heading, [WARNING] if standings.simulated else [], blocks, standings.rules)


def strengths_block(standings: VoteStandings) -> Block:
    """Return the strengths of contestants, or the sentence why there are none."""
    if len(standings.strengths) < 2:
        [name] = [row.contestant for row in standings.strengths]
        return sentences_block(
            f"One contestant, {name}, sat in all the seats that votes name: there is nobody to"
            " compare it with."
        )
    rows = []
    notes = []
    for row in standings.strengths:
        size = decimal(row.strength.mean, 2, signed=True)
        rows.append((row.contestant, size, number_interval(row.strength, signed=True)))
        if row.missing_end:
            notes.append(f"{row.contestant}: {row.missing_end}.")
    notes.append(
        "Votes inside the plays, of their own seats; verdicts of judges, if there are any, are"
        " ranked apart."
    )
    title = "By votes: strength in logits"
    return table(title, "contestant, strength, 95% interval", rows, notes)
