"""Make rows of imported plays, which reports, pages and SQL read as those of played studies.

No text of a file is anything but text, and turns have neither prompt nor seed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from arena.grading.grade import grade
from arena.imports.records import ImportedAnswer, ImportedPlay, ImportedTurn, ImportedVerdict
from arena.store.journal import row_of
from arena.studies.motions import subject_id
from arena.text import writable
from arena.types import READ, Subject

Row = tuple[str, dict[str, Any]]
VERSION = "published"
UNKNOWN_MODEL = "not known"
UNKNOWN_TIME = datetime(1970, 1, 1)


def digest(content: object) -> str:
    """Return a hash of content as an id of 20 hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:20]


def episode_of(source: str, play: ImportedPlay) -> str:
    """Return the id of a play: a hash of its source, its place there, and perhaps its words."""
    if play.named_by_key:
        return digest([source, play.study, writable(play.key)])
    words = [[writable(turn.seat), turn.public and writable(turn.public)] for turn in play.turns]
    return digest([source, play.study, writable(play.key), writable(play.subject.text), words])


def play_rows(episode: str, play: ImportedPlay, source: str) -> Iterator[Row]:
    """Yield the rows of a play: subject, play, seats, turns, answers, verdicts, and its end."""
    subject = clean_subject(play.subject, source)
    yield "subjects", {"subject": subject_id(subject), **row_of(subject)}
    yield "plays", play_row(episode, play, play.arm, play.protocol, subject_id(subject))
    for seat, model in play.seats.items():
        yield "seats", seat_row(episode, seat, model)
    steps: Counter[str] = Counter()
    for turn in play.turns:
        yield "turns", turn_row(episode, turn, steps[turn.seat])
        steps[turn.seat] += 1
    for answer in play.answers:
        yield "answers", answer_row(episode, answer, subject)
    ended = play.started_at or UNKNOWN_TIME
    end: dict[str, Any] = {"status": "done"}
    if play.failed is not None:
        kind, _, words = writable(play.failed).partition(": ")
        end = {"status": "failed", "error_kind": kind, "error": words or None}
    yield "statuses", {"episode": episode, **end, "ended_at": ended}
    repeats: Counter[tuple[str, str]] = Counter()
    for verdict in play.verdicts:
        repeat = repeats[verdict.judge, verdict.order]
        repeats[verdict.judge, verdict.order] += 1
        if play.is_debate or verdict.answer is not None:
            yield from verdict_rows(episode, play, verdict, repeat, subject, source)


def clean_subject(subject: Subject, source: str) -> Subject:
    """Return a subject whose texts can be written, with its source."""
    gold = subject.gold
    return Subject(
        writable(subject.text) or "(no subject in the file)",
        gold=writable(gold) if isinstance(gold, str) else gold,
        choices=tuple(map(writable, subject.choices)),
        source=writable(subject.source or source),
        licence=subject.licence,
    )


def clean_json(value: Any) -> Any:
    """Return JSON whose texts can be written, and whose numbers have no more than 64 bits."""
    if isinstance(value, Mapping):
        return {writable(str(name)): clean_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(each) for each in value]
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return str(value)[:40]
    return value


def play_row(
    episode: str, play: ImportedPlay, arm: str, protocol: str, subject: str
) -> dict[str, Any]:
    """Return the row of a play, or of a judge's reading of it."""
    return {
        "episode": episode,
        "study": writable(play.study),
        "arm": writable(arm),
        "protocol": protocol,
        "version": VERSION,
        "options": clean_json(play.options),
        "subject": subject,
        "repeat": play.repeat,
        "started_at": play.started_at,
    }


def seat_row(episode: str, seat: str, model: str | None) -> dict[str, Any]:
    """Return the row of a seat, whose agent has the name of its model, or else of the seat."""
    name = writable(model) if model else None
    # Reports tell contestants by names, so that an unknown model has one that says so.
    place = writable(seat)
    return {
        "episode": episode,
        "seat": place,
        "agent": name or place,
        "model": name or UNKNOWN_MODEL,
    }


def turn_row(episode: str, turn: ImportedTurn, step: int) -> dict[str, Any]:
    """Return the row of a turn."""
    public = None if turn.public is None else writable(turn.public)
    flags = list(turn.flags)
    if public != turn.public:
        flags.append("characters that are no text replaced")
    flags = list(map(writable, flags))
    return {
        "episode": episode,
        "seat": writable(turn.seat),
        "step": step,
        "phase": writable(turn.phase),
        "round": turn.round,
        "asks": 1,
        "text": public,
        "public": public,
        "thoughts": None if turn.thoughts is None else writable(turn.thoughts),
        "confidence": turn.confidence,
        "confidence_status": READ if turn.confidence is not None else turn.status,
        "rating_public": False,
        "answer": None if turn.answer is None else writable(turn.answer),
        "flags": flags,
    }


def answer_row(episode: str, answer: ImportedAnswer, subject: Subject) -> dict[str, Any]:
    """Return the row of an answer, graded here unless the source says whether it is right."""
    text = None if answer.answer is None else writable(answer.answer)
    graded = grade(subject, text)
    stated = answer.correct is not None
    return {
        "episode": episode,
        "seat": writable(answer.seat),
        "answer": text,
        "correct": answer.correct if stated else graded.correct,
        "confidence": answer.confidence,
        "final": answer.final,
        "stage": answer.stage,
        "status": "graded" if stated else graded.status,
        "canonical": graded.canonical,
    }


def verdict_rows(
    debate: str,
    play: ImportedPlay,
    verdict: ImportedVerdict,
    repeat: int,
    subject: Subject,
    source: str,
) -> Iterator[Row]:
    """Yield the rows of a verdict, which is an episode of its own with one seat."""
    judge = writable(verdict.judge)
    episode = digest([source, "judging", debate, judge, verdict.order, repeat])
    row = play_row(episode, play, "jury", "judging", debate)
    if verdict.answer is not None:
        # A judge of a question is right or wrong about the question, after such a play.
        row |= {"subject": subject_id(subject), "arm": writable(f"judge of {play.arm}")}
    yield "plays", row | {"repeat": repeat, "options": {"order": verdict.order}}
    yield "seats", seat_row(episode, "judge", judge)
    ruling = {
        "episode": episode,
        "debate": debate,
        "judge": judge,
        "seat_order": verdict.order,
        "repeat": repeat,
        "winner": verdict.winner,
        "confidence": verdict.confidence,
        "reasons": None if verdict.reasons is None else writable(verdict.reasons),
        "status": writable(verdict.status),
    }
    # Nobody wins where one consultant spoke.
    if play.is_debate:
        yield "rulings", ruling
    if verdict.answer is not None:
        yield "answers", answer_row(episode, verdict.answer, subject)
    for name, value in verdict.numbers.items():
        yield (
            "published_numbers",
            {
                "item": episode,
                "episode": episode,
                "model": judge,
                "role": "judge",
                "name": name,
                "value": value,
                "status": READ if value is not None else "missing",
                "source": source,
            },
        )
    ended = play.started_at or UNKNOWN_TIME
    yield "statuses", {"episode": episode, "status": "done", "ended_at": ended}
