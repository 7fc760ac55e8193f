"""Debates between two models of a server, as a user of version 0.1.0 wrote them."""

from __future__ import annotations

from agents import agent
from arena import Arm, Sampling, Study, Subject, against_itself, round_robin
from protocols.debate import PRESETS, debate

WORDS = ["at once", "in the end", "with an unreadable rating", "once more"]


def study(
    *, url: str = "http://127.0.0.1:9/v1", name: str = "half played", motions: int = 4
) -> Study:
    """Let the models meet in both seats, and the larger one itself, on up to four motions."""
    cool = Sampling(temperature=0.7, top_p=0.9, max_tokens=400, stop=("THE END",))
    small = agent(
        f"http/small@{url}",
        name="the small one",
        system="You debate in plain words.",
        sampling=cool,
    )
    large = agent(f"http/large@{url}")
    arms = [
        Arm("cross_model", debate, round_robin([small, large]), PRESETS["cross_model"]),
        Arm("self", debate, against_itself([large]), PRESETS["self"]),
    ]
    texts = [f"This house would answer {words}." for words in WORDS[:motions]]
    subjects = [Subject(text, source="made for a test", licence="CC0-1.0") for text in texts]
    return Study(name, arms, subjects)
