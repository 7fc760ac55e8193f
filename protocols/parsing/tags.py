"""Take a reply apart: public speech, private thoughts, and rating.

A reply in, arena.types.Reading out; no state.

A reply has up to three blocks, `<speech>`, `<thoughts>` and `<rating>`; the first two may come in
either order, since version 1 of the debate asked for the thoughts first.  Public are only the words
between exactly one opening and one closing speech tag, outside the thoughts, with nothing inside
that may be private (privacy.py).  What leaves no doubt is read as well: parts under labels or in
JSON (forms.py), the form in which a prompt shows an author its own earlier turn, words between
clean thoughts and a rating, and a speech whose end is shown by the thoughts or the rating that
follow.

Broken tags are decided for privacy: all from the first to the last tag of thoughts is private, and
so is a speech in there.  A rating is searched only outside speech and thoughts (ratings.py), so
that a quoted tag of an opponent is never one's own rating.  What is ambiguous is asked for once
more, and then missing with its reason.

The published study (arXiv 2505.19184) took the first tag that matched, clamped numbers to 0..100,
removed lower-case tags only, and let a person type unreadable ratings; none of this is done here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from arena.play.reading import CUT_OFF, as_reply, unfinished_reason, without_vote
from arena.play.reasoning import PLAIN_MARKS, matches, part_reasoning
from arena.types import STATED, Reading, Reply
from protocols.parsing.blocks import (
    NAMED_SPEECH,
    Block,
    Tag,
    blocks_of,
    brackets_as_tags,
    edges_of,
    inner,
    matches_of_tag,
    outside,
    span,
    tags_in,
)
from protocols.parsing.forms import Sections, json_sections, labelled_sections, part_named
from protocols.parsing.numbers import number_in
from protocols.parsing.privacy import (
    disguises,
    fold_brackets,
    is_addressed,
    is_private,
    unescape,
    without_structure,
)
from protocols.parsing.ratings import TAGGED, last_line_rating, rating_in

# What remains of a longer reply without its reasoning is not read: hostile text must cost little.
LONGEST_REPLY = 200_000
# What may follow a rating and mean nothing.
LONGEST_END = 300
# No bracket or ampersand inside, so that nothing in there can look like a tag.
EXACT_FORM = re.compile(
    r"\s*(?:<speech>(?P<speech>[^<>\[{&]*)</speech>\s*<thoughts>(?P<thoughts>[^<>\[{&]*)</thoughts>"
    r"|<thoughts>(?P<first>[^<>\[{&]*)</thoughts>\s*<speech>(?P<second>[^<>\[{&]*)</speech>)"
    r"\s*<rating>(?P<rating>[0-9]{1,3}%?)</rating>\s*"
)

SPEECH_FORM = "<speech>the words that everybody may read</speech>"
RATING_FORM = "<rating>N%</rating>"
ASK_SPEECH = (
    "Your speech could not be read. Give it once more, exactly in this form and with no other tag"
    f" inside:\n{SPEECH_FORM}"
)
ASK_RATING = (
    "Your rating could not be read. Give the rating that you meant once more, exactly in this"
    f" form, where N stands for one number from 0 to 100:\n{RATING_FORM}"
)
ASK_BOTH = (
    "Neither your speech nor your rating could be read. Give both once more, exactly in this form,"
    " with no other tag inside the speech; N stands for one number from 0 to"
    f" 100:\n{SPEECH_FORM}\n{RATING_FORM}"
)


REASKS = {
    ("public",): ASK_SPEECH,
    ("confidence",): ASK_RATING,
    ("public", "confidence"): ASK_BOTH,
}


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """A reply without its reasoning, in parts.

    `rest` is the text outside speech and thoughts, with folded brackets.
    """

    speech: str | None
    thoughts: str | None
    rest: str
    flags: tuple[str, ...]


def speech_and_confidence(reply: Reply | str, source: str = STATED) -> Reading:
    """Read speech, private thoughts and rating of one reply; a text is a reply that was finished.

    The rating of 0 to 100 becomes a confidence in [0, 1], whose `source` says what kind of number
    was asked for ("stake").  `confidence_status` is "read", or why
    there is none: "no rating tag", "no number", "several numbers", "out of range", "ambiguous
    scale", or how the reply ended.  Flags: "no speech tag", "broken speech tag", "empty speech",
    "tags inside the speech", "reply too long" (then there is no public speech), "broken thoughts
    tag" (then there are no thoughts; thoughts that were never begun are just None), and "cut off",
    "filtered", "refused" or "failed".  `reask` asks for the speech, the rating or both, whichever
    could not be read.
    """
    reading = read_parts(as_reply(reply), rated=True)
    if reading.confidence is None or reading.confidence_source == source:
        return reading
    return replace(reading, confidence_source=source)


def speech_only(reply: Reply | str) -> Reading:
    """Read speech and private thoughts of a reply in which no rating was asked for.

    Flags as in `speech_and_confidence`.
    """
    return read_parts(as_reply(reply), rated=False)


def rating_alone(reply: Reply | str, source: str = STATED) -> Reading:
    """Read private thoughts and rating of a reply in which no speech was asked for.

    Nothing of it is public: the public words are "".  Status, flags and `reask` are as of
    `speech_and_confidence`, without what concerns a speech.
    """
    reading = speech_and_confidence(reply, source)
    flags = tuple(flag for flag in reading.flags if "speech" not in flag)
    missing = ("confidence",) if reading.confidence is None else ()
    return replace(reading, public="", flags=flags, missing=missing, reask=REASKS.get(missing))


def read_parts(reply: Reply, *, rated: bool) -> Reading:
    """Read a reply's parts, with its rating if it was asked for."""
    reason = unfinished_reason(reply)
    if rated and reason is None and (reading := read_exact_form(reply.text)) is not None:
        return reading
    cut_off = reason == CUT_OFF
    parts = parts_of(reply.text, cut_off=cut_off)
    reading = Reading(parts.speech, parts.thoughts, flags=parts.flags)
    if rated:
        confidence, status = rating_in(parts.rest, closed_only=cut_off)
        reading = replace(reading, confidence=confidence, confidence_status=status)
    if reason is not None and (reading.public is None or not cut_off):
        # The speech may be whole, but a reply that was not meant decides nothing.
        reading = without_vote(reading, reason)
    speech = ("public",) if reading.public is None else ()
    missing = (*speech, "confidence") if rated and reading.confidence is None else speech
    return replace(reading, missing=missing, reask=REASKS.get(missing))


