"""Say who won, by which rule, and what became of the votes: one wording for report and rank."""

from __future__ import annotations

from analysis.reports.against_jury import VoteCounts
from analysis.reports.rows import WinnerCounts

MAJORITY = "by the majority of votes"
CONFIDENCE_SUM = "by confidence sum"


def winners_words(judged: int, majority: WinnerCounts, confidence_sum: WinnerCounts) -> str:
    """Return judged debates by winner, by both rules."""
    ways = "; ".join(
        f"{rule}: proposition {count.proposition:,}, opposition {count.opposition:,}, ties"
        f" {count.tie:,}"
        for rule, count in ((MAJORITY, majority), (CONFIDENCE_SUM, confidence_sum))
    )
    return f"Of {judged:,} judged debates won {ways}."


def votes_words(votes: VoteCounts) -> str:
    """Return how many votes name a side, abstain, flip, or are missing."""
    flipped = f", {votes.flipped:,} of them flips with the seat order" if votes.flipped else ""
    missing = f"; {votes.missing:,} missing" if votes.missing else ""
    return (
        f"Votes for a side {votes.for_a_side:,}, abstentions {votes.abstained:,}{flipped}{missing}."
    )
