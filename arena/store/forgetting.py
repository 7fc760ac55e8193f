"""Remove episodes from a store on request, with all that belongs to them.

What is removed lies in the database alone by then: journals are folded, verified and removed first.
One transaction removes the rows, so that a kill at any moment leaves the store as it was or as it
was to be.  Journals that cannot be removed stay noted as folded, and are not folded again.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection as Connection

from arena.errors import StoreError, StudyError
from arena.store import database
from arena.store.connection import attach_store, refresh_views, writing
from arena.store.dependants import dependants
from arena.store.query import read_result
from arena.store.result import QueryResult
from arena.store.rewrite import only_one, refuse_if_in_use
from arena.store.schema import TABLES
from arena.store.study_lock import lock_study
from arena.store.verification import Removal, is_recent, remove_verified
from arena.text import utc_now

JUDGINGS = f"select episode from ({dependants()}) where list_contains($1, parent)"
COUNTS = """
    with gone as (select unnest($1) as episode),
    said as (
        select episode, count(*) as turns from turns semi join gone using (episode) group by 1),
    spent as (
        select episode, count(*) filter (status <> 'cached') as calls, sum(cost_usd) as cost_usd,
               count(*) filter (cost_usd is null) as calls_of_unknown_cost,
               sum(worst_usd) filter (cost_usd is null) as worst_usd,
               count(*) filter (cost_usd is null and worst_usd is null) as unpriced
        from calls semi join gone using (episode) group by 1),
    each as (
        select study, arm, status, coalesce(turns, 0) as turns, coalesce(calls, 0) as calls,
               cost_usd, coalesce(calls_of_unknown_cost, 0) as calls_of_unknown_cost, worst_usd,
               coalesce(unpriced, 0) as unpriced
        from all_episodes semi join gone using (episode)
        left join said using (episode) left join spent using (episode))
"""
SUMS = """
    count(*) as episodes, sum(turns)::bigint as turns, sum(calls)::bigint as calls,
    sum(cost_usd) as cost_usd, sum(calls_of_unknown_cost)::bigint as calls_of_unknown_cost
"""
NOTE = f"""
    insert into forgotten by name {COUNTS}
    select study, $2 as forgotten_at, {SUMS}, sum(worst_usd) as worst_usd,
           sum(unpriced)::bigint as unpriced, $3 as what
    from each group by study
