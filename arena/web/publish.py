"""The viewer's pages as files, for any web host: the same page functions, from the first page along all links that they contain.

Without what is private, these stand in no byte that is written: private thoughts, raw replies that were not public as a whole, reasoning,
re-asks, faces of a turn that its author alone was shown, words of errors, and single ratings that were private, in words, tables and
pictures.  Means, shares and counts over a study stay, since they are its findings.  A mean of few says much about each: what is published of
a study with fewer than FEW finished debates is for its author to judge, and `Published.few` names such studies.

A folder is written under another name and moved into place whole.  What only a server can do (SQL, comparisons, filters) is left out; a link
to a page that is not published becomes its words.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import duckdb

from arena.errors import ArenaError, StudyError
from arena.schema import JOURNALED
from arena.store import live, query
from arena.web.pages import FILES, PAGES
from arena.web.site import Document, Site, Target, asking, file_name
from arena.web.words import render

MARKER = ".arena-published"
STATIC = Path(__file__).with_name("static")
MOST_CALLS = 5_000
FEW = 5
LARGE_BYTES = 256 * 2**20
OF_STUDIES = ("study", "figure", "figure.svg")
OF_EPISODES = ("debate", "question", "call")
MAKERS = {kind: make for kind, _, make in (*PAGES, *FILES) if kind in ("", *OF_STUDIES, *OF_EPISODES)}
LINK = re.compile(r'<a\s(?P<before>[^>]*?)href="(?P<href>[^"]*)"[^>]*>(?P<words>.*?)</a>', re.S)
MARK = re.compile(r'="/debate/([^"]+)"')
EPISODES = "select episode, study from plays"
TURNS = "select study, count(*) as n from turns join plays using (episode) group by study"
SMALL = """
    select study from episodes join turns using (episode)
    where status = 'done' and confidence is not null and not coalesce(rating_public, false)
    group by study having count(distinct episode) < ? order by study
