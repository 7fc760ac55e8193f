"""Read replies: apply a protocol's reader, and check the reading before it is stored.

A reader takes the whole reply: its text, its reasoning and how it ended.  A reply that a filter
ended, or that is a refusal or an error, is never an answer and never a vote, whatever its reader
says; of one that reached its limit the readers know what was said to the end.
"""

from __future__ import annotations

import asyncio
import functools
import html
import inspect
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from arena.errors import ProtocolError, ReaderError
from arena.play.reasoning import part_reasoning
from arena.private import reveal
from arena.store.replay import StoredTurn
from arena.text import normalised, words_of
from arena.types import NOT_ASKED, STATED, Reading, Reply

Reader = Callable[[Reply], Reading]
# A longer reply is read in a thread, so that the others of a run go on meanwhile.
LONG_REPLY = 20_000
CUT_OFF = "cut off"
# How a reply ended, by the words of providers, as `plain_word` writes them.
FINISH_REASONS = {
    **dict.fromkeys(("abort", "pause_turn", "not_finished", "in_progress", "queued"), CUT_OFF),
    **dict.fromkeys(("recitation", "spii", "error_toxic", "sensitive", "language"), "filtered"),
    "model_armor": "filtered",
    **dict.fromkeys(("other", "insufficient_system_resource"), "failed"),
}
# Of words that are not listed their parts tell, the first that fits.  A word in which none of them
# stands means that the model ended its reply, as "stop", "eos_token" and "complete" do.
PARTS_OF_REASONS = {
    **dict.fromkeys(("filter", "safety", "guardrail", "block", "prohibited"), "filtered"),
    **dict.fromkeys(("moderation", "policy", "violation"), "filtered"),
    "refus": "refused",
    **dict.fromkeys(("limit", "max", "length", "truncat", "incomplete"), CUT_OFF),
    **dict.fromkeys(("exceeded", "timeout", "timed_out", "interrupt"), CUT_OFF),
    **dict.fromkeys(("error", "fail", "cancel", "malformed", "unexpected", "too_many"), "failed"),
}
# Escapes of JSON and Markdown: of a character, of white space, of a mark.
ESCAPED = re.compile(r"\\(?:u(?P<code>[0-9a-fA-F]{4})|[nrtbf]|(?P<mark>[^\w\s]|_))")
TAG = re.compile(r"<[^<>]{0,80}>")
# What a reader is tried with before the first reply that it gets.
SAMPLE = "A sample of a reply."
# A reply in which no reader finds what was asked for.
NOTHING = "…"
TAKES_TEXT = (
    "the reader {name} takes text; a reader takes the whole Reply now (text, reasoning,"
    " finish_reason): wrap it, read=text_only({name}) from arena.play.reading, or let it take the"
    " Reply; the next release refuses it"
)


def as_reply(reply: Reply | str) -> Reply:
    """Return a reply, or a text as one that was finished."""
    return Reply(reply) if isinstance(reply, str) else reply


def unfinished_reason(reply: Reply) -> str | None:
    """Return "cut off", "filtered", "refused" or "failed"; None if the model ended the reply."""
    return reason_of_word(reply.finish_reason or "")


# Providers have few words, and every reply brings one.
@functools.lru_cache(256)
def reason_of_word(finish_reason: str) -> str | None:
    """Return what a provider's word for the end of a reply says, as `unfinished_reason` does."""
    word = plain_word(finish_reason)
    if word in FINISH_REASONS:
        return FINISH_REASONS[word]
    return next((reason for part, reason in PARTS_OF_REASONS.items() if part in word), None)


def plain_word(word: str) -> str:
    """Return a provider's word in small letters, with underscores and without its enum's name."""
    word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word.rpartition(".")[2])
    word = re.sub(r"[\s_-]+", "_", word.strip()).casefold()
    return word.removeprefix("finish_").removeprefix("reason_")


