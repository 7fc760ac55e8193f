"""Write the made-up debates as one JSON file each, and into SQLite, for store.py to compare with.

Both are made from the journals.  A JSON file is a debate as research code publishes it:
its motion, seats, turns with prompts, calls and verdicts.  SQLite has the tables of the store with
the same columns, texts once, prompts as JSON text, and an index on the episode (for rulings on the
debate).  Left out: compression, which neither has.
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
    "turns": "episode seat step phase round asks text public thoughts confidence confidence_status"
    " rating_public answer flags request_hash prompt seed model_served started_at ended_at"
    " sample_key finish_reason",
    "call_ends": "episode seat step ask run attempt started_at sent status error_kind http_status"
    " tokens_in tokens_out cost_usd cost_source latency_s queued_s finish_reason",
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
# The parts of a debate's file by the table that they come from.
PARTS = {"seats": "seats", "turns": "turns", "call_ends": "calls"}


def read_rows(journals: list[Path]) -> Iterator[Row]:
    """Read all rows of the journals."""
    for journal in journals:
        with journal.open("rb") as lines:
            yield from map(orjson.loads, lines)


def read_rulings(journals: list[Path]) -> Iterator[Row]:
    """Read the rulings in the journals; other lines are not parsed."""
    for journal in journals:
        with journal.open("rb") as lines:
            yield from (orjson.loads(line) for line in lines if line.startswith(b'{"t":"rulings"'))


def write_sqlite(file: Path, journals: list[Path]) -> float:
    """Make the SQLite database in one transaction; return the processor seconds."""
    began = time.process_time()
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as con:
        # As fast as SQLite can load: no rollback journal, no fsync.
        con.execute("pragma journal_mode = off")
        con.execute("pragma synchronous = off")
        columns_of = {name: columns.split() for name, columns in TABLES.items()}
        inserts = {}
        for name, columns in columns_of.items():
            con.execute(f"create table {name} ({', '.join(columns)})")
            inserts[name] = f"insert into {name} values ({', '.join('?' * len(columns))})"
        waiting: dict[str, list[tuple[object, ...]]] = {name: [] for name in TABLES}
        for row in read_rows(journals):
            name = row["t"]
            if name not in TABLES:
                continue
            values = tuple(to_sqlite_value(row.get(column)) for column in columns_of[name])
            waiting[name].append(values)
            if len(waiting[name]) == 1000:
                con.executemany(inserts[name], waiting[name])
                waiting[name].clear()
        for name, rest in waiting.items():
            con.executemany(inserts[name], rest)
        # Indexes last: to sort once is cheaper than to keep an index in order at every insert.
        for name, column in INDEXES.items():
            con.execute(f"create index {name}_{column} on {name} ({column})")
        con.execute("create index rulings_debate on rulings (debate)")
        con.commit()
    return time.process_time() - began


def to_sqlite_value(value: object) -> object:
    """Turn lists and dictionaries into JSON text, which SQLite takes."""
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def write_json(folder: Path, journals: list[Path]) -> float:
    """Write one file per debate, in one folder per study; return the processor seconds."""
    began = time.process_time()
    verdicts: dict[str, list[Row]] = {}
    # Rulings first: a debate's file holds its verdicts, which come in a later journal than its end.
    for ruling in read_rulings(journals):
        verdicts.setdefault(ruling["debate"], []).append(ruling)
    motions: dict[str, str] = {}
    playing: dict[str, Row] = {}
    for row in read_rows(journals):
        table = row.pop("t")
        if table == "subjects":
            motions[row["subject"]] = row["text"]
        elif table == "plays" and row["protocol"] == "debate":
            parts: Row = {part: [] for part in PARTS.values()}
            judged = {"verdicts": verdicts.pop(row["episode"], [])}
            motion = {"motion": motions[row["subject"]]}
            playing[row["episode"]] = row | motion | parts | judged
        elif table == "statuses" and row["episode"] in playing:
            debate = playing.pop(row["episode"])
            debate["status"] = row["status"]
            debate["error"] = row.get("error")
            debate["ended_at"] = row["ended_at"]
            (folder / debate["study"]).mkdir(parents=True, exist_ok=True)
            (folder / debate["study"] / f"{row['episode']}.json").write_bytes(orjson.dumps(debate))
        elif table in PARTS and row["episode"] in playing:
            playing[row["episode"]][PARTS[table]].append(row)
    return time.process_time() - began
