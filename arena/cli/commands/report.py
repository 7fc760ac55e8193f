"""`arena report` and `arena rank`: how sure debaters were, and who won."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from arena.cli.commands import Command
from arena.errors import StudyError

if TYPE_CHECKING:
    from analysis.reports.debates import StudyReport

JSON_HELP = "as JSON: a list, or with --study one object"


def add(command: Command) -> None:
    """Add the commands that report."""
    report = command("report", show_report, "how sure the debaters were, and how right")
    report.add_argument("--study", help="one study only")
    report.add_argument("--json", action="store_true", help=JSON_HELP)
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
    ranks.add_argument("--json", action="store_true", help=JSON_HELP)


def show_report(words: argparse.Namespace) -> int:
    """Run `arena report`."""
    from analysis.reports.debates import study_reports
    from analysis.reports.plain_json import json_object
    from analysis.reports.robustness import Checks
    from analysis.reports.tables.debates import print_report

    if not 0 < words.margin < 50:
        raise StudyError(f"--margin must be above 0 and below 50 points, found {words.margin:g}")
    # --mixed without a number is 0: all debates.
    if words.mixed is not None and words.mixed != 0 and words.mixed < 3:
        raise StudyError(f"--mixed needs at least 3 debates, found {words.mixed}")
    checks = Checks(words.margin / 100, words.mixed is not None, words.mixed or None)
    reports = study_reports(words.db, words.study, checks)
    if words.json:
        print_json([json_object(report) for report in reports], alone=bool(words.study))
    elif words.html or words.figures:
        write_reports(words, reports)
    else:
        print_report(reports)
    return 0


def print_json(objects: list[dict[str, Any]], *, alone: bool) -> None:
    """Print a list as JSON, or its first object if the command was asked for one study."""
    print(json.dumps(objects[0] if alone else objects, indent=1, ensure_ascii=False))


def write_reports(words: argparse.Namespace, reports: Sequence[StudyReport]) -> None:
    """Write the report as a page, its figures as files, or both, and say where they are."""
    try:
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise StudyError(f"figures need {error.name}: pip install 'peer-arena[view]'") from error
    from analysis.reports.html import check_target, page, write_atomically, write_figures

    if words.html:
        # Drawing takes minutes for a large store: refuse a bad place before, not after.
        check_target(words.html)
    if words.figures:
        for file in write_figures(words.figures, words.db, [report.study for report in reports]):
            print(file, flush=True)
    if words.html:
        studies = "study" if len(reports) == 1 else "studies"
        print(f"drawing the figures of {len(reports)} {studies} …", file=sys.stderr)
        options = [
            f"--{name}={getattr(words, name)}"
            for name in ("db", "study", "margin", "mixed", "html")
            if getattr(words, name) is not None
        ]
        command = shlex.join(["arena", "report", *options])
        content = page(words.db, reports, command=command, made=datetime.now(UTC)).encode()
        write_atomically(words.html, content)
        size = f"{len(content) / 1000:,.0f} kB"
        print(f"the report is in {words.html} ({size}); any browser shows it")


def show_ranks(words: argparse.Namespace) -> int:
    """Run `arena rank`."""
    from analysis.read.verdicts import judged_studies
    from analysis.reports.plain_json import json_object
    from analysis.reports.standings import study_standings
    from analysis.reports.tables.standings import print_standings

    # A judge that is a contestant may vote for itself: excluded unless asked for.
    related: Literal["exclude", "include"] = "include" if words.include_related else "exclude"
    studies = [words.study] if words.study else list(judged_studies(words.db))
    ranked = [
        study_standings(words.db, study, jury=words.jury, related=related) for study in studies
    ]
    if words.json:
        print_json([json_object(standings) for standings in ranked], alone=bool(words.study))
    elif ranked:
        print_standings(ranked)
    else:
        print(
            "There are no verdicts in this store yet: judge its debates with `arena run"
            " tournament -o judged=STUDY`."
        )
    return 0
