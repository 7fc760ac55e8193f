"""Take in plays that other systems have recorded: one seam for all readers of their files.

A reader turns files into `ImportedPlay`s, or says in a sentence why one was refused; this module
makes rows of them, which reports, pages and SQL read as those of played studies.  An import says
so: `studies.origin` has its source, turns have neither prompt nor seed, and nothing is simulated or
priced that was not.  No text of a file is anything but text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from arena.errors import StudyError
from arena.grading.grade import grade
from arena.store import database
from arena.store.journal import line, row_of, write_journal
from arena.studies.motions import subject_id
from arena.text import pluralize, utc_now, writable
from arena.types import READ, Subject

Row = tuple[str, dict[str, Any]]
VERSION = "published"
NOT_ASKED = "not asked"
UNKNOWN_MODEL = "not known"
SIDES = ("proposition", "opposition")
UNKNOWN_TIME = datetime(1970, 1, 1)
# Refused files that are named.
MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class ImportedTurn:
    """What a seat said: `public` to all, `thoughts` to nobody.

    `confidence` is in [0, 1]; `status` says why there is none.
    """

    seat: str
    public: str | None
    phase: str = ""
    round: int = 0
    answer: str | None = None
    confidence: float | None = None
    status: str = NOT_ASKED
    thoughts: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedAnswer:
    """What a seat answered; `final`: the play's answer.  `correct` None: it is graded here."""

    seat: str
    answer: str | None
    final: bool = True
    stage: int = 0
    confidence: float | None = None
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class ImportedVerdict:
    """A judge's word on a debate; `numbers` are those that the publication states of it.

    `answer` is what a judge of a question decided, where it decided one.
    """

    judge: str
    winner: str | None
    confidence: float | None = None
    reasons: str | None = None
    order: str = "as played"
    status: str = READ
    answer: ImportedAnswer | None = None
    numbers: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedPlay:
    """A play as others recorded it; `key` tells it from the other plays of its study."""

    key: str
    study: str
    subject: Subject
    seats: Mapping[str, str | None]
    turns: Sequence[ImportedTurn]
    arm: str = "published"
    protocol: str = "debate"
    verdicts: Sequence[ImportedVerdict] = ()
    answers: Sequence[ImportedAnswer] = ()
    repeat: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    simulated: bool = False

    @property
    def is_debate(self) -> bool:
        """Whether two sides sat in it, so that one of them can win."""
        return self.seats.keys() >= set(SIDES)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file, or a part of one, that cannot be read, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlaysImport:
    """The result of an import: new plays by study, and what was not taken in."""

    plays: dict[str, int]
    verdicts: int
    verdicts_left_out: int
    already_stored: int
    refused: tuple[Refused, ...]
    put_off: str | None = None


def import_plays(
    found: Iterable[ImportedPlay | Refused], source: str, place: Path, path: Path
) -> PlaysImport:
    """Take the plays that a reader finds at `place` into the store at `path`.

    `source` is the name of the system or publication.  Plays that are in the store already stay as
    they are.  Raises StudyError if there is no play, or a study of the name was played into this
    store, and StoreError if the store cannot be written.  Then nothing is imported.
    """
    plays: dict[str, ImportedPlay] = {}
    refused = []
    for item in found:
        if isinstance(item, Refused):
            refused.append(item)
        else:
            play = replace(item, study=writable(item.study))
            plays.setdefault(episode_of(source, play), play)
    if not plays:
        raise StudyError(f"nothing to import from {place}: {reasons_of(refused)}")
    database.create(path)
    origins = dict(database.select_rows(path, "select study, origin from studies").rows)
    stored = {row[0] for row in database.select_rows(path, "select episode from plays")}
    origin = f"imported from {source}"
    new = {episode: play for episode, play in plays.items() if episode not in stored}
    for study in {play.study for play in new.values()}:
        if origins.get(study, origin) != origin:
            raise StudyError(
                f"{path} holds a study named {study!r} that was {origins[study]}; import into"
                " another store with --db, or under another name with --study"
            )
    if new:
        write_plays(path, new, source, known=set(origins))
    kept = [
        [word for word in play.verdicts if play.is_debate or word.answer is not None]
        for play in new.values()
    ]
    return PlaysImport(
        plays=dict(sorted(Counter(play.study for play in new.values()).items())),
        verdicts=sum(len(judged) for judged in kept),
        verdicts_left_out=sum(len(play.verdicts) for play in new.values()) - sum(map(len, kept)),
        already_stored=len(plays) - len(new),
        refused=tuple(refused),
        put_off=database.fold(path).put_off,
    )


def reasons_of(refused: Sequence[Refused]) -> str:
    """Return why nothing was found, with the first refused files."""
    if not refused:
        return "it holds no play of this format"
    more = len(refused) - MOST_NAMES
    named = "; ".join(f"{item.name}: {item.reason}" for item in refused[:MOST_NAMES])
    return named + (f"; and {more} more" if more > 0 else "")


def write_plays(
    path: Path, plays: Mapping[str, ImportedPlay], source: str, *, known: set[str]
) -> None:
    """Write the rows of new plays as a journal of the store, with a run for each new study."""
    now = utc_now()
    simulated: dict[str, bool] = {}
    for play in plays.values():
        simulated[play.study] = simulated.get(play.study, False) or play.simulated
    runs: list[Row] = [
        (
            "runs",
            {
                "run": f"import-{study}",
                "study": study,
                "origin": f"imported from {source}",
                "simulated": simulated[study],
                "started_at": now,
            },
        )
        for study in sorted(simulated.keys() - known)
    ]

    def lines() -> Iterator[bytes]:
        """Yield a line for each row."""
        for table, row in runs:
            yield line(table, row)
        for episode, play in plays.items():
            for table, row in play_rows(episode, play, source):
                yield line(table, row)

    # Two imports of the same second have different rows, and so different names.
    code = digest(sorted(plays))[:6]
    folder = database.journal_folder(path)
    write_journal(folder / f"{now:%Y%m%dT%H%M%S}-import-{code}.jsonl", lines())


def digest(content: object) -> str:
    """Return a hash of content as an id of 20 hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:20]


def episode_of(source: str, play: ImportedPlay) -> str:
    """Return the id of a play: a hash of its source, its place there, and its words."""
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
    yield "statuses", {"episode": episode, "status": "done", "ended_at": ended}
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
        "options": dict(play.options),
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


def summary_lines(result: PlaysImport) -> list[str]:
    """Return the result of an import as lines for the terminal, with each refused file."""
    new = sum(result.plays.values())
    by_study = ", ".join(f"{study} {count}" for study, count in result.plays.items())
    verdicts = pluralize(result.verdicts, "verdict")
    lines = [f"imported {pluralize(new, 'play')} ({by_study}) and {verdicts}"]
    if not new:
        lines = ["nothing new"]
    if result.already_stored:
        lines.append(f"{pluralize(result.already_stored, 'play')} had been imported before")
    if result.verdicts_left_out:
        left = pluralize(result.verdicts_left_out, "verdict")
        lines.append(f"left out {left} on plays without the sides proposition and opposition")
    lines += [f"refused {item.name}: {item.reason}" for item in result.refused]
    return lines + ([f"not folded yet: {result.put_off}"] if result.put_off else [])
