"""Draw the ratings of many simulated studies at once, to plan how many debates are needed.

They follow the model of debater.py: one D for a debate, times the `debate_sd` of each profile; E
anew for each rating; clipped, and rounded to whole percent.  A reply without a readable rating is
asked for once more, and the re-ask is unreadable with the same probability, on its own: so a rating
is missing with probability `unreadable` squared.

Left out: everything but ratings (speeches, strength, family, words), and the profile's `seed`, in
whose place the caller gives a generator.  The numbers are not those of a played study; their
distribution is the same.
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
    """Return ratings in [0, 1] of debates between two profiles: (studies, debates, 2, phases).

    A rating that is missing after the re-ask is nan.  The first debates of larger studies are those
    of smaller ones from a generator in the same state, so that the power of several numbers of
    debates is compared with common random numbers.
    """
    # Debates come first in the shape of a draw, and every kind of draw has a stream of its own:
    # so a smaller study is the beginning of a larger one.
    shared, own, reading = rng.spawn(3)
    shape = (debates, studies, 2, phases)
    sides = (proposition, opposition)
    bias, drift, noise, debate_sd, unreadable = (
        np.array([getattr(side, name) for side in sides])[:, None]
        for name in ("bias", "drift", "noise", "debate_sd", "unreadable")
    )
    level = 0.5 + bias + drift * np.arange(phases)  # (2, phases)
    # One shared draw a debate, the same for both sides and all phases.
    together = shared.standard_normal((debates, studies, 1, 1))
    values = level + noise * own.standard_normal(shape) + debate_sd * together
    printed = np.floor(100 * np.clip(values, 0, 1) + 0.5) / 100
    if unreadable.any():
        printed[reading.random(shape) < unreadable**2] = np.nan
    return np.swapaxes(printed, 0, 1)
