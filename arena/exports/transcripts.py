"""Read plays as transcripts, for the writers of this room: what was said by whom, and what came.

Without private contents they hold what `arena publish` shows: public words, ratings that others
saw, answers and verdicts.  Private thoughts, private ratings, raw replies, reasoning and the words
of errors are there only on request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from duckdb import DuckDBPyConnection as Connection

from analysis.read.selection import ALL, Selection, open_selected
from arena.errors import StudyError
from arena.exports.formats import ExportOptions

# Episodes that are read at once.
CHUNK = 500
VIEWS = ("episodes", "studies", "latest_turns", "latest_answers", "verdicts", "calls")
PLAYS = """
    select e.episode from episodes e
    where e.status in ('done', 'failed') and ($1::varchar[] is null or list_contains($1, e.study))
    order by e.study, e.started_at nulls first, e.episode
"""
EPISODES = """
    select e.episode, e.study, e.arm, e.protocol, e.version, e.options, e.repeat, e.status,
           e.error_kind, e.error, e.started_at, e.ended_at, s.simulated, s.origin,
           m.subject, m.kind, m.text, m.gold, m.choices, m.source, m.licence
    from episodes e left join studies s using (study) left join subjects m using (subject)
    where e.episode in (select unnest($1))
"""
SEATS = """
    select episode, seat, agent, model, system, sampling from seats
    where episode in (select unnest($1)) order by episode, seat
"""
# Seats of a round speak in the order in which they began; imports know steps and rounds alone.
TURNS = """
    select episode, seat, step, phase, round, public, answer, confidence, confidence_status,
           rating_public, thoughts, text, reasoning, model_served, started_at, ended_at
    from latest_turns where episode in (select unnest($1))
    order by episode, round, started_at nulls first, step, seat desc
"""
ANSWERS = """
    select episode, seat, stage, answer, correct, confidence, final, status
    from latest_answers where episode in (select unnest($1)) order by episode, stage, seat
"""
VERDICTS = """
    select debate, judge, seat_order, repeat, winner, confidence, reasons, status from verdicts
    where debate in (select unnest($1)) order by debate, judge, repeat, seat_order
"""
TOKENS = """
    select episode, sum(tokens_in), sum(tokens_out) from calls
    where episode in (select unnest($1)) group by episode
"""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A seat and who sat there; `sampling` has the settings that were set."""

    seat: str
    agent: str | None
    model: str | None
    system: str | None
    sampling: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A turn: `text` is what others may read, None where there is none.

    `confidence` is None where it is missing or private; `thoughts`, `raw` and `reasoning` are None
    unless private contents were asked for.
    """

    seat: str
    step: int
    phase: str | None
    round: int | None
    text: str | None
    answer: str | None
    confidence: float | None
    confidence_status: str | None
    rating_public: bool
    thoughts: str | None
    raw: str | None
    reasoning: str | None
    model_served: str | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer that a seat gave; `final`: the episode's."""

    seat: str
    stage: int
    answer: str | None
    correct: bool | None
    confidence: float | None
    final: bool
    status: str | None


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A judge's word on the play; `winner` is proposition, opposition, abstain, or None."""

    judge: str
    seat_order: str | None
    repeat: int | None
    winner: str | None
    confidence: float | None
    reasons: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """One play, finished or failed, with its subject, seats, turns, answers and verdicts."""

    episode: str
    study: str
    arm: str | None
    protocol: str
    version: str | None
    options: dict[str, Any]
    repeat: int | None
    status: str
    error: str | None
    started_at: datetime | None
    ended_at: datetime | None
    simulated: bool
    origin: str
    subject: str | None
    subject_kind: str | None
    subject_text: str
    gold: str | None
    choices: tuple[str, ...]
    source: str | None
    licence: str | None
    speakers: tuple[Speaker, ...]
    messages: tuple[Message, ...]
    answers: tuple[StoredAnswer, ...] = ()
    verdicts: tuple[StoredVerdict, ...] = ()
    tokens: tuple[int | None, int | None] = field(default=(None, None))

    @property
    def models(self) -> tuple[str, ...]:
        """The models that sat in the play, each once, in the order of seats."""
        return tuple(dict.fromkeys(seat.model for seat in self.speakers if seat.model))

    @property
    def final(self) -> StoredAnswer | None:
        """The play's answer; None: it has none."""
        return next((answer for answer in reversed(self.answers) if answer.final), None)


