"""Charts are valid, tell groups apart without colour, and hold text of models as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from analysis.figures.charts import answers, debates
from analysis.figures.charts.style import (
    COLOURS,
    DASHES,
    GRAMMAR,
    SHAPES,
    ChartTitle,
    cut,
    debate_link,
    distinct_names,
    png,
    short_names,
    svg,
)

HOSTILE = "<script>alert(1)</script>&\"'\u202e\u2066\x00"
WORDS = ChartTitle("How sure", ("a study",))
ESTIMATES = [
    {"name": "a", "value": 1.0, "low": 0.0, "high": 2.0, "label": "n = 2"},
    {"name": "b", "value": 3.0, "low": None, "high": None, "label": "n = 1"},
]


def phase(name: str, mean: float, group: str = "") -> dict[str, Any]:
    """A row of confidence."""
    return {
        "phase": name,
        "mean": mean,
        "ci_low": mean - 0.05,
        "ci_high": mean + 0.05,
        "n": 12,
        "group": group,
    }


def lines(debaters: int, group: str = "") -> list[dict[str, Any]]:
    """Single debaters who rise from opening to closing."""
    return [
        {"debater": str(number), "phase": name, "confidence": 0.5 + 0.1 * k, "group": group}
        for number in range(debaters)
        for k, name in enumerate(("opening", "closing"))
    ]


def marks(spec: Any, kind: str) -> Iterator[dict[str, Any]]:
    """Every mark of a kind in a chart."""
    if isinstance(spec, dict):
        mark = spec.get("mark")
        if isinstance(mark, dict) and mark.get("type") == kind:
            yield mark
        for inner in spec.values():
            yield from marks(inner, kind)
    elif isinstance(spec, list):
        for inner in spec:
            yield from marks(inner, kind)


def texts(picture: str) -> list[str]:
    """All words in a picture."""
    return [
        element.text or ""
        for element in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    ]


SIDES = [
    phase("opening", 0.7, "proposition"),
    phase("closing", 0.8, "proposition"),
    phase("opening", 0.71, "opposition"),
    phase("closing", 0.8, "opposition"),
]


ARM = {
    "ci_low": 0.4,
    "ci_high": 0.6,
    "tokens_out": 50.0,
    "tokens_out_ci_low": 40.0,
    "tokens_out_ci_high": None,
}
BINS = [
    {
        "group": group,
        "confidence": 0.7,
        "share": 0.5,
        "ci_low": -0.1,
        "ci_high": 1.1,
        "n": 9,
        "up_to": 0.7,
    }
    for group in "ab"
]
LINKED = [line | {"href": debate_link("e")} for line in lines(3, "proposition")]
SPREAD = {"phase": "closing", "proposition": 0.6, "opposition": 0.7, "href": debate_link("e")}
CHARTS = {
    "confidence": debates.confidence_chart(SIDES[:2], LINKED, WORDS),
    "confidence_by_side": debates.confidence_by_side_chart(SIDES, LINKED, WORDS),
    "confidence_by_model": debates.confidence_by_model_chart(
        SIDES, LINKED, WORDS, phases=["opening", "closing"]
    ),
    "both_sides": debates.both_sides_chart(
        [{"phase": "closing", "above_50": 1, "debates": 1}], [SPREAD], WORDS
    ),
    "estimates": debates.estimates_chart(ESTIMATES, WORDS, axis="points", zero=0, domain=(0, 100)),
    "reliability": answers.reliability_chart(BINS[:1], WORDS, y_title="won"),
    "reliability of groups": answers.reliability_chart(BINS, WORDS, y_title="won"),
    "accuracy": answers.accuracy_chart([ARM | {"name": "a", "accuracy": 0.5}], WORDS),
    "missing": answers.missing_chart([{"name": "answer", "share": 0.5, "n": 1, "of": 2}], WORDS),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHARTS)
def test_every_kind_of_chart_is_valid_vega_lite(name: str) -> None:
    import altair

    altair.Chart.from_dict(
        CHARTS[name]
    )  # raises where an entry is unknown, or its value none that it can have
    assert ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2]) == GRAMMAR


def test_intervals_are_drawn_as_far_as_the_panel_goes() -> None:
    bars = CHARTS["reliability"]["vconcat"][0]["layer"][1]["data"]["values"]
    assert [(bar["low"], bar["high"]) for bar in bars] == [(0, 100)]


def test_lines_of_two_groups_differ_in_colour_shape_and_dash() -> None:
    spec = debates.confidence_by_side_chart(SIDES, lines(3), WORDS)
    means = [mark for mark in marks(spec, "line") if "strokeDash" in mark]
    points = list(marks(spec, "point"))
    assert (
        len({mark["color"] for mark in means})
        == len({tuple(mark["strokeDash"]) for mark in means})
        == 2
    )
    assert [point["shape"] for point in points] == list(SHAPES[:2])


def test_names_at_the_ends_of_lines_do_not_lie_on_each_other() -> None:
    picture = ElementTree.fromstring(svg(debates.confidence_by_side_chart(SIDES, [], WORDS)))
    places = {
        element.text: float(element.attrib["transform"].split(",")[1].split(")")[0])
        for element in picture.iter("{http://www.w3.org/2000/svg}text")
        if element.text in ("proposition", "opposition")
    }
    assert abs(places["proposition"] - places["opposition"]) >= 9


def test_many_single_debaters_are_paler_than_few() -> None:
    pale, strong = (
        next(
            mark["strokeOpacity"]
            for mark in marks(
                debates.confidence_chart(
                    [phase("opening", 0.6), phase("closing", 0.7)], lines(n), WORDS
                ),
                "line",
            )
        )
        for n in (300, 3)
    )
    assert pale < strong


def test_a_single_phase_shows_debaters_as_ticks() -> None:
    one = [line for line in lines(4) if line["phase"] == "opening"]
    spec = debates.confidence_chart([phase("opening", 0.6)], one, WORDS)
    assert len(list(marks(spec, "tick"))) == 1


def test_an_estimate_without_an_interval_is_a_point_without_a_bar() -> None:
    picture = svg(debates.estimates_chart(ESTIMATES, WORDS, axis="points", zero=0))
    bars = [
        line
        for line in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}line")
        if line.get("stroke") == debates.BLUE
    ]
    assert len(bars) == 1
    assert {"a", "b", "n = 1", "n = 2"} <= set(texts(picture))


def test_arms_are_drawn_at_their_own_tokens_and_the_later_of_two_is_smaller() -> None:
    # Arms that are near each other were moved apart, along an axis with numbers.
    rows = [
        {
            "name": str(tokens),
            "accuracy": 0.5,
            "ci_low": 0.4,
            "ci_high": 0.6,
            "tokens_out": tokens,
            "tokens_out_ci_low": tokens - 1,
            "tokens_out_ci_high": tokens + 2,
        }
        for tokens in (143.7, 143.8, 150.0, 155.0, 287.1, 295.5)
    ]
    chart = answers.accuracy_chart(rows, WORDS)
    upright, across, points = chart["layer"]
    fields = [each["encoding"]["x"]["field"] for each in (upright, across, points)]
    assert fields == ["tokens_out", "tokens_out_ci_low", "tokens_out"]
    sizes = [row["size"] for row in points["data"]["values"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(rows)
    for drawn, row in zip(points["data"]["values"], rows, strict=True):
        assert {name: drawn[name] for name in row} == row


def test_no_more_than_all_is_missing_on_the_axis() -> None:
    rows = [{"name": "answer", "share": share, "n": 1, "of": 2} for share in (1.0, 0.1)]
    chart = answers.missing_chart(rows, WORDS)
    assert "150" not in texts(svg(chart))
    assert chart["layer"][0]["encoding"]["x"]["axis"]["values"] == [0, 25, 50, 75, 100]


def test_tokens_over_orders_of_magnitude_lie_on_a_scale_of_powers() -> None:
    def scale(most: float) -> str:
        rows = [
            {"name": name, "accuracy": 0.5, "ci_low": 0.4, "ci_high": 0.6, "tokens_out": tokens}
            for name, tokens in (("a", 50.0), ("b", most))
        ]
        spec = answers.accuracy_chart(
            [row | {"tokens_out_ci_low": None, "tokens_out_ci_high": None} for row in rows], WORDS
        )
        return str(spec["layer"][0]["encoding"]["x"]["scale"]["type"])

    assert (scale(100.0), scale(5000.0)) == ("linear", "log")


def test_more_arms_than_colours_still_differ() -> None:
    rows = [
        {
            "name": str(n),
            "accuracy": n / 20,
            "ci_low": 0.0,
            "ci_high": 1.0,
            "tokens_out": 1.0,
            "tokens_out_ci_low": None,
            "tokens_out_ci_high": None,
        }
        for n in range(14)
    ]
    encoding = answers.accuracy_chart(rows, WORDS)["layer"][2]["encoding"]
    looks = list(
        zip(encoding["color"]["scale"]["range"], encoding["shape"]["scale"]["range"], strict=True)
    )
    assert len(set(looks)) == 14


def test_hostile_names_give_valid_and_inert_pictures() -> None:
    chart = debates.estimates_chart(
        [row | {"name": row["name"] + HOSTILE} for row in ESTIMATES],
        ChartTitle(HOSTILE, (HOSTILE,)),
        axis="points",
        zero=0,
    )
    picture = svg(chart)
    elements = [
        element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture).iter()
    ]
    assert "script" not in elements
    assert "foreignObject" not in elements
    assert any(
        "<script>alert(1)</script>&\"'\N{REPLACEMENT CHARACTER}" in text for text in texts(picture)
    )
    assert not {"\u202e", "\u2066", "\x00"} & set(
        "".join(
            texts(
                svg(debates.estimates_chart(ESTIMATES, ChartTitle(HOSTILE), axis="points", zero=0))
            )
        )
    )


def test_links_are_quoted_and_stay_on_the_site() -> None:
    assert debate_link('a/../"<b>').endswith("/debate/a%2F..%2F%22%3Cb%3E")
    point = {
        "phase": "closing",
        "proposition": 0.6,
        "opposition": 0.7,
        "href": debate_link("javascript:alert(1)"),
    }
    picture = svg(
        debates.both_sides_chart(
            [{"phase": "closing", "above_50": 1, "debates": 1}], [point], WORDS
        )
    )
    [link] = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}a")
    assert set(link.attrib.values()) == {"/debate/javascript%3Aalert%281%29"}


def test_pictures_are_the_same_each_time_and_name_one_font() -> None:
    first, second = (
        svg(debates.estimates_chart(ESTIMATES, WORDS, axis="points", zero=0)) for _ in range(2)
    )
    assert first == second
    fonts = {
        element.get("font-family")
        for element in ElementTree.fromstring(first).iter()
        if element.get("font-family")
    }
    assert fonts == {"Liberation Sans, Arial, Helvetica, sans-serif"}


def test_a_png_is_a_column_wide_at_300_dots_an_inch() -> None:
    data = png(svg(debates.estimates_chart(ESTIMATES, WORDS, axis="points", zero=0)))
    physical = data.index(b"pHYs") + 4
    assert int.from_bytes(data[physical : physical + 4]) == 11811  # a metre
    assert abs(int.from_bytes(data[16:20]) - 8.5 / 2.54 * 300) < 12


def test_names_of_models_are_short_where_that_is_enough_and_never_alike() -> None:
    assert short_names(["openai/x", "meta/x", "meta/y"]) == {
        "openai/x": "openai/x",
        "meta/x": "meta/x",
        "meta/y": "y",
    }
    long = [f"a/{'m' * 60}{n}{'o' * 60}" for n in (1, 2)]
    assert len(set(short_names(long).values())) == 2
    assert distinct_names(["a\u202e", "a\u2066"]) == {
        "a\u202e": "a\N{REPLACEMENT CHARACTER} (1)",
        "a\u2066": "a\N{REPLACEMENT CHARACTER} (2)",
    }
    assert cut("abcdef", 4) == "abc…"


def test_only_what_draws_is_rounded() -> None:
    chart = debates.estimates_chart(
        [ESTIMATES[0] | {"name": "model-1.23456789"}], WORDS, axis="points", zero=0
    )
    picture = svg(chart)
    assert "model-1.23456789" in picture
    assert not re.search(r' d="[^"]*\.\d{3}', picture)


def test_every_colour_has_a_partner_in_shape() -> None:
    assert len(set(COLOURS)) == len(set(SHAPES)) == 7
    assert len({json.dumps(dash) for dash in DASHES}) == len(DASHES)
