"""Tables and views as files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from arena.cli.main import main
from arena.exports.tables import EXPORTED
from arena.play.run import Arena
from arena.types import Subject
from tests.fake_agents import agent, study

FORMULA = '=HYPERLINK("http://evil")'


@pytest.mark.slow
@pytest.mark.parametrize("spreadsheet", [False, True])
def test_texts_of_csv_files_are_formulas_only_without_the_option(
    tmp_path: Path, spreadsheet: bool
) -> None:
    played = replace(study(agent(), subjects=1), subjects=[Subject(FORMULA)])
    path = tmp_path / "a.duckdb"
    Arena(path).run(played)
    words = ["export", str(tmp_path / "files"), "--format", "csv", "--db", str(path)]
    assert main([*words, *(["--spreadsheet"] if spreadsheet else [])]) == 0
    files = sorted((tmp_path / "files").iterdir())
    assert {file.stem for file in files} == set(EXPORTED)
    texts = {
        cell
        for file in files
        for row in csv.reader(file.read_text().splitlines())
        for cell in row
        if FORMULA in cell
    }
    assert (f"'{FORMULA}" if spreadsheet else FORMULA) in texts
    assert (FORMULA in texts) == (not spreadsheet)


def test_a_folder_of_tables_that_lacks_or_doubles_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = tmp_path / "a.duckdb", tmp_path / "tables"
    Arena(path).run(study(agent(), subjects=1))
    assert main(["export", str(folder), "--db", str(path)]) == 0
    count = ["sql", "select count(*) from turns", "--db", str(folder)]
    assert main(count) == 0
    (turns,) = (folder / "turns").rglob("*.parquet")
    copied = turns.with_name("data_0 (1).parquet")
    kept = turns.read_bytes()
    info = folder / "store_info.json"
    for change, words in (
        (lambda: copied.write_bytes(kept), "holds more than was exported: turns/"),
        (lambda: (copied.unlink(), turns.unlink()), "lacks turns/"),
        (lambda: turns.write_bytes(kept[:-9]), "in another size than was exported turns/"),
        (lambda: info.write_text('{"schema_version": -5}'), "names no schema version"),
        (lambda: info.write_text('{"schema_version": true}'), "names no schema version"),
    ):
        change()
        for words_given in (count, ["merge", str(folder), "--db", str(tmp_path / "b.duckdb")]):
            capsys.readouterr()
            assert main(words_given) == 2
            assert words in capsys.readouterr().err
