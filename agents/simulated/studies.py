"""Whole studies of simulated debaters at once: the ratings that simulated.py would give, drawn as arrays, to plan how many debates are needed.

The model is the one at the head of simulated.py, word for word: one D for a debate, times the `debate_sd` of each profile; E anew for each
rating; clipped, and rounded to whole percent.  A reply without a readable rating is asked for once more, and the re-ask is unreadable with
the same probability, on its own: so a rating is missing with probability `unreadable` squared.  Our own model, no paper's.

Left out: everything but ratings (speeches, strength, family, words), and the profile's `seed`, in the place of which a generator is given.
The numbers are others than those of a played study; only their distribution is the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.simulated.debater import Profile


def ratings(
    proposition: Profile,
    opposition: Profile,
    *,
    studies: int,
    debates: int,
    phases: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(studies, debates, 2, phases): ratings in [0, 1] of debates between two profiles, nan where missing after the re-ask.

    The first debates of larger studies are those of smaller ones from a generator in the same state, so that power by number of debates is
    compared with the same random numbers.
    """
    # Debates stand in front while drawing, and every kind of draw has a stream of its own: that is what makes smaller studies the
    # beginnings of larger ones.
    shared, own, reading = rng.spawn(3)
    shape = (debates, studies, 2, phases)
    sides = (proposition, opposition)
    bias, drift, noise, debate_sd, unreadable = (
        np.array([getattr(side, name) for side in sides])[:, None]
        for name in ("bias", "drift", "noise", "debate_sd", "unreadable")
    )
    level = 0.5 + bias + drift * np.arange(phases)  # (2, phases)
    drawn = (
        level
        + noise * own.standard_normal(shape)
        + debate_sd * shared.standard_normal((debates, studies, 1, 1))
    )
    printed = np.floor(100 * np.clip(drawn, 0, 1) + 0.5) / 100
    if unreadable.any():
        printed[reading.random(shape) < unreadable**2] = np.nan
    return np.swapaxes(printed, 0, 1)
