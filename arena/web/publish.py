"""Write the viewer's pages as files, for any web host.

The same page functions run, from the first page along all links that the pages contain.  Without
private contents, no byte that is written holds any of these: private thoughts, raw replies that
were not public as a whole, reasoning, re-asks, faces of a turn that only its author was shown,
error messages, and single private ratings, in words, tables or pictures.  What a protocol returns
is its result and public: a verdict with its confidence, and the text of answers.  Means, shares and
counts over a study stay, since they are its findings, but no number is made of private ratings of
fewer than MIN_GROUP_SIZE (analysis/figures/figure.py) debates or questions; pages say how many they
leave out.  Two leaks remain: the difference of two published means (all but one group) may reveal a
few ratings, and so does a mean whose deviation is 0.  Speeches are published as they were given,
even if one contains a private tag.

Where the files go is up to published_folder.py.  Features that need a server (SQL, comparisons,
filters) are left out; a link to a page that is not published becomes plain text.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import duckdb

from arena.errors import ArenaError, StudyError
from arena.store.database import open_live, select_rows
from arena.store.schema import JOURNALED
from arena.store.views.readings import READING_VIEWS
from arena.web.pages import FILES, PAGES
from arena.web.pages.images import IMAGE_KINDS
from arena.web.published_folder import MARKER, check_folder, draft_of
from arena.web.site import Ask, Document, Site, Target, file_name
from arena.web.words import render

STATIC = Path(__file__).with_name("static")
MOST_CALLS = 5_000
LARGE_BYTES = 256 * 2**20
# Episodes whose pages are written one after another share their queries.
GROUP = 64
STUDY_KINDS = ("study", "figure", "figure.svg", "estimators")
EPISODE_KINDS = ("debate", "question", "call")
# Pages of episodes show the images of their subjects.
GROUPED_KINDS = (*EPISODE_KINDS, *IMAGE_KINDS)
MAKERS = {
    kind: make for kind, _, make in (*PAGES, *FILES) if kind in ("", *STUDY_KINDS, *GROUPED_KINDS)
}
# Links cannot be nested in HTML, so the shortest match is the whole link.
LINK = re.compile(r'<a\s(?P<before>[^>]*?)href="(?P<href>[^"]*)"[^>]*>(?P<words>.*?)</a>', re.S)
# Charts are drawn with the addresses of a server (see `with_file_links`).
CHART_LINK = re.compile(r'="/debate/([^"]+)"')
EPISODES = "select episode, study from plays"
# Pages of judgings link into the transcripts of debates.
JUDGED = """
    select distinct m.source from plays p join subjects m using (subject)
    where m.kind = 'debate' and p.episode in (select unnest($episodes::varchar[]))
"""
TURNS = """
    select study, count(*) as n,
           count(*) filter (list_contains(flags, 'private tag in speech')) as tagged
    from turns join plays using (episode) group by study
