"""Measure the store at a million turns, beside the same debates in SQLite and as JSON files.

    python experiments/benchmarks/store.py [--turns 1000000] [--folder FOLDER]
        [--live [--debates 1000]]

Journals of made-up debates are written as runs write them (made_up.py), folded, and folded again
under other names, which must add nothing.  Then each question is asked in a process of its own:
`first` is the process's first answer, with imports and opening, `again` the median of five more.
The disk's cache is as warm for one as for the other.  Stores that --folder already holds are used
again.  `--live` is another benchmark: a simulated study, alone and while the viewer's page of it
follows (viewing.py).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

# Started as a program, a file finds only its neighbours.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# Each question imports our modules itself: the first answer includes the imports.

Timing = dict[str, Any]
# Of finished debates; avg and count leave out the ratings that are missing.
MEAN = """
    select s.model, t.phase, avg(t.confidence) as mean, count(t.confidence) as n
    from turns t
    join seats s on s.episode = t.episode and s.seat = t.seat
    join {episodes} e on e.episode = t.episode
    where e.status = 'done' and t.seat in ('proposition', 'opposition')
    group by s.model, t.phase order by s.model, t.phase
"""
STUDIES = """
    select study, count(*), count(*) filter (where status = 'done')
    from {episodes} e group by study order by study
"""
# SQLite reads the latest status of an episode as DuckDB does, and so that its index serves it.
EPISODES = """(
    select p.*, coalesce((
        select s.status from statuses s where s.episode = p.episode order by ended_at desc limit 1
    ), 'open') as status from plays p
)"""
DEBATE = {
    "turns": """
        select seat, step, phase, round, text, public, thoughts, confidence, confidence_status,
            prompt
        from turns where episode = ?
    """,
    "seats": "select seat, agent, model from seats where episode = ?",
    "calls": """
        select seat, step, status, tokens_in, tokens_out, cost_usd, latency_s
        from call_ends where episode = ?
    """,
    "verdicts": "select judge, winner, confidence, reasons from rulings where debate = ?",
}
SAW = "select seat, step, seen_seat, seen_step, face from saw where episode = ?"


def questions(folder: Path) -> dict[str, Callable[[], object]]:
    """Return every question of every store as a function of nothing.

    Each opens what it needs and closes it again.
    """
    episode = (folder / "episode").read_text()
    return {
        "mean store": lambda: query_store(folder, MEAN.format(episodes="episodes")),
        "mean sqlite": lambda: query_sqlite(folder, MEAN.format(episodes=EPISODES)),
        "mean json": lambda: mean_of_files(folder),
        "debate store": lambda: debate_in_store(folder, episode),
        "debate sqlite": lambda: [query_sqlite(folder, sql, episode) for sql in DEBATE.values()],
        "debate json": lambda: read_json(next((folder / "json").glob(f"*/{episode}.json"))),
        "studies store": lambda: query_store(folder, STUDIES.format(episodes="episodes")),
        "studies sqlite": lambda: query_sqlite(folder, STUDIES.format(episodes=EPISODES)),
        "studies json": lambda: studies_of_files(folder),
        "report store": lambda: report_of_store(folder),
    }


def query_store(folder: Path, sql: str) -> tuple[tuple[Any, ...], ...]:
    """Return the rows of a query of the store."""
    from arena.store.database import query

    return query(folder / "a.duckdb", sql).rows


def report_of_store(folder: Path) -> object:
    """Return the whole report, without figures."""
    from analysis.reports.debates import study_reports

    return study_reports(folder / "a.duckdb")


def debate_in_store(folder: Path, episode: str) -> object:
    """Return one debate with its seats, turns, calls, verdicts and who saw what.

    On one connection, as the viewer reads it.
    """
    from arena.store.database import open_live

    with open_live(folder / "a.duckdb", ("saw",)) as con:
        return [con.execute(sql, [episode]).fetchall() for sql in (*DEBATE.values(), SAW)]


def query_sqlite(folder: Path, sql: str, *parameters: str) -> object:
    """Return the rows of a query of SQLite."""
    with closing(sqlite3.connect(folder / "a.sqlite")) as con:
        return con.execute(sql, parameters).fetchall()


def read_json(file: Path) -> dict[str, Any]:
    """Return a debate from its file."""
    debate: dict[str, Any] = orjson.loads(file.read_bytes())
    return debate


def read_files(folder: Path) -> Iterator[dict[str, Any]]:
    """Read all debates from their files."""
    return map(read_json, (folder / "json").glob("*/*.json"))


def mean_of_files(folder: Path) -> object:
    """Return mean confidence by model and phase, from the files."""
    values = defaultdict(list)
    for debate in read_files(folder):
        model = {seat["seat"]: seat["model"] for seat in debate["seats"]}
        for turn in debate["turns"] if debate["status"] == "done" else ():
            if turn["confidence"] is not None:
                values[model[turn["seat"]], turn["phase"]].append(turn["confidence"])
    return [(*key, statistics.fmean(rated), len(rated)) for key, rated in sorted(values.items())]


def studies_of_files(folder: Path) -> object:
    """Return studies with the numbers of their debates and finished debates, from the files."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for debate in read_files(folder):
        counts[debate["study"]][0] += 1
        counts[debate["study"]][1] += debate["status"] == "done"
    return [(study, *count) for study, count in sorted(counts.items())]


