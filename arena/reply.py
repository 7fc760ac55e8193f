"""Define the answer of a model: its words, how they ended, and what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that was possible at a position, with its natural log probability (<= 0)."""

    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """A generated token with its natural log probability (<= 0).

    `alternatives` are the likeliest tokens in its place, itself included, as far as served.
    """

    token: str
    logprob: float
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a model.  Counts are in tokens; None means that the provider did not say.

    `reasoning` is reasoning text that the provider serves apart from `text`, `reasoning_source` who
    wrote it: "model", or "summary" where another model did; `tokens_out` includes
    `tokens_reasoning`.  `cost_usd` is set if the provider itself states the cost (`cost_source` is
    then "provider"); otherwise the arena computes it from prices.  `measures` are numbers computed
    from token probabilities, by name.  Local models also report how many prompt tokens they read
    (`tokens_prefilled`) and in how many steps they decoded (`decode_steps`).  `fingerprint` is the
    provider's word for the configuration behind `model_served` (OpenAI's system_fingerprint).
    `tokens_in` includes `tokens_cached`, which a cache served, and `tokens_cache_written`, which
    were written to one, of which `tokens_cache_written_long` to be kept for longer.
    """

    text: str
    reasoning: str | None = None
    model_served: str | None = None
    finish_reason: str | None = None
    http_status: int | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    cost_usd: float | None = None
    cost_source: str | None = None
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[TokenChoice, ...] | None = None
    measures: Mapping[str, float] | None = None
    tokens_prefilled: int | None = None
    decode_steps: int | None = None
    fingerprint: str | None = None
    tokens_cache_written: int | None = None
    tokens_cache_written_long: int | None = None
    reasoning_source: str | None = None
