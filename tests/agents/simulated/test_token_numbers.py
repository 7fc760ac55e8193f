"""Token probabilities of simulated solvers are those that are planted in them."""

from __future__ import annotations

import asyncio
from math import exp, fsum

import pytest

from agents.simulated.questions import question_in, simulated_questions
from agents.simulated.solver import chances, simulated_solver
from arena.errors import RefusedError
from arena.types import Message, Place, Reply, Request, Sampling

QUESTIONS = simulated_questions(30)
BOXED = "\nEnd with \\boxed{}."


def reply(words: str, sampling: Sampling, profile: str = "solver", number: int = 0) -> Reply:
    place = Place(f"e{number}", "solver", 0, 1, "answer", 0)
    request = Request((Message("user", words),), sampling, number, place)
    return asyncio.run(simulated_solver(profile)(request))


def test_the_least_likely_token_is_the_answer_with_its_own_chance() -> None:
    solver = simulated_solver("solver")
    for number, subject in enumerate(QUESTIONS):
        said = reply(subject.text + BOXED, Sampling(logprobs=5), number=number)
        assert said.logprobs is not None
        assert "".join(choice.token for choice in said.logprobs) == said.text
        question = question_in(subject.text)
        assert question is not None
        answer = said.text.rpartition("boxed{")[2].rstrip("}.\n")
        expected = chances(solver.profile, question)[answer]
        if expected < 0.9:
            least = min(said.logprobs, key=lambda choice: choice.logprob)
            assert exp(least.logprob) == pytest.approx(expected)
            assert fsum(exp(each.logprob) for each in least.alternatives) == pytest.approx(1)


def test_words_are_the_same_with_and_without_log_probabilities() -> None:
    words = QUESTIONS[0].text + BOXED
    assert reply(words, Sampling(logprobs=3)).text == reply(words, Sampling()).text
    assert reply(words, Sampling()).logprobs is None


def test_true_has_the_level_that_would_be_stated_for_the_last_possible_answer() -> None:
    """With no bias and no discrimination that is the chance to be right."""
    question = question_in(QUESTIONS[1].text)
    assert question is not None
    earlier = f"{QUESTIONS[0].text}\nPossible answer: \\boxed{{7}}\nTrue\n"
    words = f"{earlier}{QUESTIONS[1].text}\nPossible answer: \\boxed{{{question.right}}}\n"
    profile = "solver:bias=0:discrimination=0"
    said = reply(words, Sampling(choices=("True", "False")), profile)
    right = chances(simulated_solver(profile).profile, question)[question.right]
    assert (said.measures or {})["probability of True"] == pytest.approx(right)


def test_candidates_have_their_chances_and_other_choices_none() -> None:
    question = question_in(QUESTIONS[2].text)
    assert question is not None
    chance = chances(simulated_solver("solver").profile, question)
    some = tuple(chance)[:2]
    said = reply(QUESTIONS[2].text, Sampling(choices=some))
    share = chance[some[0]] / (chance[some[0]] + chance[some[1]])
    assert (said.measures or {})[f"probability of {some[0]}"] == pytest.approx(share)
    with pytest.raises(RefusedError, match="knows no probability of 'perhaps'"):
        reply(QUESTIONS[2].text, Sampling(choices=("perhaps", some[0])))
