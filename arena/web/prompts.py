"""Rebuild a stored prompt: the pieces it was made of, and whether they give the request's hash.

A prompt is stored as parts, which are text, a turn by its key and face, or an image by its hash, so
that all of it is stored once.  Here the code that made the request (`arena.play.prompt`) turns the
parts into words again, and the request's hash is computed anew and compared with the stored one.
The sampling of a single step is not stored; if it differs from its seat's, the settings in the
ledger's attempts are tried.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, cast

from arena.errors import LeakError, StudyError
from arena.images import Image
from arena.play.episode import request_content, request_hash
from arena.play.prompt import (
    IMAGE,
    PASSAGE,
    Chat,
    Passage,
    Prompt,
    ShownTurn,
    build_prompt,
    chat_of,
    words_of_turn,
)
from arena.play.prompt import Piece as PromptPiece
from arena.store.replay import sampling_of, turn_of
from arena.types import Agent, Face, Message, Model, Place, Request, Sampling, Seat, Turn
from arena.web.site import Ask, Row

FACES = {
    "public": "public face",
    "checked": "public face, its quotes checked",
    "own": "own face: with private thoughts and rating",
    "notes": "own notes: private thoughts and rating",
    "rated": "rated face: public words and rating",
    "verbatim": "raw reply",
    "reask_prompt": "what it was asked again",
    "reask_text": "raw second reply",
}
# All turns of an episode, without long columns that are not shown: one query an episode is faster
# than one a turn.
TURNS = """
    select episode, seat, step, phase, round, text, public, thoughts, confidence,
           confidence_status, answer, flags, rating_public, finish_reason, model_served,
           null as token_ids, null as measures, reask_prompt, reask_text
    from turns where episode = ?
"""
IMAGES = "select image, base64 from images where image in (select unnest($1::varchar[]))"
PASSAGES = "select passage from plays join subjects using (subject) where episode = ?"
TurnKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a message.

    `turn` is the turn whose words it shows, with `face`; None for the protocol's own words.  `end`
    is the number of characters that were shown, None for all.  `image` is set for an image.
    """

    text: str
    turn: Turn | None = None
    face: Face | None = None
    end: int | None = None
    image: Image | None = None

    @property
    def face_words(self) -> str:
        """Return a description of the face; "" for the protocol's own words."""
        return FACES[self.face] if self.face else ""


@dataclass(frozen=True, slots=True)
class RebuiltRequest:
    """A request as it was sent, with the pieces of its prompt and its prefill.

    `prompt` has each message of a chat, or the one of the user, as (role, pieces).  `same_hash`:
    whether the rebuilt request has the stored hash.
    """

    system: str
    prompt: tuple[tuple[str, tuple[Piece, ...]], ...]
    prefill: tuple[Piece, ...]
    messages: tuple[Message, ...]
    same_hash: bool


def rebuild_request(
    ask: Ask,
    turn: Row,
    seat: Row | None,
    settings: Sequence[str | None],
    also: Collection[tuple[str, str]] = (),
) -> RebuiltRequest:
    """Rebuild the request that a turn answered.

    `seat` is the turn's row of seats, `also` are (episode, seat) as which it went on; `settings`
    are those that its attempts were sent with, as JSON.  Raises StudyError with the reason if the
    words cannot be rebuilt: the prompt was not published, or a turn that it shows is not in the
    store.
    """
    if turn["prompt"] is None or seat is None:
        raise StudyError("not published: the source of this record has no prompts")
    # Turns are shown by key: their words come from the store as it is now.
    seen = seen_turns(ask, [*turn["prompt"], *(turn["prefill"] or ())])
    images = stored_images(ask, turn["images"] or ())
    passage = stored_passage(ask, turn)
    prompt = parts_of(turn["prompt"], seen, images, passage)
    prefill = parts_of(turn["prefill"] or (), seen, [], passage)
    roles = turn["roles"] or ["user"] * len(prompt)
    # The model is never called: only the agent's system prompt enters the request.
    reader = Seat(turn["seat"], Agent(seat["agent"], cast(Model, None), seat["system"] or ""))
    shown: Prompt | Chat = chat_of(prompt, roles) if turn["roles"] else prompt
    try:
        built = build_prompt(shown, reader, turn["episode"], prefill, also)
    except LeakError as error:
        raise StudyError(
            "the stored prompt shows words that this seat may not see, so it is not rebuilt:"
            f" {error}"
        ) from error
    same = any(
        hash_of(turn, built.messages, sampling) == turn["request_hash"]
        for sampling in samplings(seat["sampling"], settings)
    )
    by_role = groupby(zip(roles, prompt, strict=True), key=lambda pair: pair[0])
    messages = tuple((role, tuple(piece(part) for _, part in parts)) for role, parts in by_role)
    return RebuiltRequest(
        seat["system"] or "", messages, tuple(map(piece, prefill)), built.messages, same
    )


