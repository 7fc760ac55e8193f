"""`arena report` and `arena rank`: what the record says."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from arena.cli.commands import Command
from arena.errors import StudyError


def add(command: Command) -> None:
    """The commands that report."""
    report = command("report", show_report, "how sure the debaters were, and how right")
    report.add_argument("--study", help="one study only")
    report.add_argument(
        "--json", action="store_true", help="as JSON: a list, or with --study one object"
    )
    report.add_argument(
        "--margin",
        type=float,
        default=5.0,
        metavar="POINTS",
        help="a mean this near to 50%% is as good as 50%% (default: 5)",
    )
    mixed = (
        "fit a mixed-effects model too; with a number, on at most so many debates, drawn by seed"
    )
    report.add_argument("--mixed", nargs="?", type=int, const=0, metavar="DEBATES", help=mixed)
    report.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="as one HTML page with figures, that needs nothing else",
    )
    report.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="write the figures as PNG and SVG, fit for a column of a paper",
    )

    ranks = command(
        "rank", show_ranks, "who won a tournament, how certain that is, and what its judges favour"
    )
    ranks.add_argument("--study", help="the study whose debates were judged; without it, every one")
    ranks.add_argument("--jury", help="only the verdicts of this judging study")
    ranks.add_argument(
        "--include-related",
        action="store_true",
        help="keep judges that are a contestant, or of its family",
    )
    ranks.add_argument(
        "--json", action="store_true", help="as JSON: a list, or with --study one object"
    )


def show_report(words: argparse.Namespace) -> int:
    """arena report"""
    from analysis.reports.debates import Checks, print_report, report

    if not 0 < words.margin < 50:
        raise StudyError(f"--margin must be above 0 and below 50 points, found {words.margin:g}")
    if words.mixed is not None and words.mixed != 0 and words.mixed < 3:
        raise StudyError(f"--mixed needs at least 3 debates, found {words.mixed}")
    reports = report(
        words.db,
        words.study,
        Checks(words.margin / 100, words.mixed is not None, words.mixed or None),
    )
    if words.json:
        print(json.dumps(reports[0] if words.study else reports, indent=1, ensure_ascii=False))
    elif words.html or words.figures:
        write_reports(words, reports)
    else:
        print_report(reports)
    return 0


def write_reports(words: argparse.Namespace, reports: list[dict[str, Any]]) -> None:
    """Write the report as a page, its figures as files, or both, and say where they are."""
    try:
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise StudyError(f"figures need {error.name}: pip install '.[view]'") from error
    from analysis.reports.html import check_target, page, write_atomically, write_figures

    if words.html:
        check_target(words.html)
    if words.figures:
        for file in write_figures(words.figures, words.db, [report["study"] for report in reports]):
            print(file, flush=True)
    if words.html:
        print(
            f"drawing the figures of {len(reports)} {'study' if len(reports) == 1 else 'studies'} …",
            file=sys.stderr,
        )
        given = [
            f"--{name}={getattr(words, name)}"
            for name in ("db", "study", "margin", "mixed", "html")
            if getattr(words, name) is not None
        ]
        content = page(
            words.db,
            reports,
            command=shlex.join(["arena", "report", *given]),
            made=datetime.now(UTC),
        ).encode()
        write_atomically(words.html, content)
        print(
            f"the report is in {words.html} ({len(content) / 1000:,.0f} kB); any browser shows it"
        )


def show_ranks(words: argparse.Namespace) -> int:
    """arena rank"""
    from analysis.read.verdicts import judged_studies
    from analysis.reports.standings import print_standings, standings

    related: Literal["exclude", "include"] = "include" if words.include_related else "exclude"
    studies = [words.study] if words.study else list(judged_studies(words.db))
    found = [standings(words.db, study, jury=words.jury, related=related) for study in studies]
    if words.json:
        print(json.dumps(found[0] if words.study else found, indent=1, ensure_ascii=False))
        return 0
    if not found:
        print(
            "There are no verdicts in this store yet: judge its debates with `arena run experiments/tournament.py -o judged=STUDY`."
        )
    for standing in found:
        print_standings(standing, rules=standing is found[-1])
    return 0
