"""What a model call costs: our whole stack beside bare aiohttp, the SDKs, LiteLLM and Inspect AI.

    python experiments/benchmarks/calls.py [--rounds 3] [--latency 0.02] [--only aiohttp,arena-http] [--inspect PYTHON] [--folder DIR]

Every client calls the same server on loopback (a process of its own) and is itself a process of its own, so that imports, memory and
processor time are its own.  The clients take turns, round after round; a figure is the median over the rounds, a ratio the median of the
ratios within a round.  Processor time is user + system of the client's whole process, threads included, once it is ready: its imports and a
few calls to warm up (for the arena a new store too) are given apart.  On a busy or small machine it is the figure to trust, wall time is not.

Calls: a prompt of 1.8 kB, a reply of 150 words.  The server takes 20 ms, so that calls overlap there and yet every client is busy all the
time, at 64 in flight as at 1024: only then is the cost of a call what limits a run.  "arena" is all of `Arena.run` into a store that exists:
episodes with one speech of each side are planned, prompts are built, every reply is taken apart and fsynced, the journal is folded into
DuckDB; the first columns hold what is spent while calls are made, "all of the run" the rest too.  Debates: 2 seats x 3 phases at 0.1 s a
call, all of the run; the aiohttp script beside them makes the same calls with the speeches so far in its prompts, and keeps nothing.
The store is made in `--folder`, which should lie on a real disk.  `--inspect` names the Python of an environment that has inspect_ai.
`--only` also takes arena-litellm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

VERSION = "1"
WORDS = 150
DEBATES, DEBATE_LATENCY_S = 200, 0.1
LONGEST_S, SERVER_S = 120, 1800
OPEN_FILES = 8192
# A motion with its background, so that the prompt of an opening speech has 1.8 kB; the bare clients send as many characters.
MOTION = (
    "This house would count to {}. "
    + "The house means a count aloud, in order and without a pause, by one person. " * 4
)
PROMPT = (
    "{}\n\nGive two arguments and show why each of them decides the motion. "
    + "Weigh what matters most, and end with it. " * 33
)

Ask = Callable[[str], Awaitable[str]]
Client = Callable[[str], AbstractAsyncContextManager[Ask]]
Clock = tuple[float, float]


@dataclass(frozen=True)
class Load:
    """What a client has to do: so many single calls, or debates of 2 x 3 calls, with so many calls in flight."""

    debates: bool
    count: int
    in_flight: int

    @property
    def calls(self) -> int:
        """All calls of the load."""
        return self.count * (6 if self.debates else 1)


@dataclass(frozen=True)
class Cost:
    """What a load cost: processor and wall seconds, of each those while calls are made, CPU seconds to get ready, and peak memory."""

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
        """Processor milliseconds per call while calls are made."""
        return 1000 * self.calls_cpu_s / self.calls

    @property
    def whole_ms(self) -> float:
        """Processor milliseconds per call of everything but the imports."""
        return 1000 * self.cpu_s / self.calls


@asynccontextmanager
async def aiohttp_client(url: str) -> AsyncIterator[Ask]:
    """The baseline: one session without a limit, orjson in and out."""
    import aiohttp
    import orjson

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"Content-Type": "application/json"}
    ) as session:

        async def ask(words: str) -> str:
            body = orjson.dumps(
                {"model": "any", "messages": [{"role": "user", "content": words}], "seed": 1}
            )
            async with session.post(f"{url}/chat/completions", data=body) as response:
                response.raise_for_status()
                return orjson.loads(await response.read())["choices"][0]["message"]["content"]

        yield ask


@asynccontextmanager
async def openai_client(url: str) -> AsyncIterator[Ask]:
    """The SDK of OpenAI as its README shows it, without retries."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def ask(words: str) -> str:
            answer = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": words}], seed=1
            )
            return answer.choices[0].message.content or ""

        yield ask


@asynccontextmanager
async def anthropic_client(url: str) -> AsyncIterator[Ask]:
    """The SDK of Anthropic as its README shows it, without retries."""
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(
        base_url=url.removesuffix("/v1"), api_key="none", max_retries=0
    ) as client:

        async def ask(words: str) -> str:
            answer = await client.messages.create(
                model="claude-any", max_tokens=1024, messages=[{"role": "user", "content": words}]
            )
            return getattr(answer.content[0], "text", "")

        yield ask


@asynccontextmanager
async def litellm_client(url: str) -> AsyncIterator[Ask]:
    """LiteLLM without retries and with the prices that it ships."""
    import litellm

    litellm.suppress_debug_info = True

    async def ask(words: str) -> str:
        messages = [{"role": "user", "content": words}]
        answer = await litellm.acompletion(
            model="openrouter/any/model",
            messages=messages,
            api_base=url,
            api_key="none",
            num_retries=0,
            max_retries=0,
        )
        return answer.choices[0].message.content

    yield ask


