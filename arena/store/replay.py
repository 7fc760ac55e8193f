"""Read the state of a study from its store: turns to replay, and replies that may be used again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from arena.decoding import stored_decoding
from arena.store.database import open_live, select_rows
from arena.store.query import read_result
from arena.types import NOT_ASKED, STATED, Sampling, Turn

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn that an earlier run has stored.

    If it is not `finished`, its re-ask (`reask_prompt`) has no reply yet.
    """

    turn: Turn
    row: dict[str, Any]
    request_hash: str | None
    reask_prompt: str | None
    finished: bool


Memo = dict[str, dict[tuple[str, int], StoredTurn]]
# By episode, and by seat, step and ask.
Attempts = dict[str, dict[tuple[str, int, int], int]]
# Of most stores this reads no block: the column holds nothing.
HAS_BATCHES = "select 1 from call_starts where batch is not null limit 1"
LAST_PLAN = """
    select (select arg_max(planned, started_at) from runs where study = ?),
           (select max(changed_at) from plan_changes join plays using (episode) where study = ?)
"""


@dataclass(frozen=True, slots=True)
class StudyState:
    """The state of a study in a store.

    `origin` is None for a study that is new.  `status`, `ended_at` and `code_hashes` go by episode;
    `memo` holds the turns of the episodes that are not done, by episode, seat and step.  The last
    plan had `planned` episodes and did not hold the `leftovers`; `plan_changed_at` is when an
    episode last came to be one, or to be none.  `has_batches`: calls in the store were
    sent in batches.
    """

    origin: str | None = None
    status: dict[str, str] = field(default_factory=dict)
    ended_at: dict[str, datetime] = field(default_factory=dict)
    code_hashes: dict[str, str | None] = field(default_factory=dict)
    memo: Memo = field(default_factory=dict)
    planned: int | None = None
    leftovers: frozenset[str] = frozenset()
    plan_changed_at: datetime | None = None
    has_batches: bool = False


def load_study_state(path: Path, study: str) -> StudyState:
    """Return the state of a study, from the database and from journals that are not folded.

    Turns whose episode has no beginning are in the memo too: it was in a damaged line, and the
    episode begins again with the turns that are left.
    """
    of_open_episodes = (
        "left join all_episodes e using (episode)"
        " where (e.study = ? and e.status <> 'done') or e.episode is null"
    )
    with open_live(path, ("studies", "all_episodes")) as con:
        episodes = con.execute(
            "select e.episode, e.status, p.code_hash, e.ended_at, e.leftover"
            " from all_episodes e join plays p using (episode) where e.study = ?",
            [study],
        ).fetchall()
        planned, changed_at = con.execute(LAST_PLAN, [study, study]).fetchall()[0]
        origin = con.execute("select origin from studies where study = ?", [study]).fetchone()
        has_batches = con.execute(HAS_BATCHES).fetchone() is not None
        measures, unfinished, finished = (
            read_result(con, f"select t.* from {table} t {of_open_episodes}", [study]).dicts()
            for table in ("measures", "unfinished_turns", "turns")
        )
    return StudyState(
        origin[0] if origin else None,
        {row[0]: row[1] for row in episodes},
        {row[0]: row[3] for row in episodes if row[3] is not None},
        {row[0]: row[2] for row in episodes},
        memo_of(sorted(measures, key=itemgetter("name")), unfinished, finished),
        planned,
        frozenset(row[0] for row in episodes if row[4]),
        changed_at,
        has_batches,
    )


def load_attempts(path: Path, run: str) -> Attempts:
    """Return how many attempts of each call a run has begun so far, by (seat, step, ask).

    Calls of finished episodes are left out.
    """
    with open_live(path, ("all_episodes", "call_starts")) as con:
        rows = con.execute(
            "select episode, seat, step, ask, max(attempt) + 1 from call_starts"
            " join all_episodes e using (episode) where run = ? and e.status <> 'done'"
            " group by all",
            [run],
        ).fetchall()
    attempts: Attempts = {}
    for episode, *place, count in rows:
        attempts.setdefault(episode, {})[tuple(place)] = count
    return attempts


