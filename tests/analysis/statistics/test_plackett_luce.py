"""Plackett and Luce's ratings against OpenSkill."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.plackett_luce import plackett_luce
from analysis.statistics.ratings import trueskill

GAMES = [(0, 1, 1), (1, 2, 0.5), (2, 0, 0), (0, 1, 0), (2, 1, 0.5), (0, 2, 1), (2, 0, 0.5)]


def test_it_is_that_of_openskill_and_not_trueskill() -> None:
    """PlackettLuce of openskill 6.2.0, seven games of three, three of them ties."""
    first, second, score = (np.array(column) for column in zip(*GAMES, strict=True))
    found = plackett_luce(first, second, score, 3)
    theirs = [(28.0159623, 7.1742228), (25.4439653, 7.3843077), (21.5620001, 7.1510081)]
    assert found == pytest.approx(np.array(theirs), abs=1e-6)
    assert np.abs(found - trueskill(first, second, score, 3)).max() > 0.5


def test_it_stays_finite_after_thousands_of_wins() -> None:
    score = np.append(np.ones(3000), [0.5, 0.0])
    found = plackett_luce(np.zeros(3002, int), np.ones(3002, int), score, 2)
    assert np.isfinite(found).all()
    assert found[0, 0] > found[1, 0]
