"""Figures of who won: confidence against the jury, wins by contestant, and fitted strengths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.figures import queries
from analysis.figures.charts import answers as answer_charts
from analysis.figures.charts import debates as charts
from analysis.figures.charts.style import Row, cut, short_names
from analysis.figures.debates import (
    OF_DEBATES,
    PHASE_LETTERS,
    Mask,
    contestant_seats,
    estimate_rows,
)
from analysis.figures.figure import Figure, Source, phase_index
from analysis.read.debates import Debates
from analysis.reports.plain_json import json_object
from analysis.statistics.calibration import bin_of
from analysis.statistics.clustered import SHARE, Array, clustered_mean
from analysis.statistics.judge_bias import clustered_share
from arena.text import pluralize


def reliability(source: Source, debates: Debates) -> Figure:
    """Draw the share won against stated confidence in one phase, by bin, without ties."""
    at = phase_index(debates, source.where)
    phase = debates.phases[at]
    stated = debates.confidence[:, :, at]
    outcome = debates.outcome()
    decided = ~np.isnan(stated) & ((outcome == 0) | (outcome == 1))
    every = bin_rows(
        np.where(decided, stated, np.nan), np.where(decided, outcome, np.nan), "debates"
    )
    if not every:
        raise source.nothing_to_draw("ratings in judged debates with a winner")
    rows, withheld = source.publishable_rows(every, [row["debates"] for row in every])
    title = f"{source.number.capitalize()} against the jury's verdicts"
    words = source.chart_title(
        title, f"{pluralize(int(decided.sum()), 'rating')} in {cut(phase, PHASE_LETTERS)}"
    )
    chart = answer_charts.reliability_chart(
        [row | {"group": ""} for row in rows], words, y_title="won, percent"
    )
    ties = int((outcome == 0.5)[:, 0].sum())
    undecided = int(np.isnan(outcome)[:, 0].sum())
    caption = source.caption(
        f"Share of debates won (by the majority of the jury's votes) against {source.number} in"
        f" {phase}, percent, by bins of 10 points that are closed on the right; below,"
        f" ratings by bin. {OF_DEBATES} Dashed: ratings that are right.",
        f"Left out: {pluralize(ties, 'tie')}, {pluralize(undecided, 'debate')} without a winner.",
        withheld,
    )
    query = queries.RELIABILITY.format(
        phase=queries.literal(phase),
        conditions=queries.debate_conditions(source.study, source.where),
    )
    return Figure("reliability", title, caption, tuple(rows), query, chart, len(every) - len(rows))


def bin_rows(stated: Array, outcome: Array, unit: str) -> list[Row]:
    """Return a row for each bin with values: edges, counts, mean confidence and share won.

    `stated` and `outcome` are (clusters, members), nan for members that are left out; `unit` names
    the column with the number of clusters.  The share has its 95% interval.
    """
    there = ~np.isnan(stated)
    bins = np.full(stated.shape, -1, dtype=np.int64)
    bins[there] = bin_of(stated[there])
    rows = []
    for number in np.unique(bins[there]).tolist():
        mine = bins == number
        chosen = mine.any(axis=1)
        share = clustered_mean(np.where(mine, outcome, np.nan)[chosen], within=SHARE)
        size = {"n": share.n, unit: share.clusters, "confidence": float(stated[mine].mean())}
        limits = {"share": share.mean, "ci_low": share.ci_low, "ci_high": share.ci_high}
        edges = {"above": round(number / 10, 1), "up_to": round((number + 1) / 10, 1)}
        rows.append(json_object(edges | size | limits))
    return rows


def leaderboard(source: Source, debates: Debates) -> Figure:
    """Draw how often each contestant won against others."""
    outcome = np.where(debates.against_itself()[:, None], np.nan, debates.outcome())
    played: Mask = ~np.any(np.isnan(outcome), axis=1)
    if not played.any():
        raise source.nothing_to_draw("judged debates between two contestants")
    part = debates.select(played)
    won = outcome[played]
    by_sum = part.outcome_by_confidence_sum()
    cluster = pairs_on_motions(part)
    rows = []
    for name, mask in contestant_seats(part):
        share = clustered_share(won[mask], cluster[mask.any(axis=1)])
        counts = {
            "debates": share.n,
            "wins": float(won[mask].sum()),
            "win_rate": share.mean,
            "wins_by_confidence_sum": float(np.nansum(by_sum[mask])),
        }
        rows.append(
            json_object(
                {"contestant": name, **counts, "ci_low": share.ci_low, "ci_high": share.ci_high}
            )
        )
    rows.sort(key=lambda row: (-row["win_rate"], row["contestant"]))
    title = "How often each contestant won"
    words = source.chart_title(title, pluralize(int(played.sum()), "judged debate"))
    shown = estimate_rows(rows, "contestant", "win_rate", "debates")
    chart = charts.estimates_chart(
        shown, words, axis="debates won, percent", zero=50, domain=(0, 100)
    )
    ties = int((won == 0.5)[:, 0].sum())
    flips = pluralize(int(part.votes[:, 2].sum()), "flip")
    caption = source.caption(
        "Share of debates against others that each contestant won, percent, by the majority of"
        f" votes, a tie as half a win ({pluralize(ties, 'tie')}); n: debates. Bars are 95%"
        " intervals with the debates of one pair on one motion as clusters. A vote whose winner"
        f" changed with the seat order abstains ({flips}).",
        f"Left out: {pluralize(len(debates.arm) - int(played.sum()), 'debate')} not judged, or of a"
        " contestant against itself.",
    )
    query = queries.LEADERBOARD.format(
        conditions=queries.debate_conditions(source.study, source.where)
    )
    return Figure("leaderboard", title, caption, tuple(rows), query, chart)


def strength(source: Source, path: Path) -> Figure:
    """Draw the Bradley-Terry strengths of the contestants of a judged study; it has no filter."""
    from analysis.reports.standings import standings

    ranking = standings(path, source.study)
    votes = ranking["outcomes"]["votes"]
    related = ranking["related"]["judge_is_contestant"] + ranking["related"]["judge_of_family"]
    rows = [row for row in ranking["contestants"] if row["strength"] is not None]
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
    source = replace(source, simulated=ranking["simulated"])
    cast = votes["for_a_side"] + votes["abstained"]
    words = source.chart_title(title, f"{ranking['debates']:,} debates, {cast:,} votes")
    chart = charts.estimates_chart(shown, words, axis="strength, logits", zero=0)
    caption = source.caption(
        "Bradley-Terry strength in logits, with mean 0: a contestant wins against one d below it"
        " with the chance 1 / (1 + exp(-d)), as this jury sees it; n: votes. Bars are 95%"
        " profile likelihood intervals with the debates of one pair on one motion as clusters;"
        " one that ends with the farthest has no end there: that contestant never lost, or never"
        " won.",
        f"Votes {cast:,}, {votes['missing']:,} more missing; {votes['flipped']:,} changed with the"
        f" seat order and abstain; {related:,} are by judges that are a contestant or of its"
        " family.",
    )
    query = queries.STRENGTH.format(study=queries.literal(source.study))
    return Figure("strength", title, caption, tuple(rows), query, chart)


def pairs_on_motions(debates: Debates) -> NDArray[np.int64]:
    """Return codes (G,) of the pairs of contestants on a motion, whichever sat on which side.

    A debate whose motion is unknown has a code of its own.
    """
    motion = [
        episode if subject is None else subject
        for episode, subject in zip(debates.episode, debates.subject, strict=True)
    ]
    keys = [
        (*sorted(map(str, pair)), words)
        for pair, words in zip(debates.contestant.tolist(), motion, strict=True)
    ]
    code = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([code[key] for key in keys], dtype=np.int64)