def peak_mb() -> float:
    """Return the largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def time_answers(ask: Callable[[], object], repeats: int) -> Timing:
    """Return seconds of the first answer, the median of `repeats` further ones, and memory."""
    seconds = []
    for _ in range(1 + repeats):
        began = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - began)
    again = statistics.median(seconds[1:] or seconds)
    return {"first": seconds[0], "again": again, "rss_mb": peak_mb()}


def time_in_process(folder: Path, name: str, repeats: int = 5) -> Timing:
    """Return the same of a process of its own, which has imported nothing of ours before."""
    command = [sys.executable, __file__, "--folder", str(folder), "--ask", name]
    command += ["--repeats", str(repeats)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    timing: Timing = json.loads(run.stdout)
    return timing


def fold_journals(folder: Path) -> Timing:
    """Fold the journals beside the store; return wall and processor seconds, and memory."""
    from arena.store.database import fold

    began, began_cpu = time.perf_counter(), time.process_time()
    folding = fold(folder / "a.duckdb")
    wall = time.perf_counter() - began
    cpu = time.process_time() - began_cpu
    if folding.put_off or folding.skipped:
        raise SystemExit(f"folding went wrong: {folding}")
    return {"wall": wall, "cpu": cpu, "rss_mb": peak_mb(), "journals": folding.journals}


def make_stores(folder: Path, turns: int) -> dict[str, Any]:
    """Make the three stores in the folder, unless they are there; return the costs.

    The costs are kept in made.json.
    """
    from arena.store.database import create, journal_folder, journals
    from experiments.benchmarks import made_up, other_stores

    note = folder / "made.json"
    costs: dict[str, Any]
    if note.exists():
        costs = json.loads(note.read_text())
        return costs
    path = folder / "a.duckdb"
    create(path)
    began = time.process_time()
    costs = {"turns": made_up.write(path, turns)}
    costs["writing_cpu_s"] = time.process_time() - began
    lines = journals(path)
    costs["journals_mb"] = megabytes(lines)
    costs["sqlite_cpu_s"] = other_stores.write_sqlite(folder / "a.sqlite", lines)
    costs["json_cpu_s"] = other_stores.write_json(folder / "json", lines)
    # Folding may remove journals; a tenth of them is folded again, under other names.
    copies = [folder / f"again-{journal.name}" for journal in lines[: max(1, len(lines) // 10)]]
    for journal, copy in zip(lines, copies, strict=False):
        os.link(journal, copy)
    costs["fold"] = time_in_process(folder, "fold")
    before = count_rows(folder)
    costs["rows"] = sum(before.values())
    costs["sizes_mb"] = {name: megabytes(files) for name, files in store_files(folder).items()}
    for copy in copies:
        copy.rename(journal_folder(path) / copy.name)
    costs["again"] = time_in_process(folder, "fold")
    if count_rows(folder) != before:
        raise SystemExit("folding the same lines again has changed the store")
    # By hash: any debate, but the same one in every store of these journals.
    debate = query_store(folder, "select debate from rulings order by hash(debate) limit 1")
    (folder / "episode").write_text(debate[0][0])
    note.write_text(json.dumps(costs))
    return costs


def count_rows(folder: Path) -> dict[str, int]:
    """Return the number of rows of every base table."""
    from arena.store.schema import JOURNALED

    return {name: query_store(folder, f"select count(*) from {name}")[0][0] for name in JOURNALED}


def store_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each store."""
    return {
        "store": [folder / "a.duckdb"],
        "sqlite": [folder / "a.sqlite"],
        "json": list((folder / "json").glob("*/*.json")),
    }


