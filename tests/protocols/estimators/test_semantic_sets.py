"""Agreement in meaning, from one request for all replies of a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log

import orjson
import pytest

from agents import agent
from agents.scripted import scripted_model
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Agent, Request, Subject
from protocols.estimators.semantic_sets import (
    BY_ANSWER,
    BY_ENTAILMENT,
    semantic_sets,
    semantic_sets_by_answer,
)
from tests.entailment_table import LOG_PROBABILITIES, QUESTION, RELATIONS, REPLIES, TOKENS
from tests.estimator_play import asked
from tests.stored_samples import reply, samples_of

# Of the table's replies, as the formulas are tested in test_semantic_graphs.py; negated.
OF_QUESTION = {
    "semantic_entropy": -1.5 * log(2),
    "semantic_entropy_likelihood": -0.8364006740762193,
    "semantic_set_count": -2,
    "eigenvalue_sum": -2.323465611296723,
    "degree_mean": 1 - 0.543125,
    "eccentricity_norm": -1.4144956534155488,
    "kernel_entropy_heat": -0.8796980186261214,
    "kernel_entropy_matern": -0.9087368021985769,
}
OF_REPLY = {
    "semantic_share": [0.5, 0.5, 0.25, 0.25],
    "degree": [0.57875, 0.51, 0.4375, 0.30125],
    "eccentricity": [-0.40578811, -0.62219192, -0.83794613, -0.86420916],
    "semantic_density_likelihood": [0.6667884, 0.6026274, 0.6442952, 0.3426251],
}


def table(request: Request) -> str:
    """A model of pairs that reads the hand-written table."""
    texts = [f"{QUESTION} {text}" for text in REPLIES]
    pairs = orjson.loads(request.messages[-1].content)["pairs"]
    rows = [RELATIONS[texts.index(first), texts.index(second)].tolist() for first, second in pairs]
    return orjson.dumps({"probabilities": rows}).decode()


def table_agent() -> Agent:
    """An agent that knows the table alone."""
    model = replace(scripted_model(table), capabilities=frozenset({"pairs"}))  # type: ignore[type-var]
    return Agent("nli", model)


def measured(place: int) -> dict[str, float]:
    """The measures of a reply of the table."""
    total = float(LOG_PROBABILITIES[place])
    return {"logprob_sum": total, "logprob_mean": total / int(TOKENS[place])}


def by_name(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """Scores by estimator, in order of the replies."""
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(score.name, []).append(score)
    return found


def scored(samples: StoredSamples, helper: Agent, **options: object) -> dict[str, list[Score]]:
    """The scores of stored replies by entailment; one request is all that they may take."""
    scores, turns = asked(
        helper,
        lambda episode, seat: semantic_sets(episode, samples, seat, **options),  # type: ignore[arg-type]
    )
    assert len(turns) <= 1
    return by_name(scores)


def test_all_numbers_come_from_one_request_and_agree_with_the_table() -> None:
    replies = [reply(text, k, measures=measured(k)) for k, text in enumerate(REPLIES)]
    found = scored(samples_of(QUESTION, replies), table_agent())
    assert tuple(found) == BY_ENTAILMENT
    for name, value in OF_QUESTION.items():
        assert [score.value for score in found[name]] == pytest.approx([value] * 4), name
    for name, values in OF_REPLY.items():
        assert [score.value for score in found[name]] == pytest.approx(values), name
    (first, *_) = found["semantic_entropy"]
    assert (first.samples, first.turn, first.details["sets"]) == (4, replies[0].turn, [0, 0, 1, 2])
    drawn = scored(samples_of(QUESTION, replies), table_agent(), form="monte carlo")
    (likelihood, *_) = drawn["semantic_entropy_likelihood"]
    assert likelihood.value == pytest.approx(-2.2183691562408887)


def test_a_reply_without_an_answer_is_left_out_and_the_others_are_scored() -> None:
    replies = [reply("4"), reply(None, 1), reply("5", 2), reply("4.0", 3)]
    found = scored(samples_of("What is 2+2?", replies), agent("sim/pairs"))
    shares = found["semantic_share"]
    assert [score.value for score in shares] == pytest.approx([2 / 3, None, 1 / 3, 2 / 3])
    assert shares[1].status == "no answer to compare"
    (likelihood, *_) = found["semantic_entropy_likelihood"]
    assert likelihood.value is None
    assert "3 of 3 replies have no log probabilities" in likelihood.status


def test_options_are_compared_by_their_words() -> None:
    question = Subject("Which is even?", "question", choices=("three", "four"))
    replies = [reply(letter, k, choices=question.choices) for k, letter in enumerate("BBA")]
    seen: list[list[str]] = []

    def note(request: Request) -> str:
        pairs = orjson.loads(request.messages[-1].content)["pairs"]
        seen.extend(pairs)
        return orjson.dumps({"probabilities": [[0, 0, 1]] * len(pairs)}).decode()

    model = replace(scripted_model(note), capabilities=frozenset({"pairs"}))  # type: ignore[type-var]
    scored(samples_of(question, replies), Agent("nli", model))
    assert sorted(seen) == [
        ["Which is even? four", "Which is even? three"],
        ["Which is even? three", "Which is even? four"],
    ]


@pytest.mark.parametrize(
    ("answers", "helper", "status"),
    [
        (["4"], "sim/pairs", "one reply alone"),
        ([None, None], "sim/pairs", "no answer to compare"),
        (["4", "5"], "nothing", "2 of 4 entailments could not be read"),
    ],
)
def test_what_cannot_be_told_is_missing_with_a_reason(
    answers: list[str | None], helper: str, status: str
) -> None:
    silent = replace(scripted_model(lambda request: "{}"), capabilities=frozenset({"pairs"}))  # type: ignore[type-var]
    who = agent(helper) if helper.startswith("sim") else Agent("silent", silent)
    samples = samples_of("2+2?", [reply(answer, k) for k, answer in enumerate(answers)])
    for scores in scored(samples, who).values():
        assert [score.value for score in scores] == [None] * len(answers)
        assert all(status in score.status for score in scores)


def test_equal_answers_are_one_meaning_without_a_call() -> None:
    """Two of three say 4: 0.6365 nats; probabilities .5, .25 and .125 give 6/7 and 1/7."""
    chances = (log(0.5), log(0.125), log(0.25))
    measures = [{"logprob_sum": chance, "logprob_mean": chance / 2} for chance in chances]
    replies = [reply(answer, k, measures=measures[k]) for k, answer in enumerate(("4", "5", "4.0"))]
    samples = samples_of("What is 2+2?", replies)
    scores, turns = asked(
        agent("sim/pairs"), lambda episode, seat: semantic_sets_by_answer(episode, samples)
    )
    found = by_name(scores)
    assert (tuple(found), turns) == (BY_ANSWER, [])
    (entropy,) = {score.value for score in found["semantic_entropy_by_answer"]}
    assert entropy == pytest.approx(log(1 / 3) / 3 + 2 * log(2 / 3) / 3)
    (likelihood,) = {score.value for score in found["semantic_entropy_likelihood_by_answer"]}
    assert likelihood == pytest.approx(6 / 7 * log(6 / 7) + log(1 / 7) / 7)
