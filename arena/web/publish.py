"""The viewer's pages as files, for any web host: the same page functions, from the first page along all links that they contain.

Without what is private, these stand in no byte that is written: private thoughts, raw replies that were not public as a whole, reasoning,
re-asks, faces of a turn that its author alone was shown, words of errors, and single ratings that were private, in words, tables and
pictures.  Means, shares and counts over a study stay, since they are its findings, but no number is made of private ratings of fewer than FEW
(analysis/figures/figure.py) debates or questions: pages say how many they leave out.  What that does not keep: the difference of two published
means (all but one group) may still tell of a few, and so does a mean whose deviation is 0.  Speeches are published as they were said, a
private tag in one included.

Pages are written into a draft beside the folder and moved in when all are there.  The marker lists them: only these are ever replaced or
removed.  What only a server can do (SQL, comparisons, filters) is left out; a link to a page that is not published becomes its words.
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
from arena.store.database import journal_folder, open_live, query
from arena.store.saved_queries import saved_folder
from arena.store.schema import JOURNALED
from arena.text import printable
from arena.web.pages import FILES, PAGES
from arena.web.site import Document, Page, Site, Target, file_name, make_ask
from arena.web.words import render

MARKER = ".arena-published"
OWNER = ".owner"
STALE_DRAFT_S = 24 * 3600.0
MAX_FILES_NAMED = 3
STATIC = Path(__file__).with_name("static")
MOST_CALLS = 5_000
LARGE_BYTES = 256 * 2**20
STUDY_KINDS = ("study", "figure", "figure.svg")
EPISODE_KINDS = ("debate", "question", "call")
MAKERS = {
    kind: make for kind, _, make in (*PAGES, *FILES) if kind in ("", *STUDY_KINDS, *EPISODE_KINDS)
}
LINK = re.compile(r'<a\s(?P<before>[^>]*?)href="(?P<href>[^"]*)"[^>]*>(?P<words>.*?)</a>', re.S)
CHART_LINK = re.compile(r'="/debate/([^"]+)"')
EPISODES = "select episode, study from plays"
TURNS = "select study, count(*) as n from turns join plays using (episode) group by study"
TAGGED = """
    select study, count(*) as n from turns join plays using (episode) where list_contains(flags, 'private tag in speech') group by study
