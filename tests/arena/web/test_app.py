"""Test which pages are kept, shared, dropped and refused."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import arena.web.pages
from arena.errors import StoreError
from arena.web.app import Desk
from arena.web.lanes import BusyError, Lane, ReaderGoneError, end_if_gone, stop_when_gone
from arena.web.pages import FILES, KEYS, PAGES
from arena.web.site import ErrorContent, Page, Query, Site


def test_an_error_that_passes_is_not_kept_and_a_page_is(tmp_path: Path) -> None:
    calls = []

    def page(site: Site, name: str, query: Query) -> Page:
        """Fail the first time, as if another process held the store."""
        calls.append(name)
        if len(calls) == 1:
            raise StoreError("the store is held by another process")
        return Page("error.html", "There", ErrorContent("there it is"))

    async def ask() -> None:
        desk = Desk(Site(tmp_path / "a.duckdb"))
        answers = [await desk.get((page, "", (), False, "one moment")) for _ in range(3)]
        assert [status for status, _ in answers] == [503, 200, 200]
        assert len(calls) == 2
        assert (await desk.get((page, "", (), False, "another moment")))[0] == 200
        assert len(calls) == 3

    in_a_loop(ask())


def test_work_is_shared_taken_newest_first_refused_when_too_much_and_dropped_for_nobody() -> None:
    done: list[str] = []
    go = threading.Event()

    def work(name: str) -> str:
        go.wait(10)
        done.append(name)
        return name

    async def ask() -> None:
        lane = Lane(1, 4, "too much")
        tasks = {
            name: asyncio.create_task(lane.share(name[0], partial(work, name)))
            for name in ("first", "again", "b", "c", "also the same as again", "d", "e")
        }
        await asyncio.sleep(0)
        # The first runs; of five pieces that wait, four may: the oldest is refused, whoever asked.
        for name in ("again", "also the same as again"):
            with pytest.raises(BusyError, match="too much"):
                await tasks[name]
        tasks["c"].cancel()
        await asyncio.wait([tasks["c"]])
        go.set()
        assert await asyncio.gather(*(tasks[name] for name in ("first", "b", "d", "e"))) == [
            "first",
            "b",
            "d",
            "e",
        ]
        assert done == ["first", "e", "d", "b"]

    in_a_loop(ask())


def test_work_whose_last_reader_goes_is_told_to_end_and_never_joined() -> None:
    begun, stopped = threading.Event(), threading.Event()
    ends: list[BaseException] = []

    def work() -> None:
        stop_when_gone(stopped.set)
        begun.set()
        assert stopped.wait(10)
        try:
            end_if_gone()
        except ReaderGoneError as error:
            ends.append(error)
            raise

    async def ask() -> None:
        lane = Lane(1, 3, "too much")
        readers = [asyncio.create_task(lane.share("page", work)) for _ in range(2)]
        await asyncio.to_thread(begun.wait)
        readers[0].cancel()
        await asyncio.wait([readers[0]])
        assert not stopped.is_set()
        readers[1].cancel()
        await asyncio.wait([readers[1]])
        assert await lane.share("page", lambda: "anew") == "anew"
        assert len(ends) == 1

    in_a_loop(ask())


def test_every_key_that_a_page_reads_is_one_of_its_keys() -> None:
    assert KEYS.keys() == {kind for kind, _, _ in (*PAGES, *FILES)}
    folder = Path(arena.web.pages.__file__).parent
    texts = [file.read_text() for file in folder.glob("*.py") if file.name != "__init__.py"]
    read = {key for text in texts for key in re.findall(r'query(?:\.get\(|\[)"(\w+)"', text)}
    assert read <= {key for keys in KEYS.values() for key in keys}
    assert {"q", "private", "what", "sort", "only"} <= read


def in_a_loop(test: Coroutine[Any, Any, None]) -> None:
    """Run a test in a thread, since Playwright may run a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, test).result()
