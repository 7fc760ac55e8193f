"""Which paths can be those of stores."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arena.cli.main import main
from arena.errors import StoreError
from arena.play.run import Arena
from arena.store.connection import attach_store
from arena.store.database import create
from arena.store.paths import store_path

ELSEWHERE = [
    "md:peers",
    "MD:peers",
    "s3://bucket/a.duckdb",
    "gs://bucket/a.duckdb",
    "r2://bucket/a.duckdb",
    "az://container/a.duckdb",
    "hf://datasets/somebody/debates/a.duckdb",
    "http://host/a.duckdb",
    "https://host/a.duckdb",
    "ducklake:metadata.ducklake",
    "postgres:dbname=debates",
    "file:///home/ada/a.duckdb",
    "what+ever.2://host/a",
    ":memory:",
]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_what_is_no_file_here_is_refused_wherever_a_store_is_named(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as error:
        Arena(place)
    assert str(error.value).startswith(f"{place} is no file on this machine, and a store is one")
    with pytest.raises(StoreError, match="no file on this machine"):
        create(Path(place))
    with pytest.raises(StoreError, match="no file on this machine"), attach_store(Path(place)):
        pass
    assert main(["status", "--db", place]) == 2
    sentence = capsys.readouterr().err
    assert sentence.startswith("arena status: ")
    assert "is no file on this machine" in sentence
    assert sentence.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["", ".", "/"])
def test_a_folder_is_no_store(place: str) -> None:
    with pytest.raises(StoreError, match=r"name one, such as arena\.duckdb"):
        Arena(place)


def test_what_duckdb_cannot_open_is_refused_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one").symlink_to("two")
    Path("two").symlink_to("one")
    Path("why?").mkdir()
    for place, words in (
        ("one", "leads back to itself|there is no store"),
        ("a?b.duckdb", r"has a \?"),
        ("why?/a.duckdb", r"has a \?"),
        ("\udcff.duckdb", "no name in UTF-8"),
        ("a\0b.duckdb", "name of no file"),
    ):
        for command in ("status", "tidy", "doctor", "demo"):
            assert main([command, "--db", place]) == 2
            sentence = capsys.readouterr().err
            assert re.search(words, sentence)
            assert sentence.count("\n") == 1
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize(
    "place",
    [
        "arena.duckdb",
        "/data/run:1.duckdb",
        "run:1.duckdb",
        "2026-11-26T17:05.duckdb",
        r"C:\Users\ada\a.duckdb",
        "c:/Users/ada/a.duckdb",
        "md.duckdb",
        "s3/a.duckdb",
        r"\\server\share\a.duckdb",
    ],
)
def test_names_of_files_are_taken(place: str) -> None:
    assert store_path(place) == Path(place)
    assert Arena(place).path == Path(place)
