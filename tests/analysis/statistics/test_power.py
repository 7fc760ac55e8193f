"""Power by simulation, against the scalar estimators, closed forms, and what power has to obey."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, nan, sqrt

import numpy as np
import pytest
from scipy.stats import nct, norm, ttest_ind, ttest_rel
from scipy.stats import t as student

from analysis.statistics import equivalence as scalar_equivalence
from analysis.statistics import power as of
from analysis.statistics.clustered import Array, clustered_mean
from analysis.statistics.overconfidence import against_half
from analysis.statistics.overconfidence import rise as scalar_rise
from analysis.statistics.power import Power, Ratings, estimate_spread, find_smallest, power, wilson


def random_studies(seed: int, missing: float = 0.3, debates: int = 9, studies: int = 40) -> Array:
    """(S, G, 2, 3) whole percents that share a level by debate, some missing."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0.55, 0.1, (studies, debates, 1, 1))
    values = np.round(np.clip(level + rng.normal(0, 0.1, (studies, debates, 2, 3)), 0, 1), 2)
    values[rng.random(values.shape) < missing] = nan
    return values


def odd_studies() -> Array:
    """Studies at the edge: nothing there, one debate, two debates, one value, no spread."""
    values = np.full((5, 4, 2, 3), nan)
    values[1, 0] = 0.6
    values[2, :2] = [[[0.6, 0.7, 0.8], [0.5, 0.5, 0.6]], [[0.4, 0.7, 0.7], [0.5, nan, 0.5]]]
    values[3, 2, 1, 2] = 0.3
    values[4] = 0.7
    return values


CASES = [
    random_studies(1),
    random_studies(2, missing=0.8),
    random_studies(3, missing=0),
    odd_studies(),
]


@pytest.mark.parametrize("ratings", CASES)
def test_rises_have_the_p_of_the_report(ratings: Array) -> None:
    assert of.rise_test(ratings) == pytest.approx(
        [scalar_rise(one[:, :, 0], one[:, :, -1]).p for one in ratings], rel=1e-9, nan_ok=True
    )


@pytest.mark.parametrize("ratings", CASES)
def test_the_test_against_half_has_the_p_of_the_report(ratings: Array) -> None:
    assert of.above_half_test(ratings) == pytest.approx(
        [against_half(one[:, :, -1]).p for one in ratings], rel=1e-9, nan_ok=True
    )


