"""Questions from files: columns, gold answers, and options in an order of our own."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from arena.errors import StudyError
from arena.studies.questions import hub_questions, questions
from arena.types import Subject
from tests.publication import questions_folder, real_questions


def written(folder: Path, *rows: object) -> Path:
    file = folder / "q.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return file


def right(subject: Subject) -> str | None:
    """The text of the option that the gold letter names."""
    return None if subject.gold is None else subject.choices["ABCDEFGH".index(subject.gold)]


def test_columns_are_found_by_their_usual_names(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {"question": "1+1?", "answer": 2, "source": "s", "licence": "MIT"},
        {"problem": " 24+1? ", "gold": "025"},
        {"question": "6*3?", "answer": "Six times three.\n#### 18"},
        {"question": "Sure?", "answer": True},
    )
    assert questions(file) == (
        Subject("1+1?", "question", "2", source="s", licence="MIT"),
        Subject("24+1?", "question", "025", source="q.jsonl"),
        Subject("6*3?", "question", "18", source="q.jsonl"),
        Subject("Sure?", "question", "true", source="q.jsonl"),
    )


def test_columns_can_be_named(tmp_path: Path) -> None:
    row = {
        "question": "not this",
        "F": "1+1?",
        "A": "2",
        "from": "exam",
        "answer": "3",
        "on terms": "CC0-1.0",
        "O": ["1", "2"],
    }
    found = questions(
        written(tmp_path, row),
        question="F",
        gold="A",
        choices="O",
        source="from",
        licence="on terms",
    )
    assert [(s.text, right(s), s.source, s.licence) for s in found] == [
        ("1+1?", "2", "exam", "CC0-1.0")
    ]


def test_questions_come_from_json_parquet_and_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text('[{"question": "1+1?", "answer": "2"}]')
    duckdb.sql("select '1+1?' as question, 2 as answer, ['2', '3'] as options").write_parquet(
        str(tmp_path / "open.parquet")
    )
    duckdb.sql(
        "select '1+1?' as question, 0 as answer,"
        " {'label': ['1', '2'], 'text': ['2', '3']} as choices"
    ).write_parquet(str(tmp_path / "arc.parquet"))
    (tmp_path / "q.txt").write_text("1+1?\n\n")
    assert questions(tmp_path / "q.json")[0].gold == "2"
    assert right(questions(tmp_path / "arc.parquet")[0]) == "2"
    assert questions(tmp_path / "q.txt", gold=None) == (
        Subject("1+1?", "question", None, source="q.txt"),
    )
    (tmp_path / "q.csv").write_text('\ufeffquestion,answer\n"1+1, or?",2\n')
    assert questions(tmp_path / "q.csv") == (Subject("1+1, or?", "question", "2", source="q.csv"),)
    # 2 can be no index of two options.
    assert right(questions(tmp_path / "open.parquet")[0]) == "2"


OPTIONS = {"A": "iron", "B": "gold", "C": "lead", "D": "zinc"}


@pytest.mark.parametrize(
    ("gold", "choices", "text"),
    [
        ("B", OPTIONS, "gold"),
        ("gold", OPTIONS, "gold"),
        (1, list(OPTIONS.values()), "gold"),
        (1.0, list(OPTIONS.values()), "gold"),
        ("1", list(OPTIONS.values()), "gold"),
        ("B", list(OPTIONS.values()), "gold"),
        ("2", {"label": ["1", "2"], "text": ["lead", "gold"]}, "gold"),
        (2, {"1": "lead", "2": "gold"}, "gold"),
        (2, [7, 8, 9], "9"),
        ("2", ["1", "2", "3"], "2"),
        (20, [10, 20, 30, 40], "20"),
        ("b", list(OPTIONS.values()), "gold"),
        ("(B)", list(OPTIONS.values()), "gold"),
        ("B) gold", list(OPTIONS.values()), "gold"),
        ("Gold.", list(OPTIONS.values()), "gold"),
        (True, ["Yes", "No"], "Yes"),
        (False, ["true", "false"], "false"),
    ],
)
def test_gold_is_the_letter_of_the_right_option_wherever_that_went(
    tmp_path: Path, gold: object, choices: object, text: str
) -> None:
    for seed in range(6):
        subject = questions(
            written(tmp_path, {"question": "Which?", "answer": gold, "choices": choices}), seed=seed
        )[0]
        assert right(subject) == text


def many(folder: Path, seed: int | None = 0) -> tuple[Subject, ...]:
    return questions(
        written(
            folder,
            *({"question": f"Which, {n}?", "options": OPTIONS, "answer": "A"} for n in range(400)),
        ),
        seed=seed,
    )


def test_a_file_with_every_answer_at_a_gives_every_letter_as_often(tmp_path: Path) -> None:
    letters = Counter(subject.gold for subject in many(tmp_path))
    assert set(letters) == set("ABCD")
    assert all(70 <= count <= 130 for count in letters.values())
    assert {sorted(subject.choices) == sorted(OPTIONS.values()) for subject in many(tmp_path)} == {
        True
    }


def test_the_order_follows_from_seed_and_content_alone(tmp_path: Path) -> None:
    assert many(tmp_path) == many(tmp_path)
    assert (
        sum(a.gold != b.gold for a, b in zip(many(tmp_path), many(tmp_path, seed=1), strict=True))
        > 200
    )
    assert {(subject.choices, subject.gold) for subject in many(tmp_path, seed=None)} == {
        (tuple(OPTIONS.values()), "A")
    }
    turned = dict(zip("ABCD", reversed(OPTIONS.values()), strict=True))
    one = questions(written(tmp_path, {"question": "Which?", "options": OPTIONS, "answer": "A"}))
    assert one == questions(
        written(tmp_path, {"question": "Which?", "options": turned, "answer": "D"})
    )


def test_identical_options_are_both_kept(tmp_path: Path) -> None:
    row = {"question": "Which?", "choices": ["iron", "gold", "gold"], "answer": 2}
    subject = questions(written(tmp_path, row))[0]
    assert sorted(subject.choices) == ["gold", "gold", "iron"]
    assert right(subject) == "gold"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"answer": "2"},
            "row 2: no question in the field `question` or `problem` or `text`; there are answer",
        ),
        ({"question": " ", "answer": "2"}, "row 2: .*at least 1 character.*`question`"),
        ({"question": ["a"], "answer": "2"}, "row 2: .*valid string.*`question`"),
        ("2", "row 2: a row is an object"),
        ({"question": "?", "answer": {"value": 3}}, "row 2: .*`gold`"),
        ({"question": "?", "answer": ["A", "B"], "choices": ["3", "4"]}, "row 2: 2 gold answers"),
        (
            {"question": "?", "answer": 123456789012345678901234567890},
            "row 2: .*too large to be read exactly",
        ),
        (
            {"question": "?", "answer": "E", "choices": ["1", "2"]},
            r"row 2: the gold answer 'E' is neither a label \(A, B\)",
        ),
        (
            {"question": "?", "answer": 3, "choices": ["1", "2"]},
            "row 2: the gold answer '3' is neither",
        ),
        (
            {"question": "?", "answer": 3, "choices": [1, 2, 3, 4]},
            "row 2: the gold answer 3 may be the index of '4', from 0, or the value 3",
        ),
        (
            {"question": "?", "answer": 2.0, "choices": ["1", "2", "3"]},
            "row 2: the gold answer 2 may be the index of '3'",
        ),
        (
            {
                "question": "?",
                "answer": "First we add. Then we take away. At last, we have it, and so on.",
            },
            r"row 2: the gold answer is a text of 15 words without a \\boxed",
        ),
        ({"question": "?", "A": "x", "B": "y", "D": "z", "answer": "A"}, "row 2: .*with a gap"),
        (
            {"question": "?", "answer": "A", "choices": "['a' 'b']"},
            "row 2: the options are the text",
        ),
        (
            {"question": "?", "answer": "A", "answer_index": 1, "options": ["x", "y"]},
            "row 2: the gold answer is 'A', and `answer_index` is 1, which is 'B'",
        ),
        (
            {"question": "?", "mc1_targets": {"choices": ["x", "y"], "labels": [1, 1]}},
            "row 2: 2 options are marked as right",
        ),
        ({"question": "?", "answer": True, "choices": ["x", "y"]}, "row 2: .*meaning of 0 options"),
        (
            {"question": "?", "answer": "A", "choices": ["B", "A"]},
            "row 2: .*label of one option and the text of another",
        ),
        ({"question": "?", "answer": "A", "choices": ["1"]}, "row 2: options must be"),
        ({"question": "?", "answer": "A", "choices": ["1", None]}, "row 2: an option has no text"),
        ({"question": "?", "answer": "A", "choices": "AB"}, "row 2: the options are the text 'AB'"),
        (
            {"question": "?", "answer": "A", "choices": [str(n) for n in range(27)]},
            "row 2: options must be",
        ),
    ],
)
def test_a_row_that_is_no_question_is_named(tmp_path: Path, row: object, words: str) -> None:
    with pytest.raises(StudyError, match=f"q.jsonl, {words}"):
        questions(written(tmp_path, {"question": "1+1?", "answer": "2"}, row))


@pytest.mark.parametrize(
    "row",
    [
        {"question": "1+1?", "anwser": 2},
        {"question": "1+1?", "answer": None},
        {"question": "1+1?", "answer": " "},
    ],
)
def test_a_question_without_an_answer_is_an_error_unless_nothing_is_to_be_graded(
    tmp_path: Path, row: dict[str, object]
) -> None:
    file = written(tmp_path, {"question": "2+2?", "answer": "4"}, row)
    with pytest.raises(
        StudyError,
        match="row 2: no answer in the field `answer` or `gold` or `target`; there are question,",
    ):
        questions(file)
    assert [subject.gold for subject in questions(file, gold=None)] == [None, None]


def test_a_blank_licence_stays_blank_as_in_the_ids_of_0_1_0(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("question,answer,licence\n1+1?,2,\n2+2?,4,MIT\n")
    assert [subject.licence for subject in questions(tmp_path / "q.csv")] == ["", "MIT"]


def test_a_letter_without_options_among_questions_with_options_is_an_error(tmp_path: Path) -> None:
    rows = [
        {"question": "?", "choices": ["x", "y"], "answer": "B"},
        {"question": "!", "answer": "B"},
    ]
    with pytest.raises(StudyError, match="row 2: the gold answer is the letter 'B', and this"):
        questions(written(tmp_path, *rows))


@pytest.mark.parametrize("name", ["choices", "source", "licence"])
def test_a_named_column_that_no_row_has_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        StudyError, match="no row has the column 'anser' that you named; there are answer, question"
    ):
        questions(written(tmp_path, {"question": "1+1?", "answer": "2"}), **{name: "anser"})  # type: ignore[arg-type]


def test_a_file_without_questions_says_so(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no file of questions at nowhere"):
        questions("nowhere.jsonl")
    with pytest.raises(
        StudyError, match="has no questions; give it a field `question` in each line"
    ):
        questions(written(tmp_path))


@pytest.mark.parametrize(
    ("name", "count"), [("aime.json", 30), ("aime_2025.json", 30), ("aimo.json", 10)]
)
def test_the_published_questions_are_read_whole(name: str, count: int) -> None:
    file = questions_folder() / name
    found = questions(file)
    rows = json.loads(file.read_text())
    assert [s.gold for s in found] == [str(row["answer"]) for row in rows]
    assert (len({s.text for s in found}), {s.source for s in found}) == (count, {name})
    padded = sum((s.gold or "").startswith("0") for s in found)
    assert (padded > 0) == (name == "aime.json")
    assert not real_questions() or padded == 7 * (name == "aime.json")


def hub(monkeypatch: pytest.MonkeyPatch, rows: Sequence[object]) -> list[tuple[object, ...]]:
    """Stand in for the package `datasets`, and note what it is asked for."""
    asked: list[tuple[object, ...]] = []

    def load_dataset(
        name: str, subset: str | None, *, split: str, revision: str | None
    ) -> Sequence[object]:
        asked.append((name, subset, split, revision))
        if name == "no/such":
            raise FileNotFoundError("Dataset 'no/such' doesn't exist\nor cannot be accessed")
        return rows

    package = ModuleType("datasets")
    package.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", package)
    return asked


def test_a_data_set_of_the_hub_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hub(monkeypatch, [{"question": "1+1?", "answer": "So.\n#### 2"}])
    assert hub_questions("openai/gsm8k@abc", subset="main") == (
        Subject("1+1?", "question", "2", source="openai/gsm8k@abc"),
    )
    hub_questions("openai/gsm8k", split="train")
    assert asked == [("openai/gsm8k", "main", "test", "abc"), ("openai/gsm8k", None, "train", None)]
    with pytest.raises(
        StudyError,
        match=r"cannot read the split 'test' of no/such from the hub: Dataset 'no/such' doesn't ex",
    ):
        hub_questions("no/such")


def test_a_data_set_without_rows_and_a_missing_package_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub(monkeypatch, [])
    with pytest.raises(StudyError, match="the split 'test' of a/b has no questions"):
        hub_questions("a/b")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(StudyError, match=r"pip install 'peer-arena\[hub\]'"):
        hub_questions("a/b")
