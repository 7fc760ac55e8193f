"""Take a reply apart: public speech, private thoughts, and rating.

Text in, arena.types.Reading out; no state.

A reply has up to three blocks, `<thoughts>`, `<speech>` and `<rating>`.  Public are only the words
between exactly one opening and one closing speech tag, outside the thoughts, with no remnant of any
of our tags inside.  Broken tags are decided for privacy: all from the first to the last tag of
thoughts is private, and so is a speech in there.  A rating is searched only outside speech and
thoughts, so that a quoted tag of an opponent is never one's own rating.  An ambiguous rating is not
a confidence: it is asked for once more, and then missing with its reason.

The published study (arXiv 2505.19184) took the first tag that matched, clamped numbers to 0..100,
removed lower-case tags only, and let a person type unreadable ratings; none of this is done here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from arena.types import READ, Reading

# Character for character, so that places in the folded text are places in the reply.
FOLD = str.maketrans("＜＞〈〉‹›◁▷［］【】｛｝／％−", "<><><><>[][]{}/%-")

# Three alternatives: a tag as asked for; a bracket, in any disguise, before one of our words; one
# of our words before a closing bracket.  All quantifiers are bounded or possessive (a{0,9}+):
# hostile text cannot make the search go back and forth.
TAG = re.compile(
    r"""<\s{0,9}+(?P<slash>/?+)\s{0,9}+(?P<name>thoughts|speech|rating)(?:\s[^<>]*+)?+>
    | (?:[<\[{]|&lt;|&\#0{0,6}60;|&\#x0{0,6}3c;) (?P<marks>[\s/*_`~"'\\!?.:=#|-]{0,12}+)
      (?:(?:my|own|private)[\s_-]{1,3}){0,2}
      (?P<broken>thought|speech|rating|think|reasoning) (?:s|ing)? (?![a-z])
    | (?P<end>/?)\b (?P<bare>thought|speech|rating|think|reasoning) (?:s|ing)? /? (?:>|&gt;)""",
    re.IGNORECASE | re.VERBOSE,
)
# TAG alone takes ten times as long to find nothing in a speech.
MARK = re.compile(r"[<>\[{&]")
# A line such as "My rating: 70" inside a speech gives away what is private without any tag.
LABEL = re.compile(
    r"^[\s>*_\#(\d.-]{0,9}+(?:(?:my|own|private)\s{1,3}){0,2}"
    r"(?:thoughts?|rating|confidence|bet)[\s*_]{0,4}+(?::|[-–—]\s)",
    re.IGNORECASE | re.MULTILINE,
)
# Tags that models use for emphasis and lists; any other tag in a speech may be somebody's name for
# private words.
HARMLESS_TAGS = frozenset(
    re.findall(
        r"\w+",
        "a b blockquote br cite code em h1 h2 h3 h4 h5 h6 hr i li ol p pre q s strong sub sup"
        " table tbody td th thead tr u ul",
    )
)
FOREIGN_TAG = re.compile(r"<(?:!|[/|]?([a-z_][\w|-]{0,40}+))", re.IGNORECASE)
FINAL = "<|channel|>final<|message|>"
CHANNEL = re.compile(r"<\|(?:channel|begin_of_thought|start)\|>", re.IGNORECASE)
REASONING = re.compile(
    r"<\s{0,9}+(?P<slash>/?+)\s{0,9}+(?:[a-z]{1,12}:)?(?:thinking|think|reasoning)(?:\s[^<>]*+)?+>",
    re.IGNORECASE,
)
# No bracket or ampersand inside, so that nothing in there can look like a tag.
EXACT_FORM = re.compile(
    r"\s*<thoughts>([^<>\[{&]*)</thoughts>\s*<speech>([^<>\[{&]*)</speech>"
    r"\s*<rating>([0-9]{1,3}%?)</rating>\s*"
)
NUMBER = re.compile(
    r"""(?P<minus>(?<![\w)%])-|\b(?:minus|negative)\s{1,9}+)?
    (?<![\w.]) (?P<number>[0-9]++(?:\.[0-9]++)?+|\.[0-9]++)
    (?: \s{0,9}+(?P<percent>%|per\s?cent\b|pct\b) )?+
    (?: \s{0,9}+(?:/|(?:out\s{1,9}+)?of\b)\s{0,9}+(?P<whole>100|10|1)(?!\w|\.\d) )?+ (?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)

DASHES = str.maketrans("–‑﹣—", "----")
EMPHASIS = re.compile(r"</?(?:b|i|em|strong|u)>", re.IGNORECASE)
# "less than 50" names many numbers, and "not 75" none.
BOUND = re.compile(
    r"[<>≤≥‰]|\b(?:less|more|fewer|under|over|above|below|least|most|not|mille)\b", re.IGNORECASE
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


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag or the remnant of one.

    A remnant is not `well_formed`; if it may be either, it opens and closes nothing for certain.
    `start` and `end` are character positions.
    """

    name: str
    opens: bool
    closes: bool
    well_formed: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Block:
    """An opening tag, its closing tag, and the tags between them."""

    opening: Tag
    closing: Tag
    inside: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """A reply without its reasoning, in parts.

    `rest` is the text outside speech and thoughts, with folded brackets.
    """

    speech: str | None
    thoughts: str | None
    rest: str
    flags: tuple[str, ...]


def speech_and_confidence(text: str) -> Reading:
    """Read speech, private thoughts and rating of one reply.

    The rating of 0 to 100 becomes a confidence in [0, 1].  `confidence_status` is "read", or why
    there is none: "no rating tag", "broken rating tag", "no number", "several numbers", "out of
    range", "ambiguous scale".  Flags: "no speech tag", "broken speech tag", "empty speech", "tags
    inside the speech" (then there is no public speech), "broken thoughts tag" (then there are no
    thoughts; thoughts that were never begun are just None).  `reask` asks for the speech, the
    rating or both, whichever could not be read.
    """
    if (reading := read_exact_form(text)) is not None:
        return reading
    parts = parts_of(text)
    confidence, status = rating_in(parts.rest)
    reask = ASK_RATING if confidence is None else None
    if parts.speech is None:
        reask = ASK_BOTH if confidence is None else ASK_SPEECH
    return Reading(parts.speech, parts.thoughts, confidence, status, flags=parts.flags, reask=reask)


def read_exact_form(text: str) -> Reading | None:
    """Read a reply that has exactly the form that was asked for; None for all others.

    Nothing inside may look like a tag.  The rest of this module reads such a reply alike, in five
    times the time.
    """
    # Other scripts have brackets and invisible characters of their own, which the slow way handles.
    match = EXACT_FORM.fullmatch(text) if text.isascii() else None
    speech = match[2].strip() if match is not None else ""
    if match is None or not speech or LABEL.search(speech):
        return None
    confidence, status = number_in(match[3])
    if confidence is None:
        return None
    return Reading(speech, match[1].strip() or None, confidence, status)


def speech_only(text: str) -> Reading:
    """Read speech and private thoughts of a reply in which no rating was asked for.

    Flags as in `speech_and_confidence`.
    """
    parts = parts_of(text)
    reask = ASK_SPEECH if parts.speech is None else None
    return Reading(parts.speech, parts.thoughts, flags=parts.flags, reask=reask)


def fold_brackets(text: str) -> str:
    """Return the text with the brackets of other scripts as ours, character for character."""
    return text if text.isascii() else text.translate(FOLD)


def without_reasoning(text: str) -> str:
    """Return the reply after its last block of reasoning (`<think>`, `<thinking>`, `<reasoning>`).

    Everything before a closing tag is private whether or not it was opened.  A tag that is opened
    and never closed makes all that follows private; if one of our tags follows, nothing can be told
    apart any more and nothing is left.
    """
    if CHANNEL.search(text):
        # Raw channels of a server that does not part them: only a message marked as final is read.
        return text.rpartition(FINAL)[2] if FINAL in text else ""
    plain = fold_brackets(text)
    # The last closing tag counts, opened or not: chat templates often open the block themselves.
    begin, unclosed = 0, None
    for tag in REASONING.finditer(plain):
        if tag["slash"]:
            begin, unclosed = tag.end(), None
        elif unclosed is None:
            unclosed = tag
    if unclosed is None:
        return text[begin:]
    return "" if TAG.search(plain, unclosed.end()) else text[begin : unclosed.start()]


def matches_of_tag(plain: str) -> Iterator[re.Match[str]]:
    """Yield the matches of TAG, one after another, in a tenth of the time.

    Every match begins with a mark, or ends with one after up to 14 letters.
    """
    at = 0
    while (mark := MARK.search(plain, at)) is not None:
        place = mark.start()
        for begin in range(max(at, place - 14), place + 1) if plain[place] in ">&" else (place,):
            if (match := TAG.match(plain, begin)) is not None:
                yield match
                at = match.end()
                break
        else:
            at = place + 1


def tags_in(plain: str) -> list[Tag]:
    """Return all our tags and their remnants in order, in text with folded brackets."""
    tags = []
    for match in matches_of_tag(plain):
        name = (match["name"] or match["broken"] or match["bare"]).lower()
        name = "thoughts" if name == "thought" else name
        closes = bool(match["slash"] or match["end"]) or "/" in (match["marks"] or "")
        opens = not (closes or match["bare"])
        tags.append(Tag(name, opens, closes, bool(match["name"]), match.start(), match.end()))
    return tags


def blocks_of(tags: Iterable[Tag], names: Sequence[str]) -> tuple[list[Block], list[Tag]]:
    """Return the outermost blocks of these names in order, and the tags that belong to none."""
    blocks, strays = [], []
    opened: Tag | None = None
    inside: list[Tag] = []
    for tag in tags:
        if opened is None:
            if tag.name in names and tag.well_formed and tag.opens:
                opened, inside = tag, []
            elif tag.name in names:
                strays.append(tag)
        # Inside a block only its own closing tag counts: a speech may quote thoughts, thoughts a
        # speech.
        elif tag.well_formed and tag.closes and tag.name == opened.name:
            blocks.append(Block(opened, tag, tuple(inside)))
            opened = None
        else:
            inside.append(tag)
    return blocks, strays if opened is None else [*strays, opened, *inside]


def span(name: str, blocks: Iterable[Block], strays: Iterable[Tag], length: int) -> tuple[int, int]:
    """Return the range from the first to the last tag of a name, (0, 0) without any.

    It reaches to the text's edge if the partner of an outermost tag may lie beyond.
    """
    tags = [*strays, *(tag for block in blocks for tag in (block.opening, block.closing))]
    edges = sorted((tag for tag in tags if tag.name == name), key=lambda tag: tag.start)
    if not edges:
        return 0, 0
    return edges[0].start if edges[0].opens else 0, edges[-1].end if edges[-1].closes else length


def parts_of(text: str) -> ReplyParts:
    """Take a reply apart; nothing private or doubtful is in a part that others may read."""
    reply = without_reasoning(text)
    plain = fold_brackets(reply)
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
            doubt = speech_problem(speeches[0], plain)
    speech = None if doubt else inner(speeches[0], reply)
    broken = "broken thoughts tag" if private[1] and not clean else None
    flags = tuple(flag for flag in (doubt, broken) if flag)
    words = inner(thoughts[0], reply) or None if clean else None
    return ReplyParts(speech, words, outside(plain, private, spoken), flags)


def edges_of(block: Block) -> tuple[int, int]:
    """Return the range of a block, tags included."""
    return block.opening.start, block.closing.end


def inner(block: Block, text: str) -> str:
    """Return the words between a block's tags."""
    return text[block.opening.end : block.closing.start].strip()


def speech_problem(speech: Block, plain: str) -> str | None:
    """Return why the words of a speech block are not public, None if they are."""
    words = inner(speech, plain)
    bare = words if words.isascii() else without_marks(words)
    foreign = any(
        (match[1] or "").lower() not in HARMLESS_TAGS for match in FOREIGN_TAG.finditer(bare)
    )
    if speech.inside or foreign or LABEL.search(bare) or any(tags_in(bare)):
        return "tags inside the speech"
    return None if words else "empty speech"


def without_marks(words: str) -> str:
    """Return the words in their compatibility form, without invisible characters of format."""
    # Full-width letters become plain ones, and zero-width characters could split a tag's name
    # unseen.
    words = unicodedata.normalize("NFKC", words)
    return words.translate({ord(c): None for c in set(words) if unicodedata.category(c) == "Cf"})


def outside(text: str, *spans: tuple[int, int]) -> str:
    """Return the text outside the spans, piece by piece."""
    pieces, at = [], 0
    # Spans may overlap, as thoughts and a doubtful speech do: `at` never goes back.
    for start, end in sorted(spans):
        pieces.append(text[at:start])
        at = max(at, end)
    return "\n".join((*pieces, text[at:]))


def rating_in(rest: str) -> tuple[float | None, str]:
    """Read (confidence in [0, 1] or None, status) from the rating tags in a text.

    The same number several times counts once.
    """
    blocks, strays = blocks_of((tag for tag in tags_in(rest) if tag.name == "rating"), ("rating",))
    # One broken tag makes all of them doubtful: the readable one may be a quotation.
    if strays or any(block.inside for block in blocks):
        return None, "broken rating tag"
    if not blocks:
        return None, "no rating tag"
    read = {number_in(inner(block, rest)) for block in blocks}
    return read.pop() if len(read) == 1 else (None, "several numbers")


def number_in(words: str) -> tuple[float | None, str]:
    """Read (confidence in [0, 1] or None, status) from the words in one rating tag.

    Read are "75", "72.5", "75%", "75 percent", "75/100", "7.5 out of 10", "0.75/1", and these with
    words around them.  A bare number above 0 and up to 1 is not: "0.75" may mean three quarters or
    less than one percent, and "1" certainty or one percent.  Digits are ASCII; digits that are no
    plain number, such as "1e2" or "７５", leave the whole unread.
    """
    if (whole := NUMBER.fullmatch(words)) is not None:
        return confidence_of(whole)
    words = EMPHASIS.sub(" ", words.translate(DASHES))
    # Digits that remain are of another script or part of something like "1e2".
    if any(character.isnumeric() for character in NUMBER.sub("", words)):
        return None, "no number"
    if BOUND.search(words):
        return None, "several numbers"
    read = {confidence_of(match) for match in NUMBER.finditer(words)}
    if not read:
        return None, "no number"
    return read.pop() if len(read) == 1 else (None, "several numbers")


def confidence_of(match: re.Match[str]) -> tuple[float | None, str]:
    """Return (confidence in [0, 1] or None, status) of one number with its sign and scale."""
    value = float(match["number"]) / int(match["whole"] or 100)
    if value > 1 or (match["minus"] and value > 0):
        return None, "out of range"
    if 0 < value <= 0.01 and not (match["percent"] or match["whole"]):
        return None, "ambiguous scale"
    # Rounded, so that one confidence in two notations is one member of a set of readings.
    return round(value, 9), READ