"""
Watch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class PublishSummary:
    """What was written: pages (pictures included), turns whose call pages were left out (0: none), the studies of which numbers were left
    out, being made of few private ratings, and how many speeches carry the flag that a private tag stands in them."""

    pages: int
    calls_left_out: int
    studies_with_omissions: tuple[str, ...]
    speeches_with_private_tag: int


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
    studies_with_omissions: set[str] = field(default_factory=set)
    written: int = 0

    def allows(self, target: Target) -> bool:
        """Whether a page is one of those that are published."""
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
    """Write the pages of a store to a folder that is new, or holds nothing but pages of an earlier publication, which are replaced.

    `studies` are those that are published, all where it is empty; `calls`: whether each turn gets its page (None: up to MOST_CALLS turns);
    `watch(written, known)` is called after each page.  Raises StudyError for an unknown study, for a folder that holds something else (see
    `check_folder`), or one that cannot be written, StoreError where the store cannot be read.
    """
    target = folder.resolve()
    check_folder(target, db)
    known = [row[0] for row in query(db, "select study from studies order by study")]
    for study in studies:
        if study not in known:
            raise StudyError(
                f"there is no study {study!r} in {db.name}; there are: {', '.join(known) or 'none'}"
            )
    chosen = frozenset(studies or known)
    turns = sum(n for study, n in query(db, TURNS) if study in chosen)
    with_calls = turns <= MOST_CALLS if calls is None else calls
    tagged = sum(n for study, n in query(db, TAGGED) if study in chosen)
    with draft_of(target, db) as draft:
        site = Site(db, "", static=True, private=private, only=tuple(sorted(studies)))
        crawl = Crawl(site, draft, chosen, dict(query(db, EPISODES).rows), with_calls)
        follow(crawl, watch)
        for name in sorted(
            {target for listed in map(crawl.linkers.get, crawl.missing) for target in listed or ()}
        ):
            remove_dead_links(crawl, name)
        shutil.copytree(STATIC, draft / "static", ignore=shutil.ignore_patterns("*.js"))
        (draft / MARKER).write_text(json.dumps({"store": db.name, "pages": crawl.written}) + "\n")
    return PublishSummary(
        crawl.written,
        0 if with_calls else turns,
        tuple(sorted(crawl.studies_with_omissions)),
        tagged,
    )


def check_folder(folder: Path, db: Path) -> set[str]:
    """The files of a folder that an earlier publication has written, by their paths in it.

    Raises StudyError where it holds anything else, which would be in the way or be lost, and where it holds the store or lies in it.  What
    begins with a point (.git), and CNAME, is never ours: it stays.
    """
    for own in (db.resolve(), journal_folder(db), saved_folder(db)):
        if folder == own or folder in own.parents or own in folder.parents:
            raise StudyError(
                f"{folder} holds files of the store, or lies among them ({own}); name a folder of its own for the pages"
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
        some = ", ".join(map(printable, foreign[:MAX_FILES_NAMED])) + (
            f" and {len(foreign) - MAX_FILES_NAMED:,} more"
            if len(foreign) > MAX_FILES_NAMED
            else ""
        )
        raise StudyError(
            f"{folder} holds files that arena publish has not written: {some}; move them away, or name another folder"
        )
    return ours


def list_files(folder: Path) -> set[str]:
    """All files below a folder, by their paths in it; a link is a file, wherever it leads."""
    found = set()
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        found |= {Path(parent, name).relative_to(folder).as_posix() for name in [*files, *links]}
    return found


def read_marker(folder: Path) -> set[str]:
    """What the marker of a folder lists, itself included; nothing where there is none that can be read."""
    try:
        files = json.loads((folder / MARKER).read_text("utf-8"))["files"]
        return {MARKER, *(file for file in files if isinstance(file, str))}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@contextmanager
def draft_of(folder: Path, db: Path) -> Iterator[Path]:
    """A folder beside this one, whose files take their places in it when the block has gone well; it is gone when it has not."""
    clear_drafts(folder)
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
    """Remove what killed publications into this folder have left beside it: of dead processes of this machine, of others' after a day."""
    for draft in folder.parent.glob(f".{glob.escape(folder.name)}.new-*"):
        pid, owner = draft.name.rpartition("-")[2], draft / OWNER
        if not pid.isascii() or not pid.isdecimal() or draft.is_symlink() or not draft.is_dir():
            continue
        here = not owner.exists() or owner.read_text("utf-8", "replace") == socket.gethostname()
        if not is_alive(int(pid)) if here else time.time() - draft.stat().st_mtime > STALE_DRAFT_S:
            shutil.rmtree(draft, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether another process of this machine has that number."""
    if pid == os.getpid():
        return False  # left by an earlier one of the same number: ours is not there yet
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def move_in(draft: Path, folder: Path, old: set[str]) -> None:
    """Put the files of a draft into the folder and remove those `old` ones that are no longer written.

    What is in the folder stands in a marker at every moment, so that after a stop in between it can be published again.
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
    for parent in {(folder / file).parent for file in gone} - {folder}:
        with suppress(OSError):
            parent.rmdir()
    write_marker(folder, marker | {"files": sorted(new - {MARKER})})


def write_marker(folder: Path, marker: Mapping[str, object]) -> None:
    """Write the marker, whole or not at all."""
    half = folder / f"{MARKER}.new"
    half.write_text(json.dumps(marker, indent=0) + "\n", "utf-8")
    half.replace(folder / MARKER)


def follow(crawl: Crawl, watch: Watch | None) -> None:
    """Write the first page and all that it leads to: what analysis reads first, then the episodes on one connection, which is quicker."""
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
        with open_live(crawl.site.db, ()) as con:
            load_into_memory(con, crawl.site.db)
            held = replace(crawl.site, shared_ask=make_ask(con))
            crawl.waiting = later
            while crawl.waiting and crawl.waiting[0][0] in EPISODE_KINDS:
                write(crawl, held, crawl.waiting.popleft(), watch)


def load_into_memory(con: duckdb.DuckDBPyConnection, db: Path) -> None:
    """Lay the tables of a store that is not large into memory: every page looks its episode up, and unpacking is most of that."""
    con.execute(
        "set threads = 1"
    )  # one short query after the other: more threads only wait for each other
    if db.stat().st_size <= LARGE_BYTES:
        for name in JOURNALED:
            con.execute(
                f"create temp table {name}_here as from {name}; create or replace view {name} as from {name}_here"
            )


def note_link(crawl: Crawl, target: Target) -> None:
    """Note that there is a link to a page."""
    if target not in crawl.seen and target[0] != "static":
        crawl.seen.add(target)
        if crawl.allows(target):
            crawl.waiting.append(target)
        else:
            crawl.missing.add(target)


def write(crawl: Crawl, site: Site, target: Target, watch: Watch | None) -> None:
    """Write one page, and note where it leads; one that cannot be made is missing.  Raises the error where it is the first page."""
    kind, name, asked = target
    linked: set[Target] = set()
    here = replace(site, root="../" if kind else "", link_targets=linked)
    file = file_name(kind, name, dict(asked))
    try:
        found = MAKERS[kind](here, name, dict(asked))
        content = (
            found.content
            if isinstance(found, Document)
            else with_file_links(here, render(here, found)).encode()
        )
        if isinstance(found, Page) and found.content.get("left_out"):
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
    """Whether a figure was not drawn since all its numbers would be made of few private ratings."""
    from analysis.figures.figure import TooFewError

    return isinstance(error, TooFewError)


def with_file_links(site: Site, page: str) -> str:
    """A page whose pictures' marks lead to files: where a picture is drawn, its links are the server's."""
    return CHART_LINK.sub(
        lambda found: f'="{html.escape(site.link("debate", unquote(html.unescape(found[1]))))}"',
        page,
    )


def remove_dead_links(crawl: Crawl, file: str) -> None:
    """Turn a page's links to what is not published into their words."""
    root = "" if "/" not in file else "../"
    gone = {root + file_name(kind, name, dict(asked)) for kind, name, asked in crawl.missing}

    def link_or_text(link: re.Match[str]) -> str:
        """A link, or what stands in it."""
        if html.unescape(link["href"]).partition("#")[0] not in gone:
            return link[0]
        return (
            link["words"]
            if link["before"].endswith("xlink:")
            else f'<span class="unpublished">{link["words"]}</span>'
        )

    path = crawl.folder / file
    path.write_text(LINK.sub(link_or_text, path.read_text()))
