"""Published pages: nothing private in any byte, no broken link, and no folder of somebody else's lost."""

from __future__ import annotations

import html
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Page

from arena.cli import main
from arena.errors import StudyError
from arena.web.publish import publish
from arena.web.site import Site, file_name
from tests.web.planted import MOTIONS, PRIVATE, plant, rating_of

EVERY_RATING = [rating_of(number, seat, step) for number in range(len(MOTIONS)) for seat in ("proposition", "opposition") for step in range(3)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with words in every private place."""
    return plant(tmp_path_factory.mktemp("planted") / "planted.duckdb")


@pytest.fixture(scope="module")
def public(planted: Path) -> Path:
    """The store published by the command, without what is private."""
    folder = planted.parent / "public"
    assert main(["publish", str(folder), "--db", str(planted)]) == 0
    return folder


@pytest.fixture(scope="module")
def private(planted: Path) -> Path:
    """The store published with what is private."""
    folder = planted.parent / "private"
    publish(planted, folder, private=True)
    return folder


@pytest.fixture(scope="module")
def without_calls(planted: Path) -> tuple[Path, str]:
    """The store published without pages of calls, and what the command printed."""
    folder, printed = planted.parent / "without_calls", StringIO()
    with redirect_stdout(printed):
        assert main(["publish", str(folder), "--db", str(planted), "--no-calls"]) == 0
    return folder, printed.getvalue()


def words_of(folder: Path) -> str:
    """Everything that was written, one file after the other."""
    return "\n".join(file.read_text("utf-8") for file in sorted(folder.rglob("*")) if file.is_file())


def written(page: str, *, episode: bool) -> list[float]:
    """The ratings that stand on a page, as percent or share; on that of an episode, where no means are, also those to one digit or none."""
    numbers = set(re.findall(r"\d+(?:\.\d+)?", page))
    found = [rating for rating in EVERY_RATING if {f"{rating:g}", f"{rating / 100:.4f}"} & numbers]
    percents = set(re.findall(r"(\d+(?:\.\d)?)%", page)) if episode else set()
    return found + [rating for rating in EVERY_RATING if {f"{rating:.1f}", f"{rating:.0f}"} & percents]


@pytest.mark.parametrize("word", PRIVATE)
def test_no_private_word_is_published_and_with_private_all_are(public: Path, private: Path, word: str) -> None:
    assert word not in words_of(public)
    assert word in words_of(private)


def test_no_single_rating_is_published(public: Path, private: Path) -> None:
    pages = [file for file in public.rglob("*.html") if file.parent.name in ("call", "debate", "question")]
    assert {file.name: found for file in pages if (found := written(file.read_text(), episode=True))} == {}
    for kind in ("call", "debate"):
        assert any(written(file.read_text(), episode=True) for file in (private / kind).iterdir())
    # Where means and limits stand, one may be the same as some rating; a list of ratings would be many.
    assert max(len(written(file.read_text(), episode=False)) for file in public.rglob("*.html") if file not in pages) <= 2
    assert "its confidence" not in words_of(public / "study")


def test_pictures_draw_means_and_no_single_debater(public: Path, private: Path) -> None:
    marks = [
        len(re.findall(r"<path|<line|<circle", (folder / "figure" / "planted.confidence.svg").read_text())) for folder in (public, private)
    ]
    assert 0 < marks[0] < marks[1]
    assert not list((public / "figure").glob("*both_sides*"))
    assert list((private / "figure").glob("*both_sides*"))


def test_public_words_and_public_prompts_are_published(public: Path) -> None:
    page = next(file for file in (public / "call").glob("*.proposition.1.html") if "You are a speaker." in file.read_text()).read_text()
    assert "opposition said it" in page
    assert "left out: private words" in page
    assert "This house would do number" in words_of(public / "debate")


def targets(file: Path) -> list[tuple[Path, str]]:
    """(file, fragment) of everything that a page refers to."""
    found = re.findall(r'(?:href|src)="([^"]*)"', file.read_text())
    parts = [urlsplit(html.unescape(one)) for one in found]
    assert all(not part.scheme and not part.netloc and not part.path.startswith("/") and not part.query for part in parts), found
    return [((file.parent / unquote(part.path)).resolve() if part.path else file, unquote(part.fragment)) for part in parts]


@pytest.mark.parametrize("which", ["public", "private", "without_calls"])
def test_no_link_is_broken(request: pytest.FixtureRequest, which: str) -> None:
    folder = request.getfixturevalue(which)
    pages = list((folder[0] if which == "without_calls" else folder).rglob("*.html"))
    broken = [
        (file.name, target.name, fragment)
        for file in pages
        for target, fragment in targets(file)
        if not target.is_file() or (fragment and f'id="{html.escape(fragment)}"' not in target.read_text())
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
            waiting += [link.partition("#")[0] for link in page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")]
    assert {Path(unquote(urlsplit(one).path)) for one in seen if one.endswith(".html")} == set(public.rglob("*.html"))


def test_other_studies_are_left_out_and_links_to_them_become_words(planted: Path, tmp_path: Path) -> None:
    publish(planted, tmp_path / "site", studies=["other one"])
    assert "planted" not in (tmp_path / "site" / "index.html").read_text().replace("planted.duckdb", "")
    assert not (tmp_path / "site" / "debate").exists() or len(list((tmp_path / "site" / "debate").iterdir())) == 1
    with pytest.raises(StudyError, match="no study 'none'"):
        publish(planted, tmp_path / "site", studies=["none"])


def test_pages_of_calls_can_be_left_out_and_that_is_said(without_calls: tuple[Path, str]) -> None:
    assert not (without_calls[0] / "call").exists()
    assert re.search(r"pages of \d+ turns were left out", without_calls[1])
    assert "few" not in without_calls[1]


def test_a_study_of_few_ratings_is_named(tmp_path: Path) -> None:
    few = tmp_path / "few.duckdb"
    assert main(["run", "experiments/two_llms_debate.py", "-o", "preset=self", "--limit", "2", "--db", str(few)]) == 0
    assert publish(few, tmp_path / "site", calls=False).few == ("two_llms_debate_self",)


def test_a_folder_with_other_files_is_refused_and_left_alone(planted: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StudyError, match="has not written"):
        publish(planted, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_publishing_again_replaces_the_pages_and_a_stopped_one_changes_nothing(planted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    publish(planted, folder, private=True, calls=False)
    before = words_of(folder)

    def stop(written: int, known: int) -> None:
        """Ctrl-C in the middle."""
        if written == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(planted, folder, watch=stop)
    assert words_of(folder) == before
    assert [one.name for one in tmp_path.iterdir()] == ["site"]
    publish(planted, folder, calls=False)
    assert not any(word in words_of(folder) for word in PRIVATE)


def test_no_two_addresses_share_a_file() -> None:
    names = ["a", "A", "a-b", "a.b", "a b", "a/b", "../a", "", "é", "a" * 200]
    asked = [{}, {"figure": "x"}, {"seat": "b", "step": "1"}, {"seat": "b-1", "step": "1"}, {"page": "2"}, {"arm": "x", "figure": "y"}]
    files = [file_name(kind, name, query) for kind in ("study", "call", "figure", "figure.svg") for name in names for query in asked]
    assert len({file.lower() for file in files}) == len(files)
    assert not any(".." in Path(file).parts or file.startswith("/") for file in files)


def test_a_published_link_is_relative(tmp_path: Path) -> None:
    site = Site(tmp_path / "x.duckdb", "../", static=True)
    assert site.link("call", "e1", {"seat": "pro", "step": 0}) == "../call/e1.pro.0.html"
