"""Studies in stages: what comes next is written down when the store holds what came before.

A jury can be written down only when there are debates, and a Swiss round only when the last one has been judged.  A stage is a function from
the store to a study, so that everything which holds of studies holds of stages: to run them again is to continue, and nothing is asked
twice.  A stage must give the same study again when the store has grown by its own episodes and by those of later stages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.run import EVERYTHING_OPEN, Arena, Summary, Which
from arena.study import Study, plays

Written = Callable[[Path], Study]


@dataclass(frozen=True, slots=True)
class Stage:
    """A study to come: its name, the function that writes it down from the store, and the one that says how many episodes it will have."""

    name: str
    write: Written
    expected: Callable[[Path], int]


Stages = Sequence[Study | Stage]


def episodes_of(stage: Study | Stage, path: Path) -> int:
    """How many episodes a study has, or a stage will have when all before it is done."""
    return len(plays(stage)) if isinstance(stage, Study) else stage.expected(path)


def preflight(stages: Stages, path: Path) -> dict[str, int]:
    """How many episodes each study will have when all is done, by name; stages of one study, such as Swiss rounds, grow it."""
    found: dict[str, int] = {}
    for stage in stages:
        found[stage.name] = max(found.get(stage.name, 0), episodes_of(stage, path))
    return found


def run_stages(
    arena: Arena, stages: Stages, *, which: Which = EVERYTHING_OPEN, told: Callable[[Summary], object] | None = None
) -> list[Summary]:
    """Play stages one after the other, up to one that leaves episodes open; returns their summaries, each also given to `told` at its end.

    In async code: `for stage in stages: await arena.play(written(stage, arena.path))`.  Raises what `Arena.run` and the stages raise.
    """
    summaries: list[Summary] = []
    for stage in stages:
        if summaries and summaries[-1].open:
            break
        summaries.append(arena.run(written(stage, arena.path), which=which))
        if told is not None:
            told(summaries[-1])
    return summaries


def written(stage: Study | Stage, path: Path) -> Study:
    """The study itself, or the one that a stage writes down from the store."""
    return stage if isinstance(stage, Study) else stage.write(path)
