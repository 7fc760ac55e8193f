"""The test of replies: against p by hand, under exchange of labels, and on planted differences."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from analysis.statistics.same_distribution import (
    characters,
    confuse,
    permutation_test,
    power,
    rating_kernel,
    reply_kernels,
    spectrum,
    surprise,
)

WORDS = [f"w{number}" for number in range(40)]


def replies_of(n: int, rng: np.random.Generator, *, chaos: float = 0.1) -> list[str]:
    """Texts of words in an order that `chaos` breaks."""
    texts = []
    for start in rng.integers(0, 20, n):
        words = [WORDS[(start + place) % 40] for place in range(15)]
        wrong = rng.random(15) < chaos
        texts.append(
            " ".join(
                WORDS[rng.integers(40)] if w else word for word, w in zip(words, wrong, strict=True)
            )
        )
    return texts


def test_p_is_the_share_of_exchanges_within_prompts_with_so_large_a_discrepancy() -> None:
    old, new = np.array([0.1, 0.4, 0.6, 0.2, 0.7]), np.array([0.5, 0.6, 0.7, 0.9, 0.6])
    ratings = np.concatenate([old, new])
    prompts, is_new = np.tile(np.arange(5), 2), np.arange(10) >= 5

    def energy(x: np.ndarray, y: np.ndarray) -> float:
        """The energy distance by its definition."""
        between = np.abs(x[:, None] - y).mean()
        return float(2 * between - np.abs(x[:, None] - x).mean() - np.abs(y[:, None] - y).mean())

    every = [
        energy(np.where(swap, new, old), np.where(swap, old, new))
        for swap in product([False, True], repeat=5)
    ]
    exact = np.mean([value >= every[0] - 1e-12 for value in every])
    p = permutation_test([rating_kernel(ratings)], prompts, is_new, permutations=9999)
    assert p == pytest.approx(exact, abs=0.02)


def test_what_cannot_differ_has_p_1_and_prompts_of_one_time_alone_tell_nothing() -> None:
    prompts, is_new = np.tile(np.arange(4), 2), np.arange(8) >= 4
    same = ["a b c"] * 8
    assert permutation_test(reply_kernels(same, prompts), prompts, is_new) == 1
    apart = np.arange(8)
    assert np.isnan(permutation_test(reply_kernels(same, apart), apart, is_new))
    assert power(same, apart, is_new) == 0
    one = permutation_test(
        reply_kernels(["", "\ud800x", *same], np.arange(10) % 5),
        np.arange(10) % 5,
        np.arange(10) >= 5,
    )
    assert 0 < one <= 1


def test_a_rating_that_is_missing_is_as_far_from_any_as_0_from_1() -> None:
    kernel = rating_kernel(np.array([0.2, np.nan, np.nan, 0.9]))
    expected = [[0, 1, 1, 0.7], [1, 0, 0, 1], [1, 0, 0, 1], [0.7, 1, 1, 0]]
    assert -kernel == pytest.approx(np.array(expected))


def test_surprise_and_spectrum_are_those_by_hand() -> None:
    # After "a" comes "b" twice and the end once; after the beginning always "a".
    texts = [characters(text) for text in ("ab", "ab", "a")]
    first, _, last = surprise(texts, 2)
    assert first == pytest.approx(-np.log(2 / 3) / 3)
    assert last == pytest.approx(-np.log(1 / 3) / 2)
    same, other, short = spectrum(["abcabc", "xyz", "ab"])
    assert (same @ same, other @ other, short @ short) == pytest.approx((1, 1, 0))
    # Of abc, bca, cab and abc, and of bca, cab, abc and bca: the roots of 2, 1 and 1.
    one, two = spectrum(["abcabc", "bcabca"])
    assert one @ two == pytest.approx((2 * np.sqrt(2) + 1) / 4)


@pytest.mark.parametrize(("chaos", "found"), [(0.1, False), (0.3, True), (0.0, True)])
def test_more_and_less_chaos_are_found_at_one_reply_a_prompt(chaos: float, found: bool) -> None:
    rng = np.random.default_rng(4)
    replies = [*replies_of(60, rng), *replies_of(60, rng, chaos=chaos)]
    prompts, is_new = np.tile(np.arange(60), 2), np.arange(120) >= 60
    p = permutation_test(reply_kernels(replies, prompts), prompts, is_new, permutations=199)
    assert (p <= 0.05) == found


def test_the_power_grows_with_calls_and_confusion() -> None:
    rng = np.random.default_rng(1)

    def power_of(n: int, noise: float) -> float:
        """The power at n calls."""
        prompts, is_new = np.tile(np.arange(n), 2), np.arange(2 * n) >= n
        return power(replies_of(2 * n, rng), prompts, is_new, noise=noise, simulations=20)

    assert power_of(40, 0.3) >= 0.9
    assert power_of(5, 0.02) <= 0.3
    assert power_of(30, 0.0) <= 0.25


def test_confused_replies_have_other_words_of_the_replies() -> None:
    rng = np.random.default_rng(2)
    replies = replies_of(50, rng)
    confused = confuse(replies, 0.2, rng)
    assert set(" ".join(confused).split()) <= set(WORDS)
    pairs = [
        (a, b)
        for x, y in zip(replies, confused, strict=True)
        for a, b in zip(x.split(), y.split(), strict=True)
    ]
    assert np.mean([a != b for a, b in pairs]) == pytest.approx(0.2, abs=0.05)
    assert confuse(["", " "], 1.0, rng) == ["", " "]
