"""Published shapes load as they are, whatever the format, and nothing is left out in silence."""

from __future__ import annotations

import csv
import json
import shutil
import warnings
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.errors import QuestionsWarning, StudyError
from arena.grading.grade import grade
from arena.studies.motions import subject_id, subject_row
from arena.studies.options import shuffle
from arena.studies.questions import last_box, questions
from arena.types import Subject

DATA = Path(__file__).resolve().parents[2] / "data" / "questions"
METAL = ["iron", "salt", "wood", "wool"]
GAS = ["argon", "carbon dioxide", "helium", "neon"]
MIRROR = ["No, it brings shards", "Only on Fridays", "Yes, seven years of it"]
FRIDGE = ["drawer", "fridge", "oven", "pond", "shelf"]
# Of each file: the first question, its options in the alphabet's order, and the right answers.
FILES: dict[str, tuple[str, list[str], list[str]]] = {
    "accepted.jsonl": ("Who wrote it?", [], ["Jane Austen", "Bath"]),
    "aime.csv": ("What is $9+16$?", [], ["025"]),
    "aime.json": ("What is $40+33$?", [], ["73"]),
    "aqua.jsonl": (
        "Speed?",
        ["100 km/h", "40 km/h", "60 km/h", "80 km/h", "90 km/h"],
        ["90 km/h"],
    ),
    "arc.jsonl": ("Which is a metal?", METAL, ["iron"]),
    "arc_hub.jsonl": ("Which is a metal?", METAL, ["iron", "ice"]),
    "boolq.jsonl": (
        "The bridge was built for trains and carts, and both use it to this day.\n\n"
        "is the bridge open to trains",
        [],
        ["true", "false"],
    ),
    "commonsense_qa.jsonl": ("Where is milk kept cold?", FRIDGE, ["fridge"]),
    "commonsense_qa_hub.jsonl": ("Where is milk kept cold?", FRIDGE, ["fridge"]),
    "gpqa.csv": (
        "Which particle has no charge?",
        ["the electron", "the neutron", "the positron", "the proton"],
        ["the neutron", "carbon dioxide"],
    ),
    "gsm8k.jsonl": ("Ann has 6 boxes of 3 eggs. How many eggs?", [], ["18", "1,234"]),
    "letters.tsv": ("Which gas do plants take in?", GAS, ["carbon dioxide"]),
    "list_in_cell.csv": ("Which is even?", ["five", "four", "three"], ["four", "seven", "iron"]),
    "math.jsonl": (r"What is $5\cdot 11$?", [], ["55", "7", r"\frac{1}{4}"]),
    "math_500.jsonl": (r"What is $5\cdot 11$?", [], ["55"]),
    "mmlu_hub.jsonl": ("How many legs has a spider?", ["1", "2", "3", "8"], ["8", "2"]),
    "mmlu_pro.jsonl": (
        "Which number is prime?",
        ["10", "12", "14", "15", "16", "4", "6", "7", "8", "9"],
        ["7"],
    ),
    "mmlu_test.csv": (
        "Which of these planets, of our own system, is the largest?",
        ["Earth", "Jupiter", "Mars", "Venus"],
        ["Jupiter", "6", "yes, it does"],
    ),
    "option_a.csv": ("Which gas do plants take in?", GAS[:3], ["carbon dioxide"]),
    "sciq.jsonl": ("What do bees make?", ["honey", "milk", "silk", "wool"], ["honey"]),
    "strategy_qa.json": ("Could a whale fit into a bathtub?", [], ["false"]),
    "truthful_qa.csv": (
        "Can a broken mirror bring bad luck?",
        ["No, it brings shards", "Only on Fridays", "Yes", "Yes, seven years of it"],
        ["No, it brings shards"],
    ),
    "truthful_qa_mc.json": ("Can a broken mirror bring bad luck?", MIRROR, MIRROR[:1]),
    "truthful_qa_mc.jsonl": ("Can a broken mirror bring bad luck?", MIRROR, MIRROR[:1]),
}
UNUSED = {
    "aime.json": "Solution",
    "aqua.jsonl": "rationale",
    "gpqa.csv": "Explanation",
    "math_500.jsonl": "solution",
    "sciq.jsonl": "support",
    "strategy_qa.json": "decomposition, facts",
}


def right(subject: Subject) -> str | None:
    """The text of the right answer."""
    if subject.gold is None or not subject.choices:
        return subject.gold
    return subject.choices["ABCDEFGHIJ".index(subject.gold)]


