"""Show the report of a study as blocks: confidences in percent, differences in points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from analysis.read.selection import LABELS
from analysis.reports.blocks import Block, Document, document, sentences_block, table
from analysis.reports.debate_findings import DebateFindings
from analysis.reports.debates import ArmReport, StudyReport
from analysis.reports.steps import AgainstHalfRow
from analysis.reports.tables.answers import answer_blocks
from analysis.reports.tables.assessments import assessment_blocks
from analysis.reports.tables.claims import claim_cells, claim_headings, claim_words, scope_notes
from analysis.reports.tables.controls import control_blocks
from analysis.reports.tables.details import details_block
from analysis.reports.tables.efforts import effort_blocks
from analysis.reports.tables.formatting import (
    count_with_share,
    decimal,
    is_defined,
    mean_with_interval,
    number_interval,
    p_value,
    percent,
    points,
)
from analysis.reports.tables.labels import label_blocks
from analysis.reports.tables.losses import losses_block, losses_notes
from analysis.reports.tables.outcomes import (
    CONFIDENCE_SUM,
    MAJORITY,
    slope_block,
    votes_words,
    winners_words,
)
from analysis.reports.tables.private_reasoning import private_reasoning_blocks, usage_blocks
from analysis.reports.tables.prompt_caches import prompt_cache_blocks
from analysis.reports.tables.rating_kinds import kind_notes, kind_of_arm, rating_blocks
from analysis.reports.tables.registered import registered_blocks, registered_heading
from analysis.reports.tables.robustness import robustness_blocks
from analysis.reports.tables.seats import seat_blocks
from analysis.reports.tables.selection import selection_lines
from analysis.reports.tables.steps import MORE, details_blocks, pattern_words, step_words
from analysis.reports.terminal import print_documents
from analysis.statistics.claims import LIKE_THESE, Claims
from arena.text import pluralize

# Names of rules that only numbers about verdicts need.
JURY_RULES = ("vote", "winner", "ties", "ece", "slope_of_verdicts", "auroc", "details")


def print_report(
    reports: Sequence[StudyReport], file: TextIO | None = None, *, rules: bool = False
) -> None:
    """Print reports as tables, to standard output or a file; with `rules`, those at the end."""
    if not reports:
        print("There are no debates in this store yet.", file=file)
    documents = [report_document(report) for report in reports]
    print_documents(documents, file, command="arena report", rules=rules)


def report_document(report: StudyReport) -> Document:
    """Return the report of one study: its heading, then each finding that it has data for."""
    debates = report.debates
    kind, who = ("play", "models") if debates is None else ("debate", "debaters")
    warning = (
        f"SIMULATED {who} spoke in this study: its numbers are no findings about language models"
    )
    blocks = [] if report.registration is None else list(registered_blocks(report.registration))
    if debates is not None:
        blocks += debate_blocks(report, debates)
    if report.answers is not None:
        blocks += answer_blocks(report.answers, report.simulated)
    if report.assessments is not None:
        blocks += assessment_blocks(report.assessments)
    if report.seats is not None:
        blocks += seat_blocks(report.seats)
    blocks += label_blocks(report.labels or ())
    blocks += effort_blocks(report.efforts or ())
    blocks += prompt_cache_blocks(report.caches or ())
    blocks.append(missing_block(report))
    judged = debates is not None and bool(debates.calibration)
    # Rules about juries are of no use to a study that was never judged.
    rules = {
        name: words for name, words in report.rules.items() if judged or name not in JURY_RULES
    }
    lines = selection_lines(report.by, report.pooled, report.chosen)
    warnings = [*lines, warning] if report.simulated else lines
    return document(heading(report, kind), warnings, blocks, rules)


def heading(report: StudyReport, kind: str) -> str:
    """Name the study, how many debates or other plays it has, and where they come from."""
    episodes = report.episodes
    total = episodes.done + episodes.failed + episodes.open
    plays = pluralize(total, kind)
    if episodes.unfinished:
        plays = f"{episodes.done:,} of {total:,} {kind}s ({', '.join(episodes.unfinished)})"
    origin = f", {report.origin}" if report.origin else ""
    return f"{report.study}: {plays}{origin}{registered_heading(report.registration)}"


def debate_blocks(report: StudyReport, debates: DebateFindings) -> Iterator[Block]:
    """Return the findings about debates."""
    arms = report.arms or ()
    if not debates.phases:
        yield sentences_block("No finished debate with a rating.")
    else:
        yield phases_block(debates, which_arms(report))
        yield both_block(debates)
        yield contestants_block(debates, LABELS[report.by])
        yield from details_blocks(debates, LABELS[report.by])
        yield against_half_block(debates.against_half or (), debates.ratings.word)
        yield calibration_block(report, debates)
        # A stake says nothing of how sure a side is: no slope of it is perfect.
        if debates.calibration and debates.outcomes and debates.ratings.word == "confidence":
            yield slope_block(debates.calibration, debates.outcomes.retest)
        yield from robustness_blocks(debates)
        yield from rating_blocks(debates.ratings)
        yield details_block(report.details or ())
        if report.private_reasoning:
            yield from private_reasoning_blocks(report.private_reasoning)
        more = debates.by_contestant is not None
        yield from usage_blocks(report.usage, LABELS[report.by], details=more)
    yield losses_block(debates.losses)
    yield arms_block(arms)
    if report.controls:
        yield from control_blocks(report.controls)


def which_arms(report: StudyReport) -> str:
    """Return whose debates the findings are about, where a study has several arms."""
    if report.controls and report.controls.plain:
        return f"without control arms: {', '.join(report.controls.plain)}"
    return "all arms together" if report.arms else ""


def phases_block(debates: DebateFindings, pooled: str) -> Block:
    """Return mean confidence by phase, the flags, and the rise."""
    rows = []
    scopes = claim_headings([row.claims for row in debates.phases])
    for row in debates.phases:
        rating = row.rating
        limits = claim_cells(row.claims, scopes, 2)
        shares = (percent(rating.mean, 2), *limits, percent(rating.sd, 2))
        rows.append((row.phase, rating.n, *shares, row.missing))
    notes = [*kind_notes(debates.ratings), *losses_notes(debates)]
    notes += scope_notes({row.phase: row.claims for row in debates.phases}, debates.ratings.varied)
    notes += [
        f"flagged and kept in, {row.phase}: "
        + ", ".join(f"{flag} {n}" for flag, n in row.flagged.items())
        for row in debates.phases
        if row.flagged
    ]
    if debates.rise and is_defined(debates.rise.change.mean):
        rise = debates.rise.change
        notes.append(
            f"From {debates.rise.start} to {debates.rise.end}: {points(rise.mean, 2)} points"
            f" ({claim_words(rise.claims, 2)}), p {p_words(rise.claims)}, d {decimal(rise.d, 2)};"
            f" {percent(rise.share_up)}% of {rise.n} debaters rose, {percent(rise.share_down)}%"
            " fell (published test, one-sided, debaters taken as independent: p"
            f" {p_value(rise.p_paired_one_sided)})."
        )
        notes += step_words(debates)
    played = "of those played" if debates.losses.matters else ""
    word = {"stake": "Stakes", "rating": "Ratings"}.get(debates.ratings.word, "Confidence")
    title = ", ".join(filter(None, (f"{word} of debaters, percent", played, pooled)))
    return table(title, ("phase", "n", "mean", *scopes, "sd", "missing"), rows, notes)


def p_words(row: Claims) -> str:
    """Return the p-value of the wider claim, and that of these models if it is another."""
    if row.speaks_of == LIKE_THESE:
        return f"{p_value(row.p)} ({p_value(row.these_p)} for these models)"
    return p_value(row.p)


def both_block(debates: DebateFindings) -> Block:
    """Return in how many debates both sides were sure."""
    both_by_phase = debates.both_by_phase
    word = debates.ratings.word
    rows = []
    scopes = claim_headings([row.above_75_share.claims for row in both_by_phase])
    for row in both_by_phase:
        counts = row.counts
        shares = (
            count_with_share(count, counts.debates)
            for count in (counts.at_least_75, counts.above_50, counts.above_75)
        )
        # Both intervals would not fit 80 columns: here stands the wider.
        limits = claim_cells(row.above_75_share.claims, scopes)[0]
        rows.append((row.phase, counts.debates, *shares, limits))
    # A stake says nothing of how sure a side is.
    sure = "are sure of winning" if word == "confidence" else f"have a {word} this high"
    title = f"Debates in which both sides {sure}; interval of those above 75%, percent"
    headings = ("phase", "debates", "75% or more", "above 50%", "above 75%", scopes[0])
    return table(title, headings, rows, pattern_words(debates))


def contestants_block(debates: DebateFindings, noun: str) -> Block:
    """Return each contestant's confidence in the end phases, its rise, and its win rate."""
    rows = []
    for row in debates.contestants:
        confidence = (percent(row.first), percent(row.last), mean_with_interval(row.rise))
        missing = sum(phase.missing for phase in row.phases)
        wins = (percent(row.win_rate), percent(row.win_rate_by_confidence_sum))
        rows.append((row.contestant, row.n, *confidence, *wins, missing))
    # Headings name the phases, since protocols differ in them.
    ends = (debates.phases[0].phase, debates.phases[-1].phase)
    headings = (noun, "n", *ends, "rise (95% interval)", "wins", "by sum", "missing")
    notes = [f"wins: {MAJORITY}; by sum: {CONFIDENCE_SUM}; a tie is half a win."]
    judged = any(row.judged for row in debates.contestants)
    more = [MORE.format(noun=noun)] if debates.by_contestant is None else []
    return table(f"By {noun}, percent", headings, rows, [*(notes if judged else []), *more])


