"""Labels of people: what is imported, what is refused, and sheets that lead to them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
import pytest

from arena.cli.main import main
from arena.errors import StoreError, StudyError
from arena.exports.label_sheet import place, write_label_sheet
from arena.imports.labels import import_labels, label_lines
from arena.store import database
from arena.store.journal import line, write_journal
from arena.store.merge import merge

NOW = datetime(2026, 1, 2, 3, 4, 5)
DEBATES = [f"debate{number:02}" for number in range(20)]
HEADER = "item,rater,value"


def rows_of_store() -> list[tuple[str, dict]]:
    """Debates with one speech a side, a judging of the first, and a question that was answered."""
    rows: list[tuple[str, dict]] = [
        ("runs", {"run": "r", "study": "cup", "origin": "played", "started_at": NOW}),
        ("subjects", {"subject": "m", "kind": "motion", "text": "=1+1 This house would"}),
        ("subjects", {"subject": "q", "kind": "question", "text": "2 + 2?", "choices": ["3", "4"]}),
    ]
    plays = [(name, "cup", "m") for name in DEBATES]
    for episode, study, subject in [*plays, ("judging0", "jury", "debate"), ("sum", "sums", "q")]:
        own = {"episode": episode, "study": study, "subject": subject}
        rows += [
            ("plays", own | {"arm": "a", "protocol": "p", "options": {}}),
            ("statuses", {"episode": episode, "status": "done", "ended_at": NOW}),
        ]
    for name in DEBATES:
        for seat, model in (("proposition", "lab/gpt-9"), ("opposition", "lab/even")):
            rows += [
                ("seats", {"episode": name, "seat": seat, "agent": model, "model": model}),
                (
                    "turns",
                    {
                        "episode": name,
                        "seat": seat,
                        "step": 0,
                        "round": 0,
                        "phase": "opening",
                        "public": f"I am GPT-9, an even speaker of the {seat} in {name}.",
                        "confidence": 0.87,
                        "thoughts": "I will lose",
                    },
                ),
            ]
    answer = {"episode": "sum", "seat": "solver", "answer": "B", "correct": True, "final": True}
    rows += [
        ("seats", {"episode": "judging0", "seat": "judge", "agent": "j", "model": "lab/j"}),
        ("seats", {"episode": "sum", "seat": "solver", "agent": "s", "model": "lab/s"}),
        ("answers", answer | {"stage": 1, "status": "graded"}),
        ("answers", answer | {"stage": 0, "final": False, "answer": "A", "correct": False}),
    ]
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `rows_of_store`."""
    path = tmp_path_factory.mktemp("labels") / "a.duckdb"
    database.create(path)
    lines = [line(table, row) for table, row in rows_of_store()]
    write_journal(database.journal_folder(path) / "x.jsonl", lines)
    database.fold(path)
    return path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy of the store, for one test."""
    return Path(shutil.copy(made, tmp_path / "a.duckdb"))


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write lines of a CSV file under a header, and return its path."""

    def write(*lines: str, header: str = HEADER, name: str = "l.csv") -> Path:
        file = tmp_path / name
        file.write_text("\n".join([header, *lines]) + "\n")
        return file

    return write


def stored(path: Path) -> list[tuple]:
    """What counts of all labels."""
    sql = "select item, question, rater, value from labels order by all"
    return list(database.select_rows(path, sql).rows)


def test_labels_name_debates_answers_and_turns_and_are_asked_what_fits(
    store: Path, put: Callable[..., Path]
) -> None:
    file = put(
        "debate00,ann,Proposition,,",
        "debate00,bob,tie,,a close one",
        "sum,ann,true,,",
        "sum/solver/answer/0,ann,wrong,,",
        "debate01/proposition/0,ann,aligned,fits,",
        "debate02,ann,,,",
        "debate00,ann,proposition,,",
        header=f"{HEADER},question,note",
    )
    found = import_labels(file, store)
    assert (found.labels, found.items, found.raters, found.blank) == (
        {"correct": 2, "fits": 1, "winner": 2},
        4,
        2,
        1,
    )
    assert stored(store) == [
        ("debate00", "winner", "ann", "proposition"),
        ("debate00", "winner", "bob", "tie"),
        ("debate01/proposition/0", "fits", "ann", "aligned"),
        ("sum/solver/answer/0", "correct", "ann", "wrong"),
        ("sum/solver/answer/1", "correct", "ann", "right"),
    ]
    assert "imported 5 labels (correct 2, fits 1, winner 2) on 4 items by 2 raters" in label_lines(
        found
    )
    # The same file again says nothing new, by whatever name.
    again = import_labels(Path(shutil.copy(file, file.with_name("again.csv"))), store)
    assert (again.labels, again.already_stored, again.blank) == ({}, 5, 1)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_other_formats_hold_the_same_labels(store: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"l.{kind}"
    if kind == "jsonl":
        file.write_text(json.dumps({"item": "sum", "value": True, "probability": 0.5}))
    else:
        duckdb.sql("select 'sum' as item, true as value, 0.5 as probability").write_parquet(
            str(file)
        )
    import_labels(file, store, rater="ann")
    assert stored(store) == [("sum/solver/answer/1", "correct", "ann", "right")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["debate99,ann,tie"], "row 2: there is no episode 'debate99'"),
        (["debate,ann,tie"], "several episodes begin with 'debate'"),
        (["debate00,ann,neither"], "one of proposition, opposition, tie, found 'neither'"),
        (["sum,ann,tie"], "one of right, wrong, found 'tie'"),
        (["judging0,ann,tie"], "what was asked about judging0"),
        (["debate00,,tie"], "nobody is named who said 'tie'"),
        (["debate00/proposition/7,ann,x"], "has no turn or answer 'proposition/7'"),
        (["debate00/proposition/0,ann,x"], "what was asked about debate00/proposition/0"),
        (["debate00,ann,tie"], "says both 'proposition' and 'tie'"),
        ([",ann,tie"], "the column item is missing or blank"),
    ],
)
def test_what_cannot_be_a_label_is_one_sentence_and_changes_nothing(
    made: Path, put: Callable[..., Path], lines: list[str], words: str
) -> None:
    before = made.read_bytes()
    with pytest.raises(StudyError, match=words) as error:
        import_labels(put("debate00,ann,proposition", *lines), made)
    assert "\n" not in str(error.value)
    assert made.read_bytes() == before
    assert not list(database.journal_folder(made).glob("*labels*"))


