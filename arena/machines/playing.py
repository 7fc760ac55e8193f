"""Play a study where a place says: with models on Ray, or in several processes."""

from __future__ import annotations

from arena.machines.places import OnProcesses, Place
from arena.play.progress import Watch, progress
from arena.play.run import EVERYTHING_OPEN, Arena, RunSelection
from arena.play.summary import Summary
from arena.play.sync import run_blocking
from arena.studies.study import Study


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


def run_share(arena: Arena, study: Study, selection: RunSelection) -> Summary:
    """Play a share with the record that waits for it at the store; without one, as `Arena.run`."""
    from arena.machines.shards import find_record, run_with_record

    address = find_record(arena.path, study.name)
    if address is None or selection.shard is None:
        return arena.run(study, selection=selection)
    return run_with_record(address, arena, study, selection.shard, selection)
