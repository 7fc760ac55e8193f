"""Options and files of studies that cannot be played are refused in a sentence, before a call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.scripted import scripted_model
from arena import Agent, Arena, Stage, Study, run_stages
from arena.errors import StudyError
from arena.tournaments.study_file import load_stages
from tests.experiments.test_asking_studies import EXPERIMENTS, module_of


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
    ("prefix_trap", "share=0", "above 0 and up to 1; found 0"),
    ("prefix_trap", "share=1.5", "above 0 and up to 1; found 1.5"),
    ("prefix_trap", "sizes=1", "sizes are 5 numbers: paths, turns"),
    ("iterative_deepening", "budget=160", "budget is 160 and limit is 160"),
    ("iterative_deepening", "budget=0", "option budget of iterative_deepening cannot be 0"),
    ("self_questioning", "questions={three}", "questions with two options; 'Which.' has 3"),
    ("oversight", "best_of=0", "option best_of of judged_debate cannot be 0"),
    ("oversight", "judge=sim/solver", "sim/solver judges no debates"),
    ("oversight", "judges=sim/author", "sim/author judges no debates"),
]


@pytest.mark.parametrize(("name", "option", "words"), REFUSED)
def test_options_that_cannot_be_played_are_refused(
    tmp_path: Path, name: str, option: str, words: str
) -> None:
    row = {"question": "Which.", "answer": "A", "choices": ["one", "two", "three"]}
    three = lines_in(tmp_path / "q.jsonl", row | {"passage": "A text."})
    with pytest.raises(StudyError, match=words):
        run_stages(Arena(tmp_path / "a.duckdb"), stages_of(name, option.format(three=three)))
    assert not (tmp_path / "a.duckdb").exists()


def test_a_debate_about_a_question_without_options_is_refused_before_a_call(tmp_path: Path) -> None:
    file = lines_in(tmp_path / "q.jsonl", {"question": "Which?", "answer": "one"})
    arena = Arena(tmp_path / "a.duckdb")
    with pytest.raises(StudyError, match="nothing was asked: a judge decides between two answers"):
        run_stages(arena, stages_of("oversight", f"questions={file}"))
    assert not arena.path.exists()


def test_a_judge_that_cannot_state_the_verdict_is_refused() -> None:
    judge = Agent("judge", scripted_model(lambda request: "A", name="judge"))
    with pytest.raises(StudyError, match="serves no probabilities"):
        module_of("oversight").check_judge(judge, "logprobs")
