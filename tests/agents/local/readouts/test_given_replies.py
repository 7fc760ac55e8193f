"""What is read off a local model: numbers of a reply that is given, against the model itself."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents import agent, model
from agents.local.model import LocalModel
from agents.local.readouts.given_replies import STATE_NUMBERS, STATE_SEED
from agents.scripted import scripted_model
from arena import Arena, Arm, Study
from arena.errors import ContextOverflowError, RefusedError, StudyError
from arena.types import Agent, GeneratedSpan, Message, Place, Reply, Request, Sampling
from tests.fake_agents import MOTION
from tests.tiny_models import tiny

PLACE = Place("e", "scorer", 0, 0, "p", 0)
VERSION = "1"
SAID = "the thin man: 12"
TOKENS = Sampling(readouts=("tokens@14:16",), logprobs=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
async def local(folder: Path) -> AsyncIterator[LocalModel]:
    found = model(f"local/{folder}?slots=2")
    assert isinstance(found, LocalModel)
    await found.open()
    yield found
    await found.close()


def request(
    sampling: Sampling, said: str | None = SAID, spans: tuple[GeneratedSpan, ...] = ()
) -> Request:
    begun = () if said is None else (Message("assistant", said),)
    return Request((Message("user", "how many?"), *begun), sampling, 1, PLACE, spans)


def table(local: LocalModel, ids: list[int]) -> torch.Tensor:
    """Log probabilities [n, vocabulary], float64, by the model alone."""
    with torch.inference_mode():
        logits = local._weights.model(torch.tensor([ids])).logits[0]
    return logits.double().log_softmax(-1)


async def test_the_numbers_of_a_given_reply_are_those_of_its_formulas(local: LocalModel) -> None:
    reply = await local(request(TOKENS))
    chat = local._chat
    prompt = list(chat.ids(request(Sampling(), None), local.name))
    code = chat.tokenizer(SAID).input_ids
    p = table(local, prompt + code)[len(prompt) - 1 :]
    own = [float(p[place, token]) for place, token in enumerate(code)]
    entropy = -(p.exp() * p).sum(-1)[:-1]
    certainty = -p.mean(-1) - math.log(p.shape[1])
    measures = reply.measures or {}
    assert (reply.text, reply.finish_reason, reply.tokens_out) == ("", "read", 0)
    expected = {
        "read_tokens": len(code),
        "read_stored_share": 0.0,
        "logprob_sum": sum(own),
        "logprob_mean": sum(own) / len(own),
        "logprob_lowest_tenth": min(own),
        **{
            f"logprob_quantile_{percent}": float(np.quantile(own, percent / 100))
            for percent in (0, 10, 25, 50, 75, 90)
        },
        "entropy_mean": float(entropy.mean()),
        "self_certainty_mean": float(certainty[:-1].mean()),
        "self_certainty_shifted_mean": float(certainty[1:].mean()),
        # "12" is one token of this tokenizer, the last.
        "answer_tokens": 1.0,
        "answer_logprob_sum": own[-1],
        "answer_logprob_mean": own[-1],
        "answer_logprob_lowest": own[-1],
    }
    assert measures == pytest.approx(expected, abs=1e-4)
    assert [each.logprob for each in reply.logprobs or ()] == pytest.approx(own, abs=1e-4)
    near = [[other.logprob for other in each.alternatives] for each in reply.logprobs or ()]
    assert near == [pytest.approx(row, abs=1e-4) for row in p[:-1].topk(3).values.tolist()]


async def test_a_long_vocabulary_is_read_in_stretches_with_the_same_numbers(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await local(request(TOKENS))
    monkeypatch.setattr("agents.local.readouts.given_replies.LOGITS_PER_STRETCH", 600)
    parts = await local(request(TOKENS))
    assert parts.measures == pytest.approx(whole.measures, abs=1e-5)
    assert [each.token for each in parts.logprobs or ()] == [
        each.token for each in whole.logprobs or ()
    ]


async def test_a_reply_of_the_model_is_read_as_its_own_tokens_to_the_end() -> None:
    """The numbers are those that were measured while it was spoken."""
    toy = model("toy/sum")
    asked = Request((Message("user", "37+48+25"),), Sampling(temperature=1.5), 1, PLACE)
    spoken = await toy(asked)
    assert (spoken.finish_reason, spoken.reasoning) == ("stop", None)
    ids = spoken.token_ids or ()
    for author, share in (("toy/sum", 1.0), ("toy/other", 0.0)):
        messages = (*asked.messages, Message("assistant", spoken.text))
        spans = (GeneratedSpan(1, 0, len(spoken.text), ids, author),)
        read = await toy(Request(messages, Sampling(readouts=("tokens",)), 2, PLACE, spans))
        measures = dict(read.measures or {})
        assert measures["read_stored_share"] == share
        if share:
            assert measures["read_tokens"] == len(ids)
            both = {name: measures[name] for name in spoken.measures or {}}
            assert both == pytest.approx(spoken.measures, abs=1e-4)
    await toy.close()


async def test_a_tokenizer_that_drops_characters_costs_the_answers_numbers_alone() -> None:
    toy = model("toy/sum")
    said = "\u00e9 2+4=6\n\n\\boxed{6}"
    place = f"@{said.index('{') + 1}:{said.index('}')}"
    readouts = (f"tokens{place}", f"attention_chain{place}")
    messages = (Message("user", "12+34+56"), Message("assistant", said))
    read = await toy(Request(messages, Sampling(readouts=readouts), 1, PLACE))
    await toy.close()
    assert "drops characters" in read.text
    assert "logprob_mean" in (read.measures or {})
    assert not any("answer" in name for name in read.measures or {})


async def test_the_state_is_that_of_the_last_token_of_the_prompt(local: LocalModel) -> None:
    alone = await local(request(Sampling(readouts=("state",)), None))
    before = await local(request(Sampling(readouts=("state",))))
    numbers = json.loads(alone.text)["state"]
    assert json.loads(before.text)["state"] == pytest.approx(numbers, rel=1e-4, abs=1e-5)
    ids = local._chat.ids(request(Sampling(), None), local.name)
    with torch.inference_mode():
        states = local._weights.model.base_model(torch.tensor([ids]))[0][0, -1].double().numpy()
    draw = np.random.default_rng(STATE_SEED).standard_normal((STATE_NUMBERS, len(states))) / 8
    assert numbers == pytest.approx((draw @ states).tolist(), rel=1e-4, abs=1e-5)


async def test_a_reading_waits_for_no_reply_and_no_reply_for_readings(local: LocalModel) -> None:
    """Replies go on being generated between readings: none of them fails, all are as alone."""
    asked = request(Sampling(temperature=0.0, max_tokens=20), None)
    alone = await local(asked)
    found = await asyncio.gather(local(asked), *(local(request(TOKENS)) for _ in range(4)))
    assert found[0].token_ids == alone.token_ids
    assert len({reply.measures["logprob_sum"] for reply in found[1:] if reply.measures}) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (ValueError("of its own"), RefusedError, "cannot read this: ValueError: of its own"),
        (torch.OutOfMemoryError("gone"), ContextOverflowError, "does not fit the memory that"),
    ],
)
async def test_a_reading_that_fails_fails_alone(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch, fault: Exception, kind: type, words: str
) -> None:
    def fail(*anything: object) -> Reply:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr("agents.local.readouts.given_replies.measured_reply", fail)
        with pytest.raises(kind, match=words):
            await local(request(TOKENS))
    assert (await local(request(TOKENS))).finish_reason == "read"


@pytest.mark.parametrize(
    ("sampling", "said", "words"),
    [
        (TOKENS, None, "was given no reply to read"),
        (Sampling(readouts=("tokens@400:500",)), SAID, "no token stands there"),
        (Sampling(readouts=("tokens@3:3",)), SAID, "no token stands there"),
        (Sampling(readouts=("thoughts",)), SAID, "is a tuple of some of tokens, attention_chain"),
        (Sampling(readouts=("tokens", "tokens@1:2")), SAID, "each once"),
        (Sampling(readouts=("tokens",), choices=("a", "b")), SAID, "two questions"),
    ],
)
async def test_what_cannot_be_read_is_one_clear_sentence(
    local: LocalModel, sampling: Sampling, said: str | None, words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        await local(request(sampling, said))


@pytest.mark.parametrize("reference", ["http/m@http://127.0.0.1:1/v1", "vllm/m@http://127.0.0.1:1"])
def test_other_lanes_refuse_readouts_by_name(reference: str) -> None:
    for dropping in (False, True):
        with pytest.raises(StudyError, match="readouts need a model on this machine"):
            agent(reference, sampling=TOKENS, drop_unsupported=dropping)


async def reads(episode: Any, subject: Any, scorer: Any) -> None:
    await episode.ask(scorer, "how many?", phase="read", sampling=Sampling(readouts=("state",)))


def test_a_model_without_readouts_is_not_asked_for_them(tmp_path: Path) -> None:
    writer = scripted_model(lambda request: "words")
    study = Study("s", [Arm("a", reads, [{"scorer": Agent("w", writer)}])], [MOTION])
    with pytest.raises(StudyError, match=r"nothing was asked: scorer is to be read off \(state\)"):
        Arena(tmp_path / "a.duckdb").run(study)


def test_readouts_stand_in_ids_only_where_they_are_asked_for() -> None:
    assert "readouts" not in Sampling().content()
    assert Sampling(readouts=["tokens"]).content()["readouts"] == ("tokens",)  # type: ignore[arg-type]
