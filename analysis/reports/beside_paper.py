"""Print the accuracy of a study's arms beside what was planted, and what its paper has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from analysis.reports.blocks import document, table
from analysis.reports.report import debate_report
from analysis.reports.tables.formatting import HasMean, interval, percent
from analysis.reports.terminal import print_documents

NOT_KNOWN = "not known"


def print_beside(
    path: Path,
    study: str,
    planted: Mapping[str, float],
    paper: Mapping[str, str],
    *notes: str,
    file: TextIO | None = None,
) -> None:
    """Print a study's report, and its accuracy by arm beside planted shares and a paper's words.

    `planted` are shares in [0, 1] by arm; `paper` has the paper's numbers by arm, as text.  Of
    judges who cannot read the text it is the share of single decisions, as in their papers.
    """
    whole = debate_report(path, study)
    print(whole, file=file)
    [report] = whole.results
    found: list[tuple[str, int, HasMean]] = [
        (arm.arm, arm.accuracy.share.plays, arm.accuracy.share.all)
        for arm in (report.answers.arms if report.answers else ())
    ]
    if report.assessments and report.assessments.oversight:
        found = [(row.arm, row.plays, row.accuracy) for row in report.assessments.oversight.formats]
    rows = [
        (
            arm,
            plays,
            percent(share.mean),
            interval(share),
            percent(planted.get(arm, float("nan"))),
            paper.get(arm, NOT_KNOWN),
        )
        for arm, plays, share in found
    ]
    told = ["SIMULATED: found beside planted; nothing here can be compared with the paper's."]
    block = table(
        "Right answers, percent: here, planted, and the paper's",
        "arm, plays, here, 95% interval, planted, paper",
        rows,
        [*notes, *(told if report.simulated else [])],
    )
    print_documents([document(f"{study}, beside its paper", (), [block])], file)
