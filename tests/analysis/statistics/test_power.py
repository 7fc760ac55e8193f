"""Power by simulation, against the report's own tests, closed forms, and what power has to obey."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, sqrt

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import nct
from scipy.stats import t as student

from analysis.statistics import power as of
from analysis.statistics.claims import mean_claims
from analysis.statistics.designs import Design, is_anew, layout
from analysis.statistics.equivalence import equivalence
from analysis.statistics.motions import over_motions
from analysis.statistics.power import Power, Truth, find_smallest, majority_power, power

REST = "one side in one debate"
SDS = {"model": 0.07, "motion": 0.02, "model by motion": 0.02, "the same repeat": 0.03, REST: 0.06}
DESIGNS = [
    Design(60, 10, 6),
    Design(42, 7, 8, repeats=2),
    Design(30, 6, 6, alone=True),
    Design(40, 4, 6),
    Design(12, 1, 6, alone=True),
]


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("design", DESIGNS)
def test_intervals_are_those_of_the_report(design: Design, missing: float) -> None:
    codes = layout(design)
    truth = Truth(0.5, 0.03, SDS, missing)
    ratings = of.draw_ratings(codes, truth, ("model",), np.random.default_rng(1))[:, :5]
    model, motion = codes["model"].reshape(-1, 2), codes["motion"][::2]
    errors = {each: of.errors_of(ratings, codes, each) for each in of.SPEAKS_OF}
    half = {each: stdtrit(found.degrees, 0.975) * found.se for each, found in errors.items()}
    for number, one in enumerate(ratings.T):
        estimate, claims = mean_claims(one.reshape(-1, 2), model, within=(-9, 9))
        assert errors[of.THESE].mean[number] == pytest.approx(estimate.mean)
        wide = (claims.these_ci_high - claims.these_ci_low) / 2
        assert half[of.THESE][number] == pytest.approx(wide)
        if of.can_speak(design, of.LIKE_THESE):
            wide = (claims.ci_high - claims.ci_low) / 2
            assert half[of.LIKE_THESE][number] == pytest.approx(wide)
            of_motions = over_motions(one.reshape(-1, 2), model, motion, within=(-9, 9))
            wide = (of_motions.ci_high - of_motions.ci_low) / 2
            assert half[of.MOTIONS][number] == pytest.approx(wide)


@pytest.mark.parametrize("debates", [20, 30, 60])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_equivalence_is_decided_as_in_the_report(debates: int, missing: float) -> None:
    """With ratings of few values, of which many are the same, so that exact bounds count too."""
    codes = layout(Design(debates, 1, 6, alone=True))
    truth = Truth(0.5, 0.0, {REST: 0.006}, missing, margin=0.05)
    ratings = of.draw_ratings(codes, truth, (), np.random.default_rng(2))[:, :20]
    detected, _ = of.detect(ratings, codes, truth, of.THESE)
    report = [equivalence(one.reshape(-1, 2)).these.verdict == "equivalent" for one in ratings.T]
    assert detected.tolist() == report
    assert sum(report) > 0 or debates == 20


@pytest.mark.parametrize(("effect", "debates"), [(0.02, 10), (0.02, 30), (0.01, 80)])
def test_power_of_one_model_is_that_of_the_noncentral_t(effect: float, debates: int) -> None:
    design = Design(debates, 1, 1, alone=True)
    truth = Truth(0.0, effect, {"the same repeat": 0.03, REST: 0.06}, printed=False)
    found = power(design, truth, of.THESE, studies=4000)
    away = effect / sqrt(0.03**2 + 0.06**2 / 2) * sqrt(debates)
    critical = student.isf(0.025, debates - 1)
    exact = nct.sf(critical, debates - 1, away) + nct.cdf(-critical, debates - 1, away)
    assert abs(found.share - exact) < 4 * sqrt(exact * (1 - exact) / 4000)


def test_power_of_models_without_other_chance_is_that_of_the_noncentral_t() -> None:
    truth = Truth(0.0, 0.05, {"model": 0.07}, printed=False)
    found = power(Design(40, 10, 4, alone=True), truth, of.LIKE_THESE, studies=4000)
    away, critical = 0.05 / 0.07 * sqrt(10), student.isf(0.025, 9)
    exact = nct.sf(critical, 9, away) + nct.cdf(-critical, 9, away)
    assert abs(found.share - exact) < 4 * sqrt(exact * (1 - exact) / 4000)


@pytest.mark.parametrize("speaks_of", of.SPEAKS_OF)
def test_without_an_effect_the_level_is_found_and_less_where_fixed_parts_differ(
    speaks_of: str,
) -> None:
    """What a claim holds fixed moves no mean, and makes its interval no narrower."""
    anew = {name: sd for name, sd in SDS.items() if is_anew(name, of.SPEAKS_OF[speaks_of])}
    design = Design(90, 10, 9, wordings=3)
    plain, fixed = (
        power(design, Truth(0.0, 0.0, sds, printed=False), speaks_of, studies=2000).share
        for sds in (anew, {**SDS, "wording": 0.1})
    )
    assert 0.025 < plain < 0.065
    assert fixed < 0.065


def test_fewer_than_six_models_have_no_power_to_speak_for_models_like_these() -> None:
    truth = Truth(0.0, 0.3, SDS, printed=False)
    assert isnan(power(Design(500, 5, 6), truth, of.LIKE_THESE, studies=100).share)
    assert power(Design(50, 5, 6), truth, of.THESE, studies=100).share == 1.0
    assert isnan(power(Design(50, 9, 5), truth, of.MOTIONS, studies=100).share)


def test_more_models_help_where_more_debates_do_not() -> None:
    truth = Truth(0.0, 0.05, SDS, printed=False)
    base, debates, models = (
        power(design, truth, of.LIKE_THESE, studies=1000).share
        for design in (Design(90, 10, 6), Design(360, 10, 6), Design(90, 20, 6))
    )
    assert debates - base < 0.1 < models - base


def test_a_study_without_spread_has_found_nothing() -> None:
    found = power(Design(9, 1, 1, alone=True), Truth(0.0, 0.1, {}), of.THESE, studies=30)
    assert (found.share, isnan(found.half_width)) == (0.0, True)


def test_the_same_seed_gives_the_same_power_and_more_studies_are_those_and_others() -> None:
    truth = Truth(0.0, 0.02, SDS, printed=False)
    few, same, more, other = (
        power(Design(40, 10, 6), truth, of.LIKE_THESE, studies=studies, seed=seed)
        for studies, seed in ((150, 1), (150, 1), (151, 1), (150, 2))
    )
    assert few == same
    assert few.half_width != other.half_width
    assert round(more.share * 151) - round(few.share * 150) in (0, 1)


SHARES = {"debate": 0.2, "judge": 0.2, "judge by debate": 0.2, of.READING: 0.4}


def test_readings_share_as_much_as_is_said() -> None:
    """The two readings of one judge agree as often as votes of correlation 0.6 do."""
    rows = {"who debates whom": np.zeros(40, dtype=int), "debate": np.arange(40)}
    won = of.draw_majorities(
        rows, 1, {"debate": 0.6, of.READING: 0.4}, 0.0, np.random.default_rng(1)
    )
    # A judge whose readings differ abstains: agreement is (1 + 0.6) / 2.
    assert (~np.isnan(won)).mean() == pytest.approx(0.8, abs=0.02)
    assert np.nanmean(won) == pytest.approx(0.5, abs=0.03)


def test_a_larger_panel_sees_more_and_without_a_lead_the_level_is_found() -> None:
    def share(judges: int, lead: float) -> float:
        design = Design(60, 10, 6, judges=judges)
        return majority_power(design, SHARES, lead, studies=300).share

    assert share(5, 0.1) > share(1, 0.1) + 0.1
    assert share(3, 0.0) < 0.1


def table(shares: dict[int, float]) -> tuple[Callable[[int], Power], list[int]]:
    """A measure that looks up the largest number not above its own, and its calls."""
    asked: list[int] = []

    def measure(number: int) -> Power:
        asked.append(number)
        reached = max((share for known, share in shares.items() if known <= number), default=0.0)
        return Power(of.THESE, 1, reached)

    return measure, asked


@pytest.mark.parametrize("first", [2, 3, 4, 7, 64, 99, 100])
def test_the_smallest_number_is_found_wherever_it_is(first: int) -> None:
    measure, asked = table({first: 0.9})
    found = find_smallest(measure, 0.8, least=2, most=100)
    assert found is not None
    assert found[0] == first
    assert len(asked) <= 14


def test_where_no_number_reaches_the_target_there_is_none() -> None:
    measure, asked = table({101: 0.9})
    assert find_smallest(measure, 0.8, least=6, most=100) is None
    assert asked[-1] == 100


def test_what_is_known_is_not_measured_again() -> None:
    measure, asked = table({30: 0.9})
    known = [(debates, measure(debates)) for debates in (10, 20, 40, 80)]
    asked.clear()
    found = find_smallest(measure, 0.8, least=2, most=100, measured=known)
    assert found is not None
    assert found[0] == 30
    assert all(20 < debates < 40 for debates in asked)
