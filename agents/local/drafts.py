"""What is asked of the engine, a reply in the making, and what comes of it."""

from __future__ import annotations

import asyncio
import random
from array import array
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import torch

from agents.local.choosing import TokenSampling
from agents.local.measures import reply_measures
from arena.errors import ContextOverflowError, ModelError

NO_ROW = -1


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked of the engine: to go on from token ids with at most `longest` tokens.

    A reply ends at one of `ends` (token ids, kept) or where one of `stop` stands in the text.  With `score_from` nothing is generated: the
    reply's scores are the log probabilities of ids[score_from:] after what stands before each.  `alternatives`: how many of the likeliest
    tokens to note for each token, None for none.  `group` moves in step; a lower `priority` goes first.
    """

    ids: tuple[int, ...]
    max_tokens: int
    sampling: TokenSampling = field(default_factory=TokenSampling)
    seed: int = 0
    end_ids: frozenset[int] = frozenset()
    stop: tuple[str, ...] = ()
    alternatives: int | None = None
    score_from: int | None = None
    group: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A generated token with its log probability, and the likeliest tokens in its place with theirs (nats, before temperature)."""

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """What came of a job: the tokens generated, how they ended ("stop" or "length"), and what it took.

    `prefilled` counts prompt tokens that were run through the model, `reused` those that were kept from before, `steps` decoding steps.
    """

    ids: tuple[int, ...]
    finish: str
    prefilled: int
    reused: int
    steps: int
    measures: dict[str, float]
    noted: tuple[TokenRecord, ...] = ()
    scores: tuple[float, ...] = ()


@dataclass(eq=False, slots=True)
class Draft:
    """A job on its way: what it has generated, where it is, and who waits for it."""

    job: Job
    future: asyncio.Future[GenerationResult]
    loop: asyncio.AbstractEventLoop
    group: str
    priority: int
    came_at: float
    draws: random.Random
    ids: array[int]
    row: int = NO_ROW
    uniform: float | None = None
    prefilled: int = 0
    reused: int = 0
    steps: int = 0
    entropy_sum: float = 0.0
    certainty_sum: float = 0.0
    logprobs: array[float] = field(default_factory=lambda: array("f"))
    noted: list[TokenRecord] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    memory_failures: int = 0
    cancelled: bool = False

    @property
    def new_ids(self) -> array[int]:
        """The tokens generated so far."""
        return self.ids[len(self.job.ids) :]

    def draw(self) -> float:
        """The uniform number for the next token, the same one while that step is tried again."""
        if self.uniform is None:
            self.uniform = self.draws.random()
        return self.uniform

    @property
    def first_needed(self) -> int:
        """The first position whose logits are needed, so that a kept beginning must end before it."""
        return len(self.ids) - 1 if self.job.score_from is None else self.job.score_from - 1


def note(logits: torch.Tensor, token: int, logprob: float, alternatives: int) -> TokenRecord:
    """A token with its likeliest alternatives, from logits [vocabulary]."""
    value, index = (logits - torch.logsumexp(logits, -1)).topk(min(alternatives, len(logits)))
    return TokenRecord(
        token,
        min(logprob, 0.0),
        tuple(zip(index.tolist(), value.clamp(max=0).tolist(), strict=True)),
    )


def finish_draft(draft: Draft, end: str) -> GenerationResult:
    """What is delivered for a draft."""
    return GenerationResult(
        tuple(draft.new_ids),
        end,
        draft.prefilled,
        draft.reused,
        draft.steps,
        reply_measures(
            np.array(draft.logprobs, np.float32), draft.entropy_sum, draft.certainty_sum
        ),
        tuple(draft.noted),
        tuple(draft.scores),
    )


def deliver(draft: Draft, outcome: GenerationResult | ModelError) -> None:
    """Hand the outcome to whoever waits, in their own event loop; nobody waits where it is closed or the request was cancelled."""

    def hand_over() -> None:
        if draft.future.done():
            return
        if isinstance(outcome, ModelError):
            draft.future.set_exception(outcome)
        else:
            draft.future.set_result(outcome)

    with suppress(RuntimeError):
        draft.loop.call_soon_threadsafe(hand_over)


def too_large_error(draft: Draft, error: BaseException) -> ContextOverflowError:
    """The error of a request that does not fit even when it is alone."""
    found = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ContextOverflowError(
        f"a draft of {len(draft.ids)} tokens does not fit the memory, even alone ({found}); take fewer or shorter rows"
    )
