"""Say what a cascade is worth: ask a large model only where an estimator of a small one is unsure.

Both models answered the same questions in one study, whose replies were scored.  The first reply of
each counts.  Estimators defer by quantile thresholds; features that one has stored make a learned
rule, cross-fitted by question (statistics/cascades.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.read.scores import ANSWERS, ScoredGroup, read_scores
from analysis.read.selection import ALL, Selection
from analysis.reports.blocks import Document, document, sentences_block, table
from analysis.reports.tables.estimators import (
    SIMULATED,
    SIMULATED_NOTICE,
    SIMULATED_ROWS,
    dollars,
)
from analysis.reports.tables.formatting import decimal, number_interval, percent
from analysis.statistics.cascades import (
    CascadeArea,
    CascadeCurve,
    Deferred,
    cascade_area,
    cascade_curve,
    defer_share,
    learned_rule,
)
from analysis.statistics.clustered import Array, Codes
from arena.errors import StudyError
from arena.text import pluralize

# The share of questions that the table defers.
SHARE = 0.3
LEARNED_RULE = "learned rule"


@dataclass(frozen=True, slots=True)
class CascadeRow:
    """One way to defer, on `n` questions: its area, its curve, and a threshold of other ones.

    `simulated`: a simulated model was asked for its values, whoever answered.
    """

    name: str
    simulated: bool
    n: int
    area: CascadeArea
    deferred: Deferred
    curve: CascadeCurve


@dataclass(frozen=True, slots=True)
class Cascade:
    """All ways to defer from a small to a large model, the greatest gain first.

    `small_right` and `large_right` are shares of the common questions, `small_dollars` and
    `large_dollars` means a question, nan where unknown.
    """

    study: str
    small: str
    large: str
    simulated: bool
    questions: int
    small_right: float
    large_right: float
    small_dollars: float
    large_dollars: float
    rows: tuple[CascadeRow, ...]


def read_cascade(
    path: Path, study: str, small: str, large: str, selection: Selection = ALL
) -> Cascade:
    """Return the cascade of two contestants of a study, by parts of their names.

    Raises StudyError if a name is not that of one group of scored answers.
    """
    groups = [each for each in read_scores(path, study, selection) if each.kind == ANSWERS]
    return cascade(one_of(groups, small, study), one_of(groups, large, study))


def one_of(groups: Sequence[ScoredGroup], name: str, study: str) -> ScoredGroup:
    """Return the one group whose contestant has this in its name, or that is called so."""
    found = [each for each in groups if each.part == name]
    found = found or [each for each in groups if name in each.part]
    if len(found) != 1:
        listed = ", ".join(f"{each.arm}: {each.part}" for each in groups) or "none"
        raise StudyError(
            f"a cascade needs one group of scored answers of {name!r} in the study {study!r},"
            f" found {len(found)}; there are: {listed}"
        )
    return found[0]


def cascade(small: ScoredGroup, large: ScoredGroup) -> Cascade:
    """Return what deferring from one group's questions to another's is worth."""
    first = first_replies(small)
    second = first_replies(large)
    names = [name for name in first if name in second]
    mine = np.array([first[name] for name in names], dtype=np.int64)
    other = np.array([second[name] for name in names], dtype=np.int64)
    right, better = small.correct[mine], large.correct[other]
    cheap, dear = small.own[mine, 1], large.own[other, 1]
    rows = [
        row_of(name, planted, values, right, better, cheap, dear)
        for name, planted, values in deferral_values(small, mine, right, better)
        if not np.isnan(values).all()
    ]
    return Cascade(
        small.study,
        small.part,
        large.part,
        small.simulated or large.simulated,
        len(names),
        mean_of(right),
        mean_of(better),
        mean_of(cheap),
        mean_of(dear),
        tuple(sorted(rows, key=lambda row: -np.nan_to_num(row.area.gain.mean, nan=-9))),
    )


def first_replies(group: ScoredGroup) -> Mapping[str, int]:
    """Return the first reply to each question that was graded, by the question's id."""
    found: dict[str, int] = {}
    for place in np.flatnonzero(~np.isnan(group.correct)).tolist():
        found.setdefault(group.subjects[group.question[place]], place)
    return found


def deferral_values(
    small: ScoredGroup, mine: Codes, right: Array, better: Array
) -> Iterator[tuple[str, bool, Array]]:
    """Yield the name of each way to defer, whether it is simulated, and its values (Q,)."""
    for each in small.estimators:
        yield each.name, each.simulated, each.values[mine]
        if each.features is not None:
            rule = learned_rule(each.features[mine], right, better, np.arange(mine.size))
            yield f"{each.name}, {LEARNED_RULE}", each.simulated, rule


def row_of(
    name: str,
    simulated: bool,
    values: Array,
    right: Array,
    better: Array,
    cheap: Array,
    dear: Array,
) -> CascadeRow:
    """Return one way to defer, on the questions that it has a value for."""
    there = ~np.isnan(values)
    value, small, large = values[there], right[there], better[there]
    costs = {"small_dollars": cheap[there], "large_dollars": dear[there]}
    return CascadeRow(
        name,
        simulated,
        int(there.sum()),
        cascade_area(value, small, large, large_dollars=dear[there]),
        defer_share(value, small, large, np.arange(value.size), SHARE),
        cascade_curve(value, small, large, **costs),
    )


def mean_of(values: Array) -> float:
    """Return the mean, nan of nothing."""
    return float(values.mean()) if values.size else np.nan


def cascade_document(found: Cascade) -> Document:
    """Return a cascade as tables."""
    head = sentences_block(
        f"{pluralize(found.questions, 'question')}: {found.small} answers"
        f" {percent(found.small_right)}% right for {dollars(found.small_dollars)} dollars a"
        f" question, {found.large} {percent(found.large_right)}% for"
        f" {dollars(found.large_dollars)}.",
        "Area: mean share right over all shares deferred, from 0 to 1. Gain: 0 is deferring at"
        " random, 1 is knowing where the large model is right and the small one is not."
        f" Deferring {percent(SHARE, 0)}%: by thresholds made on other questions. Intervals 95%, of"
        " further questions to the same models.",
    )
    planted = [row.name for row in found.rows if row.simulated and not found.simulated]
    rows = [
        (
            f"{row.name} {SIMULATED}" if row.name in planted else row.name,
            row.n,
            decimal(row.area.area.mean, 3),
            f"{decimal(row.area.gain.mean, 2)} ({number_interval(row.area.gain)})",
            decimal(row.area.over_dollars.mean, 3),
            f"{percent(row.deferred.right)} of {percent(row.deferred.deferred)}",
        )
        for row in found.rows
    ]
    lines = [
        (name, "", decimal(each, 3), decimal(gain, 2), "", "")
        for name, each, gain in limits_of(found)
    ]
    headings = ("defer by", "n", "area", "gain", "area over dollars", "right, deferred %")
    blocks = [head, table("Cascades", headings, [*rows, *lines])]
    warnings = [SIMULATED_NOTICE] if found.simulated else []
    warnings += [f"{SIMULATED_ROWS}: {', '.join(planted)}"] if planted else []
    return document(f"{found.study}: from {found.small} to {found.large}", warnings, blocks)


def limits_of(found: Cascade) -> Iterator[tuple[str, float, float]]:
    """Yield the random line and the oracle, of the way to defer with most questions."""
    for row in sorted(found.rows, key=lambda row: -row.n)[:1]:
        yield "at random", row.area.random, 0.0
        yield "oracle", row.area.oracle, 1.0