def test_every_file_of_a_published_shape_is_checked() -> None:
    assert sorted(FILES) == sorted(file.name for file in DATA.iterdir())


@pytest.mark.filterwarnings("ignore::arena.errors.QuestionsWarning")
@pytest.mark.parametrize("name", FILES)
def test_a_published_shape_loads_as_it_is(name: str) -> None:
    text, options, answers = FILES[name]
    found = questions(DATA / name)
    assert (found[0].text, sorted(found[0].choices)) == (text, options)
    assert [right(subject) for subject in found] == answers
    assert all(grade(subject, subject.gold).correct for subject in found)


# A list in one row and a text in the next are of no one type in Parquet.
@pytest.mark.filterwarnings("ignore::arena.errors.QuestionsWarning")
@pytest.mark.parametrize(
    "name", [name for name in FILES if name.endswith("jsonl") and name != "accepted.jsonl"]
)
def test_a_shape_is_the_same_in_json_and_parquet(name: str, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (DATA / name).read_text("utf-8-sig").splitlines()]
    (tmp_path / "q.json").write_text(json.dumps(rows))
    duckdb.read_json(str(tmp_path / "q.json")).write_parquet(str(tmp_path / "q.parquet"))
    (tmp_path / "wrapped.json").write_text(json.dumps({"data": rows}))
    expected = [(s.text, s.choices, s.gold, s.accepted) for s in questions(DATA / name)]
    for file in ("q.json", "q.parquet", "wrapped.json"):
        found = questions(tmp_path / file)
        assert [(s.text, s.choices, s.gold, s.accepted) for s in found] == expected, file


@pytest.mark.parametrize("name", FILES)
def test_text_that_is_not_used_is_said_and_nothing_else(name: str) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        questions(DATA / name)
    words = [str(one.message) for one in said]
    if name not in UNUSED:
        assert words == []
        return
    assert f"{name}: not used: the text in {UNUSED[name]};" in words[0]
    assert (len(words), said[0].category) == (1, QuestionsWarning)


MIXED = {
    "a label and an index": "question,option1,option2,answer\nq,w,x,1\nr,w,x,0\n",
    "an index and a value": "question,A,B,C,D,answer\nr,w,x,y,z,2\nq,1,2,3,4,2\n",
    "a value and an index": "question,A,B,C,D,answer\nq,10,20,30,40,20\nr,w,x,y,z,2\n",
}


@pytest.mark.parametrize("meanings", MIXED)
@pytest.mark.parametrize("ending", ["csv", "json"])
def test_numbers_as_gold_answers_have_one_meaning_a_file(
    meanings: str, ending: str, tmp_path: Path
) -> None:
    file = tmp_path / f"q.{ending}"
    text = MIXED[meanings]
    if ending == "json":
        text = json.dumps(list(csv.DictReader(text.splitlines())))
    file.write_text(text)
    with pytest.raises(StudyError, match=r"row 2: the gold answer '.*' is read as"):
        questions(file)


