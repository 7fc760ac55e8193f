"""Measure the local engine on a GPU; engine.py --device cuda prints these tables.

A decoding step must read all weights once, and the keys and values of the context of each row.
"Share" is the time that these bytes take at the rate of a copy, measured on the same card, over the
time that a step takes through the whole engine: scheduling, drawing and measuring included.

Every part also runs on a CPU with a tiny model (`engine.py --dry`), on the plain twins of the
kernels: a card is lent for minutes, and no part may fail then.  Its figures mean nothing.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from agents.local.choosing import TokenSampling
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.forward import ModelForward, OwnForward
from agents.local.lanes import LaneRows
from agents.local.loading import LoadedModel
from agents.local.settings import Settings
from agents.local.sizing import EXACT_LANES, bytes_per_token, centred, probe_logits, rows_for

# Started as a program, a file finds only its neighbours.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.benchmarks.leap_load import Leap, leap

GENERATED = 64
LEAP = Leap(16, 256, 4, 512, 20, 34, 64, 300, 19, 64)
# Of a dry run: rows and their context, and a load.
TINY = (3, 96)
TINY_LEAP = Leap(3, 8, 1, 20, 4, 4, 4, 8, 4, 4)
GREEDY = TokenSampling(0.0)
FAILED: list[str] = []
SAMPLINGS = (
    TokenSampling(1.0),
    TokenSampling(0.6, 20, 0.95),
    TokenSampling(1.0, top_p=0.9),
    TokenSampling(1.3, min_p=0.02),
)


@dataclass(frozen=True)
class Limits:
    """What the card can do, measured: bytes a second of a copy, operations a second of a product.

    `weights` are the bytes that a decoding step reads, `operations` those of a token of a prompt,
    `token` the bytes of keys and values of a token.
    """

    bandwidth: float
    peak: float
    weights: int
    operations: float
    token: int

    def step(self, rows: int, context: float) -> float:
        """Return the seconds that a decoding step takes at least."""
        return (self.weights + rows * context * self.token) / self.bandwidth


def measure_limits(model: PreTrainedModel) -> Limits:
    """Return the limits of the card for a model."""
    size, side = (2**30, 8192) if is_on_gpu(model) else (2**20, 256)
    block = torch.empty(size, dtype=torch.uint8, device=model.device)
    target = torch.empty_like(block)
    copying = seconds_of(lambda: target.copy_(block), 20)
    square = torch.randn(side, side, dtype=model.dtype, device=model.device)
    product = seconds_of(lambda: square @ square, 20)
    embedding = model.get_input_embeddings().weight
    numbers = sum(weight.numel() for weight in model.parameters()) - embedding.numel()
    if model.get_output_embeddings().weight is embedding:
        numbers += embedding.numel()
    head = model.get_output_embeddings().weight.numel()
    return Limits(
        2 * block.nbytes / copying,
        2 * side**3 / product,
        numbers * model.dtype.itemsize,
        # The head runs for the last token of a prompt alone.
        2 * (numbers - head),
        bytes_per_token(model),
    )


def is_on_gpu(model: PreTrainedModel) -> bool:
    """Return whether the figures of a model are those of a card."""
    return model.device.type == "cuda"


def synchronize() -> None:
    """Wait until a card has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], object], times: int = 1) -> float:
    """Return the seconds that the device takes for some work, after it has been done once."""
    work()
    synchronize()
    before = time.perf_counter()
    for _ in range(times):
        work()
    synchronize()
    return (time.perf_counter() - before) / times


@contextmanager
def engine_of(
    model: PreTrainedModel, seeds: str, slots: int | None = None, context: int | None = None
) -> Iterator[Engine]:
    """Start an engine as a reference with these settings would."""
    if is_on_gpu(model):
        loaded = LoadedModel(model, None, "bfloat16", "cuda", frozenset())
        rows = rows_for(loaded, Settings(seeds=seeds, slots=slots, context=context))
    else:
        rows = LaneRows(OwnForward(model, 512), 8, 512, widest=8, exact=seeds == "exact", page=64)
    engine = Engine(rows, str)
    try:
        yield engine
    finally:
        engine.close()
        del engine, rows
        if is_on_gpu(model):
            torch.cuda.empty_cache()


def generate_all(engine: Engine, jobs: Sequence[Job]) -> list[GenerationResult]:
    """Return the replies to jobs that come all at once."""

    async def ask() -> list[GenerationResult]:
        return list(await asyncio.gather(*map(engine.generate, jobs)))

    return asyncio.run(ask())


def decode_jobs(model: PreTrainedModel, rows: int, context: int) -> list[Job]:
    """Return jobs whose mean context is `context` tokens while they generate."""
    draw = random.Random(rows * context)
    words = range(model.config.vocab_size)
    length = context - GENERATED // 2
    return [
        Job(tuple(draw.choices(words, k=length)), GENERATED, TokenSampling(1.0), seed=n)
        for n in range(rows)
    ]


