"""Kill parts of a run and its record at random, and count what is lost, changed or asked again.

    python experiments/benchmarks/part_kills.py [--kills 50] [--debates 500] [--seed 1]

A server on loopback answers each request with a fresh number, so that a reply which was asked for
twice is told from one that was kept.  A study of debates is played by two processes with one record
(`--on processes=2`), or by two parts that are begun by hand (`--on shards`, the same with `--shard
1/2` and `2/2`), whichever the draw says for each store.  After a random time a process is killed
(SIGKILL): a worker or a part, or the process that keeps the record, which is the driver too.  After
each kill the turns are read: a turn that is stored stays unchanged for ever, and its request is
never sent again.  The limits and the budget are checked by what the server has seen: requests in
any minute, requests in flight, and dollars.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# The server belongs to the tests, which are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arena.store.database import query
from experiments.benchmarks.crashes import Counts, count_asked_again, count_rows, read_turns
from experiments.benchmarks.killing import start
from tests.fake_server import chat_process

LATENCY_S = 0.1
# Fewer than the server could take, so that the limit is what holds the calls back.
RPM = 2_400
IN_FLIGHT = 24
# More than all calls may cost at worst: that a budget holds is for the tests to show.
BUDGET_USD = 100.0
LONGEST_S = 900.0
# Of a line in the server's log.
EVENT_BYTES = 130
STUDY = """
from agents import agent
from arena import Arm, Sampling, Study, Subject, against_itself
from protocols.debate import debate

def study(*, url: str, debates: int) -> Study:
    counter = agent(f"http/counter@{url}", sampling=Sampling(max_tokens=200))
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    return Study("debates", [Arm("only", debate, against_itself([counter]))], motions)
"""


@dataclass
class Found(Counts):
    """The damage, with what the server saw: it must be at most what was allowed.

    `most_a_minute` and `most_in_flight` are requests; those `not_in_the_ledger` were sent without a
    line that says so.  `starts` are those of records and parts by hand.
    """

    most_a_minute: int = 0
    most_in_flight: int = 0
    not_in_the_ledger: int = 0
    starts: int = 0


@dataclass
class Fleet:
    """The processes of a run: its record, and the parts that are begun by hand."""

    store: Path
    url: str
    debates: int
    by_hand: bool
    rpm: int
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    starts: int = 0

    def command(self, *more: str) -> list[str]:
        """Return the command that plays the study."""
        study = self.store.parent / "study.py"
        options = ["-o", f"url={self.url}", "-o", f"debates={self.debates}"]
        return ["run", str(study), *options, "--db", str(self.store), *more]

    def keep_alive(self) -> bool:
        """Start what does not run; return whether the record has ended by itself, all played."""
        on = "shards" if self.by_hand else "processes=2"
        limits = f"http:rpm={self.rpm},in_flight={IN_FLIGHT}"
        money = ["--price", "http/counter=1,1", "--budget-usd", str(BUDGET_USD)]
        record = self.command("--on", on, "--concurrency", "64", "--limits", limits, *money)
        wanted = {"record": record}
        if self.by_hand:
            parts = ("1/2", "2/2")
            wanted |= {part: self.command("--on", on, "--shard", part) for part in parts}
        for name, command in wanted.items():
            process = self.processes.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None and self.has_ended(name):
                return True
            self.processes[name] = start(command)
            self.starts += 1
        return False

    def has_ended(self, name: str) -> bool:
        """Take note of a process that has ended; return whether it is a record that is through.

        Raises SystemExit if one ended badly by itself.
        """
        process = self.processes.pop(name)
        words = process.communicate()[1]
        # A part whose record was killed says so.
        expected = process.returncode in (0, -signal.SIGKILL)
        if not expected and (name == "record" or "record is gone" not in words):
            raise SystemExit(f"{name} ended with {process.returncode}: {words}")
        return name == "record" and process.returncode == 0

    def victims(self) -> dict[str, list[int]]:
        """Return the processes that can be killed, by what they are."""
        record = self.processes["record"].pid
        parts = [p.pid for name, p in self.processes.items() if name != "record"]
        parts = [pid for pid in parts if pid in living()]
        return {"record": [record], "part": parts if self.by_hand else children(record)}

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes.values():
            if process.poll() is None:
                for pid in children(process.pid):
                    kill(pid)
                process.kill()
                process.communicate()


def living() -> dict[int, int]:
    """Return the parents of all processes of this machine that are no zombies, by process."""
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = (row.split() for row in table.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if "Z" not in state}


def children(process: int) -> list[int]:
    """Return the children of a process."""
    return [pid for pid, parent in living().items() if parent == process]


def kill(pid: int) -> bool:
    """Kill a process at once; return whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def most_in_flight(events: Sequence[Mapping[str, Any]], killed_at: Sequence[float]) -> int:
    """Return the most requests that the server had in hand at once.

    One without a reply ended with its client, at the next kill.
    """
    ends = {event["number"]: event["at"] for event in events if event["event"] == "reply"}
    changes: list[tuple[float, int]] = []
    for event in events:
        if event["event"] == "request":
            dead = (at for at in killed_at if at >= event["at"])
            end = ends.get(event["number"], next(dead, event["at"] + LATENCY_S))
            changes += [(event["at"], 1), (end, -1)]
    most = count = 0
    for _, change in sorted(changes):
        count += change
        most = max(most, count)
    return most


