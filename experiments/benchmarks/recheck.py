"""Measure `arena recheck`: false alarms on the same model, and how often a changed one is found.

    python -m experiments.benchmarks.recheck --pools pools.json

The toy model (agents/toy/) answers 200 prompts many times, at temperature 1 and changed: at 0.7 and
1.3, and with its weights rounded to 8 or 4 bits.  That takes some minutes, and is kept in the file
of pools.  Then pairs of then and now are drawn from the pools, and tested as `arena recheck` does
(analysis/statistics/same_distribution.py).  Three kinds of prompts: motions, to which the toy says
anything; sums of four numbers, which it was not trained for; sums of three, which it adds almost
always right, so that there is next to nothing to tell apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from agents.local.model import TOY, LocalModel, local_model, toy_model
from agents.toy.problems import sums
from analysis.reports.rechecks import ALPHA
from analysis.statistics.same_distribution import (
    permutation_test,
    rating_kernel,
    reply_kernels,
)
from arena.text import utc_now
from arena.types import Message, Place, Request, Sampling

PROMPTS = 200
SAME, CHANGED = 16, 8
SLOTS = 256
PERMUTATIONS = 199
# (prompts, stored replies to each, calls to each): 200 calls in all.
ONCE, OFTEN = (200, 1, 1), (25, 8, 8)
DESIGNS = {"motions": (ONCE, OFTEN), "sums of four": (ONCE, OFTEN), "sums of three": (ONCE,)}
Pools = dict[str, dict[str, list[list[str]]]]


def main() -> None:
    """Make the pools unless they are there, draw pairs, and print the table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--pools", type=Path, required=True, help="a JSON file, made if missing")
    options.add_argument("--nulls", type=int, default=500, help="pairs of the same model")
    options.add_argument("--pairs", type=int, default=100, help="pairs of each change")
    given = options.parse_args()
    if not given.pools.exists():
        given.pools.write_text(json.dumps(asyncio.run(make_pools())))
    pools: Pools = json.loads(given.pools.read_text())
    print(f"{utc_now():%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}")
    print(f"found in % of pairs at p <= {ALPHA} (95% interval), 200 calls\n")
    print("| prompts | then and now | change | pairs | found |\n|---|---|---|---|---|")
    rng = np.random.default_rng(1)
    for kind, pool in pools.items():
        for design in DESIGNS[kind]:
            for change in pool:
                is_null = change == "same" and design is ONCE and kind != "sums of three"
                pairs = given.nulls if is_null else given.pairs
                found = sum(p <= ALPHA for p in test_pairs(pool, change, design, pairs, rng))
                name = "none" if change == "same" else change
                shape = f"{design[0]} prompts, {design[1]} and {design[2]}"
                print_row(kind, shape, name, found, pairs)
    for shift in (0, 5):
        pairs = given.nulls if shift == 0 else given.pairs
        found = sum(test_ratings(shift, rng) <= ALPHA for _ in range(pairs))
        shape = "200 prompts, 1 and 1"
        print_row("ratings", shape, f"{shift} points more" if shift else "none", found, pairs)


def print_row(kind: str, shape: str, change: str, found: int, pairs: int) -> None:
    """Print a row of the table, with Wilson's interval."""
    low, high = binomtest(found, pairs).proportion_ci(method="wilson")
    share = f"{100 * found / pairs:.1f} ({100 * low:.1f} to {100 * high:.1f})"
    print(f"| {kind} | {shape} | {change} | {pairs} | {share} |", flush=True)


def test_pairs(
    pool: dict[str, list[list[str]]],
    change: str,
    design: tuple[int, int, int],
    pairs: int,
    rng: np.random.Generator,
) -> Iterator[float]:
    """Yield p of so many pairs of stored replies and calls."""
    for number in range(pairs):
        replies, prompts, is_new = draw(pool, change, design, rng)
        kernels = reply_kernels(replies, prompts)
        yield permutation_test(kernels, prompts, is_new, permutations=PERMUTATIONS, seed=number)


