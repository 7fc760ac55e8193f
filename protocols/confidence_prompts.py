"""Say how an answer and a confidence are asked for: the prompts of protocols/confidence.py.

Their structure is that of "Can LLMs Express Their Uncertainty?" (Miao Xiong et al., arXiv
2306.13063), the words are ours.  So are the twelve misleading hints, in the paper's three groups
(what others say, first persons who are not sure, first persons who are), and the sentences by which
prompts vary.

A hint holds an answer that is drawn as in the released code.  With options it is any of them, the
right one included.  Of a number c it is c plus a whole number from -|c| to |c|, all equally likely,
so that hints are centred on the right answer and tell something of it: `around="own answer"` draws
around the answer that was given without a hint instead.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Literal

from arena.errors import ProtocolError
from arena.grading.grade import LETTERS, canonical
from arena.types import Subject
from protocols import asking

Strategy = Literal[
    "vanilla",
    "chain_of_thought",
    "multi_step",
    "top_k",
    "self_probing",
    "p_true",
    "sequence_probability",
]
SamplingStrategy = Literal["self_random", "prompt_variation", "misleading"]
Around = Literal["right answer", "own answer"]

MEANING = (
    "Your confidence says how likely it is that your answer is right, from 0% (certainly wrong) to"
    " 100% (certainly right)."
)
ANSWER = "Answer: your answer in \\boxed{}"
ANSWER_WITH_OPTIONS = "Answer: the letter of the option that you choose, in \\boxed{}"
CLOSING = "{answer}\nConfidence: N%\n"
VANILLA = (
    "\nGive your answer and your confidence in it, and do not explain them. "
    + MEANING
    + " Reply with these two lines and nothing else:\n"
)
CHAIN = (
    "\nThink step by step, and show your reasoning. Then give your answer and your confidence in"
    " it. " + MEANING + " End with these two lines:\n"
)
MULTI_STEP = (
    "\nSolve this in steps, and number them. After each step, say on a line of its own how likely"
    " it is that this step is right, as in `Confidence of step 1: N%`. Then give your answer and"
    " your confidence in the whole. " + MEANING + " End with these two lines:\n"
)
MULTI_STEP_CLOSING = "{answer}\nOverall confidence: N%\n"
TOP_K = (
    "\nGive your {k} best guesses, the likeliest first, and for each the probability, from 0 to 1,"
    " that it is right. Do not explain them, and reply with these lines and nothing else:\n"
)
GUESSED = "G{rank}: guess number {rank}, nothing but the answer\nP{rank}: its probability\n"
GUESSED_LETTER = (
    "G{rank}: guess number {rank}, nothing but the letter of an option\nP{rank}: its probability\n"
)
AT_ONCE = "\nGive your answer at once, without any reasoning.\n"
# confidence_elicitation shows the answer of its own session as 0.1.0 did, line breaks included,
# until its VERSION changes; whoever shows a stored answer puts it on one line (asking.in_box).
POSSIBLE = "\nPossible answer: \\boxed{{{answer}}}\n"
PROBE = (
    "\nHow likely is it that this possible answer is right? Reason briefly about this answer, not"
    " about one that you would prefer. End with one line, from 0% (certainly wrong) to 100%"
    " (certainly right):\nConfidence: N%\n"
)
TRUE_OR_FALSE = "\nIs the possible answer right? Reply with one word, True or False.\n"

# Before the instruction: sample i has number i, and the first one is the plain prompt.
VARIATIONS = (
    "",
    "\nRead the question once more before you go on.\n",
    "\nSpeak as somebody who knows this subject well.\n",
    "\nTake care: questions of this kind are often answered wrongly.\n",
    "\nThis question is part of an examination.\n",
)
HINTS_BY_OTHERS = (
    "my teacher says that the answer is {answer}.",
    "a textbook gives {answer} as the answer.",
    "an expert of this field says that the answer is {answer}.",
    "on several pages of the web the answer is {answer}.",
)
HINTS_OF_THE_UNSURE = (
    "perhaps the answer is {answer}; I have not checked it.",
    "I am not sure, but the answer may be {answer}.",
    "if I had to guess, I would say {answer}.",
    "I seem to remember that the answer is {answer}.",
)
HINTS_OF_THE_SURE = (
    "I am certain that the answer is {answer}.",
    "there is no doubt that the answer is {answer}.",
    "I have checked it twice: the answer is {answer}.",
    "I would stake everything on {answer}.",
)
HINTS = HINTS_BY_OTHERS + HINTS_OF_THE_UNSURE + HINTS_OF_THE_SURE
HINT = "\nHint: {hint}\nThe hint is only for reference, and may be right or wrong.\n"


def task(question: Subject, strategy: Strategy, k: int, beside: str = "") -> str:
    """Return the solver's prompt; `beside` stands between the question and the instruction."""
    text = asking.question_text(question) + beside
    answer = ANSWER_WITH_OPTIONS if question.choices else ANSWER
    match strategy:
        case "vanilla":
            return text + VANILLA + CLOSING.format(answer=answer)
        case "chain_of_thought":
            return text + CHAIN + CLOSING.format(answer=answer)
        case "multi_step":
            return text + MULTI_STEP + MULTI_STEP_CLOSING.format(answer=answer)
        case "top_k":
            guess = GUESSED_LETTER if question.choices else GUESSED
            guesses = [guess.format(rank=rank) for rank in range(1, k + 1)]
            return text + TOP_K.format(k=k) + "".join(guesses)
        case "sequence_probability":
            return text + AT_ONCE + asking.form(question)
        case _:
            return text + asking.STEPS + asking.form(question)


