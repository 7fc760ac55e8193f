"""A reply in a batch is the reply alone: whatever else runs, and when memory runs out."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.local import cache
from agents.local.cache import SlotRows, attention_windows
from agents.local.choosing import TokenSampling
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.lanes import LaneRows
from agents.local.loading import LoadedModel, load
from agents.local.rows import Rows
from agents.local.settings import Settings
from agents.local.sizing import rows_for
from arena.errors import ContextOverflowError, ModelError, RefusedError, UnreachableError
from tests.tiny_models import KINDS, tiny

# Compares with transformers alone, over many batches: two minutes.
pytestmark = pytest.mark.slow

GREEDY, WARM = TokenSampling(0.0), TokenSampling(1.3)
NEAR_TIE = 1e-4
WORDS = 260


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load(str(tiny(tmp_path_factory.mktemp("tiny"))), Settings())


def engine(loaded: LoadedModel, *, slots: int = 4, context: int = 128, chunk: int = 16) -> Engine:
    return Engine(
        rows_for(loaded, Settings(slots=slots, context=context)),
        loaded.tokenizer.decode,
        chunk=chunk,
    )


def forward_rows(loaded: LoadedModel, slots: int, context: int) -> Rows:
    """Rows that run by forward passes, also where a GPU has lanes."""
    rows = rows_for(loaded, Settings(slots=slots, context=context))
    return SlotRows(loaded.model, slots, context) if isinstance(rows, LaneRows) else rows


async def generate_all(running: Engine, jobs: list[Job]) -> list[GenerationResult]:
    """Return the replies to jobs that come all at once, and close the engine."""
    try:
        return list(await asyncio.gather(*map(running.generate, jobs)))
    finally:
        running.close()


def alone(loaded: LoadedModel, job: Job) -> tuple[int, ...]:
    """Return the reply of transformers' own `generate`."""
    ids = torch.tensor([job.ids], device=loaded.model.device)
    whole = loaded.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=job.max_tokens, do_sample=False
    )
    return tuple(whole[0, len(job.ids) :].tolist())


