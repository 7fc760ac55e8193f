"""Views over answers: every protocol's accuracy, tokens and routes are one query away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.scripted import scripted_model
from arena.calls.retry import Retry
from arena.errors import EmptyReplyError
from arena.play.episode import Episode
from arena.play.run import Arena
from arena.store.database import journal_folder
from arena.store.journal import line, write_journal
from arena.studies.study import Arm, Study
from arena.types import Agent, Answer, Price, Reply, Request, Seat, Subject

VERSION = "1"
QUESTIONS = [Subject(f"What is {n} + 2?", "question", gold=str(n + 2)) for n in range(2)]
SPENT = "calls_per_question, tokens_in_per_question, tokens_out_per_question, cost_usd_per_question"


async def vote(episode: Episode, question: Subject, solver: Seat) -> list[Answer]:
    """Answer by three paths, each routed the one before; the first one's second answer is final."""
    seats = [Seat(f"path{k}", solver.agent) for k in range(3)]
    turns = await asyncio.gather(
        *(episode.ask(seat, question.text, phase="answer") for seat in seats)
    )
    for k in (1, 2):
        episode.route(block=0, path=k, peer=k - 1, rank=0, router="chain")
    said = [None if turn.public == "?" else turn.public for turn in turns]
    paths = [
        Answer(seat.name, answer, final=False, stage=1)
        for seat, answer in zip(seats, said, strict=True)
    ]
    return [Answer("path0", "9", final=False), *paths, Answer("solver", said[0], confidence=0.5)]


async def silent(episode: Episode, question: Subject, solver: Seat) -> Answer:
    """Asks nobody, and answers nothing."""
    return Answer("solver", None)


def threes(request: Request) -> Reply:
    """3 whatever is asked, and nothing from the last path."""
    return Reply("?" if request.place.seat == "path2" else "3", tokens_in=10, tokens_out=5)


def study(name: str = "s", reply: Any = threes, price: Price | None = None) -> Study:
    """Both protocols on two questions, twice; the price is a dollar a token."""
    lineup = [
        {
            "solver": Agent(
                "solver", scripted_model(reply, name="solver", price=price or Price(1e6, 1e6))
            )
        }
    ]
    return Study(
        name, [Arm("vote", vote, lineup), Arm("silent", silent, lineup)], QUESTIONS, repeats=2
    )


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return Arena(tmp_path / "a.duckdb", retry=Retry(attempts=2, first_wait_s=0.0))


def test_accuracy_counts_questions_and_their_plays_both_ways(arena: Arena) -> None:
    arena.run(study())
    counts = (
        "arm, protocol, models, questions, episodes, correct, unreadable, accuracy,"
        " accuracy_of_readable, accuracy_of_paths"
    )
    assert arena.sql(f"select {counts} from accuracy").rows == (
        ("silent", "silent", "scripted/solver", 2, 4, 0, 4, 0.0, None, None),
        ("vote", "vote", "scripted/solver", 2, 4, 2, 0, 0.5, 0.5, pytest.approx(1 / 3)),
    )


def test_tokens_dollars_and_routes_are_means_per_play(arena: Arena) -> None:
    arena.run(study())
    assert arena.sql(f"select {SPENT}, routes_per_question from accuracy").rows == (
        (0, None, None, None, 0),
        (3, 30, 15, 45, 2),
    )
    columns = "routes, routers, paths, paths_correct, paths_unreadable"
    assert arena.sql(
        f"select distinct {columns} from question_plays where arm = 'vote' order by all"
    ).rows == ((2, "chain", 3, 0, 1), (2, "chain", 3, 2, 1))


def test_failed_attempts_count_as_far_as_they_are_known(arena: Arena) -> None:
    seen: set[tuple[str, str]] = set()

    def second_time(request: Request) -> Reply:
        if (
            key := (request.place.episode, request.place.seat)
        ) not in seen and request.place.seat == "path0":
            seen.add(key)
            raise EmptyReplyError("nothing", reply=Reply("", tokens_in=10, tokens_out=1))
        return threes(request)

    arena.run(study(reply=second_time))
    assert arena.sql(f"select {SPENT} from accuracy where arm = 'vote'").rows == ((4, 40, 16, 56),)


def test_what_a_provider_does_not_say_is_unknown_and_not_zero(arena: Arena) -> None:
    arena.run(
        study(
            reply=lambda request: Reply("3") if request.place.seat == "path1" else threes(request)
        )
    )
    assert arena.sql(
        f"select {SPENT}, episodes_of_unknown_tokens, episodes_of_unknown_cost from accuracy"
        " where arm = 'vote'"
    ).rows == ((3, None, None, None, 4, 4),)
    assert arena.sql(
        "select distinct calls_of_unknown_cost from question_plays where arm = 'vote'"
    ).rows == ((1,),)


@pytest.mark.slow
def test_cached_replies_count_as_when_they_were_asked_for(arena: Arena) -> None:
    arena.run(study())
    for name in ("again", "and again"):
        Arena(arena.path, cache=True).run(study(name))
    assert arena.sql(
        "select c.status, sum(cost_usd) from calls c join episodes using (episode) where study"
        " <> 's' group by all"
    ).rows == (("cached", 0),)
    assert arena.sql(
        f"select study, {SPENT} from accuracy where arm = 'vote' order by all"
    ).rows == tuple((name, 3, 30, 15, 45) for name in ("again", "and again", "s"))


def test_paths_stand_beside_the_final_answer(arena: Arena) -> None:
    arena.run(study())
    columns = "seat, stage, last, canonical, correct, status, final_correct, agrees"
    rows = arena.sql(
        f"select {columns} from paths join subjects using (subject) where gold = '3' and repeat ="
        " 0 order by seat, stage"
    ).rows
    assert rows == (
        ("path0", 0, False, "9", False, "graded", True, False),
        ("path0", 1, True, "3", True, "graded", True, True),
        ("path1", 1, True, "3", True, "graded", True, True),
        ("path2", 1, True, None, None, "no answer", True, None),
    )


def test_a_play_without_a_final_answer_is_unreadable_and_says_so(arena: Arena) -> None:
    async def paths_only(episode: Episode, question: Subject, solver: Seat) -> list[Answer]:
        return [Answer("solver", "3", final=False)]

    arena.run(Study("s", [Arm("paths", paths_only, study().arms[0].lineups)], QUESTIONS))
    assert arena.sql("select questions, correct, unreadable, accuracy from accuracy").rows == (
        (2, 0, 2, 0),
    )
    assert arena.sql("select distinct status, answer from question_plays").rows == (
        ("no final answer", None),
    )


def test_only_finished_plays_of_questions_count(arena: Arena) -> None:
    def refuse(request: Request) -> Reply:
        raise EmptyReplyError("nothing")

    arena.run(study(reply=refuse))
    assert arena.sql("select arm from accuracy").rows == (("silent",),)
    assert arena.sql("select count(*) from paths").rows == ((0,),)


def test_answers_of_a_play_that_is_not_finished_are_not_shown(arena: Arena) -> None:
    arena.run(study())
    rows = [
        ("plays", {"episode": "e", "study": "t", "arm": "a"}),
        ("answers", {"episode": "e", "seat": "x", "final": True, "stage": 0}),
    ]
    write_journal(journal_folder(arena.path) / "z.jsonl", [line(table, row) for table, row in rows])
    assert arena.sql("select distinct study from question_plays").rows == (("s",),)
