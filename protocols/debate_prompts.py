"""Build what a debater is told: as a transcript or a chat, with tags or by a schema.

The words are those of a wording (debate.py, debate_wordings.py); here they get their order and the
turns their faces.  Two forms are ours, options of `debate` with the paper's form as their default:

- `form=chat`: a side is shown its own earlier replies as messages of the assistant, as they were
  generated, each after the question that it answered; what it is told, and the other side's
  speeches, are messages of the user.  So every request begins with the whole of the one before it.
  Without a memory, its own messages are its public speeches alone.  In the paper's form, the
  transcript, all of it is one message.
- `replies=schema`: a reply is one JSON object with the speech, the private thoughts and the rating,
  in this order, wherever a model serves structured output; elsewhere tags are asked for.

A side may know the same in each form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from arena.play.prompt import (
    Chat,
    Prompt,
    Spoken,
    chat,
    notes,
    prompt_pieces,
    rated,
    spoken,
    verbatim,
)
from arena.play.reading import Reader
from arena.types import STATED, Seat, Turn
from protocols.debate_controls import Opponent, side_of
from protocols.debate_wordings import Words
from protocols.parsing.chances import CHANCE_OF_LOSING, chances_alone, speech_and_chances
from protocols.parsing.tags import rating_alone, speech_and_confidence, speech_only
from protocols.structured import Replies, ReplySchema, SchemaField, read_object, serves_schema

Confidence = Literal["private", "public", "none"]
OpponentNote = Literal["none", "copy", "even_odds"]
Rating = Literal["likelihood", "stake", "both", "scored", "win_and_lose"]
Reflection = Literal["plain", "both_sides"]
PromptForm = Literal["transcript", "chat"]

SIDES = ("proposition", "opposition")
BEFORE = "before"
ORDINALS = {"1": "first", "2": "second", "3": "third"}
# Where the number that becomes the confidence comes from (`turns.confidence_source`).
SOURCES = {
    "likelihood": "stated",
    "stake": "stake",
    "both": "stated and stake",
    "scored": "scored",
}
# The fields of a reply as one object, in the words of the forms with tags.
SPEECH = SchemaField("speech", "your {phase} speech, the only part that others will read", "public")
SPEECH_ALONE = SchemaField("speech", "your {phase} speech, which others will read", "public")
THOUGHTS = SchemaField("thoughts", "your private thoughts about how the debate stands", "thoughts")
THOUGHTS_BEFORE = SchemaField(
    "thoughts", "your private thoughts about how the debate will go", "thoughts"
)
RATING = SchemaField("rating", "one number from 0 to 100", "confidence")
CHANCES = (
    SchemaField("win", "how likely you are to win, one number from 0 to 100", "confidence"),
    SchemaField("lose", "how likely you are to lose, one number from 0 to 100", CHANCE_OF_LOSING),
)


@dataclass(frozen=True, slots=True)
class Asking:
    """How all speeches of a debate are asked for: the options of `debate` that their prompts share.

    `asked_rounds` are those in which a rating is asked for.
    """

    words: Words
    confidence: Confidence
    asked_rounds: range
    memory: bool
    rating: Rating
    reflection: Reflection
    sequential: bool
    form: PromptForm
    replies: Replies

    def shown_in(self, round: int) -> Confidence:
        """Return who sees the rating of a round; "none" where none is asked for."""
        return self.confidence if round in self.asked_rounds else "none"

    def schema(self, seat: Seat, phase: str, round: int) -> ReplySchema | None:
        """Return the schema of a seat's reply; None where it replies in tags."""
        if self.replies == "tags" or not serves_schema(seat):
            return None
        return schema_of(phase, self.shown_in(round), self.rating)

    def reader(self, seat: Seat, phase: str, round: int) -> Reader:
        """Return the reader of a seat's reply, in tags or by a schema."""
        schema = self.schema(seat, phase, round)
        if schema is not None:
            return partial(read_object, schema=schema)
        return reply_reader(phase, self.shown_in(round), self.rating)

    def tell(self, seat: Seat, phase: str, round: int) -> Prompt:
        """Return what a seat is told after the history: its part, and the form of its reply."""
        shown, schema = self.shown_in(round), self.schema(seat, phase, round)
        return [
            speech_instructions(side_of(seat.name), phase, self.words),
            rating_instructions(phase, shown, self.rating, self.reflection, self.words, schema),
        ]

    def prompt(
        self, seat: Seat, head: Prompt, heard: Sequence[Turn], phase: str, round: int
    ) -> Prompt | Chat:
        """Return the prompt of a speech: `head`, the turns that were `heard`, and what to do."""
        if self.form == "chat":
            return self.conversation(seat, head, heard, phase, round)
        noted = [turn for turn in heard if turn.seat == seat.name]
        noted = [turn for turn in noted if self.memory and turn.round in self.asked_rounds]
        return [
            head,
            transcript(heard, seat.name, self.memory, self.words),
            own_notes(noted, self.words),
            self.tell(seat, phase, round),
        ]

    def conversation(
        self, seat: Seat, head: Prompt, heard: Sequence[Turn], phase: str, round: int
    ) -> Chat:
        """Return the prompt as a chat: for each of a seat's turns what it was asked and said."""
        items: list[Prompt | Spoken] = []
        unread = [turn for turn in heard if turn.seat != seat.name]
        own = [turn for turn in heard if turn.seat == seat.name]
        # Of a turn without a speech nothing is left without a memory.
        own = [turn for turn in own if self.memory or turn.public != ""]
        for turn in own:
            new = [each for each in unread if was_heard(each, turn, self.sequential)]
            unread = [each for each in unread if each not in new]
            items.append(self.question(seat, "" if items else head, new, turn.phase, turn.round))
            items.append(self.own_message(seat, turn))
        return chat([*items, self.question(seat, "" if items else head, unread, phase, round)])

    def question(
        self, seat: Seat, head: Prompt, new: Sequence[Turn], phase: str, round: int
    ) -> Prompt:
        """Return one message to a seat: the speeches that are new to it, and what it is told."""
        if head:
            history = transcript(new, seat.name, self.memory, self.words)
        else:
            history = list_speeches(new, seat.name, self.memory)
        pieces = prompt_pieces([head, history, self.tell(seat, phase, round)])
        first, *others = [piece for piece in pieces if piece != ""]
        # A message does not begin with the empty line that parts it from the one before.
        return [first.lstrip("\n") if isinstance(first, str) else first, *others]

    def own_message(self, seat: Seat, turn: Turn) -> Prompt | Spoken:
        """Return a seat's own turn as a message of its own: as it was generated.

        Without a memory it is the public speech alone, in the tags that were asked for.
        """
        if self.memory:
            return verbatim(turn)
        if self.schema(seat, turn.phase, turn.round) is not None:
            return turn
        return spoken("<speech>", turn, "</speech>")