def read_exact_form(text: str) -> Reading | None:
    """Read a reply that has exactly the form that was asked for; None for all others.

    Nothing inside may look like a tag.  The rest of this module reads such a reply alike, in five
    times the time.
    """
    # Other scripts have brackets and invisible characters of their own, which the slow way handles.
    match = EXACT_FORM.fullmatch(text) if text.isascii() and len(text) <= LONGEST_REPLY else None
    speech = (match["speech"] or match["second"] or "").strip() if match is not None else ""
    if match is None or not speech or is_private(speech):
        return None
    confidence, status = number_in(match["rating"])
    if confidence is None or holds_reasoning(text):
        return None
    thoughts = (match["thoughts"] or match["first"] or "").strip()
    return Reading(speech, thoughts or None, confidence, status, confidence_source=STATED)


def holds_reasoning(text: str) -> bool:
    """Return whether a text in the exact form holds reasoning beside its thoughts.

    Without brackets only an escaped mark, or one in plain words, can stand in it.
    """
    low = text.lower()
    if "\\" not in low and not any(mark in low for mark in PLAIN_MARKS):
        return False
    return part_reasoning(text, thoughts=False).reasoning is not None


def parts_of(text: str, *, cut_off: bool = False) -> ReplyParts:
    """Take a reply apart; nothing private or doubtful is in a part that others may read.

    Of a reply that was cut off only blocks that were closed are read.
    """
    reply = without_reasoning(text)
    if len(reply) > LONGEST_REPLY:
        return ReplyParts(None, None, "", ("reply too long",))
    if not cut_off and (sections := json_sections(reply)) is not None and is_named(sections):
        return parts_of_sections(sections, f"rating: {sections.rating}" if sections.rating else "")
    plain = without_structure(fold_brackets(reply))
    has_speech_tag = next(matches(SPEECH_TAG, plain, 60), None) is not None
    named = reply if has_speech_tag else NAMED_SPEECH.sub(r"<\1speech>", reply)
    shown = reply if has_speech_tag else brackets_as_tags(named)
    has_named_speech, as_shown = named != reply, shown != named
    if shown != reply:
        reply = shown
        plain = without_structure(fold_brackets(reply))
    tags = [tag for tag in tags_in(plain) if tag.name in ("thoughts", "speech")]
    if not tags and not cut_off and (parts := labelled_parts(reply)) is not None:
        return parts
    if not cut_off and (whole := with_whole_blocks(reply, plain, tags)) is not None:
        return parts_of(whole)
    parts = tagged_parts(reply, plain)
    # Words beside <opening_speech>, which nobody asked for, may be the speech as well.
    if has_named_speech and parts.rest.strip() and not is_only_rating(parts.rest):
        parts = replace(parts, speech=None, flags=("no speech tag", *parts.flags))
    if parts.speech is None and not cut_off:
        said = speech_without_end(reply, plain, tags, as_shown)
        if said is not None:
            return replace(parts, speech=said[0], rest=said[1], flags=parts.flags[1:])
    return parts


