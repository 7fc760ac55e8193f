"""Read moments of stored plays at which a seat can be asked aside: after each of its turns.

What a seat had seen by then is what its stored request says, in the parts of the record: words of
the protocol, and turns with the faces that it was shown.  Its own raw reply follows.  Plays that
are still open have moments too, as far as they have come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from arena.errors import StudyError
from arena.images import Image
from arena.play.prompt import IMAGE, PASSAGE, Chat, Passage, Piece, ShownTurn, chat_of
from arena.store.database import open_live
from arena.store.query import read_result
from arena.store.replay import turn_of
from arena.studies.branches import Branch
from arena.tournaments.stored_messages import load_images, part_key
from arena.types import Turn

Row = dict[str, Any]
Key = tuple[str, str, int]
# The seat that is asked aside, in the play of the question.
SPEAKER = "speaker"
# Turns as they were played: other readings of them were shown to nobody.  An aside is over with its
# reply, which its own seat is never shown again.
MOMENTS = """
    select t.* exclude (logprobs), null as measures, s.agent, s.model, s.system, m.text as subject,
           m.passage
    from turns t join episodes e using (episode) join seats s using (episode, seat)
    left join subjects m using (subject)
    where e.study = $study and e.status <> 'failed' and t.prompt is not null
      and (e.parent is null or e.change is not null)
      and ($seats is null or t.seat in (select unnest($seats)))
      and ($phases is null or t.phase in (select unnest($phases))
           or t.step in (select unnest($steps)))
    order by e.arm, e.repeat, t.episode, t.round, t.seat, t.step
"""
SHOWN = """
    select t.* exclude (logprobs), null as measures from turns t
    join (select unnest($1) as k) keys
        on t.episode = k.episode and t.seat = k.seat and t.step = k.step
"""


@dataclass(frozen=True, slots=True)
class StoredMoment(Branch):
    """A seat after one of its turns: all that it was shown for that turn, and its own reply.

    `agent`, `model` and `system` say who sat there.  `turn` is its turn, `turns` are all turns that
    its prompt shows, itself included.  `pieces` are the parts of the prompt, of the prefill and of
    the reply, each with its role in `roles`.  As a subject it is the turn and a hash of request and
    reply.
    """

    agent: str = ""
    model: str = ""
    system: str = ""
    turn: Turn | None = None
    turns: tuple[Turn, ...] = ()
    pieces: tuple[Piece, ...] = ()
    roles: tuple[str, ...] = ()

    def seat_in_parent(self, seat: str) -> str | None:
        """Return the seat that is asked aside, for the speaker alone."""
        return self.parent_seat if seat == SPEAKER else None

    def conversation(self, question: str) -> Chat:
        """Return what the seat has seen and said, as a chat that goes on with a question."""
        return chat_of([*self.pieces, question], [*self.roles, "user"])


def stored_moments(
    path: Path,
    study: str,
    *,
    seats: Collection[str] | None = None,
    at: Collection[str | int] | None = None,
) -> tuple[StoredMoment, ...]:
    """Return the moments of a study's plays after each turn, in the order of their rounds.

    `seats` are names of seats, `at` phases and steps of a seat; None: all.  Failed plays have none.
    Raises StudyError if there is no such moment, with what there is.
    """
    chosen = {
        "study": study,
        "seats": None if seats is None else sorted(seats),
        "phases": None if at is None else [each for each in at if isinstance(each, str)],
        "steps": None if at is None else [each for each in at if isinstance(each, int)],
    }
    with open_live(path, ("episodes",)) as con:
        rows = read_result(con, MOMENTS, chosen).dicts()
        if not rows:
            raise StudyError(why_none(con, path, study))
        keys = sorted({part_key(part) for row in rows for part in shown_parts(row)})
        wanted = [dict(zip(("episode", "seat", "step"), key, strict=True)) for key in keys]
        shown = read_result(con, SHOWN, [wanted]).dicts() if wanted else []
        images = load_images(con, [each for row in rows for each in row["images"] or ()])
    turns = {(t.episode, t.seat, t.step): t for t in map(turn_of, [*shown, *rows])}
    return tuple(stored_moment(row, turns, images) for row in rows)


def why_none(con: Any, path: Path, study: str) -> str:
    """Return why there is nothing to ask aside about, in a sentence with what there is."""
    phases = con.execute(
        "select distinct t.seat, t.phase from turns t join episodes e using (episode)"
        " where e.study = ? order by all",
        [study],
    ).fetchall()
    if not phases:
        return f"{path} holds no turn of a study {study!r} to ask aside about; play it first"
    asides = con.execute(
        "select count(*) from episodes where study = ? and parent is not null and change is null",
        [study],
    ).fetchone()
    if asides and asides[0]:
        return (
            f"{study!r} holds asides, whose seats are never shown again what they said; ask the"
            " study aside that they hang on"
        )
    there = ", ".join(f"{seat} in {phase}" for seat, phase in phases[:12])
    return f"no turn of study {study!r} in {path} is one to ask aside about; there are: {there}"


def shown_parts(row: Row) -> Iterator[Row]:
    """Yield the parts of a turn's prompt and prefill that are turns."""
    for part in (*(row["prompt"] or ()), *(row["prefill"] or ())):
        if part["episode"] is not None:
            yield part


