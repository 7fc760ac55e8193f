"""Read stored replies as something to score: all that an agent has said to a question of an arm.

What is planned is read at once, and is little: who said what, by keys and hashes.  The replies
themselves are read when they are scored, some hundred questions at a time, since a hundred thousand
of them with their log probabilities would not fit into memory.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import orjson
from duckdb import DuckDBPyConnection as Connection

from arena.errors import StudyError
from arena.images import Image
from arena.store import database
from arena.store.database import open_live
from arena.store.migrations import views_hash
from arena.store.query import read_result
from arena.store.replay import turn_of
from arena.store.views.registry import find_views
from arena.tournaments.stored_messages import load_images, messages_of_turns
from arena.types import Alternative, Message, Subject, TokenChoice, Turn

Row = dict[str, Any]
Key = tuple[str, str, int]
# Replies that are in memory at once, in two parts of this size or somewhat more.
REPLIES_AT_ONCE = 1000
# The turn that holds the last answer of a seat; of a seat whose answer cannot be read, its first.
# A judge's reading is the turn in which it named a winner; of other episodes without answers, every
# turn in which a rating was asked for is a reply, such as the speeches of a debate.
CHOSEN = """
    with done as (select * from episodes where study = $1 and status = 'done'),
    given as (
        select episode, seat, answer, canonical, confidence, 1 as rank
        from latest_answers semi join done using (episode)
        qualify row_number() over (partition by episode, seat order by stage desc, final) = 1
        union all
        select episode, 'judge', winner, winner, confidence, 1
        from latest_rulings semi join done using (episode)),
    answered as (
        select t.episode, t.seat, t.step, g.canonical, g.confidence
        from latest_turns t join given g using (episode, seat)
        qualify row_number() over (partition by t.episode, t.seat order by
            coalesce(t.answer = g.answer, false) desc, t.answer is not null desc,
            case when g.answer is null then t.step else -t.step end) = 1),
    spoken as (
        select t.episode, t.seat, t.step, null as canonical, t.confidence
        from latest_turns t semi join done using (episode)
        anti join given using (episode) where t.confidence_status <> 'not asked'),
    chosen as (
        select *, '' as side from answered union all by name select *, seat as side from spoken)
"""
PLAN = f"""
    {CHOSEN}
    select d.arm, d.subject, s.agent, s.model, c.side, d.repeat, c.episode, c.seat, c.step,
           md5(t.text || coalesce(t.reask_text, '')) as words, c.canonical, c.confidence
    from chosen c join done d using (episode) join seats s using (episode, seat)
    join turns t using (episode, seat, step)
    order by d.arm, d.subject, s.agent, s.model, c.side, d.repeat, c.episode
"""
# The last turn of the seat that the final answer names: the text with which a play ends, where the
# protocol says whose it is (protocols/open_answer.py).
FINALS = """
    with done as (select * from episodes where study = $1 and status = 'done')
    select d.arm, d.subject, s.agent, s.model, '' as side, d.repeat, t.episode, t.seat, t.step,
           md5(t.text || coalesce(t.reask_text, '')) as words, null::varchar as canonical,
           null::double as confidence
    from done d join latest_answers g on g.episode = d.episode and g.final
    join latest_turns t on t.episode = d.episode and t.seat = g.answer
    join seats s on s.episode = t.episode and s.seat = t.seat
    qualify row_number() over (partition by t.episode order by t.step desc) = 1
    order by d.arm, d.subject, s.agent, s.model, d.repeat, t.episode
"""
SUBJECTS = """
    from subjects where subject in (select subject from plays where study = $1)
"""
TURNS = """
    select t.*, m.measures from latest_turns t
    join (select unnest($1) as k) keys
        on t.episode = k.episode and t.seat = k.seat and t.step = k.step
    left join (select episode, seat, step, map(list(name), list(value)) as measures
               from measures
               where episode in (select unnest($1).episode) and isfinite(value) group by all) m
        using (episode, seat, step)
"""


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A stored reply that holds an answer, or a speech with a rating.

    `turn` is as stored.  `canonical` is the value of its answer, by which answers are equal; None:
    none could be read.  `confidence` in [0, 1] is that of the answer, of a probe's reply where
    there was one.  `logprobs` are the tokens of the first reply, None unless all are finite;
    `messages` is what was asked.
    """

    turn: Turn
    canonical: str | None
    confidence: float | None
    reasoning: str | None
    logprobs: tuple[TokenChoice, ...] | None
    messages: tuple[Message, ...]


