"""Compare all estimators of confidence of stored replies: what each knows, and what it costs.

A table is of one group of replies (read/scores.py): the answers of a contestant in an arm, the
speeches of a phase, the readings of a judge.  The reply's length is a row of each table: what does
no better than it needs no estimator.  Features that an estimator stored make a learned one, a
logistic regression cross-fitted by question.  Calibration errors are of estimators that state a
probability, and of all after Platt's recalibration, cross-fitted by question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np

from analysis.read.scores import ANSWERS, EstimatorScores, ScoredGroup, Spent, read_scores
from analysis.read.selection import ALL, Selection
from analysis.reports.plain_json import OPTIONAL
from analysis.reports.rules import rules
from analysis.statistics.bootstrap import Interval
from analysis.statistics.calibration import brier, ece
from analysis.statistics.calibration_error import ece_floor, equal_mass_ece
from analysis.statistics.clustered import CHANGE, Array, Mask, clustered_mean
from analysis.statistics.estimator_quality import (
    Quality,
    ScoredReplies,
    compare_estimators,
)
from analysis.statistics.logistic import cross_fit_chances
from analysis.statistics.proper_scores import nll
from analysis.statistics.recalibration import METHODS, NEEDS_PROBABILITY, recalibrated
from analysis.statistics.selective_answers import SelectiveAnswers, answer_surest
from analysis.statistics.smooth_ece import smooth_ece
from analysis.statistics.weighted_votes import surest_shares, vote_shares

LENGTH = "length"
LEARNED = "learned"
NOTHING = Spent(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration errors of n probabilities; `ece_floor` is the ECE that chance alone gives."""

    n: int
    ece: float
    ece_equal_counts: float
    smooth_ece: float
    ece_floor: float
    brier: float
    nll: float


@dataclass(frozen=True, slots=True)
class VoteRow:
    """The share of questions answered right by votes, and how it differs from the plain majority.

    `weighted`: each reply votes with its recalibrated probability (Platt, cross-fitted).
    `surest`: the surest reply alone.  Over questions with a readable answer.
    """

    questions: int
    majority: float
    weighted: float
    weighted_less_majority: Interval
    surest: float
    surest_less_majority: Interval


@dataclass(frozen=True, slots=True)
class EstimatorRow:
    """One estimator: its quality, calibration, use and cost.

    `simulated`: a simulated model was asked for its values, whoever answered.
    `states_probability`: its values state how probable it is that the reply is right.
    `calibration` is of these alone, `recalibrated` of all, by method.  `missing` counts reasons.
    `alone` is what it takes to rate one reply, beside that itself, other samples that it reads
    included; `shared` its part where estimators of one pass share the pass, and all that read
    samples share these.
    """

    name: str
    simulated: bool
    states_probability: bool
    samples: int
    computed_by: tuple[str, str] | None
    missing: Mapping[str, int]
    quality: Quality
    selective_half: SelectiveAnswers
    calibration: Calibration | None
    recalibrated: Mapping[str, Calibration]
    votes: VoteRow | None
    alone: Spent
    shared: Spent


@dataclass(frozen=True, slots=True)
class EstimatorTable:
    """All estimators of one group of replies, the best AUROC over questions first.

    `kind` is "answers", "speeches" or "readings"; `part` who answered or judged, or the phase.
    `ungraded` replies are neither right nor wrong, and left out.  `winner` is empty where none is
    named; `not_available` has estimators without a single value, with the reasons.
    """

    study: str
    kind: str
    arm: str
    part: str
    simulated: bool
    questions: int
    replies: int
    right: float
    ungraded: int
    winner: tuple[str, ...]
    wider_at_once: float
    estimators: tuple[EstimatorRow, ...]
    not_available: Mapping[str, Mapping[str, int]]
    rules: Annotated[Mapping[str, str], OPTIONAL] = field(default_factory=dict)


