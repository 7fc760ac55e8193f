"""Figures of a study by name: read, filtered, drawn, with the numbers and the query behind each; and as SVG and PNG.

A figure about debates reads the study's ratings (frames.py), one about answers its plays (answers.py); nothing else is read.
"""

from __future__ import annotations

from pathlib import Path

from analysis.figures import answers as answer_figures
from analysis.figures import debates as debate_figures
from analysis.figures.charts.style import png, svg
from analysis.figures.figure import ANSWER_OUTCOMES, OUTCOMES, Figure, Source, Where, kept
from analysis.read.answers import Answered, read_answers
from analysis.read.debates import Record, read
from arena.errors import StudyError
from arena.store.database import query

__all__ = ["ANSWER_OUTCOMES", "NAMES", "OUTCOMES", "Figure", "Where", "figure", "figures", "png", "svg"]

EVERYTHING = Where()
OF_DEBATES = {
    "confidence": debate_figures.confidence,
    "confidence_by_side": debate_figures.confidence_by_side,
    "confidence_by_model": debate_figures.confidence_by_model,
    "both_sides": debate_figures.sides,
    "rise": debate_figures.rises,
    "reliability": debate_figures.reliability,
    "leaderboard": debate_figures.leaderboard,
}
OF_ANSWERS = {"accuracy": answer_figures.accuracy, "answer_reliability": answer_figures.reliability}
OF_STORE = {"strength": debate_figures.strength, "missing": answer_figures.missing}
NAMES = (*OF_DEBATES, "strength", *OF_ANSWERS, "missing")
OF_JURY = ("reliability", "leaderboard")
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


def figure(path: Path, study: str, name: str, *, where: Where = EVERYTHING, links: bool = False, singles: bool = True) -> Figure:
    """One figure of a study, of the debates that `where` keeps; with `links`, marks that are debates link to /debate/<episode>.

    Without `singles` no mark is a single rating, which may have been private, and no number is made of those of fewer than FEW debates or
    questions: such rows are left out, and what they alone make up is not drawn (TooFew).  The difference of two means may still tell of few.
    Raises StudyError where the study or the name is unknown, or where there is nothing to draw, and StoreError where the store cannot be
    read.
    """
    if name not in NAMES:
        raise StudyError(f"there is no figure {name!r}; there are: {', '.join(NAMES)}")
    if name in OF_DEBATES:
        [record] = read(path, study)
        hangs = name in OF_JURY or where.outcome is not None
        jury = hangs and not record.simulated and simulated_jury(path, study)
        return of_record(record, name, Source(study, record.simulated or jury, where, links, singles=singles))
    if name in OF_ANSWERS:
        answered = read_answers(path, study)
        if not answered:
            raise StudyError(f"the study {study!r} has no answers, or is not in {path}")
        return of_answers(answered[0], name, where, singles)
    known = query(path, "select coalesce(simulated, false) from studies where study = ?", [study]).rows
    if not known:
        raise StudyError(f"there is no study {study!r} in {path}")
    return of_store(path, name, Source(study, bool(known[0][0]), where, unused=UNUSED[name]))


def figures(path: Path, study: str, *, where: Where = EVERYTHING, links: bool = False) -> list[Figure]:
    """All figures of a study that have something to show, in the order of NAMES; errors as in `figure`, but for those without."""
    answered = next(iter(read_answers(path, study)), None)
    record = None
    try:
        [record] = read(path, study)
    except StudyError:
        if answered is None:
            raise
    played = record.simulated if record else answered is not None and answered.simulated
    jury = played or (record is not None and simulated_jury(path, study))
    found = []
    for name in NAMES:
        try:
            if name in OF_DEBATES and record is not None:
                hangs = name in OF_JURY or where.outcome is not None
                found.append(of_record(record, name, Source(study, jury if hangs else played, where, links)))
            elif name in OF_ANSWERS and answered is not None:
                found.append(of_answers(answered, name, where))
            elif name in OF_STORE:
                found.append(of_store(path, name, Source(study, played, where, unused=UNUSED[name])))
        except StudyError:
            continue  # nothing to draw
    return found


def simulated_jury(path: Path, study: str) -> bool:
    """Whether a simulated jury judged debates of the study: what hangs on the jury is simulated then, whoever debated."""
    return bool(query(path, JURY, [study]).rows[0][0])


def of_record(record: Record, name: str, source: Source) -> Figure:
    """A figure about debates."""
    debates = kept(record.debates, source.where)
    if not debates.phases:
        raise source.nothing("finished debate with a rating")
    return OF_DEBATES[name](source, debates)


def of_answers(answered: Answered, name: str, where: Where, singles: bool = True) -> Figure:
    """A figure about answers."""
    return OF_ANSWERS[name](Source(answered.study, answered.simulated, where, unused=UNUSED[name], singles=singles), answered)


def of_store(path: Path, name: str, source: Source) -> Figure:
    """A figure that reads the store itself."""
    return OF_STORE[name](source, path)
