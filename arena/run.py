"""Playing a study: episodes side by side, each an island, each failure a row.

A run writes its own journal and folds it into the database at its end.  Stopping it (Ctrl-C, kill -9, a full disk) leaves open episodes,
which the same command continues; nothing that was said is asked again.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import platform
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from arena import store
from arena.blocking import run_blocking
from arena.calls import Run, Tally
from arena.episode import Episode
from arena.errors import BudgetSpent, ReplayError, StoreError, StudyError
from arena.journal import Journal, line, row_of, writable
from arena.progress import Watch, progress
from arena.retry import Retry
from arena.store import Folding, Known, Table, utc_now
from arena.study import Play, Study, code_hash, plays, protocol_name, protocol_version
from arena.subjects import subject_id
from arena.types import Agent, Answer, Verdict

LEAVES_OPEN = (BudgetSpent, ReplayError, StoreError)
QUICK_FOLD_BYTES = 16 * 2**20
PACKAGES = ("peer-arena", "duckdb", "pydantic", "aiohttp")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.  Episodes are counted over the whole study: done, failed, open (not ended, or not started), of `planned`."""

    study: str
    path: Path
    planned: int
    done: int
    failed: int
    replies: int
    replayed: int
    unreadable: int
    seconds: float
    put_off: str | None = None

    @property
    def open(self) -> int:
        """Episodes that are still to be played."""
        return self.planned - self.done - self.failed

    def __str__(self) -> str:
        text = (
            f"{self.study}: {self.done} of {self.planned} episodes done, {self.failed} failed, {self.open} open;"
            f" {self.replies} replies in {self.seconds:.1f} s"
        )
        if self.replayed:
            text += f", {self.replayed} turns taken from the store"
        if self.unreadable:
            text += f", {self.unreadable} turns unreadable after the re-ask"
        return text + (f"\nnot folded yet: {self.put_off}" if self.put_off else "")


@dataclass(frozen=True, slots=True)
class Which:
    """Which of a study's episodes a run plays: at most `limit`, those of shard (i, n) with 1 <= i <= n, and failed ones again or not."""

    limit: int | None = None
    shard: tuple[int, int] | None = None
    retry_failed: bool = False
    accept_code_change: bool = False


EVERYTHING_OPEN = Which()
DEFAULT_RETRY = Retry()


class Arena:
    """A store and the means to play studies into it.

    `path` is the DuckDB file; journals lie beside it in `<path>.journal/`.  `concurrency` bounds the calls in
    flight; `retry` says how often and how long a failed call is tried again.
    """

    def __init__(self, path: str | Path = "arena.duckdb", *, concurrency: int = 32, retry: Retry = DEFAULT_RETRY) -> None:
        if concurrency < 1:
            raise StudyError(f"concurrency must be at least 1, found {concurrency}")
        self.path = Path(path)
        self.concurrency = concurrency
        self.retry = retry

    async def play(self, study: Study, *, which: Which = EVERYTHING_OPEN, watch: Watch | None = None) -> Summary:
        """Play what is open of a study and fold the record into the database.

        `watch` is called with the tally ten times a second.  Raises StudyError before anything is started, StoreError where the disk or
        the database fails, ReplayError (after the other episodes are played) where a stored turn answered another request.
        """
        all_plays = plays(study)
        store.create(self.path)
        with studying(self.path, study.name):
            began = time.monotonic()
            store.fold(self.path)
            known = store.known(self.path, study.name)
            if known.origin not in (None, "played"):
                raise StudyError(f"{self.path} holds a study {study.name!r} that was {known.origin}; give yours another name")
            if not which.accept_code_change:
                check_code(all_plays, known)
            todo = chosen(all_plays, known, which)
            tally = Tally(planned=len(todo))
            folding = await self._play_out(study, todo, known, tally, len(all_plays), watch) if todo else Folding()
            status = {play.episode: known.status.get(play.episode, "open") for play in all_plays}
            again = sum(status[play.episode] == "failed" for play in todo)
            return Summary(
                study.name,
                self.path,
                len(all_plays),
                done=sum(s == "done" for s in status.values()) + tally.done,
                failed=sum(s == "failed" for s in status.values()) - again + tally.failed,
                replies=tally.replies,
                replayed=tally.replayed,
                unreadable=tally.unreadable,
                seconds=time.monotonic() - began,
                put_off=folding.put_off,
            )

    async def _play_out(self, study: Study, todo: Sequence[Play], known: Known, tally: Tally, planned: int, watch: Watch | None) -> Folding:
        """Play the chosen episodes with a journal of their own; fold at the end, however it comes."""
        run_id = f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        journal = Journal(store.journal_folder(self.path), run_id)
        run = Run(run_id, journal, asyncio.Semaphore(self.concurrency), self.retry, tally)
        watching = asyncio.create_task(watched(tally, watch)) if watch else None
        finished = False
        try:
            journal.append(*opening_lines(study, todo, run_id, planned))
            await play_side_by_side(run, todo, known, self.concurrency)
            finished = True
        finally:
            if watching:
                watching.cancel()
            await close_models(todo)
            journal.close()
            # A stopped run must let go within two seconds: a large journal is left to whoever opens the store next.
            if not finished and journal.bytes_written < QUICK_FOLD_BYTES:
                store.fold(self.path, wait_s=0.5)
        return await asyncio.to_thread(store.fold, self.path)

    def run(self, study: Study, *, which: Which = EVERYTHING_OPEN, watch: Watch | None = None) -> Summary:
        """The same as `play`, blocking, on an event loop of its own: also inside a notebook.

        Draws progress to standard error unless `watch` takes the tally.  Ctrl-C stops it within two seconds, with what was said kept.
        """
        with progress(study.name) as shown:
            return run_blocking(lambda: self.play(study, which=which, watch=watch or shown))

    def sql(self, query: str) -> Table:
        """Run one SQL query over everything that was said, a running study included; the file is let go at once.

        Raises StoreError where there is no store, or the query is wrong.
        """
        return store.query(self.path, query)


