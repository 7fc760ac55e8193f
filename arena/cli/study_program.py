"""Play the study of a file that was started as a program: `python two_llms_debate.py number=30`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from arena.arena import Arena
from arena.errors import ArenaError
from arena.play.run import RunSelection
from arena.studies.study import Study
from arena.tournaments.study_file import load_study

ANEW = "--anew"


def run_study_program(file: str | Path, show: Callable[[Arena, Study], None]) -> None:
    """Play the study of a file that was started as a program, then show its results.

    Options such as "number=30" are read from the command line, and the store is the default one;
    --anew plays anew what an earlier version of a protocol has played.  `show` gets the arena and
    the study after the summary is printed.  Exits with status 1 if an episode failed, and with
    status 2 and one sentence on an ArenaError.
    """
    try:
        options = [word for word in sys.argv[1:] if word != ANEW]
        study = load_study(file, options)
        arena = Arena()
        summary = arena.run(study, selection=RunSelection(anew=ANEW in sys.argv[1:]))
        print(summary)
        show(arena, study)
    except ArenaError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if summary.failed else 0)
