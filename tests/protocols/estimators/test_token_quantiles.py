"""Chow quantiles by hand and against the standard library."""

from __future__ import annotations

from statistics import quantiles

import numpy as np
import pytest

from protocols.estimators.token_quantiles import chow_quantiles


def test_chow_quantiles_by_hand() -> None:
    """Sorted -3, -0.5, -0.2, -0.1: a quarter of the way from the second to the third at 0.4167."""
    logprobs = np.array([-0.1, -3.0, -0.2, -0.5])
    assert chow_quantiles(logprobs, [0, 0.5, 1, 1.25 / 3]) == pytest.approx(
        [-3, -0.35, -0.1, -0.425]
    )
    quartiles = quantiles(logprobs.tolist(), n=4, method="inclusive")
    assert chow_quantiles(logprobs, [0.25, 0.5, 0.75]) == pytest.approx(quartiles)
    assert np.isnan(chow_quantiles(np.empty(0), [0.5])).all()
    with pytest.raises(ValueError, match="shares"):
        chow_quantiles(logprobs, [50])
