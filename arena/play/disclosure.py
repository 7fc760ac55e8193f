"""Guard what the seats of an episode are told: nothing private of others, in whatever way.

A turn is shown as it was recorded, whatever became of its object; one that is not in the record of
this episode or of its subject is not shown.  Text is searched for private words of other seats of
the run.  A seat has one agent, so that what is private to the seat is private to its agent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from arena.calls.ledger import RunContext
from arena.errors import LeakError, ProtocolError
from arena.images import Image
from arena.play.hidden_passage import HiddenPassage
from arena.play.prompt import (
    PASSAGE,
    BuiltPrompt,
    Chat,
    Passage,
    Piece,
    Prompt,
    ShownTurn,
    Voice,
    build_messages,
    messages_of,
    prompt_pieces,
)
from arena.private import reveal
from arena.studies.branches import Branch, Spoken
from arena.types import Agent, Reading, Sampling, Seat, Subject, Turn

TurnKey = tuple[str, str, int]
TAG = re.compile(r"</?\w{1,40}>")


class Disclosure:
    """What the seats of one episode may be told.

    `run` has the private words that came up in it, `lineup` the agents that are seated already.  Of
    other episodes' turns, those of the `subject` alone can be shown.  `leak` is the first
    LeakError, which a protocol may have caught.
    """

    def __init__(
        self,
        episode: str,
        run: RunContext,
        lineup: Mapping[str, Agent],
        subject: Subject | None,
    ) -> None:
        self.leak: LeakError | None = None
        self._episode = episode
        self._subject = subject
        self._run = run
        self._agents = dict(lineup)
        self._turns = {key_of(turn): turn for turn in turns_of(subject)}
        self._common = texts_of(subject)
        self._images = {image.hash for image in subject.images} if subject else set()
        self._hidden = HiddenPassage(episode, subject.passage if subject else "")

    def hide_passage_from(self, seat: Seat) -> None:
        """Refuse the passage of the subject to a seat from now on; LeakError if it has read it."""
        self._hidden.hide_from(seat.name)

    def check_agent(self, seat: Seat) -> None:
        """Raise ProtocolError if another agent has sat in a seat of this name.

        What is private to a seat is private to its agent, and the record has one agent a seat.
        """
        first, now = self._agents.setdefault(seat.name, seat.agent), seat.agent
        for what in ("name", "model", "system prompt"):
            if identity(first, what) != identity(now, what):
                raise ProtocolError(
                    f"the seat {seat.name} was taken by {first.name} ({first.model.name}), and its"
                    f" agent now has another {what}; give every agent a seat of its own, and put"
                    " what changes from step to step into the prompt"
                )

    def build(
        self, prompt: Prompt | Chat, seat: Seat, prefill: Prompt, sampling: Sampling
    ) -> BuiltPrompt:
        """Return a prompt with turns as they are recorded.

        Raises LeakError, or ProtocolError for an image that is none of the subject's.
        """
        try:
            also = self._also(seat)
            messages = messages_of(prompt, seat.name, self._episode, also)
            shown = [(role, [*map(self._recorded, pieces)]) for role, pieces in messages]
            begun = [*map(self._recorded, prompt_pieces(prefill))]
            told = [piece for _, pieces in shown for piece in pieces]
            self._hidden.check_pieces(seat.name, [*told, *begun])
            is_chat = isinstance(prompt, Chat)
            built = build_messages(shown, seat, self._episode, begun, is_chat=is_chat, also=also)
            for part in (built.parts, built.prefill):
                self._check_words(seat, [piece.text for piece in part if piece.text is not None])
            self._check_words(seat, [seat.agent.system])
            # Each of the words, and all of them joined, since each may be a piece.
            given = [*texts_in(sampling.response_schema), *texts_in(sampling.extra)]
            given += texts_in(sampling.decoding and sampling.decoding.content())
            for words in filter(None, (sampling.stop, sampling.choices, given)):
                for texts in (*([text] for text in words), words):
                    self._check_words(seat, texts)
        except LeakError as error:
            self.leak = self.leak or error
            raise
        return built

    def _also(self, seat: Seat) -> Collection[Voice]:
        """Return the seats of other episodes in which a seat of this one has spoken.

        These are that of the parent episode as which it goes on, and, where stored replies are
        scored, those that its model has spoken itself.
        """
        if isinstance(self._subject, Spoken):
            return self._subject.voices_of(seat.agent.model.name)
        if not isinstance(self._subject, Branch):
            return ()
        name = self._subject.seat_in_parent(seat.name)
        return () if name is None else ((self._subject.parent, name),)

    def _recorded(self, shown: Piece) -> Piece:
        """Return a shown turn with the words of the record, whatever its object says by now."""
        if isinstance(shown, Passage):
            self._hidden.check_is_subjects(shown.text)
            return shown
        if isinstance(shown, Image):
            # Any other image is in no record, and its bytes could hold words of anybody.
            if shown.hash not in self._images:
                raise ProtocolError(
                    f"{shown.name} ({shown.hash[:8]}) was about to be shown, and is no image of the"
                    " subject; give it with the subject, Subject(text, images=[...])"
                )
            return shown
        if not isinstance(shown, ShownTurn):
            return shown
        if shown.face == "checked":
            self._hidden.check_is_subjects(shown.passage)
        recorded = self._turns.get(key_of(shown.turn))
        if recorded is None:
            raise LeakError(
                f"{shown.turn!r} of episode {shown.turn.episode} was about to be shown, but is"
                " neither of this episode nor of its subject, so that nothing records its words"
            )
        if recorded != shown.turn:
            raise LeakError(f"{shown.turn!r} is not as it was recorded; show the turn itself")
        return replace(shown, turn=recorded)

    def _check_words(self, seat: Seat, texts: Sequence[str]) -> None:
        """Raise LeakError if private words of others stand in texts that go to a seat.

        Words that are pasted as text leave no row in `saw`.
        """
        self._hidden.check_texts(seat.name, texts, self._common)
        reader = (self._episode, seat.name)
        found = self._run.private.author_of_leak(reader, texts, self._common)
        if found is not None:
            episode, author = found
            where = "" if episode == self._episode else f" in episode {episode}"
            raise LeakError(
                f"private words of {author}{where} stand as text in a request to {seat.name};"
                " put the turn itself into the prompt"
            )

    def note(self, turn: Turn, built: BuiltPrompt, system: str) -> None:
        """Keep a turn as it is recorded, and note which of its words are private.

        `built` is the prompt that it answers, `system` its agent's system prompt.
        """
        known = [system, *(part.text for part in (*built.parts, *built.prefill) if part.text)]
        for part in (*built.parts, *built.prefill):
            if part.face == PASSAGE:
                known.append(self._hidden.text)
            elif part.text is None and part.image is None:
                told = self._turns[cast(TurnKey, (part.episode, part.seat, part.step))]
                known += [told.public] if told.public else []
        text, thoughts = reveal(turn.text), reveal(turn.thoughts)
        # With values of its own: nothing that is done to the protocol's object changes it.
        second, question = reveal(turn.reask_text), reveal(turn.reask_prompt)
        self._turns[key_of(turn)] = replace(
            turn, text=text, thoughts=thoughts, reask_text=second, reask_prompt=question
        )
        known += [question] if question else []
        if turn.public is not None:
            self._run.private.publish(turn.public)
            self._hidden.publish(turn.public)
            known.append(turn.public)
        author = (self._episode, turn.seat)
        if thoughts is not None:
            self._run.private.add(author, thoughts, known)
            known.append(thoughts)
        # The rest of the raw replies: what they say beside the thoughts and the public words.
        for rest in filter(None, (text, second)):
            for words in filter(None, (thoughts, turn.public)):
                rest = rest.replace(words, " ")
            self._run.private.add(author, TAG.sub(" ", rest), known)

    def check_reading(self, seat: Seat, reading: Reading) -> None:
        """Raise LeakError if a reader puts private words of others into a re-ask or in public."""
        composed = reading.public if reading.composed else None
        try:
            for words in (reading.reask, composed):
                if words is not None:
                    self._check_words(seat, [words])
        except LeakError as error:
            self.leak = self.leak or error
            raise


def texts_in(value: object) -> Iterator[str]:
    """Yield the names and texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


def key_of(turn: Turn) -> TurnKey:
    """Return the key of a turn in the record."""
    return turn.episode, turn.seat, turn.step


def turns_of(subject: Subject | None) -> Iterator[Turn]:
    """Yield the turns that a subject brings from the record, such as those of a debate."""
    for name in subject.__dataclass_fields__ if subject else ():
        value = getattr(subject, name)
        # A text is a sequence too, and brings none.
        many = isinstance(value, Sequence) and not isinstance(value, str)
        for item in value if many else (value,):
            if isinstance(item, Turn):
                yield item


def texts_of(subject: Subject | None) -> tuple[str, ...]:
    """Return the words of a subject, which are nobody's secret, as far as secrecy goes."""
    if subject is None:
        return ()
    public = (turn.public for turn in turns_of(subject))
    words = (subject.text, subject.gold, *subject.choices, *subject.accepted, *public)
    return tuple(text for text in words if text)


def identity(agent: Agent, what: str) -> str:
    """Return an agent's name, the name of its model or its system prompt."""
    return {"name": agent.name, "model": agent.model.name, "system prompt": agent.system}[what]
