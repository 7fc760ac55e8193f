"""Compare answers to questions that came out before a model did with those to later ones.

A model may have been trained on the questions that were published before its release.  If it is
right there more often than on later questions of the same kind, it may know the answers by heart;
it may also be that the later questions are harder, which this comparison cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import nan
from pathlib import Path

import numpy as np
from scipy import stats

from analysis.read.selection import ALL, Selection, open_selected
from analysis.reports.blocks import Document, document, table
from analysis.reports.tables.formatting import mean_with_interval, p_value, share_with_interval
from analysis.statistics.clustered import SHARE, Array, MeanEstimate, clustered_mean
from arena.errors import StudyError

# A play in which several models sat has no release of its own.
RIGHT = """
    select q.study, q.arm, c.model, s.published, avg(coalesce(q.correct, false)::integer) as share,
           bool_or(t.simulated) as simulated
    from question_plays q
    join (select episode, any_value(model) as model from contestants group by episode
          having count(distinct model) = 1) c using (episode)
    join subjects s using (subject) left join studies t using (study)
    where q.study = $1 or $1 is null
    group by q.study, q.arm, c.model, q.subject, s.published order by all
"""
VIEWS = ("question_plays", "contestants", "subjects", "studies")


@dataclass(frozen=True, slots=True)
class BeforeAndAfter:
    """Shares of right answers of one model in one arm, by when the questions came out.

    `before` and `after` are of questions published before the day of release, and from it on;
    `undated` counts questions without a day, and those of the year or month of the release of which
    no day is known.  `difference` is before less after, `ci_low` and
    `ci_high` its interval of 95% by Welch's method over questions, p its two-sided test; nan where
    a side has fewer than two questions or both have no spread.
    """

    arm: str
    model: str
    released: str
    before: MeanEstimate
    after: MeanEstimate
    undated: int
    difference: float
    ci_low: float
    ci_high: float
    p: float


@dataclass(frozen=True, slots=True)
class PublicationTable:
    """The rows of one study."""

    study: str
    simulated: bool
    rows: tuple[BeforeAndAfter, ...]


def publication_tables(
    path: Path,
    released: Mapping[str, str],
    study: str | None = None,
    selection: Selection = ALL,
) -> Iterator[PublicationTable]:
    """Yield the table of each study in which a model of `released` (reference: day) answered.

    Raises StudyError for a day that is none, and for a model that answered no question.
    """
    days = {model: day_of(model, text) for model, text in released.items()}
    with open_selected(path, selection, VIEWS) as (con, _):
        found = con.execute(RIGHT, [study]).fetchall()
    unknown = sorted(set(days) - {model for _, _, model, *_ in found})
    if unknown:
        known = ", ".join(sorted({str(model) for _, _, model, *_ in found})) or "none"
        raise StudyError(f"{unknown[0]} has answered no question here; those who have: {known}")
    for name in dict.fromkeys(row[0] for row in found):
        mine = [row for row in found if row[0] == name and row[2] in days]
        pairs = dict.fromkeys((arm, model) for _, arm, model, *_ in mine)
        rows = tuple(
            before_and_after(arm, model, days[model], [row for row in mine if row[1:3] == key])
            for key in pairs
            for arm, model in [key]
        )
        if rows:
            yield PublicationTable(name, any(row[5] for row in mine), rows)


def before_and_after(
    arm: str, model: str, released: date, found: Sequence[tuple[object, ...]]
) -> BeforeAndAfter:
    """Return the shares of right answers before and after a model's release."""
    sides: dict[bool | None, list[float]] = {True: [], False: [], None: []}
    for row in found:
        day = None if row[3] is None else str(row[3])
        sides[is_before(day, released)].append(float(str(row[4])))
    before, after = (np.array(sides[side], dtype=np.float64) for side in (True, False))
    low, high, p = welch(before, after)
    earlier, later = (clustered_mean(each[:, None], within=SHARE) for each in (before, after))
    return BeforeAndAfter(
        arm,
        model,
        released.isoformat(),
        earlier,
        later,
        len(sides[None]),
        earlier.mean - later.mean,
        low,
        high,
        p,
    )


def is_before(published: str | None, released: date) -> bool | None:
    """Return whether a day, month or year lies before a release; None if nobody can tell."""
    if published is None:
        return None
    period = released.isoformat()[: len(published)]
    # A month lies behind a release on its first day, and on no side of one within it.
    begins = period + "-01" * (2 - period.count("-"))
    if published == period and begins != released.isoformat():
        return None
    return published < period


def welch(before: Array, after: Array) -> tuple[float, float, float]:
    """Return (low, high, p) of the difference of two means, by Welch's method; nan without it."""
    if min(before.size, after.size) < 2 or before.std() == after.std() == 0:
        return nan, nan, nan
    parts = [each.var(ddof=1) / each.size for each in (before, after)]
    error = sum(parts) ** 0.5
    # Satterthwaite's degrees of freedom.
    freedom = sum(parts) ** 2 / sum(
        part**2 / (each.size - 1) for part, each in zip(parts, (before, after), strict=True)
    )
    difference = before.mean() - after.mean()
    reach = stats.t.ppf(0.975, freedom) * error
    p = 2 * stats.t.sf(abs(difference) / error, freedom)
    return float(max(difference - reach, -1.0)), float(min(difference + reach, 1.0)), float(p)


def day_of(model: str, text: str) -> date:
    """Return a day in the form 2025-08-07.  Raises StudyError for another text."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise StudyError(
            f"the day on which {model} came out must read like 2025-08-07, found {text!r}"
        ) from error


def released_of(words: Iterable[str]) -> dict[str, str]:
    """Return the days by model of words such as openai/gpt-5-mini=2025-08-07.

    Raises StudyError for a word of another form.
    """
    days = {}
    for word in words:
        model, mark, day = word.rpartition("=")
        if not (model and mark):
            raise StudyError(f"--released takes MODEL=DAY, such as m=2025-08-07, found {word!r}")
        days[model] = day
    return days


def publication_document(found: PublicationTable) -> Document:
    """Return the table of a study: shares in percent, differences in points."""
    rows = [
        (
            *(row.arm, row.model, row.released, row.before.n, share_with_interval(row.before)),
            *(row.after.n, share_with_interval(row.after), row.undated),
            mean_with_interval(
                MeanEstimate(0, 0, row.difference, nan, nan, row.ci_low, row.ci_high, nan, row.p)
            ),
            p_value(row.p),
        )
        for row in found.rows
    ]
    headings = (
        "arm, model, released, before, right % (95% interval), after, right % (95% interval),"
        " undated, points (95% interval), p"
    )
    notes = [
        "before and after: questions that came out before the model, and from that day on; later"
        " questions may also be harder"
    ]
    warnings = []
    if found.simulated:
        warnings = ["SIMULATED models spoke here: these numbers are no findings about models"]
    title = "Right answers before and after a model came out"
    return document(
        found.study, warnings, [table(title, headings, rows, notes, text_columns=3)], {}
    )
