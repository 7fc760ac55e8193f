"""The same made-up debates as one JSON file each, and in SQLite: what store.py compares the store with.

Both are made from the journals in one pass.  A JSON file is a debate as research code publishes it: its motion, seats, turns with prompts,
calls and verdicts.  SQLite has the tables of the store with the same columns, texts once, prompts as JSON text, and an index on the
episode (for rulings on the debate).  Left out: compression, which neither has.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

Row = dict[str, Any]
TABLES = {
    "plays": "episode study arm protocol version code_hash options subject repeat started_at",
    "statuses": "episode run status error_kind error ended_at",
    "seats": "episode seat agent model system sampling seeds",
    "subjects": "subject kind text source licence",
    "turns": "episode seat step phase round asks text public thoughts confidence confidence_status rating_public answer flags request_hash"
    " prompt seed model_served started_at ended_at sample_key finish_reason",
    "call_ends": "episode seat step ask run attempt started_at sent status error_kind http_status tokens_in tokens_out cost_usd cost_source"
    " latency_s queued_s finish_reason",
    "rulings": "episode debate judge winner confidence reasons status seat_order repeat",
}
INDEXES = {
    "plays": "episode",
    "statuses": "episode",
    "seats": "episode",
    "subjects": "subject",
    "turns": "episode",
    "call_ends": "episode",
}


def rows(journals: list[Path]) -> Iterator[Row]:
    """All rows of the journals."""
    for journal in journals:
        with journal.open("rb") as lines:
            yield from map(orjson.loads, lines)


def write_sqlite(file: Path, journals: list[Path]) -> float:
    """Make the SQLite database in one transaction; returns the seconds of processor that it took."""
    began = time.process_time()
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as con:
        con.execute("pragma journal_mode = off")
        con.execute("pragma synchronous = off")
        for name, columns in TABLES.items():
            con.execute(f"create table {name} ({columns.replace(' ', ', ')})")
        waiting: dict[str, list[tuple[object, ...]]] = {name: [] for name in TABLES}
        columns_of = {name: columns.split() for name, columns in TABLES.items()}
        inserts = {
            name: f"insert into {name} values ({', '.join('?' * len(columns))})"
            for name, columns in columns_of.items()
        }
        for row in rows(journals):
            if (name := row["t"]) not in TABLES:
                continue
            waiting[name].append(
                tuple(to_sqlite_value(row.get(column)) for column in columns_of[name])
            )
            if len(waiting[name]) == 1000:
                con.executemany(inserts[name], waiting[name])
                waiting[name].clear()
        for name, left in waiting.items():
            con.executemany(inserts[name], left)
        for name, column in INDEXES.items():
            con.execute(f"create index {name}_{column} on {name} ({column})")
        con.execute("create index rulings_debate on rulings (debate)")
        con.commit()
    return time.process_time() - began


def to_sqlite_value(value: object) -> object:
    """Lists and dictionaries as JSON text, as SQLite takes them."""
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def write_json(folder: Path, journals: list[Path]) -> float:
    """Write one file for every debate, in a folder for each study; returns the seconds of processor that it took."""
    began = time.process_time()
    verdicts: dict[str, list[Row]] = {}
    # A study's jury is read before its debates, whose files hold the verdicts: its journals are those that hold rulings.
    playing: dict[str, Row] = {}
    motions: dict[str, str] = {}
    for row in jury_rows(journals):
        verdicts.setdefault(row["debate"], []).append(row)
    for row in rows(journals):
        table = row.pop("t")
        if table == "subjects":
            motions[row["subject"]] = row["text"]
        elif table == "plays" and row["protocol"] == "debate":
            said = verdicts.pop(row["episode"], [])
            playing[row["episode"]] = {
                **row,
                "motion": motions[row["subject"]],
                "seats": [],
                "turns": [],
                "calls": [],
                "verdicts": said,
            }
        elif table == "statuses" and (debate := playing.pop(row["episode"], None)):
            debate |= {
                "status": row["status"],
                "error": row.get("error"),
                "ended_at": row["ended_at"],
            }
            (folder / debate["study"]).mkdir(parents=True, exist_ok=True)
            (folder / debate["study"] / f"{row['episode']}.json").write_bytes(orjson.dumps(debate))
        elif (
            part := {"seats": "seats", "turns": "turns", "call_ends": "calls"}.get(table)
        ) and row["episode"] in playing:
            playing[row["episode"]][part].append(row)
    return time.process_time() - began


def jury_rows(journals: list[Path]) -> Iterator[Row]:
    """The rulings in the journals."""
    for journal in journals:
        with journal.open("rb") as lines:
            yield from (orjson.loads(line) for line in lines if line.startswith(b'{"t":"rulings"'))