@asynccontextmanager
async def inspect_client(url: str) -> AsyncIterator[Ask]:
    """`generate` of Inspect AI, without its tasks and logs."""
    from inspect_ai.model import GenerateConfig, get_model

    config = GenerateConfig(max_retries=0, max_connections=100_000, seed=1)
    async with get_model(
        "openai-api/loop/any", base_url=url, api_key="none", config=config
    ) as model:

        async def ask(words: str) -> str:
            return (await model.generate(words)).completion

        yield ask


def now() -> Clock:
    """(processor seconds of this process, wall seconds)."""
    return time.process_time(), time.perf_counter()


def run_bare(client: Client, url: str, load: Load) -> tuple[Clock, Clock]:
    """Do a load with a bare client; returns when the calls began and ended."""

    async def everything() -> None:
        places = asyncio.Semaphore(load.in_flight)
        async with client(url) as ask:

            async def say(words: str) -> str:
                async with places:
                    return await ask(words)

            async def debate(number: int) -> None:
                said: list[str] = []
                for _ in range(3):
                    words = PROMPT.format(MOTION.format(number)) + "\n\n".join(said)
                    said += await asyncio.gather(say(words), say(words))

            def one(number: int) -> Awaitable[object]:
                return debate(number) if load.debates else say(PROMPT.format(MOTION.format(number)))

            await asyncio.gather(*(one(number) for number in range(load.count)))

    began = now()
    asyncio.run(everything())
    return began, now()


