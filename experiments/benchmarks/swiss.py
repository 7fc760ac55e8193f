"""A Swiss tournament that is killed at random moments: the same pairings, and no second verdict?

    python experiments/benchmarks/swiss.py [--kills 20] [--seed 1]

`arena run experiments/tournament.py -o rounds=3` plays six models against a server on loopback whose replies depend on the request alone, as
a process of its own, and is killed (SIGKILL) after a random time: while it plays, judges, pairs or folds.  The same command is given again
until the tournament is done; then a new store is begun, until there were enough kills.  Each must end with the pairings and verdicts of one
that was left alone, no two verdicts for one (judge, debate, order, repeat), and no more requests than were in flight when it was killed.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from arena.store.database import query  # noqa: E402
from tests.fake_server import chat_process  # noqa: E402

LATENCY_S = 0.15
CONCURRENCY = 32
LONGEST_S = 5.0
ROUNDS = 3
MODELS = 6
PAIRINGS = """
    select e.arm, p.agent, o.agent, m.text from episodes e join subjects m using (subject)
    join seats p on p.episode = e.episode and p.seat = 'proposition' join seats o on o.episode = e.episode and o.seat = 'opposition'
    order by all"""
VERDICTS = "select judge, debate, seat_order, repeat, winner, confidence, reasons from verdicts order by all"
TWICE = "select count(*) - count(distinct (judge, debate, seat_order, repeat)) from verdicts"


@dataclass
class Counts:
    """What was seen: kills that hit a living process, stores, verdicts, requests sent again, and what must be zero."""

    kills: int = 0
    stores: int = 0
    verdicts: int = 0
    sent_again: int = 0
    too_often: int = 0
    other_pairings: int = 0
    other_verdicts: int = 0
    second_verdicts: int = 0


def run_tournament(folder: Path, path: Path, url: str, after_s: float) -> bool:
    """Start or continue the tournament; False where it had to be killed after this time."""
    models = ",".join(f"http/model{number}@{url}" for number in range(MODELS))
    judges = ",".join(f"http/judge{number}@{url}" for number in range(2))
    command = [
        sys.executable,
        "-m",
        "arena",
        "run",
        str(ROOT / "experiments" / "tournament.py"),
        "-o",
        f"rounds={ROUNDS}",
    ]
    command += [
        "-o",
        f"models={models}",
        "-o",
        f"judges={judges}",
        "-o",
        f"motions={folder / 'motions.txt'}",
    ]
    command += ["--db", str(path), "--concurrency", str(CONCURRENCY)]
    run = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, err = run.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.communicate()
        return False
    if run.returncode:
        raise SystemExit(f"a run ended with exit status {run.returncode}: {err}")
    return True


def requests_in(log: Path) -> Counter[str]:
    """How often each request came, by its hash."""
    rows = map(json.loads, log.read_text().splitlines()) if log.exists() else iter(())
    return Counter(row["sha256"] for row in rows if row["event"] == "request")


def kill_and_continue(folder: Path, draw: random.Random, kills: int) -> Counts:
    """One tournament that is left alone, then one store after another until so many kills have hit."""
    counts = Counts()
    (folder / "motions.txt").write_text(
        "This house would pair by points.\nThis house would sit out.\n"
    )
    log = folder / "log.jsonl"
    with chat_process("--latency", str(LATENCY_S), "--log", str(log), "--max-s", "1800") as url:
        alone = folder / "alone.duckdb"
        run_tournament(folder, alone, url, 300)
        pairings, verdicts = (query(alone, sql).rows for sql in (PAIRINGS, VERDICTS))
        calls = sum(requests_in(log).values())
        while counts.kills < kills:
            path, before, hit = folder / f"{counts.stores}.duckdb", requests_in(log), 0
            counts.stores += 1
            while not run_tournament(
                folder, path, url, draw.uniform(0.3, LONGEST_S) if counts.kills < kills else 300
            ):
                counts.kills += 1
                hit += 1
            sent = requests_in(log) - before
            again = sum(sent.values()) - calls
            counts.sent_again += again
            counts.too_often += max(0, again - hit * CONCURRENCY) + sum(
                max(0, times - 1 - hit) for times in sent.values()
            )
            counts.verdicts += len(found := query(path, VERDICTS).rows)
            counts.other_pairings += query(path, PAIRINGS).rows != pairings
            counts.other_verdicts += found != verdicts
            counts.second_verdicts += query(path, TWICE).rows[0][0]
    return counts


def main() -> int:
    """Run in a temporary folder; exit status 1 where anything went wrong."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--kills", type=int, default=20)
    words.add_argument("--seed", type=int, default=1)
    chosen = words.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = kill_and_continue(Path(folder), random.Random(chosen.seed), chosen.kills)
    for name, count in vars(counts).items():
        print(f"{name:16} {count}")
    print(f"{'seconds':16} {time.monotonic() - began:.0f}")
    return int(
        bool(
            counts.too_often
            or counts.other_pairings
            or counts.other_verdicts
            or counts.second_verdicts
        )
    )


if __name__ == "__main__":
    sys.exit(main())
