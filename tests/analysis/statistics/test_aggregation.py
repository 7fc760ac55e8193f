"""Votes, majority and confidence sum on tables that can be counted by hand."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from analysis.statistics.aggregation import Votes, confidence_sum, majority, unanimous, votes

PRO, CON, NONE = 1.0, 0.0, 0.5


def cast(*rows: tuple[int, int, int, float, float]) -> Votes:
    """Votes out of readings (debate, judge, repeat, winner, confidence)."""
    debate, judge, repeat, winner, confidence = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return votes(debate, judge, repeat, winner.astype(float), confidence.astype(float))


def of_one_debate(*said: tuple[float, float]) -> Votes:
    """One vote of each judge on debate 0."""
    return cast(
        *((0, judge, 0, winner, confidence) for judge, (winner, confidence) in enumerate(said))
    )


def test_two_orders_with_one_winner_are_one_vote() -> None:
    found = cast((0, 0, 0, PRO, 0.8), (0, 0, 0, PRO, 0.6))
    assert (found.winner.tolist(), found.flipped.tolist()) == ([PRO], [False])
    assert found.confidence == pytest.approx([0.7])


def test_a_vote_that_flips_with_the_order_abstains() -> None:
    found = cast((0, 0, 0, PRO, 0.9), (0, 0, 0, CON, 0.6))
    assert (found.winner.tolist(), found.flipped.tolist()) == ([NONE], [True])
    assert np.isnan(found.confidence).all()


def test_an_abstention_in_one_order_is_no_winner_and_no_flip() -> None:
    found = cast((0, 0, 0, PRO, 0.9), (0, 0, 0, NONE, nan))
    assert (found.winner.tolist(), found.flipped.tolist()) == ([NONE], [False])


def test_a_vote_with_a_missing_reading_is_missing() -> None:
    assert np.isnan(cast((0, 0, 0, PRO, 0.9), (0, 0, 0, nan, nan)).winner).tolist() == [True]


def test_repeats_and_judges_have_votes_of_their_own() -> None:
    found = cast((0, 0, 0, PRO, 0.9), (0, 0, 1, CON, 0.9), (0, 1, 0, CON, 0.9), (1, 0, 0, PRO, 0.9))
    assert list(
        zip(found.debate.tolist(), found.judge.tolist(), found.winner.tolist(), strict=True)
    ) == [
        (0, 0, PRO),
        (0, 0, CON),
        (0, 1, CON),
        (1, 0, PRO),
    ]


@pytest.mark.parametrize(
    ("said", "by_majority", "by_sum"),
    [
        ([(PRO, 0.6), (PRO, 0.6), (CON, 0.9)], PRO, PRO),
        ([(PRO, 0.55), (PRO, 0.55), (CON, 1.0)], PRO, PRO),
        ([(PRO, 0.5), (CON, 0.9)], NONE, CON),
        ([(PRO, 0.5), (PRO, 0.4), (CON, 0.9)], PRO, NONE),
        ([(PRO, 0.1), (PRO, 0.2), (CON, 0.3)], PRO, NONE),
        ([(NONE, nan), (CON, 0.6)], CON, CON),
        ([(NONE, nan), (NONE, nan)], NONE, NONE),
        ([(nan, nan), (PRO, 0.6)], PRO, PRO),
        ([(PRO, nan), (CON, 0.6)], NONE, nan),
        ([(nan, nan)], nan, nan),
    ],
)
def test_majority_and_sum(
    said: list[tuple[float, float]], by_majority: float, by_sum: float
) -> None:
    """0.1 + 0.2 against 0.3 is a tie although their floating-point sums differ."""
    found = of_one_debate(*said)
    assert majority(found, 1) == pytest.approx([by_majority], nan_ok=True)
    assert confidence_sum(found, 1) == pytest.approx([by_sum], nan_ok=True)


def test_unanimous_takes_two_votes_for_one_side() -> None:
    found = cast(
        (0, 0, 0, PRO, 1),
        (0, 1, 0, PRO, 1),
        (1, 0, 0, CON, 1),
        (2, 0, 0, CON, 1),
        (2, 1, 0, NONE, nan),
        (3, 0, 0, CON, 1),
    )
    found = cast(
        *zip(found.debate, found.judge, [0] * 6, found.winner, found.confidence, strict=True),
        (3, 1, 0, nan, nan),
        (3, 2, 0, CON, 1),
    )
    assert unanimous(found, 5).tolist() == [True, False, False, True, False]


def test_a_debate_without_votes_has_no_winner() -> None:
    found = cast((1, 0, 0, PRO, 0.9))
    assert majority(found, 3) == pytest.approx([nan, PRO, nan], nan_ok=True)
