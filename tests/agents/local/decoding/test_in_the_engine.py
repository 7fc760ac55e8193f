"""Ways of decoding in the engine say what their formulas say step by step, in any company."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import torch

from agents.local import ruling
from agents.local.cache import SlotRows, SoloRows
from agents.local.choosing import TokenSampling
from agents.local.decoding.ck_plug import Plugged
from agents.local.decoding.states import Way
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.forward import ModelForward, OwnForward
from agents.local.lanes import LaneRows
from agents.local.loading import LoadedModel, load
from agents.local.rows import Rows
from agents.local.settings import Settings
from arena.decoding import CertaintyStop, CkPlug, SoftThinking
from tests.agents.local.decoding import reference
from tests.tiny_models import tiny

WORDS = 260
LENGTH = 12
WARM = TokenSampling(1.1)
END = (7, 8)
KINDS = ("slots", "solo", "lanes", "exact lanes", "the model's own forward")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load(str(tiny(tmp_path_factory.mktemp("tiny"), initializer_range=0.1)), Settings())


def rows_of(loaded: LoadedModel, kind: str, slots: int = 5) -> Rows:
    if kind == "slots":
        return SlotRows(loaded.model, slots, 128)
    if kind == "solo":
        return SoloRows(loaded.model, slots, 128)
    way = ModelForward if "own forward" in kind else OwnForward
    exact = kind == "exact lanes"
    return LaneRows(way(loaded.model, 128), slots, 128, widest=8, exact=exact, page=16)


def generate_all(loaded: LoadedModel, rows: Rows, jobs: list[Job]) -> list[GenerationResult]:
    async def ask() -> list[GenerationResult]:
        running = Engine(rows, loaded.tokenizer.decode, chunk=16)
        try:
            return list(await asyncio.gather(*map(running.generate, jobs)))
        finally:
            running.close()

    return asyncio.run(ask())


# Settings under which each thing happens: mixtures, an end written cold, and one that comes early.
SOFT = (
    SoftThinking(temperature=1.0, cold_entropy=0.0),
    SoftThinking(temperature=0.7, top_k=0, top_p=1.0, min_p=0.0, cold_entropy=9.0, cold_tokens=4),
    SoftThinking(concepts=3, cold_entropy=9.0, cold_tokens=2, cold_answer=True),
)
PLUGS = (
    CkPlug(alpha=0.2),
    CkPlug(alpha=None, epsilon=1.0),
    CkPlug(alpha=1.0, rule="released"),
)
SURE = (CertaintyStop(0.1, window=3), CertaintyStop(0.15, window=2, least=6), CertaintyStop(9.0))


def some_jobs() -> list[Job]:
    """Jobs of every way and plain ones, whose prompts begin alike."""
    draw = random.Random(4)
    common = draw.choices(range(WORDS), k=40)

    def ids() -> tuple[int, ...]:
        return (*common[: draw.randrange(10, 40)], *draw.choices(range(WORDS), k=9))

    jobs = []
    for number, way in enumerate((*SOFT, *PLUGS, *SURE)):
        prompt = ids()
        has_context = isinstance(way, CkPlug)
        jobs += [
            Job(
                prompt,
                LENGTH,
                WARM if number % 2 else TokenSampling(0.0),
                seed=number,
                alternatives=WORDS + 10,
                group=str(number % 3),
                way=Way(way, () if has_context else END),
                # With one token the second prompt is ready at once.
                beside=prompt[3 + number :] if has_context else (),
            ),
            Job(prompt, LENGTH, WARM, seed=50 + number, alternatives=3, group=str(number % 3)),
        ]
    return jobs


def told_by_formulas(loaded: LoadedModel, job: Job) -> reference.Told:
    assert job.way is not None
    way, rest = job.way.way, (LENGTH, job.seed, job.sampling.temperature)
    with torch.inference_mode():
        if isinstance(way, SoftThinking):
            return reference.soft(loaded.model, job.ids, way, END, *rest)
        if isinstance(way, CkPlug):
            return reference.ck(loaded.model, job.ids, job.beside, way, *rest)
        return reference.sure(loaded.model, job.ids, way, END, *rest)


@pytest.fixture(scope="module")
def told(loaded: LoadedModel) -> list[reference.Told | None]:
    return [told_by_formulas(loaded, job) if job.way else None for job in some_jobs()]


@pytest.mark.parametrize(
    "kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
)
def test_each_way_is_its_formulas_step_by_step_beside_the_others_and_alone(
    loaded: LoadedModel, told: list[reference.Told | None], kind: str
) -> None:
    jobs = some_jobs()
    together = generate_all(loaded, rows_of(loaded, kind), jobs)
    for job, wanted, result in zip(jobs, told, together, strict=True):
        alone = generate_all(loaded, rows_of(loaded, kind, 2), [job])[0]
        assert alone.ids == result.ids
        measures = {name: value for name, value in result.measures.items() if name[:7] != "forward"}
        assert measures == pytest.approx(
            {name: value for name, value in alone.measures.items() if name[:7] != "forward"},
            abs=1e-5,
        )
        if wanted is None:
            continue
        assert list(result.ids) == wanted.ids
        for record, logprobs in zip(result.records, wanted.logprobs, strict=True):
            token, value = map(list, zip(*record.alternatives, strict=True))
            assert torch.allclose(torch.tensor(value), logprobs[token], atol=1e-5)


def test_the_measures_say_what_was_done(
    loaded: LoadedModel, told: list[reference.Told | None]
) -> None:
    jobs = some_jobs()
    results = generate_all(loaded, rows_of(loaded, "slots"), jobs)
    kinds = set()
    for job, wanted, result in zip(jobs, told, results, strict=True):
        if wanted is None or job.way is None:
            continue
        measures = result.measures
        prompts = len(job.ids) + len(job.beside)
        steps = len(result.ids) - 1
        if isinstance(job.way.way, CkPlug):
            assert measures["adjusted_tokens"] == wanted.weighed
            mean = sum(wanted.gains) / len(wanted.gains)
            assert measures["confidence_gain_mean"] == pytest.approx(mean, abs=1e-5)
            assert measures["forward_tokens"] <= prompts + 2 * steps
            kinds.add(("adjusted", wanted.weighed == len(wanted.ids)))
        elif isinstance(job.way.way, SoftThinking):
            assert measures["concept_tokens"] == wanted.mixed
            assert measures.get("cold_answer", 0.0) == wanted.cut
            assert result.finish == "length"
            assert measures["forward_tokens"] <= prompts + steps
            kinds.add(("cold", measures["cold_stop"], wanted.cut))
        else:
            kinds.add(("sure", measures["certainty_stop"]))
    # Each of them happens, and does not.
    assert kinds >= {("cold", 0.0, False), ("cold", 1.0, False), ("cold", 1.0, True)}
    assert kinds >= {("adjusted", True), ("adjusted", False), ("sure", 0.0), ("sure", 1.0)}


def test_the_weighed_logits_are_those_of_the_formulas(
    loaded: LoadedModel, told: list[reference.Told | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    plug = ruling.plug

    def watched(*arguments: object) -> Plugged:
        found = plug(*arguments)  # type: ignore[arg-type]
        seen.append(found.logits[0])
        return found

    monkeypatch.setattr(ruling, "plug", watched)
    for job, wanted in zip(some_jobs(), told, strict=True):
        if job.beside and wanted is not None:
            seen.clear()
            generate_all(loaded, rows_of(loaded, "slots"), [job])
            for ours, theirs in zip(seen, wanted.adjusted, strict=True):
                assert torch.equal(ours.isfinite(), theirs.isfinite())
                there = ours.isfinite()
                assert torch.allclose(ours[there], theirs[there], atol=1e-5)


@pytest.mark.parametrize("kind", ["slots", "lanes", "exact lanes"])
def test_at_temperature_0_soft_thinking_is_greedy(loaded: LoadedModel, kind: str) -> None:
    prompt = tuple(range(30))
    way = Way(SoftThinking(temperature=0.0, cold_entropy=0.0), END)
    jobs = [
        Job(prompt, 24, TokenSampling(0.0), end_ids=loaded.end_ids, way=each)
        for each in (way, None)
    ]
    soft, greedy = generate_all(loaded, rows_of(loaded, kind), jobs)
    assert soft.ids == greedy.ids
    assert soft.measures["concept_tokens"] == 0


def test_a_row_of_concept_tokens_is_no_prefix_of_anything(loaded: LoadedModel) -> None:
    async def ask() -> tuple[GenerationResult, GenerationResult, GenerationResult]:
        running = Engine(SlotRows(loaded.model, 1, 128), loaded.tokenizer.decode)
        try:
            prompt = tuple(range(30))
            way = Way(SoftThinking(temperature=1.0, cold_entropy=0.0), END)
            first = await running.generate(Job(prompt, 10, way=way))
            again = await running.generate(Job(prompt, 10, way=way))
            plain = Job((*prompt, *first.ids), 6, TokenSampling(0.0))
            return first, again, await running.generate(plain)
        finally:
            running.close()

    first, again, after = asyncio.run(ask())
    assert first.measures["concept_tokens"] > 5
    assert first.ids == again.ids
    # The first token of the reply has run through the model as a mixture already.
    assert after.reused == 30
    fresh = generate_all(
        loaded,
        rows_of(loaded, "slots"),
        [Job((*range(30), *first.ids), 6, TokenSampling(0.0))],
    )
    assert after.ids == fresh[0].ids


@pytest.mark.slow
def test_a_lack_of_memory_changes_no_reply(
    loaded: LoadedModel, told: list[reference.Told | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = SlotRows.forward
    calls = []

    def short(self: SlotRows, first: int, ids: object, *rest: object) -> torch.Tensor:
        calls.append(len(ids))  # type: ignore[arg-type]
        if len(calls) in (12, 19, 33):
            raise torch.OutOfMemoryError("there is no memory")
        return forward(self, first, ids, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SlotRows, "forward", short)
    results = generate_all(loaded, rows_of(loaded, "slots"), some_jobs())
    assert len(calls) > 33
    for wanted, result in zip(told, results, strict=True):
        assert wanted is None or list(result.ids) == wanted.ids


def test_a_pair_of_rows_that_nobody_waits_for_any_more_is_given_back(loaded: LoadedModel) -> None:
    prompt = tuple(range(40))

    async def ask() -> GenerationResult:
        running = Engine(SlotRows(loaded.model, 2, 128), loaded.tokenizer.decode)
        try:
            pair = Job(prompt, 80, way=Way(CkPlug()), beside=prompt[20:])
            given_up = asyncio.ensure_future(running.generate(pair))
            await asyncio.sleep(0.05)
            given_up.cancel()
            return await running.generate(Job(prompt, 4, TokenSampling(0.0)))
        finally:
            running.close()

    assert len(asyncio.run(ask()).ids) == 4


def test_two_rows_are_needed_for_two_passes(loaded: LoadedModel) -> None:
    from arena.errors import RefusedError

    job = Job((1, 2, 3), 4, way=Way(CkPlug()), beside=(2, 3))
    with pytest.raises(RefusedError, match="takes two rows"):
        generate_all(loaded, SlotRows(loaded.model, 1, 128), [job])


@pytest.mark.parametrize("kind", ["mamba", "gpt2", "hybrid", "sliding"])
def test_other_architectures_take_concept_tokens(tmp_path: Path, kind: str) -> None:
    other = load(str(tiny(tmp_path, kind)), Settings())
    rows = SoloRows(other.model, 2, 128) if kind == "mamba" else SlotRows(other.model, 2, 128)
    way = SoftThinking(temperature=1.0, cold_entropy=0.0)
    job = Job(tuple(range(20)), 8, TokenSampling(0.0), way=Way(way, END))
    found = generate_all(other, rows, [job])[0]
    with torch.inference_mode():
        told = reference.soft(other.model, job.ids, way, END, 8, 0)
    assert list(found.ids) == told.ids
    assert found.measures["concept_tokens"] == told.mixed


@pytest.mark.slow
def test_pairs_of_rows_get_their_turn_where_there_is_hardly_room_for_one(
    loaded: LoadedModel,
) -> None:
    draw = random.Random(1)
    jobs = []
    for number in range(18):
        ids = tuple(draw.choices(range(WORDS), k=draw.randrange(4, 40)))
        way: SoftThinking | CkPlug | None = CkPlug(alpha=0.3)
        if number % 2 == 0:
            way = SoftThinking(temperature=1.0) if number % 4 else None
        jobs.append(
            Job(ids, 8, WARM, seed=number, group=str(number % 5),
                way=way and Way(way, () if isinstance(way, CkPlug) else END),
                beside=ids[2:] if isinstance(way, CkPlug) else ())
        )  # fmt: skip
    few_pages = LaneRows(
        OwnForward(loaded.model, 128), 3, 128, pages=9, widest=8, exact=True, page=16
    )
    tight = [
        generate_all(loaded, rows, jobs) for rows in (SlotRows(loaded.model, 2, 128), few_pages)
    ]
    roomy = generate_all(loaded, rows_of(loaded, "slots", 12), jobs)
    for results in tight:
        assert [result.ids for result in results] == [result.ids for result in roomy]
