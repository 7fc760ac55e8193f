"""A simulated prover, estimator and checker of subclaims about simulated passages (passages.py).

As a prover it names, among true sentences of the passage, the one that proves its answer; for a
wrong answer it makes that sentence up.  As an estimator it gives a subclaim that stands in the
passage the probability `borne` and any other the probability `unborne`, each with N(0, noise).  As
a prover that chooses, it names the true subclaim with the lowest probability as too low; if all are
made up, the highest one as too low.  As a judge it goes by the text, if it has it, with the
probability `checks`, and else decides at random.

This is a model of our own, not one of a paper.  The store and every report mark its plays as
simulated.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from agents.simulated.advocate import passage_in
from agents.simulated.debater import PROVER, Bounds, parse_profile, stream
from agents.simulated.passages import FACT, PEOPLE, TIMES, facts_in, thing_in
from arena.types import BaseModel, Reply, Request

CLAIM = re.compile(r"^Answer: (?P<claim>[^\n]+)$", re.MULTILINE)
COUNT = re.compile(r"Break it into (\d) subclaims|up to number (\d)")
LINE = re.compile(r"^(?P<number>\d)\. (?P<words>[^\n]+)$", re.MULTILINE)
NUMBER = re.compile(r"^(?P<number>\d): (?P<value>\d+)%?$", re.MULTILINE)
SAYS = re.compile(r"Somebody says about this question:\n\n(?P<words>[^\n]+)\n")


@dataclass(frozen=True, slots=True)
class ProverProfile:
    """The parameters of a simulated prover: all lie in [0, 1]."""

    borne: float = 0.95
    unborne: float = 0.1
    noise: float = 0.03
    checks: float = 1.0
    unreadable: float = 0.0
    seed: int = 0


BOUNDS: Bounds = dict.fromkeys(("borne", "unborne", "noise", "checks", "unreadable"), (0.0, 1.0))


@dataclass(frozen=True)
class SimulatedProver(BaseModel):
    """A model that proves, estimates and checks as a profile says."""

    name: str
    profile: ProverProfile
    capabilities: frozenset[str] = frozenset({"seed", "same seed, same reply"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return subclaims, estimates, a choice or a check, as the request asks."""
        draw = stream("prover", self.profile.seed, request.seed)
        prompt = "\n".join(each.content for each in request.messages if each.role == "user")
        if draw.random() < self.profile.unreadable:
            return Reply("…")
        if "Is that true?" in prompt:
            return Reply(check(prompt, self.profile, draw))
        if "Choose the subclaim" in prompt:
            return Reply(choice(prompt))
        if "Rate how probable" in prompt:
            return Reply(estimates(prompt, self.profile, draw))
        return Reply(subclaims(prompt, draw))


def subclaims(prompt: str, draw: random.Random) -> str:
    """Return subclaims of which one proves the answer, in the text or made up."""
    found = CLAIM.search(prompt)
    claim, thing = found["claim"] if found else "", thing_in(prompt) or "thing"
    number = COUNT.search(prompt)
    count = int(number[1] or number[2]) if number else 2
    facts = facts_in(passage_in(prompt))
    proof = next((f.words for f in facts if (f.thing, f.place) == (thing, claim)), None)
    proof = proof or FACT.format(
        thing=thing, place=claim, person=draw.choice(PEOPLE), time=draw.choice(TIMES)
    )
    others = [fact.words for fact in facts if fact.thing != thing] or ["No language model said it."]
    lines = [proof, *(draw.choice(others) for _ in range(count - 1))]
    draw.shuffle(lines)
    numbered = "\n".join(f"{n + 1}. {line}" for n, line in enumerate(lines))
    return f"<speech>\n{numbered}\n</speech>"


def estimates(prompt: str, profile: ProverProfile, draw: random.Random) -> str:
    """Return a probability for each subclaim, by whether the text bears it out."""
    text, lines = passage_in(prompt), []
    for found in LINE.finditer(prompt.partition("subclaims by somebody")[2]):
        level = profile.borne if found["words"] in text else profile.unborne
        level = min(max(level + draw.gauss(0, profile.noise), 0.0), 1.0)
        lines.append(f"{found['number']}: {round(100 * level)}%")
    return "<speech>\n" + "\n".join(lines) + "\n</speech>"


def choice(prompt: str) -> str:
    """Return the subclaim that a prover would have checked."""
    text = passage_in(prompt)
    given = prompt.partition("subclaims by somebody")[2]
    words = {found["number"]: found["words"] for found in LINE.finditer(given)}
    rated = {found["number"]: int(found["value"]) for found in NUMBER.finditer(given)}
    true = [number for number in rated if words.get(number, "…") in text]
    number = min(true, key=lambda each: rated[each]) if true else max(rated, default="1")
    return f"<answer>{number} too low</answer>"


def check(prompt: str, profile: ProverProfile, draw: random.Random) -> str:
    """Return whether one subclaim is true, by the text."""
    found, text = SAYS.search(prompt), passage_in(prompt)
    is_true = found is not None and found["words"] in text
    if not text or draw.random() >= profile.checks:
        is_true = draw.random() < 0.5
    letter = "A" if is_true else "B"
    return (
        "<reasons>Simulated reasons: no language model judged this.</reasons>\n"
        f"<answer>{letter}</answer>\n<rating>{95 if text else 50}%</rating>"
    )


def simulated_prover(profile: str) -> SimulatedProver:
    """Return the prover that `sim/prover:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {PROVER: ProverProfile()}, BOUNDS)
    return SimulatedProver(f"sim/{name}", parameters)
