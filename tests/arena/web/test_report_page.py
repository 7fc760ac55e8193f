"""Test the page with the report on a study: the blocks that `arena report` prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import report_document
from arena.errors import StudyError
from arena.web.pages import PAGES
from arena.web.site import Site
from tests.arena.web.conftest import RunningViewer

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

report = dict((kind, make) for kind, _, make in PAGES)["report"]


def test_every_table_of_the_report_is_one_click_from_the_study(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/study/tournament")
    page.get_by_role("link", name="The whole report, in tables").click()
    expect(page).to_have_url(re.compile("/report/"))
    document = report_document(study_reports(tournament, "tournament")[0])
    tables = [block for block in document.blocks if block.rows]
    assert len(tables) >= 3
    expect(page.locator("table")).to_have_count(len(tables))
    for block, table in zip(tables, page.locator("table").all(), strict=True):
        cells = [cell for row in block.rows for cell in row]
        assert [text.strip() for text in table.locator("td").all_inner_texts()] == cells
    expect(page.get_by_text("SIMULATED").first).to_be_visible()
    assert Axe().run(page).violations_count == 0


def test_reports_need_a_known_study_and_private_ratings(tournament: Path) -> None:
    with pytest.raises(StudyError, match="nothing"):
        report(Site(tournament), "nothing", {})
    with pytest.raises(StudyError, match="private"):
        report(Site(tournament, private=False), "tournament", {})
