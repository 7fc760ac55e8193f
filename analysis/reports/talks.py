"""Report what talking changes at tables of agents, round by round, and what a place does.

Both with questions as clusters.  "Debate or Vote" (arXiv 2508.17536) has debates as a martingale:
in expectation no round changes the accuracy of the answers.  Here that is the difference between
the answers of a stage and the first answers of the same seats, so that talks which ended early do
not make later stages look worse.  The place of a reply is said to matter where replies in the first
place of a prompt are followed more or less often than those in others; a design that gives every
author every place (`places="williams"`) keeps the author apart from the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.talks import Followed, StagedAnswers, Talks
from analysis.reports.plain_json import interval_as
from analysis.statistics.bootstrap import Interval, intervals, ratio_draws
from analysis.statistics.clustered import Array, Codes, divide, sums_by_code


@dataclass(frozen=True, slots=True)
class StageRow:
    """The answers of one stage of an arm: share right, and by how much that exceeds the first.

    `at_first` is the share of right first answers of the same seats, `change` the difference;
    unreadable answers are not right.
    """

    arm: str
    stage: int
    plays: int
    answers: int
    accuracy: Annotated[Interval, interval_as("accuracy")]
    at_first: float
    change: Annotated[Interval, interval_as("change")]


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """How often replies in one place of a prompt were followed, and against the first place.

    `authors` counts the seats that stood there: with one alone, place and seat cannot be told
    apart.
    """

    arm: str
    place: int
    shown: int
    authors: int
    followed: Annotated[Interval, interval_as("followed")]
    against_first: Annotated[Interval, interval_as("against_first")]


@dataclass(frozen=True, slots=True)
class TalkFindings:
    """The findings about the tables of one study."""

    stages: tuple[StageRow, ...]
    places: tuple[PlaceRow, ...]


def talk_findings(found: Talks | None) -> TalkFindings | None:
    """Return the findings of a study, None without a table."""
    if found is None:
        return None
    return TalkFindings(
        tuple(row for each in found.stages for row in stage_rows(each)),
        tuple(row for each in found.followed for row in place_rows(each)),
    )


def stage_rows(found: StagedAnswers) -> list[StageRow]:
    """Return a row for each stage of an arm that has several."""
    stages = np.unique(found.stage)
    rows = []
    for stage in stages if len(stages) > 1 else ():
        mine = found.stage == stage
        columns = [counted(each[mine]) for each in (found.correct, found.at_first)]
        values = np.stack(columns, axis=1)
        values = np.column_stack((values, values[:, 0] - values[:, 1]))
        accuracy, at_first, change = shares_by_question(values, found.question[mine])
        plays = len(np.unique(found.play[mine]))
        rows.append(
            StageRow(found.arm, int(stage), plays, int(mine.sum()), accuracy, at_first.mean, change)
        )
    return rows


def counted(correct: Array) -> Array:
    """Return answers with unreadable ones as not right; all nan where none can be read."""
    return correct if np.isnan(correct).all() else np.nan_to_num(correct)


def place_rows(found: Followed) -> list[PlaceRow]:
    """Return a row for each place of the prompts of an arm, if they have several."""
    places = np.unique(found.place)
    if len(places) < 2:
        return []
    size = int(found.question.max()) + 1
    in_place = (found.place[:, None] == places[None, :]).astype(np.float64)
    top = sums_by_code(in_place * found.followed[:, None], found.question, size)[0]
    bottom = sums_by_code(in_place, found.question, size)[0]
    share = divide(top.sum(axis=0), bottom.sum(axis=0))
    draws = ratio_draws(top, bottom)
    followed = intervals(share, draws)
    against = intervals(share - share[0], draws - draws[:, :1])
    return [
        PlaceRow(
            found.arm,
            int(place),
            int((found.place == place).sum()),
            len(np.unique(found.author[found.place == place])),
            followed[number],
            against[number],
        )
        for number, place in enumerate(places)
    ]


def shares_by_question(values: Array, question: Codes) -> list[Interval]:
    """Return the means of columns (N, K) with intervals, questions being resampled."""
    _, code = np.unique(question, return_inverse=True)
    top, count = sums_by_code(values, code.astype(np.int64), int(code.max()) + 1)
    bottom = count.astype(np.float64)
    return intervals(divide(top.sum(axis=0), bottom.sum(axis=0)), ratio_draws(top, bottom))
