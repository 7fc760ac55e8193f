"""Texts that state an answer to a simulated question, and prompts that ask to weigh them."""

from __future__ import annotations

import re
from dataclasses import replace

from agents.simulated.questions import mistakes_of, question_in, simulated_questions
from arena.types import Subject

# Told as a solver tells its answers (replies.py), by an author who is no seat.
TEXT = "A simulated text: no language model wrote this. #{who} answers \\boxed{{{answer}}}"
AUTHOR = "00d0c000"
OWN_SIDE = re.compile(
    r"Your own answer, given without it, was \\boxed\{(?P<own>\d{1,3})\}\."
    r"|Without it you gave no answer"
)
TOLD = re.compile(r"#[0-9a-f]{8} answers \\boxed\{(\d{1,3})\}")
REASONS = "First say how sure you are of your own answer"
ALONE = "Give your answer alone."


def simulated_documents(
    n: int, *, right: bool, seed: int = 0, spread: float = 1.0
) -> tuple[Subject, ...]:
    """Return `n` simulated questions with a passage that states the right answer, or a wrong one.

    A wrong text states the commonest mistake of its question.
    """
    documents = []
    for subject in simulated_questions(n, seed=seed, spread=spread):
        question = question_in(subject.text)
        assert question is not None
        answer = question.right if right else mistakes_of(question)[0]
        documents.append(replace(subject, passage=TEXT.format(who=AUTHOR, answer=answer)))
    return tuple(documents)


def both_sides(words: str) -> tuple[str | None, str | None] | None:
    """Return (own answer, answer that is told) in a prompt that asks to weigh them, else None."""
    own = OWN_SIDE.search(words)
    told = TOLD.findall(words[: own.start()]) if own else []
    if own is None:
        return None
    return own["own"] and str(int(own["own"])), str(int(told[-1])) if told else None


def gives_reasons(words: str) -> bool:
    """Return whether reasons for both sides are asked for before the decision."""
    return REASONS in words


def told_answer(passage: str) -> str:
    """Return the answer that a simulated text states."""
    return str(int(TOLD.findall(passage)[-1]))
