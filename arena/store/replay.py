"""What a store already holds for a study: turns that are replayed instead of asked, money that is spent, replies that may be used again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from arena.store.database import open_live, query
from arena.types import NOT_ASKED, Turn


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn that an earlier run has stored; not `finished`: its re-ask (`reask_prompt`) has no reply yet."""

    turn: Turn
    row: dict[str, Any]
    request_hash: str | None
    reask_prompt: str | None
    finished: bool


@dataclass(frozen=True, slots=True)
class StudyState:
    """What a store knows of a study: its origin (None: it is new), status and source hash by episode, and the turns of what is not done."""

    origin: str | None
    status: dict[str, str]
    ended_at: dict[str, datetime]
    code_hashes: dict[str, str | None]
    memo: dict[str, dict[tuple[str, int], StoredTurn]]


def load_study_state(path: Path, study: str) -> StudyState:
    """What has been played of a study, in the database and in journals that could not be folded."""
    with open_live(path, ("studies", "episodes")) as con:
        episodes = con.execute(
            "select e.episode, e.status, p.code_hash, e.ended_at from episodes e join plays p using (episode) where e.study = ?",
            [study],
        ).fetchall()
        origin = con.execute("select origin from studies where study = ?", [study]).fetchone()
        memo: dict[str, dict[tuple[str, int], StoredTurn]] = {}
        measured = con.execute(
            "select m.episode, m.seat, m.step, m.name, m.value from measures m join episodes e using (episode)"
            " where e.study = ? and e.status <> 'done' order by all",
            [study],
        ).fetchall()
        measures: dict[tuple[str, str, int], dict[str, float]] = {}
        for episode, seat, step, name, value in measured:
            measures.setdefault((episode, seat, step), {})[name] = value
        for table in ("unfinished_turns", "turns"):
            cursor = con.execute(
                f"select t.* from {table} t join episodes e using (episode) where e.study = ? and e.status <> 'done'",
                [study],
            )
            names = [column[0] for column in cursor.description or ()]
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                row["measures"] = measures.get((row["episode"], row["seat"], row["step"]))
                stored = StoredTurn(
                    turn_of(row), row, row["request_hash"], row["reask_prompt"], table == "turns"
                )
                memo.setdefault(row["episode"], {})[row["seat"], row["step"]] = stored
        return StudyState(
            origin and origin[0],
            {row[0]: row[1] for row in episodes},
            {row[0]: row[3] for row in episodes if row[3] is not None},
            {row[0]: row[2] for row in episodes},
            memo,
        )


def turn_of(row: Mapping[str, Any]) -> Turn:
    """The turn that a row of the table `turns` stands for, with its `measures` by name."""
    return Turn(
        episode=row["episode"],
        seat=row["seat"],
        step=row["step"],
        phase=row["phase"],
        round=row["round"],
        text=row["text"],
        public=row["public"],
        thoughts=row["thoughts"],
        confidence=row["confidence"],
        confidence_status=row["confidence_status"] or NOT_ASKED,
        answer=row["answer"],
        flags=tuple(row["flags"] or ()),
        rating_public=bool(row["rating_public"]),
        finish_reason=row["finish_reason"],
        model_served=row["model_served"],
        token_ids=None if row["token_ids"] is None else tuple(row["token_ids"]),
        measures=row["measures"],
    )


@dataclass(frozen=True, slots=True)
class CachedReply:
    """A reply of an earlier study: its words and measures, and the episode that it was given in."""

    text: str
    reasoning: str | None
    model_served: str | None
    seed: int | None
    episode: str
    measures: Mapping[str, float] | None = None


def load_cached_replies(path: Path, study: str, models: Iterable[str]) -> dict[str, CachedReply]:
    """The replies that other studies hold from these models, by what identifies the sample; the first where there are several.

    A reply to a re-ask stands under the key that `reask_key` makes.
    """
    found = {}
    rows = query(
        path,
        """
        select t.sample_key, t.text, t.reask_prompt, t.reask_text, t.reasoning, t.model_served, t.seed, t.episode, m.measures
        from turns t join episodes e using (episode) join seats s using (episode, seat)
        left join (select episode, seat, step, list((name, value)) as measures from measures group by all) m using (episode, seat, step)
        where t.sample_key is not null and e.study <> ? and e.status = 'done' and list_contains(?, s.model)
        qualify row_number() over (partition by t.sample_key order by t.started_at, t.episode) = 1
        """,
        [study, sorted(set(models))],
    )
    for (
        key,
        text,
        reask_prompt,
        reask_text,
        reasoning,
        model_served,
        seed,
        episode,
        measures,
    ) in rows:
        found[key] = CachedReply(
            text, reasoning, model_served, seed, episode, dict(measures) if measures else None
        )
        if reask_text is not None:
            found[reask_key(key, text, reask_prompt)] = CachedReply(
                reask_text, None, None, None, episode
            )
    return found


def reask_key(sample_key: str, text: str, reask_prompt: str) -> str:
    """What identifies the sample of a re-ask: the first request, its reply, and what is asked again."""
    return digest(sample_key, text, reask_prompt).hex()


def digest(*words: object) -> bytes:
    """sha256 over the words as JSON: the root of ids, seeds and random streams."""
    return hashlib.sha256(orjson.dumps(words)).digest()
