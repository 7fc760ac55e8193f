"""Estimate the cost of episodes by the lengths of stored replies, and by what prompts share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from arena.calls.batch_calls import BatchSettings
from arena.calls.estimate import CostEstimate
from arena.calls.prompt_caches import EpisodePrefixes
from arena.calls.stored_lengths import load_lengths
from arena.play.dry_run import NOTHING_STORED, REPLY_TOKENS, estimate_cost
from arena.play.shared_prefixes import find_shared_prefixes
from arena.store.replay import StudyState
from arena.studies.study import Play, protocol_name
from arena.types import Price

# Enough episodes for the estimate of a run that begins at once.
QUICK_ESTIMATE = 12


class Terms(Protocol):
    """What an arena plays by, as far as it decides what calls cost."""

    path: Path
    prices: Mapping[str, Price]
    batches: BatchSettings | None


async def quick_forecast(
    terms: Terms,
    todo: Sequence[Play],
    state: StudyState,
    prefixes: Mapping[str, EpisodePrefixes],
) -> CostEstimate:
    """Estimate the cost of a run that is about to begin, by a few of its episodes."""
    return await forecast(terms, todo, state, prefixes=prefixes, at_most=QUICK_ESTIMATE)


async def forecast(
    terms: Terms,
    todo: Sequence[Play],
    state: StudyState,
    *,
    prefixes: Mapping[str, EpisodePrefixes] | None = None,
    reply_tokens: int | None = None,
    at_most: int = 1000,
) -> CostEstimate:
    """Estimate the cost of the episodes `todo` as `estimate_cost` does, by the calls in a store.

    In batches no prompt is read from a cache, and calls have the price of batches.  With
    `reply_tokens` every reply has this length, whatever is stored.  `prefixes` are what the prompts
    share, found here if they are not given.
    """
    lengths = NOTHING_STORED
    if reply_tokens is None:
        names = {protocol_name(play.protocol) for play in todo}
        lengths = await asyncio.to_thread(load_lengths, terms.path, names)
    if prefixes is None:
        prefixes = await find_shared_prefixes(todo) if terms.batches is None else {}
    return await estimate_cost(
        todo,
        state,
        terms.prices,
        lengths=lengths,
        reply_tokens=REPLY_TOKENS if reply_tokens is None else reply_tokens,
        prefixes=prefixes,
        in_batches=terms.batches is not None,
        at_most=at_most,
    )