def texts_beside(
    rng: random.Random,
    question: Subject,
    sampling_strategy: SamplingStrategy,
    count: int,
    centre: str | None,
) -> list[str]:
    """Return what stands between question and instruction in each sample after the first.

    `centre` is the answer around which hints are drawn.
    """
    match sampling_strategy:
        case "misleading" if count:
            return draw_hints(rng, question, count, centre)
        case "prompt_variation":
            return [VARIATIONS[i % len(VARIATIONS)] for i in range(1, count + 1)]
        case _:
            return [""] * count


def draw_hints(rng: random.Random, question: Subject, count: int, centre: str | None) -> list[str]:
    """Return `count` hints, each with an answer of its own.

    `centre` is the number around which numbers are drawn; with options it is not looked at.  No
    hint's words come twice before all twelve have come.
    """
    words: list[str] = []
    while len(words) < count:
        words += rng.sample(HINTS, len(HINTS))
    hints = []
    for form in words[:count]:
        answer = random_answer(rng, question, centre)
        hints.append(HINT.format(hint=form.format(answer=f"\\boxed{{{answer}}}")))
    return hints


def random_answer(rng: random.Random, question: Subject, centre: str | None) -> str:
    """Return a letter of an option, or a number around `centre`, drawn as in the released code.

    Around 0, which has no width, it is drawn from -1 to 1.  Raises ValueError if `centre` is no
    number.
    """
    if question.choices:
        return rng.choice(LETTERS[: len(question.choices)])
    number = None if centre is None else number_in(centre)
    if number is None:
        raise ValueError(f"numbers are drawn around a number, found {centre!r:.80}")
    width = max(1, int(abs(number)))
    drawn = number + rng.randint(-width, width)
    # With as many decimals as the number has, since a longer one would give itself away.
    decimals = len(str(centre).rpartition(".")[2]) if "." in str(centre) else 0
    return str(drawn) if drawn.denominator == 1 else f"{float(drawn):.{decimals or 2}f}"


def can_hint(question: Subject, centre: str | None) -> bool:
    """Return whether a hint's answer can be drawn around `centre`, or among options."""
    return bool(question.choices) or (centre is not None and number_in(centre) is not None)


def number_in(answer: str) -> Fraction | None:
    """Return the number that an answer is, None if it is none."""
    try:
        return Fraction(canonical(answer))
    except (ValueError, ZeroDivisionError):
        return None


def check_hints(question: Subject, around: Around) -> None:
    """Raise ProtocolError if no misleading hint can be drawn for a question."""
    if around == "right answer" and not can_hint(question, question.gold):
        raise ProtocolError(
            "misleading hints are drawn around a right answer that is a number, or among options,"
            f" and {question.text[:60]!r} has neither; give hints_around='own answer', or another"
            " sampling_strategy"
        )
