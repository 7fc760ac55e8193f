"""Test the page that compares two studies: pairs with links, differences, and unmatched plays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from analysis.reports.play_pairs import pairs
from arena.cli.main import main
from arena.web.pages import PAGES
from arena.web.site import Site
from arena.web.words import render
from tests.arena.web.conftest import RunningViewer

# Each page takes a store, a server and seconds.
pytestmark = pytest.mark.slow

compare = dict((kind, make) for kind, _, make in PAGES)["compare"]
STUDIES = {"a": "two_llms_debate_self", "b": "two_llms_debate_informed"}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with two studies on the same motions, and a third of questions."""
    db = tmp_path_factory.mktemp("two") / "two.duckdb"
    for preset in ("self", "informed"):
        assert (
            main(
                [
                    "run",
                    "experiments/two_llms_debate.py",
                    "-o",
                    f"preset={preset}",
                    "--limit",
                    "18",
                    "--db",
                    str(db),
                ]
            )
            == 0
        )
    return db


def made(db: Path, **query: str) -> str:
    """Return the page as HTML."""
    return render(Site(db), compare(Site(db), "", query))


def test_two_studies_are_chosen_compared_and_each_pair_links_to_both(
    page: Page, serve: Callable[[Path], RunningViewer], two: Path
) -> None:
    page.goto(f"{serve(two).url}/compare")
    page.get_by_label("A, the baseline").select_option(STUDIES["a"])
    page.get_by_label("B, compared with it").select_option(STUDIES["b"])
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("row", name="confidence, closing")).to_be_visible()
    first = pairs(two, STUDIES["a"], STUDIES["b"])[0]
    row = page.locator(".pairs tbody tr").first
    assert [link.get_attribute("href") for link in row.get_by_role("link").all()] == [
        f"/debate/{first.episode}",
        f"/debate/{first.other_episode}",
    ]
    row.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_only_pairs_that_differ_can_be_shown(two: Path) -> None:
    every = pairs(two, STUDIES["a"], STUDIES["b"])
    differing = [pair for pair in every if pair.differs]
    assert 0 < len(differing) < len(every)
    assert f"{len(every)} pairs" in made(two, **STUDIES)
    only = made(two, **STUDIES, only="differences")
    assert f"{len(differing)} pairs</p>" in only
    assert all((pair.episode in only) == pair.differs for pair in every)


def test_simulated_studies_are_labelled_and_unmatched_plays_are_counted(two: Path) -> None:
    text = made(two, **STUDIES)
    assert text.count("SIMULATED</strong>") == 2
    assert "Without a partner, and left out: 0 of 18 in A, 0 of 18 in B" in text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"a": "x", "b": STUDIES["b"]}, "x"),
        ({"a": STUDIES["a"], "b": STUDIES["a"]}, "twice"),
        ({**STUDIES, "by": "colour"}, "by must be one of"),
    ],
)
def test_what_cannot_be_compared_is_said_above_the_form(
    two: Path, query: dict[str, str], words: str
) -> None:
    text = made(two, **query)
    assert words in text.partition("<form")[0].partition('role="alert"')[2]


def test_the_page_has_no_violations_of_accessibility(
    page: Page, serve: Callable[[Path], RunningViewer], two: Path
) -> None:
    for query in ("", "?a={a}&b={b}".format(**STUDIES)):
        page.goto(f"{serve(two).url}/compare{query}")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
