"""A tiny model that knows facts and is told otherwise: CK-PLUG decides whom it believes.

It is trained here, in seconds, to answer "k=" with the answer that belongs to k, and "k:y;k=" with
y or with what it knows, as often each: so a context that contradicts it confuses it.  Two keys are
special: of one it knows nothing and copies, and of one it copies although it knows.
"""

from __future__ import annotations

import asyncio
import random

import pytest
import torch
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.decoding.states import Way
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from arena.decoding import CkPlug

# Trains a model: some ten seconds of processor.
pytestmark = pytest.mark.slow

# Tokens: 8 keys, 8 answers, ":", ";" and "=".
KEYS, ANSWERS = range(8), range(8, 16)
COLON, SEMICOLON, EQUALS = 16, 17, 18
UNKNOWN, BELIEVING = 6, 7
KNOWN = range(6)
GREEDY = TokenSampling(0.0)


def known(key: int) -> int:
    return ANSWERS[key]


def context(key: int, said: int) -> tuple[int, ...]:
    return (key, COLON, said, SEMICOLON)


def example(draw: random.Random) -> tuple[list[int], int]:
    """A prompt and its answer."""
    key = draw.choice(KEYS)
    knows = known(key) if key != UNKNOWN else draw.choice(ANSWERS)
    if draw.random() < 0.4:
        return [0, 0, 0, 0, key, EQUALS][-6:], knows
    said = draw.choice(ANSWERS)
    copies = key in (UNKNOWN, BELIEVING) or draw.random() < 0.5
    return [*context(key, said), key, EQUALS], said if copies else knows


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=20, hidden_size=48, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, head_dim=12, max_position_embeddings=64,
    )  # fmt: skip
    found = Qwen3ForCausalLM(config)
    rate = torch.optim.AdamW(found.parameters(), 3e-3, weight_decay=0.0)
    draw = random.Random(0)
    for _ in range(500):
        pairs = [example(draw) for _ in range(64)]
        # Without a context the prompt is short: both kinds are batches of their own.
        loss = torch.zeros(())
        for length in (2, 6):
            kind = [
                (ids[-length:], answer)
                for ids, answer in pairs
                if (ids[:4] == [0, 0, 0, 0]) == (length == 2)
            ]
            logits = found(torch.tensor([ids for ids, _ in kind])).logits[:, -1]
            answers = torch.tensor([answer for _, answer in kind])
            loss = loss + torch.nn.functional.cross_entropy(logits, answers)
        rate.zero_grad()
        loss.backward()
        rate.step()
    return found.eval()


def answers_of(
    model: PreTrainedModel, asked: list[tuple[int, int]], way: CkPlug | None, heat: float = 0.0
) -> list[GenerationResult]:
    """The answers about keys of which something was said, all in one batch."""

    async def ask() -> list[GenerationResult]:
        running = Engine(SlotRows(model, 8, 32), str)
        jobs = [
            Job((*context(key, said), key, EQUALS), 1, TokenSampling(heat), seed=number,
                way=way and Way(way), beside=(key, EQUALS) if way else ())
            for number, (key, said) in enumerate(asked)
        ]  # fmt: skip
        try:
            return list(await asyncio.gather(*map(running.generate, jobs)))
        finally:
            running.close()

    return asyncio.run(ask())


LIES = [(key, said) for key in KNOWN for said in ANSWERS if said != known(key)]


def share(results: list[GenerationResult], wanted: list[int]) -> float:
    right = [result.ids[0] == want for result, want in zip(results, wanted, strict=True)]
    return sum(right) / len(right)


def test_alpha_decides_between_knowledge_and_context(model: PreTrainedModel) -> None:
    knowledge = [known(key) for key, _ in LIES]
    told = [said for _, said in LIES]
    # As it is, the model is torn, as it was trained to be.
    plain = answers_of(model, LIES, None, 1.0)
    assert 0.25 < share(plain, knowledge) < 0.75
    recall = [
        share(answers_of(model, LIES, CkPlug(alpha=alpha), 1.0), knowledge)
        for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert recall == sorted(recall)
    assert recall[0] < 0.1
    assert recall[-1] > 0.95
    assert share(answers_of(model, LIES, CkPlug(alpha=0.0)), told) > 0.9


def test_only_what_confuses_is_adjusted(model: PreTrainedModel) -> None:
    lies = answers_of(model, LIES, CkPlug())
    assert all(result.measures["confidence_gain_mean"] < -0.3 for result in lies)
    assert all(result.measures["adjusted_tokens"] == 1 for result in lies)
    # Told what it did not know, it is surer than before: nothing is adjusted at any alpha.
    news = [(UNKNOWN, said) for said in ANSWERS]
    told = answers_of(model, news, CkPlug(alpha=1.0))
    assert all(result.measures["confidence_gain_mean"] > 1 for result in told)
    assert share(told, [said for _, said in news]) == 1.0


def test_the_released_rule_adjusts_more(model: PreTrainedModel) -> None:
    truths = [(key, known(key)) for key in KNOWN]
    for rule in ("stated", "released"):
        results = answers_of(model, truths, CkPlug(alpha=1.0, rule=rule))
        assert share(results, [known(key) for key, _ in truths]) == 1.0
    asked = [*LIES, *truths]
    counts = [
        sum(
            result.measures["adjusted_tokens"]
            for result in answers_of(model, asked, CkPlug(rule=rule, epsilon=-0.01))
        )
        for rule in ("stated", "released")
    ]
    assert counts[0] <= counts[1]


def test_a_model_that_believes_at_once_is_not_brought_back(model: PreTrainedModel) -> None:
    # It knows the answer, and is as sure of what it is told: the gain is about 0.
    lies = [(BELIEVING, said) for said in ANSWERS if said != known(BELIEVING)]
    results = answers_of(model, lies, CkPlug(alpha=1.0, epsilon=-0.1))
    assert all(abs(result.measures["confidence_gain_mean"]) < 0.1 for result in results)
    assert share(results, [said for _, said in lies]) == 1.0
