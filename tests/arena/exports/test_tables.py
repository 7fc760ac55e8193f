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
