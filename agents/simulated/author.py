"""A simulated author of texts whose quality is known, who also judges such texts.

Any task will do; a text states its quality in logits.  A reply has a quality of `skill` + N(0,
`spread`).  Shown several replies, a new one has the mean of their qualities + `aggregates`; the
most consistent is the one nearest to that mean.  Shown feedback, a new reply is better than the
last by `refines`, and feedback finds nothing to improve from a quality of `content` on.  The log
probability of a text's tokens rises with its quality above the author's own mean, as far as
`certain` says: not at all at 0, by nothing else at 1.

As a judge it prefers the first of two texts with the logit of the difference of their qualities,
plus `first`.

This is a model of our own, not one of a paper.  The store and every report mark its words as
simulated.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from agents.simulated.debater import AUTHOR, Bounds, parse_profile, stream
from agents.simulated.replies import CHARACTERS_A_TOKEN, RESPONSE, count_tokens
from agents.simulated.token_numbers import choice_reply
from arena.types import BaseModel, Reply, Request, TokenChoice

TEXT = "A simulated text of quality {quality:.3f}: no language model wrote this."
QUALITY = re.compile(r"A simulated text of quality (-?\d{1,3}\.\d{3}):")
ASKS_WHICH = "number of the better reply"
ASKS_FOR_PICK = "The most consistent is Response N"
ASKS_FOR_NEW = "write a new and complete"
ASKS_FOR_FEEDBACK = "`Verdict: right`"
ASKS_TO_REFINE = "improved by this feedback"


@dataclass(frozen=True, slots=True)
class AuthorProfile:
    """The parameters of a simulated author.

    `skill`, `aggregates`, `refines`, `content`, `first`: logits, in [-20, 20]; `spread`: logits, in
    [0, 20]; `certain` in [0, 1]; `seed` is a whole number.
    """

    skill: float = 0.0
    spread: float = 1.0
    aggregates: float = 0.5
    refines: float = 0.2
    content: float = 20.0
    certain: float = 0.3
    first: float = 0.0
    seed: int = 0


LOGITS = dict.fromkeys(("skill", "aggregates", "refines", "content", "first"), (-20.0, 20.0))
BOUNDS: Bounds = {**LOGITS, "spread": (0.0, 20.0), "certain": (0.0, 1.0)}


@dataclass(frozen=True)
class SimulatedAuthor(BaseModel):
    """A model that writes and judges texts; `simulated_author` makes one."""

    name: str
    profile: AuthorProfile
    capabilities: frozenset[str] = frozenset(
        {"seed", "same seed, same reply", "logprobs", "choices"}
    )
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return a text, feedback, the number of a reply, or the better of two."""
        words = "\n".join(message.content for message in request.messages)
        shown = [float(each) for each in QUALITY.findall(words)]
        if ASKS_WHICH in words and len(shown) > 1:
            chance = self._first_is_better(shown)
            if request.sampling.choices:
                return choice_reply(self.name, request, {"1": chance, "2": 1 - chance})
            draw = stream("judge", self.profile.seed, request.seed).random()
            return self._reply("1" if draw < chance else "2", request)
        if ASKS_FOR_PICK in words and shown:
            return self._reply(self._pick(words, shown), request)
        if ASKS_FOR_FEEDBACK in words and ASKS_TO_REFINE not in words and shown:
            enough = shown[-1] >= self.profile.content
            text = f"Simulated feedback.\nVerdict: {'right' if enough else 'wrong'}"
            return self._reply(text, request)
        draws = stream("text", self.profile.seed, request.seed)
        own = draws.gauss(0, 1)
        quality = self._quality(words, shown, own)
        text = TEXT.format(quality=min(max(quality, -99.0), 99.0))
        # As certain as it is good, or as chance will have it.
        rho = self.profile.certain
        sure = rho * own + math.sqrt(1 - rho * rho) * draws.gauss(0, 1)
        return self._reply(text, request, logprob=-math.exp(-sure))

    def _quality(self, words: str, shown: list[float], own: float) -> float:
        """Return the quality of a new text."""
        if ASKS_TO_REFINE in words and shown:
            return shown[-1] + self.profile.refines
        if ASKS_FOR_NEW in words and shown:
            return sum(shown) / len(shown) + self.profile.aggregates
        return self.profile.skill + self.profile.spread * own

    def _pick(self, words: str, shown: list[float]) -> str:
        """Return the number of the reply that is nearest to the mean of all."""
        mean = sum(shown) / len(shown)
        nearest = min(range(len(shown)), key=lambda place: abs(shown[place] - mean))
        # Headings stand before the replies, in their order; the instruction names none by number.
        numbers = [int(each) for each in RESPONSE.findall(words)]
        return f"The most consistent is Response {numbers[nearest]}"

    def _first_is_better(self, shown: list[float]) -> float:
        """Return the probability that the first of two texts is preferred."""
        one, two = shown[-2:]
        return 1 / (1 + math.exp(min(max(two - one - self.profile.first, -500.0), 500.0)))

    def _reply(self, text: str, request: Request, logprob: float = -0.1) -> Reply:
        """Return a text as a reply, all its tokens with one log probability."""
        characters = sum(len(message.content) for message in request.messages)
        pieces = range(0, len(text), CHARACTERS_A_TOKEN)
        tokens = tuple(
            TokenChoice(text[start : start + CHARACTERS_A_TOKEN], logprob) for start in pieces
        )
        return Reply(
            text,
            model_served=self.name,
            finish_reason="stop",
            tokens_in=count_tokens(characters),
            tokens_out=count_tokens(len(text)),
            logprobs=None if request.sampling.logprobs is None else tokens,
        )


def simulated_author(profile: str) -> SimulatedAuthor:
    """Return the author that `sim/author:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {AUTHOR: AuthorProfile()}, BOUNDS)
    return SimulatedAuthor(f"sim/{name}", parameters)
