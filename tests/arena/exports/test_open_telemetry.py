"""Spans of a run are the study's, the episodes' and the calls', in the conventions' words."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from arena.arena import Arena
from arena.errors import RefusedError
from arena.exports.open_telemetry import open_telemetry
from arena.types import Reply, Request
from tests.fake_agents import agent, study


def reply(request: Request) -> Reply:
    """A reply with counts; the opposition of number 1 refuses."""
    if "number 1" in request.messages[-1].content and request.place.seat == "opposition":
        raise RefusedError("refused")
    return Reply(
        "a secret|60",
        model_served="echo-2026",
        finish_reason="stop",
        tokens_in=12,
        tokens_cached=8,
        tokens_out=3,
    )


def spans_of(path: Path, *, texts: bool) -> list[ReadableSpan]:
    """The spans of two debates, of which one fails."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    hook = open_telemetry(provider, texts=texts)
    Arena(path, hooks=[hook]).run(study(agent("echo", reply), rounds=1), watch=lambda stats: None)
    return list(exporter.get_finished_spans())


def test_calls_lie_in_episodes_and_episodes_in_the_study(tmp_path: Path) -> None:
    spans = spans_of(tmp_path / "a.duckdb", texts=False)
    (top,) = [span for span in spans if span.parent is None]
    assert top.name == "study talks"
    episodes = [span for span in spans if span.name == "episode talk"]
    calls = [span for span in spans if span.name == "chat echo"]
    assert (len(episodes), len(calls), len(spans)) == (2, 4, 7)
    assert {span.parent.span_id for span in episodes if span.parent} == {top.context.span_id}
    by_id = {span.context.span_id: span for span in episodes}
    for call in calls:
        assert call.parent is not None
        assert call.attributes is not None
        episode = by_id[call.parent.span_id]
        conversation = call.attributes["gen_ai.conversation.id"]
        assert (episode.attributes or {})["gen_ai.conversation.id"] == conversation
        assert (call.start_time or 0) <= (call.end_time or 0)
    ok = [
        call.attributes or {}
        for call in calls
        if call.status.is_ok or not call.status.status_code.value
    ]
    assert len(ok) == 3
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "echo",
        "gen_ai.response.model": "echo-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.output_tokens": 3,
    }
    assert all(each.items() >= expected.items() for each in map(dict, ok))
    failed = [span for span in (*calls, *episodes) if "error.type" in (span.attributes or {})]
    assert {(span.attributes or {})["error.type"] for span in failed} == {"Refused"}
    assert len(failed) == 2
    assert "secret" not in "".join(span.to_json() for span in spans)


@pytest.mark.slow
def test_replies_are_attributes_if_they_are_asked_for(tmp_path: Path) -> None:
    spans = spans_of(tmp_path / "a.duckdb", texts=True)
    said = [(span.attributes or {}).get("arena.reply") for span in spans]
    assert said.count("a secret|60") == 3