def estimator_tables(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> list[EstimatorTable]:
    """Return the tables of a study, or of all, that have replies which are right and wrong.

    Raises StudyError for an unknown study, and StoreError if the store cannot be read.
    """
    return [estimator_table(group) for group in read_scores(path, study, selection)]


def estimator_table(group: ScoredGroup) -> EstimatorTable:
    """Return the table of one group of replies."""
    known = ~np.isnan(group.correct)
    estimators = [*group.estimators, *learned(group, known)]
    there = [
        each for each in estimators if (known & ~np.isnan(each.values)).any() or each.name == LENGTH
    ]
    if all(each.name != LENGTH for each in there):
        there.append(length_row(group))
    _, question = np.unique(group.question[known], return_inverse=True)
    replies = ScoredReplies(
        np.array([each.values[known] for each in there]),
        group.correct[known],
        question.astype(np.int64),
        group.length[known],
    )
    lengths = [number for number, each in enumerate(there) if each.name == LENGTH]
    found = compare_estimators(replies, excluded=lengths)
    costs = spent_by(group, there)
    rows = [
        row_of(group, replies, number, each, found.estimators[number], costs[number])
        for number, each in enumerate(there)
    ]
    order = sorted(rows, key=lambda row: -np.nan_to_num(row.quality.over.mean, nan=-1))
    won = found.winner
    return EstimatorTable(
        group.study,
        group.kind,
        group.arm,
        group.part,
        group.simulated,
        replies.questions,
        replies.right.size,
        float(replies.right.mean()) if replies.right.size else np.nan,
        int((~known).sum()),
        tuple(there[number].name for number in (won.winner, *won.alike) if number >= 0),
        found.wider_at_once,
        tuple(order),
        {each.name: each.missing for each in estimators if each not in there},
        rules("estimators"),
    )


def learned(group: ScoredGroup, known: Mask) -> Iterator[EstimatorScores]:
    """Yield an estimator learned of the features of each one that has some."""
    for each in group.estimators:
        if each.features is None:
            continue
        values = np.full(group.correct.size, np.nan)
        values[known] = cross_fit_chances(
            each.features[known], group.correct[known], group.question[known]
        )
        lost = int(np.isnan(values).sum())
        yield EstimatorScores(
            f"{each.name}, {LEARNED}",
            "probability",
            values,
            {"no features, or too few to learn from": lost} if lost else {},
            each.samples,
            each.source,
            each.spent,
            simulated=each.simulated,
        )


def length_row(group: ScoredGroup) -> EstimatorScores:
    """Return the reply's length as an estimator, where no scoring has computed it."""
    return EstimatorScores(LENGTH, "score", -group.length, {}, 1, ("", ""), NOTHING)


def row_of(
    group: ScoredGroup,
    replies: ScoredReplies,
    number: int,
    scores: EstimatorScores,
    quality: Quality,
    spent: tuple[Spent, Spent],
) -> EstimatorRow:
    """Return the row of one estimator."""
    part = replies.part(number)
    states = scores.kind == "probability"
    chance = {
        method: recalibrated(method, part.values, part.right, part.question)
        for method in METHODS
        if states or method not in NEEDS_PROBABILITY
    }
    return EstimatorRow(
        scores.name,
        scores.simulated,
        states,
        scores.samples,
        scores.source if scores.source[0] else None,
        scores.missing,
        quality,
        answer_surest(part.values, part.right, part.question),
        calibration(part.values, part.right) if states else None,
        {
            method: errors
            for method, values in chance.items()
            if (errors := calibration(values, part.right)) is not None
        },
        votes(group, scores.values, chance["Platt"]) if group.kind == ANSWERS else None,
        *spent,
    )


def calibration(chance: Array, right: Array) -> Calibration | None:
    """Return the calibration errors of the probabilities that there are; None: there are none."""
    there = ~np.isnan(chance)
    if not there.any():
        return None
    stated, outcome = np.clip(chance[there], 0, 1), right[there]
    return Calibration(
        int(there.sum()),
        ece(stated, outcome),
        equal_mass_ece(stated, outcome),
        smooth_ece(stated, outcome),
        ece_floor(stated),
        brier(stated, outcome),
        nll(stated, outcome),
    )


def votes(group: ScoredGroup, values: Array, chance: Array) -> VoteRow | None:
    """Return what votes are worth, None of questions with one reply each.

    `chance` are the recalibrated values of the replies that were graded and scored.
    """
    there = ~np.isnan(group.correct) & ~np.isnan(values)
    if group.questions == 0 or np.bincount(group.question).max() < 2 or not there.any():
        return None
    weight = np.full(group.correct.size, np.nan)
    weight[there] = chance
    right = np.nan_to_num(group.correct)
    cast = group.question, group.vote, right
    plain = vote_shares(*cast, np.where(np.isnan(weight), np.nan, 1.0), group.questions)
    weighted = vote_shares(*cast, weight, group.questions)
    surest = surest_shares(*cast, np.where(np.isnan(weight), np.nan, values), group.questions)
    some = ~np.isnan(plain)
    if not some.any():
        return None
    return VoteRow(
        int(some.sum()),
        float(plain[some].mean()),
        float(weighted[some].mean()),
        difference(weighted[some] - plain[some]),
        float(surest[some].mean()),
        difference(surest[some] - plain[some]),
    )


def difference(values: Array) -> Interval:
    """Return the mean of paired differences by question with its interval."""
    found = clustered_mean(values[:, None], within=CHANGE)
    return Interval(found.mean, found.ci_low, found.ci_high)


def spent_by(
    group: ScoredGroup, estimators: Sequence[EstimatorScores]
) -> list[tuple[Spent, Spent]]:
    """Return what it takes to rate one reply: alone, and where passes and samples are shared.

    A pass over samples that are compared is needed whole; of replies that are read one by one, each
    has its part.
    """
    others = np.concatenate(([False], group.question[1:] == group.question[:-1]))
    size = others.sum() / max(1, group.questions)
    extra = group.own[others].sum(axis=0) / max(1, group.questions)
    passes = Counter(each.source for each in estimators)
    readers = sum(each.samples > 1 for each in estimators)
    found = []
    for each in estimators:
        own = np.array([each.spent.calls, each.spent.dollars, each.spent.seconds])
        own /= 1.0 if each.samples > 1 else max(1.0, 1 + size)
        # An estimator that reads some of the samples needs these alone.
        part = min(1.0, (each.samples - 1) / size) if size and each.samples > 1 else 0.0
        more = part * extra if part else np.zeros(3)
        shares = own / passes[each.source] + more / max(1, readers)
        found.append((Spent(*map(float, own + more)), Spent(*map(float, shares))))
    return found
