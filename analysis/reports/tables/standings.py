"""The standings as plain tables, in the manner of analysis/reports/tables/debates.py: shares in percent, strengths in logits, "-" for what is undefined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from analysis.reports.tables.formatting import WIDTH, decimal, interval, percent, print_block, say

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]
FAVOURED = {
    "side": "the proposition",
    "first": "who is read first",
    "length": "the longer side",
    "family": "its own family",
}


def print_standings(standings: Json, file: TextIO | None = None, *, rules: bool = True) -> None:
    """Print the object of `analysis.standings.standings` as tables, to standard output or a file; with `rules`, also what decides numbers."""
    from rich.console import Console

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    print_heading(console, standings)
    print_contestants(console, standings)
    print_judges(console, standings["judges"])
    print_effects(console, standings["judges"])
    print_agreement(console, standings)
    rows = [[row["reason"], row["n"]] for row in standings["missing"]]
    print_block(console, "Missing verdicts, and why", ["reason", "n"], rows)
    if rules:
        say(console, "Rules")
        for name, words in standings["rules"].items():
            say(console, f"  {name}: {words}")


def print_heading(console: Console, standings: Json) -> None:
    """What was judged, by how many verdicts; simulated ones say so loudly."""
    counts = standings["verdicts"]
    heading = f"{standings['study']}: {standings['debates']:,} debates, {counts['all']:,} verdicts, {counts['missing']:,} of them missing"
    loud = (
        "SIMULATED models spoke or judged here: these numbers are no findings about language models"
    )
    lines = [heading, loud] if standings["simulated"] else [heading]
    for line in [*lines, "=" * min(console.width, max(map(len, lines)))]:
        say(console, line)
    if len(standings["juries"]) > 1:
        pooled = ", ".join(f"{jury['jury']} ({jury['verdicts']:,})" for jury in standings["juries"])
        say(console, f"Verdicts of several juries are pooled here: {pooled}; --jury shows one.")
    related = counts["judge_is_contestant"] + counts["judge_of_family"]
    if related:
        done = (
            "left out of the leaderboard"
            if standings["related"] == "exclude"
            else "kept in the leaderboard"
        )
        say(
            console,
            f"{related:,} verdicts by a judge that is a contestant ({counts['judge_is_contestant']:,}) or of its family"
            f" ({counts['judge_of_family']:,}): {done}.",
        )


def print_contestants(console: Console, standings: Json) -> None:
    """The leaderboard, and how the debates went."""
    rows = []
    for row in standings["contestants"]:
        limits = "-" if row["ci_low"] is None else f"{row['ci_low']:+.2f} to {row['ci_high']:+.2f}"
        strength = "-" if row["strength"] is None else f"{row['strength']:+.2f}"
        rates = [percent(row["win_rate"]), percent(row["win_rate_by_sum"])]
        rows.append(
            [
                row["agent"],
                strength,
                limits,
                *rates,
                decimal(row["elo"], 0),
                row["debates"],
                row["votes"],
            ]
        )
    seat, outcomes = standings["seat"], standings["outcomes"]
    ways = [
        f"{way}: proposition {count['proposition']}, opposition {count['opposition']}, ties {count['tie']}"
        for way, count in (
            ("By majority", outcomes["majority"]),
            ("by confidence sum", outcomes["confidence_sum"]),
        )
    ]
    counts, judges = standings["verdicts"], standings["judges"]
    flips, both = (sum(judge[name] for judge in judges) for name in ("flips", "both_orders"))
    flipped = "of no judge could be compared in both seat orders"
    if both:
        flipped = f"changed with the seat order in {flips:,} of {both:,} ({percent(flips / both)}%)"
    notes = [
        f"Verdicts {flipped}; missing {counts['missing']:,} of {counts['all']:,}; counted here {counts['counted']:,}."
    ]
    notes += [
        f"{'; '.join(ways)}; unanimous {outcomes['unanimous']} of {outcomes['judged']} judged."
    ]
    if seat["proposition"] is not None and seat["ci_low"] is not None:
        limits = f"{seat['ci_low']:+.2f} to {seat['ci_high']:+.2f}"
        notes.append(
            f"Sitting as the proposition is worth {seat['proposition']:+.2f} logits (95% interval {limits})."
        )
    surer = standings["surer_side"]
    if surer["n"]:
        notes.append(
            f"The surer side won {percent(surer['mean'])}% of {surer['n']} debates (95% interval {interval(surer)})."
        )
    headings = [
        "contestant",
        "strength",
        "95% interval",
        "wins",
        "by sum",
        "Elo",
        "debates",
        "votes",
    ]
    print_block(console, "Leaderboard: strength in logits, wins in percent", headings, rows, notes)


def print_judges(console: Console, judges: Sequence[Json]) -> None:
    """What each judge did: flips, retest, and what it favours as shares."""
    rows = []
    for judge in judges:
        shares = [percent(judge[name]["mean"]) for name in ("proposition", "longer")]
        flips = [judge["both_orders"], percent(judge["flip_rate"])]
        rows.append(
            [
                judge["judge"],
                judge["readings"],
                judge["missing"],
                *flips,
                percent(judge["retest"]),
                *shares,
            ]
        )
    headings = [
        "judge",
        "verdicts",
        "missing",
        "both orders",
        "flips",
        "retest",
        "proposition",
        "longer",
    ]
    print_block(
        console,
        "Judges, percent: how often they name the proposition, and the longer side",
        headings,
        rows,
    )


def print_effects(console: Console, judges: Sequence[Json]) -> None:
    """What each judge favours in logits, and its self-preference in points."""
    rows = []
    for judge in judges:
        for name, words in FAVOURED.items():
            effect = judge["effects"][name]
            if effect["size"] is not None:
                rows.append(
                    [
                        judge["judge"],
                        words,
                        f"{effect['size']:+.2f}",
                        f"{effect['ci_low']:+.2f} to {effect['ci_high']:+.2f}",
                    ]
                )
        own = judge["own_family"]
        if own["mean"] is not None:
            rows.append(
                [
                    judge["judge"],
                    "its own family, points above the panel",
                    f"{100 * own['mean']:+.1f}",
                    interval(own),
                ]
            )
    print_block(
        console,
        "What judges favour with strengths held fixed, logits",
        ["judge", "favours", "by", "95% interval"],
        rows,
        text_columns=2,
    )


def print_agreement(console: Console, standings: Json) -> None:
    """How far judges agree with each other."""
    agreement = standings["agreement"]
    rows = [
        [" / ".join(row["judges"]), row["pairs"], percent(row["same"])] for row in agreement["raw"]
    ]
    limits = (
        "-"
        if agreement["ci_low"] is None
        else f"{decimal(agreement['ci_low'], 2)} to {decimal(agreement['ci_high'], 2)}"
    )
    notes = (
        [f"Krippendorff's alpha {decimal(agreement['alpha'], 3)} (95% interval {limits})."]
        if len(standings["judges"]) > 1
        else []
    )
    print_block(
        console, "Agreement of two judges, percent", ["judges", "pairs", "same winner"], rows, notes
    )
