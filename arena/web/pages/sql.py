"""SQL over the store: a box, the result as a table and as a chart, files to take away, what there is to ask about, and queries to start from.

Whoever can make a browser open an address could make it run a query here.  So a query can only read the store (`arena/store/query.py`), takes
a bounded time and memory in a process of its own (`arena/web/query_worker.py`), and one that another site has led to is put into the box and waits
there until its reader runs it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from arena.errors import ArenaError, StoreError, StudyError
from arena.store.migrations import quote_sql
from arena.store.query import QueryLimits, QueryResult
from arena.store.saved_queries import read_saved_queries
from arena.store.schema import TABLES
from arena.store.views.registry import ALL_VIEWS, CANNED, signature
from arena.text import finite
from arena.web.charts import MARKS, choose, draw_chart
from arena.web.query_worker import BusyError, query_file, query_table
from arena.web.site import Ask, Document, Page, Query, Row, Site, page_number, store_fingerprint

ROWS = 100
PAGE_LIMITS = QueryLimits(seconds=10, rows=10_000, memory_mb=256, cells_mb=16)
DOWNLOAD_LIMITS = QueryLimits(seconds=10, rows=100_000, memory_mb=512)
LONGEST_QUERY = 30_000
CUT, MIN_CELL_CHARS, PAGE_CHARS = 200, 2_000, 1_000_000
FROM_ELSEWHERE = "elsewhere"
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
START = "select study, arm, phase, round(mean, 3) as mean, n, missing from confidence_by_round order by study, arm, round"


@dataclass(frozen=True, slots=True)
class TimedResult:
    """A result, and the seconds that it took to come by."""

    table: QueryResult
    seconds: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it stands in a table: its text, whether it is a number, and how much of it the page may hold (None: NULL)."""

    text: str | None
    number: bool
    max_chars: int


