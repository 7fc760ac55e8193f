"""Figures of the two sides of one debate at once, and of how far debaters rise."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from analysis.figures import queries
from analysis.figures.charts import debates as charts
from analysis.figures.charts.style import Row, cut, debate_link
from analysis.figures.debates import (
    OF_EACH_CONTESTANT,
    PHASE_LETTERS,
    SEED,
    Mask,
    contestant_seats,
    debate_count_words,
    estimate_rows,
    phase_names,
    sample_rows,
)
from analysis.figures.figure import Figure, Source, phase_index
from analysis.read.debates import Debates
from analysis.reports.plain_json import json_object
from analysis.statistics.overconfidence import both_sides, rise
from arena.errors import StudyError
from arena.text import pluralize


def sides(source: Source, debates: Debates) -> Figure:
    """Draw both ratings of each debate in the first and the last phase, or in one phase."""
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
    labels = phase_names(rows)
    points: list[Row] = []
    paired: Mask = ~np.any(np.isnan(debates.confidence[:, :, columns]), axis=1)
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
    title = source.title("How sure the two sides of one debate are", "both sides of one debate")
    chart = charts.both_sides_chart(
        [row | {"phase": labels[row["phase"]]} for row in rows],
        points,
        source.chart_title(title, debate_count_words(debates)),
    )
    count = (
        f"{len(drawn):,} debates drawn at random of {len(both):,}"
        if len(drawn) < len(both)
        else f"{pluralize(len(both), 'debate')}"
    )
    shares = "; ".join(f"{row['phase']} {row['above_50']:,} of {row['debates']:,}" for row in rows)
    caption = source.caption(
        f"{source.number.capitalize()} of the proposition and the opposition of the same debate,"
        " percent. Each dot is a debate, moved by less than one point so that equal ones can be"
        f" seen ({count}). Shaded: both above 50% ({shares}), where one must be wrong.",
        f"Left out: {pluralize(len(debates.arm) - len(both), 'debate')} without both ratings in any"
        " phase shown.",
    )
    query = queries.BOTH_SIDES.format(
        phases=", ".join(queries.literal(row["phase"]) for row in rows),
        conditions=queries.debate_conditions(source.study, source.where),
    )
    return Figure("both_sides", title, caption, tuple(rows), query, chart)


def rises(source: Source, debates: Debates) -> Figure:
    """Draw how much surer each contestant becomes from the first phase to the last."""
    at = phase_index(debates, source.where)
    if at == 0:
        raise source.nothing_to_draw("two phases with ratings")
    first = debates.confidence[:, :, 0]
    last = debates.confidence[:, :, at]
    every: list[Row] = []
    sizes: list[int] = []
    left = 0
    for name, mask in contestant_seats(debates):
        pair = mask & ~np.isnan(first) & ~np.isnan(last)
        left += int((mask & debates.asked[:, :, [0, at]].any(axis=2) & ~pair).sum())
        if pair.any():
            change = rise(*(np.where(pair, values, np.nan) for values in (first, last)))
            means = {"first": float(first[pair].mean()), "last": float(last[pair].mean())}
            limits = {"ci_low": change.ci_low, "ci_high": change.ci_high}
            rising = {"rise": change.mean, **limits, "share_up": change.share_up}
            every.append(json_object({"contestant": name, "n": change.n, **means, **rising}))
            sizes.append(int(pair.any(axis=1).sum()))
    if not every:
        raise source.nothing_to_draw("debaters with a rating in both phases")
    rows, withheld = source.publishable_rows(every, sizes)
    rows.sort(key=lambda row: (-row["rise"], row["contestant"]))
    begun = debates.phases[0]
    ended = debates.phases[at]
    title = "How much surer each contestant becomes"
    axis = f"rise from {cut(begun, PHASE_LETTERS)} to {cut(ended, PHASE_LETTERS)}, points"
    chart = charts.estimates_chart(
        estimate_rows(rows, "contestant", "rise", "n"),
        source.chart_title(title, debate_count_words(debates)),
        axis=axis,
        zero=0,
    )
    caption = source.caption(
        f"Mean rise of {source.number} from {begun} to {ended}, percentage points; n: debaters"
        f" with both ratings. {OF_EACH_CONTESTANT}",
        f"Left out: {pluralize(left, 'debater')} without both.",
        withheld,
    )
    query = queries.RISE.format(
        first=queries.literal(begun),
        last=queries.literal(ended),
        conditions=queries.debate_conditions(source.study, source.where),
    )
    return Figure("rise", title, caption, tuple(rows), query, chart, len(every) - len(rows))
