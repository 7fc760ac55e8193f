"""Read transcripts in JSON by a mapping: where in a file each thing of a play stands.

A path is names with dots between, from the object that it is looked up in; a number is a place in a
list.  The names of `arena export --format json` are the default, so that a file of it comes in as
it is; other files name their own: `--map messages=dialogue --map content=utterance.text`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeGuard

from arena.errors import StudyError
from arena.imports.files import files_in, read_json
from arena.imports.records import (
    ImportedAnswer,
    ImportedPlay,
    ImportedTurn,
    ImportedVerdict,
    Refused,
)
from arena.text import writable
from arena.types import Subject

# A status without a number in it.
WORDS = re.compile(r"[^\d]{1,80}")
WINNERS = ("proposition", "opposition", "abstain")


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things stand: of a file, of a play, and of a message in it."""

    plays: str = ""
    id: str = "episode"
    study: str = "study"
    arm: str = "arm"
    protocol: str = "protocol"
    subject: str = "subject"
    gold: str = "gold"
    choices: str = "choices"
    seats: str = "seats"
    repeat: str = "repeat"
    simulated: str = "simulated"
    answers: str = "answers"
    verdicts: str = "verdicts"
    final: str = ""
    messages: str = "messages"
    name: str = "name"
    content: str = "content"
    model: str = "model"
    phase: str = "phase"
    round: str = "round"
    answer: str = "answer"
    confidence: str = "confidence"
    thoughts: str = "thoughts"


PLAIN = Paths()


def with_mapping(paths: Paths, words: Sequence[str]) -> Paths:
    """Return paths with those changed that NAME=PATH words name.  Raises StudyError if none is."""
    known = [field.name for field in fields(Paths)]
    changes = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or name not in known:
            raise StudyError(
                f"a mapping is NAME=PATH with a name of {', '.join(known)}; found {word[:80]!r}"
            )
        changes[name] = path
    return replace(paths, **changes)


def read_mapped(
    place: Path, paths: Paths, study: str | None = None
) -> Iterator[ImportedPlay | Refused]:
    """Yield the plays of a JSON file, or of all JSON files below a folder."""
    for name, file in files_in(place, (".json", ".jsonl")):
        try:
            found = list(objects_of(read_json(file), paths))
        except StudyError as error:
            yield Refused(name, writable(str(error)))
            continue
        for number, play in enumerate(found):
            which = name if len(found) == 1 else f"{name}, play {number + 1}"
            try:
                yield play_of(play, paths, which, study)
            except StudyError as error:
                yield Refused(which, writable(str(error)))


def objects_of(content: object, paths: Paths) -> Iterator[object]:
    """Yield the plays of a file's content: a list of them, one, or a list of its messages."""
    found = look(content, paths.plays) if paths.plays else content
    if not isinstance(found, list):
        yield found
        return
    messages = [item for item in found if look(item, paths.messages) is None]
    # A list of messages, rather than of plays with messages, is one play.
    if found and len(messages) == len(found) and look(found[0], paths.content) is not None:
        yield {paths.messages: found}
        return
    # An index of files holds no plays.
    yield from (item for item in found if look(item, paths.messages) is not None)


def look(content: object, path: str) -> Any:
    """Return what stands at a path; None: nothing does, or there is no path."""
    if not path:
        return None
    for step in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(step)
        elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def text_at(content: object, path: str) -> str | None:
    """Return the text at a path, several joined; None: there is none."""
    found = look(content, path) if path else None
    if isinstance(found, list):
        found = "\n\n".join(str(item) for item in found if item is not None)
    return str(found) if isinstance(found, str | int | float) and str(found).strip() else None