CLEAN_THOUGHTS = [("thoughts", True), ("thoughts", False)]
CLEAN_SPEECH = [("speech", True), ("speech", False)]
# A speech tag in any state: then what stands in square brackets may be a part of the speech.
SPEECH_TAG = re.compile(r"[<&][^<>]{0,20}?\bspeech\b", re.IGNORECASE)


def without_reasoning(text: str, *, thoughts: bool = False) -> str:
    """Return a reply without its reasoning, and unescaped if all of it was escaped.

    `thoughts` says whether tags called thoughts hold reasoning, too.  If one of our tags follows a
    thought that was never ended, nothing can be told apart any more, and nothing is left.
    """
    parted = part_reasoning(text, thoughts=thoughts)
    inside = fold_brackets(parted.inside[:LONGEST_REPLY])
    if parted.is_open and next(matches_of_tag(inside), None) is not None:
        return ""
    words = parted.words
    # A longer one is refused, whatever it is.
    if len(words) > LONGEST_REPLY:
        return words
    if "<" not in words and ("&lt;" in words or "\\u003c" in words):
        words = unescape(words)
    return words


def is_named(sections: Sections) -> bool:
    """Return whether any part of ours was found."""
    return bool(sections.speech or sections.thoughts or sections.rating or sections.repeated)


def labelled_parts(reply: str) -> ReplyParts | None:
    """Return the parts of a reply under labels; None if it has no labels of ours."""
    # The rating may be a tag all the same.
    tag = TAGGED.search(reply)
    labelled, end = (reply[: tag.start()], reply[tag.start() :]) if tag else (reply, "")
    sections = labelled_sections(labelled)
    if not (sections.speech or sections.thoughts or "speech" in sections.repeated):
        return None
    if end and not is_only_rating(end):
        sections = replace(sections, repeated=("speech",))
    rating = f"rating {sections.scale}: {sections.rating}\n" if sections.rating else ""
    return parts_of_sections(sections, rating + end)


def parts_of_sections(sections: Sections, rest: str) -> ReplyParts:
    """Return the parts of a reply under labels or in JSON, as far as they are beyond doubt."""
    speech = sections.speech or None
    doubt = None if speech else "no speech tag"
    if sections.repeated:
        doubt = "broken speech tag"
    elif speech and (
        sections.is_followed or has_part_line(speech) or has_tags(speech) or is_private(speech)
    ):
        doubt = "tags inside the speech"
    # Without a rating of its own, a number that ends the speech may be the rating.
    elif speech and not rest and last_line_rating(speech)[0] is not None:
        doubt = "broken speech tag"
    rating = "" if "rating" in sections.repeated else rest
    thoughts = None if "thoughts" in sections.repeated else sections.thoughts
    return ReplyParts(
        None if doubt else speech, thoughts or None, rating, (doubt,) if doubt else ()
    )


def has_part_line(speech: str) -> bool:
    """Return whether a line of a speech under a label is nothing but the name of a part."""
    return any(part_named(line.strip(" \t*_#[]:.")) for line in speech.splitlines())


def tagged_parts(reply: str, plain: str) -> ReplyParts:
    """Return the parts of a reply in tags."""
    blocks, strays = blocks_of(tags_in(plain), ("thoughts", "speech"))
    speeches = [block for block in blocks if block.opening.name == "speech"]
    thoughts = [block for block in blocks if block.opening.name == "thoughts"]
    # All from the first to the last trace of thoughts, whatever stands between, is private.
    private = span("thoughts", thoughts, strays, len(plain))
    # Thoughts are stored as such only if one clean block holds all their traces.
    clean = (
        len(thoughts) == 1
        and private == edges_of(thoughts[0])
        and all(tag.name != "thoughts" for tag in thoughts[0].inside)
    )
    stray = any(tag.well_formed and tag.name == "speech" for tag in strays)
    spoken = span("speech", speeches, strays, len(plain))
    doubt: str | None = "broken speech tag" if spoken[1] else "no speech tag"
    if len(speeches) == 1 and not stray:
        spoken = edges_of(speeches[0])
        # A speech that begins within the private range may be part of the thoughts.
        if not private[0] <= spoken[0] < private[1]:
            doubt = speech_problem(speeches[0], reply)
    speech = None if doubt else inner(speeches[0], reply)
    broken = "broken thoughts tag" if private[1] and not clean else None
    flags = tuple(flag for flag in (doubt, broken) if flag)
    words = inner(thoughts[0], reply) or None if clean else None
    return ReplyParts(speech, words, outside(plain, private, spoken), flags)


