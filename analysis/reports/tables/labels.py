"""Show people's labels as blocks: shares in percent, with 95% intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan

from analysis.read.labels import CORRECT, WINNER
from analysis.reports.blocks import Block, table
from analysis.reports.labels import MOST_RATERS, CorrectedRow, LabelFindings
from analysis.reports.tables.formatting import decimal, interval, number_interval, percent
from analysis.statistics.bootstrap import Interval
from analysis.statistics.label_correction import Correction
from arena.text import pluralize

ASKED = {WINNER: "who won", CORRECT: "whether answers are right"}
CLASSES = {WINNER: ("proposition", "opposition"), CORRECT: ("right", "wrong")}
MARKS = "*+#"


def label_blocks(findings: Sequence[LabelFindings]) -> Iterator[Block]:
    """Return agreement, errors of judges and corrected shares, by question."""
    for each in findings:
        yield raters_block(each)
        if each.judges:
            yield judges_block(each)
        if each.corrected:
            yield corrected_block(each)


def raters_block(findings: LabelFindings) -> Block:
    """Return how far each two raters agree."""
    rows = [
        (
            f"{pair.first} / {pair.second}",
            pair.n,
            share_cell(pair.same),
            f"{decimal(pair.kappa.mean, 2)} ({number_interval(pair.kappa)})",
        )
        for pair in findings.pairs
    ]
    values = ", ".join(f"{name} {count:,}" for name, count in findings.values.items())
    labels, items, raters = (
        pluralize(count, word)
        for count, word in (
            (findings.labels, "label"),
            (findings.items, "item"),
            (findings.raters, "rater"),
        )
    )
    notes = [f"{labels} on {items} by {raters}: {values}. {sample_words(findings)}"]
    alpha = findings.alpha
    if isnan(alpha.mean):
        notes.append("No item has the labels of two raters, or all are one: no agreement is known.")
    else:
        notes.append(
            f"Krippendorff's alpha {decimal(alpha.mean, 3)}"
            f" (95% interval {number_interval(alpha)})."
        )
        if not rows:
            notes.append(f"Pairs of more than {MOST_RATERS} raters are not listed.")
    if findings.judges:
        notes.append(
            "What follows takes the raters' majority for the truth; where they disagree it may err."
        )
    title = f"Labels of people, {ASKED.get(findings.question, findings.question)}: agreement"
    return table(title, "raters, n, same, kappa (95% interval)", rows, notes)


def sample_words(findings: LabelFindings) -> str:
    """Say whether the labelled items are a random sample."""
    others = findings.items - findings.at_random
    if others:
        verb = "was" if others == 1 else "were"
        return (
            f"NOT KNOWN TO BE A RANDOM SAMPLE: {pluralize(others, 'item')} of {findings.items:,}"
            f" {verb} not drawn by a sheet (arena export --format label-sheet)."
        )
    if findings.items < findings.drawn:
        return (
            f"Of {findings.drawn:,} items that were drawn at random {findings.items:,} are"
            " labelled: a random sample only if they are the first rows of the sheet."
        )
    return "All were drawn at random."


def share_cell(share: Interval) -> str:
    """Return a share in percent with its interval."""
    limits = interval(share)
    return percent(share.mean) if limits == "-" else f"{percent(share.mean)} ({limits})"


def judges_block(findings: LabelFindings) -> Block:
    """Return how often judges say what people say, by what these say."""
    yes, no = CLASSES[findings.question]
    rows = [
        (
            row.judge,
            row.n,
            share_cell(row.same),
            f"{share_cell(row.sensitivity)} of {row.yes}",
            f"{share_cell(row.specificity)} of {row.no}",
        )
        for row in findings.judges
    ]
    tie = " A tie counts half." if findings.question == WINNER else ""
    notes = [f"{yes}, {no}: of what people call so, the share that the judge does too.{tie}"]
    title = "Judges against people, percent"
    return table(title, ("judge", "n", "same", yes, no), rows, notes)


def corrected_block(findings: LabelFindings) -> Block:
    """Return shares as judged and corrected, and why some are not."""
    reasons = list(dict.fromkeys(reason for row in findings.corrected for reason in notes_of(row)))
    marks = {reason: MARKS[k % 3] * (k // 3 + 1) for k, reason in enumerate(reasons)}
    rows = [
        (
            row.what,
            row.n,
            row.labelled,
            percent(row.judged.mean),
            corrected_cell(row.powered, marks),
            corrected_cell(row.by_errors, marks),
        )
        for row in findings.corrected
    ]
    notes = [
        "powered: all verdicts and the errors on the labelled items of the row (prediction-powered;"
        " needs a random sample). Rogan-Gladen: by the errors on all labelled items, taken for the"
        " same on every row. Both intervals include the sampling of the labels.",
        *(f"{mark}: {reason}." for reason, mark in marks.items()),
    ]
    won = findings.question == WINNER
    title = f"{'Wins' if won else 'Accuracy'} corrected by labels, percent (95% intervals)"
    what, items = ("contestant", "debates") if won else ("arm", "answers")
    headings = (what, items, "labelled", "as judged", "powered", "Rogan-Gladen")
    return table(title, headings, rows, notes)


def notes_of(row: CorrectedRow) -> list[str]:
    """Return why numbers of a row are missing or uncertain."""
    return [each.reason for each in (row.powered, row.by_errors) if each.reason]


def corrected_cell(correction: Correction, marks: dict[str, str]) -> str:
    """Return a corrected share with its interval, and the mark of the reason for a missing one."""
    mark = marks.get(correction.reason, "")
    return f"{share_cell(correction.share)}{f' {mark}' if mark else ''}"
