"""The report as plain tables, readable in a terminal of 80 columns and in a file; its answers section is in answers_tables.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from analysis.reports.tables.answers import print_answers
from analysis.reports.tables.formatting import (
    WIDTH,
    count_with_share,
    decimal,
    interval,
    mean_with_interval,
    p_value,
    percent,
    print_block,
    say,
)
from analysis.reports.tables.robustness import print_robustness

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]
JURY_RULES = ("winner", "ties", "ece", "auroc")


def print_report(reports: Sequence[Json], file: TextIO | None = None) -> None:
    """Print the objects of `analysis.report.report` as tables, to standard output or a file; the rules once, at the end."""
    from rich.console import Console

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    if not reports:
        say(console, "There are no debates in this store yet.")
        return
    for report in reports:
        print_study(console, report)
    judged = any(report.get("calibration") for report in reports)
    rules = {name: words for report in reports for name, words in report["rules"].items()}
    say(console, "Rules")
    for name, words in rules.items():
        if judged or name not in JURY_RULES:
            say(console, f"  {name}: {words}")


def print_study(console: Console, report: Json) -> None:
    """One study: heading, then each finding that it has data for."""
    if "phases" in report:
        print_heading(console, report)
        print_debates(console, report)
    else:
        print_heading(console, report, kind="play", who="models")
    if "answers" in report:
        print_answers(console, report)
    print_missing(console, report)


def print_debates(console: Console, report: Json) -> None:
    """The findings about debates."""
    if report["phases"]:
        print_phases(console, report)
        print_both(console, report)
        print_models(console, report)
        print_against_half(console, report)
        print_calibration(console, report)
        print_robustness(console, report)
    else:
        print_block(console, notes=["No finished debate with a rating."])
    print_arms(console, report.get("arms", []))


def print_heading(
    console: Console, report: Json, *, kind: str = "debate", who: str = "debaters"
) -> None:
    """Name, how many debates or other plays, and where they come from; simulated ones say so loudly."""
    episodes = report["episodes"]
    total = sum(episodes.values())
    unfinished = [
        f"{episodes[status]:,} {status}" for status in ("failed", "open") if episodes[status]
    ]
    plays = (
        f"{episodes['done']:,} of {total:,} {kind}s ({', '.join(unfinished)})"
        if unfinished
        else f"{total:,} {kind}s"
    )
    plays = f"1 {kind}" if plays == f"1 {kind}s" else plays
    heading = f"{report['study']}: {plays}" + (f", {report['origin']}" if report["origin"] else "")
    loud = f"SIMULATED {who} spoke in this study: its numbers are no findings about language models"
    lines = [heading, loud] if report["simulated"] else [heading]
    for line in [*lines, "=" * min(console.width, max(map(len, lines)))]:
        say(console, line)


def print_phases(console: Console, report: Json) -> None:
    """Mean confidence by phase, the flags, and the rise."""
    rows = [
        [
            p["phase"],
            p["n"],
            percent(p["mean"], 2),
            interval(p, 2),
            percent(p["sd"], 2),
            p["missing"],
        ]
        for p in report["phases"]
    ]
    notes = []
    for phase in report["phases"]:
        if phase["flagged"]:
            notes.append(
                f"flagged and kept in, {phase['phase']}: "
                + ", ".join(f"{flag} {n}" for flag, n in phase["flagged"].items())
            )
    rise = report["rise"]
    if rise and rise["mean"] is not None:
        notes.append(
            f"From {rise['from']} to {rise['to']}: {100 * rise['mean']:+.2f} points (95% interval {interval(rise, 2)}),"
            f" p {p_value(rise['p'])}; {percent(rise['share_up'])}% of {rise['n']} debaters rose, {percent(rise['share_down'])}% fell"
            f" (published test, one-sided, debaters taken as independent: p {p_value(rise['p_paired_one_sided'])})."
        )
    headings = ["phase", "n", "mean", "95% interval", "sd", "missing"]
    pooled = ", all arms together" if report.get("arms") else ""
    print_block(console, f"Confidence of debaters, percent{pooled}", headings, rows, notes)


def print_both(console: Console, report: Json) -> None:
    """In how many debates both sides were sure."""
    rows = []
    for both in report["both_by_phase"]:
        counts = [both[name] for name in ("at_least_75", "above_75", "above_50")]
        rows.append(
            [
                both["phase"],
                both["debates"],
                *(count_with_share(count, both["debates"]) for count in counts),
            ]
        )
    print_block(
        console,
        "Debates in which both sides are sure of winning",
        ["phase", "debates", "75% or more", "above 75%", "above 50%"],
        rows,
    )


def print_models(console: Console, report: Json) -> None:
    """Each model's confidence in the first and last phase, its rise, and its win rate."""
    first, last = report["phases"][0]["phase"], report["phases"][-1]["phase"]
    rows = []
    for model in report["models"]:
        change = {
            "mean": model["rise"],
            "ci_low": model["rise_ci_low"],
            "ci_high": model["rise_ci_high"],
        }
        row = [
            percent(model["first"]),
            percent(model["last"]),
            mean_with_interval(change),
            percent(model["win_rate"]),
        ]
        rows.append(
            [model["model"], model["n"], *row, sum(phase["missing"] for phase in model["phases"])]
        )
    print_block(
        console,
        "By model, percent",
        ["model", "n", first, last, "rise (95% interval)", "wins", "missing"],
        rows,
    )


