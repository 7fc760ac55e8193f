"""Export verdicts as pairwise comparisons in one CSV file, as common ranking tools read them.

The columns `model_a`, `model_b` and `winner` ("model_a", "model_b", "tie") are those of FastChat's
and LMArena's battles; choix and others take them after one line of code.  One row is one reading of
one debate by one judge, both seat orders apart: a verdict that flips is one win for each.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from analysis.read.selection import ALL, Selection
from analysis.read.verdicts import RELATIONS, Verdicts, judged_studies, read_verdicts
from arena.errors import StoreError
from arena.exports.formats import ExportOptions
from arena.store.database import select_rows
from arena.text import without_formula

COLUMNS = (
    "model_a",
    "model_b",
    "winner",
    "judge",
    "confidence",
    "study",
    "debate",
    "motion",
    "seat_order",
    "repeat",
    "judge_relation",
)
MOTIONS = """
    select episode, text from episodes join subjects using (subject) where study = ?
"""
WINNERS = {1.0: "model_a", 0.0: "model_b", 0.5: "tie"}


@dataclass(frozen=True, slots=True)
class ExportCounts:
    """How many rows an export wrote, and how many verdicts it left out.

    `missing` verdicts have no winner, the judges of `related` ones are related to a contestant.
    """

    rows: int
    missing: int
    related: int


def export_pairwise(
    path: Path,
    file: Path,
    studies: Sequence[str],
    *,
    exclude_related: bool = False,
    spreadsheet: bool = False,
    selection: Selection = ALL,
) -> ExportCounts:
    """Write the verdicts on these studies' debates to a new CSV file.

    `model_a` sat as the proposition; an abstention is a tie.  With `exclude_related` verdicts by a
    judge that is a contestant, or of its family, are left out.  Debates of a contestant against
    itself always are.  `selection` chooses debates, and says who counts as one contestant.  With
    `spreadsheet` no text is a formula.  Raises StoreError if the file exists or cannot be written,
    StudyError for a study without verdicts.
    """
    judged = [read_verdicts(path, study, selection=selection) for study in studies]
    rows = [
        row
        for verdicts in judged
        for row in pairwise_rows(verdicts, motions(path, verdicts.study), exclude_related)
    ]
    if spreadsheet:
        rows = [tuple(map(without_formula, row)) for row in rows]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Mode x never overwrites: an export of another day may be part of a paper.
        with file.open("x", newline="", encoding="utf-8") as out:
            csv.writer(out, lineterminator="\n").writerows([COLUMNS, *rows])
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}; name another folder") from error
    unreadable = [np.isnan(verdicts.winner) for verdicts in judged]
    missing = sum(int(lost.sum()) for lost in unreadable)
    readable = zip(judged, unreadable, strict=True)
    related = sum(int((verdicts.related[~lost] > 0).sum()) for verdicts, lost in readable)
    return ExportCounts(len(rows), missing, related if exclude_related else 0)


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write the verdicts on all debates to pairwise.csv in a folder, and say how many."""
    file = folder / "pairwise.csv"
    result = export_pairwise(
        path,
        file,
        list(judged_studies(path, options.selection)),
        exclude_related=options.exclude_related,
        spreadsheet=options.spreadsheet,
        selection=options.selection,
    )
    return [
        f"{file}: {result.rows} rows; left out: {result.missing} missing verdicts,"
        f" {result.related} by judges related to a contestant"
    ]


def motions(path: Path, study: str) -> dict[str, str]:
    """Return the text of the motion of each debate of a study, by episode."""
    return dict(select_rows(path, MOTIONS, [study]).rows)


def pairwise_rows(
    verdicts: Verdicts, motion_of: Mapping[str, str], exclude_related: bool
) -> list[tuple[object, ...]]:
    """Return the rows of one study's verdicts, in the order of COLUMNS."""
    rows: list[tuple[object, ...]] = []
    alone = verdicts.against_itself()
    for reading, winner in enumerate(verdicts.winner.tolist()):
        debate = int(verdicts.debate[reading])
        relation = RELATIONS[verdicts.related[reading]]
        if isnan(winner) or alone[debate] or (relation != "none" and exclude_related):
            continue
        confidence = float(verdicts.judge_confidence[reading])
        rows.append(
            (
                *(verdicts.agents[number] for number in verdicts.side[debate]),
                WINNERS[winner],
                verdicts.judges[verdicts.judge[reading]],
                "" if isnan(confidence) else f"{confidence:g}",
                verdicts.study,
                verdicts.episode[debate],
                motion_of[verdicts.episode[debate]],
                verdicts.orders[verdicts.order[reading]],
                int(verdicts.repeat[reading]),
                relation,
            )
        )
    return rows
