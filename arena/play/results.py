"""Check what a protocol returns: a Verdict, an Answer, a list of Answers, or None.

The same checks are made after a play, and before the first call with what the protocol returns on
stand-ins (arena/play/rehearsal.py).  There the words are made up, and only those faults are told
that other words would not mend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import TypeGuard, TypeVar

from arena.errors import ProtocolError
from arena.private import reveal
from arena.types import Answer, Verdict

Item = TypeVar("Item", Answer, Verdict)
Fields = Mapping[str, tuple[tuple[type, ...], str]]
NONE = type(None)
# What a field may hold, and how that is said to the author of a protocol.
ANSWER: Fields = {
    "seat": ((str, NONE), "it is the name of a seat, such as solver.name"),
    "answer": (
        (str, NONE),
        "it is a text, such as turn.answer or turn.public, or None; turn.text is private",
    ),
    "correct": ((bool, NONE), "it is True or False, or None where the arena grades"),
    "confidence": ((Real, NONE), "it is a number in [0, 1], or None"),
    "final": ((bool,), "it is True or False"),
    "stage": ((int,), "it is a whole number, counted from 0"),
    "confidence_source": ((str, NONE), 'it is a word such as "stated" or "vote share", or None'),
}
VERDICT: Fields = {
    "debate": ((str,), "it is the id of a debate: debate.debate of a stored one, or episode.id"),
    "judge": ((str,), "it is the judge's name, such as judge.agent.name"),
    "winner": ((str, NONE), 'it is the name of a seat, "abstain", or None where none was read'),
    "confidence": ((Real, NONE), "it is a number in [0, 1], or None"),
    "reasons": ((str, NONE), "it is a text or None"),
    "status": ((str,), 'it is "read", or says what is missing'),
    "seat_order": ((str,), 'it is "as played" or "swapped"'),
}
MAY_RETURN = "a protocol returns an Answer, a list of Answers, a Verdict, or None"
HINTS = {
    "Turn": "the record holds its turns without being told",
    "Verdict": "an episode has one Verdict, which is returned by itself",
    "str": "a text is given as Answer(seat.name, text)",
}
MOST_NAMES = 8


def check_result(
    protocol: str, result: object, seats: Collection[str]
) -> Verdict | list[Answer] | None:
    """Return what a protocol returned: a verdict, answers, or None.

    `protocol` is its name, `seats` are those that sat in the episode.  Raises ProtocolError, with
    what was returned and what may be, for anything else; for a field of another type, an answer of
    nobody, a confidence outside [0, 1], two answers of one seat and stage, and two final ones.
    """
    checked = check_types(protocol, result)
    for one in [checked] if isinstance(checked, Verdict) else checked or ():
        if one.confidence is not None and not 0 <= one.confidence <= 1:
            raise ProtocolError(
                f"{protocol} returned {describe(one)} with the confidence {one.confidence:.6g};"
                " it is a number in [0, 1], or None"
            )
    if isinstance(checked, list):
        check_seats(protocol, checked, seats)
        check_keys(protocol, checked)
    return checked


def check_result_on_stand_ins(
    protocol: str, result: object, seats: Collection[str], words: str
) -> None:
    """Raise ProtocolError for a result that no other words of the models would mend.

    `words` is what the stand-ins said.
    """
    checked = check_types(protocol, result)
    if isinstance(checked, list):
        # A reply may name the seat, and these replies name none.
        known = [one for one in checked if one.seat is not None and one.seat.strip() not in words]
        check_seats(protocol, known, seats)
        check_keys(protocol, checked)


def check_types(protocol: str, result: object) -> Verdict | list[Answer] | None:
    """Return a result as a verdict, a list of answers or None; ProtocolError for another type."""
    if result is None:
        return None
    if isinstance(result, Verdict):
        return check_fields(protocol, result, VERDICT)
    answers = [result] if isinstance(result, Answer) else result
    if is_list(answers):
        found = [one for one in answers if isinstance(one, Answer)]
        if len(found) == len(answers):
            return [check_fields(protocol, one, ANSWER) for one in found]
    kinds = [type(one).__name__ for one in (answers if is_list(answers) else [answers])]
    hint = next((f"; {HINTS[kind]}" for kind in kinds if kind in HINTS), "")
    raise ProtocolError(f"{protocol} returned {describe(result)}; {MAY_RETURN}{hint}")


def check_fields(protocol: str, item: Item, allowed: Fields) -> Item:
    """Return an answer or verdict with its confidence as a plain number.

    Raises ProtocolError for the first field that has another type than it is allowed.
    """
    for name, (types, words) in allowed.items():
        # A private number is stored like any other; private text is no answer.
        value = reveal(item.confidence) if name == "confidence" else getattr(item, name)
        # True is an int to Python.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ProtocolError(
                f"{protocol} returned {describe(item)} whose {name} is {describe(value)}; {words}"
            )
    number = reveal(item.confidence)
    # JSON takes no numbers of numpy.
    plain = number if number is None or type(number) in (int, float) else float(number)
    return replace(item, confidence=plain)


def check_seats(protocol: str, answers: Sequence[Answer], seats: Collection[str]) -> None:
    """Raise ProtocolError for an answer of somebody who did not sit in the episode."""
    for answer in answers:
        if answer.seat not in seats:
            names = sorted(seats)
            more = ", ..." if len(names) > MOST_NAMES else ""
            raise ProtocolError(
                f"{protocol} returned an Answer of {quote(answer.seat)}, where nobody sat; the"
                f" seats are {', '.join(names[:MOST_NAMES])}{more}"
            )


def check_keys(protocol: str, answers: Sequence[Answer]) -> None:
    """Raise ProtocolError for two answers of one seat and stage, or two final ones."""
    # The table has one row of a key, so that a second answer would be lost without a word.
    keys = Counter((answer.seat, answer.stage) for answer in answers)
    for (seat, stage), count in keys.items():
        if count > 1:
            raise ProtocolError(
                f"{protocol} returned {count} answers of {quote(seat)} with stage={stage}; count"
                " the answers of one seat, stage=0, 1, ..."
            )
    final = sum(answer.final for answer in answers)
    if final > 1:
        raise ProtocolError(
            f"{protocol} returned {final} final answers; one is the answer of the episode, and the"
            " others have final=False"
        )


def is_list(result: object) -> TypeGuard[Sequence[object]]:
    """Tell whether a result is a list or tuple."""
    return isinstance(result, Sequence) and not isinstance(result, str | bytes)


def describe(value: object) -> str:
    """Say in a few words of what type a value is."""
    if value is None:
        return "None"
    name = type(value).__name__
    if is_list(value) and value:
        kinds = list(dict.fromkeys(type(one).__name__ for one in value))
        if len(kinds) == 1:
            plural = "s" if len(value) > 1 and kinds[0][0].isupper() else ""
            return f"a {name} of {len(value)} {kinds[0]}{plural}"
        more = " and others" if len(kinds) > MOST_NAMES else ""
        return f"a {name} of {len(value)}: {', '.join(kinds[:MOST_NAMES])}{more}"
    article = "an" if name[0].lower() in "aeiou" else "a"
    return f"{article} {name}"


def quote(name: str | None) -> str:
    """Return a name between quotation marks, a long one by its first whole words."""
    words = repr(name)
    return words if len(words) <= 60 else f"{words[:60].rpartition(' ')[0] or words[:60]} ...'"