def draw(
    pool: dict[str, list[list[str]]],
    change: str,
    design: tuple[int, int, int],
    rng: np.random.Generator,
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return (replies, prompts, whether new); no reply of a pool comes twice."""
    n, stored, calls = design
    replies: list[str] = []
    for prompt in rng.choice(PROMPTS, n, replace=False):
        same = rng.permutation(len(pool["same"][prompt]))
        old, rest = same[:stored], same[stored : stored + calls]
        replies += [pool["same"][prompt][k] for k in old]
        if change != "same":
            rest = rng.choice(len(pool[change][prompt]), calls, replace=False)
        replies += [pool[change][prompt][k] for k in rest]
    prompts = np.repeat(np.arange(n), stored + calls)
    is_new = np.tile(np.arange(stored + calls) >= stored, n)
    return replies, prompts, is_new


def test_ratings(shift: float, rng: np.random.Generator) -> float:
    """Return p of 200 pairs of ratings in steps of 5, one in ten not read, `shift` points apart."""
    center = rng.normal(70, 12, PROMPTS)
    both = np.concatenate([center + rng.normal(0, 10, PROMPTS) for _ in range(2)])
    both[PROMPTS:] += shift
    ratings = np.clip(np.round(both / 5) * 5, 0, 100) / 100
    ratings[rng.random(2 * PROMPTS) < 0.1] = np.nan
    prompts = np.tile(np.arange(PROMPTS), 2)
    is_new = np.arange(2 * PROMPTS) >= PROMPTS
    return permutation_test([rating_kernel(ratings)], prompts, is_new, permutations=PERMUTATIONS)


async def make_pools() -> Pools:
    """Let the toy and its changed versions answer all prompts, many times."""
    rng = random.Random(3)
    kinds = {
        "motions": [f"Argue for this house, number {number}." for number in range(PROMPTS)],
        "sums of four": [
            f"What is {'+'.join(str(rng.randint(10, 99)) for _ in range(4))}?"
            for _ in range(PROMPTS)
        ],
        "sums of three": [subject.text for subject in sums(PROMPTS)],
    }
    toy = toy_model(f"sum?slots={SLOTS}")
    pools: Pools = {}
    with tempfile.TemporaryDirectory() as folder:
        changed = {
            "temperature 0.7": (toy, 0.7),
            "temperature 1.3": (toy, 1.3),
            "8 bits a weight": (rounded_toy(Path(folder), 8), 1.0),
            "4 bits a weight": (rounded_toy(Path(folder), 4), 1.0),
            "4 bits, by row": (rounded_toy(Path(folder), 4, by_row=True), 1.0),
        }
        for kind, prompts in kinds.items():
            pools[kind] = {"same": await answer(toy, 1.0, prompts, SAME, "same")}
            for name, (model, temperature) in changed.items():
                pools[kind][name] = await answer(model, temperature, prompts, CHANGED, name)
    return pools


def rounded_toy(folder: Path, bits: int, *, by_row: bool = False) -> LocalModel:
    """Return the toy with its matrices rounded to so many bits, by the largest of all or a row."""
    from safetensors.torch import load_file, save_file

    where = folder / f"toy-{bits}{'-rows' if by_row else ''}"
    shutil.copytree(TOY, where)
    weights = load_file(TOY / "model.safetensors")
    top = 2 ** (bits - 1) - 1
    for name, matrix in weights.items():
        if matrix.ndim == 2:
            size = matrix.abs()
            step = (size.amax(1, keepdim=True) if by_row else size.max()) / top
            weights[name] = (matrix / step).round().clamp(-top - 1, top) * step
    save_file(weights, where / "model.safetensors", metadata={"format": "pt"})
    return local_model(f"{where}?slots={SLOTS}")


async def answer(
    model: LocalModel, temperature: float, prompts: Sequence[str], times: int, name: str
) -> list[list[str]]:
    """Return `times` replies to each prompt."""
    await model.open()
    rng = random.Random(f"{name} {prompts[0]}")
    sampling = Sampling(temperature=temperature, max_tokens=160)

    async def one(prompt: str, number: int) -> str:
        place = Place(f"{prompt} {number}", "solver", 0, 0, "answer", 0)
        seed = rng.getrandbits(31)
        return (await model(Request((Message("user", prompt),), sampling, seed, place))).text

    replies = await asyncio.gather(*(one(p, k) for p in prompts for k in range(times)))
    await model.close()
    return [list(replies[at : at + times]) for at in range(0, len(replies), times)]


if __name__ == "__main__":
    main()
