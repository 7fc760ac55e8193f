"""The pages in a real browser: studies first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.conftest import Served


def test_the_first_page_lists_the_studies(page: Page, serve: Callable[[Path], Served], tournament: Path) -> None:
    page.goto(serve(tournament).with_token)
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    row = page.get_by_role("row", name="tournament").first
    expect(row).to_contain_text("SIMULATED")
