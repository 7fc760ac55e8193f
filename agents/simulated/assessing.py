"""Let a simulated solver explain an answer that is fixed, and rate a reply that it is shown."""

from __future__ import annotations

import math
import re

from agents.simulated.replies import ParsedRequest

FIXED_ANSWER = re.compile(r"Your answer to this question is \\boxed\{(\d{1,3})\}")
UNKNOWN = "\\boxed{I don't know}"
ASKS_A_LISTENER = "the answer of this reply is right"
SHOWN_REPLY = re.compile(r"\[[0-9a-f]{8}\] Reply\n(?P<words>.*)\n\[[0-9a-f]{8}\] End", re.DOTALL)
# Of a reply of so many characters a listener is as sure as without its explanation.
USUAL_LENGTH = 1000


def may_not_know(parsed: ParsedRequest) -> bool:
    """Return whether a reply may say that its author does not know."""
    return UNKNOWN in parsed.words


def steps_of_doubt(steps: int, level: float, wanders: float) -> int:
    """Return how many paragraphs a solver thinks, 1 to 64: more, the less sure it is."""
    doubt = 1 - min(max(level, 0.0), 1.0)
    return min(64, max(1, round(steps * (1 + 4 * wanders * doubt))))


def fixed_answer(parsed: ParsedRequest) -> str | None:
    """Return the answer that is to be explained, None if none is."""
    found = FIXED_ANSWER.search(parsed.words)
    return None if found is None else str(int(found[1]))


def explanation_steps(parsed: ParsedRequest, steps: int) -> int:
    """Return of how many paragraphs an explanation is, short, default or long, up to 64."""
    if "one or two short sentences" in parsed.words:
        return 1
    return min(64, 3 * steps) if "in detail" in parsed.words else steps


def heard_answer(parsed: ParsedRequest) -> str | None:
    """Return the answer of the reply that a listener is asked about, None if it is not asked."""
    if ASKS_A_LISTENER not in parsed.words or not parsed.statements:
        return None
    return parsed.statements[-1][2]


def swayed_level(parsed: ParsedRequest, level: float, swayed: float) -> float:
    """Return a level whose logit rises by `swayed` with the logarithm of the reply's length."""
    found = SHOWN_REPLY.search(parsed.words)
    if found is None or not swayed or not found["words"]:
        return level
    level = min(max(level, 0.01), 0.99)
    logit = math.log(level / (1 - level)) + swayed * math.log(len(found["words"]) / USUAL_LENGTH)
    return 1 / (1 + math.exp(-logit))
