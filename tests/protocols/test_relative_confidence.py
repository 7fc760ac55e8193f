"""Relative confidence: what is shown, wins by hand, and the order that is planted in a solver."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import question_in, simulated_questions
from agents.simulated.solver import chances, solver_profile
from analysis.read.comparisons import stored_comparisons
from analysis.read.scores import read_scores
from analysis.statistics.relative_confidence import METHODS, relative_ranks, unit_range
from arena import Arena, Arm, Study, run_stages
from arena.errors import StudyError
from arena.play.episode import Episode
from arena.score import Score
from arena.tournaments.stages import Stages
from arena.types import Agent, Reply, Request, Seat
from protocols import laws
from protocols.parsing.comparisons import more_confident
from protocols.relative_confidence import (
    NOT_COMPARED,
    Compared,
    Order,
    compared_subjects,
    opponents,
    relative_confidence,
    relative_confidence_of,
)
from protocols.single import single
from tests.estimator_play import asked
from tests.stored_samples import reply, samples_of

STORED = [
    samples_of("Which city?", [reply("Rome"), reply("Oslo", 1), reply("Rome", 2)]),
    samples_of("What is 2+2?", [reply("4", 3)]),
    samples_of("What is 3+3?", [reply("6", 4)]),
    samples_of("What is 4+4?", [reply(None, 5)]),
]


async def compare(episode: Episode, seat: Seat, subject: Compared, order: Order) -> list[Score]:
    """The scores of one question."""
    return await relative_confidence(episode, subject, seat, order=order)


def first_at(words: str) -> int:
    return 1 if words.index("Rome") < words.index("Question 2") else 2


@pytest.mark.parametrize("order", ["random", "both"])
def test_wins_by_hand_whatever_the_order_in_which_answers_stand(order: Order) -> None:
    def prefer(request: Request) -> str:
        words = request.messages[-1].content
        return f"More confident: {first_at(words) if 'Rome' in words else 'neither'}"

    subjects = compared_subjects(STORED, 15)
    assert [len(each.others) for each in subjects] == [2, 2, 2, 0]
    who = Agent("s", scripted_model(prefer))
    found = []
    for subject in subjects:
        use = partial(compare, subject=subject, order=order)
        scores, turns = asked(who, use)
        assert len(turns) == len(subject.others) * (2 if order == "both" else 1)
        found.append(scores)
    assert [score.value for score in found[0]] == [1.0, None, 1.0]
    assert found[0][1].status == NOT_COMPARED
    # Lost to Rome, and a tie with the other sum.
    assert [scores[0].value for scores in found[1:]] == [0.25, 0.25, None]
    assert found[1][0].details["ties"] == 0.5
    wins = found[1][0].details["wins"]
    assert isinstance(wins, list)
    assert {win[3] for win in wins} == {0.0, 0.5}


def test_what_cannot_be_read_is_asked_once_more_and_is_half_a_win() -> None:
    [subject, *_] = compared_subjects(STORED, 1)
    who = Agent("s", scripted_model(lambda request: "Both are hard to tell apart."))
    scores, [turn] = asked(who, lambda e, seat: relative_confidence(e, subject, seat))
    assert (scores[0].value, scores[0].details["unreadable"], turn["asks"]) == (0.5, 1.0, 2)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("More confident: 1", "1"),
        ("I thought.\n**More confident:** 2", "2"),
        ("2", "2"),
        ("Question 1.", "1"),
        ("I am more confident in the second answer.", "2"),
        ("More confident: neither", "neither"),
        ("More confident: equal", "neither"),
        ("More confident: 1\nMore confident: 2", None),
        ("More confident: 1 or 2", None),
        ("More confident: 12", None),
        ("Answer to question 1 is 5", None),
    ],
)
def test_a_reply_names_one_answer_or_none(said: str, answer: str | None) -> None:
    assert more_confident(Reply(said)).answer == answer
    assert more_confident(Reply(said, finish_reason="content_filter")).answer is None


def test_every_answer_meets_as_many_others_and_is_met_as_often() -> None:
    texts = [f"question {number}" for number in range(40)]
    met = opponents(texts, 7)
    assert all(len(set(others)) == 7 and each not in others for each, others in enumerate(met))
    counts = np.bincount(np.concatenate(met), minlength=40)
    assert counts.mean() == 7
    assert counts.max() < 14
    # One question more changes a few of 280 meetings.
    longer = opponents([*texts, "another"], 7)
    assert sum(len({*old} - {*new}) for old, new in zip(met, longer[:40], strict=True)) < 30
    assert opponents(["a", "b"], 15) == [[1], [0]]


def test_relative_confidence_obeys_the_laws() -> None:
    answered = [
        samples_of(each, [reply(str(each.gold), place)])
        for place, each in enumerate(simulated_questions(3))
    ]
    [subject, *_] = compared_subjects(answered, 2)
    laws.check(relative_confidence, {"scorer": agent("sim/solver")}, subject)


@pytest.mark.slow
def test_the_planted_order_comes_back_from_a_store_and_nothing_is_asked_twice(
    tmp_path: Path,
) -> None:
    profile = "solver:noise=0.0"
    questions = simulated_questions(24)
    arena = Arena(tmp_path / "a.duckdb")
    answers = Study("q", [Arm("a", single, [{"solver": agent(f"sim/{profile}")}])], questions)
    stages: Stages = [answers, relative_confidence_of("compared", answers, comparisons=8)]
    assert [summary.open + summary.failed for summary in run_stages(arena, stages)] == [0, 0]
    calls = len(arena.sql("from calls"))
    assert calls == 24 + 24 * 8
    run_stages(arena, stages)
    assert len(arena.sql("from calls")) == calls
    found = stored_comparisons(arena.path, "compared")
    said = {
        (row["episode"], row["seat"], row["step"]): (row["text"], row["answer"])
        for row in arena.sql(
            "select t.episode, seat, step, s.text, answer from turns t join episodes e"
            " using (episode) join subjects s using (subject) where study = 'q'"
        )
    }
    levels = []
    for key in found.answers:
        text, answer = said[key]
        question = question_in(text)
        assert question is not None
        right = chances(solver_profile(profile), question)[question.right]
        levels.append(right + 0.1 * ((answer == question.right) - right))
    level = np.array(levels)
    assert ((level[found.first] > level[found.second]) == (found.score == 1)).all()
    for method in METHODS:
        rank = relative_ranks(found.first, found.second, found.score, 24, method=method)
        assert np.corrcoef(rank, level)[0, 1] > 0.85, method
    # The report has the same ranks, between 0 and 1, as estimators of their own.
    [group] = read_scores(arena.path, "q")
    by_name = {each.name: each.values for each in group.estimators}
    rank = relative_ranks(found.first, found.second, found.score, 24, method="bradley_terry")
    ranks = by_name["relative_confidence_bradley_terry"]
    assert sorted(ranks.tolist()) == pytest.approx(sorted(unit_range(rank).tolist()), abs=1e-9)
    assert np.corrcoef(ranks, by_name["relative_confidence"])[0, 1] > 0.8


def test_a_study_without_two_answers_is_refused() -> None:
    with pytest.raises(StudyError, match="no agent has two that can be read"):
        compared_subjects(STORED[:1], 15)
    with pytest.raises(StudyError, match="at least one comparison, found 0"):
        relative_confidence_of("c", "q", comparisons=0)
    wrong: Any = {"a": "sim/solver"}
    with pytest.raises(StudyError, match=r"needs an Agent, found str; .*agent\('sim/solver'\)$"):
        relative_confidence_of("c", "q", scorers=wrong)
