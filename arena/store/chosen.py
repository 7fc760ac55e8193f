"""Let tables and views show some episodes alone, on one connection."""

from __future__ import annotations

from collections.abc import Collection

from duckdb import DuckDBPyConnection as Connection

from arena.store.views.registry import ALL_VIEWS, statement, with_dependencies

# Every view that reads episodes reads them from this table.
EPISODES = ("plays",)


def show_only(
    con: Connection, chosen: str, views: Collection[str], tables: Collection[str] = EPISODES
) -> None:
    """Let these tables, and the views on them, show the episodes of the table `chosen` alone.

    `con` is a connection of `open_live`, `views` are the views and macros that its reader needs.
    """
    # Views of the store go on reading its own tables; only temporary ones see temporary tables.
    temporary = dict(
        con.execute(
            "select view_name, 'view' from duckdb_views() where database_name = 'temp'"
            " union all select table_name, 'table' from duckdb_tables()"
            " where database_name = 'temp'"
        ).fetchall()
    )
    for name in tables:
        everything = f"{name}_of_all_episodes"
        if kind := temporary.get(name):
            con.execute(f"alter {kind} {name} rename to {everything}")
        else:
            con.execute(f"create temp view {everything} as from store.{name}")
        con.execute(
            f"create temp view {name} as from {everything} semi join {chosen} using (episode)"
        )
    for name in with_dependencies(views):
        con.execute(statement(name, ALL_VIEWS[name], temporary=True))