# How deep is too deep differs from Python to Python.
DEEP = "too deep|a valid text or number"
REFUSED = {
    "letters in another order": ('{"question":"q","answer":"A","choices":["B) x","A) y"]}', "B, A"),
    "nothing behind ####": ('{"question":"q","answer":"####"}', "nothing follows ####"),
    "an empty box": ('{"question":"q","answer":"\\\\boxed{}"}', "is empty"),
    "an empty box at the end": ('{"question":"q","answer":"So $\\\\boxed{ }$."}', "is empty"),
    "lists in lists": ('{"question":"q","answer":' + "[" * 1000 + "]" * 1000 + "}", DEEP),
    "a name twice": ('{"question":"q","answer":1,"answer":2}', "'answer' stands twice"),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_a_row_that_can_be_read_in_two_ways_or_none_is_refused(
    what: str, ending: str, tmp_path: Path
) -> None:
    file = tmp_path / f"q.{ending}"
    text, words = REFUSED[what]
    file.write_text(text)
    with pytest.raises(StudyError, match=words):
        questions(file)


def test_rows_that_are_not_read_are_said(tmp_path: Path) -> None:
    rows = [{"question": "q", "answer": "1"}]
    (tmp_path / "q.json").write_text(json.dumps({"questions": rows, "train": rows, "tags": ["x"]}))
    with pytest.warns(
        QuestionsWarning, match=r"'questions' are read, and those in 'train' are not"
    ):
        assert len(questions(tmp_path / "q.json")) == 1


@pytest.mark.parametrize(
    "gold", [0.00001, 0.00005, 0.00002, 1e-7, 123456.5, -0.00000325, 1e15, 73, 2.5]
)
def test_a_number_of_json_is_its_value(gold: float, tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text(json.dumps([{"question": "?", "answer": gold}]))
    [subject] = questions(tmp_path / "q.json")
    assert float(subject.gold or "") == gold
    assert "e" not in (subject.gold or "")
    assert grade(subject, f"{gold:.12f}").correct is True
    assert grade(subject, f"{gold:.9e}").correct is True


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_any_number_of_json_is_its_value(number: float) -> None:
    from arena.studies.options import text_of

    assert float(text_of(number)) == number
    assert "e" not in text_of(number)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["Iron", "Copper", "Both A and B", "Gold"], None),
        (["Iron", "Copper", "(a) and (b)", "Neither A nor B"], None),
        (["All of the above", "x", "y", "z"], ["All of the above"]),
        (["Any of these", "x", "y", "z", "All of the above"], ["Any of these", "All of the above"]),
        (["None of these", "x", "y", "z"], ["None of these"]),
        (["More than one of the above.", "x", "y", "z"], ["More than one of the above."]),
        (["above 40", "x", "y", "z"], []),
        (["A bird", "Vitamins", "Be", "C"], []),
    ],
)  # fmt: skip
def test_options_that_speak_of_others_stay_where_they_can(
    options: list[str], shown: list[str] | None
) -> None:
    labelled = list(zip("ABCDE", options, strict=False))
    orders = {tuple(shuffle(f"Which, {n}?", labelled, n)) for n in range(40)}
    if shown is None:
        assert orders == {tuple(options)}
        return
    assert {order[len(order) - len(shown) :] for order in orders} == {tuple(shown)}
    assert len(orders) > 4


def test_the_numbers_a_and_b_of_a_sum_are_no_options(tmp_path: Path) -> None:
    row = {"question": "What is 1+1?", "a": 1, "b": 1, "answer": 2}
    (tmp_path / "q.json").write_text(json.dumps([row, {**row, "question": "What is 0+1?"}]))
    assert [(s.gold, s.choices) for s in questions(tmp_path / "q.json")] == [("2", ()), ("2", ())]


def test_letters_of_their_own_are_taken_off_options_only_if_all_have_them(tmp_path: Path) -> None:
    rows = [
        {"question": "1?", "options": ["(A) iron", "(B) gold"], "answer": "B"},
        {"question": "2?", "options": ["A. iron", "B. gold"], "answer": "B. gold"},
        {"question": "3?", "options": ["A. Einstein", "N. Bohr"], "answer": "B"},
    ]
    (tmp_path / "q.json").write_text(json.dumps(rows))
    found = questions(tmp_path / "q.json", seed=None)
    assert [subject.choices for subject in found] == [
        ("iron", "gold"),
        ("iron", "gold"),
        ("A. Einstein", "N. Bohr"),
    ]
    assert [right(subject) for subject in found] == ["gold", "gold", "N. Bohr"]


