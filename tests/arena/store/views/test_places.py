"""Views of tables: places in prompts, who was followed, and accuracy by stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.scripted import scripted_model
from arena.play.run import Arena
from arena.studies.study import Arm, Study
from arena.types import Agent, Request
from protocols.drafting import drafting
from protocols.society_of_minds import society_of_minds
from tests.question_agents import QUESTION, box, play

# Agent 0 follows agent 1, agent 1 stays, agent 2 takes an answer that nobody gave.
SAID = {"agent0": [5, 4], "agent1": [4, 4], "agent2": [6, 7]}


def script(request: Request) -> str:
    return box(SAID[request.place.seat][request.place.round])


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return play(tmp_path / "a.duckdb", society_of_minds, script)


def test_every_turn_in_a_prompt_has_its_place(arena: Arena) -> None:
    rows = arena.sql(
        "select reader, author, place, places, own, author_round from reading_places"
        " where reader = 'agent1' order by place"
    ).rows
    assert list(rows) == [
        ("agent1", "agent0", 1, 3, False, 0),
        ("agent1", "agent1", 2, 3, True, 0),
        ("agent1", "agent2", 3, 3, False, 0),
    ]


def test_whoever_changes_to_the_answer_of_a_reply_has_followed_it(arena: Arena) -> None:
    rows = arena.sql(
        "select reader, author, place, answer_before, answer, author_answer, author_correct,"
        " followed from following order by reader, place"
    ).rows
    assert list(rows) == [
        ("agent0", "agent1", 2, "5", "4", "4", True, True),
        ("agent0", "agent2", 3, "5", "4", "6", False, False),
        ("agent1", "agent0", 1, "4", "4", "5", False, False),
        ("agent1", "agent2", 3, "4", "4", "6", False, False),
        ("agent2", "agent0", 1, "6", "7", "5", False, False),
        ("agent2", "agent1", 2, "6", "7", "4", True, False),
    ]
    effects = "select place, shown, followed, share, authors from place_effects order by place"
    assert list(arena.sql(effects).rows) == [(1, 2, 0, 0, 1), (2, 2, 1, 0.5, 1), (3, 2, 0, 0, 1)]


def test_nobody_is_followed_where_all_others_say_the_same(tmp_path: Path) -> None:
    def agreed(request: Request) -> str:
        return box(4 if request.place.seat != "agent0" or request.place.round else 5)

    arena = play(tmp_path / "a.duckdb", society_of_minds, agreed)
    readers = {row[0] for row in arena.sql("select reader from following").rows}
    assert readers == {"agent1", "agent2"}


def test_stages_are_compared_with_the_first_answers_of_the_same_seats(arena: Arena) -> None:
    rows = arena.sql(
        "select stage, plays, answers, accuracy, accuracy_at_first, change from accuracy_by_stage"
    ).rows
    assert list(rows) == [
        (0, 1, 3, pytest.approx(1 / 3), pytest.approx(1 / 3), 0),
        (1, 1, 3, pytest.approx(2 / 3), pytest.approx(1 / 3), pytest.approx(1 / 3)),
    ]


def test_a_stage_that_nobody_could_read_has_no_accuracy_and_changed_nothing(
    tmp_path: Path,
) -> None:
    def script(request: Request) -> str:
        return box(4) if request.place.round else "I cannot tell."

    arena = play(tmp_path / "a.duckdb", society_of_minds, script)
    rows = arena.sql(
        "select stage, unreadable, accuracy, accuracy_at_first, change from accuracy_by_stage"
    ).rows
    assert list(rows) == [(0, 3, None, None, None), (1, 0, 1, None, None)]


def test_an_early_end_saves_what_comes_after_the_first_agreement(tmp_path: Path) -> None:
    said = {"agent0": [4, 4, 5], "agent1": [5, 4, 5], "agent2": [4, 4, 4]}

    def script(request: Request) -> str:
        return box(said[request.place.seat][request.place.round])

    arena = play(tmp_path / "a.duckdb", society_of_minds, script, {"rounds": 3})
    rows = arena.sql(
        "select plays, agreed, mean_stage, saved, same_answer, right_to_wrong, wrong_to_right"
        " from early_ends"
    ).rows
    # All say 4 in the second round, and two of them 5, which is wrong, in the third.
    assert list(rows) == [(1, 1, 1.0, pytest.approx(1 / 3), 0, 1, 0)]


def test_a_table_that_never_agrees_has_nothing_to_save(arena: Arena) -> None:
    rows = arena.sql("select plays, agreed, mean_stage, saved from early_ends").rows
    assert list(rows) == [(1, 0, None, 0)]


def test_final_statements_are_no_answers_of_a_round(tmp_path: Path) -> None:
    def talk(request: Request) -> str:
        place = request.place
        seat = int(place.seat[-1])
        if place.phase == "ballot":
            return f"Ballot: {'ABC'[seat]}"
        if place.phase == "statement":
            return box(900 + seat)
        # Seat 1 takes the answer that seat 0 gave before it in the second turn.
        return box(100 if (seat, place.round) == (1, 1) else 100 * place.round + seat)

    arena = Arena(tmp_path / "a.duckdb")
    solver = Agent("s", scripted_model(talk))
    options = {"turns": 3, "vote_from": 1, "decide": "vote", "reask": False}
    arm = Arm("a", drafting, [{"solvers": [solver]}], options)
    assert arena.run(Study("s", [arm], [QUESTION]), watch=lambda tally: None).done == 1
    rows = arena.sql("select reader, round, author, answer, author_answer, followed from following")
    assert [row[:3] for row in rows.rows if row[5]] == [("agent1", 1, "agent0")]
    assert not any(int(answer) >= 900 for row in rows.rows for answer in row[3:5])
