"""Play shares of a study in several processes of this machine, with one record."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from arena.errors import StudyError
from arena.machines.places import OnProcesses
from arena.machines.record_file import RecordFile
from arena.machines.record_workers import WorkedRecord
from arena.play.progress import Watch
from arena.play.run import Arena, RunSelection
from arena.play.summary import Summary
from arena.store.tempdir import scratch
from arena.studies.study import Study


class ProcessRecord(WorkedRecord):
    """The record of a run that is played by processes of this machine.

    Shares that are begun by hand find it by its `file`.
    """

    def __init__(self, place: OnProcesses, file: RecordFile | None = None) -> None:
        super().__init__(place.processes, place.source)
        self._file = file

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Listen at a Unix socket."""
        # In a folder that is this user's alone, and with a short path: those of sockets are.
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            address = str(Path(folder) / "record")
            try:
                server = await asyncio.get_running_loop().create_unix_server(self.accept, address)
            except OSError as error:
                raise StudyError(
                    f"the record cannot listen at {address}: {error.strerror or error}; set TMPDIR"
                    " to a shorter path, such as /tmp"
                ) from error
            if self._file is not None:
                self._file.announce(address)
            try:
                yield address
            finally:
                if self._file is not None:
                    self._file.announce("")
                server.close()

    async def work(self, address: str, number: int) -> str:
        """Play a share in a process of its own."""
        # A session of its own: Ctrl-C is for this process, which then lets it stop.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "arena.machines.shards"),
            *(address, f"{number}/{self.workers}"),
            stdin=asyncio.subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        return f"exit status {status}; look at its words above" if status else ""


async def run_on_processes(
    place: OnProcesses,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection,
    watch: Watch | None = None,
) -> Summary:
    """Play the open episodes of a study in processes; StudyError where that cannot be."""
    check_sockets()
    if place.processes and place.source is None:
        raise StudyError(
            f"processes load the study by its file: arena run FILE --on processes={place.processes}"
        )
    if place.processes:
        record = ProcessRecord(place)
        return await play_with(record, arena, study, selection=selection, watch=watch)
    # The command may keep it for several stages, of which this is one.
    file = place.file or RecordFile(arena.path, [study.name])
    with nullcontext() if place.file else file:
        record = ProcessRecord(place, file)
        return await play_with(record, arena, study, selection=selection, watch=watch)


def check_sockets() -> None:
    """Raise StudyError where there are no Unix sockets."""
    if os.name == "nt":
        raise StudyError("--on processes and --on shards need a system with Unix sockets")


async def play_with(
    record: WorkedRecord,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection,
    watch: Watch | None,
) -> Summary:
    """Play a study as `Arena.play` does, with a record that others play with."""
    if arena.batches is not None:
        raise StudyError("batches are asked by one process: leave out --batch or --on")
    if selection.shard is not None:
        raise StudyError("the shares are made by --on: leave out --shard")
    # The arena itself goes on playing in this process.
    own = copy.copy(arena)
    own.player = record
    return await Arena.play(own, study, selection=selection, watch=watch)
