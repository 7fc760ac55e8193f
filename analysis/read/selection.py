"""Choose the episodes that a report speaks of, and who counts as one contestant in it.

All that read the store for a report open it here, so that a choice of models, arms or anything else
is one filter of episodes, and every number of a report is of the same ones.  A judging goes with
the debate that it judges, and a scoring with the first of the replies that it scores.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import duckdb

from arena.errors import StoreError, StudyError
from arena.store.chosen import EPISODES, show_only
from arena.store.connection import show_leftovers
from arena.store.database import open_live, query
from arena.store.views.registry import VIEWS
from arena.text import pluralize

By = Literal["agent", "model", "setting"]
GROUPINGS: tuple[By, ...] = get_args(By)
# The column of the view `contestants` that names a group.
LABELS: dict[By, str] = {"agent": "contestant", "model": "model", "setting": "setting"}

NAMES = "select distinct unnest([contestant, agent, model]) as name from agents order by name"
ARMS = "select distinct arm from plays order by arm"
# In a debate of two sides the sides count, elsewhere every seat.
CHOSEN = """
    create temp table chosen as
    with judgings as (
        select e.episode, case s.kind when 'debate' then s.source
                               else split_part(s.source, '/', 1) end as debate
        from episodes e join subjects s
            on s.subject = e.subject and s.kind in ('debate', 'replies')),
    others as (
        select c.episode from contestants c
        left join (select episode from seats where seat = 'proposition') d using (episode)
        where (d.episode is null or c.seat in ('proposition', 'opposition'))
          and not (list_contains($models, c.contestant)
                   or coalesce(list_contains($models, c.agent), false)
                   or coalesce(list_contains($models, c.model), false))),
    mine as (
        select episode from episodes anti join judgings using (episode)
        where (len($arms) = 0 or list_contains($arms, arm))
          and ($ids is null or episode in (select unnest($ids)))
          and (len($models) = 0 or episode not in (from others))),
    about as (select episode from judgings where debate in (from mine))
    from mine union all from about
    union all select episode from judgings where debate in (from about)
"""
COUNTS = """
    select e.study, count(*), count(c.episode) from episodes e left join chosen c using (episode)
    group by e.study
"""
# Those of a version of a protocol that nothing counted is of are named apart.
LEFTOVERS = """
    with counted as (
        select study, protocol, list(distinct version) as versions from episodes group by all),
    hidden as (select study, protocol, version, count(*) as n from leftovers group by all)
    select study, sum(n)::bigint,
        coalesce(list((protocol, version, n) order by protocol, version)
            filter (not list_contains(versions, version)), [])
    from hidden left join counted using (study, protocol) group by study
"""
# Most stores have neither, and two columns of one table tell so.
HAS_LEFTOVERS = "select 1 from plan_changes limit 1"
HAS_VERSIONS = "select 1 from plays group by protocol having count(distinct version) > 1 limit 1"
# Of a study and of the verdicts on it: the versions of a protocol that count together.
POOLED_VERSIONS = """
    with spoken as (
        select study, protocol, version, count(*) as n, false as judges from episodes group by all
        union all
        select d.study, j.protocol, j.version, count(*), true from latest_rulings r
        join episodes j using (episode) join episodes d on d.episode = r.debate group by all)
    select study, judges, protocol, list((version, n) order by version) from spoken
    where version is not null
    group by study, judges, protocol having count(*) > 1 order by all
