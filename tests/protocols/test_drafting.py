"""A table that passes one solution on: who hears whom, consensus, votes, and early ends."""

from __future__ import annotations

import re

import pytest

from agents.scripted import scripted_model
from arena.errors import StudyError
from arena.play.memory import MemoryJournal
from arena.types import Agent, Request
from protocols import laws
from protocols.drafting import PRESETS, drafting, options_for_calls
from protocols.personas import PERSONAS
from tests.in_memory import final_of, others_of, rows_of_play
from tests.question_agents import QUESTION, Script, box

CODE = re.compile(r"\b[0-9a-f]{8}\b")


def table(script: Script, **options: object) -> MemoryJournal:
    """Play with copies of one agent."""
    return rows_of_play(drafting, [Agent("s", scripted_model(script))], options, seat="solvers")


def calls(rows: MemoryJournal) -> int:
    """The number of replies."""
    return len(rows.rows("call_ends"))


def contributions(*answers: object, ballot: str = "A") -> Script:
    """A script with the answers of contributions in the order in which they are asked."""
    said = iter(answers)
    last: dict[str, object] = {}

    def script(request: Request) -> str:
        place = request.place
        if place.phase in ("draft", "contribution"):
            last[place.seat] = next(said, last.get(place.seat))
            return f"Words of {place.seat} in {place.round}. {box(last[place.seat])}"
        if place.phase == "statement":
            return box(last[place.seat])
        if place.phase == "judgement":
            return box(4)
        return (
            f"An expert of kind {place.round}." if place.phase == "persona" else f"Ballot: {ballot}"
        )

    return script


def disagree(request: Request) -> str:
    """Nobody ever agrees, and every ballot is for an answer of its own."""
    place = request.place
    number = int(place.seat[-1]) if place.seat[-1].isdigit() else 0
    return f"Ballot: {'ABCD'[number]}" if place.phase == "ballot" else box(10 * place.step + number)


@pytest.mark.parametrize(
    ("decide", "answers", "made", "final"),
    [
        ("majority", (5, 5), 2, "5"),
        ("supermajority", (5, 4, 4), 3, "4"),
        ("unanimity", (5, 4, 4, 4), 4, "4"),
        ("unanimity", (4, 4, 5, 4, 4, 4), 6, "4"),
        ("hybrid", (4, 4, 4), 3, "4"),
    ],
)
def test_a_consensus_ends_the_talk_after_the_contribution_that_makes_it(
    decide: str, answers: tuple[int, ...], made: int, final: str
) -> None:
    rows = table(contributions(*answers), decide=decide)
    assert (calls(rows), final_of(rows)[0]) == (made, final)


def test_the_tables_answer_is_in_the_words_of_who_gave_it_first() -> None:
    assert final_of(table(contributions("Paris", "paris"), decide="majority"))[0] == "Paris"


def test_three_seats_that_agree_have_agreed() -> None:
    # In the released code an agreeing reply begins the count anew, so that they never do.
    assert calls(table(contributions(4, 4, 4), decide="unanimity")) == 3


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({}, 3 * 4),
        ({"paradigm": "report"}, 3 * 4),
        ({"paradigm": "relay"}, 3 * 4),
        ({"paradigm": "collective"}, 3 * 4),
        ({"paradigm": "debate"}, (1 + 2 * 2) * 4),
        ({"persona": "generated"}, 3 + 3 * 4),
        ({"decide": "vote"}, 3 * 4 + 2 * (3 + 3)),
        ({"decide": "vote", "early": False}, 3 * 4 + (3 + 3)),
        ({"decide": "vote", "persona": "generated"}, 3 + 3 * 4 + 2 * (3 + 3)),
        ({"drafts": "all"}, 3 * 4),
        ({"agents": 4, "decide": "ranked", "vote_from": 2}, 4 * 4 + 3 * (4 + 4)),
    ],
)
def test_a_table_that_never_decides_makes_the_calls_of_the_formula(
    options: dict[str, object], made: int
) -> None:
    rows = table(disagree, turns=4, reask=False, **{"undecided": "missing"} | options)
    assert calls(rows) == made
    assert final_of(rows)[0] is None or options.get("decide") == "ranked"


def test_a_judge_decides_at_the_first_vote() -> None:
    rows = table(disagree, turns=4, decide="judge", reask=False)
    assert calls(rows) == 3 * 3 + (3 + 1)


def test_votes_are_held_from_their_turn_on_and_a_tie_is_another_turn() -> None:
    rows = table(contributions(5, 4, 6, ballot="B"), decide="vote", turns=5)
    assert (calls(rows), final_of(rows)[0]) == (9 + 3 + 3, "4")
    rows = table(disagree, decide="vote", turns=5)
    assert calls(rows) == 15 + 3 * 6
    # What stands in the end holds, unless it is to be missing.
    assert final_of(rows)[0] is not None
    assert final_of(table(disagree, decide="vote", turns=5, undecided="missing"))[0] is None


