"""Folded journals go when the database has all their rows, and stay when it has not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arena.cli.commands.play import print_journals_left
from arena.cli.main import main
from arena.play.run import Arena
from arena.store import database, folding, unfolded, verification
from arena.store.connection import writing
from arena.store.database import (
    create,
    fold,
    journal_folder,
    journals,
    query,
    remove_folded,
    remove_if_quick,
)
from arena.store.folding import FoldResult
from arena.store.journal import first_line, line, open_segment, write_journal
from arena.store.journal_reader import JournalReader
from arena.store.locks import lock
from arena.store.unfolded import split_by_table, stamp
from tests.fake_agents import agent, study

DATA = Path(__file__).resolve().parents[2] / "data" / "v0_1_0"
TURN = {"episode": "e", "seat": "a", "step": 0, "text": "Said."}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "a.duckdb")
    return tmp_path / "a.duckdb"


def put(path: Path, *lines: bytes, name: str = "j", age_s: int = 7200) -> Path:
    """Write the journal of a killed run that was last written to some time ago."""
    journal = journal_folder(path) / f"{name}.jsonl"
    journal.write_bytes(b"".join((first_line(), *lines)))
    written = journal.stat().st_mtime - age_s
    os.utime(journal, (written, written))
    return journal


def reasons(path: Path) -> list[str | None]:
    """Why `arena tidy` keeps each journal; None for one that it removed."""
    return [removal.kept for removal in remove_folded(path)]


def test_a_run_that_ended_leaves_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    Arena(path).run(study(agent(), subjects=1))
    assert journals(path) == []
    assert query(path, "select count(*) from turns").rows == ((6,),)
    assert Arena(path).run(study(agent(), subjects=1)).replies == 0


def test_a_journal_without_an_end_stays_until_it_is_tidied(path: Path) -> None:
    put(path, line("turns", TURN), line("turns", TURN)[:9])
    assert fold(path).journals == 1
    assert len(journals(path)) == 1
    assert reasons(path) == [None]
    assert (journals(path), query(path, "select text from turns").rows) == ([], (("Said.",),))


@pytest.mark.parametrize("table", ["turns", "subjects"])
def test_a_journal_stays_if_a_row_of_it_is_missing_in_the_database(path: Path, table: str) -> None:
    put(path, line("turns", TURN), line("subjects", {"subject": "a"}))
    fold(path)
    with writing(path, wait_s=1) as con:
        con.execute(f"delete from {table}")
    assert reasons(path) == [f"the table {table} has other rows"]


def test_a_journal_stays_if_a_reply_is_another_one_in_the_database(path: Path) -> None:
    put(path, line("turns", TURN))
    fold(path)
    with writing(path, wait_s=1) as con:
        con.execute("update turns set thoughts = 'x'")
    assert reasons(path) == ["the table turns has other rows"]


def test_a_later_version_of_a_motion_is_no_reason_to_keep_a_journal(path: Path) -> None:
    put(path, line("subjects", {"subject": "a", "source": "one"}), name="1")
    put(path, line("subjects", {"subject": "a", "source": "two"}), name="2")
    fold(path)
    assert reasons(path) == [None, None]


def test_journals_that_may_still_be_needed_stay(path: Path) -> None:
    put(path, line("turns", TURN), line("later", {"a": 1}), name="1")
    put(path, b"x" + line("turns", TURN), name="2")
    put(path, age_s=60, name="3")
    folded = put(path, name="4")
    fold(path, leave_out_damaged=True)
    put(path, name="5")
    with lock(folded):
        kept = reasons(path)
    assert [str(reason)[:20] for reason in kept] == [
        "it has lines that ar",
        "1 of its lines are d",
        "nothing in it says t",
        "a run is writing it",
        "it is not folded yet",
    ]


def test_a_journal_stays_if_an_earlier_one_has_another_reply_to_the_same_request(
    path: Path,
) -> None:
    put(path, line("turns", TURN), name="1")
    put(path, line("turns", {**TURN, "text": "Said otherwise."}), name="2")
    put(path, line("turns", {**TURN, "step": 1}), name="3")
    fold(path)
    assert reasons(path) == [None, "the table turns has other rows", None]


@pytest.mark.parametrize("more", [0, 3])
def test_a_journal_that_has_grown_since_it_was_folded_stays(path: Path, more: int) -> None:
    grown = put(path, line("turns", TURN), name="0")
    for number in range(1, more + 1):
        put(path, line("turns", {**TURN, "step": number}), name=str(number))
    fold(path)
    with grown.open("ab") as file:
        file.write(line("turns", {**TURN, "step": 9}))
    assert reasons(path) == ["it is not folded yet", *[None] * more]


def test_many_journals_are_read_folded_and_compared_together(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    for module in (unfolded, folding, verification):

        @contextmanager
        def count(readers: Sequence[JournalReader], *more: int) -> Iterator[Any]:
            looks.append(len(readers))
            with split_by_table(readers, *more) as parts:
                yield parts

        monkeypatch.setattr(module, "split_by_table", count)
    for number in range(40):
        row = line("turns", {**TURN, "step": number})
        write_journal(journal_folder(path) / f"{number:02}.jsonl", [row])
    assert query(path, "select count(*) from turns").rows == ((40,),)
    assert fold(path).journals == 40
    assert journals(path) == []
    assert looks == [40, 40, 40]


def test_tidy_says_what_it_removes_and_what_stays(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, line("turns", TURN), name="1")
    put(path, b"x" + line("turns", TURN), name="2")
    assert main(["tidy", str(path)]) == 0
    said = capsys.readouterr()
    assert "2.jsonl: line 2 is damaged" in said.err
    assert "kept" in said.out
    assert "2.jsonl (0.0 MB): it is not folded yet" in said.out
    assert "removed 1 folded journal, 0.0 MB: all their rows are in" in said.out
    assert not (journal_folder(path) / "1.jsonl").exists()


def test_tidy_counts_no_journal_that_a_run_opens_meanwhile(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_and_fold(path: Path) -> FoldResult:
        opened.append(open_segment(journal_folder(path) / "2.jsonl"))
        return fold(path)

    put(path, line("turns", TURN), name="1")
    monkeypatch.setattr(database, "fold", open_and_fold)
    assert main(["tidy", str(path)]) == 0
    [(descriptor, held)] = opened
    os.close(descriptor)
    held.release()
    said = capsys.readouterr().out
    assert "2.jsonl (0.0 MB): it is not folded yet" in said
    assert "removed 1 folded journal, 0.0 MB" in said


def test_tidy_says_that_there_is_nothing_to_remove_only_where_nothing_stays(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tidy", str(path)]) == 0
    assert capsys.readouterr().out == "there are no journals to remove\n"
    journal = put(path, line("turns", TURN), age_s=60)
    assert main(["tidy", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [text.split(" (")[0] for text in said] == [f"kept {journal}"]


def test_a_journal_larger_than_can_be_verified_at_once_waits_for_tidy(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database, "QUICK_REMOVAL_BYTES", 10)
    write_journal(journal_folder(path) / "i.jsonl", [line("turns", TURN)])
    assert fold(path) == FoldResult(1)
    assert len(journals(path)) == 1
    print_journals_left(path)
    assert "of journals are beside it; verify and remove them with: arena tidy" in (
        capsys.readouterr().out
    )
    assert reasons(path) == [None]
    print_journals_left(path)
    assert capsys.readouterr().out == ""


def fold_and_leave_a_log(path: Path) -> None:
    """Fold the journals of a store as a process that is killed before DuckDB's checkpoint."""
    code = (
        "import os; from pathlib import Path; from arena.store.connection import writing\n"
        "from arena.store.database import journals; from arena.store.folding import fold_into\n"
        f"path = Path({str(path)!r})\n"
        "with writing(path, wait_s=0) as con:\n"
        "    fold_into(con, journals(path)); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("linked", [False, True])
def test_a_journal_stays_while_its_rows_are_in_duckdbs_log_alone(
    path: Path, tmp_path: Path, linked: bool
) -> None:
    write_journal(journal_folder(path) / "i.jsonl", [line("turns", TURN)])
    name = path
    if linked:
        (tmp_path / "folder").mkdir()
        name = tmp_path / "folder" / "link.duckdb"
        name.symlink_to(path)
    before = stamp(name)
    fold_and_leave_a_log(name)
    log = tmp_path / "a.duckdb.wal"
    assert log.exists()
    assert stamp(name) == stamp(path) != before
    remove_if_quick(name, journals(name))
    assert len(journals(path)) == 1
    assert reasons(name) == [None]
    assert not log.exists()
    assert query(path, "select text from turns").rows == (("Said.",),)


def test_a_full_disk_is_named_with_what_is_safe_and_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, line("turns", TURN))

    def full(*_: object, **__: object) -> FoldResult:
        raise OSError(errno.EDQUOT, "Quota exceeded")

    monkeypatch.setattr(database, "fold_into", full)
    assert "the disk is full" in str(fold(path).put_off)
    assert "are safe: free space and run the same command again" in str(fold(path).put_off)


