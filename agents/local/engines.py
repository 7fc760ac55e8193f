"""Run one engine a device, and send the requests of each episode to the same one.

Every device has a copy of the weights.  An episode goes to the device with the fewest of them when
it first asks, and stays, so that its prompts are read once.  With exact seeds a reply does not
depend on where that is, between cards of one kind.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TypeVar

from transformers import PreTrainedModel

from agents.local.device_work import on_device
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.loading import LoadedModel
from agents.local.settings import Settings
from agents.local.sizing import rows_for
from agents.local.speculation import Guesses

Result = TypeVar("Result")


def start_engine(
    copies: Sequence[LoadedModel], settings: Settings, decode: Callable[[Sequence[int]], str]
) -> Engine | Engines:
    """Return an engine for the copies of a model, one on each device.

    `decode` turns token ids into text.  Raises StudyError if memory has no room for what the
    settings ask for.
    """
    engines = []
    for copy in copies:
        device = copy.model.device
        with on_device(device):
            rows = rows_for(copy, settings)
        drafter = drafter_for(copy.model, settings)
        engines.append(Engine(rows, decode, device=device, drafter=drafter))
    return engines[0] if len(engines) == 1 else Engines(engines)


def drafter_for(model: PreTrainedModel, settings: Settings) -> Callable[[], Guesses] | None:
    """Return what makes the guesses of a reply; None: no tokens are guessed.

    Raises StudyError if a draft is asked for that is not one of this model.
    """
    if settings.draft is None:
        return Guesses if settings.seeds == "free" else None
    from agents.local.decoding.kangaroo import Adapter, Kangaroo

    return partial(Kangaroo, model, Adapter(Path(settings.draft).expanduser(), model))


class Engines:
    """Engines that look like one."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = list(engines)
        self._home: dict[str, int] = {}
        # Runs of several threads may share a model.
        self._lock = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether all of them take requests."""
        return all(engine.alive for engine in self._engines)

    @property
    def capacity(self) -> int:
        """The number of tokens that a prompt and its reply can have together."""
        return min(engine.capacity for engine in self._engines)

    @property
    def seeds_hold(self) -> bool:
        """Whether a test has shown on each that a row's logits do not depend on its company."""
        return all(engine.seeds_hold for engine in self._engines)

    def engine_of(self, group: str) -> Engine:
        """Return the engine of a group, for a new one that with the fewest."""
        with self._lock:
            if group not in self._home:
                load = Counter(self._home.values())
                numbers = range(len(self._engines))
                self._home[group] = min(numbers, key=lambda number: load[number])
            return self._engines[self._home[group]]

    async def generate(self, job: Job) -> GenerationResult:
        """Return the reply to a job; see Engine.generate."""
        return await self.engine_of(job.group).generate(job)

    async def run(self, work: Callable[[], Result], group: str = "") -> Result:
        """Return the result of work on the device thread of a group; see Engine.run."""
        return await self.engine_of(group).run(work)

    def announce(self, group: str) -> AbstractContextManager[None]:
        """Announce that a member of a group is about to ask; see Engine.announce."""
        return self.engine_of(group).announce(group)

    def end_group(self, group: str) -> None:
        """Note that a group is over, so that its rows can be given to others at once."""
        with self._lock:
            home = self._home.pop(group, None)
        if home is not None:
            self._engines[home].end_group(group)

    def close(self) -> None:
        """Stop all of them; unfinished jobs fail."""
        for engine in self._engines:
            engine.close()
