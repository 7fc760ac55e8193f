"""The journal: durable lines, rotation, and a disk that takes no more."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from arena.errors import StoreError
from arena.store import journal as journal_module
from arena.store.checksums import is_whole
from arena.store.journal import Journal, line, write_journal
from arena.store.locks import is_locked
from arena.store.schema import SCHEMA_VERSION
from arena.text import writable


async def test_durable_returns_when_the_lines_are_in_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "r")
    journal.append(line("subjects", {"subject": "a"}), line("subjects", {"subject": "b"}))
    await journal.wait_until_durable()
    lines = (tmp_path / "r-000.jsonl").read_bytes().splitlines(keepends=True)
    assert all(map(is_whole, lines))
    rows = [{**orjson.loads(text), "crc": ...} for text in lines]
    assert rows == [
        {"t": "journal", "schema_version": SCHEMA_VERSION, "crc": ...},
        {"t": "subjects", "subject": "a", "crc": ...},
        {"t": "subjects", "subject": "b", "crc": ...},
    ]


async def test_many_waiters_share_few_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (syncs.append(fd), fsync(fd)))
    journal = Journal(tmp_path, "r")
    await asyncio.gather(*(journal.wait_until_durable() for _ in range(200)))
    assert 1 <= len(syncs) <= 3


async def test_a_journal_is_open_for_as_long_as_its_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "r")
    assert is_locked(tmp_path / "r-000.jsonl")
    journal.close()
    assert not is_locked(tmp_path / "r-000.jsonl")


async def test_a_full_segment_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 150)
    journal = Journal(tmp_path, "r")
    for number in range(5):
        journal.append(line("subjects", {"subject": str(number), "text": "x" * 60}))
        await journal.wait_until_durable()
    journal.close()
    files = sorted(tmp_path.glob("*.jsonl"))
    assert [file.name for file in files] == ["r-000.jsonl", "r-001.jsonl", "r-002.jsonl"]
    assert sum(file.read_bytes().count(b'"t":"subjects"') for file in files) == 5


async def test_the_name_of_each_segment_is_on_the_disk_by_one_sync_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1)
    journal = Journal(tmp_path, "r")
    assert synced == [True]
    for _ in range(3):
        journal.append(line("subjects", {"subject": "a"}))
        await journal.wait_until_durable()
    journal.close()
    # A group, the end of its segment, and the next one's name; at last the end of an empty one.
    assert synced == [True, *[False, False, True] * 3, False]
    synced.clear()
    write_journal(tmp_path / "i.jsonl", [line("subjects", {"subject": "a"})])
    assert synced == [False, True]


def test_a_journal_whose_first_line_does_not_fit_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, block: write(descriptor, block[:9]))
        with pytest.raises(StoreError, match=r"r-000\.jsonl: No space left on device"):
            Journal(tmp_path, "r")
    assert list(tmp_path.iterdir()) == []
    Journal(tmp_path, "r").close()
    assert not is_locked(tmp_path / "r-000.jsonl")


async def test_after_a_failed_write_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "r")

    def full(descriptor: int, block: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StoreError, match="No space left on device; free space"):
            journal.append(b"{}\n")
    with pytest.raises(StoreError, match="No space left"):
        journal.append(b"{}\n")
    with pytest.raises(StoreError, match="No space left"):
        await journal.wait_until_durable()


async def test_a_failed_sync_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "r")

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    journal.append(b"{}\n")
    with pytest.raises(StoreError, match="Input/output error"):
        await journal.wait_until_durable()


async def test_a_failed_sync_at_the_end_of_a_segment_ends_the_run_and_hangs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def second_fails(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1)
    journal = Journal(tmp_path, "r")
    monkeypatch.setattr(os, "fsync", second_fails)
    journal.append(line("subjects", {"subject": "a"}))
    await journal.wait_until_durable()
    with pytest.raises(StoreError, match="takes no more: Input/output error"):
        await asyncio.wait_for(journal.wait_until_durable(), 10)
    with pytest.raises(StoreError, match="takes no more: Input/output error"):
        journal.append(line("subjects", {"subject": "b"}))
    journal.close()
    assert (tmp_path / "r-000.jsonl").read_bytes().splitlines()[-1].startswith(b'{"t":"end"')


def test_a_failed_last_sync_is_an_error_in_words_and_lets_the_journal_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = Journal(tmp_path, "r")
    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match="takes no more: Input/output error"):
        journal.close()
    assert not is_locked(tmp_path / "r-000.jsonl")


async def test_a_stopped_run_leaves_nothing_to_sync_after_the_journal_is_closed(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path, "r")
    journal.append(line("subjects", {"subject": "a"}))
    waiting = asyncio.create_task(journal.wait_until_durable())
    await asyncio.sleep(0)
    waiting.cancel()
    journal.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(left)
    assert len(left) == 2
    assert all(task.cancelled() for task in left)


def test_a_whole_journal_appears_at_once_or_not_at_all(tmp_path: Path) -> None:
    def lines() -> object:
        yield line("subjects", {"subject": "a"})
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreError):
        write_journal(tmp_path / "i.jsonl", lines())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "kept"), [("plain", "plain"), ("é\ud800", "é\ufffd"), ("\x00\u2028", "\x00\u2028")]
)
def test_writable_text_survives_json(text: str, kept: str) -> None:
    assert writable(text) == kept
    assert orjson.loads(line("subjects", {"text": writable(text)}))["text"] == kept


async def test_lines_for_later_go_before_the_next_ones_or_by_themselves(tmp_path: Path) -> None:
    journal, file = Journal(tmp_path, "r"), tmp_path / "r-000.jsonl"
    journal.append_later(line("subjects", {"subject": "a"}))
    assert file.read_bytes().count(b"\n") == 1
    journal.append(line("subjects", {"subject": "b"}))
    journal.append_later(line("subjects", {"subject": "c"}))
    await asyncio.sleep(0.2)
    journal.append_later(line("subjects", {"subject": "d"}))
    await journal.wait_until_durable()
    journal.append_later(line("subjects", {"subject": "e"}))
    journal.close()
    *lines, end = [orjson.loads(text) for text in file.read_bytes().splitlines()]
    assert [row.get("subject") for row in lines] == [None, "a", "b", "c", "d", "e"]
    assert (end["t"], end["lines"]) == ("end", 6)


def test_a_disk_that_takes_no_more_at_the_very_end_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ends of episodes are written later: if that fails, the run must not call them done."""
    from arena.play.run import Arena
    from tests.fake_agents import study

    whole = os.write

    def full(descriptor: int, block: bytes) -> int:
        if b'"t":"statuses"' in block:
            raise OSError(28, "No space left on device")
        return whole(descriptor, block)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="takes no more"):
        Arena(tmp_path / "a.duckdb").run(study(subjects=1))
    monkeypatch.undo()
    assert Arena(tmp_path / "a.duckdb").run(study(subjects=1)).replies == 0


def test_a_journal_of_an_import_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    def lines() -> Iterator[bytes]:
        yield line("plays", {"episode": "e"})
        raise TypeError("a row that cannot be written")

    with pytest.raises(TypeError):
        write_journal(tmp_path / "import.jsonl", lines())
    assert list(tmp_path.iterdir()) == []