@pytest.mark.parametrize("ratings", [*CASES, random_studies(4, debates=40)])
@pytest.mark.parametrize("margin", [0.05, 0.1])
def test_equivalence_has_the_p_of_the_report(ratings: Array, margin: float) -> None:
    """In studies that are large enough; in others neither finds anything."""
    scalar = np.array(
        [scalar_equivalence.equivalence(one[:, :, -1], margin=margin).these.p for one in ratings]
    )
    found = of.equivalence_test(ratings, margin)
    small = found == 1
    assert ratings.shape[1] > 13 or (small | np.isnan(found)).all()
    assert (scalar[small] > 0.05).all()
    assert found[~small] == pytest.approx(scalar[~small], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("ratings", CASES)
def test_means_and_errors_are_those_of_clustered_mean(ratings: Array) -> None:
    found = of.clustered_means(ratings[..., -1])
    scalar = [clustered_mean(one[:, :, -1]) for one in ratings]
    assert found.clusters.tolist() == [one.clusters for one in scalar]
    assert found.mean == pytest.approx([one.mean for one in scalar], nan_ok=True)
    assert found.se == pytest.approx([one.se for one in scalar], nan_ok=True)


def paired_p(one: Array, other: Array) -> float:
    """The paired test: differences, with debates as clusters."""
    return clustered_mean(one - other).p


def unpaired_p(one: Array, other: Array) -> float:
    """Welch's test, by hand from two clustered means."""
    a, b = clustered_mean(one), clustered_mean(other)
    if not a.se**2 + b.se**2 > 0:
        return nan
    degrees = (a.se**2 + b.se**2) ** 2 / (a.se**4 / (a.clusters - 1) + b.se**4 / (b.clusters - 1))
    return float(2 * student.sf(abs(a.mean - b.mean) / sqrt(a.se**2 + b.se**2), degrees))


@pytest.mark.parametrize("ratings", CASES)
@pytest.mark.parametrize(("paired", "scalar"), [(True, paired_p), (False, unpaired_p)])
def test_differences_are_those_of_one_study_at_a_time(
    ratings: Array, paired: bool, scalar: Callable[[Array, Array], float]
) -> None:
    first, second = ratings[..., 0], ratings[..., -1]
    expected = [scalar(one, other) for one, other in zip(first, second, strict=True)]
    assert of.difference_test(first, second, paired=paired) == pytest.approx(
        expected, rel=1e-9, nan_ok=True
    )


def test_with_one_rating_per_debate_differences_are_the_textbook_tests() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(0.5, 0.1, (6, 12, 1)), rng.normal(0.6, 0.3, (6, 12, 1))
    welch, by_pairs = (
        ttest_ind(first, second, axis=1, equal_var=False),
        ttest_rel(first, second, axis=1),
    )
    assert of.difference_test(first, second) == pytest.approx(welch.pvalue[:, 0])
    assert of.difference_test(first, second, paired=True) == pytest.approx(by_pairs.pvalue[:, 0])


def normal(mean: float, noise: float, debate_sd: float = 0.0) -> of.Draw:
    """Unclipped ratings about 50%, with a rise of `mean` in every phase: where power is known in
    closed form.
    """

    def draw(studies: int, debates: int, rng: np.random.Generator) -> Ratings:
        shared = debate_sd * rng.standard_normal((debates, studies, 1, 1))
        values = (
            0.5
            + mean * np.arange(3)
            + shared
            + noise * rng.standard_normal((debates, studies, 2, 3))
        )
        return (np.swapaxes(values, 0, 1),)

    return draw


def rising(found: Ratings) -> Array:
    return of.rise_test(found[0])


@pytest.mark.parametrize(("mean", "debates"), [(0.02, 10), (0.02, 30), (0.01, 80), (0.03, 12)])
def test_the_power_of_a_rise_is_that_of_the_noncentral_t(mean: float, debates: int) -> None:
    """A debate's mean change has a standard deviation of `noise`: two differences of two ratings,
    averaged.
    """
    found = power(normal(mean, 0.08, debate_sd=0.2), rising, debates, studies=10_000)
    critical, away = student.isf(0.025, debates - 1), 2 * mean / 0.08 * sqrt(debates)
    exact = nct.sf(critical, debates - 1, away) + nct.cdf(-critical, debates - 1, away)
    assert abs(found.share - exact) < 4 * sqrt(exact * (1 - exact) / 10_000)


@pytest.mark.slow
def test_the_power_of_equivalence_is_that_of_the_normal_where_debates_are_many() -> None:
    draw, se = normal(0.0, 0.4), 0.4 / sqrt(2 * 400)
    found = power(draw, lambda ratings: of.equivalence_test(ratings[0], 0.04), 400, studies=4000)
    exact = 2 * norm.cdf(0.04 / se - norm.isf(0.05)) - 1
    assert abs(found.share - exact) < 0.03


@pytest.mark.parametrize("debates", [3, 10, 40])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_without_an_effect_the_level_is_what_is_found(debates: int, level: float) -> None:
    found = power(normal(0.0, 0.1), rising, debates, studies=10_000, level=level)
    assert abs(found.share - level) < 4 * sqrt(level * (1 - level) / 10_000)


def test_the_same_seed_gives_the_same_power_and_another_one_another() -> None:
    def shares(seed: int) -> list[float]:
        return [
            power(normal(0.02, 0.1), rising, debates, seed=seed).share
            for debates in (10, 15, 20, 25)
        ]

    assert shares(3) == shares(3) != shares(4)


def test_more_studies_are_those_studies_and_others() -> None:
    draw = normal(0.02, 0.1)
    few, more = (power(draw, rising, 20, studies=studies) for studies in (150, 151))
    assert round(more.share * 151) - round(few.share * 150) in (0, 1)


def test_a_study_that_cannot_be_tested_has_found_nothing_and_is_counted() -> None:
    found = power(normal(0.1, 0.0), rising, 5, studies=30)
    assert (found.share, found.undefined) == (0.0, 30)


def table(shares: dict[int, float]) -> tuple[Callable[[int], Power], list[int]]:
    """A measure that looks up the largest number of debates not above its own, and its calls."""
    asked: list[int] = []

    def measure(debates: int) -> Power:
        asked.append(debates)
        return Power(
            debates,
            1,
            max((share for number, share in shares.items() if number <= debates), default=0.0),
            0,
            1,
            0,
        )

    return measure, asked


@pytest.mark.parametrize("first", [2, 3, 4, 7, 64, 99, 100])
def test_the_smallest_number_is_found_wherever_it_is(first: int) -> None:
    measure, asked = table({first: 0.9})
    found = find_smallest(measure, 0.8, most=100)
    assert found is not None
    assert found.debates == first
    assert len(asked) <= 14


def test_where_no_number_reaches_the_target_there_is_none() -> None:
    measure, asked = table({101: 0.9})
    assert find_smallest(measure, 0.8, most=100) is None
    assert asked[-1] == 100


def test_what_is_known_is_not_measured_again() -> None:
    measure, asked = table({30: 0.9})
    known = [measure(debates) for debates in (10, 20, 40, 80)]
    asked.clear()
    found = find_smallest(measure, 0.8, most=100, measured_powers=known)
    assert found is not None
    assert found.debates == 30
    assert all(20 < debates < 40 for debates in asked)


def test_power_grows_with_debates_along_nested_studies() -> None:
    draw = normal(0.02, 0.1)
    shares = [power(draw, rising, debates).share for debates in range(10, 60, 5)]
    assert shares == sorted(shares)


def test_wilsons_interval_by_hand() -> None:
    """For 8 of 10: (0.8 + 0.19207) / 1.38415 -+ sqrt(0.8 * 0.2 * 0.384146 + 0.384146^2 / 4) /
    1.384146.
    """
    assert wilson(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert (wilson(0, 10)[0], wilson(10, 10)[1]) == (0.0, 1.0)


def rated(
    noise: float, debate_sd: float, missing: float, debates: int, step: float = 0.1
) -> tuple[Array, Array, Array]:
    """Ratings of two kinds of debaters, one of them higher, all asked for."""
    rng = np.random.default_rng(8)
    kind = rng.integers(2, size=(debates, 1)) * np.ones((1, 2), dtype=np.int64)
    values = (
        0.4
        + step * kind[:, :, None]
        + 0.05 * np.arange(3)
        + debate_sd * rng.standard_normal((debates, 1, 1))
    )
    values = values + noise * rng.standard_normal((debates, 2, 3))
    values[rng.random(values.shape) < missing] = nan
    return values, np.ones(values.shape, dtype=bool), kind.astype(np.int64)


@pytest.mark.parametrize(
    ("noise", "debate_sd", "missing"), [(0.08, 0.05, 0.0), (0.05, 0.1, 0.3), (0.1, 0.0, 0.6)]
)
def test_a_pilot_gives_back_what_was_put_in(noise: float, debate_sd: float, missing: float) -> None:
    found = estimate_spread(*rated(noise, debate_sd, missing, 3000))
    assert found.noise == pytest.approx(noise, rel=0.05)
    assert found.debate_sd == pytest.approx(debate_sd, rel=0.08, abs=0.015)
    assert found.missing == pytest.approx(missing, abs=0.02)


def test_small_pilots_are_right_on_average() -> None:
    """300 pilots of 12 debates of one kind: mean squares are unbiased where nothing is missing."""
    rng = np.random.default_rng(9)
    values = 0.05 * rng.standard_normal((300, 12, 1, 1)) + 0.08 * rng.standard_normal(
        (300, 12, 2, 3)
    )
    found = [
        estimate_spread(one, np.ones(one.shape, dtype=bool), np.zeros((12, 2), dtype=np.int64))
        for one in values
    ]
    assert np.mean([one.noise**2 for one in found]) == pytest.approx(0.08**2, rel=0.04)
    assert np.mean([one.debate_sd**2 for one in found]) == pytest.approx(0.05**2, rel=0.15)


def test_how_a_kind_of_debater_rates_on_average_is_no_noise() -> None:
    near, far = (estimate_spread(*rated(0.05, 0.05, 0.1, 500, step=step)) for step in (0.0, 0.5))
    assert (near.noise, near.debate_sd) == pytest.approx((far.noise, far.debate_sd))


def test_a_pilot_without_ratings_has_no_noise_to_tell() -> None:
    nothing = estimate_spread(
        np.full((4, 2, 3), nan), np.ones((4, 2, 3), dtype=bool), np.zeros((4, 2), dtype=np.int64)
    )
    assert isnan(nothing.noise)
    assert (nothing.missing, nothing.debates, nothing.ratings) == (1.0, 0, 0)
    one = estimate_spread(
        np.full((1, 2, 3), 0.5), np.ones((1, 2, 3), dtype=bool), np.zeros((1, 2), dtype=np.int64)
    )
    assert isnan(one.debate_sd)
