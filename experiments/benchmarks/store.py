"""The store at a million turns: folding, questions and the viewer, beside the same debates in SQLite and as one JSON file each.

    python experiments/benchmarks/store.py [--turns 1000000] [--folder FOLDER] [--live [--debates 1000]]

Journals of made-up debates are written as runs write them (made_up.py), folded, and folded again under other names, which must add
nothing.  Then each question is asked in a process of its own: `first` is the process's first answer, with imports and opening, `again` the
median of five more.  The disk's cache is as warm for one as for the other.  What is in --folder already is used again.
`--live` is another benchmark: a simulated study, alone and while the viewer's page of it follows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import orjson

MEAN = """
    select s.model, t.phase, avg(t.confidence) as mean, count(t.confidence) as n
    from turns t join seats s on s.episode = t.episode and s.seat = t.seat join {episodes} e on e.episode = t.episode
    where e.status = 'done' and t.seat in ('proposition', 'opposition') group by s.model, t.phase order by s.model, t.phase
"""
STUDIES = "select study, count(*), count(*) filter (where status = 'done') from {episodes} e group by study order by study"
# SQLite reads the latest status of an episode as DuckDB does, and so that its index serves a single one.
EPISODES = """(select p.*, coalesce((select s.status from statuses s where s.episode = p.episode order by ended_at desc limit 1), 'open')
    as status from plays p)"""
DEBATE = {
    "turns": "select seat, step, phase, round, text, public, thoughts, confidence, confidence_status, prompt from turns where episode = ?",
    "seats": "select seat, agent, model from seats where episode = ?",
    "calls": "select seat, step, status, tokens_in, tokens_out, cost_usd, latency_s from call_ends where episode = ?",
    "verdicts": "select judge, winner, confidence, reasons from rulings where debate = ?",
}
SAW = "select seat, step, seen_seat, seen_step, face from saw where episode = ?"
STUDY = """
from agents import agent
from arena import Arm, Study, Subject, against_itself
from protocols.debate import debate

def study(*, debates: int) -> Study:
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    return Study("live", [Arm("only", debate, against_itself([agent("sim/confident:words=200")]))], motions)
"""


def questions(folder: Path) -> dict[str, Callable[[], object]]:
    """Every question of every store as a function of nothing; each opens what it needs and lets it go."""
    episode = (folder / "episode").read_text()
    return {
        "mean store": lambda: query(folder, MEAN.format(episodes="episodes")),
        "mean sqlite": lambda: from_sqlite(folder, MEAN.format(episodes=EPISODES)),
        "mean json": lambda: mean_of_files(folder),
        "debate store": lambda: debate_in_store(folder, episode),
        "debate sqlite": lambda: {
            name: from_sqlite(folder, sql, episode) for name, sql in DEBATE.items()
        },
        "debate json": lambda: orjson.loads(
            next((folder / "json").glob(f"*/{episode}.json")).read_bytes()
        ),
        "studies store": lambda: query(folder, STUDIES.format(episodes="episodes")),
        "studies sqlite": lambda: from_sqlite(folder, STUDIES.format(episodes=EPISODES)),
        "studies json": lambda: studies_of_files(folder),
        "report store": lambda: report_of(folder),
    }


def query(folder: Path, sql: str) -> object:
    """The rows of a query of the store."""
    from arena.store.database import query

    return query(folder / "a.duckdb", sql).rows


def report_of(folder: Path) -> object:
    """The whole report, without figures."""
    from analysis.reports.debates import report

    return report(folder / "a.duckdb")


def debate_in_store(folder: Path, episode: str) -> object:
    """One debate with its seats, turns, calls, verdicts and who saw what, on one connection, as the viewer reads it."""
    from arena.store.database import open_live

    with open_live(folder / "a.duckdb", ("saw",)) as con:
        return {
            name: con.execute(sql, [episode]).fetchall()
            for name, sql in (DEBATE | {"saw": SAW}).items()
        }


def from_sqlite(folder: Path, sql: str, *parameters: str) -> object:
    """The rows of a query of SQLite."""
    with closing(sqlite3.connect(folder / "a.sqlite")) as con:
        return con.execute(sql, parameters).fetchall()


def files(folder: Path) -> Iterator[dict[str, Any]]:
    """All debates, out of their files."""
    for file in (folder / "json").glob("*/*.json"):
        yield orjson.loads(file.read_bytes())


def mean_of_files(folder: Path) -> object:
    """Mean confidence by model and phase, out of the files."""
    values = defaultdict(list)
    for debate in files(folder):
        model = {seat["seat"]: seat["model"] for seat in debate["seats"]}
        for turn in debate["turns"] if debate["status"] == "done" else ():
            if turn["confidence"] is not None:
                values[model[turn["seat"]], turn["phase"]].append(turn["confidence"])
    return [(*key, statistics.fmean(found), len(found)) for key, found in sorted(values.items())]


def studies_of_files(folder: Path) -> object:
    """Studies with how many debates they have, and how many are done, out of the files."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for debate in files(folder):
        counts[debate["study"]][0] += 1
        counts[debate["study"]][1] += debate["status"] == "done"
    return [(study, *count) for study, count in sorted(counts.items())]


