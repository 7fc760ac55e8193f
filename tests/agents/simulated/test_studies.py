"""Whole simulated studies follow the same model as the debaters that are played."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from agents import agent
from agents.simulated.debater import PROFILES, Profile, expected_confidence
from agents.simulated.studies import ratings
from arena import Arena, Arm, Study, Subject, against_itself
from protocols.debate import debate

EVEN = Profile()


def draw(
    proposition: Profile,
    opposition: Profile | None = None,
    *,
    studies: int = 1,
    debates: int = 20_000,
    phases: int = 3,
) -> NDArray[np.float64]:
    return ratings(
        proposition,
        opposition or proposition,
        studies=studies,
        debates=debates,
        phases=phases,
        rng=np.random.default_rng(1),
    )


@pytest.mark.parametrize("name", [*PROFILES])
def test_means_are_the_exact_ones_by_phase(name: str) -> None:
    drawn = draw(PROFILES[name])[0]
    for phase in range(3):
        values = drawn[:, :, phase][~np.isnan(drawn[:, :, phase])]
        # Both sides of a debate share a part: half as many independent values at least.
        assert (
            abs(values.mean() - expected_confidence(name, phase))
            < 4 * values.std() / (values.size / 2) ** 0.5
        )


def test_a_clipped_mean_is_the_exact_one() -> None:
    drawn = draw(Profile(bias=0.45, noise=0.3))
    assert abs(drawn[..., 0].mean() - expected_confidence("even:bias=0.45:noise=0.3", 0)) < 0.005
    assert (drawn.min(), drawn.max()) == (0.0, 1.0)


def test_ratings_are_whole_percents_between_nothing_and_certainty() -> None:
    drawn = draw(PROFILES["erratic"])
    present = drawn[~np.isnan(drawn)]
    assert set(np.unique(present)) <= {n / 100 for n in range(101)}


def test_noise_and_what_a_debate_shares_come_out() -> None:
    drawn = draw(EVEN)[0]
    covariance = np.cov(drawn[:, 0, 0], drawn[:, 1, 2])
    assert covariance[0, 1] == pytest.approx(0.05**2, rel=0.1)
    assert covariance[0, 0] == pytest.approx(0.05**2 + 0.08**2, rel=0.05)


def test_two_profiles_share_the_level_of_a_debate_each_by_its_own_measure() -> None:
    plain = Profile(noise=0, debate_sd=0.1)
    biased = Profile(bias=0.1, noise=0, debate_sd=0.05)
    drawn = draw(plain, biased, debates=200)[0, :, :, 0]
    unclipped = (drawn > 0).all(axis=1) & (drawn < 1).all(axis=1)
    assert drawn[unclipped, 1] - 0.6 == pytest.approx((drawn[unclipped, 0] - 0.5) / 2, abs=0.008)


def test_debates_and_studies_share_nothing() -> None:
    drawn = draw(Profile(noise=0, debate_sd=0.1), studies=2, debates=10_000)[..., 0, 0]
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.04
    assert abs(np.corrcoef(drawn[0, 1:], drawn[0, :-1])[0, 1]) < 0.04


def test_the_debates_of_a_smaller_study_are_the_first_of_a_larger_one() -> None:
    small, large = (draw(PROFILES["erratic"], studies=7, debates=debates) for debates in (5, 50))
    assert np.array_equal(small, large[:, :5], equal_nan=True)
    assert small.shape == (7, 5, 2, 3)


def play(reference: str, debates: int, folder: str) -> NDArray[np.float64]:
    """Return the ratings (debates, 2, 3) that the arena has played and stored."""
    motions = [
        Subject(f"This house would hold debate number {number}.") for number in range(debates)
    ]
    arena = Arena(f"{folder}/arena.duckdb")
    asyncio.run(
        arena.play(
            Study(
                "played", [Arm("only", debate, list(against_itself([agent(reference)])))], motions
            ),
            watch=lambda stats: None,
        )
    )
    rows = arena.sql("select confidence from turns order by episode, seat, round").dicts()
    return np.array([row["confidence"] for row in rows], dtype=np.float64).reshape(debates, 2, 3)


@pytest.mark.slow
def test_played_debates_come_from_the_same_distribution(tmp_path: object) -> None:
    """Kolmogorov-Smirnov tests of a rating, a rise and a gap between sides; shares missing."""
    profile = Profile(bias=0.3, drift=0.05, noise=0.1, debate_sd=0.1, unreadable=0.4)
    reference = "sim/even:bias=0.3:drift=0.05:noise=0.1:debate_sd=0.1:unreadable=0.4"
    arena = play(reference, 400, str(tmp_path))
    array = draw(profile)[0]
    for part in (
        lambda x: x[:, 0, 0],
        lambda x: x[:, 1, 2] - x[:, 1, 0],
        lambda x: x[:, 0, 1] - x[:, 1, 1],
        lambda x: x[:, 0, 1] + x[:, 1, 1],
    ):
        played, drawn = (part(x)[~np.isnan(part(x))] for x in (arena, array))
        assert ks_2samp(played, drawn).pvalue > 0.001
    assert np.isnan(array).mean() == pytest.approx(0.4**2, abs=0.005)
    assert np.isnan(arena).mean() == pytest.approx(0.4**2, abs=4 * (0.16 * 0.84 / 2400) ** 0.5)
