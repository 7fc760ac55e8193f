"""Part the reasoning that a model wrote into its reply from what it said.

Servers that do not part a model's reasoning serve it in the text, in the marks of the model's
family, often without the opening mark, which then stood in the prompt.  It is parted here, in the
same way for every provider and every protocol: reasoning is never public and never answers.  Only
a protocol whose medium is the thought itself (LeaP) reads inside it.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass

# Tags that hold reasoning, in brackets of any kind: <think>, [THINK], <|thinking|>, <seed:think>.
NAMES = (
    *("think", "thinking", "reasoning", "antthinking", "thinking_process", "reasoning_process"),
    *("internal_reasoning", "private_reasoning", "internal_thinking", "reasoning_steps"),
)
# The protocols of debates decide about these themselves (protocols/parsing/tags.py).
THOUGHTS = (
    *("thought", "thoughts", "inner_thoughts", "private_thoughts", "thought_process"),
    *("internal_thoughts", "hidden_thoughts", "my_thoughts", "internal_thought", "reflection"),
    *("scratchpad", "scratch_pad", "internal_monologue", "inner_monologue", "chain_of_thought"),
)
# Other pairs of marks, by their opening and their closing one.
PAIRS = (
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
    ("<|start_of_thought|>", "<|end_of_thought|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<unused94>thought", "<unused95>"),
    ("<|channel>thought", "<channel|>"),
    ("here is my thought process:", "here is my response:"),
)
# Those of them that are plain words.
PLAIN_MARKS = tuple(mark for pair in PAIRS for mark in pair if mark[0].isalpha())
# Words that stand in every mark: most replies hold none, and are not searched any further.
HINTS_IN_WORDS = "think reasoning thought scratch monologue chain inner_ channel reflection"
HINTS = HINTS_IN_WORDS.split()
# Characters before and after a name in which the rest of its tag is looked for.
WINDOW = 240
# The longest piece of a text that one search goes through.
PIECE = 5_000

LEFT = re.compile(
    r"(?:[<＜〈‹◁⟨«\[［]|&(?:amp;)?(?:lt|\#0{0,6}60|\#x0{0,6}3c);|\\u003c)"
    r"\s{0,9}(?P<slash>[/／\\]?)\s{0,9}(?:[a-z]{1,12}:)?[|｜]?(?P<slash_inside>[/／]?)\Z",
    re.IGNORECASE,
)
CLOSES_IN_SQUARE = re.compile(r"[\[［]\s?[/／]\s?\Z")
RIGHT = re.compile(
    r"[|｜]?(?:[\s/][^<>\[\]]{0,200})?(?:[>＞〉›▷⟩»\]］]|&(?:amp;)?(?:gt|\#0{0,6}62|\#x0{0,6}3e);"
    r"|\\u003e)",
    re.IGNORECASE,
)
# The channels of harmony, as they are and as they are left without their special tokens.
CHANNEL = "<|channel|>"
FINAL = re.compile(
    r"<\|channel\|>\s{0,9}final\b[^<>]{0,80}(?:<\|constrain\|>[^<>]{0,80})?<\|message\|>"
)
END_OF_MESSAGE = re.compile(r"<\|(?:end|return|call)\|>")
BARE_CHANNEL = re.compile(r"\s{0,9}analysis(?=[A-Z\"'])")
BARE_FINAL = "assistantfinal"


@dataclass(frozen=True, slots=True)
class PartedText:
    """A text without its reasoning.

    `reasoning` is None if it holds none; `words` are the whole text then, and have no space around
    them otherwise.  `inside` is the reasoning without the marks around it.  `is_open` says that a
    thought was begun and never ended; `inside` is its text alone then.
    """

    words: str
    reasoning: str | None = None
    is_open: bool = False
    inside: str = ""

    @property
    def public(self) -> str | None:
        """The words, None if they say nothing."""
        return self.words if self.words.strip() else None


def part_reasoning(text: str, *, thoughts: bool = True) -> PartedText:
    """Return what a text says, and the reasoning in it.

    Everything before the last closing mark is reasoning, whether or not it was opened; a mark that
    is opened and never closed makes all that follows reasoning.  `thoughts` says whether tags
    called thoughts, a scratchpad or a monologue count, too.
    """
    low = in_small_letters(text)
    if not any(hint in low for hint in HINTS) and not low.lstrip().startswith("analysis"):
        return PartedText(text)
    if (parted := part_channels(text, low)) is not None:
        return parted
    begin = 0
    first = last = 0
    opened: tuple[int, int] | None = None
    for start, end, closes in marks_in(low, thoughts):
        if closes:
            begin, last, opened = end, start, None
        elif opened is None:
            opened = start, end
            if not begin and not text[:start].strip():
                first = end
    if opened is not None:
        words = text[begin : opened[0]].strip()
        return PartedText(words, text[:begin] + text[opened[0] :], True, text[opened[1] :])
    if not begin:
        return PartedText(text)
    return PartedText(text[begin:].strip(), text[:begin], inside=text[first:last].strip())


def part_channels(text: str, low: str) -> PartedText | None:
    """Part a text in channels, of which only the final one is said; None for any other text."""
    if CHANNEL in low:
        places = places_of(CHANNEL, low, closes=False)
        ends = [final.end() for at, *_ in places if (final := FINAL.match(low, at))]
        if not ends:
            return PartedText("", text, True, text)
        begin = ends[-1]
        end = END_OF_MESSAGE.search(low, begin)
        words = text[begin : end.start() if end else None].strip()
        return PartedText(words, text[:begin], inside=text[:begin])
    if BARE_CHANNEL.match(text):
        place = low.rfind(BARE_FINAL)
        if place < 0:
            return PartedText("", text, True, text)
        words = text[place + len(BARE_FINAL) :].strip()
        return PartedText(words, text[:place], inside=text[:place])
    return None


def marks_in(low: str, thoughts: bool) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether it closes) of every mark in a text in small letters, in order."""
    # Merged one by one: sorting all marks of a hostile text would hold up everybody else.
    return heapq.merge(
        tags_in(low, NAME_OR_THOUGHTS if thoughts else NAME),
        *(places_of(opening, low, closes=False) for opening, _ in PAIRS if opening in low),
        *(closing_places(*pair, low) for pair in PAIRS if pair[1] in low),
    )


