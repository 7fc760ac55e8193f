"""Panels that compare two texts: forms of talk, both orders, scores and preferences."""

from __future__ import annotations

import pytest

from agents.scripted import scripted_model
from arena.errors import StudyError
from arena.play.memory import MemoryJournal
from arena.types import Agent, Reply, Request, Subject
from protocols import laws
from protocols.pair_panel import PRESETS, options_for_calls, pair_panel
from protocols.parsing.scores import parse_scores, two_scores
from tests.in_memory import final_of, others_of, rows_of_play
from tests.question_agents import Script

PAIR = Subject("Why is the sky blue?", "question", "B", ("It is painted.", "Light is scattered."))


def play(script: Script, preset: str, **options: object) -> MemoryJournal:
    """Play a preset with copies of one agent."""
    agent = [Agent("s", scripted_model(script))]
    return rows_of_play(pair_panel, agent, PRESETS[preset] | options, PAIR, seat="referees")


def scores(first: object, second: object) -> str:
    """A reply with these scores."""
    return f"I compared them.\nScore of text 1: {first}\nScore of text 2: {second}"


def biased(request: Request) -> str:
    """A referee who likes the second option by 1 point, and whatever it reads first by 2."""
    words = request.messages[-1].content
    painted_first = words.index("It is painted.") < words.index("Light is scattered.")
    return scores(*(7, 6) if painted_first else (8, 5)) + "\nBetter: 1"


@pytest.mark.parametrize(
    ("preset", "calls"),
    [
        ("chateval_one_by_one", 2 * 2 * 2),
        ("chateval_simultaneous", 2 * 2 * 2),
        ("chateval_summary", 2 * 2 * 2 + 2 * (2 - 1)),
        ("peer_discussion", 2 + 4),
    ],
)
def test_a_panel_makes_the_calls_of_the_formula(preset: str, calls: int) -> None:
    rows = play(biased, preset)
    assert len(rows.rows("call_ends")) == calls
    # Both orders find the better text; one order prefers whatever stands first.
    found = "A" if preset == "peer_discussion" else "B"
    assert final_of(rows)[:2] == (found, found == "B")


@pytest.mark.parametrize(
    ("preset", "stages"), [("chateval_one_by_one", {1}), ("peer_discussion", {0, 1, 2})]
)
def test_a_turn_without_a_ballot_is_no_answer(preset: str, stages: set[int]) -> None:
    rows = play(biased, preset)
    given = others_of(rows)
    assert {row[1] for row in given} == stages
    assert all(row[2] is not None for row in given)


def test_one_order_alone_is_ruled_by_the_place_of_the_texts() -> None:
    assert final_of(play(biased, "chateval_one_by_one", orders="first"))[0] == "A"


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (scores(7, 8), "7, 8"),
        (scores("7.5/10", "**8**"), "7.5, 8"),
        (scores(0, 8), None),
        (scores(7, 11), None),
        (scores(7, "eight"), None),
        (scores(7, 8) + "\nScore of text 1: 9", None),
        ("Score of text 1: 7", None),
        ("> Score of text 1: 7\n> Score of text 2: 8", None),
        ("…", None),
    ],
)
def test_two_scores_are_read_or_none(words: str, read: str | None) -> None:
    assert two_scores(words).answer == read
    assert parse_scores(read) == (None if read is None else tuple(map(float, read.split(", "))))
    assert (two_scores(words).reask is None) == (read is not None)
    assert two_scores(Reply(scores(7, 8), finish_reason="length")).answer is None


def seen(rows: MemoryJournal, seat: str, step: int) -> list[tuple[str, int]]:
    """The (seat, step) of the turns that a seat was shown in a step."""
    [turn] = [row for row in rows.rows("turns") if (row["seat"], row["step"]) == (seat, step)]
    return [(part["seat"], part["step"]) for part in turn["prompt"] if part.get("seat")]


def test_the_forms_of_talk_differ_in_what_a_referee_reads() -> None:
    rows = play(biased, "chateval_one_by_one")
    assert seen(rows, "agent1", 0) == [("agent0", 0)]
    assert seen(rows, "agent0", 1) == [("agent0", 0), ("agent1", 0)]
    assert seen(rows, "agent1 swapped", 0) == [("agent0 swapped", 0)]
    rows = play(biased, "chateval_simultaneous")
    assert seen(rows, "agent1", 0) == []
    assert seen(rows, "agent1", 1) == [("agent0", 0), ("agent1", 0)]
    rows = play(biased, "chateval_summary")
    assert seen(rows, "summary", 0) == [("agent0", 0), ("agent1", 0)]
    assert seen(rows, "agent1", 1) == [("summary", 0)]
    rows = play(biased, "peer_discussion")
    assert seen(rows, "agent1", 0) == []
    assert seen(rows, "agent0", 1) == [("agent0", 0), ("agent1", 0)]
    assert seen(rows, "agent1", 1)[-1] == ("agent0", 1)


def test_scores_are_asked_for_in_the_last_round_alone() -> None:
    prompts: dict[tuple[str, int], str] = {}

    def watching(request: Request) -> str:
        prompts[request.place.seat, request.place.step] = request.messages[-1].content
        return biased(request)

    play(watching, "chateval_simultaneous")
    assert {step for (_, step), words in prompts.items() if "score from 1 to 10" in words} == {1}


@pytest.mark.parametrize("silent", ["agent0", "agent1 swapped", "everybody"])
def test_a_referee_without_a_score_in_one_order_is_left_out_of_both(silent: str) -> None:
    def script(request: Request) -> str:
        return "…" if silent in (request.place.seat, "everybody") else biased(request)

    rows = play(script, "chateval_one_by_one", reask=False)
    assert final_of(rows)[0] == (None if silent == "everybody" else "B")
    last = {row[0]: row[2] for row in others_of(rows) if row[1] == 1}
    assert last.get(silent) is None


def test_equal_sums_are_a_tie_and_a_tie_is_no_answer() -> None:
    assert final_of(play(lambda request: scores(7, 7), "chateval_one_by_one"))[0] is None
    neither = play(lambda request: "Better: neither", "peer_discussion")
    assert final_of(neither)[0] is None


def test_a_budget_gives_a_panel_its_rounds() -> None:
    assert options_for_calls(9)["rounds"] == 2
    for preset in PRESETS:
        for calls in (4, 7, 12, 20):
            options = options_for_calls(calls, preset)
            made = len(play(biased, preset, **options).rows("call_ends"))
            assert calls - 5 <= made <= calls
    with pytest.raises(StudyError, match="too few"):
        options_for_calls(3)


def shy(request: Request) -> str:
    """Scores and a preference that depend on the seed, and a private thought."""
    first = request.seed % 10 + 1
    return f"<think>secret {request.seed}</think>{scores(first, 5)}\nBetter: {request.seed % 2 + 1}"


@pytest.mark.parametrize("preset", PRESETS)
def test_panels_obey_the_laws(preset: str) -> None:
    agent = Agent("s", scripted_model(shy))
    laws.check(pair_panel, {"referees": [agent]}, PAIR, options=PRESETS[preset])