def against_half_block(against_half: Sequence[AgainstHalfRow], word: str) -> Block:
    """Return the mean of debates of a model against itself, against 50%."""
    rows = []
    for row in against_half:
        test = row.test
        ours = (decimal(test.t, 1), p_value(test.p))
        published = (decimal(test.t_one_sample, 1), p_value(test.p_one_sample_one_sided))
        above = percent(test.difference, 2)
        rows.append((row.phase, test.debates, test.n, above, *ours, *published))
    above = "the 50% that is possible" if word == "confidence" else f"a {word} of 50"
    title = f"A model against itself: points above {above}"
    notes = [f"t and p are of {row.test.claims.speaks_of}." for row in against_half[-1:]]
    return table(title, "phase, debates, n, above 50%, t, p, published t, its p", rows, notes)


def calibration_block(report: StudyReport, debates: DebateFindings) -> Block:
    """Return confidence against the jury's verdicts, and who won by these."""
    rows = []
    for row in debates.calibration:
        scores = row.scores
        counts = f"{row.n} ({row.n_without_ties})"
        errors = (decimal(value, 4) for value in (row.brier.mean, row.brier_of_half, scores.ece))
        area = f"{decimal(scores.auroc.mean, 3)} ({number_interval(scores.auroc)})"
        rows.append((row.phase, counts, *errors, area, percent(scores.gap.mean)))
    notes = []
    # Of a simulated study the heading says it already.
    if report.judges_simulated and not report.simulated:
        notes.append(
            "SIMULATED judges gave verdicts on these debates: what is compared with them is no"
            " finding about language models."
        )
    outcomes = debates.outcomes
    if outcomes:
        notes += [
            winners_words(outcomes.judged, outcomes.majority, outcomes.confidence_sum),
            votes_words(outcomes.votes),
            "Brier: 0 is perfect; of 50%: that of always saying 50%. Ties are half a win each in"
            " Brier, left out of the rest. gap: mean confidence minus share of wins, in points."
            " Held fixed: the panel of judges, beside what is held fixed above.",
        ]
    headings = "phase, n (no ties), Brier, of 50%, ECE, AUROC (95% interval), gap"
    word = debates.ratings.word.capitalize()
    return table(f"{word} against the jury's verdicts", headings, rows, notes)