def test_a_file_without_items_and_an_episode_of_another_study_are_named(
    made: Path, put: Callable[..., Path]
) -> None:
    with pytest.raises(StudyError, match=r"l.csv, row 1: there is no column item$"):
        import_labels(put("ann,tie", header="rater,value"), made)
    with pytest.raises(StudyError, match=r"no episode 'debate00' in .*, study sums;"):
        import_labels(put("debate00,ann,tie"), made, study="sums")


def test_a_stored_label_changes_only_on_request_and_its_history_stays(
    store: Path, put: Callable[..., Path]
) -> None:
    import_labels(put("debate00,ann,proposition", "debate01,ann,tie"), store)
    other = put("debate00,ann,opposition", "debate01,ann,")
    with pytest.raises(StudyError, match=r"holds 'proposition', imported .*--replace"):
        import_labels(other, store)
    found = import_labels(other, store, overwrite=True)
    assert (found.labels, found.replaced) == ({"winner": 1}, 2)
    assert stored(store) == [("debate00", "winner", "ann", "opposition")]
    sql = "select item, value from label_entries order by imported_at, item"
    history = database.select_rows(store, sql).rows
    assert history[:2] == (("debate00", "proposition"), ("debate01", "tie"))


@pytest.mark.slow
def test_labels_merge_with_their_debates_and_go_with_them(
    store: Path, tmp_path: Path, put: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    import_labels(put("debate00,ann,tie", "debate01,ann,tie"), store)
    other = tmp_path / "other.duckdb"
    database.create(other)
    merge(other, store)
    merge(other, store)
    assert stored(other) == stored(store)
    words = ["--db", str(other), "--study", "cup", "--where", "episode = 'debate00'", "--yes"]
    assert main(["forget", *words]) == 0, capsys.readouterr().err
    assert [row[0] for row in stored(other)] == ["debate01"]


def test_a_sheet_is_a_random_sample_that_tells_nobodys_name_or_rating(
    made: Path, tmp_path: Path
) -> None:
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    write_label_sheet(made, short, "cup", items=5, seed=3)
    sheet = write_label_sheet(made, long, "cup", items=12, seed=3)
    assert (sheet.drawn, sheet.of, sheet.what) == (12, 20, "debates")
    with long.open() as file:
        rows = list(csv.DictReader(file))
    with short.open() as file:
        assert [row["item"] for row in csv.DictReader(file)] == [row["item"] for row in rows][:5]
    assert {(row["probability"], row["drawn"], row["question"]) for row in rows} == {
        ("0.6", "12", "winner")
    }
    whole = long.read_text()
    assert "87" not in whole
    assert "gpt-9" not in whole.lower()
    assert "I will lose" not in whole
    # A word that is a model's name too stays: to cut it would hurt the speech.
    assert "an even speaker" in whole
    assert rows[0]["asked"].startswith("'=")
    first = {row["text"].split()[3] for row in rows}
    assert first == {"proposition:", "opposition:"}
    with pytest.raises(StoreError, match="File exists"):
        write_label_sheet(made, long, "cup")
    with pytest.raises(StudyError, match="no finished debate or answer of a study 'cups'"):
        write_label_sheet(made, tmp_path / "x.csv", "cups")


def test_every_item_has_the_same_chance_to_be_drawn() -> None:
    draws = [name for seed in range(200) for name in sorted(DEBATES, key=partial(place, seed))[:10]]
    # 200 draws with chance 1/2: 4.5 standard deviations are 32.
    assert all(68 <= draws.count(name) <= 132 for name in DEBATES)


def test_a_filled_sheet_is_imported_as_it_is(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sheet"
    command = ["export", str(folder), "--format", "label-sheet", "--study", "sums"]
    assert main([*command, "--items", "3", "--db", str(store)]) == 0
    file = folder / "labels.csv"
    assert f"{file}: 1 of 1 answers, drawn at random" in capsys.readouterr().out
    text = file.read_text()
    assert "A. 3\nB. 4\nAnswer: B" in text
    file.write_text(text.replace("sum,correct,,,", "sum,correct,,right,"))
    assert main(["import", "labels", str(file), "--rater", "ann", "--db", str(store)]) == 0
    sql = "select value, probability, drawn, source from labels"
    assert database.select_rows(store, sql).rows == (("right", 1.0, 1, "labels.csv"),)
    assert main(["export", str(tmp_path / "x"), "--items", "3", "--db", str(store)]) == 2
    assert "--items is for --format label-sheet" in capsys.readouterr().err
    assert main(["import", "llms-overconfidence", ".", "--rater", "a", "--db", str(store)]) == 2
    assert "--rater is for `arena import labels FILE`" in capsys.readouterr().err