def test_without_an_early_end_all_turns_are_played_and_the_last_state_decides() -> None:
    rows = table(contributions(5, 5, 4, 4, 4, 4), turns=2, early=False)
    assert (calls(rows), final_of(rows)[0]) == (6, "4")
    assert final_of(table(contributions(5, 5, 4, 4, 4, 4), turns=2))[0] == "5"


def heard(rows: MemoryJournal, seat: str, step: int) -> list[tuple[str, int]]:
    """The (seat, step) of the turns that a seat was shown in a step."""
    [turn] = [row for row in rows.rows("turns") if (row["seat"], row["step"]) == (seat, step)]
    return [(part["seat"], part["step"]) for part in turn["prompt"] if part.get("seat")]


def test_everybody_hears_whom_the_paradigm_lets_it_hear_and_the_standing_solution() -> None:
    rows = table(disagree, turns=3, reask=False)
    assert heard(rows, "agent0", 0) == []
    assert heard(rows, "agent2", 0) == [("agent0", 0), ("agent1", 0)]
    assert heard(rows, "agent0", 2) == [("agent0", 1), ("agent1", 1), ("agent2", 1)]
    rows = table(disagree, turns=2, paradigm="report", reask=False)
    assert heard(rows, "agent2", 1) == [("agent1", 1), ("agent0", 0), ("agent2", 0), ("agent0", 1)]
    rows = table(disagree, turns=2, paradigm="relay", reask=False)
    # Seat 1 hears seat 0, whose solution stands.
    assert heard(rows, "agent1", 1) == [("agent0", 0), ("agent1", 0), ("agent0", 1)]
    rows = table(disagree, turns=1, paradigm="debate", reask=False)
    assert heard(rows, "agent1", 0) == [("agent0", 0)]
    assert heard(rows, "agent1", 1) == [("agent1", 0), ("agent2", 0)]


def test_drafts_by_all_are_written_before_anybody_is_heard() -> None:
    rows = table(contributions(4, 5, 6, 6, 6), drafts="all", decide="unanimity", turns=2)
    for seat in range(3):
        assert heard(rows, f"agent{seat}", 0) == []
    assert [row[1:3] for row in others_of(rows)][:3] == [(0, "4"), (0, "5"), (0, "6")]


@pytest.mark.parametrize("silent", ["agent0", "agent1", "agent2", "personas"])
def test_an_unreadable_contribution_neither_proposes_nor_agrees(silent: str) -> None:
    script = contributions(4, 4, 4, 4, 4, 4)

    def with_silence(request: Request) -> str:
        reply = script(request)
        assert isinstance(reply, str)
        return "…" if request.place.seat == silent else reply

    options = {"decide": "unanimity", "turns": 2, "reask": False, "undecided": "missing"}
    rows = table(with_silence, persona="generated", **options)
    assert (final_of(rows)[0] is None) == (silent != "personas")


def test_personas_are_drawn_without_repeats_or_written_as_turns() -> None:
    prompts: dict[tuple[str, str], str] = {}

    def watching(request: Request) -> str:
        prompts[request.place.seat, request.place.phase] = request.messages[0].content
        reply = contributions(4, 4, 4)(request)
        assert isinstance(reply, str)
        return reply

    table(watching, decide="unanimity", persona="drawn", turns=1)
    roles = [role for words in prompts.values() for role in PERSONAS if role in words]
    assert len(set(roles)) == len(roles) == len(prompts) > 1
    rows = table(contributions(4, 4, 4), decide="unanimity", persona="generated")
    assert calls(rows) == 6
    assert heard(rows, "personas", 2) == [("personas", 0), ("personas", 1)]
    assert heard(rows, "agent1", 0) == [("personas", 1), ("agent0", 0)]


def test_a_budget_plans_for_the_longest_talk() -> None:
    assert options_for_calls(11) == {"turns": 3}
    for preset in PRESETS:
        for budget in (14, 21, 30):
            options = options_for_calls(budget, preset)
            rows = table(disagree, reask=False, **options | {"undecided": "missing"})
            assert budget - 5 < calls(rows) <= budget
    with pytest.raises(StudyError, match="too few"):
        options_for_calls(2)


def shy(request: Request) -> str:
    """An answer and a ballot that depend on the seed, and a private thought."""
    return (
        f"<think>secret of {request.place.seat} {request.seed}</think>I say so {request.seed}.\n"
        f"\\boxed{{{request.seed % 3}}}\nBallot: {'AB'[request.seed % 2]}"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"persona": "generated"},
        {"paradigm": "debate", "persona": "drawn", "decide": "unanimity"},
        {"decide": "vote", "vote_from": 1},
        {"decide": "judge", "early": False},
    ],
)
def test_drafting_obeys_the_laws(options: dict[str, object]) -> None:
    agent = Agent("s", scripted_model(shy))
    laws.check(
        drafting, {"solvers": [agent]}, QUESTION, options={"agents": 2, "turns": 2} | options
    )
