"""Read how sure a model was off the probabilities of its tokens, as they were stored.

    logprob_sum, logprob_mean      of the whole reply, and a token (chow-sum, chow-average)
    perplexity                     exp(-logprob_mean), negated
    entropy_mean                   of the whole distribution, a token, negated
    logprob_lowest_tenth           mean log probability of the tenth of tokens that is least likely
    self_certainty                 KL(U || p) a token, arXiv 2502.18581, eq. 7
    chow_quantile_A                the A-percent quantile of the log probabilities, arXiv 2404.10136
    token_quantiles                their median, with all quantiles as features for a learned rule
    answer_probability             probability of the tokens that hold the answer
    served_top_k_certainty,        the divergence and the entropy of the k likeliest tokens alone,
    served_top_k_entropy           as a server gives them: truncated, and no paper's

All in nats.  A local model measures before temperature and filters; a server may apply these first,
so that `details` say which of the two a number is.  Self-certainty and entropy need the whole
distribution, and are never made up from the k likeliest tokens.  The shift by one token of the
script released with self-certainty is measured by reading alone: `read_self_certainty_shifted`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from arena.calls.token_measures import SERVED_LOGPROB, TOP_K_PROXY
from arena.play.episode import Episode
from arena.score import SCORED, Score
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import TokenChoice
from protocols.estimators.token_quantiles import chow_quantiles

VERSION = "1"

MEASURED = "measured before temperature and filters"
SERVED = "served log probabilities"
TRUNCATED = "the k likeliest tokens alone"
NO_LOGPROBS = (
    "no log probabilities of its tokens are stored, or not all are finite numbers; ask with"
    " Sampling(logprobs=...)"
)
NOT_MEASURED = "not measured: it needs the whole distribution of a local model"
NOT_FINITE = "a token of it has no finite log probability"
PERCENTS = (0, 10, 25, 50, 75, 90)
FEATURES = tuple(share / 20 for share in range(21))
# More than the logarithm of the largest number that a double holds.
LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a reply, or the reason in words why there is none."""

    value: float | None
    status: str = SCORED
    details: Mapping[str, object] | None = None


def missing(reason: str) -> Number:
    """Return the number that is not there."""
    return Number(None, reason)


async def token_numbers(episode: Episode, samples: StoredSamples) -> list[Score]:
    """Return all numbers of the tokens of each reply, as far as they were stored."""
    return [
        Score(
            reply.turn,
            name,
            number.value,
            "probability" if name == "answer_probability" else "score",
            number.status,
            details=number.details or {},
        )
        for reply in samples.replies
        for name, number in numbers_of(reply).items()
    ]


def numbers_of(reply: StoredReply) -> dict[str, Number]:
    """Return the numbers of a reply by the names of the estimators."""
    measures = reply.turn.measures or {}
    logprobs = [choice.logprob for choice in reply.logprobs or ()]
    mean = mean_of(measures, logprobs)
    return {
        "logprob_sum": measured_or(measures, "logprob_sum", logprobs, math.fsum),
        "logprob_mean": mean,
        "perplexity": changed(mean, lambda value: -math.exp(min(-value, LARGEST_EXPONENT))),
        "logprob_lowest_tenth": measured_or(
            measures, "logprob_lowest_tenth", logprobs, lowest_tenth
        ),
        "entropy_mean": changed(measured(measures, "entropy_mean"), lambda value: -value),
        "self_certainty": measured(measures, "self_certainty_mean"),
        **quantiles(logprobs),
        "answer_probability": answer_probability(reply),
        "served_top_k_certainty": top_k_certainty(measures),
        "served_top_k_entropy": top_k_entropy(reply.logprobs or ()),
    }


def measured(measures: Mapping[str, float], name: str) -> Number:
    """Return a measure of the local engine."""
    if name not in measures:
        return missing(NOT_MEASURED)
    return Number(measures[name], details={"from": MEASURED})


def measured_or(
    measures: Mapping[str, float],
    name: str,
    logprobs: Sequence[float],
    compute: Callable[[Sequence[float]], float],
) -> Number:
    """Return a measure of the local engine, or the same from log probabilities as served."""
    if name in measures:
        return measured(measures, name)
    if not logprobs:
        return missing(NO_LOGPROBS)
    value = compute(logprobs)
    return Number(value, details={"from": SERVED}) if math.isfinite(value) else missing(NOT_FINITE)


