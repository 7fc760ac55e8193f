"""Measure a record as it grows, and say what ten million turns would take.

    python experiments/benchmarks/ten_million.py [--turns 100000 1000000] [--folder FOLDER]

Made-up debates (made_up.py) are written as journals, folded, exported as Parquet by study, and
asked the ten commonest questions, of the store and of the Parquet files, each in a process of its
own.  Numbers at ten million are no measurements: from two sizes a line is drawn through both, and
the table says by what power of the size each figure grew; a line is honest where that is near 1.
Stores that --folder already holds are used again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

# Started as a program, a file finds only its neighbours.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

GOAL = 10_000_000
# What users ask first: how it stands, who is how sure, who wins, what it cost, what was said.
QUESTIONS = {
    "episodes by status": "select status, count(*) from episodes group by all",
    "studies": "from studies",
    "what is missing": "from missing",
    "confidence by phase": "from confidence_by_round",
    "rise by model": "from rise_by_model",
    "leaderboard": "from leaderboard",
    "flips of judges": "from flips",
    "cost": "from cost",
    "one debate": "from transcript('{episode}')",
    "a word in all texts": "select count(*) from turns where public like '%zu tro%'",
}
Figures = dict[str, float]


def peak_mb() -> float:
    """Return the largest memory of this process so far, in MB.

    Not from `resource`, where a process inherits the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1.024e-3


def make(folder: Path, turns: int) -> Figures:
    """Write, fold and export so many turns in a folder, unless it has them; return the costs."""
    from arena.exports.tables import export
    from arena.store.database import create, fold, journals, query
    from experiments.benchmarks import made_up

    note = folder / "made.json"
    if note.exists():
        known: Figures = json.loads(note.read_text())
        return known
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "a.duckdb"
    create(path)
    costs: Figures = {"turns": made_up.write(path, turns)}
    costs["journals, MB"] = sum(file.stat().st_size for file in journals(path)) / 1e6
    with timed(costs, "folding"):
        folding = fold(path)
    if folding.put_off or folding.skipped:
        raise SystemExit(f"folding went wrong: {folding}")
    costs["store, MB"] = path.stat().st_size / 1e6
    with timed(costs, "export as Parquet"):
        export(path, folder / "tables", "parquet")
    files = (folder / "tables").rglob("*.parquet")
    costs["Parquet, MB"] = sum(file.stat().st_size for file in files) / 1e6
    costs["memory of these, MB"] = peak_mb()
    first = query(path, "select debate from rulings order by hash(debate) limit 1").rows
    (folder / "episode").write_text(first[0][0])
    # They are four times the store, and tidying would verify them row by row.
    shutil.rmtree(folder / "a.duckdb.journal", ignore_errors=True)
    note.write_text(json.dumps(costs))
    return costs


class timed:
    """Note wall and processor seconds of a block under a name."""

    def __init__(self, costs: Figures, name: str) -> None:
        self.costs = costs
        self.name = name

    def __enter__(self) -> None:
        """Begin."""
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        """Note the seconds."""
        self.costs[f"{self.name}, s"] = time.perf_counter() - self.wall
        self.costs[f"{self.name}, CPU s"] = time.process_time() - self.cpu


def ask(folder: Path, place: str, name: str) -> Figures:
    """Return the processor seconds of a question's second answer, and the memory of both.

    Not by the clock: on a busy machine that says how busy it is.
    """
    from arena.store.database import query
    from arena.store.sources import open_sources

    sql = QUESTIONS[name].format(episode=(folder / "episode").read_text())

    def of_parquet() -> object:
        """Return the answer of the Parquet files."""
        with open_sources([folder / "tables"], sql) as sources:
            return sources.query(sql)

    answer: Callable[[], object] = (
        of_parquet if place == "tables" else lambda: query(folder / place, sql)
    )
    # The first answer opens, imports and warms the disk's cache.
    answer()
    began = time.process_time()
    answer()
    peak = peak_mb()
    return {"cpu_s": time.process_time() - began, "peak_mb": peak}


def ask_in_process(folder: Path, place: str, name: str) -> Figures:
    """Return the same of a process of its own."""
    words = [sys.executable, __file__, "--folder", str(folder), "--ask", place, name]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    figures: Figures = json.loads(ended.stdout)
    return figures


def measure(folder: Path, turns: int) -> Figures:
    """Return all figures of one size."""
    figures = dict(make(folder, turns))
    peaks = []
    for place, what in (("a.duckdb", "store"), ("tables", "Parquet")):
        for name in QUESTIONS:
            asked = ask_in_process(folder, place, name)
            figures[f"{name}, {what}, CPU s"] = asked["cpu_s"]
            peaks.append(asked["peak_mb"])
    figures["memory of a question at most, MB"] = max(peaks)
    return figures


def extrapolate(small: tuple[float, float], large: tuple[float, float]) -> tuple[float, float]:
    """Return (figure at GOAL by the line through both sizes, power by which it grew).

    Each size is (turns, figure).  A line that falls, which is noise, stays where it was.
    """
    (x, a), (y, b) = small, large
    slope = max(0.0, (b - a) / (y - x))
    power = math.log(b / a) / math.log(y / x) if a > 0 and b > 0 else math.nan
    return b + slope * (GOAL - y), power


def main() -> int:
    """Print the table, or ask one question for another process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, nargs=2, default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(ask(options.folder, *options.ask)))
        return 0
    with tempfile.TemporaryDirectory() as own:
        folder = (options.folder or Path(own)).resolve()
        sizes = [measure(folder / str(turns), turns) for turns in sorted(options.turns)]
    small, large = sizes
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()},"
        f" Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    print(f"| | {small['turns']:,.0f} | {large['turns']:,.0f} | grew by | {GOAL:,} (a line) |")
    print("|---|---|---|---|---|")
    for name in small:
        if name == "turns":
            continue
        points = [(size["turns"], size[name]) for size in sizes]
        at, power = extrapolate(points[0], points[1])
        cells = (f"{value:,.2f}" if value < 10 else f"{value:,.0f}" for _, value in points)
        goal = f"{at:,.1f}" if at < 10 else f"{at:,.0f}"
        print(f"| {name} | {' | '.join(cells)} | n^{power:.2f} | {goal} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
