"""Options and files of studies that cannot be played are refused in a sentence, before a call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arena import Stage, Study
from arena.errors import StudyError
from arena.tournaments.study_file import load_stages
from tests.experiments.test_asking_studies import EXPERIMENTS


def stages_of(name: str, *options: str) -> list[Stage | Study]:
    """Return the stages of a study file, which are written and not played."""
    return list(load_stages(EXPERIMENTS / f"{name}.py", list(options)))


def lines_in(file: Path, *rows: object) -> Path:
    """Write rows as JSON lines, and return the file."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_open_tasks_reads_the_column_task_of_a_file(tmp_path: Path) -> None:
    rows = {"task": "Write a haiku."}, {"task": " Name a cat. ", "source": "ours"}
    texts = stages_of("open_tasks", f"tasks={lines_in(tmp_path / 't.jsonl', *rows)}")[0]
    assert isinstance(texts, Study)
    assert [each.text for each in texts.subjects] == ["Write a haiku.", "Name a cat."]
    plain = tmp_path / "t.txt"
    plain.write_text("Write a haiku.\n\nName a cat.\n")
    same = stages_of("open_tasks", f"tasks={plain}")[0]
    assert isinstance(same, Study)
    assert same.subjects == texts.subjects


@pytest.mark.parametrize("row", [{"prompt": "Write."}, {"task": " "}, {"task": 3}, "Write."])
def test_open_tasks_refuses_a_row_without_a_task(tmp_path: Path, row: object) -> None:
    file = lines_in(tmp_path / "t.jsonl", {"task": "Write a haiku."}, row)
    with pytest.raises(StudyError, match="row 2 has no text in its field `task`"):
        stages_of("open_tasks", f"tasks={file}")


REFUSED = [
    ("open_tasks", "tasks=no_file.jsonl", "there is no file of tasks"),
    ("open_tasks", "ways=sample", "two ways"),
    ("open_tasks", "calls=1", "needs 3 calls; 1 are too few"),
    ("open_tasks", "criterion=", "criterion is empty"),
]


@pytest.mark.parametrize(("name", "option", "words"), REFUSED)
def test_options_that_cannot_be_played_are_refused(name: str, option: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        stages_of(name, option)
