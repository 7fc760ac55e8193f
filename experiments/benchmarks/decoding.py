"""Compare what ways of decoding cost in the local engine with what each of them needs.

    python experiments/benchmarks/decoding.py [--shape small] [--rows 8] [--tokens 64] [--rounds 5]

Forward tokens are counted by the engine, and by the definition of each method.  Time is that of the
process on a CPU, one torch thread, random weights, in turns with what the method needs: medians of
the rounds, and the median of the ratios within a round.

- Soft thinking needs the passes of plain decoding, and the arithmetic of its concept tokens and
  their embeddings, for all rows at once.
- CK-PLUG needs the passes of plain decoding on twice the rows, and the weighing of two
  distributions.
- A stop by self-certainty needs plain decoding, which measures it anyway.
- Speculative thinking needs, of each model, the tokens that it has to read before it goes on, and
  those that it writes.  They are counted by a loop that keeps what a model has seen, and timed as
  plain jobs of the engine, one after another.  Drafts that are dropped are part of the method.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from transformers import PreTrainedModel

# Started as a program, a file finds only its neighbours.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.decoding.ck_plug import plug
from agents.local.decoding.handover import Generate, Handover
from agents.local.decoding.soft_thinking import Mixture, concepts, embed_mixtures
from agents.local.decoding.states import Way
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from arena.decoding import CertaintyStop, CkPlug, SoftThinking, SpeculativeThinking
from experiments.benchmarks.engine import laid_out, make_model

GREEDY = TokenSampling(0.0)
SOFT = SoftThinking(cold_entropy=0.0)
SURE = CertaintyStop(1e9, window=16)
# A small piece, so that much is handed over.
SPECULATIVE = SpeculativeThinking("local/a/larger", piece=20, check_tokens=25, check_limit=25)
END = (5, 6)
CONTEXT = 24
Result = TypeVar("Result")


@dataclass(frozen=True)
class Cost:
    """Forward tokens and CPU seconds of a load, for so many tokens of replies."""

    tokens: int
    forward: int
    seconds: float


def played(model: PreTrainedModel, jobs: Sequence[Job]) -> Cost:
    """Return what jobs cost in the engine, and the measures of the first."""
    rows = sum(1 + bool(job.beside) for job in jobs)
    engine = Engine(SlotRows(model, rows, 256), str)

    async def ask() -> list[GenerationResult]:
        # Memory is allocated at the first pass, which is not counted.
        await engine.generate(Job((1, 2, 3), 2, GREEDY))
        return list(await asyncio.gather(*map(engine.generate, jobs)))

    before = engine.counts.prefilled + engine.counts.decoded
    start = time.process_time()
    try:
        results = asyncio.run(ask())
    finally:
        engine.close()
    seconds = time.process_time() - start
    forward = engine.counts.prefilled + engine.counts.decoded - before - 4
    return Cost(sum(len(result.ids) for result in results), forward, seconds)


def jobs_of(rows: int, tokens: int, words: int, way: object = None) -> list[Job]:
    """Return jobs of one way, with prompts of 32 tokens that have nothing in common."""
    draw = random.Random(rows)
    jobs = []
    for number in range(rows):
        ids = tuple(draw.choices(range(10, words), k=32))
        beside = ids[CONTEXT:] if isinstance(way, CkPlug) else ()
        chosen = None
        if isinstance(way, SoftThinking | CkPlug | CertaintyStop):
            chosen = Way(way, () if beside else END)
        jobs.append(Job(ids, tokens, GREEDY, seed=number, way=chosen, beside=beside))
    return jobs


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def arithmetic(work: Callable[[], object], times: int) -> float:
    """Return the CPU seconds of some work, done `times` times."""
    work()
    start = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - start


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def some_logits(model: PreTrainedModel, rows: int, begin: int = 0) -> torch.Tensor:
    """Return the logits [rows, vocabulary] after the prompts of the jobs, from a token on."""
    ids = [job.ids[begin:] for job in jobs_of(rows, 1, model.config.vocab_size)]
    logits: torch.Tensor = model(torch.tensor(ids)).logits[:, -1].clone()
    return logits


def soft_work(model: PreTrainedModel, rows: int) -> Callable[[], object]:
    """Return the arithmetic of one step of soft thinking for some rows."""
    logits = some_logits(model, rows)
    embedding = model.get_input_embeddings()

    def work() -> object:
        found = concepts(logits, SOFT)
        pairs = zip(found.tokens.tolist(), found.weights.tolist(), strict=True)
        return embed_mixtures(embedding, [Mixture(*pair) for pair in pairs])

    return work


def plug_work(model: PreTrainedModel, rows: int) -> Callable[[], object]:
    """Return the arithmetic of one step of CK-PLUG for some rows."""
    c, p = some_logits(model, rows), some_logits(model, rows, CONTEXT)
    return lambda: plug(c, p, [CkPlug()] * rows)


Call = tuple[int, tuple[int, ...], tuple[int, ...]]


def least_tokens(calls: Sequence[Call]) -> int:
    """Return how many tokens must run through two models: of calls (model, ids, new ids)."""
    seen: list[tuple[int, ...]] = [(), ()]
    total = 0
    for number, ids, new in calls:
        before = seen[number]
        pairs = zip(before, ids, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(ids)))
        # The last token is read anew, since its logits are needed; the last one written is not.
        total += len(ids) - min(same, len(ids) - 1) + len(new) - 1
        seen[number] = (*ids, *new[:-1])
    return total


def text_of(ids: Sequence[int]) -> str:
    """Return words for the tokens of random models: paragraphs end, and some of them reflect."""
    words = {0: "\n\n", 1: "wait ", 2: "\n\n", 3: "yes "}
    return "".join(words.get(token % 24, ".") for token in ids)


def speculative(models: Sequence[PreTrainedModel], tokens: int) -> tuple[Cost, Cost, str]:
    """Return what one reply of two models costs, and what its passes cost as plain jobs."""
    [job] = jobs_of(1, tokens, models[0].config.vocab_size)
    calls: list[Call] = []

    def engines() -> list[Engine]:
        return [Engine(SlotRows(model, 2, 512), text_of) for model in models]

    def timed(ask: Callable[[list[Engine]], Awaitable[Result]]) -> tuple[Result, float]:
        running = engines()

        async def warmed() -> Result:
            for engine in running:
                await engine.generate(Job((1, 2, 3), 2, GREEDY))
            return await ask(running)

        start = time.process_time()
        try:
            return asyncio.run(warmed()), time.process_time() - start
        finally:
            for engine in running:
                engine.close()

    async def hand_over(running: list[Engine]) -> GenerationResult:
        def watched(number: int) -> Generate:
            async def generate(each: Job) -> GenerationResult:
                result = await running[number].generate(each)
                calls.append((number, each.ids, result.ids))
                return result

            return generate

        check = (7, 8, 9)
        return await Handover(SPECULATIVE, job, watched(0), watched(1), text_of, check).write()

    async def replay(running: list[Engine]) -> None:
        for number, ids, new in calls:
            await running[number].generate(Job(ids, len(new), GREEDY))

    result, seconds = timed(hand_over)
    measures = result.measures
    forward = int(measures["forward_tokens"] + measures["forward_tokens_larger"])
    ours = Cost(len(result.ids), forward, seconds)
    _, seconds = timed(replay)
    theirs = Cost(len(result.ids), least_tokens(calls), seconds)
    share = measures["handed_over_tokens"] / len(result.ids)
    return ours, theirs, f"{share:.0%} handed over, {measures['dropped_tokens']:.0f} dropped"


@dataclass(frozen=True)
class Round:
    """One round of a way: what it cost, what it needs, and what plain decoding costs."""

    ours: Cost
    needed: Cost
    plain: Cost


def one_round(model: PreTrainedModel, rows: int, tokens: int) -> dict[str, Round]:
    """Return the cost of the ways that run in one engine."""
    words = model.config.vocab_size
    plain = played(model, jobs_of(rows, tokens, words))
    pairs = jobs_of(rows, tokens, words, CkPlug())
    alone = [Job(ids, tokens, GREEDY) for job in pairs for ids in (job.ids, job.beside)]
    both = played(model, alone)
    soft = arithmetic(soft_work(model, rows), tokens)
    weighing = arithmetic(plug_work(model, rows), tokens)
    found = {}
    for name, way, needed in (
        ("soft thinking", SOFT, Cost(plain.tokens, plain.forward, plain.seconds + soft)),
        ("CK-PLUG", CkPlug(), Cost(plain.tokens, both.forward, both.seconds + weighing)),
        ("a stop by self-certainty", SURE, plain),
    ):
        jobs = jobs_of(rows, tokens, words, way)
        found[name] = Round(played(model, jobs), needed, plain)
    return found


def print_row(name: str, rounds: Sequence[Round], note: str = "") -> None:
    """Print forward tokens and time a token, beside plain decoding and the need."""

    def median(value: Callable[[Round], float]) -> float:
        return statistics.median(map(value, rounds))

    def a_token(cost: Cost) -> float:
        return 1000 * cost.seconds / cost.tokens

    first = rounds[0]
    print(
        f"| {name} | {first.ours.forward / first.ours.tokens:.2f}"
        f" | {first.ours.forward / first.needed.forward:.3f}"
        f" | {median(lambda each: a_token(each.ours)):.2f} ms"
        f" | {median(lambda each: a_token(each.ours) / a_token(each.plain)):.2f}"
        f" | {median(lambda each: each.ours.seconds / each.needed.seconds):.3f} | {note} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", default="small", choices=["small", "wide"])
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = laid_out(make_model(options.shape, "cpu", "float32"))
    rounds = [one_round(model, options.rows, options.tokens) for _ in range(options.rounds)]
    print(
        "| way | forward tokens a token | of the need | CPU time a token | of plain decoding"
        " | of the need | |\n|---|---|---|---|---|---|---|"
    )
    for name in rounds[0]:
        print_row(name, [each[name] for each in rounds])
    larger = laid_out(make_model(options.shape, "cpu", "float32"))
    pairs = []
    for _ in range(options.rounds):
        ours, theirs, note = speculative([model, larger], 3 * options.tokens)
        plain = played(model, jobs_of(1, 3 * options.tokens, model.config.vocab_size))
        pairs.append(Round(ours, theirs, plain))
    print_row("speculative thinking, one reply", pairs, note)


if __name__ == "__main__":
    main()
