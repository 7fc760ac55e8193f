"""Numbers of stored tokens by hand, and the reasons why there are none."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from protocols.estimators import token_numbers as numbers
from tests.stored_samples import reply, tokens

# Four tokens, of which two hold the answer "4.0".
LOGPROBS = tokens(("It is ", -0.1), ("4.", -0.3), ("0", -0.5), (" .", -0.9), alternatives=3)
BY_HAND = {
    "logprob_sum": -1.8,
    "logprob_mean": -0.45,
    "perplexity": -math.exp(0.45),
    "logprob_lowest_tenth": -0.9,
    "chow_quantile_0": -0.9,
    "chow_quantile_10": -0.78,
    "chow_quantile_25": -0.6,
    "chow_quantile_50": -0.4,
    "chow_quantile_75": -0.25,
    "chow_quantile_90": -0.16,
    "token_quantiles": -0.4,
    "answer_probability": math.exp(-0.8),
}
# Alternatives that are e^0, e^-1 and e^-2 times as likely as the token, at every place.
SHARES = [math.exp(-k) / (1 + math.exp(-1) + math.exp(-2)) for k in range(3)]
# What an engine that sees whole distributions measures; they are not those of the tokens above.
MEASURED = {
    "logprob_sum": -2.0,
    "logprob_mean": -0.5,
    "logprob_lowest_tenth": -1.0,
    "entropy_mean": 0.7,
    "self_certainty_mean": 12.0,
}


def test_numbers_of_served_log_probabilities_by_hand() -> None:
    found = numbers.numbers_of(reply("4.0", logprobs=LOGPROBS))
    assert {name: found[name].value for name in BY_HAND} == pytest.approx(BY_HAND)
    entropy = -math.fsum(share * math.log(share) for share in SHARES)
    assert found["served_top_k_entropy"].value == pytest.approx(-entropy)
    assert {found[name].status for name in ("entropy_mean", "self_certainty")} == {
        numbers.NOT_MEASURED
    }


def test_what_an_engine_measured_comes_before_what_was_served() -> None:
    found = numbers.numbers_of(reply("4.0", logprobs=LOGPROBS, measures=MEASURED))
    values = {name: found[name].value for name in ("logprob_sum", "logprob_mean", "entropy_mean")}
    assert values == {"logprob_sum": -2.0, "logprob_mean": -0.5, "entropy_mean": -0.7}
    assert found["self_certainty"].value == 12
    assert found["perplexity"].value == pytest.approx(-math.exp(0.5))
    sources = {name: (found[name].details or {})["from"] for name in ("logprob_sum", "perplexity")}
    assert set(sources.values()) == {numbers.MEASURED}


def test_features_of_a_learned_rule_are_quantiles_in_order() -> None:
    details = numbers.numbers_of(reply("4.0", logprobs=LOGPROBS))["token_quantiles"].details or {}
    features = details["features"]
    assert isinstance(features, list)
    assert (len(features), features[0], features[-1]) == (21, -0.9, -0.1)
    assert features == sorted(features)


@pytest.mark.parametrize(
    ("stored", "name", "status"),
    [
        (reply("4"), "logprob_sum", numbers.NO_LOGPROBS),
        (reply("4"), "chow_quantile_0", numbers.NO_LOGPROBS),
        (reply("4", logprobs=tokens(("4", -math.inf))), "logprob_mean", numbers.NOT_FINITE),
        (reply("4", logprobs=tokens(("4", -math.inf))), "token_quantiles", numbers.NOT_FINITE),
        (reply(None, logprobs=LOGPROBS), "answer_probability", "no answer could be read"),
        (reply("7", logprobs=LOGPROBS), "answer_probability", "its answer does not stand"),
        (reply("4.0", logprobs=tokens(("4.0", -1))), "served_top_k_entropy", "no alternatives"),
    ],
)
def test_a_number_that_is_missing_says_why(stored: object, name: str, status: str) -> None:
    number = numbers.numbers_of(stored)[name]  # type: ignore[arg-type]  # a StoredReply
    assert number.value is None
    assert number.status.startswith(status)


def test_the_last_statement_of_an_answer_is_the_one_that_counts() -> None:
    said = tokens(("4", -2.0), (" or 5? ", -0.1), ("It is 4", -0.25))
    found = numbers.numbers_of(reply("4", logprobs=said))["answer_probability"]
    assert found.value == pytest.approx(math.exp(-0.25))
    assert (found.details or {})["answer"] == "4"


def test_a_reply_whose_tokens_are_gone_keeps_the_mean_that_was_served() -> None:
    kept = reply("4", measures={"served_logprob_mean": -0.2})
    found = numbers.numbers_of(replace(kept, logprobs=None))
    assert (found["logprob_mean"].value, found["logprob_sum"].value) == (-0.2, None)
