"""Send what happens in runs to OpenTelemetry: a span for a study, an episode and a call.

    from arena.exports.open_telemetry import open_telemetry

    Arena("arena.duckdb", hooks=[open_telemetry()])

Attributes follow the semantic conventions for generative AI, of which none is stable yet (in 2026,
schema gen-ai/1.42): gen_ai.request.model, gen_ai.usage.input_tokens and so on; what these have no
word for begins with "arena.".  Spans go where the tracer provider of the process sends them; set
one up as for any other program.  Words of models are no part of a span, unless `texts` asks for
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from arena.errors import StudyError
from arena.events import (
    CallEnded,
    EpisodeEnded,
    EpisodeStarted,
    Event,
    Hook,
    RunWarning,
    StudyEnded,
    StudyStarted,
)

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

# The conventions' names of providers, by the beginning of a model reference where it is another.
PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
# Settings that the conventions name, by the providers' words for them.
SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}


def open_telemetry(provider: TracerProvider | None = None, *, texts: bool = False) -> Hook:
    """Return a hook that makes spans, with a tracer of `provider` or of the process.

    With `texts`, replies and the sentences of errors are attributes too.  Raises StudyError if
    opentelemetry is not installed.
    """
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise StudyError(
            "the hook for OpenTelemetry needs it: pip install 'peer-arena[otel]'"
        ) from error
    return Hook(Spans(trace.get_tracer("peer-arena", tracer_provider=provider)), texts)


class Spans:
    """The spans of the runs that go on; called with each event."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        # By run, and by run and episode.
        self._open: dict[tuple[str, str], Span] = {}

    def __call__(self, event: Event) -> None:
        """Begin, add to or end a span."""
        match event:
            case StudyStarted():
                attributes = {"arena.study": event.study, "arena.run": event.run}
                self._begin((event.run, ""), f"study {event.study}", event.at, attributes)
            case EpisodeStarted():
                self._begin_episode(event)
            case CallEnded():
                self._add_call(event)
            case EpisodeEnded():
                self._end((event.run, event.episode), event.at, event.error_kind, event.error)
            case RunWarning():
                if span := self._open.get((event.run, "")):
                    span.add_event("warning", {"arena.warning": event.sentence})
            case StudyEnded():
                # Episodes that a stop has left open end with the run.
                for key in [key for key in self._open if key[0] == event.run and key[1]]:
                    self._end(key, event.at)
                self._end((event.run, ""), event.at)

    def _begin(
        self,
        key: tuple[str, str],
        name: str,
        at: datetime,
        attributes: Mapping[str, str | int | bool],
        parent: Span | None = None,
    ) -> None:
        """Begin a span, and keep it until it ends."""
        from opentelemetry.trace import set_span_in_context

        context = None if parent is None else set_span_in_context(parent)
        self._open[key] = self._tracer.start_span(
            name, context, attributes=attributes, start_time=nanoseconds(at)
        )

    def _begin_episode(self, event: EpisodeStarted) -> None:
        """Begin the span of an episode, inside of that of its run."""
        attributes: dict[str, str | int | bool] = {
            "gen_ai.conversation.id": event.episode,
            "arena.study": event.study,
            "arena.arm": event.arm,
            "arena.protocol": event.protocol,
            "arena.repeat": event.repeat,
            "arena.continued": event.continued,
        }
        name = f"episode {event.protocol}"
        parent = self._open.get((event.run, ""))
        self._begin((event.run, event.episode), name, event.at, attributes, parent)

    def _end(
        self, key: tuple[str, str], at: datetime, kind: str | None = None, said: str | None = None
    ) -> None:
        """End a span, as an error of this kind if there is one."""
        span = self._open.pop(key, None)
        if span is not None:
            fail(span, kind, said)
            span.end(nanoseconds(at))

    def _add_call(self, event: CallEnded) -> None:
        """Make the span of a call, from when it was sent."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        parent = self._open.get((event.run, event.episode))
        known = {name: value for name, value in call_attributes(event).items() if value is not None}
        span = self._tracer.start_span(
            f"chat {model_of(event)}",
            None if parent is None else set_span_in_context(parent),
            kind=SpanKind.CLIENT,
            attributes=known,
            start_time=nanoseconds(event.started_at),
        )
        fail(span, event.error_kind, event.error)
        ended = nanoseconds(event.started_at) + round(1e9 * (event.latency_s or 0.0))
        span.end(ended if event.latency_s is not None else nanoseconds(event.at))


def call_attributes(event: CallEnded) -> dict[str, str | int | float | list[str] | None]:
    """Return the attributes of a call by the conventions' names; None for what is not known."""
    provider = event.model.partition("/")[0]
    finish = None if event.finish_reason is None else [event.finish_reason]
    numbers = {
        f"gen_ai.request.{SETTINGS[name]}": value
        for name, value in event.settings.items()
        if name in SETTINGS
    }
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS.get(provider, provider),
        "gen_ai.conversation.id": event.episode,
        "gen_ai.agent.name": event.agent,
        "gen_ai.request.model": model_of(event),
        **numbers,
        "gen_ai.response.model": event.model_served,
        "gen_ai.response.finish_reasons": finish,
        "gen_ai.usage.input_tokens": event.tokens_in,
        "gen_ai.usage.cache_read.input_tokens": event.tokens_cached,
        "gen_ai.usage.output_tokens": event.tokens_out,
        "http.response.status_code": event.http_status,
        "arena.seat": event.seat,
        "arena.step": event.step,
        "arena.ask": event.ask,
        "arena.attempt": event.attempt,
        "arena.status": event.status,
        "arena.cost_usd": event.cost_usd,
        "arena.queued_s": event.queued_s,
        "arena.reply": event.text,
        "arena.reasoning": event.reasoning,
    }


def model_of(event: CallEnded) -> str:
    """Return the model's name as its provider has it."""
    provider, _, name = event.model.partition("/")
    return name or provider


def fail(span: Span, kind: str | None, said: str | None) -> None:
    """Mark a span as failed, if there is a kind of error."""
    if kind is None:
        return
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, said))


def nanoseconds(at: datetime) -> int:
    """Return a time in nanoseconds since 1970."""
    return round(at.timestamp() * 1e6) * 1000
