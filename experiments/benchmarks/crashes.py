"""Kill runs at random moments, and count the turns that are lost, changed or paid for twice.

    python experiments/benchmarks/crashes.py [--kills 40] [--seed 1]

A server on loopback answers each request with a fresh number.  `arena run` plays 120 debates
against it as a process of its own and is killed (SIGKILL) after a random time: while it starts,
resumes, plays or folds.  The same command is given again until the study is done; then a new store
is begun, until there were enough kills.  After every kill the turns are read: a turn that is stored
once must stay unchanged for ever, and its request must never be sent again.  A second part plays
one study against a server whose replies depend on the request alone, killed and not killed: both
transcripts must be equal.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# The server belongs to the tests, which are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arena.store.database import query
from experiments.benchmarks.killing import was_killed
from tests.fake_server import chat_process

DEBATES = 120
CONCURRENCY = 16
LATENCY_S = 0.04
# Short waits hit the start of a run, long ones its folding or a run that has ended.
LONGEST_S = 2.0
# Enough for a whole study that nobody kills.
UNTOUCHED_S = 300
STUDY = """
from agents import agent
from arena import Arm, Study, Subject, against_itself
from protocols.debate import debate

def study(*, url: str, debates: int) -> Study:
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    lineups = against_itself([agent(f"http/counter@{url}")])
    return Study("crashes", [Arm("only", debate, lineups)], motions)
"""
TRANSCRIPT = """
    select episode, seat, step, text, public, thoughts, confidence, seed, request_hash, prompt
    from turns order by all
"""

Texts = dict[tuple[str, str, int], str]


@dataclass
class Counts:
    """The kills that hit a living process (of these, with a call in flight), and the damage.

    `lost`, `changed`, `asked_again` and `not_done` must be zero.
    """

    kills: int = 0
    hit_in_flight: int = 0
    stores: int = 0
    turns: int = 0
    lost: int = 0
    changed: int = 0
    asked_again: int = 0
    not_done: int = 0

    def compare(self, before: Texts, now: Texts) -> None:
        """Count the turns of an earlier reading that are lost or changed in a later one."""
        self.lost += len(before.keys() - now.keys())
        self.changed += sum(now.get(key, text) != text for key, text in before.items())


def read_turns(path: Path) -> Texts:
    """Return the texts of the stored turns by episode, seat and step, journals included."""
    if not path.exists():
        return {}
    rows = query(path, "select episode, seat, step, text from turns")
    return {(episode, seat, step): text for episode, seat, step, text in rows}


def count_rows(path: Path, table: str, status: str) -> int:
    """Return how many rows of a table have this status; 0 without a store."""
    if not path.exists():
        return 0
    count: int = query(path, f"select count(*) from {table} where status = '{status}'").rows[0][0]
    return count


def run_and_kill(path: Path, url: str, after_s: float) -> bool:
    """Start or continue the study and kill it after this time; False if it ended before."""
    study = path.parent / "study.py"
    study.write_text(STUDY)
    options = ["-o", f"url={url}", "-o", f"debates={DEBATES}"]
    run = ["run", str(study), *options, "--db", str(path), "--concurrency", str(CONCURRENCY)]
    return was_killed(run, after_s)


def reply_number(text: str) -> int:
    """Return the number in a reply of the counting server."""
    return int(text.split("speech-")[1].split("<")[0])


def count_asked_again(log: Path, turns: Texts) -> int:
    """Return how many stored replies were asked for again after they had come."""
    events = map(json.loads, log.read_text().splitlines())
    requests = [event for event in events if event["event"] == "request"]
    # A reply carries its request's number; the hash of the body tells which requests are the same.
    body = {request["number"]: request["sha256"] for request in requests}
    last = {request["sha256"]: request["number"] for request in requests}
    numbers = [reply_number(text) for text in turns.values()]
    return sum(last[body[number]] > number for number in numbers)


def kill_and_continue(folder: Path, draw: random.Random, kills: int) -> Counts:
    """Play studies against the counting server, store after store, until so many kills have hit."""
    counts = Counts()
    log = folder / "log.jsonl"
    settings = ("--numbered", "--latency", str(LATENCY_S), "--log", str(log), "--max-s", "900")
    with chat_process(*settings) as url:
        while counts.kills < kills:
            path = folder / f"{counts.stores}.duckdb"
            counts.stores += 1
            before: Texts = {}
            while run_and_kill(
                path, url, draw.uniform(0.05, LONGEST_S) if counts.kills < kills else UNTOUCHED_S
            ):
                counts.kills += 1
                now = read_turns(path)
                # A call that has begun and not ended is the trace of a kill while it was in flight.
                counts.hit_in_flight += count_rows(path, "calls", "unknown") > 0
                counts.compare(before, now)
                before = now
            turns = read_turns(path)
            counts.turns += len(turns)
            counts.compare(before, turns)
            counts.not_done += DEBATES - count_rows(path, "episodes", "done")
            counts.asked_again += count_asked_again(log, turns)
    return counts


def equal_to_untouched(folder: Path, draw: random.Random) -> bool:
    """Tell whether a study killed up to ten times has the transcript of one left alone."""
    killed, untouched = folder / "killed.duckdb", folder / "untouched.duckdb"
    with chat_process("--latency", str(LATENCY_S), "--max-s", "300") as url:
        waits = [draw.uniform(0.3, LONGEST_S) for _ in range(10)]
        while run_and_kill(killed, url, waits.pop() if waits else UNTOUCHED_S):
            pass
        run_and_kill(untouched, url, UNTOUCHED_S)
    return query(killed, TRANSCRIPT).rows == query(untouched, TRANSCRIPT).rows


def main() -> int:
    """Run both parts in a temporary folder; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = kill_and_continue(Path(folder), draw, options.kills)
        equal = equal_to_untouched(Path(folder), draw)
    for name, count in vars(counts).items():
        print(f"{name:14} {count}")
    print(f"{'killed = not':14} {'equal' if equal else 'DIFFERENT'}")
    print(f"{'seconds':14} {time.monotonic() - began:.0f}")
    damage = (counts.lost, counts.changed, counts.asked_again, counts.not_done)
    return int(any(damage) or not equal)


if __name__ == "__main__":
    sys.exit(main())