def read_as_public(reply: Reply) -> Reading:
    """Read a reply without private words: all of it is public, except its reasoning."""
    parted = part_reasoning(reply.text)
    return Reading(public=parted.words if parted.reasoning is None else parted.public)


def text_only(read: Callable[[str], Reading]) -> Reader:
    """Make a reader of replies out of one that reads text.

    It gets the text without reasoning.  A reply that was not finished gives no answer and no
    confidence, since the text alone does not tell what was said to the end.
    """

    @functools.wraps(read, updated=())
    def read_text(reply: Reply) -> Reading:
        reading = read(part_reasoning(reply.text).words)
        return without_vote(reading, unfinished_reason(reply))

    # Not the annotations of the reader of text, which would say that this one takes text.
    del read_text.__wrapped__
    read_text.__annotations__ = {"reply": "Reply", "return": "Reading"}
    return read_text


def without_vote(reading: Reading, reason: str | None) -> Reading:
    """Return a reading without answer and confidence if there is a reason, which is its flag."""
    if reason is None or not isinstance(reading, Reading):
        return reading
    status = reading.confidence_status
    status = status if status == NOT_ASKED and reading.confidence is None else reason
    flags = tuple(dict.fromkeys((*reading.flags, reason)))
    return replace(
        reading,
        answer=None,
        confidence=None,
        confidence_status=status,
        flags=flags,
        measures=None,
    )


def check_reader(read: Callable[[Any], Reading]) -> Reader:
    """Return a reader that takes a Reply, before anything is asked.

    One that takes text, as in version 0.1.0, is wrapped in `text_only`, with a DeprecationWarning.
    Raises ReaderError for one that can read neither.
    """
    name = getattr(read, "__qualname__", None) or repr(getattr(read, "func", read))
    kind = kind_of_reader(read)
    if kind == "text":
        warnings.warn(TAKES_TEXT.format(name=name), DeprecationWarning, stacklevel=4)
        return text_only(read)
    if kind != "reply":
        raise ReaderError(
            f"the reader {name} can read no reply ({kind}); a reader takes a Reply, or is wrapped"
            " in text_only, and returns a Reading"
        )
    return read


def kind_of_reader(read: Callable[[Any], Reading]) -> str:
    """Return "reply" or "text", what a reader takes, or else why it fails with both.

    By the annotation of its parameter; a reader without one is tried, once for all readers made of
    the same code.
    """
    function = inspect.unwrap(read.func if isinstance(read, functools.partial) else read)
    key = getattr(getattr(function, "__func__", function), "__code__", function)
    try:
        if key in KINDS:
            return KINDS[key]
    except TypeError:  # an object that is called and cannot be hashed
        return tried_kind(read)
    if len(KINDS) > 1000:
        KINDS.clear()
    kind = annotated_kind(read) or tried_kind(read)
    # A reader that failed is tried again: what it calls may have been mended.
    if kind in ("reply", "text"):
        KINDS[key] = kind
    return kind


KINDS: dict[object, str] = {}


def annotated_kind(read: Callable[[Any], Reading]) -> str | None:
    """Return "reply" or "text" by the annotation of a reader's parameter, None without one."""
    try:
        parameters = inspect.signature(read).parameters.values()
    except (TypeError, ValueError):
        return None
    annotation = next((parameter.annotation for parameter in parameters), None)
    if annotation in (str, "str"):
        return "text"
    return "reply" if "Reply" in getattr(annotation, "__name__", str(annotation)) else None


def tried_kind(read: Callable[[Any], Reading]) -> str:
    """Return "reply" or "text" by giving a reader a sample of both, else why it fails."""
    try:
        read_reply(read, Reply(SAMPLE, finish_reason="stop"), "the rehearsal")
    except (TypeError, AttributeError, ProtocolError) as error:
        problem = f"{type(error).__name__}: {error}"
    except Exception:
        # It got as far as the words, and these may be what it fails with.
        return "reply"
    else:
        return "reply"
    try:
        read_reply(text_only(read), Reply(SAMPLE), "the rehearsal")
    except Exception:
        return problem
    return "text"


