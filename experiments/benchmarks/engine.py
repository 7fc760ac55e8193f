"""The local engine beside transformers: speed, forward tokens of a LeaP-shaped load, cost of the measures, ties.

    python experiments/benchmarks/engine.py [--rounds 3] [--full] [--device cuda --shape 8b --dtype bfloat16]

Speed is tokens per CPU second of the process (per second on a GPU) with one torch thread, in turns with `generate` on static batches and with
transformers' own continuous batching, on equal sequences and on a ragged mix; each figure is the median over the rounds, each ratio the median
of the ratios within a round.  The engine measures every token meanwhile, as it always does; the others do not.  The LeaP-shaped load is
counted by the engine: N paths think T tokens, are cut back, add a lead-in, summarise, read their peers, and think on, B times.  `--full` plays
it at the size of the paper (16 x 4096 x 4) with a model that is as small as can be, since only tokens are counted.  Weights are random.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import getLogger

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
from agents.local.loading import bytes_per_token
from agents.local.measures import measure

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
    "smallest": Qwen3Config(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
    ),
    "wide": Qwen3Config(
        vocab_size=151_936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=4,
        num_attention_heads=16,
        num_key_value_heads=8,
    ),
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
    """A model of this shape with random weights."""
    torch.manual_seed(0)
    config = SHAPES[shape]
    config.max_position_embeddings, config.initializer_range = positions, 0.08
    config.bos_token_id = config.eos_token_id = None
    with torch.device(device):
        return Qwen3ForCausalLM._from_config(config, dtype=getattr(torch, dtype)).eval()


@dataclass(frozen=True)
class Load:
    """Prompts with the number of tokens that each is to be continued by."""

    prompts: Sequence[list[int]]
    longest: Sequence[int]

    @property
    def tokens(self) -> int:
        """How many tokens are to be generated."""
        return sum(self.longest)


def equal_load(count: int, words: int, length: int = 32, longest: int = 64) -> Load:
    """Sequences of one length."""
    draw = random.Random(count)
    return Load([draw.choices(range(words), k=length) for _ in range(count)], [longest] * count)


def ragged_load(words: int, count: int = 48) -> Load:
    """Prompts of 8 to 64 tokens, continued by 8 to 96."""
    draw = random.Random(7)
    return Load(
        [draw.choices(range(words), k=draw.randrange(8, 65)) for _ in range(count)],
        [draw.randrange(8, 97) for _ in range(count)],
    )


def by_engine(model: PreTrainedModel, load: Load, slots: int) -> list[tuple[int, ...]]:
    """The replies of this project's engine."""

    async def replies() -> list[GenerationResult]:
        """All of them, from an engine of their own."""
        engine = Engine(SlotRows(model, slots, 256), str)
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
    """The replies of `generate` on static batches, padded on the left; each batch goes on until its longest is through."""
    replies = []
    for first in range(0, len(load.prompts), slots):
        prompts, longest = load.prompts[first : first + slots], load.longest[first : first + slots]
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(one)) + one for one in prompts], device=model.device)
        mask = torch.tensor(
            [[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=model.device
        )
        whole = model.generate(
            ids, attention_mask=mask, max_new_tokens=max(longest), do_sample=False, pad_token_id=0
        )
        replies += [
            tuple(row[width : width + many])
            for row, many in zip(whole.tolist(), longest, strict=True)
        ]
    return replies


def by_continuous_batching(model: PreTrainedModel, load: Load, slots: int) -> list[tuple[int, ...]]:
    """The replies of transformers' own continuous batching."""
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
        found: dict[str, tuple[int, ...]] = {}
        while len(found) < len(names):
            one = manager.get_result(timeout=1)
            if not manager.is_running():
                raise RuntimeError("transformers' continuous batching stopped; its log says why")
            if one is not None and one.is_finished():
                found[one.request_id] = tuple(one.generated_tokens)
        return [found[name] for name in names]
    finally:
        manager.stop(block=True)
        model.set_attn_implementation(before)


LANES: dict[str, Callable[[PreTrainedModel, Load, int], list[tuple[int, ...]]]] = {
    "engine": by_engine,
    "generate": by_generate,
    "transformers CB": by_continuous_batching,
}


def speed(model: PreTrainedModel, rounds: int) -> None:
    """Print tokens per second of each lane on each load, and their ratio to static `generate`."""
    clock = time.perf_counter if model.device.type == "cuda" else time.process_time
    words = model.config.vocab_size
    loads = {f"{n} equal": (equal_load(n, words), n) for n in (1, 4, 16, 64)} | {
        "48 ragged in 16 rows": (ragged_load(words), 16)
    }
    print(
        f"{'tokens per CPU second (ratio to generate)':45}"
        + "".join(f"{lane:>22}" for lane in LANES)
    )
    for name, (load, slots) in loads.items():
        took: dict[str, list[float]] = {lane: [] for lane in LANES}
        for _ in range(rounds):
            for lane, play in LANES.items():
                before = clock()
                play(model, load, slots)
                took[lane].append(clock() - before)
        cells = []
        for lane in LANES:
            ratio = statistics.median(
                b / a for a, b in zip(took[lane], took["generate"], strict=True)
            )
            cells.append(f"{load.tokens / statistics.median(took[lane]):9.0f} ({ratio:.2f})")
        print(f"{name:45}" + "".join(f"{cell:>22}" for cell in cells))


def ties(model: PreTrainedModel) -> None:
    """Print how many greedy replies differ from `generate` alone, and by how close a tie."""
    load = ragged_load(model.config.vocab_size)
    ours, theirs = by_engine(model, load, 16), by_generate(model, load, 1)
    gaps = []
    for prompt, a, b in zip(load.prompts, ours, theirs, strict=True):
        where = next((n for n, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), None)
        if where is not None:
            with torch.inference_mode():
                logits = (
                    model(torch.tensor([[*prompt, *b[:where]]], device=model.device))
                    .logits[0, -1]
                    .float()
                )
            gaps.append(float((logits[a[where]] - logits[b[where]]).abs()))
    far = [gap for gap in gaps if gap >= NEAR_TIE]
    print(
        f"greedy replies that differ from generate alone: {len(gaps)} of {len(ours)}, of which no near-tie (gap >= {NEAR_TIE:g}): {len(far)}"
    )


@dataclass(frozen=True)
class Leap:
    """The sizes of a LeaP-shaped load, in tokens (facts of the paper's code at their real sizes: see `FULL`)."""

    paths: int
    think: int
    blocks: int
    prompt: int
    dropped: int
    lead: int
    summary: int
    comments: int
    cue: int
    answer: int

    @property
    def lower_bound(self) -> int:
        """The fewest tokens that must go through the model: the prompt once, everything that is added once for each path."""
        block = self.lead + self.summary + self.comments
        return self.prompt + self.paths * (
            (self.blocks + 1) * self.think + self.blocks * block + self.cue + self.answer
        )

    @property
    def tokens_without_cache(self) -> int:
        """The tokens that go through where every call reads its whole prompt again."""
        total, context = self.prompt + self.think, self.prompt + self.think
        for _ in range(self.blocks):
            context += self.lead - self.dropped
            total += context + self.summary
            context += self.summary + self.comments
            total += context + self.think
            context += self.think
        return self.paths * (total + context + self.cue + self.answer)


FULL = Leap(16, 4096, 4, 575, 40, 34, 256, 1082, 19, 256)
REDUCED = Leap(16, 64, 4, 48, 6, 6, 12, 40, 4, 12)


async def leap(engine: Engine, sizes: Leap, words: int) -> None:
    """Play the load: every path thinks, is cut back, summarises, reads its peers and thinks on; a barrier after each step."""
    draw = random.Random(3)

    def some(count: int) -> list[int]:
        """Tokens that somebody else wrote."""
        return draw.choices(range(words), k=count)

    async def go_on(count: int) -> None:
        """Let every path generate so many tokens."""
        jobs = [
            Job(tuple(path), count, TokenSampling(1.0), seed=draw.randrange(2**31), group="episode")
            for path in paths
        ]
        for path, reply in zip(
            paths, await asyncio.gather(*map(engine.generate, jobs)), strict=True
        ):
            path.extend(reply.ids)

    prompt = some(sizes.prompt)
    paths = [list(prompt) for _ in range(sizes.paths)]
    await go_on(sizes.think)
    for _ in range(sizes.blocks):
        for path in paths:
            del path[-sizes.dropped :]
            path += some(sizes.lead)
        await go_on(sizes.summary)
        for path in paths:
            path += some(sizes.comments)
        await go_on(sizes.think)
    for path in paths:
        path += some(sizes.cue)
    await go_on(sizes.answer)


def leap_tokens(sizes: Leap) -> None:
    """Print what a LeaP-shaped load takes in forward tokens, beside the bound and beside reading every prompt again."""
    longest = (
        sizes.prompt
        + (sizes.blocks + 1) * (sizes.think + sizes.lead + sizes.summary + sizes.comments)
        + sizes.answer
    )
    model = make_model("smallest", "cpu", "float32", longest)
    engine = Engine(SlotRows(model, sizes.paths, longest), str)
    before = time.process_time()
    asyncio.run(leap(engine, sizes, model.config.vocab_size))
    engine.close()
    forward = engine.counts.prefilled + engine.counts.decoded
    print(
        f"LeaP {sizes.paths} x {sizes.think} x {sizes.blocks}: {forward:,} forward tokens, bound {sizes.lower_bound:,}"
        f" ({forward / sizes.lower_bound:.4f} times), every prompt read again {sizes.tokens_without_cache:,}"
        f" ({sizes.tokens_without_cache / forward:.2f} times more); {time.process_time() - before:.0f} CPU s"
    )


@torch.inference_mode()
def measures(device: str, dtype: str, rounds: int) -> None:
    """Print what measuring every token costs beside a decoding step with a vocabulary of 150 thousand."""
    model = make_model("wide", device, dtype, 512)
    for rows in (1, 16):
        cache = SlotRows(model, rows, 64)
        ids = np.ones((rows, 1), np.int64)
        step, cost = [], []
        for n in range(5 * rounds):
            before = time.process_time()
            logits = cache.forward(0, ids, np.full((rows, 1), n))[:, -1]
            chosen = logits.argmax(-1)
            middle = time.process_time()
            measure(logits, chosen)
            cost.append(time.process_time() - middle)
            step.append(middle - before)
        share = statistics.median(a / b for a, b in zip(cost, step, strict=True))
        print(
            f"measures, {rows:2} rows, vocabulary 151,936, 4 layers of 1024: {1e3 * statistics.median(cost):.2f} of"
            f" {1e3 * statistics.median(step):.1f} ms a step ({100 * share:.1f}%)"
        )


@torch.inference_mode()
def limits_of_gpu(model: PreTrainedModel) -> None:
    """Print decode as a share of the memory bandwidth, and prefill as a share of peak arithmetic, both measured on this GPU."""
    weights = sum(weight.nbytes for weight in model.parameters())
    block = torch.empty(2**30, dtype=torch.uint8, device=model.device)
    bandwidth = 2 * block.nbytes * 20 / gpu_seconds(lambda: [block.clone() for _ in range(20)])
    square = torch.randn(8192, 8192, dtype=model.dtype, device=model.device)
    peak = 10 * 2 * 8192**3 / gpu_seconds(lambda: [square @ square for _ in range(10)])
    for rows, context in ((1, 512), (16, 512), (64, 512)):
        cache, one = SlotRows(model, rows, context + 64), np.ones((rows, 1), np.int64)
        took = (
            gpu_seconds(
                lambda c=cache, ids=one, at=one * context: [
                    c.forward(0, ids, at) for _ in range(20)
                ]
            )
            / 20
        )
        share = (weights + rows * context * bytes_per_token(model)) / took / bandwidth
        print(
            f"decode, {rows:2} rows at {context}: {1e3 * took:.2f} ms a step, {100 * share:.0f}% of the bandwidth of a copy"
        )
    cache = SlotRows(model, 1, 4096)
    took = gpu_seconds(
        lambda: cache.forward(0, np.ones((1, 4096), np.int64), np.arange(4096)[None])
    )
    share = 2 * 4096 * sum(weight.numel() for weight in model.parameters()) / took / peak
    print(
        f"prefill, 4096 tokens: {1e3 * took:.1f} ms, {100 * share:.0f}% of the arithmetic of a matrix product"
    )


def gpu_seconds(work: Callable[[], object]) -> float:
    """Seconds that the device takes for some work, after it has been done once."""
    work()
    torch.cuda.synchronize()
    before = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - before


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--full",
        action="store_true",
        help="the LeaP-shaped load at the paper's size (some CPU minutes)",
    )
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    getLogger("ContinuousBatchingLogger").setLevel("CRITICAL")
    logging.disable_progress_bar()
    name = torch.cuda.get_device_name() if args.device.startswith("cuda") else "CPU, one thread"
    print(f"torch {torch.__version__}, {name}, {args.shape}, {args.dtype}")
    model = make_model(args.shape, args.device, args.dtype)
    speed(model, args.rounds)
    ties(model)
    leap_tokens(FULL if args.full else REDUCED)
    if args.device.startswith("cuda"):
        limits_of_gpu(model)
    else:
        measures(args.device, args.dtype, args.rounds)


if __name__ == "__main__":
    main()
