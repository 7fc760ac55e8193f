"""The formats of `arena import` that are plays of other systems, each a reader of its files."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from arena.errors import StudyError

if TYPE_CHECKING:
    from arena.imports.plays import PlaysImport
    from arena.imports.records import ImportedPlay, Refused

    Reader = Callable[[Path, str | None], Iterator[ImportedPlay | Refused]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: what it is in words, the module and name of its reader, and its source."""

    help: str
    module: str
    reader: str
    source: str


FORMATS: dict[str, Format] = {
    "json": Format(
        "transcripts in JSON, by a mapping", "arena.imports.mapped", "read_mapped", "json"
    ),
    "chatarena": Format(
        "histories of ChatArena", "arena.imports.other_systems", "read_chatarena", "ChatArena"
    ),
    "mallm": Format("output of MALLM", "arena.imports.other_systems", "read_mallm", "MALLM"),
    "textarena": Format(
        "games of TextArena, as JSON", "arena.imports.other_systems", "read_textarena", "TextArena"
    ),
    "llm-debate": Format(
        "tables of ucl-dark/llm_debate", "arena.imports.llm_debate", "read_llm_debate", "llm_debate"
    ),
    "lechmazur": Format(
        "transcripts and judgements of lechmazur/debate",
        "arena.imports.lechmazur",
        "read_lechmazur",
        "lechmazur/debate",
    ),
}


def import_format(
    name: str, place: Path, path: Path, *, study: str | None = None, mapping: Sequence[str] = ()
) -> PlaysImport:
    """Take in what lies at a place in a format; `mapping` has NAME=PATH words, of json alone.

    Raises StudyError and StoreError as `arena.imports.plays.import_plays`.
    """
    from arena.imports.plays import import_plays

    form = FORMATS[name]
    if mapping and name != "json":
        raise StudyError("--map is for `arena import json`")
    module = importlib.import_module(form.module)
    if name == "json":
        paths = module.with_mapping(module.PLAIN, mapping)
        return import_plays(module.read_mapped(place, paths, study), form.source, place, path)
    read = cast("Reader", getattr(module, form.reader))
    return import_plays(read(place, study), form.source, place, path)
