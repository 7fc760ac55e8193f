"""Play shares of a study in several processes of this machine, with one record."""

from __future__ import annotations

from arena.errors import StudyError
from arena.play.progress import Watch
from arena.play.run import Arena, RunSelection
from arena.play.summary import Summary
from arena.studies.study import Study


async def run_on_processes(
    arena: Arena,
    study: Study,
    *,
    processes: int,
    selection: RunSelection,
    watch: Watch | None = None,
) -> Summary:
    """Play the open episodes of a study in so many processes."""
    raise StudyError(f"processes={processes} cannot be had yet: use --shard and arena merge")
