"""Let the first call to each model of a run go ahead alone.

With a wrong key, address, setting or name of a model, every call fails in the same way.  So the
others of a model wait until its first one has ended, whose reply is kept as that of any call; if it
failed as all of them would, they are not made, and the episodes stay open.  It costs the wait for
one call, once for each model, and models do not wait for each other.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from arena.calls.outages import Outages
from arena.calls.secrets import without_secrets
from arena.errors import (
    ModelError,
    ModelStoppedError,
    RefusedError,
    RefusedSettingError,
    UnreachableError,
)
from arena.text import printable
from arena.types import Model

# Refusals of one prompt, in the words of providers: the next prompt may well be answered.
POLICY = re.compile(r"filter|moderation|flagged|policy|policies|safety", re.IGNORECASE)
PASSED_ON = re.compile(r"\bstatus 4\d\d\b")
# Refusals that no prompt is the reason of: the key, the account, the address or name of the model.
SETUP_STATUSES = (401, 402, 404, 405)


class Probes:
    """The first calls of a run to each of its models.

    `answered` names the models that have answered in this run or before, so that their next call
    need not go alone.  `server_wait_s` is how long a server that goes away is waited for.
    `refused` holds the reasons why models are asked nothing more, by model.
    """

    def __init__(
        self, answered: set[str] | None = None, server_wait_s: float | None = None
    ) -> None:
        self.answered = set() if answered is None else answered
        self.refused: dict[str, str] = {}
        # The calls that wait, by model and episode.
        self._waiting: Counter[tuple[str, str]] = Counter()
        # Called when an episode begins to wait, so that another one can be played meanwhile.
        self.on_wait: Callable[[], None] | None = None
        self._ended: dict[str, asyncio.Event] = {}
        self.outages = Outages(self.refused, self._play_another, server_wait_s)

    def pending(self, model: str) -> bool:
        """Return whether the first call to a model is on its way, or a server of it gone."""
        return self._is_first_out(model) or self.outages.pending(model)

    def _play_another(self) -> None:
        if self.on_wait is not None:
            self.on_wait()

    def note_failure(self, model: Model, error: ModelError) -> None:
        """Note a failed attempt: the server of a model may be gone, or have answered after all."""
        if isinstance(error, UnreachableError) and self.waits_for_server(model.name, error):
            self.outages.note_gone(model, error)
        elif error.http_status is not None:
            self.outages.note_answer(model)

    def _is_first_out(self, model: str) -> bool:
        return model in self._ended and not self._ended[model].is_set()

    def waits_for_server(self, model: str, error: ModelError) -> bool:
        """Return whether a failed call waits until its server is back.

        One that has never answered is likely to have another address.
        """
        gone = isinstance(error, UnreachableError) and error.server_down
        return gone and (model in self.answered or self.outages.wait_s is not None)

    @property
    def waiting_episodes(self) -> int:
        """Return how many episodes wait for the first call to a model, or for a server."""
        return len({episode for _, episode in self._waiting} | self.outages.waiting_episodes)

    def describe(self) -> Iterator[str]:
        """Yield sentences for the progress line: how many calls wait for a first one."""
        calls: Counter[str] = Counter()
        for (model, _), count in self._waiting.items():
            calls[model] += count
        for model, count in calls.items():
            wait = "call waits" if count == 1 else "calls wait"
            yield f"{count} {wait} for the first reply of {model}"
        yield from self.outages.describe()

    @asynccontextmanager
    async def admit(self, model: str, episode: str) -> AsyncIterator[None]:
        """Make the first call to a model within, or a later one when the first has ended.

        Raises ModelStoppedError if the first call failed in a way in which all others would.
        """
        if model in self.answered:
            yield
            return
        if model in self._ended:
            await self._wait(model, episode)
            if model in self.refused:
                raise ModelStoppedError(self.refused[model])
            yield
            return
        self._ended[model] = asyncio.Event()
        try:
            yield
            self.answered.add(model)
        except ModelError as error:
            if not fails_always(error):
                raise
            self.refused[model] = (
                f"{model} is asked nothing more, since its first call failed:"
                f" {printable(without_secrets(str(error)))}"
            )
            # One prompt may be at fault all the same: its episode fails, so that the next run
            # begins with another one.
            if may_be_the_prompt(error):
                raise
            raise ModelStoppedError(self.refused[model]) from error
        finally:
            self._ended[model].set()

    async def _wait(self, model: str, episode: str) -> None:
        """Wait until the first call to a model has ended."""
        if not self._is_first_out(model):
            return
        key = model, episode
        self._waiting[key] += 1
        try:
            self._play_another()
            await self._ended[model].wait()
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]


def fails_always(error: ModelError) -> bool:
    """Return whether all calls to a model are likely to fail as this one did.

    So it is where no connection came about in all attempts, where the request was not sent since
    the model cannot do what it asks for, and where the provider refused or redirected it.
    """
    status = error.http_status or 0
    if not error.sent or 300 <= status < 400:
        return True
    # The next call leaves out the setting that was refused.
    if isinstance(error, RefusedSettingError):
        return False
    # Proxies answer with status 200, and the message holds the status that they pass on.
    refused = status >= 400 or PASSED_ON.search(str(error)) is not None
    return isinstance(error, RefusedError) and refused and not POLICY.search(str(error))


def may_be_the_prompt(error: ModelError) -> bool:
    """Return whether the provider may have refused what the prompt says or how long it is."""
    return (
        isinstance(error, RefusedError) and error.sent and error.http_status not in SETUP_STATUSES
    )