def mean_of(measures: Mapping[str, float], logprobs: Sequence[float]) -> Number:
    """Return the mean log probability of a token, which is kept where the tokens are not."""
    if "logprob_mean" not in measures and not logprobs and SERVED_LOGPROB in measures:
        return Number(measures[SERVED_LOGPROB], details={"from": SERVED})
    return measured_or(measures, "logprob_mean", logprobs, fmean)


def changed(number: Number, change: Callable[[float], float]) -> Number:
    """Return a number after a change; a missing one stays missing."""
    if number.value is None:
        return number
    return Number(change(number.value), details=number.details)


def lowest_tenth(logprobs: Sequence[float]) -> float:
    """Return the mean of the least likely tenth of the tokens, at least one, rounded up."""
    return fmean(sorted(logprobs)[: math.ceil(0.1 * len(logprobs))])


def quantiles(logprobs: Sequence[float]) -> dict[str, Number]:
    """Return the Chow quantiles of a reply, and its median with all features."""
    names = [*(f"chow_quantile_{percent}" for percent in PERCENTS), "token_quantiles"]
    if not logprobs or not all(map(math.isfinite, logprobs)):
        reason = NOT_FINITE if logprobs else NO_LOGPROBS
        return {name: missing(reason) for name in names}
    shares = [*(percent / 100 for percent in PERCENTS), *FEATURES, 0.5]
    values = chow_quantiles(np.array(logprobs), shares).tolist()
    features = values[len(PERCENTS) : -1]
    details = {
        "from": SERVED,
        "tokens": len(logprobs),
        "shares": FEATURES,
        "features": [round(value, 9) for value in features],
    }
    found = {
        name: Number(value, details={"from": SERVED})
        for name, value in zip(names[:-1], values[: len(PERCENTS)], strict=True)
    }
    return found | {"token_quantiles": Number(values[-1], details=details)}


def answer_probability(reply: StoredReply) -> Number:
    """Return the probability of the tokens that hold the last statement of a reply's answer."""
    if not reply.logprobs:
        return missing(NO_LOGPROBS)
    answer = reply.turn.answer
    if not answer:
        return missing("no answer could be read")
    text = "".join(choice.token for choice in reply.logprobs)
    start = text.rfind(answer)
    if start < 0:
        return missing("its answer does not stand in its tokens to the letter")
    at = 0
    inside = []
    for choice in reply.logprobs:
        if at < start + len(answer) and at + len(choice.token) > start:
            inside.append(choice.logprob)
        at += len(choice.token)
    total = math.fsum(inside)
    # A logarithm may be above 0 by rounding.
    return Number(
        min(1.0, math.exp(total)),
        details={
            "from": SERVED,
            "answer": answer,
            "readout": "the product of the tokens that its last statement touches",
            "context": "the question and the reply before it",
            "tokens": len(inside),
        },
    )


def top_k_certainty(measures: Mapping[str, float]) -> Number:
    """Return the divergence of the k likeliest tokens from uniform, which is no self-certainty."""
    if TOP_K_PROXY not in measures:
        return missing("no alternatives of its tokens are stored; ask with Sampling(logprobs=5)")
    return Number(measures[TOP_K_PROXY], details={"from": SERVED, "truncated": TRUNCATED})


def top_k_entropy(choices: Sequence[TokenChoice]) -> Number:
    """Return the mean entropy of the k likeliest tokens among themselves, negated."""
    given = [[each.logprob for each in choice.alternatives] for choice in choices]
    if not given or any(len(logprobs) < 2 for logprobs in given):
        return missing("no alternatives of its tokens are stored; ask with Sampling(logprobs=5)")
    entropies = []
    for logprobs in given:
        weights = [math.exp(value) for value in logprobs]
        total = math.fsum(weights)
        shares = [weight / total for weight in weights if weight > 0] if total > 0 else []
        entropies.append(-math.fsum(share * math.log(share) for share in shares))
    k = min(map(len, given))
    details = {"from": SERVED, "truncated": TRUNCATED, "k": k}
    return Number(-fmean(entropies), details=details)