"""
Watch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Published:
    """What was written: pages (pictures included), turns whose call pages were left out (0: none), and studies of few private ratings."""

    pages: int
    calls_left_out: int
    few: tuple[str, ...]


@dataclass(slots=True)
class Crawl:
    """The state of one publication: where it writes, what may be published, and what is known so far."""

    site: Site
    folder: Path
    studies: frozenset[str]
    study_of: Mapping[str, str]
    calls: bool
    waiting: deque[Target] = field(default_factory=deque)
    seen: set[Target] = field(default_factory=set)
    linkers: dict[Target, list[str]] = field(default_factory=dict)
    missing: set[Target] = field(default_factory=set)
    written: int = 0

    def allowed(self, target: Target) -> bool:
        """Whether a page is one of those that are published."""
        kind, name, _ = target
        if kind in OF_STUDIES:
            return name in self.studies
        if kind in OF_EPISODES:
            return self.study_of.get(name) in self.studies and (self.calls or kind != "call")
        return kind == ""


def publish(
    db: Path, folder: Path, *, studies: Sequence[str] = (), private: bool = False, calls: bool | None = None, watch: Watch | None = None
) -> Published:
    """Write the pages of a store to a folder that is new, empty, or was published before and is replaced.

    `studies` are those that are published, all where it is empty; `calls`: whether each turn gets its page (None: up to MOST_CALLS turns);
    `watch(written, known)` is called after each page.  Raises StudyError for an unknown study, for a folder that holds something else, or
    one that cannot be written, StoreError where the store cannot be read.
    """
    target = folder.resolve()
    check_folder(target)
    known = [row[0] for row in query(db, "select study from studies order by study")]
    for study in studies:
        if study not in known:
            raise StudyError(f"there is no study {study!r} in {db.name}; there are: {', '.join(known) or 'none'}")
    chosen = frozenset(studies or known)
    turns = sum(n for study, n in query(db, TURNS) if study in chosen)
    with_calls = turns <= MOST_CALLS if calls is None else calls
    few = () if private else tuple(row[0] for row in query(db, SMALL, [FEW]) if row[0] in chosen)
    with draft_of(target) as draft:
        site = Site(db, "", static=True, private=private, only=tuple(sorted(studies)))
        crawl = Crawl(site, draft, chosen, dict(query(db, EPISODES).rows), with_calls)
        follow(crawl, watch)
        for name in sorted({target for listed in map(crawl.linkers.get, crawl.missing) for target in listed or ()}):
            without_missing(crawl, name)
        shutil.copytree(STATIC, draft / "static", ignore=shutil.ignore_patterns("*.js"))
        (draft / MARKER).write_text(json.dumps({"store": db.name, "pages": crawl.written}) + "\n")
    return Published(crawl.written, 0 if with_calls else turns, few)


def check_folder(folder: Path) -> None:
    """Raise StudyError where a folder holds something that was not published: it would be lost."""
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder} is a file; name a folder that is new, or was published before")
    if folder.is_dir() and not (folder / MARKER).exists() and any(folder.iterdir()):
        raise StudyError(f"{folder} holds files that arena publish has not written; name a folder that is new, or was published before")


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """A folder beside this one, which takes its place when the block has gone well and is gone when it has not."""
    draft, old = (folder.with_name(f".{folder.name}.{what}-{os.getpid()}") for what in ("new", "old"))
    try:
        draft.mkdir(parents=True)
        yield draft
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
    except OSError as error:
        raise StudyError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def follow(crawl: Crawl, watch: Watch | None) -> None:
    """Write the first page and all that it leads to: what analysis reads first, then the episodes on one connection, which is quicker."""
    meet(crawl, ("", "", ()))
    while crawl.waiting:
        later: deque[Target] = deque()
        while crawl.waiting:
            target = crawl.waiting.popleft()
            if target[0] in OF_EPISODES:
                later.append(target)
            else:
                write(crawl, crawl.site, target, watch)
        if not later:
            break
        with live(crawl.site.db, ()) as con:
            unpack(con, crawl.site.db)
            held = replace(crawl.site, held=asking(con))
            crawl.waiting = later
            while crawl.waiting and crawl.waiting[0][0] in OF_EPISODES:
                write(crawl, held, crawl.waiting.popleft(), watch)


def unpack(con: duckdb.DuckDBPyConnection, db: Path) -> None:
    """Lay the tables of a store that is not large into memory: every page looks its episode up, and unpacking is most of that."""
    con.execute("set threads = 1")  # one short query after the other: more threads only wait for each other
    if db.stat().st_size <= LARGE_BYTES:
        for name in JOURNALED:
            con.execute(f"create temp table {name}_here as from {name}; create or replace view {name} as from {name}_here")


def meet(crawl: Crawl, target: Target) -> None:
    """Note that there is a link to a page."""
    if target not in crawl.seen and target[0] != "static":
        crawl.seen.add(target)
        if crawl.allowed(target):
            crawl.waiting.append(target)
        else:
            crawl.missing.add(target)


def write(crawl: Crawl, site: Site, target: Target, watch: Watch | None) -> None:
    """Write one page, and note where it leads; one that cannot be made is missing.  Raises the error where it is the first page."""
    kind, name, asked = target
    linked: set[Target] = set()
    here = replace(site, root="../" if kind else "", linked=linked)
    file = file_name(kind, name, dict(asked))
    try:
        found = MAKERS[kind](here, name, dict(asked))
        content = found.content if isinstance(found, Document) else with_marks(here, render(here, found, {"trusted": False})).encode()
    except ArenaError:
        if not kind:
            raise
        crawl.missing.add(target)
        return
    path = crawl.folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    crawl.written += 1
    for other in linked:
        crawl.linkers.setdefault(other, []).append(file)
        meet(crawl, other)
    if watch:
        watch(crawl.written, crawl.written + len(crawl.waiting))


def with_marks(site: Site, page: str) -> str:
    """A page whose pictures' marks lead to files: where a picture is drawn, its links are the server's."""
    return MARK.sub(lambda found: f'="{html.escape(site.link("debate", unquote(html.unescape(found[1]))))}"', page)


def without_missing(crawl: Crawl, file: str) -> None:
    """Turn a page's links to what is not published into their words."""
    root = "" if "/" not in file else "../"
    gone = {root + file_name(kind, name, dict(asked)) for kind, name, asked in crawl.missing}

    def words(link: re.Match[str]) -> str:
        """A link, or what stands in it."""
        if html.unescape(link["href"]).partition("#")[0] not in gone:
            return link[0]
        return link["words"] if link["before"].endswith("xlink:") else f'<span class="unpublished">{link["words"]}</span>'

    path = crawl.folder / file
    path.write_text(LINK.sub(words, path.read_text()))
