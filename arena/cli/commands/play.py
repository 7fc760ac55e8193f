"""`arena run` and `arena demo`: playing studies."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Collection
from pathlib import Path

from arena.cli.commands import Command
from arena.cli.terminal import print_estimate, print_table
from arena.text import printable


def add(command: Command) -> None:
    """The commands that play."""
    add_run_options(command("run", run_study, "play a study file, or continue it"))
    demo = command("demo", run_demo, "a tournament of simulated debaters, its report, and a query")
    demo.set_defaults(db=Path("demo.duckdb"))


def add_run_options(run: argparse.ArgumentParser) -> None:
    """The options of `arena run`."""
    run.add_argument("file", type=Path, help="a Python file with `def study(...) -> Study`")
    run.add_argument(
        "-o",
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument of its study function",
    )
    run.add_argument(
        "--concurrency",
        type=int,
        default=32,
        metavar="N",
        help="episodes at once, and calls in flight; local models queue by themselves (default: 32)",
    )
    run.add_argument(
        "--attempts",
        type=int,
        default=5,
        metavar="N",
        help="requests for one call at most, the first included (default: 5)",
    )
    run.add_argument(
        "--deadline",
        type=float,
        default=900,
        metavar="S",
        help="seconds for one call, attempts and waits in it (default: 900)",
    )
    run.add_argument(
        "--limits",
        action="append",
        default=[],
        metavar="NAME:K=N",
        help="of a provider or model: openai:rpm=500,tpm=200000,in_flight=64",
    )
    run.add_argument(
        "--budget-usd",
        type=float,
        metavar="X",
        help="what the study may cost, earlier runs included; exit status 3 when spent",
    )
    run.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="MODEL=IN,OUT",
        help="dollars per million tokens, where not known",
    )
    run.add_argument(
        "--cache",
        action="store_true",
        help="take replies to identical requests from earlier studies of this store",
    )
    run.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="a file with lines NAME=value, as the environment would hold them",
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="say what the study takes and may cost; ask nothing, write nothing",
    )
    run.add_argument(
        "--reply-tokens",
        type=int,
        default=500,
        metavar="N",
        help="assumed length of a reply, for --dry-run (default: 500)",
    )
    run.add_argument("--limit", type=int, metavar="N", help="play at most N episodes")
    run.add_argument(
        "--shard",
        type=shard,
        metavar="I/N",
        help="play the I-th of N shares (for several machines)",
    )
    run.add_argument("--retry-failed", action="store_true", help="play failed episodes again")
    run.add_argument(
        "--accept-code-change",
        action="store_true",
        help="continue half-played episodes although the protocol's file has changed",
    )


def shard(text: str) -> tuple[int, int]:
    """ "2/5" as (2, 5)."""
    part, _, of = text.partition("/")
    try:
        return int(part), int(of)
    except ValueError:
        raise argparse.ArgumentTypeError(f"write I/N, for example 1/4, found {text!r}") from None


def run_study(words: argparse.Namespace) -> int:
    """arena run"""
    from arena.calls.prices import parse_price
    from arena.calls.rate_limits import parse_limits
    from arena.calls.retry import Retry
    from arena.play.run import Arena, RunSelection
    from arena.studies.study import Study
    from arena.tournaments.stages import (
        arena_for_study,
        check_limit_names,
        count_episodes_by_study,
        run_stages,
        try_resolve_stage,
    )
    from arena.tournaments.study_file import load_stages

    if words.keys is not None:
        from agents.providers.keys import load_keys

        load_keys(words.keys)
    which = RunSelection(words.limit, words.shard, words.retry_failed, words.accept_code_change)
    arena = Arena(
        words.db,
        concurrency=words.concurrency,
        limits=parse_limits(words.limits),
        retry=Retry(attempts=words.attempts, deadline_s=words.deadline),
        budget_usd=words.budget_usd,
        prices=dict(parse_price(text) for text in words.price),
        cache=words.cache,
    )
    stages = load_stages(words.file, words.option)
    if len(stages) > 1 or not isinstance(stages[0], Study):
        planned = count_episodes_by_study(stages, words.db)
        print(
            "planned: "
            + ", then ".join(f"{study} {count:,} episodes" for study, count in planned.items()),
            flush=True,
        )
    if words.dry_run:
        check_limit_names(arena, stages)
        for stage in stages:
            study = try_resolve_stage(stage, words.db)
            if study is None:
                print(f"{stage.name}: can be estimated when the stages before it have been played")
            else:
                print_estimate(
                    study.name,
                    arena_for_study(arena, stages, study).dry_run(
                        study, selection=which, reply_tokens=words.reply_tokens
                    ),
                    words.reply_tokens,
                )
        return 0
    summaries = run_stages(
        arena, stages, selection=which, on_stage_end=lambda summary: print(summary, flush=True)
    )
    latest = {summary.study: summary for summary in summaries}
    for study in latest:
        print_missing(words.db, study)
    judged = print_leaderboards(words.db, latest)
    stopped, failed, unfinished = (
        any(getattr(summary, what) for summary in latest.values())
        for what in ("stopped", "failed", "open")
    )
    how = (
        "a larger --budget-usd"
        if stopped
        else f"the same command{' --retry-failed' if failed else ''}"
    )
    todo = f"continue with {how}; " if failed or unfinished else ""
    command, study = ("rank", judged[0]) if judged else ("report", summaries[0].study)
    print(
        f"the record is in {words.db}; {todo}next: arena {command} --study {shlex.quote(study)} --db {shlex.quote(str(words.db))}"
    )
    return 3 if stopped else 1 if failed else 0


def print_leaderboards(path: Path, juries: Collection[str]) -> list[str]:
    """The standings of every study that one of these juries has judged; returns the names of those studies."""
    from arena.store.database import query

    if not len(query(path, "from rulings limit 1")):
        return []
    from analysis.reports.standings import print_judged

    return print_judged(path, juries)


def print_missing(path: Path, study: str) -> None:
    """The reasons for what is missing in a study, one a line, and the errors of failed episodes in full."""
    from arena.store.database import query

    failed = "select error_kind, error, count(*) from episodes where study = ? and status = 'failed' group by all order by 3 desc limit 5"
    for kind, error, count in query(path, failed, [study]):
        print(f"  failed: {count} x {kind}: {printable(error)}")
    for what, phase, reason, count in query(
        path,
        "select what, phase, reason, n from missing where study = ? and reason not like 'failed:%'",
        [study],
    ):
        print(f"  missing: {count} x {what}{f' in {phase}' if phase else ''}: {printable(reason)}")


def run_demo(words: argparse.Namespace) -> int:
    """arena demo"""
    from analysis.reports.debates import print_report, report
    from arena.cli.demo import QUERY, study
    from arena.play.run import Arena

    arena = Arena(words.db)
    print("A tournament of simulated debaters: no model is asked, no word below was said by one.\n")
    print(arena.run(study()))
    print_report(report(words.db, "demo"))
    print(f'\n$ arena sql --db {words.db} "{QUERY}"')
    print_table(arena.sql(QUERY))
    surest = """
        select episode from turns where phase = 'closing' group by episode having count(confidence) = 2
        order by min(confidence) desc, episode limit 1"""
    (episode,) = arena.sql(surest).rows[0]
    db = shlex.quote(str(words.db))
    print(f"\nthe record is in {words.db}; next, look at it in a browser: arena view --db {db}")
    print(f"or read the debate whose sides were both surest: arena show {episode} --db {db}")
    return 0
