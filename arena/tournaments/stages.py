"""Play studies in stages: each is written when the store holds what came before.

A jury can be written only when there are debates, and a Swiss round only when the last one has been
judged.  A stage is a function from the store to a study, so that everything that holds for studies
holds for stages: to run them again is to continue, and nothing is asked twice.  A stage must give
the same study again when the store has grown by its own episodes and by those of later stages.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arena.calls.spending import load_spending
from arena.errors import StoreError, StudyError
from arena.former_names import former_fields, former_parameters
from arena.play.run import EVERYTHING_OPEN, Arena, RunSelection
from arena.play.summary import Summary
from arena.studies.lineups import agents_in
from arena.studies.study import Study, plays
from arena.studies.versions import check_version, study_in_version
from arena.types import Agent

StudyWriter = Callable[[Path], Study]
# Plays a study: on this process (`run_here`), or elsewhere (arena/machines/playing.py).
Runner = Callable[[Arena, Study, RunSelection], Summary]
Rename = Callable[[str], str]


@former_fields({"expected": "count_episodes"})
@dataclass(frozen=True, slots=True)
class Stage:
    """A study to come.

    `write` writes it from the store at a path, `count_episodes` tells how many episodes it will
    have, and `agents` are those that will speak in it.  `rename` returns the stage with its name,
    and those of the studies that it reads, as a function gives them; None: it has only this name.
    `in_version` returns the stage with its protocol in a version; None: what it writes is changed.
    """

    name: str
    write: StudyWriter
    count_episodes: Callable[[Path], int]
    agents: tuple[Agent, ...]
    rename: Callable[[Rename], Stage] | None = None
    in_version: Callable[[str], Stage] | None = None


Stages = Sequence[Study | Stage]


def rename_stages(stages: Stages, name: str) -> Stages:
    """Return stages under another name, so that a store keeps their episodes apart from others.

    The first gets the name; of the others the part that is that of the first is replaced, or it is
    put before theirs.  Raises StudyError for a stage that cannot be renamed.
    """
    first = stages[0].name
    own = {stage.name for stage in stages}

    def new_name(old: str) -> str:
        """Return the new name of a study of these stages; another study keeps its name."""
        if old not in own:
            return old
        return name + old.removeprefix(first) if old.startswith(first) else f"{name} {old}"

    return [rename_stage(stage, new_name) for stage in stages]


def rename_stage(stage: Study | Stage, new_name: Rename) -> Study | Stage:
    """Return a stage with the names that a function gives; StudyError if it keeps its own."""
    if isinstance(stage, Study):
        return replace(stage, name=new_name(stage.name))
    if stage.rename is None:
        raise StudyError(
            f"the stage {stage.name!r} cannot be given another name from outside; let its function"
            " `study` have an option `name`, and make the names of its stages from that"
        )
    return stage.rename(new_name)


def stages_in_version(stages: Stages, version: str) -> Stages:
    """Return stages whose protocols are played in a version (arena/studies/versions.py).

    Raises StudyError if a protocol does not keep it any more, or if none has come to it; of a stage
    that is still to be written, when it is.
    """
    studies = [stage for stage in stages if isinstance(stage, Study)]
    check_version(studies, version)
    return [stage_in_version(stage, version, must_have=not studies) for stage in stages]


def stage_in_version(stage: Study | Stage, version: str, *, must_have: bool) -> Study | Stage:
    """Return a stage whose protocols are played in a version, if it must have one, or can."""
    if isinstance(stage, Study):
        return study_in_version(stage, version)
    if stage.in_version is not None:
        return stage.in_version(version)

    def write(path: Path) -> Study:
        """Write the study as the stage does, and play it in the version."""
        study = stage.write(path)
        if must_have:
            check_version([study], version)
        return study_in_version(study, version)

    return replace(stage, write=write)


def count_episodes(stage: Study | Stage, path: Path) -> int:
    """Return how many episodes a study has, or a stage will have when all before it is done."""
    return len(plays(stage)) if isinstance(stage, Study) else stage.count_episodes(path)


def count_episodes_by_study(stages: Stages, path: Path) -> dict[str, int]:
    """Return how many episodes each study will have when all is done, by name.

    Stages of one study, such as Swiss rounds, grow it.
    """
    counts: dict[str, int] = {}
    for stage in stages:
        counts[stage.name] = max(counts.get(stage.name, 0), count_episodes(stage, path))
    return counts


def run_here(arena: Arena, study: Study, selection: RunSelection) -> Summary:
    """Play a study in this process."""
    return arena.run(study, selection=selection)


@former_parameters({"which": "selection", "told": "on_stage_end"})
def run_stages(
    arena: Arena,
    stages: Stages,
    *,
    selection: RunSelection = EVERYTHING_OPEN,
    on_stage_end: Callable[[Summary], object] | None = None,
    runner: Runner = run_here,
    before_stage: Callable[[], object] | None = None,
) -> list[Summary]:
    """Play stages one after the other, up to one that leaves episodes open.

    Returns their summaries; `on_stage_end` also gets each when its stage ends.  `runner` plays each
    of them, and `before_stage` is called before each is written.  The arena's budget is for all
    stages together.  In async code, play each `resolve_stage(stage, arena.path)` with
    `await arena.play(...)`.  Raises the errors of `Arena.run` and of the stages, and StudyError if
    a price or limit is for a model of no stage.
    """
    check_limit_names(arena, stages)
    summaries: list[Summary] = []
    for stage in stages:
        if summaries and summaries[-1].open:
            break
        if before_stage is not None:
            before_stage()
        # Resolved only now, when the stages before have filled the store.
        try:
            study = resolve_stage(stage, arena.path)
        except (StudyError, StoreError) as error:
            failed = [summary for summary in summaries if summary.failed]
            if not failed:
                raise
            raise not_played(stage, failed[-1], error) from error
        summaries.append(runner(arena_for_study(arena, stages, study), study, selection))
        if on_stage_end is not None:
            on_stage_end(summaries[-1])
    return summaries


def vary_options(stages: Stages, vary: Sequence[str]) -> Stages:
    """Return stages with these options of their protocols varied in each of them."""

    def varied(study: Study) -> Study:
        """Return a study that varies these options too."""
        return replace(study, vary=(*study.vary, *vary))

    def varied_stage(stage: Stage) -> Stage:
        """Return a stage that writes such a study, when the stages before it have been played."""
        return replace(stage, write=lambda path: varied(stage.write(path)))

    if not vary:
        return stages
    return [varied(stage) if isinstance(stage, Study) else varied_stage(stage) for stage in stages]


def not_played(stage: Study | Stage, before: Summary, error: Exception) -> StudyError:
    """Return the error for a stage that cannot be written after one with failed episodes."""
    return StudyError(
        f"{stage.name} was not played: {before.failed} of {before.planned} episodes of"
        f" {before.study} failed; mend what failed, and run again with --retry-failed"
        f" (RunSelection(retry_failed=True)). What it lacks: {error}"
    )


def resolve_stage(stage: Study | Stage, path: Path) -> Study:
    """Return the study itself, or the one that a stage writes from the store."""
    return stage if isinstance(stage, Study) else stage.write(path)


def try_resolve_stage(stage: Study | Stage, path: Path) -> Study | None:
    """Return the study of a stage if it can be written from the store today, else None."""
    try:
        return resolve_stage(stage, path)
    except (StudyError, StoreError):
        return None


def arena_for_study(arena: Arena, stages: Stages, study: Study) -> Arena:
    """Return the arena for one study of these stages.

    It has the limits and prices of the study's models, and the rest of the budget.
    """
    if len(stages) == 1:
        return arena
    names = model_and_provider_names(study)
    # The study's own checks would refuse limits and prices of other stages' models.
    own = copy.copy(arena)
    own.limits = {name: limit for name, limit in arena.limits.items() if name in names}
    own.prices = {name: price for name, price in arena.prices.items() if name in names}
    if arena.budget_usd is not None:
        others = {stage.name for stage in stages} - {study.name} if arena.path.exists() else set()
        own.spent_in_other_stages_usd = sum(
            load_spending(arena.path, other, arena.prices).usd for other in others
        )
    return own


def agents_of(stage: Study | Stage) -> Sequence[Agent]:
    """Return the agents of a study, or of one to come, each as often as it sits somewhere."""
    if isinstance(stage, Stage):
        return stage.agents
    return [agent for arm in stage.arms for lineup in arm.lineups for agent in agents_in(lineup)]


def model_and_provider_names(stage: Study | Stage) -> set[str]:
    """Return the models of a stage and their providers: the names that may have limits."""
    models = {agent.model.name for agent in agents_of(stage)}
    return models | {model.partition("/")[0] for model in models}


def check_limit_names(arena: Arena, stages: Stages) -> None:
    """Raise StudyError if a limit or price is for a name that no stage has."""
    names = set().union(*(model_and_provider_names(stage) for stage in stages))
    for name in {**arena.limits, **arena.prices}:
        if name not in names and len(stages) > 1:
            raise StudyError(
                f"a limit or price is given for {name!r},"
                f" but the models of this tournament are {', '.join(sorted(names))}"
            )
