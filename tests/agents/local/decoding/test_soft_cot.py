"""Soft thoughts of an assistant are what the formulas say, alone and in a batch, and stay apart."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from agents import agent, model
from agents.local.choosing import TokenSampling
from agents.local.decoding.soft_cot import numbers_of, read_weights
from agents.local.decoding.states import Way
from agents.local.drafts import Job
from agents.local.loading import LoadedModel, load
from agents.local.model import LocalModel
from agents.local.prompts import ChatTokenizer
from agents.local.settings import Settings
from arena import Arena
from arena.decoding import SoftCot, SoftThinking
from arena.errors import ContextOverflowError, RefusedError, StudyError
from arena.types import Message, Place, Request, Sampling
from tests.agents.local.decoding import reference
from tests.agents.local.decoding.test_in_the_engine import END, KINDS, generate_all, rows_of
from tests.tiny_models import TEMPLATE, tiny

VERSION = "1"
PLACE = Place("e", "speaker", 0, 0, "p", 0)
LARGE, SMALL, INITIAL = 48, 32, 3
LENGTH = 8
WARM = Sampling(temperature=1.0, max_tokens=LENGTH, logprobs=5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A base model, a smaller assistant of another family, and weights between them."""
    folder = tmp_path_factory.mktemp("soft")
    base = tiny(folder / "base", initializer_range=0.1)
    assistant = tiny(folder / "assistant", "llama", seed=1, hidden_size=SMALL, head_dim=8)
    return base, assistant, given_weights(folder / "trained")


def given_weights(
    folder: Path, small: int = SMALL, large: int = LARGE, **changed: torch.Tensor
) -> Path:
    """Write random weights in the form of trained ones."""
    draw = torch.Generator().manual_seed(5)
    weights = {
        "weight": torch.randn(large, small, generator=draw) * 0.2,
        "bias": torch.randn(large, generator=draw) * 0.2,
        "embedding": torch.randn(INITIAL, small, generator=draw),
    }
    folder.mkdir(exist_ok=True)
    save_file(weights | changed, folder / "projection.safetensors")
    return folder


@pytest.fixture(scope="module")
def loaded(folders: tuple[Path, Path, Path]) -> LoadedModel:
    return load(str(folders[0]), Settings())


def some_jobs() -> list[Job]:
    """Jobs with thoughts at several places, others with the same ids and plain ones beside them."""
    draw = random.Random(4)
    generator = torch.Generator().manual_seed(9)
    ids = draw.choices(range(260), k=40)
    jobs = []
    for number, places in enumerate(((20, 21, 22), (20, 21, 22), (37, 38, 39), (0, 12), ())):
        soft = torch.randn(len(places), LARGE, generator=generator) * 0.3
        prompt = list(ids)
        for place, mark in zip(places, numbers_of(soft) if places else (), strict=True):
            prompt[place] = mark
        vectors = dict(zip(places, soft, strict=True))
        for seed, sampling in enumerate((TokenSampling(0.0), TokenSampling(1.1))):
            jobs.append(
                Job(
                    tuple(prompt), LENGTH, sampling, 10 * number + seed, alternatives=270,
                    group=str(number % 2), vectors=vectors,
                )
            )  # fmt: skip
    way = Way(SoftThinking(temperature=1.0, cold_entropy=0.0), END)
    return [*jobs, Job(tuple(ids), LENGTH, TokenSampling(1.0), 99, way=way)]


@pytest.mark.parametrize(
    "kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
)
def test_thoughts_run_in_the_place_of_tokens_beside_others_and_alone(
    loaded: LoadedModel, kind: str
) -> None:
    jobs = some_jobs()
    together = generate_all(loaded, rows_of(loaded, kind), jobs)
    for job, result in zip(jobs, together, strict=True):
        if job.way is not None:
            continue
        assert generate_all(loaded, rows_of(loaded, kind, 2), [job])[0].ids == result.ids
        ids = [None if token < 0 else token for token in job.ids]
        soft = [*job.vectors.values()]
        with torch.inference_mode():
            told = reference.thought_before(
                loaded.model, ids, soft, LENGTH, job.seed, job.sampling.temperature
            )
        assert list(result.ids) == told.ids
        for record, logprobs in zip(result.records, told.logprobs, strict=True):
            token, value = map(list, zip(*record.alternatives, strict=True))
            assert torch.allclose(torch.tensor(value), logprobs[token], atol=1e-5)
    # Equal ids are read once, also behind thoughts; other thoughts are other prompts.
    assert len({result.ids for result in together[::2]}) > 2


