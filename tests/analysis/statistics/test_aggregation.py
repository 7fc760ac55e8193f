"""Votes, majority and confidence sum on tables that can be counted by hand."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from analysis.statistics.aggregation import Votes, confidence_sum, majority, unanimous

PRO, CON, NONE = 1.0, 0.0, 0.5


def cast(*rows: tuple[int, float, float]) -> Votes:
    """Votes (debate, winner, confidence), each of another judge."""
    debate, winner, confidence = (np.array(column) for column in zip(*rows, strict=True))
    none = np.zeros(len(rows), dtype=bool)
    numbers = winner.astype(float), confidence.astype(float)
    return Votes(debate, np.arange(len(rows)), *numbers, none, none)


def of_one_debate(*said: tuple[float, float]) -> Votes:
    """Votes on debate 0."""
    return cast(*((0, winner, confidence) for winner, confidence in said))


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
        (0, PRO, 1),
        (0, PRO, 1),
        (1, CON, 1),
        (2, CON, 1),
        (2, NONE, nan),
        (3, CON, 1),
        (3, nan, nan),
        (3, CON, 1),
    )
    assert unanimous(found, 5).tolist() == [True, False, False, True, False]


def test_a_debate_without_votes_has_no_winner() -> None:
    found = cast((1, PRO, 0.9))
    assert majority(found, 3) == pytest.approx([nan, PRO, nan], nan_ok=True)


def test_a_choice_of_votes_decides_by_itself() -> None:
    found = cast((0, PRO, 0.9), (0, PRO, 0.9), (0, CON, 0.9))
    assert majority(found.select(np.array([False, False, True])), 1).tolist() == [CON]
