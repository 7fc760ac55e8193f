"""Test published pages: nothing private, no broken link, and no foreign file lost."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Page

from arena.cli.main import main
from arena.errors import StudyError
from arena.store import database
from arena.store.journal import line, write_journal
from arena.web import publish as publishing
from arena.web.publish import publish
from arena.web.site import Site, file_name
from tests.analysis.conftest import NOW, debate_rows, play_rows
from tests.arena.web.private_words import MOTIONS, PRIVATE, plant, rating_of

# Publishes dozens of times: a minute.
pytestmark = pytest.mark.slow

EVERY_RATING = [
    rating_of(number, seat, step)
    for number in range(len(MOTIONS))
    for seat in ("proposition", "opposition")
    for step in range(3)
]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with words in every private place."""
    return plant(tmp_path_factory.mktemp("planted") / "planted.duckdb")


@pytest.fixture(scope="module")
def public(planted: Path) -> Path:
    """Return the store published by the command, without private contents."""
    folder = planted.parent / "public"
    assert main(["publish", str(folder), "--db", str(planted)]) == 0
    return folder


@pytest.fixture(scope="module")
def private(planted: Path) -> Path:
    """Return the store published with private contents."""
    folder = planted.parent / "private"
    publish(planted, folder, private=True)
    return folder


@pytest.fixture(scope="module")
def without_calls(planted: Path) -> tuple[Path, str]:
    """Return the store published without pages of calls, and the command's output."""
    folder, printed = planted.parent / "without_calls", StringIO()
    with redirect_stdout(printed):
        assert main(["publish", str(folder), "--db", str(planted), "--no-calls"]) == 0
    return folder, printed.getvalue()


def words_of(folder: Path) -> str:
    """Return all bytes that were written, one file after another."""
    return "\n".join(
        file.read_text("utf-8") for file in sorted(folder.rglob("*")) if file.is_file()
    )


def written(page: str, *, episode: bool) -> list[float]:
    """Return the ratings on a page, as percent or share.

    An episode's page has no means, so ratings rounded to one digit or none count there too.
    """
    # Ids are words of hexadecimal digits, not numbers.
    numbers = set(re.findall(r"(?<!\w)\d+(?:\.\d+)?(?!\w)", page))
    found = [rating for rating in EVERY_RATING if {f"{rating:g}", f"{rating / 100:.4f}"} & numbers]
    percents = set(re.findall(r"(\d+(?:\.\d)?)%", page)) if episode else set()
    return found + [
        rating for rating in EVERY_RATING if {f"{rating:.1f}", f"{rating:.0f}"} & percents
    ]


@pytest.mark.parametrize("word", PRIVATE)
def test_no_private_word_is_published_and_with_private_all_are(
    public: Path, private: Path, word: str
) -> None:
    assert word not in words_of(public)
    assert word in words_of(private)


def test_no_single_rating_is_published(public: Path, private: Path) -> None:
    pages = [
        file
        for file in public.rglob("*.html")
        if file.parent.name in ("call", "debate", "question")
    ]
    assert {
        file.name: found for file in pages if (found := written(file.read_text(), episode=True))
    } == {}
    for kind in ("call", "debate"):
        assert any(written(file.read_text(), episode=True) for file in (private / kind).iterdir())
    # A mean or a limit may equal some rating by chance; a list of ratings would be many.
    assert (
        max(
            len(written(file.read_text(), episode=False))
            for file in public.rglob("*.html")
            if file not in pages
        )
        <= 2
    )
    assert "its rating" not in words_of(public / "study")


def test_pictures_draw_means_and_no_single_debater(public: Path, private: Path) -> None:
    marks = [
        len(
            re.findall(
                r"<path|<line|<circle", (folder / "figure" / "planted.confidence.svg").read_text()
            )
        )
        for folder in (public, private)
    ]
    assert 0 < marks[0] < marks[1]
    assert not list((public / "figure").glob("*both_sides*"))
    assert list((private / "figure").glob("*both_sides*"))


def test_public_words_and_public_prompts_are_published(public: Path) -> None:
    page = next(
        file
        for file in (public / "call").glob("*.proposition.1.html")
        if "You are a speaker." in file.read_text()
    ).read_text()
    assert "opposition said it" in page
    assert "left out: private words" in page
    assert "This house would do number" in words_of(public / "debate")


