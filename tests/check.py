"""Run everything that a release must pass: `make check`, or `python -m tests.check`.

Steps run one after the other, cheapest first, and two at a time where each leaves a core idle.  A
step that cannot run here (another Python that is not installed, say) is left out and listed with
its reason at the end, together with the tests that skipped themselves.  Exit status 1 if any step
fails.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests import wheel
from tests.wheel import PIP, environment, run

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
# Beside the Python of `make`, which runs every test.
OTHER_PYTHONS = ("3.12", "3.13", "3.14")
# What the tests of the rooms below need; torch and the SDKs are tested with the main Python.
LIGHT = (
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "pytest-xdist",
    "hypothesis",
    "choix",
    "filelock",
)
LIGHT_TESTS = (
    *("tests/arena/calls", "tests/arena/play", "tests/arena/store", "tests/arena/studies"),
    *("tests/analysis/statistics", "tests/protocols/parsing"),
)
BETWEEN_TESTS = ("tests/arena/store/test_journal.py", "tests/arena/play/test_episode.py")
PLUGIN = ROOT / "docs" / "examples" / "arena_inspect"
OLDER_DUCKDB = "1.4"
KILLS = 50
NEVER = (
    "GPU, model weights from a hub, paid APIs: no check may need them",
    "campaigns of hundreds of kills, coverage of intervals, speed: experiments/benchmarks/",
)


class LeftOutError(Exception):
    """A step cannot run here; the message says why."""


@dataclass
class Outcome:
    """What the steps came to: seconds by step, failures, and what was left out with its reason."""

    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def lint(outcome: Outcome) -> None:
    """Check style and format."""
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")


def types(outcome: Outcome) -> None:
    """Check types, strictly."""
    run(PYTHON, "-m", "mypy")


def quick_tests(outcome: Outcome) -> None:
    """Run the tests of `make test`."""
    note_skipped(outcome, run(PYTHON, "-m", "pytest"))


def slow_tests(outcome: Outcome) -> None:
    """Run the tests that `make test` leaves out."""
    note_skipped(outcome, run(PYTHON, "-m", "pytest", "-m", "slow"))


def note_skipped(outcome: Outcome, output: str) -> None:
    """Take the tests that skipped themselves into the list of what was left out."""
    for count, place, why in re.findall(r"^SKIPPED \[(\d+)\] (\S+?): (.*)$", output, re.MULTILINE):
        outcome.left_out.append(f"{count} test(s) of {place}: {why}")


def wheel_as_users_do(outcome: Outcome) -> None:
    """Install the wheel into a new environment, and use it in an empty folder, on two systems."""
    file = wheel.built()
    wheel.check_contents(file)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(PYTHON, folder / "venv", f"{file}[view]")
        wheel.use(python, folder / "here")
        # Where fcntl, resource, fork hooks and what else Windows lacks do not exist, and filelock
        # is installed with the wheel.
        run(python, *PIP, "filelock")
        wheel.use(python, folder / "there", other_system=True)


def plugins(outcome: Outcome) -> None:
    """Install the example of a plugin with Inspect AI beside the wheel, and run its tests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(PYTHON, folder / "venv", str(wheel.built()), "openai", "pytest")
        try:
            run(python, *PIP, "inspect-ai<0.4")
        except subprocess.CalledProcessError as error:
            raise LeftOutError("inspect-ai cannot be installed on this machine") from error
        run(python, *PIP, PLUGIN)
        # In another folder, so that the installed packages are tested, and not the files beside.
        shutil.copy(PLUGIN / "test_arena_inspect.py", folder)
        pytest = ("-m", "pytest", "-q", "--import-mode=importlib", "test_arena_inspect.py")
        run(python, *pytest, cwd=folder)


