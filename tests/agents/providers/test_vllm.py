"""vLLM and SGLang: a begun reply is continued, and one that would not be is never asked for."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from agents.providers.http import http_model
from agents.providers.vllm import vllm_model
from arena.errors import BadReplyError, RefusedError
from arena.types import Sampling
from tests.fake_server import ServerAnswer, chat_server
from tests.provider_faults import ask
from tests.vllm_server import CONTINUED, answer


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