def check_code(all_plays: Sequence[Play], known: Known) -> None:
    """Raise StudyError where a protocol's source changed under the same VERSION while some of its episodes are half played."""
    now: dict[object, str] = {}
    for play in all_plays:
        if known.status.get(play.episode) != "open":
            continue
        code = now.setdefault(play.protocol, code_hash(play.protocol))
        if known.code[play.episode] not in (None, code):
            raise StudyError(
                f"the source of {protocol_name(play.protocol)} changed while episodes of it are half played; restore it, raise its VERSION"
                " (which starts new episodes), or pass --accept-code-change to continue with the new source"
            )


def chosen(all_plays: Sequence[Play], known: Known, which: Which) -> list[Play]:
    """The episodes that this run plays."""
    if which.limit is not None and which.limit < 1:
        raise StudyError(f"--limit must be at least 1, found {which.limit}")
    skipped = {"done"} if which.retry_failed else {"done", "failed"}
    todo = [play for play in all_plays if known.status.get(play.episode) not in skipped]
    if which.shard is not None:
        part, of = which.shard
        if not 1 <= part <= of:
            raise StudyError(f"--shard takes i/n with 1 <= i <= n, found {part}/{of}")
        todo = [play for play in todo if int(play.episode, 16) % of == part - 1]
    return todo[: which.limit]


