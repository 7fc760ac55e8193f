"""Ranks from comparisons of pairs: by hand, against choix, and with a planted order."""

from __future__ import annotations

import choix
import numpy as np
import pytest

from analysis.statistics.calibration import auroc, selective_accuracy
from analysis.statistics.ratings import elo, trueskill
from analysis.statistics.relative_confidence import (
    METHODS,
    bradley_terry,
    relative_ranks,
    unit_range,
)

# Of the package trueskill 0.4.5: the first beats the second, then the second the first.
TRUESKILL = (23.356757, 26.643243)
PAIRS = (np.array([0, 1, 0, 2]), np.array([1, 2, 2, 1]), np.array([1.0, 1.0, 1.0, 0.5]))


def test_shares_of_wins_and_elo_by_hand() -> None:
    shares = relative_ranks(*PAIRS, 4, method="win_share")
    assert shares[:3] == pytest.approx([1.0, 1.5 / 3, 0.5 / 3])
    assert np.isnan(shares[3])
    # Step and scale 400: 1000 each, then 1200 against 800.
    rating = elo(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 1.0]), 2, step=400)
    gain = 400 * (1 - 1 / (1 + 10 ** (-400 / 400)))
    assert rating == pytest.approx([1200 + gain, 800 - gain])
    wider = elo(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 1.0]), 2, step=400, scale=800)
    assert wider[0] == pytest.approx(1200 + 400 * (1 - 1 / (1 + 10 ** (-400 / 800))))


def test_trueskill_is_that_of_the_published_package() -> None:
    rated = trueskill(np.array([0, 1]), np.array([1, 0]), np.array([1.0, 1.0]), 2)
    assert rated[:, 0] == pytest.approx(TRUESKILL, abs=1e-4)
    # Less drift and spread move it less.
    calmer = trueskill(np.array([0]), np.array([1]), np.array([1.0]), 2, deviation=1, drift=0.01)
    assert 25 < calmer[0, 0] < 26


def test_bradley_terry_is_the_penalised_fit_of_choix() -> None:
    rng = np.random.default_rng(2)
    wins = [tuple(map(int, rng.choice(6, 2, replace=False))) for _ in range(40)]
    first, second = map(np.array, zip(*wins, strict=True))
    theirs = choix.opt_pairwise(6, wins, alpha=0.01, tol=1e-12)
    assert bradley_terry(first, second, np.ones(40), 6) == pytest.approx(theirs, abs=1e-4)
    with pytest.raises(ValueError, match="above 0"):
        bradley_terry(first, second, np.ones(40), 6, ridge=0)


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_order_comes_back(method: str) -> None:
    """60 answers, 15 comparisons each, decided by what is planted: near its own AUROC."""
    rng = np.random.default_rng(4)
    sure = rng.uniform(size=60)
    correct = (rng.uniform(size=60) < sure).astype(float)
    first = np.repeat(np.arange(60), 15)
    second = (first + 1 + rng.integers(0, 59, len(first))) % 60
    score = (sure[first] > sure[second]).astype(float)
    rank = relative_ranks(first, second, score, 60, method=method, shuffles=5)  # type: ignore[arg-type]
    assert np.corrcoef(np.argsort(np.argsort(rank)), np.argsort(np.argsort(sure)))[0, 1] > 0.95
    rank = unit_range(rank)
    assert (rank.min(), rank.max()) == (0, 1)
    assert auroc(rank, correct) == pytest.approx(auroc(sure, correct), abs=0.04)
    assert selective_accuracy(rank, correct) == pytest.approx(
        selective_accuracy(sure, correct), abs=0.04
    )


def test_equal_ranks_are_the_middle_and_missing_ones_stay_missing() -> None:
    assert unit_range(np.array([2.0, 2.0])).tolist() == [0.5, 0.5]
    assert np.isnan(unit_range(np.array([1.0, np.nan, 3.0]))).tolist() == [False, True, False]