def stored_moment(row: Row, turns: Mapping[Key, Turn], images: Mapping[str, Image]) -> StoredMoment:
    """Return one moment as a subject."""
    own = turns[row["episode"], row["seat"], row["step"]]
    pieces, roles = pieces_of(row, own, turns, images)
    content = [row["request_hash"], row["text"], row["reask_prompt"], row["reask_text"]]
    digest = hashlib.sha256(orjson.dumps(content)).hexdigest()[:20]
    item = f"{row['episode']}/{row['seat']}/{row['step']}"
    return StoredMoment(
        f"{row['subject'] or ''}\n(aside at {item}, digest {digest})",
        "replies",
        source=item,
        images=tuple(dict.fromkeys(piece for piece in pieces if isinstance(piece, Image))),
        passage=row["passage"] or "" if shows_passage(row) else "",
        parent=row["episode"],
        parent_seat=row["seat"],
        parent_step=row["step"],
        agent=row["agent"],
        model=row["model"],
        system=row["system"] or "",
        turn=own,
        turns=tuple(dict.fromkeys((*(turns[part_key(part)] for part in shown_parts(row)), own))),
        pieces=tuple(pieces),
        roles=tuple(roles),
    )


def pieces_of(
    row: Row, own: Turn, turns: Mapping[Key, Turn], images: Mapping[str, Image]
) -> tuple[list[Piece], list[str]]:
    """Return what a seat was sent and replied, in pieces, with the role of each."""
    prompt = row["prompt"] or []
    pictures = iter(row["images"] or ())
    pieces: list[Piece] = []
    for part in prompt:
        if part["face"] == IMAGE:
            pieces.append(images[next(pictures)])
        else:
            pieces.append(piece_of(part, turns, row["passage"] or ""))
    roles = [*(row["roles"] or ["user"] * len(prompt))]
    said: list[Piece] = [
        piece_of(part, turns, row["passage"] or "") for part in row["prefill"] or ()
    ]
    said.append(ShownTurn(own, "verbatim"))
    pieces += said
    roles += ["assistant"] * len(said)
    if row["reask_text"] is not None:
        pieces += [ShownTurn(own, "reask_prompt"), ShownTurn(own, "reask_text")]
        roles += ["user", "assistant"]
    return pieces, roles


def shows_passage(row: Row) -> bool:
    """Return whether a seat was shown the passage, or words that were checked against it."""
    parts = (*(row["prompt"] or ()), *(row["prefill"] or ()))
    return any(part["face"] in (PASSAGE, "checked") for part in parts)


def piece_of(part: Row, turns: Mapping[Key, Turn], passage: str) -> Piece:
    """Return a stored part of a prompt as it was given."""
    if part["face"] == PASSAGE:
        return Passage(passage)
    if part["episode"] is None:
        return str(part["text"] or "")
    checked_in = passage if part["face"] == "checked" else ""
    return ShownTurn(turns[part_key(part)], part["face"], part.get("end"), checked_in)
