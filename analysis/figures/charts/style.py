"""How every figure looks: the same on every machine, and fit for a column of a paper (8.5 cm).

Figures are readable in grey and by the colour-blind: colours are those of Okabe and Ito (2008,
"Color Universal Design"), and marks that differ in colour differ in shape or dash too. The font is
Liberation Sans, which the converter ships; browsers that lack it take Arial, of the same widths,
or fit another font into these (text_width.py).
Nothing is drawn that holds no information: no box, and no grid except where values are read off.
Interaction is left out, since figures are made for paper.

Text of users and models (names of studies, models, phases, reasons) enters a chart as data or as
plain titles, never as an expression.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from analysis.figures.charts.text_width import keep_widths
from analysis.reports.tables.formatting import clean
from arena.text import printable

Row = dict[str, Any]
# A specification in Vega-Lite, or a part of one.  Plain dicts, since altair, which writes the
# same, copies each layer many times.
Chart = dict[str, Any]

WIDTH = 321  # 8.5 cm in pixels of a browser, of which 96 make an inch
DPI = 300
GRAMMAR = "6.4"  # of Vega-Lite
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, QUIET, FAINT, LINE = "#1a1a1a", "#555555", "#9a9a9a", "#cfcfcf"
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, BLACK, ORANGE, SKY)
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES: tuple[list[int], ...] = ([1, 0], [5, 3], [2, 2], [7, 2, 2, 2])
# The converter would put its own address before a relative link; `svg` takes ours out again.
ORIGIN = "https://store.invalid"
GEOMETRY = re.compile(r' (?:d|transform)="[^"]*"')
ROOT_SIZE = re.compile(r' width="([0-9.]+)" height="([0-9.]+)"')
DECIMALS = re.compile(r"\d+\.\d{3,}")
# Text that the converter writes and nobody sees: outlines without a colour, and roles without a
# name, which a screen reader would read aloud.
UNSEEN = re.compile(
    r'<path class="(?:background|foreground)" aria-hidden="true" d="[^"]*"'
    r'(?: pointer-events="none")?(?: display="none")?/>'
    r'|(?: role="graphics-\w+")? aria-roledescription="[^"]*"| aria-label="[^"]*"'
)
LETTERS = 62  # of a line of notes
NAME_LETTERS = 40
STYLE: Chart = {
    "font": FONT,
    "aria": False,
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "bounds",
        "fontSize": 11,
        "color": INK,
        "subtitleFontSize": 9,
        "subtitleColor": QUIET,
        "subtitlePadding": 2,
        "offset": 8,
    },
    "axis": {
        "labelFontSize": 9,
        "titleFontSize": 9.5,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": QUIET,
        "tickColor": QUIET,
        "tickSize": 3,
        "gridColor": "#ebebeb",
        "titlePadding": 4,
        "labelPadding": 3,
        "labelLimit": 150,
    },
    # A label stands at its tick, also at the ends; on x it would make a figure too wide.
    "axisY": {"labelFlush": False},
    "legend": {
        "title": None,
        "orient": "top",
        "labelFontSize": 9,
        "labelColor": INK,
        "labelLimit": 200,
        "symbolSize": 40,
        "offset": 4,
        "padding": 0,
    },
}


@dataclass(frozen=True, slots=True)
class ChartTitle:
    """The title of a figure, and the lines below it."""

    title: str
    notes: tuple[str, ...] = ()


def layer(rows: Sequence[Row], mark: Chart, encoding: Chart) -> Chart:
    """Return rows drawn as marks; each channel of `encoding` names the entry that it shows."""
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": encoding}


def quantitative(entry: str, *, scale: Chart | None = None, axis: Chart | None = None) -> Chart:
    """Return a channel that shows an entry that is a number."""
    options = {"scale": scale, "axis": axis}
    return {"field": entry, "type": "quantitative"} | {
        key: value for key, value in options.items() if value is not None
    }


def nominal(entry: str) -> Chart:
    """Return a channel that shows an entry that is a text."""
    return {"field": entry, "type": "nominal"}


def escape_text(value: object) -> object:
    """Return the value with all its text made printable, except line breaks.

    The converter ends the whole process at a NUL.
    """
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: escape_text(inner) for key, inner in value.items()}
    return [escape_text(inner) for inner in value] if isinstance(value, list | tuple) else value


def finish_chart(chart: Chart, words: ChartTitle, *, fit: bool = True) -> Chart:
    """Return the chart with its title and the common style.

    `fit` makes a single panel with its labels as wide as a column.
    """
    notes = [cut(note, LETTERS) for note in words.notes]
    # A space keeps the converter from treating no subtitle and an empty one differently.
    title = {"text": clean(words.title), "subtitle": notes or [" "]}
    sized = {"width": WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}} if fit else {}
    return sized | chart | {"title": title, "padding": 2, "background": "white", "config": STYLE}


def cut(text: str, letters: int) -> str:
    """Return the text cut to a number of letters, without characters that mislead a reader."""
    plain = clean(text)
    return plain if len(plain) <= letters else plain[: letters - 1] + "…"


def short_names(names: Sequence[str], *, letters: int = NAME_LETTERS) -> dict[str, str]:
    """Return how each model is called in a figure, by name.

    The provider before the first "/" is left out if the rest is unique.
    """
    tails = {name: name.partition("/")[2] or name for name in names}
    often = Counter(tails.values())
    return distinct_names(
        names, [tail if often[tail] == 1 else name for name, tail in tails.items()], letters=letters
    )


def distinct_names(
    names: Sequence[str], words: Sequence[str] | None = None, *, letters: int = NAME_LETTERS
) -> dict[str, str]:
    """Return how each name is written in a figure, by name.

    It is printable, cut in the middle if it is long, and numbered if two would look alike.
    """
    cut_names = {
        name: cut_middle(text, letters)
        for name, text in zip(names, names if words is None else words, strict=True)
    }
    often = Counter(cut_names.values())
    seen = Counter[str]()
    shown = {}
    for name, text in cut_names.items():
        seen[text] += 1
        shown[name] = text if often[text] == 1 else f"{text} ({seen[text]})"
    return shown


def cut_middle(text: str, letters: int) -> str:
    """Return the text, printable, without its middle if it is long.

    The end stays, since models differ at the end of their names.
    """
    plain = clean(text)
    return (
        plain
        if len(plain) <= letters
        else f"{plain[: letters // 2 - 1]}…{plain[-(letters // 2) :]}"
    )


def debate_link(episode: str) -> str:
    """Return the address of an episode's page in the viewer, its id quoted."""
    return f"{ORIGIN}/debate/{quote(episode, safe='')}"


