"""Compute how often a blind jury prefers one way of simulated authors (author.py) to another.

By drawing many pairs of texts from the parameters, always the same ones: exact to 0.003.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.simulated.author import BOUNDS, AuthorProfile
from agents.simulated.debater import AUTHOR, parse_profile

DRAWS = 100_000


def author_profile(profile: str) -> AuthorProfile:
    """Return the parameters of `sim/author:...`, without its "sim/"."""
    return parse_profile(profile, {AUTHOR: AuthorProfile()}, BOUNDS)[1]


def expected_preference(
    profile: str, way: str, against: str, calls: int, firsts: Sequence[float] = (0.0,)
) -> float:
    """Return the mean preference, in [0, 1], for a way's texts over those of another.

    `firsts` are the judges' likings, in logits, for the text that is read first.
    """
    author = author_profile(profile)
    one, two = (
        qualities(author, each, calls, np.random.default_rng([number, 7]))
        for number, each in enumerate((way, against))
    )
    both = (1 / (1 + np.exp(two - one - sign * first)) for first in firsts for sign in (1.0, -1.0))
    return float(np.mean([each.mean() for each in both]))


def qualities(
    author: AuthorProfile, way: str, calls: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return DRAWS qualities of the texts with which a way of open_answer ends."""
    many = {"sample": 1, "refine": 1, "certain": calls}.get(way, calls - 1)
    z = rng.standard_normal((DRAWS, many))
    replies = author.skill + author.spread * z
    if way == "aggregation":
        return np.asarray(replies.mean(axis=1) + author.aggregates)
    if way == "refine":
        return np.asarray(refined(author, replies[:, 0], (calls - 1) // 2))
    chosen = np.zeros(DRAWS, dtype=np.int64)
    if way == "universal":
        chosen = np.abs(replies - replies.mean(axis=1, keepdims=True)).argmin(axis=1)
    if way == "certain":
        rho = author.certain
        sure = rho * z + np.sqrt(1 - rho * rho) * rng.standard_normal((DRAWS, many))
        chosen = sure.argmax(axis=1)
    return np.asarray(replies[np.arange(DRAWS), chosen])


def refined(
    author: AuthorProfile, quality: NDArray[np.float64], rounds: int
) -> NDArray[np.float64]:
    """Return qualities after so many rounds of feedback, which end where one is good enough."""
    for _ in range(rounds):
        quality = np.where(quality >= author.content, quality, quality + author.refines)
    return quality