"""


@dataclass(frozen=True, slots=True)
class Selected:
    """Episodes to forget: those that were asked for, and those that judge, score or ask about them.

    `what` says in words what was asked for.  `counts` has a row for each study, arm and status:
    episodes, turns, calls, dollars, and calls of unknown cost.
    """

    study: str
    what: str
    episodes: tuple[str, ...]
    judgings: tuple[str, ...]
    studies: tuple[str, ...]
    counts: QueryResult


def select(
    path: Path, study: str, what: str, condition: str, parameters: Mapping[str, object]
) -> Selected:
    """Return the episodes of a study that meet a condition: SQL over `all_episodes`, of a user.

    Raises StudyError if there is none, and for a condition of --where that is none.
    """
    names = [name for (name,) in database.select_rows(path, "select study from studies")]
    if study not in names:
        raise StudyError(
            f"there is no study {study!r} in {path}; there are: {', '.join(names) or 'none'}"
        )
    # The study stands inside, where no bracket of a condition reaches it.
    of_study = "from all_episodes where study = $study"
    sql = f"select episode from ({of_study}) where ({condition}\n)"
    try:
        found = database.query(path, sql, {**parameters, "study": study})
    except StoreError as error:
        if not what.startswith("where "):
            raise
        raise StudyError(
            "--where does not fit: it is one condition in SQL on the columns of all_episodes, such"
            f" as \"error_kind = 'Refused'\"; {str(error).splitlines()[0]}"
        ) from error
    episodes = [str(row[0]) for row in found.rows]
    if not episodes:
        raise StudyError(f"{path} holds no such episode of the study {study!r}: {what}")
    with database.open_live(path, ("all_episodes", "calls")) as con:
        judgings = judgings_of(con, episodes)
        counts = read_result(
            con,
            f"{COUNTS} select study, arm, status, {SUMS} from each group by study, arm, status"
            " order by study <> $2, study, arm, status",
            [[*episodes, *judgings], study],
        )
    studies = tuple(dict.fromkeys(str(row[0]) for row in counts.rows))
    return Selected(study, what, tuple(episodes), tuple(judgings), studies, counts)


def judgings_of(con: Connection, episodes: Sequence[str]) -> list[str]:
    """Return the episodes that judge, score or hang on these, or on such episodes of them."""
    known = set(episodes)
    found: list[str] = []
    latest = list(episodes)
    while latest:
        rows = con.execute(JUDGINGS, [latest]).fetchall()
        latest = sorted({row[0] for row in rows} - known)
        known.update(latest)
        found += latest
    return found


def forget(path: Path, selected: Selected) -> list[Removal]:
    """Remove episodes with all their rows; return the journals that stay, which may hold words.

    What their calls have cost becomes a row of `forgotten`.  Raises StudyError or StoreError, and
    removes nothing, while a run writes, and where a journal cannot be folded.
    """
    database.create(path)  # brings an older store up to date
    try:
        with only_one(path), ExitStack() as locks:
            refuse_if_in_use(path)
            for study in sorted(selected.studies):
                locks.enter_context(lock_study(path, study))
            kept = remove_journals(path)
            with writing(path, wait_s=10) as con:
                if database.unfolded_journals(con, database.journals(path)):
                    raise StoreError(f"a run has begun to write to {path}; try again")
                con.execute("begin")
                refresh_views(con, path)
                delete_episodes(con, selected)
                con.execute("commit")
                con.execute("checkpoint")
            return kept
    except (duckdb.Error, OSError) as error:
        reason = database.reason_of(error, path)
        raise StoreError(f"episodes of {path} cannot be removed: {reason}") from error


def remove_journals(path: Path) -> list[Removal]:
    """Fold and remove all journals; return those that stay although they are folded.

    Raises StoreError for one that is not folded, or that another machine may go on writing: it
    would be folded anew.
    """
    folding = database.fold(path, wait_s=10)
    if folding.put_off:
        raise StoreError(f"nothing was removed: {folding.put_off}")
    with attach_store(path) as (con, _):
        dead = dead_journals(con, database.journals(path))
        removals = remove_verified(con, database.journals(path), only_ended=False, dead=dead)
        unfolded = database.unfolded_journals(con, database.journals(path))
    kept = [removal for removal in removals if removal.kept is not None]
    for removal in kept:
        journal = removal.journal
        if journal in unfolded or (is_recent(journal) and journal not in dead):
            raise StoreError(f"nothing was removed: {journal} must go first, but {removal.kept}")
    return kept


def dead_journals(con: Connection, journals: Collection[Path]) -> frozenset[Path]:
    """Return the journals of runs of this machine: a lock would show if one was going on."""
    here = con.execute("select run from store.runs where host = ?", [socket.gethostname()])
    runs = {row[0] for row in here.fetchall()}
    return frozenset(file for file in journals if file.stem.rpartition("-")[0] in runs)


def delete_episodes(con: Connection, selected: Selected) -> None:
    """Delete the rows of episodes in all tables, and note what they have cost.

    Judgings that were stored since they were selected are deleted too.
    """
    episodes = [*selected.episodes, *judgings_of(con, selected.episodes)]
    of_all = "select distinct study from plays where list_contains($1, episode)"
    if {row[0] for row in con.execute(of_all, [episodes]).fetchall()} - {*selected.studies}:
        raise StoreError("these debates have been judged meanwhile; try again")
    con.execute(NOTE, [episodes, utc_now(), selected.what])
    con.execute("create temp table gone as select unnest($1) as episode", [episodes])
    con.execute(
        "create temp table topics as select subject from plays semi join gone using (episode)"
    )
    for name, table in TABLES.items():
        if "episode" in table.columns:
            con.execute(f"delete from {name} where episode in (from gone)")
    con.execute("delete from scores where scoring in (from gone)")
    con.execute(
        "delete from subjects where subject in (from topics)"
        " and subject not in (select subject from plays)"
    )
    con.execute("delete from images where image not in (select unnest(images) from subjects)")
    # A study that was played keeps its runs, and with them its plan; of an import nothing is left.
    con.execute(
        "delete from runs where study in $1 and origin <> 'played'"
        " and study not in (select study from plays)",
        [list(selected.studies)],
    )
