"""Find the whole lines of journals that must be left out together with damaged ones.

A run that goes on in spite of damage plays the episodes that have lost a line once more, from their
stored turns: what follows from those (seats, answers, verdicts, the end) is written anew, without a
call.  If a reply is lost, it is asked again, and so are the replies after it in its episode, since
they may have been given to words that are lost.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import orjson

from arena.store.journal_reader import NOT_IN_ORDER, Damage, JournalReader

EPISODE = re.compile(rb'"episode":"([^"\\]{1,100})"')
SCORING = re.compile(rb'"scoring":"([^"\\]{1,100})"')
# Tables whose rows follow from turns, or are turns.
AFTER_A_REPLY = {"turns", "unfinished_turns", "measures", "routes", "answers", "rulings", "scores"}
ENDED_WELL = {"ok", "cached"}
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line of an episode: its number in its journal, and its position over all journals."""

    journal: Path
    number: int
    position: int
    table: str
    place: Place | None
    ask: int
    status: str | None


@dataclass(slots=True)
class Episode:
    """The lines of an episode, and the position of the first damaged one that may be its own."""

    lines: list[Line] = field(default_factory=list)
    damaged_at: int | None = None

    def places(self, *tables: str) -> set[Place]:
        """Return the seats and steps of which these tables have lines."""
        return {line.place for line in self.lines if line.table in tables and line.place}


def find_affected(
    con: duckdb.DuckDBPyConnection, journals: Sequence[Path]
) -> dict[Path, frozenset[int]]:
    """Return the numbers of the whole lines to leave out, by journal.

    `con` has the database attached as `store`.
    """
    episodes, damaged = read_episodes(journals)
    for position, damage in damaged:
        for episode in suspects_of(damage, position, episodes):
            earlier = episode.damaged_at
            episode.damaged_at = position if earlier is None else min(position, earlier)
    affected = {name: one for name, one in episodes.items() if one.damaged_at is not None}
    left_out: dict[Path, set[int]] = {journal: set() for journal in journals}
    for name, episode in affected.items():
        turns, unfinished = (
            stored_places(con, table, name) for table in ("turns", "unfinished_turns")
        )
        for line in lines_to_leave_out(episode, turns, unfinished):
            left_out[line.journal].add(line.number)
    return {journal: frozenset(numbers) for journal, numbers in left_out.items()}


def read_episodes(
    journals: Iterable[Path],
) -> tuple[dict[str, Episode], list[tuple[int, Damage]]]:
    """Return the whole lines of journals by episode, and the damaged lines with their positions."""
    episodes: dict[str, Episode] = {}
    damaged: list[tuple[int, Damage]] = []
    position = 0
    for journal in journals:
        reader = JournalReader(journal)
        for _ in reader.read(journal.stat().st_size, growing=False):
            pass
        by_number = {damage.line: damage for damage in reader.damaged}
        if NOT_IN_ORDER in by_number:
            damaged.append((position, by_number[NOT_IN_ORDER]))
        with journal.open("rb") as content:
            for number, text in enumerate(content, 1):
                position += 1
                if number in by_number:
                    damaged.append((position, by_number[number]))
                elif number <= reader.lines and (row := read_row(text)) and "episode" in row:
                    # A score belongs to the play of its estimator, not to the turn it is about.
                    name = row.get("scoring", row["episode"])
                    episode = episodes.setdefault(str(name), Episode())
                    episode.lines.append(line_of(row, journal, number, position))
    return episodes, damaged


def read_row(text: bytes) -> dict[str, object] | None:
    """Return the row of a line; None if it is none."""
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def line_of(row: dict[str, object], journal: Path, number: int, position: int) -> Line:
    """Return a row with its place in its journal."""
    seat = row.get("seat")
    step = row.get("step")
    place = (str(seat), step) if isinstance(step, int) and "scoring" not in row else None
    ask = 1 if row.get("ask") == 1 else 0
    status = row.get("status")
    words = status if isinstance(status, str) else None
    return Line(journal, number, position, str(row.get("t")), place, ask, words)


def suspects_of(damage: Damage, position: int, episodes: dict[str, Episode]) -> Collection[Episode]:
    """Return the episodes that may have lost a damaged line."""
    names = [name.decode(errors="replace") for name in EPISODE.findall(damage.text)]
    if b'"t":"scores"' in damage.text:
        names = [name.decode(errors="replace") for name in SCORING.findall(damage.text)]
    if names and all(name in episodes for name in names):
        return [episodes[name] for name in names]
    # It cannot be told, so all that go on after it, but those that begin after it.
    return [
        episode
        for episode in episodes.values()
        if episode.lines[-1].position > position
        and not (episode.lines[0].position > position and is_begun_in(episode, damage))
    ]


def is_begun_in(episode: Episode, damage: Damage) -> bool:
    """Tell whether the first line of an episode, after a damaged one, is its beginning."""
    return damage.line != NOT_IN_ORDER and episode.lines[0].table == "plays"


def stored_places(con: duckdb.DuckDBPyConnection, table: str, episode: str) -> set[Place]:
    """Return the seats and steps of an episode of which a table of the database has rows."""
    rows = con.execute(f"select seat, step from store.{table} where episode = ?", [episode])
    return {(seat, step) for seat, step in rows.fetchall()}


def lines_to_leave_out(
    episode: Episode, turns: set[Place], unfinished: set[Place]
) -> Iterator[Line]:
    """Yield the lines of an episode to leave out; the database holds these turns of it."""
    turns = turns | episode.places("turns")
    unfinished = unfinished | episode.places("unfinished_turns")
    lost = lost_places(episode, turns, unfinished)
    for line in episode.lines:
        # Without them it counts as not begun, and its beginning is written again.
        begins_or_ends = line.table in ("plays", "statuses")
        is_later = line.position > (episode.damaged_at or 0)
        outdated = bool(lost) and is_later and line.table in AFTER_A_REPLY
        orphan = line.table == "measures" and line.place not in turns | unfinished
        if begins_or_ends or outdated or orphan:
            yield line


def lost_places(episode: Episode, turns: set[Place], unfinished: set[Place]) -> set[Place]:
    """Return the seats and steps whose reply had come, or may have, and is not there."""
    calls = [line for line in episode.lines if line.table in ("call_starts", "call_ends")]
    ended = {(line.place, line.ask) for line in calls if line.table == "call_ends"}
    answered = {
        (line.place, line.ask)
        for line in calls
        if line.status in ENDED_WELL
        or (line.table == "call_starts" and (line.place, line.ask) not in ended)
    }
    lost = {place for place, ask in answered if place and (ask or place not in unfinished)}
    # A seat that has a later step has had all steps before it.
    known = turns | unfinished | {place for place, _ in answered if place}
    lost |= {(seat, earlier) for seat, step in known for earlier in range(step)} - unfinished
    return lost - turns
