"""Put the stored answers to a question one by one, and give each number to the replies behind it.

Answers are one by their value ("57" and "57.0"), and each value is asked about once, in the words
of the first reply that gives it: what is asked is the same for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from arena.score import SCORED, Score, ScoreKind
from arena.tournaments.stored_replies import StoredSamples
from protocols import asking

NO_ANSWER = "no answer that could be asked about"


@dataclass(frozen=True, slots=True)
class Found:
    """The number of one possible answer; without it `status` says why.

    `samples` counts the stored replies that were shown or read, `details` are those of a Score.
    """

    value: float | None
    status: str = SCORED
    samples: int = 1
    details: Mapping[str, object] = field(default_factory=dict)


async def score_answers(
    samples: StoredSamples,
    name: str,
    find: Callable[[int, str], Awaitable[Found]],
    kind: ScoreKind = "probability",
) -> list[Score]:
    """Return a score for every reply; `find` is called once a value, at the same time for all.

    It gets the value's number, in the order in which they were given, and its words.
    """
    answers = distinct_answers(samples)
    found = await asyncio.gather(
        *(find(number, words) for number, words in enumerate(answers.values()))
    )
    by_value = dict(zip(answers, found, strict=True))
    scores = []
    for reply in samples.replies:
        value = None if reply.canonical is None else by_value.get(reply.canonical)
        if value is None:
            scores.append(Score(reply.turn, name, None, kind, NO_ANSWER))
            continue
        details = {"answer": answers[str(reply.canonical)], **value.details}
        scores.append(
            Score(reply.turn, name, value.value, kind, value.status, value.samples, details)
        )
    return scores


def distinct_answers(samples: StoredSamples) -> dict[str, str]:
    """Return the words of each answer by its value, in the order in which they were given."""
    answers: dict[str, str] = {}
    for reply in samples.replies:
        if reply.canonical is not None and reply.turn.answer is not None:
            answers.setdefault(reply.canonical, reply.turn.answer)
    return answers


def own_answers(samples: StoredSamples, most: int) -> list[str]:
    """Return the answers of the first `most` replies that have one, repeated as they were given."""
    given = [reply.turn.answer for reply in samples.replies if reply.turn.answer is not None]
    return given[:most]


def shown_question(samples: StoredSamples) -> str:
    """Return the question's text with its options."""
    return asking.question_text(samples.question)


def is_same_question(samples: StoredSamples, question: str) -> bool:
    """Return whether a text is the question that is scored, whatever its spaces and capitals."""
    known = (samples.question.text, shown_question(samples))
    return plain(question) in map(plain, known)


def plain(text: str) -> str:
    """Return a text with single spaces, in small letters."""
    return " ".join(text.split()).casefold()


def usable_examples(
    samples: StoredSamples, examples: Sequence[tuple[str, str, bool]]
) -> list[tuple[str, str, bool]]:
    """Return the examples without those about the question that is scored."""
    return [each for each in examples if not is_same_question(samples, each[0])]
