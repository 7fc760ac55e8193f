"""A simulated judge with known biases: to plan juries, and to check what the analysis finds.

It reads the speeches of simulated debaters and names the proposition with the probability
1 / (1 + exp(-x)), with

    x = strength of the proposition - strength of the opposition + side
        + first * (1 if the proposition is read first, else -1)
        + length * log(words of the proposition / words of the opposition)
        + love * (1 if the proposition is family, -1 if the opposition is)

Strengths and families stand in the speeches; a speech without a strength has 0.  With probability
`shared` the judge decides by a draw that all judges of this debate share, else by a draw of its
own, anew at each reading.  So judges of one debate agree more than by strength alone, and the
probabilities stay as they are.  As confidence it states the probability that it gave to the side
which it names, with `noise`, and never less than the 50% from which judges are asked to rate.
With probability `unreadable` a reply has no readable verdict, and so has a re-ask; with probability
`abstain` it abstains if that is allowed.

This is a model of our own, not one of a paper.  The store and every report mark its verdicts as
simulated.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from agents.simulated.debater import JUDGE, Bounds, parse_profile, rating_percent, stream
from arena.types import BaseModel, Reply, Request

# The code in the headings of the transcript, which the debaters did not know.
CODE = re.compile(r"(?:carry|has|with) the code (\w{8})")
# What follows the transcript, in each wording of a judge's prompt.
END = re.compile(
    r"\n(?:End of the transcript|Here the transcript ends|That was the whole transcript)\."
)
STRENGTH = re.compile(r"Its strength is (-?\d{1,9}(?:\.\d{1,9})?(?:e[+-]?\d{1,2})?) logits")
FAMILY = re.compile(r"Its family is number (\d+)")
SIDES = ("proposition", "opposition")


@dataclass(frozen=True, slots=True)
class JudgeProfile:
    """The parameters of a simulated judge.

    `side`, `first`, `length` and `love` are in logits, in [-20, 20]; `family` is a number up to
    999, 0 for none.  `shared`, `unreadable` and `abstain` are probabilities; `noise` is the
    standard deviation of the confidence, in [0, 1].
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
    """A model whose verdicts follow a profile; `simulated_judge` makes one."""

    name: str
    profile: JudgeProfile
    capabilities: frozenset[str] = frozenset({"seed", "images"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return reasons that say they are simulated, and a verdict drawn from the profile."""
        profile = self.profile
        own = stream("verdict", profile.seed, request.seed)
        prompt = "\n".join(message.content for message in request.messages)
        reasons = (
            f"<reasons>Simulated reasons, number {request.seed} of judge {profile.seed}:"
            " no language model judged this.</reasons>\n"
        )
        if own.random() < profile.unreadable:
            return Reply(reasons + "(no verdict)")
        if own.random() < profile.abstain and "or abstain" in prompt:
            return Reply(reasons + "<winner>abstain</winner>")
        speeches, first = speeches_in(prompt)
        chance = 1 / (1 + math.exp(-proposition_logit(speeches, first, profile)))
        draw = own.random()
        if own.random() < profile.shared:
            # The speeches are the same for all judges of a debate, whatever their prompts.
            draw = stream("debate", *(speeches[side] for side in SIDES)).random()
        winner, confidence = (SIDES[0], chance) if draw < chance else (SIDES[1], 1 - chance)
        # Judges are asked for a number from 50 to 100.
        rating = rating_percent(max(0.5, confidence + own.gauss(0, profile.noise)))
        return Reply(f"{reasons}<winner>{winner}</winner>\n<rating>{rating}%</rating>")


def speeches_in(prompt: str) -> tuple[dict[str, str], str]:
    """Return (all words of each side, the side that is read first) of a judge's prompt.

    Speeches are found by their headings; a heading without the code is part of a speech.
    """
    code = CODE.search(prompt)
    words = dict.fromkeys(SIDES, "")
    if code is None:
        return words, SIDES[0]
    heading = re.compile(rf"^\[{code[1]}\] (proposition|opposition), .*$", re.MULTILINE)
    headings = list(heading.finditer(prompt))
    if not headings:
        return words, SIDES[0]
    ends = [heading.start() for heading in headings[1:]]
    after = END.search(prompt, headings[-1].end())
    ends.append(after.start() if after else len(prompt))
    for match, end in zip(headings, ends, strict=True):
        words[match[1]] += prompt[match.end() : end]
    return words, headings[0][1]


def proposition_logit(speeches: dict[str, str], first: str, profile: JudgeProfile) -> float:
    """Return the logit with which the judge names the proposition, cut to [-500, 500]."""
    proposition, opposition = (speeches[side] for side in SIDES)
    # An empty side counts as one word; the cut at the end keeps exp() from overflowing.
    length = math.log(max(len(proposition.split()), 1) / max(len(opposition.split()), 1))
    kin = is_family(proposition, profile) - is_family(opposition, profile)
    biases = profile.side + profile.first * (1 if first == SIDES[0] else -1)
    biases = biases + profile.length * length + profile.love * kin
    logit = strength_in(proposition) - strength_in(opposition) + biases
    return min(max(logit, -500.0), 500.0)


def strength_in(speech: str) -> float:
    """Return the mean of the strengths in the speeches of a side, in logits; 0 without any."""
    strengths = [float(word) for word in STRENGTH.findall(speech)]
    return sum(strengths) / len(strengths) if strengths else 0.0


def is_family(speech: str, profile: JudgeProfile) -> bool:
    """Return whether most of the speeches are of the judge's family."""
    [(family, _)] = Counter(FAMILY.findall(speech)).most_common(1) or [(None, 0)]
    return profile.family > 0 and family == str(profile.family)


def simulated_judge(profile: str) -> SimulatedJudge:
    """Return the judge that `sim/judge:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {JUDGE: JudgeProfile()}, BOUNDS)
    return SimulatedJudge(f"sim/{name}", parameters)
