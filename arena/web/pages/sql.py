"""SQL over the store: a box, the result as a table, chart and files, the schema, and examples.

Anyone who can make a browser open an address can run a query here.  So a query can only read the
store (`arena/store/query.py`), and runs with bounded time and memory in a process of its own
(`arena/web/queries.py`).  A query that another site has linked to is put into the box and
waits until the reader runs it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from arena.errors import ArenaError, StoreError, StudyError
from arena.store.migrations import quote_sql
from arena.store.query import QueryLimits
from arena.store.result import QueryResult
from arena.store.saved_queries import SavedQuery, read_saved_queries
from arena.store.schema import TABLES
from arena.store.views.registry import ALL_VIEWS, CANNED, signature
from arena.text import finite
from arena.web.charts import MARKS, ChartSpec, choose, column, draw_chart
from arena.web.queries import query_file, query_table
from arena.web.site import Ask, Document, Page, PageContent, PageFunction, Query, Site, page_number

ROWS = 100
PAGE_LIMITS = QueryLimits(seconds=10, rows=10_000, memory_mb=256, cells_mb=16)
DOWNLOAD_LIMITS = QueryLimits(seconds=10, rows=100_000, memory_mb=512)
LONGEST_QUERY = 30_000
# A cell longer than CUT is folded; long cells share PAGE_CHARS, each has at least MIN_CELL_CHARS.
CUT = 200
MIN_CELL_CHARS = 2_000
PAGE_CHARS = 1_000_000
FROM_ELSEWHERE = "elsewhere"
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
START = (
    "select study, arm, phase, round(mean, 3) as mean, n, missing"
    " from confidence_by_round order by study, arm, round"
)
COLUMNS = """
    select table_name, column_name, data_type, comment from duckdb_columns()
    where database_name = 'store' order by column_index
"""
EXAMPLE = """
    select episode, seat, step,
           (select model from seats s where s.episode = t.episode limit 1) as model
    from turns t limit 1
"""


@dataclass(frozen=True, slots=True)
class TimedResult:
    """A result, and the seconds that it took."""

    table: QueryResult
    seconds: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in a table: its text (None: NULL), and how many characters the page may hold."""

    text: str | None
    number: bool
    max_chars: int


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of a table or view, or a parameter of a macro."""

    name: str
    type: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table, view or macro (`kind`) with its columns, or its parameters."""

    name: str
    kind: str
    comment: str
    columns: Sequence[ColumnInfo]


@dataclass(frozen=True, slots=True)
class SqlContent(PageContent):
    """The contents of the SQL page.

    `held`: another site has linked to the query, and it was not run.  `complaint` is (a sentence,
    DuckDB's lines).  `view_query` are the parts of the query that links to this page keep.  `loud`:
    the result holds simulated studies; `unmarked`: it may, and does not say which rows do.
    """

    text: str
    held: bool
    complaint: tuple[str, str]
    result: TimedResult | None
    rows: Sequence[Sequence[Cell]]
    page: int
    pages: int
    view_query: Mapping[str, str]
    chart: ChartSpec | None
    tables: Sequence[TableInfo]
    saved: Mapping[str, SavedQuery]
    canned: Sequence[tuple[str, str]]
    just_saved: str
    simulated: Sequence[str]
    loud: bool
    unmarked: bool
    start: str = START
    marks: tuple[str, ...] = MARKS
    kinds: tuple[str, ...] = tuple(MEDIA)
    limits: QueryLimits = DOWNLOAD_LIMITS
    cells_mb: int | None = PAGE_LIMITS.cells_mb
    cut: int = CUT
    longest: int = LONGEST_QUERY


