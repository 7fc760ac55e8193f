"""Every fault of a server in every lane, through the whole arena.

The configured requests, the right row, no lost reply, no stuck run.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.providers.anthropic_sdk import anthropic_model
from agents.providers.http import http_model
from agents.providers.litellm_sdk import litellm_model
from agents.providers.openai_sdk import openai_model
from arena import Agent, Arena, Arm, Retry, Study, Subject
from arena.types import Model
from protocols.debate import debate
from tests.fake_agents import rating
from tests.fake_server import ChatServer, Fault, chat_server, repeatable_reply

# Fourteen faults on six lanes, which wait as retries do: a minute and a half.
pytestmark = pytest.mark.slow

VERSION = "1"
LANES = [
    "http/any",
    "openai/gpt-4o-mini",
    "openai/gpt-5-mini",
    "anthropic/claude-haiku-4-5",
    "gemini/gemini-2.5-flash",
    "openrouter/a/b",
]
KINDS = {
    "429": "RateLimited",
    "429-after": "RateLimited",
    "500": "Unreachable",
    "503": "Unreachable",
    "reset": "Unreachable",
    "truncated": "Unreachable",
    "bad json": "BadReply",
    "hang": "Unreachable",
    "slow body": "Unreachable",
    "empty text": "EmptyReply",
    "length": "EmptyReply",
    "wrong schema": "BadReply",
    "huge": "BadReply",
    "invalid utf-8": "BadReply",
}
# The same request would spend its limit on thought again: it is paid for once.
PERMANENT = {"length"}
REQUESTS = {kind: 1 if kind in PERMANENT else 3 for kind in KINDS} | {"sound": 1}
QUICK = Retry(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, identical=9)


@contextmanager
def speaking_to(url: str, reference: str, timeout_s: float = 2.0) -> Iterator[Model]:
    """The model of a reference, pointed at a server, with a short patience."""
    kind, _, name = reference.partition("/")
    bare = url.removesuffix("/v1")
    with pytest.MonkeyPatch.context() as here:
        for variable in (
            "OPENAI_API_KEY",
            "ANTHROPIC_API_KEY",
            "GEMINI_API_KEY",
            "OPENROUTER_API_KEY",
        ):
            here.setenv(variable, "sk-planted-0123456789abcdef")
        here.setenv("OPENAI_BASE_URL", url)
        here.setenv("ANTHROPIC_BASE_URL", bare)
        here.setenv("GEMINI_API_BASE", f"{bare}/v1beta")
        here.setenv("OPENROUTER_API_BASE", url)
        match kind:
            case "http":
                model = http_model(f"{name}@{url}")
                [server] = model._servers.all
                server._timeout = type(server._timeout)(total=timeout_s)
                yield model
            case "openai":
                yield openai_model(name, timeout_s=timeout_s)
            case "anthropic":
                yield anthropic_model(name, timeout_s=timeout_s)
            case _:
                # LiteLLM takes a while to read nine megabytes.
                yield litellm_model(reference, timeout_s=max(timeout_s, 6.0))


async def speak(episode: Any, motion: Subject, speaker: Any) -> None:
    await episode.ask(speaker, motion.text, phase="speech", read=rating)


async def played(
    path: Path, reference: str, reply: Callable[[str], Any]
) -> tuple[Arena, ChatServer, Counter[str]]:
    """One speech on each fault's name, by a server that answers by it; the requests for each."""
    asked: Counter[str] = Counter()

    def answer(body: dict[str, Any]) -> Any:
        kind = next(kind for kind in (*KINDS, "sound") if f"[{kind}]" in str(body))
        asked[kind] += 1
        return reply(kind)

    async with chat_server(answer) as server:
        with speaking_to(server.url, reference) as model:
            motions = [Subject(f"[{kind}]") for kind in (*KINDS, "sound")]
            arena = Arena(path, retry=QUICK)
            await arena.play(
                Study("s", [Arm("a", speak, [{"speaker": Agent("a", model)}])], motions)
            )
    return arena, server, asked


@pytest.mark.parametrize("reference", LANES)
async def test_a_lasting_fault_takes_the_configured_requests_and_is_a_row_of_its_kind(
    tmp_path: Path, reference: str
) -> None:
    arena, _, asked = await played(
        tmp_path / "a.duckdb",
        reference,
        lambda kind: "words|70" if kind == "sound" else Fault(kind, retry_after="0"),
    )
    assert asked == REQUESTS
    rows = arena.sql(
        "select s.text, c.attempt, c.error_kind"
        " from calls c join episodes e using (episode) join subjects s using (subject)"
    )
    found = defaultdict(list)
    for text, attempt, kind in sorted(rows):
        found[text[1:-1]].append((attempt, kind))
    calls = {kind: [(n, error) for n in range(REQUESTS[kind])] for kind, error in KINDS.items()}
    assert found == calls | {"sound": [(0, None)]}
    ended = arena.sql(
        "select s.text, e.status, e.error_kind from episodes e join subjects s using (subject)"
    ).rows
    failed = {kind: ("failed", error) for kind, error in KINDS.items()}
    assert {text[1:-1]: (status, kind) for text, status, kind in ended} == failed | {
        "sound": ("done", None)
    }


