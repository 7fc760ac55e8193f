"""P(True) and self-probing of stored answers: what is asked, by hand and with planted numbers."""

from __future__ import annotations

import math

import pytest

import agents
from agents.scripted import ScriptedModel, scripted_model
from agents.simulated.questions import question_in, simulated_questions
from agents.simulated.solver import chances, solver_profile
from arena.errors import StudyError
from arena.types import Agent, Reply, Request, Subject
from protocols.estimators import p_true as estimators
from protocols.estimators.self_probing import self_probing
from tests.estimator_play import asked
from tests.question_agents import CHOICE
from tests.stored_samples import reply, samples_of

FOUR = samples_of("What is 2+2?", [reply("4"), reply("5", 1), reply("4.0", 2), reply(None, 3)])
PLANTED = simulated_questions(1)[0]


def scorer(shares: dict[str, float], requests: list[Request] | None = None) -> Agent:
    """A model that scores True by the possible answer, and keeps its requests."""

    def say(request: Request) -> Reply:
        words = request.messages[-1].content
        if requests is not None:
            requests.append(request)
        share = next(value for answer, value in shares.items() if f"boxed{{{answer}}}" in words)
        return Reply(
            "True",
            measures={"probability of True": share, "logprob of True": math.log(share / 2)},
        )

    made = scripted_model(say)
    assert isinstance(made, ScriptedModel)
    return Agent("s", ScriptedModel(made.name, made.reply, capabilities=frozenset({"choices"})))


def test_each_value_is_asked_about_once_and_every_reply_has_its_number() -> None:
    requests: list[Request] = []
    scores, turns = asked(
        scorer({"4": 0.8, "5": 0.3}, requests), lambda e, seat: estimators.p_true(e, FOUR, seat)
    )
    assert [score.value for score in scores] == [0.8, 0.3, 0.8, None]
    assert scores[3].status == "no answer that could be asked about"
    assert {score.kind for score in scores} == {"probability"}
    assert len(turns) == len(requests) == 2
    assert all(request.sampling.choices == ("True", "False") for request in requests)


def test_the_raw_probability_of_the_token_is_an_option_and_in_the_details() -> None:
    [score, *_], _ = asked(
        scorer({"4": 0.8, "5": 0.3}),
        lambda e, seat: estimators.p_true(e, FOUR, seat, normalised=False),
    )
    assert score.value == pytest.approx(0.4)
    assert score.details["readout"] == "p(True)"
    assert score.details["normalised"] == 0.8


def test_own_samples_and_examples_stand_before_the_possible_answer() -> None:
    requests: list[Request] = []
    examples = [("What is 1+1?\n", "2", True), ("what is  2+2?", "4", True), ("1+2", "5", False)]
    scores, _ = asked(
        scorer({"4": 0.8, "5": 0.3}, requests),
        lambda e, seat: estimators.p_true_own_samples(e, FOUR, seat, examples=examples),
    )
    words = requests[0].messages[-1].content
    # The example about the question that is scored is not shown.
    assert (scores[0].samples, scores[0].details["examples"]) == (3, 2)
    places = [words.index(each) for each in ("1+1", "1+2", "2+2", "- 5", "- 4.0", "boxed{4}")]
    assert places == sorted(places)
    alone = samples_of("What is 2+2?", [reply("4")])
    [only], turns = asked(
        scorer({"4": 0.8}), lambda e, seat: estimators.p_true_own_samples(e, alone, seat)
    )
    assert (only.value, only.status, turns) == (None, estimators.NO_OTHERS, [])


def test_a_model_without_choices_is_refused_before_the_first_call() -> None:
    plain = Agent("s", scripted_model(lambda request: "True"))
    with pytest.raises(AssertionError, match="p_true needs a model with 'choices'"):
        asked(plain, lambda e, seat: estimators.p_true(e, FOUR, seat))


def test_the_empirical_form_is_the_share_of_true_among_readable_replies() -> None:
    said = {"0_0": "Tru", "0_1": " False", "0_2": "(Tr", "0_3": "T", "1_0": "Fal"}

    def say(request: Request) -> Reply:
        place = request.place.seat.removeprefix("probe")
        return Reply(said.get(place, "?"), finish_reason="length")

    scores, _ = asked(
        Agent("s", scripted_model(say)),
        lambda e, seat: estimators.p_true_empirical(e, FOUR, seat, replies=4),
    )
    assert [score.value for score in scores[:3]] == [
        pytest.approx(2 / 3),
        0.0,
        pytest.approx(2 / 3),
    ]
    assert scores[0].details["unreadable"] == 1
    none, _ = asked(
        Agent("s", scripted_model(lambda request: "Truly, who knows?")),
        lambda e, seat: estimators.p_true_empirical(e, FOUR, seat, replies=2),
    )
    assert (none[0].value, none[0].status) == (None, "no reply said True or False")


def test_planted_levels_come_back_by_choices_in_samples_and_in_words() -> None:
    profile = solver_profile("solver:noise=0.0")
    question = question_in(PLANTED.text)
    assert question is not None
    right = chances(profile, question)[question.right]
    wrong = str((int(question.right) + 1) % 1000)
    samples = samples_of(PLANTED, [reply(question.right), reply(wrong, 1)])
    levels = [right + 0.15 + 0.1 * ((place == 0) - right) for place in (0, 1)]
    who = agents.agent("sim/solver:noise=0.0")
    exact, _ = asked(who, lambda e, seat: estimators.p_true(e, samples, seat))
    assert [score.value for score in exact] == pytest.approx(levels)
    stated, _ = asked(who, lambda e, seat: self_probing(e, samples, seat))
    assert [score.value for score in stated] == pytest.approx(levels, abs=0.006)
    assert stated[0].details["itself"] is False
    shares, _ = asked(
        who, lambda e, seat: estimators.p_true_empirical(e, samples, seat, replies=99)
    )
    for score, level in zip(shares, levels, strict=True):
        assert abs((score.value or 0) - level) < 4 * math.sqrt(level * (1 - level) / 99)


def test_examples_are_right_and_wrong_in_turn_and_need_a_known_truth() -> None:
    questions = [*simulated_questions(6), CHOICE]
    examples = estimators.examples_of(questions, 6)
    gold = {question.text: question.gold for question in questions}
    for text, answer, right in examples:
        known = next(value for key, value in gold.items() if text.startswith(key))
        assert (answer == known) is right
    assert sum(right for *_, right in examples) == 3
    with pytest.raises(StudyError, match="20 examples were asked for, and 1 of 2"):
        estimators.examples_of([CHOICE, Subject("Who?", "question")])