def play_of(play: object, paths: Paths, name: str, study: str | None) -> ImportedPlay:
    """Return a play from its object.  Raises StudyError with the reason if it is none."""
    messages = look(play, paths.messages)
    if not isinstance(messages, list) or not messages:
        raise StudyError(f"has no list of messages at {paths.messages!r}; name it with --map")
    turns = [turn_of(message, number, paths) for number, message in enumerate(messages)]
    seats: dict[str, str | None] = {turn.seat: None for turn in turns}
    for turn, message in zip(turns, messages, strict=True):
        seats[turn.seat] = seats[turn.seat] or text_at(message, paths.model)
    given = look(play, paths.seats)
    if isinstance(given, Mapping):
        seats |= {str(seat): str(model) if model else None for seat, model in given.items()}
    choices = look(play, paths.choices)
    subject = Subject(
        text_at(play, paths.subject) or "",
        gold=text_at(play, paths.gold),
        choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
    )
    repeat, options = look(play, paths.repeat), look(play, "options")
    return ImportedPlay(
        key=text_at(play, paths.id) or name,
        study=study or text_at(play, paths.study) or "imported",
        subject=subject,
        seats=seats,
        turns=turns,
        arm=text_at(play, paths.arm) or "published",
        protocol=text_at(play, paths.protocol) or "transcript",
        verdicts=list(verdicts_of(look(play, paths.verdicts))),
        answers=list(answers_of(play, paths, turns)),
        repeat=repeat if is_whole(repeat) else None,
        options=options if isinstance(options, Mapping) else {},
        failed=text_at(play, "error") or "failed" if look(play, "status") == "failed" else None,
        simulated=look(play, paths.simulated) is True,
    )


def turn_of(message: object, number: int, paths: Paths) -> ImportedTurn:
    """Return a turn from its message.  Raises StudyError with the reason if it is none."""
    seat = text_at(message, paths.name)
    if seat is None:
        raise StudyError(
            f"message {number + 1} has no speaker at {paths.name!r}; name it with --map name=PATH"
        )
    content = look(message, paths.content)
    if content is not None and not isinstance(content, str):
        raise StudyError(
            f"message {number + 1} has no text at {paths.content!r}, found {content!r:.40}"
        )
    at = look(message, paths.round)
    confidence = look(message, paths.confidence)
    # The value itself would be a private rating among public words.
    status = "not asked" if confidence is None else "not a number from 0 to 1"
    if confidence is None and isinstance(told := look(message, "confidence_status"), str):
        # So would a number in its status.
        status = told if WORDS.fullmatch(told) else "missing"
    return ImportedTurn(
        seat=seat,
        public=content,
        phase=text_at(message, paths.phase) or "",
        round=at if is_whole(at) else number,
        answer=text_at(message, paths.answer),
        confidence=sure_of(confidence),
        status=status,
        thoughts=text_at(message, paths.thoughts),
    )


def sure_of(value: object) -> float | None:
    """Return a confidence of JSON, or None if it is no number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= 1 else None


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a value of JSON is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def answers_of(
    play: object, paths: Paths, turns: Sequence[ImportedTurn]
) -> Iterator[ImportedAnswer]:
    """Yield the answers of a play: those that it lists, or its final one with those of seats."""
    listed = look(play, paths.answers)
    before: Counter[str] = Counter()
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, Mapping) and isinstance(item.get("seat"), str):
            stage, right = item.get("stage", before[item["seat"]]), item.get("correct")
            before[item["seat"]] += 1
            yield ImportedAnswer(
                item["seat"],
                text_at(item, "answer"),
                final=item.get("final") is not False,
                stage=stage if is_whole(stage) else 0,
                confidence=sure_of(item.get("confidence")),
                correct=right if isinstance(right, bool) else None,
            )
    if not paths.final:
        return
    stages: dict[str, int] = {}
    for turn in turns:
        if turn.answer is not None:
            stage = stages.get(turn.seat, -1) + 1
            stages[turn.seat] = stage
            yield ImportedAnswer(turn.seat, turn.answer, final=False, stage=stage)
    if (final := text_at(play, paths.final)) is not None:
        yield ImportedAnswer("panel", final)


def verdicts_of(listed: object) -> Iterator[ImportedVerdict]:
    """Yield the verdicts that a play lists."""
    for item in listed if isinstance(listed, list) else ():
        if not isinstance(item, Mapping) or not isinstance(item.get("judge"), str):
            continue
        winner = item.get("winner")
        known = winner in WINNERS
        yield ImportedVerdict(
            item["judge"],
            winner if known else None,
            sure_of(item.get("confidence")),
            text_at(item, "reasons"),
            text_at(item, "seat_order") or "as played",
            "read"
            if known
            else text_at(item, "status") or f"winner {winner!r:.40} is neither side",
        )