def print_decoding(
    model: PreTrainedModel,
    limits: Limits,
    engine: Engine,
    seeds: str,
    sizes: Sequence[tuple[int, int]],
) -> None:
    """Print the time of a decoding step through the engine, and its share of the limit."""
    for rows, context in sizes:
        jobs = decode_jobs(model, rows, context)
        before = time.perf_counter()
        generate_all(engine, jobs)
        first = time.perf_counter() - before
        steps = engine.counts.steps
        # Its prompts are in the rows now: only their last tokens are read again.
        before = time.perf_counter()
        generate_all(engine, jobs)
        seconds = time.perf_counter() - before
        step = seconds / GENERATED
        print(
            f"{seeds:6} {rows:4} x {context:5}: {1e3 * step:7.2f} ms a token,"
            f" {rows / step:8.0f} tokens/s, share {limits.step(rows, context) / step:.2f}"
            f"   (first time, with prompts: {first:.1f} s; {engine.counts.steps - steps} steps)"
        )


def print_generate(
    model: PreTrainedModel, limits: Limits, sizes: Sequence[tuple[int, int]]
) -> None:
    """Print the time of a step of transformers' `generate`."""
    for rows, context in sizes:
        ids = torch.randint(0, model.config.vocab_size, (rows, context - 8), device=model.device)

        def work(count: int, ids: torch.Tensor = ids) -> None:
            with torch.inference_mode():
                model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=count,
                    do_sample=False,
                    pad_token_id=0,
                )

        work(1)
        step = (seconds_of(lambda: work(17)) - seconds_of(lambda: work(1))) / 16
        print(
            f"generate {rows:4} x {context:5}: {1e3 * step:7.2f} ms a token,"
            f" {rows / step:8.0f} tokens/s, share {limits.step(rows, context) / step:.2f}"
        )


def print_prefill(model: PreTrainedModel, limits: Limits, engine: Engine, seeds: str) -> None:
    """Print how fast prompts are read, as a share of the arithmetic of a product of matrices."""
    draw = random.Random(9)
    words = range(model.config.vocab_size)
    sizes = ((4, 4096), (16, 512), (64, 100)) if is_on_gpu(model) else ((2, 200),)
    for count, length in sizes:
        jobs = [Job(tuple(draw.choices(words, k=length)), 1, GREEDY) for _ in range(count)]
        before = time.perf_counter()
        generate_all(engine, jobs)
        seconds = time.perf_counter() - before
        tokens = count * length
        print(
            f"{seeds:6} prompts, {count} x {length}: {1e3 * seconds:.0f} ms,"
            f" {tokens / seconds:.0f} tokens/s,"
            f" share of peak {limits.operations * tokens / seconds / limits.peak:.2f}"
        )


def print_leap(model: PreTrainedModel, limits: Limits, engine: Engine, seeds: str) -> None:
    """Print the time of a LeaP-shaped load, and its share of the limit.

    The limit is one decoding step for each token of a path, and the arithmetic of all that is read.
    """
    counts = engine.counts
    sizes = LEAP if is_on_gpu(model) else TINY_LEAP
    prefilled, decoded, steps = counts.prefilled, counts.decoded, counts.steps
    before = time.perf_counter()
    asyncio.run(leap(engine, sizes, model.config.vocab_size))
    seconds = time.perf_counter() - before
    generated = (sizes.blocks + 1) * sizes.think + sizes.blocks * sizes.summary + sizes.answer
    longest = (sizes.lower_bound - sizes.prompt) / sizes.paths + sizes.prompt
    least = generated * limits.step(sizes.paths, (sizes.prompt + longest) / 2)
    given = sizes.lower_bound - sizes.paths * generated
    least += given * limits.operations / limits.peak
    print(
        f"{seeds:6} LeaP {sizes.paths} x {sizes.blocks} x {sizes.think}: {seconds:.1f} s,"
        f" {sizes.paths * generated / seconds:.0f} tokens/s, share {least / seconds:.2f};"
        f" read {counts.prefilled - prefilled}, decoded {counts.decoded - decoded}"
        f" in {counts.steps - steps} steps; bound {sizes.lower_bound}"
    )