def memo_of(measures: Iterable[Row], unfinished: Iterable[Row], finished: Iterable[Row]) -> Memo:
    """Return turns to replay, from rows of the tables measures, unfinished_turns and turns."""
    by_turn: dict[tuple[str, str, int], dict[str, float]] = {}
    for row in measures:
        place = (row["episode"], row["seat"], row["step"])
        by_turn.setdefault(place, {})[row["name"]] = row["value"]
    memo: Memo = {}
    # The finished turns come last: a finished turn replaces its unfinished one.
    for rows, is_finished in ((unfinished, False), (finished, True)):
        for row in rows:
            place = (row["episode"], row["seat"], row["step"])
            whole = {**row, "measures": by_turn.get(place)}
            reask = row["reask_prompt"]
            stored = StoredTurn(turn_of(whole), whole, row["request_hash"], reask, is_finished)
            memo.setdefault(row["episode"], {})[row["seat"], row["step"]] = stored
    return memo


def turn_of(row: Row) -> Turn:
    """Return the turn of a row of the table `turns`, to which its `measures` by name are added.

    Numbers that its reply states are left out: they are private, and no protocol needs them.
    """
    measures = row["measures"]
    if measures is not None:
        measures = {name: each for name, each in measures.items() if not name.startswith(STATED)}
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
        confidence_source=row.get("confidence_source"),
        measures=measures or None,
        reask_prompt=row.get("reask_prompt"),
        reask_text=row.get("reask_text"),
    )


def sampling_of(stored: Mapping[str, Any]) -> Sampling:
    """Return the sampling that a row of seats keeps as JSON; unknown settings are ignored."""
    # Choices are stored under the name that they had first, which ids and hashes contain.
    settings = {"choices" if name == "options" else name: value for name, value in stored.items()}
    settings = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    if isinstance(settings.get("decoding"), Mapping):
        settings["decoding"] = stored_decoding(settings["decoding"])
    return replace(
        Sampling(),
        **{item.name: settings[item.name] for item in fields(Sampling) if item.name in settings},
    )


@dataclass(frozen=True, slots=True)
class CachedReply:
    """A reply of an earlier study: its words and measures, and the episode it comes from."""

    text: str
    reasoning: str | None
    model_served: str | None
    seed: int | None
    episode: str
    measures: Mapping[str, float] | None = None
    fingerprint: str | None = None


def load_cached_replies(
    path: Path, study: str, models: Collection[tuple[str, str | None]]
) -> dict[str, CachedReply]:
    """Return the replies of these models in the finished episodes of other studies, by sample key.

    A model is its name with the digest or hash by which it is told apart; replies of which that is
    not stored count as its own.  Of several replies with one key the first counts.  A reply to a
    re-ask has the key that `reask_key` makes.
    """
    replies = {}
    rows = select_rows(
        path,
        """
        select t.sample_key, t.text, t.reask_prompt, t.reask_text,
               t.reasoning, t.model_served, t.seed, t.episode, m.measures, t.fingerprint
        from turns t join all_episodes e using (episode) join seats s using (episode, seat)
        left join (
            select episode, seat, step, list((name, value)) as measures
            from measures where not starts_with(name, ?) group by all) m
            using (episode, seat, step)
        where t.sample_key is not null and e.study <> ? and e.status = 'done'
            and list_contains(?, s.model)
            and coalesce(list_contains(?, s.model || ' ' || coalesce(s.digest, s.code_hash)), true)
        qualify row_number() over (
            partition by t.sample_key order by t.started_at, t.episode) = 1
        """,
        # What a reply states is read from it again.
        [
            STATED,
            study,
            sorted({name for name, _ in models}),
            sorted({f"{name} {told_by}" for name, told_by in models}),
        ],
    )
    for key, text, reask_prompt, reask_text, *words, episode, measures, fingerprint in rows:
        by_name = dict(measures) if measures else None
        reasoning, model, seed = words
        replies[key] = CachedReply(
            text, reasoning, model, seed, episode, by_name, fingerprint=fingerprint
        )
        if reask_text is not None:
            again = reask_key(key, text, reask_prompt)
            replies[again] = CachedReply(reask_text, None, None, None, episode)
    return replies


def reask_key(sample_key: str, text: str, reask_prompt: str) -> str:
    """Return the sample key of a re-ask: a hash of the first request, its reply and the re-ask."""
    return digest(sample_key, text, reask_prompt).hex()


def digest(*words: object) -> bytes:
    """Return the sha256 of the words as JSON, the root of ids, seeds and random streams."""
    return hashlib.sha256(orjson.dumps(words)).digest()
