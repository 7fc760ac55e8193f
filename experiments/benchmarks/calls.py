"""Measure the cost of a model call: our whole stack, bare aiohttp, SDKs, LiteLLM, Inspect AI.

    python experiments/benchmarks/calls.py [--rounds 3] [--latency 0.02]
        [--only aiohttp,arena-http] [--inspect PYTHON] [--folder DIR]

Every client calls the same server on loopback (a process of its own) and is itself a process of its
own, so that imports, memory and processor time are its own.  The clients take turns, round after
round; a figure is the median over the rounds, a ratio the median of the ratios within a round.
Processor time is user + system of the client's whole process, threads included, once it is ready:
its imports and a few calls to warm up (for the arena a new store too) are reported apart.  On a
busy or small machine it is the figure to trust; wall time is not.

Calls: a prompt of 1.8 kB, a reply of 150 words.  The server takes 20 ms, so that calls overlap
there and yet every client is busy all the time, at 64 in flight as at 1024: only then does the cost
of a call limit a run.  "arena" is all of `Arena.run` into a store that exists: episodes with one
speech of each side are planned, prompts are built, every reply is taken apart and fsynced, the
journal is folded into DuckDB; the first columns hold the cost while calls are made, "all of the
run" the rest too.  Debates: 2 seats x 3 phases at 0.1 s a call, all of the run; the aiohttp script
beside them makes the same calls with the speeches so far in its prompts, and keeps nothing.

The store is made in `--folder`, which should lie on a real disk.  `--inspect` names the Python of
an environment that has inspect_ai.  `--only` also takes arena-litellm.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

# The server belongs to the tests, which are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.benchmarks.call_clients import (
    BARE,
    REFERENCES,
    Load,
    now,
    run_arena,
    run_bare,
)

WORDS = 150
DEBATES = 200
DEBATE_LATENCY_S = 0.1
LONGEST_S = 120
SERVER_S = 1800
OPEN_FILES = 8192
SDK_OF = {"arena-openai": "openai", "arena-anthropic": "anthropic", "arena-litellm": "litellm"}
FAST = ("aiohttp", "arena-http")
# Single calls: few and many in flight, and fewer calls for the slower SDKs.
FEW = Load(False, 2048, 64)
MANY = Load(False, 3072, 1024)
SDK = Load(False, 1024, 64)
# Debates: fewer places than calls that could go out at once, and a place for every call.
SLOTS = Load(True, DEBATES, 32)
FULL = Load(True, DEBATES, 400)


@dataclass(frozen=True)
class Cost:
    """The cost of a load: processor and wall seconds of the run, and of its calls alone.

    `ready_s` are the processor seconds before the run: imports and warming up.
    """

    version: str
    calls: int
    cpu_s: float
    calls_cpu_s: float
    wall_s: float
    calls_wall_s: float
    ready_s: float
    peak_mb: float

    @property
    def call_ms(self) -> float:
        """Return processor milliseconds per call while calls are made."""
        return 1000 * self.calls_cpu_s / self.calls

    @property
    def whole_ms(self) -> float:
        """Return processor milliseconds per call of everything but the imports."""
        return 1000 * self.cpu_s / self.calls


Costs = dict[tuple[str, Load], list[Cost]]


def measure(client: str, store: Path, url: str, load: Load) -> Cost:
    """Measure one client in this process, which does nothing else."""
    began = time.process_time()
    if client in REFERENCES:
        packages = ["arena.play.run", "agents.providers.http", "protocols.debate"]
        work = partial(run_arena, REFERENCES[client], store, url)
    else:
        packages = [client]
        work = partial(run_bare, BARE[client], url)
    for package in packages:
        __import__(package)
    # Warm up: connections, caches, and for the arena the store.
    work(Load(load.debates, 4, 8))
    ready_s = time.process_time() - began
    start = now()
    first, last = work(load)
    end = now()
    # ru_maxrss is in kB, on macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(
        version=metadata.version("peer-arena" if client in REFERENCES else client),
        calls=load.calls,
        cpu_s=end[0] - start[0],
        calls_cpu_s=last[0] - first[0],
        wall_s=end[1] - start[1],
        calls_wall_s=last[1] - first[1],
        ready_s=ready_s,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
    )


def measure_in_process(python: str, client: str, folder: Path, url: str, load: Load) -> Cost:
    """Measure one client in a process of its own; raise SystemExit with its error if it fails."""
    environment = os.environ | {
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        # Or LiteLLM fetches its prices from the network.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OPENAI_BASE_URL": url,
        "ANTHROPIC_BASE_URL": url.removesuffix("/v1"),
        "OPENROUTER_API_BASE": url,
        "OPENAI_API_KEY": "none",
        "ANTHROPIC_API_KEY": "none",
        "OPENROUTER_API_KEY": "none",
    }
    with tempfile.TemporaryDirectory(dir=folder) as own:
        store = str(Path(own) / "a.duckdb")
        job = json.dumps({"client": client, "store": store, "url": url, "load": asdict(load)})
        run = subprocess.run(
            [python, __file__, "--job", job],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
    if run.returncode:
        raise SystemExit(f"{client} failed: {run.stderr[-2000:]}")
    return Cost(**json.loads(run.stdout.splitlines()[-1]))


def measuring_order(clients: Sequence[str]) -> list[tuple[str, Load]]:
    """Return the clients with their loads, in the order of a round.

    An SDK and our provider over it stand side by side, so that both meet the same machine.
    """
    fast = [client for client in FAST if client in clients]
    slow = [client for client in clients if client not in FAST]
    slow.sort(key=lambda client: SDK_OF.get(client, client))
    order = [(client, load) for load in (FEW, MANY) for client in fast]
    order += [(client, SDK) for client in slow]
    order += [(client, load) for load in (SLOTS, FULL) for client in fast]
    return order


def measure_rounds(
    rounds: int,
    order: Sequence[tuple[str, Load]],
    folder: Path,
    latency_s: float,
    inspect: str | None,
) -> Costs:
    """Measure all clients in turns, so many rounds, against two servers of different latency."""
    from tests.fake_server import chat_process

    costs: Costs = {}
    common = ("--words", str(WORDS), "--max-s", str(SERVER_S))
    with (
        chat_process("--latency", str(latency_s), *common) as url,
        chat_process("--latency", str(DEBATE_LATENCY_S), *common) as slow_url,
    ):
        for round in range(rounds):
            for client, load in order:
                python = inspect if client == "inspect_ai" and inspect else sys.executable
                address = slow_url if load.debates else url
                cost = measure_in_process(python, client, folder, address, load)
                costs.setdefault((client, load), []).append(cost)
                kind = "debates" if load.debates else "calls"
                print(
                    f"round {round + 1} of {rounds}: {client}, {load.count} {kind},"
                    f" {load.in_flight} in flight: {cost.call_ms:.2f} (all: {cost.whole_ms:.2f})"
                    f" ms per call, {cost.wall_s:.2f} s, {cost.peak_mb:.0f} MB",
                    file=sys.stderr,
                    flush=True,
                )
    return costs


def values_by_round(costs: Costs, client: str, load: Load, figure: str) -> list[float]:
    """Return a figure in each round."""
    return [getattr(cost, figure) for cost in costs[client, load]]


def format_median(costs: Costs, client: str, load: Load, figure: str, digits: int) -> str:
    """Return the median of a figure over the rounds, or nothing if it was not measured."""
    if (client, load) not in costs:
        return ""
    return f"{statistics.median(values_by_round(costs, client, load, figure)):.{digits}f}"


def median_ratio(
    costs: Costs, figure: str, ours: tuple[str, Load], theirs: tuple[str, Load]
) -> float:
    """Return the median over the rounds of our figure over theirs.

    The ratio is taken within each round, where both met the same state of the machine.
    """
    pairs = zip(
        values_by_round(costs, *ours, figure), values_by_round(costs, *theirs, figure), strict=True
    )
    return statistics.median(our / their for our, their in pairs)


def cost_tables(costs: Costs) -> str:
    """Return the costs of calls and debates with every client, as two Markdown tables."""
    columns = "CPU ms per call, 64 in flight | 1024 in flight | all of the run, 64 in flight"
    rule = "|---|---|---|---|---|---|"
    lines = [f"| client | {columns} | to get ready, CPU s | peak MB |", rule]
    for client in dict.fromkeys(client for client, _ in costs):
        load = FEW if client in FAST else SDK
        cells = [
            format_median(costs, client, load, "call_ms", 2),
            format_median(costs, client, MANY, "call_ms", 2),
            format_median(costs, client, load, "whole_ms", 2),
            format_median(costs, client, load, "ready_s", 1),
            format_median(costs, client, load, "peak_mb", 0),
        ]
        version = costs[client, load][0].version
        lines.append(f"| {client_name(client)} {version} | {' | '.join(cells)} |")
    fast = [client for client in FAST if (client, FULL) in costs]
    if fast:
        columns = "32 in flight: wall s | CPU s | 400 in flight: wall s | CPU s | peak MB"
        lines += ["", f"| {DEBATES} debates: calls (all) | {columns} |", rule]
    for client in fast:
        cells = []
        for load in (SLOTS, FULL):
            for figure in ("wall_s", "cpu_s"):
                calls = format_median(costs, client, load, f"calls_{figure}", 2)
                whole = format_median(costs, client, load, figure, 2)
                cells.append(f"{calls} ({whole})")
        cells.append(format_median(costs, client, FULL, "peak_mb", 0))
        lines.append(f"| {client_name(client)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def client_name(client: str) -> str:
    """Return a client's name in a table."""
    return f"arena `{REFERENCES[client].partition('/')[0]}/…`" if client in REFERENCES else client