def request(way: SoftCot | None, text: str = "What is six times seven?", seed: int = 3) -> Request:
    messages = (Message("system", "Be brief."), Message("user", text))
    return Request(messages, replace(WARM, decoding=way), seed, PLACE)


def rendered(folder: Path, asked: Request, thoughts: int) -> list[int | None]:
    """The tokens of the messages, with no token at the places of thoughts."""
    chat = ChatTokenizer(load(str(folder), Settings()).tokenizer)
    before, after = (
        f"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{asked.messages[1].content}",
        "<|im_end|>\n<|im_start|>assistant\n",
    )
    assert "<|im_end|>\n" in TEMPLATE
    encode = chat.tokenizer
    head, tail = (encode(part, add_special_tokens=False).input_ids for part in (before, after))
    return [*head, *[None] * thoughts, *tail]


async def test_a_reply_is_the_formulas_from_the_messages_on(
    folders: tuple[Path, Path, Path], loaded: LoadedModel
) -> None:
    base, assistant, weights = folders
    speaker = model(f"local/{base}?slots=4&context=256")
    other = load(str(assistant), Settings())
    assert isinstance(speaker, LocalModel)
    await speaker.open()
    try:
        texts = set()
        for initial in range(INITIAL):
            way = SoftCot(f"local/{assistant}?context=256", str(weights), initial, thoughts=4)
            asked = request(way)
            reply = await speaker(asked)
            with torch.inference_mode():
                soft = reference.thoughts(
                    other.model, read_weights(weights), rendered(assistant, asked, 4), initial
                )
                ids = rendered(base, asked, 4)
                ends = loaded.end_ids
                told = reference.thought_before(loaded.model, ids, soft, LENGTH, 3, 1.0, ends)
            assert reply.token_ids is not None
            assert list(reply.token_ids) == told.ids
            assert reply.logprobs is not None
            for choice, token, logprobs in zip(
                reply.logprobs, told.ids, told.logprobs, strict=True
            ):
                assert choice.logprob == pytest.approx(float(logprobs[token]), abs=1e-5)
            assert reply.measures is not None
            assert reply.measures["soft_thoughts"] == 4
            assert reply.measures["initial_token"] == initial
            assert reply.measures["forward_tokens_assistant"] == len(rendered(assistant, asked, 4))
            settings = speaker.request_settings(asked)
            assert settings["decoding"] == way.content()
            assert {"assistant", "projection"} <= settings.keys()
            assert (await speaker(asked)).token_ids == reply.token_ids
            texts.add(reply.token_ids)
        plain = await speaker(request(None))
        assert plain.token_ids not in texts
        assert len(texts) == INITIAL
    finally:
        await speaker.close()


async def test_thoughts_that_are_planted_as_tokens_are_read_as_these(
    folders: tuple[Path, Path, Path], loaded: LoadedModel, tmp_path: Path
) -> None:
    base, assistant, _ = folders
    speaker = model(f"local/{base}?slots=4&context=256")
    await speaker.open()
    try:
        for planted in (70, 200):
            token = loaded.model.get_input_embeddings().weight[planted].detach()
            # Whatever the assistant thinks, its thought is the embedding of a token.
            nothing = torch.zeros(LARGE, SMALL)
            weights = given_weights(tmp_path / f"{planted}", weight=nothing, bias=token.clone())
            asked = request(SoftCot(f"local/{assistant}?context=256", str(weights), 1, 3))
            told = [planted if each is None else each for each in rendered(base, asked, 3)]
            warm, ends = TokenSampling(1.0), loaded.end_ids
            job = Job(tuple(told), LENGTH, warm, asked.seed, ends)
            rows = rows_of(loaded, "slots")
            [plain] = await asyncio.to_thread(generate_all, loaded, rows, [job])
            assert (await speaker(asked)).token_ids == plain.ids
    finally:
        await speaker.close()


