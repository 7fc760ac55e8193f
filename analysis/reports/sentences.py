"""What a report says in short sentences with numbers: the first thing that a reader of the page sees.

Every number stands in the report's JSON; nothing is computed here.  Left out: judgements ("strongly", "significantly").
"""

from __future__ import annotations

from typing import Any

from analysis.reports.tables.formatting import interval, percent

Json = dict[str, Any]


def sentences(report: Json) -> list[str]:
    """The findings of one study's report, in words; of what is not there nothing is said."""
    found = debate_sentences(report) if report.get("phases") else []
    found += answer_sentences(report["answers"]) if "answers" in report else []
    return [*found, *missing_sentences(report)]


def debate_sentences(report: Json) -> list[str]:
    """How sure, how much surer, both sides, against itself, against the jury."""
    first, last, both = report["phases"][0], report["phases"][-1], report["both"]
    stated = f"Debaters were {mean_words(first)} sure of winning in {first['phase']}"
    stated += f", and {mean_words(last)} in {last['phase']}" if len(report["phases"]) > 1 else ""
    found = [
        f"{stated}. One side of each debate must lose, so that both sides together can be right at 50% on average."
    ]
    rise = report["rise"]
    if rise and rise["mean"] is not None:
        moved = f"{percent(rise['share_up'])}% of {rise['n']:,} debaters rose, {percent(rise['share_down'])}% fell"
        found.append(
            f"From {rise['from']} to {rise['to']} confidence changed by {points(rise['mean'])}{interval_words(rise)}: {moved}."
        )
    if both and both["debates"]:
        above = " and ".join(
            f"{both[f'above_{n}']:,} ({percent(both[f'above_{n}'] / both['debates'])}%) above {n}%"
            for n in (75, 50)
        )
        found.append(
            f"In {both['phase']}, of {both['debates']:,} debates with both ratings, both sides were in {above}."
        )
    for row in (report["against_half"] or [])[-1:]:
        if row["mean"] is not None:
            found.append(
                f"Against itself, a model was {mean_words(row)} sure in {row['phase']}: {points(row['difference'])} from 50%."
            )
    for row in report["calibration"][-1:]:
        if row["mean_minus_win_rate"] is not None:
            gap = {
                "ci_low": row["mean_minus_win_rate_ci_low"],
                "ci_high": row["mean_minus_win_rate_ci_high"],
            }
            found.append(
                f"Against the jury, confidence in {row['phase']} lay {points(row['mean_minus_win_rate'])}{interval_words(gap)} from the share of"
                f" debates won; its Brier score is {row['brier']:.3f}, where always saying 50% gives {row['brier_of_half']:.3f}."
            )
    return found


def answer_sentences(answers: Json) -> list[str]:
    """The arms with the most and the fewest right answers, the largest difference, and whether their budgets were equal."""
    arms = sorted(
        (arm for arm in answers["arms"] if arm["accuracy"] is not None),
        key=lambda arm: -arm["accuracy"],
    )
    if not arms:
        return []
    found = [
        f"{arms[0]['arm']} was right in {accuracy_words(arms[0])}"
        + (f"; {arms[-1]['arm']} in {accuracy_words(arms[-1])}." if len(arms) > 1 else ".")
    ]
    pair = {arms[0]["arm"], arms[-1]["arm"]}
    for row in answers["differences"]:
        if {row["arm"], row["against"]} == pair and row["mean"] is not None:
            words = f"{row['arm']} was {points(row['mean'])}{interval_words(row)} from {row['against']} on the same {row['questions']:,} questions"
            found.append(f"{words}: better in {row['better']:,}, worse in {row['worse']:,}.")
    return found + (list(answers["budget"]["notes"]) if answers["budget"] else [])


def missing_sentences(report: Json) -> list[str]:
    """How much is missing, and how much was not finished."""
    count: dict[str, int] = {}
    for row in report["missing"]:
        count[row["what"]] = count.get(row["what"], 0) + row["n"]
    if not count:
        return ["Nothing is missing."]
    return [
        "Missing: "
        + ", ".join(f"{what} {n:,}" for what, n in sorted(count.items()))
        + "; the reasons stand below."
    ]


def mean_words(row: Json) -> str:
    """A mean with its interval and n."""
    limits = f"95% interval {interval(row)}; " if row["ci_low"] is not None else ""
    return f"{percent(row['mean'])}% ({limits}n = {row['n']:,})"


def accuracy_words(arm: Json) -> str:
    """An accuracy with its interval, and how much is unreadable."""
    limits = f" (95% interval {interval(arm)})" if arm["ci_low"] is not None else ""
    return f"{percent(arm['accuracy'])}%{limits} of {arm['plays']:,} plays, {arm['unreadable']:,} of them unreadable and not right"


def points(value: float) -> str:
    """A difference in points, with its sign."""
    return f"{100 * value:+.1f} points"


def interval_words(row: Json) -> str:
    """The interval of a difference, where there is one."""
    return f" (95% interval {interval(row)})" if row["ci_low"] is not None else ""
