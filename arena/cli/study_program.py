"""Play the study of a file that was started as a program: `python two_llms_debate.py number=30`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from arena.arena import Arena
from arena.cli.terminal import print_stage_end
from arena.errors import ArenaError
from arena.play.run import RunSelection
from arena.studies.study import Study
from arena.tournaments.stages import resolve_stage, run_stages
from arena.tournaments.study_file import load_stages

ANEW = "--anew"


def run_study_program(file: str | Path, show: Callable[[Arena, Study], None]) -> None:
    """Play the study of a file that was started as a program, then show its results.

    Options such as "number=30" are read from the command line, and the store is the default one;
    --anew plays anew what an earlier version of a protocol has played.  Stages are played one after
    the other.  `show` gets the arena and the study, of stages the last one, after the summaries are
    printed.  Exits with status 1 if an episode failed, and with status 2 and one sentence on an
    ArenaError.
    """
    try:
        options = [word for word in sys.argv[1:] if word != ANEW]
        stages = load_stages(file, options)
        arena = Arena()
        selection = RunSelection(anew=ANEW in sys.argv[1:])
        summaries = run_stages(arena, stages, selection=selection, on_stage_end=print_stage_end)
        # Stages after one that left episodes open were not played, and have nothing to show.
        show(arena, resolve_stage(stages[len(summaries) - 1], arena.path))
    except ArenaError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if any(summary.failed for summary in summaries) else 0)
