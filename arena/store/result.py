"""The result of a query: rows of Python values, data frames, Arrow, and how it shows itself.

The rows of a query of `Arena.sql` are held by DuckDB, in their own types, and become Python values
where they are asked for; pandas, polars and Arrow take them by columns.  They lie in a database in
memory which all results of a process share, so that the store's file is free at once.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
from duckdb import DuckDBPyConnection as Connection
from duckdb import DuckDBPyRelation as Relation

from arena.errors import StoreError
from arena.store.connection import OFFLINE
from arena.text import html_notes, html_table, pluralize, table_lines

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

T = TypeVar("T")
INTERVAL = "INTERVAL"
TEXT_ROWS = 40
HTML_ROWS = 50
HTML_COLUMNS = 50
# The database in memory that holds results, by process id: DuckDB's threads do not survive a fork.
INSTANCES: dict[int, Connection] = {}
INSTANCES_LOCK = threading.Lock()


class Record(tuple[Any, ...]):
    """A row that knows its columns: row[0], row["model"], dict(row), or unpacked as a tuple.

    Of several columns of one name the further ones are called name_1, name_2.
    """

    __slots__ = ()
    # The word by which pandas finds the names of a row.
    _fields: tuple[str, ...] = ()

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns, which make dict(row) work."""
        return self._fields

    def __getitem__(self, key: Any) -> Any:
        """Return the value at a position, or in a column by name."""
        if isinstance(key, str):
            if key not in self._fields:
                raise KeyError(f"there is no column {key!r}; there are: {', '.join(self._fields)}")
            key = self._fields.index(key)
        return super().__getitem__(key)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[object, ...]:
        return make_record, (self._fields, tuple(self))


def record_type(names: Sequence[str]) -> type[Record]:
    """Return the type of the rows with these column names."""
    return type("Record", (Record,), {"__slots__": (), "_fields": tuple(names)})


def make_record(names: Sequence[str], values: Sequence[Any]) -> Record:
    """Return one row, as unpickling needs it."""
    return record_type(names)(values)


