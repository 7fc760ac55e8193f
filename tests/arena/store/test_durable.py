"""Files are on the disk when they should be, on systems that do it otherwise too."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from arena.store import durable
from arena.store.durable import copy_whole, name_new, replace, sync, sync_folder


@pytest.fixture(params=[False, True], ids=["posix", "windows"])
def windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both kinds of system."""
    monkeypatch.setattr(durable, "WINDOWS", request.param)
    return bool(request.param)


def test_a_new_name_replaces_nothing(tmp_path: Path, windows: bool) -> None:
    draft = tmp_path / "draft"
    draft.write_text("first")
    name_new(draft, tmp_path / "a")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    if not windows:  # a rename there replaces nothing, here it does
        draft.write_text("second")
        with pytest.raises(FileExistsError):
            name_new(draft, tmp_path / "a")
    assert (tmp_path / "a").read_text() == "first"


@pytest.mark.skipif(durable.WINDOWS, reason="Windows renames")
def test_a_new_name_replaces_nothing_on_a_drive_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(draft: Path, path: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    draft = tmp_path / "draft"
    for words in ("first", "second"):
        draft.write_text(words)
        with pytest.raises(FileExistsError) if words == "second" else nullcontext():
            name_new(draft, tmp_path / "a")
    assert (tmp_path / "a").read_text() == "first"


@pytest.mark.skipif(durable.WINDOWS, reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o644])
def test_a_copy_is_open_to_those_who_can_read_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    modes = []

    def note_mode(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)

    monkeypatch.setattr(durable, "sync", note_mode)
    (tmp_path / "a").write_text("private")
    (tmp_path / "a").chmod(mode)
    (tmp_path / "b.part").write_text("left by a kill, open to all")
    with (tmp_path / "a").open("rb") as source:
        copy_whole(source, tmp_path / "b")
    # While it is written, it is open to its owner alone.
    assert (modes, (tmp_path / "b").stat().st_mode & 0o777) == ([0o600], mode)
    assert (tmp_path / "b").read_text() == "private"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What is synced, in its order, and if the file `a` has its new content at that time."""
    steps = []

    def note(kind: str) -> None:
        steps.append((kind, (tmp_path / "a").exists() and (tmp_path / "a").read_text() == "new"))

    def note_file(descriptor: int) -> None:
        note(f"{os.fstat(descriptor).st_size} bytes")

    monkeypatch.setattr(durable, "sync", note_file)
    monkeypatch.setattr(durable, "sync_folder", lambda folder: note(folder.name))
    return steps


def test_a_file_takes_the_place_of_another(tmp_path: Path, steps: list[tuple[str, bool]]) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "draft").write_text("new")
    replace(tmp_path / "draft", tmp_path / "a")
    assert steps == [("3 bytes", False), (tmp_path.name, True)]
    assert (tmp_path / "a").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_copy_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, steps: list[tuple[str, bool]]
) -> None:
    (tmp_path / "source").write_text("new")
    with (tmp_path / "source").open("rb") as source:
        copy_whole(source, tmp_path / "a")
    assert steps == [("3 bytes", False), (tmp_path.name, True)]


def test_a_new_name_is_on_the_disk(tmp_path: Path, steps: list[tuple[str, bool]]) -> None:
    (tmp_path / "draft").write_text("new")
    name_new(tmp_path / "draft", tmp_path / "a")
    assert steps == [(tmp_path.name, True)]


@pytest.mark.skipif(durable.WINDOWS, reason="Windows opens no folder")
def test_a_drive_that_syncs_no_folder_is_as_good_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(number: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", lambda _: refuse(errno.EINVAL))
    sync_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        sync_folder(tmp_path)


@pytest.mark.parametrize("taken", [True, False])
def test_macos_is_asked_for_the_disk_itself_and_fsync_where_a_drive_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    asked = []

    class Fcntl:
        """As of macOS."""

        @staticmethod
        def fcntl(descriptor: int, command: int) -> None:
            asked.append(("fcntl", command))
            if not taken:
                raise OSError(45, "Operation not supported")

    monkeypatch.setattr(durable, "F_FULLFSYNC", 51)
    monkeypatch.setattr(durable, "fcntl", Fcntl)
    monkeypatch.setattr(os, "fsync", lambda descriptor: asked.append(("fsync", descriptor)))
    with (tmp_path / "a").open("wb") as file:
        sync(file.fileno())
        expected: list[tuple[str, int]] = [("fcntl", 51)]
        assert asked == (expected if taken else [*expected, ("fsync", file.fileno())])


def test_a_system_that_opens_no_folder_syncs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    sync_folder(tmp_path)
    monkeypatch.setattr(os, "open", refuse)
    sync_folder(tmp_path)
