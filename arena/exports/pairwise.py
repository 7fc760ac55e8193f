"""Verdicts as pairwise comparisons in one CSV file, as common ranking tools read them.

The columns `model_a`, `model_b` and `winner` ("model_a", "model_b", "tie") are those of FastChat's and LMArena's battles; choix and others take
them after one line.  One row is one reading of one debate by one judge, both seat orders apart: a verdict that flips is one win for each.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from analysis.read.verdicts import RELATIONS, Verdicts, read_verdicts
from arena.errors import StoreError

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
WINNERS = {1.0: "model_a", 0.0: "model_b", 0.5: "tie"}


@dataclass(frozen=True, slots=True)
class ExportCounts:
    """What an export wrote: rows, and verdicts left out because they are missing, or the judge is related to a contestant."""

    rows: int
    missing: int
    related: int


def export_pairwise(
    path: Path, file: Path, studies: Sequence[str], *, include_related: bool = False
) -> ExportCounts:
    """Write the verdicts on these studies' debates to a new CSV file; model_a sat as the proposition, an abstention is a tie.

    Without `include_related`, verdicts by a judge that is a contestant, or of its family, are left out.  Debates of a contestant against itself
    always are.  Raises StoreError where the file exists or cannot be written, StudyError for a study without verdicts.
    """
    found = [read_verdicts(path, study) for study in studies]
    rows = [row for verdicts in found for row in pairwise_rows(verdicts, include_related)]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", newline="", encoding="utf-8") as out:
            csv.writer(out, lineterminator="\n").writerows([COLUMNS, *rows])
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}; name another folder") from error
    missing = sum(int(np.isnan(verdicts.winner).sum()) for verdicts in found)
    left_out = sum(
        int(((verdicts.related > 0) & ~np.isnan(verdicts.winner)).sum()) for verdicts in found
    )
    return ExportCounts(len(rows), missing, 0 if include_related else left_out)


def pairwise_rows(found: Verdicts, include_related: bool) -> list[tuple[object, ...]]:
    """The rows of one study's verdicts, in the order of COLUMNS."""
    rows: list[tuple[object, ...]] = []
    alone = found.against_itself()
    for n, winner in enumerate(found.winner.tolist()):
        debate, relation = int(found.debate[n]), RELATIONS[found.related[n]]
        if isnan(winner) or alone[debate] or (relation != "none" and not include_related):
            continue
        one, other = (found.agents[number] for number in found.side[debate])
        sure = float(found.judge_confidence[n])
        about = (
            found.study,
            found.episode[debate],
            int(found.motion[debate]),
            found.orders[found.order[n]],
            int(found.repeat[n]),
            relation,
        )
        rows.append(
            (
                one,
                other,
                WINNERS[winner],
                found.judges[found.judge[n]],
                "" if isnan(sure) else f"{sure:g}",
                *about,
            )
        )
    return rows