def with_whole_blocks(reply: str, plain: str, tags: Sequence[Tag]) -> str | None:
    """Return a reply with the tags that its blocks lack, where no doubt is left; otherwise None.

    These are thoughts in brackets after a speech, as a prompt shows an author its own earlier
    ones, and the end of a speech before clean thoughts, or of thoughts after a clean speech, if a
    rating follows and nothing else.
    """
    states = [(tag.name, tag.opens) for tag in tags]
    if states[:2] == CLEAN_SPEECH and all(tag.well_formed for tag in tags[:2]):
        end = tags[1].end
        if reply[end:] != (shown := brackets_as_tags(reply[end:])):
            return reply[:end] + shown
    words = [plain[tag.start : tag.end] for tag in tags]
    # A tag in brackets of another kind is no sign that is beyond doubt.
    if words != [reply[tag.start : tag.end] for tag in tags]:
        return None
    if not all(tag.well_formed for tag in tags) or any(map(is_addressed, words)):
        return None
    if states == [("speech", True), *CLEAN_THOUGHTS]:
        name, end, rest = "speech", tags[1].start, tags[2].end
    elif states == [*CLEAN_SPEECH, CLEAN_THOUGHTS[0]]:
        end = start_of_rating(plain, tags[2].end)
        name, rest = "thoughts", end
    else:
        return None
    return f"{reply[:end]}</{name}>{reply[end:]}" if is_only_rating(plain[rest:]) else None


def speech_without_end(
    reply: str, plain: str, tags: Sequence[Tag], as_shown: bool
) -> tuple[str, str] | None:
    """Return (speech, text of the rating) of a reply whose tags are incomplete but leave no doubt.

    These are a speech that was never closed, a speech in thoughts that were never closed, and words
    beside clean thoughts without any tag; a rating follows, and nothing else.
    """
    if not all(tag.well_formed and not is_addressed(plain[tag.start : tag.end]) for tag in tags):
        return None
    states = [(tag.name, tag.opens) for tag in tags]
    if states == [("thoughts", True), ("speech", True), ("speech", False)]:
        place = tags[1].end, tags[2].start, tags[2].end
    elif states and states[-1] == ("speech", True) and states[:-1] in ([], CLEAN_THOUGHTS):
        begin = tags[-1].end
        rating = start_of_rating(plain, begin)
        place = begin, rating, rating
    elif states == CLEAN_THOUGHTS:
        rating = start_of_rating(plain, tags[1].end)
        place = tags[1].end, rating, rating
        if plain[: tags[0].start].strip():
            # Words on both sides may be an introduction; and only a turn as it is shown to its
            # author begins with the speech.
            if not as_shown or plain[tags[1].end : rating].strip():
                return None
            place = 0, tags[0].start, tags[1].end
    else:
        return None
    begin, end, rest = place
    words = without_label(reply[begin:end])
    if not words or not is_only_rating(plain[rest:]) or has_tags(words) or is_private(words):
        return None
    return words, plain[rest:]


def start_of_rating(plain: str, begin: int) -> int:
    """Return where the first rating tag after a place stands; the text's end without one."""
    tag = TAGGED.search(plain, begin)
    return tag.start() if tag else len(plain)


def without_label(words: str) -> str:
    """Return words without the label of a speech before them.

    Nothing is left if the label stands further down, or another one behind it: then a part of the
    words is no speech.
    """
    sections = labelled_sections(words)
    if sections.speech is None:
        return words.strip()
    is_label = "speech" in words.lstrip().partition("\n")[0][:40].lower()
    return sections.speech if is_label and not sections.is_followed else ""


def is_only_rating(text: str) -> bool:
    """Return whether a text states a rating and holds nothing else."""
    if len(text) > LONGEST_END or rating_in(text)[0] is None:
        return False
    return not TAGGED.sub("", text).strip(" \t\r\n`*_.~")


def has_tags(words: str) -> bool:
    """Return whether a tag of ours or the remnant of one stands in the words, in any disguise."""
    return any(any(tags_in(without_structure(form))) for form in disguises(words))


def speech_problem(speech: Block, reply: str) -> str | None:
    """Return why the words of a speech block are not public, None if they are."""
    words = inner(speech, reply)
    opening = reply[speech.opening.start : speech.opening.end]
    if speech.inside or is_addressed(opening) or is_private(words) or has_tags(words):
        return "tags inside the speech"
    return None if words else "empty speech"
