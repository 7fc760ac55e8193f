"""Read replies whose parts stand under labels or in JSON, as people write them, without tags.

"**Thoughts:** ... **Speech:** ... **Rating:** 80/100", the same as headings, or one JSON object.
Each part may stand once; which of two speeches is public cannot be told.  Nor can it be told
whether words under another label, written as that of the speech is, are still the speech.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from arena.play.reasoning import matches
from protocols.parsing.privacy import is_structure

ADJECTIVE_WORDS = (
    "my own private public opening rebuttal closing first second third final the inner internal"
    " self actual proposition opposition current"
)
ADJECTIVES = frozenset(ADJECTIVE_WORDS.split())
NOUNS = {
    **dict.fromkeys(("thought", "thoughts", "thinking", "reasoning", "monologue"), "thoughts"),
    **dict.fromkeys(("thought process", "reflection", "notes"), "thoughts"),
    "speech": "speech",
    **dict.fromkeys(("rating", "confidence", "confidence level", "confidence rating"), "rating"),
    **dict.fromkeys(("confidence score", "rating out of 100", "stake", "bet"), "rating"),
}
# A line that begins with words in a heading, in bold, behind a number, or before a colon.
HEAD = re.compile(
    r"^[ \t>]{0,9}(?:[-•+*]\s)?(?P<mark>[#*_]{0,6})[ \t]{0,3}(?P<number>\d{1,2}[.)][ \t])?"
    r"(?P<mark2>[*_]{0,3})"
    r"(?P<words>[^\W\d_][\w '’/&-]{1,40}?)(?:[ \t]?(?P<scale>\([^()\n]{0,40}\)))?"
    r"[*_]{0,3}[ \t]{0,3}(?:(?P<sign>[:：])(?!//)[*_]{0,3}|\#{0,6}[ \t]{0,9}$)",
    re.MULTILINE,
)


# The bar of a text in YAML, and the rule below a part.
RULES = re.compile(r"\A\|[-+]?[ \t]*\n|\n[ \t]*-{3,}[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class Sections:
    """The parts of a reply that stand under labels; None for one that is not there.

    `repeated` names a part that stands twice, `scale` is what the label of the rating adds to it.
    `is_followed` says that a label that is none of ours stands between the speech and the next of
    ours, in the same style.
    """

    speech: str | None = None
    thoughts: str | None = None
    rating: str | None = None
    repeated: tuple[str, ...] = ()
    scale: str = ""
    is_followed: bool = False


def part_named(words: str) -> str | None:
    """Return "thoughts", "speech" or "rating" if the words name that part, else None."""
    names = words.lower().replace("_", " ").split()
    while names and names[0] in ADJECTIVES:
        names = names[1:]
    return NOUNS.get(" ".join(names))


def labelled_sections(text: str) -> Sections:
    """Return the parts under labels at the beginnings of lines."""
    heads = []
    scale = ""
    speech_style: str | None = None
    is_followed = False
    for match in matches(HEAD, text, 300):
        # Without a colon a line is a label only if it is a heading, in bold, or one of ours with a
        # number before it; and any with a number behind a speech that has one.
        name = part_named(match["words"])
        style = style_of(match)
        has_mark = bool(match["sign"] or match["mark"] or match["mark2"])
        if not has_mark and (match["number"] is None or (name is None and style != speech_style)):
            continue
        if name is not None:
            heads.append((name, match.start(), match.end()))
            scale = match["scale"] or "" if name == "rating" else scale
            speech_style = style if name == "speech" else None
        elif speech_style is not None and not is_structure(match["words"]):
            # "Explanation of my rating:" is no part of a speech in any style.
            names_part = not NOUNS.keys().isdisjoint(match["words"].lower().split())
            is_followed = is_followed or names_part or is_beside(style, speech_style)
    found: dict[str, str] = {}
    repeated = []
    ends = [start for _, start, _ in heads[1:]] + [len(text)]
    # One end too many where there are no heads at all.
    for (name, _, begin), end in zip(heads, ends, strict=False):
        if name in found:
            repeated.append(name)
        found[name] = RULES.sub("", text[begin:end].strip()).strip("*").strip()
    return Sections(
        found.get("speech"),
        found.get("thoughts"),
        found.get("rating"),
        tuple(repeated),
        scale,
        is_followed,
    )


def style_of(head: re.Match[str]) -> str:
    """Return the marks before the words of a label, without blanks and the digits of a number."""
    return re.sub(r"[\s>\d]", "", head.string[head.start() : head.start("words")])


def is_beside(style: str, other: str) -> bool:
    """Return whether a label of a style is no part of what stands under one of the other style.

    A smaller heading is; one of the same size, or a larger one, begins something else.
    """
    return style == other or (set(style) == {"#"} and other.startswith(style))


def json_sections(text: str) -> Sections | None:
    """Return the parts of a reply that is one JSON object, bare or in a fence; None for another."""
    fields = json_object(text)
    if fields is None:
        return None
    # One object around the reply: {"response": {...}}.
    if len(fields) == 1 and isinstance(fields[0][1], Pairs) and part_named(fields[0][0]) is None:
        fields = fields[0][1]
    found: dict[str, str] = {}
    repeated = []
    for key, value in fields:
        name = part_named(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key))
        if name is None or isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        if name in found:
            repeated.append(name)
        found[name] = str(value).strip()
    return Sections(
        found.get("speech"), found.get("thoughts"), found.get("rating"), tuple(repeated)
    )


def json_object(text: str) -> list[tuple[str, object]] | None:
    """Return the fields of a text that is one JSON object, in order; None for any other text."""
    # One fence, whatever is said around it.
    inside = (text.split("```")[1] if text.count("```") == 2 else text).strip()
    inside = inside.removeprefix("json").strip()
    if not (inside.startswith("{") and inside.endswith("}")):
        return None
    try:
        # Pairs, since a second speech under the same key is a second speech.
        pairs = json.loads(inside, object_pairs_hook=Pairs, strict=False)
    except (ValueError, RecursionError):
        return None
    return list(pairs) if isinstance(pairs, Pairs) else None


def json_at_end(text: str) -> list[tuple[str, object]] | None:
    """Return the fields as `json_object` does, if nothing is said behind them; else None."""
    says_more = "```" in text and text.rpartition("```")[2].strip()
    return None if says_more else json_object(text)


class Pairs(list[tuple[str, object]]):
    """The fields of a JSON object as pairs, so that a key that stands twice is seen."""


def as_mapping(fields: list[tuple[str, object]]) -> Mapping[str, object]:
    """Return fields by their names in small letters; a name that stands twice has no value."""
    mapping: dict[str, object] = {}
    for key, value in fields:
        name = key.strip().lower().replace("_", " ")
        mapping[name] = None if name in mapping and mapping[name] != value else value
    return mapping
