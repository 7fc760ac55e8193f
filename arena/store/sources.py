"""Query several stores, and folders of Parquet files, at once.

Tables, views and macros have their names, and each row says in `store` which of them it comes
from.  A view is computed in each store by itself, so that contestants of one name in two stores
stay two, and nothing counts twice; what has to be pooled takes rows (`ratings`, `votes`), or
`arena merge`.  A join of two tables is `using (store, episode)`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection as Connection

from arena.errors import StoreError
from arena.store.connection import (
    CONNECTION_LOCK,
    SHOWS_LEFTOVERS,
    StoreInfo,
    connect_untrusted,
    read_info,
    retry_locked,
)
from arena.store.damage import warn_of_left_out
from arena.store.database import (
    READ_AS_THEY_ARE,
    journal_entries,
    journals,
    translated_errors,
    unfolded_journals,
    up_to_date_path,
)
from arena.store.journal_reader import JournalReader
from arena.store.migrations import quote_sql, table_names, views_hash
from arena.store.parquet_folder import show_folder
from arena.store.query import UNLIMITED, Parameters, answer, file_bytes
from arena.store.result import QueryResult
from arena.store.schema import JOURNALED, SCHEMA_VERSION, TABLES
from arena.store.unfolded import column_definitions, insert_new, split_by_table
from arena.store.views.base import WITH_LEFTOVERS
from arena.store.views.registry import (
    ALL_VIEWS,
    CATALOGUE,
    find_views,
    signature,
    statement,
)
from arena.text import pluralize

TWICE = """
    select count(*), min(stores) from (
        select episode, string_agg(store, ' and ' order by store) as stores from plays
        group by episode having count(distinct store) > 1)
"""
# The plan of a view over more stores than these takes longer than its rows, store by store.
MOST_PLANNED = 4
SIMULATED = "from runs where simulated limit 1"


@dataclass(frozen=True, slots=True)
class Sources:
    """Several stores that are open for one query of a user, after which they are closed.

    `folders` are those of Parquet files, which the query has to read.
    """

    con: Connection
    folders: Sequence[str]

    def episodes_twice(self) -> str:
        """Return a sentence about episodes that stand in several of the stores; empty: none do."""
        ((count, stores),) = self.con.execute(TWICE).fetchall()
        if not count:
            return ""
        return (
            f"{pluralize(count, 'episode')} in several of these stores ({stores}) count in each:"
            " `arena merge` takes each once"
        )

    def has_simulated(self) -> bool:
        """Tell whether simulated models speak in a study of one of the stores."""
        return self.con.execute(SIMULATED).fetchone() is not None

    def query(self, sql: str, parameters: Parameters = None) -> QueryResult:
        """Run the user's query.  Raises as `arena.store.database.query`."""
        return answer(self.con, sql, parameters, UNLIMITED, folders=self.folders)

    def download(
        self, sql: str, kind: str, parameters: Parameters = None, *, spreadsheet: bool = False
    ) -> bytes:
        """Return the result of the user's query as a file's bytes."""
        return file_bytes(
            self.con,
            sql,
            kind,
            UNLIMITED,
            parameters,
            spreadsheet=spreadsheet,
            folders=self.folders,
        )


@contextmanager
def open_sources(paths: Sequence[Path], sql: str) -> Iterator[Sources]:
    """Open for a user's query what it names of all these stores and folders.

    Raises StoreError if one of them is no store and no folder of exported tables, or is named
    twice.
    """
    resolved = [path.resolve() for path in paths]
    for number, path in enumerate(paths):
        if resolved[number] in resolved[:number]:
            raise StoreError(f"{path} is named twice: name each store once")
    views = find_views(sql)
    tables = named_tables(sql, views)
    with ExitStack() as stack:
        stack.enter_context(CONNECTION_LOCK)
        con = stack.enter_context(connect_untrusted())
        if SHOWS_LEFTOVERS.get():
            con.execute(f"set variable {WITH_LEFTOVERS} = true")
        databases = []
        for number, path in enumerate(paths):
            if not path.is_dir() and attach_current(con, stack, path, number):
                databases.append(f"file_{number}")
                continue
            databases.append(f"source_{number}")
            con.execute(f"attach ':memory:' as source_{number}")
            with translated_errors(path):
                if path.is_dir():
                    show_folder(con, path.resolve(), f"source_{number}", tables)
                else:
                    show_store(con, path, number, tables)
            show_views(con, number, views)
        con.execute("use memory")
        with translated_errors(paths[0], trusted=False):
            named = views if CATALOGUE.search(sql) else named_in(sql, views)
            unite(con, dict(zip(paths, databases, strict=True)), tables, named)
            yield Sources(con, [str(path.resolve()) for path in paths if path.is_dir()])


