"""Build the wheel, install it into a new environment, and use it as users do: from another folder.

`tests/check.py` runs this as steps of `make check`.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
import zipfile
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("arena", "agents", "protocols", "analysis")
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
# On the path of a child, it hides fcntl, resource, fork hooks and more from our packages.
OTHER_SYSTEM = ROOT / "tests" / "other_system"
# What only `make check` has, found behind everything that the wheel brings.
BORROWED = """
import sys
sys.path.append({site!r})
from agents.providers.prices import price_of_reference
from arena.cli.main import main
print("price:", price_of_reference("openai/gpt-4o-mini"))
words = "run leap -o number=1 -o paths=2 --db toy.duckdb".split()
sys.exit(main(words))
"""
TOO_LONG_S = 120
# What the tests read of the repository, besides themselves; the four packages stay behind.
BESIDE_TESTS = ("experiments", "pyproject.toml", "README.md", "docs")
# What commands print, if it is to be shown when they are all over; each thread has its own.
KEPT_LINES: ContextVar[list[str] | None] = ContextVar("kept_lines", default=None)


def show(line: str) -> None:
    """Print a line, or keep it for later where another step is running beside this one."""
    if (kept := KEPT_LINES.get()) is None:
        print(line, end="", flush=True)
    else:
        kept.append(line)


def run(*command: str | Path, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """Run a command, show what it prints, and return it.  Raises CalledProcessError."""
    show(" ".join(map(str, ("$", *command))) + "\n")
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        show(line)
        lines.append(line)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, [str(word) for word in command])
    return "".join(lines)


def environment(base: str | Path, folder: Path, *packages: str) -> Path:
    """Make a virtual environment with these packages; returns its Python."""
    run(base, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, *PIP, *packages)
    return python


@functools.cache
def built() -> Path:
    """The wheel, built once in a run of the checks."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--wheel-dir", folder, ROOT)
    (file,) = folder.glob("*.whl")
    return file


def check_contents(file: Path) -> None:
    """Compare the wheel's files with the repository's, and let check-wheel-contents look at it."""
    members = set(zipfile.ZipFile(file).namelist())
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file())
    listed = [file.relative_to(ROOT).as_posix() for file in files if file.suffix != ".pyc"]
    studies = [f"arena/shipped/{path.name}" for path in (ROOT / "experiments").glob("*.py")]
    wanted = {*listed, *studies} - {"arena/shipped/screenshots.py"}
    info = {member for member in members if ".dist-info/" in member}
    if missing := wanted - members:
        raise AssertionError(f"the wheel lacks {', '.join(sorted(missing))}")
    if strange := members - wanted - info:
        raise AssertionError(f"the wheel also holds {', '.join(sorted(strange))}")
    if not any(member.endswith("licenses/LICENSE") for member in info):
        raise AssertionError("the wheel lacks LICENSE")
    # W009: four packages beside each other, which is the layout that was asked for.
    run(sys.executable, "-m", "check_wheel_contents", "--ignore", "W009", file)


def use(python: Path, folder: Path, other_system: bool = False) -> None:
    """Do in an empty folder what the README shows first.  Raises AssertionError."""
    folder.mkdir()
    arena = python.with_name("arena")
    hidden = {"PYTHONPATH": str(OTHER_SYSTEM)} if other_system else {}

    def expect(words: str, *command: str) -> None:
        """Run a command of ours, which must print these words."""
        if words not in run(arena, *command, cwd=folder, environment=hidden):
            raise AssertionError(f"arena {' '.join(command)} did not print {words!r}")

    expect("180 of 180 episodes done", "demo")
    expect("18 of 18 episodes done", "run", "two_llms_debate")
    expect("wrote mine.py", "new", "mine")
    expect("mine_self: 2 of 18 episodes done", "run", "mine", "--limit", "2")
    run(python, "mine.py", cwd=folder, environment=hidden)
    expect("calls", "run", "mine", "--dry-run", "--price", "sim/modest=1,2", "--db", "new.duckdb")
    expect("the report is in report.html", "report", "--db", "demo.duckdb", "--html", "report.html")
    expect("nothing here would stop a run", "doctor")
    fetch_a_page(arena, folder, hidden)
    borrow(python, folder, hidden)


def fetch_a_page(arena: Path, folder: Path, hidden: dict[str, str]) -> None:
    """Start the viewer and read its first page."""
    print("$", arena, "view", flush=True)
    viewer = subprocess.Popen(
        [arena, "view", "--db", "demo.duckdb"],
        cwd=folder,
        env={**os.environ, **hidden},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert viewer.stdout is not None
    try:
        viewer.stdout.readline()
        address = viewer.stdout.readline().strip()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(address, timeout=TOO_LONG_S).read().decode()
    finally:
        viewer.kill()
        viewer.communicate()
    if "demo" not in page:
        raise AssertionError("the viewer's first page does not name the study of the demonstration")


def borrow(python: Path, folder: Path, hidden: dict[str, str]) -> None:
    """Let the toy of the wheel answer with this environment's torch, and LiteLLM's map price."""
    if not all(map(find_spec, ("torch", "transformers", "litellm"))):
        print("torch or LiteLLM is not installed here: the toy is not asked")
        return
    site = sysconfig.get_path("purelib")
    out = run(python, "-c", BORROWED.format(site=site), cwd=folder, environment=hidden)
    for words in ("price: Price(", "leap: 5 of 5 episodes done"):
        if words not in out:
            raise AssertionError(f"{words!r} was not printed")


def copy_tests(folder: Path) -> None:
    """Copy the tests, and what they read, to a folder without our packages."""
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignored)
    for name in BESIDE_TESTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
