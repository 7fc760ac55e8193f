"""The command line: the door of the house.  It may import everything and is imported by nothing; heavy parts are loaded when needed.

Exit status: 0 done; 1 an episode failed, or a file was refused; 2 bad input or a store that cannot be used; 130 stopped by hand.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Literal, NoReturn

from arena.errors import ArenaError, StudyError
from arena.terminal import finite, print_estimate, print_table, printable

FORMATS = ("table", "csv", "json", "markdown")


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="arena", description="Play debates and peer reasoning between models; every word goes to DuckDB.")
    top.add_argument("--version", action="store_true", help="print the version")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        """A command with the options that all have."""
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        added.add_argument("--db", type=Path, default=Path("arena.duckdb"), metavar="FILE", help="the store (default: arena.duckdb)")
        return added

    run_options(command("run", run_study, "play a study file, or continue it"))
    command("status", show_status, "what has been played, what is open, what is missing")

    show = command("show", show_episode, "read one episode")
    show.add_argument("episode", help="its id, or the beginning of it")
    show.add_argument("--public", action="store_true", help="leave private thoughts and ratings out")

    sql = command("sql", run_sql, "query everything that was said, a running study included")
    sql.add_argument("query")
    sql.add_argument("--format", choices=FORMATS, default="table")

    report = command("report", show_report, "how sure the debaters were, and how right")
    report.add_argument("--study", help="one study only")
    report.add_argument("--json", action="store_true", help="as JSON: a list, or with --study one object")

    ranks = command("rank", show_ranks, "who won a tournament, how certain that is, and what its judges favour")
    ranks.add_argument("--study", help="the study whose debates were judged; without it, every one")
    ranks.add_argument("--jury", help="only the verdicts of this judging study")
    ranks.add_argument("--include-related", action="store_true", help="keep judges that are a contestant, or of its family")
    ranks.add_argument("--json", action="store_true", help="as JSON: a list, or with --study one object")

    imports = command("import", import_published, "take in published debates")
    imports.add_argument("format", choices=["llms-overconfidence"])
    imports.add_argument("folder", type=Path, help="the folder with the publication's JSON files")

    merge = command("merge", merge_stores, "take in what other machines have played")
    merge.add_argument("stores", type=Path, nargs="+", help="their stores")

    export = command("export", export_tables, "write the tables to files")
    export.add_argument("folder", type=Path, help="a new folder")
    export.add_argument("--format", choices=["parquet", "jsonl", "csv", "pairwise"], default="parquet", help="pairwise: verdicts as a CSV")
    export.add_argument("--include-related", action="store_true", help="pairwise: keep judges that are a contestant, or of its family")

    demo = command("demo", run_demo, "a tournament of simulated debaters, its report, and a query")
    demo.set_defaults(db=Path("demo.duckdb"))
    return top


def run_options(run: argparse.ArgumentParser) -> None:
    """The options of `arena run`."""
    run.add_argument("file", type=Path, help="a Python file with `def study(...) -> Study`")
    run.add_argument("-o", "--option", action="append", default=[], metavar="KEY=VALUE", help="an argument of its study function")
    run.add_argument(
        "--concurrency",
        type=int,
        default=32,
        metavar="N",
        help="episodes at once, and calls in flight; local models queue by themselves (default: 32)",
    )
    run.add_argument("--attempts", type=int, default=5, metavar="N", help="requests for one call at most, the first included (default: 5)")
    run.add_argument("--deadline", type=float, default=900, metavar="S", help="seconds for one call, attempts and waits in it (default: 900)")
    run.add_argument(
        "--limits", action="append", default=[], metavar="NAME:K=N", help="of a provider or model: openai:rpm=500,tpm=200000,in_flight=64"
    )
    run.add_argument("--budget-usd", type=float, metavar="X", help="what the study may cost, earlier runs included; exit status 3 when spent")
    run.add_argument("--price", action="append", default=[], metavar="MODEL=IN,OUT", help="dollars per million tokens, where not known")
    run.add_argument("--cache", action="store_true", help="take replies to identical requests from earlier studies of this store")
    run.add_argument("--keys", type=Path, metavar="FILE", help="a file with lines NAME=value, as the environment would hold them")
    run.add_argument("--dry-run", action="store_true", help="say what the study takes and may cost; ask nothing, write nothing")
    run.add_argument("--reply-tokens", type=int, default=500, metavar="N", help="assumed length of a reply, for --dry-run (default: 500)")
    run.add_argument("--limit", type=int, metavar="N", help="play at most N episodes")
    run.add_argument("--shard", type=shard, metavar="I/N", help="play the I-th of N shares (for several machines)")
    run.add_argument("--retry-failed", action="store_true", help="play failed episodes again")
    run.add_argument("--accept-code-change", action="store_true", help="continue half-played episodes although the protocol's file has changed")


def shard(text: str) -> tuple[int, int]:
    """ "2/5" as (2, 5)."""
    part, _, of = text.partition("/")
    try:
        return int(part), int(of)
    except ValueError:
        raise argparse.ArgumentTypeError(f"write I/N, for example 1/4, found {text!r}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; errors that have a known cause become one sentence and exit status 2."""
    words = parser().parse_args(arguments)
    if words.version:
        from importlib.metadata import version

        print(version("peer-arena"))
        return 0
    if words.command is None:
        parser().error("a command is needed; `arena --help` lists them")
    signal.signal(signal.SIGTERM, stop)
    try:
        return int(words.run(words))
    except ArenaError as error:
        print(f"arena {words.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        given = list(sys.argv[1:] if arguments is None else arguments)
        print(f"\nstopped; what was said is kept. Continue with\n  {shlex.join(['arena', *given])}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to say, and nothing may be said at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, UnicodeError) as error:
        print(f"arena {words.command}: {error}", file=sys.stderr)
        return 2


def stop(signal_number: int, frame: object) -> NoReturn:
    """End as with Ctrl-C when the system asks us to go."""
    raise KeyboardInterrupt


def run_study(words: argparse.Namespace) -> int:
    """arena run"""
    from arena.limits import parse_limits
    from arena.prices import parse_price
    from arena.retry import Retry
    from arena.run import Arena, Which
    from arena.stages import check_names, for_study, preflight, run_stages, written_now
    from arena.study import Study
    from arena.studyfile import load_stages

    if words.keys is not None:
        from agents.keys import load_keys

        load_keys(words.keys)
    which = Which(words.limit, words.shard, words.retry_failed, words.accept_code_change)
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
        planned = preflight(stages, words.db)
        print("planned: " + ", then ".join(f"{study} {count:,} episodes" for study, count in planned.items()), flush=True)
    if words.dry_run:
        check_names(arena, stages)
        for stage in stages:
            study = written_now(stage, words.db)
            if study is None:
                print(f"{stage.name}: can be estimated when the stages before it have been played")
            else:
                print_estimate(
                    study.name, for_study(arena, stages, study).dry_run(study, which=which, reply_tokens=words.reply_tokens), words.reply_tokens
                )
        return 0
    summaries = run_stages(arena, stages, which=which, told=lambda summary: print(summary, flush=True))
    latest = {summary.study: summary for summary in summaries}
    for study in latest:
        print_missing(words.db, study)
    judged = print_leaderboards(words.db, latest)
    stopped, failed, unfinished = (any(getattr(summary, what) for summary in latest.values()) for what in ("stopped", "failed", "open"))
    how = "a larger --budget-usd" if stopped else f"the same command{' --retry-failed' if failed else ''}"
    todo = f"continue with {how}; " if failed or unfinished else ""
    command, study = ("rank", judged[0]) if judged else ("report", summaries[0].study)
    print(f"the record is in {words.db}; {todo}next: arena {command} --study {shlex.quote(study)} --db {shlex.quote(str(words.db))}")
    return 3 if stopped else 1 if failed else 0


def print_leaderboards(path: Path, juries: Collection[str]) -> list[str]:
    """The standings of every study that one of these juries has judged; returns the names of those studies."""
    from arena.store import query

    if not len(query(path, "from rulings limit 1")):
        return []
    from analysis.standings import print_judged

    return print_judged(path, juries)


def show_ranks(words: argparse.Namespace) -> int:
    """arena rank"""
    from analysis.standings import print_standings, standings
    from analysis.verdicts import judged_studies

    related: Literal["exclude", "include"] = "include" if words.include_related else "exclude"
    studies = [words.study] if words.study else list(judged_studies(words.db))
    found = [standings(words.db, study, jury=words.jury, related=related) for study in studies]
    if words.json:
        print(json.dumps(found[0] if words.study else found, indent=1, ensure_ascii=False))
        return 0
    if not found:
        print("There are no verdicts in this store yet: judge its debates with `arena run experiments/tournament.py -o judged=STUDY`.")
    for standing in found:
        print_standings(standing, rules=standing is found[-1])
    return 0


def print_missing(path: Path, study: str) -> None:
    """The reasons for what is missing in a study, one a line, and the errors of failed episodes in full."""
    from arena.store import query

    failed = "select error_kind, error, count(*) from episodes where study = ? and status = 'failed' group by all order by 3 desc limit 5"
    for kind, error, count in query(path, failed, [study]):
        print(f"  failed: {count} x {kind}: {printable(error)}")
    for what, phase, reason, count in query(
        path, "select what, phase, reason, n from missing where study = ? and reason not like 'failed:%'", [study]
    ):
        print(f"  missing: {count} x {what}{f' in {phase}' if phase else ''}: {printable(reason)}")


def show_status(words: argparse.Namespace) -> int:
    """arena status"""
    from arena.store import fold, query

    folding = fold(words.db, wait_s=0.5) if words.db.exists() else None
    counts = """
        with played as (
            select study, count(*) as n, count(*) filter (status = 'done') as done, count(*) filter (status = 'failed') as failed
            from episodes group by study),
        said as (select study, count(*) as turns from turns join episodes using (episode) group by study),
        started as (select study, arg_max(planned, started_at) as planned, max(started_at) as last_run from runs group by study)
        select study, simulated, origin, s.planned, coalesce(done, 0) as done, coalesce(failed, 0) as failed,
               greatest(coalesce(s.planned, n), n) - coalesce(done, 0) - coalesce(failed, 0) as open, turns, last_run
        from studies left join played using (study) left join said using (study) left join started s using (study) order by study"""
    print_table(query(words.db, counts))
    missing = query(words.db, "from missing")
    if len(missing):
        print("\nmissing")
        print_table(missing)
    if folding and folding.put_off:
        print(f"not folded yet: {folding.put_off}", file=sys.stderr)
    if folding and folding.skipped:
        print(f"{folding.skipped} torn journal lines were dropped", file=sys.stderr)
    return 0


def show_episode(words: argparse.Namespace) -> int:
    """arena show"""
    from arena.store import query

    found = query(
        words.db,
        "select e.*, s.text as motion from episodes e left join subjects s using (subject) where starts_with(e.episode, ?) limit 2",
        [words.episode],
    ).dicts()
    if len(found) != 1:
        how_many = "several episodes begin" if found else "no episode begins"
        raise StudyError(f"{how_many} with {words.episode!r}; list them with: arena sql 'select episode, study, subject from episodes'")
    episode = found[0]
    print(f"{episode['episode']}  {episode['study']} / {episode['arm']}  {episode['protocol']}  {episode['status']}")
    if episode["error"]:
        print(printable(f"{episode['error_kind']}: {episode['error']}"))
    print(printable(episode["motion"] or ""))
    turns = query(
        words.db,
        "select t.*, s.agent, s.model from turns t left join seats s using (episode, seat) where episode = ?"
        " order by round, started_at, seat desc",
        [episode["episode"]],
    )
    for turn in turns.dicts():
        print(f"\n=== {turn['seat']} ({printable(turn['model'] or '')}), {turn['phase']}")
        print(printable(turn["public"] if turn["public"] is not None else "[no readable speech]"))
        if not words.public:
            rating = f"missing ({turn['confidence_status']})" if turn["confidence"] is None else f"{100 * turn['confidence']:g}%"
            print(f"--- private: rating {rating}" + (f"; thoughts: {printable(turn['thoughts'])}" if turn["thoughts"] else ""))
        if turn["flags"]:
            print(f"--- doubts: {', '.join(turn['flags'])}")
    for verdict in query(words.db, "from verdicts where debate = ? order by judge, repeat, seat_order", [episode["episode"]]).dicts():
        sure = "" if verdict["confidence"] is None else f" ({100 * verdict['confidence']:g}%)"
        order = f", sides {verdict['seat_order']}" if verdict["seat_order"] != "as played" else ""
        print(f"\n=== judge {printable(verdict['judge'])}{order}: {printable(verdict['winner'] or verdict['status'])}{sure}")
    return 0


def run_sql(words: argparse.Namespace) -> int:
    """arena sql"""
    from arena.run import Arena

    table = Arena(words.db).sql(words.query)
    match words.format:
        case "json":
            rows = [{name: finite(value) for name, value in row.items()} for row in table.dicts()]
            print(json.dumps(rows, indent=1, default=str, ensure_ascii=False))
        case "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerows([table.columns, *table.rows])
        case "markdown":
            print_table(table, edge="| ", between=" | ", after=" |")
        case _:
            print_table(table)
    return 0


def show_report(words: argparse.Namespace) -> int:
    """arena report"""
    from analysis.report import print_report, report

    reports = report(words.db, words.study)
    if words.json:
        print(json.dumps(reports[0] if words.study else reports, indent=1, ensure_ascii=False))
    else:
        print_report(reports)
    return 0


def import_published(words: argparse.Namespace) -> int:
    """arena import"""
    from arena.imports import import_llms_overconfidence, summary_lines

    imported = import_llms_overconfidence(words.folder, words.db)
    for text in summary_lines(imported):
        print(text)
    print(f"the record is in {words.db}; next: arena report --db {shlex.quote(str(words.db))}")
    return 1 if imported.refused else 0


def merge_stores(words: argparse.Namespace) -> int:
    """arena merge"""
    from arena.exchange import merge
    from arena.store import create

    create(words.db)
    for other in words.stores:
        new, disputed = merge(words.db, other)
        print(f"{other}: {new} rows were new")
        if disputed:
            print(f"{other}: {disputed} episodes were played otherwise there, and were left as they are here", file=sys.stderr)
    print(f"the record is in {words.db}; next: arena status --db {shlex.quote(str(words.db))}")
    return 0


def export_tables(words: argparse.Namespace) -> int:
    """arena export"""
    from arena.exchange import export

    if words.format == "pairwise":
        from analysis.pairwise import export_pairwise
        from analysis.verdicts import judged_studies

        file = words.folder / "pairwise.csv"
        wrote = export_pairwise(words.db, file, list(judged_studies(words.db)), include_related=words.include_related)
        print(f"{file}: {wrote.rows} rows; left out: {wrote.missing} missing verdicts, {wrote.related} by judges related to a contestant")
        return 0
    for name, rows in export(words.db, words.folder, words.format):
        print(f"{words.folder / name}: {rows} rows")
    return 0


def run_demo(words: argparse.Namespace) -> int:
    """arena demo"""
    from analysis.report import print_report, report
    from arena.demo import QUERY, study
    from arena.run import Arena

    arena = Arena(words.db)
    print("A tournament of simulated debaters: no model is asked, no word below was said by one.\n")
    print(arena.run(study()))
    print_report(report(words.db, "demo"))
    print(f'\n$ arena sql --db {words.db} "{QUERY}"')
    print_table(arena.sql(QUERY))
    surest = "select episode from turns where phase = 'closing' group by episode order by min(confidence) desc nulls last, episode limit 1"
    (episode,) = arena.sql(surest).rows[0]
    print(f"\nthe record is in {words.db}; next, the debate whose sides were both surest: arena show {episode} --db {words.db}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
