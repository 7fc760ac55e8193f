"""Read a prompt that shows a simulated solver two questions with answers, to be compared."""

from __future__ import annotations

import re

from agents.simulated.questions import QUESTION, SimulatedQuestion

ASKS = "More confident:"
ANSWER = re.compile(r"Answer to question (?P<number>[12]): \\boxed\{(?P<answer>\d{1,3})\}")
Answered = tuple[SimulatedQuestion, str]


def pair_in(words: str) -> tuple[Answered, Answered] | None:
    """Return the two questions with their answers, None for any other prompt."""
    if ASKS not in words:
        return None
    questions = [
        SimulatedQuestion(int(each["number"]), float(each["difficulty"]), str(int(each["right"])))
        for each in QUESTION.finditer(words)
    ]
    answers = {each["number"]: str(int(each["answer"])) for each in ANSWER.finditer(words)}
    if len(questions) != 2 or set(answers) != {"1", "2"}:
        return None
    return (questions[0], answers["1"]), (questions[1], answers["2"])
