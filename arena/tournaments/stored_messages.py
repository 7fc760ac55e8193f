"""Put the messages that a stored turn answered together again, from the parts on record."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from duckdb import DuckDBPyConnection as Connection

from arena.images import Image, PlacedImage
from arena.play.prompt import IMAGE, PASSAGE, render
from arena.quotes import mark_quotes
from arena.store.query import read_result
from arena.types import Message, Role

Row = Mapping[str, Any]
Key = tuple[str, str, int]
SHOWN = """
    select episode, seat, step, text, public, thoughts, confidence, reask_prompt, reask_text
    from turns
    join (select unnest($1) as k) keys
        on episode = k.episode and seat = k.seat and step = k.step
"""
SYSTEMS = "select episode, seat, system from seats where episode in (select unnest($1))"
PASSAGES = """
    select p.episode, m.passage from plays p join subjects m using (subject)
    where m.passage is not null and p.episode in (select unnest($1))
"""
IMAGES = "select image, base64 from images where image in (select unnest($1))"


def load_images(con: Connection, hashes: Collection[str]) -> dict[str, Image]:
    """Return the stored images of these hashes."""
    if not hashes:
        return {}
    rows = con.execute(IMAGES, [sorted(set(hashes))]).fetchall()
    return {name: Image(b64decode(data)) for name, data in rows}


def load_passages(con: Connection, episodes: Collection[str]) -> dict[str, str]:
    """Return the passages of the subjects of these episodes, of those that have one."""
    return dict(con.execute(PASSAGES, [sorted(set(episodes))]).fetchall())


def messages_of_turns(con: Connection, turns: Sequence[Row]) -> dict[Key, tuple[Message, ...]]:
    """Return what was sent for the first ask of these rows of `turns`, by their keys.

    These are the system prompt, the parts of the prompt in the faces that were shown, and the
    prefill.  Imported turns have no prompt on record, and no messages.
    """
    parts = [part for row in turns for part in (*(row["prompt"] or ()), *(row["prefill"] or ()))]
    shown = {part_key(part) for part in parts if part["episode"] is not None}
    keys = [dict(zip(("episode", "seat", "step"), key, strict=True)) for key in sorted(shown)]
    told = {}
    if keys:
        rows = read_result(con, SHOWN, [keys]).dicts()
        told = {(row["episode"], row["seat"], row["step"]): row for row in rows}
    episodes = sorted({row["episode"] for row in turns})
    systems = {(e, seat): text for e, seat, text in con.execute(SYSTEMS, [episodes]).fetchall()}
    images = load_images(con, [each for row in turns for each in row["images"] or ()])
    passages = load_passages(con, episodes)
    return {
        (row["episode"], row["seat"], row["step"]): (
            *system_message(systems.get((row["episode"], row["seat"]))),
            *messages_of_row(row, told, images, passages.get(row["episode"], "")),
        )
        for row in turns
    }


def system_message(text: str | None) -> tuple[Message, ...]:
    """Return the message of a system prompt; none for an empty one."""
    return (Message("system", text),) if text else ()


def messages_of_row(
    row: Row, told: Mapping[Key, Row], images: Mapping[str, Image], passage: str
) -> Iterator[Message]:
    """Yield the messages of one turn after the system prompt."""
    parts = row["prompt"] or []
    roles = row["roles"] or ["user"] * len(parts)
    pictures = iter(row["images"] or ())
    for role, group in groupby(zip(roles, parts, strict=True), key=lambda pair: pair[0]):
        words: list[str] = []
        placed: list[PlacedImage] = []
        for _, part in group:
            if part["face"] == IMAGE:
                placed.append(PlacedImage(images[next(pictures)], sum(map(len, words))))
            else:
                words.append(words_of_part(part, told, passage))
        yield Message(cast(Role, role), "".join(words), tuple(placed))
    if row["prefill"]:
        begun = (words_of_part(part, told, passage) for part in row["prefill"])
        yield Message("assistant", "".join(begun))


def words_of_part(part: Row, told: Mapping[Key, Row], passage: str) -> str:
    """Return the words of a part of a prompt, or of a prefill, as they were shown."""
    if part["face"] == PASSAGE:
        return passage
    if part["episode"] is None:
        return part["text"] or ""
    turn = told[part_key(part)]
    if part["face"] == "verbatim":
        words: str = turn["text"]
        return words[: part.get("end")]
    if part["face"] in ("reask_prompt", "reask_text"):
        return turn[part["face"]] or ""
    if part["face"] == "checked" and turn["public"] is not None:
        return mark_quotes(turn["public"], passage)
    return render(part["face"], turn["public"], turn["thoughts"], turn["confidence"])


def part_key(part: Row) -> Key:
    """Return the key of the turn that a part shows."""
    return part["episode"], part["seat"], part["step"]
