"""A simulated advocate: it argues for an answer about a simulated passage (passages.py).

With the passage before it, it knows the right answer.  For that it quotes the sentence that proves
it, with the probability `skill` in each speech (after a critique half as often not).  For a wrong
answer there is no such sentence: with the probability `invents` it makes one up, else it quotes a
true sentence that names the place and proves nothing.  Without the passage every quote is made up.
Where it may choose, it chooses the right answer with the probability `honest`.  As its chances of
convincing the judge it states

    clip(0.5 + bias + knows * (1 for the right answer, -1 for a wrong one) + N(0, noise), 0, 1).

`strength` is written into its speeches, as simulated debaters do, and moves a simulated judge by so
many logits.  With the probability `unreadable` a reply has nothing that can be read.  It also
writes critiques: of a draft they say nothing; of a reply that somebody else is to judge they quote
what proves the right answer, and say whether the reply is right, or, if told to find fault, make up
a proof of another answer where the reply is right.

This is a model of our own, not one of a paper.  The store and every report mark its plays as
simulated.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from agents.simulated.debater import ADVOCATE, Bounds, parse_profile, rating_percent, stream
from agents.simulated.passages import FACT, PEOPLE, TIMES, facts_in, thing_in
from arena.types import BaseModel, Reply, Request

CLAIM = re.compile(r"^You argue for this answer, [^\n:]*: (?P<claim>[^\n]+)$", re.MULTILINE)
BOXED = re.compile(r"\\boxed\{([A-N])\}")
OPTION = re.compile(r"^(?P<letter>[A-N])\) (?P<text>[^\n]+)$", re.MULTILINE)
CRITICISE, REFINE, CHOOSE = "Criticise the draft", "Write the speech anew", "\\boxed{}"
JUDGED, FIND_FAULT = "`Verdict: right` or `Verdict: wrong`", "Convince them that it is wrong"


@dataclass(frozen=True, slots=True)
class AdvocateProfile:
    """The parameters of a simulated advocate.

    `skill`, `invents`, `honest` and `unreadable` are probabilities; `bias` lies in [-0.5, 0.5],
    `knows` and `noise` in [0, 1]; `strength` is in logits, in [-20, 20].
    """

    skill: float = 1.0
    invents: float = 1.0
    honest: float = 1.0
    bias: float = 0.1
    knows: float = 0.1
    noise: float = 0.05
    strength: float = 0.0
    unreadable: float = 0.0
    seed: int = 0


BOUNDS: Bounds = dict.fromkeys(
    ("skill", "invents", "honest", "knows", "noise", "unreadable"), (0.0, 1.0)
) | {"bias": (-0.5, 0.5), "strength": (-20.0, 20.0)}


@dataclass(frozen=True)
class SimulatedAdvocate(BaseModel):
    """A model that argues as a profile says; `simulated_advocate` makes one."""

    name: str
    profile: AdvocateProfile
    capabilities: frozenset[str] = frozenset({"seed", "same seed, same reply"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return a speech, a choice of an answer, or a critique."""
        profile = self.profile
        draw = stream("advocate", profile.seed, request.seed)
        prompt = "\n".join(each.content for each in request.messages if each.role == "user")
        if draw.random() < profile.unreadable:
            return Reply("…")
        if CRITICISE in prompt:
            return Reply(f"Simulated critique, number {request.seed}: quote what proves it.")
        if JUDGED in prompt:
            return Reply(critique(prompt, profile, draw))
        if CHOOSE in prompt:
            return Reply(choice(prompt, profile, draw))
        return Reply(speech(prompt, request, profile, draw))


def choice(prompt: str, profile: AdvocateProfile, draw: random.Random) -> str:
    """Return the choice of an answer by letter."""
    options = {found["letter"]: found["text"] for found in OPTION.finditer(prompt)}
    right = right_place(prompt)
    good = [letter for letter, text in options.items() if text == right] or sorted(options)
    bad = [letter for letter in sorted(options) if letter not in good] or good
    letters = good if draw.random() < profile.honest else bad
    return f"Simulated choice. \\boxed{{{draw.choice(letters) if letters else ''}}}"


def critique(prompt: str, profile: AdvocateProfile, draw: random.Random) -> str:
    """Return a critique of a reply with a quote, and the verdict that the text bears out."""
    options = {found["letter"]: found["text"] for found in OPTION.finditer(prompt)}
    right, given = right_place(prompt), [None, *BOXED.findall(prompt)][-1]
    is_right = options.get(given or "") == right and right is not None
    claim = right or ""
    if FIND_FAULT in prompt and is_right:
        claim = next((text for text in options.values() if text != right), claim)
    quote = quote_for(prompt, claim, profile, draw)
    said = "right" if is_right else "wrong"
    return (
        f"Simulated critique: no language model said this. The text says: <quote>{quote}</quote>\n"
        f"Verdict: {said}"
    )


def speech(prompt: str, request: Request, profile: AdvocateProfile, draw: random.Random) -> str:
    """Return private thoughts, a speech with a quote, and a rating if one is asked for."""
    found = [None, *CLAIM.finditer(prompt)][-1]
    claim = "" if found is None else found["claim"]
    right = right_place(prompt)
    is_right = right == claim
    quote = quote_for(prompt, claim, profile, draw)
    words = (
        f"Simulated speech {request.seed} for this answer: no language model said this."
        f" Its strength is {profile.strength:g} logits. The text says: <quote>{quote}</quote>"
    )
    sign = 0 if right is None else (1 if is_right else -1)
    level = 0.5 + profile.bias + profile.knows * sign + draw.gauss(0, profile.noise)
    rating = f"\n<rating>{rating_percent(level)}%</rating>" * ("<rating>" in prompt[-900:])
    thoughts = f"<thoughts>Simulated thoughts of an advocate, number {request.seed}.</thoughts>"
    return f"{thoughts}\n<speech>{words}</speech>{rating}"


def quote_for(prompt: str, claim: str, profile: AdvocateProfile, draw: random.Random) -> str:
    """Return the quote that a speech for an answer holds."""
    text = passage_in(prompt)
    thing = thing_in(prompt) or "thing"
    facts = facts_in(text)
    proof = [fact.words for fact in facts if (fact.thing, fact.place) == (thing, claim)]
    naming = [fact.words for fact in facts if fact.place == claim and fact.thing != thing]
    missed = (1 - profile.skill) / (2 if REFINE in prompt else 1)
    skilled = draw.random() >= missed
    invents = draw.random() < profile.invents
    invented = FACT.format(
        thing=thing, place=claim, person=draw.choice(PEOPLE), time=draw.choice(TIMES)
    )
    if proof:
        return proof[0] if skilled else draw.choice([fact.words for fact in facts])
    return invented if invents or not naming else naming[0]


def passage_in(prompt: str) -> str:
    """Return the passage that a prompt shows; "" for none."""
    _, _, after = prompt.partition("\nThe text:\n")
    return after.partition("\nEnd of the text.\n")[0]


def right_place(prompt: str) -> str | None:
    """Return the place that the passage of a prompt gives for the thing asked for; None: none."""
    thing = thing_in(prompt)
    places = [fact.place for fact in facts_in(passage_in(prompt)) if fact.thing == thing]
    return places[0] if places else None


def simulated_advocate(profile: str) -> SimulatedAdvocate:
    """Return the advocate that `sim/advocate:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {ADVOCATE: AdvocateProfile()}, BOUNDS)
    return SimulatedAdvocate(f"sim/{name}", parameters)