def targets(file: Path) -> list[tuple[Path, str]]:
    """Return the (file, fragment) of every reference of a page."""
    found = re.findall(r'(?:href|src)="([^"]*)"', file.read_text())
    parts = [urlsplit(html.unescape(one)) for one in found]
    assert all(
        not part.scheme and not part.netloc and not part.path.startswith("/") and not part.query
        for part in parts
    ), found
    return [
        (
            (file.parent / unquote(part.path)).resolve() if part.path else file,
            unquote(part.fragment),
        )
        for part in parts
    ]


@pytest.mark.parametrize("which", ["public", "private", "without_calls"])
def test_no_link_is_broken(request: pytest.FixtureRequest, which: str) -> None:
    folder = request.getfixturevalue(which)
    pages = list((folder[0] if which == "without_calls" else folder).rglob("*.html"))
    broken = [
        (file.name, target.name, fragment)
        for file in pages
        for target, fragment in targets(file)
        if not target.is_file()
        or (fragment and f'id="{html.escape(fragment)}"' not in target.read_text())
    ]
    assert len(pages) > 5
    assert broken == []


def test_all_pages_open_from_files_without_a_server(page: Page, public: Path) -> None:
    waiting, seen = [(public / "index.html").as_uri()], set()
    while waiting:
        address = waiting.pop()
        if address not in seen:
            seen.add(address)
            page.goto(address)
            assert address.endswith(".svg") or page.locator("h1").count() == 1, address
            waiting += [
                link.partition("#")[0]
                for link in page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
            ]
    assert {Path(unquote(urlsplit(one).path)) for one in seen if one.endswith(".html")} == set(
        public.rglob("*.html")
    )


def test_other_studies_are_left_out_and_links_to_them_become_words(
    planted: Path, tmp_path: Path
) -> None:
    publish(planted, tmp_path / "site", studies=["other one"])
    assert "planted" not in (tmp_path / "site" / "index.html").read_text().replace(
        "planted.duckdb", ""
    )
    assert (
        not (tmp_path / "site" / "debate").exists()
        or len(list((tmp_path / "site" / "debate").iterdir())) == 1
    )
    with pytest.raises(StudyError, match="no study 'none'"):
        publish(planted, tmp_path / "site", studies=["none"])


def test_pages_of_calls_can_be_left_out_and_that_is_said(without_calls: tuple[Path, str]) -> None:
    assert not (without_calls[0] / "call").exists()
    assert re.search(r"pages of \d+ turns were left out", without_calls[1])
    assert "few" not in without_calls[1]


def written_store(
    db: Path, debates: Sequence[dict[str, Any]] = (), plays: Sequence[dict[str, Any]] = ()
) -> Path:
    """Return a store with these debates in the study "d" and plays of questions in "q"."""
    db.parent.mkdir(parents=True, exist_ok=True)
    database.create(db)
    rows: list[tuple[str, dict[str, Any]]] = [
        ("runs", {"run": study, "study": study, "started_at": NOW, "origin": "played"})
        for study in "dq"
    ]
    rows += [
        row for number, debate in enumerate(debates) for row in debate_rows(f"d/{number}", debate)
    ]
    rows += [row for play in plays for row in play_rows("q", play)]
    write_journal(
        database.journal_folder(db) / "1.jsonl", [line(table, row) for table, row in rows]
    )
    database.fold(db)
    return db


def rated(*steps: float, **differs: Any) -> dict[str, Any]:
    """Return a judged debate with these ratings; the opposition gives one point more."""
    return {
        "ratings": [steps, tuple(step + 1 for step in steps)],
        "votes": [("proposition", 0.9)],
        **differs,
    }


USUAL = [rated(70, 75, 80)] * 12
LONE = {
    "model": rated(61.37, 63.59, 66.83, models=("m/lone", "m/a")),
    "arm": rated(61.37, 63.59, 66.83, arm="lone"),
    "bin": rated(61.37, 63.59, 66.83),
    "phase": rated(61.37, 63.59, 66.83, phases=("lone 1", "lone 2", "lone 3")),
}


def forms(ratings: Sequence[float]) -> set[str]:
    """Return how pages write ratings in percent."""
    return {
        form.format(rating, rating / 100)
        for rating in ratings
        for form in ("{0:g}", "{1:.4f}", "{0:.1f}%", "{0:.0f}%")
    }


