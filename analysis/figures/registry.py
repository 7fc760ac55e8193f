"""The one list of figures, and the figures of a study by name, with numbers and query behind each.

A figure is registered here once: `arena report --figures`, the HTML report and the viewer's pages
all read FIGURES.  One about debates is made of the study's ratings (read/debates.py), one about
answers of its plays (read/answers.py); the others read the store themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.figures import answers, confidence, estimators, sides, wins
from analysis.figures.charts.style import pdf, png, svg
from analysis.figures.figure import (
    ANSWER_OUTCOMES,
    OUTCOMES,
    DebateFilter,
    Figure,
    Source,
    filter_debates,
)
from analysis.read.answers import AnswerRecord, read_answers
from analysis.read.controls import read_controls
from analysis.read.debates import DebateRecord, Debates, read_records
from analysis.reports.rating_kinds import word_for
from arena.errors import StudyError
from arena.store.database import select_rows

__all__ = [
    "ANSWER_OUTCOMES",
    "FIGURES",
    "NAMES",
    "OUTCOMES",
    "DebateFilter",
    "Figure",
    "FigureEntry",
    "figure",
    "figures",
    "figures_for",
    "pdf",
    "png",
    "svg",
]

EVERYTHING = DebateFilter()
WHOLE_STUDY = ("arm", "model", "subject", "phase", "outcome")
OF_ANSWERS = ("subject", "phase", "outcome")
SIMULATED_JURY = "select coalesce(bool_or(simulated), false) from juries where study = ?"
SIMULATED = "select coalesce(simulated, false) from studies where study = ?"


@dataclass(frozen=True, slots=True)
class FigureEntry:
    """A figure: its name, its title in lists, and the one function that makes it.

    The function is `of_debates`, `of_answers` or `of_store`, by the records that it needs.  `kinds`
    are the kinds of studies that may have the figure: "debates", "questions".  `judged`: it needs a
    jury's verdicts; `single_ratings`: its marks are ratings of one debater, which may be private.
    `unused` names the filters that it does not go by.  `scored`: it needs scores of estimators.
    """

    name: str
    title: str
    kinds: tuple[str, ...]
    of_debates: Callable[[Source, Debates], Figure] | None = None
    of_answers: Callable[[Source, AnswerRecord], Figure] | None = None
    of_store: Callable[[Source, Path], Figure] | None = None
    judged: bool = False
    single_ratings: bool = False
    unused: tuple[str, ...] = ()
    scored: bool = False


def of_debates(
    name: str,
    title: str,
    make: Callable[[Source, Debates], Figure],
    *,
    judged: bool = False,
    single_ratings: bool = False,
    unused: tuple[str, ...] = (),
) -> FigureEntry:
    """Return the entry of a figure that is made of a study's ratings."""
    return FigureEntry(
        name,
        title,
        ("debates",),
        make,
        judged=judged,
        single_ratings=single_ratings,
        unused=unused,
    )


def of_answers(
    name: str, title: str, make: Callable[[Source, AnswerRecord], Figure]
) -> FigureEntry:
    """Return the entry of a figure that is made of a study's plays of questions."""
    return FigureEntry(name, title, ("questions",), of_answers=make, unused=OF_ANSWERS)


# In the order of pages and reports.
FIGURES = (
    of_debates("confidence", "Confidence by phase", confidence.confidence),
    of_debates("both_sides", "Both sides at once", sides.sides, single_ratings=True),
    of_debates("rise", "Rise by contestant", sides.rises),
    of_debates("confidence_by_side", "Confidence by side", confidence.confidence_by_side),
    of_debates("confidence_by_model", "Confidence by contestant", confidence.confidence_by_model),
    of_debates("reliability", "Confidence against the jury", wins.reliability, judged=True),
    of_debates("leaderboard", "Who won", wins.leaderboard, judged=True),
    FigureEntry(
        "strength",
        "Strength",
        ("debates",),
        of_store=wins.strength,
        judged=True,
        unused=WHOLE_STUDY,
    ),
    of_answers("accuracy", "Accuracy against tokens", answers.accuracy),
    of_answers("answer_reliability", "Confidence against accuracy", answers.reliability),
    FigureEntry(
        "estimators",
        "Estimators: quality and cost",
        ("debates", "questions", "plays"),
        of_store=estimators.quality_and_cost,
        unused=("model", "subject", "phase", "outcome"),
        scored=True,
    ),
    FigureEntry(
        "missing",
        "What is missing",
        ("debates", "questions"),
        of_store=answers.missing,
        unused=("phase", "outcome"),
    ),
)
NAMES = tuple(entry.name for entry in FIGURES)


def figures_for(
    kind: str, judged: bool, private: bool = True, *, scored: bool = False
) -> list[FigureEntry]:
    """Return the figures of a study of this kind; single ratings need `private`.

    `judged` and `scored` say whether there are verdicts on it, and scores of its replies.
    """
    return [
        entry
        for entry in FIGURES
        if kind in entry.kinds
        and (judged or not entry.judged)
        and (scored or not entry.scored)
        and (private or not entry.single_ratings)
    ]