def time_answers(ask: Callable[[], object], repeats: int) -> dict[str, Any]:
    """Seconds of the first answer and the median of `repeats` further ones, and the process's largest memory."""
    seconds = []
    for _ in range(1 + repeats):
        began = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - began)
    again = statistics.median(seconds[1:] or seconds)
    return {
        "first": seconds[0],
        "again": again,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "answer": repr(answer)[:20_000],
    }


def time_in_process(folder: Path, name: str, repeats: int = 5) -> dict[str, Any]:
    """The same, in a process of its own; the first answer counts from before the imports of what it needs."""
    command = [
        sys.executable,
        __file__,
        "--folder",
        str(folder),
        "--ask",
        name,
        "--repeats",
        str(repeats),
    ]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    return found


def fold_journals(folder: Path) -> dict[str, float]:
    """Fold the journals beside the store: seconds of wall and processor, peak memory."""
    from arena.store.database import fold

    wall, cpu = time.perf_counter(), time.process_time()
    folding = fold(folder / "a.duckdb")
    if folding.put_off or folding.skipped:
        raise SystemExit(f"folding went wrong: {folding}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "rss_mb": memory,
        "journals": folding.journals,
    }


def make_stores(folder: Path, turns: int) -> dict[str, Any]:
    """Make the three stores in the folder, where they are not there; what it took stands in made.json."""
    import made_up
    import other_stores

    from arena.store.database import create, journal_folder, journals

    note, path = folder / "made.json", folder / "a.duckdb"
    if note.exists():
        found: dict[str, Any] = json.loads(note.read_text())
        return found
    create(path)
    began = time.process_time()
    written = made_up.write(path, turns)
    taken: dict[str, Any] = {"turns": written, "writing_cpu_s": time.process_time() - began}
    lines = journals(path)
    taken["journals_mb"] = megabytes(lines)
    taken["sqlite_cpu_s"] = other_stores.write_sqlite(folder / "a.sqlite", lines)
    taken["json_cpu_s"] = other_stores.write_json(folder / "json", lines)
    taken["fold"] = time_in_process(folder, "fold")
    taken["rows"] = sum(int(row[0]) for row in counts(path).values())
    taken["sizes_mb"] = {name: megabytes(found) for name, found in places(folder).items()}
    before = counts(path)
    # Under other names: every key is there already.
    for journal in lines[: max(1, len(lines) // 10)]:
        os.link(journal, journal_folder(path) / f"again-{journal.name}")
    taken["again"] = time_in_process(folder, "fold")
    if counts(path) != before:
        raise SystemExit("folding the same lines again has changed the store")
    episode = query(folder, "select debate from rulings order by hash(debate) limit 1")
    (folder / "episode").write_text(episode[0][0])  # type: ignore[index]
    note.write_text(json.dumps(taken))
    return taken


def counts(path: Path) -> dict[str, tuple[Any, ...]]:
    """The number of rows of every base table."""
    from arena.store.database import query
    from arena.store.schema import JOURNALED

    return {name: query(path, f"select count(*) from {name}").rows[0] for name in JOURNALED}


def places(folder: Path) -> dict[str, list[Path]]:
    """The files of each store."""
    return {
        "store": [folder / "a.duckdb"],
        "sqlite": [folder / "a.sqlite"],
        "json": list((folder / "json").glob("*/*.json")),
    }


def megabytes(files: list[Path]) -> float:
    """What files take, together."""
    return sum(file.stat().st_size for file in files) / 1e6


def compare(folder: Path, turns: int) -> None:
    """Print how the store was made, and a table of questions and stores."""
    taken = make_stores(folder, turns)
    fold, again = taken["fold"], taken["again"]
    print(
        f"{taken['turns']:,} turns in {taken['journals_mb']:,.0f} MB of journals, written at {taken['writing_cpu_s']:.0f} s of processor."
    )
    print(
        f"Folding: {taken['turns'] / fold['cpu']:,.0f} turns ({taken['rows'] / fold['cpu']:,.0f} rows,"
        f" {taken['journals_mb'] / fold['cpu']:.0f} MB) a second of processor, {fold['wall']:.0f} s, at most {fold['rss_mb']:.0f} MB."
        f" {again['journals']} of the journals again: nothing new in {again['cpu']:.1f} s of processor."
    )
    loads = {"store": fold["cpu"], "sqlite": taken["sqlite_cpu_s"], "json": taken["json_cpu_s"]}
    print("\n| | store | SQLite | JSON files |\n|---|---|---|---|")
    print(
        "| on disk, MB | " + " | ".join(f"{taken['sizes_mb'][name]:,.0f}" for name in loads) + " |"
    )
    print(
        "| turns loaded a second of processor | "
        + " | ".join(f"{taken['turns'] / cpu:,.0f}" for cpu in loads.values())
        + " |"
    )
    words = {
        "mean": "mean confidence by model and phase",
        "debate": "one debate with all that belongs to it",
        "studies": "studies with counts",
        "report": "the report, without figures",
    }
    for question, title in words.items():
        print(
            row(
                title,
                {
                    name: time_in_process(folder, f"{question} {name}", 1 if name == "json" else 5)
                    for name in loads
                    if f"{question} {name}" in questions(folder)
                },
            )
        )
    print(viewer(folder))


def row(title: str, found: dict[str, dict[str, Any]]) -> str:
    """A row of the table: seconds of the first answer and again, and how many times the store's."""
    ours = found["store"]["again"]
    cells = [
        f"{one['first']:.3f}, {one['again']:.3f}"
        + ("" if name == "store" else f" ({one['again'] / ours:.2g}x)")
        for name, one in found.items()
    ]
    return (
        f"| {title}, s: first, again | "
        + " | ".join(cells + ["" for _ in range(3 - len(cells))])
        + " |"
    )


def viewer(folder: Path) -> str:
    """What the viewer takes for its pages, asked over HTTP: rows of the table."""
    from urllib.parse import quote
    from urllib.request import urlopen

    study, episode = "made up 01", (folder / "episode").read_text()
    command = [
        sys.executable,
        "-m",
        "arena",
        "view",
        "--db",
        str(folder / "a.duckdb"),
        "--port",
        "8399",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            rows = []
            pages = {
                "first page": "",
                f"study page ({study})": quote(f"study/{study}"),
                "debate page": f"debate/{episode}",
            }
            for title, address in pages.items():
                # Another query each time, since a page that has been made once is kept.
                read = partial(time_page, urlopen, f"http://127.0.0.1:8399/{address}")
                seconds = [read(number) for number in range(6)]
                rows.append(
                    f"| viewer: {title}, s: first, again | {seconds[0]:.3f}, {statistics.median(seconds[1:]):.3f} | | |"
                )
            status = Path(f"/proc/{server.pid}/status").read_text()
            peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
            rows.append(f"| viewer: peak memory, MB | {int(peak) / 1e3:.0f} | | |")
        finally:
            server.terminate()
    return "\n".join(rows)


def time_page(urlopen: Callable[..., Any], address: str, number: int) -> float:
    """Seconds that a page takes."""
    began = time.perf_counter()
    with urlopen(f"{address}?try={number}", timeout=120) as answer:
        answer.read()
    return time.perf_counter() - began


def poll(path: Path) -> None:
    """Do as the viewer's page of a running study does, until somebody ends it: ask a second after the last answer.

    Starts `arena view` and prints [seconds of the answer, seconds that what was shown before had grown old by then] of each page.
    """
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    command = [sys.executable, "-m", "arena", "view", "--db", str(path), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGTERM, lambda number, frame: (server.terminate(), sys.exit(0)))
    assert server.stdout is not None
    address = [server.stdout.readline() for _ in range(2)][1].strip().partition("/?")[
        0
    ] + "/study/live"
    etag, shown = "", None
    while True:
        began = time.perf_counter()
        try:
            with urlopen(Request(address, headers={"if-none-match": etag}), timeout=30) as answer:
                etag = answer.headers["etag"]
                answer.read()
        except HTTPError as error:
            if error.code != 304:
                raise
        ended = time.perf_counter()
        print(json.dumps([ended - began, ended - (shown or began)]), flush=True)
        shown = began
        time.sleep(1)


def play_study(folder: Path, debates: int, read: bool) -> tuple[float, float, list[list[float]]]:
    """(wall seconds, processor seconds, polls) of a study in a process of its own, with or without the viewer."""
    (folder / "s.py").write_text(STUDY)
    path = folder / "a.duckdb"
    command = [
        sys.executable,
        "-m",
        "arena",
        "run",
        "s.py",
        "-o",
        f"debates={debates}",
        "--db",
        str(path),
    ]
    began = time.perf_counter()
    run = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while read and not path.exists():
        time.sleep(0.02)
    reader = (
        subprocess.Popen(
            [sys.executable, __file__, "--poll", str(path)], stdout=subprocess.PIPE, text=True
        )
        if read
        else None
    )
    _, status, used = os.wait4(run.pid, 0)
    wall = time.perf_counter() - began
    polls = []
    if reader is not None:
        reader.terminate()
        polls = [json.loads(line) for line in reader.communicate()[0].splitlines()]
    if status:
        raise SystemExit("the study did not finish")
    return wall, used.ru_utime + used.ru_stime, polls


def compare_live(debates: int, times: int = 5) -> None:
    """Print what a study takes alone and with the viewer open on its page, in turns, and how far behind the page is."""
    rows: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(2 * times):
        with tempfile.TemporaryDirectory() as folder:
            read = bool(number % 2)
            wall, cpu, polls = play_study(Path(folder), debates, read)
            rows[read].append((wall, cpu))
            if polls:
                answers, old = zip(*polls, strict=True)
                print(
                    f"{len(polls)} pages, {statistics.median(answers):.2f} s each; at most {max(old):.2f} s behind"
                )
    for read, found in rows.items():
        wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"{'with the viewer' if read else 'alone'}: {wall:.2f} s, {cpu:.2f} s of processor (medians of {times})"
        )


def main() -> int:
    """Print the table, or do one piece of the work for another process."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--turns", type=int, default=1_000_000)
    words.add_argument("--folder", type=Path)
    words.add_argument("--live", action="store_true")
    words.add_argument("--debates", type=int, default=1000)
    words.add_argument("--ask", help=argparse.SUPPRESS)
    words.add_argument("--poll", type=Path, help=argparse.SUPPRESS)
    words.add_argument("--repeats", type=int, default=5, help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.poll:
        poll(chosen.poll)
    elif chosen.live:
        compare_live(chosen.debates)
    elif chosen.ask:
        print(
            json.dumps(
                fold_journals(chosen.folder)
                if chosen.ask == "fold"
                else time_answers(questions(chosen.folder)[chosen.ask], chosen.repeats)
            )
        )
    else:
        with tempfile.TemporaryDirectory() as made_here:
            folder = (chosen.folder or Path(made_here)).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            compare(folder, chosen.turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
