"""The parts that every page uses: the store, its links, and whether it may show private words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import duckdb

from arena.errors import StudyError
from arena.store.database import journals, open_live
from arena.store.locks import is_locked
from arena.store.saved_queries import saved_folder
from arena.text import plain_name
from arena.web.lanes import end_if_gone

# A row as DuckDB returns it, by column name.
Row = dict[str, Any]
T = TypeVar("T")
Query = Mapping[str, str]
# (kind, name, sorted query) of a linked page.
Target = tuple[str, str, tuple[tuple[str, str], ...]]
PER_PAGE = 50
# Query keys that belong to a page's name; the other keys filter or page its contents.
PAGE_KEYS = ("figure", "seat", "step")


@dataclass(frozen=True, slots=True)
class Site:
    """A store as pages.

    `root` precedes every link: "/" for a server, "" or "../" for files.  `static`: links lead to
    files, and features that need a server (filters, SQL, later pages of a list) are left out.
    `private`: whether private thoughts and ratings may be shown at all.  `only`: the studies to
    show, all if it is empty.  Publishing sets `link_targets`, which collects the target of every
    link, and `shared_ask`, which replaces a connection for each page.
    """

    db: Path
    root: str = "/"
    static: bool = False
    private: bool = True
    only: tuple[str, ...] = ()
    link_targets: set[Target] | None = field(default=None, compare=False)
    shared_ask: Ask | None = field(default=None, compare=False)

    def link(self, kind: str, name: str = "", query: Mapping[str, object] | None = None) -> str:
        """Return the address of a page; `query` values that are None or empty are left out."""
        present = {
            key: str(value) for key, value in (query or {}).items() if value not in (None, "")
        }
        # Publishing finds all pages by the links of those that it has written.
        if self.link_targets is not None:
            self.link_targets.add((kind, name, tuple(sorted(present.items()))))
        if self.static:
            return self.root + file_name(kind, name, present)
        address = self.root + quote(f"{kind}/{name}" if name else kind, safe="/")
        return f"{address}?{urlencode(present)}" if present else address

    def image(self, name: str, media_type: str) -> str:
        """Return the address of a stored image, by its hash."""
        # In a published folder the ending tells a web host what it is.
        return self.link(f"image.{media_type.partition('/')[2]}", name)

    def fingerprint(self) -> str:
        """Return a hash that changes with the store, its open journals and its saved queries."""
        files = (self.db, *journals(self.db), *saved_folder(self.db).glob("*.sql"))
        state = []
        for file in files:
            # A journal goes when it is folded.  Sizes and times are enough: every writer appends or
            # replaces a file.
            with suppress(FileNotFoundError):
                stat = file.stat()
                state.append((file.name, stat.st_mtime_ns, stat.st_size))
        return hashlib.sha256(repr(state).encode()).hexdigest()[:16]

    @contextmanager
    def store(self, views: Collection[str]) -> Iterator[Ask]:
        """Yield `ask(sql, parameters) -> rows` on one snapshot of the store.

        The snapshot includes running studies.  `views` are the views that the queries read.
        """
        if self.shared_ask is not None:
            yield self.shared_ask
            return
        with open_live(self.db, views) as con:
            yield Ask(con)


class Ask:
    """The queries of pages, on one connection.

    What belongs to one episode is read for its whole group at once: pages that are written one
    after another share the reading.  Without `groups` each episode is a group of its own.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, groups: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self.con = con
        self.group_of = {episode: group for group in groups for episode in group}
        self.made: dict[tuple[object, tuple[str, ...]], Mapping[str, Any]] = {}

    def __call__(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[Row]:
        """Return all rows of one query; named parameters that the SQL does not use are ignored."""
        end_if_gone()
        if isinstance(parameters, Mapping):
            # DuckDB refuses a parameter that the statement does not name.
            used = {
                name: value for name, value in parameters.items() if re.search(rf"\${name}\b", sql)
            }
            cursor = self.con.execute(sql, used)
        else:
            cursor = self.con.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def of(self, episode: str, make: Callable[[Ask, tuple[str, ...]], Mapping[str, T]]) -> T:
        """Return what `make` returns for this episode, when it is given the whole group."""
        return self.shared(episode, make, make)

    def rows(self, episode: str, sql: str) -> list[Row]:
        """Return the rows of a query that belong to this episode, in their order.

        The SQL compares an episode with `in ($episodes)`, and the column `of` names the episode to
        which a row belongs.
        """

        def make(ask: Ask, episodes: tuple[str, ...]) -> dict[str, list[Row]]:
            grouped: dict[str, list[Row]] = {each: [] for each in episodes}
            # One value is compared as such, which is faster in a large store.
            many = sql.replace("($episodes)", "(select unnest($episodes::varchar[]))")
            for row in (
                ask(many, {"episodes": list(episodes)})
                if len(episodes) > 1
                else ask(sql, {"episodes": episodes[0]})
            ):
                grouped[row.pop("of")].append(row)
            return grouped

        return self.shared(episode, sql, make)

    def shared(
        self, episode: str, key: object, make: Callable[[Ask, tuple[str, ...]], Mapping[str, T]]
    ) -> T:
        """Return what was made under this key for the episode's group, or make it now."""
        group = self.group_of.get(episode, (episode,))
        if (key, group) not in self.made:
            self.made[key, group] = make(self, group)
        made: T = self.made[key, group][episode]
        return made


@dataclass(frozen=True, slots=True)
class PageContent:
    """The values that a template reads; each page adds its own fields."""

    def by_name(self) -> dict[str, object]:
        """Return the values by field name, which is their name in the template."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class ErrorContent(PageContent):
    """The sentence of an error page."""

    words: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page to render: its template, title and content.

    `live`: the page changes while a run goes on.  `left_out` counts the numbers that are withheld
    because too few private ratings stand behind them.
    """

    template: str
    title: str
    content: PageContent
    live: bool = False
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes to send unchanged; `download` is the file name that a browser saves them under."""

    content: bytes
    media_type: str
    download: str = ""


PageFunction = Callable[[Site, str, Query], Page | Document]


def file_name(kind: str, name: str, query: Mapping[str, str]) -> str:
    """Return the file of a page in a published folder: kind/name.html, with the query in the name.

    A name that is not plain ends in a hash, and no name contains a dot, so no two pages share a
    file, even on systems that ignore case.  Pictures and texts lie in the folder of the pages of
    that kind: figure.svg is figure/....svg.
    """
    if kind == "static":
        return f"static/{name}"
    words = [plain_name(name)] if name else []
    words += [plain_name(query[key]) for key in PAGE_KEYS if key in query]
    words += [
        f"{key}={plain_name(value)}" for key, value in sorted(query.items()) if key not in PAGE_KEYS
    ]
    folder, _, ending = kind.partition(".")
    if not kind:
        return f"{'.'.join(['index', *words])}.html"
    return f"{folder}/{'.'.join(words) or 'index'}.{ending or 'html'}"


def origin_of(site: Site, study: str) -> str | None:
    """Return where the plays of an imported study come from; None: it was played."""
    with site.store(["studies"]) as ask:
        rows = ask("select origin from studies where study = ? and origin <> 'played'", [study])
    return str(rows[0]["origin"]) if rows else None


def has_open_run(db: Path) -> bool:
    """Return whether a living run writes into the store, so that open pages may change."""
    return any(is_locked(journal) for journal in journals(db))


def page_number(query: Query) -> int:
    """Return the page of a list in the query, from 1.  Raises StudyError for anything else."""
    text = query.get("page", "1")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise StudyError(f"page must be a number from 1, found {text!r}")
    return int(text)
