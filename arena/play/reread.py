"""Read stored replies anew, by replaying protocols over the turns that are stored.

Called again with the turns as they were played, a protocol comes through the same steps, and the
reader of each step reads the stored reply.  No model is asked.  Where a reply is read otherwise
than before, it is called once more with the turns as read now, for its answers or its verdict.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from arena.calls.ledger import RunContext
from arena.calls.rate_limits import RateLimiter
from arena.errors import ReplayError, StudyError, error_kind
from arena.grading.grade import Grade, grade_async
from arena.play.concurrent import is_run_cancelled
from arena.play.disclosure import Disclosure
from arena.play.dry_run import NoJournal
from arena.play.episode import Episode, Step
from arena.play.prompt import BuiltPrompt, Chat, Prompt, build_prompt
from arena.play.reader_code import code_of, reader_name, reader_version
from arena.play.reading import fill_gaps, missing_parts, read_off_loop, stored_reply
from arena.play.records import first_cause, grade_of, result_lines, versions
from arena.play.stored_plays import Sources, play_of
from arena.play.sync import run_blocking
from arena.store import database
from arena.store.journal import line, write_journal
from arena.store.readings import Place, Row, StoredEpisode, load_episodes, load_turns
from arena.store.replay import StoredTurn, turn_of
from arena.store.schema import READING_COLUMNS, TABLES
from arena.studies.source import is_same_code
from arena.studies.study import Play
from arena.text import utc_now, writable
from arena.types import Answer, Reading, Reply, Sampling, Seat, Turn, Verdict

# Parts of a reading that may be missing, as views count them.
PARTS = ("public", "confidence", "answer")
AT_ONCE = 32
NO_QUESTION = "no question"
NOTHING_SAID = "nothing was said in it"
NOT_REACHED = "its protocol does not come to all of its stored turns"
# Called with the turns that were read so far.
Watch = Callable[[int], None]


class NotStoredError(BaseException):
    """A protocol asks for a turn that is not stored; no Exception, so that no retry catches it."""


@dataclass(frozen=True, slots=True)
class Rereading:
    """A stored reply as it is read today: by which reader, and with which grade."""

    reading: Reading
    grade: Grade
    reader: str
    version: str

    def row(self) -> Row:
        """Return it as the table `readings` keeps it, without its place and time."""
        missing = ", ".join(self.reading.missing)
        values = {name: getattr(self.reading, name) for name in READING_COLUMNS}
        return {
            "reader": self.reader,
            "reader_version": self.version,
            "package": versions().get("peer-arena"),
            "status": f"missing: {missing}" if missing else "read",
            **{
                name: writable(value) if isinstance(value, str) else value
                for name, value in values.items()
            },
            "correct": self.grade.correct,
            "grade_status": self.grade.status,
        }


class RereadEpisode(Episode):
    """An episode that reads each stored reply anew, and gives the protocol the turn as played."""

    stored: StoredEpisode
    play: Play
    rereadings: dict[Place, Rereading]
    failures: dict[Place, str]

    async def _take_turn(self, step: Step) -> Turn:
        """Replay a turn, and read its reply.  Raises NotStoredError if it is not stored."""
        place = (step.seat.name, step.step)
        stored = self._memo.get(place)
        if stored is None or stored.row["phase"] != step.phase:
            self._busy.discard(step.seat.name)
            raise NotStoredError("it asks for a turn that is not stored")
        turn = await super()._take_turn(step)
        await self._read_again(step, place, stored)
        return turn

    async def _read_again(self, step: Step, place: Place, stored: StoredTurn) -> None:
        """Read a stored reply, and the reply to its re-ask, with the reader of this step."""
        read = partial(read_off_loop, step.read, seat=place[0])
        try:
            reading = await read(reply=stored_reply(stored.row))
            if (text := stored.row["reask_text"]) is None:
                reading = replace(reading, missing=missing_parts(reading))
            else:
                finish = self.stored.ends_of_reasks.get(place)
                reading = fill_gaps(reading, await read(reply=Reply(text, finish_reason=finish)))
            grade = await grade_turn(self.play, reading.answer)
        except Exception as error:
            # The reader or the grader is at fault; this turn stays as it was read before.
            self.failures[place] = f"{error_kind(error)}: {error}"
            return
        functions = [each for each in (self.play.protocol, self.play.grader) if each is not None]
        used = reader_version(step.read, *functions)
        self.rereadings[place] = Rereading(reading, grade, reader_name(step.read), used)


class Unguarded(Disclosure):
    """A guard that lets a replay show what was shown: nobody is told anything."""

    def check_agent(self, seat: Seat) -> None:
        """Accept the agent."""

    def build(
        self, prompt: Prompt | Chat, seat: Seat, prefill: Prompt, sampling: Sampling
    ) -> BuiltPrompt:
        """Return the prompt; private words in its text stood there before."""
        return build_prompt(prompt, seat, self._episode, prefill)

    def note(self, turn: Turn, *told: object) -> None:
        """Note nothing."""

    def check_reading(self, seat: Seat, reading: Reading) -> None:
        """Accept the reading."""


class OtherEpisode(RereadEpisode):
    """An episode that gives a protocol the turns as they are read now; nothing is read."""

    def _check_replay(self, step: Step, stored: StoredTurn, hash_now: str) -> None:
        """Accept other requests: the words of others stand in them as they are read now."""

    async def _read_again(self, step: Step, place: Place, stored: StoredTurn) -> None:
        """Note that the protocol came to this turn."""
        self.failures[place] = ""


async def grade_turn(play: Play, answer: str | None) -> Grade:
    """Return the grade of a turn's own answer."""
    if play.subject.kind != "question":
        return Grade(None, NO_QUESTION, None)
    return await grade_async(play.subject, answer, by=play.grader)


