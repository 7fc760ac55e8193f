"""Say what happens in a run, as events for hooks: a log, a tracer, a tracker of experiments.

    def show(event: Event) -> None:
        print(event)

    Arena("arena.duckdb", hooks=[show])

A hook is a function of one event; its own thread calls it, one event after the other.  A package
adds one for every run by entry point:

    [project.entry-points."arena.hooks"]
    mylab = "mylab_arena:on_event"

Events hold no words of models, and no sentences of their servers, unless a hook asks for them:
`Hook(function, texts=True)`.  They never hold a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StudyStarted:
    """A run of a study begins: `episodes` are those that it will play."""

    study: str
    run: str
    at: datetime
    episodes: int
    simulated: bool
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True)
class EpisodeStarted:
    """An episode begins, or goes on that an earlier run has begun (`continued`).

    `models` are those of the seats of its lineup, by seat.
    """

    study: str
    run: str
    at: datetime
    episode: str
    arm: str
    protocol: str
    repeat: int
    models: Mapping[str, str]
    continued: bool = False


@dataclass(frozen=True, slots=True)
class CallEnded:
    """An attempt to call a model has ended: "ok", "failed", "cancelled" or "cached".

    `settings` are the numbers that were sent beside the messages, in the provider's words.  Tokens,
    dollars and seconds are None where nobody knows them.  `text`, `reasoning` (of an attempt that
    gave a turn its reply) and `error` are None unless the hook asks for texts.
    """

    study: str
    run: str
    started_at: datetime
    at: datetime
    episode: str
    seat: str
    step: int
    ask: int
    attempt: int
    model: str
    status: str
    agent: str | None = None
    model_served: str | None = None
    settings: Mapping[str, float | str] = field(default_factory=dict)
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    queued_s: float | None = None
    finish_reason: str | None = None
    error_kind: str | None = None
    http_status: int | None = None
    text: str | None = None
    reasoning: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EpisodeEnded:
    """An episode is "done" or "failed"; `error` is None unless the hook asks for texts."""

    study: str
    run: str
    at: datetime
    episode: str
    status: str
    error_kind: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunWarning:
    """A sentence of a run for its user, such as that a model's turns cannot be read."""

    study: str
    run: str
    at: datetime
    sentence: str


@dataclass(frozen=True, slots=True)
class StudyEnded:
    """A run has ended, also where an error or Ctrl-C stopped it.

    `open` episodes are left of those that it was to play; `stopped` says why, if the run itself
    started no further call.  `cost_usd` is None if nobody knows it; `calls_of_unknown_cost` are not
    in it.
    """

    study: str
    run: str
    at: datetime
    done: int
    failed: int
    open: int
    replies: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    stopped: str | None = None
    calls_of_unknown_cost: int = 0


Event = StudyStarted | EpisodeStarted | CallEnded | EpisodeEnded | RunWarning | StudyEnded
HookFunction = Callable[[Event], object]


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that is told of events; `texts` asks for the words of models and servers too."""

    function: HookFunction
    texts: bool = False

    @property
    def name(self) -> str:
        """Return the name of the function, or of its class."""
        name: str = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return name

    def __call__(self, event: Event) -> object:
        """Tell the function of an event."""
        return self.function(event)
