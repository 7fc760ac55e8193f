"""Figures of a study by name: read, filtered, drawn, with the numbers and the query behind each; and as SVG and PNG.

A figure about debates reads the study's ratings (frames.py), one about answers its plays (answers.py); nothing else is read.
"""

from __future__ import annotations

from pathlib import Path

from analysis.figures import answers as answer_figures
from analysis.figures import debates as debate_figures
from analysis.figures.charts.style import png, svg
from analysis.figures.figure import (
    ANSWER_OUTCOMES,
    OUTCOMES,
    DebateFilter,
    Figure,
    Source,
    filter_debates,
)
from analysis.read.answers import AnswerRecord, read_answers
from analysis.read.debates import DebateRecord, read_records
from arena.errors import StudyError
from arena.store.database import select_rows

__all__ = [
    "ANSWER_OUTCOMES",
    "NAMES",
    "OUTCOMES",
    "DebateFilter",
    "Figure",
    "figure",
    "figures",
    "png",
    "svg",
]

EVERYTHING = DebateFilter()
DEBATE_FIGURES = {
    "confidence": debate_figures.confidence,
    "confidence_by_side": debate_figures.confidence_by_side,
    "confidence_by_model": debate_figures.confidence_by_model,
    "both_sides": debate_figures.sides,
    "rise": debate_figures.rises,
    "reliability": debate_figures.reliability,
    "leaderboard": debate_figures.leaderboard,
}
ANSWER_FIGURES = {
    "accuracy": answer_figures.accuracy,
    "answer_reliability": answer_figures.reliability,
}
STORE_FIGURES = {"strength": debate_figures.strength, "missing": answer_figures.missing}
NAMES = (*DEBATE_FIGURES, "strength", *ANSWER_FIGURES, "missing")
JURY_FIGURES = ("reliability", "leaderboard")
JURY = """
    select coalesce(bool_or(s.simulated), false) from verdicts v join episodes d on d.episode = v.debate
    join episodes j on j.episode = v.episode join studies s on s.study = j.study where d.study = ?
"""
UNUSED = {
    "strength": ("arm", "model", "subject", "phase", "outcome"),
    "accuracy": ("subject", "phase", "outcome"),
    "answer_reliability": ("subject", "phase", "outcome"),
    "missing": ("phase", "outcome"),
}


def figure(
    path: Path,
    study: str,
    name: str,
    *,
    where: DebateFilter = EVERYTHING,
    links: bool = False,
    single_ratings: bool = True,
) -> Figure:
    """One figure of a study, of the debates that `where` keeps; with `links`, marks that are debates link to /debate/<episode>.

    Without `singles` no mark is a single rating, which may have been private, and no number is made of those of fewer than FEW debates or
    questions: such rows are left out, and what they alone make up is not drawn (TooFew).  The difference of two means may still tell of few.
    Raises StudyError where the study or the name is unknown, or where there is nothing to draw, and StoreError where the store cannot be
    read.
    """
    if name not in NAMES:
        raise StudyError(f"there is no figure {name!r}; there are: {', '.join(NAMES)}")
    if name in DEBATE_FIGURES:
        [record] = read_records(path, study)
        hangs = name in JURY_FIGURES or where.outcome is not None
        jury = hangs and not record.simulated and simulated_jury(path, study)
        return debate_figure(
            record,
            name,
            Source(study, record.simulated or jury, where, links, single_ratings=single_ratings),
        )
    if name in ANSWER_FIGURES:
        answered = read_answers(path, study)
        if not answered:
            raise StudyError(f"the study {study!r} has no answers, or is not in {path}")
        return answer_figure(answered[0], name, where, single_ratings)
    known = select_rows(
        path, "select coalesce(simulated, false) from studies where study = ?", [study]
    ).rows
    if not known:
        raise StudyError(f"there is no study {study!r} in {path}")
    return store_figure(path, name, Source(study, bool(known[0][0]), where, unused=UNUSED[name]))


def figures(
    path: Path, study: str, *, where: DebateFilter = EVERYTHING, links: bool = False
) -> list[Figure]:
    """All figures of a study that have something to show, in the order of NAMES; errors as in `figure`, but for those without."""
    answered = next(iter(read_answers(path, study)), None)
    record = None
    try:
        [record] = read_records(path, study)
    except StudyError:
        if answered is None:
            raise
    played = record.simulated if record else answered is not None and answered.simulated
    jury = played or (record is not None and simulated_jury(path, study))
    found = []
    for name in NAMES:
        try:
            if name in DEBATE_FIGURES and record is not None:
                hangs = name in JURY_FIGURES or where.outcome is not None
                found.append(
                    debate_figure(
                        record, name, Source(study, jury if hangs else played, where, links)
                    )
                )
            elif name in ANSWER_FIGURES and answered is not None:
                found.append(answer_figure(answered, name, where))
            elif name in STORE_FIGURES:
                found.append(
                    store_figure(path, name, Source(study, played, where, unused=UNUSED[name]))
                )
        except StudyError:
            continue  # nothing to draw
    return found


def simulated_jury(path: Path, study: str) -> bool:
    """Whether a simulated jury judged debates of the study: what hangs on the jury is simulated then, whoever debated."""
    return bool(select_rows(path, JURY, [study]).rows[0][0])


def debate_figure(record: DebateRecord, name: str, source: Source) -> Figure:
    """A figure about debates."""
    debates = filter_debates(record.debates, source.where)
    if not debates.phases:
        raise source.nothing_to_draw("finished debate with a rating")
    return DEBATE_FIGURES[name](source, debates)


def answer_figure(
    answered: AnswerRecord, name: str, where: DebateFilter, single_ratings: bool = True
) -> Figure:
    """A figure about answers."""
    return ANSWER_FIGURES[name](
        Source(
            answered.study,
            answered.simulated,
            where,
            unused=UNUSED[name],
            single_ratings=single_ratings,
        ),
        answered,
    )


def store_figure(path: Path, name: str, source: Source) -> Figure:
    """A figure that reads the store itself."""
    return STORE_FIGURES[name](source, path)
