"""Say who won, by which rule, what became of the votes, and how far the judges can be trusted.

One wording for report and rank.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.reports.against_jury import CalibrationRow, Retest, VoteCounts
from analysis.reports.blocks import Block, table
from analysis.reports.rows import WinnerCounts
from analysis.reports.tables.formatting import decimal, number_interval, percent

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


def slope_block(calibration: Sequence[CalibrationRow], retest: Retest) -> Block:
    """Return the slope of the verdicts on confidence, and that of a perfect debater under them."""
    rows = [
        (row.phase, row.n_without_ties, decimal(row.slope.mean, 2), number_interval(row.slope))
        for row in calibration
    ]
    title = "Slope of the jury's verdicts on confidence: 1 is perfect, 0 says nothing"
    return table(title, "phase, n, slope, 95% interval", rows, [retest_words(retest)])


def retest_words(retest: Retest) -> str:
    """Return how often judges agree with themselves, and what that makes of a perfect slope."""
    if not retest.pairs:
        return (
            "No judge read a debate twice in one order, so that nobody knows how far its errors"
            " lower the slope of a perfect debater; a jury with repeats tells."
        )
    return (
        f"Judges that read a debate again in the same order named the same winner in"
        f" {percent(retest.same)}% of {retest.pairs:,} pairs (retest), as with an error of"
        f" {percent(retest.error)}% of readings. Such errors alone make the slope of a perfectly"
        f" calibrated debater {decimal(retest.slope_together, 2)} if the judges of a debate err"
        f" together, {decimal(retest.slope_apart, 2)} if {retest.votes:,} votes err apart. Errors"
        " that a judge repeats do not show here, and lower it further."
    )
