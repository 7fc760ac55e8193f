"""Play shares of a study in several processes of this machine, with one record."""

from __future__ import annotations

import asyncio
import copy
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from arena.errors import StudyError
from arena.machines.places import OnProcesses
from arena.machines.record_server import Part, Record
from arena.play.progress import Watch
from arena.play.run import Arena, RunSelection
from arena.play.summary import Summary
from arena.store.study_lock import record_file
from arena.store.tempdir import scratch
from arena.studies.study import Study

# A process that dies so often in a row without having written a line will always do so.
MOST_DEATHS = 5


class ProcessRecord(Record):
    """The record of a run that is played by processes of this machine.

    `processes` of them are started, and started again when they die; with 0, shares that are begun
    by hand find the record by a file in the folder of the study's lock.
    """

    def __init__(self, place: OnProcesses, path: Path, study: str) -> None:
        super().__init__(place.source)
        self.processes = place.processes
        self._announced = record_file(path, study)
        self._workers: dict[int, asyncio.subprocess.Process] = {}
        # Messages with lines, by the number of the worker that sent them.
        self._lines: Counter[str] = Counter()

    async def serve(self) -> None:
        """Start the workers, and wait until all are through, or the run is over."""
        # In a folder that is this user's alone, and with a short path: those of sockets are.
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            address = str(Path(folder) / "record")
            loop = asyncio.get_running_loop()
            server = await loop.create_unix_server(self.accept, address)
            self._announced.write_text(address)
            keeping = {
                asyncio.create_task(self._keep(number, address))
                for number in range(1, self.processes + 1)
            }
            try:
                await self._wait(keeping)
            finally:
                self._announced.unlink(missing_ok=True)
                server.close()
                await self.end_parts()
                for task in keeping:
                    task.cancel()
                await asyncio.gather(*keeping, return_exceptions=True)

    async def _wait(self, keeping: set[asyncio.Task[None]]) -> None:
        """Wait until every worker has ended by itself, or the run is over."""
        while not self.over.done() and (keeping or not self.processes):
            ended, _ = await asyncio.wait(
                {self.over, *keeping}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended & keeping:
                task.result()
            keeping -= ended
        if self.over.done():
            self.over.result()

    async def _keep(self, number: int, address: str) -> None:
        """Keep a worker alive until it ends by itself."""
        share = f"{number}/{self.processes}"
        deaths = 0
        while True:
            before = self._lines[share]
            # A session of its own: Ctrl-C is for this process, which then lets it stop.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "arena.machines.shards", address, share),
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )
            try:
                status = await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
            if status == 0:
                return
            deaths = deaths + 1 if self._lines[share] == before else 0
            if deaths == MOST_DEATHS:
                raise StudyError(
                    f"a process that plays share {share} died {deaths} times before its first call"
                    f" (exit status {status}): look at its words above; what was said so far is"
                    " kept"
                )

    def on_lost(self, part: Part) -> None:
        """Note how much a part has written; without workers, see whether all is played."""
        self._lines[part.share] += part.lines
        if self.processes or self.parts or self.over.done():
            return
        if self.is_through:
            self.over.set_result(None)


async def run_on_processes(
    place: OnProcesses,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection,
    watch: Watch | None = None,
) -> Summary:
    """Play the open episodes of a study in processes; StudyError where that cannot be."""
    if os.name == "nt":
        raise StudyError("--on processes and --on shards need a system with Unix sockets")
    if place.processes and place.source is None:
        raise StudyError(
            f"processes load the study by its file: arena run FILE --on processes={place.processes}"
        )
    if arena.batches is not None:
        raise StudyError("batches are asked by one process: leave out --batch or --on")
    if selection.shard is not None:
        raise StudyError("--on processes=N makes the shares itself: leave out --shard")
    # The arena itself goes on playing here.
    own = copy.copy(arena)
    own.player = ProcessRecord(place, arena.path, study.name)
    return await Arena.play(own, study, selection=selection, watch=watch)