def is_same_but_for_near_ties(loaded: LoadedModel, job: Job, ours: tuple[int, ...]) -> bool:
    theirs = alone(loaded, job)
    if ours == theirs:
        return True
    where = next(n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
    with torch.inference_mode():
        ids = torch.tensor([[*job.ids, *theirs[:where]]], device=loaded.model.device)
        logits = loaded.model(ids).logits[0, -1]
    return float((logits[ours[where]] - logits[theirs[where]]).abs()) < NEAR_TIE


@dataclass(frozen=True)
class LoadItem:
    """A request of a random load.

    It shares the first `shared` tokens of its prompt with the others, comes after `wait_ms`, and
    may be given up.
    """

    shared: int
    own: tuple[int, ...]
    longest: int
    group: int
    wait_ms: int
    gives_up: bool

    def job(self, loaded: LoadedModel) -> Job:
        common = random.Random(5).choices(range(WORDS), k=60)
        return Job(
            (*common[: self.shared], *self.own),
            self.longest,
            GREEDY,
            end_ids=loaded.end_ids,
            group=f"g{self.group}",
        )


LOADS = st.lists(
    st.builds(
        LoadItem,
        shared=st.integers(0, 60),
        own=st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=30).map(tuple),
        longest=st.integers(1, 12),
        group=st.integers(0, 3),
        wait_ms=st.integers(0, 20),
        gives_up=st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(load_=LOADS, slots=st.integers(1, 5), chunk=st.sampled_from([3, 16, 64]))
def test_greedy_replies_are_those_of_generate_alone(
    loaded: LoadedModel, load_: list[LoadItem], slots: int, chunk: int
) -> None:
    async def play(running: Engine, item: LoadItem) -> GenerationResult | None:
        await asyncio.sleep(item.wait_ms / 1000)
        task = asyncio.ensure_future(running.generate(item.job(loaded)))
        if item.gives_up:
            await asyncio.sleep(0.003)
            task.cancel()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    async def all_of_them() -> list[GenerationResult | None]:
        running = engine(loaded, slots=slots, chunk=chunk)
        try:
            # Twice, so that the second time everything finds a prefix in a row.
            for _ in range(2):
                replies = await asyncio.gather(*(play(running, item) for item in load_))
            return replies
        finally:
            running.close()

    for item, reply in zip(load_, asyncio.run(all_of_them()), strict=True):
        if isinstance(reply, GenerationResult):
            assert is_same_but_for_near_ties(loaded, item.job(loaded), reply.ids)
        else:
            assert item.gives_up


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_attention_says_what_it_says_alone(tmp_path: Path, kind: str) -> None:
    model = load(str(tiny(tmp_path, kind)), Settings())
    draw = random.Random(2)
    common = draw.choices(range(WORDS), k=40)
    jobs = [
        Job(
            (*common[: draw.randrange(40)], *draw.choices(range(WORDS), k=9)),
            10,
            GREEDY,
            end_ids=model.end_ids,
        )
        for _ in range(7)
    ]
    for job, reply in zip(jobs, await generate_all(engine(model, slots=3), jobs), strict=True):
        assert is_same_but_for_near_ties(model, job, reply.ids)


def test_what_cannot_be_kept_in_rows_takes_the_slower_path(tmp_path: Path) -> None:
    can_truncate = {
        kind: rows_for(
            load(str(tiny(tmp_path / kind, kind)), Settings()), Settings(context=128)
        ).can_truncate
        for kind in KINDS
    }
    assert can_truncate == dict.fromkeys(KINDS, True) | {"mamba": False, "alibi": False}


@pytest.mark.parametrize("kind", ["sliding", "hybrid"])
def test_a_window_that_is_not_kept_is_seen_on_loading(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Far longer than the tokens that are compared.
    model = load(str(tiny(tmp_path, kind, sliding_window=96)), Settings())
    right = attention_windows(model.model.config)
    assert right is not None
    assert set(right.values()) == {"sliding": {96}, "hybrid": {96, None}}[kind]
    assert rows_for(model, Settings(context=128)).can_truncate
    monkeypatch.setattr(cache, "attention_windows", lambda config: dict.fromkeys(right))
    assert not rows_for(model, Settings(context=128)).can_truncate
    assert model.model.config.sliding_window == 96


async def test_sampled_replies_are_the_same_alone_and_in_any_batch(loaded: LoadedModel) -> None:
    samplings = (
        WARM,
        TokenSampling(0.8, top_k=20),
        TokenSampling(1.0, top_p=0.9),
        TokenSampling(1.2, min_p=0.02),
        GREEDY,
    )
    jobs = [
        Job(
            tuple(range(n, n + 20)),
            16,
            samplings[n % 5],
            seed=n,
            end_ids=loaded.end_ids,
            group=str(n % 3),
        )
        for n in range(20)
    ]
    together = await generate_all(engine(loaded, slots=7), jobs)
    backwards = await generate_all(engine(loaded, slots=3, chunk=64), jobs[::-1])
    by_themselves = [(await generate_all(engine(loaded, slots=1), [job]))[0] for job in jobs]
    assert (
        [reply.ids for reply in together]
        == [reply.ids for reply in by_themselves]
        == [reply.ids for reply in backwards[::-1]]
    )
    assert len({reply.ids for reply in together}) > 10


async def test_samples_of_one_prompt_read_it_once(loaded: LoadedModel) -> None:
    running = engine(loaded, slots=8, chunk=32)
    jobs = [
        Job(tuple(range(100)), 5, WARM, seed=seed, end_ids=loaded.end_ids) for seed in range(16)
    ]
    replies = await generate_all(running, jobs)
    assert running.counts.prefilled == sum(reply.prefilled for reply in replies) == 100 + 15
    assert sum(reply.reused for reply in replies) == 15 * 99


async def test_a_reply_that_is_continued_reads_only_what_is_new(loaded: LoadedModel) -> None:
    running = engine(loaded)
    first = await running.generate(Job(tuple(range(50)), 20, GREEDY))
    again = await running.generate(Job((*range(50), *first.ids[:15], 7, 8, 9), 10, GREEDY))
    running.close()
    assert (again.reused, again.prefilled, len(again.ids)) == (65, 3, 10)


async def test_cut_and_continued_text_is_that_of_a_fresh_reading(loaded: LoadedModel) -> None:
    """Write, cut back and add in blocks; an engine with kept rows does as one without any."""
    texts = []
    for fresh in (False, True):
        running = engine(loaded, context=400)
        ids = list(range(30))
        for block in range(5):
            if fresh:
                running.close()
                running = engine(loaded, context=400)
            reply = await running.generate(Job(tuple(ids), 25, GREEDY))
            ids = [*ids, *reply.ids[: 25 - block], 3, block, 4]
        running.close()
        texts.append(ids)
    assert texts[0] == texts[1]


async def test_stop_words_end_a_reply_wherever_they_are_cut(loaded: LoadedModel) -> None:
    free = (await generate_all(engine(loaded), [Job((1, 2, 3), 40, WARM, seed=4)]))[0]
    text = loaded.tokenizer.decode(free.ids)
    word = text[10:13]
    stopped = (
        await generate_all(
            engine(loaded), [Job((1, 2, 3), 40, WARM, seed=4, stop=(word, "never generate_all"))]
        )
    )[0]
    assert stopped.finish == "stop"
    assert word in loaded.tokenizer.decode(stopped.ids)
    assert word not in loaded.tokenizer.decode(stopped.ids[:-1])


async def test_a_prompt_that_can_never_fit_fails_alone(loaded: LoadedModel) -> None:
    running = engine(loaded, context=32)
    fits, too_long = await asyncio.gather(
        running.generate(Job(tuple(range(20)), 5, GREEDY)),
        running.generate(Job(tuple(range(32)), 5, GREEDY)),
        return_exceptions=True,
    )
    running.close()
    assert len(fits.ids) == 5
    assert isinstance(too_long, ContextOverflowError)


async def test_a_row_that_is_full_ends_its_reply(loaded: LoadedModel) -> None:
    reply = (await generate_all(engine(loaded, context=32), [Job(tuple(range(20)), 99, GREEDY)]))[0]
    assert (reply.finish, len(reply.ids)) == ("length", 13)


def faulty(rows: Rows, fails: Callable[[Any, Any], None]) -> Rows:
    """Let the forward pass of rows run out of memory, or die, where `fails` raises."""
    forward = rows.forward

    def failing(first: int, ids: Any, positions: Any, *rest: Any) -> torch.Tensor:
        fails(ids, positions)
        return forward(first, ids, positions, *rest)

    rows.forward = failing
    return rows


@pytest.mark.parametrize("kind", ["qwen3", "alibi"])
async def test_agents_that_give_up_and_memory_that_runs_out_change_nothing_for_the_others(
    tmp_path: Path, kind: str
) -> None:
    model = load(str(tiny(tmp_path, kind)), Settings())
    draw = random.Random(3)

    def sometimes(ids: object, positions: object) -> None:
        if draw.random() < 0.03:
            raise torch.OutOfMemoryError("injected")

    running = Engine(
        faulty(forward_rows(model, 16, 96), sometimes),
        model.tokenizer.decode,
        chunk=32,
    )
    agents = 200 if kind == "qwen3" else 40
    jobs = [
        Job(
            tuple(draw.choices(range(WORDS), k=draw.randrange(1, 50))),
            draw.randrange(1, 25),
            WARM,
            seed=n,
            end_ids=model.end_ids,
            group=str(n % 9),
        )
        for n in range(agents)
    ]
    tasks = [asyncio.create_task(running.generate(job)) for job in jobs]
    gone = draw.sample(range(agents), agents // 5)
    for number in gone:
        await asyncio.sleep(0.002)
        tasks[number].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert running.counts.out_of_memory > 1
    assert (running._seating.active, len(running._seating.queue)) == (0, 0)
    running.close()
    through = [
        (job, reply)
        for number, (job, reply) in enumerate(zip(jobs, outcomes, strict=True))
        if number not in gone
    ]
    solo = await generate_all(engine(model, slots=4, context=96), [job for job, _ in through])
    assert [getattr(reply, "ids", reply) for _, reply in through] == [reply.ids for reply in solo]


async def test_what_never_fits_the_memory_fails_and_the_others_go_on(loaded: LoadedModel) -> None:
    def large(ids: object, positions: object) -> None:
        if positions.max() >= 60:
            raise torch.OutOfMemoryError("injected")

    running = Engine(
        faulty(forward_rows(loaded, 4, 96), large),
        loaded.tokenizer.decode,
        chunk=32,
    )
    jobs = [
        Job(tuple(range(length)), 5, GREEDY, group=str(length)) for length in (10, 80, 20, 58, 30)
    ]
    outcomes = await asyncio.gather(*map(running.generate, jobs), return_exceptions=True)
    running.close()
    assert [type(outcome) for outcome in outcomes] == [
        GenerationResult,
        ContextOverflowError,
        GenerationResult,
        ContextOverflowError,
        GenerationResult,
    ]


@pytest.mark.parametrize("kind", ["qwen3", "mamba"])
async def test_a_row_that_fails_takes_no_other_with_it(tmp_path: Path, kind: str) -> None:
    """Token 99 cannot be read; rows of attention alone are also parted while they generate."""
    model = load(str(tiny(tmp_path, kind)), Settings())

    def fails(ids: object, positions: object) -> None:
        reading = positions.max() < 3  # type: ignore[attr-defined]
        if (ids == 99).any() and (reading or kind == "qwen3"):  # type: ignore[attr-defined]
            raise IndexError("index out of range in self")

    rows = faulty(forward_rows(model, 4, 96), fails)
    running = Engine(rows, model.tokenizer.decode, chunk=32)
    jobs = [Job((7, 99 if n % 3 == 0 else 8, n), 5, WARM, seed=n) for n in range(9)]
    outcomes = await asyncio.gather(*map(running.generate, jobs), return_exceptions=True)
    assert running.alive
    assert (running._seating.active, len(running._seating.queue)) == (0, 0)
    running.close()
    for job, outcome in zip(jobs, outcomes, strict=True):
        if 99 in job.ids:
            assert isinstance(outcome, RefusedError)
            assert "IndexError: index out of range" in str(outcome)
    solo = await generate_all(engine(model, slots=4, context=96), jobs)
    hit = [(99 in job.ids) or (kind == "qwen3" and 99 in solo[n].ids) for n, job in enumerate(jobs)]
    others = [n for n, was_hit in enumerate(hit) if not was_hit]
    assert len(others) >= 4
    assert [getattr(outcomes[n], "ids", outcomes[n]) for n in others] == [
        solo[n].ids for n in others
    ]


@settings(max_examples=8)
@given(st.sets(st.integers(0, 6), max_size=6), st.integers(1, 4))
def test_whichever_rows_fail_the_others_say_what_they_say_alone(
    loaded: LoadedModel, bad: set[int], slots: int
) -> None:
    def fails(ids: object, positions: object) -> None:
        # What is generated may be any token.
        if positions.max() < 3 and (ids == 99).any():  # type: ignore[attr-defined]
            raise IndexError("index out of range in self")

    jobs = [Job((7, 99 if n in bad else 8, n), 3, GREEDY) for n in range(7)]
    rows = faulty(forward_rows(loaded, slots, 96), fails)
    running = Engine(rows, loaded.tokenizer.decode, chunk=32)

    async def ask() -> list[GenerationResult | BaseException]:
        return await asyncio.gather(*map(running.generate, jobs), return_exceptions=True)

    outcomes = asyncio.run(ask())
    running.close()
    for n, (job, outcome) in enumerate(zip(jobs, outcomes, strict=True)):
        if n in bad:
            assert isinstance(outcome, RefusedError)
        else:
            assert isinstance(outcome, GenerationResult)
            assert outcome.ids == alone(loaded, job)


async def test_rows_that_cannot_be_tried_alone_are_to_be_asked_again(tmp_path: Path) -> None:
    model = load(str(tiny(tmp_path, "mamba")), Settings())
    all_queued, failures = threading.Event(), []

    def fails(ids: object, positions: object) -> None:
        all_queued.wait(30)
        if ids.shape == (4, 1) and not failures:  # type: ignore[attr-defined]
            failures.append(1)
            raise IndexError("index out of range in self")

    rows = faulty(forward_rows(model, 4, 96), fails)
    running = Engine(rows, model.tokenizer.decode, chunk=32)
    jobs = [Job((7, 8, n), 9, WARM, seed=n) for n in range(4)]
    asked = asyncio.gather(*map(running.generate, jobs), return_exceptions=True)
    await asyncio.sleep(0)
    all_queued.set()
    assert {type(outcome) for outcome in await asked} == {UnreachableError}
    assert [len((await running.generate(job)).ids) for job in jobs] == [9] * 4
    running.close()


async def test_a_text_that_cannot_be_decoded_ends_its_own_reply(loaded: LoadedModel) -> None:
    def decode(ids: object) -> str:
        raise ValueError("no text")

    running = Engine(forward_rows(loaded, 4, 96), decode)
    jobs = [Job((1, 2, n), 6, WARM, seed=n, stop=("STOP",) if n == 0 else ()) for n in range(3)]
    outcomes = await asyncio.gather(*map(running.generate, jobs), return_exceptions=True)
    running.close()
    assert [type(outcome) for outcome in outcomes] == [
        RefusedError,
        GenerationResult,
        GenerationResult,
    ]


async def test_a_dead_device_thread_says_so_to_everybody(loaded: LoadedModel) -> None:
    def dies(ids: object, positions: object) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    running = Engine(faulty(forward_rows(loaded, 2, 64), dies), loaded.tokenizer.decode)
    outcomes = await asyncio.gather(
        *(running.generate(Job((1, 2, 3), 5)) for _ in range(5)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {UnreachableError}
    assert "died of RuntimeError: CUDA error" in str(outcomes[0])
    with pytest.raises(UnreachableError, match="died"):
        await running.generate(Job((1, 2, 3), 5))
    assert not running.alive


async def test_closing_fails_what_waits_and_ends_the_thread(loaded: LoadedModel) -> None:
    running = engine(loaded)
    waiting = [
        asyncio.create_task(running.generate(Job((1, 2, 3), 10_000 if n else 5, WARM, seed=n)))
        for n in range(9)
    ]
    await asyncio.sleep(0.05)
    await asyncio.to_thread(running.close)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert any(isinstance(outcome, ModelError) and "closed" in str(outcome) for outcome in outcomes)
    assert not running._thread.is_alive()


async def test_the_event_loop_never_waits_for_the_device(loaded: LoadedModel) -> None:
    running = engine(loaded, slots=2)
    work = asyncio.gather(
        *(running.generate(Job(tuple(range(50)), 40, WARM, seed=n)) for n in range(10))
    )
    longest = 0.0
    began = time.monotonic()
    while not work.done():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - before)
    running.close()
    # Other processes may hold up the loop for a moment, but not for half of the work.
    assert longest < max(0.5, (time.monotonic() - began) / 2)


async def test_scores_are_the_log_probabilities_of_what_follows(loaded: LoadedModel) -> None:
    prompt, options = tuple(range(40)), [(5,), (6, 7), (8, 9, 10)]
    scored = await generate_all(
        engine(loaded, chunk=16), [Job((*prompt, *option), 0, score_from=40) for option in options]
    )
    for option, result in zip(options, scored, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([[*prompt, *option]], device=loaded.model.device)
            table = loaded.model(ids).logits[0].double().log_softmax(-1)
        expected = [float(table[39 + n, token]) for n, token in enumerate(option)]
        assert result.scores == pytest.approx(expected, abs=1e-4)
    assert sum(result.prefilled for result in scored) < 2 * 40


async def test_memory_does_not_grow_with_the_length_of_a_reply(loaded: LoadedModel) -> None:
    import tracemalloc

    def grown() -> Iterator[int]:
        # What is compiled or captured once is no growth.
        asyncio.run(generate_all(engine(loaded, slots=2, context=512), [Job((1, 2, 3), 400)]))
        for longest in (20, 400):
            running = engine(loaded, slots=2, context=512)
            tracemalloc.start()
            asyncio.run(generate_all(running, [Job((1, 2, 3), longest, GREEDY)]))
            yield tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    short, long = await asyncio.to_thread(lambda: list(grown()))
    assert long - short < 380 * 64