def run_arena(reference: str, store: Path, url: str, load: Load) -> tuple[Clock, Clock]:
    """Do a load with `Arena.run`; returns when the calls began and ended: before lies the plan, behind the folding."""
    from agents import agent
    from arena import Arena, Arm, Study, Subject, against_itself
    from protocols.debate import debate

    speaker = agent(reference.format(url=url))
    options, episodes = (
        ({}, load.count) if load.debates else ({"phases": ("opening",)}, load.count // 2)
    )
    motions = [Subject(MOTION.format(number)) for number in range(episodes)]
    study = Study(
        f"{load.calls} calls", [Arm("only", debate, against_itself([speaker]), options)], motions
    )
    seen: list[Clock] = []
    # The arena calls `watch` when the first call is about to start, and last when all are through and before it folds.
    summary = Arena(store, concurrency=load.in_flight).run(
        study, watch=lambda tally: seen.append(now())
    )
    if (summary.done, summary.replies) != (episodes, load.calls):
        raise SystemExit(f"the study did not finish: {summary}")
    return seen[0], seen[-1]


BARE: dict[str, Client] = {
    "aiohttp": aiohttp_client,
    "openai": openai_client,
    "anthropic": anthropic_client,
    "litellm": litellm_client,
    "inspect_ai": inspect_client,
}
REFERENCES = {
    "arena-http": "http/any@{url}",
    "arena-openai": "openai/gpt-4o-mini",
    "arena-anthropic": "anthropic/claude-any",
    "arena-litellm": "openrouter/any/model",
}
SDK_OF = {"arena-openai": "openai", "arena-anthropic": "anthropic", "arena-litellm": "litellm"}
FAST = ("aiohttp", "arena-http")
FEW, MANY, SDK = Load(False, 2048, 64), Load(False, 3072, 1024), Load(False, 1024, 64)
SLOTS, FULL = Load(True, DEBATES, 32), Load(True, DEBATES, 400)


def measure(client: str, store: Path, url: str, load: Load) -> Cost:
    """Measure one client in this process, which does nothing else."""
    began = time.process_time()
    for package in (
        ("arena.play.run", "agents.providers.http", "protocols.debate")
        if client in REFERENCES
        else (client,)
    ):
        __import__(package)
    work = (
        partial(run_arena, REFERENCES[client], store, url)
        if client in REFERENCES
        else partial(run_bare, BARE[client], url)
    )
    work(Load(load.debates, 4, 8))
    ready_s = time.process_time() - began
    began_all = now()
    first, last = work(load)
    (cpu_s, wall_s), (calls_cpu_s, calls_wall_s) = (
        [b - a for a, b in zip(*pair, strict=True)] for pair in ((began_all, now()), (first, last))
    )
    # ru_maxrss is in kB, on macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )
    version = metadata.version("peer-arena" if client in REFERENCES else client)
    return Cost(version, load.calls, cpu_s, calls_cpu_s, wall_s, calls_wall_s, ready_s, peak)


def measure_in_process(python: str, client: str, folder: Path, url: str, load: Load) -> Cost:
    """Measure one client in a process of its own; SystemExit with its error where it fails."""
    loopback = {
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    addresses = {
        "OPENAI_BASE_URL": url,
        "ANTHROPIC_BASE_URL": url.removesuffix("/v1"),
        "OPENROUTER_API_BASE": url,
    }
    keys = {f"{name}_API_KEY": "none" for name in ("OPENAI", "ANTHROPIC", "OPENROUTER")}
    environment = os.environ | loopback | addresses | keys
    with tempfile.TemporaryDirectory(dir=folder) as made:
        job = json.dumps(
            {
                "client": client,
                "store": str(Path(made) / "a.duckdb"),
                "url": url,
                "load": asdict(load),
            }
        )
        done = subprocess.run(
            [python, __file__, "--job", job],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
    if done.returncode:
        raise SystemExit(f"{client} failed: {done.stderr[-2000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def measuring_order(chosen: Sequence[str]) -> list[tuple[str, Load]]:
    """The clients and their loads, in the order of a round; an SDK and our lane over it stand side by side."""
    fast = [client for client in FAST if client in chosen]
    slow = sorted(
        (client for client in chosen if client not in FAST),
        key=lambda client: SDK_OF.get(client, client),
    )
    order = [(client, load) for load in (FEW, MANY) for client in fast] + [
        (client, SDK) for client in slow
    ]
    return order + [(client, load) for load in (SLOTS, FULL) for client in fast]


Costs = dict[tuple[str, Load], list[Cost]]


def rounds(
    number: int,
    order: Sequence[tuple[str, Load]],
    folder: Path,
    latency_s: float,
    inspect: str | None,
) -> Costs:
    """Measure all clients in turns, so many rounds, against two servers that differ in their latency."""
    from tests.fake_server import chat_process

    costs: Costs = {}
    common = ("--words", str(WORDS), "--max-s", str(SERVER_S))
    with (
        chat_process("--latency", str(latency_s), *common) as url,
        chat_process("--latency", str(DEBATE_LATENCY_S), *common) as slow_url,
    ):
        for round in range(number):
            for client, load in order:
                python = inspect if client == "inspect_ai" and inspect else sys.executable
                cost = measure_in_process(
                    python, client, folder, slow_url if load.debates else url, load
                )
                costs.setdefault((client, load), []).append(cost)
                what = f"{load.count} {'debates' if load.debates else 'calls'}, {load.in_flight} in flight"
                figures = f"{cost.call_ms:.2f} (all: {cost.whole_ms:.2f}) ms per call, {cost.wall_s:.2f} s, {cost.peak_mb:.0f} MB"
                print(
                    f"round {round + 1} of {number}: {client}, {what}: {figures}",
                    file=sys.stderr,
                    flush=True,
                )
    return costs


def values_by_round(costs: Costs, client: str, load: Load, figure: str) -> list[float]:
    """A figure in each round."""
    return [getattr(cost, figure) for cost in costs[client, load]]


def format_median(costs: Costs, client: str, load: Load, figure: str, digits: int) -> str:
    """The median of a figure over the rounds; nothing where it was not measured."""
    return (
        f"{statistics.median(values_by_round(costs, client, load, figure)):.{digits}f}"
        if (client, load) in costs
        else ""
    )


def median_ratio(
    costs: Costs, figure: str, ours: tuple[str, Load], theirs: tuple[str, Load]
) -> float:
    """The median over the rounds of our figure over theirs."""
    return statistics.median(
        a / b
        for a, b in zip(
            values_by_round(costs, *ours, figure),
            values_by_round(costs, *theirs, figure),
            strict=True,
        )
    )


def tables(costs: Costs) -> str:
    """What calls and debates cost with every client, as two Markdown tables."""
    lines = [
        "| client | CPU ms per call, 64 in flight | 1024 in flight | all of the run, 64 in flight | to get ready, CPU s | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for client in dict.fromkeys(client for client, _ in costs):
        load = FEW if client in FAST else SDK
        cells = [format_median(costs, client, at, "call_ms", 2) for at in (load, MANY)]
        cells += [
            format_median(costs, client, load, figure, digits)
            for figure, digits in (("whole_ms", 2), ("ready_s", 1), ("peak_mb", 0))
        ]
        lines.append(
            f"| {name_of(client)} {costs[client, load][0].version} | {' | '.join(cells)} |"
        )
    fast = [client for client in FAST if (client, FULL) in costs]
    if fast:
        lines += [
            "",
            f"| {DEBATES} debates: calls (all) | 32 in flight: wall s | CPU s | 400 in flight: wall s | CPU s | peak MB |",
            lines[1],
        ]
    for client in fast:
        pairs = [(load, figure) for load in (SLOTS, FULL) for figure in ("wall_s", "cpu_s")]
        cells = [
            f"{format_median(costs, client, load, f'calls_{figure}', 2)} ({format_median(costs, client, load, figure, 2)})"
            for load, figure in pairs
        ]
        lines.append(
            f"| {name_of(client)} | {' | '.join(cells)} | {format_median(costs, client, FULL, 'peak_mb', 0)} |"
        )
    return "\n".join(lines)


def name_of(client: str) -> str:
    """A client's name in a table."""
    return f"arena `{REFERENCES[client].partition('/')[0]}/…`" if client in REFERENCES else client


def targets(costs: Costs) -> list[tuple[str, float, str, float]]:
    """(what, measured, unit, at most) for everything that was measured."""
    found = []
    if all((client, load) in costs for client in FAST for load in (FEW, MANY, SLOTS, FULL)):
        base, ours = FAST
        ideal_s = SLOTS.calls / SLOTS.in_flight * DEBATE_LATENCY_S
        walls = [
            statistics.median(values_by_round(costs, ours, SLOTS, figure)) / ideal_s
            for figure in ("calls_wall_s", "wall_s")
        ]
        cpus = [
            median_ratio(costs, figure, (ours, FULL), (base, FULL))
            for figure in ("calls_cpu_s", "cpu_s")
        ]
        peak = median_ratio(costs, "peak_mb", (ours, FULL), (base, FULL))
        found += [
            (
                "CPU per call over aiohttp, 64 in flight (aim 1.6)",
                median_ratio(costs, "call_ms", (ours, FEW), (base, FEW)),
                "times",
                2.0,
            ),
            (
                "growth of CPU per call from 64 to 1024 in flight",
                median_ratio(costs, "call_ms", (ours, MANY), (ours, FEW)),
                "times",
                1.5,
            ),
            (
                f"{DEBATES} debates, 32 in flight: wall time of the calls over the ideal {ideal_s:.2f} s",
                walls[0],
                "times",
                1.15,
            ),
            ("the same of the whole run, planning and folding included", walls[1], "times", 1.15),
            (
                f"{DEBATES} debates, 400 in flight: CPU of the calls over the aiohttp script",
                cpus[0],
                "times",
                2.0,
            ),
            ("the same of the whole run, planning and folding included", cpus[1], "times", 2.0),
            (
                f"{DEBATES} debates, 400 in flight: peak memory over the aiohttp script",
                peak,
                "times",
                2.0,
            ),
        ]
    for lane, sdk in SDK_OF.items():
        if {(lane, SDK), (sdk, SDK)} <= costs.keys() and sdk != "litellm":
            both = zip(
                values_by_round(costs, lane, SDK, "call_ms"),
                values_by_round(costs, sdk, SDK, "call_ms"),
                strict=True,
            )
            found.append(
                (
                    f"CPU per call of {name_of(lane)} beyond its SDK",
                    statistics.median(a - b for a, b in both),
                    "ms",
                    0.5,
                )
            )
    return found


def main() -> int:
    """Measure, print the tables; exit status 1 where a target is missed."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--latency", type=float, default=0.02)
    words.add_argument("--only")
    words.add_argument("--inspect", metavar="PYTHON")
    words.add_argument("--folder", type=Path, default=Path())
    words.add_argument("--job", help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.job:
        job = json.loads(chosen.job)
        print(
            json.dumps(
                asdict(measure(job["client"], Path(job["store"]), job["url"], Load(**job["load"])))
            )
        )
        return 0
    everyone = [*BARE, *REFERENCES]
    clients = (
        chosen.only.split(",")
        if chosen.only
        else [client for client in everyone if client != "arena-litellm"]
    )
    if unknown := set(clients) - set(everyone):
        words.error(
            f"there is no client {', '.join(sorted(unknown))}; there are {', '.join(everyone)}"
        )
    if "inspect_ai" in clients and not chosen.inspect:
        print("inspect_ai is left out: --inspect names no Python that has it", file=sys.stderr)
        clients.remove("inspect_ai")
    # Above a thousand calls in flight are as many open sockets, here and in the server.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(
        resource.RLIMIT_NOFILE,
        (OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard), hard),
    )
    costs = rounds(
        chosen.rounds, measuring_order(clients), chosen.folder, chosen.latency, chosen.inspect
    )
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}; medians of {chosen.rounds} rounds; calls take {1000 * chosen.latency:g} ms.\n"
    )
    print(f"{tables(costs)}\n\n| what | measured | target | |\n|---|---|---|---|")
    held = targets(costs)
    for what, value, unit, limit in held:
        print(
            f"| {what} | {value:.2f} {unit} | at most {limit:g} | {'met' if value <= limit else 'missed'} |"
        )
    return int(any(value > limit for _, value, _, limit in held))


if __name__ == "__main__":
    sys.exit(main())