@dataclass(frozen=True)
class Target:
    """A figure that must not exceed `limit`."""

    title: str
    value: float
    unit: str
    limit: float


def targets(costs: Costs) -> list[Target]:
    """Return the targets of all that was measured."""
    results: list[Target] = []
    if all((client, load) in costs for client in FAST for load in (FEW, MANY, SLOTS, FULL)):
        results += fast_targets(costs)
    for ours, sdk in SDK_OF.items():
        # Over LiteLLM the cost is reported, without a target.
        if {(ours, SDK), (sdk, SDK)} <= costs.keys() and sdk != "litellm":
            pairs = zip(
                values_by_round(costs, ours, SDK, "call_ms"),
                values_by_round(costs, sdk, SDK, "call_ms"),
                strict=True,
            )
            beyond = statistics.median(our - their for our, their in pairs)
            title = f"CPU per call of {client_name(ours)} beyond its SDK"
            results.append(Target(title, beyond, "ms", 0.5))
    return results


def fast_targets(costs: Costs) -> list[Target]:
    """Return the targets of our HTTP provider beside bare aiohttp."""
    base, ours = FAST
    # With every place in use all the time.
    ideal_s = SLOTS.calls / SLOTS.in_flight * DEBATE_LATENCY_S
    calls_wall, wall = (
        statistics.median(values_by_round(costs, ours, SLOTS, figure)) / ideal_s
        for figure in ("calls_wall_s", "wall_s")
    )
    calls_cpu, cpu, peak = (
        median_ratio(costs, figure, (ours, FULL), (base, FULL))
        for figure in ("calls_cpu_s", "cpu_s", "peak_mb")
    )
    over_bare = median_ratio(costs, "call_ms", (ours, FEW), (base, FEW))
    growth = median_ratio(costs, "call_ms", (ours, MANY), (ours, FEW))
    slots = f"{DEBATES} debates, 32 in flight"
    full = f"{DEBATES} debates, 400 in flight"
    whole = "the same of the whole run, planning and folding included"
    rows = [
        ("CPU per call over aiohttp, 64 in flight (aim 1.6)", over_bare, 2.0),
        ("growth of CPU per call from 64 to 1024 in flight", growth, 1.5),
        (f"{slots}: wall time of the calls over the ideal {ideal_s:.2f} s", calls_wall, 1.15),
        (whole, wall, 1.15),
        (f"{full}: CPU of the calls over the aiohttp script", calls_cpu, 2.0),
        (whole, cpu, 2.0),
        (f"{full}: peak memory over the aiohttp script", peak, 2.0),
    ]
    return [Target(title, value, "times", limit) for title, value, limit in rows]