def sql(site: Site, name: str, query: Query) -> Page:
    """Return the page; the error of a wrong query stands above the box."""
    text = query.get("q", "").strip()
    page = page_number(query)
    held = query.get("from") == FROM_ELSEWHERE and bool(text)
    result: TimedResult | None = None
    chart: ChartSpec | None = None
    complaint = ""
    try:
        if text and not held:
            result = run(site, text)
            chart = choose(result.table, query)
    except ArenaError as error:
        complaint = str(error)
    with site.store(("studies",)) as ask:
        studies = is_simulated_by_name(ask)
        tables = schema(ask)
        examples = example_arguments(ask)
    table = result.table if result else None
    content = SqlContent(
        text=text,
        held=held,
        complaint=split_error(complaint),
        result=result,
        rows=cells(table.rows[ROWS * (page - 1) : ROWS * page]) if table else [],
        page=page,
        pages=-(-len(table) // ROWS) if table else 0,
        view_query={key: query[key] for key in ("q", "chart", "x", "y") if key in query},
        chart=chart,
        tables=tables,
        saved=read_saved_queries(site.db),
        canned=canned_queries(examples),
        just_saved=query.get("saved", ""),
        simulated=[study for study, simulated in studies.items() if simulated],
        loud=table is not None and has_simulated(table, studies),
        unmarked=table is not None and hides_simulated(table, studies),
    )
    return Page("sql.html", "SQL", content)


def is_simulated_by_name(ask: Ask) -> dict[str, bool]:
    """Return whether each study is simulated, by name."""
    rows = ask("select study, simulated from studies order by study")
    return {row["study"]: bool(row["simulated"]) for row in rows}


def run(site: Site, text: str) -> TimedResult:
    """Return the result of a query, cached while the store is the same.

    So its pages and its chart are of one run.
    """
    return cached_result(site.db, site.fingerprint(), text)


@lru_cache(maxsize=2)  # a result may take PAGE_LIMITS.cells_mb
def cached_result(db: Path, fingerprint: str, text: str) -> TimedResult:
    """Run a query.  Raises StoreError if it is too long, wrong, or meets a limit."""
    if len(text) > LONGEST_QUERY:
        raise StoreError(
            f"a query of {len(text):,} characters is too long for this page ({LONGEST_QUERY:,});"
            " run it with arena sql"
        )
    began = time.perf_counter()
    return TimedResult(query_table(db, text, PAGE_LIMITS), time.perf_counter() - began)


def chart_svg(site: Site, name: str, query: Query) -> Document:
    """Return the chart of a result as SVG.  Raises StudyError if nothing can be drawn."""
    refuse_cross_site(query)
    table = run(site, query.get("q", "").strip()).table
    spec = choose(table, query)
    if spec is None:
        raise StudyError(
            "there is nothing to draw: a chart needs a column of numbers and another column for x"
        )
    with site.store(("studies",)) as ask:
        studies = is_simulated_by_name(ask)
    hidden = hides_simulated(table, studies)
    note = "some studies of this store are SIMULATED" if hidden else ""
    drawing = draw_chart(table, spec, has_simulated(table, studies), note)
    return Document(drawing.encode(), "image/svg+xml")


def make_download(kind: str) -> PageFunction:
    """Return the function that answers with a result as a file of this kind."""
    return partial(download, kind)


def download(kind: str, site: Site, name: str, query: Query) -> Document:
    """Return a result as a file.  Raises StoreError if the query is wrong or meets a limit."""
    refuse_cross_site(query)
    content = query_file(site.db, query.get("q", "").strip(), kind, DOWNLOAD_LIMITS)
    return Document(content, MEDIA[kind], f"result.{kind}")


def refuse_cross_site(query: Query) -> None:
    """Raise StudyError if another site has linked here: a file cannot ask the reader first."""
    if query.get("from") == FROM_ELSEWHERE:
        raise StudyError(
            "another site has linked here, and its query is not run unseen;"
            " open the page SQL, read the query, and run it there"
        )


def has_simulated(table: QueryResult, studies: Mapping[str, bool]) -> bool:
    """Return whether a result holds simulated studies, as far as it can be known.

    It does if all studies are simulated, or if it names one in the column study.
    """
    if not any(studies.values()) or "study" not in table.columns:
        return bool(studies) and all(studies.values())
    return any(isinstance(name, str) and studies.get(name) for name in column(table, "study"))


def hides_simulated(table: QueryResult, studies: Mapping[str, bool]) -> bool:
    """Return whether only some studies are simulated, and the result does not name its studies."""
    if not any(studies.values()) or all(studies.values()):
        return False
    if "study" not in table.columns:
        return True
    return not all(isinstance(name, str) and name in studies for name in column(table, "study"))


def split_error(complaint: str) -> tuple[str, str]:
    """Split an error into (a sentence, DuckDB's lines that point at the place)."""
    first, _, rest = complaint.partition("\n")
    return first, rest.strip("\n")


def cells(rows: Sequence[Sequence[Any]]) -> list[list[Cell]]:
    """Return values as cells of a table; long ones share the room of the page."""
    texts = [[cell_text(value) for value in row] for row in rows]
    # Long cells are folded, but their whole text is in the page.
    long = sum(text is not None and len(text) > CUT for row in texts for text in row)
    max_chars = max(MIN_CELL_CHARS, PAGE_CHARS // max(long, 1))
    return [
        [
            Cell(text, isinstance(value, int | float) and not isinstance(value, bool), max_chars)
            for text, value in zip(texts_of_row, row, strict=True)
        ]
        for texts_of_row, row in zip(texts, rows, strict=True)
    ]


def cell_text(value: Any) -> str | None:
    """Return one value as text; None for NULL."""
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


def schema(ask: Ask) -> list[TableInfo]:
    """Return every table, view and macro, in this order."""
    columns: dict[str, list[ColumnInfo]] = {}
    for row in ask(COLUMNS):
        info = ColumnInfo(row["column_name"], row["data_type"], row["comment"])
        columns.setdefault(row["table_name"], []).append(info)
    tables = [
        TableInfo(name, "table", table.comment, columns.get(name, []))
        for name, table in TABLES.items()
    ]
    views: list[TableInfo] = []
    macros: list[TableInfo] = []
    for name, view in ALL_VIEWS.items():
        if view.parameters:
            named = [ColumnInfo(key, "parameter", text) for key, text in view.parameters.items()]
            macros.append(TableInfo(signature(name, view), "macro", view.comment, named))
        else:
            views.append(TableInfo(name, "view", view.comment, columns.get(name, [])))
    return tables + views + macros


def example_arguments(ask: Ask) -> dict[str, str]:
    """Return arguments of macros, as SQL by parameter, that give rows in this store."""
    row = next(iter(ask(EXAMPLE)), None) or {"episode": "", "seat": "", "step": 0, "model": ""}
    words = {"id": row["episode"], "reader": row["seat"], "words_of_model": row["model"] or ""}
    arguments = {name: quote_sql(str(value)) for name, value in words.items()}
    return arguments | {"reader_step": str(row["step"])}


def canned_queries(examples: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (question, SQL) of every canned query."""
    return [
        (view.question, starting_query(name, view.parameters, examples))
        for name, view in CANNED.items()
    ]


def starting_query(name: str, parameters: Mapping[str, str], examples: Mapping[str, str]) -> str:
    """Return the shortest query of a view or macro."""
    arguments = ", ".join(examples.get(parameter, "''") for parameter in parameters)
    return f"from {name}({arguments})" if parameters else f"from {name}"
