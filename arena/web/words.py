"""How values are written on pages.  Text of models is hostile: it is escaped, cut where it is endless, and what would steer is shown."""

from __future__ import annotations

import functools
import math
import unicodedata
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from arena.web.site import Page, Site

LONGEST = 40_000
# What almost every text holds beside what can be printed.
PLAIN_BREAKS = {ord(c): None for c in "\n\t"}
NONE = Markup('<span class="none">–</span>')


def is_plain(c: str) -> bool:
    """Whether a character only shows itself: what can be printed, ends of lines, tabs, and spaces of any width."""
    return c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs"


def safe_html(text: object, longest: int = LONGEST) -> Markup:
    """Text as HTML that only shows it: controls, escapes and marks of writing direction stand as their code points."""
    if text is None:
        return NONE
    whole = str(text)
    if len(whole) <= longest and whole.translate(PLAIN_BREAKS).isprintable():
        return escape(whole)
    pieces: list[str] = []
    plain: list[str] = []
    for c in whole[:longest]:
        if is_plain(c):
            plain.append(c)
        else:
            pieces += [
                escape("".join(plain)),
                Markup(f'<span class="control" title="a control character">U+{ord(c):04X}</span>'),
            ]
            plain = []
    pieces.append(escape("".join(plain)))
    if len(whole) > longest:
        pieces.append(
            Markup('<span class="cut">… {:,} more characters</span>').format(len(whole) - longest)
        )
    return Markup("").join(pieces)


def brief(text: object, longest: int = 100) -> Markup:
    """The beginning of a text, on one line, for lists whose links lead to the whole."""
    if text is None:
        return NONE
    line = " ".join(str(text)[: 4 * longest].split())
    return safe_html(line if len(line) <= longest else line[: longest - 1].rstrip() + "…")


def percent(value: float | None, digits: int = 0) -> Markup | str:
    """A share or confidence in [0, 1] as percent; a dash where there is none."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f}%"


def number(value: float | None, digits: int = 0) -> Markup | str:
    """A number with separators; a dash where there is none."""
    return NONE if value is None else f"{value:,.{digits}f}"


def dollars(value: float | None) -> Markup | str:
    """Dollars; a dash where the cost is unknown, which is not zero."""
    if value is None:
        return Markup('<span class="none" title="unknown, not zero">–</span>')
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def seconds(value: float | None) -> Markup | str:
    """Seconds, short ones in milliseconds."""
    if value is None:
        return NONE
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:,.1f} s"


@functools.cache
def environment() -> Environment:
    """The templates, with everything escaped that is not marked as safe, and an error for a name that is not there."""
    env = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
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
    return env


def render(site: Site, page: Page, *, trusted: bool = False, running: bool = False) -> str:
    """A page as HTML; `trusted`: whether its reader may change something, `running`: whether a run was writing when it was made."""
    template = environment().get_template(page.template)
    return template.render(
        site=site, title=page.title, trusted=trusted, live=page.live and running, **page.content
    )