def debate_instructions(
    motion: str, opponent_note: OpponentNote, opponent: Opponent, words: Words
) -> str:
    """Return what all requests of a debate begin with: motion, criteria, and about the opponent."""
    unheard = words.not_heard if opponent == "unheard" else ""
    return words.frame.format(motion=motion) + words.criteria + words.notes[opponent_note] + unheard


def transcript(heard: Sequence[Turn], reader: str, memory: bool, words: Words) -> Prompt:
    """Return the speeches so far, in the same bytes for both sides."""
    speeches = list_speeches(heard, reader, memory)
    return [words.history, *speeches] if speeches else words.nothing_said


def list_speeches(heard: Sequence[Turn], reader: str, memory: bool) -> list[Prompt]:
    """Return the speeches of turns, each under its side and phase.

    Public ratings are beside them, also a side's own if it has a memory.
    """

    def face(turn: Turn) -> Prompt:
        """Return the face of an earlier turn that the reader is shown."""
        return rated(turn) if turn.rating_public and (memory or turn.seat != reader) else turn

    # The proposition's speech of a phase comes first, wherever it was given.
    in_order = sorted(heard, key=lambda turn: (turn.round, SIDES.index(side_of(turn.seat))))
    return [
        [f"\n--- {side_of(turn.seat)}, {phase_in_words(turn.phase)} ---\n", face(turn), "\n"]
        for turn in in_order
        # Before the debate nothing was said but a rating, which may be private.
        if turn.phase != BEFORE or turn.rating_public
    ]


