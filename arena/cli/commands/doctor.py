"""Add `arena doctor`, which prints what is there and what is missing."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from arena.cli.commands import Command, add_flag
from arena.text import printable

if TYPE_CHECKING:
    from arena.cli.checkup import Check, PackageCheck

MARKS = {"ok": "ok", "absent": "-", "warning": "!", "stops": "STOP"}
# The widths of the columns before the findings.
MARK, NAME = 6, 8


def add(command: Command) -> None:
    """Add the command to the parser."""
    doctor = command(
        "doctor",
        examine,
        "what is there and what is missing: packages, names, plugins, keys (by name), GPU, disk,"
        " store",
    )
    add_flag(doctor, "--json", "as one JSON object")


def examine(options: argparse.Namespace) -> int:
    """Run `arena doctor`; return 1 if something would stop a run."""
    from arena.cli import checkup

    packages = checkup.packages()
    machine = checkup.machine()
    rest = [
        *checkup.names(),
        *checkup.plugins(),
        *checkup.keys(),
        checkup.gpu(),
        checkup.disk(options.db),
        *checkup.store(options.db),
    ]
    checks = [*machine, *rest]
    states = [*(check.state for check in checks), *(package.state for package in packages)]
    stops = states.count("stops")
    if options.json:
        result = {
            "ok": not stops,
            "checks": [asdict(check) for check in checks],
            "packages": [asdict(package) for package in packages],
        }
        print(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        print_checks([*machine, *package_lines(packages), *rest])
        things = "1 thing" if stops == 1 else f"{stops} things"
        print(f"\n{things} would stop a run" if stops else "\nnothing here would stop a run")
    return 1 if stops else 0


def package_lines(packages: Sequence[PackageCheck]) -> list[Check]:
    """Return a line for each part of ours: its packages with their versions, and what is wrong."""
    from arena.cli.checkup import Check

    lines = []
    for extra in dict.fromkeys(package.extra for package in packages):
        part = [package for package in packages if package.extra == extra]
        found = ", ".join(describe(package) for package in part)
        # From the worst that any of them has.
        state = max((package.state for package in part), key=list(MARKS).index)
        ours = "peer-arena" if extra == "base" else f"peer-arena[{extra}]"
        remedy = "" if state == "ok" else f"pip install '{ours}'"
        lines.append(Check(extra, state, found, remedy))
    return lines


def describe(package: PackageCheck) -> str:
    """Return a package with its version, marked if it is missing or out of range."""
    if package.version is None:
        return f"{package.name} is not installed"
    if package.state == "ok":
        return f"{package.name} {package.version}"
    return f"{package.name} {package.version} IS OUT OF RANGE ({package.wanted})"


def print_checks(checks: Sequence[Check]) -> None:
    """Print a line for each check, with a mark, wrapped to the terminal."""
    width = max(60, min(shutil.get_terminal_size().columns, 100))
    for check in checks:
        words = check.found + (f"; {check.remedy}" if check.remedy else "")
        head = f"{MARKS[check.state]:{MARK}}{check.name:{NAME}}"
        lines = textwrap.wrap(
            printable(words),
            width,
            initial_indent=head,
            subsequent_indent=" " * (MARK + NAME),
            break_long_words=False,
            break_on_hyphens=False,
        )
        print("\n".join(lines))