def print_ties(model: PreTrainedModel, engine: Engine, count: int = 16, longest: int = 32) -> None:
    """Print how many greedy replies differ from `generate` alone, and by how close a tie."""
    draw = random.Random(5)
    words = range(model.config.vocab_size)
    prompts = [tuple(draw.choices(words, k=draw.randrange(20, 300))) for _ in range(count)]
    replies = generate_all(engine, [Job(ids, longest, GREEDY) for ids in prompts])
    gaps, equal = [], 0
    for ids, reply in zip(prompts, replies, strict=True):
        there = torch.tensor([ids], device=model.device)
        with torch.inference_mode():
            whole = model.generate(
                there, attention_mask=torch.ones_like(there), max_new_tokens=longest,
                do_sample=False, pad_token_id=0,
            )  # fmt: skip
        theirs = whole[0, len(ids) :].tolist()
        differs = next(
            (n for n, pair in enumerate(zip(reply.ids, theirs, strict=True)) if pair[0] != pair[1]),
            None,
        )
        equal += longest if differs is None else differs
        if differs is None:
            continue
        with torch.inference_mode():
            logits = (
                model(torch.tensor([[*ids, *theirs[:differs]]], device=model.device))
                .logits[0, -1]
                .float()
            )
        gap = float((logits[reply.ids[differs]] - logits[theirs[differs]]).abs())
        gaps.append(gap / float(logits.std()))
    print(
        f"greedy: {count - len(gaps)} of {count} replies equal `generate` alone; gaps where they"
        f" part, in spreads of the logits: {[round(gap, 3) for gap in gaps]}"
    )


def seed_jobs(model: PreTrainedModel, count: int, longest: int = 32) -> list[Job]:
    """Return sampled jobs of several lengths and settings."""
    draw = random.Random(11)
    words = range(model.config.vocab_size)
    return [
        Job(
            tuple(draw.choices(words, k=draw.randrange(5, 400))),
            longest,
            SAMPLINGS[n % len(SAMPLINGS)],
            seed=n,
            group=str(n % 7),
        )
        for n in range(count)
    ]


def print_seeds(
    model: PreTrainedModel, engine: Engine, other: Engine, count: int, seconds: float
) -> None:
    """Print how many sampled replies are the same in a batch, in other company and alone.

    `other` is another engine of the same model, without kept rows, with other numbers of rows.  It
    is asked for replies alone for as long as there is time.
    """
    jobs = seed_jobs(model, count)
    first = generate_all(engine, jobs)

    def report(name: str, replies: Sequence[GenerationResult], asked: Sequence[int]) -> None:
        pairs = [(first[n], reply) for n, reply in zip(asked, replies, strict=True)]
        same = sum(one.ids == again.ids for one, again in pairs)
        exact = sum(one.measures == again.measures for one, again in pairs)
        print(f"seeds, {name}: {same} of {len(pairs)} replies equal, {exact} with equal measures")

    report("the same batch again", generate_all(engine, jobs), range(count))
    backwards = list(range(count))[::-1]
    report("the other order", generate_all(engine, [jobs[n] for n in backwards]), backwards)
    report("few rows", generate_all(other, jobs), range(count))
    few = range(0, count, 4)
    sevens = []
    for start in range(0, len(few), 7):
        sevens += generate_all(engine, [jobs[n] for n in few[start : start + 7]])
    report("seven at a time", sevens, few)
    began = time.perf_counter()
    alone = []
    while len(alone) < count and time.perf_counter() - began < seconds:
        alone += generate_all(other, [jobs[len(alone)]])
    report("alone", alone, range(len(alone)))


@torch.inference_mode()
def print_errors(model: PreTrainedModel) -> None:
    """Print how far logits lie from those in float32: ours and those of transformers."""
    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, (1, 12))
    tokens = torch.from_numpy(ids).to(model.device)
    theirs = centred(model(tokens).logits[0, -2:].float())
    found = {"transformers": theirs}
    for way in (OwnForward, ModelForward):
        for exact in (True, False):
            widest = EXACT_LANES if is_on_gpu(model) else 16
            rows = LaneRows(way(model, 64), 3, 64, widest=widest, exact=exact)
            last = probe_logits(rows, ids)
            found[f"{way.name}, {'exact' if exact else 'free'}"] = torch.stack([r[0] for r in last])
            del rows
    whole = model.float()
    truth = centred(whole(tokens).logits[0, -2:])
    for name, logits in found.items():
        error = float((logits - truth).square().mean().sqrt() / truth.std())
        print(f"logits of {name} from those in float32: {error:.4f} of their spread")


def print_filters(model: PreTrainedModel, engine: Engine, seeds: str) -> None:
    """Print the time of a token with the filters that models ask for."""
    rows, context = (64, 512) if is_on_gpu(model) else TINY
    for sampling in (TokenSampling(0.6, 20, 0.95), TokenSampling(1.0, top_p=0.95)):
        jobs = [
            Job(job.ids, job.max_tokens, sampling, job.seed)
            for job in decode_jobs(model, rows, context)
        ]
        generate_all(engine, jobs)
        before = time.perf_counter()
        generate_all(engine, jobs)
        step = (time.perf_counter() - before) / GENERATED
        print(f"{seeds:6} {rows} x {context}, {sampling}: {1e3 * step:.2f} ms a token")