def older_duckdb(outcome: Outcome) -> None:
    """Open stores with the oldest DuckDB that reads them: everything in them has the same rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        older = folder / OLDER_DUCKDB
        try:
            run(PYTHON, *PIP, "--no-deps", "--target", older, f"duckdb=={OLDER_DUCKDB}.*")
        except subprocess.CalledProcessError as error:
            raise LeftOutError(f"pip found no DuckDB {OLDER_DUCKDB}") from error
        arena = (PYTHON, "-m", "arena")
        ours = {"PYTHONPATH": str(ROOT)}
        run(*arena, "demo", "--db", "demo.duckdb", cwd=folder, environment=ours)
        for study, *options in (
            ("tournament", "-o", "judges=sim/judge"),
            ("self_agreement", "-o", "number=3", "-o", "calls=16", "-o", "protocols=leap"),
        ):
            program = ROOT / "experiments" / f"{study}.py"
            words = (*arena, "run", program, *options, "--db", f"{study}.duckdb")
            run(*words, cwd=folder, environment=ours)
        shutil.unpack_archive(ROOT / "tests" / "data" / "v0_1_0" / "finished.tar.gz", folder)
        run(*arena, "tidy", "store.duckdb", "--rewrite", cwd=folder, environment=ours)
        count = (PYTHON, ROOT / "tests" / "older_duckdb.py", *sorted(folder.glob("*.duckdb")))
        _, rows = json.loads(run(*count))
        version, rows_there = json.loads(run(*count, environment={"PYTHONPATH": str(older)}))
        if not version.startswith(f"{OLDER_DUCKDB}."):
            raise AssertionError(f"DuckDB {version} was found in place of {OLDER_DUCKDB}")
        if rows_there != rows:
            raise AssertionError(f"DuckDB {version} reads other rows")


def other_python(version: str) -> Callable[[Outcome], None]:
    """Return the step that uses another Python."""

    def step(outcome: Outcome) -> None:
        """Install the wheel and run the demo; with the newest also what needs no torch and SDK."""
        base = find_python(version)
        if base is None:
            raise LeftOutError(f"there is no Python {version} on this machine")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            file = f"{wheel.built()}[mixed,peers,view]"
            python = environment(base, folder / "venv", file, *LIGHT)
            # In another folder, so that the installed packages are tested, and not the files here.
            wheel.copy_tests(folder / "copy")
            run(python.with_name("arena"), "demo", cwd=folder / "copy")
            # Between the oldest, which runs all tests, and the newest there is little to differ.
            tests = LIGHT_TESTS if version == newest_python() else BETWEEN_TESTS
            run(python, "-m", "pytest", "-m", "not slow", *tests, cwd=folder / "copy")

    return step


def find_python(version: str) -> Path | None:
    """Return a Python of this version that starts, None if there is none here."""
    return next((path for path in candidates(version) if runs(path)), None)


def newest_python() -> str | None:
    """Return the newest version that is on this machine."""
    return next((each for each in reversed(OTHER_PYTHONS) if find_python(each)), None)


def candidates(version: str) -> Iterator[Path]:
    """The places where a Python of this version may be."""
    if (path := shutil.which(f"python{version}")) is not None:
        yield Path(path)
    yield from sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))


def runs(path: Path) -> bool:
    """Whether a Python starts: a shim may stand for one that is not there."""
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


def kills(outcome: Outcome) -> None:
    """Kill runs at random moments: nothing may be lost, changed or asked for again."""
    program = ROOT / "experiments" / "benchmarks" / "crashes.py"
    run(PYTHON, program, "--kills", str(KILLS))


STEPS: dict[str, Callable[[Outcome], None]] = {
    "style": lint,
    "types": types,
    "tests": quick_tests,
    "slow tests": slow_tests,
    "wheel in a new environment": wheel_as_users_do,
    "plugins": plugins,
    f"DuckDB {OLDER_DUCKDB}": older_duckdb,
    **{f"Python {version}": other_python(version) for version in OTHER_PYTHONS},
    f"{KILLS} kills": kills,
}
# They leave a core idle, so that two run at a time.
ON_ONE_CORE = ("wheel in a new environment", "plugins", f"DuckDB {OLDER_DUCKDB}", f"{KILLS} kills")


def take(name: str, outcome: Outcome, report: Callable[[str], object] = print) -> None:
    """Run one step, and note what came of it."""
    began = time.monotonic()
    try:
        STEPS[name](outcome)
    except LeftOutError as error:
        outcome.left_out.append(f"{name}: {error}")
    except (subprocess.CalledProcessError, AssertionError) as error:
        report(str(error))
        outcome.failed.append(name)
    outcome.seconds[name] = time.monotonic() - began


def take_silently(outcome: Outcome, name: str) -> list[str]:
    """Run one step beside another, and return the lines that it has printed."""
    lines: list[str] = []
    wheel.KEPT_LINES.set(lines)
    take(name, outcome, lines.append)
    return [line.rstrip("\n") for line in lines]


def main() -> int:
    """Run all steps, or those that are named; print a summary."""
    chosen = sys.argv[1:] or list(STEPS)
    unknown = [name for name in chosen if name not in STEPS]
    if unknown:
        print(f"no step {unknown[0]!r}; there are: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    outcome = Outcome()
    for name in chosen:
        if name not in ON_ONE_CORE:
            print(f"\n=== {name} ===", flush=True)
            take(name, outcome)
    beside = [name for name in chosen if name in ON_ONE_CORE]
    if beside:
        wheel.built()
    with ThreadPoolExecutor(2) as pool:
        printed = pool.map(partial(take_silently, outcome), beside)
        for name, lines in zip(beside, printed, strict=True):
            print(f"\n=== {name} ===", *lines, sep="\n", flush=True)
    print("\n=== summary ===")
    for name, seconds in outcome.seconds.items():
        verdict = "FAILED" if name in outcome.failed else "ok"
        print(f"{name:30} {seconds:6.0f} s  {verdict}")
    print("left out:")
    for line in (*outcome.left_out, *NEVER):
        print(f"  {line}")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
