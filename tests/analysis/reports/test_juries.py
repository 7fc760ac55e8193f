"""What a blind jury prefers: votes are counted, and are not the probabilities behind them."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.read.juries import Compared
from analysis.reports.juries import jury_rows

NAN = float("nan")


def test_votes_are_counted_beside_the_mean_of_the_readings() -> None:
    first = np.array([0.9, 0.6, 0.6, 0.3, NAN])
    second = np.array([0.6, 0.1, 0.5, 0.4, 0.9])
    found = Compared(
        "s",
        "b",
        "a",
        np.array([0, 0, 1, 1, 2]),
        np.array([0, 1, 0, 1, 0]),
        (first + second) / 2,
        first,
        second,
    )
    [row] = jury_rows([found])
    assert (row.tasks, row.judges, row.without) == (2, 2, 1)
    # Votes for b: two, one, one and a half, none, of two each.
    assert row.votes.mean == pytest.approx(4.5 / 8)
    assert row.preferred.mean == pytest.approx(np.mean([0.75, 0.35, 0.55, 0.35]))
    # Read first: b, b, b and a; a is read first in the other order.
    assert row.first == pytest.approx((3 + 0 + 1 + 0.5 + 1) / 8)
    assert row.split == pytest.approx(1 / 4)


def test_a_test_of_several_pairs_is_adjusted() -> None:
    rng = np.random.default_rng(1)
    task, judge = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
    read = rng.uniform(0.3, 0.9, (2, 40))
    pairs = [Compared("s", "b", each, task, judge, read.mean(axis=0), *read) for each in "ac"]
    rows = jury_rows(pairs)
    assert [row.p_holm for row in rows] == pytest.approx([min(1, 2 * rows[0].p)] * 2)
