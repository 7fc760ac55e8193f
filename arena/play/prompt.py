"""Build prompts from text and turns: the only place that turns a turn into words and stops leaks.

A prompt is a string, a turn, `own(turn)`, `notes(turn)`, `rated(turn)`, or a sequence of these.  A
turn shows its public face.  `own(turn)` adds the private thoughts and the rating, for its author
alone, and `notes(turn)` is these without the public words; `rated(turn)` adds the rating, for
others only if the author knew of it.  A prefill, which the reply continues, also takes
`verbatim(turn)`: the reply as it was generated, for its author alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from arena.errors import LeakError
from arena.private import reveal
from arena.types import Face, GeneratedSpan, Message, Seat, Turn

NO_SPEECH = "[no readable speech]"


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn with the face to show; of a verbatim one, the characters up to `end` (None: all)."""

    turn: Turn
    face: Face
    end: int | None = None


Prompt = str | Turn | ShownTurn | Sequence["Prompt"]


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A part of a stored prompt: text, or a turn by its key with the face that was shown."""

    text: str | None = None
    episode: str | None = None
    seat: str | None = None
    step: int | None = None
    face: Face | None = None
    end: int | None = None


def verbatim(turn: Turn, end: int | None = None) -> ShownTurn:
    """Show the raw reply, or its first `end` characters.

    For prefills alone, so that the author continues in the middle of a thought.
    """
    return ShownTurn(turn, "verbatim", end)


def own(turn: Turn) -> ShownTurn:
    """Show the turn with its private thoughts and rating: for prompts of its own author."""
    return ShownTurn(turn, "own")


def notes(turn: Turn) -> ShownTurn:
    """Show the private thoughts and the rating of a turn alone: for prompts of its own author.

    So that the public words can stand where they are the same for all readers.
    """
    return ShownTurn(turn, "notes")


def rated(turn: Turn) -> ShownTurn:
    """Show the turn's public text with its rating.

    For its author, and for anybody if ratings are public.
    """
    return ShownTurn(turn, "rated")


def render(face: Face, public: str | None, thoughts: str | None, confidence: float | None) -> str:
    """Return the words for a turn in a prompt; `confidence` in [0, 1] is shown out of 100."""
    lines = [] if face == "notes" else [NO_SPEECH if public is None else public]
    if face in ("own", "notes") and thoughts:
        lines.append(f"[private thoughts: {thoughts}]")
    if face in ("own", "notes", "rated"):
        rating = "none could be read" if confidence is None else f"{100 * confidence:g} out of 100"
        lines.append(f"[rating: {rating}]")
    return "\n".join(lines)


def prompt_pieces(prompt: Prompt) -> Iterator[str | ShownTurn]:
    """Yield the strings and shown turns of a prompt.

    Raises TypeError for anything else.
    """
    # Strings first: they are iterable as well.  A subclass of str could answer for itself what
    # stands in it, so that its plain words are taken.
    if isinstance(prompt, str):
        yield str.__str__(prompt)
    elif isinstance(prompt, ShownTurn):
        yield prompt
    elif isinstance(prompt, Turn):
        yield ShownTurn(prompt, "public")
    elif isinstance(prompt, Iterable):
        for part in prompt:
            yield from prompt_pieces(part)
    else:
        raise TypeError(f"a prompt is made of strings and turns; found {type(prompt).__name__}")


def check_face(shown: ShownTurn, reader: str, episode: str) -> None:
    """Raise LeakError if `reader` (a seat's name in `episode`) must not see this face."""
    turn = shown.turn
    # A seat of the same name in another episode, such as a debate that is judged, is another.
    mine = turn.seat == reader and turn.episode == episode
    if shown.face in ("own", "notes", "verbatim") and not mine:
        raise LeakError(
            f"the private face of {turn!r} was about to be shown to {reader};"
            f" show the turn itself, or own(turn) to {turn.seat} alone"
        )
    if shown.face == "rated" and not (mine or turn.rating_public):
        raise LeakError(
            f"the rating of {turn!r} was about to be shown to {reader},"
            f" but {turn.seat} was not asked with public_rating=True"
        )


@dataclass(frozen=True, slots=True)
class BuiltPrompt:
    """A prompt as messages for a model, and as parts for the record.

    `generated_spans` marks tokens of a local model in the messages.
    """

    messages: tuple[Message, ...]
    generated_spans: tuple[GeneratedSpan, ...]
    parts: tuple[PromptPart, ...]
    prefill: tuple[PromptPart, ...]


def build_prompt(prompt: Prompt, seat: Seat, episode: str, prefill: Prompt = ()) -> BuiltPrompt:
    """Return the messages for a seat's model.

    These are the agent's system prompt if it has one, one user message, and the prefill if there is
    one.  Raises LeakError if the seat must not see a face, TypeError for anything that is neither
    text nor turn.
    """
    messages = [Message("system", seat.agent.system)] if seat.agent.system else []
    text, parts, spans = compose_message(prompt, seat, episode, len(messages))
    messages.append(Message("user", text))
    beginning, prefill_parts, prefill_spans = compose_message(
        prefill, seat, episode, len(messages), verbatim=True
    )
    if beginning:
        messages.append(Message("assistant", beginning))
    return BuiltPrompt(tuple(messages), (*spans, *prefill_spans), parts, prefill_parts)


def compose_message(
    prompt: Prompt, seat: Seat, episode: str, message: int, *, verbatim: bool = False
) -> tuple[str, tuple[PromptPart, ...], tuple[GeneratedSpan, ...]]:
    """Return (text, parts, generated spans) of the message with the index `message`.

    `verbatim` says whether verbatim faces are allowed, as they are in prefills.
    """
    words: list[str] = []
    parts: list[PromptPart] = []
    spans: list[GeneratedSpan] = []
    length = 0
    for piece in prompt_pieces(prompt):
        if isinstance(piece, str):
            text = piece
            parts.append(PromptPart(text=piece))
        else:
            check_face(piece, seat.name, episode)
            if piece.face == "verbatim" and not verbatim:
                raise TypeError(
                    "verbatim(turn) goes into a prefill;"
                    " in a prompt, put the turn itself or own(turn)"
                )
            turn = piece.turn
            raw = reveal(turn.text)
            text = (
                raw[: piece.end]
                if piece.face == "verbatim"
                else render(piece.face, turn.public, reveal(turn.thoughts), reveal(turn.confidence))
            )
            parts.append(
                PromptPart(None, turn.episode, turn.seat, turn.step, piece.face, piece.end)
            )
            # Only a text that is the beginning of the generated one has tokens that are known.
            if turn.token_ids is not None and raw.startswith(text):
                end = length + len(text)
                spans.append(GeneratedSpan(message, length, end, turn.token_ids, turn.model_served))
        words.append(text)
        length += len(text)
    return "".join(words), tuple(parts), tuple(spans)
