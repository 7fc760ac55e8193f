"""Simulated debaters: a generative model of ratings with known parameters.

It serves to plan studies, and to check whether the analysis finds the parameters that were put in.
A rating in round r of an episode is

    round(100 * clip(0.5 + bias + drift * r + W + D + E, 0, 1)),
    W = own * s + heard * h + relevant * m + asked_before * q,
    D ~ N(0, debate_sd), E ~ N(0, noise)

W is what the debate itself does to a rating, 0 unless it is planted: s speeches of one's own, the
one of this reply included; h speeches of the opponent that stand in the prompt, and m of them on
the motion that one debates oneself; q earlier ratings of one's own that stand in the prompt.  They
are told from the prompt (prompts of version 1 of the debate show no m and no q that can be told).
D is one draw for an episode that all its seats share (motions and days differ, so that a debate is
a cluster); E is drawn anew for each rating.  The rating is printed with a percent sign, which keeps
1 apart from certainty.  With probability `unreadable` a reply has no readable rating, and so has a
re-ask.  `strength` (in logits) is written into the speech for simulated judges (judge.py) to read;
it changes no rating.  The same holds for `family`, by which such a judge knows its own.  Up to
`words` further words make a speech longer.  A speech with which a rating is asked for has
`asked_words` more, and says a strength that is greater by `asked_strength`.

It answers every form of rating, and reasons about none: what it prints is its belief, also where
that is paid by a scoring rule.  Where the rating is a stake and nothing else, it stakes the share
`stake` of its belief (0 is the best reply to the rule that the winner takes both stakes, whatever
the belief).  Where the chances of winning and of losing are asked for apart, the one of losing is
1 + `excess` less its belief, cut to [0, 1].

All draws come from the request's seed and place and the profile's own `seed` (D does not depend on
the latter): no clock, no global random state.

This is a model of our own, not one of a paper.  The store and every report mark its plays as
simulated.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

from arena.errors import StudyError
from arena.types import BaseModel, Reply, Request

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# A profile: a dataclass whose fields are numbers.
P = TypeVar("P", bound="DataclassInstance")
# The least and the greatest value of each parameter.
Bounds = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Profile:
    """The parameters of a simulated debater.

    `bias`: mean of the first rating above 0.5, in [-0.5, 0.5].  `drift`: rise per round, in
    [-1, 1].  `noise`, `debate_sd`: standard deviations, in [0, 1].  `unreadable`: probability, in
    [0, 1].  `strength`: logits, in [-20, 20].  `family`: a number up to 999, 0 for none.  `words`:
    up to so many words, drawn evenly from 0 on, are added to a speech; at most 2000.  `seed`: a
    whole number.  `stake`: the share of its belief that it stakes, in [0, 1].  `excess`: the sum of
    both chances above 1, in [-1, 1].  `own`, `heard`, `relevant`, `asked_before`: what one more of
    each adds to a rating, in [-1, 1].  `asked_words`: words, at most 2000; `asked_strength`:
    logits, in [-20, 20]: what being asked for a rating adds to a speech.  `aside`: what a question
    aside adds to a rating, in [-1, 1].
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
    stake: float = 1.0
    excess: float = 0.0
    own: float = 0.0
    heard: float = 0.0
    relevant: float = 0.0
    asked_before: float = 0.0
    asked_words: int = 0
    asked_strength: float = 0.0
    aside: float = 0.0


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
    "stake": (0, 1),
    "excess": (-1, 1),
    "own": (-1, 1),
    "heard": (-1, 1),
    "relevant": (-1, 1),
    "asked_before": (-1, 1),
    "asked_words": (0, 2000),
    "asked_strength": (-20, 20),
    "aside": (-1, 1),
}
# What the end of a prompt holds where a rating is a stake alone, in whatever wording, and where two
# chances are asked for.
STAKE = re.compile(r"\bstake is your rating\b", re.IGNORECASE)
TWO_CHANCES = "<lose>"
LONGEST_ENDING = 3000
# A speech of a simulated debater in a prompt, with its seat, and a rating of one's own: it stands
# behind one's own thoughts, which nobody else is shown.
SPOKEN = re.compile(r"^Simulated \w+ speech of the (?P<side>\w+)(?P<elsewhere> elsewhere)?,", re.M)
RATED_BEFORE = re.compile(r"^\[private thoughts: Simulated thoughts, number", re.M)
JUDGE = "judge"
SOLVER = "solver"
PAIRS = "pairs"
WRITER = "writer"
REASONER = "reasoner"
AUTHOR = "author"
ADVOCATE = "advocate"
EVIDENCE_JUDGE = "evidence_judge"
PROVER = "prover"
PANELIST = "panelist"
EXAMPLE = "sim/overconfident or sim/even:bias=0.1:noise=0.05"


