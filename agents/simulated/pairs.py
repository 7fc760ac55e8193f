r"""Simulated entailment and similarity of texts: planted rules with known rates of error.

Two texts mean the same if their answers are equal: what the last \boxed{} of each holds, else the
number that it ends in, else all of its words, apart from case, white space and punctuation.  The
probabilities of (entailment, neutral, contradiction) are `sure` for the planted label, and the rest
divided evenly; texts of one meaning entail each other, others contradict each other.  With
probability `neutral` texts of two meanings are neutral instead, and with probability `error` a pair
gets one of the two labels that are wrong.  Draws depend on the two texts in their order and on
`seed`: a pair has the same answer whenever it is asked.

Similarity is `sure` for texts of one meaning, and (1 - sure) times the share of common words for
others.  A text without a span is as similar as the words that it keeps are many, and no more than
1 - sure if that changes what it means.

This is a model of our own, not one of a paper, and understands no language.  The store and every
report mark what it says as simulated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from agents.simulated.debater import PAIRS, Bounds, parse_profile, stream
from arena.errors import RefusedError
from arena.grading.grade import canonical
from arena.text import normalised, words_of
from arena.types import BaseModel, Reply, Request

BOX = re.compile(r"\\boxed\{([^{}]{1,200})\}")
LAST_NUMBER = re.compile(r"(?<![\w.])-?\d{1,18}(?:\.\d{1,18})?(?=[\s.)\]]{0,9}\Z)")
ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)


@dataclass(frozen=True, slots=True)
class PairsProfile:
    """The parameters of simulated entailment: probabilities, `sure` from 0.5; `seed` is whole."""

    error: float = 0.0
    neutral: float = 0.0
    sure: float = 0.95
    seed: int = 0


BOUNDS: Bounds = {"error": (0.0, 1.0), "neutral": (0.0, 1.0), "sure": (0.5, 1.0)}


@dataclass(frozen=True)
class SimulatedPairs(BaseModel):
    """A model of pairs of texts by a profile; `simulated_pairs` makes one."""

    name: str
    profile: PairsProfile
    capabilities: frozenset[str] = frozenset({"seed", "same seed, same reply", "pairs"})
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return probabilities and similarities as JSON.

        Raises RefusedError if the request is not one of pairs.
        """
        try:
            content = orjson.loads(request.messages[-1].content)
            reply = self._reply(content)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise RefusedError(
                f'{self.name} is asked for {{"pairs": [[text, text], ...]}} or {{"text": text,'
                ' "without": [[start, end], ...]} in JSON, and the request is neither',
                sent=False,
            ) from error
        return Reply(reply, model_served=self.name, finish_reason="stop")

    def _reply(self, content: dict[str, object]) -> str:
        """Return the reply to a request in JSON."""
        if "pairs" in content:
            pairs = [(str(first), str(second)) for first, second in list_of(content["pairs"])]
            probabilities = [probabilities_of(self.profile, *pair) for pair in pairs]
            likeness = [similarity_of(self.profile, *pair) for pair in pairs]
            answer = {"probabilities": probabilities, "similarity": likeness}
            return orjson.dumps(answer).decode()
        text = str(content["text"])
        shorter = [text[: int(i)] + text[int(j) :] for i, j in list_of(content["without"])]
        kept = [without_similarity(self.profile, text, each) for each in shorter]
        return orjson.dumps({"similarity": kept}).decode()


def list_of(value: object) -> list[list[str]]:
    """Return a list of pairs, or raise ValueError."""
    if not isinstance(value, list) or not all(len(each) == 2 for each in value):
        raise ValueError("no list of pairs")
    return value


def meaning_of(text: str) -> str:
    """Return what a text means by the planted rule: its answer, by which texts are equal."""
    boxes = BOX.findall(text)
    # No number that is read is longer, and a search through a whole text is slow.
    number = LAST_NUMBER.search(text[-64:])
    if boxes or number:
        return canonical(boxes[-1] if boxes else number[0] if number else "")
    return " ".join(words_of(normalised(text)))


def probabilities_of(profile: PairsProfile, first: str, second: str) -> tuple[float, float, float]:
    """Return the probabilities that the first text entails the second, is neutral, contradicts."""
    draws = stream("pair", profile.seed, first, second)
    wrong, other, neutral = (draws.random() for _ in range(3))
    label = ENTAILMENT if meaning_of(first) == meaning_of(second) else CONTRADICTION
    if label == CONTRADICTION and neutral < profile.neutral:
        label = NEUTRAL
    if wrong < profile.error:
        label = (label + (1 if other < 0.5 else 2)) % 3
    rest = (1 - profile.sure) / 2
    chances = [profile.sure if each == label else rest for each in range(3)]
    return chances[0], chances[1], chances[2]


def similarity_of(profile: PairsProfile, first: str, second: str) -> float:
    """Return the similarity of two texts, in [0, 1]."""
    if meaning_of(first) == meaning_of(second):
        return profile.sure
    one, two = (set(words_of(normalised(text))) for text in (first, second))
    return (1 - profile.sure) * len(one & two) / max(1, len(one | two))


def without_similarity(profile: PairsProfile, text: str, shorter: str) -> float:
    """Return the similarity of a text to itself without some of its characters, in [0, 1]."""
    whole, left = (len(words_of(normalised(each))) for each in (text, shorter))
    kept = min(1.0, left / max(1, whole))
    changed = meaning_of(text) != meaning_of(shorter)
    return min(kept, 1 - profile.sure) if changed else kept


def simulated_pairs(profile: str) -> SimulatedPairs:
    """Return the model that `sim/pairs:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {PAIRS: PairsProfile()}, BOUNDS)
    return SimulatedPairs(f"sim/{name}", parameters)