"""
# Called before the first page and after each one with the pages that are written, and a forecast of
# how many there will be.
Watch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class PublishSummary:
    """The result of a publication.

    `pages` includes pictures; `calls_left_out` counts turns whose call pages were left out;
    `studies_with_omissions` had numbers withheld because too few private ratings stand behind them;
    `speeches_with_private_tag` counts speeches flagged as containing a private tag.
    """

    pages: int
    calls_left_out: int
    studies_with_omissions: tuple[str, ...]
    speeches_with_private_tag: int


@dataclass(slots=True)
class Crawl:
    """The state of one publication: its folder, the pages it may write, and the links it met."""

    site: Site
    folder: Path
    studies: frozenset[str]
    study_of: Mapping[str, str]
    calls: bool
    waiting: deque[Target] = field(default_factory=deque)
    seen: set[Target] = field(default_factory=set)
    linkers: dict[Target, list[str]] = field(default_factory=dict)
    missing: set[Target] = field(default_factory=set)
    studies_with_omissions: set[str] = field(default_factory=set)
    written: int = 0
    expected: int = 0

    def allows(self, target: Target) -> bool:
        """Return whether a page is published."""
        kind, name, _ = target
        if kind in STUDY_KINDS:
            return name in self.studies
        if kind in EPISODE_KINDS:
            return self.study_of.get(name) in self.studies and (self.calls or kind != "call")
        # Only published pages lead to an image.
        return kind == "" or kind in IMAGE_KINDS


def publish(
    db: Path,
    folder: Path,
    *,
    studies: Sequence[str] = (),
    private: bool = False,
    calls: bool | None = None,
    watch: Watch | None = None,
) -> PublishSummary:
    """Write the pages of a store to a folder that is new or was published before.

    `studies`: the studies to publish, all if it is empty.  `calls`: whether each turn gets a page
    (None: up to MOST_CALLS turns).  Raises StudyError for an unknown study, for a folder that holds
    other files (see `check_folder`) or cannot be written, and StoreError if the store cannot be
    read.
    """
    target = folder.resolve()
    check_folder(target, db)
    stored = [row[0] for row in select_rows(db, "select study from studies order by study")]
    for study in studies:
        if study not in stored:
            listed = ", ".join(stored) or "none"
            raise StudyError(f"there is no study {study!r} in {db.name}; there are: {listed}")
    chosen = frozenset(studies or stored)
    counts = [row for row in select_rows(db, TURNS) if row[0] in chosen]
    turns, tagged = (sum(row[column] for row in counts) for column in (1, 2))
    with_calls = turns <= MOST_CALLS if calls is None else calls
    with draft_of(target, db) as draft:
        site = Site(db, "", static=True, private=private, only=tuple(sorted(studies)))
        study_of = dict(select_rows(db, EPISODES).rows)
        crawl = Crawl(site, draft, chosen, study_of, with_calls)
        plays = sum(study in chosen for study in study_of.values())
        # The first page, each study with its figures, each play, and each turn.
        crawl.expected = 1 + len(chosen) + plays + (turns if with_calls else 0)
        follow(crawl, watch)
        files = {file for target in crawl.missing for file in crawl.linkers.get(target, ())}
        for file in sorted(files):
            path = draft / file
            path.write_text(remove_dead_links(path.read_text(), file, crawl.missing))
        # The script only follows a running study, and files do not change.
        shutil.copytree(STATIC, draft / "static", ignore=shutil.ignore_patterns("*.js"))
        (draft / MARKER).write_text(json.dumps({"store": db.name, "pages": crawl.written}) + "\n")
    omissions = tuple(sorted(crawl.studies_with_omissions))
    return PublishSummary(crawl.written, 0 if with_calls else turns, omissions, tagged)


def follow(crawl: Crawl, watch: Watch | None) -> None:
    """Write the first page and every page that it leads to.

    Pages that analysis makes come first; pages of episodes follow on one connection, in groups that
    share their queries.
    """
    if watch:
        watch(0, crawl.expected)
    note_link(crawl, ("", "", ()))
    while crawl.waiting:
        later: deque[Target] = deque()
        while crawl.waiting:
            target = crawl.waiting.popleft()
            if target[0] in GROUPED_KINDS:
                later.append(target)
            else:
                write(crawl, crawl.site, target, watch)
        if not later:
            break
        with open_live(crawl.site.db, ("saw", *READING_VIEWS)) as con:
            load_into_memory(con, crawl.site.db)
            crawl.waiting = later
            while crawl.waiting and crawl.waiting[0][0] in GROUPED_KINDS:
                targets = next_group(crawl)
                own = tuple(dict.fromkeys(name for _, name, _ in targets))
                debates = [row["source"] for row in Ask(con)(JUDGED, {"episodes": list(own)})]
                groups = (tuple(set(debates) - set(own)), own)
                site = replace(crawl.site, shared_ask=Ask(con, groups))
                for target in targets:
                    write(crawl, site, target, watch)
            con.execute("reset threads")


def next_group(crawl: Crawl) -> list[Target]:
    """Take the next pages of up to GROUP episodes, or calls, from those that wait."""
    kind = crawl.waiting[0][0]
    targets: list[Target] = []
    while crawl.waiting and crawl.waiting[0][0] == kind and len(targets) < GROUP:
        targets.append(crawl.waiting.popleft())
    return targets


def load_into_memory(con: duckdb.DuckDBPyConnection, db: Path) -> None:
    """Copy the tables of a store into memory unless it is large.

    Every page looks up its episode, and decompressing the table is most of that time.
    """
    # The queries are short and run one after another: more threads would only wait.
    con.execute("set threads = 1")
    if db.stat().st_size <= LARGE_BYTES:
        # What an older store lacks is there already, and empty.
        there = "select table_name from duckdb_tables() where database_name = 'temp'"
        for name in set(JOURNALED) - {row[0] for row in con.execute(there).fetchall()}:
            con.execute(
                f"create temp table {name}_here as from {name};"
                f" create or replace temp view {name} as from {name}_here"
            )


def note_link(crawl: Crawl, target: Target) -> None:
    """Record that a page is linked, which is published."""
    if target not in crawl.seen and target[0] != "static":
        crawl.seen.add(target)
        crawl.waiting.append(target)


def may_be_linked(crawl: Crawl, target: Target) -> bool:
    """Return whether there will be such a page, as far as is known before it is made."""
    return target[0] == "static" or (crawl.allows(target) and target not in crawl.missing)


def write(crawl: Crawl, site: Site, target: Target, watch: Watch | None) -> None:
    """Write one page and record its links; a page that cannot be made becomes missing.

    Raises the error if it is the first page.
    """
    kind, name, items = target
    linked: set[Target] = set()
    unpublished: set[Target] = set()
    here = replace(site, root="../" if kind else "", link_targets=linked)
    file = file_name(kind, name, dict(items))
    try:
        page = MAKERS[kind](here, name, dict(items))
        if isinstance(page, Document):
            content = page.content
        else:
            words = with_file_links(here, render(here, page))
            unpublished = {other for other in linked if not may_be_linked(crawl, other)}
            content = remove_dead_links(words, file, unpublished).encode()
            if page.left_out:
                crawl.studies_with_omissions.add(name)
    except ArenaError as error:
        if not kind:
            raise
        crawl.missing.add(target)
        if kind == "figure" and too_few(error):
            crawl.studies_with_omissions.add(name)
        return
    path = crawl.folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    crawl.written += 1
    for other in linked - unpublished:
        crawl.linkers.setdefault(other, []).append(file)
        note_link(crawl, other)
    if watch:
        watch(crawl.written, max(crawl.expected, crawl.written + len(crawl.waiting)))


def too_few(error: ArenaError) -> bool:
    """Return whether a figure was refused because few private ratings stand behind it."""
    from analysis.figures.figure import TooFewError

    return isinstance(error, TooFewError)


def with_file_links(site: Site, page: str) -> str:
    """Return a page with its charts' links turned into files: charts are drawn for a server."""

    def link(match: re.Match[str]) -> str:
        return f'="{html.escape(site.link("debate", unquote(html.unescape(match[1]))))}"'

    return CHART_LINK.sub(link, page)


def remove_dead_links(page: str, file: str, missing: Collection[Target]) -> str:
    """Return the page in this file with its links to missing pages replaced by their text."""
    if not missing:
        return page
    root = "" if "/" not in file else "../"
    names = {root + file_name(kind, name, dict(items)) for kind, name, items in missing}

    def link_or_text(link: re.Match[str]) -> str:
        if html.unescape(link["href"]).partition("#")[0] not in names:
            return link[0]
        # Inside a chart (xlink:href) a span would not be drawn.
        if link["before"].endswith("xlink:"):
            return link["words"]
        return f'<span class="unpublished">{link["words"]}</span>'

    return LINK.sub(link_or_text, page)