@pytest.mark.parametrize(
    ("version", "kept"),
    [pytest.param(1, "the table runs has other rows", marks=pytest.mark.slow), (3, None)],
)
def test_a_store_of_an_older_version_is_brought_up_to_date_before_it_is_compared(
    tmp_path: Path, version: int, kept: str | None
) -> None:
    with tarfile.open(DATA / f"schema_{version}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    path = tmp_path / "store.duckdb"
    before = path.read_bytes()
    # The journal of schema 1 has columns that its database never had.
    assert reasons(path) == [kept]
    assert (tmp_path / f"store.duckdb.backup-v{version}").read_bytes() == before
    assert query(path, "select count(*) from turns where public_status is null").rows == ((0,),)


@pytest.mark.slow
def test_a_store_that_lacks_the_latest_column_is_brought_up_to_date_too(tmp_path: Path) -> None:
    with tarfile.open(DATA / "finished.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    path = tmp_path / "store.duckdb"
    for journal in (tmp_path / "store.duckdb.journal").glob("*.jsonl"):
        os.utime(journal, (0, 0))
    assert set(reasons(path)) == {None}


def test_an_older_store_without_journals_stays_as_it_is(path: Path) -> None:
    with writing(path, wait_s=1) as con:
        con.execute("update store_info set schema_version = 3")
    before = path.read_bytes()
    assert reasons(path) == []
    assert path.read_bytes() == before