@pytest.mark.parametrize("reference", LANES)
async def test_a_passing_fault_loses_no_reply_and_leaves_no_mark_on_the_turn(
    tmp_path: Path, reference: str
) -> None:
    tries: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
    arena, _, asked = await played(
        tmp_path / "a.duckdb",
        reference,
        lambda kind: (
            Fault(kind, retry_after="0")
            if kind != "sound" and next(tries[kind]) < 2
            else "words|70"
        ),
    )
    assert asked == REQUESTS
    done = len(KINDS) - len(PERMANENT) + 1
    statuses = arena.sql("select status, count(*) from episodes group by all order by all").rows
    assert statuses == (("done", done), ("failed", len(PERMANENT)))
    assert arena.sql("select public, confidence, asks, count(*) from turns group by all").rows == (
        ("words", 0.7, 1, done),
    )


@pytest.mark.parametrize("reference", LANES)
async def test_a_server_that_is_not_there_is_tried_as_often_and_costs_nothing(
    tmp_path: Path, reference: str
) -> None:
    async with chat_server(lambda body: "words|70") as server:
        pass
    with speaking_to(server.url, reference) as model:
        arena = Arena(tmp_path / "a.duckdb", retry=QUICK)
        await arena.play(
            Study("s", [Arm("a", speak, [{"speaker": Agent("a", model)}])], [Subject("[sound]")])
        )
    assert list(arena.sql("select attempt, error_kind, cost_usd from calls order by attempt")) == [
        (n, "Unreachable", 0.0) for n in range(3)
    ]


@pytest.mark.parametrize("reference", ["http/any", "openai/gpt-4o-mini"])
async def test_a_call_ends_at_its_deadline_however_slow_the_server_is(
    tmp_path: Path, reference: str
) -> None:
    async with chat_server(lambda body: Fault("hang")) as server:
        with speaking_to(server.url, reference, timeout_s=60) as model:
            arena = Arena(tmp_path / "a.duckdb", retry=Retry(attempts=3, deadline_s=0.5))
            await arena.play(
                Study(
                    "s", [Arm("a", speak, [{"speaker": Agent("a", model)}])], [Subject("[sound]")]
                )
            )
    ((kind, error, latency_s),) = arena.sql("select error_kind, error, latency_s from calls")
    assert (kind, "deadline" in error, 0.4 < latency_s < 5) == ("Unreachable", True, True)


QUICK_KINDS = (
    "429-after",
    "500",
    "503",
    "reset",
    "truncated",
    "bad json",
    "empty text",
    "wrong schema",
    "invalid utf-8",
)


async def test_five_hundred_debates_in_a_storm_have_the_turns_of_those_in_a_calm(
    tmp_path: Path,
) -> None:
    """A fifth of all calls fails in nine ways; with eight attempts a call, not a word differs."""
    words = (
        "select episode, seat, step, text, public, confidence, request_hash from turns order by all"
    )
    transcripts, failures = [], []
    for name, share in (("storm", 0.2), ("calm", 0.0)):
        tries: Counter[str] = Counter()
        async with chat_server(lambda body: "") as server:

            def answer(received: Any, tries: Counter[str] = tries, share: float = share) -> Any:
                tries[received.sha256] += 1
                draw = int(received.sha256[tries[received.sha256] * 5 :][:5], 16) / 16**5
                if draw < share:
                    return Fault(QUICK_KINDS[int(draw * 1e5) % len(QUICK_KINDS)], retry_after="0")
                return repeatable_reply(received)

            server.answer = answer
            with speaking_to(server.url, "http/any", timeout_s=30) as model:
                motions = [Subject(f"This house would weather storm {n}.") for n in range(500)]
                sides = {"proposition": Agent("a", model), "opposition": Agent("a", model)}
                arena = Arena(
                    tmp_path / f"{name}.duckdb",
                    retry=Retry(attempts=8, first_wait_s=0.01, longest_wait_s=0.1),
                    concurrency=128,
                )
                summary = await arena.play(Study("weather", [Arm("a", debate, [sides])], motions))
        assert (summary.done, summary.failed) == (500, 0)
        transcripts.append(arena.sql(words).rows)
        failures.append(summary.calls - summary.replies)
    assert failures[1] == 0
    assert 0.18 < failures[0] / (3000 + failures[0]) < 0.22
    assert transcripts[0] == transcripts[1]
    assert len(transcripts[0]) == 3000
