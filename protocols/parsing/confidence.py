"""Read the confidence that a reply states about an answer.

A line "Confidence: 85%", guesses "G1: 57" with "P1: 0.6", or steps.  A reply in,
arena.types.Reading out; no state.  Reasoning states nothing, and a reply that was not finished no
confidence.  The forms are those of "Can LLMs Express Their Uncertainty?" (Xiong et al.);
protocols/confidence.py has the prompts that ask for them.

The scale of a number.  After "Confidence" a percentage is asked for: "85%", "85", "85/100", "8.5
out of 10" and "0.85/1" are read, a bare number above 0 and up to 1 is not, since "0.85" may mean
85% or less than one percent ("ambiguous scale").  After "P1" a probability from 0 to 1 is asked
for: a bare 0.6 is 60%, and "60%" is too; if another P of the reply is a bare number above 1, a bare
one up to 1 is ambiguous.  A number outside of [0, 100] percent is "out of range".  No number is
clamped or guessed: an unreadable one is asked for once more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from arena.play.reading import CUT_OFF, as_reply, unfinished_reason
from arena.play.reasoning import matches, part_reasoning
from arena.private import reveal
from arena.types import READ, Reading, Reply, Turn
from protocols.parsing.answers import (
    ASK_ANSWER,
    LONGEST_SEARCH,
    MAX_ANSWER_CHARACTERS,
    choice,
    extract_boxed,
    find_answer,
)
from protocols.parsing.numbers import NUMBER, number_in, number_on, with_plain_digits
from protocols.parsing.privacy import fold_brackets
from protocols.parsing.ratings import LONGEST_LINE

StepScore = Literal["overall", "product"]

# Where a line may begin with marks of lists and emphasis, and what may stand around a label.
MARKUP = r"^[\s>*_#`\-•]{0,9}+"
AFTER = r"[\s*_`\"']{0,4}(?:[:：=]|\bis\b)(?P<words>[^\n]{0,300}+)"
# At the beginning of a line, or after the answer on the same line.
CONFIDENCE = re.compile(
    rf"(?:{MARKUP}|[,;.|]\s{{1,3}}[*_\"']{{0,3}}|\{{\s?\")(?:(?:my"
    rf"|the)\s)?(?P<whole>(?:overall|final)\s{{1,3}})?confidence"
    rf"(?:\s{{1,3}}(?:level|score))?(?:\s?(?P<scale>\([^()\n]{{0,40}}\)))?{AFTER}",
    re.IGNORECASE | re.MULTILINE,
)
WITHOUT_CONFIDENCE = re.compile(
    r"(?:^|[,;.|])[\s>*_#`\-•\"']{0,9}+(?:(?:my|the|overall|final)\s){0,2}confidence\b[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
STEP = re.compile(
    rf"{MARKUP}(?:confidence\s(?:of|in)\sstep\s{{1,3}}(?P<step>\d{{1,2}})"
    rf"|step\s{{1,3}}(?P<number>\d{{1,2}})\sconfidence){AFTER}",
    re.IGNORECASE | re.MULTILINE,
)
GUESS = re.compile(r"(?<![\w\\])(?P<kind>[GPgp])(?P<rank>[1-9][0-9]?)[*_`]{0,3}\s{0,3}[:：=]")
EDGES = " \t*_`,;|"

ASK_CONFIDENCE = (
    "Your confidence could not be read. Give the confidence that you meant once more, exactly in"
    " this form, where N stands for one number from 0 to 100:\nConfidence: N%"
)
ASK_ANSWER_AND_CONFIDENCE = (
    "Neither your answer nor your confidence could be read. Give both once more, exactly in this"
    " form, with your answer in the box and one number from 0 to 100 in the place of"
    " N:\n\\boxed{}\nConfidence: N%"
)
ASK_GUESSES = (
    "Your guesses could not be read. Give all of them once more, each on a line of its own and"
    " followed by the line with its probability from 0 to 1, beginning with\nG1: your best"
    " guess\nP1: its probability"
)
ASK_STEPS = (
    "Your confidence could not be read. Repeat the lines `Confidence of step 1: N%` and so on for"
    " all steps, and `Overall confidence: N%`."
)


@dataclass(frozen=True, slots=True)
class Guess:
    """One of several guesses, with its probability in [0, 1].

    `status` is "read", or why there is no probability.
    """

    answer: str | None
    probability: float | None
    status: str


def confidence_in(words: str) -> tuple[float | None, str]:
    """Read (confidence in [0, 1] or None, status) from the lines "Confidence: N%".

    `words` are, here and below, those of a reply without its reasoning (`said_in`).  A line that is
    called overall or final counts before the others; the same number several times counts once.
    `status` is "read", or "no confidence", "no number", "several numbers", "out of range",
    "ambiguous scale".
    """
    lines = list(matches(CONFIDENCE, words, 500))
    whole = [line for line in lines if line["whole"]]
    # A set: the same number stated twice is one number, and two numbers are none.
    read = {number_on(line["scale"], words_of(line, words)) for line in whole or lines}
    if not read:
        return None, "no confidence"
    return read.pop() if len(read) == 1 else (None, "several numbers")


def words_of(line: re.Match[str], text: str) -> str:
    """Return the words after a label; those of the next line if none follow on its own."""
    words = line["words"].strip(EDGES + "\"'")
    if words:
        # Of an object of JSON only the value of this field.
        return re.split(r"[}\]]|,\s?[\"']", words)[0].strip(EDGES + "\"'")
    return text[line.end() :].lstrip().partition("\n")[0][:300].strip(EDGES)


def said_in(reply: Reply) -> tuple[str | None, str]:
    """Return (what others may read, the end of it that is searched, with folded brackets)."""
    parted = part_reasoning(reply.text)
    return parted.public, fold_brackets(parted.words[-LONGEST_SEARCH:])


def step_confidences(words: str) -> tuple[list[float], str]:
    """Read (confidences in [0, 1] of step 1, 2, ..., status) from "Confidence of step 1: N%".

    If a step is missing, unreadable or stated in two ways there are none, and `status` says why: as
    for `confidence_in`, or "no steps", "a step is missing".
    """
    by_step: dict[int, set[tuple[float | None, str]]] = {}
    for line in matches(STEP, words, 500):
        by_step.setdefault(int(line["step"] or line["number"]), set()).add(number_in(line["words"]))
    if not by_step:
        return [], "no steps"
    # A product over the steps that could be read would be too high.
    if sorted(by_step) != list(range(1, len(by_step) + 1)):
        return [], "a step is missing"
    steps = []
    for _, read in sorted(by_step.items()):
        if len(read) > 1:
            return [], "several numbers"
        ((value, status),) = read
        if value is None:
            return [], status
        steps.append(value)
    return steps, READ


def guesses(words: str, *, letters: str = "") -> tuple[Guess, ...]:
    """Read the guesses G1, G2, ... of a reply with their probabilities P1, P2, ..., by rank.

    They end before the first rank without a guess.  With `letters` ("ABCD") a guess is a letter.  A
    guess or a probability that is stated twice in two ways is None ("several numbers").
    """
    stated: dict[tuple[str, int], set[str]] = {}
    marks = list(GUESS.finditer(words))
    # A guess ends where the next mark begins, for replies that put all of them on one line.
    ends = [mark.start() for mark in marks[1:]] + [len(words)]
    for mark, end in zip(marks, ends, strict=False):
        guess = words[mark.end() : end].partition("\n")[0].strip(EDGES)
        stated.setdefault((mark["kind"].upper(), int(mark["rank"])), set()).add(guess)
    ranks = range(1, 1 + sum(kind == "G" for kind, _ in stated))
    probabilities = [probability_words(stated.get(("P", rank), set())) for rank in ranks]
    # One bare number above 1 shows that the reply counts in percent, so that a bare 0.6 beside it
    # may be 0.6 percent.
    percents = any(is_percent(number) for number in probabilities if number is not None)
    read: list[Guess] = []
    for rank, number in zip(ranks, probabilities, strict=True):
        if ("G", rank) not in stated:
            break
        texts = stated["G", rank]
        answer = guess_in(texts.pop(), letters) if len(texts) == 1 else None
        probability: float | None = None
        if number is None:
            status = "several numbers" if stated.get(("P", rank)) else "no probability"
        else:
            probability, status = probability_in(number, percents)
        read.append(Guess(answer, probability, status))
    return tuple(read)


def ranked_guesses(said: Turn, letters: str) -> tuple[Guess, ...]:
    """Return the guesses of a turn that `top_guess` has read, by rank.

    Of a turn whose guesses had to be asked for once more the first alone is known.
    """
    if said.answer is None:
        return ()
    read = guesses(fold_brackets((said.public or "")[-LONGEST_SEARCH:]), letters=letters)
    # Stated in public words, so that they are nobody's secret.
    first = reveal(said.confidence)
    known = read[:1] == (Guess(said.answer, first, READ),)
    return read if known else (Guess(said.answer, first, said.confidence_status),)


def probability_words(stated: set[str]) -> str | None:
    """Return the words after a P; None if there are none, or two kinds of them."""
    return next(iter(stated)) if len(stated) == 1 else None


def is_percent(words: str) -> bool:
    """Return whether the words are a bare number above 1, which can only be a percentage."""
    number = NUMBER.fullmatch(words.strip())
    if number is None or number["percent"] or number["whole"]:
        return False
    return float(number["number"]) > 1


def probability_in(words: str, percents: bool) -> tuple[float | None, str]:
    """Read (probability in [0, 1] or None, status) from the words after a P.

    `percents` says that another P is a bare percentage.
    """
    value, status = number_in(words)
    if status != "ambiguous scale" or percents:
        return value, status
    stated = {float(number["number"]) for number in NUMBER.finditer(words)}
    return (round(stated.pop(), 9), READ) if len(stated) == 1 else (None, "several numbers")


def guess_in(words: str, letters: str) -> str | None:
    """Return the answer that a guess gives, out of its box if it has one.

    None if it is empty, too long, or names no letter.
    """
    if letters:
        # As if it had been said in full, so that the same rules decide about letters.
        return choice(f"Answer: {words}", letters)
    answer = extract_boxed(words) or words.rstrip(". ")
    return answer if answer and len(answer) <= MAX_ANSWER_CHARACTERS else None


def answer_and_confidence(
    reply: Reply | str, *, letters: str = "", options: Sequence[str] = (), reask: bool = True
) -> Reading:
    """Read an answer (with `letters`, a letter) and the line "Confidence: N%".

    Flags say why there is no answer, as of `protocols.parsing.answers.answer`, `confidence_status`
    why there is no confidence; `reask` asks once more for the unreadable part.
    """
    reply = as_reply(reply)
    public, words = said_in(reply)
    answer, flags = _answer(reply, words, letters, options)
    confidence, status = _stated(reply, words, confidence_in)
    reading = _reading(public, answer, flags, confidence, status, ASK_CONFIDENCE)
    return reading if reask else replace(reading, reask=None, missing=())


def answer_apart_from_confidence(
    reply: Reply | str, *, letters: str = "", options: Sequence[str] = (), reask: bool = True
) -> Reading:
    """Read a reply as `answer_and_confidence`, with a public face that does not hold the number.

    So that the protocol decides who sees it.  `reask` asks once more for what cannot be read.
    """
    reading = answer_and_confidence(reply, letters=letters, options=options, reask=reask)
    public = reading.public and WITHOUT_CONFIDENCE.sub("", reading.public).strip()
    return replace(reading, public=public or None)


def answer_and_steps(
    reply: Reply | str,
    *,
    letters: str = "",
    options: Sequence[str] = (),
    score: StepScore = "overall",
) -> Reading:
    """Read a reply in steps, else as `answer_and_confidence`.

    `score` takes the confidence that is stated in the whole, or the `product` of the steps'.
    """
    reply = as_reply(reply)
    public, words = said_in(reply)
    answer, flags = _answer(reply, words, letters, options)
    read = confidence_in if score == "overall" else step_product
    confidence, status = _stated(reply, words, read)
    return _reading(public, answer, flags, confidence, status, ASK_STEPS)


def step_product(words: str) -> tuple[float | None, str]:
    """Read (product of the confidences of all steps or None, status)."""
    steps, status = step_confidences(words)
    return (math.prod(steps) if steps else None), status


def top_guess(reply: Reply | str, *, letters: str = "") -> Reading:
    """Read the first of several guesses as the answer, its probability as the confidence.

    Flags: "no guess", and "probabilities above 1" if those of a reply sum to more than 1.01, which
    changes nothing.
    """
    reply = as_reply(reply)
    public, words = said_in(reply)
    reason = unfinished_reason(reply)
    ranked = () if reason else guesses(words, letters=letters)
    first = ranked[0] if ranked else Guess(None, None, reason or "no guess")
    flags: tuple[str, ...] = () if first.answer is not None else (reason or "no guess",)
    # Rounded probabilities of several guesses may sum to a bit more than 1.
    if math.fsum(guess.probability or 0.0 for guess in ranked) > 1.01:
        flags += ("probabilities above 1",)
    return _reading(
        public, first.answer, flags, first.probability, first.status, ASK_GUESSES, ASK_GUESSES
    )


def confidence_only(reply: Reply | str) -> Reading:
    """Read the line "Confidence: N%" of a reply about an answer that it was given."""
    reply = as_reply(reply)
    public, words = said_in(reply)
    confidence, status = _stated(reply, words, confidence_or_number)
    missing = ("confidence",) if confidence is None else ()
    reask = ASK_CONFIDENCE if missing else None
    return Reading(public, None, confidence, status, reask=reask, missing=missing)


def confidence_or_number(words: str) -> tuple[float | None, str]:
    """Read a confidence as `confidence_in` does, or a reply that is nothing but the number."""
    confidence, status = confidence_in(words)
    if status == "no confidence" and len(words) <= LONGEST_LINE:
        number = with_plain_digits(words).strip(EDGES + ".\n$")
        return number_in(number) if NUMBER.fullmatch(number) else (None, status)
    return confidence, status


def true_or_false(reply: Reply | str) -> Reading:
    """Read "True" or "False" as the answer; None, with a flag, for any other reply."""
    reply = as_reply(reply)
    public, words = said_in(reply)
    word = words.strip().strip("().*\"' ").casefold()
    answer = {"true": "True", "false": "False"}.get(word)
    if unfinished_reason(reply):
        answer = None
    flags = () if answer else ("neither True nor False",)
    return Reading(public, answer=answer, flags=flags)


def true_or_begun(reply: Reply | str) -> Reading:
    """Read a reply of one token: "True" or "False", or a beginning of one of them.

    Such a reply is always cut off; one that was filtered or refused says nothing.
    """
    reply = as_reply(reply)
    public, words = said_in(reply)
    begun = words.strip().lstrip("(*\"' ").partition("\n")[0].strip(".)*\"' ").casefold()
    word = begun.partition(" ")[0]
    # A single letter may begin any word.
    is_begun = len(word) > 1
    fits = [each for each in ("True", "False") if is_begun and each.casefold().startswith(word)]
    # A finished reply is read whole, as "True" and nothing else.
    whole = true_or_false(reply).answer
    answer = whole or (fits[0] if fits and unfinished_reason(reply) == CUT_OFF else None)
    return Reading(public, answer=answer, flags=() if answer else ("neither True nor False",))


def _answer(
    reply: Reply, words: str, letters: str, options: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """Return (answer, flags) of a reply without its reasoning and its confidence."""
    # A confidence is no answer, neither on a line of its own nor behind one.
    answer, flags = find_answer(reply, WITHOUT_CONFIDENCE.sub("", words).strip(), letters, options)
    if answer is not None and letters and answer not in letters:
        return None, ("no letter",)
    return answer, flags


def _stated(
    reply: Reply, words: str, read: Callable[[str], tuple[float | None, str]]
) -> tuple[float | None, str]:
    """Return (confidence, status) of a reply; a reply that was not finished states none."""
    reason = unfinished_reason(reply)
    return (None, reason) if reason else read(words)


def _reading(
    public: str | None,
    answer: str | None,
    flags: tuple[str, ...],
    confidence: float | None,
    status: str,
    ask_confidence: str,
    ask_both: str = "",
) -> Reading:
    """Return the reading of a reply in which an answer and a confidence were asked for."""
    lacks_answer = ("answer",) if answer is None else ()
    missing = (*lacks_answer, *(("confidence",) if confidence is None else ()))
    asks = {
        (): None,
        ("answer",): ask_both or ASK_ANSWER,
        ("confidence",): ask_confidence,
        ("answer", "confidence"): ask_both or ASK_ANSWER_AND_CONFIDENCE,
    }
    return Reading(public, None, confidence, status, answer, flags, asks[missing], missing)
