"""The HTTP model against a server on loopback: requests, replies, the error of each fault."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.providers.completions import read_reply, stated_cost, token_choices
from agents.providers.faults import read_fault, retry_after_seconds
from agents.providers.http import HttpModel, http_model
from agents.providers.http_server import key_for
from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    StudyError,
    UnreachableError,
)
from arena.types import Alternative, Reply, Sampling, TokenChoice
from tests.fake_server import ChatServer, Fault, chat_process, chat_server
from tests.provider_faults import FAULT_NAMES, FAULTS, KEY, ask, everything_said, no_connection_left


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARENA_HTTP_API_KEY", raising=False)


@asynccontextmanager
async def connected(server: ChatServer, timeout_s: float = 5.0) -> AsyncIterator[HttpModel]:
    model = HttpModel("llama", server.url, timeout_s=timeout_s)
    try:
        yield model
    finally:
        await model.close()


async def test_a_reply_is_read_with_all_its_counts() -> None:
    usage = {
        "prompt_tokens": 40,
        "prompt_tokens_details": {"cached_tokens": 32},
        "completion_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    choice = {
        "message": {"content": "a spéech", "reasoning_content": "hm"},
        "finish_reason": "stop",
    }
    async with (
        chat_server(
            lambda body: {"model": "llama-8b", "choices": [choice], "usage": usage}
        ) as server,
        connected(server) as model,
    ):
        reply = await model(ask())
    assert (reply.text, reply.reasoning, reply.model_served, reply.finish_reason) == (
        "a spéech",
        "hm",
        "llama-8b",
        "stop",
    )
    assert (reply.tokens_in, reply.tokens_cached, reply.tokens_out, reply.tokens_reasoning) == (
        40,
        32,
        9,
        5,
    )
    assert (reply.http_status, reply.cost_usd) == (200, None)


ODD_USAGES = [
    None,
    {},
    [],
    {"prompt_tokens": None, "completion_tokens": "9"},
    {"prompt_tokens": -1, "completion_tokens": True},
]


@pytest.mark.parametrize("usage", ODD_USAGES)
def test_a_count_that_was_not_given_is_missing_and_not_zero(usage: object) -> None:
    reply = read_reply(
        json.dumps({"choices": [{"message": {"content": "speech"}}], "usage": usage}).encode(),
        endpoint="it",
    )
    assert (
        reply.tokens_in,
        reply.tokens_out,
        reply.tokens_cached,
        reply.model_served,
        reply.reasoning,
    ) == (None,) * 5


async def test_only_settings_that_were_made_are_sent() -> None:
    async with chat_server(lambda body: "speech") as server, connected(server) as model:
        await model(ask())
        await model(
            ask(sampling=Sampling(temperature=0.0, top_p=0.9, max_tokens=50, stop=("END",)))
        )
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "motion"}]
    assert server.requests[0].body == {"model": "llama", "messages": messages, "seed": 7}
    settings = {"temperature": 0.0, "top_p": 0.9, "max_tokens": 50, "stop": ["END"]}
    assert server.requests[1].body == server.requests[0].body | settings


SPOKEN = [
    {
        "token": "Yes",
        "logprob": -0.25,
        "bytes": None,
        "top_logprobs": [{"token": "Yes", "logprob": -0.25}, {"token": "No", "logprob": -2}],
    }
]


async def test_log_probabilities_are_asked_for_and_read() -> None:
    choice = {
        "message": {"content": "Yes"},
        "finish_reason": "stop",
        "logprobs": {"content": SPOKEN},
    }
    async with (
        chat_server(lambda body: {"choices": [choice]}) as server,
        connected(server) as model,
    ):
        reply = await model(ask(sampling=Sampling(logprobs=2)))
    assert (server.requests[0].body["logprobs"], server.requests[0].body["top_logprobs"]) == (
        True,
        2,
    )
    assert reply.logprobs == (
        TokenChoice("Yes", -0.25, (Alternative("Yes", -0.25), Alternative("No", -2.0))),
    )


ODD_TOKENS = [
    None,
    {},
    [],
    "x",
    [None],
    [{"token": 1, "logprob": -1}],
    [{"token": "a"}],
    [{"token": "a", "logprob": 0.5}],
]
ODD_TOKENS += [
    [{"token": "a", "logprob": value}]
    for value in (float("nan"), float("-inf"), True, "-1", -(10**400))
]
ODD_TOKENS += [
    [{"token": "a", "logprob": -1, "top_logprobs": [{"token": "b", "logprob": 3}]}],
    [{"token": KEY[:9], "logprob": -1}, {"token": KEY[9:], "logprob": -1}],
]


@pytest.mark.parametrize("tokens", ODD_TOKENS)
def test_tokens_that_make_no_sense_or_spell_the_key_are_missing(tokens: object) -> None:
    assert token_choices(tokens, KEY) is None


@pytest.mark.parametrize("nothing", [None, -math.inf])
def test_an_alternative_without_a_number_costs_itself_alone(nothing: float | None) -> None:
    listed = [{"token": "b", "logprob": nothing}, {"token": "c", "logprob": -2.0}]
    tokens = [{"token": "a", "logprob": -0.5, "top_logprobs": listed}]
    assert token_choices(tokens, None) == (TokenChoice("a", -0.5, (Alternative("c", -2.0),)),)


def test_a_log_probability_that_was_rounded_above_zero_is_zero() -> None:
    assert token_choices([{"token": "a\ud83d", "logprob": 1e-6}], None) == (
        TokenChoice("a\ufffd", 0.0),
    )


COSTS = [
    (0.0012, 0.0012),
    (0, 0.0),
    ({"total_cost": 0.005, "currency": "USD"}, 0.005),
    *(
        (odd, None)
        for odd in (
            None,
            -1,
            True,
            "0.1",
            float("nan"),
            float("inf"),
            10**400,
            {},
            {"total_cost": "1"},
            [1],
        )
    ),
]


@pytest.mark.parametrize(("stated", "cost"), COSTS)
def test_what_a_provider_says_a_call_cost_is_kept_and_nothing_else(
    stated: object, cost: float | None
) -> None:
    reply = read_reply(
        json.dumps(
            {"choices": [{"message": {"content": "speech"}}], "usage": {"cost": stated}}
        ).encode(),
        endpoint="it",
    )
    assert (reply.cost_usd, reply.cost_source) == (cost, None if cost is None else "provider")


def test_with_a_key_of_ones_own_the_provider_behind_openrouter_is_paid_as_well() -> None:
    usage = {"cost": 0.001, "cost_details": {"upstream_inference_cost": 0.02}}
    assert (stated_cost(usage), stated_cost(usage | {"is_byok": True})) == (
        0.001,
        pytest.approx(0.021),
    )


BILLED = {"model": "m", "usage": {"prompt_tokens": 40, "completion_tokens": 9, "cost": 0.5}}
NOT_USABLE_BUT_BILLED = [
    ({"choices": [{"message": {"content": None}, "finish_reason": "length"}]}, EmptyReplyError),
    ({"choices": [{"message": {"content": None, "refusal": "no"}}]}, RefusedError),
    ({"choices": []}, BadReplyError),
    ({"error": {"message": "the maximum context length is 5 tokens"}}, ContextOverflowError),
]


@pytest.mark.parametrize(("answer", "kind"), NOT_USABLE_BUT_BILLED)
async def test_a_reply_that_is_of_no_use_keeps_what_it_is_billed_for(
    answer: dict[str, object], kind: type[ModelError]
) -> None:
    async with chat_server(lambda body: answer | BILLED) as server, connected(server) as model:
        with pytest.raises(kind) as caught:
            await model(ask())
    finish = "length" if kind is EmptyReplyError else None
    assert caught.value.reply == Reply(
        "", None, "m", finish, 200, 40, None, 9, None, 0.5, "provider"
    )


async def test_a_fault_that_counted_nothing_is_not_billed() -> None:
    async with (
        chat_server(lambda body: {"choices": [], "usage": {}}) as server,
        connected(server) as model,
    ):
        with pytest.raises(BadReplyError) as caught:
            await model(ask())
    assert caught.value.reply is None


@pytest.mark.parametrize(("fault", "kind", "status"), FAULTS, ids=FAULT_NAMES)
async def test_each_fault_becomes_its_error_after_one_request(
    fault: Fault, kind: type[ModelError], status: int | None
) -> None:
    async with chat_server(lambda body: fault) as server:
        async with connected(server, timeout_s=1.0) as model:
            with pytest.raises(ModelError) as caught:
                await model(ask())
        assert await no_connection_left(server)
    assert (type(caught.value), caught.value.http_status) == (kind, status)
    assert len(server.requests) == 1
    assert "http/llama" in str(caught.value)


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with chat_server(lambda body: "speech") as server:
        pass
    async with connected(server) as model:
        with pytest.raises(UnreachableError, match="is the server up"):
            await model(ask())


async def test_after_a_fault_the_next_call_is_answered() -> None:
    answers = iter([Fault("reset"), "one", Fault("truncated"), "two", Fault("huge"), "three"])
    outcomes = []
    async with chat_server(lambda body: next(answers)) as server, connected(server) as model:
        for _ in range(6):
            try:
                outcomes.append((await model(ask())).text)
            except ModelError as error:
                outcomes.append(type(error).__name__)
    assert outcomes == [
        "UnreachableError",
        "one",
        "UnreachableError",
        "two",
        "BadReplyError",
        "three",
    ]


async def test_a_cut_short_answer_tells_to_raise_max_tokens() -> None:
    async with chat_server(lambda body: Fault("length")) as server, connected(server) as model:
        with pytest.raises(EmptyReplyError, match=r"finish reason length.*raise max_tokens"):
            await model(ask())


async def test_an_endless_answer_is_not_kept() -> None:
    async with chat_server(lambda body: Fault("huge")) as server, connected(server) as model:
        with pytest.raises(BadReplyError, match="more than 8 MB"):
            await model(ask())


async def test_the_wait_that_a_server_asks_for_is_passed_on() -> None:
    async with (
        chat_server(lambda body: Fault("429-after", retry_after="2.5")) as server,
        connected(server) as model,
    ):
        with pytest.raises(RateLimitedError) as caught:
            await model(ask())
    assert caught.value.retry_after_s == 2.5


@pytest.mark.parametrize(
    "value",
    ["", "soon", "-3", "nan", "inf", "1e400", "0x10", "9" * 400, "Mon, 99 Zed 2026 00:00:00 GMT"],
)
def test_a_wait_that_makes_no_sense_is_no_wait(value: str) -> None:
    assert retry_after_seconds({"Retry-After": value}) is None


def test_a_wait_may_be_a_date_and_is_never_negative() -> None:
    now = datetime.now(UTC)
    assert retry_after_seconds(
        {"Retry-After": format_datetime(now + timedelta(seconds=60), usegmt=True)}
    ) == pytest.approx(60, abs=2)
    assert (
        retry_after_seconds({"Retry-After": format_datetime(now - timedelta(days=1), usegmt=True)})
        == 0.0
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, {"error": {"message": "too many", "code": "context_length_exceeded"}}),
        (
            400,
            {
                "object": "error",
                "message": (
                    "This model's maximum context length is 16384 tokens. However, you"
                    " requested 122946 tokens"
                ),
            },
        ),
        (
            400,
            {
                "error": {
                    "message": (
                        "The decoder prompt (length 10127) is longer than the maximum model"
                        " length of 8192."
                    )
                }
            },
        ),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": (
                        "request (4390 tokens) exceeds the available context size (4096 tokens)"
                    ),
                }
            },
        ),
        (
            500,
            {
                "error": {
                    "code": 500,
                    "message": "Context size has been exceeded.",
                    "type": "server_error",
                }
            },
        ),
        (
            400,
            {
                "object": "error",
                "message": (
                    "The input (61709 tokens) is longer than the model's context length (40960"
                    " tokens)."
                ),
            },
        ),
        (
            400,
            {
                "message": (
                    "Input length (160062 tokens) exceeds the maximum allowed length (59862"
                    " tokens)."
                ),
                "object": "error",
            },
        ),
        (
            400,
            {
                "error": {
                    "message": (
                        "Your input exceeds the context window of this model. Please adjust"
                        " your input and try again."
                    )
                }
            },
        ),
        (
            400,
            {
                "type": "error",
                "error": {
                    "message": (
                        "input length and `max_tokens` exceed context limit: 199211 + 20000 >"
                        " 200000"
                    )
                },
            },
        ),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": (
                        "The input token count (1234567) exceeds the maximum number of tokens"
                        " allowed (1048576)."
                    ),
                }
            },
        ),
        (
            422,
            {
                "error": (
                    "Input validation error: `inputs` tokens + `max_new_tokens` must be <="
                    " 2048. Given: 3000"
                )
            },
        ),
    ],
)
def test_the_servers_wordings_of_a_full_context_are_known(
    status: int, message: dict[str, object]
) -> None:
    assert (
        type(read_fault(status, {}, json.dumps(message).encode(), endpoint="it", key=None))
        is ContextOverflowError
    )


def test_an_error_document_at_status_200_is_quoted() -> None:
    with pytest.raises(UnreachableError, match="upstream is down"):
        read_reply(b'{"error": {"message": "upstream is down", "code": 502}}', endpoint="it")
    with pytest.raises(ContextOverflowError):
        read_reply(b'{"error": {"message": "exceeds the available context size"}}', endpoint="it")


def test_a_servers_words_are_cut_and_cleaned() -> None:
    words = str(
        read_fault(
            400,
            {},
            b"\x1b[31m" + "\u202eevil\r\n\x00".encode() + b"x" * 5000,
            endpoint="it",
            key=None,
        )
    )
    assert words.isprintable()
    assert len(words) < 260


async def test_lone_surrogates_go_neither_in_nor_out() -> None:
    document = json.dumps(
        {
            "model": "m\ud800",
            "choices": [{"message": {"content": "cut \ud83d", "reasoning": "\udfff"}}],
        }
    ).encode()
    reply = read_reply(document, endpoint="it")
    f"{reply.text}{reply.reasoning}{reply.model_served}".encode()
    async with chat_server(lambda body: "speech") as server, connected(server) as model:
        await model(ask("cut \ud83d"))
    assert server.requests[0].body["messages"][1]["content"].startswith("cut ")


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
MESSAGE = JSON | st.fixed_dictionaries({"content": JSON, "reasoning": JSON})
TOKEN = st.fixed_dictionaries({"token": JSON, "logprob": JSON}, optional={"top_logprobs": JSON})
LOGPROBS = JSON | st.fixed_dictionaries({"content": JSON | st.lists(TOKEN)})
CHOICE = st.fixed_dictionaries(
    {}, optional={"message": MESSAGE, "finish_reason": JSON, "logprobs": LOGPROBS}
)
DOCUMENT = st.fixed_dictionaries(
    {}, optional={"choices": JSON | st.lists(CHOICE), "usage": JSON, "model": JSON, "error": JSON}
)


@settings(max_examples=60, deadline=None)
@given(DOCUMENT | JSON)
def test_whatever_json_comes_is_a_reply_with_text_or_a_model_error(document: object) -> None:
    try:
        reply = read_reply(json.dumps(document).encode(), endpoint="it")
    except ModelError:
        return
    assert reply.text.strip()
    assert all(
        isinstance(word, str | None)
        for word in (reply.reasoning, reply.model_served, reply.finish_reason)
    )


@given(st.binary(), st.sampled_from([b"", b'{"choices":', b"[" * 3000]))
def test_whatever_bytes_come_are_a_model_error(tail: bytes, head: bytes) -> None:
    with pytest.raises(ModelError):
        read_reply(head + tail, endpoint="it")


async def test_calls_one_after_another_share_a_connection_and_calls_at_once_are_not_limited() -> (
    None
):
    async with chat_server(lambda body: body["messages"][1]["content"], latency_s=0.1) as server:
        async with connected(server) as model:
            await model(ask("first"))
            await model(ask("second"))
            assert server.connections_made == 1
            replies = await asyncio.gather(*(model(ask(f"speech {i}")) for i in range(150)))
            assert len(server.open) == 150
        assert await no_connection_left(server)
    assert [r.text for r in replies] == [f"speech {i}" for i in range(150)]


async def test_a_cancelled_call_lets_its_connection_go() -> None:
    async with chat_server(lambda body: Fault("hang")) as server, connected(server) as model:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model(ask()), 0.05)
        assert await no_connection_left(server)


@pytest.mark.filterwarnings("error")
def test_one_model_serves_several_runs_each_in_its_own_loop() -> None:
    async def run() -> str:
        reply = await model(ask())
        await model.close()
        return reply.text

    with chat_process("--max-s", "20") as url:
        model = HttpModel("llama", url)
        assert asyncio.run(run()) == asyncio.run(run())


def test_a_run_that_never_closed_its_connections_does_not_spoil_the_next() -> None:
    async def run() -> str:
        return (await model(ask())).text

    async def run_and_close() -> str:
        text = await run()
        await model.close()
        return text

    with chat_process("--max-s", "20") as url:
        model = HttpModel("llama", url)
        first = asyncio.run(run())
        with pytest.warns(ResourceWarning, match="Unclosed"):
            assert asyncio.run(run_and_close()) == first


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with chat_server(lambda body: "speech") as server, connected(server) as model:
        assert (await model(ask())).text == "speech"


@pytest.mark.parametrize("fault", ["400", "401", "429", "503", "bad json", "wrong schema"])
async def test_the_key_is_sent_and_never_said(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARENA_HTTP_API_KEY", KEY)
    echo = f"your key {KEY[:9]}\u200b{KEY[9:]} and {KEY} {'and more ' * 17}{KEY}"
    async with chat_server(lambda body: Fault(fault, echo)) as server, connected(server) as model:
        with pytest.raises(ModelError) as caught:
            await model(ask())
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "[key]" in str(caught.value)
    assert not any(
        KEY[:12] in message
        for message in [*everything_said(caught.value), repr(model), str(model), model.name]
    )


async def test_a_refused_key_names_the_variable_to_set() -> None:
    async with chat_server(lambda body: Fault("401")) as server, connected(server) as model:
        with pytest.raises(RefusedError, match="set ARENA_HTTP_API_KEY"):
            await model(ask())
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://api.example.com/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://192.168.0.7:8000/v1", True),
        ("http://gpu-node7:8000/v1", True),
        ("http://api.example.com/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_the_key_goes_only_where_nobody_can_overhear_it(
    url: str, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARENA_HTTP_API_KEY", f" {KEY}\n")
    assert key_for("http/m", urlsplit(url)) == (KEY if sent else None)


def test_a_public_server_without_a_key_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(
        StudyError,
        match=r"http/m at https://api\.example\.com needs a key.*export ARENA_HTTP_API_KEY",
    ):
        http_model("m@https://api.example.com/v1")
    assert http_model("m@https://localhost/v1").name == "http/m"
    monkeypatch.setenv("ARENA_HTTP_API_KEY", "two\nlines")
    with pytest.raises(StudyError, match="set it again"):
        http_model("m@http://127.0.0.1/v1")


NOT_USABLE = [
    *("", "m", "m@", "m@127.0.0.1:8000", "@http://h/v1", "m\n@http://h/v1", " m@http://h/v1"),
    *(
        "m@ftp://h/v1",
        "m@http://",
        "m@http://h:99999/v1",
        "m@http://[::1/v1",
        "m@http://h /v1",
        "m@http://h\n/v1",
    ),
    *(
        "m@http://u:secret@h/v1",
        "m@http://h/v1?key=secret",
        "m@http://h/v1#secret",
        "http://u:secret@h/v1",
    ),
]


@pytest.mark.parametrize("rest", NOT_USABLE)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_its_secrets(rest: str) -> None:
    with pytest.raises(StudyError) as caught:
        http_model(rest)
    assert "secret" not in str(caught.value)


async def test_an_address_may_end_in_a_slash() -> None:
    async with chat_server(lambda body: "speech") as server:
        model = http_model(f"llama@{server.url}/")
        assert (await model(ask())).text == "speech"
        await model.close()


def test_a_model_name_may_hold_slashes_and_an_at_sign() -> None:
    assert http_model("@cf/meta/llama@http://127.0.0.1:8000/v1/").name == "http/@cf/meta/llama"


def test_the_numbered_server_never_repeats_a_number_and_logs_both_ends(tmp_path: Path) -> None:
    async def run(url: str) -> list[str]:
        model = HttpModel("llama", url)
        replies = await asyncio.gather(*(model(ask()) for _ in range(5)))
        await model.close()
        return [r.text for r in replies]

    log = tmp_path / "log.jsonl"
    texts: list[str] = []
    for served in (5, 10):
        with chat_process("--numbered", "--log", str(log), "--max-s", "20") as url:
            texts += asyncio.run(run(url))
            # The server writes a reply down after it has sent it.
            until = time.monotonic() + 10
            while log.read_text().count('"reply"') < served and time.monotonic() < until:
                time.sleep(0.01)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    numbers = {
        event: {line["number"] for line in lines if line["event"] == event}
        for event in ("request", "reply")
    }
    assert len(set(texts)) == 10
    assert numbers["request"] == numbers["reply"]
    assert all(any(f"speech-{number}<" in text for text in texts) for number in numbers["reply"])


def test_a_key_that_a_server_echoes_is_written_down_nowhere() -> None:
    body = {"choices": [{"message": {"content": f"your key is {KEY}", "reasoning": f"{KEY}!"}}]}
    reply = read_reply(json.dumps(body).encode(), endpoint="it", key=KEY)
    assert (reply.text, reply.reasoning) == ("your key is [key]", "[key]!")


@pytest.mark.parametrize(
    ("status", "body", "down"),
    [
        (503, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', True),
        (502, b"<html><h1>502 Bad Gateway</h1><hr>nginx</html>", True),
        (503, b"", True),
        (500, b'{"error":{"message":"EngineCore encountered an issue. See stack trace"}}', True),
        # Words about one request, or about a provider with too much to do.
        (503, b'{"error":{"message":"The model is overloaded","code":503}}', False),
        (504, b"<html>504 Gateway Time-out</html>", False),
        (500, b"Internal Server Error", False),
    ],
)
def test_a_server_that_is_not_there_is_told_from_one_that_fails(
    status: int, body: bytes, down: bool
) -> None:
    fault = read_fault(status, {}, body, endpoint="http/m", key=None)
    assert isinstance(fault, UnreachableError)
    assert fault.server_down == down
