"""Write transcripts for Inspect Scout: a folder of Parquet files in its documented schema.

    scout view -T FOLDER          transcripts_from("FOLDER")

Scout's columns have the play's own: task_set is the study, task_id the subject, agent the protocol,
agent_args its options.  Every other column is metadata there.  The first message is the motion or
question, each further one a turn, under a line with its seat and phase; its metadata has these
apart, with the rating where it is known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import orjson

from arena.errors import StoreError
from arena.exports.formats import ExportOptions, check_new_folder
from arena.exports.transcripts import Message, Speaker, Transcript, transcripts_for
from arena.store.migrations import quote_sql
from arena.text import pluralize

# Transcripts in one file; of each, a reader looks into one group of rows.
FILE_ROWS = 5_000
COLUMNS = {
    "transcript_id": "varchar",
    "source_type": "varchar",
    "source_id": "varchar",
    "source_uri": "varchar",
    "date": "varchar",
    "task_set": "varchar",
    "task_id": "varchar",
    "task_repeat": "bigint",
    "agent": "varchar",
    "agent_args": "varchar",
    "model": "varchar",
    "model_options": "varchar",
    "score": "varchar",
    "success": "boolean",
    "message_count": "bigint",
    "total_time": "double",
    "total_tokens": "bigint",
    "error": "varchar",
    "messages": "varchar",
    "events": "varchar",
    # What Scout has no column for is metadata of a transcript.
    "arm": "varchar",
    "subject": "varchar",
    "gold": "varchar",
    "seats": "varchar",
    "answer": "varchar",
    "verdicts": "varchar",
    "simulated": "boolean",
    "origin": "varchar",
}


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write the transcripts of a store.  Raises StoreError if the folder cannot be written."""
    check_new_folder(folder)
    transcripts = transcripts_for(path, options)
    rows = map(scout_row, transcripts)
    count = 0
    try:
        for number in range(10**6):
            batch = list(islice(rows, FILE_ROWS))
            if not batch:
                break
            folder.mkdir(parents=True, exist_ok=True)
            write_rows(folder / f"transcripts_{number:04d}.parquet", batch)
            count += len(batch)
    except (OSError, duckdb.IOException) as error:
        raise StoreError(f"cannot write to {folder}: {error}") from error
    return [
        f"{folder}: {pluralize(count, 'transcript')}"
        f" {'with' if options.private else 'without'} private words",
        f"next: scout view -T {folder}",
    ]


def write_rows(file: Path, rows: list[list[Any]]) -> None:
    """Write rows as a Parquet file with Scout's columns."""
    types = ", ".join(f"{name}: {quote_sql(kind)}" for name, kind in COLUMNS.items())
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(":memory:") as con:
        # DuckDB reads lines of JSON a hundred times as fast as it takes rows one by one.
        lines = [orjson.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows]
        source = Path(folder) / "rows.jsonl"
        source.write_bytes(b"\n".join(lines))
        longest = max(2**24, *(len(line) + 1 for line in lines))
        read = (
            f"read_json({quote_sql(str(source))}, format = 'newline_delimited',"
            f" columns = {{{types}}}, maximum_object_size = {longest})"
        )
        target = quote_sql(str(file))
        con.execute(
            f"copy (from {read}) to {target} (format parquet, compression zstd,"
            " row_group_size 2048)"
        )


def scout_row(play: Transcript) -> list[Any]:
    """Return a play as a row of COLUMNS."""
    final = play.final
    tokens = None if None in play.tokens else sum(n or 0 for n in play.tokens)
    settings = {seat.seat: seat.sampling for seat in play.speakers if seat.sampling}
    messages = list(chat_messages(play))
    return [
        play.episode,
        "peer_arena",
        play.study,
        None,
        iso(play.started_at or play.ended_at),
        play.study,
        play.subject,
        play.repeat,
        play.protocol,
        dumps(play.options),
        ", ".join(play.models) or None,
        dumps(settings) if settings else None,
        dumps(score_of(play)) if score_of(play) else None,
        None if final is None else final.correct,
        len(messages),
        seconds(play.started_at, play.ended_at),
        tokens,
        play.error,
        dumps(messages),
        "[]",
        play.arm,
        play.subject_text,
        play.gold,
        dumps([seat_of(seat) for seat in play.speakers]),
        None if final is None else final.answer,
        dumps(list(play.verdicts)),
        play.simulated,
        play.origin,
    ]


def score_of(play: Transcript) -> dict[str, Any]:
    """Return what came of a play: whether its answer is right, and how many judges voted how."""
    score: dict[str, Any] = {}
    if play.final is not None and play.final.correct is not None:
        score["correct"] = play.final.correct
    for verdict in play.verdicts:
        name = f"votes_{verdict.winner or 'missing'}"
        score[name] = score.get(name, 0) + 1
    return score


def seat_of(seat: Speaker) -> dict[str, Any]:
    """Return a seat as JSON."""
    return {"seat": seat.seat, "agent": seat.agent, "model": seat.model, "system": seat.system}


def chat_messages(play: Transcript) -> Iterator[dict[str, Any]]:
    """Yield a play as the messages of a chat, in the form of Inspect AI."""
    question = play.subject_text
    letters = [f"{chr(65 + n)}) {choice}" for n, choice in enumerate(play.choices)]
    yield {
        "id": f"{play.episode}-subject",
        "role": "user",
        "source": "input",
        "content": "\n".join([question, *letters]),
    }
    models = {seat.seat: seat.model for seat in play.speakers}
    for turn in play.messages:
        yield chat_message(play, turn, models.get(turn.seat))


def chat_message(play: Transcript, turn: Message, model: str | None) -> dict[str, Any]:
    """Return a turn as a message of an assistant."""
    head = ", ".join(filter(None, [turn.seat, turn.phase]))
    words = turn.text if turn.text is not None else "(no public text)"
    told = {
        "seat": turn.seat,
        "step": turn.step,
        "phase": turn.phase,
        "round": turn.round,
        "answer": turn.answer,
        "confidence": turn.confidence,
        "confidence_status": turn.confidence_status,
        "thoughts": turn.thoughts,
        "raw": turn.raw,
    }
    content: Any = f"{head}:\n\n{words}"
    if turn.reasoning is not None:
        reasoning = {"type": "reasoning", "reasoning": turn.reasoning}
        content = [reasoning, {"type": "text", "text": content}]
    return {
        "id": f"{play.episode}-{turn.seat}-{turn.step}",
        "role": "assistant",
        "source": "generate",
        "model": turn.model_served or model,
        "content": content,
        "metadata": {name: value for name, value in told.items() if value is not None},
    }


def dumps(value: object) -> str:
    """Return a value as JSON."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def iso(time: datetime | None) -> str | None:
    """Return a time, which is UTC in a store, as ISO 8601 with its zone."""
    return None if time is None else f"{time.isoformat()}+00:00"


def seconds(began: datetime | None, ended: datetime | None) -> float | None:
    """Return the seconds between two times; None where one is not known."""
    return None if began is None or ended is None else (ended - began).total_seconds()