def sql(site: Site, name: str, query: Query) -> Page:
    """The page; a query that cannot be run says why above the box, since a mistyped one is no missing page."""
    text, page = query.get("q", "").strip(), page_number(query)
    held = query.get("from") == FROM_ELSEWHERE and bool(text)
    result, chosen, complaint = None, None, ""
    try:
        if text and not held:
            result = run(site, text)
            chosen = choose(result.table, query)
    except BusyError:
        raise  # what is true of this moment alone is no page to be kept
    except ArenaError as error:
        complaint = str(error)
    with site.store(("studies",)) as ask:
        studies = {
            row["study"]: bool(row["simulated"])
            for row in ask("select study, simulated from studies order by study")
        }
        described, mine = schema(ask), read_saved_queries(site.db)
        examples = example_arguments(ask)
    rows = cells(result.table.rows[ROWS * (page - 1) : ROWS * page]) if result else []
    asked = {key: value for key, value in query.items() if key in ("q", "chart", "x", "y")}
    content: dict[str, Any] = {
        "text": text,
        "start": START,
        "held": held,
        "complaint": split_error(complaint),
        "result": result,
        "rows": rows,
    }
    content |= {
        "page": page,
        "pages": -(-len(result.table) // ROWS) if result else 0,
        "first": ROWS * (page - 1),
        "asked": asked,
    }
    content |= {
        "chosen": chosen,
        "marks": MARKS,
        "kinds": tuple(MEDIA),
        "limits": DOWNLOAD_LIMITS,
        "tables": described,
        "saved": mine,
        "cut": CUT,
    }
    content |= {
        "canned": canned_queries(examples),
        "query_of": starting_query,
        "longest": LONGEST_QUERY,
        "just_saved": query.get("saved", ""),
    }
    content |= {
        "cells_mb": PAGE_LIMITS.cells_mb,
        "simulated": [study for study, simulated in studies.items() if simulated],
    }
    content |= {
        "loud": result is not None and has_simulated(result.table, studies),
        "unsaid": result is not None and hides_simulated(result.table, studies),
    }
    return Page("sql.html", "SQL", content)


def run(site: Site, text: str) -> TimedResult:
    """The result of a query, kept for as long as the store is the same, so that its pages and its chart are of one run."""
    return cached_result(site.db, store_fingerprint(site.db), text)


@lru_cache(maxsize=2)
def cached_result(db: Path, moment: str, text: str) -> TimedResult:
    """What `run` keeps: few, of at most SHOWN.cells_mb each.  Raises StoreError where the query is too long, wrong, or meets a limit."""
    if len(text) > LONGEST_QUERY:
        raise StoreError(
            f"a query of {len(text):,} characters is too long for this page ({LONGEST_QUERY:,}); run it with arena sql"
        )
    began = time.perf_counter()
    return TimedResult(query_table(db, text, PAGE_LIMITS), time.perf_counter() - began)


def chart_svg(site: Site, name: str, query: Query) -> Document:
    """The chart of a result as SVG.  Raises StudyError where there is none to draw."""
    refuse_cross_site(query)
    result = run(site, query.get("q", "").strip())
    chosen = choose(result.table, query)
    if chosen is None:
        raise StudyError(
            "there is nothing to draw: a chart takes a column of numbers, and another column to put them along"
        )
    with site.store(("studies",)) as ask:
        studies = ask("select study, simulated from studies")
    simulated = {row["study"]: bool(row["simulated"]) for row in studies}
    said = (
        "some studies of this store are SIMULATED"
        if hides_simulated(result.table, simulated)
        else ""
    )
    return Document(
        draw_chart(result.table, chosen, has_simulated(result.table, simulated), said).encode(),
        "image/svg+xml",
    )


def make_download(kind: str) -> Callable[[Site, str, Query], Document]:
    """The function that gives a result as a file of this kind."""

    def document(site: Site, name: str, query: Query) -> Document:
        """The result as a file.  Raises StoreError where the query is wrong or meets a limit."""
        refuse_cross_site(query)
        return Document(
            query_file(site.db, query.get("q", "").strip(), kind, DOWNLOAD_LIMITS),
            MEDIA[kind],
            f"result.{kind}",
        )

    return document


def refuse_cross_site(query: Query) -> None:
    """Raise StudyError where another site has led here: a file cannot ask first."""
    if query.get("from") == FROM_ELSEWHERE:
        raise StudyError(
            "another site has led here, and a query of others is not run unseen; open the page SQL, look at it, and run it there"
        )


def has_simulated(table: QueryResult, studies: Mapping[str, bool]) -> bool:
    """Whether simulated studies stand in a result, as far as can be told: there are no others, or it names one in the column study."""
    if not any(studies.values()) or "study" not in table.columns:
        return bool(studies) and all(studies.values())
    place = table.columns.index("study")
    return any(isinstance(row[place], str) and studies.get(row[place], False) for row in table.rows)


def hides_simulated(table: QueryResult, studies: Mapping[str, bool]) -> bool:
    """Whether some studies are simulated, and a result does not say in a column study which of its rows are of those."""
    if not any(studies.values()) or all(studies.values()):
        return False
    if "study" not in table.columns:
        return True
    place = table.columns.index("study")
    return not all(isinstance(row[place], str) and row[place] in studies for row in table.rows)


def split_error(complaint: str) -> tuple[str, str]:
    """An error as (a sentence, DuckDB's lines with the place that it means)."""
    first, _, rest = complaint.partition("\n")
    return first, rest.strip("\n")


def cells(rows: Sequence[Sequence[Any]]) -> list[list[Cell]]:
    """Values as they stand in the table; long ones share what a page may hold."""
    made = [
        [
            (cell_text(value), isinstance(value, int | float) and not isinstance(value, bool))
            for value in row
        ]
        for row in rows
    ]
    long = sum(text is not None and len(text) > CUT for row in made for text, _ in row)
    whole = max(MIN_CELL_CHARS, PAGE_CHARS // max(long, 1))
    return [[Cell(text, number, whole) for text, number in row] for row in made]


def cell_text(value: Any) -> str | None:
    """One value as text; None for NULL."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}"
        case list() | dict() | tuple():
            return json.dumps(finite(value), default=str, ensure_ascii=False)
        case _:
            return str(value)


def schema(ask: Ask) -> list[Row]:
    """Every table, view and macro: name, kind, comment, and columns with type and comment."""
    columns: dict[str, list[Row]] = {}
    for row in ask(
        "select table_name, column_name, data_type, comment from duckdb_columns() where database_name = 'store' order by column_index"
    ):
        columns.setdefault(row["table_name"], []).append(row)
    tables = [
        {
            "name": name,
            "kind": "table",
            "comment": TABLES[name].comment,
            "columns": columns.get(name, []),
        }
        for name in TABLES
    ]
    views = [
        {"name": name, "kind": "view", "comment": view.comment, "columns": columns.get(name, [])}
        for name, view in ALL_VIEWS.items()
        if not view.parameters
    ]
    macros = [
        {
            "name": signature(name, view),
            "kind": "macro",
            "comment": view.comment,
            "columns": parameters(view.parameters),
        }
        for name, view in ALL_VIEWS.items()
        if view.parameters
    ]
    return tables + views + macros


def parameters(named: dict[str, str]) -> list[Row]:
    """The parameters of a macro in the place of columns."""
    return [
        {"column_name": name, "data_type": "parameter", "comment": comment}
        for name, comment in named.items()
    ]


def example_arguments(ask: Ask) -> dict[str, str]:
    """Arguments with which macros give something in this store, as SQL, by the parameter's name."""
    found = ask(
        "select episode, seat, step, (select model from seats s where s.episode = t.episode limit 1) as model from turns t limit 1"
    )
    row = found[0] if found else {"episode": "", "seat": "", "step": 0, "model": ""}
    text = {"id": row["episode"], "reader": row["seat"], "words_of_model": row["model"] or ""}
    return {name: quote_sql(value) for name, value in text.items()} | {
        "reader_step": str(row["step"])
    }


def canned_queries(examples: dict[str, str]) -> list[tuple[str, str]]:
    """(question, SQL) of every canned query."""
    return [
        (canned.question, starting_query(name, canned.view.parameters, examples))
        for name, canned in CANNED.items()
    ]


def starting_query(
    name: str, parameters: dict[str, str] | None = None, examples: dict[str, str] | None = None
) -> str:
    """The shortest query of a table, view or macro."""
    given = ", ".join((examples or {}).get(parameter, "''") for parameter in parameters or ())
    return f"from {name}({given})" if parameters else f"from {name}"
