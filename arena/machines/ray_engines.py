"""Hold the models of a study on a Ray cluster, one engine a GPU; all else stays here."""

from __future__ import annotations

from importlib.util import find_spec

from arena.errors import StudyError
from arena.machines.places import OnRay
from arena.play.progress import Watch
from arena.play.run import Arena, RunSelection
from arena.play.summary import Summary
from arena.studies.study import Study


def check_installed() -> None:
    """Raise StudyError, which names the extra, where Ray is not installed."""
    if find_spec("ray") is None:
        raise StudyError("--on ray needs Ray: pip install 'peer-arena[ray]'")


async def play_on_ray(
    place: OnRay,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection,
    watch: Watch | None = None,
) -> Summary:
    """Play the open episodes of a study with its local models on the engines of a cluster."""
    check_installed()
    return await arena.play(study, selection=selection, watch=watch)
