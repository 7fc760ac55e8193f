"""What all reports are printed with: plain tables, sentences, and numbers as text.

Confidences and shares stand in percent.  What is undefined or not there is "-".  Names and reasons come from models and imports, so
characters that could steer a terminal are replaced.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]
WIDTH = 100
COLUMN_GAP = 3


def print_block(
    console: Console,
    title: str = "",
    headings: Sequence[str] = (),
    rows: Sequence[Sequence[object]] = (),
    notes: Sequence[str] = (),
    *,
    text_columns: int = 1,
) -> None:
    """Print a table with notes below it; the first `words` columns hold words, the others numbers.  Nothing without rows and notes."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if rows:
        drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        widths = [
            max(len(str(row[number])) for row in (headings, *rows))
            for number in range(len(headings))
        ]
        # A name is not broken in the middle where the numbers leave room for it.
        room = console.width - sum(width + COLUMN_GAP for width in widths[1:])
        for number, heading in enumerate(headings):
            justify: Literal["left", "right"] = "left" if number < text_columns else "right"
            least = max(1, min(widths[0], room)) if number == 0 else None
            drawn.add_column(
                Text(clean(heading)),
                justify=justify,
                overflow="fold",
                no_wrap=number >= text_columns,
                min_width=least,
            )
        for row in rows:
            drawn.add_row(*(Text(clean(str(cell))) for cell in row))
        say(console, title)
        console.print(drawn)
    for note in notes:
        say(console, note)
    if rows or notes:
        console.print()


def say(console: Console, words: str) -> None:
    """Print a sentence, wrapped with its further lines indented."""
    from rich.text import Text

    lines = textwrap.wrap(
        clean(words), console.width, subsequent_indent="    ", break_on_hyphens=False
    )
    console.print(Text("\n".join(lines)))


def clean(text: str) -> str:
    """The text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def decimal(value: float | None, digits: int) -> str:
    """A number, or "-"."""
    return "-" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as percent, without the sign, or "-"."""
    return decimal(None if value is None else 100 * value, digits)


def interval(row: Json, digits: int = 1) -> str:
    """The interval of a row in percent, or "-"."""
    return (
        "-"
        if row["ci_low"] is None
        else f"{percent(row['ci_low'], digits)} to {percent(row['ci_high'], digits)}"
    )


def mean_with_interval(row: Json | None) -> str:
    """The mean of a row in points, signed, with its interval, or "-"."""
    return (
        "-" if row is None or row["mean"] is None else f"{100 * row['mean']:+.1f} ({interval(row)})"
    )


def count_with_share(count: int, whole: int) -> str:
    """A count with its share in percent."""
    return f"{count} ({100 * count / whole:.1f})" if whole else "0"


def p_value(p: float | None) -> str:
    """A p-value, or "-"."""
    return "-" if p is None else f"{p:.2g}"
