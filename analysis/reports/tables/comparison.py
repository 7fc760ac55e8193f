"""Show a comparison of two studies as blocks: shares in percent, differences in points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from analysis.reports.blocks import Block, Document, document, sentences_block, table
from analysis.reports.comparison import (
    AnswerComparison,
    AnswerDifference,
    Change,
    Comparison,
    DebateComparison,
    MeanDifference,
)
from analysis.reports.play_pairs import Pair
from analysis.reports.tables.answers import few_pairs_notes
from analysis.reports.tables.formatting import (
    interval,
    is_defined,
    mean_with_interval,
    p_value,
    percent,
    points,
)
from analysis.reports.terminal import print_documents

# More belong into the JSON or the viewer.
MOST_PAIRS = 20


def print_comparison(
    comparison: Comparison,
    pairs: Sequence[Pair] = (),
    file: TextIO | None = None,
    *,
    rules: bool = False,
) -> None:
    """Print a comparison, and those of the pairs that differ, to standard output or a file.

    With `rules`, those at the end.
    """
    document = comparison_document(comparison, pairs)
    print_documents([document], file, command="arena compare", rules=rules)


def comparison_document(comparison: Comparison, pairs: Sequence[Pair]) -> Document:
    """Return the comparison, and those of the pairs that differ."""
    warnings = []
    if comparison.simulated:
        warnings.append(
            f"SIMULATED models spoke in {', '.join(comparison.simulated)}: these numbers are no"
            " findings about language models"
        )
    blocks = [sentences_block(*comparison.notes)]
    if debates := comparison.debates:
        blocks.append(match_block(debates, "debates", comparison.by))
        blocks += [phases_block(debates), sentences_block(*outcome_notes(debates))]
    if answers := comparison.answers:
        blocks.append(match_block(answers, "plays of questions", comparison.by))
        if answers.match.pairs:
            blocks.append(answers_block(answers))
    if pairs:
        blocks.append(pairs_block(pairs))
    heading = f"From {comparison.a} (A) to {comparison.b} (B)"
    return document(heading, warnings, blocks, comparison.rules)


def match_block(comparison: DebateComparison | AnswerComparison, what: str, by: str) -> Block:
    """Say how many plays have a partner, and how to find some if none has."""
    match = comparison.match
    a, b = match.plays
    notes = [
        f"{match.pairs:,} pairs, from {a - match.only_a:,} of {a:,} {what} of A and"
        f" {b - match.only_b:,} of {b:,} of B; without a partner: {match.only_a:,} of A,"
        f" {match.only_b:,} of B."
    ]
    if match.keys_shared:
        notes.append(
            f"In {match.keys_shared:,} pairs several plays share subject, contestants and repeat:"
            " their means are compared."
        )
    if by == "subject":
        first, second = (", ".join(names) or "unknown" for names in comparison.contestants)
        same = f"Contestants of both: {first}."
        differ = f"Contestants of A: {first}. Contestants of B: {second}."
        notes.append(same if first == second else differ)
    # Others in the seats are the usual reason.
    elif not match.pairs:
        notes.append(
            "Nothing matches. If others sat in the seats, --by subject compares what they did on"
            " the same subjects; --by model takes all agents of a model for one."
        )
    return sentences_block(*notes)


def phases_block(debates: DebateComparison) -> Block:
    """Return confidence by phase, and its rise."""
    if not debates.match.pairs:
        return Block()
    rows = [
        (row.phase, *difference_cells(row.change), p_value(row.p_holm)) for row in debates.phases
    ]
    if rise := debates.rise:
        rows.append(("the rise", *difference_cells(rise.change), p_value(rise.p_holm)))
    notes = []
    if debates.phases_of_one_only:
        notes.append(
            f"Phases of one study only, left out: {', '.join(debates.phases_of_one_only)}."
        )
    headings = "phase, n, A, B, B - A (95% interval), p, Holm"
    return table("Confidence of debaters, percent", headings, rows, notes)


def outcome_notes(debates: DebateComparison) -> Iterator[str]:
    """Say in how many debates both sides were sure, and how often the winner changed."""
    both = debates.both
    outcomes = debates.outcomes
    if both and is_defined(both.difference.all.mean):
        a, b = (f"{n} of {debates}" for n, debates in zip(both.above_75, both.debates, strict=True))
        p = ""
        if is_defined(both.difference.p):
            p = f", exact p {p_value(both.difference.p)} (Holm {p_value(both.p_holm)})"
        yield (
            f"Both sides above 75%, {both.phase}: {a} debates of A, {b} of B;"
            f" {mean_with_interval(both.difference.all)} points; more often in A in"
            f" {both.difference.worse} pairs, in B in {both.difference.better}{p}."
        )
        yield from few_pairs_notes([both.difference.questions])
    if outcomes:
        changes = f": {change_words(outcomes.changes)}" if outcomes.changes else ""
        yield (
            f"The winner changed in {outcomes.changed} of {outcomes.judged} debates judged in"
            f" both{changes}."
        )


def change_words(changes: Sequence[Change]) -> str:
    """Return how often each value became each other one."""
    return ", ".join(f"{change.a} to {change.b} {change.n}" for change in changes)


def difference_cells(change: MeanDifference) -> tuple[object, ...]:
    """Return n, both means, the difference and its p."""
    difference = change.difference
    means = (percent(change.a), percent(change.b), mean_with_interval(difference))
    return (difference.n, *means, p_value(difference.p))


def answers_block(answers: AnswerComparison) -> Block:
    """Return accuracy, who flipped, and confidence."""
    whole = answers.whole
    rows = [answer_cells("all" if answers.arms else "answers", whole)]
    rows += [answer_cells(row.arm or "-", row) for row in answers.arms]
    notes = few_pairs_notes([whole.difference.questions])
    if whole.flips:
        notes.append(f"Flipped, from A to B: {change_words(whole.flips)}.")
    sure = whole.confidence
    change = sure.difference
    if is_defined(change.mean):
        limits = ""
        if is_defined(change.ci_low):
            limits = f" (95% interval {interval(change)}), p {p_value(change.p)}"
        notes.append(
            f"Confidence: {percent(sure.a)} to {percent(sure.b)}, {points(change.mean)}"
            f" points{limits}."
        )
    headings = "arm, questions, A, B, B - A (95% interval), better, worse, p, Holm"
    title = "Right answers, percent; unreadable ones count as not right"
    return table(title, headings, rows, notes)


def answer_cells(arm: str, row: AnswerDifference) -> tuple[object, ...]:
    """Return one row of accuracies."""
    change = row.difference
    shares = (percent(row.a), percent(row.b), mean_with_interval(change.all))
    adjusted = "" if row.p_holm is None else p_value(row.p_holm)
    moved = (change.better, change.worse, p_value(change.p))
    return arm, change.questions, *shares, *moved, adjusted


def pairs_block(pairs: Sequence[Pair]) -> Block:
    """Return the pairs that differ, those with the largest difference first."""
    # Episode ids break ties, so that the table is the same each time.
    differing = sorted(
        (pair for pair in pairs if pair.differs),
        key=lambda pair: (-abs(pair.difference or 0), pair.episode),
    )
    rows = []
    for pair in differing[:MOST_PAIRS]:
        outcomes = (pair.outcome or "-", pair.other_outcome or "-")
        values = (percent(pair.value), percent(pair.other_value))
        rows.append((pair.episode, pair.other_episode, *outcomes, *values))
    notes = []
    if not differing:
        notes.append(
            "No pair differs in who won, who was right, or whether both sides were above 75%."
        )
    if len(differing) > MOST_PAIRS:
        notes.append(
            f"The {MOST_PAIRS} with the largest difference; --pairs --json has all"
            f" {len(differing):,}."
        )
    title = f"{len(differing):,} of {len(pairs):,} pairs differ; `arena show EPISODE` shows one"
    headings = "episode of A, episode of B, A was, B was, A, B"
    return table(title, headings, rows, notes, text_columns=4)