def print_against_half(console: Console, report: Json) -> None:
    """Debates of a model against itself: mean against 50%."""
    rows = []
    for row in report["against_half"] or []:
        ours, published = (
            [decimal(row["t"], 1), p_value(row["p"])],
            [decimal(row["t_one_sample"], 1), p_value(row["p_one_sample_one_sided"])],
        )
        rows.append(
            [
                row["phase"],
                row["debates"],
                row["n"],
                percent(row["difference"], 2),
                *ours,
                *published,
            ]
        )
    headings = ["phase", "debates", "n", "above 50%", "t", "p", "published t", "its p"]
    print_block(
        console, "A model against itself: points above the 50% that is possible", headings, rows
    )


def print_calibration(console: Console, report: Json) -> None:
    """Confidence against the jury's verdicts."""
    rows = []
    for row in report["calibration"]:
        area = f"{decimal(row['auroc'], 3)} ({decimal(row['auroc_ci_low'], 2)} to {decimal(row['auroc_ci_high'], 2)})"
        scores = [decimal(row[name], 4) for name in ("brier", "brier_of_half", "ece")]
        rows.append(
            [
                row["phase"],
                f"{row['n']} ({row['n_without_ties']})",
                *scores,
                area,
                percent(row["mean_minus_win_rate"]),
            ]
        )
    headings = ["phase", "n (no ties)", "Brier", "of 50%", "ECE", "AUROC (95% interval)", "gap"]
    notes = []
    if report.get("judges_simulated") and not report["simulated"]:
        notes.append(
            "SIMULATED judges gave verdicts on these debates: what is compared with them is no finding about language models."
        )
    if report["outcomes"]:
        outcomes, verdicts = report["outcomes"], report["outcomes"]["verdicts"]
        notes.append(
            f"Judged {outcomes['judged']}: proposition {outcomes['proposition']}, opposition {outcomes['opposition']}, ties {outcomes['tie']}"
            f" (half a win each in Brier, left out of the rest); verdicts {verdicts['with_winner']}, abstained {verdicts['abstained']},"
            f" unreadable {verdicts['missing']}. gap: mean confidence minus share of wins, in points."
        )
    print_block(console, "Confidence against the jury", headings, rows, notes)


def print_arms(console: Console, arms: Sequence[Json]) -> None:
    """One line for each arm: --json has all findings of each."""
    rows = []
    for arm in arms:
        phases, both = arm["phases"], arm["both"]
        means = [percent(phases[k]["mean"]) if phases else "-" for k in (0, -1)]
        above = count_with_share(both["above_75"], both["debates"]) if both else "-"
        rows.append(
            [arm["arm"], arm["episodes"]["done"], *means, mean_with_interval(arm["rise"]), above]
        )
    print_block(
        console,
        "By arm, percent",
        ["arm", "debates", "first", "last", "rise (95% interval)", "both above 75%"],
        rows,
    )


def print_missing(console: Console, report: Json) -> None:
    """What is not there, and why."""
    rows = [
        [row["what"], row["phase"] or "-", row["arm"] or "-", row["reason"] or "-", row["n"]]
        for row in report["missing"]
    ]
    notes = [] if rows else ["Nothing is missing."]
    print_block(
        console,
        "Missing, and why" if rows else "",
        ["what", "phase", "arm", "reason", "n"],
        rows,
        notes,
        text_columns=4,
    )
