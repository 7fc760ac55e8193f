"""Questions for simulated solvers (solver.py), which state their own difficulty and right answer.

    Simulated question 17. Difficulty 0.42. Which whole number from 0 to 999 is meant?
    [right answer 57]

(in one line).  Nothing can be learned from them about language models: they serve to plan studies,
and to check protocols and analysis against known parameters.  The mistakes that can be made in a
question (`mistakes_of`) follow from its number and its right answer, so that all simulated solvers
make the same ones.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from arena.errors import StudyError
from arena.types import Subject

SOURCE = "peer-arena simulation"
MAX_QUESTIONS = 100_000
HIGHEST = 999
MOST_MISTAKES = 9
TEXT = (
    "Simulated question {number}. Difficulty {difficulty}. Which whole number from 0 to 999 is"
    " meant? [right answer {right}]"
)
QUESTION = re.compile(
    r"Simulated question (?P<number>\d{1,6})\. Difficulty (?P<difficulty>-?\d{1,3}\.\d{1,6})\."
    r" [^\[\]\n]{0,80}\[right answer (?P<right>\d{1,3})\]"
)


@dataclass(frozen=True, slots=True)
class SimulatedQuestion:
    """The statements of a simulated question: its number, difficulty (logits) and right answer.

    The answer is a whole number from 0 to 999, as text.
    """

    number: int
    difficulty: float
    right: str


def simulated_questions(n: int, *, seed: int = 0, spread: float = 1.0) -> tuple[Subject, ...]:
    """Return `n` simulated questions with gold answers, the same for the same seed.

    Difficulties (logits) are drawn from N(0, spread) and rounded to three decimals.  A longer draw
    begins with a shorter one.  Raises StudyError unless `n` is from 0 to 100,000 and `spread` from
    0 to 20.
    """
    if not 0 <= n <= MAX_QUESTIONS:
        raise StudyError(f"{n} simulated questions were asked for; give 0 to {MAX_QUESTIONS:,}")
    if not 0 <= spread <= 20:
        raise StudyError(f"the spread of difficulties is {spread}; give 0 to 20 logits")
    rng = random.Random(f"simulated questions {seed}")
    questions = []
    for number in range(1, n + 1):
        # Both draws are made for each question in turn: so a longer list begins with a shorter one.
        difficulty = f"{min(max(spread * rng.gauss(0, 1), -99.0), 99.0):.3f}"
        right = str(rng.randint(0, HIGHEST))
        text = TEXT.format(number=number, difficulty=difficulty, right=right)
        questions.append(Subject(text, "question", right, (), SOURCE, "CC0-1.0"))
    return tuple(questions)


def question_in(text: str) -> SimulatedQuestion | None:
    """Return the last simulated question in a text, or None; earlier ones may be examples."""
    matches = [None, *QUESTION.finditer(text)]
    last = matches[-1]
    if last is None:
        return None
    right = str(int(last["right"]))
    return SimulatedQuestion(int(last["number"]), float(last["difficulty"]), right)


@lru_cache(maxsize=4096)
def mistakes_of(question: SimulatedQuestion) -> tuple[str, ...]:
    """Return the nine wrong answers that a question invites, the commonest first."""
    rng = random.Random(f"mistakes in {question.number}, {question.right}")
    # One more than needed, as the right answer may be among them.
    drawn = rng.sample(range(HIGHEST + 1), MOST_MISTAKES + 1)
    return tuple(str(wrong) for wrong in drawn if str(wrong) != question.right)[:MOST_MISTAKES]
