"""Play episodes whose models are asked in batches, and wait for batches of earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arena.calls.batch_calls import BatchSettings
from arena.calls.batch_record import load_open_batches
from arena.calls.batch_rounds import BatchRounds
from arena.calls.ledger import RunContext
from arena.errors import StudyError
from arena.play.concurrent import close_models, models_of, open_models, play_concurrently
from arena.store.replay import StudyState
from arena.studies.study import Play

# A round holds the requests of all episodes that wait, each of which takes memory.
EPISODES_AT_ONCE = 20_000


def open_rounds(
    path: Path, study: str, settings: BatchSettings | None, state: StudyState
) -> BatchRounds | None:
    """Return what asks in batches, with the open batches of a study; None if nothing does.

    Without `settings` nothing new is sent, and replies are taken from batches that were sent: to
    ask for them call by call would pay them twice.
    """
    stored = load_open_batches(path, study) if state.has_batches else []
    if settings is None and not stored:
        return None
    return BatchRounds(study, settings or BatchSettings(sends=False), stored)


def check_batches(todo: Sequence[Play]) -> None:
    """Raise StudyError if no model of these episodes can be asked in batches."""
    models = models_of(todo)
    if all(model.batches is None for model in models):
        names = ", ".join(sorted({model.name for model in models}))
        raise StudyError(
            f"--batch needs a model whose provider answers batches (openai/, anthropic/, gemini/,"
            f" mistral/, and http/ servers that have /batches), and there is none among {names};"
            " leave --batch out"
        )


async def play_in_batches(
    run: RunContext,
    batches: BatchRounds | None,
    todo: Sequence[Play],
    state: StudyState,
    at_once: int,
) -> None:
    """Play episodes as `play_concurrently`, and ask in batches where the run does."""
    if batches is None:
        await play_concurrently(run, todo, state, at_once)
        return
    if batches.settings.sends:
        at_once = EPISODES_AT_ONCE
    async with batches.playing(run, models_of(todo)):
        await play_concurrently(run, todo, state, at_once)


class PlayHere:
    """Plays the episodes of a run in this process."""

    late_s = 0.0

    async def open(self, todo: Sequence[Play]) -> None:
        """Open the models of these episodes."""
        await open_models(todo)

    async def play(
        self,
        run: RunContext,
        batches: BatchRounds | None,
        todo: Sequence[Play],
        state: StudyState,
        at_once: int,
    ) -> None:
        """Play them, in batches where the run does."""
        await play_in_batches(run, batches, todo, state, at_once)

    async def close(self, todo: Sequence[Play]) -> None:
        """Close their models."""
        await close_models(todo)