def read_transcripts(
    path: Path,
    *,
    studies: Sequence[str] = (),
    private: bool = False,
    selection: Selection = ALL,
    watch: Callable[[int, int], None] | None = None,
) -> Iterator[Transcript]:
    """Yield the finished and failed plays of a store, study by study.

    `studies` are those to read; all if it is empty.  `watch` is told how many of how many plays
    were read.  Raises StudyError for one that is not there,
    or where there is nothing to read.
    """
    with open_selected(path, selection, VIEWS) as (con, _):
        known = [study for (study,) in con.execute("select study from studies").fetchall()]
        for study in studies:
            if study not in known:
                listed = ", ".join(known) or "none"
                raise StudyError(f"there is no study {study!r} in {path}; there are: {listed}")
        chosen = [row[0] for row in con.execute(PLAYS, [list(studies) or None]).fetchall()]
        if not chosen:
            raise StudyError(f"{path} holds no finished play to export")
        for first in range(0, len(chosen), CHUNK):
            yield from read_chunk(con, chosen[first : first + CHUNK], private)
            if watch is not None:
                watch(min(first + CHUNK, len(chosen)), len(chosen))


def transcripts_for(path: Path, options: ExportOptions) -> Iterator[Transcript]:
    """Yield the plays that an export was asked for."""
    return read_transcripts(
        path,
        studies=options.studies,
        private=options.private,
        selection=options.selection,
        watch=options.watch,
    )


def read_chunk(con: Connection, episodes: list[str], private: bool) -> Iterator[Transcript]:
    """Yield the transcripts of these episodes, in this order."""

    def grouped(sql: str) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of a query by their first column, an episode, without it."""
        found: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for episode, *values in con.execute(sql, [episodes]).fetchall():
            found[episode].append(tuple(values))
        return found

    plays, seats, turns = grouped(EPISODES), grouped(SEATS), grouped(TURNS)
    answers, verdicts, tokens = grouped(ANSWERS), grouped(VERDICTS), grouped(TOKENS)
    for episode in episodes:
        (play,) = plays[episode]
        study, arm, protocol, version, options, repeat, status, kind, error, *rest = play
        (
            started,
            ended,
            simulated,
            origin,
            subject,
            of_kind,
            text,
            gold,
            choices,
            source,
            licence,
        ) = rest
        # As on published pages: an answer's confidence may be a rating that was private.
        hidden = not private and any(row[6] is not None and not row[8] for row in turns[episode])
        yield Transcript(
            episode,
            study,
            arm,
            protocol,
            version,
            orjson.loads(options) if options else {},
            repeat,
            status,
            f"{kind}: {error}" if private and error else kind,
            started,
            ended,
            bool(simulated),
            origin or "",
            subject,
            of_kind,
            text or "",
            gold,
            tuple(choices or ()),
            source,
            licence,
            tuple(speaker_of(row) for row in seats[episode]),
            tuple(message_of(row, private) for row in turns[episode]),
            tuple(answer_of(row, hidden) for row in answers[episode]),
            tuple(StoredVerdict(*row) for row in verdicts[episode]),
            tuple(tokens[episode][0]) if tokens[episode] else (None, None),
        )


def speaker_of(row: tuple[Any, ...]) -> Speaker:
    """Return a seat from its row."""
    seat, agent, model, system, sampling = row
    return Speaker(seat, agent, model, system, orjson.loads(sampling) if sampling else {})


def message_of(row: tuple[Any, ...], private: bool) -> Message:
    """Return a turn from its row, without what is private unless that is wanted."""
    seat, step, phase, round, public, answer, confidence, status, shown, *rest = row
    thoughts, raw, reasoning, served, started, ended = rest
    if not private:
        thoughts = raw = reasoning = None
        if not shown:
            confidence = None
            status = "private" if status == "read" else status
        # Of a turn that others read nothing of, they read no answer.
        if not public and not shown:
            answer = None
    return Message(
        seat,
        step,
        phase,
        round,
        public,
        answer,
        confidence,
        status,
        bool(shown),
        thoughts,
        raw,
        reasoning,
        served,
        started,
        ended,
    )


def answer_of(row: tuple[Any, ...], hidden: bool) -> StoredAnswer:
    """Return an answer from its row."""
    seat, stage, answer, correct, confidence, final, status = row
    return StoredAnswer(
        seat, stage, answer, correct, None if hidden else confidence, bool(final), status
    )
