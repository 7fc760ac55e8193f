"""Let a simulated solver explain a fixed answer, rate a reply that it is shown, or compare two."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from agents.simulated.replies import ParsedRequest, statements_in

FIXED_ANSWER = re.compile(r"Your answer to this question is \\boxed\{(\d{1,3})\}")
UNKNOWN = "\\boxed{I don't know}"
ASKS_A_LISTENER = "the answer of this reply is right"
SHOWN_REPLY = re.compile(r"\[[0-9a-f]{8}\] Reply\n(?P<words>.*)\n\[[0-9a-f]{8}\] End", re.DOTALL)
ASKS_WHICH_IS_BETTER = "number of the better reply"
SHOWN_PAIR = re.compile(
    r"\[(?P<code>[0-9a-f]{8})\] Reply 1\n(?P<first>.*)"
    r"\n\[(?P=code)\] Reply 2\n(?P<second>.*)\n\[(?P=code)\] End of the replies\.",
    re.DOTALL,
)
STEPS_OF = re.compile(r"\bStep \d{1,2} of (\d{1,2})\.")
# A reply that holds no candidate of its question, against one that does.
SMALLEST = 1e-6
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


def first_is_better(
    parsed: ParsedRequest, chance: Mapping[str, float], steps: int, love: float, first: float
) -> float | None:
    """Return the probability that a solver prefers the first of two replies; None: not asked.

    In logits: the logarithm of the ratio of the chances that it gives to both answers, plus `love`
    for a reply of its own style (with as many steps as it writes), plus `first`.
    """
    if ASKS_WHICH_IS_BETTER not in parsed.words:
        return None
    shown = SHOWN_PAIR.search(parsed.words)
    if shown is None:
        return None
    one, two = (shown_reply(shown[name]) for name in ("first", "second"))
    return preference(
        [chance.get(answer or "", 0.0) for answer, _ in (one, two)],
        [style == steps for _, style in (one, two)],
        love,
        first,
    )


def shown_reply(words: str) -> tuple[str | None, int]:
    """Return the last answer of a reply, and of how many steps it is, 0 if it has none."""
    statements = statements_in(words, "")
    style = STEPS_OF.search(words)
    return statements[-1][2] if statements else None, int(style[1]) if style else 0


def preference(
    chance: Sequence[float], own: Sequence[bool], love: float, first: float = 0.0
) -> float:
    """Return the probability that the first of two answers is preferred.

    `chance` are those of the two answers, `own` says which is of the judge's own style.
    """
    one, two = (math.log(max(each, SMALLEST)) for each in chance)
    return 1 / (1 + math.exp(two - one - love * (own[0] - own[1]) - first))
