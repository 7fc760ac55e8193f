"""The answers section of the report as plain tables, in the manner of tables.py: shares in percent, differences in points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.reports.tables.formatting import (
    decimal,
    interval,
    mean_with_interval,
    p_value,
    percent,
    print_block,
    say,
)

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]
MOST_PAIRS = 45


def print_answers(console: Console, report: Json) -> None:
    """The answers of one study, marked where models were simulated."""
    found = report["answers"]
    unfinished = [
        f"{found['episodes'][status]:,} {status}"
        for status in ("failed", "open")
        if found["episodes"][status]
    ]
    left_out = f"; left out: {', '.join(unfinished)}" if unfinished else ""
    simulated = " of SIMULATED models" if report["simulated"] else ""
    say(
        console,
        f"Answers{simulated} to {pluralize(found['questions'], 'question')} in {pluralize(found['episodes']['done'], 'play')}{left_out}",
    )
    if found["pooled"]:
        say(
            console,
            f"POOLED: plays with different options of {', '.join(found['pooled'])}; give studies names of their own to keep them apart",
        )
    console.print()
    print_accuracy(console, found)
    print_differences(console, found["differences"])
    print_spent(console, found)
    print_paths(console, found["arms"])
    print_changes(console, found["arms"])
    print_confidence(console, found["arms"])


def pluralize(n: int, noun: str) -> str:
    """A number with its noun."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def print_accuracy(console: Console, found: Json) -> None:
    """Accuracy by arm, and by models where an arm has several."""
    rows = [
        [
            row["arm"],
            row["questions"],
            row["plays"],
            *share_cells(row),
            row["unreadable"],
            *share_cells(row, "of_readable"),
        ]
        for row in found["arms"]
    ]
    headings = [
        "arm",
        "questions",
        "plays",
        "right",
        "95% interval",
        "unreadable",
        "of readable",
        "95% interval",
    ]
    notes = [
        f"unreadable in {row['arm']}: "
        + ", ".join(f"{reason} {n:,}" for reason, n in row["unreadable_because"].items())
        for row in found["arms"]
        if row["unreadable"]
    ]
    print_block(
        console, "Right answers, percent; unreadable ones count as not right", headings, rows, notes
    )
    rows = [
        [row["arm"], row["models"], row["plays"], *share_cells(row), row["unreadable"]]
        for row in found["by_model"]
    ]
    print_block(
        console,
        "Right answers by models, percent",
        ["arm", "models", "plays", "right", "95% interval", "unreadable"],
        rows,
        text_columns=2,
    )


def share_cells(row: Json, name: str = "accuracy") -> list[str]:
    """A share and its interval in percent."""
    prefix = "" if name == "accuracy" else "of_readable_"
    limits = {"ci_low": row[f"{prefix}ci_low"], "ci_high": row[f"{prefix}ci_high"]}
    return [percent(row[name]), interval(limits)]


def print_differences(console: Console, differences: Sequence[Json]) -> None:
    """Each two arms on their common questions; of many arms only against the first."""
    shown = (
        differences
        if len(differences) <= MOST_PAIRS
        else [row for row in differences if row["against"] == differences[0]["against"]]
    )
    rows = []
    for row in shown:
        tested = [row["better"], row["worse"], p_value(row["p_exact"]), p_value(row["p_holm"])]
        rows.append(
            [row["arm"], row["against"], row["questions"], mean_with_interval(row), *tested]
        )
    notes = (
        [f"Of {len(differences)} pairs those with the first arm; --json has all."]
        if len(shown) < len(differences)
        else []
    )
    if any(row["p_exact"] is None for row in shown):
        notes.append(
            "No p where two arms have no common question, or did not play each equally often."
        )
    headings = [
        "arm",
        "against",
        "questions",
        "points (95% interval)",
        "better",
        "worse",
        "exact p",
        "Holm",
    ]
    print_block(
        console,
        "Difference of two arms on the same questions",
        headings,
        rows,
        notes,
        text_columns=2,
    )


