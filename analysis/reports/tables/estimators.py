"""Show the table of estimators as blocks: areas as numbers, shares in percent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from analysis.read.scores import ANSWERS, READINGS, Spent
from analysis.reports.blocks import Block, Document, document, sentences_block, table
from analysis.reports.estimators import (
    LEARNED,
    LENGTH,
    Calibration,
    EstimatorRow,
    EstimatorTable,
)
from analysis.reports.tables.formatting import (
    decimal,
    is_defined,
    number_interval,
    percent,
    points,
)
from analysis.statistics.bootstrap import Interval
from analysis.statistics.estimator_quality import MOST_MISSING
from arena.text import pluralize

SIMULATED_NOTICE = (
    "SIMULATED models spoke here: these numbers are no findings about language models"
)
SIMULATED_ROWS = (
    "SIMULATED models were asked for the numbers of these rows, which are no findings about"
    " language models"
)
SIMULATED = "SIMULATED"
FEW_QUESTIONS = 20
BEST = "*"
NOT_COMPARED = "-"


def estimators_document(found: EstimatorTable) -> Document:
    """Return the table of one group of replies."""
    warnings = [SIMULATED_NOTICE] if found.simulated else []
    planted = [row.name for row in found.estimators if row.simulated]
    if planted and not found.simulated:
        warnings = [f"{SIMULATED_ROWS}: {', '.join(planted)}"]
    return document(heading(found), warnings, blocks(marked(found)), found.rules)


def marked(found: EstimatorTable) -> EstimatorTable:
    """Return the table with a word behind each name whose numbers simulated models made.

    Where they spoke themselves all numbers are such, and no row is marked.
    """
    if found.simulated:
        return found
    names = {row.name: f"{row.name} {SIMULATED}" for row in found.estimators if row.simulated}
    return replace(
        found,
        winner=tuple(names.get(name, name) for name in found.winner),
        estimators=tuple(
            replace(row, name=names.get(row.name, row.name)) for row in found.estimators
        ),
    )


def heading(found: EstimatorTable) -> str:
    """Return whose replies are compared, and how many."""
    if found.kind == ANSWERS:
        whose = f"answers of {found.part}"
    elif found.kind == READINGS:
        whose = f"readings of debates by {found.part}: is the winner that of the others?"
    else:
        whose = f"speeches, {found.part}: does the speaker win?"
    return f"{found.study}, arm {found.arm}: estimators of confidence for {whose}"


def blocks(found: EstimatorTable) -> Iterator[Block]:
    """Return all blocks; those without rows or notes are not shown."""
    yield head_block(found)
    if not found.replies:
        return
    yield areas_block(found)
    yield equal_length_block(found.estimators)
    yield order_block(found.estimators)
    yield stated_block(found.estimators)
    yield recalibrated_block(found.estimators)
    yield use_block(found.estimators)
    yield cost_block(found.estimators)
    yield missing_block(found)


def head_block(found: EstimatorTable) -> Block:
    """Say what was compared, who won, and what is doubtful."""
    unit = "question" if found.kind == ANSWERS else "debate"
    if found.kind not in (ANSWERS, READINGS):
        unit = "motion"
    counted = (
        f"{pluralize(found.replies, 'reply', 'replies')} to {pluralize(found.questions, unit)},"
        f" {percent(found.right)}% right."
    )
    notes = [counted]
    if not found.replies:
        several = pluralize(found.ungraded, "reply", "replies")
        return sentences_block(
            f"Nothing to compare: of {several} it cannot be told whether they are right"
            f"{'' if found.kind == ANSWERS else ', since nobody has judged the debates'}."
        )
    if found.ungraded:
        notes.append(
            f"Left out: {pluralize(found.ungraded, 'reply', 'replies')} of which it cannot be told"
            " whether they are right."
        )
    if found.winner:
        notes.append(
            f"Best on questions that did not choose it: {' = '.join(found.winner)}"
            f"{' (they order all replies alike)' if len(found.winner) > 1 else ''}."
        )
    elif sum(row.quality.may_be_best is not None for row in found.estimators) > 1:
        notes.append(
            "No winner: no estimator beats all others on questions that did not choose it."
        )
    if 0 < found.questions < FEW_QUESTIONS:
        notes.append(
            f"FEW QUESTIONS: of fewer than {FEW_QUESTIONS} all intervals are uncertain themselves."
        )
    return sentences_block(*notes)


def areas_block(found: EstimatorTable) -> Block:
    """Return what each estimator knows over and within questions."""
    rows = [
        (
            f"{row.name} {mark}" if (mark := mark_of(row)) else row.name,
            share_missing(row),
            area_cell(row.quality.over),
            number_interval(row.quality.over_at_once),
            area_cell(row.quality.within),
        )
        for row in found.estimators
    ]
    notes = ["Intervals 95%, of one estimator alone; at once: of all of them together."]
    if any(row.quality.may_be_best for row in found.estimators):
        notes.append(f"{BEST} cannot be told from the best over questions.")
    if any(map(left_out, found.estimators)):
        notes.append(
            f"{NOT_COMPARED} not compared with the others: more than {percent(MOST_MISSING, 0)}%"
            " missing, or no AUROC of the rest."
        )
    title = "AUROC: which questions are hard, and which replies are right"
    return table(title, "estimator, missing %, over questions, at once, within", rows, notes)


def mark_of(row: EstimatorRow) -> str:
    """Return the mark of what may be best, or of what was compared with nothing; or nothing."""
    return BEST if row.quality.may_be_best else NOT_COMPARED if left_out(row) else ""


def left_out(row: EstimatorRow) -> bool:
    """Tell whether an estimator was not compared; the length of a reply never is."""
    return row.quality.may_be_best is None and row.name != LENGTH


def area_cell(area: Interval) -> str:
    """Return an AUROC with its interval."""
    limits = number_interval(area)
    return decimal(area.mean, 2) if limits == "-" else f"{decimal(area.mean, 2)} ({limits})"


def share_missing(row: EstimatorRow) -> str:
    """Return the share of replies without a value, in percent."""
    total = row.quality.n + row.quality.missing
    return percent(row.quality.missing / total) if total else "-"


def equal_length_block(rows: Iterable[EstimatorRow]) -> Block:
    """Return the areas over pairs of about equal length."""
    lines = [
        (
            row.name,
            area_cell(row.quality.over_equal_length),
            area_cell(row.quality.within_equal_length),
        )
        for row in rows
        if is_defined(row.quality.over_equal_length.mean)
    ]
    return table("AUROC at equal length of the reply", "estimator, over questions, within", lines)


def order_block(rows: Iterable[EstimatorRow]) -> Block:
    """Return what the order of the replies is worth."""
    lines = [
        (
            row.name,
            decimal(row.quality.auprc_right.mean, 3),
            decimal(row.quality.auprc_wrong.mean, 3),
            decimal(row.quality.prr.mean, 3),
            percent(row.quality.selective.mean),
            decimal(row.quality.aurc.mean, 3),
            decimal(row.quality.aurc_x1000.mean, 1),
        )
        for row in rows
    ]
    headings = "estimator, AUPRC right, AUPRC wrong, PRR, selective, AURC, AURC x1000"
    return table("The order of the replies (intervals: --json)", headings, lines)


CALIBRATION = ("n", "ECE", "by chance", "equal counts", "smooth", "Brier", "NLL")


def calibration_cells(found: Calibration) -> tuple[object, ...]:
    """Return the cells of CALIBRATION."""
    errors = (found.ece, found.ece_floor, found.ece_equal_counts, found.smooth_ece)
    return (found.n, *(decimal(each, 3) for each in (*errors, found.brier, found.nll)))


def stated_block(rows: Iterable[EstimatorRow]) -> Block:
    """Return the calibration of estimators that state a probability, as they state it."""
    lines = [
        (row.name, *calibration_cells(row.calibration))
        for row in rows
        if row.calibration is not None
    ]
    title = "Calibration of those that state a probability"
    return table(title, ("estimator", *CALIBRATION), lines)


def recalibrated_block(rows: Iterable[EstimatorRow]) -> Block:
    """Return the calibration of all after Platt's recalibration."""
    lines = [
        (row.name, *calibration_cells(row.recalibrated["Platt"]))
        for row in rows
        if "Platt" in row.recalibrated
    ]
    notes = ["Isotonic, temperature and histogram: with --json."] if lines else []
    title = "Calibration after Platt's recalibration, cross-fitted by question"
    return table(title, ("estimator", *CALIBRATION), lines, notes)


