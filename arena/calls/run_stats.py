"""Count what a run has done so far, for its progress line, its summary and its alarms.

A model that writes in a form which cannot be read is told of early.  One unreadable turn of two may
be chance and a hundred are a waste: the alarm needs `FEWEST_UNREADABLE` of at least `FEWEST_TURNS`,
which a model that loses 2% of its turns reaches in one run of a thousand.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from arena.calls.budget import Budget
from arena.calls.estimate import CostEstimate
from arena.calls.probes import Probes
from arena.calls.prompt_caches import PromptCaches
from arena.calls.rate_limits import RateLimiter
from arena.calls.servings import Serving, Servings
from arena.types import Agent, Model

ALARM_SHARE = 0.25
FEWEST_TURNS = 5
FEWEST_UNREADABLE = 3
# What a reader calls the parts of a turn, in the words of users.
PARTS = {"public": "public words"}


@dataclass(slots=True)
class ModelTurns:
    """The turns that one model took in a run, without those taken from the store.

    Of the `unreadable` ones, `missing` counts what was asked for and is in neither reply, and
    `episode` is the latest.  `alarmed` says whether the run has told of them.
    """

    turns: int = 0
    unreadable: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    episode: str = ""
    alarmed: bool = False

    def exceeds(self, share: float) -> bool:
        """Return whether more than this share, in [0, 1], is unreadable, and not by chance."""
        enough = self.turns >= FEWEST_TURNS and self.unreadable >= FEWEST_UNREADABLE
        return enough and self.unreadable > share * self.turns


class Describes(Protocol):
    """A part of a run, such as its batches, as far as its progress shows it."""

    def describe(self) -> Iterator[str]:
        """Yield sentences: how it stands, and what waits."""


@dataclass(slots=True)
class RunStats:
    """The state of a run so far, for progress and summary.

    It counts episodes, replies and calls, and the tokens and dollars of all attempts.  `unpriced`
    counts attempts of unknown cost, `uncounted` those of earlier runs that no budget can count.
    `waiting` holds for each call that waits for its next attempt (reason, model, end of the wait in
    monotonic seconds).  `max_unreadable` is the share of a model's turns beyond which the run
    stops, and `too_many_unreadable` is the reason once it has.  `notes` are sentences for the user,
    to be shown once.  `prompt_caches` holds what providers keep.  `servings` tell by which models
    agents were answered.  `store` is the database, for commands in sentences.  `batches` tells how
    batches stand, and `batches_stopped` why no further ones are sent; `parts` tell how other
    processes do that play parts of the run, and `gone` what servers of theirs were gone.
    """

    planned: int = 0
    done: int = 0
    failed: int = 0
    replies: int = 0
    replayed: int = 0
    cached: int = 0
    turns_by_model: dict[str, ModelTurns] = field(default_factory=dict)
    failed_calls: int = 0
    in_flight: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    uncounted: int = 0
    waiting: dict[int, tuple[str, str, float]] = field(default_factory=dict)
    rate_limiter: RateLimiter | None = None
    budget: Budget | None = None
    expected: CostEstimate | None = None
    max_unreadable: float | None = None
    too_many_unreadable: str | None = None
    probes: Probes = field(default_factory=Probes)
    prompt_caches: PromptCaches = field(default_factory=PromptCaches)
    servings: Servings = field(default_factory=Servings)
    notes: list[str] = field(default_factory=list)
    store: Path = Path("arena.duckdb")
    batches: Describes | None = None
    batches_stopped: str | None = None
    parts: Describes | None = None
    gone: list[str] = field(default_factory=list)

    @property
    def unreadable(self) -> int:
        """Return how many turns miss something that was asked for, also after the re-ask."""
        return sum(turns.unreadable for turns in self.turns_by_model.values())

    @property
    def stopped(self) -> str | None:
        """Return why the run started no further call, in a sentence or more, None if it did."""
        spent = self.budget.closed if self.budget else None
        reasons = (
            *(spent, self.too_many_unreadable, self.batches_stopped),
            *self.probes.refused.values(),
        )
        return "; ".join(reason for reason in reasons if reason) or None

    @property
    def remedies(self) -> tuple[str, ...]:
        """Return with what a run that was stopped goes on."""
        spent = self.budget is not None and self.budget.closed is not None
        remedies = {
            "a larger --budget-usd": spent,
            "a larger --max-unreadable": self.too_many_unreadable is not None,
            "the same command, once the model answers": bool(self.probes.refused),
            "the same command": self.batches_stopped is not None,
        }
        return tuple(remedy for remedy, needed in remedies.items() if needed)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Return sentences: servers that were gone, unreadable turns, models that changed."""
        models = [model for model, turns in self.turns_by_model.items() if turns.alarmed]
        unreadable = (self.describe_unreadable(model) for model in models)
        gone = (*self.probes.outages.sentences(), *self.gone)
        return (*gone, *unreadable, *self.servings.sentences())

    def note_turn(self, model: Model, episode: str, missing: Sequence[str]) -> None:
        """Count a turn in which this is missing, and tell of its model if too much is."""
        turns = self.turns_by_model.setdefault(model.name, ModelTurns())
        turns.turns += 1
        if not missing:
            return
        turns.unreadable += 1
        turns.missing.update(missing)
        turns.episode = episode
        share = self.max_unreadable
        if share is not None and turns.exceeds(share) and self.too_many_unreadable is None:
            self.too_many_unreadable = (
                f"more than {100 * share:g}% of the turns of {model.name} cannot be read; all"
                " replies so far are kept, continue with a larger --max-unreadable"
            )
        too_many = turns.exceeds(ALARM_SHARE) or self.too_many_unreadable is not None
        # The first turn of a model tells of a wrong form before the others are paid for.
        first = turns.turns == 1 and not model.simulated
        if first or (too_many and not turns.alarmed):
            self.notes.append(self.describe_unreadable(model.name))
        turns.alarmed = turns.alarmed or too_many

    def note_serving(self, agent: Agent, served: str | None, fingerprint: str | None) -> bool:
        """Note by what a provider answered an agent; return whether another model did before.

        The first difference becomes a sentence for the user.
        """
        name = agent.model.name
        # A model on this machine is what it is, and compared by its digest.
        if served is None or agent.model.simulated or agent.model.has_own_queue:
            return False
        note = self.servings.note(agent.name, name, Serving(served, fingerprint))
        if note is not None:
            self.notes.append(note)
        return self.servings.is_other(agent.name, name, served)

    def describe_unreadable(self, model: str) -> str:
        """Say how many turns of a model cannot be read, what is missing, and where to look."""
        turns = self.turns_by_model[model]
        parts = [f"{PARTS.get(part, part)} in {n}" for part, n in turns.missing.most_common()]
        count = f"{turns.unreadable} of {turns.turns} turns"
        return (
            f"{'the first turn' if turns.turns == 1 else count} of {model} cannot be read"
            f" (missing: {', '.join(parts)}); look at one with:"
            f" arena show {turns.episode} --raw --db {shlex.quote(str(self.store))}"
        )