def reask_of_nothing(read: Reader) -> str | None:
    """Return what a reader asks once more when it can read nothing, None if it asks nothing."""
    try:
        return read_reply(read, Reply(NOTHING, finish_reason="stop"), "the rehearsal").reask
    except Exception:
        # A reader of a user need not expect such a reply.
        return None


def public_in_form(read: Reader, form: str) -> str | None:
    """Return the public words that a reader finds in the form in which it asks once more."""
    try:
        return read_reply(read, Reply(form, finish_reason="stop"), "the dry run").public
    except Exception:
        # A form holds no reply, which a reader may say; then the estimate takes other words.
        return None


async def read_off_loop(read: Reader, reply: Reply, seat: str) -> Reading:
    """Read a reply as `read_reply` does, a long one in a thread."""
    if len(reply.text) < LONG_REPLY:
        return read_reply(read, reply, seat)
    return await asyncio.to_thread(read_reply, read, reply, seat)


def read_reply(read: Reader, reply: Reply, seat: str) -> Reading:
    """Return the reading of a reply, or raise ProtocolError if it cannot be stored."""
    reading = read(reply)
    if not isinstance(reading, Reading):
        raise ProtocolError(
            f"the reader of {seat} must return a Reading, found {type(reading).__name__}"
        )
    for name in ("public", "thoughts", "answer", "reask", "confidence_source"):
        value = getattr(reading, name)
        if not isinstance(value, str | None):
            raise ProtocolError(f"the reader of {seat} gave no text as {name}: {value!r:.80}")
    if reading.public is not None and not reading.composed and not is_of(reading.public, reply):
        raise ProtocolError(
            f"the reader of {seat} made words public that do not stand in the reply; if it adds"
            " words of its own on purpose, let it say Reading(..., composed=True)"
        )
    if tells_thoughts(reading, reply):
        raise ProtocolError(
            f"the reader of {seat} made the passage public that it gives as private thoughts; let"
            " public be the rest of the reply, or leave thoughts None where all of it is public"
        )
    if reading.measures is not None:
        check_measures(reading.measures, seat)
    reason = unfinished_reason(reply)
    if reason not in (None, CUT_OFF):
        reading = without_vote(reading, reason)
    confidence = reading.confidence
    source = None if confidence is None else reading.confidence_source or STATED
    if source != reading.confidence_source:
        reading = replace(reading, confidence_source=source)
    if confidence is None or (type(confidence) in (float, int) and 0 <= confidence <= 1):
        return reading
    if not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise ProtocolError(
            f"the reader of {seat} gave a confidence of {confidence!r:.40};"
            " it must lie in [0, 1], or be None"
        )
    # A subclass of float, such as numpy has, cannot be written as JSON.
    return replace(reading, confidence=float(confidence))


def check_measures(measures: Mapping[str, float], seat: str) -> None:
    """Raise ProtocolError for a stated number without its name, or that is none."""
    for name, value in measures.items():
        # Of a measure without that name nobody could tell that it is stated, and private.
        if not (isinstance(name, str) and name.startswith(STATED)):
            raise ProtocolError(
                f"the reader of {seat} gave a number named {name!r:.60}; names of numbers that a"
                f" reply states begin with {STATED!r}"
            )
        if type(value) not in (float, int) or not math.isfinite(value):
            raise ProtocolError(f"the reader of {seat} gave no number as {name!r}: {value!r:.40}")


def tells_thoughts(reading: Reading, reply: Reply) -> bool:
    """Return whether the very passage that is read as private thoughts is public as well.

    Words that a reply says in private and in public stand in it once more than in public.
    """
    thoughts, public = (reading.thoughts or "").strip(), reading.public or ""
    if len(thoughts) < 40 and len(thoughts.split()) < 8:
        # Of a few words, such as "I agree", it cannot be told.
        return False
    return 0 < reply.text.count(thoughts) <= public.count(thoughts)


