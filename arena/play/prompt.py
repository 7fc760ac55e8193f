"""Build prompts from text and turns: the only place that turns a turn into words and stops leaks.

A prompt is a string, a turn, `own(turn)`, `notes(turn)`, `rated(turn)`, an image, or a sequence of
these, and goes out as one user message.  A turn shows its public face.  `own(turn)` adds the
private thoughts and the rating, for its author alone, and `notes(turn)` is these without the public
words; `rated(turn)` adds the rating, for others only if the author knew of it.  `passage(subject)`
shows the text that a question is about, and `checked(turn, subject)` the public words of a turn,
with the quotes in it marked as verified or not.

`chat([...])` is a prompt of several messages: a turn of the reader itself that stands alone in the
list, and what is `spoken(...)`, is a message of the assistant, all else one of the user.  There,
and in a prefill, which the reply continues, a turn also shows `verbatim(turn)`: the reply as it was
generated, for its author alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Literal

from arena.errors import LeakError, ProtocolError, StudyError
from arena.images import Image, PlacedImage
from arena.private import reveal
from arena.quotes import mark_quotes
from arena.types import Face, GeneratedSpan, Message, Seat, Subject, Turn

NO_SPEECH = "[no readable speech]"
# Between two parts of a chat that become one message, since providers want roles to alternate.
BETWEEN = "\n\n"
# The faces of a stored part that is an image, or the passage of the episode's subject.
IMAGE = "image"
PASSAGE: Final = "passage"


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn with the face to show.

    Of a verbatim one, the characters up to `end` (None: all); of a checked one, the passage in
    which its quotes are looked for.
    """

    turn: Turn
    face: Face
    end: int | None = None
    passage: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Passage:
    """The passage of a subject, which a protocol shows to those seats that may read it."""

    text: str = field(repr=False)