"""

VERSIONS = """
    select protocol, study, string_agg(version, ' and ' order by version) from (
        select distinct protocol, study, version from episodes
        where version is not null and list_contains(?, study))
    group by all
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which episodes a report speaks of, and who is one contestant in it.

    `by` is agent (name, model, weights, system prompt and sampling), model, or setting (system
    prompt and sampling, whatever the model).  With `models`, names of models, agents or
    contestants, only debates count in which every debater is one of these, and other plays in which
    every seat is.  `arms` are labels; `where` is a condition in SQL on the columns of the view
    episodes.  Leftovers, episodes that their study's last plan does not hold, are left out unless
    `leftovers` counts them in.
    """

    by: By = "agent"
    models: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    where: str = ""
    leftovers: bool = False

    def __post_init__(self) -> None:
        if self.by not in GROUPINGS:
            raise StudyError(f"by must be one of {', '.join(GROUPINGS)}, found {self.by!r:.80}")

    @property
    def filters(self) -> str:
        """The filters in words, as the command line spells them; empty: none."""
        words = [("--models", ",".join(self.models)), ("--arms", ",".join(self.arms))]
        words.append(("--where", self.where))
        return " ".join(f"{option} {value}" for option, value in words if value)


ALL = Selection()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of how many episodes of a study a report speaks, and why of no more.

    Of `episodes` it speaks of `chosen`, by `filters` in words; both are None without filters.
    `leftovers` are left out beside these, since the study's last plan does not hold them; of them
    `earlier` are of another version of a protocol than any that counts.  `pooled` has in sentences
    which versions of one protocol count together.
    """

    episodes: int | None
    chosen: int | None
    leftovers: int
    filters: str
    earlier: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ()

    @property
    def leaves_out(self) -> bool:
        """Whether any episode may be left out."""
        return bool(self.filters or self.leftovers)

    @property
    def note(self) -> str:
        """What is left out, and which versions are pooled, in sentences; empty: nothing."""
        notes = []
        if self.filters:
            total = pluralize(self.episodes or 0, "episode")
            notes.append(f"Of {total} {self.chosen or 0:,} chosen: {self.filters}.")
        if self.leftovers:
            verb = "is" if self.leftovers == 1 else "are"
            of_these = f", {' and '.join(self.earlier)}" if self.earlier else ""
            notes.append(
                f"{pluralize(self.leftovers, 'episode')} of an earlier plan {verb} left out"
                f"{of_these} (arena status; --leftovers counts them in)."
            )
        return " ".join([*notes, *self.pooled])


@contextmanager
def open_selected(
    path: Path,
    selection: Selection = ALL,
    views: Collection[str] = VIEWS.keys(),
    tables: Collection[str] = EPISODES,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, Chosen]]]:
    """Yield a connection whose views show the chosen episodes, and what is left out by study.

    `tables` are those that are filtered; all views on episodes read the first.  Without a filter,
    without leftovers and with one version of each protocol, there is nothing to say.  Raises
    StudyError for a name that the store does not know and a wrong condition, and StoreError if the
    store cannot be read.
    """
    needed = {*views, "contestants", "episodes", "latest_rulings", "leftovers"}
    with show_leftovers() if selection.leftovers else nullcontext(), open_live(path, needed) as con:
        yield con, choose(con, path, selection, needed, tables)


def choose(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    selection: Selection,
    views: Collection[str],
    tables: Collection[str],
) -> dict[str, Chosen]:
    """Let a connection show the chosen episodes; return what is left out and pooled by study."""
    # The view episodes, and so all that reads it, leaves leftovers out by itself; tables do not.
    some = not selection.leftovers and con.execute(HAS_LEFTOVERS).fetchone() is not None
    hidden = con.execute(LEFTOVERS).fetchall() if some else []
    left = {study: (n, tuple(map(words_of_version, each))) for study, n, each in hidden}
    filters = selection.filters
    if not filters and (not hidden or tables == EPISODES):
        pooled = pooled_versions(con)
        return {
            study: Chosen(None, None, n, "", earlier, pooled.get(study, ()))
            for study in left.keys() | pooled.keys()
            for n, earlier in [left.get(study, (0, ()))]
        }
    models = find_names(con, NAMES, selection.models, "model, agent or contestant")
    arms = find_names(con, ARMS, selection.arms, "arm")
    matching = matching_episodes(path, selection.where) if selection.where else None
    con.execute(CHOSEN, {"models": models, "arms": arms, "ids": matching})
    counts = con.execute(COUNTS).fetchall()
    show_only(con, "chosen", views, tables)
    pooled = pooled_versions(con)
    return {
        study: Chosen(total, chosen, n, filters, earlier, pooled.get(study, ()))
        for study, total, chosen in counts
        if filters or study in left or study in pooled
        for n, earlier in [left.get(study, (0, ()))]
    }