def stored_images(ask: Ask, hashes: Sequence[str]) -> list[Image]:
    """Return images by their hashes.  Raises StudyError if one is not in the store."""
    if not hashes:
        return []
    rows = ask(IMAGES, [[*hashes]])
    found = {row["image"]: Image(base64.b64decode(row["base64"])) for row in rows}
    missing = [each for each in hashes if each not in found]
    if missing:
        raise StudyError(f"the prompt shows the image {missing[0]}, which is not in this store")
    return [found[each] for each in hashes]


def stored_passage(ask: Ask, turn: Row) -> str:
    """Return the passage of the subject of a turn's episode; "" for none."""
    rows = ask(PASSAGES, [turn["episode"]])
    return (rows[0]["passage"] or "") if rows else ""


def seen_turns(ask: Ask, parts: Sequence[Mapping[str, Any]]) -> dict[TurnKey, Turn]:
    """Return the turns of the episodes that parts of a prompt refer to, by key."""
    episodes = {part["episode"] for part in parts if part["episode"] is not None}
    turns = [turn_of(row) for episode in sorted(episodes) for row in ask(TURNS, [episode])]
    return {(turn.episode, turn.seat, turn.step): turn for turn in turns}


def parts_of(
    stored: Sequence[Mapping[str, Any]],
    seen: Mapping[TurnKey, Turn],
    images: Sequence[Image],
    passage: str,
) -> list[PromptPiece]:
    """Return a prompt as the protocol gave it.  Raises StudyError if a turn is not in the store."""
    parts: list[PromptPiece] = []
    shown = iter(images)
    for part in stored:
        if part["text"] is not None:
            parts.append(part["text"])
        elif part["face"] == IMAGE:
            parts.append(next(shown))
        elif part["face"] == PASSAGE:
            parts.append(Passage(passage))
        elif (turn := seen.get((part["episode"], part["seat"], part["step"]))) is not None:
            parts.append(ShownTurn(turn, part["face"], part.get("end"), passage))
        else:
            raise StudyError(
                f"the prompt shows step {part['step']} of {part['seat']} in episode"
                f" {part['episode']}, which is not in this store"
            )
    return parts


def piece(part: PromptPiece) -> Piece:
    """Return one part with its words, as its reader was shown them."""
    if isinstance(part, Image):
        return Piece("", image=part)
    if isinstance(part, str | Passage):
        return Piece(part if isinstance(part, str) else part.text)
    return Piece(words_of_turn(part), part.turn, part.face, part.end)


def samplings(stored: str | None, settings: Sequence[str | None]) -> Iterator[Sampling]:
    """Yield the samplings that a step may have had.

    First its seat's, then the same with the length, stop words, temperature and schema of each
    attempt.
    """
    usual = sampling_of(json.loads(stored or "{}"))
    yield usual
    for attempt in settings:
        sent = json.loads(attempt or "{}")
        schema = schema_in(sent)
        if schema is not None:
            yield replace(usual, response_schema=schema)
        step = replace(
            usual,
            max_tokens=sent.get("max_tokens"),
            stop=tuple(sent.get("stop") or ()),
            response_schema=schema or usual.response_schema,
        )
        # A provider may have been sent no temperature although the seat has one, or the reverse.
        yield step
        yield replace(step, temperature=sent.get("temperature"))


def schema_in(sent: Mapping[str, Any]) -> Mapping[str, object] | None:
    """Return the JSON schema in the settings of an attempt, whatever a provider calls its place."""
    for name, value in sent.items():
        if isinstance(value, Mapping):
            # The schema of a reply describes an object.
            found = value if name == "schema" and value.get("type") == "object" else None
            found = found or schema_in(value)
            if found is not None:
                return found
    return None


def hash_of(turn: Row, messages: tuple[Message, ...], sampling: Sampling) -> str:
    """Return the hash of the turn's request with this sampling."""
    place = Place(
        turn["episode"], turn["seat"], turn["step"], 0, turn["phase"] or "", turn["round"] or 0
    )
    request = Request(messages, sampling, turn["seed"] or 0, place)
    return request_hash(request, request_content(request))
