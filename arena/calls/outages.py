"""Hold the calls to a server that is gone until it is back.

A refused connection is no verdict on a prompt: a server that loads a large model again is away for
minutes.  So no attempt counts while it is away.  All calls to it wait in one line, and the first
one asks again, ever more seldom; its request is the probe, so that an answer is lost to nobody.
The calls of other servers go on meanwhile.  A server that stays away too long is asked nothing
more, and the episodes stay open.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from arena.calls.absences import Absences, absences_of, time_of_day
from arena.calls.secrets import without_secrets
from arena.errors import ModelStoppedError, UnreachableError
from arena.text import join_words, printable
from arena.types import Model

DEFAULT_WAIT_S = 600.0
FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 30.0


@dataclass(slots=True)
class Outage:
    """A server that is gone.

    `server` is its address, or all of them (`several`), or else the name of the model; `why` is the
    latest fault.  `began` and `next_probe_at` are monotonic seconds, `since` is the time of day.
    Who holds `turn` asks; meanwhile it is `probing`.
    """

    model: str
    server: str
    why: str
    several: bool = False
    began: float = field(default_factory=time.monotonic)
    since: str = field(default_factory=time_of_day)
    probe_s: float = field(default_factory=lambda: FIRST_PROBE_S)
    next_probe_at: float = 0.0
    probing: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def gone_from(self) -> str:
        """Return the beginning of a sentence about it, once it is over."""
        return f"{self.server} {'were' if self.several else 'was'} gone from {self.since}"


class Outages:
    """The servers of a run that are gone.

    `wait_s` is how long they are waited for; None: for ten minutes, and for a server that has never
    answered only as long as a failing call is tried again.  `refused` holds by model the reasons
    why nothing more is asked, `notes` sentences for the user.  `on_wait` is called when an episode
    begins to wait, so that another one can be played meanwhile.
    """

    def __init__(
        self, refused: dict[str, str], on_wait: Callable[[], None], wait_s: float | None = None
    ) -> None:
        self.wait_s = wait_s
        self.notes: list[str] = []
        self.absences = Absences(self.notes)
        self._past: list[str] = []
        self._refused = refused
        self._on_wait = on_wait
        # By the model's object: two may have one name and different servers.
        self._outages: dict[int, Outage] = {}
        self._waiting: Counter[tuple[int, str]] = Counter()

    @property
    def longest_s(self) -> float:
        """Return the seconds for which a server is waited for."""
        return DEFAULT_WAIT_S if self.wait_s is None else self.wait_s

    def of(self, model: Model) -> Outage | None:
        """Return the outage of a model's server, None if it is there as far as known."""
        return self._outages.get(id(model)) if self._outages else None

    def pending(self, model: str) -> bool:
        """Return whether a server of this model is gone."""
        return any(outage.model == model for outage in self._outages.values())

    @property
    def waiting_episodes(self) -> set[str]:
        """Return the episodes that wait for a server."""
        return {episode for _, episode in self._waiting}

    def note_gone(self, model: Model, error: UnreachableError) -> None:
        """Note that a model's server was not there."""
        outage = self._outages.get(id(model))
        why = printable(without_secrets(str(error)))
        if outage is None:
            several = sum(each.ended is None for each in absences_of(model)) > 1
            outage = Outage(model.name, error.server or model.name, why, several)
            self._outages[id(model)] = outage
            self.notes.append(
                f"{outage.server} {'are' if several else 'is'} gone since {outage.since} ({why}):"
                f" the calls of {model.name} wait until {'one' if several else 'it'} is back, for"
                f" {self.longest_s:g} s at most (--server-wait);"
                " Ctrl-C ends the run at once, and loses nothing"
            )
            outage.next_probe_at = outage.began + outage.probe_s
        elif outage.probing:
            # Only the probe makes the next one later, not calls that were sent before the outage.
            outage.probing = False
            outage.probe_s = min(2 * outage.probe_s, LONGEST_PROBE_S)
            outage.next_probe_at = time.monotonic() + outage.probe_s
        now = time.monotonic()
        outage.why = why
        if now >= outage.began + self.longest_s:
            self._refused[model.name] = (
                f"{model.name} is asked nothing more, since {outage.gone_from} for"
                f" {self.longest_s:g} s (--server-wait): {why}"
            )

    def note_answer(self, model: Model) -> None:
        """Note that a model's server has answered, if only with an error."""
        outage = self._outages.pop(id(model), None) if self._outages else None
        absences = absences_of(model)
        if outage is not None:
            away_s = time.monotonic() - outage.began
            back = self.absences.end_together(absences, outage.began) or [outage.server]
            are = "are" if len(back) > 1 else "is"
            self.notes.append(f"{join_words(back)} {are} back after {away_s:.0f} s")
            self._past.append(
                f"{outage.gone_from} to {time_of_day()}; the calls of {model.name} waited"
            )
        if absences:
            self.absences.note(absences)

    def sentences(self) -> Iterator[str]:
        """Yield what was gone during the run, for its summary."""
        yield from dict.fromkeys(self._past)
        yield from self.absences.sentences()

    @asynccontextmanager
    async def wait_for_turn(
        self, model: Model, outage: Outage, episode: str
    ) -> AsyncIterator[bool]:
        """Wait until this call may ask, and yield whether the server is still gone.

        Raises ModelStoppedError if it stayed away for too long.
        """
        key = id(model), episode
        self._waiting[key] += 1
        try:
            self._on_wait()
            async with outage.turn:
                if (gone := self.of(model) is outage) and model.name not in self._refused:
                    # The last probe is at the end of the time.
                    end = outage.began + self.longest_s
                    await asyncio.sleep(min(outage.next_probe_at, end) - time.monotonic())
                if gone and model.name in self._refused:
                    raise ModelStoppedError(self._refused[model.name])
                outage.probing = gone
                yield gone
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    def describe(self) -> Iterator[str]:
        """Yield sentences for the progress line: who is waited for, since when, and how long."""
        calls: Counter[int] = Counter()
        for (model, _), count in self._waiting.items():
            calls[model] += count
        for model, outage in self._outages.items():
            next_s = max(0.0, outage.next_probe_at - time.monotonic())
            wait = "1 call waits" if calls[model] == 1 else f"{calls[model]} calls wait"
            yield f"{wait} for {outage.server} since {outage.since}, next probe in {next_s:.0f} s"
