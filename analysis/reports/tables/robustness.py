"""The report's section for reviewers as plain tables and sentences, in the manner of tables.py: percent and points, 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.reports.tables.formatting import (
    count_with_share,
    interval,
    p_value,
    percent,
    print_block,
    say,
)

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]
VARIANTS = {
    "as_reported": "as reported",
    "without_flagged": "no flagged turns",
    "complete_debates": "complete debates",
}
LEVEL = 0.05


def print_robustness(console: Console, report: Json) -> None:
    """The slopes, the models' rises adjusted, the headlines taken otherwise, and equivalence to 50%."""
    found = report["robustness"]
    if found is None:
        return
    say(console, "For a reviewer")
    print_block(console, notes=[*slope_notes(found), *model_notes(report["models"])])
    print_sensitivity(console, found["sensitivity"], report["rise"] is not None)
    print_equivalence(console, found["equivalence"] or [])


def slope_notes(found: Json) -> list[str]:
    """The slope over phases with debates as clusters, and by the mixed-effects model where it was asked for."""
    notes, line, mixed = [], found["slope"], found["mixed"]
    if line and line["slope"] is not None:
        notes.append(f"Slope with debates as clusters: {slope_words(line)}.")
    if mixed and mixed["slope"] is not None:
        parts = [
            ("debates", "sd_debate"),
            ("their slopes", "sd_slope"),
            ("sides within debates", "sd_side"),
            ("the rest", "sd_residual"),
        ]
        known = [
            f"{name} {percent(mixed[entry])}" for name, entry in parts if mixed[entry] is not None
        ]
        spread = f"; standard deviations of {', '.join(known)} points" if known else ""
        notes.append(f"Slope of the mixed-effects model: {slope_words(mixed)}{spread}.")
    if mixed and mixed["note"]:
        sampled = "ON A SAMPLE ONLY, " if 0 < mixed["debates"] < mixed["of_debates"] else ""
        notes.append(f"{sampled}mixed-effects model: {mixed['note']}.")
    return notes


def slope_words(row: Json) -> str:
    """A slope in words."""
    words = f"{100 * row['slope']:+.2f} points a phase"
    return (
        words
        if row["ci_low"] is None
        else f"{words} (95% interval {interval(row, 2)}), p {p_value(row['p'])}"
    )


def model_notes(models: list[Json]) -> list[str]:
    """Whose rise stands when p is adjusted for the number of models; nothing with one model."""
    tested = [row for row in models if row["rise_p_holm"] is not None]
    if len(tested) < 2:
        return []
    up, down = (
        [row for row in tested if row["rise_p_holm"] < LEVEL and (row["rise"] > 0) is rose]
        for rose in (True, False)
    )
    rest = [
        f"{row['model']} ({p_value(row['rise_p_holm'])})"
        for row in tested
        if row["rise_p_holm"] >= LEVEL
    ]
    words = f"Of {len(tested)} models, with p adjusted by Holm's method, {len(up)} rise and {len(down)} fall at 5%"
    return [f"{words}; not told from 0: {', '.join(rest)}." if rest else f"{words}."]


def print_sensitivity(console: Console, found: Json, rises: bool) -> None:
    """The headline numbers without doubtful ratings, and between the worst that missing ones can hide."""
    bounds = found["bounds"]
    if not bounds["missing"] and all(found[name]["left_out"] == 0 for name in VARIANTS):
        print_block(
            console,
            notes=[
                "No rating is missing or flagged, so the headline numbers hang on no choice of ratings."
            ],
        )
        return
    rows = []
    for name, words in VARIANTS.items():
        row = found[name]
        if not row["left_out"] and rows:
            continue
        both = count_with_share(row["both"]["above_75"], row["both"]["debates"])
        rows.append(
            [
                words,
                row["left_out"],
                mean_cell(row["last"]),
                mean_cell(row["rise"], signed=True) if rises else "-",
                both,
            ]
        )
    limits = [bounds_cell(bounds, name) for name in ("last", "rise", "both_above_75")]
    if bounds["missing"]:
        rows.append(
            [
                "missing: 0 or 100",
                f"{bounds['missing']} set",
                limits[0],
                limits[1] if rises else "-",
                limits[2],
            ]
        )
    headings = ["ratings taken", "left out", "last (95%)", "rise (95%)", "both > 75%"]
    print_block(console, "The headline numbers with other ratings, percent", headings, rows)


def mean_cell(row: Json, *, signed: bool = False) -> str:
    """A mean in percent with its interval in whole percent, or "-"."""
    if row["mean"] is None:
        return "-"
    mean = f"{100 * row['mean']:+.1f}" if signed else percent(row["mean"])
    return mean if row["ci_low"] is None else f"{mean} ({interval(row, 0)})"


def bounds_cell(bounds: Json, name: str) -> str:
    """The lowest and highest that a number can be, in percent."""
    return (
        "-"
        if bounds[f"{name}_low"] is None
        else f"{percent(bounds[f'{name}_low'])} to {percent(bounds[f'{name}_high'])}"
    )


def print_equivalence(console: Console, equivalence: list[Json]) -> None:
    """Is the mean of debates of a model against itself as good as 50%?"""
    rows = [
        [
            row["phase"],
            row["verdict"],
            row["debates"],
            percent(row["mean"]),
            interval(row),
            p_value(row["p"]),
        ]
        for row in equivalence
    ]
    margin = f"{100 * equivalence[0]['margin']:g}" if rows else ""
    title = f"A model against itself: is the mean within {margin} points of 50%?"
    print_block(
        console,
        title,
        ["phase", "verdict", "debates", "mean", "90% interval", "p"],
        rows,
        text_columns=2,
    )
