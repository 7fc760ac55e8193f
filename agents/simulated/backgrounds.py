"""Background knowledge of simulated reasoners: who knows it, who uses it, and who asks for it.

Every simulated question has one key.  A reasoner knows it with probability `knows`, and if it does,
uses it unasked with probability `uses`; both are the same whenever the question is put.  Asked for
questions about the background, it asks for the key with probability `asks`, else for something
else; asked for the key, it tells it if it knows it or reads it in a text.  Where the key was told
or is used, its ability is higher by `insight`.

`simulated_judgements` are questions with two options; of their answers in digits a reasoner says 1
whatever it thinks with probability `says_one`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from agents.simulated.questions import SimulatedQuestion, simulated_questions
from agents.simulated.solver import uniforms
from arena.types import Subject

ASKS_FOR_QUESTIONS = re.compile(r"Write (\d{1,3}) short questions about its background")
ASKS_FOR_ANSWERS = "Answer each of these questions in one to three sentences"
KEY_QUESTION = "Simulated background: what is the key to question {number}?"
OTHER_QUESTION = "Simulated background: who likes question {number}?"
ASKED_KEY = re.compile(r"what is the key to question (\d{1,6})\?")
TOLD = "The key to question {number} is told."
UNKNOWN = "The key to question {number} is not known here."
TOLD_KEY = re.compile(r"The key to question (\d{1,6}) is told\.")
PASSAGE = "A simulated text. The key to question {number} is told. No language model wrote this."
CODE = re.compile(r"1 if the answer is: (?P<one>[^;\n]+); 0 if the answer is: (?P<zero>[^;\n]+)\.")
OPTIONS = ("the same", "different")
JUDGEMENT = (
    "Simulated question {number}. Difficulty {difficulty}. Are both the same (1) or different (0)?"
    " [right answer {right}]"
)


def simulated_judgements(n: int, *, seed: int = 0, spread: float = 1.0) -> tuple[Subject, ...]:
    """Return `n` simulated questions with two options, and a passage that holds the key.

    About half are "the same".  Difficulties are those of `simulated_questions`.
    """
    rng = random.Random(f"simulated judgements {seed}")
    judgements = []
    for number, question in enumerate(simulated_questions(n, seed=seed, spread=spread), 1):
        same = rng.random() < 0.5
        difficulty = question.text.partition("Difficulty ")[2].partition(". ")[0]
        text = JUDGEMENT.format(number=number, difficulty=difficulty, right=int(same))
        gold, key = ("A" if same else "B"), PASSAGE.format(number=number)
        judged = replace(question, text=text, gold=gold, choices=OPTIONS, passage=key)
        judgements.append(judged)
    return tuple(judgements)


def asked_questions(question: SimulatedQuestion, count: int, hits: bool) -> str:
    """Return questions about the background, the first of them for the key if it `hits`."""
    forms = [KEY_QUESTION if hits and not place else OTHER_QUESTION for place in range(count)]
    return "\n".join(
        f"<question>{form.format(number=question.number)}</question>" for form in forms
    )


def told_answers(words: str, knows: float, seed: int) -> str:
    """Return what is told of the keys that are asked for, from memory or a text in `words`."""
    in_text = set(TOLD_KEY.findall(words))
    said = []
    for number in dict.fromkeys(ASKED_KEY.findall(words)):
        known = number in in_text or key_draws(seed, int(number))[0] < knows
        said.append((TOLD if known else UNKNOWN).format(number=number))
    return "\n".join(said) or "Nothing is known of that: no language model said this."


def has_insight(
    words: str, question: SimulatedQuestion, knows: float, uses: float, seed: int
) -> bool:
    """Return whether the key to a question is told in a prompt, or known and used unasked."""
    known, used = key_draws(seed, question.number)
    return str(question.number) in TOLD_KEY.findall(words) or (known < knows and used < uses)


def key_draws(seed: int, number: int) -> Sequence[float]:
    """Return the two numbers in (0, 1) that decide whether a key is known, and used."""
    return uniforms("key", seed, number)[:2]


def digit_for(words: str, same: bool) -> str | None:
    """Return the digit that says "the same" or not in the code of a prompt; None without one."""
    code = CODE.search(words)
    if code is None:
        return None
    return "1" if (code["one"] == OPTIONS[0]) == same else "0"
