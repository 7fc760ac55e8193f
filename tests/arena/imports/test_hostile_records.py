"""Records of others that are wrong on purpose: nothing is lost, leaked or merged without a word."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from arena.errors import StudyError
from tests.arena.imports import made_up_records as made_up
from tests.arena.imports.test_other_systems import put, rows, take

HUGE = 10**30


def said(name: str, words: str, **more: object) -> dict[str, Any]:
    """Return a message."""
    return {"name": name, "content": words, **more}


@pytest.mark.parametrize(
    ("play", "words"),
    [
        ({"messages": [said("ann", "hi", round=HUGE)]}, "a round, stage or repeat"),
        ({"messages": [said("ann", "hi", round=2**40)]}, "a round, stage or repeat"),
        ({"messages": [said("ann", "hi")], "repeat": -HUGE}, "a round, stage or repeat"),
        (
            {"messages": [said("a\ud800", "hi"), said("a\ud801", "there")]},
            "two seats that differ in signs",
        ),
        (
            {
                "messages": [said("ann", "hi")],
                "choices": ["a", "b"],
                "gold": "c",
                "answers": [{"seat": "ann", "answer": "a"}],
            },
            "names none of the 2 options",
        ),
    ],
)
def test_a_play_that_cannot_be_written_is_refused_and_the_others_come_in(
    tmp_path: Path, play: dict[str, Any], words: str
) -> None:
    folder = tmp_path / "in"
    put(folder, play, "bad.json")
    path = tmp_path / "alone.duckdb"
    with pytest.raises(StudyError, match=words):
        take("json", folder, path)
    assert not path.exists()
    assert not list(tmp_path.rglob("*.part"))
    put(folder, {"messages": [said("ben", "hello")]}, "good.json")
    result = take("json", folder, tmp_path / "both.duckdb")
    assert [words in item.reason for item in result.refused] == [True]
    assert rows(tmp_path / "both.duckdb", "select seat, public from turns") == [("ben", "hello")]


def test_simulated_plays_mark_a_study_that_had_none(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    take("json", put(tmp_path, {"study": "x", "messages": [said("ann", "hi")]}, "a.json"), path)
    assert rows(path, "select simulated from studies") == [(False,)]
    later = {"study": "x", "simulated": True, "messages": [said("ann", "ho")]}
    take("json", put(tmp_path, later, "b.json"), path)
    assert rows(path, "select simulated from studies") == [(True,)]


def test_an_unlikely_rating_stands_in_no_status(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    play = {"messages": [said("ann", "hi", confidence=85.5), said("ben", "ho", confidence="sure")]}
    take("json", put(tmp_path, play), path)
    found = rows(path, "select confidence, confidence_status from turns order by seat")
    assert found == [(None, "not a number from 0 to 1")] * 2


def test_several_answers_of_a_seat_without_stages_are_its_stages(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    answers = [{"seat": "ann", "answer": "x", "final": False}, {"seat": "ann", "answer": "y"}]
    take("json", put(tmp_path, {"messages": [said("ann", "hi")], "answers": answers}), path)
    found = rows(path, "select answer, final, stage from answers order by stage")
    assert found == [("x", False, 0), ("y", True, 1)]


def test_texts_that_are_no_text_and_numbers_without_end_come_in_as_they_can(tmp_path: Path) -> None:
    samples = made_up.mallm()
    samples[0]["decisionSuccess"] = HUGE
    samples[0]["personas"][0]["persona"] = "a\ud800"
    path = tmp_path / "a.duckdb"
    assert take("mallm", put(tmp_path, samples), path).plays
    history = made_up.chatarena()
    history[2]["visible_to"] = ["\ud800"]
    history[1]["turn"] = "9" * 5000
    assert take("chatarena", put(tmp_path / "c", history), path).plays


def test_players_of_one_role_keep_their_seats_and_odd_sides_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    game = made_up.textarena()
    game["game_state"] = {}
    game["role_mapping"] = {"0": "Villager", "1": "Villager"}
    take("textarena", put(tmp_path, game), path)
    assert rows(path, "select seat, public from turns order by seat") == [
        ("Villager 0", "Yes."),
        ("Villager 1", "No."),
    ]
    for sides in ({"0": [], "1": []}, {"0": "Negative", "1": "Negative"}):
        game["game_state"] = {"sides": sides}
        with pytest.raises(StudyError, match="two players on one side"):
            take("textarena", put(tmp_path, game), tmp_path / "b.duckdb")


def test_two_debates_of_one_number_stay_two(tmp_path: Path) -> None:
    folder = made_up.llm_debate(tmp_path / "in")
    [table] = [file for file in folder.rglob("*.csv") if "debate_id" in file.read_text()[:300]]
    lines = list(csv.DictReader(io.StringIO(table.read_text())))
    first = next(line for line in lines if line["debate_method"] == "debate")
    other = dict(first)
    state = json.loads(first["transcript"])
    state["rounds"][0]["correct"] = "another speech"
    other["transcript"] = json.dumps(state)
    made_up.write_table(tmp_path / "two" / "x" / "t.csv", [first, other])
    path = tmp_path / "a.duckdb"
    take("llm-debate", tmp_path / "two", path)
    speeches = rows(path, "select count(*), count(distinct episode) from turns where round = 0")
    assert speeches == [(4, 2)]
    words = rows(path, "select count(distinct debate), count(*) from rulings")
    assert words == [(2, 2)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answers": {"correct": "x", "incorrect": "x"}}, "the same answer twice"),
        ("[" * 100_000, "no transcript in JSON"),
    ],
)
def test_a_row_of_llm_debate_that_is_wrong_is_refused(
    tmp_path: Path, change: dict[str, Any] | str, words: str
) -> None:
    folder = made_up.llm_debate(tmp_path / "in")
    [table] = [file for file in folder.rglob("*.csv") if "debate_id" in file.read_text()[:300]]
    row = next(csv.DictReader(io.StringIO(table.read_text())))
    state = json.loads(row["transcript"])
    row["transcript"] = change if isinstance(change, str) else json.dumps({**state, **change})
    made_up.write_table(tmp_path / "one" / "x" / "t.csv", [row])
    with pytest.raises(StudyError, match=words):
        take("llm-debate", tmp_path / "one", tmp_path / "a.duckdb")


def test_confidences_of_people_lie_between_0_and_1(tmp_path: Path) -> None:
    folder = made_up.llm_debate(tmp_path / "in")
    [table] = [file for file in folder.rglob("*.csv") if "debate_id" in file.read_text()[:300]]
    lines = list(csv.DictReader(io.StringIO(table.read_text())))[:3]
    for line, stated in zip(lines, ("850", "-3", "85"), strict=True):
        line["confidence"] = stated
        line["debate_id"] = stated
    made_up.write_table(tmp_path / "one" / "x" / "t.csv", lines)
    path = tmp_path / "a.duckdb"
    take("llm-debate", tmp_path / "one", path)
    found = rows(path, "select confidence from answers order by confidence nulls last")
    assert found == [(0.85,), (None,), (None,)]


def test_a_clone_may_come_in_piece_by_piece_in_any_order(tmp_path: Path) -> None:
    folder = made_up.lechmazur(tmp_path / "in")
    pieces = [folder / "participant_judging", folder / "transcripts", folder / "judgments"]
    whole, parts = tmp_path / "whole.duckdb", tmp_path / "parts.duckdb"
    take("lechmazur", folder, whole)
    for piece in pieces:
        take("lechmazur", piece, parts)
    assert take("lechmazur", folder, parts).plays == {}
    for sql in (
        "select count(*), count(distinct episode) from turns",
        "select count(*) from rulings",
        "select model, round(own_minus_panel, 9) from own_minus_panel order by all",
    ):
        assert rows(parts, sql) == rows(whole, sql)


def test_the_same_table_in_two_formats_counts_once(tmp_path: Path) -> None:
    folder = made_up.lechmazur(tmp_path / "in")
    table = folder / "judgments" / "judge_results__made_up.csv"
    lines = [json.dumps(row) for row in csv.DictReader(io.StringIO(table.read_text()))]
    (table.parent / "judge_results__made_up.jsonl").write_text("\n".join(lines))
    result = take("lechmazur", folder, tmp_path / "a.duckdb")
    assert result.verdicts == 42


def test_a_margin_for_an_unnamed_side_is_nobodys(tmp_path: Path) -> None:
    folder = made_up.lechmazur(tmp_path / "in")
    [table] = (folder / "participant_judging").rglob("*.csv")
    text = table.read_text()
    lines = list(csv.DictReader(io.StringIO(text)))
    for line in lines:
        line["side_a_source"] = line["side_a_source"].upper()
    made_up.write_table(table, lines)
    path = tmp_path / "a.duckdb"
    take("lechmazur", folder, path)
    margins = rows(path, "select model, own_minus_panel from own_minus_panel")
    assert dict(margins) == pytest.approx(made_up.OWN_MINUS_PANEL)
    for line in lines:
        line["side_a_source"] = ""
    made_up.write_table(table, lines)
    take("lechmazur", folder, tmp_path / "b.duckdb")
    assert rows(tmp_path / "b.duckdb", "select * from own_minus_panel") == []


def test_a_panels_row_of_a_participant_is_none_of_its_own_margins(tmp_path: Path) -> None:
    folder = made_up.lechmazur(tmp_path / "in")
    table = folder / "judgments" / "judge_results__made_up.csv"
    lines = list(csv.DictReader(io.StringIO(table.read_text())))
    more = [{**line, "judge_model": line["model_pro"], "signed_margin": "9"} for line in lines]
    made_up.write_table(table, [*lines, *more])
    path = tmp_path / "a.duckdb"
    take("lechmazur", folder, path)
    margins = rows(path, "select model, own_minus_panel from own_minus_panel")
    assert dict(margins) == pytest.approx(made_up.OWN_MINUS_PANEL)


def test_a_transcript_with_a_gap_is_refused(tmp_path: Path) -> None:
    folder = made_up.lechmazur(tmp_path / "in")
    file = next((folder / "transcripts").iterdir())
    file.write_text(file.read_text().replace("## Turn 3:", "## Turn 4:", 1))
    with pytest.raises(StudyError, match="one is missing"):
        take("lechmazur", file, tmp_path / "a.duckdb")
