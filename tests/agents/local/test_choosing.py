"""Tokens are drawn with the filters of transformers, each row by its own number."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from agents.local import choosing
from agents.local.choosing import TokenSampling, choose, draw


def by_transformers(logits: torch.Tensor, sampling: TokenSampling) -> torch.Tensor:
    """The probabilities of one row under transformers' own filters."""
    scores = TemperatureLogitsWarper(sampling.temperature)(None, logits[None])
    if sampling.top_k:
        scores = TopKLogitsWarper(sampling.top_k)(None, scores)
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(None, scores)
    if sampling.min_p:
        scores = MinPLogitsWarper(sampling.min_p)(None, scores)
    return scores[0].softmax(-1)


SAMPLINGS = st.builds(
    TokenSampling,
    temperature=st.sampled_from([0.3, 1.0, 2.5]),
    top_k=st.sampled_from([0, 1, 5, 40]),
    top_p=st.sampled_from([0.2, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5]),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(sampling=SAMPLINGS, seed=st.integers(0, 1000), likeliest=st.sampled_from([4, 1024]))
def test_the_share_of_each_token_is_that_of_transformers_filters(
    sampling: TokenSampling, seed: int, likeliest: int
) -> None:
    logits = torch.randn(50, generator=torch.Generator().manual_seed(seed)) * 2
    numbers = (torch.arange(4000) + 0.5) / 4000
    before, choosing.LIKELIEST = choosing.LIKELIEST, likeliest
    try:
        tokens = choose(logits.expand(4000, 50), [sampling] * 4000, numbers.tolist())
    finally:
        choosing.LIKELIEST = before
    share = torch.bincount(tokens, minlength=50) / 4000
    assert float((share - by_transformers(logits, sampling)).abs().max()) < 1.5 / 1000


def test_a_row_is_drawn_alike_in_any_company() -> None:
    logits = torch.randn(9, 300, generator=torch.Generator().manual_seed(1))
    samplings = [
        TokenSampling(0.0),
        TokenSampling(1.0),
        TokenSampling(0.7, top_k=9),
        TokenSampling(1.0, top_p=0.5),
        TokenSampling(1.0, min_p=0.1),
    ] + [TokenSampling(1.0)] * 4
    numbers = [n / 10 for n in range(9)]
    together = choose(logits, samplings, numbers).tolist()
    assert together == [
        int(choose(logits[n : n + 1], samplings[n : n + 1], numbers[n : n + 1])) for n in range(9)
    ]
    assert together[0] == int(logits[0].argmax())


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-53])
def test_a_token_without_weight_is_never_drawn(number: float) -> None:
    weight = torch.tensor([[0.0, 0.0, 1.0, 0.0, 3.0, 0.0]])
    assert int(draw(weight, [number])) in (2, 4)
