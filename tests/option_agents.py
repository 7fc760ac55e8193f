"""Scripted models that score the options of a question, with known probabilities."""

from __future__ import annotations

from dataclasses import replace

from agents.scripted import scripted_model
from arena.types import Agent, Reply, Request
from tests.question_agents import Script

SECOND = {"A": (0.7, 0.2, 0.1), "B": (0.0, 1.0, 0.0), "C": (0.25, 0.5, 0.25)}


def score_twice(request: Request) -> Reply:
    """Probabilities of three options: even at first, then those after the answer it has given."""
    said = [message.content for message in request.messages if message.role == "assistant"]
    share = SECOND[said[-1]] if said else (0.5, 0.25, 0.25)
    letters = request.sampling.choices
    measures = {
        f"probability of {letter}": each for letter, each in zip(letters, share, strict=True)
    }
    return Reply(letters[share.index(max(share))], finish_reason="options", measures=measures)


THOUGHT = "Four halves into two and two. So I answer "


def score_around_thought(request: Request) -> Reply:
    """A thought, or probabilities of three options: the third at once, the second after thought."""
    choices = request.sampling.choices
    if not choices:
        return Reply(THOUGHT, finish_reason="stop")
    last = request.messages[-1]
    share = (0.1, 0.8, 0.1) if THOUGHT in last.content else (0.25, 0.25, 0.5)
    measures = {f"probability of {one}": each for one, each in zip(choices, share, strict=True)}
    return Reply(choices[share.index(max(share))], finish_reason="options", measures=measures)


def scorer(script: Script = score_around_thought, *can: str) -> Agent:
    """An agent that scores options, and can what is named, or else continue a prefill too."""
    model = scripted_model(script, "m")
    able = frozenset(can or ("choices", "prefill"))
    return Agent("m", replace(model, capabilities=able))  # type: ignore[type-var]


SCORER = scorer(score_twice, "choices")