@dataclass(slots=True)
class RereadSummary:
    """What rereading has changed.

    `turns` were read in `episodes`; in `unchanged` of these the same code had read all turns
    before, and nothing was written for them.  `counts` are of turns and answers by (protocol,
    model, what).  `left_out` counts episodes by the reason why they were not read anew, `failures`
    turns by what their reader failed with.  `other_code` counts episodes whose protocol has another
    source than when they were played.  In `as_played` episodes the protocol would have gone on
    otherwise with the new readings, so that their answers and verdicts stay those that were played.
    """

    path: Path
    study: str | None
    episodes: int = 0
    turns: int = 0
    unchanged: int = 0
    as_played: int = 0
    other_code: int = 0
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    put_off: str | None = None


def reread(
    path: Path, study: str | None, sources: Sources, *, watch: Watch | None = None
) -> RereadSummary:
    """Read the stored replies of a study anew, of all studies for None, and record what is read.

    What is read goes to tables of its own; turns stay as they were played.  Nothing is written
    where the same code has read all of an episode before.  Raises StudyError if there is no such
    study in the store, StoreError if the store cannot be read or written.
    """
    database.version_of(path)  # which says if there is no store
    code_of.cache_clear()  # a module may have been reloaded since
    database.create(path)
    database.fold(path, wait_s=0.5)
    rows = load_episodes(path, study)
    if not rows:
        what = "no episode" if study is None else f"no episode of a study {study!r}"
        raise StudyError(f"{path} holds {what}; list its studies with: arena status --db {path}")
    summary = RereadSummary(path, study)
    lines = read_lines(path, rows, sources, summary, watch)
    first = next(lines, None)
    if first is not None:
        name = f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}-000.jsonl"
        journal = database.journal_folder(path) / name
        try:
            # It appears when it is whole: what was read while it grew was read without it.
            write_journal(journal, chain([first], lines))
        except BaseException:
            journal.with_suffix(".part").unlink(missing_ok=True)
            raise
        summary.put_off = database.fold(path).put_off
    return summary


