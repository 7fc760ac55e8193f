"""Find the tokens of a stored reply that spell its public words, or its answer, with their numbers.

Token estimators send texts to other models, so that only public words are read: what was thought
in private, the reasoning before a reply and marks of its end are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.tournaments.stored_replies import StoredReply
from arena.types import TokenChoice
from protocols.estimators.arrays import Array
from protocols.estimators.reply_texts import TextKind

NO_TOKENS = (
    "no log probabilities of its tokens are stored, or not all are finite numbers; play with"
    " Sampling(logprobs=10), which local models and some servers give"
)


@dataclass(frozen=True, slots=True)
class ReplyTokens:
    """The tokens of a text: `spans` are their characters [start, end) in it, clipped to it."""

    text: str
    spans: tuple[tuple[int, int], ...]
    choices: tuple[TokenChoice, ...]

    @property
    def logprobs(self) -> Array:
        """The log probabilities (n,) of the tokens, at most 0."""
        # Servers round, some to a bit above 0.
        found: Array = np.minimum(0.0, np.array([choice.logprob for choice in self.choices]))
        return found

    def spelling(self, index: int) -> str:
        """Return the characters of a token within the text."""
        start, end = self.spans[index]
        return self.text[start:end]


def tokens_of(reply: StoredReply, kind: TextKind = "speech") -> ReplyTokens | str:
    """Return the tokens of the public words of a reply or of its answer, or why there are none.

    The answer is where it stands last in the public words.
    """
    public = (reply.turn.public or "").strip()
    if not public:
        return "no readable speech"
    if not reply.logprobs:
        return NO_TOKENS
    spelt = "".join(choice.token for choice in reply.logprobs)
    # Reasoning may say the same words; what is public comes last.
    begin = spelt.rfind(public)
    if begin < 0:
        return "its stored tokens do not spell its public words"
    words = public
    if kind == "answer":
        words = (reply.turn.answer or "").strip()
        place = public.rfind(words)
        if not words or place < 0:
            return "its public words do not hold its answer as it was read"
        begin += place
    end = begin + len(words)
    spans: list[tuple[int, int]] = []
    choices: list[TokenChoice] = []
    position = 0
    for choice in reply.logprobs:
        start, position = position, position + len(choice.token)
        if start < end and position > begin and choice.token:
            spans.append((max(start, begin) - begin, min(position, end) - begin))
            choices.append(choice)
    return ReplyTokens(words, tuple(spans), tuple(choices))