def megabytes(files: list[Path]) -> float:
    """Return the size of files together."""
    return sum(file.stat().st_size for file in files) / 1e6


def compare(folder: Path, turns: int) -> None:
    """Print how the store was made, and a table of questions and stores."""
    from experiments.benchmarks.viewing import page_rows

    costs = make_stores(folder, turns)
    fold, again = costs["fold"], costs["again"]
    print(
        f"{costs['turns']:,} turns in {costs['journals_mb']:,.0f} MB of journals, written at"
        f" {costs['writing_cpu_s']:.0f} s of processor."
    )
    print(
        f"Folding: {costs['turns'] / fold['cpu']:,.0f} turns"
        f" ({costs['rows'] / fold['cpu']:,.0f} rows, {costs['journals_mb'] / fold['cpu']:.0f} MB)"
        f" a second of processor, {fold['wall']:.0f} s, at most {fold['rss_mb']:.0f} MB."
        f" {again['journals']} of the journals again: nothing new in {again['cpu']:.1f} s of"
        " processor."
    )
    loads = {"store": fold["cpu"], "sqlite": costs["sqlite_cpu_s"], "json": costs["json_cpu_s"]}
    sizes = " | ".join(f"{costs['sizes_mb'][name]:,.0f}" for name in loads)
    speeds = " | ".join(f"{costs['turns'] / cpu:,.0f}" for cpu in loads.values())
    print("\n| | store | SQLite | JSON files |\n|---|---|---|---|")
    print(f"| on disk, MB | {sizes} |\n| turns loaded a second of processor | {speeds} |")
    titles = {
        "mean": "mean confidence by model and phase",
        "debate": "one debate with all that belongs to it",
        "studies": "studies with counts",
        "report": "the report, without figures",
    }
    known = questions(folder)
    for question, title in titles.items():
        # To read all files takes long, so that a second answer must do.
        timings = {
            name: time_in_process(folder, f"{question} {name}", 1 if name == "json" else 5)
            for name in loads
            if f"{question} {name}" in known
        }
        print(format_row(title, timings))
    episode = (folder / "episode").read_text()
    print("\n".join(page_rows(folder / "a.duckdb", "made up 01", episode)))


def format_row(title: str, timings: dict[str, Timing]) -> str:
    """Return a row of the table: seconds of the first answer and again, and times the store's."""
    cells = ["", "", ""]
    for column, (name, timing) in enumerate(timings.items()):
        cells[column] = f"{timing['first']:.3f}, {timing['again']:.3f}"
        if name != "store":
            cells[column] += f" ({timing['again'] / timings['store']['again']:.2g}x)"
    return f"| {title}, s: first, again | {' | '.join(cells)} |"


def main() -> int:
    """Print the table, or do one piece of the work for another process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--debates", type=int, default=1000)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.live:
        from experiments.benchmarks.viewing import compare_live

        compare_live(options.debates)
    elif options.ask == "fold":
        print(json.dumps(fold_journals(options.folder)))
    elif options.ask:
        ask = questions(options.folder)[options.ask]
        print(json.dumps(time_answers(ask, options.repeats)))
    else:
        with tempfile.TemporaryDirectory() as own:
            folder = (options.folder or Path(own)).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            compare(folder, options.turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
