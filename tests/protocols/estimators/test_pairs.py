"""Pairs of texts go out at once to a model of pairs, and one a call in words to any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import orjson
import pytest

from agents import agent
from agents.scripted import scripted_model
from arena.play.episode import Episode
from arena.types import Agent, Reply, Request, Seat
from protocols.estimators.pairs import (
    LABELS,
    Pair,
    Relation,
    entailment,
    read_label,
    similarity,
    similarity_without,
)
from tests.estimator_play import asked

PAIRS = [("4", "4.0"), ("4", "5"), ("4", "4 "), ("4", "4.0"), ("5", "4")]


def related(helper: Agent, pairs: Sequence[Pair]) -> tuple[list[Relation | None], int]:
    """The relations of pairs, and how many requests they took."""
    found, turns = asked(helper, lambda episode, seat: entailment(episode, seat, pairs))
    return found, len(turns)


def test_all_pairs_are_one_request_without_duplicates_and_equal_texts() -> None:
    sent: list[list[Pair]] = []

    async def spy(request: Request) -> Reply:
        sent.append(orjson.loads(request.messages[-1].content)["pairs"])
        return await model(request)

    pairs = agent("sim/pairs:sure=0.8")
    model = pairs.model
    observed = replace(scripted_model(spy), capabilities=frozenset({"pairs"}))  # type: ignore[type-var]
    found, requests = related(Agent("spy", observed), PAIRS)
    assert requests == 1
    assert sent == [[["4", "4.0"], ["4", "5"], ["5", "4"]]]
    assert [round(each[0], 6) for each in found if each] == [0.8, 0.1, 1, 0.8, 0.1]


def words(reply: Callable[[Request], str | Reply], *capabilities: str) -> Agent:
    """A scripted agent that is asked in words."""
    model = replace(scripted_model(reply), capabilities=frozenset({"seed", *capabilities}))  # type: ignore[type-var]
    return Agent("words", model)


def test_an_agent_is_asked_about_one_pair_a_call() -> None:
    def reply(request: Request) -> str:
        shown = request.messages[-1].content
        return "They differ.\n**Contradiction**" if "Text 2\n5\n" in shown else "entails"

    found, requests = related(words(reply), PAIRS)
    assert requests == 3
    assert found == [(1, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 0), (1, 0, 0)]


def test_what_cannot_be_read_is_missing_and_asked_for_once_more() -> None:
    found, _ = related(words(lambda request: "I cannot tell"), [("4", "5")])
    assert found == [None]
    found, turns = asked(
        words(lambda request: "none"), lambda episode, seat: similarity(episode, seat, PAIRS)
    )
    assert found == [None, None, 1.0, None, None]
    assert {turn["asks"] for turn in turns} == {2}


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("Entailment.", "entailment"),
        ("Text 1 says more.\nRelation: neutral", "neutral"),
        ("It contradicts text 2", "contradiction"),
        ("not entailment", None),
        ("entailment or neutral", None),
        ("<think>entailment</think>", None),
    ],
)
def test_a_label_is_the_only_one_that_the_last_line_names(reply: str, label: str | None) -> None:
    assert read_label(Reply(reply)).answer == label


def test_labels_are_scored_where_the_model_scores_choices() -> None:
    chances = dict(zip(LABELS, (0.5, 0.3, 0.1), strict=True))

    def score(request: Request) -> Reply:
        assert request.sampling.choices == LABELS
        measures = {f"probability of {label}": each for label, each in chances.items()}
        return Reply("entailment", measures=measures)

    model = replace(scripted_model(score), capabilities=frozenset({"choices"}))  # type: ignore[type-var]
    ((relation,), _) = related(Agent("scorer", model), [("4", "5")])
    assert relation == pytest.approx((5 / 9, 3 / 9, 1 / 9))


def test_a_text_is_compared_with_itself_without_each_span() -> None:
    spans = [(0, 6), (19, 21), (0, 6)]
    text = r"Well, it is \boxed{57}"
    found, turns = asked(
        agent("sim/pairs"), lambda episode, seat: similarity_without(episode, seat, text, spans)
    )
    assert (found, len(turns)) == (pytest.approx([0.8, 0.05, 0.8]), 1)
    found, turns = asked(
        words(lambda request: "80"),
        lambda episode, seat: similarity_without(episode, seat, text, spans),
    )
    assert (found, len(turns)) == ([0.8, 0.8, 0.8], 2)


@pytest.mark.parametrize(
    "reply",
    [
        *("{}", "no JSON", '{"probabilities": [[1, 0]]}', "[]"),
        # Logits.
        *('{"probabilities": [[-1, 5, 7]]}', '{"probabilities": [[0.5, 0.2, 0.9]]}'),
        '{"probabilities": [[-0.5, 0.3, 0.7]]}',
    ],
)
def test_a_model_of_pairs_that_answers_otherwise_leaves_numbers_missing(reply: str) -> None:
    found, _ = related(words(lambda request: reply, "pairs"), [("4", "5")])
    assert found == [None]


def test_texts_that_a_model_cut_are_counted_in_the_details() -> None:
    cut = Reply('{"similarity": [0.5]}', measures={"pairs_truncated": 1.0})
    details: dict[str, object] = {}

    async def twice(episode: Episode, seat: Seat) -> list[float | None]:
        await similarity_without(episode, seat, "a b", [(0, 1)], details=details)
        return await similarity(episode, seat, [("a", "b")], details=details)

    found, _ = asked(words(lambda request: cut, "pairs"), twice)
    assert (found, details) == ([0.5], {"pairs_truncated": 2})
