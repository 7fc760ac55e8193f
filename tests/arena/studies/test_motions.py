"""Motions from files."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from arena.errors import StudyError
from arena.studies.motions import MOTIONS, motions, subject_id
from arena.types import Subject

ROWS = '{"motion": "A", "source": "s", "licence": "MIT"}\n\n{"text": " B "}\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.jsonl", ROWS),
        ("m.jsonl", "\ufeff" + ROWS),
        (
            "m.json",
            '[{"motion": "A", "source": "s", "license": "MIT"}, {"topic_description": "B"}]',
        ),
    ],
)
def test_motions_come_with_source_and_licence(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    assert motions(file) == (Subject("A", source="s", licence="MIT"), Subject("B", source=name))


def test_motions_come_from_parquet_and_from_plain_lines(tmp_path: Path) -> None:
    duckdb.sql("select 'A' as motion").write_parquet(str(tmp_path / "m.parquet"))
    (tmp_path / "m.txt").write_text("A\n\nB\n")
    (tmp_path / "m.tsv").write_text('motion\tyear\n"A\nB"\t2000\n')
    assert [m.text for m in motions(tmp_path / "m.tsv")] == ["A\nB"]
    assert [m.text for m in motions(tmp_path / "m.parquet")] == ["A"]
    assert [m.text for m in motions(tmp_path / "m.txt")] == ["A", "B"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.jsonl", "", "has no motions"),
        ("m.jsonl", '{"motion": "A"}\n{"motion": ""}', "row 2"),
        ("m.jsonl", '{"title": "A"}', "row 1.*`motion`"),
        ("m.jsonl", "[1, 2", "cannot read line 1 of .*m.jsonl"),
        ("m.json", "3", "row 1"),
        ("m.parquet", "x", "cannot read motions"),
        ("m.docx", "x", "use .jsonl"),
    ],
)
def test_a_file_without_motions_says_why(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(StudyError, match=words):
        motions(tmp_path / name)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(StudyError, match="no file of motions at nowhere"):
        motions("nowhere.jsonl")


def test_the_same_words_are_the_same_subject() -> None:
    assert subject_id(MOTIONS[0]) == subject_id(
        Subject(MOTIONS[0].text, source="peer-arena", licence="CC0-1.0")
    )
    assert len({subject_id(m) for m in MOTIONS}) == 6
