"""Read what a store knows of the models that spoke in a study under one name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from arena.store.database import open_live


@dataclass(frozen=True, slots=True)
class StoredModel:
    """What was behind a model's name in some episodes of a study, which are counted.

    `digest` is that of a local model's files, `code_hash` that of a function's source; both are
    None for models that have neither, and in episodes of version 0.1.0.
    """

    name: str
    digest: str | None
    code_hash: str | None
    episodes: int


@dataclass(frozen=True, slots=True)
class StoredServing:
    """The turns of an agent that a provider answered with one model and configuration."""

    agent: str
    model: str
    model_served: str
    fingerprint: str | None
    turns: int


def load_stored_models(path: Path, study: str) -> list[StoredModel]:
    """Return what was behind the names of a study's models where the store holds their turns."""
    with open_live(path, ()) as con:
        rows = con.execute(
            """
            select s.model, s.digest, s.code_hash, count(distinct s.episode)
            from seats s join plays p using (episode)
            semi join turns t on t.episode = s.episode and t.seat = s.seat
            where p.study = ?
            group by all order by all
            """,
            [study],
        ).fetchall()
    return [StoredModel(*row) for row in rows]


def load_servings(path: Path, study: str) -> list[StoredServing]:
    """Return by which models a study's agents were served, the first ones first."""
    with open_live(path, ("served_models",)) as con:
        rows = con.execute(
            "select agent, model, model_served, fingerprint, turns from served_models"
            " where study = ? order by first_at, model_served, fingerprint",
            [study],
        ).fetchall()
    return [StoredServing(*row) for row in rows]