Prompt = str | Turn | ShownTurn | Image | Passage | Sequence["Prompt"]
Piece = str | ShownTurn | Image | Passage
ChatRole = Literal["user", "assistant"]
# Who speaks: an episode and a seat in it.
Voice = tuple[str, str]
ChatMessage = tuple[ChatRole, list[Piece]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """Parts of a chat that the reader is shown as words of its own: a message of the assistant."""

    parts: Prompt


@dataclass(frozen=True, slots=True)
class Chat:
    """A prompt of several messages, by its items in order; `chat([...])` makes one."""

    items: tuple[Prompt | Spoken, ...]


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A part of a stored prompt: text, a turn by its key and face, an image, or the passage.

    An image has its hash; the passage is that of the episode's subject.
    """

    text: str | None = None
    episode: str | None = None
    seat: str | None = None
    step: int | None = None
    face: Face | Literal["passage"] | None = None
    end: int | None = None
    image: str | None = None


def chat(items: Iterable[Prompt | Spoken]) -> Chat:
    """Return a prompt of several messages, the whole prompt of an `ask`.

    An item that is a turn of the reader itself, in whatever face, is a message of the assistant, as
    is one that is `spoken(...)`; any other item is one of the user.  Empty items are left out, and
    neighbours of one role become one message, with an empty line between them.  The first and the
    last message are the user's.
    """
    return Chat(tuple(items))


def spoken(*parts: Prompt) -> Spoken:
    """Show parts as words of the reader's own: a message of the assistant, in a chat."""
    return Spoken(parts)


def verbatim(turn: Turn, end: int | None = None) -> ShownTurn:
    """Show the raw reply, or its first `end` characters, to its own author.

    In a prefill the author continues in the middle of a thought; in a chat it is a message of the
    assistant, as it was generated.
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


def passage(subject: Subject) -> Passage:
    """Show the passage of a subject; StudyError if it has none."""
    return Passage(passage_of(subject))


def checked(turn: Turn, subject: Subject) -> ShownTurn:
    """Show the public words of a turn, each `<quote>` marked by whether the passage holds it.

    Raises StudyError if the subject has no passage.
    """
    return ShownTurn(turn, "checked", passage=passage_of(subject))


def passage_of(subject: Subject) -> str:
    """Return the passage of a subject; StudyError if it has none."""
    if not subject.passage:
        raise StudyError(
            f"the question {subject.text[:60]!r} has no passage; give it one:"
            " Subject(..., passage=...), or questions(..., passage=COLUMN)"
        )
    return subject.passage


def render(face: Face, public: str | None, thoughts: str | None, confidence: float | None) -> str:
    """Return the words for a turn in a prompt; `confidence` in [0, 1] is shown out of 100."""
    lines = [] if face == "notes" else [NO_SPEECH if public is None else public]
    if face in ("own", "notes") and thoughts:
        lines.append(f"[private thoughts: {thoughts}]")
    if face in ("own", "notes", "rated"):
        rating = "none could be read" if confidence is None else f"{100 * confidence:g} out of 100"
        lines.append(f"[rating: {rating}]")
    return "\n".join(lines)


def prompt_pieces(prompt: Prompt) -> list[Piece]:
    """Return the strings, shown turns and images of a prompt.

    Raises TypeError for anything else.
    """
    # Strings first: they are iterable as well.  A subclass of str could answer for itself what
    # stands in it, so that its plain words are taken.
    if isinstance(prompt, str):
        return [str.__str__(prompt)]
    if isinstance(prompt, ShownTurn | Image | Passage):
        return [prompt]
    if isinstance(prompt, Chat | Spoken):
        raise TypeError(
            "a chat is a whole prompt, and spoken(...) an item of a chat: put all that the seat is"
            " shown into one chat([...])"
        )
    if isinstance(prompt, Turn):
        return [ShownTurn(prompt, "public")]
    if not isinstance(prompt, Iterable):
        raise TypeError(f"a prompt is made of strings and turns; found {type(prompt).__name__}")
    pieces: list[Piece] = []
    for part in prompt:
        # Most parts are plain words.
        if type(part) is str:
            pieces.append(part)
        else:
            pieces += prompt_pieces(part)
    return pieces


def messages_of(
    prompt: Prompt | Chat, reader: str, episode: str, also: Collection[Voice] = ()
) -> list[ChatMessage]:
    """Return a prompt as messages, each a role and its pieces; roles alternate.

    `also` are seats of other episodes in which the reader has spoken, as in `check_face`.  Raises
    ProtocolError for a chat that does not begin and end with a message of the user.
    """
    if not isinstance(prompt, Chat):
        return [("user", prompt_pieces(prompt))]
    messages: list[ChatMessage] = []
    for item in prompt.items:
        role: ChatRole = "assistant" if is_own(item, reader, episode, also) else "user"
        pieces = prompt_pieces(item.parts if isinstance(item, Spoken) else item)
        if all(piece == "" for piece in pieces):
            continue
        if messages and messages[-1][0] == role:
            messages[-1][1].extend([BETWEEN, *pieces])
        else:
            messages.append((role, pieces))
    for place, which in (("first", 0), ("last", -1)):
        if not messages or messages[which][0] != "user":
            found = "words of its own" if messages else "nothing"
            raise ProtocolError(
                f"the {place} message of a chat is what {reader} is told or asked, not {found};"
                " put text there, or a turn of somebody else (a reply that has begun is a prefill)"
            )
    return messages


def is_own(item: Prompt | Spoken, reader: str, episode: str, also: Collection[Voice] = ()) -> bool:
    """Return whether an item of a chat is a message of the assistant."""
    turn = item.turn if isinstance(item, ShownTurn) else item
    if isinstance(turn, Turn):
        return is_voice_of(turn, reader, episode, also)
    return isinstance(item, Spoken)


def chat_of(pieces: Sequence[Piece], roles: Sequence[str]) -> Chat:
    """Return the chat that was stored as pieces, each with its role."""
    pairs = groupby(zip(roles, pieces, strict=True), key=lambda pair: pair[0])
    groups = [(role, [piece for _, piece in group]) for role, group in pairs]
    return Chat(tuple(Spoken(group) if role == "assistant" else group for role, group in groups))


def is_voice_of(turn: Turn, reader: str, episode: str, also: Collection[Voice]) -> bool:
    """Return whether a turn was spoken by `reader`, a seat's name in `episode`."""
    # A seat of the same name in another episode, such as a debate that is judged, is another.
    return (turn.episode, turn.seat) in {(episode, reader), *also}


def check_face(shown: ShownTurn, reader: str, episode: str, also: Collection[Voice] = ()) -> None:
    """Raise LeakError if `reader` (a seat's name in `episode`) must not see this face.

    `also` are (episode, seat) in which the reader has spoken too: an aside goes on from there.
    """
    turn = shown.turn
    mine = is_voice_of(turn, reader, episode, also)
    if shown.face not in ("public", "checked", "rated") and not mine:
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

    `generated_spans` marks tokens of a local model in the messages.  `roles` has the role of each
    part of a chat; None: the parts are one user message.  `part_ends` tells where each part ends:
    (index of its message, characters of the message up to there).
    """

    messages: tuple[Message, ...]
    generated_spans: tuple[GeneratedSpan, ...]
    parts: tuple[PromptPart, ...]
    prefill: tuple[PromptPart, ...]
    roles: tuple[str, ...] | None = None
    part_ends: tuple[tuple[int, int], ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """Return the hashes of the images that it shows, in order."""
        return tuple(part.image for part in self.parts if part.image is not None)


def build_prompt(
    prompt: Prompt | Chat,
    seat: Seat,
    episode: str,
    prefill: Prompt = (),
    also: Collection[Voice] = (),
) -> BuiltPrompt:
    """Return the messages for a seat's model.

    These are the agent's system prompt if it has one, one user message or those of a chat, and the
    prefill if there is one.  Raises LeakError if the seat must not see a face, TypeError for
    anything that is no part of a prompt.
    """
    messages = messages_of(prompt, seat.name, episode, also)
    begun = prompt_pieces(prefill)
    is_chat = isinstance(prompt, Chat)
    return build_messages(messages, seat, episode, begun, is_chat=is_chat, also=also)


def build_messages(
    messages: Sequence[ChatMessage],
    seat: Seat,
    episode: str,
    prefill: Sequence[Piece],
    *,
    is_chat: bool,
    also: Collection[Voice] = (),
) -> BuiltPrompt:
    """Return a prompt from its messages, as `build_prompt` does."""
    built = [Message("system", seat.agent.system)] if seat.agent.system else []
    parts: list[PromptPart] = []
    spans: list[GeneratedSpan] = []
    roles: list[str] = []
    ends: list[tuple[int, int]] = []
    for role, pieces in messages:
        own = is_chat and role == "assistant"
        message, message_parts, message_spans, lengths = compose_message(
            pieces, seat, episode, len(built), role=role, verbatim=own, also=also
        )
        ends += [(len(built), length) for length in lengths]
        built.append(message)
        parts += message_parts
        spans += message_spans
        roles += [role] * len(message_parts)
    prefill_parts: tuple[PromptPart, ...] = ()
    if prefill:
        beginning, begun, prefill_spans, _ = compose_message(
            prefill, seat, episode, len(built), role="assistant", verbatim=True, also=also
        )
        # An empty one is none, which a model need not be able to continue.
        if beginning.content:
            built.append(beginning)
            prefill_parts = begun
            spans += prefill_spans
    return BuiltPrompt(
        tuple(built),
        tuple(spans),
        tuple(parts),
        prefill_parts,
        tuple(roles) if is_chat else None,
        tuple(ends),
    )


def compose_message(
    pieces: Sequence[Piece],
    seat: Seat,
    episode: str,
    number: int,
    *,
    role: ChatRole = "user",
    verbatim: bool = False,
    also: Collection[Voice] = (),
) -> tuple[Message, tuple[PromptPart, ...], tuple[GeneratedSpan, ...], list[int]]:
    """Return (message, parts, generated spans, ends) of the message with the index `number`.

    `ends` are the characters of the message up to the end of each part.  `verbatim` says whether
    verbatim faces are allowed, as they are in prefills and in a seat's own messages.
    """
    words: list[str] = []
    parts: list[PromptPart] = []
    spans: list[GeneratedSpan] = []
    images: list[PlacedImage] = []
    ends: list[int] = []
    length = 0
    for piece in pieces:
        if isinstance(piece, Image):
            if role == "assistant":
                raise TypeError("an image goes into a message of the user, not into one's own")
            images.append(PlacedImage(piece, length))
            parts.append(PromptPart(image=piece.hash))
            ends.append(length)
            continue
        if isinstance(piece, str):
            text = piece
            parts.append(PromptPart(text=piece))
        elif isinstance(piece, Passage):
            text = piece.text
            parts.append(PromptPart(face=PASSAGE))
        else:
            check_face(piece, seat.name, episode, also)
            if piece.face in ("verbatim", "reask_text") and not verbatim:
                raise TypeError(
                    "verbatim(turn) goes into a prefill, or alone into a chat;"
                    " elsewhere in a prompt, put the turn itself or own(turn)"
                )
            turn = piece.turn
            text = words_of_turn(piece)
            parts.append(
                PromptPart(None, turn.episode, turn.seat, turn.step, piece.face, piece.end)
            )
            # Only a text that is the beginning of the generated one has tokens that are known.
            if turn.token_ids is not None and reveal(turn.text).startswith(text):
                end = length + len(text)
                spans.append(GeneratedSpan(number, length, end, turn.token_ids, turn.model_served))
        words.append(text)
        length += len(text)
        ends.append(length)
    return Message(role, "".join(words), tuple(images)), tuple(parts), tuple(spans), ends


def words_of_turn(shown: ShownTurn) -> str:
    """Return the words of a turn in the face that is shown, whoever reads them."""
    turn = shown.turn
    if shown.face == "verbatim":
        raw: str = reveal(turn.text)
        return raw[: shown.end]
    if shown.face in ("reask_prompt", "reask_text"):
        return str(reveal(getattr(turn, shown.face)) or "")
    if shown.face == "checked" and turn.public is not None:
        return mark_quotes(turn.public, shown.passage)
    return render(shown.face, turn.public, reveal(turn.thoughts), reveal(turn.confidence))