def own_notes(turns: Sequence[Turn], words: Words) -> Prompt:
    """Return the thoughts and ratings of a side's own earlier turns, which it alone is shown."""
    if not turns:
        return ""
    shown: list[Prompt] = [
        [f"\n--- {phase_in_words(turn.phase)} ---\n", notes(turn), "\n"] for turn in turns
    ]
    return [words.own_notes, *shown]


def speech_instructions(side: str, phase: str, words: Words) -> str:
    """Return the text after the history: the side, and how to speak in this phase."""
    if phase == BEFORE:
        return words.role_before.format(side=side, task=words.tasks[side])
    # Both rebuttals of multi_round have one scaffold: "rebuttal_2" is read as "rebuttal".
    scaffold = words.scaffolds[phase.partition("_")[0]]
    role = words.role.format(side=side, task=words.tasks[side], phase=phase_in_words(phase))
    return role + scaffold


def rating_instructions(
    phase: str,
    confidence: Confidence,
    rating: Rating,
    reflection: Reflection,
    words: Words,
    schema: ReplySchema | None = None,
) -> str:
    """Return the end of a prompt: how to rate, who will see it, and the form of the reply.

    The form is that of the schema, if there is one.
    """
    if confidence == "none":
        form = words.form_without_rating.format(phase=phase_in_words(phase))
        return schema.form() if schema else form
    two = rating == "win_and_lose"
    visible = (words.visible_chances if two else words.visible)[confidence]
    form = words.form_with_chances if two else words.form_with_rating
    if phase == BEFORE:
        form = words.form_of_chances_alone if two else words.form_of_rating_alone
    asked = f"\n{words.reflections[reflection]} {words.ratings[rating]} {visible}\n"
    return asked + (schema.form() if schema else form.format(phase=phase_in_words(phase)))


def phase_in_words(phase: str) -> str:
    """Return the phase in words: "rebuttal_2" is "second rebuttal"."""
    if phase == BEFORE:
        return "before the debate"
    name, _, number = phase.partition("_")
    return f"{ORDINALS.get(number, number)} {name}".strip()


def schema_of(phase: str, confidence: Confidence, rating: Rating) -> ReplySchema:
    """Return the schema of a reply to these questions."""
    speech = SPEECH_ALONE if confidence == "none" else SPEECH
    speech = replace(speech, words=speech.words.format(phase=phase_in_words(phase)))
    fields = [] if phase == BEFORE else [speech]
    if confidence != "none":
        fields.append(THOUGHTS_BEFORE if phase == BEFORE else THOUGHTS)
        fields += CHANCES if rating == "win_and_lose" else [RATING]
    return ReplySchema(tuple(fields), SOURCES.get(rating, STATED))


def was_heard(turn: Turn, own: Turn, sequential: bool) -> bool:
    """Return whether a side had heard another's turn when it took this one of its own."""
    # In sequence, only the opposition hears a speech of the same phase.
    same_phase = sequential and turn.round == own.round and turn.seat.startswith("proposition")
    return turn.round < own.round or same_phase


def reply_reader(phase: str, confidence: Confidence, rating: Rating) -> Reader:
    """Return the reader of a reply in tags to these questions."""
    if confidence == "none":
        return speech_only
    if rating == "win_and_lose":
        return chances_alone if phase == BEFORE else speech_and_chances
    read = rating_alone if phase == BEFORE else speech_and_confidence
    return partial(read, source=SOURCES[rating])
