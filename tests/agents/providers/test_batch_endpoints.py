"""Batch endpoints of providers, through their real SDKs, against servers of the same form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents import agent
from arena import Arena, Sampling, Study
from arena.calls.batch_calls import BatchSettings
from arena.calls.batch_record import custom_id
from arena.calls.retry import Retry
from arena.errors import BatchUnclearError, NotAskedError
from arena.text import utc_now
from arena.types import Message, Place, Request
from tests.fake_agents import study
from tests.fake_batches import HALF_EMOJI, BatchServer, serving
from tests.fake_server import chat_server, repeatable_reply

NOW = BatchSettings(first_wait_s=0.001, longest_wait_s=0.01, settle_s=0.0, quiet_s=0.02)
QUICK = Retry(attempts=3, first_wait_s=0.001, longest_wait_s=0.002)
MODELS = {
    "openai/gpt-4o-mini": ("OPENAI", "/v1"),
    "openai/gpt-5-mini": ("OPENAI", "/v1"),
    "anthropic/claude-haiku-4-5": ("ANTHROPIC", ""),
    "mistral/mistral-small-latest": ("MISTRAL", "/v1"),
    "gemini/gemini-2.5-flash": ("GEMINI", "/v1beta"),
}
REFERENCES = pytest.mark.parametrize("reference", [*MODELS])
ROWS = (
    "select episode, seat, step, text, reasoning, asks, confidence, seed, request_hash,"
    " finish_reason, model_served from turns order by all"
)
EXPIRED: dict[str, dict[str, Any]] = {
    "OPENAI": {"response": None, "error": {"code": "batch_expired", "message": "expired"}},
    "ANTHROPIC": {"type": "expired"},
    "MISTRAL": {"response": None, "error": {"code": "batch_expired", "message": "expired"}},
    "GEMINI": {"error": {"code": 4, "message": "expired"}},
}
OVERLOADED: dict[str, dict[str, Any]] = {
    "MISTRAL": {"response": {"status_code": 503, "body": {"message": "busy"}}, "error": None},
    "GEMINI": {"error": {"code": 14, "message": "busy"}},
    "OPENAI": {
        "response": {"status_code": 500, "body": {"error": {"message": "out of order"}}},
        "error": None,
    },
    "ANTHROPIC": {
        "type": "errored",
        "error": {"type": "error", "error": {"type": "api_error", "message": "out of order"}},
    },
}


@pytest.fixture(scope="module")
def provider() -> Iterator[BatchServer]:
    with serving(BatchServer()) as server:
        yield server


@pytest.fixture
def server(provider: BatchServer, monkeypatch: pytest.MonkeyPatch) -> BatchServer:
    for name, root in MODELS.values():
        monkeypatch.setenv(f"{name}_API_KEY", "sk-test-0123456789abcdef")
        for variable in (f"{name}_BASE_URL", f"{name}_API_BASE"):
            monkeypatch.setenv(variable, provider.url.removesuffix("/v1") + root)
    fresh = BatchServer()
    for field in (
        "answer",
        "stages",
        "on_event",
        "fault",
        "refuse",
        "batches",
        "asked",
        "tokens",
        "events",
    ):
        setattr(provider, field, getattr(fresh, field))
    return provider


def small(reference: str) -> Study:
    return study(agent(reference, sampling=Sampling(max_tokens=50)), subjects=1, rounds=1)


@REFERENCES
@pytest.mark.slow
async def test_a_study_in_batches_has_the_rows_of_one_without_at_half_the_price(
    tmp_path: Path, server: BatchServer, reference: str
) -> None:
    batched, single = Arena(tmp_path / "a.duckdb", batches=NOW), Arena(tmp_path / "b.duckdb")
    assert (await batched.play(small(reference))).done == 1
    once = dict(server.asked)
    assert (await single.play(small(reference))).done == 1
    assert batched.sql(ROWS).rows == single.sql(ROWS).rows
    # The same requests, to the letter.
    assert dict(server.asked) == {name: 2 * times for name, times in once.items()}
    bills = [
        arena.sql("select sum(cost_usd), sum(tokens_in), count(*) from calls").rows[0]
        for arena in (batched, single)
    ]
    assert bills[0][0] == pytest.approx(bills[1][0] / 2)
    assert bills[0][1:] == bills[1][1:]


@REFERENCES
@pytest.mark.slow
async def test_half_an_emoji_in_a_result_is_read_as_in_a_single_call(
    tmp_path: Path, server: BatchServer, reference: str
) -> None:
    server.answer = lambda received: repeatable_reply(received).replace("speech-", HALF_EMOJI)
    batched, single = Arena(tmp_path / "a.duckdb", batches=NOW), Arena(tmp_path / "b.duckdb")
    assert (await batched.play(small(reference))).done == 1
    once = dict(server.asked)
    assert (await single.play(small(reference))).done == 1
    assert batched.sql(ROWS).rows == single.sql(ROWS).rows
    assert dict(server.asked) == {name: 2 * times for name, times in once.items()}
    assert all("\ufffd" in row[3] for row in batched.sql(ROWS).rows)


@REFERENCES
@pytest.mark.slow
async def test_lines_that_fail_or_expire_are_asked_again_in_the_next_round(
    tmp_path: Path, server: BatchServer, reference: str
) -> None:
    lines: list[str] = []

    def fault(line: dict[str, Any]) -> dict[str, Any] | None:
        """Let the first line fail and the second one expire."""
        lines.append(line["custom_id"])
        name = MODELS[reference][0]
        return {1: OVERLOADED, 2: EXPIRED}.get(len(lines), {}).get(name)

    server.fault = fault
    arena = Arena(tmp_path / "a.duckdb", batches=NOW, retry=QUICK)
    assert (await arena.play(small(reference))).done == 1
    failed = "select error_kind, cost_usd from calls where status = 'failed' order by 1"
    assert arena.sql(failed).rows == (("NotAskedError", 0.0), ("Unreachable", 0.0))
    assert [len(batch.lines) for batch in server.batches.values()][:2] == [2, 2]


NO_TOP_P: dict[str, dict[str, Any]] = {
    "OPENAI": {
        "response": {
            "status_code": 400,
            "body": {"error": {"message": "Unsupported parameter: 'top_p'.", "param": "top_p"}},
        },
        "error": None,
    },
    "ANTHROPIC": {
        "type": "errored",
        "error": {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "top_p: Extra inputs are not permitted",
            },
        },
    },
    "MISTRAL": {
        "response": {"status_code": 422, "body": {"message": "top_p: extra fields not permitted"}},
        "error": None,
    },
}


@pytest.mark.parametrize("reference", [*MODELS][:1] + [*MODELS][2:4])
@pytest.mark.slow
async def test_a_setting_that_lines_are_refused_for_is_left_out_of_the_next_round(
    tmp_path: Path, server: BatchServer, reference: str
) -> None:
    def fault(line: dict[str, Any]) -> dict[str, Any] | None:
        """Refuse a line that has top_p."""
        body = line.get("body") or line["params"]
        return NO_TOP_P[MODELS[reference][0]] if "top_p" in body else None

    server.fault = fault
    notes: list[str] = []
    arena = Arena(tmp_path / "a.duckdb", batches=NOW, retry=QUICK)
    sampling = Sampling(max_tokens=50, top_p=0.9)
    speaker = agent(reference, sampling=sampling, drop_unsupported=True)
    played = study(speaker, subjects=1, rounds=1)
    summary = await arena.play(played, watch=lambda stats: notes.extend(stats.notes))
    assert summary.done == 1
    assert [len(batch.lines) for batch in server.batches.values()][:2] == [2, 2]
    assert f"{reference} refused top_p: top_p is left out from now on" in notes
    sent = "select distinct status, sent->>'left_out', sent->>'top_p' from calls order by 1"
    assert arena.sql(sent).rows == (("failed", None, "0.9"), ("ok", '["top_p"]', None))


def request() -> Request:
    return Request(
        (Message("user", "Speak."),), Sampling(max_tokens=5), 7, Place("e", "s", 0, 0, "p", 0)
    )


@pytest.mark.slow
async def test_a_reply_is_kept_where_an_error_of_the_same_call_follows(
    tmp_path: Path, server: BatchServer
) -> None:
    def add_errors(event: str) -> None:
        """Say of each answered line that it failed, too."""
        for batch in server.batches.values() if event == "created" else ():
            batch.errors = [
                {"custom_id": row["custom_id"], **OVERLOADED["OPENAI"]} for row in batch.answers
            ]

    server.on_event = add_errors
    arena = Arena(tmp_path / "a.duckdb", batches=NOW, retry=QUICK)
    assert (await arena.play(small("openai/gpt-4o-mini"))).done == 1
    assert arena.sql("select count(*) from calls where status = 'failed'").rows == ((0,),)


@REFERENCES
@pytest.mark.slow
async def test_a_batch_is_found_by_its_key_among_others(
    server: BatchServer, reference: str
) -> None:
    endpoint = agent(reference).model.batches
    assert endpoint is not None
    keys = [f"{n:016x}" for n in range(3)]
    since = utc_now() - timedelta(minutes=5)
    server.stages = ("completed",)
    ids = {
        key: await endpoint.create(key, [await endpoint.line(custom_id(key, request()), request())])
        for key in keys
    }
    for key, id in ids.items():
        assert await endpoint.find(key, since, 1, ()) == id
    assert await endpoint.find("f" * 16, since, 1, ()) is None
    assert await endpoint.find(keys[0], since + timedelta(hours=1), 1, ()) in (ids[keys[0]], None)
    await endpoint.cancel(ids[keys[0]])


@REFERENCES
@pytest.mark.slow
async def test_entries_of_a_list_without_an_id_are_no_fault(
    server: BatchServer, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = agent(reference).model.batches
    assert endpoint is not None
    key, since = "a" * 16, utc_now() - timedelta(minutes=5)
    await endpoint.create(key, [await endpoint.line(custom_id(key, request()), request())])
    (batch,) = server.batches.values()
    monkeypatch.setattr(batch, "id", None)
    # Nobody else's is the one; ours is there, and is not created anew.
    assert await endpoint.find("b" * 16, since, 2, ()) is None
    if not reference.startswith("anthropic/"):
        with pytest.raises(BatchUnclearError, match="without its id"):
            await endpoint.find(key, since, 1, ())


@pytest.mark.slow
async def test_a_server_of_one_s_own_is_asked_in_batches_if_it_has_them(
    tmp_path: Path, server: BatchServer
) -> None:
    arena = Arena(tmp_path / "a.duckdb", batches=NOW)
    assert (await arena.play(small(f"http/any@{server.url}"))).done == 1
    assert (len(server.batches), server.tokens["single"]) == (2, 0)
    async with chat_server(lambda body: "words|70") as plain:
        other = Arena(tmp_path / "b.duckdb", batches=NOW)
        assert (await other.play(small(f"http/any@{plain.url}"))).done == 1
    assert other.sql("select count(*), count(batch) from calls").rows == ((2, 0),)


@pytest.mark.slow
async def test_a_running_batch_of_anthropic_may_be_the_one(server: BatchServer) -> None:
    endpoint = agent("anthropic/claude-haiku-4-5").model.batches
    assert endpoint is not None
    server.stages = ("in_progress",)
    key, since = "a" * 16, utc_now() - timedelta(minutes=5)
    id = await endpoint.create(key, [await endpoint.line(custom_id(key, request()), request())])
    with pytest.raises(BatchUnclearError, match=id):
        await endpoint.find(key, since, 1, ())
    # One of another size, or one that is known to be another, is not.
    assert await endpoint.find(key, since, 2, ()) is None
    assert await endpoint.find(key, since, 1, (id,)) is None


@pytest.mark.slow
@REFERENCES
async def test_a_line_that_was_not_its_turn_is_told_from_one_that_failed(
    server: BatchServer, reference: str
) -> None:
    endpoint = agent(reference).model.batches
    assert endpoint is not None
    name = MODELS[reference][0]
    row = {"result": EXPIRED[name]} if name == "ANTHROPIC" else EXPIRED[name]
    with pytest.raises(NotAskedError):
        await endpoint.read(orjson.dumps({"custom_id": "x", **row}), None)
