"""Add `arena recheck`, which asks stored requests again to see whether a model has changed."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from typing import TYPE_CHECKING

from arena.cli.commands import Command, add_flag, add_repeatable
from arena.cli.commands.completion import complete_study
from arena.cli.commands.hooks import add_hooks, hooks_of
from arena.cli.commands.play import add_costs, add_limits, batch_settings
from arena.cli.terminal import print_estimate, print_table
from arena.errors import StudyError
from arena.text import pluralize, printable

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.reports.rechecks import RecheckFinding
    from arena.arena import Arena
    from arena.play.summary import Summary
    from arena.types import Model

COLUMNS = (
    *("model", "asked_at", "calls", "prompts", "p_replies", "p_ratings", "power", "finding"),
    *("served_before", "served_now"),
)

FAILURES = """
    select error_kind, error, count(*) from episodes where study = ? and status = 'failed'
    group by all order by count(*) desc, error"""


def add(command: Command) -> None:
    """Add the command to the parser."""
    recheck = command(
        "recheck",
        run_recheck,
        "ask stored requests again, and say of each model whether it still replies as it did",
    )
    file = recheck.add_argument(
        "file",
        metavar="STUDY",
        help="the name of a study in the store, or its file, which says where its models are",
    )
    # For argcomplete, which looks for this attribute.
    vars(file)["completer"] = complete_study
    calls = "requests to ask again of each model (default: 200)"
    recheck.add_argument("--calls", type=int, default=200, metavar="N", help=calls)
    only = "ask this model and no other, by the name that the study has for it; repeatable"
    add_repeatable(recheck, "--only", metavar="MODEL", help=only)
    where = "ask the model of this reference in place of one of the study; repeatable"
    add_repeatable(recheck, "--model", metavar="NAME=REFERENCE", help=where)
    recheck.add_argument("--study", metavar="NAME", help="of a file with several, this study")
    argument = "an argument of the file's study function; repeatable"
    add_repeatable(recheck, "-o", "--option", metavar="KEY=VALUE", help=argument)
    failed = "play the failed calls of the last recheck again, and do not begin another"
    add_flag(recheck, "--retry-failed", failed)
    show = "ask nothing: show what all rechecks of the study have found"
    add_flag(recheck, "--show", show)
    add_flag(recheck, "--json", "print the findings as JSON")
    add_limits(recheck.add_argument_group("calls"))
    add_costs(recheck.add_argument_group("costs"))
    add_hooks(recheck.add_argument_group("events"))


def run_recheck(options: argparse.Namespace) -> int:
    """Run `arena recheck`: ask again, or estimate that, and print what was found."""
    from analysis.reports.rechecks import recheck_findings
    from arena.cli.commands.reread import chosen_studies
    from arena.play.run import RunSelection

    # Models read their keys when the study file creates them.
    if options.keys is not None:
        from agents.providers.keys import load_keys

        load_keys(options.keys)
    found, studies = chosen_studies(options)
    names = [name for name in found if name is not None]
    if len(names) != 1:
        raise StudyError(
            f"name one study to recheck: --study with one of {', '.join(names) or 'none'}"
        )
    if options.show:
        print_findings(recheck_findings(options.db, names[0], with_power=True), options, names[0])
        return 0
    arena = arena_of(options)
    again = arena.recheck_study(
        names[0],
        calls=options.calls,
        models=dict(map(given_model, options.model)),
        only=options.only,
        studies=studies,
        retry_failed=options.retry_failed,
    )
    selection = RunSelection(retry_failed=options.retry_failed)
    if options.dry_run:
        estimate = arena.dry_run(again, selection=selection, reply_tokens=options.reply_tokens)
        print_estimate(again.name, estimate, options.reply_tokens)
        return 0
    summary = arena.run(again, selection=selection)
    if not options.json:
        print(summary)
    findings = recheck_findings(options.db, names[0], recheck=again.name, with_power=True)
    print_findings(findings, options, names[0], asked=summary)
    if summary.failed:
        # Beside a JSON document, which stands alone on the output.
        file = sys.stderr if options.json else sys.stdout
        print(describe_failures(options.db, again.name, summary.failed), file=file)
    return 3 if summary.stopped else 1 if summary.failed else 0


def arena_of(options: argparse.Namespace) -> Arena:
    """Return the arena with the limits and costs of the options."""
    from arena.arena import Arena
    from arena.calls.prices import parse_price
    from arena.calls.rate_limits import parse_limits
    from arena.calls.retry import Retry

    if options.cache:
        raise StudyError("a recheck takes no reply from the store: leave out --cache")
    return Arena(
        options.db,
        concurrency=options.concurrency,
        limits=parse_limits(options.limits),
        retry=Retry(
            attempts=options.attempts,
            deadline_s=options.deadline,
            server_wait_s=options.server_wait,
        ),
        budget_usd=options.budget_usd,
        prices=dict(parse_price(text) for text in options.price),
        max_unreadable=options.max_unreadable,
        hooks=hooks_of(options),
        batches=batch_settings(options),
    )


def given_model(text: str) -> tuple[str, Model]:
    """Return NAME=REFERENCE as the name and its model.  Raises StudyError for anything else."""
    import agents

    name, equals, reference = text.partition("=")
    if not equals:
        raise StudyError(f"--model takes NAME=REFERENCE, found {text!r}")
    return name, agents.model(reference)


def describe_failures(path: Path, recheck: str, failed: int) -> str:
    """Say why calls of a recheck failed, the most frequent reason first, and how to go on."""
    from arena.store.database import select_rows

    (kind, error, count), *others = select_rows(path, FAILURES, [recheck]).rows
    more = f", and {pluralize(len(others), 'other reason')}" if others else ""
    return printable(
        f"{recheck}: {pluralize(failed, 'call')} failed, {count} of them with {kind}: {error}"
        f"{more}; to play them again when that is mended: the same command with --retry-failed"
    )


def print_findings(
    findings: list[RecheckFinding],
    options: argparse.Namespace,
    study: str,
    *,
    asked: Summary | None = None,
) -> None:
    """Print findings as JSON, or as a table and a sentence for each.

    `asked` sums up the recheck that has just been played.
    """
    from analysis.reports.rechecks import describe_finding
    from arena.store.result import QueryResult

    rows = [finding_row(finding) for finding in findings]
    if options.json:
        said = [{"sentence": describe_finding(finding)} for finding in findings]
        named = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        print(json.dumps([one | more for one, more in zip(named, said, strict=True)], indent=1))
        return
    if not rows:
        why = f"{study} has not been rechecked; nothing was asked"
        if asked is not None:
            why = f"{asked.study} has no reply" + (f": {asked.stopped}" if asked.stopped else "")
        print(printable(why))
        return
    print_table(QueryResult(COLUMNS[:-2], tuple(row[:-2] for row in rows)))
    for finding in findings:
        print(describe_finding(finding))
        if finding.served_before != finding.served_now:
            before, now = (
                printable(", ".join(each) or "not said")
                for each in (finding.served_before, finding.served_now)
            )
            print(f"  served then: {before}; now: {now}")
    db = shlex.quote(str(options.db))
    print(f"all rechecks: arena recheck {shlex.quote(study)} --show --db {db}")


def finding_row(finding: RecheckFinding) -> tuple[object, ...]:
    """Return a finding in the order of COLUMNS; None where there is no number."""
    numbers = (finding.p_replies, finding.p_ratings)
    p_values = [None if math.isnan(p) else round(p, 4) for p in numbers]
    return (
        *(finding.model, finding.asked_at, finding.calls, finding.prompts, *p_values),
        *(finding.power, finding.verdict),
        *("; ".join(finding.served_before) or None, "; ".join(finding.served_now) or None),
    )
