"""Add `arena reread`, which reads stored replies with today's readers."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from arena.cli.commands import Command, add_flag, add_repeatable
from arena.cli.commands.completion import complete_study
from arena.text import pluralize, printable

if TYPE_CHECKING:
    from arena.play.reread import RereadSummary
    from arena.studies.study import Study

COLUMNS = ("turns", "now_read", "no_longer_read", "otherwise", "grades_changed")
QUIET_S = 2.0
MOST_REASONS = 10


def add(command: Command) -> None:
    """Add the command to the parser."""
    reread = command(
        "reread",
        run_reread,
        "read stored replies with today's readers and grading; asks no model",
    )
    file = reread.add_argument(
        "file",
        nargs="?",
        metavar="STUDY",
        help="the study's file, needed where its protocol or its grader stands there, or the name"
        " of a study in the store (default: every study)",
    )
    # For argcomplete, which looks for this attribute.
    vars(file)["completer"] = complete_study
    reread.add_argument("--study", metavar="NAME", help="only this study of the store")
    argument = "an argument of the file's study function; repeatable"
    add_repeatable(reread, "-o", "--option", metavar="KEY=VALUE", help=argument)
    add_flag(reread, "--json", "print what changed as JSON")


def run_reread(options: argparse.Namespace) -> int:
    """Run `arena reread`: read stored replies anew, and print what changed."""
    from arena.arena import Arena

    names, studies = chosen_studies(options)
    arena = Arena(options.db)
    summaries = [arena.reread(name, studies=studies, watch=progress_printer()) for name in names]
    if options.json:
        print(json.dumps([as_json(summary) for summary in summaries], indent=1))
        return 0
    for summary in summaries:
        print_summary(summary)
    return 0


def chosen_studies(options: argparse.Namespace) -> tuple[list[str | None], Sequence[Study]]:
    """Return the names of the studies to read anew, None for all, and those of the file."""
    from arena.store.database import select_rows
    from arena.tournaments.stages import try_resolve_stage
    from arena.tournaments.study_file import load_stages

    if options.file is None:
        return [options.study], ()
    stored = select_rows(options.db, "from studies where study = ?", [options.file])
    if len(stored) and not options.file.endswith(".py"):
        return [options.study or options.file], ()
    stages = load_stages(options.file, options.option)
    resolved = [try_resolve_stage(stage, options.db) for stage in stages]
    studies = [study for study in resolved if study is not None]
    # Stages of one study, such as Swiss rounds, have one name.
    names = list(dict.fromkeys(stage.name for stage in stages))
    return [options.study] if options.study else [*names], studies


def progress_printer() -> Callable[[int], None]:
    """Return a function that prints how many turns were read, every two seconds."""
    last_time = time.monotonic()

    def watch(turns: int) -> None:
        """Print the progress if two seconds have passed."""
        nonlocal last_time
        if time.monotonic() - last_time >= QUIET_S:
            last_time = time.monotonic()
            print(f"{turns:,} turns are read", file=sys.stderr, flush=True)

    return watch


def change_rows(summary: RereadSummary) -> list[tuple[str | int, ...]]:
    """Return (protocol, model, *COLUMNS) for each protocol and model whose turns were read."""
    places = sorted({(protocol, model) for protocol, model, _ in summary.counts})
    return [(*place, *(summary.counts[(*place, column)] for column in COLUMNS)) for place in places]


def as_json(summary: RereadSummary) -> dict[str, object]:
    """Return what changed as JSON has it."""
    columns = ("protocol", "model", *COLUMNS)
    return {
        "study": summary.study,
        "episodes": summary.episodes,
        "turns": summary.turns,
        "unchanged_episodes": summary.unchanged,
        "changes": [dict(zip(columns, row, strict=True)) for row in change_rows(summary)],
        "results_as_played": summary.as_played,
        "other_code": summary.other_code,
        "left_out": dict(summary.left_out),
        "reader_failed": dict(summary.failures),
    }


def print_summary(summary: RereadSummary) -> None:
    """Print in words and counts what rereading has changed."""
    from arena.cli.terminal import print_table
    from arena.store.result import QueryResult

    of = f"study {summary.study}" if summary.study else "all studies"
    turns, episodes = pluralize(summary.turns, "turn"), pluralize(summary.episodes, "episode")
    print(printable(f"{of}: {turns} of {episodes} were read anew; nothing was asked"))
    if summary.turns and summary.unchanged < summary.episodes:
        print_table(QueryResult(("protocol", "model", *COLUMNS), tuple(change_rows(summary))))
        print(
            "now_read: something can be read that could not before; no_longer_read: the reverse;"
            " otherwise: another value"
        )
    if summary.unchanged:
        same = pluralize(summary.unchanged, "episode")
        print(f"the same code had read {same} before: nothing is new there")
    if summary.as_played:
        count = pluralize(summary.as_played, "episode")
        print(
            f"in {count} the protocol would have gone on otherwise with these readings: answers and"
            " verdicts stay as they were played, graded anew"
        )
    if summary.other_code:
        count = pluralize(summary.other_code, "episode")
        print(
            f"the source of the protocol of {count} is another than when they were played; if it is"
            " one of your own, name its file"
        )
    for what, reasons in (("episode", summary.left_out), ("turn", summary.failures)):
        word = "left out" if what == "episode" else "as it was read before, since the reader failed"
        for reason, number in reasons.most_common(MOST_REASONS):
            print(printable(f"{pluralize(number, what)} {word}: {reason}"))
        if more := sum(number for _, number in reasons.most_common()[MOST_REASONS:]):
            print(f"{pluralize(more, what)} {word} for other reasons, which --json prints")
    if summary.put_off:
        print(f"not folded yet: {summary.put_off}", file=sys.stderr)
    db = shlex.quote(str(summary.path))
    print(
        "turns, and what replays go by, are as they were played; reports and views go by the latest"
        f" reading, and say so in reader_version; next: arena report --db {db}"
    )
