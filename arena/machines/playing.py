"""Play a study where a place says: with models on Ray, or in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from arena.machines.places import OnProcesses, Place
from arena.machines.record_file import RecordFile, refuse_beside_record
from arena.play.progress import Watch, progress
from arena.play.run import EVERYTHING_OPEN, Arena, RunSelection
from arena.play.summary import Summary
from arena.play.sync import run_blocking
from arena.studies.study import Study
from arena.tournaments.stages import Runner, run_here

if TYPE_CHECKING:
    from arena.machines.joining import Joining


async def play_on(
    place: Place,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection = EVERYTHING_OPEN,
    watch: Watch | None = None,
) -> Summary:
    """Play the open episodes of a study at a place, as `Arena.play` does here.

    Raises StudyError too if the place cannot be had.
    """
    # Each is imported only when it is asked for: Ray takes a second.
    if isinstance(place, OnProcesses) and not place.processes and selection.shard is not None:
        joining = joining_at(arena, [study.name], selection)
        await joining.begin_stage()
        return await joining.play(study, watch)
    if isinstance(place, OnProcesses):
        from arena.machines.processes import run_on_processes

        return await run_on_processes(place, arena, study, selection=selection, watch=watch)
    if place.shards is not None:
        from arena.machines.ray_models import release_all
        from arena.machines.shards_on_ray import run_on_ray_workers

        release_all()
        return await run_on_ray_workers(place, arena, study, selection=selection, watch=watch)
    from arena.machines.ray_models import play_on_ray

    return await play_on_ray(place, arena, study, selection=selection, watch=watch)


def run_on(
    place: Place,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection = EVERYTHING_OPEN,
    watch: Watch | None = None,
) -> Summary:
    """Do the same as `play_on`, blocking, as `Arena.run` does here."""
    with progress(study.name) as drawn:
        return run_blocking(
            lambda: play_on(place, arena, study, selection=selection, watch=watch or drawn)
        )


def run_share_alone(arena: Arena, study: Study, selection: RunSelection) -> Summary:
    """Play a share as `Arena.run`; StudyError beside a record that is kept for shares."""
    refuse_beside_record(arena.path, study.name)
    return arena.run(study, selection=selection)


@contextmanager
def runner_at(
    place: Place | None, arena: Arena, stages: Sequence[str], selection: RunSelection
) -> Iterator[tuple[Runner, Callable[[], object] | None]]:
    """Yield what plays each of these stages at a place, and what waits until the next one can be.

    The record of shares that are begun by hand is kept from the first stage to the last.
    """
    if place is None:
        yield run_here if selection.shard is None else run_share_alone, None
    elif not (isinstance(place, OnProcesses) and not place.processes):
        yield lambda arena, study, selection: run_on(place, arena, study, selection=selection), None
    elif selection.shard is not None:
        joining = joining_at(arena, stages, selection)
        yield (
            lambda arena, study, selection: run_joining(joining, study),
            lambda: run_blocking(joining.begin_stage),
        )
    else:
        with RecordFile(arena.path, stages) as file:
            kept = replace(place, file=file)

            def run(arena: Arena, study: Study, selection: RunSelection) -> Summary:
                """Play a stage with its record, and say when it is over."""
                summary = run_on(kept, arena, study, selection=selection)
                if not summary.open:
                    file.end_stage()
                return summary

            yield run, None


def joining_at(arena: Arena, stages: Sequence[str], selection: RunSelection) -> Joining:
    """Return a share of these stages that is played with the record of another command."""
    from arena.machines.joining import Joining
    from arena.machines.processes import check_sockets

    check_sockets()
    return Joining(arena, stages, selection)


def run_joining(joining: Joining, study: Study) -> Summary:
    """Play a share of a stage with the record of another command, blocking."""
    with progress(f"{study.name} {joining.shard[0]}/{joining.shard[1]}") as drawn:
        return run_blocking(lambda: joining.play(study, drawn))
