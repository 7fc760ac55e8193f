"""Kill runs at random moments, and count the turns that are lost, changed or paid for twice.

    python experiments/benchmarks/crashes.py [--kills 40] [--seed 1]

A server on loopback answers each request with a fresh number.  Two halves of a study of debates
and peers are played into two stores, which are merged; then a jury reads all debates, and the store
is tidied.  Each command is a process of its own, killed (SIGKILL) after a random time: while it
starts, resumes, plays, folds, merges or tidies.  The same command is given again until it ends;
between two kills of a run, the store may be tidied or folded, and that process killed too.  New
stores are begun until there were enough kills.  After every kill the turns are read: a turn that is
stored once must stay unchanged for ever, and its request must never be sent again.  A second part
plays one study against a server whose replies depend on the request alone, killed and not killed:
both transcripts must be equal.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

# The server belongs to the tests, which are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arena.store.database import query
from experiments.benchmarks.killing import was_killed
from tests.fake_server import chat_process

DEBATES = 24
QUESTIONS = 6
# Both sides speak three times; three paths take three turns; a judge reads in both orders.
TURNS = DEBATES * 6 + QUESTIONS * 9 + DEBATES * 2
CONCURRENCY = 16
LATENCY_S = 0.04
# How long a command lives at most, in times that one takes which only looks at a store: short waits
# hit the start of a run, long ones its folding or a run that has ended.
LONGEST = 2.5
# Enough for a whole study that nobody kills.
UNTOUCHED_S = 300
STUDY = """
from agents import agent
from agents.simulated.questions import simulated_questions
from arena import Arm, Study, Subject, against_itself
from protocols.debate import debate
from protocols.judging import jury
from protocols.leap_segmented import leap_segmented

def study(*, url: str, debates: int, questions: int, judged: int = 0):
    counter = agent(f"http/counter@{url}")
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    arm = Arm("only", debate, against_itself([counter]))
    stages = [Study("debates", [arm], motions)]
    team = Arm("only", leap_segmented, [{"solver": counter}], {"paths": 3, "turns": 3})
    stages.append(Study("peers", [team], simulated_questions(questions)))
    return [*stages, *([jury("jury", stages[0], [counter])] if judged else [])]
"""
TRANSCRIPT = """
    select episode, seat, step, text, public, thoughts, confidence, seed, request_hash, prompt
    from turns order by all
