"""Compare the local engine with transformers: speed, forward tokens, cost of the measures, ties.

    python experiments/benchmarks/engine.py [--rounds 3] [--full]
        [--device cuda --shape 8b --dtype bfloat16]

Speed is tokens per CPU second of the process (per second on a GPU) with one torch thread, in turns
with `generate` on static batches and with transformers' own continuous batching, on equal sequences
and on a ragged mix; each figure is the median over the rounds, each ratio the median of the ratios
within a round.  The engine measures every token meanwhile, as it always does; the others do not.
The LeaP-shaped load is counted by the engine: N paths think T tokens, are cut back, add a lead-in,
summarise, read their peers, and think on, B times.  `--full` plays it at the size of the paper
(16 x 4096 x 4) with a model that is as small as can be, since only tokens are counted.  Weights are
random.

On a GPU the tables of engine_gpu.py are printed instead, in under five minutes; `--dry` runs every
part of them on a CPU with a tiny model, to show that nothing fails.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import functools
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

import numpy as np
import torch
from transformers import (
    ContinuousBatchingConfig,
    GenerationConfig,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.utils import logging

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.loading import turn_weights
from agents.local.measures import measure

# Started as a program, a file finds only its neighbours.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.benchmarks.engine_gpu import FAILED, print_gpu_tables
from experiments.benchmarks.leap_load import FULL, REDUCED, Leap, leap

GREEDY = TokenSampling(0.0)
NEAR_TIE = 1e-4
SHAPES = {
    "small": Qwen3Config(
        vocab_size=8192,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=32,
    ),
    # For loads whose tokens are only counted.
    "smallest": Qwen3Config(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
    ),
    # A real vocabulary on few layers: measures of all words weigh more than in a real model.
    "wide": Qwen3Config(
        vocab_size=151_936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=4,
        num_attention_heads=16,
        num_key_value_heads=8,
    ),
    # The sizes of Qwen3-8B.
    "8b": Qwen3Config(
        vocab_size=151_936,
        hidden_size=4096,
        intermediate_size=12_288,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
    ),
}


def make_model(shape: str, device: str, dtype: str, positions: int = 32_768) -> PreTrainedModel:
    """Return a model of this shape with random weights and no end token."""
    torch.manual_seed(0)
    config = SHAPES[shape]
    config.max_position_embeddings = positions
    # Four times the usual spread of random weights, so that logits differ clearly.
    config.initializer_range = 0.08
    config.bos_token_id = config.eos_token_id = None
    with torch.device(device):
        return Qwen3ForCausalLM._from_config(config, dtype=getattr(torch, dtype)).eval()


@dataclass(frozen=True)
class Load:
    """Prompts, and how many tokens each is to be continued by."""

    prompts: Sequence[list[int]]
    longest: Sequence[int]

    @property
    def tokens(self) -> int:
        """Return how many tokens are to be generated."""
        return sum(self.longest)


def equal_load(count: int, words: int, length: int = 32, longest: int = 64) -> Load:
    """Return sequences of one length."""
    draw = random.Random(count)
    return Load([draw.choices(range(words), k=length) for _ in range(count)], [longest] * count)


def ragged_load(words: int, count: int = 48) -> Load:
    """Return prompts of 8 to 64 tokens, continued by 8 to 96."""
    draw = random.Random(7)
    return Load(
        [draw.choices(range(words), k=draw.randrange(8, 65)) for _ in range(count)],
        [draw.randrange(8, 97) for _ in range(count)],
    )


@functools.cache
def laid_out(model: PreTrainedModel) -> PreTrainedModel:
    """Return a copy of a model as the engine loads it; `generate` has it as transformers does."""
    own = copy.deepcopy(model)
    turn_weights(own)
    return own


def by_engine(model: PreTrainedModel, load: Load, slots: int) -> list[tuple[int, ...]]:
    """Return the replies of this project's engine, with weights as it lays them out."""

    async def replies() -> list[GenerationResult]:
        engine = Engine(SlotRows(laid_out(model), slots, 256), str)
        jobs = [
            Job(tuple(ids), longest, GREEDY)
            for ids, longest in zip(load.prompts, load.longest, strict=True)
        ]
        try:
            return list(await asyncio.gather(*map(engine.generate, jobs)))
        finally:
            engine.close()

    return [reply.ids for reply in asyncio.run(replies())]