def print_kernels(engine: Engine, model: PreTrainedModel, rows: int, context: int) -> None:
    """Print the kernels of decoding steps, by their share of the time."""
    from torch.profiler import ProfilerActivity, profile

    jobs = decode_jobs(model, rows, context)
    generate_all(engine, jobs)
    kind = ProfilerActivity.CUDA if is_on_gpu(model) else ProfilerActivity.CPU
    with profile(activities=[kind]) as found:
        generate_all(engine, [Job(job.ids, 12, job.sampling, job.seed) for job in jobs])
    events = found.key_averages()
    total = sum(event.self_device_time_total for event in events)
    count = sum(event.count for event in events)
    print(f"kernels, {rows} x {context}: {total / 12 / 1e3:.2f} ms and {count / 12:.0f} a token")
    for event in sorted(events, key=lambda event: -event.self_device_time_total)[:16]:
        print(
            f"  {event.self_device_time_total / 12 / 1e3:7.3f} ms {event.count / 12:7.1f} times"
            f"  {event.key[:100]}"
        )


def attempt(name: str, work: Callable[[], object]) -> None:
    """Do a part of the measurement; if it fails, say so and go on with the next."""
    before = time.perf_counter()
    try:
        work()
    except Exception:
        traceback.print_exc(limit=12, file=sys.stdout)
        FAILED.append(name)
    print(f"-- {name}: {time.perf_counter() - before:.1f} s", flush=True)


def print_model_forward(model: PreTrainedModel, limits: Limits) -> None:
    """Print the time of a token through the model's own code, as other architectures take it."""
    slots, sizes = (64, [(16, 512), (64, 512)]) if is_on_gpu(model) else (4, [TINY])
    forward = ModelForward(model, 1024)
    rows = LaneRows(forward, slots, 1024, pages=300, widest=slots, exact=False)
    engine = Engine(rows, str)
    try:
        print_decoding(model, limits, engine, "other", sizes)
    finally:
        engine.close()


def print_gpu_tables(
    model: PreTrainedModel, minutes: float, only: Sequence[str] = ("exact", "free", "others")
) -> None:
    """Print all tables, or some; parts for which there is no time left are named."""
    end = time.perf_counter() + 60 * minutes
    limits = measure_limits(model)
    print(
        f"copy {limits.bandwidth / 1e12:.2f} TB/s, products {limits.peak / 1e12:.0f} TFLOP/s,"
        f" a step reads {limits.weights / 1e9:.1f} GB and {limits.token / 1e3:.0f} kB a token"
    )

    def part(name: str, seconds: float, work: Callable[[], object]) -> None:
        if time.perf_counter() + seconds > end:
            print(f"-- {name}: no time left")
        else:
            attempt(name, work)

    def print_engine(seeds: str, sizes: Sequence[tuple[int, int]]) -> None:
        with engine_of(model, seeds) as engine:
            for rows, context in sizes:
                table = partial(print_decoding, model, limits, engine, seeds, [(rows, context)])
                part(f"{seeds} {rows} x {context}", 10, table)
            part("prompts", 20, partial(print_prefill, model, limits, engine, seeds))
            part("LeaP", 20, partial(print_leap, model, limits, engine, seeds))
            part("filters", 5, partial(print_filters, model, engine, seeds))
            size = (16, 512) if is_on_gpu(model) else TINY
            part("kernels", 5, partial(print_kernels, engine, model, *size))

    def print_proofs() -> None:
        # Two engines side by side, of which neither may take all memory.
        with (
            engine_of(model, "exact", context=1024) as engine,
            engine_of(model, "exact", slots=20, context=512) as other,
        ):
            count = 200 if is_on_gpu(model) else 8
            part("seeds", 30, partial(print_seeds, model, engine, other, count, 60))
            part("ties", 20, partial(print_ties, model, engine))

    short = [(rows, 512) for rows in (1, 4, 16, 64, 128, 256)]
    exact = [*short[:5], (1, 4096), (16, 4096)]
    free = [*short, (1, 4096), (16, 4096), (64, 4096)]
    static = [(64, 512)]
    if not is_on_gpu(model):
        exact = free = static = [TINY]
    if "exact" in only:
        attempt("exact", lambda: print_engine("exact", exact))
        attempt("proofs", print_proofs)
    if "free" in only:
        attempt("free", lambda: print_engine("free", free))
    if "others" in only:
        attempt("other architectures", lambda: print_model_forward(model, limits))
        part("generate", 15, partial(print_generate, model, limits, static))
        part("errors", 10, partial(print_errors, model))
