"""Agreement against the worked examples of the literature and by hand."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from analysis.statistics.agreement import (
    alpha_interval,
    krippendorff_alpha,
    raw_agreement,
    value_counts,
)

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): four observers, and two with
# binary data; "." is missing.
FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . . / 1 2 3 3 2 2 4 1 2 5 . 3 / "
    ". 3 3 3 2 3 4 2 2 5 1 . / 1 2 3 3 2 4 4 1 2 5 1 ."
)
TWO_OBSERVERS = "0 1 0 0 0 0 0 0 1 0 / 1 1 1 0 0 1 0 0 0 0"


def counted(table: str) -> np.ndarray:
    """(units, values) out of a table with a row per observer."""
    rows = [row.split() for row in table.split("/")]
    values = sorted({value for row in rows for value in row} - {"."})
    return np.array(
        [
            [sum(row[unit] == value for row in rows) for value in values]
            for unit in range(len(rows[0]))
        ],
        dtype=float,
    )


@pytest.mark.parametrize(("table", "published"), [(FOUR_OBSERVERS, 0.743), (TWO_OBSERVERS, 0.095)])
def test_alpha_of_the_published_examples(table: str, published: float) -> None:
    assert round(float(krippendorff_alpha(counted(table))), 3) == published


def test_alpha_at_its_ends() -> None:
    assert float(krippendorff_alpha(np.array([[3.0, 0], [0, 3], [3, 0]]))) == 1
    assert np.isnan(krippendorff_alpha(np.array([[3.0, 0], [3, 0]])))
    assert np.isnan(krippendorff_alpha(np.array([[1.0, 0], [0, 1]])))
    rng = np.random.default_rng(0)
    assert (
        abs(float(krippendorff_alpha(rng.multinomial(3, [0.5, 0.5], size=4000).astype(float))))
        < 0.03
    )


def test_alpha_has_an_interval_over_units() -> None:
    low, high = alpha_interval(counted(FOUR_OBSERVERS))
    assert 0.4 < low < 0.743 < high <= 1


def test_raw_agreement_and_retest_by_hand() -> None:
    """Judge 0 reads debate 0 twice (same winner) and debate 1 twice (not); judge 1 reads
    each once.
    """
    unit, rater = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1])
    same, pairs = raw_agreement(value_counts(unit, rater, np.array([1, 1, 1, 0, 1, 0.5]), 3))
    assert pairs[:2, :2].tolist() == [[2, 4], [4, 0]]
    assert (same[0, 0], same[0, 1]) == (0.5, 0.5)
    assert np.isnan(same[1, 1])
    assert np.isnan(same[2]).all()


def test_missing_winners_are_no_values() -> None:
    found = value_counts(np.array([0, 0]), np.array([0, 1]), np.array([nan, 1]), 2)
    assert found.sum() == 1
    assert raw_agreement(found)[1].sum() == 0
    assert value_counts(np.array([0]), np.array([0]), np.array([nan]), 2).shape == (0, 2, 3)
