"""Check what a protocol returns: a Verdict, an Answer, a list of Answers or of Scores, or None.

The same checks are made after a play, and before the first call with what the protocol returns on
stand-ins (arena/play/rehearsal.py).  There the words are made up, and only those faults are told
that other words would not mend.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, TypeGuard, TypeVar

import orjson

from arena.errors import ProtocolError
from arena.private import reveal
from arena.score import SCORED, Score
from arena.types import Answer, Turn, Verdict

Item = TypeVar("Item", Answer, Verdict, Score)
Checked = Verdict | list[Answer] | list[Score] | None
Fields = Mapping[str, tuple[tuple[type, ...], str]]
NONE = type(None)
# The types of numbers that JSON takes, and of a missing one.
PLAIN = (int, float, NONE)
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
    "stage": ((int,), "it is a whole number, counted from 0 to 2147483647"),
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
SCORE: Fields = {
    "turn": ((Turn,), "it is the stored turn that is scored, such as reply.turn"),
    "name": ((str,), "it is the estimator's name"),
    "value": ((Real, NONE), "it is a finite number, higher is surer, or None with a status"),
    "kind": ((str,), 'it is "probability" or "score"'),
    "status": ((str,), 'it is "scored", or the reason why there is no value'),
    "samples": ((Integral,), "it counts the stored replies that were read, from 1 to 2147483647"),
    "details": ((Mapping,), "it is a dictionary of JSON values"),
}
MAY_RETURN = "a protocol returns an Answer, a list of Answers, a list of Scores, a Verdict, or None"
HINTS = {
    "Turn": "the record holds its turns without being told",
    "Verdict": "an episode has one Verdict, which is returned by itself",
    "str": "a text is given as Answer(seat.name, text)",
}
MOST_NAMES = 8
# The largest whole number that a column of counts holds.
LARGEST = 2**31 - 1
# Letters of the name of a score, which heads columns and rows.
LONGEST_NAME = 200


def check_result(protocol: str, result: object, seats: Collection[str]) -> Checked:
    """Return what a protocol returned: a verdict, answers, scores, or None.

    `protocol` is its name, `seats` are those that sat in the episode.  Raises ProtocolError, with
    what was returned and what may be, for anything else; for a field of another type, an answer of
    nobody, a confidence outside [0, 1], two answers of one seat and stage, and two final ones.
    """
    checked = check_types(protocol, result)
    for one in [checked] if isinstance(checked, Verdict) else checked or ():
        if isinstance(one, Score):
            check_score(protocol, one)
        elif one.confidence is not None and not 0 <= one.confidence <= 1:
            raise ProtocolError(
                f"{protocol} returned {describe(one)} with the confidence {one.confidence:.6g};"
                " it is a number in [0, 1], or None"
            )
    if isinstance(checked, list):
        check_seats(protocol, answers_in(checked), seats)
        check_keys(protocol, answers_in(checked))
        check_score_keys(protocol, scores_in(checked))
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
        answers = answers_in(checked)
        known = [one for one in answers if one.seat is not None and one.seat.strip() not in words]
        check_seats(protocol, known, seats)
        check_keys(protocol, answers)
        check_score_keys(protocol, scores_in(checked))


def answers_in(items: Sequence[Answer] | Sequence[Score]) -> list[Answer]:
    """Return the answers of a checked list."""
    return [item for item in items if isinstance(item, Answer)]


def scores_in(items: Sequence[Answer] | Sequence[Score]) -> list[Score]:
    """Return the scores of a checked list."""
    return [item for item in items if isinstance(item, Score)]


def check_types(protocol: str, result: object) -> Checked:
    """Return a result as a verdict, a list or None; ProtocolError for another type."""
    if result is None:
        return None
    if isinstance(result, Verdict):
        return check_fields(protocol, result, VERDICT)
    answers = [result] if isinstance(result, Answer | Score) else result
    if is_list(answers):
        found = [one for one in answers if isinstance(one, Answer)]
        if len(found) == len(answers):
            return [check_fields(protocol, one, ANSWER) for one in found]
        scores = [one for one in answers if isinstance(one, Score)]
        if len(scores) == len(answers):
            return [check_fields(protocol, one, SCORE) for one in scores]
    kinds = [type(one).__name__ for one in (answers if is_list(answers) else [answers])]
    hint = next((f"; {HINTS[kind]}" for kind in kinds if kind in HINTS), "")
    raise ProtocolError(f"{protocol} returned {describe(result)}; {MAY_RETURN}{hint}")


def check_fields(protocol: str, item: Item, allowed: Fields) -> Item:
    """Return an answer, a verdict or a score with its number as a plain one.

    Raises ProtocolError for the first field that has another type than it is allowed.
    """
    place = place_of(protocol, item)
    for name, (types, words) in allowed.items():
        # A private number is stored like any other; private text is no answer.
        value = getattr(item, name)
        value = reveal(value) if name in ("confidence", "value") else value
        # True is an int to Python.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ProtocolError(f"{place} whose {name} is {describe(value)}; {words}")
        if name in ("samples", "stage") and abs(int(getattr(item, name))) > LARGEST:
            raise ProtocolError(f"{place} whose {name} does not fit into 32 bits; {words}")
    # JSON takes no numbers of numpy, and none of more than 64 bits.
    try:
        if isinstance(item, Score):
            if type(item.samples) is int and type(item.value) in (float, NONE):
                return item
            value = None if item.value is None else float(reveal(item.value))
            return replace(item, value=value, samples=int(item.samples))
        return replace(item, confidence=plain(item.confidence))
    except OverflowError as error:
        raise ProtocolError(f"{place} whose number is too large: {error}") from error


def plain(value: Any) -> float | None:
    """Return a number, private or not, as one of Python's own."""
    number = reveal(value)
    return number if type(number) in PLAIN else float(number)


