"""Kill plays of all formats of discussion, and count what is lost, changed or paid for twice.

    python experiments/benchmarks/format_kills.py [--kills 300] [--seed 1] [--most-s 600]

As crashes.py does with debates: a server on loopback answers each request with a fresh number, and
a study of every preset of round tables, moderated debates, drafts and panels, and of debates and
consultancies about a hidden text, is played by a process that is killed (SIGKILL) after a random
time and started again until it ends; new stores are begun until there were enough kills, or until
the time is over.  No answer can be read in a number, so that every talk goes on to its last round.
A turn that is stored once must stay unchanged, and its request must never be sent again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

# The server and the killer belong to no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.benchmarks import crashes
from experiments.benchmarks.crashes import Counts, Killer, count_asked_again, count_rows
from tests.fake_server import chat_process

LATENCY_S = 0.02
CONCURRENCY = 32
STUDY = """
from agents import agent
from agents.simulated.questions import simulated_questions
from arena import Arm, Study, Subject
from protocols import critic_and_judge, drafting, moderated, oversight, oversight_judges
from protocols import pair_panel, prover_estimator, round_table

SEATS = {
    "round_table": lambda one: {"solvers": [one]},
    "drafting": lambda one: {"solvers": [one]},
    "moderated": lambda one: dict.fromkeys(("affirmative", "negative", "moderator"), one),
    "pair_panel": lambda one: {"referees": [one]},
}

def study(*, url: str, questions: int = 2):
    counter = agent(f"http/counter@{url}")
    arms = [
        Arm(f"{module.__name__} {name}", getattr(module, module.__name__.split(".")[1]),
            [SEATS[module.__name__.split(".")[1]](counter)], {**preset, "reask": False})
        for module in (round_table, drafting, moderated, pair_panel)
        for name, preset in module.PRESETS.items()
    ]
    sides = dict.fromkeys(("debater", "opponent", "judge"), counter)
    hidden = [
        *((oversight.judged_debate, sides, preset) for preset in oversight.PRESETS.values()),
        (oversight.judged_debate, sides, {"best_of": 2, "critiques": 2, "rounds": 2}),
        (oversight.consultancy, dict.fromkeys(("consultant", "judge"), counter), {}),
        (oversight_judges.judge_alone, {"judge": counter}, {"text": "shown"}),
        (prover_estimator.prover_estimator,
         dict.fromkeys(("prover", "estimator", "judge"), counter), {}),
        (critic_and_judge.critic_and_judge,
         dict.fromkeys(("solver", "critic", "judge"), counter), {}),
    ]
    arms += [
        Arm(f"{protocol.__name__} {place}", protocol, [seats], options)
        for place, (protocol, seats, options) in enumerate(hidden)
    ]
    subjects = [Subject(each.text, "question", "A", ("one", "two"), passage="A text to hide.")
                for each in simulated_questions(questions)]
    return Study("formats", arms, subjects)
"""


def kill_formats(folder: Path, draw: random.Random, kills: int, most_s: float) -> Counts:
    """Play the study into store after store, until so many kills have hit or the time is over."""
    killer = Killer(draw, kills, longest_s=0)
    counts = killer.counts
    began = time.monotonic()
    study = folder / "formats.py"
    study.write_text(STUDY)
    while counts.kills < kills and time.monotonic() - began < most_s:
        killer.longest_s = crashes.LONGEST * crashes.seconds_to_look(folder / "none.duckdb")
        log = folder / f"log-{counts.stores}.jsonl"
        path = folder / f"{counts.stores}.duckdb"
        settings = ("--numbered", "--latency", str(LATENCY_S), "--log", str(log), "--max-s", "900")
        with chat_process(*settings) as url:
            at_once = ["--concurrency", str(CONCURRENCY), "--db", str(path)]
            turns = killer.repeat(path, ["run", str(study), "-o", f"url={url}", *at_once])
        counts.stores += 1
        counts.turns += len(turns)
        counts.not_done += count_rows(path, "episodes", "failed")
        counts.not_done += count_rows(path, "episodes", "open")
        counts.asked_again += count_asked_again(log, turns)
        print(f"so far: {counts}", file=sys.stderr, flush=True)
    return counts


def main() -> int:
    """Kill in a temporary folder, and print the counts; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-s", type=float, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw = random.Random(options.seed)
        counts = kill_formats(Path(folder), draw, options.kills, options.most_s)
    for name, count in vars(counts).items():
        print(f"{name:14} {count}")
    return int(any((counts.lost, counts.changed, counts.asked_again, counts.not_done)))


if __name__ == "__main__":
    sys.exit(main())
