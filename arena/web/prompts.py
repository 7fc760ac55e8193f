"""A stored prompt as words again: the pieces it was made of, and whether they are the very request that was sent.

A prompt is stored as parts, text or a turn by its key and face, so that every text stands once in the store.  Here the parts become words by
the code that made the request (`arena.prompt`), and the request's hash is computed anew and compared with the stored one.  The sampling of a
single step is not stored as such; where it differs from its seat's, what the ledger says of the attempt is tried in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from arena.errors import LeakError, StudyError
from arena.play.episode import request_content, request_hash
from arena.play.prompt import Prompt, ShownTurn, build_prompt, compose_message
from arena.store.replay import turn_of
from arena.types import Agent, Face, Message, Model, Place, Request, Sampling, Seat, Turn
from arena.web.site import Ask, Row

FACES = {
    "public": "public face",
    "own": "own face: with private thoughts and rating",
    "rated": "rated face: public words and rating",
    "verbatim": "the raw reply, to go on from",
}
# All turns of an episode without what is long and not shown: one look by episode is quicker than one by turn.
TURNS = """
    select episode, seat, step, phase, round, text, public, thoughts, confidence, confidence_status, answer, flags, rating_public,
           finish_reason, model_served, null as token_ids, null as measures
    from turns where episode = ?
"""
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a message: its words, and whose turn they are (None: the protocol's own words); `face` is the turn's that was shown."""

    text: str
    turn: Turn | None = None
    face: Face | None = None
    end: int | None = None

    @property
    def face_words(self) -> str:
        """The face in words."""
        return FACES[self.face] if self.face else ""


@dataclass(frozen=True, slots=True)
class RebuiltRequest:
    """A request as it was sent: system prompt, the pieces of the user message and of the prefill, all messages, and what its hash says."""

    system: str
    prompt: tuple[Piece, ...]
    prefill: tuple[Piece, ...]
    messages: tuple[Message, ...]
    same_hash: bool


def rebuild_request(
    ask: Ask, turn: Row, seat: Row | None, sent: Sequence[str | None]
) -> RebuiltRequest:
    """What a turn answered: `seat` is its row of seats, `sent` the settings that its attempts went out with, as JSON.

    Raises StudyError with the reason where the words cannot be had: the prompt was not published, or a turn that stood in it is not there.
    """
    if turn["prompt"] is None or seat is None:
        raise StudyError("not published: the source of this record has no prompts")
    seen = seen_turns(ask, [*turn["prompt"], *(turn["prefill"] or ())])
    prompt, prefill = (parts_of(turn[name] or (), seen) for name in ("prompt", "prefill"))
    # Nobody is asked: of the agent only its system prompt counts.
    reader = Seat(turn["seat"], Agent(seat["agent"], cast(Model, None), seat["system"] or ""))
    try:
        built = build_prompt(prompt, reader, turn["episode"], prefill)
    except LeakError as error:
        raise StudyError(
            f"the stored prompt shows what this seat may not see, so that it is not rebuilt: {error}"
        ) from error
    same = any(
        hash_of(turn, built.messages, sampling) == turn["request_hash"]
        for sampling in samplings(seat["sampling"], sent)
    )
    pieces = [
        tuple(piece(part, reader, turn["episode"]) for part in parts) for parts in (prompt, prefill)
    ]
    return RebuiltRequest(seat["system"] or "", pieces[0], pieces[1], built.messages, same)


def seen_turns(ask: Ask, parts: Sequence[Mapping[str, Any]]) -> dict[Key, Turn]:
    """The turns that parts of a prompt point at."""
    episodes = {part["episode"] for part in parts if part["text"] is None}
    found = [turn_of(row) for episode in sorted(episodes) for row in ask(TURNS, [episode])]
    return {(turn.episode, turn.seat, turn.step): turn for turn in found}


def parts_of(
    stored: Sequence[Mapping[str, Any]], seen: Mapping[Key, Turn]
) -> list[str | ShownTurn]:
    """A prompt as the protocol gave it.  Raises StudyError where a turn is not in the store."""
    found: list[str | ShownTurn] = []
    for part in stored:
        if part["text"] is not None:
            found.append(part["text"])
        elif (turn := seen.get((part["episode"], part["seat"], part["step"]))) is not None:
            found.append(ShownTurn(turn, part["face"], part.get("end")))
        else:
            raise StudyError(
                f"the prompt shows step {part['step']} of {part['seat']} in episode {part['episode']}, which is not in this store"
            )
    return found


def piece(part: str | ShownTurn, reader: Seat, episode: str) -> Piece:
    """One part with its words."""
    words = compose_message(cast(Prompt, [part]), reader, episode, 0, verbatim=True)[0]
    return Piece(words) if isinstance(part, str) else Piece(words, part.turn, part.face, part.end)


def samplings(stored: str | None, sent: Sequence[str | None]) -> Iterator[Sampling]:
    """The samplings that a step may have had: its seat's, and that with the length and the stop words that went out."""
    usual = sampling_of(json.loads(stored or "{}"))
    yield usual
    for settings in sent:
        given = json.loads(settings or "{}")
        step = {"max_tokens": given.get("max_tokens"), "stop": tuple(given.get("stop") or ())}
        yield replace(usual, **step)
        yield replace(usual, **step, temperature=given.get("temperature"))


def sampling_of(stored: Mapping[str, Any]) -> Sampling:
    """The sampling that a row of seats keeps as JSON."""
    names = {field.name for field in fields(Sampling)}
    return Sampling(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
            if name in names
        }
    )


def hash_of(turn: Row, messages: tuple[Message, ...], sampling: Sampling) -> str:
    """The hash that the request has with this sampling."""
    place = Place(
        turn["episode"], turn["seat"], turn["step"], 0, turn["phase"] or "", turn["round"] or 0
    )
    request = Request(messages, sampling, turn["seed"] or 0, place)
    return request_hash(request, request_content(request))
