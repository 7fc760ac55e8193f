"""A model with a batch endpoint in memory, for tests of rounds of batches."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from arena.batches import BatchState, BatchTerms
from arena.errors import BatchUnnamedError, ModelError, NotAskedError, RefusedError
from arena.types import Agent, BaseModel, Price, Reply, Request, Sampling
from tests.fake_agents import by_seed

Outcome = str | Exception
TERMS = BatchTerms(1000, 10**6)


@dataclass
class Endpoint:
    """A provider's batches.

    Each takes `looks` looks to end.  `outcome` says what becomes of a request, the first one and
    later ones of its place; `ends` in which state the n-th batch ends, from 0.
    """

    outcome: Callable[[Request, int], Outcome] = lambda request, times: by_seed(request)
    ends: Callable[[int], BatchState] = lambda number: BatchState("completed", ended=True)
    looks: int = 1
    terms: BatchTerms = TERMS
    keys: dict[str, str] = field(default_factory=dict)
    batches: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    waits: Counter[str] = field(default_factory=Counter)
    asked: Counter[tuple[str, str, int, int]] = field(default_factory=Counter)
    requests: dict[str, Request] = field(default_factory=dict)
    faults: list[ModelError] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    was_looked_at: asyncio.Event = field(default_factory=asyncio.Event)
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    # Whether a batch is created although its creation fails.
    creates_all_the_same: bool = True
    has_batches: bool = True
    hangs: bool = False
    lost: bool = False
    # So many times a batch is listed without its id.
    unnamed: int = 0
    # So many times the results lack their last line.
    cuts: int = 0

    async def is_available(self) -> bool:
        return self.has_batches

    async def line(self, custom_id: str, request: Request) -> bytes:
        self.requests[custom_id] = request
        return orjson.dumps({"custom_id": custom_id})

    async def create(self, key: str, lines: Sequence[bytes]) -> str:
        if self.hangs:
            self.was_looked_at.set()
            await asyncio.Event().wait()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not self.creates_all_the_same:
            raise fault
        id = f"b{next(self.numbers)}"
        self.keys[id] = key
        self.batches[id] = {}
        for line in lines:
            custom_id = orjson.loads(line)["custom_id"]
            request = self.requests[custom_id]
            place = request.place
            where = (place.episode, place.seat, place.step, place.ask)
            self.batches[id][custom_id] = self.outcome(request, self.asked[where])
            self.asked[where] += 1
        if fault is not None:
            raise fault
        return id

    async def find(
        self, key: str, since: datetime, lines: int, known_ids: Collection[str]
    ) -> str | None:
        found = next((id for id, its in self.keys.items() if its == key), None)
        if found is not None and self.unnamed:
            self.unnamed -= 1
            raise BatchUnnamedError("a batch without its id")
        return found

    async def poll(self, id: str) -> BatchState:
        self.waits[id] += 1
        self.was_looked_at.set()
        if self.lost:
            raise RefusedError("no such batch", http_status=404)
        if id in self.cancelled:
            return BatchState("cancelled", ended=True, partial=True, cancelled=True)
        if self.waits[id] <= self.looks:
            return BatchState("in_progress")
        return self.ends([*self.batches].index(id))

    async def results(self, id: str) -> AsyncIterator[tuple[str, bytes]]:
        shown = [*self.batches[id]]
        if self.cuts:
            self.cuts -= 1
            shown.pop()
        for custom_id in shown:
            yield custom_id, orjson.dumps([id, custom_id])

    async def read(self, line: bytes, request: Request | None) -> Reply:
        id, custom_id = orjson.loads(line)
        outcome = self.batches[id][custom_id]
        if isinstance(outcome, Exception):
            raise outcome
        return Reply(outcome, tokens_in=10, tokens_out=10)

    async def cancel(self, id: str) -> None:
        self.cancelled.append(id)

    def sizes(self) -> list[int]:
        """Return how many requests each batch had."""
        return [len(batch) for batch in self.batches.values()]


@dataclass
class BatchedModel(BaseModel):
    """A model that answers by a function, in batches or call by call."""

    name: str
    batches: Endpoint | None = None
    price: Price | None = None
    calls: int = 0

    async def __call__(self, request: Request) -> Reply:
        self.calls += 1
        return Reply(by_seed(request), tokens_in=10, tokens_out=10)


def batched_agent(
    endpoint: Endpoint | None = None, name: str = "big/one", price: Price | None = None
) -> Agent:
    """An agent whose model has a batch endpoint, unless it is None."""
    return Agent(name, BatchedModel(name, endpoint, price), sampling=Sampling(max_tokens=10))


EXPIRED = NotAskedError("the batch expired")
