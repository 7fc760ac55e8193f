"""A simulated judge with known biases: to plan juries, and to check the analysis by what was put in.

It reads the speeches of simulated debaters and names the proposition with the chance 1 / (1 + exp(-x)), where

    x = strength of the proposition - strength of the opposition + side + first * (1 where the proposition is read first, else -1)
        + length * log(words of the proposition / words of the opposition) + love * (1 where the proposition is family, -1 the opposition)

Strengths and families stand in the speeches; a speech without a strength has 0.  With probability `shared` it decides by a draw that all
judges of this debate share (then judges of one debate agree more than by strength alone, and the chances stay as they are), else by one of
its own, anew at each reading.  It states as confidence the chance that it gave to the side which it names, with `noise`.  With probability
`unreadable` a reply has no readable verdict, at the re-ask again; with `abstain` it abstains where that is allowed.

Our own model, no paper's.  Whatever is judged with it is marked as simulated in the store and in every report.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from agents.simulated.debater import JUDGE, Bounds, parse_profile, rating_percent, stream
from arena.types import BaseModel, Reply, Request

CODE = re.compile(r"carry the code (\w{8})")
STRENGTH = re.compile(r"Its strength is (-?\d{1,9}(?:\.\d{1,9})?(?:e[+-]?\d{1,2})?) logits")
FAMILY = re.compile(r"Its family is number (\d+)")
SIDES = ("proposition", "opposition")


@dataclass(frozen=True, slots=True)
class JudgeProfile:
    """The parameters of a simulated judge: `side`, `first`, `length`, `love` in logits; `family` a number, 0 for none.

    `shared`, `unreadable`, `abstain` are probabilities; `noise` is the standard deviation of the confidence, in [0, 1].
    """

    side: float = 0.0
    first: float = 0.0
    length: float = 0.0
    love: float = 0.0
    family: int = 0
    shared: float = 0.0
    noise: float = 0.05
    unreadable: float = 0.0
    abstain: float = 0.0
    seed: int = 0


LOGITS = dict.fromkeys(("side", "first", "length", "love"), (-20.0, 20.0))
CHANCES = dict.fromkeys(("shared", "noise", "unreadable", "abstain"), (0.0, 1.0))
BOUNDS: Bounds = LOGITS | CHANCES | {"family": (0.0, 999.0)}


@dataclass(frozen=True)
class SimulatedJudge(BaseModel):
    """A model whose verdicts follow a profile; made by `simulated_judge`."""

    name: str
    profile: JudgeProfile
    capabilities: frozenset[str] = frozenset({"seed"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Reasons that say they are simulated, and a verdict drawn from the profile."""
        profile = self.profile
        own = stream("verdict", profile.seed, request.seed)
        said = "\n".join(message.content for message in request.messages)
        reasons = f"<reasons>Simulated reasons, number {request.seed} of judge {profile.seed}: no language model judged this.</reasons>\n"
        if own.random() < profile.unreadable:
            return Reply(reasons + "(no verdict)")
        if own.random() < profile.abstain and "or abstain" in said:
            return Reply(reasons + "<winner>abstain</winner>")
        speeches, first = speeches_in(said)
        chance = 1 / (1 + math.exp(-proposition_logit(speeches, first, profile)))
        draw = own.random()
        if own.random() < profile.shared:
            draw = stream("debate", *(speeches[side] for side in SIDES)).random()
        winner, sure = (SIDES[0], chance) if draw < chance else (SIDES[1], 1 - chance)
        return Reply(
            f"{reasons}<winner>{winner}</winner>\n<rating>{rating_percent(sure + own.gauss(0, profile.noise))}%</rating>"
        )


def speeches_in(said: str) -> tuple[dict[str, str], str]:
    """(all words of each side, the side that is read first) of a judge's prompt, by its headings."""
    code = CODE.search(said)
    words = dict.fromkeys(SIDES, "")
    if code is None:
        return words, SIDES[0]
    heading = re.compile(rf"^\[{code[1]}\] (proposition|opposition), .*$", re.MULTILINE)
    found = list(heading.finditer(said))
    for number, match in enumerate(found):
        end = (
            found[number + 1].start()
            if number + 1 < len(found)
            else said.find("\nEnd of the transcript.", match.end())
        )
        words[match[1]] += said[match.end() : end]
    return words, found[0][1] if found else SIDES[0]


def proposition_logit(speeches: dict[str, str], first: str, profile: JudgeProfile) -> float:
    """The logit with which the judge names the proposition, cut to [-500, 500]."""
    proposition, opposition = (speeches[side] for side in SIDES)
    length = math.log(max(len(proposition.split()), 1) / max(len(opposition.split()), 1))
    kin = is_family(proposition, profile) - is_family(opposition, profile)
    own_biases = (
        profile.side
        + profile.first * (1 if first == SIDES[0] else -1)
        + profile.length * length
        + profile.love * kin
    )
    return min(max(strength_in(proposition) - strength_in(opposition) + own_biases, -500.0), 500.0)


def strength_in(speech: str) -> float:
    """The mean of the strengths that stand in the speeches, in logits; 0 where there is none."""
    found = [float(word) for word in STRENGTH.findall(speech)]
    return sum(found) / len(found) if found else 0.0


def is_family(speech: str, profile: JudgeProfile) -> bool:
    """Whether most of the speeches are of the judge's family."""
    [(named, _)] = Counter(FAMILY.findall(speech)).most_common(1) or [(None, 0)]
    return profile.family > 0 and named == str(profile.family)


def simulated_judge(profile: str) -> SimulatedJudge:
    """The judge that `sim/judge:...` names, given without its "sim/".  Raises StudyError for unknown parameters or values."""
    name, known = parse_profile(profile, {JUDGE: JudgeProfile()}, BOUNDS)
    return SimulatedJudge(f"sim/{name}", known)