def test_several_right_answers_are_each_right_and_stand_in_the_id() -> None:
    one, other = questions(DATA / "accepted.jsonl")
    assert one.accepted == ("Austen",)
    assert [grade(one, each).correct for each in ("jane austen", "Austen.", "Bath")] == [
        True,
        True,
        False,
    ]
    alone = Subject(one.text, "question", one.gold, source=one.source)
    assert subject_id(alone) != subject_id(one)
    assert "accepted" not in other.content()
    assert subject_row(one)["gold"] == "Jane Austen | Austen"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("q.csv", "question,answer\nWhat, then?,2\n", "row 1: 3 cells where the header has 2"),
        ("q.csv", "question,answer,answer\n?,2,3\n", "has the column 'answer' twice"),
        ("q.jsonl", '{"question": "?", "answer": 1}\n{"q', "cannot read line 2 of"),
        ("q.json", '{"question": ', "cannot read questions from"),
        ("q.xlsx", "x", "use .jsonl, .json, .csv, .tsv, .parquet or .txt"),
        ("q.csv", "frage,antwort\nWas?,2\n", "row 1: no question .* there are frage, antwort"),
        ("q.jsonl", '{"question": "?", "answerKey": ""}', "row 1: no answer in the field"),
        ("q.csv", "", "has no questions; give it a field `question` in columns"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_file_and_row(
    name: str, content: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(StudyError, match=words):
        questions(tmp_path / name)


def test_a_table_with_semicolons_is_read_as_spreadsheets_of_many_countries_write_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "q.csv").write_text('question;answer\n"What, then; really?";2\n')
    [one] = questions(tmp_path / "q.csv")
    assert (one.text, one.gold) == ("What, then; really?", "2")


WORDS = st.lists(
    st.sampled_from(["so", "we", "add", "the", "two", "and", "get", "it", "then"]), max_size=20
)


@given(WORDS, WORDS, st.sampled_from(["55", r"\frac{1}{2}", "x^{2}+1", r"\text{odd}", r"\{1,2\}"]))
def test_of_a_worked_solution_only_its_last_box_counts(
    before: list[str], after: list[str], answer: str
) -> None:
    solution = (
        rf"First \boxed{{0}} {' '.join(before)} ${{x=\boxed{{{answer}}}}}$ {' '.join(after)}."
    )
    assert last_box(solution) == answer


CELL = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=3, max_size=12)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    options=st.lists(CELL, min_size=4, max_size=4, unique=True),
    right_place=st.integers(0, 3),
    bom=st.booleans(),
)
def test_a_question_is_the_same_in_every_format_and_its_gold_goes_where_its_option_goes(
    options: list[str], right_place: int, bom: bool, tmp_path: Path
) -> None:
    texts = [f"{place}: {option}" for place, option in enumerate(options)]
    row = {"question": "Which, of four?", "choices": texts, "answer": "ABCD"[right_place]}
    mark = "\ufeff" * bom
    columns = dict(zip("ABCD", texts, strict=True))
    flat = {"question": row["question"], **columns, "answer": row["answer"]}
    (tmp_path / "q.jsonl").write_text(mark + json.dumps(row), encoding="utf-8")
    (tmp_path / "q.json").write_text(mark + json.dumps([row], ensure_ascii=False), encoding="utf-8")
    for name, separator in (("q.csv", ","), ("q.tsv", "\t")):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            file.write(mark)
            csv.writer(file, delimiter=separator).writerows([flat.keys(), flat.values()])
    found = [questions(tmp_path / name)[0] for name in ("q.jsonl", "q.json", "q.csv", "q.tsv")]
    assert len({(subject.text, subject.choices, subject.gold) for subject in found}) == 1
    assert right(found[0]) == texts[right_place]


WORD = st.text(alphabet="bdgkmptz", min_size=3, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    texts=st.lists(WORD, min_size=2, max_size=5, unique=True),
    mark=st.sampled_from(["{}) ", "({}) ", "{}. ", "{}: ", "{})", "({})", "[{}] "]),
    place=st.integers(0, 4),
    form=st.sampled_from(["{letter}", "({letter})", "{letter})", "{text}", "{letter}) {text}"]),
)
def test_letters_of_their_own_are_taken_off_and_the_gold_follows_its_option(
    texts: list[str], mark: str, place: int, form: str, tmp_path: Path
) -> None:
    place %= len(texts)
    options = [mark.format(letter) + text for letter, text in zip("ABCDE", texts, strict=False)]
    gold = form.format(letter="ABCDE"[place], text=texts[place])
    row = {"question": "Which, of these?", "options": options, "answer": gold}
    (tmp_path / "q.json").write_text(json.dumps([row]))
    [subject] = questions(tmp_path / "q.json")
    assert (sorted(subject.choices), right(subject)) == (sorted(texts), texts[place])


def test_a_data_set_of_the_hub_is_named_like_a_file(tmp_path: Path) -> None:
    """A folder with the files of a data set is read as the hub's, without the network."""
    pytest.importorskip("datasets")
    folder = tmp_path / "arc"
    folder.mkdir()
    shutil.copy(DATA / "arc_hub.jsonl", folder / "test.jsonl")
    found = questions(f"hf:{folder}")
    assert [right(subject) for subject in found] == ["iron", "ice"]
    assert found == questions(f"hf:{folder}::test")
    with pytest.raises(StudyError, match="cannot read the split 'train'"):
        questions(f"hf:{folder}::train")


def test_a_name_of_the_hub_that_names_nothing_is_an_error() -> None:
    with pytest.raises(StudyError, match="write hf:owner/name"):
        questions("hf:")
