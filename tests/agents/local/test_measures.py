"""Measures against their definitions in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from agents.local.measures import measure, reply_measures


@pytest.mark.parametrize("spread", [0.1, 3.0, 30.0])
def test_measures_are_those_of_a_float64_reference(spread: float) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(37, 5000, generator=generator) * spread + 12
    chosen = torch.randint(0, 5000, (37,), generator=generator)
    log_p = logits.double().log_softmax(-1)
    logprob, entropy, certainty = measure(logits, chosen).double()
    rows = torch.arange(37)
    assert torch.allclose(logprob, log_p[rows, chosen], atol=1e-4, rtol=1e-5)
    assert torch.allclose(entropy, -(log_p.exp() * log_p).sum(-1), atol=1e-4)
    assert torch.allclose(certainty, -(log_p + math.log(5000)).mean(-1), atol=1e-4, rtol=1e-5)


def test_a_flat_distribution_is_uncertain() -> None:
    logprob, entropy, certainty = measure(torch.zeros(1, 8), torch.tensor([3]))[:, 0].tolist()
    assert (logprob, entropy, certainty) == pytest.approx((-math.log(8), math.log(8), 0))


def test_the_summary_of_a_reply() -> None:
    logprobs = np.array([-0.1] * 18 + [-2.0, -4.0], np.float32)
    measures = reply_measures(logprobs, 10.0, 40.0)
    assert measures == pytest.approx(
        {
            "logprob_sum": -7.8,
            "logprob_mean": -0.39,
            "logprob_lowest_tenth": -3.0,
            "entropy_mean": 0.5,
            "self_certainty_mean": 2.0,
        }
    )
    assert reply_measures(np.zeros(0), 0.0, 0.0) == {}
