"""A comparison of two studies as plain tables, in the manner of tables.py: shares in percent, differences in points, 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from analysis.reports.tables.formatting import (
    WIDTH,
    interval,
    mean_with_interval,
    p_value,
    percent,
    print_block,
    say,
)

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.reports.comparison import Pair

Json = dict[str, Any]
MOST_PAIRS = 20


def print_comparison(found: Json, pairs: Sequence[Pair] = (), file: TextIO | None = None) -> None:
    """Print what `analysis.comparison.compare` found, and those of the pairs that differ, to standard output or a file."""
    from rich.console import Console

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    lines = [f"From {found['a']} (A) to {found['b']} (B)"]
    if found["simulated"]:
        lines.append(
            f"SIMULATED models spoke in {', '.join(found['simulated'])}: these numbers are no findings about language models"
        )
    for line in [*lines, "=" * min(console.width, max(map(len, lines)))]:
        say(console, line)
    if found["debates"]:
        print_match_counts(console, found["debates"], "debates", found["by"])
        if found["debates"]["pairs"]:
            print_debate_changes(console, found["debates"])
    if found["answers"]:
        print_match_counts(console, found["answers"], "plays of questions", found["by"])
        if found["answers"]["pairs"]:
            print_answer_changes(console, found["answers"])
    print_pairs(console, pairs)
    say(console, "Rules")
    for name, words in found["rules"].items():
        say(console, f"  {name}: {words}")


def print_match_counts(console: Console, found: Json, what: str, by: str) -> None:
    """How many plays have a partner, and what to do where none has."""
    a, b = found["plays"]
    notes = [
        f"{found['pairs']:,} pairs, from {a - found['only_a']:,} of {a:,} {what} of A and {b - found['only_b']:,} of {b:,} of B; without a"
        f" partner: {found['only_a']:,} of A, {found['only_b']:,} of B."
    ]
    if found["keys_shared"]:
        notes.append(
            f"In {found['keys_shared']:,} pairs several plays share subject, models and repeat: their means are compared."
        )
    if by == "subject":
        named = [", ".join(names) or "unknown" for names in found["models"]]
        notes.append(
            f"Models of both: {named[0]}."
            if named[0] == named[1]
            else f"Models of A: {named[0]}. Models of B: {named[1]}."
        )
    elif not found["pairs"]:
        notes.append(
            "Nothing matches. Where other models sat in the seats, --by subject compares what they did on the same subjects."
        )
    print_block(console, notes=notes)


def print_debate_changes(console: Console, found: Json) -> None:
    """Confidence by phase, its rise, both sides sure, and who won."""
    rows = [[row["phase"], *difference_cells(row)] for row in found["phases"]]
    if found["rise"]:
        rows.append(["the rise", *difference_cells(found["rise"])])
    notes = []
    if found["phases_of_one_only"]:
        notes.append(
            f"Phases of one study only, left out: {', '.join(found['phases_of_one_only'])}."
        )
    print_block(
        console,
        "Confidence of debaters, percent",
        ["phase", "n", "A", "B", "B - A (95% interval)", "p"],
        rows,
        notes,
    )
    notes, both, outcomes = [], found["both"], found["outcomes"]
    if both and both["mean"] is not None:
        counts = [f"{n} of {of}" for n, of in zip(both["above_75"], both["debates"], strict=True)]
        p = f", exact p {p_value(both['p_exact'])}" if both["p_exact"] is not None else ""
        notes.append(
            f"Both sides above 75%, {both['phase']}: {counts[0]} debates of A, {counts[1]} of B; {mean_with_interval(both)} points;"
            f" more often in A in {both['only_a']} pairs, in B in {both['only_b']}{p}."
        )
    if outcomes:
        changes = ", ".join(f"{row['a']} to {row['b']} {row['n']}" for row in outcomes["changes"])
        notes.append(
            f"The winner changed in {outcomes['changed']} of {outcomes['judged']} debates judged in both{': ' if changes else ''}{changes}."
        )
    print_block(console, notes=notes)


def difference_cells(row: Json) -> list[object]:
    """n, both means, the difference and its p."""
    return [
        row["n"],
        percent(row["a"]),
        percent(row["b"]),
        mean_with_interval(row),
        p_value(row["p"]),
    ]


def print_answer_changes(console: Console, found: Json) -> None:
    """Accuracy, who flipped, and stated confidence."""
    rows = [answer_cells("all" if found["arms"] else "answers", found, "")]
    rows += [answer_cells(row["arm"], row, p_value(row["p_holm"])) for row in found["arms"]]
    headings = [
        "arm",
        "questions",
        "A",
        "B",
        "B - A (95% interval)",
        "better",
        "worse",
        "p",
        "Holm",
    ]
    notes = []
    if found["flips"]:
        notes.append(
            "Flipped, from A to B: "
            + ", ".join(f"{row['a']} to {row['b']} {row['n']}" for row in found["flips"])
            + "."
        )
    sure = found["confidence"]
    if sure["mean"] is not None:
        limits = (
            ""
            if sure["ci_low"] is None
            else f" (95% interval {interval(sure)}), p {p_value(sure['p'])}"
        )
        notes.append(
            f"Stated confidence: {percent(sure['a'])} to {percent(sure['b'])}, {100 * sure['mean']:+.1f} points{limits}."
        )
    print_block(
        console, "Right answers, percent; unreadable ones count as not right", headings, rows, notes
    )


def answer_cells(arm: str, row: Json, adjusted: str) -> list[object]:
    """One row of accuracies."""
    return [
        arm,
        row["questions"],
        percent(row["a"]),
        percent(row["b"]),
        mean_with_interval(row),
        row["better"],
        row["worse"],
        p_value(row["p_exact"]),
        adjusted,
    ]


def print_pairs(console: Console, pairs: Sequence[Pair]) -> None:
    """The pairs that differ, those with the largest difference first."""
    differing = sorted(
        (pair for pair in pairs if pair.differs),
        key=lambda pair: (-abs(pair.difference or 0), pair.episode),
    )
    if not pairs:
        return
    rows = []
    for pair in differing[:MOST_PAIRS]:
        outcomes = [pair.outcome or "-", pair.other_outcome or "-"]
        rows.append(
            [
                pair.episode,
                pair.other_episode,
                *outcomes,
                percent(pair.value),
                percent(pair.other_value),
            ]
        )
    notes = (
        []
        if differing
        else ["No pair differs in who won, who was right, or whether both sides were above 75%."]
    )
    if len(differing) > MOST_PAIRS:
        notes.append(
            f"The {MOST_PAIRS} with the largest difference; --pairs --json has all {len(differing):,}."
        )
    headings = ["episode of A", "episode of B", "A was", "B was", "A", "B"]
    print_block(
        console,
        f"{len(differing):,} of {len(pairs):,} pairs differ; `arena show EPISODE` shows one",
        headings,
        rows,
        notes,
        text_columns=4,
    )
