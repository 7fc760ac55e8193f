"""Prompts made of text and turns: the one place where a turn becomes words, and where a leak is stopped.

A prompt is a string, a turn, `own(turn)`, `rated(turn)`, or a sequence of these.  A turn shows its public face.  `own(turn)` adds the
private thoughts and the rating, for its author alone; `rated(turn)` adds the rating, for others only where its author was told so.
A prefill, which the reply is to go on from, also takes `verbatim(turn)`: the reply as it was generated, for its author alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from arena.errors import LeakError
from arena.types import Face, GeneratedSpan, Message, Seat, Turn

NO_SPEECH = "[no readable speech]"


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn with the face that is shown; of a verbatim one, the characters up to `end` (None: all)."""

    turn: Turn
    face: Face
    end: int | None = None


Prompt = str | Turn | ShownTurn | Sequence["Prompt"]
PIECES = (str, ShownTurn)


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A piece of a stored prompt: either text, or a turn by its key with the face that was shown."""

    text: str | None = None
    episode: str | None = None
    seat: str | None = None
    step: int | None = None
    face: Face | None = None
    end: int | None = None


def verbatim(turn: Turn, end: int | None = None) -> ShownTurn:
    """The raw reply, or its first `end` characters: for prefills, so that its author goes on in the middle of a thought."""
    return ShownTurn(turn, "verbatim", end)


def own(turn: Turn) -> ShownTurn:
    """The turn with its private thoughts and rating: for prompts of its own author."""
    return ShownTurn(turn, "own")


def rated(turn: Turn) -> ShownTurn:
    """The turn's public text with its rating: for its author, or for anybody where ratings are public."""
    return ShownTurn(turn, "rated")


def render(face: Face, public: str | None, thoughts: str | None, confidence: float | None) -> str:
    """The words that stand in a prompt for a turn; `confidence` in [0, 1] is shown out of 100."""
    words = NO_SPEECH if public is None else public
    if face == "own" and thoughts:
        words += f"\n[private thoughts: {thoughts}]"
    if face in ("own", "rated"):
        words += (
            "\n[rating: none could be read]"
            if confidence is None
            else f"\n[rating: {100 * confidence:g} out of 100]"
        )
    return words


def prompt_pieces(prompt: Prompt) -> list[str | ShownTurn]:
    """The prompt as a flat list of strings and shown turns; anything else is a TypeError."""
    flat: list[str | ShownTurn] = []
    flatten(prompt, flat)
    return flat


def flatten(prompt: Prompt, flat: list[str | ShownTurn]) -> None:
    """Append the pieces of a prompt to a list."""
    if isinstance(prompt, PIECES):
        flat.append(prompt)
    elif isinstance(prompt, Turn):
        flat.append(ShownTurn(prompt, "public"))
    elif isinstance(prompt, Iterable):
        for part in prompt:
            flatten(part, flat)
    else:
        raise TypeError(f"a prompt is made of strings and turns; found {type(prompt).__name__}")


def check_face(shown: ShownTurn, reader: str, episode: str) -> None:
    """Raise LeakError where `reader` (a seat's name in `episode`) must not see this face."""
    turn = shown.turn
    mine = turn.seat == reader and turn.episode == episode
    if shown.face in ("own", "verbatim") and not mine:
        raise LeakError(
            f"the private face of {turn!r} was about to be shown to {reader}; show the turn itself, or own(turn) to {turn.seat} alone"
        )
    if shown.face == "rated" and not (mine or turn.rating_public):
        raise LeakError(
            f"the rating of {turn!r} was about to be shown to {reader}, but {turn.seat} was not asked with public_rating=True"
        )


@dataclass(frozen=True, slots=True)
class BuiltPrompt:
    """A prompt as messages, where in them stand tokens of a local model, and the parts of prompt and prefill to store."""

    messages: tuple[Message, ...]
    generated_spans: tuple[GeneratedSpan, ...]
    parts: tuple[PromptPart, ...]
    prefill: tuple[PromptPart, ...]


def build_prompt(prompt: Prompt, seat: Seat, episode: str, prefill: Prompt = ()) -> BuiltPrompt:
    """The messages for a seat's model: the agent's system prompt where it has one, one user message, and the prefill where there is one.

    Raises LeakError where a face is not the reader's to see, TypeError for anything that is neither text nor turn.
    """
    messages = [Message("system", seat.agent.system)] if seat.agent.system else []
    words, parts, spoken = compose_message(prompt, seat, episode, len(messages))
    messages.append(Message("user", words))
    begun, prefilled, spoken_before = compose_message(
        prefill, seat, episode, len(messages), verbatim=True
    )
    if begun:
        messages.append(Message("assistant", begun))
    return BuiltPrompt(tuple(messages), (*spoken, *spoken_before), parts, prefilled)


def compose_message(
    prompt: Prompt, seat: Seat, episode: str, message: int, *, verbatim: bool = False
) -> tuple[str, tuple[PromptPart, ...], tuple[GeneratedSpan, ...]]:
    """(words, parts, spoken) of a prompt that is to be the message of this number; `verbatim` faces stand in prefills only."""
    words: list[str] = []
    parts: list[PromptPart] = []
    spoken: list[GeneratedSpan] = []
    length = 0
    for piece in prompt_pieces(prompt):
        if isinstance(piece, str):
            text = piece
            parts.append(PromptPart(text=piece))
        else:
            check_face(piece, seat.name, episode)
            if piece.face == "verbatim" and not verbatim:
                raise TypeError(
                    "verbatim(turn) goes into a prefill; in a prompt, put the turn itself or own(turn)"
                )
            turn = piece.turn
            text = (
                turn.text[: piece.end]
                if piece.face == "verbatim"
                else render(piece.face, turn.public, turn.thoughts, turn.confidence)
            )
            parts.append(
                PromptPart(
                    episode=turn.episode,
                    seat=turn.seat,
                    step=turn.step,
                    face=piece.face,
                    end=piece.end,
                )
            )
            if turn.token_ids is not None and turn.text.startswith(text):
                spoken.append(
                    GeneratedSpan(
                        message, length, length + len(text), turn.token_ids, turn.model_served
                    )
                )
        words.append(text)
        length += len(text)
    return "".join(words), tuple(parts), tuple(spoken)
