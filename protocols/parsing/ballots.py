"""Read ballots about answers that stand under letters: a vote, a set, a ranking, or numbers.

A reply in, arena.types.Reading out; no state.  The last line `Ballot: ...` counts, and nothing else
on it may be said: a ballot with words on it, with a letter that is none of the answers, or with an
answer twice is unreadable, and is asked for once more.  The answer of the reading is the ballot in
one spelling: "B", "A, C", "B > A > C" or "A = 6, B = 4"; `parse_numbers` takes the last apart.
"""

from __future__ import annotations

import re
from typing import Literal

from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Reading, Reply

Form = Literal["one", "some", "ranking", "numbers"]
LINE = re.compile(
    r"^[\s*_#\-•]{0,9}ballot[*_\s]{0,4}[:：](?P<words>[^\n]{0,400})$",
    re.IGNORECASE | re.MULTILINE,
)
MARKUP = re.compile(r"[*_`\"'()\[\]]")
SPLIT = {"one": r"(?!)", "some": r"[,;&]|\band\b", "ranking": r"[>,;]", "numbers": r"[,;]"}
NUMBER = re.compile(r"(?P<letter>[A-Z])\s?[=:]\s?(?P<number>\d{1,3}(?:\.\d{1,3})?)\s?%?")
NONE = ("none", "nobody", "no answer")
NO_BALLOT = "no ballot"
# No letter of an answer stands in a form, which would suggest it.
FORMS = {
    "one": "Ballot: X",
    "some": "Ballot: X, Y",
    "ranking": "Ballot: X > Y > Z",
    "numbers": "Ballot: X = N, Y = N",
}
PLACEHOLDERS = "with letters of the answers in place of X, Y and Z, and numbers in place of N"
ASK_BALLOT = (
    "Your ballot could not be read. Give it once more as one line of this form, "
    + PLACEHOLDERS
    + ", each letter at most once, and nothing else:\n{form}"
)


def ballot(reply: Reply | str, *, letters: str, form: Form, reask: bool = True) -> Reading:
    """Read a ballot about these letters; None, with a flag, where it breaks its form.

    A set may be empty (`Ballot: none`); a ranking may leave answers out.  What numbers add up to is
    for the rule to check.  `reask` asks once more.
    """
    reply = as_reply(reply)
    parted = part_reasoning(reply.text)
    reason = unfinished_reason(reply)
    lines = LINE.findall(parted.words)
    said = read_line(lines[-1], letters, form) if lines and reason is None else None
    if said is not None:
        return Reading(parted.public, answer=said)
    ask = ASK_BALLOT.format(form=FORMS[form]) if reask else None
    missing = ("answer",) if reask else ()
    return Reading(parted.public, flags=(reason or NO_BALLOT,), reask=ask, missing=missing)


def read_line(words: str, letters: str, form: Form) -> str | None:
    """Return the words after "Ballot:" in one spelling, None where they break the form."""
    plain = MARKUP.sub("", words).strip().rstrip(".").strip()
    if form == "some" and plain.lower() in NONE:
        return "none"
    parts = [part.strip() for part in re.split(SPLIT[form], plain)]
    if form == "numbers":
        found = [NUMBER.fullmatch(part) for part in parts]
        named = [match["letter"] if match else "" for match in found]
        parts = [f"{match['letter']} = {match['number']}" if match else "" for match in found]
    else:
        named = parts
    if not all(each and each in letters and len(each) == 1 for each in named):
        return None
    if len(set(named)) < len(named):
        return None
    return (" > " if form == "ranking" else ", ").join(parts)


def parse_letters(said: str) -> list[str]:
    """Return the letters of a ballot that was read, in order."""
    return [] if said == "none" else re.findall(r"[A-Z]", said)


def parse_numbers(said: str) -> dict[str, float]:
    """Return the numbers of a ballot that was read, by letter."""
    return {match["letter"]: float(match["number"]) for match in NUMBER.finditer(said)}