@pytest.mark.parametrize("what", LONE)
def test_no_rating_of_a_group_of_one_debate_is_published(tmp_path: Path, what: str) -> None:
    db = written_store(tmp_path / "few.duckdb", [*USUAL, LONE[what]])
    found = publish(db, tmp_path / "site", calls=False)
    seen = set(re.findall(r"\d+(?:\.\d+)?%?", words_of(tmp_path / "site")))
    ratings = [rating for own in LONE[what]["ratings"] for rating in own]
    assert not seen & forms(
        [*ratings, *(sum(pair) / 2 for pair in zip(*LONE[what]["ratings"], strict=True))]
    )
    assert found.studies_with_omissions == ("d",)
    assert "fewer than 5 debates" in words_of(tmp_path / "site" / "figure")
    for name in ("rise", "confidence_by_model"):
        assert not re.search(
            r">m/lone|>lone<", (tmp_path / "site" / "figure" / f"d.{name}.svg").read_text()
        )


def test_what_is_published_of_few_debates_and_questions_does_not_hang_on_their_ratings(
    tmp_path: Path,
) -> None:
    sites = []
    for more in (0, 7):
        debates = [rated(51 + n + more, 61 + n + more, 71 + n + more) for n in range(4)]
        plays = [
            {
                "question": n,
                "final": ("4", n > 1, (90 + more - 5 * n) / 100),
                "calls": [(5, 7, 0.1)],
            }
            for n in range(4)
        ]
        found = publish(
            written_store(tmp_path / str(more) / "few.duckdb", debates, plays),
            tmp_path / str(more) / "site",
            studies=["d"],
        )
        assert found.studies_with_omissions == ("d",)
        found = publish(
            tmp_path / str(more) / "few.duckdb", tmp_path / str(more) / "figures", studies=["q"]
        )
        assert found.studies_with_omissions == ("q",)
        sites.append(
            [
                words_of(tmp_path / str(more) / "site"),
                words_of(tmp_path / str(more) / "figures" / "figure"),
            ]
        )
    assert sites[0] == sites[1]
    assert "Who won" in sites[0][0]
    assert "Right answers" in sites[0][1]


def test_groups_of_five_are_published(tmp_path: Path) -> None:
    found = publish(
        written_store(tmp_path / "five.duckdb", [rated(70, 75, 80)] * 5),
        tmp_path / "site",
        calls=False,
    )
    assert found.studies_with_omissions == ()
    assert {f"d.{name}.html" for name in ("confidence", "rise", "reliability")} <= {
        one.name for one in (tmp_path / "site" / "figure").iterdir()
    }


