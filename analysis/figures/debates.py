"""The figures about debates: the rows behind each, out of the same functions as the report, with its caption and query.

Confidence by phase, by side and by model; the two sides of one debate; stated confidence against the jury; the rise and the wins of each
model.  Strengths, which are fitted to votes, are of whole studies (standings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.figures import queries
from analysis.figures.charts import answers as answer_charts
from analysis.figures.charts import debates as charts
from analysis.figures.charts.style import Row, cut, debate_link, distinct_names, short_names
from analysis.figures.figure import DebateFilter, Figure, Source, json_row, literal, phase_index
from analysis.read.debates import SIDES, Debates
from analysis.reports.debates import phase_rows
from analysis.reports.plain_json import json_object
from analysis.statistics.calibration import bin_of
from analysis.statistics.clustered import Array, clustered_mean
from analysis.statistics.judge_bias import clustered_share
from analysis.statistics.overconfidence import both_sides, rise
from arena.errors import StudyError

Mask = NDArray[np.bool_]
SEED = 0
MOST_DRAWN = 300
MOST_PANELS = 12
INTERVAL = "Bars are 95% intervals with debates as clusters."
PHASE_LETTERS, PANEL_LETTERS = 18, 27


def confidence(source: Source, debates: Debates) -> Figure:
    """Mean confidence by phase, over single debaters."""
    every = confidence_rows(source, debates, np.ones(debates.model.shape, dtype=bool))
    check_any_rating(source, every)
    rows, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    labels = {
        row["phase"]: f"{name}\nn = {row['n']:,}"
        for row, name in zip(rows, phase_names(rows).values(), strict=True)
    }
    lines, drawn = debater_lines(source, debates, lambda row, side: "", labels)
    title = "How sure of winning debaters are"
    chart = charts.confidence_chart(
        [row | {"phase": labels[row["phase"]]} for row in rows],
        lines,
        source.chart_title(title, debate_count_words(debates)),
    )
    caption = source.caption(
        f"Mean stated confidence of winning by phase, percent. {INTERVAL}",
        drawn,
        withheld,
        missing_sentence(every),
    )
    return Figure(
        "confidence",
        title,
        caption,
        tuple(rows),
        rating_query(source, debates, ""),
        chart,
        len(every) - len(rows),
    )


def confidence_by_side(source: Source, debates: Debates) -> Figure:
    """The same for proposition and opposition."""
    every = []
    for side, name in enumerate(SIDES):
        mask = np.zeros(debates.model.shape, dtype=bool)
        mask[:, side] = True
        every += [{"seat": name, **row} for row in confidence_rows(source, debates, mask)]
    check_any_rating(source, every)
    rows, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    labels = phase_names(rows)
    lines, drawn = debater_lines(source, debates, lambda row, side: SIDES[side], labels)
    title = "How sure each side is of winning"
    shown = [row | {"phase": labels[row["phase"]], "group": row["seat"]} for row in rows]
    caption = source.caption(
        f"Mean stated confidence of winning by phase and side, percent. {INTERVAL}",
        drawn,
        withheld,
        size_sentence(rows),
        missing_sentence(every),
    )
    chart = charts.confidence_by_side_chart(
        shown, lines, source.chart_title(title, debate_count_words(debates))
    )
    return Figure(
        "confidence_by_side",
        title,
        caption,
        tuple(rows),
        rating_query(source, debates, "seat, "),
        chart,
        len(every) - len(rows),
    )


def confidence_by_model(source: Source, debates: Debates) -> Figure:
    """The same for each model, the surest at the end first."""
    every = [
        {"model": name, **row}
        for name, mask in model_seats(debates)
        for row in confidence_rows(source, debates, mask)
    ]
    check_any_rating(source, every)
    shown, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    rows = [
        row for row in shown if row["n"] or row["missing"]
    ]  # a model need not be in every arm, nor an arm have every phase
    last = {row["model"]: -1.0 if row["mean"] is None else row["mean"] for row in rows}
    names = sorted(last, key=lambda name: (-last[name], name))
    rows.sort(key=lambda row: names.index(row["model"]))
    most = {name: max(row["n"] for row in rows if row["model"] == name) for name in names}
    panels = [
        name
        for name in names
        if name in sorted(names, key=lambda name: (-most[name], name))[:MOST_PANELS]
    ]
    labels, titles = phase_names(shown), short_names(panels, letters=PANEL_LETTERS)
    panelled = [
        row | {"phase": labels[row["phase"]], "group": titles[row["model"]]}
        for row in rows
        if row["model"] in titles
    ]
    lines, drawn = debater_lines(
        source, debates, lambda row, side: titles.get(debates.model[row, side]), labels
    )
    title = "How sure each model is of winning"
    left = (
        f"The {MOST_PANELS} models with most ratings of {len(names)} are drawn."
        if len(panels) < len(names)
        else ""
    )
    caption = source.caption(
        f"Mean stated confidence of winning by phase and model, percent; n: ratings a phase at most. {INTERVAL}",
        drawn,
        left,
        withheld,
        missing_sentence(every),
    )
    chart = charts.confidence_by_model_chart(
        panelled,
        lines,
        source.chart_title(title, debate_count_words(debates)),
        phases=list(labels.values()),
    )
    return Figure(
        "confidence_by_model",
        title,
        caption,
        tuple(rows),
        rating_query(source, debates, "model, "),
        chart,
        len(every) - len(shown),
    )


def reliability(source: Source, debates: Debates) -> Figure:
    """Share won against stated confidence in the last phase, by bin; ties are left out."""
    at = phase_index(debates, source.where)
    phase, stated, outcome = debates.phases[at], debates.confidence[:, :, at], debates.outcome()
    decided = ~np.isnan(stated) & ((outcome == 0) | (outcome == 1))
    every = bin_rows(
        np.where(decided, stated, np.nan), np.where(decided, outcome, np.nan), "debates"
    )
    if not every:
        raise source.nothing_to_draw("ratings in judged debates with a winner")
    rows, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    title = "Stated confidence against the jury"
    words = source.chart_title(
        title, f"{pluralize(int(decided.sum()), 'rating')} in {cut(phase, PHASE_LETTERS)}"
    )
    chart = answer_charts.reliability_chart(
        [row | {"group": ""} for row in rows], words, y_title="won, percent"
    )
    judged = int((outcome == 0.5)[:, 0].sum()), int(np.isnan(outcome)[:, 0].sum())
    caption = source.caption(
        f"Share of debates won (by the larger sum of the judges' confidences) against confidence stated in {phase}, percent, by bins of 10"
        f" points that are closed on the right; below, ratings by bin. {INTERVAL} Dashed: stated confidence is right.",
        f"Left out: {pluralize(judged[0], 'tie')}, {pluralize(judged[1], 'debate')} without a winner.",
        withheld,
    )
    query = queries.ratings(
        source.study, source.where, debates.phases
    ) + queries.RELIABILITY.format(phase=literal(phase))
    return Figure("reliability", title, caption, tuple(rows), query, chart, len(every) - len(rows))


def bin_rows(stated: Array, outcome: Array, unit: str) -> list[Row]:
    """For each bin with values: its edges, n, how many clusters, mean confidence, and the share with its interval.

    Both (clusters, members), nan where left out; `unit` is what clusters are called.
    """
    there = ~np.isnan(stated)
    bins = np.full(stated.shape, -1, dtype=np.int64)
    bins[there] = bin_of(stated[there])
    rows = []
    for number in np.unique(bins[there]).tolist():
        mine = bins == number
        chosen = mine.any(axis=1)
        found = clustered_mean(np.where(mine, outcome, np.nan)[chosen])
        size = {"n": found.n, unit: found.clusters, "confidence": float(stated[mine].mean())}
        limits = {"share": found.mean, "ci_low": found.ci_low, "ci_high": found.ci_high}
        rows.append(
            json_row(
                {
                    "above": round(number / 10, 1),
                    "up_to": round((number + 1) / 10, 1),
                    **size,
                    **limits,
                }
            )
        )
    return rows


def sides(source: Source, debates: Debates) -> Figure:
    """The two ratings of each debate in the first and the last phase."""
    if not source.single_ratings:
        raise StudyError(
            "this figure is made of ratings of single debaters, and those were private"
        )
    at = phase_index(debates, source.where)
    columns = [at] if source.where.phase or at == 0 else [0, at]
    rows = [
        {"phase": debates.phases[k], **asdict(both_sides(debates.confidence[:, :, k]))}
        for k in columns
    ]
    if not sum(row["debates"] for row in rows):
        raise source.nothing_to_draw("debates in which both sides gave a rating")
    labels, points = phase_names(rows), []
    paired = ~np.isnan(debates.confidence[:, :, columns]).any(axis=1)
    both = np.flatnonzero(paired.any(axis=1))
    drawn = sample_rows(both)
    spread = np.random.default_rng(SEED).uniform(-0.009, 0.009, (len(drawn), len(columns), 2))
    for number, row in enumerate(drawn.tolist()):
        for column in np.flatnonzero(paired[row]).tolist():
            k = columns[column]
            x, y = np.clip(debates.confidence[row, :, k] + spread[number, column], 0, 1).tolist()
            point = {"phase": labels[debates.phases[k]], "proposition": x, "opposition": y}
            points.append(
                point | ({"href": debate_link(debates.episode[row])} if source.links else {})
            )
    title = "How sure the two sides of one debate are"
    chart = charts.both_sides_chart(
        [row | {"phase": labels[row["phase"]]} for row in rows],
        points,
        source.chart_title(title, debate_count_words(debates)),
    )
    some = (
        f"{len(drawn):,} debates drawn at random of {len(both):,}"
        if len(drawn) < len(both)
        else f"{pluralize(len(both), 'debate')}"
    )
    shares = "; ".join(f"{row['phase']} {row['above_50']:,} of {row['debates']:,}" for row in rows)
    caption = source.caption(
        f"Confidence of winning stated by the proposition and the opposition of the same debate, percent. Each dot is a debate, moved by less"
        f" than one point so that equal ones can be seen ({some}). Shaded: both above 50% ({shares}), where one must be wrong.",
        f"Left out: {pluralize(len(debates.arm) - len(both), 'debate')} without both ratings in any phase shown.",
    )
    wanted = queries.BOTH_SIDES.format(phases=", ".join(literal(row["phase"]) for row in rows))
    query = queries.ratings(source.study, source.where, debates.phases) + wanted
    return Figure("both_sides", title, caption, tuple(rows), query, chart)


def rises(source: Source, debates: Debates) -> Figure:
    """How much surer each model becomes from the first phase to the last."""
    at = phase_index(debates, source.where)
    if at == 0:
        raise source.nothing_to_draw("two phases with ratings")
    first, last = debates.confidence[:, :, 0], debates.confidence[:, :, at]
    every, of, left = [], [], 0
    for name, mask in model_seats(debates):
        pair = mask & ~np.isnan(first) & ~np.isnan(last)
        left += int((mask & debates.asked[:, :, [0, at]].any(axis=2) & ~pair).sum())
        if pair.any():
            found = rise(*(np.where(pair, values, np.nan) for values in (first, last)))
            means = {
                "first": float(first[pair].mean()),
                "last": float(last[pair].mean()),
                "rise": found.mean,
            }
            limits = {"ci_low": found.ci_low, "ci_high": found.ci_high, "share_up": found.share_up}
            every.append(json_row({"model": name, "n": found.n, **means, **limits}))
            of.append(int(pair.any(axis=1).sum()))
    if not every:
        raise source.nothing_to_draw("debaters with a rating in both phases")
    rows, withheld = source.publishable_rows(every, of)
    rows.sort(key=lambda row: (-row["rise"], row["model"]))
    begun, ended = debates.phases[0], debates.phases[at]
    title = "How much surer each model becomes"
    axis = f"rise from {cut(begun, PHASE_LETTERS)} to {cut(ended, PHASE_LETTERS)}, points"
    chart = charts.estimates_chart(
        estimate_rows(rows, "model", "rise", "n"),
        source.chart_title(title, debate_count_words(debates)),
        axis=axis,
        zero=0,
    )
    caption = source.caption(
        f"Mean rise of stated confidence from {begun} to {ended}, percentage points; n: debaters with both ratings. {INTERVAL}",
        f"Left out: {pluralize(left, 'debater')} without both.",
        withheld,
    )
    query = queries.ratings(source.study, source.where, debates.phases) + queries.RISE.format(
        first=literal(begun), last=literal(ended)
    )
    return Figure("rise", title, caption, tuple(rows), query, chart, len(every) - len(rows))


def leaderboard(source: Source, debates: Debates) -> Figure:
    """How often each model won against others."""
    outcome = np.where(debates.against_itself()[:, None], np.nan, debates.outcome())
    played = ~np.isnan(outcome).any(axis=1)
    if not played.any():
        raise source.nothing_to_draw("judged debates between two models")
    part, won = debates.select(played), outcome[played]
    cluster = pairs_on_motions(part)
    rows = []
    for name, mask in model_seats(part):
        found = clustered_share(won[mask], cluster[mask.any(axis=1)])
        counts = {"debates": found.n, "wins": float(won[mask].sum()), "win_rate": found.mean}
        rows.append(
            json_row({"model": name, **counts, "ci_low": found.ci_low, "ci_high": found.ci_high})
        )
    rows.sort(key=lambda row: (-row["win_rate"], row["model"]))
    title = "How often each model won"
    words = source.chart_title(title, pluralize(int(played.sum()), "judged debate"))
    shown = estimate_rows(rows, "model", "win_rate", "debates")
    chart = charts.estimates_chart(
        shown, words, axis="debates won, percent", zero=50, domain=(0, 100)
    )
    ties = int((won == 0.5)[:, 0].sum())
    caption = source.caption(
        "Share of debates against other models that each won, percent, by the larger sum of the judges' confidences, a tie as half a win"
        f" ({pluralize(ties, 'tie')}); n: debates. Bars are 95% intervals with the debates of one pair on one motion as clusters.",
        f"Left out: {pluralize(len(debates.arm) - int(played.sum()), 'debate')} not judged, or of a model against itself.",
    )
    return Figure(
        "leaderboard",
        title,
        caption,
        tuple(rows),
        queries.debates(source.study, source.where) + queries.LEADERBOARD,
        chart,
    )


def strength(source: Source, path: Path) -> Figure:
    """Bradley-Terry strengths of the contestants of a judged study, whatever the filter."""
    from analysis.reports.standings import standings

    found = standings(path, source.study)
    rows = [row for row in found["contestants"] if row["strength"] is not None]
    if not rows:
        raise source.nothing_to_draw("votes on debates between two contestants")
    title = "How strong each contestant is"
    called = short_names([row["agent"] for row in rows])
    shown = [
        {
            "name": called[row["agent"]],
            "value": row["strength"],
            "low": row["ci_low"],
            "high": row["ci_high"],
            "label": f"n = {row['votes']:,}",
        }
        for row in rows
    ]
    source = replace(source, simulated=found["simulated"])
    words = source.chart_title(
        title, f"{found['debates']:,} debates, {found['verdicts']['counted']:,} verdicts"
    )
    chart = charts.estimates_chart(shown, words, axis="strength, logits", zero=0)
    caption = source.caption(
        "Bradley-Terry strength in logits, with mean 0: a contestant wins against one d below it with the chance 1 / (1 + exp(-d)), as this"
        " jury sees it; n: votes. Bars are 95% intervals, resampled over the debates of one pair on one motion.",
        f"Verdicts {found['verdicts']['all']:,}, of them missing {found['verdicts']['missing']:,}; by judges that are a contestant or of its"
        f" family, and left out, {found['verdicts']['judge_is_contestant'] + found['verdicts']['judge_of_family']:,}. The query counts single"
        " readings; strengths are fitted to votes, which several readings of a judge make.",
    )
    return Figure(
        "strength",
        title,
        caption,
        tuple(rows),
        queries.debates(source.study, DebateFilter()) + queries.STRENGTH,
        chart,
    )


def model_seats(debates: Debates) -> list[tuple[str, Mask]]:
    """(name, the seats that it holds as a mask (G, 2)) of each model, by name."""
    names = sorted({name for name in debates.model.ravel().tolist() if name is not None})
    return [(name, np.asarray(debates.model == name, dtype=bool)) for name in names]


def confidence_rows(source: Source, debates: Debates, mask: Mask) -> list[Row]:
    """The report's rows of confidence by phase over the chosen seats: of all phases, or of the filter's."""
    at = phase_index(debates, source.where)
    rows = [json_object(row) for row in phase_rows(debates, mask)]
    return [rows[at]] if source.where.phase else rows


def check_any_rating(source: Source, rows: Sequence[Row]) -> None:
    """Raise StudyError unless there is a rating in any row."""
    if not sum(row["n"] for row in rows):
        raise source.nothing_to_draw("finished debate with a rating")


def debater_lines(
    source: Source,
    debates: Debates,
    group: Callable[[int, int], str | None],
    labels: dict[str, str],
) -> tuple[list[Row], str]:
    """(points of single debaters, what was drawn in words): at most MOST_DRAWN of those with a rating in two phases, or in the one shown.

    `group` names the group of a debater by its debate and side, None where it is not drawn.
    """
    if not source.single_ratings:
        return [], "Single debaters are not drawn: their ratings were private."
    columns = [debates.phases.index(phase) for phase in labels]
    there = ~np.isnan(debates.confidence[:, :, columns])
    pool = np.argwhere(there.sum(axis=2) >= min(2, len(columns)))
    pool = pool[[group(*pair) is not None for pair in pool.tolist()]] if len(pool) else pool
    points = []
    for row, side in sample_rows(pool).tolist():
        link = {"href": debate_link(debates.episode[row])} if source.links else {}
        for k in columns:
            value = float(debates.confidence[row, side, k])
            if value == value:
                name = labels[debates.phases[k]]
                points.append(
                    {
                        "debater": f"{row}/{side}",
                        "group": group(row, side),
                        "phase": name,
                        "confidence": value,
                        **link,
                    }
                )
    drawn = (
        f"{MOST_DRAWN} debaters drawn at random of {len(pool):,}"
        if len(pool) > MOST_DRAWN
        else f"all {len(pool):,} debaters"
    )
    return points, f"Thin lines: {drawn}."


def sample_rows(pool: NDArray[Any]) -> NDArray[Any]:
    """At most MOST_DRAWN rows, drawn by a fixed seed, in their order."""
    if len(pool) <= MOST_DRAWN:
        return pool
    return pool[np.sort(np.random.default_rng(SEED).choice(len(pool), MOST_DRAWN, replace=False))]


def pairs_on_motions(debates: Debates) -> NDArray[np.int64]:
    """(G,) codes of pairs of models on a motion, whoever sits where; a debate without a known motion stands alone."""
    motion = [
        episode if subject is None else subject
        for episode, subject in zip(debates.episode, debates.subject, strict=True)
    ]
    keys = [
        (*sorted(map(str, pair)), what)
        for pair, what in zip(debates.model.tolist(), motion, strict=True)
    ]
    code = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([code[key] for key in keys], dtype=np.int64)


def estimate_rows(rows: Sequence[Row], name: str, value: str, size: str) -> list[Row]:
    """Rows of shares as `charts.estimates` takes them: in percent, with n at the right."""
    called = short_names([row[name] for row in rows])
    found = []
    for row in rows:
        numbers = {
            key: None if row[entry] is None else 100 * row[entry]
            for key, entry in (("value", value), ("low", "ci_low"), ("high", "ci_high"))
        }
        found.append({"name": called[row[name]], **numbers, "label": f"n = {row[size]:,}"})
    return found


def phase_names(rows: Sequence[Row]) -> dict[str, str]:
    """Each phase as it stands in a figure, by phase."""
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    return distinct_names(phases, [cut(phase, PHASE_LETTERS) for phase in phases])


def rating_query(source: Source, debates: Debates, by: str) -> str:
    """The query for confidence by phase, and by a column."""
    phase = f" where phase = {literal(source.where.phase)}" if source.where.phase else ""
    known = "model is not null" if by.startswith("model") else ""
    condition = phase + (f" and {known}" if phase and known else f" where {known}" if known else "")
    return queries.ratings(source.study, source.where, debates.phases) + queries.CONFIDENCE.format(
        by=by, phase=condition
    )


def pluralize(n: int, noun: str) -> str:
    """A number with its noun."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def debate_count_words(debates: Debates) -> str:
    """How many debates."""
    return pluralize(len(debates.arm), "finished debate")


def size_sentence(rows: Sequence[Row]) -> str:
    """n by side and phase, where several lines share a panel."""
    return "n: " + ", ".join(f"{row['seat']} {row['phase']} {row['n']:,}" for row in rows) + "."


def missing_sentence(rows: Sequence[Row]) -> str:
    """How many ratings are missing, by phase."""
    missing = {
        phase: sum(row["missing"] for row in rows if row["phase"] == phase)
        for phase in dict.fromkeys(row["phase"] for row in rows)
    }
    some = ", ".join(f"{phase} {n:,}" for phase, n in missing.items() if n)
    return f"Asked for and missing: {some}." if some else "No rating that was asked for is missing."
