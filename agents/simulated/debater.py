"""Simulated debaters from a generative model with known parameters: to plan studies, and to check the analysis by what was put in.

A rating in round r of an episode is

    round(100 * clip(0.5 + bias + drift * r + D + E, 0, 1)),   D ~ N(0, debate_sd), E ~ N(0, noise)

where D is one draw for an episode, shared by everybody who sits in it (motions and days differ, so that a debate is a cluster), and E is drawn
anew for each rating.  It is printed with a percent sign, which keeps 1 apart from certainty.  With probability `unreadable` a reply has no
readable rating, at the re-ask again.  `strength` (in logits) is written into the speech, for simulated judges (simulated_judge.py) to read;
it changes no rating.  So is `family`, by which such a judge knows its own, and up to `words` further words make a speech longer.
Draws come from the request's seed and place and the profile's own `seed` (which D does not depend on): no clock, no global random.

Our own model, no paper's.  Whatever is played with it is marked as simulated in the store and in every report.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from arena.errors import StudyError
from arena.types import BaseModel, Reply, Request

P = TypeVar("P")
Bounds = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Profile:
    """The parameters of a simulated debater.

    `bias`: mean of the first rating above 0.5, in [-0.5, 0.5].  `drift`: rise per round, in [-1, 1].  `noise`, `debate_sd`: standard
    deviations, in [0, 1].  `unreadable`: probability, in [0, 1].  `strength`: logits.  `family`: a number, 0 for none.  `words`: the most
    words that a speech is longer by, drawn evenly from 0 on.  `seed`: a whole number.
    """

    bias: float = 0.0
    drift: float = 0.0
    noise: float = 0.08
    debate_sd: float = 0.05
    unreadable: float = 0.0
    strength: float = 0.0
    family: int = 0
    words: int = 0
    seed: int = 0


PROFILES = {
    "even": Profile(),
    "modest": Profile(bias=0.05, drift=0.02),
    "confident": Profile(bias=0.15, drift=0.04),
    "overconfident": Profile(bias=0.23, drift=0.05),
    "erratic": Profile(bias=0.1, noise=0.2, unreadable=0.1),
}
BOUNDS: Bounds = {
    "bias": (-0.5, 0.5),
    "drift": (-1, 1),
    "noise": (0, 1),
    "debate_sd": (0, 1),
    "unreadable": (0, 1),
    "strength": (-20, 20),
    "family": (0, 999),
    "words": (0, 2000),
}
JUDGE = "judge"
SOLVER = "solver"
EXAMPLE = "sim/overconfident or sim/even:bias=0.1:noise=0.05"


@dataclass(frozen=True)
class SimulatedDebater(BaseModel):
    """A model whose ratings follow a profile; made by `simulated`."""

    name: str
    profile: Profile
    capabilities: frozenset[str] = frozenset({"seed", "same seed, same reply"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """A speech that says it is simulated, and a rating drawn from the profile."""
        place, profile = request.place, self.profile
        draw = stream("rating", profile.seed, request.seed)
        shared = stream("debate", place.episode).gauss(0, 1) * profile.debate_sd
        level = (
            0.5
            + profile.bias
            + profile.drift * place.round
            + shared
            + draw.gauss(0, 1) * profile.noise
        )
        rating = (
            f"<rating>{rating_percent(level)}%</rating>"
            if draw.random() >= profile.unreadable
            else "(no rating)"
        )
        speech = (
            f"Simulated {place.phase} speech of the {place.seat}, number {request.seed}: no language model said this."
            f" Its strength is {profile.strength:g} logits."
        )
        if profile.family:
            speech += f" Its family is number {profile.family}."
        if profile.words:
            speech += " and so on" * round(
                stream("words", profile.seed, request.seed).randint(0, profile.words) / 3
            )
        return Reply(
            f"<thoughts>Simulated thoughts, number {request.seed}.</thoughts>\n<speech>{speech}</speech>\n{rating}"
        )


def stream(*words: object) -> random.Random:
    """A random stream that belongs to these words."""
    return random.Random(hashlib.sha256(repr(words).encode()).digest())


def rating_percent(level: float) -> int:
    """The rating from 0 to 100 that is printed for a level; halves go up."""
    return math.floor(100 * min(max(level, 0.0), 1.0) + 0.5)


def expected_confidence(profile: str, round: int) -> float:
    """The exact mean of the confidences in [0, 1] that a profile prints in a round (from 0), clipping and rounding included."""
    known = parse_profile(profile, PROFILES, BOUNDS)[1]
    mean = 0.5 + known.bias + known.drift * round
    sd = math.hypot(known.noise, known.debate_sd)
    if sd == 0:
        return rating_percent(mean) / 100
    # The mean of a whole number from 0 to 100 is the sum of its chances to be at least 1, at least 2, ...
    return sum(1 - normal_cdf(((k - 0.5) / 100 - mean) / sd) for k in range(1, 101)) / 100


def normal_cdf(z: float) -> float:
    """The distribution function of the standard normal."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def parse_profile(profile: str, profiles: Mapping[str, P], bounds: Bounds) -> tuple[str, P]:
    """(canonical text, parameters) of "name:key=value:key=value"; what equals the named profile is left out of the text.

    Raises StudyError for an unknown profile or parameter, one given twice, something that is no number, or a number out of range.
    """
    name, *settings = profile.split(":")
    if name not in profiles:
        there_are = list(dict.fromkeys((*profiles, JUDGE, SOLVER)))
        near = difflib.get_close_matches(name, there_are, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise StudyError(
            f"there is no simulated profile {name!r}{hint} (there are {', '.join(there_are)}; for example {EXAMPLE})"
        )
    known: Any = profiles[name]
    given: dict[str, float | int] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        if key in given:
            raise StudyError(f"parameter {key} of a simulated model is given twice in {profile!r}")
        given[key] = parse_parameter(key, text, known, bounds)
    changed = replace(known, **given)
    words = [
        f"{f.name}={getattr(changed, f.name)!r}"
        for f in fields(known)
        if getattr(changed, f.name) != getattr(known, f.name)
    ]
    return ":".join([name, *words]), changed


def parse_parameter(key: str, text: str, profile: Any, bounds: Bounds) -> float | int:
    """The value of a parameter of a profile, checked."""
    kinds = {f.name: type(getattr(profile, f.name)) for f in fields(profile)}
    if key not in kinds:
        raise StudyError(
            f"a simulated model of this kind has no parameter {key!r}; it has {', '.join(sorted(kinds))} (for example {EXAMPLE})"
        )
    try:
        value: float | int = kinds[key](text)
    except ValueError:
        whole = " without a point" if kinds[key] is int else ""
        raise StudyError(
            f"parameter {key} of a simulated model needs a number{whole}, found {text[:40]!r} (for example {EXAMPLE})"
        ) from None
    low, high = bounds.get(key, (-math.inf, math.inf))
    if not low <= value <= high:
        raise StudyError(
            f"parameter {key} of a simulated model must lie between {low} and {high}, found {text}"
        )
    return value


def simulated_debater(profile: str) -> SimulatedDebater:
    """The debater that `sim/<profile>` names, such as "overconfident" or "even:bias=0.1:noise=0.05".  Raises StudyError where it names none."""
    name, known = parse_profile(profile, PROFILES, BOUNDS)
    return SimulatedDebater(f"sim/{name}", known)