class Replies(Sequence[StoredReply]):
    """The replies of one question, read from the store when they are needed."""

    def __init__(self, shelf: Shelf, number: int) -> None:
        self._shelf = shelf
        self._number = number

    def __len__(self) -> int:
        return len(self._shelf.rows[self._number])

    def __iter__(self) -> Iterator[StoredReply]:
        return iter(self._shelf.replies(self._number))

    @overload
    def __getitem__(self, index: int) -> StoredReply: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[StoredReply, ...]: ...
    def __getitem__(self, index: int | slice) -> StoredReply | tuple[StoredReply, ...]:
        return self._shelf.replies(self._number)[index]


class Turns(Sequence[Turn]):
    """The turns of the replies of one question, which its prompts may show."""

    def __init__(self, replies: Sequence[StoredReply]) -> None:
        self._replies = replies

    def __len__(self) -> int:
        return len(self._replies)

    def __iter__(self) -> Iterator[Turn]:
        return (reply.turn for reply in self._replies)

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Turn, ...]: ...
    def __getitem__(self, index: int | slice) -> Turn | tuple[Turn, ...]:
        if isinstance(index, slice):
            return tuple(reply.turn for reply in self._replies[index])
        return self._replies[index].turn


@dataclass(frozen=True, slots=True)
class StoredSamples(Subject):
    """All replies of one agent to one question of one arm, in order of (repeat, seat, step).

    `replies[0]` is the answer, the others are further samples.  In a debate the speeches of a side
    that were rated are replies, and the motion is the question.  Whether an answer is right is no
    part of it: `question` has no right answer.  As a subject it is its replies' keys and a hash of
    their words, answers and ratings.
    """

    question: Subject = field(default_factory=lambda: Subject(""))
    agent: str = ""
    model: str = ""
    arm: str = ""
    replies: Sequence[StoredReply] = ()
    turns: Sequence[Turn] = ()

    def voices_of(self, model: str) -> tuple[tuple[str, str], ...]:
        """Return the seats in which the model that answered has spoken; none for another model."""
        if model != self.model:
            return ()
        return tuple({(turn.episode, turn.seat) for turn in self.turns})


class Shelf:
    """The stored replies of a study, by question, of which few are in memory.

    `rows` are the rows of the plan, those of one question together.
    """

    def __init__(self, path: Path, rows: Sequence[Sequence[Row]]) -> None:
        self.path = path
        self.rows = rows
        self._parts: list[range] = []
        self._part_of: list[int] = []
        self._in_memory: OrderedDict[int, list[tuple[StoredReply, ...]]] = OrderedDict()
        begin = count = 0
        for number, some in enumerate(rows):
            self._part_of.append(len(self._parts))
            count += len(some)
            if count >= REPLIES_AT_ONCE or number == len(rows) - 1:
                self._parts.append(range(begin, number + 1))
                begin, count = number + 1, 0

    def replies(self, number: int) -> tuple[StoredReply, ...]:
        """Return the replies of a question; those of its neighbours are read with them."""
        part = self._part_of[number]
        if part not in self._in_memory:
            self._in_memory[part] = [*self._read(self._parts[part])]
            if len(self._in_memory) > 2:
                self._in_memory.popitem(last=False)
        self._in_memory.move_to_end(part)
        return self._in_memory[part][number - self._parts[part].start]

    def _read(self, numbers: range) -> Iterator[tuple[StoredReply, ...]]:
        """Yield the replies of some questions."""
        wanted = [row for number in numbers for row in self.rows[number]]
        keys = [{name: row[name] for name in ("episode", "seat", "step")} for row in wanted]
        # Most have been folded since long, and what a run of many calls has not folded yet is its
        # own: to parse that again and again takes longer than all the rest.
        with open_folded(self.path) as con:
            found = load_turns(con, keys)
            messages = messages_of_turns(con, list(found.values()))
        if len(found) < len(wanted):
            with open_live(self.path, ("latest_turns",)) as con:
                found = load_turns(con, keys)
                messages = messages_of_turns(con, list(found.values()))
        for number in numbers:
            if missing := [row for row in self.rows[number] if key_of(row) not in found]:
                raise StudyError(
                    f"{self.path} no longer holds the turn {missing[0]['episode']}/"
                    f"{missing[0]['seat']}/{missing[0]['step']} that is to be scored; run again"
                )
            yield tuple(
                stored_reply(row, found[key_of(row)], messages[key_of(row)])
                for row in self.rows[number]
            )


@contextmanager
def open_folded(path: Path) -> Iterator[Connection]:
    """Yield a connection to the rows of a store that are folded; to all if it is an older one."""
    with database.translated_errors(path), database.reading(path) as (con, info):
        if is_current := info.views == views_hash():
            con.execute("use store")
            yield con
    if not is_current:
        with open_live(path, ("latest_turns",)) as con:
            yield con


