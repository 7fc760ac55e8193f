"""Test the cache of pages."""

from __future__ import annotations

from pathlib import Path

from arena.errors import StoreError
from arena.web.app import page_cache
from arena.web.site import ErrorContent, Page, Query, Site


def test_an_error_that_passes_is_not_kept_and_a_page_is(tmp_path: Path) -> None:
    calls = []

    def page(site: Site, name: str, query: Query) -> Page:
        """Fail the first time, as if another process held the store."""
        calls.append(name)
        if len(calls) == 1:
            raise StoreError("the store is held by another process")
        return Page("error.html", "There", ErrorContent("there it is"))

    kept = page_cache(Site(tmp_path / "a.duckdb"))
    assert [kept(page, "", (), False, "one moment")[0] for _ in range(3)] == [503, 200, 200]
    assert len(calls) == 2
    assert kept(page, "", (), False, "another moment")[0] == 200
    assert len(calls) == 3
