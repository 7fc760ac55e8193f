"""Say whether what a reply states is its author's own, and stays stated.

An answer that another is said to have given, or that is only supposed, is not the author's, nor is
a quotation ("> "); one that is corrected or denied behind it does not stay.
"""

from __future__ import annotations

import re

from arena.play.reasoning import matches

# Who is said to have given an answer, where it is not the author.
SAYS = (
    r"says?|said|wrote|writes|answer(?:s|ed)?|claim(?:s|ed)?|conclude[sd]?|state[sd]?|box(?:es|ed)"
    r"|proposes?|thinks?|believes?|insists?|argue[sd]?|suggest(?:s|ed)?"
)
OTHERS = re.compile(
    r"\b(?:(?:agent|model|response|peer|reply|path|proposer|student|solution)\s?\#?\d{1,3}"
    rf"(?:['’]s\b|\s+(?:also\s)?(?:{SAYS}|gives?|gave|got|gets|has|had|put|has\sput"
    rf"|arrive[sd]?|found"
    r"|finds)\b)|(?:(?:my|the|an?other|one|some)\s(?:other\s)?(?:agent|model|peer|colleague"
    r"|opponent"
    rf"|student|friend|proposer|participant|debater)s?|others|someone"
    rf"|some\speople)\s(?:also\s)?(?:{SAYS})\b)"
    r"(?![^\n]*\bagree)(?:(?!\b(?:but|while|whereas|yet)\si\b)[^.\n]){0,80}\Z",
    re.IGNORECASE,
)
# An answer that is only supposed, or denied.
SUPPOSED = re.compile(
    r"\b(?:suppos(?:e|ing)|assum(?:e|ing)|if|imagine|unless|whether|pretend|doubt|hypothesis"
    r"|not\s(?:the"
    r"\scase|true|clear|certain|sure|think|believe|mean)|[a-z]{2,5}n['’]t\s(?:think|believe"
    r"|mean|say))\b"
    r"(?:(?!\bthen\b)[^.,;:\n]){0,20}\Z",
    re.IGNORECASE,
)
# A statement that its author takes back, or corrects, is no answer.
CORRECTION = re.compile(
    r"(?:^|[.,!?;:…)}$*>`\-–—\n])\s{0,9}+(?:oh|hmm|but|or|ah)?[,.…]{0,3}\s{0,9}+(?:wait\b"
    r"|actually\b|hold on\b|sorry\b|correction\b|on second thought|on reflection|hmm\b"
    r"|scratch that|i mean\b|no[,:;.!—–-]"
    r"|i (?:made|was) (?:a |an )?(?:mistake|error|wrong)|let me (?:correct|re-?check"
    r"|re-?consider|redo|try again)|rather[,:])",
    re.IGNORECASE,
)
# A verdict on what was just said.
DENIAL = re.compile(
    r"[\s$*)}\]\\.,\"`]{0,9}(?:</\s?\w{1,12}>[\s.]{0,3})?"
    r"(?:which\s|that\s|this\s|it\s)?(?:(?:is|was|seems|looks|must\sbe)"
    r"\s(?:(?:clearly|obviously|definitely|surely|just|also|then)\s)?(?:wrong|incorrect"
    r"|false|mistaken"
    r"|impossible|not\s(?:right|correct|true|it|possible|the\s(?:answer|right|correct)))"
    r"|(?:isn['’]t|wasn['’]t|cannot\sbe|can['’]t\sbe)\s(?:right|correct|true|it|the\sanswer))\b",
    re.IGNORECASE,
)

# How far back the beginning of a quoted line is looked for.
LONGEST_QUOTATION = 2000
OPENING = " \t\r\n\"'`{([$*_<"


def is_own(text: str, start: int) -> bool:
    """Return whether what is stated at a place is the author's, not another's or supposed."""
    line = text[max(0, start - LONGEST_QUOTATION) : start].rpartition("\n")[2]
    if line.lstrip().startswith(">"):
        return False
    before = text[max(0, start - 200) : start]
    # What a colon announces may stand on lines of its own, in a fence or an object.
    announced = before.rstrip(OPENING).removesuffix("json").rstrip(OPENING)
    if announced.endswith((":", "：")) or "{" in before[len(announced) :]:
        before = announced
    return not (OTHERS.search(before) or SUPPOSED.search(before))


def is_taken_back(text: str, end: int) -> bool:
    """Return whether what was stated up to a place is corrected or denied behind it."""
    # The last character may be the sign behind which a correction begins.
    corrections = matches(CORRECTION, text, 100, max(0, end - 1))
    return next(corrections, None) is not None or DENIAL.match(text, end) is not None