def words_of_version(version: tuple[str, str, int]) -> str:
    """Return of how many leftovers a (protocol, version, episodes) is, in words."""
    protocol, name, episodes = version
    return f"{episodes:,} of which version {name} of {protocol} played"


def pooled_versions(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """Return in sentences, by study, which versions of one protocol count together."""
    found: dict[str, tuple[str, ...]] = {}
    if con.execute(HAS_VERSIONS).fetchone() is None:
        return found
    for study, judges, protocol, versions in con.execute(POOLED_VERSIONS).fetchall():
        listed = " and ".join(f"{version} ({count:,})" for version, count in versions)
        what = "verdicts" if judges else "episodes"
        apart = "" if judges else "; one alone: --where \"version = '...'\""
        words = f"Pooled are the {what} of versions {listed} of {protocol}{apart}."
        found[study] = (*found.get(study, ()), words)
    return found


def differing_versions(path: Path, a: str, b: str, selection: Selection = ALL) -> tuple[str, ...]:
    """Return in sentences which protocols two studies were played by in other versions."""
    with open_selected(path, selection) as (con, _):
        rows = con.execute(VERSIONS, [[a, b]]).fetchall()
    versions: dict[str, dict[str, str]] = {}
    for protocol, study, names in rows:
        versions.setdefault(protocol, {})[study] = names
    return tuple(
        f"{a} was played by version {of[a]} of {protocol}, {b} by version {of[b]}:"
        " other prompts may be what differs."
        for protocol, of in sorted(versions.items())
        if len(of) == 2 and of[a] != of[b]
    )


def find_names(
    con: duckdb.DuckDBPyConnection, sql: str, asked: Sequence[str], what: str
) -> list[str]:
    """Return the names that are asked for, each of which may be several with commas between.

    A name may hold commas itself: the longest part that is known counts.  Raises StudyError for
    one that is not known.
    """
    if not asked:
        return []
    known = [name for (name,) in con.execute(sql).fetchall() if name is not None]
    found = []
    for text in asked:
        parts = text.split(",")
        while parts:
            for size in range(len(parts), 0, -1):
                name = ",".join(parts[:size]).strip()
                if name in known:
                    break
            else:
                listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
                raise StudyError(f"there is no {what} {name!r:.80}; there are: {listed or 'none'}")
            found.append(name)
            parts = parts[size:]
    return found


def matching_episodes(path: Path, where: str) -> list[str]:
    """Return the ids of the episodes for which a user's condition holds.

    It runs as any query that a user writes: it can only read, and only the store.
    """
    example = 'it is one condition in SQL on the columns of episodes, such as "repeat = 0"'
    sql = f"select episode from episodes where (\n{where}\n)"
    try:
        single = len(duckdb.extract_statements(sql)) == 1
    except duckdb.Error:
        single = False
    if not single:
        raise StudyError(f"--where cannot be read: {example}, found {where!r:.120}")
    try:
        return [episode for (episode,) in query(path, sql).rows]
    except StoreError as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"--where does not fit: {example}; {reason}") from error


def label_sql(by: By, *, debate: str = "d") -> tuple[tuple[str, str], str]:
    """Return SQL for the labels of both sides of a row of `debates`, and the joins they need."""
    if by != "setting":
        column = LABELS[by]
        return (f"{debate}.proposition_{column}", f"{debate}.opposition_{column}"), ""
    joins = " ".join(
        f"left join contestants {side}_seat on {side}_seat.episode = {debate}.episode"
        f" and {side}_seat.seat = '{side}'"
        for side in ("proposition", "opposition")
    )
    return ("proposition_seat.setting", "opposition_seat.setting"), joins
