"""What pages are made with: the store they read, where their links lead, and whether private words stand in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import duckdb

from arena.errors import StudyError
from arena.store.database import is_open, journals, open_live
from arena.store.saved_queries import saved_folder

Row = dict[str, Any]
Ask = Callable[..., list[Row]]
Query = Mapping[str, str]
Target = tuple[str, str, tuple[tuple[str, str], ...]]
PLAIN = re.compile(r"[a-z0-9_-]{1,80}")
PER_PAGE = 50
# What of a query names a page rather than what is asked of it.
PAGE_KEYS = ("figure", "seat", "step")


@dataclass(frozen=True, slots=True)
class Site:
    """A store as pages.

    `root` stands before every link: "/" for a server, "" or "../" for files.  `static`: links lead to files, and what only a server can do
    (filters, SQL, other pages of a list) is left out.  `private`: whether thoughts and ratings that were private may be shown at all.
    `only`: the studies that are shown, all where it is empty.  For publishing, `linked` takes what links lead to, as (kind, name, query), and
    `held` is asked in the place of a connection of each page's own.
    """

    db: Path
    root: str = "/"
    static: bool = False
    private: bool = True
    only: tuple[str, ...] = ()
    link_targets: set[Target] | None = field(default=None, compare=False)
    shared_ask: Ask | None = field(default=None, compare=False)

    def link(self, kind: str, name: str = "", query: Mapping[str, object] | None = None) -> str:
        """The address of a page; `query` values that are None or empty are left out."""
        asked = {key: str(value) for key, value in (query or {}).items() if value not in (None, "")}
        if self.link_targets is not None:
            self.link_targets.add((kind, name, tuple(sorted(asked.items()))))
        if self.static:
            return self.root + file_name(kind, name, asked)
        address = self.root + quote(f"{kind}/{name}" if name else kind, safe="/")
        return f"{address}?{urlencode(asked)}" if asked else address

    @contextmanager
    def store(self, views: Collection[str]) -> Iterator[Ask]:
        """`ask(sql, parameters) -> rows` on one moment of the store, running studies included; `views` are those that are asked for."""
        if self.shared_ask is not None:
            yield self.shared_ask
            return
        with open_live(self.db, views) as con:
            yield make_ask(con)


def make_ask(con: duckdb.DuckDBPyConnection) -> Ask:
    """The function `ask` of a connection."""

    def ask(sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Row]:
        """All rows of one query, by column name; of named parameters those count that the query names."""
        if isinstance(parameters, Mapping):
            cursor = con.execute(
                sql,
                {
                    name: value
                    for name, value in parameters.items()
                    if re.search(rf"\${name}\b", sql)
                },
            )
        else:
            cursor = con.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return ask


@dataclass(frozen=True, slots=True)
class Page:
    """A page that can be rendered: its template, its title, and what stands in it.  `live`: it changes while a run goes on."""

    template: str
    title: str
    content: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes to be sent as they are; `download`: the name under which a browser keeps them, a plain file name."""

    content: bytes
    media_type: str
    download: str = ""


def file_name(kind: str, name: str, query: Mapping[str, str]) -> str:
    """The file of a page in a published folder: kind/name.html, with what else was asked for behind the name.

    Names that are no plain words end in a hash, and a point stands in none, so that no two pages share a file, on systems too that do not
    tell small letters from capitals.  Pictures and texts lie in a folder with the pages of that kind: figure.svg is figure/....svg.
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


def plain_name(name: str) -> str:
    """The name where it can be a file's on any system, else its plain letters and a hash of all of it."""
    if PLAIN.fullmatch(name):
        return name
    letters = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60].strip("_")
    return f"{letters}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def store_fingerprint(db: Path) -> str:
    """A word that changes whenever the store does, journals of running studies and saved queries included."""
    state = [
        db.stat() if db.exists() else None,
        *(file.stat() for file in (*journals(db), *saved_folder(db).glob("*.sql"))),
    ]
    return hashlib.sha256(
        repr([(one.st_mtime_ns, one.st_size) if one else None for one in state]).encode()
    ).hexdigest()[:16]


def has_open_run(db: Path) -> bool:
    """Whether a living run writes into the store, so that pages of what is unfinished may change."""
    return any(is_open(journal) for journal in journals(db))


def page_number(query: Query) -> int:
    """The page of a list that is asked for, from 1.  Raises StudyError where it is no such number."""
    text = query.get("page", "1")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise StudyError(f"page must be a number from 1, found {text!r}")
    return int(text)
