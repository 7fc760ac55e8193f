"""The addresses of the viewer: (kind, address, function).

A function takes the site, the name in the address and the query, and returns a page or a document.
PAGES are HTML, FILES are pictures and downloads.  KEYS are the keys of a query that a page goes by:
others are left out, so that one page is made once whatever else stands in its address.
"""

from __future__ import annotations

from arena.web.pages.call import call, text
from arena.web.pages.compare import compare
from arena.web.pages.estimators import estimators
from arena.web.pages.figure import FILTERS, figure, picture_pdf, picture_png, picture_svg
from arena.web.pages.images import IMAGE_KINDS, image
from arena.web.pages.report import CHOICES, report
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
    ("estimators", "/estimators/{name:path}", estimators),
    ("call", "/call/{name:path}", call),
    ("debate", "/debate/{name:path}", transcript),
    ("question", "/question/{name:path}", transcript),
    ("sql", "/sql", sql),
    ("compare", "/compare", compare),
)
FILES: tuple[tuple[str, str, PageFunction], ...] = (
    ("figure.svg", "/figure.svg/{name:path}", picture_svg),
    ("figure.png", "/figure.png/{name:path}", picture_png),
    ("figure.pdf", "/figure.pdf/{name:path}", picture_pdf),
    *((kind, f"/{kind}/{{name:path}}", image) for kind in IMAGE_KINDS),
    ("text", "/text/{name:path}", text),
    ("sql.svg", "/sql.svg", chart_svg),
    ("sql.csv", "/sql.csv", make_download("csv")),
    ("sql.json", "/sql.json", make_download("json")),
    ("sql.parquet", "/sql.parquet", make_download("parquet")),
)
DRAWN = ("figure", *FILTERS)
KEYS: dict[str, tuple[str, ...]] = {
    "": (),
    "study": (*FILTERS, "sort", "page"),
    "figure": DRAWN,
    "figure.svg": DRAWN,
    "figure.png": DRAWN,
    "figure.pdf": DRAWN,
    **dict.fromkeys(IMAGE_KINDS, ()),
    "report": CHOICES,
    "estimators": (),
    "call": ("seat", "step"),
    "text": ("seat", "step", "what"),
    "debate": ("private", "block", "page"),
    "question": ("private", "block", "page"),
    "sql": ("q", "from", "page", "chart", "x", "y", "saved"),
    "sql.svg": ("q", "from", "chart", "x", "y"),
    "sql.csv": ("q", "from"),
    "sql.json": ("q", "from"),
    "sql.parquet": ("q", "from"),
    "compare": ("a", "b", "by", "only", "page"),
}