@dataclass(frozen=True, slots=True)
class StudyRecords:
    """The records of one study; `debates` or `answers` is None if the study has none.

    `simulated`: models in the study were simulated; `simulated_jury`: those that judged it were.
    """

    study: str
    path: Path
    simulated: bool
    simulated_jury: bool
    debates: DebateRecord | None
    answers: AnswerRecord | None

    def word(self, where: DebateFilter) -> str:
        """Return what the ratings of the chosen arm, or of all, may be called."""
        counts = self.debates.kinds.counts if self.debates else ()
        return word_for({each.source for each in counts if where.arm in (None, each.arm)})

    def without_controls(self, where: DebateFilter) -> DebateFilter:
        """Return the filter, with the arm that is no control if it names none: as in reports."""
        arms = set(self.debates.debates.arm.tolist()) if self.debates else set()
        if where.arm is not None or len(arms) < 2:
            return where
        data = read_controls(self.path, [self.study]).get(self.study)
        plain = arms.difference(data.controls if data else ())
        return replace(where, arm=plain.pop()) if data and len(plain) == 1 else where

    def draw(
        self, entry: FigureEntry, where: DebateFilter, *, links: bool, single_ratings: bool = True
    ) -> Figure:
        """Make a figure; raises StudyError if the study has nothing to draw."""
        where = self.without_controls(where) if entry.of_debates is not None else where
        # Whatever depends on a simulated jury is simulated, whoever debated.
        by_jury = self.simulated_jury and (entry.judged or where.outcome is not None)
        source = Source(
            self.study,
            self.simulated or by_jury,
            where,
            links and entry.of_debates is not None,
            entry.unused,
            single_ratings,
            self.word(where),
        )
        if entry.of_debates is not None:
            if self.debates is None:
                raise source.nothing_to_draw("debates")
            debates = filter_debates(self.debates.debates, where)
            if not debates.phases:
                raise source.nothing_to_draw("finished debate with a rating")
            return entry.of_debates(source, debates)
        if entry.of_answers is not None:
            if self.answers is None:
                raise source.nothing_to_draw("answers")
            return entry.of_answers(source, self.answers)
        assert entry.of_store is not None
        return entry.of_store(source, self.path)


def read_study(path: Path, study: str) -> DebateRecord:
    """Return the ratings of a study.  Raises StudyError if it has no debates, or is unknown."""
    [record] = read_records(path, study)
    return record


def figure(
    path: Path,
    study: str,
    name: str,
    *,
    where: DebateFilter = EVERYTHING,
    links: bool = False,
    single_ratings: bool = True,
    read: Callable[[Path, str], DebateRecord] = read_study,
) -> Figure:
    """Return one figure of a study, of the debates that `where` keeps.

    With `links`, marks that are debates link to /debate/<episode>.  Without `single_ratings`, no
    mark is a single rating, which may have been private, and no number is made of the ratings of
    fewer than MIN_GROUP_SIZE debates or questions: such rows are left out, and a figure without
    other rows is not drawn (TooFewError).  The difference of two means may still tell of few.
    `read` gives the ratings of a study: whoever makes several figures can keep them.

    Raises StudyError if the study or the name is unknown or there is nothing to draw, and
    StoreError if the store cannot be read.
    """
    entry = next((entry for entry in FIGURES if entry.name == name), None)
    if entry is None:
        raise StudyError(f"there is no figure {name!r}; there are: {', '.join(NAMES)}")
    if entry.of_debates is not None:
        record = read(path, study)
        by_jury = entry.judged or where.outcome is not None
        jury = by_jury and simulated_jury(path, study)
        records = StudyRecords(study, path, record.simulated, jury, record, None)
    elif entry.of_answers is not None:
        answered = next(iter(read_answers(path, study)), None)
        if answered is None:
            raise StudyError(f"the study {study!r} has no answers, or is not in {path}")
        records = StudyRecords(study, path, answered.simulated, False, None, answered)
    else:
        rows = select_rows(path, SIMULATED, [study]).rows
        if not rows:
            raise StudyError(f"there is no study {study!r} in {path}")
        records = StudyRecords(study, path, bool(rows[0][0]), False, None, None)
    return records.draw(entry, where, links=links, single_ratings=single_ratings)


def figures(
    path: Path, study: str, *, where: DebateFilter = EVERYTHING, links: bool = False
) -> list[Figure]:
    """Return all figures of a study that have something to show, in the order of FIGURES.

    Raises StudyError if the study is unknown, and StoreError if the store cannot be read.
    """
    heads = select_rows(path, SIMULATED, [study]).rows
    answered = next(iter(read_answers(path, study)), None)
    debated = None
    try:
        [debated] = read_records(path, study)
    except StudyError:
        # A study of any other protocol has what is drawn from the store, such as missing values.
        if answered is None and not heads:
            raise
    simulated = any(simulated for (simulated,) in heads)
    jury = debated is not None and simulated_jury(path, study)
    records = StudyRecords(study, path, simulated, jury, debated, answered)
    drawn = []
    for entry in FIGURES:
        try:
            drawn.append(records.draw(entry, where, links=links))
        except StudyError:
            continue  # nothing to draw
    return drawn


def simulated_jury(path: Path, study: str) -> bool:
    """Tell whether a simulated jury judged debates of the study."""
    return bool(select_rows(path, SIMULATED_JURY, [study]).rows[0][0])
