"""What is read off served log probabilities goes by names of its own, and no number is made up."""

from __future__ import annotations

import math

import pytest

from arena.calls.token_measures import divergence, measures_of
from arena.types import Alternative, Reply, TokenChoice


def token(logprob: float, *alternatives: float) -> TokenChoice:
    return TokenChoice(
        "x", logprob, tuple(Alternative(str(n), each) for n, each in enumerate(alternatives))
    )


def test_the_divergence_of_alternatives_is_zero_if_they_are_equal_and_else_as_by_hand() -> None:
    assert divergence(token(0, -3.0, -3.0, -3.0).alternatives) == pytest.approx(0)
    # Of 0.6 and 0.2, which are 3/4 and 1/4 of their sum:
    # log(1/2 / (3/4)) / 2 + log(1/2 / (1/4)) / 2
    assert divergence(token(0, math.log(0.6), math.log(0.2)).alternatives) == pytest.approx(
        (math.log(2 / 3) + math.log(2)) / 2
    )


def test_means_are_over_tokens_and_named_as_served() -> None:
    found = measures_of(
        Reply("", logprobs=(token(-1.0, -1.0, -1.0), token(-3.0, math.log(0.6), math.log(0.2))))
    )
    assert found == pytest.approx(
        {
            "served_logprob_mean": -2.0,
            "served_top_k_certainty_proxy_mean": (math.log(2 / 3) + math.log(2)) / 4,
        }
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(""), None),
        (Reply("", logprobs=()), None),
        (Reply("", measures={}), None),
        (Reply("", logprobs=(token(-1.0),)), {"served_logprob_mean": -1.0}),
        (Reply("", logprobs=(token(-1.0, -1.0),)), {"served_logprob_mean": -1.0}),
        (Reply("", logprobs=(token(-math.inf),)), None),
        (Reply("", logprobs=(token(-1.0, -1.0, -math.inf),)), {"served_logprob_mean": -1.0}),
        (Reply("", logprobs=(token(-1.0, -math.inf, -math.inf),)), {"served_logprob_mean": -1.0}),
        (Reply("", measures={"logprob_mean": -2.0}), {"logprob_mean": -2.0}),
        (
            Reply("", logprobs=(token(-1.0),), measures={"logprob_mean": -2.0}),
            {"served_logprob_mean": -1.0, "logprob_mean": -2.0},
        ),
    ],
)
def test_what_is_not_there_or_not_finite_is_left_out(
    reply: Reply, expected: dict[str, float] | None
) -> None:
    assert measures_of(reply) == expected
