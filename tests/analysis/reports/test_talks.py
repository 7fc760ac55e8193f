"""What talking changes by stage, and what a place does, against hand tables."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from analysis.read.talks import Followed, StagedAnswers, Talks
from analysis.reports.tables.talks import talk_blocks
from analysis.reports.talks import place_rows, stage_rows, talk_findings

# Two plays of two seats: in the first both change to the right answer, the second ends early.
STAGED = StagedAnswers(
    "table",
    question=np.array([0, 0, 0, 0, 1, 1]),
    play=np.array([0, 0, 0, 0, 1, 1]),
    stage=np.array([0, 1, 0, 1, 0, 0]),
    correct=np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
    at_first=np.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
)


def test_a_stage_is_compared_with_the_first_answers_of_its_own_seats() -> None:
    first, second = stage_rows(STAGED)
    assert (first.stage, first.plays, first.answers) == (0, 2, 4)
    assert (first.accuracy.mean, first.at_first, first.change.mean) == (0.25, 0.25, 0.0)
    assert (second.stage, second.plays, second.answers) == (1, 1, 2)
    assert (second.accuracy.mean, second.at_first, second.change.mean) == (1.0, 0.0, 1.0)


def test_nothing_is_known_of_a_stage_that_nobody_could_read() -> None:
    nan = float("nan")
    first, second = stage_rows(
        replace(
            STAGED,
            correct=np.array([nan, 1.0, nan, nan, nan, nan]),
            at_first=np.array([nan] * 6),
        )
    )
    assert isnan(first.accuracy.mean)
    # Of two answers one cannot be read and is not right; what came before is not known.
    assert second.accuracy.mean == 0.5
    assert all(isnan(each) for each in (second.at_first, second.change.mean))


def test_places_are_compared_with_the_first() -> None:
    draws = np.random.default_rng(0)
    place = np.tile([1, 2, 3], 400)
    chance = np.array([0.5, 0.1, 0.1])[place - 1]
    followed = (draws.random(place.size) < chance).astype(np.float64)
    question = np.repeat(np.arange(200), 6)
    found = Followed("table", question, place, followed, author=place % 2)
    first, second, third = place_rows(found)
    assert (first.place, first.shown, first.authors) == (1, 400, 1)
    assert first.against_first.mean == 0
    for row in (second, third):
        assert row.against_first.mean == pytest.approx(-0.4, abs=0.08)
        assert row.against_first.ci_low < -0.4 < row.against_first.ci_high < -0.3


def test_one_stage_and_one_place_have_no_rows() -> None:
    alone = StagedAnswers("vote", *(np.zeros(2, dtype=np.int64),) * 3, *(np.ones(2),) * 2)
    one = Followed("relay", *(np.ones(2, dtype=np.int64),) * 2, np.ones(2), np.zeros(2, dtype=int))
    found = talk_findings(Talks((alone,), (one,)))
    assert found is not None
    assert (found.stages, found.places, list(talk_blocks(found))) == ((), (), [])
    assert talk_findings(None) is None


def test_the_blocks_say_what_the_rows_are() -> None:
    found = talk_findings(Talks((STAGED,), ()))
    assert found is not None
    [block] = talk_blocks(found)
    assert "right answers of seats by stage" in str(block)
