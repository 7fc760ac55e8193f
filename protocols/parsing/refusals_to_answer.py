"""Read whether a reply says that its author does not know the answer.

A reply in, arena.types.Reading out; no state.  It says so in the place of its answer, a box or a
line, or in its last sentences where it states no answer.  Doubt beside an answer ("I don't know
for sure, but it is 4") is an answer.  A provider's own refusal, by how the reply ended, is not one:
it says nothing of knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Reading, Reply
from protocols.parsing.answers import extract_boxed, find_answer
from protocols.parsing.confidence import WITHOUT_CONFIDENCE, answer_and_confidence

DOES_NOT_KNOW = "does not know"
# The end of a reply in which an author who gives no answer says so.
LAST_CHARACTERS = 400
NOT = r"(?:do not|don['’]?t|cannot|can['’]?t|can not|could not|couldn['’]?t)"
UNKNOWN = re.compile(
    rf"\b(?:i(?:['’]m| am)? (?:really |honestly |simply |just )?(?:{NOT} know\b|{NOT} answer\b"
    rf"|{NOT} (?:say|tell|determine|recall)\b|(?:not able|unable) to (?:answer|say|tell|determine)"
    r"|have no idea\b|lack the (?:information|knowledge)\b"
    r"|do(?:n['’]?t| not) have (?:enough |the |any |sufficient )?(?:information|knowledge)\b))",
    re.IGNORECASE,
)
# What may stand alone in the place of an answer.
SLOT = re.compile(
    rf"\W{{0,9}}(?:\\text\{{)?\W{{0,3}}(?:i {NOT} know|idk|don['’]?t know|unknown to me|not known"
    r"(?: to me)?|no idea|no answer|i cannot answer)\b[^\n]{0,40}",
    re.IGNORECASE,
)
QUOTES = frozenset("\"'“‘«")
ANSWER_LINE = re.compile(r"^[\s*_#>-]{0,9}answer[*_\s]{0,4}:(?P<words>[^\n]{0,200})", re.I | re.M)


def does_not_know(words: str, letters: str = "", options: Sequence[str] = ()) -> bool:
    """Return whether a reply without its reasoning says that its author does not know."""
    # Of a confidence that stands behind it, nothing is known of the answer.
    words = WITHOUT_CONFIDENCE.sub("", words).strip()
    boxed = extract_boxed(words)
    if boxed is not None:
        return SLOT.fullmatch(boxed) is not None
    lines = [match["words"] for match in ANSWER_LINE.finditer(words)]
    if lines:
        return SLOT.fullmatch(lines[-1].strip()) is not None
    if find_answer(Reply(words), words, letters, options)[0] is not None:
        return SLOT.fullmatch(words) is not None
    end = words[-LAST_CHARACTERS:]
    # Words of somebody else, in quotation marks, say nothing of the author.
    return any(end[: said.start()][-1:] not in QUOTES for said in UNKNOWN.finditer(end))


def answer_or_unknown(
    reply: Reply | str, *, letters: str = "", options: Sequence[str] = ()
) -> Reading:
    """Read an answer with its confidence, or that the author does not know.

    Who does not know gives no answer and no confidence, and is not asked again; the flag "does not
    know" says so.
    """
    reply = as_reply(reply)
    parted = part_reasoning(reply.text)
    if unfinished_reason(reply) is None and does_not_know(parted.words, letters, options):
        return Reading(parted.public, confidence_status=DOES_NOT_KNOW, flags=(DOES_NOT_KNOW,))
    return answer_and_confidence(reply, letters=letters, options=options)
