"""Say what a part of a run is told before it plays: its episodes, and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from arena.calls.ledger import RunContext
from arena.calls.retry import Retry
from arena.calls.servings import Servings
from arena.machines.study_source import StudySource
from arena.play.identity import code_hash_of
from arena.play.preflight import agents_of
from arena.store.replay import Attempts, CachedReply, StoredTurn, StudyState, turn_of
from arena.studies.source import code_hash
from arena.studies.study import Play
from arena.types import Price


@dataclass(frozen=True, slots=True)
class Share:
    """What a part of a run needs to play its share.

    `turns` holds the rows of stored turns by episode, with whether each is finished: private values
    cannot be sent, so that turns are made of the rows again.  `attempts` are those of parts that
    are gone.  `code` is what `code_of` returns for the episodes.  `source` says where the study
    comes from, for a part that does not know it.  `played_by` are other parts that play this share
    already, in sentences.  `sends_sizes`: the record limits tokens, and
    needs to know how long prompts are.
    """

    run: str
    study: str
    store: Path
    source: StudySource | None
    retry: Retry
    prices: Mapping[str, Price]
    cache: Mapping[str, CachedReply]
    answered: set[str]
    servings: Servings
    episodes: list[str]
    code: str
    state: StudyState
    turns: dict[str, list[tuple[dict[str, Any], bool]]]
    attempts: Attempts
    at_once: int
    sends_sizes: bool
    budget_usd: float | None
    max_unreadable: float | None
    played_by: tuple[str, ...]


def share_of(
    run: RunContext,
    source: StudySource | None,
    chosen: Sequence[Play],
    state: StudyState,
    attempts: Attempts,
    at_once: int,
    played_by: Sequence[str] = (),
) -> Share:
    """Return what a part is told that plays these episodes, `at_once` at a time."""
    episodes = [play.episode for play in chosen]
    known = set(episodes)
    stats = run.stats
    return Share(
        run=run.id,
        study=chosen[0].study if chosen else "",
        store=stats.store,
        source=source,
        retry=run.retry,
        prices=dict(run.prices),
        cache=run.cache,
        answered=stats.probes.answered,
        servings=stats.servings,
        episodes=episodes,
        code=code_of(chosen),
        state=StudyState(
            status={key: word for key, word in state.status.items() if key in known},
            ended_at={key: at for key, at in state.ended_at.items() if key in known},
        ),
        turns={
            episode: [(turn.row, turn.finished) for turn in turns.values()]
            for episode, turns in state.memo.items()
            if episode in known
        },
        attempts={episode: each for episode, each in attempts.items() if episode in known},
        at_once=at_once,
        sends_sizes=run.rate_limiter.counts_tokens,
        budget_usd=stats.budget.limit_usd if stats.budget else None,
        max_unreadable=stats.max_unreadable,
        played_by=tuple(played_by),
    )


def state_of(share: Share) -> StudyState:
    """Return the state of a share's episodes, with the turns made of their rows."""
    memo = {
        episode: {
            (row["seat"], row["step"]): StoredTurn(
                turn_of(row), row, row["request_hash"], row["reask_prompt"], finished
            )
            for row, finished in rows
        }
        for episode, rows in share.turns.items()
    }
    return StudyState(status=share.state.status, ended_at=share.state.ended_at, memo=memo)


def code_of(chosen: Sequence[Play]) -> str:
    """Return a hash of the code that plays these episodes: of protocols and of scripted agents."""
    codes = {
        *(code_hash(play.protocol) for play in chosen),
        *(f"{agent.model.name} {code_hash_of(agent.model)}" for agent in agents_of(chosen)),
    }
    return hashlib.sha256(orjson.dumps(sorted(codes))).hexdigest()
