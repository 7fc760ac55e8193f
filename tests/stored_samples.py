"""Stored replies made by hand, for tests of estimators that need no store."""

from __future__ import annotations

from collections.abc import Sequence

from arena.grading.grade import canonical
from arena.reply import Alternative, TokenChoice
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import Subject, Turn


def tokens(*choices: tuple[str, float], alternatives: int = 0) -> tuple[TokenChoice, ...]:
    """Tokens with their log probabilities; `alternatives` of each are the token and made up."""
    return tuple(
        TokenChoice(
            word,
            logprob,
            (
                Alternative(word, logprob),
                *(Alternative(f"{word}~{k}", logprob - k) for k in range(1, alternatives)),
            )[:alternatives],
        )
        for word, logprob in choices
    )


def reply(
    answer: str | None,
    place: int = 0,
    *,
    public: str | None = None,
    logprobs: tuple[TokenChoice, ...] | None = None,
    measures: dict[str, float] | None = None,
    choices: Sequence[str] = (),
) -> StoredReply:
    """A stored reply with this answer, which is also its public words."""
    words = public if public is not None else answer
    turn = Turn(
        "e", f"path{place}", 0, "path", 0, words or "", words, answer=answer, measures=measures
    )
    value = None if answer is None else canonical(answer, choices)
    return StoredReply(turn, value, None, None, logprobs, ())


def samples_of(
    question: str | Subject, replies: Sequence[StoredReply], model: str = "scripted/solver"
) -> StoredSamples:
    """Stored replies to one question."""
    asked = Subject(question, "question") if isinstance(question, str) else question
    return StoredSamples(
        f"{asked.text} (replies)",
        "replies",
        question=asked,
        agent="solver",
        model=model,
        arm="arm",
        replies=tuple(replies),
        turns=tuple(each.turn for each in replies),
    )
