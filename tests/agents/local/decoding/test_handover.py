"""A larger model takes over exactly where a draft reflects, and the text is the one by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.decoding.handover import Handover
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.loading import LoadedModel, load
from agents.local.settings import Settings
from arena.decoding import SpeculativeThinking
from arena.reflection import CHECK, classify, verifies
from tests.agents.local.decoding import reference
from tests.tiny_models import tiny

MEASURES = {
    "entropy_mean": 1.0,
    "self_certainty_mean": 1.0,
}
EOS = 0


class Writer:
    """Plays a model whose paragraphs are given, token by token: a token is a character's number."""

    def __init__(self, paragraphs: Sequence[str], mark: str) -> None:
        self.text = "".join(f"{each}\n\n" for each in paragraphs)
        self.mark = mark
        self.calls: list[tuple[int, int, str]] = []

    async def __call__(self, job: Job) -> GenerationResult:
        begun = job.begun
        new = ""
        ended = False
        while len(new) < job.max_tokens and not ended:
            place = begun + len(new)
            new += self.text[place] if place < len(self.text) else chr(EOS)
            ended = new[-1] == chr(EOS) or any(new.endswith(word) for word in job.stop)
        self.calls.append((begun, job.max_tokens, new))
        ids = tuple(map(ord, new))
        return GenerationResult(ids, "stop" if ended else "length", 1, 0, len(ids) - 1, MEASURES)


def decode(ids: Sequence[int]) -> str:
    return "".join(map(chr, ids))


def write(
    way: SpeculativeThinking, small: Writer, large: Writer, length: int = 10_000
) -> GenerationResult:
    job = Job((65,), length, end_ids=frozenset({EOS}))
    check = tuple(map(ord, CHECK))
    return asyncio.run(Handover(way, job, small, large, decode, check).write())


WAY = SpeculativeThinking("local/x/larger")


def test_it_hands_over_at_the_words_and_nowhere_else() -> None:
    # The first paragraph says "wait", but no draft begins there.
    texts = ["wait, so 7 and 5 are 12.", "Then add 3 to it, fifteen.", "Wait, that is wrong...",
             "So it is 16 all in all.", "My eyes are on 17 of them."]  # fmt: skip
    small, large = Writer(texts, "s"), Writer(texts, "L")
    result = write(WAY, small, large)
    begins = {small.text.index(text): text for text in texts[1:]}
    handed_over = [begun for begun, _, _ in large.calls]
    assert [begins[begun][:4] for begun in handed_over] == ["Wait", "My e"]
    assert all(tokens == 20 for _, tokens, _ in large.calls)
    assert result.measures["handovers"] == 2
    assert result.measures["handed_over_tokens"] == 40
    assert result.measures["dropped_tokens"] == 40
    assert decode(result.ids).rstrip(chr(EOS)) == small.text


def test_a_word_of_checking_lets_the_larger_one_go_on() -> None:
    texts = ["So it is twelve then.", "Verify it: 5 and 7 a" + "b" * 200, "Done with it all now"]
    large = Writer(texts, "L")
    result = write(WAY, Writer(texts, "s"), large)
    assert [tokens for _, tokens, _ in large.calls] == [20, 125]
    assert result.measures["handed_over_tokens"] == 145


def test_checks_come_after_15_20_25_and_30_paragraphs_that_reflect() -> None:
    # Each paragraph is as long as a draft, so that a draft is a paragraph.
    texts = ["wait, what is wrong?"] * 400
    result = write(WAY, Writer(texts, "s"), large := Writer(texts, "L"), 7000)
    longer = [(begun, tokens) for begun, tokens, _ in large.calls if tokens > 20]
    assert [tokens for _, tokens in longer][:5] == [125, 150, 175, 200, 200]
    # How many pieces of 20 tokens the larger model has written before each check.
    pieces = Counter(sum(begun > place for place, _ in longer) for begun, n, _ in large.calls
                     if n == 20)  # fmt: skip
    assert [pieces[number] for number in range(4)] == [15, 20, 25, 30]
    assert result.finish == "length"
    assert len(result.ids) == 7000


def test_without_reflection_the_smaller_model_is_alone() -> None:
    texts = ["So it is 12.", "Add 3 and get 15."]
    large = Writer(texts, "L")
    result = write(WAY, Writer(texts, "s"), large)
    assert large.calls == []
    assert result.measures["handed_over_tokens"] == 0
    every = write(replace(WAY, every=True, first_tokens=5), Writer(texts, "s"), large)
    assert large.calls[0][:2] == (0, 5)
    assert every.ids == result.ids


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedModel, LoadedModel]:
    folder = tmp_path_factory.mktemp("pair")
    small = tiny(folder / "small", initializer_range=0.1)
    large = tiny(folder / "large", initializer_range=0.1, seed=1, num_hidden_layers=3)
    return load(str(small), Settings()), load(str(large), Settings())


@pytest.mark.parametrize("every", [False, True])
def test_two_models_write_what_they_write_step_by_step(
    pair: tuple[LoadedModel, LoadedModel], every: bool
) -> None:
    small, large = pair
    chat = small.tokenizer

    def text(ids: Sequence[int]) -> str:
        # Random models write no words: letters stand for them here, often enough.
        words = {0: "wait ", 1: "\n\n", 2: "yes ", 3: "check "}
        return "".join(words.get(token % 9, ".") for token in ids)

    way = SpeculativeThinking(
        "local/x/larger", piece=4, most_negative=1, negative_step=1, check_tokens=5, check_step=2,
        check_limit=9, every=every, first_tokens=3,
    )  # fmt: skip
    check = chat("Let me", add_special_tokens=False).input_ids
    jobs = [
        Job(tuple(range(20 + n)), 60, TokenSampling(heat), seed=n, end_ids=small.end_ids,
            alternatives=300, group=str(n % 2))
        for n, heat in enumerate((0.0, 1.0, 1.3, 1.0))
    ]  # fmt: skip

    async def ask(jobs: list[Job]) -> list[GenerationResult]:
        engines = [Engine(SlotRows(each.model, 3, 128), text, chunk=16) for each in pair]
        models = (engines[0].generate, engines[1].generate)
        try:
            return list(
                await asyncio.gather(
                    *(Handover(way, job, *models, text, tuple(check)).write() for job in jobs)
                )
            )
        finally:
            for engine in engines:
                engine.close()

    together = asyncio.run(ask(jobs))
    handovers = 0
    for job, result in zip(jobs, together, strict=True):
        with torch.inference_mode():
            told = reference.speculative(
                small.model, large.model, job.ids, way, text, classify, verifies, check, 60,
                job.seed, job.sampling.temperature, small.end_ids,
            )  # fmt: skip
        assert list(result.ids) == told.ids
        assert asyncio.run(ask([job]))[0].ids == result.ids
        # The words of a check are drawn by nobody.
        for record, logprobs in zip(result.records, told.logprobs, strict=True):
            token, value = map(list, zip(*record.alternatives, strict=True))
            assert torch.allclose(torch.tensor(value), logprobs[token], atol=1e-5)
        measures = result.measures
        assert measures["handed_over_tokens"] == told.handed_over
        assert (measures["handovers"], measures["checks"]) == (told.handovers, told.checks)
        assert measures["dropped_tokens"] == told.dropped
        handovers += told.handovers
    assert handovers > 4