def svg(chart: Chart) -> str:
    """Return the chart as SVG, `WIDTH` pixels wide.

    Text stays text, nothing is loaded, and links are as `debate_link` made them, without ORIGIN.
    """
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(
        json.dumps(escape_text(chart), allow_nan=False), vl_version=GRAMMAR
    )
    rounded = GEOMETRY.sub(round_numbers, UNSEEN.sub("", drawn))
    return keep_widths(rounded).replace(f'="{ORIGIN}/', '="/')


def round_numbers(geometry: re.Match[str]) -> str:
    """Return an attribute that draws, with its numbers rounded to a hundredth of a pixel.

    This halves the file and changes nothing on paper.
    """
    return DECIMALS.sub(
        lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), geometry[0]
    )


def png(drawing: str, scale: float = DPI / 96) -> bytes:
    """Return an SVG as PNG with `scale` pixels for each of its own.

    By default these are 300 to the inch at a width of 8.5 cm, as the file says.
    """
    import vl_convert

    # The converter counts 72 pixels to the inch at scale 1, browsers 96.
    drawn: bytes = vl_convert.svg_to_png(drawing, scale=0.75, ppi=96 * scale)
    return drawn


def pdf(drawing: str) -> bytes:
    """Return an SVG as PDF, 8.5 cm wide if it is WIDTH, in which text is of an embedded font."""
    import vl_convert

    # The converter makes a pixel a point: 72 of these are an inch, and 96 pixels.
    drawn: bytes = vl_convert.svg_to_pdf(ROOT_SIZE.sub(in_points, drawing, count=1))
    return drawn


def in_points(size: re.Match[str]) -> str:
    """Return the size of a drawing in points; its view box stays in pixels."""
    width, height = (float(number) * 0.75 for number in size.groups())
    return f' width="{width:g}" height="{height:g}"'
