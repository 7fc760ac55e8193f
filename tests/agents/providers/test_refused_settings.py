"""A provider that refuses a setting by name is asked again without it, where that is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.providers.refused_settings import SYSTEM, Adaptation, find_refused
from agents.references import agent
from arena import Arena, Arm, Retry, Sampling, Study, Subject
from arena.calls.probes import fails_always
from arena.errors import RefusedError, RefusedSettingError, error_kind
from arena.types import Message, Place, Request
from protocols.debate import debate
from protocols.single import single
from tests.fake_server import Fault, ServerAnswer, chat_server
from tests.provider_faults import ask

SENT = {
    "model": "llama",
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "motion"}],
    "seed": 7,
    "temperature": 0.5,
    "max_tokens": 50,
    "stop": ["END"],
    "output_config": {"effort": "low", "format": {"type": "json_schema"}},
    "chat_template_kwargs": {"enable_thinking": False},
}
# As OpenAI, Groq, Mistral, FastAPI, Anthropic, Gemini's chat API, vLLM and others word it.
NAMED = [
    ({"error": {"message": "Unknown parameter: 'seed'.", "param": "seed"}}, "seed"),
    ({"error": {"message": "property 'seed' is unsupported"}}, "seed"),
    ({"error": {"message": "Unrecognized request argument supplied: seed"}}, "seed"),
    (
        {"error": {"message": 'Invalid payload. Unknown name "seed": Cannot find field.'}},
        "seed",
    ),
    (
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "not permitted"}]},
        "seed",
    ),
    (
        {
            "object": "error",
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stop"]}]},
        },
        "stop",
    ),
    (
        {
            "error": {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model."
                " Use 'max_completion_tokens' instead.",
                "param": "max_tokens",
            }
        },
        "max_tokens",
    ),
    (
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0.5 with this model."
                " Only the default (1) value is supported.",
                "param": "temperature",
            }
        },
        "temperature",
    ),
    (
        {"error": {"message": "output_config.effort: Extra inputs are not permitted"}},
        "output_config.effort",
    ),
    ({"error": {"message": "chat_template_kwargs is not supported"}}, "chat_template_kwargs"),
    ({"object": "error", "message": "System role not supported"}, SYSTEM),
    ({"error": {"message": "Developer instruction is not enabled for models/gemma-3"}}, SYSTEM),
]
NOT_NAMED = [
    {"error": {"message": "temperature must be at most 1", "param": "temperature"}},
    {"error": {"message": "max_tokens is too large: 50", "param": "max_tokens"}},
    {"error": {"message": "max_tokens is not supported"}},
    {"error": {"message": "tools are not supported, stop that"}},
    {"error": {"message": "the model 'llama' is not supported", "param": "model"}},
    {"error": {"message": "Invalid prompt"}},
]


@pytest.mark.parametrize(("document", "name"), NAMED)
def test_a_refused_setting_is_found_in_the_words_of_each_provider(
    document: dict[str, object], name: str
) -> None:
    for status in (400, 422):
        assert find_refused(status, orjson.dumps(document), SENT) == name
    assert find_refused(500, orjson.dumps(document), SENT) is None
    nothing = {"model": "llama", "messages": [{"role": "user", "content": "motion"}]}
    assert find_refused(400, orjson.dumps(document), nothing) is None


@pytest.mark.parametrize("document", NOT_NAMED)
def test_a_value_out_of_range_and_what_was_not_sent_are_no_refused_setting(
    document: dict[str, object],
) -> None:
    assert find_refused(400, orjson.dumps(document), SENT) is None


def test_a_plain_text_is_read_too() -> None:
    assert find_refused(400, b"unknown field `seed`", SENT) == "seed"
    assert find_refused(400, b"\xff\xfe", SENT) is None


def test_what_was_refused_is_left_out_renamed_or_folded() -> None:
    adapted = Adaptation()
    for refused in ("seed", "seed", "output_config.effort", "max_tokens", SYSTEM):
        adapted = adapted.after(refused)
    sent = adapted.settings(SENT)
    assert sent == {
        "model": "llama",
        "messages": SENT["messages"],
        "temperature": 0.5,
        "max_completion_tokens": 50,
        "stop": ["END"],
        "output_config": {"format": {"type": "json_schema"}},
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert "output_config" not in adapted.after("output_config.format").settings(SENT)
    request = Request(
        (Message("system", "be brief"), Message("assistant", "a"), Message("user", "b")),
        Sampling(),
        7,
        Place("e", "s", 0, 0, "p", 0),
    )
    assert adapted.request(request).messages == (
        Message("assistant", "a"),
        Message("user", "be brief\n\nb"),
    )


def picky(body: dict[str, Any]) -> ServerAnswer:
    """A server that takes neither a seed nor max_tokens nor a system role, one after another."""
    if "seed" in body:
        return Fault("400", "property 'seed' is unsupported")
    if "max_tokens" in body:
        return Fault("400", "'max_tokens' is not supported; use 'max_completion_tokens'")
    if body["messages"][0]["role"] == "system":
        return Fault("400", "System role not supported")
    return "The answer is \\boxed{4}."


async def test_a_run_says_what_was_left_out_and_keeps_what_was_sent(tmp_path: Path) -> None:
    said: set[str] = set()
    async with chat_server(picky) as server:
        solver, other = (
            agent(
                f"http/llama@{server.url}",
                name=name,
                system="Be brief.",
                sampling=Sampling(max_tokens=50),
                drop_unsupported=True,
            )
            for name in ("solver", "other")
        )
        subjects = [Subject("2 + 2?", "question", "4"), Subject("3 + 1?", "question", "4")]
        study = Study("picky", [Arm("one", single, [{"solver": solver}])], subjects)
        arena = Arena(tmp_path / "a.duckdb", retry=Retry(first_wait_s=0.001))
        await arena.play(study, watch=lambda stats: said.update(stats.notes))
        assert len(server.requests) == 5
        # Another agent of the model is asked like that from its first call on.
        await other.model(ask(sampling=other.sampling))
        await other.model.close()
    assert len(server.requests) == 6
    assert [message["role"] for message in server.requests[4].body["messages"]] == ["user"]
    assert server.requests[4].body["messages"][0]["content"].startswith("Be brief.\n\n")
    rows = arena.sql("select status, sent::varchar from calls order by started_at, status").rows
    assert [status for status, _ in rows] == ["failed"] * 3 + ["ok"] * 2
    assert orjson.loads(rows[-1][1]) == {
        "max_completion_tokens": 50,
        "system": "in the first user message",
        "left_out": ["seed"],
    }
    assert said == {
        "http/llama refused seed: seed is left out from now on",
        "http/llama refused max_tokens: max_tokens is sent as max_completion_tokens from now on",
        "http/llama refused system role: the system prompt is sent at the beginning of the first"
        " user message from now on",
    }


def test_what_is_known_not_to_be_taken_is_told_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")
    hi, lo = (
        agent(f"openai/gpt-4o?effort={name}", name=name, drop_unsupported=True)
        for name in ("high", "low")
    )
    arms = [Arm(each.name, single, [{"solver": each}]) for each in (hi, lo)]
    study = Study("known", arms, [Subject("2 + 2?", "question", "4")])
    notes = Arena(tmp_path / "a.duckdb").dry_run(study).notes
    assert notes == (
        "openai/gpt-4o is asked without reasoning_effort: gpt-4o does not reason before it speaks",
        "high and low (openai/gpt-4o) are asked with one and the same sampling",
    )
    subjects = [Subject("Cats are fine.", "motion")]
    speakers = {seat: agent("sim/even") for seat in ("proposition", "opposition")}
    for replies in ("schema", "tags"):
        debates = [Arm("one", debate, [speakers], options={"replies": replies})]
        told = Arena(tmp_path / "a.duckdb").dry_run(Study("forms", debates, subjects)).notes
        words = "sim/even replies in tags where replies=schema: it keeps to no schema"
        assert told == ((words,) if replies == "schema" else ())
    assert agent("openai/gpt-4o?effort=low", drop_unsupported=True).name == "openai/gpt-4o"


async def test_a_setting_of_one_question_is_left_out_as_one_of_a_seat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")
    async with chat_server(lambda body: "words") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        speaker = agent("openai/gpt-4o", drop_unsupported=True).model
        request = ask(sampling=Sampling(reasoning_effort="low", max_tokens=9))
        await speaker(request)
        assert speaker.request_settings(request) == {
            "seed": request.seed,
            "max_completion_tokens": 9,
            "left_out": ["reasoning_effort"],
        }
        assert "reasoning_effort" not in server.requests[0].body
        # A protocol that asks for a choice could not read another reply.
        with pytest.raises(RefusedError, match="leave choices out"):
            await speaker(ask(sampling=Sampling(choices=("yes", "no"))))
        await speaker.close()


async def test_without_leave_the_error_names_the_setting_and_what_to_do() -> None:
    async with chat_server(picky) as server:
        speaker = agent(f"http/llama@{server.url}").model
        with pytest.raises(RefusedError, match=r"names seed: leave it out.*drop_unsupported=True"):
            await speaker(ask())
        await speaker.close()
    assert len(server.requests) == 1


def test_a_setting_that_is_left_out_next_time_stops_no_model() -> None:
    for error, stops in (
        (RefusedError("no", http_status=400), True),
        (RefusedSettingError("no", note="left out", http_status=400), False),
    ):
        assert fails_always(error) is stops
        assert error_kind(error) == "Refused"