def named_in(sql: str, names: Collection[str]) -> tuple[str, ...]:
    """Return those of these names that stand in a text."""
    words = set(re.findall(r"\w+", sql.lower()))
    return tuple(name for name in names if name in words)


def named_tables(sql: str, views: Collection[str]) -> tuple[str, ...]:
    """Return the tables that a query or one of these views names."""
    if CATALOGUE.search(sql):
        return JOURNALED
    texts = [sql, TWICE, SIMULATED, *(ALL_VIEWS[view].sql for view in views)]
    return named_in(" ".join(texts), JOURNALED)


def attach_current(con: Connection, stack: ExitStack, path: Path, number: int) -> bool:
    """Attach a store as file_<number>; tell whether its own tables and views serve as they are."""
    file = f"file_{number}"
    if not path.is_file():
        raise StoreError(
            f"there is no store at {path}; name stores, or folders of exported tables, with --db"
        )

    def attach(where: Path) -> StoreInfo:
        """Attach a file read-only."""
        words = f"attach {quote_sql(str(where))} as {file} (type duckdb, read_only)"
        retry_locked(lambda: con.execute(words), path, wait_s=10)
        return read_info(con, path, file)

    with translated_errors(path):
        info = attach(path)
        if info.schema_version not in READ_AS_THEY_ARE:
            con.execute(f"detach {file}")
            info = attach(stack.enter_context(up_to_date_path(path)))
        warn_of_left_out(path, journal_entries(path))
        growing = unfolded_journals(con, journals(path), file)
    return not growing and info == StoreInfo(SCHEMA_VERSION, views_hash())


def show_store(con: Connection, path: Path, number: int, tables: Sequence[str]) -> None:
    """Show the tables of file_<number>, with the rows of its journals, as source_<number>."""
    file = f"file_{number}"
    growing = parse_journals(con, path, number)
    present = table_names(con, file)
    for name in tables:
        if name not in present:
            con.execute(f"create table source_{number}.{name} ({column_definitions(name)})")
            continue
        columns = {row[0] for row in con.execute(f"describe {file}.{name}").fetchall()}
        missing = "".join(
            f", null::{kind} as {column}"
            for column, (kind, _) in TABLES[name].columns.items()
            if column not in columns
        )
        select = f"select *{missing} from {file}.{name}"
        if name in growing:
            select += f" union all by name from pending_{number}.{name}"
        con.execute(f"create view source_{number}.{name} as {select}")


def parse_journals(con: Connection, path: Path, number: int) -> set[str]:
    """Read the rows of unfolded journals into pending_<number>; return the tables with some."""
    pending = unfolded_journals(con, journals(path), f"file_{number}")
    if not pending:
        return set()
    database = f"pending_{number}"
    con.execute(f"attach ':memory:' as {database}")
    with split_by_table([JournalReader(journal) for journal in pending]) as (parts, _):
        for name in parts:
            con.execute(f"create table {database}.{name} ({column_definitions(name)})")
        insert_new(con, parts, database, databases=(f"file_{number}",))
        return set(parts)


def show_views(con: Connection, number: int, views: Sequence[str]) -> None:
    """Make the views of one store beside its tables."""
    con.execute(f"use source_{number}")
    for name in views:
        if not ALL_VIEWS[name].parameters:
            con.execute(statement(name, ALL_VIEWS[name]))


def unite(
    con: Connection, databases: Mapping[Path, str], tables: Sequence[str], views: Sequence[str]
) -> None:
    """Make the tables, views and macros that show the rows of all stores, with `store`."""
    for name in (*tables, *views):
        if name in ALL_VIEWS and ALL_VIEWS[name].parameters:
            call = signature(name, ALL_VIEWS[name])
            rows = [macro_rows(name, place, base) for place, base in databases.items()]
            con.execute(f"create macro {call} as table {' union all by name '.join(rows)}")
            continue
        rows = [
            f"select {quote_sql(str(place))} as store, * from {base}.{name}"
            for place, base in databases.items()
        ]
        if name in tables or len(rows) <= MOST_PLANNED:
            con.execute(f"create view {name} as {' union all by name '.join(rows)}")
            continue
        con.execute(f"create table {name} as {rows[0]}")
        for more in rows[1:]:
            con.execute(f"insert into {name} by name {more}")


def macro_rows(name: str, place: Path, database: str) -> str:
    """Return SQL for the rows of a macro in one store.

    A macro looks names up where it is called, so that its body has to name the store.
    """
    names = "|".join([*TABLES, *ALL_VIEWS])
    body = re.sub(rf"\b(from|join)\s+({names})\b", rf"\1 {database}.\2", ALL_VIEWS[name].sql)
    return f"select {quote_sql(str(place))} as store, * from ({body})"