"""

Texts = dict[tuple[str, str, int], str]


@dataclass
class Counts:
    """The kills that hit a living process, by its command, and the damage.

    In `hit_in_flight` of them a call was in flight.  `lost`, `changed`, `asked_again` and
    `not_done` must be zero.
    """

    kills: int = 0
    hit_in_flight: int = 0
    stores: int = 0
    turns: int = 0
    lost: int = 0
    changed: int = 0
    asked_again: int = 0
    not_done: int = 0
    killed: Counter[str] = field(default_factory=Counter)

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


def run_command(path: Path, url: str, *more: str) -> list[str]:
    """Return the command that starts or continues the studies in a store."""
    study = path.parent / "study.py"
    study.write_text(STUDY)
    given = {"url": url, "debates": DEBATES, "questions": QUESTIONS}
    options = [word for name, value in given.items() for word in ("-o", f"{name}={value}")]
    at_once = ["--concurrency", str(CONCURRENCY)]
    return ["run", str(study), *options, "--db", str(path), *at_once, *more]


def seconds_to_look(path: Path) -> float:
    """Return how long a command takes here, now, that does nothing but look at a store."""
    began = time.monotonic()
    was_killed(["schema", "--db", str(path)], UNTOUCHED_S)
    return time.monotonic() - began


@dataclass
class Killer:
    """Runs commands and kills them, until `kills` have hit, and counts the damage."""

    draw: random.Random
    kills: int
    longest_s: float
    counts: Counts = field(default_factory=Counts)

    def wait_s(self, command: str) -> float:
        """Return after how many seconds the next command is killed."""
        if self.counts.kills >= self.kills:
            return UNTOUCHED_S
        # Other commands are short beside a run.
        return self.draw.uniform(0.05, self.longest_s / (1 if command == "run" else 2))

    def kill(self, path: Path, command: Sequence[str], before: Texts) -> tuple[bool, Texts]:
        """Give a command that changes a store, and kill it; say so, and return the turns now."""
        hit = was_killed(command, self.wait_s(command[0]))
        now = read_turns(path)
        self.counts.compare(before, now)
        if hit:
            # Where the machine has become busier, commands would die before they begin.
            self.longest_s *= 1.2 if now == before else 1
            self.counts.kills += 1
            self.counts.killed[command[0]] += 1
            # A call that has begun and not ended is the trace of a kill while it was in flight.
            self.counts.hit_in_flight += count_rows(path, "calls", "unknown") > 0
        return hit, now

    def repeat(self, path: Path, command: Sequence[str], before: Texts | None = None) -> Texts:
        """Give a command until it ends by itself; return the turns of the store."""
        turns = before or {}
        while True:
            hit, turns = self.kill(path, command, turns)
            if not hit:
                return turns
            # Now and then somebody looks at the store, or puts it in order, and is killed as well.
            if self.draw.random() < 0.3 and path.exists():
                other = self.draw.choice(["tidy", "status"])
                _, turns = self.kill(path, [other, "--db", str(path)], turns)

    def play_store(self, folder: Path, url: str, number: int) -> tuple[Path, Texts]:
        """Play two halves, merge them, let a jury read all, and tidy; return the store."""
        path, other = folder / f"{number}.duckdb", folder / f"{number}-other.duckdb"
        halves = [
            self.repeat(store, run_command(store, url, "--shard", shard))
            for store, shard in ((path, "1/2"), (other, "2/2"))
        ]
        merged = self.repeat(path, ["merge", str(other), "--db", str(path)], halves[0])
        self.counts.compare(halves[1], merged)
        whole = self.repeat(path, run_command(path, url, "-o", "judged=1"), merged)
        return path, self.repeat(path, ["tidy", "--db", str(path)], whole)


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
    killer = Killer(draw, kills, longest_s=0)
    counts = killer.counts
    while counts.kills < kills:
        # Anew for each store: how busy the machine is changes.
        killer.longest_s = LONGEST * seconds_to_look(folder / "none.duckdb")
        log = folder / f"log-{counts.stores}.jsonl"
        settings = ("--numbered", "--latency", str(LATENCY_S), "--log", str(log), "--max-s", "900")
        with chat_process(*settings) as url:
            path, turns = killer.play_store(folder, url, counts.stores)
        counts.stores += 1
        counts.turns += len(turns)
        counts.not_done += DEBATES * 3 + QUESTIONS - count_rows(path, "episodes", "done")
        counts.asked_again += count_asked_again(log, turns)
        print(f"so far: {counts}", file=sys.stderr, flush=True)
    return counts


def equal_to_untouched(folder: Path, draw: random.Random) -> bool:
    """Tell whether a study killed up to ten times has the transcript of one left alone."""
    killed, untouched = folder / "killed.duckdb", folder / "untouched.duckdb"
    longest_s = LONGEST * seconds_to_look(folder / "none.duckdb")
    with chat_process("--latency", str(LATENCY_S), "--max-s", "300") as url:
        Killer(draw, 10, longest_s).repeat(killed, run_command(killed, url, "-o", "judged=1"))
        was_killed(run_command(untouched, url, "-o", "judged=1"), UNTOUCHED_S)
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
        print(f"{name:14} {dict(count) if isinstance(count, Counter) else count}")
    print(f"{'killed = not':14} {'equal' if equal else 'DIFFERENT'}")
    print(f"{'seconds':14} {time.monotonic() - began:.0f}")
    damage = (counts.lost, counts.changed, counts.asked_again, counts.not_done)
    return int(any(damage) or not equal)


if __name__ == "__main__":
    sys.exit(main())
