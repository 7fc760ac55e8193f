"""The kinds of addresses: (kind, address, function).  A function takes the site, the name in the address, and the query in it.

PAGES are HTML, FILES are pictures and downloads.
"""

from __future__ import annotations

from collections.abc import Callable

from arena.web.pages.studies import studies
from arena.web.pages.study import study
from arena.web.site import Document, Page, Query, Site

PageFunction = Callable[[Site, str, Query], Page]
FileFunction = Callable[[Site, str, Query], Document]
PAGES: tuple[tuple[str, str, PageFunction], ...] = (
    ("", "/", studies),
    ("study", "/study/{name:path}", study),
)
FILES: tuple[tuple[str, str, FileFunction], ...] = ()
