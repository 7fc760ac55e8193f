"""Simulated debaters from a generative model with known parameters: to plan studies, and to check the analysis by what was put in.

A rating in round r of an episode is

    round(100 * clip(0.5 + bias + drift * r + D + E, 0, 1)),   D ~ N(0, debate_sd), E ~ N(0, noise)

where D is one draw for an episode, shared by everybody who sits in it (motions and days differ, so that a debate is a cluster), and E is drawn
anew for each rating.  It is printed with a percent sign, which keeps 1 apart from certainty.  With probability `unreadable` a reply has no
readable rating, at the re-ask again.  `strength` (in logits) is written into the speech, for simulated judges to read; it changes no rating.
Draws come from the request's seed and place and the profile's own `seed` (which D does not depend on): no clock, no global random.

Our own model, no paper's.  Whatever is played with it is marked as simulated in the store and in every report.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import random
from dataclasses import dataclass, fields, replace

from arena.errors import StudyError
from arena.types import Reply, Request


@dataclass(frozen=True, slots=True)
class Profile:
    """The parameters of a simulated debater.

    `bias`: mean of the first rating above 0.5, in [-0.5, 0.5].  `drift`: rise per round, in [-1, 1].  `noise`, `debate_sd`: standard
    deviations, in [0, 1].  `unreadable`: probability, in [0, 1].  `strength`: logits.  `seed`: a whole number.
    """

    bias: float = 0.0
    drift: float = 0.0
    noise: float = 0.08
    debate_sd: float = 0.05
    unreadable: float = 0.0
    strength: float = 0.0
    seed: int = 0


PROFILES = {
    "even": Profile(),
    "modest": Profile(bias=0.05, drift=0.02),
    "confident": Profile(bias=0.15, drift=0.04),
    "overconfident": Profile(bias=0.23, drift=0.05),
    "erratic": Profile(bias=0.1, noise=0.2, unreadable=0.1),
}
BOUNDS = {"bias": (-0.5, 0.5), "drift": (-1, 1), "noise": (0, 1), "debate_sd": (0, 1), "unreadable": (0, 1), "strength": (-20, 20)}
EXAMPLE = "sim/overconfident or sim/even:bias=0.1:noise=0.05"


@dataclass(frozen=True)
class SimulatedDebater:
    """A model whose ratings follow a profile; made by `simulated`."""

    name: str
    profile: Profile
    can: frozenset[str] = frozenset({"seed", "same seed, same reply"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """A speech that says it is simulated, and a rating drawn from the profile."""
        place, profile = request.place, self.profile
        draw = stream("rating", profile.seed, request.seed)
        shared = stream("debate", place.episode).gauss(0, 1) * profile.debate_sd
        level = 0.5 + profile.bias + profile.drift * place.round + shared + draw.gauss(0, 1) * profile.noise
        rating = f"<rating>{printed(level)}%</rating>" if draw.random() >= profile.unreadable else "(no rating)"
        speech = (
            f"Simulated {place.phase} speech of the {place.seat}, number {request.seed}: no language model said this."
            f" Its strength is {profile.strength:g} logits."
        )
        return Reply(f"<thoughts>Simulated thoughts, number {request.seed}.</thoughts>\n<speech>{speech}</speech>\n{rating}")


def stream(*words: object) -> random.Random:
    """A random stream that belongs to these words."""
    return random.Random(hashlib.sha256(repr(words).encode()).digest())


def printed(level: float) -> int:
    """The rating from 0 to 100 that is printed for a level; halves go up."""
    return math.floor(100 * min(max(level, 0.0), 1.0) + 0.5)


def expected_confidence(profile: str, round: int) -> float:
    """The exact mean of the confidences in [0, 1] that a profile prints in a round (from 0), clipping and rounding included."""
    known = parsed(profile)[1]
    mean = 0.5 + known.bias + known.drift * round
    sd = math.hypot(known.noise, known.debate_sd)
    if sd == 0:
        return printed(mean) / 100
    # The mean of a whole number from 0 to 100 is the sum of its chances to be at least 1, at least 2, ...
    return sum(1 - normal_cdf(((k - 0.5) / 100 - mean) / sd) for k in range(1, 101)) / 100


def normal_cdf(z: float) -> float:
    """The distribution function of the standard normal."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def parsed(profile: str) -> tuple[str, Profile]:
    """(canonical text, parameters) of "name:key=value:key=value"; what equals the named profile is left out of the text.

    Raises StudyError for an unknown profile or parameter, one given twice, something that is no number, or a number out of range.
    """
    name, *settings = profile.split(":")
    if name not in PROFILES:
        near = difflib.get_close_matches(name, PROFILES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise StudyError(f"there is no simulated profile {name!r}{hint} (there are {', '.join(PROFILES)}; for example {EXAMPLE})")
    given: dict[str, float | int] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        if key in given:
            raise StudyError(f"parameter {key} of a simulated debater is given twice in {profile!r}")
        given[key] = number(key, text)
    known = replace(PROFILES[name], **given)  # type: ignore[arg-type]
    changed = [f"{f.name}={getattr(known, f.name)!r}" for f in fields(Profile) if getattr(known, f.name) != getattr(PROFILES[name], f.name)]
    return ":".join([name, *changed]), known


def number(key: str, text: str) -> float | int:
    """The value of a parameter, checked."""
    kinds = {f.name for f in fields(Profile)}
    if key not in kinds:
        raise StudyError(f"a simulated debater has no parameter {key!r}; it has {', '.join(sorted(kinds))} (for example {EXAMPLE})")
    try:
        if key == "seed":
            return int(text)
        value = float(text)
    except ValueError:
        raise StudyError(f"parameter {key} of a simulated debater needs a number, found {text[:40]!r} (for example {EXAMPLE})") from None
    low, high = BOUNDS[key]
    if not low <= value <= high:
        raise StudyError(f"parameter {key} of a simulated debater must lie between {low} and {high}, found {text}")
    return value


def simulated(profile: str) -> SimulatedDebater:
    """The debater that `sim/<profile>` names, such as "overconfident" or "even:bias=0.1:noise=0.05".  Raises StudyError where it names none."""
    name, known = parsed(profile)
    return SimulatedDebater(f"sim/{name}", known)
