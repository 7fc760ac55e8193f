"""Rewriting: the same rows in the format of new files, and a whole store after every kill."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from arena.cli.main import main
from arena.errors import StoreError
from arena.store import connection, durable
from arena.store import rewrite as rewriting
from arena.store.connection import writing
from arena.store.database import create, fold, journal_folder, query
from arena.store.journal import line, open_segment, write_journal
from arena.store.rewrite import rewrite

ROWS = 3_000
# Names that users give, as SQL.
NOTES = '"my ""notes"""'
SCHEMA = '"a.""b"'
IN_A_SCHEMA = f'{SCHEMA}."c""d.e"'


def storage_format(path: Path) -> str:
    """The format of a file, as DuckDB names it."""
    with duckdb.connect() as con:
        con.execute(f"attach '{path}' as a (read_only)")
        rows = con.execute("select tags from duckdb_databases() where database_name = 'a'")
        return str(rows.fetchall()[0][0]["storage_version"])


def words(path: Path) -> list[tuple[object, ...]]:
    """What a store says: its own rows, and the table and view that a user made."""
    with duckdb.connect(str(path), read_only=True) as con:
        return [
            *con.execute("from subjects order by subject").fetchall(),
            *con.execute(f"from {NOTES}").fetchall(),
            *con.execute(f"from {IN_A_SCHEMA}").fetchall(),
            *con.execute("from loud").fetchall(),
            *con.execute("select comment from duckdb_views() where view_name = 'flips'").fetchall(),
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in the format of DuckDB 2.0, with some rows and a table and a view of a user."""
    path = tmp_path_factory.mktemp("old") / "a.duckdb"
    create(path)
    lines = [
        line("subjects", {"subject": str(i), "kind": "motion", "text": f"It's {i}. " * 20})
        for i in range(ROWS)
    ]
    write_journal(journal_folder(path) / "j.jsonl", lines)
    assert fold(path).journals == 1
    with duckdb.connect() as con:
        con.execute(f"attach '{path}' as a (storage_version 'latest')")
        con.execute(f"create table a.{NOTES} as select 1 as n, ['x', null] as notes")
        con.execute(f"create schema a.{SCHEMA}; create table a.{IN_A_SCHEMA} as select 'x' as x")
        con.execute("create view a.loud as select upper(text) as t from a.subjects limit 3")
        con.execute("checkpoint a")
    assert storage_format(path).startswith("v2")
    return path


@pytest.fixture
def old(made: Path, tmp_path: Path) -> Path:
    """A copy of it, with its journals."""
    shutil.copytree(made.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / made.name


def test_new_stores_have_the_format_of_duckdb_1_4(tmp_path: Path) -> None:
    create(tmp_path / "a.duckdb")
    assert storage_format(tmp_path / "a.duckdb") == "v1.4.0+"


def test_writing_a_store_leaves_its_format(old: Path) -> None:
    write_journal(journal_folder(old) / "k.jsonl", [line("subjects", {"subject": "new"})])
    assert fold(old).journals == 1
    assert storage_format(old).startswith("v2")


def test_a_rewritten_store_says_the_same_in_the_new_format(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_journal(journal_folder(old) / "k.jsonl", [line("subjects", {"subject": "another"})])
    assert fold(old).journals == 1
    before = words(old)
    assert main(["tidy", str(old), "--rewrite"]) == 0
    assert "MB before" in capsys.readouterr().out
    assert storage_format(old) == "v1.4.0+"
    assert words(old) == before
    assert query(old, "select count(*) from subjects").rows == ((ROWS + 1,),)
    assert [file.name for file in journal_folder(old).glob("rewrite*")] == ["rewrite.lock"]


def test_a_link_stays_a_link_and_its_file_is_rewritten(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.duckdb"
    link.symlink_to(old)
    rewrite(link)
    assert link.is_symlink()
    assert storage_format(old) == "v1.4.0+"


@pytest.mark.skipif(durable.WINDOWS, reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_a_rewritten_store_is_open_to_those_who_could_read_it(
    old: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    while_copied = []

    def note_mode(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, tuple[int, int]]:
        while_copied.append((journal_folder(old) / "rewrite").stat().st_mode & 0o777)
        return counted(con, database)

    counted = rewriting.fingerprints
    monkeypatch.setattr(rewriting, "fingerprints", note_mode)
    old.chmod(mode)
    rewrite(old)
    assert ({*while_copied}, old.stat().st_mode & 0o777) == ({0o700}, mode)


def give_away(path: Path) -> tuple[int, int]:
    """Give a file to another owner or group, as far as this user may; return both."""
    if durable.WINDOWS:
        pytest.skip("Windows has no such owners")
    groups = {*os.getgroups()} - {path.stat().st_gid}
    if os.geteuid() != 0 and not groups:
        pytest.skip("this user has one group and cannot give files away")
    owner, group = (12345, 23456) if os.geteuid() == 0 else (os.geteuid(), min(groups))
    os.chown(path, owner, group)
    return owner, group


def owner_of(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def test_a_rewritten_store_and_a_copy_belong_to_whom_the_store_belonged(old: Path) -> None:
    given = give_away(old)
    rewrite(old)
    assert owner_of(old) == given
    with old.open("rb") as source:
        durable.copy_whole(source, old.with_name("copy"))
    assert owner_of(old.with_name("copy")) == given


def test_a_store_that_would_change_its_owner_is_not_rewritten(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, owner: int, group: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    owner, group = give_away(old)
    content = old.read_bytes()
    monkeypatch.setattr(os, "chown", refuse)
    assert main(["tidy", "--rewrite", str(old)]) == 2
    assert f"it belongs to user {owner} and group {group}, to whom" in capsys.readouterr().err
    assert (old.read_bytes(), owner_of(old)) == (content, (owner, group))


@pytest.mark.skipif(durable.WINDOWS, reason="Windows has no such owners")
def test_a_copy_of_a_colleagues_store_keeps_its_group(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write a store but not give files away can still bring it up to date."""
    mine, group = os.geteuid(), give_away(old)[1]
    chown = os.chown

    def only_groups(path: Path, owner: int, group: int) -> None:
        if owner != mine:
            raise PermissionError(1, "Operation not permitted")
        chown(path, owner, group)

    monkeypatch.setattr(os, "chown", only_groups)
    with old.open("rb") as source:
        durable.copy_whole(source, old.with_name("copy"))
    assert owner_of(old.with_name("copy")) == (mine, group)


# Read and write for the owner, read for user 1, nothing for the group: version, then tag,
# permissions and id of each entry.
ACCESS_LIST = struct.pack(
    "<I" + 5 * "HHI",
    *(2, 1, 6, 2**32 - 1, 2, 4, 1, 4, 0, 2**32 - 1, 16, 4, 2**32 - 1, 32, 0, 2**32 - 1),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [("user.note", b"ours"), ("system.posix_acl_access", ACCESS_LIST)],
    ids=["note", "access list"],
)
def test_what_is_noted_on_a_store_stays_on_it_and_on_its_copies(
    old: Path, name: str, value: bytes
) -> None:
    try:
        os.setxattr(old, name, value)
    except (AttributeError, OSError):
        pytest.skip("there are no such attributes here")
    with old.open("rb") as source:
        durable.copy_whole(source, old.with_name("copy"))
    rewrite(old)
    for file in (old, old.with_name("copy")):
        assert os.getxattr(file, name) == value


def test_a_store_of_two_names_is_not_rewritten(old: Path, tmp_path: Path) -> None:
    content = old.read_bytes()
    os.link(old, tmp_path / "second.duckdb")
    with pytest.raises(StoreError, match=r"has 2 names \(hard links\), and all but this one"):
        rewrite(old)
    assert old.read_bytes() == content


def test_a_log_of_changes_that_was_left_is_taken_in(old: Path) -> None:
    code = (
        "import duckdb, os, sys\n"
        f"con = duckdb.connect({str(old)!r})\n"
        f"con.execute({f'insert into {NOTES} values (2, [])'!r}); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Path(f"{old}.wal").exists()
    rewrite(old)
    assert not Path(f"{old}.wal").exists()
    assert len([row for row in words(old) if row[0] in (1, 2)]) == 2


def test_a_store_that_a_run_holds_is_refused(old: Path) -> None:
    content = old.read_bytes()
    descriptor, held = open_segment(journal_folder(old) / "run-000.jsonl")
    with held, pytest.raises(StoreError, match="in use by a run"):
        rewrite(old)
    assert old.read_bytes() == content
    os.close(descriptor)
    rewrite(old)


def test_a_second_rewriting_is_refused_and_leaves_the_first_its_copy(old: Path) -> None:
    copy = journal_folder(old) / "rewrite" / "store.duckdb"
    copy.parent.mkdir()
    copy.touch()
    with rewriting.only_one(old), pytest.raises(StoreError, match="by another process"):
        rewrite(old)
    assert copy.exists()


def test_no_store_is_made_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([str(tmp_path / "a.duckdb")], ["--db", str(tmp_path / "a.duckdb")]):
        assert main(["tidy", "--rewrite", *words]) == 2
        assert f"there is no store at {tmp_path / 'a.duckdb'}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_is_not_the_same_leaves_the_store(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, tuple[int, int]]:
        if database == "draft":
            con.execute("update draft.subjects set text = 'other' where subject = '7'")
        return counted(con, database)

    counted = rewriting.fingerprints
    content = old.read_bytes()
    monkeypatch.setattr(rewriting, "fingerprints", changed)
    with pytest.raises(StoreError, match=r"main\.subjects is not the same"):
        rewrite(old)
    assert old.read_bytes() == content
    assert [file.name for file in journal_folder(old).glob("rewrite*")] == ["rewrite.lock"]


def test_a_table_that_the_copy_lacks_leaves_the_store(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_turns(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, tuple[int, int]]:
        tables = counted(con, name)
        if name == "draft":
            del tables["main.turns"]
        return tables

    counted = rewriting.fingerprints
    monkeypatch.setattr(rewriting, "fingerprints", without_turns)
    with pytest.raises(StoreError, match=r"main\.turns is not the same"):
        rewrite(old)


@pytest.mark.slow
def test_a_full_disk_is_named_with_what_has_become_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> dict[str, int]:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.duckdb"
    create(path)
    monkeypatch.setattr(rewriting, "copy", full)
    with pytest.raises(StoreError, match=r"rewritten, and is unchanged: the disk is full .*again"):
        rewrite(path)
    with writing(path, wait_s=0) as con:
        con.execute("update store_info set schema_version = 4")
    with pytest.raises(StoreError, match=r"was brought up to date, but .*: the disk is full"):
        rewrite(path)


def test_a_file_that_was_replaced_is_not_called_unchanged(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "sync_folder", broken)
    with pytest.raises(StoreError, match=r"a\.duckdb is rewritten, but .*: .*Input/output error"):
        rewrite(old)
    assert storage_format(old) == "v1.4.0+"


def test_a_writer_whose_file_was_replaced_while_it_opened_it_writes_the_new_one(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = old.with_name("new.duckdb")
    create(new)
    attach = connection.retry_locked

    def attach_and_replace(*arguments: Any) -> None:
        attach(*arguments)
        if new.exists():
            new.replace(old)

    monkeypatch.setattr(connection, "retry_locked", attach_and_replace)
    with writing(old, wait_s=0) as con:
        assert con.execute("select count(*) from subjects").fetchall() == [(0,)]


@pytest.mark.slow
def test_a_store_is_whole_whenever_the_rewriting_of_it_is_killed(old: Path) -> None:
    before = words(old)
    formats = []
    code = (
        "import sys; from pathlib import Path; from arena.store.rewrite import rewrite\n"
        f"print('ready', flush=True); rewrite(Path({str(old)!r}))"
    )
    ended = None
    while ended != 0:  # each lives a little longer than the one before
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(len(formats) * 0.03)
            child.kill()
            ended = child.wait()
        assert words(old) == before
        formats.append(storage_format(old))
    assert formats[0].startswith("v2")
    assert formats[-1] == "v1.4.0+"
