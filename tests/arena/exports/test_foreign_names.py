"""Names and ids of a record of others: no file outside the folder, none too long, no escapes."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import duckdb
import orjson
import pytest

from arena.cli.main import main
from tests.arena.imports.test_other_systems import put, rows, take

ESCAPES = "\x1b[31mred\nb"
LONG = "討" * 100


def of(study: str, words: str, **more: object) -> dict[str, object]:
    """Return a play of one message."""
    return {"study": study, "messages": [{"name": "ann", "content": words}], **more}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A store whose episodes and studies are named like paths, like escapes, and too long."""
    made, path = tmp_path / "made.duckdb", tmp_path / "foreign.duckdb"
    studies = ("../../up", ESCAPES, "x" * 300, LONG)
    take("json", put(tmp_path / "in", [of(study, study) for study in studies]), made)
    with duckdb.connect(made) as con:
        for table in ("turns", "seats", "statuses", "plays"):
            con.execute(f"""
                update {table} set episode = '../../mine' where episode = (
                    select episode from plays where study = '../../up')
            """)
    # A store takes odd ids: they are text.
    merge_into(path, made)
    return path


def merge_into(path: Path, *others: Path) -> None:
    """Merge stores as users do."""
    assert main(["merge", *map(str, others), "--db", str(path)]) == 0


@pytest.mark.parametrize("kind", ["json", "inspect", "scout", "hub", "parquet", "csv"])
def test_an_export_writes_into_its_folder_alone(
    foreign: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text("mine")
    before = {file for file in tmp_path.rglob("*") if file.is_file()}
    folder = tmp_path / "a" / "out"
    capsys.readouterr()
    assert main(["export", str(folder), "--format", kind, "--db", str(foreign)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert mine.read_text() == "mine"
    after = {file for file in tmp_path.rglob("*") if file.is_file()} - before
    assert after
    assert all(folder in file.parents for file in after)
    for file in folder.glob("*.eval"):
        with ZipFile(file) as log:
            assert not [name for name in log.namelist() if ".." in name]
    if kind == "parquet":
        again = tmp_path / "again.duckdb"
        merge_into(again, folder)
        by_study = "select study, count(*) from turns join plays using (episode) group by 1"
        assert sorted(rows(again, by_study)) == sorted(rows(foreign, by_study))
        assert len(rows(again, by_study)) == 4


def test_the_lines_of_an_import_steer_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = put(tmp_path, [of(ESCAPES, "hi")])
    assert main(["import", "json", str(file), "--db", str(tmp_path / "s.duckdb")]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "red b 1" in out


def test_a_json_export_comes_in_with_what_is_missing_and_failed(tmp_path: Path) -> None:
    play = of(
        "x",
        "hi",
        status="failed",
        error="ReplyError: no words",
        options={"rounds": 3},
        answers=[{"seat": "ann", "answer": "a", "confidence": 0.75}],
    )
    play["messages"] = [
        {"name": "ann", "content": "hi", "confidence_status": "missing"},
        {"name": "ann", "content": "ho", "confidence_status": "85.5 is too much"},
    ]
    first, again = tmp_path / "first.duckdb", tmp_path / "again.duckdb"
    take("json", put(tmp_path / "in", play), first)
    out = tmp_path / "out"
    assert main(["export", str(out), "--format", "json", "--db", str(first), "--private"]) == 0
    (entry,) = orjson.loads((out / "index.json").read_bytes())
    take("json", out / entry["file"], again)
    for sql, wanted in (
        ("select status, error_kind, error from episodes", [("failed", "ReplyError", "no words")]),
        ("select confidence_status from turns order by step", [("missing",), ("missing",)]),
        ("select confidence from answers", [(0.75,)]),
        ("select options::varchar from episodes", [('{"rounds":3}',)]),
    ):
        assert rows(first, sql) == wanted
        assert rows(again, sql) == wanted
