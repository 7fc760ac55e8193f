"""Say beside a store that a record is kept there, for shares that are begun by hand.

Whoever keeps it has a lock on the file `<id>.record` in the folder of the journals from the
beginning of the command to its end, through all stages.  The file says which stage is in hand, and
where the record of that listens.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

import orjson

from arena.errors import StudyError
from arena.store import database
from arena.store.locks import Lock, is_locked, try_lock
from arena.store.study_lock import record_file

# A part that looks whether the file is locked keeps it from others for a moment.
LOCKING_S = 2.0


@dataclass(frozen=True, slots=True)
class Announcement:
    """A record that is kept: the names of its stages, and which of them is in hand, from 0.

    Beyond the last one, all have been played.  `address` is where it listens, "" if it does not
    yet or any more.  `command` is another word for each command.
    """

    stages: tuple[str, ...]
    command: str
    stage: int = 0
    address: str = ""


class RecordFile:
    """The file of a record that this process keeps, in a `with` block.

    Raises StudyError there if another process keeps one for the same stages.
    """

    def __init__(self, path: Path, stages: Sequence[str]) -> None:
        self._path = path
        self._file = record_file(path, stages[0])
        self._said = Announcement(tuple(stages), secrets.token_hex(8))
        self._lock: Lock | None = None

    def __enter__(self) -> RecordFile:
        database.make_journal_folder(self._path)
        until = time.monotonic() + LOCKING_S
        while (lock := try_lock(self._file)) is None:
            if time.monotonic() > until:
                raise StudyError(
                    f"a record of {self._said.stages[0]!r} is kept in {self._path} already, by"
                    " another `arena run STUDY --on shards`"
                )
            time.sleep(0.05)
        self._lock = lock
        self._write(self._said)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._lock is not None
        if not self._path.exists():
            # A study that is refused leaves nothing behind.
            self._file.unlink(missing_ok=True)
            with suppress(OSError):
                self._file.parent.rmdir()
        self._lock.release()

    def announce(self, address: str) -> None:
        """Say where the record listens, "" if it does no more."""
        self._write(replace(self._said, address=address))

    def end_stage(self) -> None:
        """Say that the stage in hand has been played, and the next one is in hand."""
        self._write(replace(self._said, stage=self._said.stage + 1, address=""))

    def _write(self, said: Announcement) -> None:
        # Into the same file, for its lock; who reads half of it reads again.
        self._said = said
        self._file.write_bytes(orjson.dumps(asdict(said)))


def read_announcement(file: Path) -> tuple[Announcement | None, bool]:
    """Return the last words of a record file, None if there are none, and whether it is kept."""
    # First the lock: the last words of a record that has ended do not change any more.
    is_kept = is_locked(file)
    try:
        words = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None, is_kept
    return Announcement(**words | {"stages": tuple(words["stages"])}), is_kept


def refuse_beside_record(path: Path, study: str) -> None:
    """Raise StudyError for a share that would play alone into a store whose record is kept."""
    folder = database.journal_folder(path)
    for file in folder.glob("*.record") if folder.exists() else ():
        said, is_kept = read_announcement(file)
        if is_kept and said is not None and study in said.stages:
            raise StudyError(
                f"a record of {study!r} is kept in {path} for shares: join it by"
                " `--on shards --shard I/N`, or give this share a store of its own"
            )


def listens(address: str) -> bool:
    """Return whether somebody listens at the path of a socket."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(address)
    except OSError:
        return False
    return True