def use_block(rows: Iterable[EstimatorRow]) -> Block:
    """Return what comes of acting on the estimators: answering the surest half, and votes."""
    lines = [
        (
            row.name,
            f"{percent(row.selective_half.right)} of {percent(row.selective_half.answered)}",
            percent(row.votes.majority) if row.votes else "-",
            difference_cell(row.votes.weighted_less_majority) if row.votes else "-",
            difference_cell(row.votes.surest_less_majority) if row.votes else "-",
        )
        for row in rows
    ]
    headings = ("estimator", "surest half", "majority", "weighted votes", "surest reply")
    notes = [
        "Surest half: the share right of as many replies, percent. Majority: questions answered"
        " right by plain votes, percent; then how many points votes weighted by the estimator, and"
        " its surest reply, are above it (95% intervals)."
    ]
    return table("Acting on them", headings, lines, notes)


def difference_cell(found: Interval) -> str:
    """Return a difference in points with its interval."""
    low, high = points(found.ci_low), points(found.ci_high)
    return points(found.mean) if low == "-" else f"{points(found.mean)} ({low} to {high})"


def cost_block(rows: Iterable[EstimatorRow]) -> Block:
    """Return what it takes each estimator to rate one reply, beside that itself."""
    lines = [
        (row.name, row.samples, *spent_cells(row.alone), *spent_cells(row.shared))
        for row in rows
        if row.name != LENGTH
    ]
    headings = "estimator, samples, calls, $, s, shared calls, $, s"
    return table("Cost of rating one reply, beside the reply itself", headings, lines)


def spent_cells(spent: Spent) -> tuple[str, str, str]:
    """Return calls, dollars and seconds."""
    return decimal(spent.calls, 2), dollars(spent.dollars), decimal(spent.seconds, 3)


def dollars(value: float) -> str:
    """Return dollars with as many digits as a small price needs, or "-"."""
    return f"{value:.3g}" if is_defined(value) else "-"


def missing_block(found: EstimatorTable) -> Block:
    """Return why values are missing."""
    every: dict[str, Mapping[str, int]] = {row.name: row.missing for row in found.estimators}
    # An estimator that is learned from its features has no value of its own, and a row as such.
    learned = {f"{name}, {LEARNED}": name for name in found.not_available}
    shown = {learned[name] for name in every if name in learned}
    every |= {name: why for name, why in found.not_available.items() if name not in shown}
    lines = [
        (name, reason, count)
        for name, reasons in every.items()
        for reason, count in reasons.items()
    ]
    title = "Replies without a value, by reason"
    return table(title, "estimator, reason, replies", lines, text_columns=2)
