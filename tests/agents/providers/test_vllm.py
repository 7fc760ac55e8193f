"""vLLM and SGLang: a begun reply is continued, and one that would not be is never asked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest

from agents.providers.completions import read_reply
from agents.providers.http import http_model
from agents.providers.vllm import vllm_model
from arena.errors import BadReplyError, RefusedError
from arena.types import GeneratedSpan, Request, Sampling
from tests.fake_server import ChatServer, Fault, ReceivedRequest, ServerAnswer, chat_server, running
from tests.provider_faults import ask
from tests.vllm_server import ANEW, CONTINUED, END, answer, tokens_of, told


def sglang(body: dict[str, Any]) -> ServerAnswer:
    """Answer as SGLang does, which has no second flag to contradict the first."""
    body.pop("add_generation_prompt", None)
    if body.get("continue_final_message"):
        body["add_generation_prompt"] = False
    return answer(body)


@pytest.mark.parametrize(("server_of", "probes"), [(answer, 1), (sglang, 2)])
async def test_a_begun_reply_is_gone_on_with(server_of: Any, probes: int) -> None:
    async with chat_server(server_of) as server:
        model = vllm_model(f"llama@{server.url}")
        begun = [model(ask("question", prefill_text="I think")) for _ in range(3)]
        assert {reply.text for reply in await asyncio.gather(*begun)} == {CONTINUED}
        await model(ask("question"))
        await model.close()
    # One short question in all, whatever asks at the same time.
    short = [received.body for received in server.requests if received.body.get("max_tokens") == 1]
    assert len(short) == probes
    first, *_, whole = (each.body for each in server.requests if "max_tokens" not in each.body)
    assert first["messages"][-1] == {"role": "assistant", "content": "I think"}
    assert (first["continue_final_message"], first["add_generation_prompt"]) == (True, False)
    assert "continue_final_message" not in whole
    assert (model.name, "prefill" in model.capabilities) == ("vllm/llama", True)
    assert "prefill" not in http_model("llama@http://127.0.0.1:1/v1").capabilities


@pytest.mark.parametrize("counts", [True, False])
async def test_a_prefill_that_would_be_ignored_is_never_sent(counts: bool) -> None:
    async with chat_server(partial(answer, knows_flags=False, counts=counts)) as server:
        model = vllm_model(f"llama@{server.url}")
        for _ in range(2):
            with pytest.raises(RefusedError, match="does not go on with a reply") as caught:
                await model(ask("question", prefill_text="I think"))
            assert not caught.value.sent
        assert len(server.requests) == 2
        # What needs no prefill is asked all the same.
        assert (await model(ask("question"))).text
        await model.close()


@pytest.mark.parametrize("begun", [None, "So: "])
async def test_the_likeliest_choice_is_the_reply_with_the_probability_of_each(
    begun: str | None,
) -> None:
    async with chat_server(answer) as server:
        model = vllm_model(f"llama@{server.url}")
        choices = Sampling(choices=("b", "a", "ca"))
        assert model.unsupported_reason(choices) is None
        reply = await model(ask("question", choices, prefill_text=begun))
        await model.close()
    # 1/4, 1/2, and 1/8 of 1/2.
    assert (reply.text, reply.finish_reason) == ("a", "options")
    assert reply.measures == pytest.approx(
        {
            "logprob of b": -1.3863,
            "logprob of a": -0.6931,
            "logprob of ca": -2.7726,
            "probability of b": 4 / 13,
            "probability of a": 8 / 13,
            "probability of ca": 1 / 13,
        },
        abs=1e-4,
    )
    assert model.request_settings(ask("question", choices))["choices"] == ["b", "a", "ca"]


async def test_choices_need_the_tokens_of_the_prompt() -> None:
    def silent(body: dict[str, Any]) -> ServerAnswer:
        body.pop("prompt_logprobs", None)
        return answer(body)

    async with chat_server(silent) as server:
        model = vllm_model(f"llama@{server.url}")
        with pytest.raises(BadReplyError, match="prompt_logprobs"):
            await model(ask("question", Sampling(choices=("yes", "no"))))
        await model.close()


def begun_with(text: str, *pieces: tuple[str, tuple[int, ...]], model: str = "llama") -> Request:
    """Return a request whose prefill holds pieces that the model has generated, as tokens."""
    request = ask("question", prefill_text=text)
    spans = []
    for piece, ids in pieces:
        start = text.index(piece)
        spans.append(GeneratedSpan(2, start, start + len(piece), ids, model))
    return replace(request, generated_spans=tuple(spans))


async def test_a_reply_goes_on_from_the_tokens_that_the_model_generated() -> None:
    async with running(ChatServer(told)) as server:
        model = vllm_model(f"llama@{server.url}")
        ids = (await model(ask("question"))).token_ids
        assert ids == (*map(ord, ANEW), END)
        # A part of a reply, a whole one, and one of another model: between and behind them text.
        other = tuple(map(ord, "Hm."))
        whole = ANEW.replace("O", "o")
        text = f"So: {ANEW[:9]}, he said. {whole} Hm."
        pieces = ((ANEW[:9], ids), (whole, (*map(ord, whole), END)))
        request = begun_with(text, *pieces)
        foreign = begun_with(text, ("Hm.", other), model="mistral").generated_spans
        request = replace(request, generated_spans=(*request.generated_spans, *foreign))
        reply = await model(replace(request, sampling=Sampling(logprobs=1, max_tokens=7)))
        await model.close()
    sent = server.requests[-1]
    assert sent.path == "/v1/completions"
    assert sent.body["prompt"] == [
        *tokens_of("<system>be brief<user>question<assistant>"),
        *tokens_of("So: "),
        *map(ord, ANEW[:9]),
        *tokens_of(", he said. "),
        *map(ord, whole),
        *tokens_of(" Hm."),
    ]
    assert (sent.body["max_tokens"], sent.body["logprobs"]) == (7, 1)
    assert (reply.text, reply.finish_reason, reply.tokens_in) == (CONTINUED, "stop", 9)
    assert reply.token_ids == (*map(ord, CONTINUED), END)
    assert reply.logprobs is not None
    assert [each.token for each in reply.logprobs[0].alternatives] == ["f", "z"]


@pytest.mark.parametrize(("text", "kept"), [("all well", True), ("the key is sk-abcdefgh", False)])
def test_tokens_that_spell_a_key_are_not_kept(text: str, kept: bool) -> None:
    choice = {"message": {"content": text}, "token_ids": [*map(ord, text)]}
    reply = read_reply(orjson.dumps({"choices": [choice]}), endpoint="e", key="sk-abcdefgh")
    assert (reply.token_ids is not None) == kept == (reply.text == text)


async def test_a_server_that_tells_no_tokens_gets_the_text() -> None:
    def sglang_server(received: ReceivedRequest) -> ServerAnswer:
        if received.path == "/tokenize":
            return Fault("404", "Not Found")
        return answer(received.body)

    async with running(ChatServer(sglang_server)) as server:
        model = vllm_model(f"llama@{server.url}")
        request = begun_with(f"{ANEW} Hm.", (ANEW, (*map(ord, ANEW), END)))
        for _ in range(2):
            assert (await model(request)).text == CONTINUED
        await model.close()
    paths = [received.path for received in server.requests]
    assert (paths.count("/tokenize"), paths[-1]) == (1, "/v1/chat/completions")
    assert server.requests[-1].body["messages"][-1]["content"] == f"{ANEW} Hm."
