"""Provide stores as users have them, the viewer over HTTP, and a browser that reports any fault."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from arena.cli.main import main
from tests.chromium import chromium
from tests.publication import folder

ROOT = Path(__file__).resolve().parents[3]


def make_store_once(factory: pytest.TempPathFactory, name: str, *words: str) -> Path:
    """Return the store that a command makes; the first worker of the test run makes it."""
    workers = "PYTEST_XDIST_WORKER" in os.environ
    folder = (factory.getbasetemp().parent if workers else factory.getbasetemp()) / "stores"
    folder.mkdir(exist_ok=True)
    db = folder / f"{name}.duckdb"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The store is complete only with this mark: a killed run leaves half of one.
        if not (done := folder / f"{name}.done").exists():
            assert main([*words, "--db", str(db)]) == 0
            done.touch()
    return db


@pytest.fixture(scope="session")
def published_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the published debates, or made-up ones if they are not here."""
    return make_store_once(
        tmp_path_factory, "published", "import", "llms-overconfidence", str(folder())
    )


@pytest.fixture(scope="session")
def tournament(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a simulated tournament and its juries."""
    return make_store_once(
        tmp_path_factory, "cup", "run", str(ROOT / "experiments" / "tournament.py")
    )


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a LeaP run on the toy model, and independent paths."""
    return make_store_once(
        tmp_path_factory,
        "leap",
        "run",
        str(ROOT / "experiments" / "leap.py"),
        "-o",
        "number=2",
        "-o",
        "paths=3",
        "-o",
        "controls=",
    )


@dataclass(frozen=True)
class RunningViewer:
    """The address of a running viewer, and the address with the token."""

    url: str
    with_token: str


@contextmanager
def viewer(db: Path, *words: str) -> Iterator[RunningViewer]:
    """Run `arena view` in a process of its own for the length of the block."""
    command = [sys.executable, "-m", "arena", "view", "--db", str(db), "--port", "0", *words]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(2)]
        address = printed[1].strip()
        yield RunningViewer(address.partition("/?")[0], address)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], RunningViewer]]:
    """Return `serve(db)`, which starts the viewer of a store once for the session."""
    running: dict[Path, object] = {}
    started: dict[Path, RunningViewer] = {}

    def start_viewer(db: Path) -> RunningViewer:
        if db not in started:
            running[db] = viewer(db)
            started[db] = running[db].__enter__()  # type: ignore[attr-defined]
        return started[db]

    yield start_viewer
    for context in running.values():
        context.__exit__(None, None, None)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a headless Chromium; fail if there is none, so that CI cannot skip these tests."""
    where = chromium()
    assert where, "no Chromium: run `python -m tests.chromium`, which finds or installs one"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page whose console must stay silent and whose requests must all be answered."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    complaints: list[str] = []

    def note_message(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.text} ({message.location.get('url')})")

    tab.on("console", note_message)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    # A request that the reader left behind by going on to another page is no fault.
    tab.on(
        "requestfailed",
        lambda request: (
            request.failure != "net::ERR_ABORTED" and complaints.append(f"failed: {request.url}")
        ),
    )
    yield tab
    context.close()
    assert complaints == []
