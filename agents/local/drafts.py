"""The engine's request (Job), its reply in the making (Draft), and its result."""

from __future__ import annotations

import asyncio
import math
import random
import time
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from agents.local.choosing import TokenSampling
from agents.local.decoding.states import State, Way
from agents.local.logit_rules import Processor, changed_logits, processors
from agents.local.measures import reply_measures
from agents.local.speculation import Guesses

NO_ROW = -1


@dataclass(frozen=True, slots=True)
class Job:
    """A request to the engine: to go on from token ids with at most `max_tokens` tokens.

    A reply ends at one of `end_ids` (which it keeps) or with one of the `stop` words in its text.
    With `score_from` nothing is generated: the scores of the result are the log probabilities
    (nats) of ids[score_from:], each after the tokens before it.  `alternatives` is the number of
    likeliest tokens to record in the place of each token, None for no records.  `rules` change the
    logits before a token is drawn (logit_rules.py).  Requests of one `group` move in step; a lower
    `priority` goes first.  The last `begun` of the ids are of the reply already.  `way` is a way of
    decoding, of which `beside` are the ids that a second pass reads.  `vectors` [size] run through
    the model in the place of some ids of the prompt, by place; such an id is below -1, and the same
    only where the vectors are.
    """

    ids: tuple[int, ...]
    max_tokens: int
    sampling: TokenSampling = field(default_factory=TokenSampling)
    seed: int = 0
    end_ids: frozenset[int] = frozenset()
    stop: tuple[str, ...] = ()
    alternatives: int | None = None
    score_from: int | None = None
    rules: Mapping[str, object] = field(default_factory=dict)
    group: str = ""
    priority: int = 0
    begun: int = 0
    way: Way | None = None
    beside: tuple[int, ...] = ()
    vectors: Mapping[int, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A generated token, and the likeliest tokens in its place as pairs (token, log probability).

    Log probabilities are in nats, before temperature and filters.
    """

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...]


class DrawnToken(NamedTuple):
    """A token that was drawn and its measures (nats); a record if the job asks for alternatives."""

    token: int
    logprob: float
    entropy: float
    certainty: float
    record: TokenRecord | None


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """The result of a job: the generated tokens and the work that they took.

    `finish` is "stop", "length" or "scored".  `prefilled` counts prompt tokens that ran through the
    model, `reused` those that a row held already, `steps` decoding steps.
    """

    ids: tuple[int, ...]
    finish: str
    prefilled: int
    reused: int
    steps: int
    measures: dict[str, float]
    records: tuple[TokenRecord, ...] = ()
    scores: tuple[float, ...] = ()


@dataclass(eq=False, slots=True)
class Draft:
    """A reply in the making: its tokens so far, its row, and the future that waits for it.

    `ids` are the prompt and the generated tokens, int32; `came_at` is in monotonic seconds;
    `stream` gives the uniform numbers of its tokens.  `group` and `priority` are those of the job:
    the queue reads them here.
    """

    job: Job
    future: asyncio.Future[GenerationResult]
    group: str = field(init=False)
    priority: int = field(init=False)
    came_at: float = field(default_factory=time.monotonic)
    stream: random.Random = field(init=False)
    ids: array[int] = field(init=False)
    row: int = NO_ROW
    # The uniform numbers of the next tokens, as far as they have been asked for.
    uniforms: deque[float] = field(default_factory=deque)
    guesses: Guesses | None = None
    prefilled: int = 0
    reused: int = 0
    steps: int = 0
    entropy_sum: float = 0.0
    certainty_sum: float = 0.0
    logprobs: array[float] = field(default_factory=lambda: array("f"))
    records: list[TokenRecord] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    memory_failures: int = 0
    cancelled: bool = False
    # Made of the job's rules at the first token.
    processors: list[Processor] | None = None
    # Tokens that are being drawn, and the last step and lane that draw one (steps.py).
    in_flight: int = 0
    step: int = 0
    lane: int = 0
    state: State | None = None
    # The draft of the second pass, whose row goes along with this one; and of that the first.
    companion: Draft | None = None
    lead: Draft | None = None

    def __post_init__(self) -> None:
        self.group = self.job.group
        self.priority = self.job.priority
        self.begin()
        if self.job.beside:
            beside = Job(self.job.beside, self.job.max_tokens, group=self.group)
            self.companion = Draft(beside, self.future, lead=self)

    def begin(self) -> None:
        """Begin the reply, perhaps anew, so that it has no tokens yet."""
        job = self.job
        self.stream = random.Random(job.seed)
        for _ in range(job.begun):
            self.stream.random()
        self.uniforms.clear()
        self.ids = array("i", job.ids)
        self.logprobs = array("f")
        self.records = []
        self.entropy_sum = self.certainty_sum = 0.0
        self.processors = self.guesses = None
        self.state = None if job.way is None else job.way.state()
        if self.companion is not None:
            self.companion.begin()

    @property
    def is_paired(self) -> bool:
        """Whether it goes along with another row."""
        return self.companion is not None or self.lead is not None

    @property
    def is_ruled(self) -> bool:
        """Whether the host decides how its next token is drawn."""
        return bool(self.job.rules) or self.state is not None or self.lead is not None

    @property
    def new_ids(self) -> array[int]:
        """The tokens that were generated so far."""
        return self.ids[len(self.job.ids) :]

    def draw(self, ahead: int = 0) -> float:
        """Return the uniform number in [0, 1) for the next token, or for one further `ahead`.

        It stays the same until `drew`: while a step is tried again after a lack of memory, and for
        a token that was guessed wrong, so that a reply depends on neither.
        """
        while len(self.uniforms) <= ahead:
            self.uniforms.append(self.stream.random())
        return self.uniforms[ahead]

    def drew(self) -> None:
        """Note that the next token has been drawn, or will be by a step on its way."""
        self.uniforms.popleft()

    def guess(self, most: int, drafter: Callable[[], Guesses]) -> list[int]:
        """Return at most `most` tokens that may come next; `drafter` makes what guesses them."""
        if most <= 0 or self.is_ruled or self.job.vectors:
            return []
        if self.guesses is None:
            self.guesses = drafter()
        return self.guesses.next_tokens(self.ids, most)

    def append(self, drawn: DrawnToken) -> None:
        """Add the token that was drawn, with its measures and its record."""
        self.ids.append(drawn.token)
        if drawn.record is not None:
            self.records.append(drawn.record)
        self.logprobs.append(drawn.logprob)
        self.entropy_sum += drawn.entropy
        self.certainty_sum += drawn.certainty
        if self.state is not None:
            self.state.append(drawn.token, drawn.certainty)

    def ruled_logits(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits [1, vocabulary] as the rules of the job change them."""
        job = self.job
        if self.processors is None:
            full = len(job.ids) + job.max_tokens
            prompt = len(job.ids) - job.begun
            self.processors = processors(job.rules, prompt, full, job.end_ids)
        ids: Sequence[int] = self.ids
        if job.vectors:
            # A thought counts as a token that the prompt has anyway.
            known = max(0, ids[0])
            ids = [known if token < 0 else token for token in ids]
        return changed_logits(self.processors, ids, logits)

    @property
    def first_needed(self) -> int:
        """The first position whose logits are needed: a reused prefix must end before it."""
        return len(self.ids) - 1 if self.job.score_from is None else self.job.score_from - 1


def likeliest(index: torch.Tensor, value: torch.Tensor) -> tuple[tuple[int, float], ...]:
    """Return tokens [n] with their log probabilities (nats), without those of probability 0."""
    # Rounding can leave a log probability a hair above 0.
    pairs = zip(index.tolist(), value.clamp(max=0).tolist(), strict=True)
    return tuple((token, logprob) for token, logprob in pairs if logprob > -math.inf)


def finish_draft(draft: Draft, end: str) -> GenerationResult:
    """Return the result of a draft that is complete."""
    logprobs = np.array(draft.logprobs, np.float32)
    measures = reply_measures(logprobs, draft.entropy_sum, draft.certainty_sum)
    if draft.guesses is not None and draft.guesses.made:
        measures["guesses_true_share"] = draft.guesses.true / draft.guesses.made
    if draft.state is not None:
        measures |= draft.state.measures()
        measures["forward_tokens"] = float(
            sum(each.prefilled + each.steps for each in (draft, draft.companion) if each)
        )
    return GenerationResult(
        tuple(draft.new_ids),
        end,
        draft.prefilled,
        draft.reused,
        draft.steps,
        measures,
        tuple(draft.records),
        tuple(draft.scores),
    )