def most_a_minute(events: Sequence[Mapping[str, Any]]) -> int:
    """Return the most requests within any minute."""
    times = sorted(event["at"] for event in events if event["event"] == "request")
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 60:
            first += 1
        most = max(most, last - first + 1)
    return most


def next_kill(log: Path, draw: random.Random) -> Callable[[], bool]:
    """Return what says that it is time to kill.

    Mostly that is after up to some hundred further requests and replies, however busy the machine
    is; else after some seconds, which may hit a start.
    """
    if draw.random() < 0.25:
        at = time.monotonic() + draw.uniform(0.3, 6)
        return lambda: time.monotonic() > at
    size = (log.stat().st_size if log.exists() else 0) + draw.uniform(0, 500 * EVENT_BYTES)
    return lambda: log.exists() and log.stat().st_size > size


def play_store(
    folder: Path,
    draw: random.Random,
    kills: int,
    debates: int,
    found: Found,
    *,
    by_hand: bool,
    rpm: int = RPM,
) -> None:
    """Play a study, killing processes until `kills` were hit in all; then let it end."""
    log = folder / f"log-{found.stores}.jsonl"
    settings = ("--numbered", "--latency", str(LATENCY_S), "--log", str(log), "--max-s", "1000")
    with chat_process(*settings) as url:
        path = folder / f"{found.stores}.duckdb"
        fleet = Fleet(path, url, debates, by_hand, rpm)
        turns: dict[tuple[str, str, int], str] = {}
        killed_at: list[float] = []
        try:
            deadline = time.monotonic() + LONGEST_S
            due = next_kill(log, draw)
            while not fleet.keep_alive():
                if time.monotonic() > deadline:
                    raise SystemExit(f"the run has not ended within {LONGEST_S:g} s: {found}")
                time.sleep(0.05)
                if found.kills >= kills or not due():
                    continue
                victims = fleet.victims()
                if not victims["part"]:
                    # They are being started: the record alone would be killed again and again.
                    continue
                what = "record" if draw.random() < 0.3 else "part"
                if kill(draw.choice(victims[what])):
                    killed_at.append(time.time())
                    found.kills += 1
                    found.killed[f"{what}{' by hand' if by_hand else ''}"] += 1
                    now = read_turns(path)
                    found.compare(turns, now)
                    found.hit_in_flight += count_rows(path, "calls", "unknown") > 0
                    turns = now
                due = next_kill(log, draw)
        finally:
            fleet.end()
    note(path, log, turns, killed_at, fleet, found)


def note(
    path: Path,
    log: Path,
    before: dict[tuple[str, str, int], str],
    killed_at: Sequence[float],
    fleet: Fleet,
    found: Found,
) -> None:
    """Compare a store that is played with what the server has seen."""
    turns = read_turns(path)
    found.compare(before, turns)
    found.stores += 1
    found.starts += fleet.starts
    found.turns += len(turns)
    found.not_done += fleet.debates - count_rows(path, "episodes", "done")
    found.asked_again += count_asked_again(log, turns)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    requests = sum(event["event"] == "request" for event in events)
    found.not_in_the_ledger += max(
        0, requests - int(query(path, "select count(*) from calls").rows[0][0])
    )
    found.most_a_minute = max(found.most_a_minute, most_a_minute(events))
    found.most_in_flight = max(found.most_in_flight, most_in_flight(events, killed_at))
    print(f"so far: {found}", file=sys.stderr, flush=True)


def main() -> int:
    """Kill until there were enough kills, in a temporary folder; return 1 if there is damage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--debates", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    found = Found()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "study.py").write_text(STUDY)
        while found.kills < options.kills:
            by_hand = draw.random() < 0.4
            play_store(Path(folder), draw, options.kills, options.debates, found, by_hand=by_hand)
    for name, count in vars(found).items():
        print(f"{name:16} {dict(count) if isinstance(count, Counter) else count}")
    print(f"{'seconds':16} {time.monotonic() - began:.0f}")
    damage = (found.lost, found.changed, found.asked_again, found.not_done, found.not_in_the_ledger)
    too_many = found.most_a_minute > RPM or found.most_in_flight > IN_FLIGHT
    return int(any(damage) or too_many)


if __name__ == "__main__":
    sys.exit(main())