def arms_block(arms: Sequence[ArmReport]) -> Block:
    """Return one line for each arm: the JSON has all findings of each."""
    several = len({kind_of_arm(arm.debates.ratings) for arm in arms}) > 1
    rows = []
    for arm in arms:
        phases = arm.debates.phases
        rise = arm.debates.rise
        both = arm.debates.both
        ends = (percent(phases[end].rating.mean if phases else None) for end in (0, -1))
        change = mean_with_interval(rise.change if rise else None)
        sure = count_with_share(both.counts.above_75, both.counts.debates) if both else "-"
        kind = [kind_of_arm(arm.debates.ratings)] if several else []
        rows.append((arm.arm, *kind, arm.episodes.done, *ends, change, sure))
    headings = ("debates", "first", "last", "rise (95% interval)", "both above 75%")
    columns = ("arm", *["ratings"] * several, *headings)
    return table("By arm, percent", columns, rows, text_columns=1 + several)


def missing_block(report: StudyReport) -> Block:
    """Return the missing values with their reasons."""
    if not report.missing:
        return sentences_block("Nothing is missing.")
    rows = [
        (row.what, row.phase or "-", row.arm or "-", row.reason or "-", row.n)
        for row in report.missing
    ]
    return table("Missing, and why", "what, phase, arm, reason, n", rows, text_columns=4)
