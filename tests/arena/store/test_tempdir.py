"""The folder for a process's temporary files: gone with the process, however that ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arena.store.journal import line, write_journal

OWNER = (
    "from arena.store.tempdir import scratch; (scratch() / 'left.txt').write_text('x');"
    " print(scratch(), flush=True); input()"
)


def owner(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that has such a folder and waits; return it and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_it_goes_when_its_process_ends(tmp_path: Path) -> None:
    process, folder = owner(tmp_path)
    assert (folder / "left.txt").exists()
    process.communicate("\n", timeout=30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_killed_process_has_left_goes_when_the_next_begins(
    tmp_path: Path, end: signal.Signals
) -> None:
    killed, left = owner(tmp_path)
    killed.send_signal(end)
    killed.communicate(timeout=30)
    assert (left / "left.txt").exists()
    following, folder = owner(tmp_path)
    assert list(tmp_path.iterdir()) == [folder]
    following.communicate("\n", timeout=30)


def test_the_folder_of_a_living_process_and_folders_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "arena-of-somebody").mkdir()
    first, folder = owner(tmp_path)
    second, _ = owner(tmp_path)
    second.communicate("\n", timeout=30)
    assert (folder / "left.txt").exists()
    first.communicate("\n", timeout=30)
    assert [file.name for file in tmp_path.iterdir()] == ["arena-of-somebody"]


@pytest.mark.slow
def test_a_reader_that_is_terminated_leaves_nothing_for_long(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from arena.store.database import create, query, journal_folder\n"
        "from arena.store.journal import write_journal, line\n"
        f"path = Path({str(tmp_path / 'a.duckdb')!r}); create(path)\n"
        "write_journal(journal_folder(path) / 'j.jsonl', [line('subjects', {'subject': 'a'})])\n"
        "print(query(path, 'select subject from subjects').rows, flush=True); input()"
    )
    place = tmp_path / "temporary"
    place.mkdir()
    env = {**os.environ, "TMPDIR": str(place)}
    reader = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline().strip() == "(('a',),)"
    reader.terminate()
    reader.communicate(timeout=30)
    [left] = place.iterdir()
    assert [*left.rglob("pending.duckdb")] != []
    following, folder = owner(place)
    assert list(place.iterdir()) == [folder]
    following.communicate("\n", timeout=30)


def test_a_disk_that_fills_while_lines_are_sorted_out_is_an_error_and_no_shorter_file(
    tmp_path: Path,
) -> None:
    rows = [line("subjects", {"subject": f"{number}", "text": "x" * 1000}) for number in range(970)]
    write_journal(tmp_path / "j.jsonl", rows)
    code = (
        "import resource; from pathlib import Path\n"
        "from arena.store.journal_reader import JournalReader\n"
        "from arena.store.unfolded import split_by_table\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6,) * 2)\n"
        f"journal = JournalReader(Path({str(tmp_path / 'j.jsonl')!r}))\n"
        "with split_by_table([journal]) as parts: print(parts)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert 10**6 < sum(map(len, rows)) < 2**20
    assert (ended.stdout, "OSError" in ended.stderr) == ("", True)
