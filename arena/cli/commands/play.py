"""Add `arena run` and `arena demo`, which play studies."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from arena.cli.commands import Command, Options, add_flag, add_repeatable
from arena.cli.commands.completion import complete_study
from arena.cli.commands.hooks import add_hooks, hooks_of
from arena.cli.terminal import print_estimate, print_stage_end, print_table
from arena.errors import ArenaError, StudyError
from arena.text import printable

if TYPE_CHECKING:
    from arena.calls.batch_calls import BatchSettings
    from arena.machines.places import Place
    from arena.play.run import Arena, RunSelection
    from arena.play.summary import Summary
    from arena.tournaments.stages import Stages


# The studies whose replies were scored by these.
# Which texts a jury prefers stands in the report of their study, not among estimators.
SCORED = """
    select distinct p.study from latest_scores s join plays p using (episode)
    where list_contains(?, s.scoring_study)
      and s.name not in ('preferred', 'preferred by a jury') order by 1
"""
# What `arena report` can show of a study: debates, or answers to questions.
REPORTABLE = """
    select study from episodes join seats using (episode) where seat = 'proposition'
    union
    select study from episodes join answers using (episode)"""


def add(command: Command) -> None:
    """Add the commands to the parser."""
    words = "run a study file, or continue a run that was interrupted"
    run = command("run", run_study, words, add_help=False)
    run.add_argument(
        "-h",
        "--help",
        action=StudyHelp,
        nargs=0,
        help="show this help message and exit; behind STUDY, also the options of that study",
    )
    file = run.add_argument(
        "file",
        type=Path,
        metavar="STUDY",
        help="a Python file with `def study(...) -> Study`, or the name of a study that comes with"
        " arena",
    )
    # For argcomplete, which looks for this attribute.
    vars(file)["completer"] = complete_study
    argument = "an argument of the study function; repeatable"
    add_repeatable(run, "-o", "--option", metavar="KEY=VALUE", help=argument)
    add_selection(run.add_argument_group("episodes"))
    add_limits(run.add_argument_group("calls"))
    add_costs(run.add_argument_group("costs"))
    add_hooks(run.add_argument_group("events"))
    demo = command(
        "demo", run_demo, "run a tournament of simulated debaters, and print its report and a query"
    )
    # A store of its own, so that nothing simulated gets among the user's studies.
    demo.set_defaults(db=Path("demo.duckdb"))


class StudyHelp(argparse.Action):
    """Print the help of `arena run`, and the options of the study that stands before `--help`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print and exit; with status 2 if the study cannot be loaded."""
        from arena.tournaments.study_file import describe_options

        parser.print_help()
        if namespace.file is not None:
            try:
                print(f"\n{describe_options(namespace.file)}")
            except ArenaError as error:
                parser.exit(2, f"{parser.prog}: {printable(str(error))}\n")
        parser.exit()


def add_selection(group: Options) -> None:
    """Add the options that say which episodes are played."""
    group.add_argument("--limit", type=int, metavar="N", help="play at most N episodes")
    share = (
        "play the I-th of N shares, one on each of several machines; with --on shards, with the"
        " record of the same command without --shard"
    )
    group.add_argument("--shard", type=shard, metavar="I/N", help=share)
    add_flag(group, "--retry-failed", "play failed episodes again")
    anew = "play anew what an earlier version of a protocol has played; the old episodes stay"
    add_flag(group, "--anew", f"{anew}, as leftovers")
    add_repeatable(
        group,
        "--vary",
        metavar="OPTION",
        help="play the values of this option of the protocols in turn, such as wording, spread over"
        " the episodes as a random factor; repeatable",
    )
    add_flag(
        group,
        "--accept-code-change",
        "continue episodes that were begun with another version of the protocol's file",
    )
    add_flag(
        group,
        "--ask-damaged-again",
        "leave out what is damaged in journals, and ask again for the replies in it; the damaged"
        " files are kept",
    )


def add_limits(group: Options) -> None:
    """Add the options that say how models are called."""
    group.add_argument(
        "--concurrency",
        type=int,
        default=32,
        metavar="N",
        help="episodes at once, and calls in flight; local models have their own queues"
        " (default: 32)",
    )
    attempts = "the most requests for one call, the first included (default: 5)"
    group.add_argument("--attempts", type=int, default=5, metavar="N", help=attempts)
    deadline = (
        "the most seconds for one call, with all attempts and waits; of calls in batches there is"
        " none (default: 900)"
    )
    group.add_argument("--deadline", type=float, default=900, metavar="S", help=deadline)
    wait = (
        "wait S seconds for a server that is gone, then leave its episodes open (default: 600;"
        " --attempts where it never answered)"
    )
    group.add_argument("--server-wait", type=float, metavar="S", help=wait)
    add_repeatable(
        group,
        "--limits",
        metavar="NAME:K=N",
        help="rate limits of a provider or model, such as"
        " openai:rpm=500,tpm=200000,in_flight=64; repeatable",
    )
    batch = (
        "ask models in batches where their providers have them: hours later, at half the price; run"
        " the same command again after a stop"
    )
    add_flag(group, "--batch", batch)
    rounds = "the most rounds of batches that this run sends; a debate of three phases takes three"
    group.add_argument("--max-rounds", type=int, metavar="N", help=rounds)
    cache = "reuse replies to identical requests from earlier studies in the store"
    add_flag(group, "--cache", cache)
    keys = "read API keys from a file of NAME=value lines"
    group.add_argument("--keys", type=Path, metavar="FILE", help=keys)
    place = (
        "where it is played: `ray` or `ray://HOST:PORT` (models on other machines), or"
        " `processes=N` (shares of the study, side by side), or `shards` (keep the record for"
        " shares, or with --shard I/N be one of them)"
    )
    group.add_argument("--on", metavar="WHERE", help=place)
    engines = "with --on ray: how many engines hold the models (default: one a GPU)"
    group.add_argument("--engines", type=int, metavar="N", help=engines)
    shards = "with --on ray: let N workers play shares of the study, for many calls a second"
    group.add_argument("--shards", type=int, metavar="N", help=shards)


def add_costs(group: Options) -> None:
    """Add the options about money."""
    budget = "the most the study may cost, earlier runs included; exit status 3 when it is spent"
    group.add_argument("--budget-usd", type=float, metavar="X", help=budget)
    share = (
        "stop when more than this share of a model's turns cannot be read, such as 0.2; exit"
        " status 3"
    )
    group.add_argument("--max-unreadable", type=float, metavar="SHARE", help=share)
    price = "the price of a model in dollars per million tokens; repeatable"
    add_repeatable(group, "--price", metavar="MODEL=IN,OUT", help=price)
    dry_run = "estimate calls, tokens and costs; call no model and write nothing"
    add_flag(group, "--dry-run", dry_run)
    length = "the length of a reply that --dry-run assumes (default: as stored ones, or 500)"
    group.add_argument("--reply-tokens", type=int, metavar="N", help=length)


def shard(text: str) -> tuple[int, int]:
    """Return "2/5" as (2, 5)."""
    part, _, parts = text.partition("/")
    try:
        return int(part), int(parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"write I/N, for example 1/4, found {text!r}") from None


def run_study(options: argparse.Namespace) -> int:
    """Run `arena run`: play or estimate the stages of a study file."""
    from agents.providers.keys import keys_not_needed, load_keys
    from arena.calls.prices import parse_price
    from arena.calls.rate_limits import parse_limits
    from arena.calls.retry import Retry
    from arena.machines.playing import runner_at
    from arena.play.run import Arena, RunSelection
    from arena.studies.study import Study
    from arena.tournaments.stages import count_episodes_by_study, run_stages, vary_options
    from arena.tournaments.study_file import load_stages

    place = place_of(options)
    # Models read their keys when the study file creates them.
    if options.keys is not None:
        load_keys(options.keys)
    selection = RunSelection(
        options.limit,
        options.shard,
        options.retry_failed,
        options.accept_code_change,
        options.ask_damaged_again,
        options.anew,
    )
    arena = Arena(
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
        cache=options.cache,
        max_unreadable=options.max_unreadable,
        hooks=hooks_of(options),
        batches=batch_settings(options),
    )
    # What calls no model needs no key, so that a price is known before there is one.
    with keys_not_needed() if options.dry_run else nullcontext():
        stages = vary_options(load_stages(options.file, options.option), options.vary)
    # One study says its size in its summary; stages that depend on others say it before they start.
    if len(stages) > 1 or not isinstance(stages[0], Study):
        counts = count_episodes_by_study(stages, options.db)
        plan = ", then ".join(f"{study} {count:,} episodes" for study, count in counts.items())
        print(f"planned: {plan}", flush=True)
    if options.dry_run:
        print_dry_run(arena, stages, options.db, selection, options.reply_tokens)
        return 0
    names = [stage.name for stage in stages]
    with runner_at(place, arena, names, selection) as (runner, before_stage):
        summaries = run_stages(
            arena,
            stages,
            selection=selection,
            on_stage_end=print_stage_end,
            runner=runner,
            before_stage=before_stage,
        )
    return print_outcome(options.db, summaries)


def place_of(options: argparse.Namespace) -> Place | None:
    """Return where a study is played; None: here.  StudyError for a place that there is not."""
    from arena.machines.places import OnProcesses, parse_place
    from arena.machines.study_source import StudySource

    if options.on is None:
        if options.engines is not None or options.shards is not None:
            raise StudyError("--engines and --shards are of Ray: add --on ray, or leave them out")
        return None
    place = parse_place(options.on, options.engines, options.shards)
    source = StudySource(str(options.file), tuple(options.option), tuple(options.vary))
    if isinstance(place, OnProcesses):
        return replace(place, source=source)
    keys = options.keys and options.keys.resolve()
    return replace(place, source=source if place.shards else None, keys=keys)


def batch_settings(options: argparse.Namespace) -> BatchSettings | None:
    """Return how the run asks in batches, None if it does not; StudyError for rounds of none."""
    from arena.calls.batch_calls import BatchSettings

    if options.batch:
        return BatchSettings(max_rounds=options.max_rounds)
    if options.max_rounds is not None:
        raise StudyError("--max-rounds bounds rounds of batches: add --batch, or leave it out")
    return None


def print_dry_run(
    arena: Arena, stages: Stages, path: Path, selection: RunSelection, reply_tokens: int | None
) -> None:
    """Print the estimated cost of each stage."""
    from arena.tournaments.stages import (
        arena_for_study,
        check_limit_names,
        count_episodes,
        try_resolve_stage,
    )

    check_limit_names(arena, stages)
    for stage in stages:
        study = try_resolve_stage(stage, path)
        if study is None:
            count = count_episodes(stage, path)
            size = f"{count:,} episodes" if count else "episodes whose number is not known yet"
            print(
                f"{stage.name}: {size}, which are in no estimate here; it can be estimated when the"
                " stages before it have been played"
            )
            continue
        estimate = arena_for_study(arena, stages, study).dry_run(
            study, selection=selection, reply_tokens=reply_tokens
        )
        print_estimate(study.name, estimate, reply_tokens)


def print_outcome(path: Path, summaries: Collection[Summary]) -> int:
    """Print missing values, leaderboards and the next command; return the exit status."""
    from arena.store.database import select_rows

    # A study that several stages played counts with its last summary.
    latest = {summary.study: summary for summary in summaries}
    for study in latest:
        print_missing(path, study)
    judged = print_leaderboards(path, latest)
    remedies = dict.fromkeys(word for each in latest.values() for word in each.remedies)
    failed = any(summary.failed for summary in latest.values())
    unfinished = any(summary.open for summary in latest.values())
    again = " and ".join(remedies) or "the same command"
    if failed:
        again += ", and --retry-failed" if remedies else " --retry-failed"
    todo = f"continue with {again}; " if failed or unfinished else ""
    reportable = [study for (study,) in select_rows(path, REPORTABLE) if study in latest]
    scored = [study for (study,) in select_rows(path, SCORED, [list(latest)])]
    look = "status"
    if scored:
        look = f"report --estimators --study {shlex.quote(scored[0])}"
    elif judged:
        look = f"rank --study {shlex.quote(judged[0])}"
    elif reportable:
        # The findings of several stages hang together, and often stand in the last one.
        look = "report" + (f" --study {shlex.quote(reportable[0])}" if len(reportable) == 1 else "")
    print(f"the record is in {path}; {todo}next: arena {look} --db {shlex.quote(str(path))}")
    print_journals_left(path)
    return 3 if remedies else 1 if failed else 0


def print_journals_left(path: Path) -> None:
    """Print how to remove the journals of a store if they are too large to be verified at once."""
    from arena.store.database import QUICK_REMOVAL_BYTES, closed_journals

    left = sum(journal.stat().st_size for journal in closed_journals(path))
    if left > QUICK_REMOVAL_BYTES:
        print(
            f"{left / 1e6:,.0f} MB of journals are beside it; verify and remove them with:"
            f" arena tidy {shlex.quote(str(path))}"
        )


def print_leaderboards(path: Path, juries: Collection[str]) -> list[str]:
    """Print the standings of every study that one of these juries has judged; return its name."""
    from arena.store.database import select_rows

    if not len(select_rows(path, "from rulings limit 1")):
        return []
    from analysis.reports.tables.standings import print_judged

    return print_judged(path, juries)


def print_missing(path: Path, study: str) -> None:
    """Print the reasons for missing values."""
    from arena.store.database import select_rows

    # The view has failed episodes too, whose errors were printed when their stage ended.
    missing = """
        select what, phase, reason, sum(n)::bigint, list(arm order by arm) from missing
        where study = ? and reason not like 'failed:%' group by all order by all"""
    for what, phase, reason, count, arms in select_rows(path, missing, [study]):
        place = f" in {phase}" if phase else ""
        named = f" ({', '.join(filter(None, arms))})" if any(arms) else ""
        print(f"  missing: {count} x {what}{place}: {printable(reason + named)}")


def run_demo(options: argparse.Namespace) -> int:
    """Run `arena demo`: play the study of the demonstration, and show the ways to look at it."""
    from analysis.reports.debates import study_reports
    from analysis.reports.tables.debates import print_report
    from arena.cli.demo import MOST_CONFIDENT, QUERY, study
    from arena.play.run import Arena

    arena = Arena(options.db)
    print("A tournament of simulated debaters: no model is called, none has said a word below.\n")
    print(arena.run(study()))
    print_report(study_reports(options.db, "demo"))
    print(f'\n$ arena sql --db {options.db} "{QUERY}"')
    print_table(arena.sql(QUERY))
    (episode,) = arena.sql(MOST_CONFIDENT).rows[0]
    db = shlex.quote(str(options.db))
    print(f"\nthe record is in {options.db}; to look at it in a browser: arena view --db {db}")
    print(f"to read the debate with the most confident sides: arena show {episode} --db {db}")
    return 0
