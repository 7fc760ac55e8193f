"""Lanes in pages say what the model says alone, on a CPU by the plain twins of the kernels."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import torch

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.forward import ModelForward, OwnForward, family_problem
from agents.local.lanes import LaneRows
from agents.local.loading import LoadedModel, load
from agents.local.settings import Settings
from agents.local.sizing import (
    batching_problem,
    is_same_in_any_company,
    rounding_noise,
)
from tests.tiny_models import tiny

# Compares with transformers alone.
pytestmark = pytest.mark.slow

GREEDY = TokenSampling(0.0)
SAMPLINGS = (
    TokenSampling(1.3),
    TokenSampling(0.8, top_k=20),
    TokenSampling(1.0, top_p=0.9),
    GREEDY,
)
WAYS = {"own": OwnForward, "model": ModelForward}
WORDS = 260


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tiny(tmp_path_factory.mktemp("tiny"))
    return load(str(folder), Settings(dtype=request.param))


def lane_engine(loaded: LoadedModel, way: str = "own", *, exact: bool, slots: int = 5) -> Engine:
    forward = WAYS[way](loaded.model, 128)
    # Small pages and few of them, so that rows share, copy and give up some.
    rows = LaneRows(forward, slots, 128, pages=5 * slots, widest=8, exact=exact, page=16)
    return Engine(rows, loaded.tokenizer.decode, chunk=32)


def generate_all(engine: Engine, jobs: list[Job]) -> list[GenerationResult]:
    async def ask() -> list[GenerationResult]:
        try:
            return list(await asyncio.gather(*map(engine.generate, jobs)))
        finally:
            engine.close()

    return asyncio.run(ask())


def some_jobs(loaded: LoadedModel, count: int = 14, *, sampled: bool) -> list[Job]:
    """Return jobs whose prompts begin alike."""
    draw = random.Random(4)
    common = draw.choices(range(WORDS), k=60)
    return [
        Job(
            (*common[: draw.randrange(60)], *draw.choices(range(WORDS), k=draw.randrange(1, 30))),
            draw.randrange(1, 14),
            SAMPLINGS[n % 4] if sampled else GREEDY,
            seed=n,
            end_ids=loaded.end_ids,
            group=str(n % 3),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_greedy_replies_are_those_of_generate_alone(
    loaded: LoadedModel, way: str, exact: bool
) -> None:
    jobs = some_jobs(loaded, sampled=False)
    device = loaded.model.device
    for job, reply in zip(
        jobs, generate_all(lane_engine(loaded, way, exact=exact), jobs), strict=True
    ):
        ids = torch.tensor([job.ids], device=device)
        whole = loaded.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=job.max_tokens, do_sample=False
        )
        theirs = whole[0, len(job.ids) :].tolist()
        where = next(
            (n for n, (a, b) in enumerate(zip(reply.ids, theirs, strict=False)) if a != b), None
        )
        if where is None:
            assert len(reply.ids) == len(theirs)
            continue
        # They may part where two tokens are as close as rounding is.
        with torch.inference_mode():
            context = torch.tensor([[*job.ids, *theirs[:where]]], device=device)
            logits = loaded.model(context).logits[0]
            noise = rounding_noise(loaded.model, context, logits[-2:].float())
        gap = float((logits[-1, reply.ids[where]] - logits[-1, theirs[where]]).abs())
        assert gap < 8 * noise


def test_exact_seeds_give_one_reply_alone_in_a_batch_and_in_another_order(
    loaded: LoadedModel,
) -> None:
    jobs = some_jobs(loaded, sampled=True)
    together = generate_all(lane_engine(loaded, exact=True), jobs)
    backwards = generate_all(lane_engine(loaded, exact=True, slots=3), jobs[::-1])[::-1]
    alone = [generate_all(lane_engine(loaded, exact=True, slots=2), [job])[0] for job in jobs[:6]]
    assert [reply.ids for reply in together] == [reply.ids for reply in backwards]
    assert [reply.ids for reply in together[:6]] == [reply.ids for reply in alone]
    assert len({reply.ids for reply in together}) > 7


@pytest.mark.parametrize("exact", [True, False])
def test_scores_and_alternatives_are_log_probabilities(loaded: LoadedModel, exact: bool) -> None:
    prompt, options = tuple(range(40)), [(5,), (6, 7), (8, 9, 10)]
    jobs = [Job((*prompt, *option), 0, score_from=40) for option in options]
    jobs.append(Job(prompt, 3, GREEDY, alternatives=4))
    *scored, written = generate_all(lane_engine(loaded, exact=exact), jobs)
    rough = 1e-4 if loaded.dtype == "float32" else 0.3
    for option, result in zip(options, scored, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([[*prompt, *option]], device=loaded.model.device)
            table = loaded.model(ids).logits[0].double().log_softmax(-1)
        expected = [float(table[39 + n, token]) for n, token in enumerate(option)]
        assert result.scores == pytest.approx(expected, abs=rough)
    assert [record.token for record in written.records] == list(written.ids)
    for record in written.records:
        assert len(record.alternatives) == 4
        assert record.alternatives[0][1] == pytest.approx(record.logprob, abs=1e-4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["qwen3", "llama", "gpt2", "gpt_neox", "experts"])
def test_batches_are_accepted_in_every_precision(folders: Path, kind: str, dtype: str) -> None:
    folder = folders / kind
    model = load(
        str(folder if folder.exists() else tiny(folder, kind)), Settings(dtype=dtype)
    ).model
    assert batching_problem(model, lambda: SlotRows(model, 2, 16)) is None
    ways = [ModelForward, *([OwnForward] if family_problem(model) is None else [])]
    for way in ways:
        for exact in (True, False):
            rows = LaneRows(way(model, 64), 3, 64, widest=64, exact=exact)
            assert batching_problem(model, lambda rows=rows: rows) is None
            # Sums over more pages are padded with zeros on a CPU, which rounds otherwise.
            assert not exact or dtype == "float32" or is_same_in_any_company(rows)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("fault", ["position", "token", "scale"])
def test_what_is_wrong_is_refused_in_every_precision(
    loaded: LoadedModel, folders: Path, dtype: str, fault: str
) -> None:
    folder = folders / "qwen3"
    model = load(str(folder if folder.exists() else tiny(folder)), Settings(dtype=dtype)).model

    def wrong() -> LaneRows:
        rows = LaneRows(OwnForward(model, 64), 3, 64, widest=64, exact=False)
        if fault == "position":
            rows._forward._cos = rows._forward._cos.roll(1, 0)
        elif fault == "token":
            rows.read = lambda pieces: LaneRows.read(
                rows, [piece._replace(ids=piece.ids + (piece.place == 0)) for piece in pieces]
            )
        else:
            rows._forward._scale *= 1.2
        return rows

    problem = batching_problem(model, wrong)
    assert problem is not None
    assert "where rounding explains" in problem


def test_a_job_waits_until_pages_are_free(loaded: LoadedModel) -> None:
    rows = LaneRows(OwnForward(loaded.model, 128), 8, 128, pages=8, widest=8, exact=True, page=16)
    jobs = [Job(tuple(range(n, n + 50)), 30, GREEDY) for n in range(6)]
    replies = generate_all(Engine(rows, str), jobs)
    assert [len(reply.ids) for reply in replies] == [30] * 6
