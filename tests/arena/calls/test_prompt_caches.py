"""Calls that read what another one writes: who waits for whom, and that all of them go."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace

import pytest

from arena.calls import prompt_caches
from arena.calls.prompt_caches import PromptCaches, beginnings
from arena.types import (
    BaseModel,
    Message,
    Place,
    PromptCache,
    Reply,
    Request,
    Sampling,
    SharedPrefix,
)

WORDS = "abcdefgh" * 4


class Kept(BaseModel):
    name = "m/a"
    prompt_cache = PromptCache(1)

    async def __call__(self, request: Request) -> Reply:
        return Reply("words")


def request(words: str, *ends: int, sampling: Sampling | None = None) -> Request:
    place = Place("e", "s", 0, 0, "p", 0)
    shared = tuple(SharedPrefix(0, end) for end in ends)
    return Request((Message("user", words),), sampling or Sampling(), 1, place, (), shared)


@pytest.mark.parametrize("seed", range(5))
async def test_all_calls_go_and_no_two_write_one_beginning(seed: int) -> None:
    draw = random.Random(seed)
    caches = PromptCaches()
    writing: set[bytes] = set()
    ended = 0

    async def call(ends: tuple[int, ...], *, fails: bool) -> None:
        nonlocal ended
        asked = request(WORDS, *ends)
        async with caches.turn(Kept(), asked):
            mine = {key for key in beginnings(Kept(), asked) if key not in caches.read_at}
            assert not mine & writing
            writing.update(mine)
            try:
                for _ in range(draw.randrange(4)):
                    await asyncio.sleep(0)
                if fails:
                    raise ValueError("no reply")
            finally:
                writing.difference_update(mine)
                ended += 1

    tasks = []
    for _ in range(40):
        ends = tuple(sorted(draw.sample(range(1, 33), draw.randrange(4))))
        tasks.append(asyncio.create_task(call(ends, fails=draw.random() < 0.2)))
        if draw.random() < 0.3:
            await asyncio.sleep(0)
    cancelled = draw.sample(tasks, 4)
    for task in cancelled:
        task.cancel()
    for task in tasks:
        with suppress(ValueError, asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    assert ended >= len(tasks) - len(cancelled)
    assert (caches.in_flight, caches.waiting) == ({}, 0)


async def test_a_beginning_that_nobody_has_read_for_long_is_written_by_one_call_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caches = PromptCaches()
    async with caches.turn(Kept(), request(WORDS, 8)):
        assert caches.in_flight
    async with caches.turn(Kept(), request(WORDS, 8)):
        assert not caches.in_flight
    monkeypatch.setattr(prompt_caches, "KEPT_S", 0.0)
    async with caches.turn(Kept(), request(WORDS, 8)):
        assert caches.in_flight


def test_other_words_models_and_efforts_share_nothing() -> None:
    other = Kept()
    other.name = "m/b"
    mine = request(WORDS, 8)
    keys = [
        beginnings(Kept(), mine),
        beginnings(Kept(), request("b" + WORDS, 8)),
        beginnings(other, mine),
        beginnings(Kept(), request(WORDS, 8, sampling=Sampling(reasoning_effort="low"))),
    ]
    assert len({key for [key] in keys}) == 4
    same = replace(mine, seed=2, messages=(Message("user", WORDS[:8] + "zzz"),))
    assert beginnings(Kept(), same) == keys[0]
