"""Kill a Swiss tournament at random moments, and compare its pairings and verdicts.

    python experiments/benchmarks/swiss.py [--kills 20] [--seed 1]

`arena run experiments/tournament.py -o rounds=3` plays six models against a server on loopback
whose replies depend on the request alone, as a process of its own, and is killed (SIGKILL) after a
random time: while it plays, judges, pairs or folds.  The same command is given again until the
tournament is done; then a new store is begun, until there were enough kills.  Each must end with
the pairings and verdicts of one that was left alone, no two verdicts for one (judge, debate, order,
repeat), and no more requests sent again than were in flight when it was killed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# The server belongs to the tests, which are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arena.store.database import query
from experiments.benchmarks.killing import ROOT, was_killed
from tests.fake_server import chat_process

LATENCY_S = 0.15
CONCURRENCY = 32
LONGEST_S = 5.0
# Enough for a whole tournament that nobody kills.
UNTOUCHED_S = 300
ROUNDS = 3
MODELS = 6
PAIRINGS = """
    select e.arm, p.agent, o.agent, m.text
    from episodes e join subjects m using (subject)
    join seats p on p.episode = e.episode and p.seat = 'proposition'
    join seats o on o.episode = e.episode and o.seat = 'opposition'
    order by all
"""
VERDICTS = """
    select judge, debate, seat_order, repeat, winner, confidence, reasons
    from verdicts order by all
"""
TWICE = "select count(*) - count(distinct (judge, debate, seat_order, repeat)) from verdicts"


@dataclass
class Counts:
    """The kills that hit a living process, stores, verdicts, requests sent again, and the damage.

    The last four must be zero.
    """

    kills: int = 0
    stores: int = 0
    verdicts: int = 0
    sent_again: int = 0
    too_often: int = 0
    other_pairings: int = 0
    other_verdicts: int = 0
    second_verdicts: int = 0


def run_and_kill(folder: Path, path: Path, url: str, after_s: float) -> bool:
    """Start or continue the tournament and kill it after this time; False if it ended before."""
    options = {
        "rounds": str(ROUNDS),
        "models": ",".join(f"http/model{number}@{url}" for number in range(MODELS)),
        "judges": ",".join(f"http/judge{number}@{url}" for number in range(2)),
        "motions": str(folder / "motions.txt"),
    }
    run = ["run", str(ROOT / "experiments" / "tournament.py")]
    for name, value in options.items():
        run += ["-o", f"{name}={value}"]
    return was_killed([*run, "--db", str(path), "--concurrency", str(CONCURRENCY)], after_s)


def requests_in(log: Path) -> Counter[str]:
    """Count the requests that came to the server, by the hash of their body."""
    rows = map(json.loads, log.read_text().splitlines()) if log.exists() else iter(())
    return Counter(row["sha256"] for row in rows if row["event"] == "request")


def kill_and_continue(folder: Path, draw: random.Random, kills: int) -> Counts:
    """Play one tournament left alone, then store after store until so many kills have hit."""
    counts = Counts()
    motions = "This house would pair by points.\nThis house would sit out.\n"
    (folder / "motions.txt").write_text(motions)
    log = folder / "log.jsonl"
    with chat_process("--latency", str(LATENCY_S), "--log", str(log), "--max-s", "1800") as url:
        alone = folder / "alone.duckdb"
        run_and_kill(folder, alone, url, UNTOUCHED_S)
        pairings, verdicts = (query(alone, sql).rows for sql in (PAIRINGS, VERDICTS))
        calls = sum(requests_in(log).values())
        while counts.kills < kills:
            path = folder / f"{counts.stores}.duckdb"
            counts.stores += 1
            before = requests_in(log)
            hits = 0
            while run_and_kill(
                folder,
                path,
                url,
                draw.uniform(0.3, LONGEST_S) if counts.kills < kills else UNTOUCHED_S,
            ):
                counts.kills += 1
                hits += 1
            sent = requests_in(log) - before
            again = sum(sent.values()) - calls
            counts.sent_again += again
            # A kill may cost the calls in flight, each of them once more.
            counts.too_often += max(0, again - hits * CONCURRENCY)
            counts.too_often += sum(max(0, times - 1 - hits) for times in sent.values())
            stored = query(path, VERDICTS).rows
            counts.verdicts += len(stored)
            counts.other_pairings += query(path, PAIRINGS).rows != pairings
            counts.other_verdicts += stored != verdicts
            counts.second_verdicts += query(path, TWICE).rows[0][0]
    return counts


def main() -> int:
    """Run in a temporary folder; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = kill_and_continue(Path(folder), random.Random(options.seed), options.kills)
    for name, count in vars(counts).items():
        print(f"{name:16} {count}")
    print(f"{'seconds':16} {time.monotonic() - began:.0f}")
    return int(
        any(
            (
                counts.too_often,
                counts.other_pairings,
                counts.other_verdicts,
                counts.second_verdicts,
            )
        )
    )


if __name__ == "__main__":
    sys.exit(main())
