"""Hold the words of LeaP: what a path is told, how its thought begins, sums up and ends.

They are ours; the order in which they stand is that of the published code (leap.py).
"""

from __future__ import annotations

import re

VALUE = "the final answer"
LETTER = "the letter of the option that you choose"
REFLECT = (
    "Let me compare what my peers say with what I have, and check where we differ before I go on."
)
PLAIN = "\nReason step by step, and put {answer} into \\boxed{{}}."
TAGS = f"""{PLAIN} You are one of several who work on this problem at the same time. From time to \
time you stop and say in a few words how far you are, between <summarize> and </summarize>. Then \
you may be told what others have found, between <comment> and </comment>. Others can be wrong, and \
so can you: compare, check where you differ, and go on with your own reasoning. For example:

Let me put down what I have.

<summarize> In short, the first condition leaves only even numbers, and I have yet to use the \
second. </summarize> <comment> Peer 1: "So far, only multiples of four are left."
Peer 2: "To sum up, the second condition leaves nothing odd." </comment>

{REFLECT} The first of them has less left than I have: does the first condition really exclude the \
others?
"""
OPENING = (
    "I will work on this step by step. Where I stop, I sum up between <summarize> and </summarize>;"
    " what peers have found comes between <comment> and </comment>, and I check it against my own"
    " reasoning before I use it.\n\n"
)
TRIGGERS = (
    "Before I go on, let me sum up where I am.",
    "Let me stop here and put down what I have.",
    "It is time to say how far I have come.",
    "Let me look back at what I know by now.",
    "Let me hold on and collect my results.",
    "I should note what is settled so far.",
    "Let me pause and state my progress.",
)
OPENINGS = (
    "In short,",
    "So far,",
    "To sum up,",
    "What I have is this:",
    "My conclusion up to here:",
    "Up to this point,",
)
NO_COMMENTS = (
    " <comment> No comments. </comment>\n\nNobody has anything to add, so let me go on by myself."
)
TIME_IS_UP = "\n\nThere is no time left to think. From what I have, "
ENDED = "\n\nFrom what I have, "
CUE = "the answer is \\boxed{"
CUE_CHOICE = "the best option is \\boxed{"
SUMMARY_BEGIN = "<summarize>"
SUMMARY_END = "</summarize>"
FRAME = re.compile(
    r"</?\s*(?:summarize|comment|think|thinking|reasoning)\s*/?>|Peer \d+:", re.IGNORECASE
)
