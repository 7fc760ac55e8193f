"""Figures about answers and about missing values: their rows, captions and queries.

Accuracy and its cost are those of the report (reports/answers.py). Filters by motion, phase and
outcome are of debates and are not applied here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.figures import queries
from analysis.figures.charts import answers as charts
from analysis.figures.charts.style import NAME_LETTERS, Row, distinct_names
from analysis.figures.debates import MOST_PANELS, PANEL_LETTERS
from analysis.figures.figure import Figure, Source
from analysis.figures.wins import bin_rows
from analysis.read.answers import AnswerRecord
from analysis.reports.answers import accuracy_row
from analysis.reports.plain_json import json_object
from analysis.statistics.accuracy import mean_over_plays
from analysis.statistics.judge_bias import by_cluster
from arena.store.database import select_rows
from arena.text import pluralize

NONE_READABLE = "none readable"
Mask = NDArray[np.bool_]
INTERVAL = "Bars are 95% intervals, of other questions of this kind to the same models."


def groups(record: AnswerRecord, source: Source) -> Iterator[tuple[str, str, Mask]]:
    """Yield (arm, models, mask of its plays) for each arm and lineup that the filter keeps."""
    for arm, label in enumerate(record.arms):
        for models, name in enumerate(record.models):
            mask = (record.plays.arm == arm) & (record.plays.models == models)
            has_model = source.where.model is None or source.where.model in name.split(", ")
            if mask.any() and has_model and source.where.arm in (None, label):
                yield label, name, mask


def group_names(rows: Sequence[Row], letters: int = NAME_LETTERS) -> dict[tuple[str, str], str]:
    """Return how each (arm, models) of the rows is called: by arm, models, or both if need be."""
    keys = list(dict.fromkeys((row["arm"], row["models"]) for row in rows))
    arms, lineups = (len({key[part] for key in keys}) for part in (0, 1))
    words = [
        models if arms == 1 < lineups else arm if arms == len(keys) else f"{arm}, {models}"
        for arm, models in keys
    ]
    shown = distinct_names(list(map(str, range(len(keys)))), words, letters=letters)
    return dict(zip(keys, shown.values(), strict=True))


def accuracy(source: Source, record: AnswerRecord) -> Figure:
    """Draw accuracy against generated tokens a question, for each arm and lineup of models."""
    rows = []
    for arm, models, mask in groups(record, source):
        [tokens] = mean_over_plays(
            record.plays.tokens_out[mask][:, None], record.plays.question[mask]
        )
        spent = {"tokens_out_ci_low": tokens.ci_low, "tokens_out_ci_high": tokens.ci_high}
        shares = json_object(accuracy_row(record.plays, mask))
        rows.append(json_object({"arm": arm, "models": models, **shares, **spent}))
    known = [row for row in rows if row["tokens_out"] is not None]
    if not known:
        raise source.nothing_to_draw(
            "finished plays of questions with a known number of generated tokens"
        )
    names = group_names(rows)
    shown = [row | {"name": names[row["arm"], row["models"]]} for row in rows]
    # Nothing was read, so that neither the share nor an interval says anything of the answers.
    blank = {"ci_low": None, "ci_high": None}
    shown = [
        row | blank | {"name": f"{row['name']}, {NONE_READABLE}"} if has_no_answer(row) else row
        for row in shown
    ]
    title = "Right answers and generated tokens"
    chart = charts.accuracy_chart(
        shown, source.chart_title(title, pluralize(record.questions, "question"))
    )
    plays, lost = sum(row["plays"] for row in rows), sum(row["unreadable"] for row in rows)
    unknown = sum(row["tokens_out_unknown"] for row in rows)
    caption = source.caption(
        "Share of right final answers, percent, against generated tokens a play, both means with"
        f" their interval. {INTERVAL} {pluralize(plays, 'finished play')}; {lost:,} unreadable"
        " answers count as not right. Of arms at one place the better is the larger mark, behind.",
        f"{pluralize(none, 'arm')} without any readable answer: a mark at 0, without an interval."
        if (none := sum(map(has_no_answer, rows)))
        else "",
        f"Plays with an unknown number of tokens, left out of the mean of tokens: {unknown:,}."
        if unknown
        else "",
        f"Not drawn, since their tokens are unknown: {len(rows) - len(known)} of {len(rows)}."
        if len(known) < len(rows)
        else "",
    )
    sql = queries.ACCURACY.format(conditions=queries.answer_conditions(source.study, source.where))
    return Figure("accuracy", title, caption, tuple(rows), sql, chart)


def has_no_answer(row: Row) -> bool:
    """Return whether no answer of an arm could be read."""
    return bool(row["plays"] == row["unreadable"])


def reliability(source: Source, record: AnswerRecord) -> Figure:
    """Draw the share right against confidence, for each arm and lineup of models."""
    plays = record.plays
    every: list[Row] = []
    left = 0
    for arm, models, mask in groups(record, source):
        there = mask & ~np.isnan(plays.confidence) & ~np.isnan(plays.correct)
        if there.any():
            stated = by_cluster(plays.confidence[there], plays.question[there])
            right = by_cluster(plays.correct[there], plays.question[there])
            bins = bin_rows(stated, right, "questions")
            every += [{"arm": arm, "models": models, **row} for row in bins]
            left += int((mask & ~there).sum())
    if not every:
        raise source.nothing_to_draw("answers with a confidence")
    rows, withheld = source.publishable_rows(
        every, [row["questions"] for row in every], "questions"
    )
    size = Counter[tuple[str, str]]()
    for row in rows:
        size[row["arm"], row["models"]] += row["n"]
    most = {key for key, _ in size.most_common(MOST_PANELS)}
    drawn = [row for row in rows if (row["arm"], row["models"]) in most]
    names = group_names(drawn, PANEL_LETTERS)
    shown = [row | {"group": names[row["arm"], row["models"]]} for row in drawn]
    title = "Confidence against right answers"
    words = source.chart_title(title, pluralize(sum(size.values()), "answer"))
    some = (
        f"The {len(most)} arms with most answers of {len(size)} are drawn."
        if len(most) < len(size)
        else ""
    )
    caption = source.caption(
        "Share of right final answers against confidence, percent, by bins of 10 points that are"
        " closed on the right. Bars are 95% intervals with questions as clusters. Dashed:"
        " confidence is right.",
        confidence_sentence(record, {arm for arm, _ in most}),
        some,
        f"Left out: {pluralize(left, 'play')} of these arms without confidence, or unreadable.",
        withheld,
    )
    sql = queries.ANSWER_RELIABILITY.format(
        conditions=queries.answer_conditions(source.study, source.where)
    )
    chart = charts.reliability_chart(shown, words, y_title="right, percent")
    return Figure(
        "answer_reliability", title, caption, tuple(rows), sql, chart, len(every) - len(rows)
    )


def confidence_sentence(record: AnswerRecord, arms: Collection[str]) -> str:
    """Say what kind of number the confidence of final answers is, by arm where arms differ."""
    kinds = {arm: record.sources.get((arm, True), "unknown") for arm in sorted(arms)}
    if len(set(kinds.values())) == 1:
        return f"Confidence is here: {next(iter(kinds.values()))}."
    return f"Confidence is here: {'; '.join(f'{arm}: {kind}' for arm, kind in kinds.items())}."


def missing(source: Source, path: Path) -> Figure:
    """Draw the missing values of a study by phase and reason, as shares of the expected ones."""
    sql = queries.missing(source.study, source.where)
    rows = [json_object(row) for row in select_rows(path, sql).dicts()]
    if not rows:
        raise source.nothing_to_draw("missing values")
    names = [
        ", ".join(filter(None, (row["what"], row["phase"]))) + f": {row['reason'] or 'unknown'}"
        for row in rows
    ]
    shown = distinct_names(list(map(str, range(len(rows)))), names)
    title = "What is missing, and why"
    chart = charts.missing_chart(
        [row | {"name": name} for row, name in zip(rows, shown.values(), strict=True)],
        source.chart_title(title, pluralize(sum(row["n"] for row in rows), "missing value")),
    )
    caption = source.caption(
        "Values that are missing, percent of what was asked for, with counts. Episodes: of those"
        " planned or begun; all else: of finished episodes. No interval: these are counts of the"
        " record."
    )
    return Figure("missing", title, caption, tuple(rows), sql, chart)
