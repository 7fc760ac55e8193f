"""A simulated judge of answers who goes by quotes (advocate.py writes them).

It decides for the first of two answers with the probability 1 / (1 + exp(-x)), with

    x = evidence for the first - evidence for the second + letter,

where `letter` favours the answer under A.  Evidence for an answer is, summed over the sides that
argue for it, their mean strength, and for each quote that says what proves the answer

    trust     if the quote is marked as standing in the text, or nobody has compared it;
    -doubt    if it is marked as not standing in the text.

Where the text itself stands in its prompt (an expert), the answer that it proves has `reading`
more.  Where a side could have quoted and nobody argues against it, silence is no evidence.  It
states the probability that it gave, with `noise`, and as a letter shows it as the share of that
letter.  Whether a reply with an answer in a box
is right it decides in the same way, by the quotes in a critique that prove this answer or another.
Asked after a round, it asks for a quote, and ends once its probability is `ends` or more.
With the probability `unreadable` a reply has nothing that can be read.

This is a model of our own, not one of a paper.  The store and every report mark its verdicts as
simulated.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from agents.simulated.advocate import passage_in
from agents.simulated.debater import EVIDENCE_JUDGE, Bounds, parse_profile, rating_percent, stream
from agents.simulated.judge import strength_in
from agents.simulated.passages import claims, facts_in, thing_in
from arena.types import BaseModel, Reply, Request

CODE = re.compile(r"carry the code (\w{8})")
ANSWER = re.compile(r"^(?P<letter>[AB])\) (?P<text>[^\n]+)$", re.MULTILINE)
MARKED = re.compile(r"<(?P<mark>verified|unverified|quote)>(?P<words>.*?)</(?P=mark)>", re.DOTALL)
YES_OR_NO = "Reply with A for yes or B for no"
IS_RIGHT = "\nIs this reply right?\n"
OPTION = re.compile(r"^(?P<letter>[A-N])\) (?P<text>[^\n]+)$", re.MULTILINE)
BOXED = re.compile(r"\\boxed\{([A-N])\}")


@dataclass(frozen=True, slots=True)
class EvidenceProfile:
    """The parameters of a simulated judge of evidence.

    `trust`, `doubt`, `letter` and `reading` are in logits, in [-20, 20]; `noise`, `ends` and
    `unreadable` lie in [0, 1].
    """

    trust: float = 1.5
    doubt: float = 1.5
    letter: float = 0.0
    reading: float = 5.0
    noise: float = 0.02
    ends: float = 0.95
    unreadable: float = 0.0
    seed: int = 0


BOUNDS: Bounds = dict.fromkeys(("trust", "doubt", "letter", "reading"), (-20.0, 20.0)) | (
    dict.fromkeys(("noise", "ends", "unreadable"), (0.0, 1.0))
)


@dataclass(frozen=True)
class SimulatedEvidenceJudge(BaseModel):
    """A model whose verdicts follow a profile; `simulated_evidence_judge` makes one."""

    name: str
    profile: EvidenceProfile
    capabilities: frozenset[str] = frozenset({"seed", "same seed, same reply", "choices"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return a verdict, a belief with a question, or a letter, as the request asks."""
        profile = self.profile
        draw = stream("evidence", profile.seed, request.seed)
        prompt = "\n".join(each.content for each in request.messages if each.role == "user")
        if draw.random() < profile.unreadable:
            return Reply("…")
        first = 0.5 if YES_OR_NO in prompt else probability_of_first(prompt, profile)
        if IS_RIGHT in prompt:
            right = probability_of_right(prompt, profile)
            first = right if "\nA) right\n" in prompt else 1 - right
        if request.sampling.choices:
            letter = "A" if first > 0.5 or (first == 0.5 and draw.random() < 0.5) else "B"
            shares = {"probability of A": first, "probability of B": 1 - first}
            return Reply(letter, finish_reason="stop", measures=shares)
        letter = "A" if draw.random() < first else "B"
        likelihood = first if letter == "A" else 1 - first
        rating = rating_percent(max(0.5, likelihood + draw.gauss(0, profile.noise)))
        decision = f"<answer>{letter}</answer>\n<rating>{rating}%</rating>"
        end = prompt[-900:]
        if "<speech>" not in end:
            return Reply(
                f"<reasons>Simulated reasons, number {request.seed}.</reasons>\n{decision}"
            )
        ends = "yes" if max(first, 1 - first) >= profile.ends else "no"
        return Reply(
            f"<thoughts>Simulated thoughts of a judge, number {request.seed}.</thoughts>\n"
            "<speech>Simulated question: which words of the text prove each answer?</speech>\n"
            + decision * ("<answer>" in end)
            + f"\n<end>{ends}</end>" * ("<end>" in end)
        )


def probability_of_first(prompt: str, profile: EvidenceProfile) -> float:
    """Return the probability that a judge gives to the answer under A."""
    answers = {found["letter"]: found["text"] for found in ANSWER.finditer(prompt)}
    thing = thing_in(prompt)
    said = said_for(prompt)
    evidence = {
        letter: evidence_for(said.get(letter, ""), thing, text, profile)
        for letter, text in answers.items()
    }
    for fact in facts_in(passage_in(prompt)):
        for letter, text in answers.items():
            if (fact.thing, fact.place) == (thing, text):
                evidence[letter] += profile.reading
    x = evidence.get("A", 0.0) - evidence.get("B", 0.0) + profile.letter
    return 1 / (1 + math.exp(-min(max(x, -500.0), 500.0)))


def probability_of_right(prompt: str, profile: EvidenceProfile) -> float:
    """Return the probability that a judge gives to a reply being right, after a critique of it."""
    question, _, rest = prompt.partition("A reply to this question")
    options = {found["letter"]: found["text"] for found in OPTION.finditer(question)}
    reply, _, critique = rest.partition("A critique of this reply")
    given, thing = [None, *BOXED.findall(reply)][-1], thing_in(question)
    x = 0.0
    for letter, text in options.items():
        evidence = evidence_for(critique, thing, text, profile)
        x += evidence if letter == given else -evidence
    return 1 / (1 + math.exp(-min(max(x, -500.0), 500.0)))


def said_for(prompt: str) -> dict[str, str]:
    """Return what was said for each answer, by its letter; headings without the code are words."""
    code = CODE.search(prompt)
    if code is None:
        return {}
    parts = re.split(rf"^\[{code[1]}\] (.*)$", prompt, flags=re.MULTILINE)
    said: dict[str, str] = {}
    for heading, words in zip(parts[1::2], parts[2::2], strict=True):
        found = re.match(r"for answer ([AB]),", heading)
        if found:
            said[found[1]] = said.get(found[1], "") + words
    return said


def evidence_for(said: str, thing: str | None, answer: str, profile: EvidenceProfile) -> float:
    """Return the logits that speeches for an answer give it."""
    total = strength_in(said)
    for found in MARKED.finditer(said):
        if thing is not None and claims(found["words"], thing, answer):
            total += -profile.doubt if found["mark"] == "unverified" else profile.trust
    return total


def simulated_evidence_judge(profile: str) -> SimulatedEvidenceJudge:
    """Return the judge that `sim/evidence_judge:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {EVIDENCE_JUDGE: EvidenceProfile()}, BOUNDS)
    return SimulatedEvidenceJudge(f"sim/{name}", parameters)