def test_speeches_with_a_private_tag_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = written_store(
        tmp_path / "tags.duckdb",
        [rated(70, 75, 80, flags=["private tag in speech"]), rated(70, 75, 80)],
    )
    assert main(["publish", str(tmp_path / "site"), "--db", str(db)]) == 0
    assert "6 speeches hold a private tag" in capsys.readouterr().out


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a store of one debate in a folder of its own."""
    return written_store(tmp_path / "stores" / "small.duckdb", [rated(70, 75, 80, votes=())])


def test_a_folder_with_other_files_is_refused_and_left_alone(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(StudyError, match=r"has not written: thesis\.tex;"):
        publish(small, folder)
    assert [file.name for file in folder.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["notes.md", "debate/store.duckdb", "mine/link"])
def test_a_file_put_among_published_ones_is_never_lost(
    small: Path, tmp_path: Path, name: str
) -> None:
    publish(small, tmp_path / "site")
    put = tmp_path / "site" / name
    put.parent.mkdir(exist_ok=True)
    put.symlink_to(tmp_path) if name.endswith("link") else put.write_text("mine")
    before = words_of(tmp_path / "site")
    with pytest.raises(StudyError, match=f"has not written: {name};"):
        publish(small, tmp_path / "site")
    assert words_of(tmp_path / "site") == before
    assert (tmp_path / "stores" / "small.duckdb").exists()


def test_a_checkout_for_pages_keeps_its_own_files(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    for name in (".git/HEAD", ".nojekyll", "CNAME"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    publish(small, folder, calls=True)
    assert (folder / "call").exists()
    publish(small, folder, calls=False)
    assert not (folder / "call").exists()
    assert [(folder / name).read_text() for name in (".git/HEAD", ".nojekyll", "CNAME")] == [
        "mine"
    ] * 3


def test_a_marker_cannot_name_files_elsewhere_or_be_without_a_list(
    small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    publish(small, folder)
    (tmp_path / "mine").write_text("mine")
    marker = json.loads((folder / ".arena-published").read_text())
    (folder / ".arena-published").write_text(
        json.dumps(marker | {"files": [*marker["files"], "../mine", str(tmp_path / "mine")]})
    )
    publish(small, folder)
    assert (tmp_path / "mine").read_text() == "mine"
    (folder / ".arena-published").write_text('{"store": "small.duckdb", "pages": 3}')
    with pytest.raises(StudyError, match="has not written: call/"):
        publish(small, folder)


@pytest.mark.parametrize(
    "place", [".", "..", "small.duckdb.journal", "small.duckdb.queries/pages", "small.duckdb"]
)
def test_a_folder_of_the_stores_own_files_is_refused(small: Path, place: str) -> None:
    before = sorted(small.parent.rglob("*"))
    with pytest.raises(StudyError, match="of the store"):
        publish(small, small.parent / place)
    assert sorted(small.parent.rglob("*")) == before


def test_a_stop_while_files_are_moved_in_can_be_published_again(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    publish(small, folder, private=True)
    moved, move = [], publishing.shutil.move

    def stop(source: Path, target: Path) -> None:
        """Interrupt at the third file."""
        moved.append(move(source, target))
        if len(moved) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing.shutil, "move", stop)
        with pytest.raises(KeyboardInterrupt):
            publish(small, folder, calls=False)
    publish(small, folder, calls=False)
    publish(small, tmp_path / "new", calls=False)
    assert words_of(folder) == words_of(tmp_path / "new")


def test_drafts_of_killed_publications_are_removed_and_those_of_others_are_not(
    small: Path, tmp_path: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    kept = [
        tmp_path / name
        for name in (f".site.new-{os.getppid()}", f".other.new-{gone.pid}", ".site.new-notes")
    ]
    for draft in (tmp_path / f".site.new-{gone.pid}", tmp_path / f".site.new-{os.getpid()}", *kept):
        (draft / "debate").mkdir(parents=True)
    publish(small, tmp_path / "site")
    assert sorted(tmp_path.glob(".*.new-*")) == sorted(kept)


@pytest.mark.parametrize("words", [["publish", "site"], ["view", "--port", "0"]])
def test_a_stopped_look_does_not_speak_of_runs(
    planted: Path, tmp_path: Path, words: list[str]
) -> None:
    command = [sys.executable, "-m", "arena", *words, "--db", str(planted)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        while words[0] == "publish" and not list(tmp_path.glob(".site.new-*/index.html")):
            time.sleep(0.01)
        if words[0] == "view":
            assert process.stdout is not None
            process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)
    assert "Continue with" not in "".join(said)
    assert list(tmp_path.iterdir()) == []


def test_publishing_again_replaces_the_pages_and_a_stopped_one_changes_nothing(
    planted: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    publish(planted, folder, private=True, calls=False)
    before = words_of(folder)

    def stop(written: int, known: int) -> None:
        """Interrupt in the middle."""
        if written == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(planted, folder, watch=stop)
    assert words_of(folder) == before
    assert [one.name for one in tmp_path.iterdir()] == ["site"]
    publish(planted, folder, calls=False)
    assert not any(word in words_of(folder) for word in PRIVATE)


def test_pages_written_in_groups_are_those_written_alone_and_unchanged_files_stay(
    planted: Path, private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def times() -> dict[str, int]:
        """Return when each page was written."""
        return {str(file): file.stat().st_mtime_ns for file in sorted(private.rglob("*.html"))}

    before = times()
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(publishing, "GROUP", 1)
    publish(planted, tmp_path / "alone", private=True)
    assert words_of(tmp_path / "alone") == words_of(private)
    publish(planted, private, private=True, watch=lambda *numbers: told.append(numbers))
    assert times() == before
    assert told[0][0] == 0
    assert 0.8 * told[-1][0] < told[0][1] <= told[-1][0]


def test_no_two_addresses_share_a_file() -> None:
    names = ["a", "A", "a-b", "a.b", "a b", "a/b", "../a", "", "é", "a" * 200]
    asked = [
        {},
        {"figure": "x"},
        {"seat": "b", "step": "1"},
        {"seat": "b-1", "step": "1"},
        {"page": "2"},
        {"arm": "x", "figure": "y"},
    ]
    files = [
        file_name(kind, name, query)
        for kind in ("study", "call", "figure", "figure.svg")
        for name in names
        for query in asked
    ]
    assert len({file.lower() for file in files}) == len(files)
    assert not any(".." in Path(file).parts or file.startswith("/") for file in files)


def test_a_published_link_is_relative(tmp_path: Path) -> None:
    site = Site(tmp_path / "x.duckdb", "../", static=True)
    assert site.link("call", "e1", {"seat": "pro", "step": 0}) == "../call/e1.pro.0.html"
