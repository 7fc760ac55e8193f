"""Read what rereading needs from a store: episodes with their turns as played, and how they count.

Writing goes through a journal, as all writing does; see `arena/play/reread.py`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena.images import Image
from arena.store.database import open_live
from arena.store.query import read_result
from arena.store.replay import Memo, memo_of

Row = dict[str, Any]
Place = tuple[str, int]
# Episodes with about so many bytes of replies are in memory at once.  Each such part reads through
# the whole table of turns, which takes a second at 200,000 of them.
BYTES_AT_ONCE = 32 * 2**20
EPISODES = """
    with said as (select episode, sum(strlen(text))::bigint as bytes from turns group by episode)
    select p.*, e.status, s.origin, m.text, m.kind, m.gold, m.choices, m.source, m.licence,
           m.images, m.passage, m.published,
           coalesce(said.bytes, 0) as bytes
    from plays p join all_episodes e using (episode) left join studies s on s.study = p.study
    left join said on said.episode = p.episode
    left join subjects m on m.subject = p.subject
    where $1 is null or p.study = $1 order by p.study, p.episode
"""
TURNS = "select * exclude (logprobs) from turns where episode in (select unnest($1))"
MEASURES = "from measures where episode in (select unnest($1))"
IMAGES = "select image, base64 from images where image in (select unnest($1))"
SEATS = "from seats where episode in (select unnest($1))"
# A re-ask that was cut off gives no vote; how it ended stands with its call.
ENDS_OF_REASKS = """
    select episode, seat, step, arg_max(finish_reason, started_at) as finish_reason
    from call_ends where ask = 1 and status in ('ok', 'cached') and episode in (select unnest($1))
    group by episode, seat, step
"""
LATEST = """
    from readings where episode in (select unnest($1))
    qualify read_at = max(read_at) over (partition by episode, seat, step)
"""
ANSWERS = "from latest_answers where episode in (select unnest($1))"


@dataclass(slots=True)
class StoredEpisode:
    """An episode as it is stored.

    `row` is that of `plays` with its status, the origin of its study, and its subject.  `seats` are
    by name; `memo` holds the turns as played by (seat, step), `latest` the latest rereading of
    those that were read anew, `ends_of_reasks` the finish reasons of replies to re-asks; `answers`
    are those that count.  `images` are those of its subject, by hash, as far as they are stored.
    """

    row: Row
    seats: dict[str, Row] = field(default_factory=dict)
    memo: Memo = field(default_factory=dict)
    ends_of_reasks: dict[Place, str | None] = field(default_factory=dict)
    latest: dict[Place, Row] = field(default_factory=dict)
    answers: list[Row] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The episode's id."""
        return str(self.row["episode"])


def load_episodes(path: Path, study: str | None) -> list[Row]:
    """Return the rows of the episodes of a study, of all studies for None."""
    with open_live(path, ("all_episodes", "studies")) as con:
        return read_result(con, EPISODES, [study]).dicts()


def parts_of(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the rows of episodes in parts of about BYTES_AT_ONCE bytes of replies."""
    part: list[Row] = []
    room = BYTES_AT_ONCE
    for row in rows:
        part.append(row)
        room -= row["bytes"]
        if room <= 0:
            yield part
            part = []
            room = BYTES_AT_ONCE
    if part:
        yield part


def load_turns(path: Path, rows: Sequence[Row]) -> Iterator[list[StoredEpisode]]:
    """Yield these episodes with their turns, some at a time."""
    for some in parts_of(rows):
        by_id = {row["episode"]: StoredEpisode(row) for row in some}
        with open_live(path, ("latest_answers",)) as con:
            queries = (TURNS, MEASURES, SEATS, ENDS_OF_REASKS, LATEST, ANSWERS)
            turns, measures, seats, ends, latest, answers = (
                read_result(con, query, [list(by_id)]).dicts() for query in queries
            )
            hashes = {each for row in some for each in row["images"] or ()}
            stored = read_result(con, IMAGES, [list(hashes)]).dicts() if hashes else []
        images = {row["image"]: Image(b64decode(row["base64"])) for row in stored}
        for one in by_id.values():
            one.images = images
        for episode, memo in memo_of(measures, (), turns).items():
            by_id[episode].memo[episode] = memo
        for row in seats:
            by_id[row["episode"]].seats[row["seat"]] = row
        for row in ends:
            by_id[row["episode"]].ends_of_reasks[row["seat"], row["step"]] = row["finish_reason"]
        for row in latest:
            by_id[row["episode"]].latest[row["seat"], row["step"]] = row
        for row in answers:
            by_id[row["episode"]].answers.append(row)
        yield list(by_id.values())