def print_spent(console: Console, found: Json) -> None:
    """Accuracy beside what a question took, and whether that was the same for all arms."""
    rows, unknown = [], []
    for row in found["arms"]:
        tokens = [decimal(row[name], 1) for name in ("answered", "tokens_in", "tokens_out")]
        rows.append(
            [
                row["arm"],
                percent(row["accuracy"]),
                *tokens,
                dollars(row["cost_usd"]),
                decimal(row["routes"], 1),
            ]
        )
        for name, words in (("tokens_out", "tokens"), ("cost_usd", "dollars")):
            if row[f"{name}_unknown"]:
                unknown.append(
                    f"{words} of {row[f'{name}_unknown']:,} of {row['plays']:,} plays of {row['arm']}"
                )
    notes = list(found["budget"]["notes"]) if found["budget"] else []
    if found["budget"] and not notes:
        notes = [
            "All arms had the same budget per question: calls with a reply, and generated tokens."
        ]
    if unknown:
        notes.append(f"Unknown, and left out of the means: {'; '.join(unknown)}.")
    headings = ["arm", "right", "replies", "tokens in", "generated", "dollars", "summaries"]
    print_block(console, "What a question took, mean per play", headings, rows, notes)


def dollars(value: float | None) -> str:
    """Dollars with as many digits as small sums need, or "-"."""
    return "-" if value is None else f"{value:.4g}"


def print_paths(console: Console, arms: Sequence[Json]) -> None:
    """What paths are worth one by one, by majority, and at best."""
    rows = []
    for arm in arms:
        paths = arm["paths"]
        if paths:
            n = (
                str(paths["n_max"])
                if paths["n_min"] == paths["n_max"]
                else f"{paths['n_min']} to {paths['n_max']}"
            )
            shares = [
                f"{percent(paths[name]['mean'])} ({interval(paths[name], 0)})"
                for name in ("pass_at_1", "cons_at_n", "any")
            ]
            lost = percent(paths["unreadable"] / paths["paths"])
            rows.append([arm["arm"], n, *shares, percent(arm["accuracy"]), lost])
    headings = ["arm", "n", "Pass@1 (95%)", "Cons@n (95%)", "any right (95%)", "final", "no answer"]
    print_block(console, "Paths, percent", headings, rows)


def print_changes(console: Console, arms: Sequence[Json]) -> None:
    """Who changed from right to wrong and back."""
    rows, notes = [], []
    for arm in arms:
        for row in arm["changes"]:
            scores = [percent(row[name]["mean"]) for name in ("acc1", "acc2", "cl", "cs")]
            rss = decimal(row["rss"]["mean"], 3)
            if row["rss"]["ci_low"] is not None:
                rss += (
                    f" ({decimal(row['rss']['ci_low'], 2)} to {decimal(row['rss']['ci_high'], 2)})"
                )
            moved = [row["right_to_wrong"], row["wrong_to_right"]]
            rows.append([arm["arm"], row["what"], row["pairs"], *moved, *scores, rss])
            where = f"{arm['arm']}, {row['what']}"
            if row["unreadable"]:
                notes.append(
                    f"{where}: {row['unreadable']:,} pairs with an unreadable answer, counted as not right."
                )
            if row["reason"]:
                notes.append(f"{where}: {row['reason']}.")
    headings = [
        "arm",
        "what",
        "pairs",
        "to wrong",
        "to right",
        "Acc1",
        "Acc2",
        "CL",
        "CS",
        "RSS (95%)",
    ]
    print_block(
        console,
        "Who changed: right to wrong, wrong to right; Acc, CL, CS in percent",
        headings,
        rows,
        notes,
        text_columns=2,
    )


def print_confidence(console: Console, arms: Sequence[Json]) -> None:
    """Stated confidence against what was right."""
    rows, notes = [], []
    for arm in arms:
        for row in arm["calibration"]:
            area = "-"
            if row["auroc"] is not None:
                area = f"{decimal(row['auroc'], 3)} ({decimal(row['auroc_ci_low'], 2)} to {decimal(row['auroc_ci_high'], 2)})"
            scores = [decimal(row[name], 3) for name in ("brier", "ece")]
            areas = [
                decimal(row[name], 3)
                for name in ("auprc_right", "auprc_wrong", "selective_accuracy")
            ]
            rows.append(
                [
                    arm["arm"],
                    row["what"],
                    row["n"],
                    *scores,
                    area,
                    *areas,
                    percent(row["mean_minus_accuracy"]),
                ]
            )
            if row["without"]:
                notes.append(
                    f"{arm['arm']}, {row['what']}: {row['without']:,} without confidence or unreadable, left out."
                )
    headings = [
        "arm",
        "of",
        "n",
        "Brier",
        "ECE",
        "AUROC (95%)",
        "AUPRC+",
        "AUPRC-",
        "selective",
        "gap",
    ]
    print_block(console, "Confidence against correctness", headings, rows, notes, text_columns=2)
