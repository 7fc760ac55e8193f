"""Plays of one episode in memory, with every request that was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.studies.lineups import Lineup
from arena.studies.study import Protocol
from arena.types import Request, Subject
from protocols.laws import Case, answer_at_once

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class WatchedPlay:
    """The requests of a play in order, its turns, and the answers that the protocol returned."""

    requests: list[Request]
    turns: Rows
    answers: Rows


def play_once(
    protocol: Protocol, lineup: Lineup, subject: Subject, options: Mapping[str, object]
) -> WatchedPlay:
    """Play an episode, which must not fail."""
    requests, result = Case(protocol, lineup, subject, options).play("test", answer_at_once)
    return WatchedPlay(requests, result.turns, result.answers)


def words_of(request: Request) -> str:
    """Return all words of a request."""
    return "\n".join(message.content for message in request.messages)