@torch.inference_mode()
def by_generate(model: PreTrainedModel, load: Load, slots: int) -> list[tuple[int, ...]]:
    """Return the replies of `generate` on static batches.

    Prompts are padded on the left; each batch goes on until its longest reply ends.
    """
    replies = []
    for first in range(0, len(load.prompts), slots):
        prompts = load.prompts[first : first + slots]
        longest = load.longest[first : first + slots]
        width = max(map(len, prompts))
        padded = [[0] * (width - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        output = model.generate(
            torch.tensor(padded, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            max_new_tokens=max(longest),
            do_sample=False,
            pad_token_id=0,
        )
        replies += [
            tuple(row[width : width + count])
            for row, count in zip(output.tolist(), longest, strict=True)
        ]
    return replies


def by_continuous_batching(model: PreTrainedModel, load: Load, slots: int) -> list[tuple[int, ...]]:
    """Return the replies of transformers' own continuous batching."""
    settings = GenerationConfig(
        max_new_tokens=max(load.longest), do_sample=False, eos_token_id=-1, pad_token_id=0
    )
    before = model.config._attn_implementation
    manager = model.init_continuous_batching(
        generation_config=settings,
        continuous_batching_config=ContinuousBatchingConfig(num_blocks=128),
    )
    manager.start()
    try:
        names = [
            manager.add_request(list(ids), request_id=f"r{n}", max_new_tokens=longest)
            for n, (ids, longest) in enumerate(zip(load.prompts, load.longest, strict=True))
        ]
        replies: dict[str, tuple[int, ...]] = {}
        while len(replies) < len(names):
            result = manager.get_result(timeout=1)
            if not manager.is_running():
                raise RuntimeError("transformers' continuous batching stopped; its log says why")
            if result is not None and result.is_finished():
                replies[result.request_id] = tuple(result.generated_tokens)
        return [replies[name] for name in names]
    finally:
        manager.stop(block=True)
        # It swaps the attention for one that the other lanes must not use.
        model.set_attn_implementation(before)


LANES: dict[str, Callable[[PreTrainedModel, Load, int], list[tuple[int, ...]]]] = {
    "engine": by_engine,
    "generate": by_generate,
    "transformers CB": by_continuous_batching,
}


def print_speed(model: PreTrainedModel, rounds: int) -> None:
    """Print tokens per second of each lane on each load, and their ratio to static `generate`."""
    clock = time.perf_counter if model.device.type == "cuda" else time.process_time
    words = model.config.vocab_size
    loads = {f"{n} equal": (equal_load(n, words), n) for n in (1, 4, 16, 64)}
    loads["48 ragged in 16 rows"] = (ragged_load(words), 16)
    header = "".join(f"{lane:>22}" for lane in LANES)
    print(f"{'tokens per CPU second (ratio to generate)':45}{header}")
    for name, (load, slots) in loads.items():
        seconds: dict[str, list[float]] = {lane: [] for lane in LANES}
        for _ in range(rounds):
            for lane, play in LANES.items():
                before = clock()
                play(model, load, slots)
                seconds[lane].append(clock() - before)
        cells = []
        for lane in LANES:
            pairs = zip(seconds[lane], seconds["generate"], strict=True)
            ratio = statistics.median(theirs / ours for ours, theirs in pairs)
            rate = load.tokens / statistics.median(seconds[lane])
            cells.append(f"{rate:9.0f} ({ratio:.2f})")
        print(f"{name:45}" + "".join(f"{cell:>22}" for cell in cells))


def print_ties(model: PreTrainedModel) -> None:
    """Print how many greedy replies differ from `generate` alone, and by how close a tie."""
    load = ragged_load(model.config.vocab_size)
    ours = by_engine(model, load, 16)
    theirs = by_generate(model, load, 1)
    gaps = []
    for prompt, our, their in zip(load.prompts, ours, theirs, strict=True):
        pairs = enumerate(zip(our, their, strict=True))
        differs = next((n for n, (token, other) in pairs if token != other), None)
        if differs is None:
            continue
        # Sums in another order move a logit by rounding alone: it matters only how close the two
        # tokens were at the first place that differs.
        context = torch.tensor([[*prompt, *their[:differs]]], device=model.device)
        with torch.inference_mode():
            logits = model(context).logits[0, -1].float()
        gaps.append(float((logits[our[differs]] - logits[their[differs]]).abs()))
    far = [gap for gap in gaps if gap >= NEAR_TIE]
    print(
        f"greedy replies that differ from generate alone: {len(gaps)} of {len(ours)},"
        f" of which no near-tie (gap >= {NEAR_TIE:g}): {len(far)}"
    )


def print_leap_tokens(sizes: Leap) -> None:
    """Print the forward tokens of a LeaP-shaped load, beside the bound and uncached reading."""
    block = sizes.think + sizes.lead + sizes.summary + sizes.comments
    longest = sizes.prompt + (sizes.blocks + 1) * block + sizes.answer
    model = make_model("smallest", "cpu", "float32", longest)
    engine = Engine(SlotRows(model, sizes.paths, longest), str)
    before = time.process_time()
    asyncio.run(leap(engine, sizes, model.config.vocab_size))
    engine.close()
    forward = engine.counts.prefilled + engine.counts.decoded
    print(
        f"LeaP {sizes.paths} x {sizes.think} x {sizes.blocks}: {forward:,} forward tokens,"
        f" bound {sizes.lower_bound:,} ({forward / sizes.lower_bound:.4f} times),"
        f" every prompt read again {sizes.tokens_without_cache:,}"
        f" ({sizes.tokens_without_cache / forward:.2f} times more);"
        f" {time.process_time() - before:.0f} CPU s"
    )


@torch.inference_mode()
def print_measures(device: str, dtype: str, rounds: int) -> None:
    """Print the cost of measuring every token, beside a decoding step with 150,000 words."""
    model = make_model("wide", device, dtype, 512)
    for rows in (1, 16):
        cache = SlotRows(model, rows, 64)
        ids = np.ones((rows, 1), np.int64)
        steps = []
        costs = []
        for n in range(5 * rounds):
            before = time.process_time()
            logits = cache.forward(0, ids, np.full((rows, 1), n))[:, -1]
            chosen = logits.argmax(-1)
            middle = time.process_time()
            measure(logits, chosen)
            costs.append(time.process_time() - middle)
            steps.append(middle - before)
        share = statistics.median(cost / step for cost, step in zip(costs, steps, strict=True))
        print(
            f"measures, {rows:2} rows, vocabulary 151,936, 4 layers of 1024:"
            f" {1e3 * statistics.median(costs):.2f} of {1e3 * statistics.median(steps):.1f} ms"
            f" a step ({100 * share:.1f}%)"
        )


def main() -> None:
    """Print all figures for one device, shape of model and precision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--full",
        action="store_true",
        help="the LeaP-shaped load at the paper's size (some CPU minutes)",
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="on a GPU, the time to take")
    parser.add_argument("--tables", default="exact,free,others", help="on a GPU, which of these")
    parser.add_argument(
        "--dry", action="store_true", help="all parts of the tables of a GPU, tiny, on a CPU"
    )
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    getLogger("ContinuousBatchingLogger").setLevel("CRITICAL")
    logging.disable_progress_bar()
    name = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU, one thread"
    print(f"torch {torch.__version__}, {name}, {options.shape}, {options.dtype}")
    shape = "smallest" if options.dry else options.shape
    model = make_model(shape, options.device, options.dtype)
    if options.dry or options.device.startswith("cuda"):
        print_gpu_tables(model, options.minutes, options.tables.split(","))
        if FAILED:
            sys.exit(f"failed: {', '.join(FAILED)}")
        return
    print_speed(model, options.rounds)
    print_ties(model)
    print_leap_tokens(FULL if options.full else REDUCED)
    print_measures(options.device, options.dtype, options.rounds)


if __name__ == "__main__":
    main()