def tags_in(low: str, name: re.Pattern[str]) -> Iterator[tuple[int, int, bool]]:
    """Yield the tags of these names."""
    # "[Reasoning]" that nothing closes is a heading, as "[Answer]" is; "[THINK]" is none.
    found = list(matches(name, low, 40))
    is_heading = not any(
        CLOSES_IN_SQUARE.search(low[max(0, match.start() - 4) : match.start()]) for match in found
    )
    for match in found:
        # Looked at last: a pattern that begins with its letters is searched ten times as fast.
        left = LEFT.search(low[max(0, match.start() - 40) : match.start()])
        right = RIGHT.match(low, match.end(), match.end() + WINDOW)
        if left is not None and right is not None:
            if is_heading and not match[0].startswith("think") and left[0][0] in "[［":
                continue
            start = match.start() - len(left[0])
            yield start, right.end(), bool(left["slash"] or left["slash_inside"])


def closing_places(opening: str, closing: str, low: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the places of a closing mark; where it is words, only of those behind its opening one.

    In a prompt that a server left out stand tokens, not sentences, and prose may hold such words.
    """
    begin = low.find(opening) if opening[0].isalpha() else 0
    return places_of(closing, low, closes=True, begin=begin) if begin >= 0 else iter(())


def places_of(
    mark: str, text: str, closes: bool, begin: int = 0
) -> Iterator[tuple[int, int, bool]]:
    """Yield the places from `begin` on of a mark that stands for itself."""
    at = text.find(mark, begin)
    while at >= 0:
        yield at, at + len(mark), closes
        at = text.find(mark, at + len(mark))


def matches(
    pattern: re.Pattern[str], text: str, longest: int, begin: int = 0
) -> Iterator[re.Match[str]]:
    """Yield the matches of a pattern, as `finditer` does, in searches that are soon over.

    A search holds up all threads of the process for as long as it takes, so that reading a long
    text in a thread of its own would help nobody.  `longest` is the most characters of a match
    with what it looks at behind it; a longer one is cut.
    """
    while begin <= len(text):
        end = begin + PIECE
        match = pattern.search(text, begin, end + longest)
        if match is not None and match.start() < end:
            yield match
            begin = max(match.end(), match.start() + 1)
        elif end < len(text):
            begin = end
        else:
            return


def in_small_letters(text: str) -> str:
    """Return the text in small letters, letter for letter."""
    low = text.lower()
    if len(low) == len(text):
        return low
    # A few letters become two, which would move all places behind them.
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def name_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of one of these names, up to the end of its word."""
    either = "|".join(sorted(names, key=len, reverse=True)).replace("_", "[ _-]")
    return re.compile(rf"(?:{either})(?![a-z0-9_])")


NAME = name_pattern(NAMES)
NAME_OR_THOUGHTS = name_pattern(NAMES + THOUGHTS)