def raise_open_files() -> None:
    """Raise the limit of open files: a thousand calls in flight are as many sockets, twice."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def main() -> int:
    """Measure and print the tables; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--only")
    parser.add_argument("--inspect", metavar="PYTHON")
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        job = json.loads(options.job)
        cost = measure(job["client"], Path(job["store"]), job["url"], Load(**job["load"]))
        print(json.dumps(asdict(cost)))
        return 0
    known = [*BARE, *REFERENCES]
    clients = [client for client in known if client != "arena-litellm"]
    if options.only:
        clients = options.only.split(",")
    if unknown := sorted(set(clients) - set(known)):
        parser.error(f"there is no client {', '.join(unknown)}; there are {', '.join(known)}")
    if "inspect_ai" in clients and not options.inspect:
        print("inspect_ai is left out: --inspect names no Python that has it", file=sys.stderr)
        clients.remove("inspect_ai")
    raise_open_files()
    costs = measure_rounds(
        options.rounds, measuring_order(clients), options.folder, options.latency, options.inspect
    )
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()},"
        f" Python {platform.python_version()}; medians of {options.rounds} rounds;"
        f" calls take {1000 * options.latency:g} ms.\n"
    )
    print(f"{cost_tables(costs)}\n\n| what | measured | target | |\n|---|---|---|---|")
    results = targets(costs)
    for row in results:
        verdict = "met" if row.value <= row.limit else "missed"
        print(f"| {row.title} | {row.value:.2f} {row.unit} | at most {row.limit:g} | {verdict} |")
    return int(any(row.value > row.limit for row in results))


if __name__ == "__main__":
    sys.exit(main())
