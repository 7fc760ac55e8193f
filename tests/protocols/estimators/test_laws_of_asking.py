"""Estimators that ask obey the laws: any order, killed and resumed, nothing private, silence."""

from __future__ import annotations

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from arena.studies.study import Protocol
from arena.types import Agent, Request
from protocols import laws
from protocols.estimators.claims import ccp_of_claims
from protocols.estimators.p_true import p_true_own_samples
from protocols.estimators.paraphrase import paraphrase
from protocols.estimators.relevance import relevance
from protocols.estimators.self_familiarity import self_familiarity_sampled
from protocols.estimators.self_probing import self_probing
from protocols.estimators.semantic_sets import semantic_sets
from tests.stored_samples import reply, samples_of, tokens

(QUESTION,) = simulated_questions(1)
WORDS = tokens(("It", -0.1), (" is", -0.5), (" 5", -0.9), (".", -0.1), alternatives=3)
SAMPLES = samples_of(
    QUESTION,
    [
        reply(answer, k, public="It is 5.", logprobs=WORDS)
        for k, answer in enumerate(("5", "6", "5.0"))
    ],
)


def label(request: Request) -> str:
    """An agent that is asked in words: a label by the seed."""
    return ("entailment", "neutral", "contradiction")[request.seed % 3]


PAIRS = agent("sim/pairs")
IN_WORDS = Agent("words", scripted_model(label))
QUOTES = Agent("quotes", scripted_model(lambda request: "It is 5"))


@pytest.mark.parametrize(
    ("protocol", "lineup"),
    [
        (semantic_sets, {"entailment": PAIRS}),
        (semantic_sets, {"entailment": IN_WORDS}),
        (relevance, {"similarity": PAIRS}),
        (ccp_of_claims, {"scorer": QUOTES, "entailment": PAIRS}),
        (paraphrase, {"scorer": agent("sim/solver"), "writer": agent("sim/writer")}),
        (p_true_own_samples, {"scorer": agent("sim/solver")}),
        (self_probing, {"scorer": agent("sim/solver")}),
        # Eighteen calls, and a crash at each of them.
        pytest.param(self_familiarity_sampled, {"scorer": QUOTES}, marks=pytest.mark.slow),
    ],
)
def test_estimators_obey_the_laws(protocol: Protocol, lineup: dict[str, Agent]) -> None:
    laws.check(protocol, lineup, SAMPLES)
