"""Report how often answers changed, from a seat's first to its last, and why as far as arms tell.

A seat that reads others may change its answer (flip) for three reasons, which control arms tell
apart: a second thought of its own, the answers of others, and their reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.answers import AnswerRecord, Plays
from analysis.reports.contrasts import mean_by_question
from analysis.reports.method_contrasts import OF_PEERS, method_contrasts
from analysis.reports.plain_json import INLINE
from analysis.statistics.answer_changes import Change, change
from analysis.statistics.clustered import (
    CHANGE,
    SHARE,
    Array,
    Codes,
    Mask,
    MeanEstimate,
    clustered_mean,
)
from analysis.statistics.multiplicity import holm


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """How often the second of two answers differs from the first in being right.

    `all` counts unreadable answers as not right, `of_readable` leaves their pairs out.  Where no
    first answer can be read at all, or no second one, nothing is known of changes: both have no
    pairs, and `all.reason` says so.
    """

    what: str
    pairs: int
    unreadable: int
    all: Annotated[Change, INLINE]
    of_readable: Change


@dataclass(frozen=True, slots=True)
class FlipRow:
    """How many seats of an arm gave another answer at the end than at the beginning.

    `seats` counts pairs of a seat's first and last answer, `unreadable` those of them left out.
    `flipped` is the mean share over questions; it is made of `to_right` and `to_wrong`, and of
    flips from one wrong answer to another.
    """

    arm: str
    seats: int
    unreadable: int
    flipped: MeanEstimate
    to_right: MeanEstimate
    to_wrong: MeanEstimate


@dataclass(frozen=True, slots=True)
class FlipContrastRow:
    """By how much more often seats of `arm` flip than those of `against`, by question.

    `isolates` says what alone `against` lacks; p is adjusted by Holm's method over the rows.
    """

    isolates: str
    arm: str
    against: str
    difference: MeanEstimate
    p_holm: float = nan


def change_rows(record: AnswerRecord, chosen: Mask) -> tuple[ChangeRow, ...]:
    """Return how often answers changed.

    From a seat's first answer to its last, and from paths to the final answer.
    """
    answers = record.all_answers
    plays = record.plays
    mine = chosen[answers.play]
    # One code for each seat of each play.
    seat = answers.play * (int(answers.seat.max(initial=0)) + 1) + answers.seat
    begun, ended = pairs_of_seats(record, chosen)
    # Answers stand by play and seat: both masks select the same seats in the same order.
    assert (seat[begun] == seat[ended]).all()
    # A final answer that is the seat's own later one is a pair of the first kind already.
    own = np.isin(seat, seat[answers.final & ~answers.first], invert=True)
    paths = mine & answers.path & own
    later = answers.correct[ended]
    final = plays.correct[answers.play[paths]]
    rows = (
        change_row("first to last", answers.correct[begun], later, answers.play[begun], plays),
        change_row("path to final", answers.correct[paths], final, answers.play[paths], plays),
    )
    return tuple(row for row in rows if row.pairs)


def change_row(what: str, first: Array, second: Array, play: Codes, plays: Plays) -> ChangeRow:
    """Return CL, CS and RSS of pairs of answers, with unreadable ones as not right and left out."""
    readable = ~(np.isnan(first) | np.isnan(second))

    def change_among(kept: Mask) -> Change:
        # The pairs of a play weigh as one, however many paths it has.
        size = np.bincount(play[kept], minlength=len(plays.question))
        return change(
            (first[kept] == 1).astype(np.float64),
            (second[kept] == 1).astype(np.float64),
            plays.question[play[kept]],
            1 / size[play[kept]],
        )

    unreadable = int((~readable).sum())
    # A stage that nobody could read, or that nobody was asked at, would look like one of errors.
    for name, values in (("first", first), ("second", second)):
        if first.size and np.isnan(values).all():
            nothing = change_among(np.zeros(first.size, dtype=bool))
            told = replace(nothing, reason=f"no {name} answer can be read, so no change is known")
            return ChangeRow(what, first.size, unreadable, told, told)
    # Both ways, since an unreadable answer is neither evidence of a change nor of none.
    everything = np.ones(first.size, dtype=bool)
    return ChangeRow(what, first.size, unreadable, change_among(everything), change_among(readable))


def flip_rows(record: AnswerRecord) -> tuple[FlipRow, ...]:
    """Return how often seats flipped in each arm in which any answered twice."""
    return tuple(row for number in range(len(record.arms)) if (row := flip_row(record, number)))


def flip_row(record: AnswerRecord, number: int) -> FlipRow | None:
    """Return how often the seats of an arm flipped, None if none answered twice."""
    answers = record.all_answers
    begun, ended = pairs_of_seats(record, record.plays.arm == number)
    if not begun.any():
        return None
    before, after = answers.correct[begun], answers.correct[ended]
    readable = (answers.vote[begun] >= 0) & (answers.vote[ended] >= 0)
    flipped = answers.vote[begun] != answers.vote[ended]
    question = record.plays.question[answers.play[begun]]

    def share(which: Mask) -> MeanEstimate:
        values = np.where(readable, which.astype(np.float64), nan)
        means = mean_by_question(values, question, record.questions)
        return clustered_mean(means[:, None], within=SHARE)

    return FlipRow(
        record.arms[number],
        int(begun.sum()),
        int((~readable).sum()),
        share(flipped),
        share(flipped & (after == 1) & (before != 1)),
        share(flipped & (before == 1) & (after != 1)),
    )


def flip_contrast_rows(record: AnswerRecord) -> tuple[FlipContrastRow, ...]:
    """Return by how much more often seats flip where they read more of others."""
    rows = [
        FlipContrastRow(
            name,
            record.arms[later],
            record.arms[earlier],
            clustered_mean((flips(record, later) - flips(record, earlier))[:, None], within=CHANGE),
        )
        for name, later, earlier in method_contrasts(record)
        if name in OF_PEERS
    ]
    # Other methods have contrasts of these names, and seats that answer once.
    rows = [row for row in rows if row.difference.n]
    rows.sort(key=lambda row: OF_PEERS.index(row.isolates))
    adjusted = holm([row.difference.p for row in rows]).tolist()
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def flips(record: AnswerRecord, number: int) -> Array:
    """Return (questions,) the share of an arm's seats that flipped; nan where none can be told."""
    answers = record.all_answers
    begun, ended = pairs_of_seats(record, record.plays.arm == number)
    first, last = answers.vote[begun], answers.vote[ended]
    flipped = np.where((first >= 0) & (last >= 0), (first != last).astype(np.float64), nan)
    question = record.plays.question[answers.play[begun]]
    return mean_by_question(flipped, question, record.questions)


def pairs_of_seats(record: AnswerRecord, chosen: Mask) -> tuple[Mask, Mask]:
    """Return (P,) which answers are the first, and which the last, of seats that answered twice.

    Answers stand by play and seat: both select the same seats in the same order.
    """
    answers = record.all_answers
    mine = chosen[answers.play]
    # A seat that answered once has no change to show: its first answer is its last.
    return mine & answers.first & ~answers.last, mine & answers.last & ~answers.first
