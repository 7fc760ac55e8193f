"""What models do not know, and confidence by length: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.read.thinking import ThoughtReplies
from analysis.reports.thinking import thinking_row

NAN = float("nan")


def test_who_does_not_know_is_counted_and_left_out_of_the_rest() -> None:
    row = thinking_row(
        ThoughtReplies(
            *("s", "rl"),
            np.arange(6),
            np.array([True, False, False, False, False, False]),
            np.array([NAN, 1, 1, 0, 0, NAN]),
            np.array([NAN, 0.9, 0.7, 0.6, 0.2, 0.5]),
            np.array([5.0, 10, 20, 30, 40, 50]),
            "tokens",
        )
    )
    assert (row.n, row.unknown, row.rated, row.accuracy) == (6, 1, 4, 0.5)
    assert row.unknown_share.mean == pytest.approx(1 / 6)
    assert row.scores.auroc.mean == 1
    # The surer, the shorter, without an exception.
    assert row.length_all.mean == pytest.approx(-1)
    assert row.length_right.mean == pytest.approx(-1)
    assert row.length == pytest.approx(155 / 6)