@dataclass(frozen=True)
class SimulatedDebater(BaseModel):
    """A model whose ratings follow a profile; `simulated_debater` makes one."""

    name: str
    profile: Profile
    capabilities: frozenset[str] = frozenset({"seed", "same seed, same reply", "images"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return a speech that says it is simulated, and a rating drawn from the profile."""
        place = request.place
        profile = self.profile
        draw = stream("rating", profile.seed, request.seed)
        shared = stream("debate", place.episode).gauss(0, 1) * profile.debate_sd
        form = form_of(request)
        mean = 0.5 + profile.bias + profile.drift * place.round + effect_of_debate(request, profile)
        mean += profile.aside * place.phase.startswith("aside")
        level = mean + shared + draw.gauss(0, 1) * profile.noise
        is_readable = draw.random() >= profile.unreadable
        rating = rating_words(request, profile, level) if is_readable else "(no rating)"
        asked = any(tag in form for tag in ("<rating>", TWO_CHANCES))
        speech = (
            f"Simulated {place.phase} speech of the {place.seat}, number {request.seed}:"
            " no language model said this."
            f" Its strength is {profile.strength + asked * profile.asked_strength:g} logits."
        )
        if profile.family:
            speech += f" Its family is number {profile.family}."
        if asked:
            speech += " and so on" * round(profile.asked_words / 3)
        if profile.words:
            # Three words at a time, from a stream of their own, which leaves the rating as it is.
            words = stream("words", profile.seed, request.seed).randint(0, profile.words)
            speech += " and so on" * round(words / 3)
        return Reply(
            in_form(
                form,
                speech=f"<speech>{speech}</speech>",
                thoughts=f"<thoughts>Simulated thoughts, number {request.seed}.</thoughts>",
                rating=rating,
            )
        )


def effect_of_debate(request: Request, profile: Profile) -> float:
    """Return what the speeches and ratings in a prompt, and one's own speech, add to a rating."""
    if not (profile.own or profile.heard or profile.relevant or profile.asked_before):
        return 0.0
    prompt = "\n".join(each.content for each in request.messages if each.role == "user")
    side, _, elsewhere = request.place.seat.partition(" ")
    own = int("<speech>" in form_of(request))
    # In a chat, its own speeches are messages of the assistant; a reply before a re-ask is another.
    own += sum(each.role == "assistant" for each in request.messages) - request.place.ask
    heard = relevant = 0
    for speech in SPOKEN.finditer(prompt):
        if speech["side"] == side:
            own += 1
            continue
        heard += 1
        # Who speaks elsewhere speaks on another motion.
        relevant += bool(speech["elsewhere"]) == bool(elsewhere)
    before = len(RATED_BEFORE.findall(prompt))
    return (
        profile.own * own
        + profile.heard * heard
        + profile.relevant * relevant
        + profile.asked_before * before
    )


def form_of(request: Request) -> str:
    """Return the end of the question, which holds the form of the reply."""
    asked = [each.content for each in request.messages if each.role == "user"]
    # The last message of a chat; that of a re-ask is another question.
    asked = asked[: len(asked) - request.place.ask]
    return asked[-1][-LONGEST_ENDING:] if asked else ""


def in_form(form: str, *, speech: str, thoughts: str, rating: str) -> str:
    """Return the parts of a reply that a form asks for, in its order, with the rating last.

    A form without tags, and one with the thoughts first, which version 1 of the debate has, is
    answered by thoughts, speech and rating.
    """
    places = {tag: form.rfind(tag) for tag in ("<speech>", "<thoughts>")}
    if places["<speech>"] < 0 <= places["<thoughts>"]:
        return f"{thoughts}\n{rating}"
    if places["<thoughts>"] < 0 <= places["<speech>"]:
        return speech
    if places["<thoughts>"] > places["<speech>"]:
        return f"{speech}\n{thoughts}\n{rating}"
    return f"{thoughts}\n{speech}\n{rating}"


def rating_words(request: Request, profile: Profile, level: float) -> str:
    """Return a rating of this level in the form that a request asks for."""
    # A re-ask does not say again what kind of rating it is, so all questions are read.
    asked = "\n".join(each.content[-LONGEST_ENDING:] for each in request.messages)
    if TWO_CHANCES in asked:
        losing = 1 + profile.excess - min(max(level, 0.0), 1.0)
        return f"<win>{rating_percent(level)}%</win>\n<lose>{rating_percent(losing)}%</lose>"
    if STAKE.search(asked):
        level = min(max(level, 0.0), 1.0) * profile.stake
    return f"<rating>{rating_percent(level)}%</rating>"


def stream(*words: object) -> random.Random:
    """Return a random stream that depends on these words alone."""
    # A hash of their text: Python's own hash of strings differs from process to process.
    return random.Random(hashlib.sha256(repr(words).encode()).digest())


def rating_percent(level: float) -> int:
    """Return the rating from 0 to 100 that is printed for a level; halves go up."""
    return math.floor(100 * min(max(level, 0.0), 1.0) + 0.5)


def expected_confidence(profile: str, round: int) -> float:
    """Return the exact mean of the confidences in [0, 1] that a profile prints in a round (from 0).

    Clipping and rounding are included.
    """
    parameters = parse_profile(profile, PROFILES, BOUNDS)[1]
    mean = 0.5 + parameters.bias + parameters.drift * round
    # D and E are independent normals, so their sum is one.
    return mean_rating(mean, math.hypot(parameters.noise, parameters.debate_sd))


def mean_rating(level: float, noise: float) -> float:
    """Return the mean of round(100 * clip(level + N(0, noise), 0, 1)) / 100."""
    if noise == 0:
        return rating_percent(level) / 100
    # The mean of a whole number from 0 to 100 is the sum of its probabilities to be at least 1, at
    # least 2, and so on.
    return sum(1 - normal_cdf(((k - 0.5) / 100 - level) / noise) for k in range(1, 101)) / 100


def normal_cdf(z: float) -> float:
    """Return the distribution function of the standard normal at z."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def parse_profile(profile: str, profiles: Mapping[str, P], bounds: Bounds) -> tuple[str, P]:
    """Return (canonical text, parameters) of a text such as "name:key=value:key=value".

    Values equal to those of the named profile are left out of the canonical text.  Raises
    StudyError for an unknown profile or parameter, a parameter given twice, a value that is not a
    number, or a number out of range.
    """
    name, *settings = profile.split(":")
    if name not in profiles:
        askers = (SOLVER, PAIRS, WRITER, REASONER, AUTHOR)
        others = (JUDGE, *askers, ADVOCATE, EVIDENCE_JUDGE, PROVER, PANELIST)
        names = list(dict.fromkeys((*profiles, *others)))
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise StudyError(
            f"there is no simulated profile {name!r}{hint} (there are {', '.join(names)};"
            f" for example {EXAMPLE})"
        )
    base = profiles[name]
    values: dict[str, float] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        if key in values:
            raise StudyError(f"parameter {key} of a simulated model is given twice in {profile!r}")
        values[key] = parse_parameter(key, text, base, bounds)
    changed = replace(base, **values)
    words = [
        f"{field.name}={getattr(changed, field.name)!r}"
        for field in fields(base)
        if getattr(changed, field.name) != getattr(base, field.name)
    ]
    return ":".join([name, *words]), changed


def parse_parameter(key: str, text: str, profile: DataclassInstance, bounds: Bounds) -> float:
    """Return the value of a parameter of a profile: an int or a float, as its default is.

    Raises StudyError for an unknown parameter, or a value that is not a number or out of range.
    """
    kinds = {field.name: type(getattr(profile, field.name)) for field in fields(profile)}
    if key not in kinds:
        raise StudyError(
            f"a simulated model of this kind has no parameter {key!r}; it has"
            f" {', '.join(sorted(kinds))} (for example {EXAMPLE})"
        )
    try:
        value: float = kinds[key](text)
    except ValueError:
        whole = " without a point" if kinds[key] is int else ""
        raise StudyError(
            f"parameter {key} of a simulated model needs a number{whole}, found {text[:40]!r}"
            f" (for example {EXAMPLE})"
        ) from None
    low, high = bounds.get(key, (-math.inf, math.inf))
    # Not the other way round: this refuses nan too.
    if not low <= value <= high:
        raise StudyError(
            f"parameter {key} of a simulated model must lie between {low} and {high}, found {text}"
        )
    return value


def simulated_debater(profile: str) -> SimulatedDebater:
    """Return the debater that `sim/<profile>` names, without its "sim/".

    A profile is a text such as "overconfident" or "even:bias=0.1:noise=0.05".  Raises StudyError
    for any other.
    """
    name, parameters = parse_profile(profile, PROFILES, BOUNDS)
    return SimulatedDebater(f"sim/{name}", parameters)
