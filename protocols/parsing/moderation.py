r"""Read a moderator's reply: whether it prefers an answer, and which.

A reply in, arena.types.Reading out; no state.  Both are read on their own, and a decision is both:
`Preference: yes` and an answer that can be read.  A moderator that names an answer and prefers none
has decided nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Reading, Reply
from protocols.parsing.answers import answer

PREFERENCE = re.compile(
    r"^[\s*_#\-•]{0,9}preference[*_\s]{0,4}[:：][*_\s\"'`(]{0,6}(?P<word>yes|no|none)\b"
    r"(?P<rest>[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
# A line such as "Preference: yes or no" repeats the form and says nothing.
BOTH = re.compile(r"\b(?:yes|no)\b", re.IGNORECASE)
UNDECIDED = "undecided"
NO_PREFERENCE_LINE = "no preference line"
ASK_PREFERENCE = (
    "Your decision could not be read. Reply once more: with the line `Preference: yes` and the"
    " answer that you prefer in \\boxed{}, or with the line `Preference: no`."
)


def moderation(
    reply: Reply | str, *, letters: str = "", options: Sequence[str] = (), reask: bool = True
) -> Reading:
    """Read the answer that a moderator prefers; None, with a flag, where it decides nothing.

    Flags: "undecided" (it prefers none), "no preference line", those of
    `protocols.parsing.answers.answer` for an answer that cannot be read, or how the reply ended.
    `reask` asks once more, but not whoever is undecided.
    """
    reply = as_reply(reply)
    parted = part_reasoning(reply.text)
    lines = [line for line in PREFERENCE.finditer(parted.words) if not BOTH.search(line["rest"])]
    said = lines[-1]["word"].lower() if lines else None
    reason = unfinished_reason(reply)
    if said in ("no", "none") and reason is None:
        return Reading(parted.public, flags=(UNDECIDED,))
    reading = answer(reply, letters=letters, options=options)
    if said == "yes" and reading.answer is not None and reason is None:
        return reading
    flags = (reason,) if reason else (reading.flags if said else (NO_PREFERENCE_LINE,))
    ask, missing = (ASK_PREFERENCE, ("answer",)) if reask else (None, ())
    return Reading(parted.public, flags=flags, reask=ask, missing=missing)
