"""Designs of planned studies: balance, nesting, and the variance of a mean by parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.statistics.designs import (
    SOURCES,
    Component,
    Design,
    draw,
    layout,
    sd_range,
    variance_range,
    variances_of_mean,
)
from analysis.statistics.variance_parts import VariancePart, variance_parts

DESIGNS = [
    Design(90, 10, 6),
    Design(60, 5, 4, wordings=3, repeats=2),
    Design(60, 10, 3, repeats=2, alone=True),
    Design(12, 1, 6, alone=True),
]


@pytest.mark.parametrize("design", DESIGNS)
def test_models_seats_and_motions_are_balanced(design: Design) -> None:
    codes = layout(design)
    seats = codes["model"].reshape(-1, 2)
    assert ((seats[:, 0] == seats[:, 1]) == design.alone).all()
    for side in seats.T:
        assert len(set(np.bincount(side).tolist())) == 1
    for source, levels in (("motion", design.motions), ("wording", design.wordings)):
        counts = np.bincount(codes[source])
        assert counts.size == levels
        assert np.ptp(counts) <= 0.3 * counts.mean()
    # Motions and models are crossed: nobody debates a few motions alone.
    topics = np.zeros((design.models, design.motions))
    np.add.at(topics, (codes["model"], codes["motion"]), 1)
    assert np.ptp(topics) <= 3 * design.repeats
    assert topics.min() > 0
    words = np.zeros((design.models, design.wordings))
    np.add.at(words, (codes["model"], codes["wording"]), 1)
    assert words.min() > 0.5 * words.mean()


def test_all_pairs_on_all_motions_are_played_once_before_any_is_again() -> None:
    codes = layout(Design(20 * 4 + 1, 5, 4))
    cells = codes["the same debate"][::2].tolist()
    assert sorted(set(cells[:80])) == list(range(80))
    assert cells[80] == 0


@pytest.mark.parametrize("design", DESIGNS)
def test_a_smaller_study_is_the_beginning_of_a_larger_one(design: Design) -> None:
    half = replace(design, debates=design.debates // 2)
    sds = dict.fromkeys(SOURCES, 0.1)
    few, many = (
        draw(layout(each), sds, ("model", "motion", "wording"), 3, np.random.default_rng(1))
        for each in (half, design)
    )
    assert many[: len(few)] == pytest.approx(few)


@pytest.mark.parametrize("parts", [(), ("model",), ("model", "motion")])
def test_the_variance_of_the_mean_is_what_the_parts_say(parts: tuple[str, ...]) -> None:
    codes = layout(Design(40, 5, 4, wordings=2, repeats=2))
    sds = {source: 0.02 * (1 + number) for number, source in enumerate(SOURCES)}
    found = variances_of_mean(
        codes, [Component(name, sd, sd, sd, "given") for name, sd in sds.items()], parts
    )
    means = draw(codes, sds, parts, 20_000, np.random.default_rng(2)).mean(axis=0)
    expected = sum(middle for middle, *_ in found.values())
    # What is held fixed adds a little where its levels are not played equally often.
    assert 0.96 * expected < means.var() < (1.04 if "motion" in parts else 1.1) * expected


def test_the_range_of_a_variance_is_between_its_parts_and_their_sum() -> None:
    assert variance_range({"a": (4.0, 1.0, 13.0), "b": (5.0, 1.0, 17.0)}) == (4.0, 24.0)
    assert variance_range({"a": (4.0, 1.0, 13.0)}) == (1.0, 13.0)


def test_a_standard_deviation_is_in_its_range_in_four_of_five_pilots() -> None:
    """Six models that debate each other, with a variance of models that is most of it."""
    codes = layout(Design(60, 6, 5))
    sds = {"model": 0.07, "the same repeat": 0.03, "one side in one debate": 0.06}
    ratings = draw(codes, sds, ("model",), 300, np.random.default_rng(3))
    factors = {name: codes[name] for name in ("model", "the same repeat")}
    held = 0
    for one in ratings.T:
        parts = variance_parts(one, factors, 0 * codes["model"])
        low, high = sd_range(parts[0], parts)
        held += low <= 0.07 <= high
    assert 0.72 <= held / 300 <= 0.88


def test_three_levels_say_less_than_thirty_and_one_says_nothing() -> None:
    few, many = (sd_range(VariancePart("model", n, 0.1), []) for n in (3, 30))
    assert few[0] < many[0] < 0.1 < many[1] < few[1] / 2
    assert sd_range(VariancePart("model", 1, 0.1), []) == (0.1, 0.1)
