"""Test that text of charts takes the room that was laid out for it, in any font."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import sync_playwright

from analysis.figures.charts.style import (
    ChartTitle,
    finish_chart,
    layer,
    nominal,
    pdf,
    quantitative,
    svg,
)
from analysis.figures.charts.text_width import ADVANCES, keep_widths, text_width
from tests.chromium import chromium

ALL_LETTERS = "".join(ADVANCES[False])
MEASURE = """([words, font]) => {
    const context = document.createElement('canvas').getContext('2d');
    context.font = font;
    context.fontKerning = 'none';
    return [...words].map(letter => context.measureText(letter).width);
}"""
BOXES = """() => [...document.querySelectorAll('text')].map(text => {
    const {left, right} = text.getBoundingClientRect();
    return [left, right];
})"""


def drawing() -> str:
    """Return a chart with labels, a title of two lines and hostile words."""
    rows = [
        {"name": "sim/confident:unreadable=0.3", "value": 60},
        {"name": "R&D <WAVE>", "value": 5},
    ]
    chart = layer(rows, "bar", {"x": quantitative("value"), "y": nominal("name")})
    return svg(finish_chart(chart, ChartTitle("How sure", ("n = 60 debates", "only x"))))


def test_a_width_is_that_of_the_font_and_an_unknown_letter_has_none() -> None:
    # The sums of Helvetica's published advances.
    assert text_width("AV n = 60", 10) == pytest.approx(
        (667 + 667 + 278 + 556 + 278 + 584 + 278 + 556 + 556) / 100
    )
    assert text_width("AV", 10, bold=True) == pytest.approx((722 + 667) / 100)
    assert text_width("語", 10) is None
    assert keep_widths('<text font-size="9px">語</text>') == '<text font-size="9px">語</text>'


def test_every_line_of_a_chart_says_its_width() -> None:
    lines = re.findall(r"<(?:text|tspan)([^>]*)>([^<]+)</", drawing())
    assert {"R&amp;D &lt;WAVE&gt;", "How sure", "n = 60 debates"} <= {words for _, words in lines}
    assert all("textLength=" in head for head, words in lines if words.strip())
    [width] = (
        float(found[1])
        for head, words in lines
        if words.startswith("R&amp;D") and (found := re.search(r'textLength="([\d.]+)"', head))
    )
    assert width == pytest.approx(text_width("R&D <WAVE>", 9), abs=0.05)


def test_a_pdf_is_as_wide_as_a_column_and_holds_its_font() -> None:
    content = pdf(drawing())
    width = float(re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+)", content)[0])
    assert width == pytest.approx(8.5 / 2.54 * 72, abs=0.5)
    assert b"/FontFile" in content


@pytest.mark.slow
def test_a_browser_without_the_font_draws_text_as_wide_as_one_with_it() -> None:
    picture = drawing()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        for weight, bold in (("normal", False), ("bold", True)):
            font = f'{weight} 1000px "Liberation Sans"'
            measured = page.evaluate(MEASURE, [ALL_LETTERS, font])
            nowhere = f'{weight} 1000px "No Such Font"'
            if measured == page.evaluate(MEASURE, [ALL_LETTERS, nowhere]):
                # The system has not the font: this browser is the one without it.
                continue
            expected = [text_width(letter, 1000, bold=bold) for letter in ALL_LETTERS]
            assert measured == pytest.approx(expected, abs=1)
        page.set_content(picture)
        boxes = page.evaluate(BOXES)
        for other in ("DejaVu Sans", "serif", "monospace"):
            page.set_content(picture.replace("Liberation Sans, Arial, Helvetica", other))
            for here, there in zip(boxes, page.evaluate(BOXES), strict=True):
                assert there == pytest.approx(here, abs=1.5)
        browser.close()
