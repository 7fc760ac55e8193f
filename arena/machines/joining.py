"""Join the record of another command with a share of a study: `arena run --on shards --shard I/N`.

A share that was begun so never plays alone: without the record it would have neither its limits nor
its budget.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

from arena.errors import StudyError
from arena.machines.record_file import Announcement, listens, read_announcement
from arena.machines.shards import NotWelcomeError, play_part
from arena.play.progress import Watch
from arena.play.run import EVERYTHING_OPEN, Arena, RunSelection
from arena.play.summary import Summary
from arena.store.study_lock import record_file
from arena.studies.study import Study

# How long a share waits for its record, which may be begun after it.
JOIN_S = 600.0
QUIET_S = 1.0
LOOK_EVERY_S = 0.1


class Joining:
    """A share that is played with the record of another command, stage by stage."""

    def __init__(
        self, arena: Arena, stages: Sequence[str], selection: RunSelection = EVERYTHING_OPEN
    ) -> None:
        assert selection.shard is not None
        refuse_settings_of_record(arena, selection)
        self.path = arena.path
        self.stages = tuple(stages)
        self.shard = selection.shard
        self._file = record_file(self.path, stages[0])
        # The stage in hand, and the command whose record has played one with this share.
        self._stage = -1
        self._command: str | None = None

    async def begin_stage(self) -> None:
        """Wait until the next stage can be played: until the record has come to it.

        Only then does the store hold what the stages before it have said.
        """
        self._stage += 1
        await self._find()

    async def _find(self) -> Announcement | None:
        """Return the record that listens for the stage in hand; None if that is over.

        Raises StudyError if it is kept for other stages, is gone, or does not come.
        """
        began = time.monotonic()
        is_told = False
        while True:
            said, is_kept = read_announcement(self._file)
            if said is not None and (is_kept or said.command == self._command):
                if said.stages != self.stages:
                    raise StudyError(
                        f"the record in {self.path} is kept for {', '.join(said.stages)}, and this"
                        f" share is of {', '.join(self.stages)}: give the same file and options"
                    )
                if said.stage > self._stage:
                    self._command = said.command
                    return None
                if said.stage == self._stage and said.address and listens(said.address):
                    return said
            waited_s = time.monotonic() - began
            if not is_kept:
                self._check_wait(waited_s)
            if waited_s > QUIET_S and not is_told:
                is_told = True
                print(self._describe_wait(is_kept), file=sys.stderr, flush=True)
            await asyncio.sleep(LOOK_EVERY_S)

    def _check_wait(self, waited_s: float) -> None:
        """Raise StudyError if there is no record, and none is to be expected any more."""
        study = self.stages[self._stage]
        if self._command is not None:
            raise StudyError(
                f"the record is gone that was kept in {self.path}, before it came to {study!r}:"
                " run the same commands again"
            )
        if waited_s > JOIN_S:
            raise StudyError(
                f"no record of {study!r} is kept in {self.path}: start it with the same command"
                " without --shard, or leave out --on shards to play this share alone"
            )

    def _describe_wait(self, is_kept: bool) -> str:
        """Return what is waited for."""
        share = f"{self.stages[self._stage]} {self.shard[0]}/{self.shard[1]}"
        if is_kept:
            return f"{share}: waits until its record in {self.path} has come so far"
        return (
            f"{share}: waits up to {JOIN_S:.0f} seconds for its record in {self.path}, which"
            " the same command without --shard keeps"
        )

    async def play(self, study: Study, watch: Watch | None = None) -> Summary:
        """Play the share of the stage in hand; StudyError or StoreError if its record is gone."""
        began = time.monotonic()
        name = f"{study.name} {self.shard[0]}/{self.shard[1]}"
        who = f"{name}, process {os.getpid()}"
        while (said := await self._find()) is not None:
            try:
                stats = await play_part(said.address, *self.shard, who, study, watch)
            except NotWelcomeError:
                # It ends, or its stage does: what it says next tells.
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            self._command = said.command
            return Summary(
                name,
                self.path,
                stats.planned,
                done=stats.done,
                failed=stats.failed,
                replies=stats.replies,
                replayed=stats.replayed,
                unreadable=0,
                seconds=time.monotonic() - began,
                cached=stats.cached,
                stopped=stats.stopped,
                remedies=stats.remedies,
            )
        return Summary(name, self.path, 0, 0, 0, 0, 0, 0, time.monotonic() - began)


def refuse_settings_of_record(arena: Arena, selection: RunSelection) -> None:
    """Raise StudyError for limits and money in a share, which only the record can be told."""
    if arena.limits or arena.budget_usd is not None or arena.batches is not None or arena.cache:
        raise StudyError(
            "limits, budget, cache and batches are the record's: give --limits, --budget-usd and"
            " --cache to the command without --shard, and leave them and --batch out here"
        )
    if arena.max_unreadable is not None:
        raise StudyError("--max-unreadable is the record's: leave it out here")
    if selection.limit is not None or selection.retry_failed:
        raise StudyError("--limit and --retry-failed are the record's: leave them out here")
