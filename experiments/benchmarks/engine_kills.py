"""Kill engines of Ray, and the driver, at random while debates are played, and count what is lost.

    python experiments/benchmarks/engine_kills.py [--kills 50] [--debates 500] [--seed 1]

The model is a function that answers after 50 ms with words that follow from the request, on two
engines of a Ray that the driver starts.  Every second or so, one of the engines is killed
(SIGKILL), or, once in five times, the driver, which is then started again by the same command.
When all kills are made the study is played to its end.  Counted are episodes that are not done,
texts that are not those of the request, and replies that were asked for again after they had been
acknowledged.  A study that ends before the kills are made is followed by another one.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# The programs of this folder are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arena.store.database import query

STUDY = """
import asyncio
import hashlib
from arena import Agent, Arm, Study, Subject, against_itself
from arena.types import BaseModel, Reply
from protocols.debate import debate

class OnEngines(BaseModel):
    name = "own/slow"
    simulated = True
    on_engines = True

    async def __call__(self, request):
        await asyncio.sleep(0.05)
        place = request.place
        words = f"{place.episode} {place.seat} {place.step} {place.ask}"
        text = hashlib.sha256(words.encode()).hexdigest()
        return Reply(f"<thoughts>So.</thoughts>\\n<speech>{text}</speech>\\n<rating>70</rating>")

def study(*, debates: int, number: int = 0) -> Study:
    motions = [Subject(f"This house would count to {n}.") for n in range(debates)]
    arm = Arm("only", debate, against_itself([Agent("slow", OnEngines())]))
    return Study(f"debates {number}", [arm], motions)
"""
# Some thirty calls.
WRITTEN_BYTES = 100_000
CHANGED = """
    select count(*) from turns
    where public is distinct from sha256(concat_ws(' ', episode, seat, step, 0))"""
AGAIN = """
    select coalesce(sum(n - 1), 0) from (
        select count(*) as n from calls where status = 'ok'
        group by episode, seat, step, ask)"""
FAILED = "select coalesce(error_kind, status), count(*) from calls where status <> 'ok' group by 1"


def children(parent: int, word: str) -> list[int]:
    """Return the processes below a process whose command has a word."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout
    rows = [line.split(maxsplit=2) for line in lines.splitlines()[1:]]
    own = [int(pid) for pid, above, *_ in rows if int(above) == parent]
    named = {int(pid): command[0] for pid, _, *command in rows if command}
    found = [pid for pid in own if word in named.get(pid, "")]
    return found + [deeper for pid in own for deeper in children_of(pid, rows, word)]


def children_of(parent: int, rows: list[list[str]], word: str) -> list[int]:
    """Return the children of a process whose command has a word."""
    return [int(row[0]) for row in rows if int(row[1]) == parent and word in row[-1]]


def journal_bytes(folder: Path) -> int:
    """Return the size of what runs have written that is not folded."""
    journals = folder.glob("kills.duckdb.journal/*.jsonl")
    return sum(file.stat().st_size for file in journals if file.exists())


def start(folder: Path, number: int, debates: int) -> subprocess.Popen[bytes]:
    """Start the driver, or start it again."""
    command = [sys.executable, "-m", "arena", "run", "study.py", "--db", "kills.duckdb"]
    command += ["-o", f"debates={debates}", "-o", f"number={number}", "--on", "ray"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*command, "--engines", "2"], cwd=folder, stdout=log, stderr=log)


def main() -> None:
    """Kill, play to the end, and print what is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--debates", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    killed: Counter[str] = Counter()
    began = time.monotonic()
    number = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "study.py").write_text(STUDY)
        driver = start(folder, number, options.debates)
        before = 0
        while killed.total() < options.kills:
            time.sleep(draw.uniform(0.3, 1.5))
            if (status := driver.poll()) is not None:
                if status:
                    raise SystemExit((folder / "log").read_text()[-3000:])
                number += 1
                driver = start(folder, number, options.debates)
                continue
            engines = children(driver.pid, "ray::Engine")
            # Calls have been answered since the last kill.
            written = journal_bytes(folder)
            if not engines or written < before + WRITTEN_BYTES:
                before = min(before, written)
                continue
            before = written
            if draw.random() < 0.2:
                driver.send_signal(signal.SIGKILL)
                driver.wait()
                killed["driver"] += 1
                driver = start(folder, number, options.debates)
            else:
                os.kill(draw.choice(engines), signal.SIGKILL)
                killed["engine"] += 1
            print(f"{killed.total()} kills", file=sys.stderr, flush=True)
        if driver.wait():
            raise SystemExit((folder / "log").read_text()[-3000:])
        store = folder / "kills.duckdb"
        episodes = query(store, "select status, count(*) from episodes group by 1").rows
        turns = query(store, "select count(*), count(distinct (episode, seat, step)) from turns")
        print(f"kills {dict(killed)}, studies {number + 1}, seconds {time.monotonic() - began:.0f}")
        print(f"episodes {dict(episodes)}, turns and their keys {turns.rows[0]}")
        print(f"changed {query(store, CHANGED).rows[0][0]}, again {query(store, AGAIN).rows[0][0]}")
        print(f"attempts that failed {dict(query(store, FAILED).rows)}")


if __name__ == "__main__":
    main()
