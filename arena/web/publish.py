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

Pages are written into a draft beside the folder and moved in when all are complete.  The marker
lists them, and only listed files are ever replaced or removed.  Features that need a server (SQL,
comparisons, filters) are left out; a link to a page that is not published becomes plain text.
"""

from __future__ import annotations

import glob
import html
import json
import os
import re
import shutil
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import duckdb

from arena.errors import ArenaError, StudyError
from arena.store.database import journal_folder, open_live, select_rows
from arena.store.saved_queries import saved_folder
from arena.store.schema import JOURNALED
from arena.store.views.readings import READING_VIEWS
from arena.text import printable
from arena.web.pages import FILES, PAGES
from arena.web.site import Document, Site, Target, file_name, make_ask
from arena.web.words import render

MARKER = ".arena-published"
OWNER = ".owner"
STALE_DRAFT_S = 24 * 3600.0
# On Windows, to ask for a process as is_alive does would end it.
CAN_SEE_PROCESSES = os.name != "nt"
MAX_FILES_NAMED = 3
STATIC = Path(__file__).with_name("static")
MOST_CALLS = 5_000
LARGE_BYTES = 256 * 2**20
STUDY_KINDS = ("study", "figure", "figure.svg")
EPISODE_KINDS = ("debate", "question", "call")
MAKERS = {
    kind: make for kind, _, make in (*PAGES, *FILES) if kind in ("", *STUDY_KINDS, *EPISODE_KINDS)
}
# Links cannot be nested in HTML, so the shortest match is the whole link.
LINK = re.compile(r'<a\s(?P<before>[^>]*?)href="(?P<href>[^"]*)"[^>]*>(?P<words>.*?)</a>', re.S)
# Charts are drawn with the addresses of a server (see `with_file_links`).
CHART_LINK = re.compile(r'="/debate/([^"]+)"')
EPISODES = "select episode, study from plays"
TURNS = """
    select study, count(*) as n,
           count(*) filter (list_contains(flags, 'private tag in speech')) as tagged
    from turns join plays using (episode) group by study
