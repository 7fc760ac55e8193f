"""Stability and sensitivity of answers, on made-up and simulated writers."""

from __future__ import annotations

import asyncio

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import question_in, simulated_questions
from arena.play.episode import Episode
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Agent, Message, Place, Request, Sampling, Seat
from protocols.estimators.paraphrase import QUESTION, paraphrase
from tests.estimator_play import asked
from tests.stored_samples import reply, samples_of


def scored(
    samples: StoredSamples, scorer: Agent, writer: Agent, **options: int
) -> tuple[list[Score], list[dict[str, object]]]:
    """The scores of stored replies, and the turns that they took."""

    async def use(episode: Episode, seat: Seat) -> list[Score]:
        return await paraphrase(episode, samples, seat, Seat("writer", writer), **options)

    return asked(scorer, use, samples)


def writes(request: Request) -> str:
    """A writer of two rewordings and two changes, one of them twice."""
    if "other ways" in request.messages[-1].content:
        return "<question>2 plus 2?</question> <question>Add 2 to 2</question>"
    return "<question>2+3?</question><question>2+4?</question><question>2+3?</question>"


def answers(request: Request) -> str:
    """Sums that hold a plus get 4 whatever is asked, but 2+4."""
    words = request.messages[0].content
    return "I do not know" if "Add" in words else f"\\boxed{{{6 if '2+4' in words else '4.0'}}}"


def test_shares_are_of_all_rewritten_questions_and_those_without_an_answer_count() -> None:
    """Of two rewordings one is answered 4; of two changes one gets another answer than 4."""
    samples = samples_of("2+2?", [reply("4"), reply("6", 1), reply(None, 2)])
    scores, turns = scored(
        samples, Agent("s", scripted_model(answers)), Agent("w", scripted_model(writes))
    )
    assert [score.value for score in scores] == [0.5, 0, None, 0.5, 0.5, None]
    assert scores[2].status == "no answer to compare"
    assert scores[0].details["changes"] == [["2+3?", "4"], ["2+4?", "6"]]
    assert scores[0].samples == 1
    assert len(turns) == 2 + 4


def test_a_writer_who_writes_no_question_leaves_the_scores_missing() -> None:
    silent = Agent("w", scripted_model(lambda request: "I would rather not"))
    scores, _ = scored(samples_of("2+2?", [reply("4")]), silent, silent, changes=0)
    assert [score.status for score in scores] == [
        "no rewording of the question was written",
        "no change of the question was written",
    ]


def test_a_sure_solver_is_stable_and_follows_the_meaning() -> None:
    (question,) = simulated_questions(1)
    samples = samples_of(question, [reply(question.gold)])
    scores, _ = scored(samples, agent("sim/solver:ability=20"), agent("sim/writer"))
    assert [score.value for score in scores] == [1, 1]


@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_a_simulated_writer_keeps_the_meaning_unless_it_drifts(drift: float) -> None:
    (question,) = simulated_questions(1)
    prompt = f"{question.text}\nPut this question in 7 other ways"
    request = Request(
        (Message("user", prompt),), Sampling(), 7, Place("e", "writer", 0, 0, "rewrite", 0)
    )
    said = asyncio.run(agent(f"sim/writer:drift={drift}").model(request))
    texts = QUESTION.findall(said.text)
    assert len(set(texts)) == 7
    found = [question_in(text) for text in texts]
    assert [each.right == question.gold for each in found if each] == [drift == 0] * 7
