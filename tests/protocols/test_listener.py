"""Explanations of a fixed answer, and listeners who see public words alone."""

from __future__ import annotations

import pytest

from agents.scripted import scripted_model
from arena.private import PrivateNumber
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import Agent, Reply, Request, Turn
from protocols import laws
from protocols.asking import reader
from protocols.listener import explain, level_of, listener, read_explanation
from tests.in_memory import final_of, others_of, rows_of_play
from tests.option_agents import score_twice, scorer
from tests.question_agents import CHOICE, QUESTION, box


def solve(request: Request) -> str:
    """Answers 4 with 73%, and explains it."""
    seat = request.place.seat
    return "Confidence: 73%" if seat == "probe" else f"<think>I am at 73%.</think>{box(4)}"


def test_an_answer_is_rated_in_private_and_explained_in_every_length_and_wording() -> None:
    seen: list[Request] = []

    def script(request: Request) -> str:
        seen.append(request)
        return solve(request)

    options = {"lengths": ["short", "long"], "wordings": ["none", "tailored"]}
    rows = rows_of_play(explain, script, options)
    assert final_of(rows) == ("4", True, 0.73)
    assert [row[0] for row in others_of(rows)] == [f"explanation{number}" for number in range(4)]
    asked = {
        request.place.phase: request.messages[0].content
        for request in seen
        if request.place.seat.startswith("explanation")
    }
    assert list(asked) == [
        "explanation: short, none",
        "explanation: short, tailored",
        "explanation: long, none",
        "explanation: long, tailored",
    ]
    for phase, words in asked.items():
        assert ("one or two" in words) == ("short" in phase)
        assert ("at least ten" in words) == ("long" in phase)
        # 0.73 is above a half and below 0.8: fairly sure.
        assert ("fairly sure" in words) == ("tailored" in phase)
        assert "73" not in words


def test_options_are_scored_for_the_own_confidence() -> None:
    def script(request: Request) -> Reply | str:
        return score_twice(request) if request.sampling.choices else box("A")

    options = {"own": "scored", "lengths": ["short"], "wordings": ["none"]}
    rows = rows_of_play(explain, scorer(script, "choices"), options, CHOICE)
    assert final_of(rows) == ("A", False, 0.5)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("Two and two. \\boxed{4}", ()),
        ("I am 80% sure of it. \\boxed{4}", ("states a number",)),
        ("My confidence is about 90 out of 100. \\boxed{4}", ("states a number",)),
        ("20% of 20 is 4, and I am sure of that. \\boxed{4}", ()),
        ("It is five. \\boxed{5}", ("another answer",)),
        ("It is four. \\boxed{4.0}", ()),
    ],
)
def test_an_explanation_that_states_a_number_or_another_answer_is_flagged(
    text: str, flags: tuple[str, ...]
) -> None:
    found = read_explanation(Reply(text), read=reader(QUESTION, reask=False), fixed="4")
    assert found.flags == flags


@pytest.mark.parametrize(
    ("confidence", "level"),
    [(None, "none"), (0.5, "low"), (PrivateNumber(0.79), "medium"), (PrivateNumber(0.81), "high")],
)
def test_the_tailored_wording_follows_the_own_confidence(
    confidence: float | PrivateNumber | None, level: str
) -> None:
    assert level_of("tailored", confidence) == level
    assert level_of("low", 1.0) == "low"


def stored(seat: str, canonical: str | None) -> StoredReply:
    words = "Because two and two."
    turn = Turn(
        "e", seat, 0, "explanation: long, none", 1, f"secret {words}", words, "secret", 0.73
    )
    return StoredReply(turn, canonical, 0.73, "hidden reasoning", None, ())


REPLIES = (stored("explanation0", "4"), stored("explanation1", "4"), stored("path", None))
SAMPLES = StoredSamples(
    "replies",
    "replies",
    question=QUESTION,
    replies=REPLIES,
    turns=tuple(reply.turn for reply in REPLIES),
)


def test_a_listener_reads_public_words_alone_and_gives_a_probability() -> None:
    seen: list[Request] = []

    def script(request: Request) -> str:
        seen.append(request)
        return "Confidence: 65%" if request.place.seat == "listener0" else "I cannot tell."

    rows = rows_of_play(
        listener, Agent("l", scripted_model(script)), {"reask": False}, SAMPLES, seat="scorer"
    )
    scores = [
        tuple(row[name] for name in ("seat", "name", "value", "kind", "status"))
        for row in rows.rows("scores")
    ]
    assert scores == [
        ("explanation0", "listener", 0.65, "probability", "scored"),
        ("explanation1", "listener", None, "probability", "no confidence: no confidence"),
        ("path", "listener", None, "probability", "no answer to judge"),
    ]
    for request in seen:
        [message] = request.messages
        assert "Because two and two." in message.content
        for private in ("73", "secret", "hidden"):
            assert private not in message.content
    parts = [part for row in rows.rows("turns") for part in row["prompt"] if part.get("seat")]
    assert {part["face"] for part in parts} == {"public"}


def test_explanations_and_listeners_obey_the_laws() -> None:
    def script(request: Request) -> str:
        return f"Confidence: {request.seed % 101}%\n{box(request.seed % 3)}"

    agent = Agent("s", scripted_model(script))
    options = {"lengths": ["short"], "wordings": ["none", "high"]}
    laws.check(explain, {"solver": agent}, QUESTION, options=options)
    laws.check(listener, {"scorer": agent}, SAMPLES)
