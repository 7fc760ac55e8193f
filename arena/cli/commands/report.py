"""`arena report` and `arena rank`: how sure debaters were, and who won."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.cli.commands import RULES, Command, margin_share
from arena.cli.commands.selection import add_by, add_selection, selection_of
from arena.errors import StudyError

if TYPE_CHECKING:
    from analysis.read.selection import Selection
    from analysis.reports.debates import StudyReport
    from analysis.reports.estimators import EstimatorTable
    from analysis.reports.report import Report

JSON_HELP = "as JSON: a list, or with --study one object"


def add(command: Command) -> None:
    """Add the commands that report."""
    report = command("report", show_report, "how sure the debaters were, and how right")
    report.add_argument("--study", help="one study only")
    report.add_argument("--json", action="store_true", help=JSON_HELP)
    report.add_argument("--rules", action="store_true", help=RULES)
    details = "each contestant's tests against 50%% and steps too (--json always has them)"
    report.add_argument("--details", action="store_true", help=details)
    estimators = "estimators of confidence that were scored, side by side: quality and cost"
    report.add_argument("--estimators", action="store_true", help=estimators)
    report.add_argument(
        "--released",
        action="append",
        metavar="MODEL=DAY",
        help="compare its answers to questions from before and after it came out; more than once",
    )
    add_by(report)
    add_selection(report)
    report.add_argument(
        "--margin",
        type=float,
        default=5.0,
        metavar="POINTS",
        help="a mean this near to 50%% is as good as 50%% (default: 5, for 5 points)",
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
        help="write the figures as PNG, SVG and PDF, fit for a column of a paper",
    )

    ranks = command(
        "rank", show_ranks, "who won a tournament, how certain that is, and what its judges favour"
    )
    ranks.add_argument("--study", help="the study whose debates were judged; without it, every one")
    ranks.add_argument("--jury", help="only the verdicts of this judging study")
    ranks.add_argument(
        "--exclude-related",
        action="store_true",
        help="leave out votes of judges that are a contestant of the debate, or of its family",
    )
    # The default until 0.1.0 was to leave them out.
    ranks.add_argument("--include-related", action="store_true", help=argparse.SUPPRESS)
    ranks.add_argument("--json", action="store_true", help=JSON_HELP)
    ranks.add_argument("--rules", action="store_true", help=RULES)
    add_by(ranks)
    add_selection(ranks)


def show_report(words: argparse.Namespace) -> int:
    """Run `arena report`."""
    from analysis.reports.report import debate_report

    selection = selection_of(words, words.by)
    if words.estimators:
        return show_estimators(words, selection)
    if words.released:
        from analysis.reports.publication import released_of
        from analysis.reports.report import publication_report

        released = released_of(words.released)
        show(publication_report(words.db, released, words.study, selection=selection), words)
        return 0
    if (words.html or words.figures) and (selection.filters or selection.by != "agent"):
        raise StudyError(
            "--html and --figures show whole studies by agent; leave out --by, --models, --arms and"
            " --where, or print the tables or --json"
        )
    # --mixed without a number is 0: all debates.
    report = debate_report(
        words.db,
        words.study,
        margin=margin_share(words.margin),
        mixed=words.mixed is not None,
        sample=words.mixed or None,
        details=words.details or words.json,
        selection=selection,
    )
    if (words.html or words.figures) and not words.json:
        write_reports(words, report.results)
    else:
        show(report, words)
    return 0


def show_estimators(words: argparse.Namespace, selection: Selection) -> int:
    """Run `arena report --estimators`."""
    from analysis.reports.report import estimator_report

    if words.figures or words.mixed is not None or words.details:
        raise StudyError(
            "--estimators has tables of its own; leave out --figures, --mixed and --details, or"
            " draw the figures of the study without it"
        )
    report = estimator_report(words.db, words.study, selection=selection)
    if words.html and not words.json:
        write_estimators(words, report)
    else:
        show(report, words)
    return 0


def show(report: Report[Any], words: argparse.Namespace) -> None:
    """Print a report as tables, or as JSON: a list, or one object for one study."""
    if words.json:
        # A study may be ranked twice: by verdicts, and by votes inside its plays.
        rows = report.json()
        found: object = rows[0] if words.study and len(rows) == 1 else rows
        print(json.dumps(found, indent=1, ensure_ascii=False))
    elif report.documents:
        from analysis.reports.terminal import print_documents

        print_documents(report.documents, command=report.command, rules=words.rules)
    else:
        print(report.if_empty)


def write_estimators(words: argparse.Namespace, report: Report[EstimatorTable]) -> None:
    """Write the tables of estimators as a page, and say where it is."""
    require_drawing()
    from analysis.reports.html import check_target, estimators_page, write_atomically

    check_target(words.html)
    command = command_line(words, ("db", "study", "html"), "--estimators")
    made = datetime.now(UTC)
    content = estimators_page(words.db, report.results, command=command, made=made).encode()
    write_atomically(words.html, content)
    print(f"the report is in {words.html} ({len(content) / 1000:,.0f} kB); any browser shows it")


def require_drawing() -> None:
    """Raise StudyError if what draws figures is not installed."""
    try:
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise StudyError(f"figures need {error.name}: pip install 'peer-arena[view]'") from error


def command_line(words: argparse.Namespace, names: Sequence[str], *others: str) -> str:
    """Return the command of a report with these of its options, as far as they were given."""
    options = [
        f"--{name}={getattr(words, name)}" for name in names if getattr(words, name) is not None
    ]
    return shlex.join(["arena", "report", *others, *options])


def write_reports(words: argparse.Namespace, reports: Sequence[StudyReport]) -> None:
    """Write the report as a page, its figures as files, or both, and say where they are."""
    require_drawing()
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
        command = command_line(words, ("db", "study", "margin", "mixed", "html"))
        content = page(words.db, reports, command=command, made=datetime.now(UTC)).encode()
        write_atomically(words.html, content)
        size = f"{len(content) / 1000:,.0f} kB"
        print(f"the report is in {words.html} ({size}); any browser shows it")


def show_ranks(words: argparse.Namespace) -> int:
    """Run `arena rank`."""
    from analysis.reports.report import rank_report

    if words.include_related:
        print(
            "--include-related is the default now, and will be refused in a later version;"
            " --exclude-related leaves related judges out",
            file=sys.stderr,
        )
    report = rank_report(
        words.db,
        words.study,
        jury=words.jury,
        exclude_related=words.exclude_related,
        selection=selection_of(words, words.by),
    )
    show(report, words)
    return 0
