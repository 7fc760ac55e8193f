"""The kinds of pages: (kind, address, function).  A page's function takes the site, the name in the address, and the query in it."""

from __future__ import annotations

from collections.abc import Callable

from arena.web.pages.studies import studies
from arena.web.pages.study import study
from arena.web.site import Page, Query, Site

PageFunction = Callable[[Site, str, Query], Page]
PAGES: tuple[tuple[str, str, PageFunction], ...] = (
    ("", "/", studies),
    ("study", "/study/{name:path}", study),
)
