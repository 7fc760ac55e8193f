"""Ballots: how they are read, and votes on answers that were given."""

from __future__ import annotations

import pytest

from agents.scripted import scripted_model
from arena.play.episode import Episode
from arena.types import Agent, Answer, Reply, Request, Seat, Subject
from protocols import asking, ballots, decisions, laws
from protocols.parsing.ballots import Form, ballot, parse_letters, parse_numbers
from tests.in_memory import final_of, rows_of_play
from tests.question_agents import QUESTION, box

VERSION = "1"


@pytest.mark.parametrize(
    ("form", "words", "said"),
    [
        ("one", "I vote.\nBallot: B", "B"),
        ("one", "**Ballot:** `B`.", "B"),
        ("one", "Ballot: A\nNo, wait.\nBallot: B", "B"),
        ("one", "Ballot: I vote B, not A", None),
        ("one", "Ballot: A, B", None),
        ("one", "Ballot: D", None),
        ("one", "I vote B", None),
        ("one", "Agent 2 wrote:\n> Ballot: B", None),
        ("one", "<think>Ballot: B</think>Hm.", None),
        ("some", "Ballot: A and C", "A, C"),
        ("some", "Ballot: none", "none"),
        ("some", "Ballot: A, A, A", None),
        ("some", "Ballot: A, 7", None),
        ("ranking", "Ballot: B > A > C", "B > A > C"),
        ("ranking", "Ballot: C, B", "C > B"),
        ("ranking", "Ballot: B > B", None),
        ("ranking", "Ballot:", None),
        ("numbers", "Ballot: A = 6, B: 4", "A = 6, B = 4"),
        ("numbers", "Ballot: A = 60%, B = 40 %", "A = 60, B = 40"),
        ("numbers", "Ballot: A = -1, B = 11", None),
        ("numbers", "Ballot: A = 6, A = 4", None),
        ("numbers", "…", None),
    ],
)
def test_a_ballot_is_read_whole_or_not_at_all(form: Form, words: str, said: str | None) -> None:
    reading = ballot(words, letters="ABC", form=form)
    assert reading.answer == said
    assert (reading.reask is None) == (said is not None)
    assert ballot(words, letters="ABC", form=form, reask=False).reask is None


def test_a_reply_that_was_cut_off_is_no_ballot() -> None:
    reading = ballot(Reply("Ballot: A", finish_reason="length"), letters="AB", form="one")
    assert (reading.answer, reading.flags) == (None, ("cut off",))


def test_a_ballot_is_taken_apart() -> None:
    assert parse_letters("B > A") == ["B", "A"]
    assert parse_letters("none") == []
    assert parse_numbers("A = 6, B = 4.5") == {"A": 6, "B": 4.5}


async def poll(
    episode: Episode, question: Subject, solver: Seat, *, kind: ballots.Kind = "vote"
) -> list[Answer]:
    """Ask three for an answer, and let them vote on these by a ballot of some kind."""
    turns = await asking.sample_paths(episode, question, solver, 3, reask=False)
    seats = [Seat(f"voter{n}", solver.agent) for n in range(3)]
    decision = await ballots.vote(episode, question, seats, turns, kind, reask=False)
    return [Answer(solver.name, decisions.settle(decision))]


def voters(answers: tuple[object, ...], said: tuple[str, ...]) -> Agent:
    """An agent with these answers of its paths, and these ballots of its voters."""

    def script(request: Request) -> str:
        seat = request.place.seat
        number = int(seat[-1])
        if not seat.startswith("path"):
            return f"Ballot: {said[number]}"
        return "Hm." if answers[number] is None else box(answers[number])

    return Agent("s", scripted_model(script))


@pytest.mark.parametrize(
    ("kind", "said", "winner"),
    [
        ("vote", ("B", "B", "A"), "5"),
        ("vote", ("A", "B", "C"), None),
        ("vote", ("A", "?", "?"), "4"),
        ("approval", ("A, B", "B", "none"), "5"),
        ("ranked", ("A > B > C", "B > A > C", "B > C > A"), "5"),
        ("ranked", ("A > A", "B", "?"), "5"),
        ("borda", ("A > B > C", "A > C > B", "C > B > A"), "4"),
        ("runoff", ("A > B > C", "B > A > C", "C > B > A"), None),
        ("runoff", ("A > B", "B > A", "B"), "5"),
        ("cumulative", ("A = 6, B = 4", "B = 10", "C = 9, A = 1"), "5"),
        ("cumulative", ("A = 6", "B = 10", "C = 11, A = 1"), "5"),
        ("surprisingly_popular", ("A = 80, B = 10, C = 10",) * 2 + ("A = 90, B = 5, C = 5",), None),
        ("surprisingly_popular", ("A = 80, B = 15, C = 5",) * 3, "6"),
    ],
)
def test_answers_are_voted_on(kind: str, said: tuple[str, ...], winner: str | None) -> None:
    rows = rows_of_play(poll, voters((4, 5, 6), said), {"kind": kind})
    assert final_of(rows)[0] == winner
    [turn] = [row for row in rows.rows("turns") if row["seat"] == "voter0"]
    assert "A: 4\nB: 5\nC: 6\n" in "".join(part["text"] for part in turn["prompt"])


def test_one_answer_is_not_voted_on() -> None:
    rows = rows_of_play(poll, voters((4, "4.0", None), ("A",) * 3))
    assert (final_of(rows)[0], len(rows.rows("call_ends"))) == ("4", 3)


def by_seed(request: Request) -> str:
    """An answer, or a ballot, that depends on the seed."""
    letters = "ABC"[request.seed % 2 :]
    return f"<think>secret {request.seed}</think>{box(request.seed % 7)}\nBallot: {letters[0]}"


def test_votes_obey_the_laws() -> None:
    laws.check(poll, {"solver": Agent("s", scripted_model(by_seed))}, QUESTION)
