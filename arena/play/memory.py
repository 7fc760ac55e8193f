"""Play an episode without a store: the journal stays in memory, and is replayed from there.

For tests of protocols (protocols/laws.py), which play one episode dozens of times: a store costs
more than the play.  Turns are kept and replayed by the code that plays into a store; only the
journal and the reading of it differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from arena.calls.ledger import RunContext
from arena.calls.rate_limits import RateLimiter
from arena.play.concurrent import play_one
from arena.store.replay import StudyState, memo_of
from arena.store.schema import TABLES
from arena.studies.study import Play

# As many seats speak at once as an arena lets by default.
CONCURRENCY = 32
Row = Mapping[str, Any]


class MemoryJournal:
    """A journal that keeps its lines in memory, and reads them back as rows."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, *lines: bytes) -> None:
        """Keep lines; a piece may hold several."""
        for piece in lines:
            self.lines.extend(piece.splitlines())

    append_later = append

    async def wait_until_written(self) -> None:
        """Return at once."""

    async def wait_until_durable(self) -> None:
        """Return at once: nothing is written."""

    def rows(self, table: str) -> list[Row]:
        """Return the rows of a table, the first of each key, in order of their keys.

        Columns that a line does not name are None, as in the store.
        """
        schema = TABLES[table]
        empty = dict.fromkeys(schema.columns)
        rows: dict[tuple[Any, ...], Row] = {}
        for line in self.lines:
            row = orjson.loads(line)
            if row.pop("t") == table:
                rows.setdefault(tuple(row.get(name) for name in schema.key), empty | row)
        return [rows[key] for key in sorted(rows, key=repr)]

    def state(self) -> StudyState:
        """Return the state that a crash leaves in this journal: an open episode with its turns."""
        tables = ("measures", "unfinished_turns", "turns")
        return StudyState(memo=memo_of(*map(self.rows, tables)))


async def play_in_memory(play: Play, journal: MemoryJournal) -> None:
    """Play an episode, or go on with it from the turns in the journal.

    Raises what stops a run (a StoreError of a model, say) and leaves the episode open; any other
    failure is a row of the table `statuses`.
    """
    run = RunContext("memory", journal, RateLimiter(CONCURRENCY, {}))
    await play_one(run, play, journal.state())
