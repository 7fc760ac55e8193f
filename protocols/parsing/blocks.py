"""Find the tags of a reply, well formed or broken, and the blocks that they make.

Positions are those of the text with folded brackets, which has a character for each of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
# [private thoughts: ...] and [rating: ...]: so a prompt shows an author its own earlier turn.
SQUARE_TAG = re.compile(r"\[(/?)(thoughts|speech|rating)\]", re.IGNORECASE)
# <opening_speech>, where there is no other speech tag.
NAMED_SPEECH = re.compile(r"<(/?)(?:opening|rebuttal|closing)[_-]speech>", re.IGNORECASE)
# [Speech] alone on its line, which is a heading where no tag closes it; so are its neighbours.
SQUARE_HEADING = re.compile(
    r"^[ \t]{0,9}+[*_#]{0,6}+[ \t]?\[(?P<words>[^\W\d_][\w '’/&-]{1,40})\][*_:]{0,4}[ \t]{0,9}$",
    re.MULTILINE,
)
IN_BRACKETS = re.compile(
    r"\[\s?(?:(?:my|own|private|public)\s){0,2}(?P<name>thoughts|speech|rating)\s?[:：]",
    re.IGNORECASE,
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


def edges_of(block: Block) -> tuple[int, int]:
    """Return the range of a block, tags included."""
    return block.opening.start, block.closing.end


def inner(block: Block, text: str) -> str:
    """Return the words between a block's tags."""
    return text[block.opening.end : block.closing.start].strip()


def outside(text: str, *spans: tuple[int, int]) -> str:
    """Return the text outside the spans, piece by piece."""
    pieces, at = [], 0
    # Spans may overlap, as thoughts and a doubtful speech do: `at` never goes back.
    for start, end in sorted(spans):
        pieces.append(text[at:start])
        at = max(at, end)
    return "\n".join((*pieces, text[at:]))


def brackets_as_tags(text: str) -> str:
    """Return the text with tags in the place of blocks in brackets: [private thoughts: ...].

    A block reaches to the bracket that closes it, over others inside; one that is never closed, and
    all that follow it, stay as they are.
    """
    if not any(match[1] for match in SQUARE_TAG.finditer(text)):
        text = SQUARE_HEADING.sub(r"**\g<words>:**", text)
    text = SQUARE_TAG.sub(r"<\1\2>", text)
    pieces = []
    at = 0
    while (match := IN_BRACKETS.search(text, at)) is not None:
        end = closing_bracket(text, match.start())
        if end is None:
            break
        name = match["name"].lower()
        pieces += [text[at : match.start()], f"<{name}>{text[match.end() : end]}</{name}>"]
        at = end + 1
    return "".join((*pieces, text[at:]))


def closing_bracket(text: str, start: int) -> int | None:
    """Return where the bracket that opens at `start` is closed, None if it is not."""
    depth = 0
    for match in re.finditer(r"[\[\]]", text[start:]):
        depth += 1 if match[0] == "[" else -1
        if depth == 0:
            return start + match.start()
    return None