def opening_lines(study: Study, todo: Sequence[Play], run_id: str, planned: int) -> Iterator[bytes]:
    """The rows that a run begins with: itself, and the subjects that it will play."""
    simulated = any(agent.model.simulated for play in todo for agent in play.lineup.values())
    row = {
        "run": run_id,
        "study": study.name,
        "origin": "played",
        "simulated": simulated,
        "planned": planned,
        "git_commit": git_commit(),
        "versions": versions(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": utc_now(),
    }
    yield line("runs", row)
    for subject in {subject_id(play.subject): play.subject for play in todo}.items():
        yield line("subjects", {"subject": subject[0], **row_of(subject[1])})


def git_commit() -> str | None:
    """The commit of the working folder, None outside git."""
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
        return found.stdout.strip() or None
    return None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


async def play_side_by_side(run: Run, todo: Sequence[Play], known: Known, at_once: int) -> None:
    """Play episodes, `at_once` at a time, oldest first; a replay that went wrong is raised when the others are through."""
    waiting = iter(todo)
    wrong_replays: list[ReplayError] = []

    async def worker() -> None:
        """Play one episode after another until none is left."""
        for play in waiting:
            try:
                await play_one(run, play, known)
            except ReplayError as error:
                wrong_replays.append(error)

    workers = [asyncio.create_task(worker()) for _ in range(min(at_once, len(todo)))]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    if wrong_replays:
        raise ReplayError(f"{wrong_replays[0]} ({len(wrong_replays)} of {len(todo)} episodes; they stay open)")


async def play_one(run: Run, play: Play, known: Known) -> None:
    """Play one episode to its end: done, or failed with the reason as a row.  What stops the whole run leaves it open."""
    if play.episode not in known.status:
        run.journal.append(*entry_lines(play))
    episode = Episode(play.episode, run, known.memo.get(play.episode))
    try:
        result = await play.protocol(episode, play.subject, **play.seats(), **play.options)
        await episode.settle()
    except asyncio.CancelledError:
        await episode.abandon()
        raise
    except Exception as error:
        await episode.settle()
        if (stop := stopping(error)) is not None:
            raise stop from error
        run.tally.failed += 1
        ending = {"status": "failed", "error_kind": type(error).__name__, "error": writable(str(error))}
        run.journal.append(status_line(run, play, ending))
    else:
        run.tally.done += 1
        run.journal.append(*result_lines(play, result), status_line(run, play, {"status": "done"}))
    await run.journal.durable()


def stopping(error: BaseException) -> BaseException | None:
    """The error that leaves an episode open, also where a task group wrapped it; None where the episode just failed."""
    if isinstance(error, LEAVES_OPEN):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for part in error.exceptions if (found := stopping(part)) is not None), None)
    return None


def entry_lines(play: Play) -> Iterator[bytes]:
    """The rows that an episode begins with: itself and its seats."""
    row = {
        "episode": play.episode,
        "study": play.study,
        "arm": play.arm,
        "protocol": protocol_name(play.protocol),
        "version": protocol_version(play.protocol),
        "code_hash": code_hash(play.protocol),
        "options": play.options,
        "subject": subject_id(play.subject),
        "repeat": play.repeat,
        "started_at": utc_now(),
    }
    yield line("plays", row)
    for seat, agent in play.lineup.items():
        yield line("seats", {"episode": play.episode, "seat": seat, **agent_row(agent)})


def agent_row(agent: Agent) -> dict[str, object]:
    """How an agent stands in the table `seats`."""
    return {"agent": agent.name, "model": agent.model.name, "system": agent.system, "sampling": row_of(agent.sampling)}


def result_lines(play: Play, result: Verdict | Answer | None) -> Iterator[bytes]:
    """The row that a protocol's result makes, where it has one."""
    if isinstance(result, Verdict):
        yield line("verdicts", {"episode": play.episode, **row_of(result)})
    elif isinstance(result, Answer):
        yield line("answers", {"episode": play.episode, **row_of(result)})


def status_line(run: Run, play: Play, ending: dict[str, str]) -> bytes:
    """The row that ends an episode."""
    return line("statuses", {"episode": play.episode, "run": run.id, **ending, "ended_at": utc_now()})


async def watched(tally: Tally, watch: Watch) -> None:
    """Call `watch` with the tally ten times a second, until cancelled; once more at the end."""
    try:
        while True:
            watch(tally)
            await asyncio.sleep(0.1)
    finally:
        watch(tally)


async def close_models(todo: Sequence[Play]) -> None:
    """Close the connections of every model that has some."""
    models = {id(agent.model): agent.model for play in todo for agent in play.lineup.values()}
    for model in models.values():
        close = getattr(model, "close", None)
        if close is not None:
            await close()


@contextmanager
def studying(path: Path, study: str) -> Iterator[None]:
    """Hold a study for this process: two processes never play the same one into one store.  Raises StudyError naming the holder."""
    lock = store.journal_folder(path) / f"{hashlib.sha256(study.encode()).hexdigest()[:16]}.lock"
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise StudyError(
                f"study {study!r} is being played into {path} already, by {file.read().strip() or 'another process'};"
                f" follow it with `arena status --db {path}`"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        yield
