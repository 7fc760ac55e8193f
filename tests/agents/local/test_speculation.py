"""Guessed tokens change how fast a reply comes, and never what it says."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Sequence

import pytest

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.forward import OwnForward
from agents.local.lanes import LaneRows
from agents.local.loading import LoadedModel, load
from agents.local.settings import Settings
from agents.local.speculation import Guesses
from tests.tiny_models import tiny

GREEDY, WARM = TokenSampling(0.0), TokenSampling(0.3)
ROWS = {
    "rows": lambda model: SlotRows(model, 4, 160),
    "lanes": lambda model: LaneRows(
        OwnForward(model, 160), 4, 160, widest=16, page=16, exact=False
    ),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load(str(tiny(tmp_path_factory.mktemp("tiny"))), Settings())


def play(
    loaded: LoadedModel, rows: str, jobs: Sequence[Job], *, speculates: bool
) -> list[GenerationResult]:
    """Return the replies to jobs."""
    engine = Engine(
        ROWS[rows](loaded.model), loaded.tokenizer.decode, drafter=Guesses if speculates else None
    )

    async def ask() -> list[GenerationResult]:
        return list(await asyncio.gather(*map(engine.generate, jobs)))

    try:
        return asyncio.run(ask())
    finally:
        engine.close()


def without_share(reply: GenerationResult) -> tuple[object, ...]:
    measures = {name: pytest.approx(value, abs=1e-3) for name, value in reply.measures.items()
                if name != "guesses_true_share"}  # fmt: skip
    return reply.ids, reply.finish, measures, [record.token for record in reply.records]


@pytest.mark.parametrize("rows", ROWS)
def test_replies_are_the_same_with_guesses_and_without(
    loaded: LoadedModel, rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(3)
    jobs = [
        Job(
            (n, *draw.choices(range(250), k=12)),
            (40, 33, 1)[n % 3],
            (GREEDY, WARM)[n % 2],
            seed=n,
            stop=("th",) if n == 3 else (),
            alternatives=2 if n == 4 else None,
            rules={"repetition_penalty": 1.2} if n == 6 else {},
        )
        for n in range(7)
    ]
    plain = play(loaded, rows, jobs, speculates=False)
    whole = {job.ids[0]: (*job.ids, *reply.ids) for job, reply in zip(jobs, plain, strict=True)}

    def half_right(self: Guesses, ids: array[int], most: int) -> list[int]:
        following = whole[ids[0]][len(ids) :][: min(most, 6)]
        return [token if draw.random() < 0.8 else 7 for token in following]

    monkeypatch.setattr(Guesses, "next_tokens", half_right)
    fast = play(loaded, rows, jobs, speculates=True)
    assert [without_share(reply) for reply in fast] == [without_share(reply) for reply in plain]
    # Of each reply: how many of them share a step hangs on when they come.
    assert sum(reply.steps for reply in fast) < 0.5 * sum(reply.steps for reply in plain)
    for reply in (fast[0], fast[1], fast[4]):
        assert reply.steps < 0.7 * len(reply.ids)
        assert 0.3 < reply.measures["guesses_true_share"] < 1
    assert "guesses_true_share" not in fast[6].measures


def test_guesses_are_what_followed_the_last_tokens_before() -> None:
    guesses = Guesses()
    ids = array("i", [1, 2, 3, 7, 8, 9, 1, 2, 3])
    assert guesses.next_tokens(ids, 3) == [7, 8, 9]
    guesses.note(3, 1)
    ids.extend([7, 8, 1, 2, 3])
    # The latest occurrence counts.
    assert guesses.next_tokens(ids, 9) == [7, 8, 1]
    assert guesses.next_tokens(array("i", [5, 5]), 9) == []
    guesses.note(3, 0)
    # For a while there are none, then few.
    assert guesses.next_tokens(ids, 9) == []
    ids.extend([5, 1, 2, 3])
    assert guesses.next_tokens(ids, 9) == [5]
    assert (guesses.made, guesses.true) == (6, 1)
