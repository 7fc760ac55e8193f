"""Say the findings of a report in short sentences with numbers: the first thing on its page.

Every number stands in the report; nothing is computed here.  Left out: judgements ("strongly",
"significantly").
"""

from __future__ import annotations

from analysis.reports.answers import AnswerFindings
from analysis.reports.debate_findings import DebateFindings
from analysis.reports.debates import StudyReport
from analysis.reports.rows import totals
from analysis.reports.seats import SeatFindings
from analysis.reports.tables.claims import brackets, scope_notes
from analysis.reports.tables.formatting import (
    decimal,
    interval,
    interval_words,
    is_defined,
    percent,
    points,
)
from analysis.reports.tables.losses import losses_notes
from analysis.statistics.accuracy import Accuracy
from analysis.statistics.claims import Claims
from analysis.statistics.clustered import MeanEstimate
from analysis.statistics.overconfidence import AgainstHalf
from arena.text import pluralize


def sentences(report: StudyReport) -> list[str]:
    """Return the findings of one study's report in words, leaving out those that it lacks."""
    said_of_debates = []
    if report.debates is not None and report.debates.phases:
        said_of_debates = debate_sentences(report.debates)
    said_of_answers = answer_sentences(report.answers) if report.answers else []
    said_of_seats = seat_sentences(report.seats) if report.seats else []
    return [*said_of_debates, *said_of_answers, *said_of_seats, missing_sentence(report)]


def debate_sentences(debates: DebateFindings) -> list[str]:
    """Say how sure debaters were, how that rose, and how it compares with 50% and with the jury."""
    first = debates.phases[0]
    last = debates.phases[-1]
    rise = debates.rise
    both = debates.both
    stated = f"Debaters were {mean_words(first.rating)} sure of winning in {first.phase}"
    if rise:
        stated += f", and {mean_words(last.rating)} in {last.phase}"
    lines = [
        f"{stated}. One side of each debate must lose, so that both sides together can be right at"
        " 50% on average.",
        *losses_notes(debates),
        scope_notes({row.phase: row.claims for row in debates.phases})[0],
    ]
    if rise and is_defined(rise.change.mean):
        change = rise.change
        lines.append(
            f"From {rise.start} to {rise.end} confidence changed by {points(change.mean)} points"
            f"{brackets(change.claims)}: {percent(change.share_up)}% of {change.n:,} debaters rose,"
            f" {percent(change.share_down)}% fell."
        )
    if both and both.counts.debates:
        counts = both.counts
        # 75% as in the paper; above 50% both sides expect to win, and one is wrong.
        above = " and ".join(
            f"{count:,} ({percent(count / counts.debates)}%{limits(share.claims)}) above {level}%"
            for count, level, share in (
                (counts.above_75, 75, both.above_75_share),
                (counts.above_50, 50, both.above_50_share),
            )
        )
        lines.append(
            f"In {both.phase}, of {counts.debates:,} debates with both ratings, both sides were in"
            f" {above}."
        )
    # The last phase: by then debaters have heard everything.
    for row in (debates.against_half or ())[-1:]:
        if is_defined(row.test.mean):
            lines.append(
                f"Against itself, a model was {mean_words(row.test)} sure in {row.phase}:"
                f" {points(row.test.difference)} points from 50%."
            )
    for fit in debates.calibration[-1:]:
        gap = fit.scores.gap
        if is_defined(gap.mean):
            lines.append(
                f"Against the jury's verdicts, confidence in {fit.phase} lay {points(gap.mean)}"
                f" points{interval_words(gap)} from the share of debates won; its Brier score is"
                f" {decimal(fit.brier.mean, 3)}, where always saying 50% gives"
                f" {decimal(fit.brier_of_half, 3)}."
            )
    return lines


def answer_sentences(answers: AnswerFindings) -> list[str]:
    """Name the arms with the most and the fewest right answers, and compare them."""
    # The best first; sorting is stable, so that equal arms keep the study's order.
    arms = sorted(
        (arm for arm in answers.arms if is_defined(arm.accuracy.share.all.mean)),
        key=lambda arm: -arm.accuracy.share.all.mean,
    )
    if not arms:
        return []
    best, worst = arms[0], arms[-1]
    line = f"{best.arm} was right in {accuracy_words(best.accuracy.share)}"
    if len(arms) > 1:
        line += f"; {worst.arm} in {accuracy_words(worst.accuracy.share)}"
    lines = [f"{line}."]
    for row in answers.differences:
        change = row.difference
        if {row.arm, row.against} == {best.arm, worst.arm} and is_defined(change.all.mean):
            lines.append(
                f"{row.arm} was {points(change.all.mean)} points{interval_words(change.all)} from"
                f" {row.against} on the same {change.questions:,} questions: better in"
                f" {change.better:,}, worse in {change.worse:,}."
            )
    return lines + (list(answers.budget.notes) if answers.budget else [])


def seat_sentences(seats: SeatFindings) -> list[str]:
    """Say how sure rivals were, beside what can be right, and how votes inside the plays ended."""
    lines = []
    # The last phase: by then rivals have heard everything.
    for arm in dict.fromkeys(row.arm for row in seats.rivals):
        row = [row for row in seats.rivals if row.arm == arm][-1]
        lines.append(
            f"In {row.phase} {', '.join(row.seats)} were {mean_words(row.rating)} sure on average."
            f" One of them can win, so that {percent(row.at_most)}% can be right at most; in"
            f" {row.two_above_half:,} of {row.rating.clusters:,} plays two or more were above 50%."
        )
    if seats.ballots:
        for poll in seats.ballots.polls:
            lines.append(
                f"In {pluralize(poll.episodes, 'play')} of {poll.arm} {poll.votes:,} of"
                f" {poll.voters:,} votes could be read; {pluralize(poll.ties, 'play')} ended in a"
                " tie."
            )
        for share in seats.ballots.contestants[:1]:
            lines.append(
                f"{share.name} got {percent(share.share.mean)}%{interval_words(share.share)} of the"
                f" votes, by chance {percent(share.by_chance)}%."
            )
    return lines


def missing_sentence(report: StudyReport) -> str:
    """Say how much is missing, and how much was not finished."""
    count = totals(report.missing)
    if not count:
        return "Nothing is missing."
    kinds = ", ".join(f"{what} {n:,}" for what, n in sorted(count.items()))
    return f"Missing: {kinds}; the reasons stand below."


def mean_words(row: MeanEstimate | AgainstHalf) -> str:
    """Return a mean with its interval and n."""
    limits = f"95% interval {interval(row)}; " if is_defined(row.ci_low) else ""
    return f"{percent(row.mean)}% ({limits}n = {row.n:,})"


def limits(row: Claims) -> str:
    """Return the interval of a share after a semicolon, or nothing."""
    return f"; 95% interval {interval(row)}" if is_defined(row.ci_low) else ""


def accuracy_words(row: Accuracy) -> str:
    """Return an accuracy with its interval, and how many answers are unreadable."""
    return (
        f"{percent(row.all.mean)}%{interval_words(row.all)} of {row.plays:,} plays,"
        f" {row.unreadable:,} of them unreadable and not right"
    )
