"""Compare what debates and their juries cost with the least that the lists of prices allow.

    python experiments/benchmarks/bills.py [--debates 20]

A server on loopback (caching_twin.py) keeps prompts and charges as Anthropic and OpenAI document;
replies are as long as the published ones.  Two studies: one model debates itself before three judge
agents of one model, and two models debate before three judges of different models, where little is
shared.  Each is played as the arena does it, and as it did before it knew of caches.

The least is what the same prompts and replies would cost if every token that another prompt to the
model begins with too were read from the cache once it was written once.  Printed are the shares of
these tokens that were read, the dollars beside the least, and today's beside those of before.  The
last column is arithmetic: the same calls in batches at half price, of which none reads a cache.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

# The twin stands beside this file, which is part of no package.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from caching_twin import CHARACTERS_A_TOKEN, RATES, STEP, Charge, Server, Twin

from agents import agent
from arena import Agent, Arena, Arm, Sampling, Study, Subject, run_stages
from arena.play import run as arena_run
from protocols.debate import debate
from protocols.judging import jury

GOAL_READ = 0.85
GOAL_DOLLARS = 1.05
MODELS = ("anthropic/claude-sonnet-5-5", "openai/gpt-5.6", "openai/gpt-5-mini")
JUDGES = ("anthropic/claude-opus-5", "openai/gpt-5.6", "openai/gpt-5-mini")


@dataclass
class Bill:
    """The bill for the calls to some models: tokens and dollars."""

    tokens_in: int = 0
    readable: int = 0
    cached: int = 0
    input_usd: float = 0.0
    output_usd: float = 0.0
    least_input_usd: float = 0.0
    batch_usd: float = 0.0

    @property
    def usd(self) -> float:
        """Return all dollars."""
        return self.input_usd + self.output_usd

    @property
    def least_usd(self) -> float:
        """Return the least dollars for the same prompts and replies."""
        return self.least_input_usd + self.output_usd

    def add(self, other: Bill) -> None:
        """Add another bill to this one."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def bill_of(charges: Sequence[Charge]) -> Bill:
    """Return the bill for the calls to one model, with the least that they could cost."""
    rates = RATES[charges[0].model]
    bill = Bill(
        tokens_in=sum(charge.tokens_in for charge in charges),
        cached=sum(charge.cached for charge in charges),
        input_usd=sum(charge.input_usd for charge in charges),
        output_usd=sum(charge.output_usd for charge in charges),
    )
    # In the order of their letters, prompts with a common beginning are neighbours: what each has
    # in common with the one before it can be read, what is new in that must have been written.
    prompts = sorted(charge.prompt for charge in charges)
    written = before = 0
    for one, other in pairwise(prompts):
        shared = shared_characters(one, other) // CHARACTERS_A_TOKEN
        shared -= 0 if rates.marked else shared % STEP
        shared = shared if shared >= rates.least else 0
        bill.readable += shared
        written += shared - min(shared, before)
        before = shared
    plain = bill.tokens_in - bill.readable - written
    dollars = plain * rates.tokens_in + bill.readable * rates.read + written * rates.write
    bill.least_input_usd = dollars / 1e6
    bill.batch_usd = (bill.tokens_in * rates.tokens_in / 1e6 + bill.output_usd) / 2
    return bill