class HeldRows:
    """Rows in DuckDB's memory, under column names that differ, in the types of the query."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self.count = len(relation)
        self.lock = threading.Lock()
        self.process = os.getpid()

    def read(self, work: Callable[[Relation], T]) -> T:
        """Return what `work` makes of the rows, one at a time.

        Raises StoreError in a process that was forked since, where DuckDB would wait for ever.
        """
        if os.getpid() != self.process:
            raise StoreError(
                "this result was made before the process was forked; take its .rows, .df() or"
                " .arrow() before, or query again here"
            )
        with self.lock:
            return work(self.relation)

    def stream(self) -> object:
        """Return Arrow's C stream of all rows, on a connection of its own.

        An open stream keeps its connection from everything else, for as long as its reader likes.
        """
        return self.read(copy_rows).__arrow_c_stream__()


def copy_rows(relation: Relation) -> Relation:
    """Return the rows of a relation, of whichever database, as a relation that holds them itself.

    They pass by Arrow's C stream, column by column, and never are Python values.
    """
    con = results_connection()
    copied = con.from_arrow(relation.__arrow_c_stream__())
    wanted = [str(kind) for kind in relation.types]
    if [str(kind) for kind in copied.types] != wanted:
        # Arrow has no enums of a fixed order and no structs without names.
        cast = ", ".join(
            f"{quote_name(name)}::{kind} as {quote_name(name)}"
            for name, kind in zip(copied.columns, wanted, strict=True)
        )
        copied = copied.project(cast)
    return copied.materialize()


def hold_values(
    names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Relation:
    """Return rows of Python values as a relation; DuckDB guesses the types if there are none."""
    casts = [f"::{kind}[]" for kind in types] or [""] * len(names)
    lists = ", ".join(
        f"unnest($c{number}{cast}) as {quote_name(name)}"
        for number, (name, cast) in enumerate(zip(names, casts, strict=True))
    )
    values = {f"c{number}": [row[number] for row in rows] for number in range(len(names))}
    try:
        return results_connection().sql(f"select {lists}", params=values).materialize()
    except duckdb.Error as error:
        raise StoreError(f"this result cannot be a frame: {str(error).splitlines()[0]}") from error


def in_microseconds(relation: Relation, intervals: Sequence[str]) -> Relation:
    """Return a relation with these columns as microseconds: polars takes no Arrow intervals."""
    if not intervals:
        return relation
    columns = (
        f"epoch_us({quote_name(name)}) as {quote_name(name)}"
        if name in intervals
        else quote_name(name)
        for name in relation.columns
    )
    return relation.project(", ".join(columns))


def results_connection() -> Connection:
    """Return a new connection to the database that holds the results of this process."""
    with INSTANCES_LOCK:
        process = os.getpid()
        if process not in INSTANCES:
            INSTANCES[process] = duckdb.connect(":memory:", config=OFFLINE)
        return INSTANCES[process].cursor()


def quote_name(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


class QueryResult:
    """The result of a query: column names and types, and its rows.

    `columns` and `types` (DuckDB's, such as BIGINT or VARCHAR[]) go by position; `rows` are tuples
    of Python values.  `cut` says whether limits cut off rows.  Iteration gives records, which are
    such tuples and know their columns.  `df`, `pl` and `arrow` give frames; pandas, polars, pyarrow
    and everything else that speaks Arrow's C stream takes the result itself.  In frames and records
    further columns of one name are called name_1, name_2, as DuckDB does in files.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[tuple[Any, ...]] | None = None,
        cut: bool = False,
        types: Sequence[str] = (),
        held: HeldRows | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.types = tuple(types)
        self.cut = cut
        self._held = held
        if rows is not None:
            self.rows = tuple(rows)
        elif held is None:
            raise TypeError("a result needs its rows")

    @cached_property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """Return all rows as tuples of Python values, made when they are first asked for."""
        fetched = self._rows_held.read(Relation.fetchall)
        return tuple(fetched)

    @cached_property
    def _rows_held(self) -> HeldRows:
        """Return the rows as DuckDB holds them."""
        return self._held or HeldRows(hold_values(self.names, self.types, self.rows))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of columns in frames and records, which differ from each other."""
        return tuple(unique_names(self.columns))

    def head(self, most: int) -> QueryResult:
        """Return the first rows as a result."""
        if len(self) <= most:
            return self
        if self._held is None or "rows" in self.__dict__:
            rows = self.rows[:most]
        else:
            rows = tuple(self._held.read(lambda relation: relation.limit(most).fetchall()))
        return QueryResult(self.columns, rows, self.cut, self.types)

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries by column name."""
        names = self.names
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def df(self) -> pandas.DataFrame:
        """Return a pandas data frame.

        Whole numbers with NULL among them are nullable integers; sums of BIGINT (HUGEINT) and
        DECIMAL become floats.  Raises StoreError if pandas is not installed.
        """
        require("pandas", "df")
        frame: pandas.DataFrame = self._rows_held.read(lambda relation: relation.df())
        return frame

    def pl(self) -> polars.DataFrame:
        """Return a polars data frame; an interval is a Duration, a month of it 30 days.

        Raises StoreError if polars is not installed.
        """
        library = require("polars", "pl")
        held = self._rows_held
        types = [str(kind) for kind in held.relation.types]
        intervals = [name for name, kind in zip(self.names, types, strict=True) if kind == INTERVAL]
        frame: polars.DataFrame = held.read(
            lambda relation: library.DataFrame(in_microseconds(relation, intervals))
        )
        return frame.with_columns(library.col(intervals).cast(library.Duration("us")))

    def arrow(self) -> pyarrow.Table:
        """Return a pyarrow table.  Raises StoreError if pyarrow is not installed."""
        table: Callable[[object], pyarrow.Table] = require("pyarrow", "arrow").table
        return self._rows_held.read(table)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return Arrow's C stream of all rows (the PyCapsule protocol): pl.DataFrame(result)."""
        return self._rows_held.stream()

    def __len__(self) -> int:
        return len(self.rows) if self._held is None else self._held.count

    def __iter__(self) -> Iterator[Record]:
        return map(record_type(self.names), self.rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QueryResult):
            return NotImplemented
        return (self.columns, self.cut, self.rows) == (other.columns, other.cut, other.rows)

    # Rows may hold lists, which have no hash.
    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        return QueryResult, (self.columns, self.rows, self.cut, self.types)

    def __repr__(self) -> str:
        shown = self.head(TEXT_ROWS)
        lines, cells_cut = table_lines(self.columns, shown.rows)
        return "\n".join([*lines, *self._notes(len(shown), cells_cut)])

    def _repr_html_(self) -> str:
        """Return the first rows as an HTML table, all text escaped, with what was left out said."""
        shown = self.head(HTML_ROWS)
        columns = self.columns[:HTML_COLUMNS]
        rows = (row[:HTML_COLUMNS] for row in shown.rows)
        table, cells_cut = html_table(columns, rows, titles=self.types)
        notes = self._notes(len(shown), cells_cut)
        if len(columns) < len(self.columns):
            notes.append(f"{len(columns)} of {len(self.columns)} columns; .columns names all")
        return table + html_notes(notes)

    def _notes(self, shown: int, cells_cut: bool) -> list[str]:
        """Return what a table that shows so many rows leaves out, a sentence each."""
        notes = []
        if shown < len(self):
            notes.append(f"{shown:,} of {pluralize(len(self), 'row')}; .rows, .df() have all")
        elif not shown:
            notes.append("no rows")
        if self.cut:
            notes.append("the limits of the query cut off further rows")
        if cells_cut:
            notes.append("long cells are cut; .rows has them whole")
        return notes


def unique_names(columns: Sequence[str]) -> list[str]:
    """Return column names that differ in more than upper and lower case: a, a_1, a_2."""
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        name = column
        number = 0
        while name.lower() in taken:
            number += 1
            name = f"{column}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def require(package: str, method: str) -> Any:
    """Import a package; raises StoreError with the command that installs it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise StoreError(f".{method}() needs {package}: pip install {package}") from error
