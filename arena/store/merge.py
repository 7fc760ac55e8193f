"""Take in what other machines have played: the rows of another store that are new here."""

from __future__ import annotations

from pathlib import Path

from arena.errors import StoreError
from arena.store.database import journals, reading, unfolded_journals, up_to_date_path, writing
from arena.store.migrations import quote_sql
from arena.store.schema import JOURNALED, TABLES
from arena.store.unfolded import new_rows, rows_of, split_by_table

DISPUTED = """
    create temp table disputed as
    with theirs as (
        {theirs}),
    pairs as (
        select episode, seat, step, h.text as here, o.text as there, h.episode is not null as is_here, o.episode is not null as is_there
        from store.turns h full join theirs o using (episode, seat, step) where episode in (select episode from theirs))
    select episode from pairs group by episode
    having bool_or(is_here and is_there and here is distinct from there) or (bool_or(not is_here) and bool_or(not is_there))
"""


def merge(path: Path, other: Path) -> tuple[int, int]:
    """Take in another store with its journals: every row whose key is new here.  Returns (new rows, disputed episodes).

    An episode that both stores have played on in their own way is disputed: it stays as it is here, since a transcript made of both would
    be one that never took place.
    Raises StoreError where either cannot be opened, or `other` was written by a newer program.
    """
    if path.resolve() == other.resolve():
        raise StoreError(f"{other} cannot be merged into itself")
    with reading(other) as con:
        pending = unfolded_journals(con, journals(other))
    with (
        up_to_date_path(other) as theirs,
        split_by_table(pending) as (parts, _),
        writing(path, wait_s=10) as con,
    ):
        con.execute(f"attach {quote_sql(str(theirs))} as other (read_only)")
        con.execute("begin")
        said = [
            "from other.turns",
            *(f"from ({rows_of(name, part)})" for name, part in parts.items() if name == "turns"),
        ]
        con.execute(
            DISPUTED.format(
                theirs=" union ".join(f"select episode, seat, step, text {rows}" for rows in said)
            )
        )
        new = 0
        for name in JOURNALED:
            columns, key = ", ".join(TABLES[name].columns), ", ".join(TABLES[name].key)
            agreed = (
                "where episode not in (from disputed)" if "episode" in TABLES[name].columns else ""
            )
            found = [f"select {columns} from other.{name} anti join store.{name} using ({key})"]
            if name in parts:
                found.append(new_rows(name, parts[name]))
            for rows in found:
                new += con.execute(
                    f"insert into store.{name} by name from ({rows}) {agreed}"
                ).fetchall()[0][0]
        disputed = con.execute("select count(*) from disputed").fetchall()[0][0]
        con.execute("commit")
        return new, disputed