async def test_a_model_may_assist_itself_and_penalties_go_along(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    base, _, _ = folders
    reference_ = f"local/{base}?slots=2&context=128"
    speaker = model(reference_)
    await speaker.open()
    try:
        way = SoftCot(reference_, str(given_weights(tmp_path / "own", LARGE)))
        asked = request(way)
        asked = replace(asked, sampling=replace(asked.sampling, frequency_penalty=0.5))
        reply = await speaker(asked)
        assert reply.measures is not None
        assert reply.measures["soft_thoughts"] == 4
        with pytest.raises(RefusedError, match="leaves no place for soft thoughts"):
            await speaker(replace(asked, messages=(Message("system", "Speak."),)))
    finally:
        await speaker.close()


async def test_a_prompt_that_does_not_fit_the_assistant_is_refused(
    folders: tuple[Path, Path, Path],
) -> None:
    base, assistant, weights = folders
    speaker = model(f"local/{base}?slots=2&context=256")
    await speaker.open()
    try:
        way = SoftCot(f"local/{assistant}?slots=2&context=32", str(weights))
        with pytest.raises(ContextOverflowError, match="does not fit local/"):
            await speaker(request(way, "word " * 20))
    finally:
        await speaker.close()


def test_weights_that_do_not_fit_are_refused_in_a_sentence_before_anything_is_asked(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    base, assistant, weights = folders

    def seated(weights: Path, **options: Any) -> None:
        way = SoftCot(f"local/{assistant}", str(weights), **options)
        agent(f"local/{base}", sampling=Sampling(decoding=way))

    seated(weights, initial=INITIAL - 1)
    with pytest.raises(StudyError, match="needs given weights"):
        seated(tmp_path / "nowhere")
    with pytest.raises(StudyError, match="have 3 initial tokens, 0 to 2, and no 3"):
        seated(weights, initial=INITIAL)
    with pytest.raises(StudyError, match=r"states of 32 numbers to 40, .* has 32, this model 48"):
        seated(given_weights(tmp_path / "large", large=40))
    with pytest.raises(StudyError, match=r"states of 16 numbers to 48, .* has 32, this model 48"):
        seated(given_weights(tmp_path / "small", 16))
    with pytest.raises(StudyError, match="do not belong together"):
        seated(given_weights(tmp_path / "apart", bias=torch.zeros(3)))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "projection.bin").write_bytes(b"none")
    with pytest.raises(StudyError, match="holds no weights of soft_cot"):
        seated(tmp_path / "broken")
    (tmp_path / "released").mkdir()
    torch.save(read_weights(weights), tmp_path / "released" / "projection.bin")
    seated(tmp_path / "released")
    nobody = Sampling(decoding=SoftCot("local/./nowhere", str(weights)))
    with pytest.raises(StudyError, match="soft_cot cannot be had: there is no folder"):
        agent(f"local/{base}", sampling=nobody)


# Plays two episodes of three asks, and is killed before ask number KILLS of one.
PLAY = """
import sys
from agents import agent
from arena import Arena, Arm, Study
from tests.agents.local.decoding.test_soft_cot import ask_each
from tests.fake_agents import MOTION
store, base = sys.argv[1:]
who = agent(f"local/{base}?slots=4&context=512", name="one")
Arena(store).run(Study("s", [Arm("a", ask_each, [{"speaker": who}])], [MOTION], repeats=2))
"""


async def ask_each(episode: Any, motion: Any, speaker: Any) -> None:
    for initial in range(INITIAL):
        if str(initial) == os.environ["KILLS"]:
            os._exit(9)
        way = SoftCot(f"local/{os.environ['ASSISTANT']}", os.environ["WEIGHTS"], initial)
        sampling = Sampling(temperature=1.0, max_tokens=16, decoding=way)
        await episode.ask(speaker, motion.text, phase=f"thought {initial}", sampling=sampling)


@pytest.mark.slow
def test_a_play_that_is_killed_and_run_again_has_the_same_texts(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    def run(store: str, kills: int) -> int:
        command = [sys.executable, "-c", PLAY, str(tmp_path / store), str(folders[0])]
        told = {"ASSISTANT": str(folders[1]), "WEIGHTS": str(folders[2]), "KILLS": str(kills)}
        environment = {**os.environ, **told}
        return subprocess.run(command, capture_output=True, check=False, env=environment).returncode

    assert run("whole.duckdb", -1) == 0
    assert run("killed.duckdb", 2) == 9
    assert run("killed.duckdb", -1) == 0
    texts = [
        Arena(tmp_path / store).sql("select phase, episode, text from turns order by all").rows
        for store in ("whole.duckdb", "killed.duckdb")
    ]
    assert len({row[2] for row in texts[0]}) == 6
    assert texts[0] == texts[1]