def place_of(protocol: str, item: Answer | Verdict | Score) -> str:
    """Return the words with which an error about a returned item begins."""
    if isinstance(item, Score) and isinstance(item.name, str):
        return f"{protocol} returned a Score {quote(item.name)} of {item.turn!r}"
    return f"{protocol} returned {describe(item)}"


def check_score(protocol: str, score: Score) -> None:
    """Raise ProtocolError for a score whose parts do not fit each other."""
    place = place_of(protocol, score)
    value = score.value
    if not score.status.strip():
        raise ProtocolError(f"{place} with an empty status; {SCORE['status'][1]}")
    if (value is None) is (score.status == SCORED):
        raise ProtocolError(
            f"{place} with the value {value} and the status {quote(score.status)}; a score without"
            ' a value says why in its status, and one with a value has the status "scored"'
        )
    if value is not None and not math.isfinite(value):
        raise ProtocolError(f"{place} with the value {value}; it is finite, or None with a status")
    if score.kind not in ("probability", "score"):
        raise ProtocolError(f"{place} of kind {quote(score.kind)}; {SCORE['kind'][1]}")
    if score.kind == "probability" and value is not None and not 0 <= value <= 1:
        raise ProtocolError(f"{place} with the probability {value:.6g}; it lies in [0, 1]")
    if score.samples < 1:
        raise ProtocolError(f"{place}: it counts at least one stored reply, found {score.samples}")
    name = score.name
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise ProtocolError(
            f"{place}: its name has {len(name):,} characters; give one of 1 to {LONGEST_NAME}, all"
            " printable"
        )
    try:
        orjson.dumps(score.details)
    except TypeError as error:
        raise ProtocolError(f"{place} whose details cannot be stored as JSON: {error}") from error


def check_score_keys(protocol: str, scores: Sequence[Score]) -> None:
    """Raise ProtocolError for two scores of one turn with one name."""
    keys = Counter((s.turn.episode, s.turn.seat, s.turn.step, s.name) for s in scores)
    for (episode, seat, step, name), count in keys.items():
        if count > 1:
            raise ProtocolError(
                f"{protocol} returned {count} scores {quote(name)} of step {step} of {seat} in the"
                f" episode {episode}; give each its own name"
            )


def check_seats(protocol: str, answers: Sequence[Answer], seats: Collection[str]) -> None:
    """Raise ProtocolError for an answer of somebody who did not sit in the episode."""
    for answer in answers:
        if answer.seat not in seats:
            names = sorted(seats)
            more = ", ..." if len(names) > MOST_NAMES else ""
            there = f"the seats are {', '.join(names[:MOST_NAMES])}{more}"
            raise ProtocolError(
                f"{protocol} returned an Answer of {quote(answer.seat)}, where nobody sat;"
                f" {there if names else 'the episode has no seats'}"
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
