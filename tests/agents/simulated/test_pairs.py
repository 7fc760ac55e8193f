"""Simulated entailment errs as often as its parameters say, and the same way each time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from agents import model
from agents.simulated.pairs import SimulatedPairs, simulated_pairs
from arena.errors import RefusedError
from arena.types import Message, Place, Request, Sampling

HERE = Place("e", "entailment", 0, 0, "pairs", 0)


def ask(pairs: SimulatedPairs, content: object) -> dict[str, list[Any]]:
    """The reply of a model of pairs to a request in JSON."""
    words = orjson.dumps(content).decode()
    reply = asyncio.run(pairs(Request((Message("user", words),), Sampling(), 7, HERE)))
    found: dict[str, list[Any]] = orjson.loads(reply.text)
    return found


def test_texts_of_one_answer_entail_each_other_and_others_contradict() -> None:
    pairs = simulated_pairs("pairs")
    texts = [[r"So \boxed{0.5}", "It is 0.50"], ["Paris", "paris!"], ["It is 5", "It is 6"]]
    found = ask(pairs, {"pairs": texts})
    labels = [max(range(3), key=each.__getitem__) for each in found["probabilities"]]
    assert labels == [0, 0, 2]
    assert found["similarity"][:2] == [0.95, 0.95]
    assert model("sim/pairs").simulated


def test_what_changes_the_meaning_is_relevant() -> None:
    text = r"Well, it is \boxed{57}"
    found = ask(simulated_pairs("pairs"), {"text": text, "without": [[0, 6], [19, 21], [0, 0]]})
    assert found["similarity"] == pytest.approx([0.8, 0.05, 1.0], abs=0.01)


@pytest.mark.parametrize("error", [0.0, 0.3, 1.0])
def test_errors_are_as_frequent_as_the_parameter(error: float) -> None:
    pairs = simulated_pairs(f"pairs:error={error}:neutral=0.5")
    asked = [[f"It is {n}", f"It is {n % 7}"] for n in range(7, 1507)]
    relations = ask(pairs, {"pairs": asked})["probabilities"]
    entails = [row[0] > 0.5 for row in relations]
    assert sum(entails) / len(entails) == pytest.approx(error / 2, abs=0.04)
    assert ask(pairs, {"pairs": asked[::-1]})["probabilities"] == relations[::-1]


@pytest.mark.parametrize("words", ["Is it true?", '{"pairs": [["one"]]}', "{}", "[]"])
def test_another_request_is_refused(words: str) -> None:
    request = Request((Message("user", words),), Sampling(), 7, HERE)
    with pytest.raises(RefusedError, match="sim/pairs is asked for"):
        asyncio.run(simulated_pairs("pairs")(request))