def load_turns(con: Connection, keys: Sequence[Row]) -> dict[Key, Row]:
    """Return the turns of these keys, as far as they are there."""
    return {key_of(row): row for row in read_result(con, TURNS, [keys]).dicts()}


def stored_finals(path: Path, study: str) -> tuple[StoredSamples, ...]:
    """Return the texts with which the finished episodes of a study end, as `stored_samples` does.

    These are the last turns of the seats that final answers name.
    """
    return stored_samples(path, study, FINALS)


def stored_samples(path: Path, study: str, plan: str = PLAN) -> tuple[StoredSamples, ...]:
    """Return the stored replies of the finished episodes of a study, by arm, question and agent.

    `plan` is the query that says which turns they are.  Raises StudyError if there are none, with
    the studies that have some episodes.
    """
    with open_live(path, find_views(f"{plan} from studies")) as con:
        rows = read_result(con, plan, [study]).dicts()
        subjects = {row["subject"]: row for row in read_result(con, SUBJECTS, [study]).dicts()}
        images = load_images(
            con, [each for row in subjects.values() for each in row["images"] or ()]
        )
        others = [row[0] for row in con.execute("select study from studies").fetchall()]
    if not rows:
        raise StudyError(
            f"{path} holds no finished episode of a study {study!r} with replies to score; its"
            f" studies: {', '.join(others) or 'none'}"
        )
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("arm", "subject", "agent", "model", "side"))
        groups.setdefault(key, []).append(row)
    for some in groups.values():
        some.sort(
            key=lambda row: (row["repeat"] or 0, row["episode"], order_of(row["seat"]), row["step"])
        )
    shelf = Shelf(path, list(groups.values()))
    questions = {name: question_of(row, images) for name, row in subjects.items()}
    return tuple(
        samples_of(shelf, number, questions.get(key[1]) or Subject("", "question"))
        for number, key in enumerate(groups)
    )


def samples_of(shelf: Shelf, number: int, question: Subject) -> StoredSamples:
    """Return the replies to one question as a subject."""
    rows = shelf.rows[number]
    names = ("episode", "seat", "step", "words", "canonical", "confidence")
    content = [[row[name] for name in names] for row in rows]
    digest = hashlib.sha256(orjson.dumps(content)).hexdigest()[:20]
    first = rows[0]
    side = f", {first['side']}" if first["side"] else ""
    text = (
        f"{question.text}\n(replies of {first['agent']}{side}, arm {first['arm']}:"
        f" {len(rows)}, digest {digest})"
    )
    replies = Replies(shelf, number)
    return StoredSamples(
        text,
        "replies",
        source=f"{first['episode']}/{first['seat']}/{first['step']}",
        images=question.images,
        passage=question.passage,
        question=question,
        agent=first["agent"],
        model=first["model"],
        arm=first["arm"],
        replies=replies,
        turns=Turns(replies),
    )


def question_of(row: Row, images: Mapping[str, Image]) -> Subject:
    """Return a stored subject without its right answer."""
    return Subject(
        row["text"] or "",
        row["kind"] or "question",
        choices=tuple(row["choices"] or ()),
        source=row["source"],
        licence=row["licence"],
        images=tuple(images[each] for each in row["images"] or () if each in images),
        passage=row["passage"] or "",
        published=row["published"],
    )


def stored_reply(planned: Row, row: Row, messages: tuple[Message, ...]) -> StoredReply:
    """Return a stored turn as a reply."""
    return StoredReply(
        turn_of(row),
        planned["canonical"],
        planned["confidence"],
        row["reasoning"],
        token_choices(row["logprobs"]),
        messages,
    )


def token_choices(stored: Sequence[Row] | None) -> tuple[TokenChoice, ...] | None:
    """Return tokens as the column `logprobs` holds them; None unless all have a finite number.

    Others are stored as NULL; an alternative without a number is left out.
    """
    if stored is None or any(choice["logprob"] is None for choice in stored):
        return None
    return tuple(
        TokenChoice(
            choice["token"],
            choice["logprob"],
            tuple(
                Alternative(other["token"], other["logprob"])
                for other in choice["alternatives"] or ()
                if other["logprob"] is not None
            ),
        )
        for choice in stored
    )


def key_of(row: Row) -> Key:
    """Return the key of a turn."""
    return row["episode"], row["seat"], row["step"]


def order_of(seat: str) -> list[tuple[int, str]]:
    """Return what sorts path10 after path9."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", seat)
    ]
