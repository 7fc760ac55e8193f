"""Runs killed at random moments: is anything lost, changed, or paid for twice?

    python experiments/benchmarks/crashes.py [--kills 40] [--seed 1]

A server on loopback answers each request with a fresh number.  `arena run` plays 120 debates against it as a process of its own and is
killed (SIGKILL) after a random time: while it starts, resumes, plays or folds.  The same command is given again until the study is done;
then a new store is begun, until there were enough kills.  After every kill the turns are read: what stands there once must stand there
unchanged for ever, and its request must never be sent again.  A second part plays one study against a server whose replies depend on the
request alone, killed and not killed: both transcripts must be equal.
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
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from arena.store.database import query  # noqa: E402
from tests.fake_server import chat_process  # noqa: E402

DEBATES = 120
CONCURRENCY = 16
LATENCY_S = 0.04
LONGEST_S = 2.0
STUDY = """
from agents import agent
from arena import Arm, Study, Subject, against_itself
from protocols.debate import debate

def study(*, url: str, debates: int) -> Study:
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    return Study("crashes", [Arm("only", debate, against_itself([agent(f"http/counter@{url}")]))], motions)
"""
TRANSCRIPT = "select episode, seat, step, text, public, thoughts, confidence, seed, request_hash, prompt from turns order by all"


@dataclass
class Counts:
    """What was seen: kills that hit a living process (of these, with a call in flight), and everything that must be zero."""

    kills: int = 0
    hit_in_flight: int = 0
    stores: int = 0
    turns: int = 0
    lost: int = 0
    changed: int = 0
    asked_again: int = 0
    not_done: int = 0


def turns(path: Path) -> dict[tuple[str, str, int], str]:
    """The stored turns by key, journals included."""
    if not path.exists():
        return {}
    return {
        (episode, seat, step): text
        for episode, seat, step, text in query(path, "select episode, seat, step, text from turns")
    }


def start(path: Path, url: str) -> subprocess.Popen[str]:
    """`arena run` as a process of its own."""
    study = path.parent / "study.py"
    study.write_text(STUDY)
    command = [
        sys.executable,
        "-m",
        "arena",
        "run",
        str(study),
        "-o",
        f"url={url}",
        "-o",
        f"debates={DEBATES}",
    ]
    command += ["--db", str(path), "--concurrency", str(CONCURRENCY)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def run_and_kill(path: Path, url: str, after_s: float) -> bool:
    """Start or continue the study and kill it after this time; False where it was through before."""
    run = start(path, url)
    try:
        _, err = run.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.communicate()
        return True
    if run.returncode:
        raise SystemExit(f"a run ended with exit status {run.returncode}: {err}")
    return False


def number(text: str) -> int:
    """The number in a reply of the counting server."""
    return int(text.split("speech-")[1].split("<")[0])


def count_asked_again(log: Path, found: dict[tuple[str, str, int], str]) -> int:
    """How many stored replies were asked for again after they had come."""
    requests = [
        row for row in map(json.loads, log.read_text().splitlines()) if row["event"] == "request"
    ]
    body = {row["number"]: row["sha256"] for row in requests}
    last = {row["sha256"]: row["number"] for row in requests}
    return sum(last[body[number(text)]] > number(text) for text in found.values())


def kill_and_continue(folder: Path, draw: random.Random, kills: int) -> Counts:
    """Studies against the counting server, one store after another, until so many kills have hit."""
    counts = Counts()
    log = folder / "log.jsonl"
    with chat_process(
        "--numbered", "--latency", str(LATENCY_S), "--log", str(log), "--max-s", "900"
    ) as url:
        while counts.kills < kills:
            path = folder / f"{counts.stores}.duckdb"
            counts.stores += 1
            before: dict[tuple[str, str, int], str] = {}
            while run_and_kill(
                path, url, draw.uniform(0.05, LONGEST_S) if counts.kills < kills else 300
            ):
                counts.kills += 1
                now = turns(path)
                counts.hit_in_flight += (
                    path.exists()
                    and query(path, "select count(*) from calls where status = 'unknown'").rows[0][
                        0
                    ]
                    > 0
                )
                counts.lost += len(before.keys() - now.keys())
                counts.changed += sum(now.get(key, text) != text for key, text in before.items())
                before = now
            found = turns(path)
            counts.turns += len(found)
            counts.lost += len(before.keys() - found.keys())
            counts.changed += sum(found.get(key, text) != text for key, text in before.items())
            counts.not_done += (
                DEBATES
                - query(path, "select count(*) from episodes where status = 'done'").rows[0][0]
            )
            counts.asked_again += count_asked_again(log, found)
    return counts


def equal_to_untouched(folder: Path, draw: random.Random) -> bool:
    """Whether a study that is killed up to ten times has the transcript of one that is left alone."""
    with chat_process("--latency", str(LATENCY_S), "--max-s", "300") as url:
        waits = [draw.uniform(0.3, LONGEST_S) for _ in range(10)]
        while run_and_kill(folder / "killed.duckdb", url, waits.pop() if waits else 300):
            pass
        run_and_kill(folder / "untouched.duckdb", url, 300)
    return (
        query(folder / "killed.duckdb", TRANSCRIPT).rows
        == query(folder / "untouched.duckdb", TRANSCRIPT).rows
    )


def main() -> int:
    """Run both parts in a temporary folder; exit status 1 where anything went wrong."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--kills", type=int, default=40)
    words.add_argument("--seed", type=int, default=1)
    chosen = words.parse_args()
    draw = random.Random(chosen.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = kill_and_continue(Path(folder), draw, chosen.kills)
        equal = equal_to_untouched(Path(folder), draw)
    for name, count in vars(counts).items():
        print(f"{name:14} {count}")
    print(
        f"{'killed = not':14} {'equal' if equal else 'DIFFERENT'}\n{'seconds':14} {time.monotonic() - began:.0f}"
    )
    return int(
        bool(counts.lost or counts.changed or counts.asked_again or counts.not_done or not equal)
    )


if __name__ == "__main__":
    sys.exit(main())
