"""Write logs of Inspect AI: a file `.eval` for each study, which its viewer and readers open.

    inspect view --log-dir FOLDER          read_eval_log("FOLDER/....eval")

A sample is a play: its input is the motion or question, its target the right answer, its messages
are the turns, and its scores say whether the answer is right and how each judge voted.  The log
says whose it is: the task has the study's name, and tags say that it was exported, and simulated
where it was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, groupby
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from arena.errors import StoreError
from arena.exports.formats import ExportOptions, check_new_folder
from arena.exports.scout import chat_messages, dumps, iso, seat_of, seconds
from arena.exports.transcripts import Transcript, transcripts_for
from arena.text import plain_name, pluralize

UNKNOWN_TIME = datetime(1970, 1, 1)
# The version of Inspect's log format that is written.
LOG_VERSION = 2


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write a log for each study.  Raises StoreError if the folder cannot be written."""
    check_new_folder(folder)
    transcripts = transcripts_for(path, options)
    lines = []
    try:
        for study, plays in groupby(transcripts, key=lambda play: play.study):
            folder.mkdir(parents=True, exist_ok=True)
            file, count = write_log(folder, plays)
            lines.append(f"{file}: {pluralize(count, 'play')} of {' '.join(study.split())}")
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror or error}") from error
    return [*lines, f"next: inspect view --log-dir {folder}"]


def write_log(folder: Path, plays: Iterator[Transcript]) -> tuple[Path, int]:
    """Write the plays of one study as a log; return its file, and how many there are."""
    first = next(plays)
    file = folder / log_name(first)
    summaries = []
    models: dict[str, None] = {}
    with ZipFile(file, "w", ZIP_DEFLATED) as log:
        for play in chain([first], plays):
            summaries.append(write_sample(log, play))
            models |= dict.fromkeys(play.models)
        write_ends(log, first, list(models), summaries)
    return file, len(summaries)


def log_name(play: Transcript) -> str:
    """Return a file name as Inspect makes them: time, task, id."""
    began = (play.started_at or UNKNOWN_TIME).strftime("%Y-%m-%dT%H-%M-%S+00-00")
    task = re.sub(r"[^A-Za-z0-9-]+", "-", play.study).strip("-")[:60] or "study"
    return f"{began}_{task}_{short_id(play.study)}.eval"


def short_id(text: str) -> str:
    """Return an id of 22 characters of a text, as long as Inspect's."""
    return hashlib.sha256(text.encode()).hexdigest()[:22]


def write_sample(log: ZipFile, play: Transcript) -> dict[str, Any]:
    """Write a play as a sample; return its summary."""
    messages = list(chat_messages(play))
    final = play.final
    told = final.answer if final is not None else None
    last = {"role": "assistant", "content": told or "", "source": "generate"}
    metadata: dict[str, Any] = {
        "arm": play.arm,
        "protocol": play.protocol,
        "repeat": play.repeat,
        "subject": play.subject,
        "source": play.source,
        "origin": play.origin,
        "simulated": play.simulated,
    }
    summary = {
        "id": play.episode,
        "epoch": 1,
        "input": play.subject_text,
        "choices": list(play.choices) or None,
        "target": play.gold or "",
        "scores": scores_of(play),
        "metadata": metadata,
        "started_at": iso(play.started_at),
        "completed_at": iso(play.ended_at),
        "total_time": seconds(play.started_at, play.ended_at),
    }
    output = {
        "model": ", ".join(play.models),
        "choices": [{"message": last, "stop_reason": "stop"}] if told else [],
        "completion": told or "",
    }
    error = {"message": play.error or "failed", "traceback": "", "traceback_ansi": ""}
    sample = summary | {
        "messages": messages,
        "output": output,
        "metadata": {**metadata, "seats": [seat_of(seat) for seat in play.speakers]},
        "store": {},
        "events": [],
        "error": error if play.status == "failed" else None,
    }
    log.writestr(f"samples/{plain_name(play.episode)}_epoch_1.json", dumps(sample))
    failed = {"error": error["message"]} if play.status == "failed" else {}
    return summary | {"completed": True, "message_count": len(messages)} | failed


def scores_of(play: Transcript) -> dict[str, Any]:
    """Return the scores of a play: its answer, and each judge's vote."""
    scores: dict[str, Any] = {}
    if (final := play.final) is not None and final.correct is not None:
        value = "C" if final.correct else "I"
        scores["correct"] = {"value": value, "answer": final.answer}
    for verdict in play.verdicts:
        place = f" ({verdict.seat_order}, {verdict.repeat or 0})"
        scores[f"winner by {verdict.judge}{place}"] = {
            "value": verdict.winner or "missing",
            "explanation": verdict.reasons,
            "metadata": {"confidence": verdict.confidence, "status": verdict.status},
        }
    return scores


def write_ends(
    log: ZipFile, play: Transcript, models: Sequence[str], summaries: list[dict[str, Any]]
) -> None:
    """Write what a log holds beside its samples: summaries, and twice what was evaluated."""
    ids = [summary["id"] for summary in summaries]
    failed = sum("error" in summary for summary in summaries)
    spec = {
        "eval_id": short_id(f"eval {play.study}"),
        "run_id": short_id(f"run {play.study}"),
        "created": iso(play.started_at or UNKNOWN_TIME),
        "task": play.study,
        "task_id": short_id(play.study),
        "solver": play.protocol,
        "solver_args": play.options or None,
        "tags": ["exported from peer-arena", *(["simulated"] if play.simulated else [])],
        "dataset": {"name": play.study, "samples": len(ids), "sample_ids": ids},
        "model": ", ".join(models) or "unknown",
        "config": {},
        "metadata": {"origin": play.origin, "simulated": play.simulated},
    }
    start = {"version": LOG_VERSION, "eval": spec, "plan": {"name": "plan", "steps": []}}
    done = {"total_samples": len(ids), "completed_samples": len(ids) - failed, "scores": []}
    header = start | {"status": "success", "results": done, "stats": {}}
    log.writestr("_journal/start.json", dumps(start))
    log.writestr("summaries.json", dumps(summaries))
    log.writestr("header.json", dumps(header))