def shared_characters(one: str, other: str) -> int:
    """Return the number of characters with which both texts begin."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


@contextmanager
def as_before() -> Iterator[None]:
    """Play as the arena did before it knew of caches: nothing waits, nothing is marked."""

    async def no_plan(todo: list[Any], *_: object) -> tuple[list[Any], dict[str, Any]]:
        """Return the episodes in their order, and that they share nothing."""
        return list(todo), {}

    with (
        mock.patch.object(arena_run, "plan_prefixes", no_plan),
        mock.patch("agents.providers.openai_sdk.openai_cache_settings", return_value={}),
    ):
        yield


def judge_agents(references: Sequence[str]) -> list[Agent]:
    """Return a judge for each reference; judges of one model differ in their limit alone."""
    samplings = [Sampling(max_tokens=6000 + n) for n in range(len(references))]
    return [
        agent(reference, name=f"judge {n}", sampling=sampling)
        for n, (reference, sampling) in enumerate(zip(references, samplings, strict=True))
    ]


def play(debates: int, sides: Sequence[str], judges: Sequence[str]) -> tuple[list[Charge], float]:
    """Play debates and judge them in both orders; return the charges, and the ledger's dollars."""
    twin = Twin()
    with tempfile.TemporaryDirectory() as folder, Server(twin) as server:
        os.environ |= {
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": "a-key-for-loopback",
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "OPENAI_API_KEY": "a-key-for-loopback",
        }
        agents = [agent(reference) for reference in sides]
        lineup = dict(zip(("proposition", "opposition"), agents, strict=True))
        options = {"opponent_note": "copy" if sides[0] == sides[1] else "none"}
        motions = [Subject(f"This house would hold debate number {n}.") for n in range(debates)]
        study = Study("bills", [Arm("d", debate, [lineup], options)], motions)
        arena = Arena(Path(folder) / "a.duckdb")
        run_stages(arena, [study, jury("jury", study, judge_agents(judges))])
        [[dollars]] = arena.sql("select sum(cost_usd) from calls").rows
    calls = debates * (6 + 2 * len(judges))
    if len(twin.charges) != calls:
        raise SystemExit(f"{len(twin.charges)} calls were made, not {calls}")
    return twin.charges, dollars


def bills_by_model(charges: Sequence[Charge]) -> dict[str, Bill]:
    """Return the bill for each model."""
    groups: defaultdict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        groups[charge.model].append(charge)
    return {model: bill_of(group) for model, group in sorted(groups.items())}


def compare(label: str, debates: int, sides: Sequence[str], judges: Sequence[str]) -> bool:
    """Play a study in both ways and print a line for each model; return whether it meets goals."""
    charges, ledger = play(debates, sides, judges)
    with as_before():
        charges_before, _ = play(debates, sides, judges)
    now, before = bills_by_model(charges), bills_by_model(charges_before)
    total, total_before = Bill(), Bill()
    for model, bill in now.items():
        total.add(bill)
        total_before.add(before[model])
        if len(now) > 1:
            print_line(f"{label}: {model}", bill, before[model])
    print_line(
        f"{label}: {', '.join(now)}" if len(now) == 1 else f"{label}: all", total, total_before
    )
    if abs(ledger - total.usd) > 1e-6 * total.usd:
        print(f"  the ledger says ${ledger:.6f}, the twin ${total.usd:.6f}")
        return False
    read = total.cached / total.readable if total.readable else 1.0
    return read >= GOAL_READ and total.usd <= GOAL_DOLLARS * total.least_usd


def print_line(label: str, bill: Bill, before: Bill) -> None:
    """Print a bill beside the least and that of before."""
    read = f"{bill.cached / bill.readable:6.1%}" if bill.readable else "  none"
    print(
        f"| {label:46} | {bill.tokens_in:>10,} | {bill.readable / bill.tokens_in:5.1%} | {read} |"
        f" {bill.usd:8.4f} | {bill.usd / bill.least_usd:5.3f} | {bill.usd / before.usd:5.3f} |"
        f" {bill.input_usd / before.input_usd:5.3f} | {bill.output_usd:8.4f} |"
        f" {bill.batch_usd / before.usd:5.3f} |"
    )


def main() -> int:
    """Print a table; return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--debates", type=int, default=20)
    debates = parser.parse_args().debates
    heads = ("study", "prompt tokens", "may be cached", "of these read", "dollars", "by the least")
    rest = ("by before", "prompts alone", "replies, dollars", "in batches, by before")
    print("|", " | ".join((*heads, *rest)), "|")
    print("|" + "---|" * 10)
    met = [
        compare("against itself, 3 judges alike", debates, [model] * 2, [model] * 3)
        for model in MODELS
    ]
    met.append(compare("two debaters, 3 judges", debates, MODELS[:2], JUDGES))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