def is_of(public: str, reply: Reply) -> bool:
    """Return whether words stand in a reply's text in this order, perhaps with others between.

    Escapes of HTML, JSON and Markdown are read as what they stand for.
    """
    if public in reply.text:
        return True
    written = ESCAPED.sub(unescaped, html.unescape(reply.text))
    # As it is written first: LaTeX such as \boxed begins as an escape does.
    # Taking a tag out leaves a gap, or none.
    for text in (reply.text, written, TAG.sub("", written)):
        words = iter(words_of(normalised(text)))
        if all(word in words for word in words_of(normalised(public))):
            return True
    return False


def unescaped(found: re.Match[str]) -> str:
    """Return what an escape stands for: a character, a mark, or white space."""
    if found["code"] is not None:
        return chr(int(found["code"], 16))
    return found["mark"] or " "


def stored_reply(row: Mapping[str, Any]) -> Reply:
    """Return the stored first reply of a turn, as far as readers look at it."""
    return Reply(
        row["text"], row.get("reasoning"), row.get("model_served"), row.get("finish_reason")
    )


def first_reading(stored: StoredTurn, read: Reader, seat: str) -> Reading:
    """Return the reading of a stored first reply; it is read anew only if the reader had failed."""
    turn = stored.turn
    if stored.reask_prompt is None:
        return read_reply(read, stored_reply(stored.row), seat)
    return Reading(
        turn.public,
        reveal(turn.thoughts),
        reveal(turn.confidence),
        turn.confidence_status,
        turn.answer,
        turn.flags,
        stored.reask_prompt,
        confidence_source=turn.confidence_source,
        measures=stated_measures(stored.row),
    )


def stated_measures(row: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the numbers that the reply of a stored turn states, None without any."""
    measures = row.get("measures") or {}
    return {name: each for name, each in measures.items() if name.startswith(STATED)} or None


def fill_gaps(first: Reading, second: Reading) -> Reading:
    """Return the first reading with its gaps filled from the reply to the re-ask.

    Everything that was readable in the first reply stays.  `missing` names what neither reply gave:
    the second need hold no more than was asked for.
    """
    # Number and status come from one reply, so that a status never describes another number.
    rated = first.confidence is not None or first.confidence_status == NOT_ASKED
    rating = first if rated else second
    # A flag doubts the words of one reply, so the flags of the reply that gave the speech are kept;
    # if no reply gave one, the flags of both.
    if first.public is not None:
        flags = first.flags
    else:
        flags = second.flags if second.public is not None else first.flags + second.flags
    merged = Reading(
        public=first.public if first.public is not None else second.public,
        thoughts=first.thoughts if first.thoughts is not None else second.thoughts,
        confidence=rating.confidence,
        confidence_status=rating.confidence_status,
        answer=first.answer if first.answer is not None else second.answer,
        flags=tuple(dict.fromkeys(flags)),
        confidence_source=rating.confidence_source,
        measures={**(second.measures or {}), **(first.measures or {})} or None,
    )
    missing = tuple(part for part in missing_parts(first) if not holds(merged, part))
    return replace(merged, missing=missing)


def holds(reading: Reading, part: str) -> bool:
    """Return whether a reading holds a part by name: one of its fields, or a stated number."""
    if part.startswith(STATED):
        return part in (reading.measures or {})
    return getattr(reading, part, None) is not None


def missing_parts(reading: Reading) -> tuple[str, ...]:
    """Return the parts of a reading that were asked for and could not be read.

    Of a reader that does not say which, they are told from what it left empty.
    """
    if reading.missing or reading.reask is None:
        return reading.missing
    unrated = reading.confidence is None and reading.confidence_status != NOT_ASKED
    speech = ("public",) if reading.public is None else ()
    return (*speech, *(("confidence",) if unrated else ())) or ("answer",)
