"""The addresses of the viewer: (kind, address, function).

A function takes the site, the name in the address and the query, and returns a page or a document.
PAGES are HTML, FILES are pictures and downloads.
"""

from __future__ import annotations

from arena.web.pages.call import call, text
from arena.web.pages.compare import compare
from arena.web.pages.figure import figure, picture_png, picture_svg
from arena.web.pages.report import report
from arena.web.pages.sql import chart_svg, make_download, sql
from arena.web.pages.studies import studies
from arena.web.pages.study import study
from arena.web.pages.transcript import transcript
from arena.web.site import PageFunction

PAGES: tuple[tuple[str, str, PageFunction], ...] = (
    ("", "/", studies),
    ("study", "/study/{name:path}", study),
    ("figure", "/figure/{name:path}", figure),
    ("report", "/report/{name:path}", report),
    ("call", "/call/{name:path}", call),
    ("debate", "/debate/{name:path}", transcript),
    ("question", "/question/{name:path}", transcript),
    ("sql", "/sql", sql),
    ("compare", "/compare", compare),
)
FILES: tuple[tuple[str, str, PageFunction], ...] = (
    ("figure.svg", "/figure.svg/{name:path}", picture_svg),
    ("figure.png", "/figure.png/{name:path}", picture_png),
    ("text", "/text/{name:path}", text),
    ("sql.svg", "/sql.svg", chart_svg),
    ("sql.csv", "/sql.csv", make_download("csv")),
    ("sql.json", "/sql.json", make_download("json")),
    ("sql.parquet", "/sql.parquet", make_download("parquet")),
)
