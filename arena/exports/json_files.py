"""Write each play as a JSON file of its own, for plain viewers, and an index of them.

    FOLDER/index.json              one entry a play, with its file
    FOLDER/STUDY/EPISODE.json      subject, seats, messages, answers, verdicts

The files have the names of `arena import json`, which takes them in again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from arena.errors import StoreError
from arena.exports.formats import ExportOptions, check_new_folder
from arena.exports.transcripts import Transcript, transcripts_for
from arena.text import plain_name, pluralize

SETTINGS = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write a file for each play.  Raises StoreError if the folder cannot be written."""
    check_new_folder(folder)
    index = []
    try:
        for play in transcripts_for(path, options):
            place = folder / plain_name(play.study)
            place.mkdir(parents=True, exist_ok=True)
            file = place / f"{plain_name(play.episode)}.json"
            file.write_bytes(orjson.dumps(as_json(play), option=SETTINGS))
            index.append(
                {
                    "file": str(file.relative_to(folder)),
                    "study": play.study,
                    "episode": play.episode,
                    "protocol": play.protocol,
                    "title": play.subject_text[:200],
                    "simulated": play.simulated,
                }
            )
        (folder / "index.json").write_bytes(orjson.dumps(index, option=SETTINGS))
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror or error}") from error
    private = "with" if options.private else "without"
    return [f"{folder}: {pluralize(len(index), 'play')} {private} private words"]


def as_json(play: Transcript) -> dict[str, Any]:
    """Return a play as JSON, with the roles of a chat beside the names of seats."""
    models = {seat.seat: seat.model for seat in play.speakers}
    return {
        "study": play.study,
        "episode": play.episode,
        "arm": play.arm,
        "protocol": play.protocol,
        "options": play.options,
        "repeat": play.repeat,
        "status": play.status,
        "error": play.error,
        "simulated": play.simulated,
        "origin": play.origin,
        "subject": play.subject_text,
        "gold": play.gold,
        "choices": list(play.choices),
        "source": play.source,
        "licence": play.licence,
        "seats": models,
        "messages": [
            {
                "role": "assistant",
                "name": turn.seat,
                "model": models.get(turn.seat),
                "phase": turn.phase,
                "round": turn.round,
                "content": turn.text,
                "answer": turn.answer,
                "confidence": turn.confidence,
                "confidence_status": turn.confidence_status,
                **({"thoughts": turn.thoughts} if turn.thoughts is not None else {}),
                **({"reasoning": turn.reasoning} if turn.reasoning is not None else {}),
                **({"raw": turn.raw} if turn.raw is not None else {}),
            }
            for turn in play.messages
        ],
        "answers": list(play.answers),
        "verdicts": list(play.verdicts),
    }
