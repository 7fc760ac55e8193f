"""A debate in each form through the real SDKs over loopback: what is sent, stored and told."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from agents.references import agent
from arena.arena import Arena
from arena.store.database import open_live
from arena.studies.study import Arm, Study
from arena.types import Agent, Subject
from arena.web.prompts import rebuild_request
from arena.web.site import Ask
from protocols.debate import debate
from tests.fake_server import ChatServer, ReceivedRequest, running
from tests.provider_faults import KEY

# All lanes, each in four forms.
pytestmark = pytest.mark.slow

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA = base64.b64encode(PICTURE).decode()
LANES = [
    "openai/gpt-4o-mini",
    "openai/gpt-5-mini",
    "anthropic/claude-haiku-4-5",
    "openrouter/openai/gpt-4o-mini",
    "http/some-model",
]
FORMS = {
    f"{form} {replies}": {"form": form, "replies": replies}
    for form in ("transcript", "chat")
    for replies in ("tags", "schema")
}
IMAGE_PARTS = {
    "/chat/completions": {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{DATA}"},
    },
    "/responses": {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
    "/messages": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": DATA},
    },
}


def schema_sent(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema in a request, where its API has it."""
    found: dict[str, Any] | None = (
        body.get("response_format", {}).get("json_schema", {}).get("schema")
        or body.get("text", {}).get("format", {}).get("schema")
        or body.get("output_config", {}).get("format", {}).get("schema")
    )
    return found


def messages_sent(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = body["messages"] if "messages" in body else body["input"]
    return messages


def words_of(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def place_of(body: dict[str, Any]) -> tuple[str, str]:
    """Return the side and the phase that a request asks."""
    last = words_of(messages_sent(body)[-1])
    found = re.findall(r"You are the (\w+): .*? Now is your (\w+) speech", last)[-1]
    return str(found[0]), str(found[1])


def thoughts_of(side: str, phase: str) -> str:
    return f"Between us, the {side} has nothing left to say after its {phase} speech, and I know it"


def reply(received: ReceivedRequest) -> str:
    side, phase = place_of(received.body)
    speech = f"In our {phase} speech the {side} shows that what you see is what we say it is."
    thoughts = thoughts_of(side, phase)
    if schema_sent(received.body) is not None:
        return json.dumps({"speech": speech, "thoughts": thoughts, "rating": 61})
    return f"<speech>{speech}</speech>\n<thoughts>{thoughts}</thoughts>\n<rating>61</rating>"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(name, KEY)


def seat_an_agent(lane: str, url: str, monkeypatch: pytest.MonkeyPatch) -> Agent:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENROUTER_API_BASE", url)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url.removesuffix("/v1"))
    address = f"@{url}" if lane.startswith("http/") else ""
    return agent(lane + address, name=lane)


@pytest.mark.parametrize("lane", LANES)
async def test_a_debate_in_each_form(
    lane: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(ChatServer(reply)) as server:
        speaker = seat_an_agent(lane, server.url, monkeypatch)
        lineup = {"proposition": speaker, "opposition": speaker}
        arms = [Arm(label, debate, [lineup], options) for label, options in FORMS.items()]
        subject = Subject("It is a cat.", images=(PICTURE,))  # type: ignore[arg-type]
        arena = Arena(tmp_path / "a.duckdb")
        summary = await arena.play(Study("s", arms, [subject]))
        assert (summary.done, summary.failed) == (len(FORMS), 0)
        check_requests(server.requests)
    check_record(arena)


def check_requests(requests: list[ReceivedRequest]) -> None:
    """Check messages, images, schemas and privacy of all that was sent."""
    kinds = set()
    for received in requests:
        side, phase = place_of(received.body)
        messages = messages_sent(received.body)
        roles = [message["role"] for message in messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        [part] = [form for end, form in IMAGE_PARTS.items() if received.path.endswith(end)]
        assert messages[0]["content"][0] == part
        assert all(isinstance(message["content"], str) for message in messages[1:])
        schema = schema_sent(received.body)
        if schema is not None:
            assert list(schema["properties"]) == ["speech", "thoughts", "rating"]
        if phase == "closing":
            kinds.add((len(messages), schema is not None))
        everything = json.dumps(received.body, ensure_ascii=False)
        other = "opposition" if side == "proposition" else "proposition"
        for each in ("opening", "rebuttal", "closing"):
            assert thoughts_of(other, each) not in everything
            assert (thoughts_of(side, each) in everything) == (each in EARLIER[phase])
    # Each combination came: one message or five, with a schema or without.
    assert kinds == {(1, False), (1, True), (5, False), (5, True)}


EARLIER = {"opening": (), "rebuttal": ("opening",), "closing": ("opening", "rebuttal")}


def rows(arena: Arena, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in arena.sql(sql).rows]


def check_record(arena: Arena) -> None:
    """Check that `saw` holds the same turns in each form, and that each request can be rebuilt."""
    shown: dict[str, set[tuple[Any, ...]]] = {}
    for arm, *place in rows(
        arena,
        "select arm, seat, step, seen_seat, seen_step from saw join episodes using (episode)"
        " where seen_step is not null",
    ):
        shown.setdefault(arm, set()).add(tuple(place))
    assert len(shown) == len(FORMS)
    assert len({frozenset(each) for each in shown.values()}) == 1
    faces = rows(
        arena,
        "select distinct split_part(arm, ' ', 1), seat = seen_seat, face from saw"
        " join episodes using (episode) where seen_seat is not null order by all",
    )
    assert faces == [
        ("chat", False, "public"),
        ("chat", True, "verbatim"),
        ("transcript", False, "public"),
        ("transcript", True, "notes"),
        ("transcript", True, "public"),
    ]
    assert rows(arena, "select count(*), count(distinct image) from saw where face = 'image'") == [
        (6 * len(FORMS), 1)
    ]
    assert rows(arena, "select from_base64(base64) from images") == [(PICTURE,)]
    read = "select distinct public is not null, thoughts is not null, confidence from turns"
    assert rows(arena, read) == [(True, True, 0.61)]
    with open_live(arena.path, ("calls",)) as con:
        ask = Ask(con)
        for turn in ask("from turns"):
            place = [turn["episode"], turn["seat"]]
            [seat] = ask("from seats where episode = ? and seat = ?", place)
            sent = ask("select sent from calls where episode = ? and seat = ?", place)
            built = rebuild_request(ask, turn, seat, [row["sent"] for row in sent])
            assert built.same_hash, (turn["seat"], turn["step"])
