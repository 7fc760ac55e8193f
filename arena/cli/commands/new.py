"""Add `arena new`, which writes a study file to change."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from arena.cli.commands import Command


def add(command: Command) -> None:
    """Add the command to the parser."""
    new = command("new", write_study, "write a study file, a copy of one that comes with arena")
    new.add_argument("study", help="the new study's name, or its file; nothing is overwritten")
    source = (
        "the study to copy (default: the one of the same name if there is one, else"
        " two_llms_debate)"
    )
    new.add_argument("--from", dest="source", metavar="STUDY", help=source)


def write_study(options: argparse.Namespace) -> int:
    """Run `arena new`: write the copy, and say how to run it."""
    from arena.tournaments.shipped import FIRST, copy_study, shipped_studies

    name = options.study.removesuffix(".py")
    source = options.source or (Path(name).name if Path(name).name in shipped_studies() else FIRST)
    file = Path(f"{name}.py")
    copy_study(file, source)
    print(
        f"wrote {file}, a copy of {source}: change it, and run it with"
        f"  arena run {shlex.quote(name)}"
    )
    return 0
