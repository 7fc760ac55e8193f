"""Read how a judge decides between two answers: by letter, in words or by token probabilities.

A reply in, arena.types.Reading out; no state.  A judge is shown answers under letters that change
with the order in which they stand; `letters` maps each letter that it may give to the answer that
it stands for, so that the same answer is read as the same, whatever the order.  What is doubtful is
asked for once more, and then missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from arena.play.reading import CUT_OFF, as_reply, unfinished_reason, without_vote
from arena.quotes import as_quotes
from arena.types import NOT_ASKED, Reading, Reply
from protocols.parsing import tags
from protocols.parsing.privacy import fold_brackets
from protocols.parsing.ratings import rating_in
from protocols.parsing.verdict import BELOW, LEAST, TOO_LONG, without_reasons

Letters = Mapping[str, str]
NEITHER = "neither"
PROBABILITY = "probability"
# A letter that is not among the likeliest tokens counts as this improbable, as in the paper.
ABSENT = -100.0

FIELD = r"<\s{{0,9}}{name}\s{{0,9}}>(?P<words>[^<>]{{0,200}})<\s{{0,9}}/\s{{0,9}}{name}\s{{0,9}}>"
ANSWER = re.compile(FIELD.format(name="answer"), re.IGNORECASE)
END = re.compile(FIELD.format(name="end"), re.IGNORECASE)
REMNANT = re.compile(r"<\s{0,9}/?\s{0,9}answer\b", re.IGNORECASE)
BARE = re.compile(
    r"^[\s*_(\[\"'`]*(?:answer\s+)?(?P<letter>[a-z]+)[\s*_)\]\"'`.:]*$", re.IGNORECASE
)
# What follows an article, and no letter that is an answer.
PROSE = re.compile(r"\s+(?!(?:is|as|because|since|and|or)\b)[a-z]")
ASK_ANSWER = (
    "Your decision could not be read. Give the decision that you meant once more, exactly in this"
    " form, with {letters} between the tags:\n<answer>{letters}</answer>"
)
ASK_RATING = (
    "Your rating could not be read: it says how sure you are of the answer that you named, from 50"
    " (it could be either) to 100 (certain). Give it once more, exactly in this form, where N"
    " stands for one number from 50 to 100:\n" + tags.RATING_FORM
)


def judgement(reply: Reply | str, *, letters: Letters) -> Reading:
    """Read reasons, an answer by its letter, and how sure the judge is of it, in [0.5, 1].

    The reasons are public.  Flags say why there is no answer: "no answer tag", "broken answer tag",
    "several answers", "no letter", or how the reply ended.
    """
    reply = as_reply(reply)
    reason = unfinished_reason(reply)
    text = tags.without_reasoning(reply.text, thoughts=True)
    if len(text) > tags.LONGEST_REPLY:
        long = Reading(None, confidence_status=TOO_LONG, flags=(TOO_LONG,))
        return ask_for_missing(without_vote(long, reason), letters)
    words, rest = without_reasons(text)
    answer, doubt = answer_in(rest, letters)
    confidence, status = rating_from_50(rest, cut_off=reason == CUT_OFF)
    if answer == NEITHER:
        confidence, status = None, NOT_ASKED
    flags = (doubt,) if doubt else ()
    reading = Reading(words.strip() or None, None, confidence, status, answer, flags)
    if reason is not None and (answer is None or reason != CUT_OFF):
        reading = without_vote(reading, reason)
    return ask_for_missing(reading, letters)


def belief(reply: Reply | str, *, letters: Letters) -> Reading:
    """Read what a judge believes before anybody has spoken, as `judgement`: all of it private."""
    reading = judgement(reply, letters=letters)
    return replace(reading, public="", thoughts=reading.public)


def argument(reply: Reply | str, *, claim: str, rated: bool) -> Reading:
    """Read a speech for an answer, private thoughts, and the rating of one's own chances, if asked.

    `answer` is the claim, by its letter, of a speech that can be read.  Marks of the check that a
    speaker writes itself are quotes.
    """
    reply = as_reply(reply)
    text = as_quotes(reply.text)
    plain = replace(reply, text=text)
    reading = tags.speech_and_confidence(plain) if rated else tags.speech_only(plain)
    if not reading.public:
        return reading
    return replace(reading, answer=claim, composed=text != reply.text)


def judges_turn(reply: Reply | str, *, letters: Letters, believes: bool, may_end: bool) -> Reading:
    """Read what a judge says in public, its private thoughts, its belief, and whether it ends.

    With `believes`, the answer that it leans to and how probable it is are private.  With
    `may_end`, one that ends says nothing more: its public words are "".
    """
    given = as_reply(reply)
    # A judge reads marks, and may repeat them.
    reply = replace(given, text=as_quotes(given.text))
    reading = replace(tags.speech_only(reply), composed=reply.text != given.text)
    rest = tags.parts_of(reply.text, cut_off=CUT_OFF in reading.flags).rest
    ends = {found["words"].strip().casefold() for found in END.finditer(fold_brackets(rest))}
    if may_end and ends == {"yes"} and unfinished_reason(reply) is None:
        reading = Reading("", reading.thoughts)
    if believes:
        answer, doubt = answer_in(rest, letters)
        confidence, status = rating_from_50(rest, cut_off=CUT_OFF in reading.flags)
        reading = replace(
            reading,
            answer=answer,
            confidence=confidence,
            confidence_status=status,
            flags=(*reading.flags, *((doubt,) if doubt else ())),
        )
        spoken = () if reading.public is not None else ("public",)
        if spoken:
            # The speech is asked for first: without it the play cannot go on.
            reading = replace(reading, missing=spoken, reask=tags.ASK_SPEECH)
        else:
            reading = ask_for_missing(reading, letters)
    return reading


def answer_in(text: str, letters: Letters) -> tuple[str | None, str | None]:
    """Return (answer, None) for the one that a text names by letter, or (None, reason)."""
    plain = fold_brackets(text)
    named = {found["words"].strip() for found in ANSWER.finditer(plain)}
    if len(REMNANT.findall(plain)) != 2 * len(ANSWER.findall(plain)):
        return None, "broken answer tag"
    if not named:
        return None, "no answer tag"
    given = {letter_in(words, letters) for words in named}
    if len(given) > 1:
        return None, "several answers"
    answer = given.pop()
    return (answer, None) if answer is not None else (None, "no letter")


def letter_in(words: str, letters: Letters) -> str | None:
    """Return the answer whose letter stands alone in some words; None if there is none."""
    found = BARE.match(words)
    by_case = {letter.casefold(): answer for letter, answer in letters.items()}
    return by_case.get(found["letter"].casefold()) if found else None


def rating_from_50(text: str, *, cut_off: bool) -> tuple[float | None, str]:
    """Return (confidence, status) of a rating from 50 to 100."""
    confidence, status = rating_in(text, closed_only=cut_off)
    return (None, BELOW) if confidence is not None and confidence < LEAST else (confidence, status)


def ask_for_missing(reading: Reading, letters: Letters) -> Reading:
    """Return a reading with what is missing in it, and the question that asks for it."""
    unrated = reading.confidence is None and reading.answer != NEITHER
    lacks = ("answer",) if reading.answer is None else ()
    missing = (*lacks, *(("confidence",) if unrated else ()))
    reask = None
    if lacks:
        shown = " or ".join(letters)
        reask = ASK_ANSWER.format(letters=shown) + "\n" + tags.RATING_FORM
    elif unrated:
        reask = ASK_RATING
    return replace(reading, missing=missing, reask=reask)


def letter_alone(reply: Reply | str, *, letters: Letters) -> Reading:
    """Read a reply of one letter, with its share of the probability of all letters, if served.

    The share is a softmax over the log probabilities of the letters in the place of the first token
    that is one; a letter that is not among the likeliest tokens there has the log probability -100,
    as in Khan et al.  The likelier letter is the answer, also where the other one was drawn.
    """
    reply = as_reply(reply)
    reason = unfinished_reason(reply)
    shares = shares_of(reply, letters)
    answer = letter_in(reply.text, letters)
    if shares:
        answer = max(shares, key=lambda each: shares[each])
    if answer is None or reason not in (None, CUT_OFF):
        return without_vote(Reading(reply.text, flags=("no letter",), missing=("answer",)), reason)
    confidence = shares.get(answer)
    return Reading(
        reply.text,
        confidence=confidence,
        confidence_status=NOT_ASKED if confidence is None else "read",
        answer=answer,
        confidence_source=None if confidence is None else PROBABILITY,
    )


def shares_of(reply: Reply, letters: Letters) -> dict[str, float]:
    """Return the share of each answer in the probability of all letters; {} if none is served."""
    measured = {
        answer: value
        for letter, answer in letters.items()
        if (value := (reply.measures or {}).get(f"probability of {letter}")) is not None
    }
    if len(measured) == len(letters):
        return measured
    for place, choice in enumerate(reply.logprobs or ()):
        behind = "".join(each.token for each in (reply.logprobs or ())[place + 1 : place + 3])
        if choice.token.strip().casefold() == "a" and PROSE.match(behind):
            continue
        found = dict.fromkeys(letters.values(), ABSENT)
        near = [(each.token, each.logprob) for each in choice.alternatives]
        for token, logprob in [(choice.token, choice.logprob), *near]:
            answer = letter_in(token, letters)
            # Of several spellings of a letter the likeliest, whichever was drawn.
            if answer is not None and logprob > found[answer]:
                found[answer] = logprob
        if any(value > ABSENT for value in found.values()):
            most = max(found.values())
            weights = {answer: math.exp(value - most) for answer, value in found.items()}
            return {answer: weight / sum(weights.values()) for answer, weight in weights.items()}
    return {}