def read_lines(
    path: Path, rows: list[Row], sources: Sources, summary: RereadSummary, watch: Watch | None
) -> Iterator[bytes]:
    """Yield the journal lines of what is read anew, and count it."""
    for episodes in load_turns(path, rows):
        for lines in run_blocking(partial(reread_episodes, episodes, sources, summary)):
            yield from lines
        if watch is not None:
            watch(summary.turns)


async def reread_episodes(
    episodes: list[StoredEpisode], sources: Sources, summary: RereadSummary
) -> list[list[bytes]]:
    """Read some episodes anew; return the lines of each."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(stored: StoredEpisode) -> list[bytes]:
        async with gate:
            return await reread_episode(stored, sources, summary)

    return await asyncio.gather(*map(one, episodes))


async def reread_episode(
    stored: StoredEpisode, sources: Sources, summary: RereadSummary
) -> list[bytes]:
    """Read an episode anew, count it, and return its lines; none if nothing is new."""
    try:
        play = play_of(stored, sources)
    except StudyError as error:
        summary.left_out[str(error)] += 1
        return []
    memo = stored.memo.get(stored.id, {})
    if not memo:
        summary.left_out[NOTHING_SAID] += 1
        return []
    episode, result, problem = await replay(RereadEpisode, stored, play, memo)
    reached = episode.rereadings.keys() | episode.failures.keys()
    done = stored.row["status"] == "done"
    if done and problem is None and reached != memo.keys():
        problem = NOT_REACHED
    # Of an episode that failed or was stopped, what was said before that can be read all the same.
    if not reached or (done and problem):
        summary.left_out[problem or NOT_REACHED] += 1
        return []
    summary.episodes += 1
    summary.turns += len(reached)
    summary.other_code += not is_same_code(stored.row["code_hash"], play.protocol)
    summary.failures.update(episode.failures.values())
    if all(
        stored.latest.get(place, {}).get("reader_version") == each.version
        for place, each in episode.rereadings.items()
    ):
        summary.unchanged += 1
        count_turns(stored, episode.rereadings, {}, summary)
        return []
    new = {place: each.row() for place, each in episode.rereadings.items()}
    changed = count_turns(stored, episode.rereadings, new, summary)
    results: list[tuple[str, Row]] = []
    if done and result is not None:
        results = await results_of(play, result)
        if changed:
            other = await results_of_new(stored, play, memo, new)
            summary.as_played += other is None
            results = results if other is None else other
        count_grades(stored, results, summary)
    return lines_of(stored, new, results)


async def replay(
    kind: type[RereadEpisode],
    stored: StoredEpisode,
    play: Play,
    memo: Mapping[Place, StoredTurn],
) -> tuple[RereadEpisode, Any, str | None]:
    """Call a protocol over stored turns.

    Returns the episode, the protocol's result, and why it did not come to its end, or None.
    """
    run = RunContext("reread", NoJournal(), RateLimiter(1))
    episode = kind(stored.id, run, memo, play.sample, play.lineup, play.subject)
    episode.disclosure = Unguarded(stored.id, run, play.lineup, play.subject)
    episode.stored = stored
    episode.play = play
    episode.rereadings = {}
    episode.failures = {}
    result: Any = None
    problem: str | None = None
    try:
        result = await play.start(episode, play.seats())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or is_run_cancelled():
            await episode.abandon()
            raise
        cause = episode.stopped or first_cause(error)
        problem = why_not_replayed(cause)
    await episode.settle()
    if problem is None and episode.stopped is not None:
        problem = why_not_replayed(episode.stopped)
    return episode, result, problem


def why_not_replayed(error: BaseException) -> str:
    """Return why a protocol did not come to its end, in words that are the same for all plays."""
    if isinstance(error, NotStoredError):
        return str(error)
    if isinstance(error, ReplayError):
        return "its protocol, its prompts or its agents are others today than when it was played"
    return f"its protocol failed with {error_kind(error)}: {error}"


async def results_of(play: Play, result: Any) -> list[tuple[str, Row]]:
    """Return (table, row) of the graded answers, or of the verdict, that a protocol returned."""
    graded = result
    if not isinstance(result, Verdict):
        answers = [result] if isinstance(result, Answer) else result
        # What was scored stays as it was scored.
        answers = [answer for answer in answers if isinstance(answer, Answer)]
        graded = [(answer, await grade_of(play, answer)) for answer in answers]
    rows = []
    for text in result_lines(play, graded):
        row = orjson.loads(text)
        table = str(row.pop("t"))
        rows.append((table, {name: row[name] for name in TABLES[table].columns if name in row}))
    return rows


async def results_of_new(
    stored: StoredEpisode,
    play: Play,
    memo: Mapping[Place, StoredTurn],
    new: Mapping[Place, Row],
) -> list[tuple[str, Row]] | None:
    """Return what a protocol makes of the turns as they are read now.

    None if it would have gone on otherwise with these readings: by asking for other turns.
    """
    read_now = {}
    for place, turn in memo.items():
        row = turn.row | {name: new[place][name] for name in READING_COLUMNS if place in new}
        read_now[place] = replace(turn, turn=turn_of(row), row=row)
    episode, result, problem = await replay(OtherEpisode, stored, play, read_now)
    if problem is not None or episode.failures.keys() != memo.keys():
        return None
    return await results_of(play, result)


def count_turns(
    stored: StoredEpisode,
    rereadings: Mapping[Place, Rereading],
    new: Mapping[Place, Row],
    summary: RereadSummary,
) -> bool:
    """Count turns by what became of them; return whether one is read otherwise than it was played.

    They are compared with the reading that counted until now.
    """
    name = str(stored.row["protocol"])
    memo = stored.memo[stored.id]
    for place in rereadings:
        model = str(stored.seats.get(place[0], {}).get("model") or "unknown")
        summary.counts[name, model, "turns"] += 1
        if place not in new:
            continue
        before = stored.latest.get(place) or memo[place].row
        pairs = [(before[part], new[place][part]) for part in PARTS]
        gained = any(was is None and now is not None for was, now in pairs)
        lost = any(was is not None and now is None for was, now in pairs)
        differs = any(was is not None and now is not None and was != now for was, now in pairs)
        differs |= before["thoughts"] != new[place]["thoughts"]
        for what, is_so in (("now_read", gained), ("no_longer_read", lost), ("otherwise", differs)):
            summary.counts[name, model, what] += is_so
    return any(
        new[place][column] != as_list(memo[place].row[column])
        for place in new
        for column in READING_COLUMNS
    )


def as_list(value: object) -> object:
    """Return the flags of a stored turn as a reading has them; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def count_grades(
    stored: StoredEpisode, results: list[tuple[str, Row]], summary: RereadSummary
) -> None:
    """Count the answers that are graded otherwise than they were until now."""
    before = {(row["seat"], row["stage"]): row["correct"] for row in stored.answers}
    for table, row in results:
        key = (row.get("seat"), row.get("stage"))
        if table == "answers" and key in before and before[key] is not row.get("correct"):
            model = str(stored.seats.get(str(row["seat"]), {}).get("model") or "unknown")
            summary.counts[str(stored.row["protocol"]), model, "grades_changed"] += 1


def lines_of(
    stored: StoredEpisode, new: Mapping[Place, Row], results: list[tuple[str, Row]]
) -> list[bytes]:
    """Return the journal lines of an episode that was read anew."""
    read_at = later_than([row["read_at"] for row in stored.latest.values()])
    at = {"read_at": read_at}
    lines = [
        line("readings", {"episode": stored.id, "seat": seat, "step": step, **at, **row})
        for (seat, step), row in new.items()
    ]
    used = {row["reader_version"] for row in new.values()}
    for table, row in results:
        # Several readers in an episode have made its results together.
        whole = {**row, **at, "reader_version": " ".join(sorted(used))}
        lines.append(line(f"reread_{table}", whole))
    return lines


def later_than(earlier: list[datetime]) -> datetime:
    """Return the time now, or one after all of these if the clock went back: the latest counts."""
    now = utc_now()
    return max([now, *(time + timedelta(microseconds=1) for time in earlier)])
