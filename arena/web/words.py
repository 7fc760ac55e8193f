"""Write values as HTML: text of models is escaped, cut, and shown with its hidden characters."""

from __future__ import annotations

import functools
import math
import unicodedata
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from arena.play.prompt import NO_SPEECH
from arena.web.site import Page, Site

LONGEST = 40_000
# Almost every text consists of printable characters and these.
PLAIN_BREAKS = {ord(char): None for char in "\n\t"}
NONE = Markup('<span class="none">–</span>')


def is_plain(char: str) -> bool:
    """Return whether a character only shows itself: printable, a line end, a tab or any space."""
    return char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs"


def safe_html(text: object, longest: int = LONGEST) -> Markup:
    """Return text as HTML; controls and marks of writing direction appear as code points."""
    if text is None:
        return NONE
    whole = str(text)
    # The fast path: one pass in C decides for nearly all texts.
    if len(whole) <= longest and whole.translate(PLAIN_BREAKS).isprintable():
        return escape(whole)
    pieces: list[str] = []
    plain: list[str] = []
    for char in whole[:longest]:
        if is_plain(char):
            plain.append(char)
            continue
        code_point = f"U+{ord(char):04X}"
        pieces.append(escape("".join(plain)))
        pieces.append(
            Markup(f'<span class="control" title="a control character">{code_point}</span>')
        )
        plain = []
    pieces.append(escape("".join(plain)))
    if len(whole) > longest:
        pieces.append(
            Markup('<span class="cut">… {:,} more characters</span>').format(len(whole) - longest)
        )
    return Markup("").join(pieces)


def brief(text: object, longest: int = 100) -> Markup:
    """Return the beginning of a text on one line, for lists whose links lead to the whole."""
    if text is None:
        return NONE
    # Spaces collapse, so more than `longest` characters are read; not all of an endless text.
    line = " ".join(str(text)[: 4 * longest].split())
    return safe_html(line if len(line) <= longest else line[: longest - 1].rstrip() + "…")


def percent(value: float | None, digits: int = 0) -> Markup | str:
    """Return a share or confidence in [0, 1] as percent; a dash for None and nan."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f}%"


def number(value: float | None, digits: int = 0) -> Markup | str:
    """Return a number with thousands separators; a dash for None."""
    return NONE if value is None else f"{value:,.{digits}f}"


def dollars(value: float | None) -> Markup | str:
    """Return an amount of dollars; a dash for an unknown cost, which is not zero."""
    if value is None:
        return Markup('<span class="none" title="unknown, not zero">–</span>')
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def seconds(value: float | None) -> Markup | str:
    """Return seconds, or milliseconds below one second; a dash for None."""
    if value is None:
        return NONE
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:,.1f} s"


@functools.cache
def environment() -> Environment:
    """Return the templates; all values are escaped, and an unknown name is an error."""
    env = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        # A misspelled name is an error, not an empty place on the page.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "shown": safe_html,
        "brief": brief,
        "percent": percent,
        "number": number,
        "dollars": dollars,
        "seconds": seconds,
    }
    env.globals["no_speech"] = NO_SPEECH
    return env


def render(site: Site, page: Page, *, trusted: bool = False, running: bool = False) -> str:
    """Return a page as HTML.

    `trusted`: whether its reader may change something; `running`: whether a run was writing when
    the page was made.
    """
    template = environment().get_template(page.template)
    live = page.live and running
    values = page.content.by_name()
    return template.render(site=site, title=page.title, trusted=trusted, live=live, **values)