"""
# Called after each page with the pages that are written, and those that are known.
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

    def allows(self, target: Target) -> bool:
        """Return whether a page is published."""
        kind, name, _ = target
        if kind in STUDY_KINDS:
            return name in self.studies
        if kind in EPISODE_KINDS:
            return self.study_of.get(name) in self.studies and (self.calls or kind != "call")
        return kind == ""


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
        crawl = Crawl(site, draft, chosen, dict(select_rows(db, EPISODES).rows), with_calls)
        follow(crawl, watch)
        files = {file for target in crawl.missing for file in crawl.linkers.get(target, ())}
        for file in sorted(files):
            remove_dead_links(crawl, file)
        # The script only follows a running study, and files do not change.
        shutil.copytree(STATIC, draft / "static", ignore=shutil.ignore_patterns("*.js"))
        (draft / MARKER).write_text(json.dumps({"store": db.name, "pages": crawl.written}) + "\n")
    omissions = tuple(sorted(crawl.studies_with_omissions))
    return PublishSummary(crawl.written, 0 if with_calls else turns, omissions, tagged)


def check_folder(folder: Path, db: Path) -> set[str]:
    """Return the files of a folder that an earlier publication wrote, by their paths in it.

    Raises StudyError if the folder holds other files, or holds the store, or lies in its folders.
    Names that begin with a dot (.git), and CNAME, belong to the host: they are allowed and stay.
    """
    for own in (db.resolve(), journal_folder(db), saved_folder(db)):
        if folder == own or folder in own.parents or own in folder.parents:
            raise StudyError(
                f"{folder} holds files of the store, or lies among them ({own});"
                " name a separate folder for the pages"
            )
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder} is a file; name a folder that is new, or was published before")
    here = list_files(folder)
    ours = here & read_marker(folder)
    foreign = sorted(
        path
        for path in here - ours
        if path != "CNAME" and not any(part.startswith(".") for part in path.split("/"))
    )
    if foreign:
        more = len(foreign) - MAX_FILES_NAMED
        some = ", ".join(map(printable, foreign[:MAX_FILES_NAMED]))
        some += f" and {more:,} more" if more > 0 else ""
        raise StudyError(
            f"{folder} holds files that arena publish has not written: {some};"
            " move them away, or name another folder"
        )
    return ours


def list_files(folder: Path) -> set[str]:
    """Return all files below a folder, by their paths in it; a symbolic link counts as a file."""
    paths = set()
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        paths |= {Path(parent, name).relative_to(folder).as_posix() for name in [*files, *links]}
    return paths


def read_marker(folder: Path) -> set[str]:
    """Return the files that the marker of a folder lists, and the marker; empty if unreadable."""
    try:
        files = json.loads((folder / MARKER).read_text("utf-8"))["files"]
        return {MARKER, *(file for file in files if isinstance(file, str))}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@contextmanager
def draft_of(folder: Path, db: Path) -> Iterator[Path]:
    """Yield a draft folder; move its files in after the block, or remove it after an error."""
    clear_drafts(folder)
    # Beside the folder, hence on the same file system: moving in is a rename.
    draft = folder.with_name(f".{folder.name}.new-{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        (draft / OWNER).write_text(socket.gethostname())
        yield draft
        (draft / OWNER).unlink()
        move_in(draft, folder, check_folder(folder, db))
    except OSError as error:
        raise StudyError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def clear_drafts(folder: Path) -> None:
    """Remove the drafts that killed publications into this folder have left beside it.

    Drafts of dead processes of this machine go at once, where one can ask whether a process lives;
    others go after a day.
    """
    for draft in folder.parent.glob(f".{glob.escape(folder.name)}.new-*"):
        pid = draft.name.rpartition("-")[2]
        owner = draft / OWNER
        if not pid.isascii() or not pid.isdecimal() or draft.is_symlink() or not draft.is_dir():
            continue
        here = not owner.exists() or owner.read_text("utf-8", "replace") == socket.gethostname()
        here = here and CAN_SEE_PROCESSES
        if not is_alive(int(pid)) if here else time.time() - draft.stat().st_mtime > STALE_DRAFT_S:
            shutil.rmtree(draft, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Return whether another process of this machine has this id."""
    if pid == os.getpid():
        return False  # an earlier process with our id left it: our draft does not exist yet
    try:
        # Signal 0 is not delivered: it only tells whether the process exists.
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def move_in(draft: Path, folder: Path, old: set[str]) -> None:
    """Move the files of a draft into the folder, and remove `old` files that are not rewritten.

    The marker lists all files of the folder at every moment, so that a publication that was killed
    halfway can be repeated.
    """
    new = list_files(draft)
    marker = json.loads((draft / MARKER).read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    write_marker(folder, marker | {"files": sorted((old | new) - {MARKER})})
    gone = old - new
    for file in gone:
        (folder / file).unlink(missing_ok=True)
    for file in new - {MARKER}:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(draft / file, folder / file)
    # A folder of a kind that is no longer published; rmdir refuses one that is not empty.
    for parent in {(folder / file).parent for file in gone} - {folder}:
        with suppress(OSError):
            parent.rmdir()
    write_marker(folder, marker | {"files": sorted(new - {MARKER})})


def write_marker(folder: Path, marker: Mapping[str, object]) -> None:
    """Write the marker in one step, so that no half of it can be read."""
    # A rename is atomic: a reader finds the old marker or the new one.
    half = folder / f"{MARKER}.new"
    half.write_text(json.dumps(marker, indent=0) + "\n", "utf-8")
    half.replace(folder / MARKER)


def follow(crawl: Crawl, watch: Watch | None) -> None:
    """Write the first page and every page that it leads to.

    Pages that analysis makes come first; pages of episodes follow on one connection, which is
    faster.
    """
    note_link(crawl, ("", "", ()))
    while crawl.waiting:
        later: deque[Target] = deque()
        while crawl.waiting:
            target = crawl.waiting.popleft()
            if target[0] in EPISODE_KINDS:
                later.append(target)
            else:
                write(crawl, crawl.site, target, watch)
        if not later:
            break
        with open_live(crawl.site.db, ("saw", *READING_VIEWS)) as con:
            load_into_memory(con, crawl.site.db)
            site = replace(crawl.site, shared_ask=make_ask(con))
            crawl.waiting = later
            while crawl.waiting and crawl.waiting[0][0] in EPISODE_KINDS:
                write(crawl, site, crawl.waiting.popleft(), watch)
            con.execute("reset threads")


def load_into_memory(con: duckdb.DuckDBPyConnection, db: Path) -> None:
    """Copy the tables of a store into memory unless it is large.

    Every page looks up its episode, and decompressing the table is most of that time.
    """
    # The queries are short and run one after another: more threads would only wait.
    con.execute("set threads = 1")
    if db.stat().st_size <= LARGE_BYTES:
        for name in JOURNALED:
            con.execute(
                f"create temp table {name}_here as from {name};"
                f" create or replace temp view {name} as from {name}_here"
            )


def note_link(crawl: Crawl, target: Target) -> None:
    """Record that a page is linked."""
    if target not in crawl.seen and target[0] != "static":
        crawl.seen.add(target)
        if crawl.allows(target):
            crawl.waiting.append(target)
        else:
            crawl.missing.add(target)


def write(crawl: Crawl, site: Site, target: Target, watch: Watch | None) -> None:
    """Write one page and record its links; a page that cannot be made becomes missing.

    Raises the error if it is the first page.
    """
    kind, name, items = target
    linked: set[Target] = set()
    here = replace(site, root="../" if kind else "", link_targets=linked)
    file = file_name(kind, name, dict(items))
    try:
        page = MAKERS[kind](here, name, dict(items))
        if isinstance(page, Document):
            content = page.content
        else:
            content = with_file_links(here, render(here, page)).encode()
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
    for other in linked:
        crawl.linkers.setdefault(other, []).append(file)
        note_link(crawl, other)
    if watch:
        watch(crawl.written, crawl.written + len(crawl.waiting))


def too_few(error: ArenaError) -> bool:
    """Return whether a figure was refused because few private ratings stand behind it."""
    from analysis.figures.figure import TooFewError

    return isinstance(error, TooFewError)


def with_file_links(site: Site, page: str) -> str:
    """Return a page with its charts' links turned into files: charts are drawn for a server."""

    def link(match: re.Match[str]) -> str:
        return f'="{html.escape(site.link("debate", unquote(html.unescape(match[1]))))}"'

    return CHART_LINK.sub(link, page)


def remove_dead_links(crawl: Crawl, file: str) -> None:
    """Replace a page's links to pages that are not published by their text."""
    root = "" if "/" not in file else "../"
    missing = {root + file_name(kind, name, dict(items)) for kind, name, items in crawl.missing}

    def link_or_text(link: re.Match[str]) -> str:
        if html.unescape(link["href"]).partition("#")[0] not in missing:
            return link[0]
        # Inside a chart (xlink:href) a span would not be drawn.
        if link["before"].endswith("xlink:"):
            return link["words"]
        return f'<span class="unpublished">{link["words"]}</span>'

    path = crawl.folder / file
    path.write_text(LINK.sub(link_or_text, path.read_text()))
