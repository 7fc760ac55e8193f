"""Let the first call of a group go ahead where the others read from a cache what it writes.

A provider's cache can be read only after the reply to the prompt that was written has begun, so
that calls with one beginning that are sent at once all pay for it in full, and some for writing it
too.  The calls wait for one another by that beginning: the first one goes, and the rest when it was
answered, or has failed.  A call that others wait for waits for none, so that all go in the end.

Only where calls were found to share a beginning ahead (arena/play/shared_prefixes.py), and models
that have a cache with a price of its own.  Nothing that is sent depends on it, nor any id or seed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from arena.types import Message, Model, Request, SharedPrefix

# Few tokenizers put fewer bytes of plain text into a token.
BYTES_A_TOKEN = 3
# A beginning that is so many tokens longer than another one is kept beside it.
LEAST_GAIN = 64
# Providers take at most so many marks in a prompt.
MOST_MARKS = 4
# The shortest time for which providers keep a prompt, since it was last read.
KEPT_S = 300.0
# A seat and its step.
Ask = tuple[str, int]


@dataclass(slots=True)
class Shape:
    """What the requests of an episode share, by (seat, step).

    `shared` has (number of parts, further requests that read them), in rising order; `fixed` is the
    number of parts before the first turn of the episode itself, and `fixed_tokens` about how many
    tokens these have in the first request of each seat.
    """

    shared: dict[Ask, list[tuple[int, int]]] = field(default_factory=dict)
    fixed: dict[Ask, int] = field(default_factory=dict)
    fixed_tokens: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpisodePrefixes:
    """What the requests of one episode share with one another, and with `others`, by seat."""

    shape: Shape
    others: Mapping[str, int]

    def find(
        self, model: Model, ask: Ask, messages: Sequence[Message], ends: Sequence[tuple[int, int]]
    ) -> tuple[SharedPrefix, ...]:
        """Return the beginnings of a prompt that others have as well, as far as a cache keeps them.

        `ends` tells where each part of the prompt ends.  The shortest comes first, at most four.
        """
        cache = model.prompt_cache
        if cache is None:
            return ()
        readers = {parts: (count, False) for parts, count in self.shape.shared.get(ask, [])}
        fixed, others = self.shape.fixed.get(ask, 0), self.others.get(ask[0], 0)
        if fixed and others:
            readers[fixed] = (others + readers.get(fixed, (0, False))[0], True)
        prefixes = [
            SharedPrefix(*ends[parts - 1], count, by_episodes)
            for parts, (count, by_episodes) in sorted(readers.items())
            if parts <= len(ends)
        ]
        kept: list[SharedPrefix] = []
        tokens_before = 0.0
        for prefix in prefixes:
            tokens = most_tokens_of(messages, prefix.message, prefix.end)
            # A heading more is not worth a mark.
            if tokens >= cache.least_tokens and tokens - tokens_before >= LEAST_GAIN:
                kept.append(prefix)
                tokens_before = tokens
        return tuple(kept[-MOST_MARKS:])


@dataclass(slots=True)
class PromptCaches:
    """The beginnings of prompts that providers keep by now, as far as this run knows.

    `in_flight` holds the calls that write one, `read_at` when each was read or written last, in
    monotonic seconds; both go by the hash of a beginning.
    """

    in_flight: dict[bytes, asyncio.Event] = field(default_factory=dict)
    read_at: dict[bytes, float] = field(default_factory=dict)
    waiting: int = 0

    def describe(self) -> Iterator[str]:
        """Yield sentences for the progress line: how many calls wait for others to write."""
        if self.waiting:
            wait = "call waits" if self.waiting == 1 else "calls wait"
            yield f"{self.waiting} {wait} for a prompt to be in the provider's cache"

    @asynccontextmanager
    async def turn(self, model: Model, request: Request) -> AsyncIterator[None]:
        """Call a model within: at once, or when another call has written what this one reads."""
        if model.prompt_cache is None or not request.shared:
            yield
            return
        keys = beginnings(model, request)
        while writers := [event for key in keys if (event := self.in_flight.get(key))]:
            self.waiting += 1
            try:
                await writers[0].wait()
            finally:
                self.waiting -= 1
        # Nothing is awaited between the last look and this claim: no two calls write one beginning.
        now = time.monotonic()
        unwritten = [key for key in keys if now - self.read_at.get(key, -KEPT_S) >= KEPT_S]
        self.in_flight |= dict.fromkeys(unwritten, ended := asyncio.Event())
        try:
            yield
        finally:
            # Also after a failure: calls that went one by one until one succeeds could take hours.
            for key in unwritten:
                del self.in_flight[key]
            self.read_at |= dict.fromkeys(keys, time.monotonic())
            ended.set()


def beginnings(model: Model, request: Request) -> list[bytes]:
    """Return a hash for each beginning of a request that others share."""
    keys = []
    # Models and their settings share nothing with others, whatever the words.
    sampling = request.sampling
    settings = (sampling.reasoning_effort, sampling.thinking_tokens, sampling.response_schema)
    for prefix in request.shared:
        key = hashlib.sha256(repr((model.name, settings)).encode())
        for message in request.messages[: prefix.message]:
            key.update(f"{message.role}\0{message.content}\0".encode("utf-8", "replace"))
        words = request.messages[prefix.message].content[: prefix.end]
        key.update(words.encode("utf-8", "replace"))
        keys.append(key.digest())
    return keys


def most_tokens_of(messages: Sequence[Message], message: int, end: int) -> float:
    """Return about how many tokens a prompt has up to a place, rather too many than too few."""
    words = [*(each.content for each in messages[:message]), messages[message].content[:end]]
    return sum(len(text.encode("utf-8", "replace")) for text in words) / BYTES_A_TOKEN
