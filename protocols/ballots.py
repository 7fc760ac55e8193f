"""Let seats vote on the answers that some of them gave, by a ballot of any kind.

The kinds are those of "Voting or Consensus?" (arXiv 2502.19130), instant runoff, and peer
prediction: each seat says which answers it expects the others to give, and the answer that is more
popular than expected wins (Prelec, Seung and McCoy, Nature 541, 2017).  The answers stand under
letters, in the order in which they were given first, without names or reasons; all words are ours.
Different from the published votes: a ballot that cannot be read is missing, never a first or a
random answer; a single answer is not voted on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Literal

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.types import Seat, Subject, Turn
from protocols import asking, decisions
from protocols.decisions import Decision
from protocols.parsing.ballots import (
    FORMS,
    PLACEHOLDERS,
    Form,
    ballot,
    parse_letters,
    parse_numbers,
)

Kind = Literal[
    "vote", "approval", "cumulative", "ranked", "borda", "runoff", "surprisingly_popular"
]
FORM_OF: dict[Kind, Form] = {
    "vote": "one",
    "approval": "some",
    "cumulative": "numbers",
    "ranked": "ranking",
    "borda": "ranking",
    "runoff": "ranking",
    "surprisingly_popular": "numbers",
}
RANK = "Rank these answers, the best first."
TASKS: dict[Kind, str] = {
    "vote": "Vote for the answer that you take to be right.",
    "approval": "Name all answers that you take to be possibly right, or write `none`.",
    "cumulative": "Divide exactly 10 points among these answers, more for the better ones.",
    "ranked": RANK,
    "borda": RANK,
    "runoff": RANK,
    "surprisingly_popular": (
        "Others were asked the same question. Whatever you take to be right: predict how many in a"
        " hundred of them gave each of these answers."
    ),
}
ANSWERS = (
    "\nThese answers were given:\n{answers}\n{task} End with one line of this form, "
    + PLACEHOLDERS
    + ":\n{form}\n"
)
# X, Y and Z stand for letters in the forms, and are none of an answer.
MOST_ANSWERS = LETTERS.index("X")
# MALLM gives no more than five points to a first place.
MOST_POINTS = 5


async def vote(
    episode: Episode,
    question: Subject,
    seats: Sequence[Seat],
    given: Sequence[Turn],
    kind: Kind,
    *,
    round: int = 0,
    reask: bool = True,
) -> Decision:
    """Return the decision of all seats about the answers of these turns, by canonical value.

    A call a seat; none where there are fewer than two answers.
    """
    votes = asking.votes(given, question)
    answers = list(dict.fromkeys(each for each in votes if each is not None))[:MOST_ANSWERS]
    if len(answers) < 2:
        return decisions.plurality(votes)
    letters = LETTERS[: len(answers)]
    named = dict(zip(letters, answers, strict=True))
    words = [given[votes.index(answer)].answer or "" for answer in answers]
    lines = [
        f"{letter}: {asking.on_one_line(each)}" for letter, each in zip(letters, words, strict=True)
    ]
    form = FORM_OF[kind]
    told = ANSWERS.format(answers="\n".join(lines), task=TASKS[kind], form=FORMS[form])
    prompt = [asking.shown_question(question), told]
    read = partial(ballot, letters=letters, form=form, reask=reask)
    asks = [episode.ask(seat, prompt, phase="ballot", round=round, read=read) for seat in seats]
    said = [turn.answer for turn in await asyncio.gather(*asks)]
    return count_ballots(said, kind, named, votes)


def count_ballots(
    said: Sequence[str | None],
    kind: Kind,
    named: dict[str, str],
    votes: Sequence[str | None],
) -> Decision:
    """Return the decision of ballots as they were read, by the answers that the letters name.

    `votes` are the answers themselves, which peer prediction compares with what was expected.
    """
    answers = list(named.values())
    if FORM_OF[kind] == "numbers":
        numbers = [
            None if each is None else {named[a]: n for a, n in parse_numbers(each).items()}
            for each in said
        ]
        if kind == "cumulative":
            return decisions.cumulative(numbers, answers)
        return decisions.surprisingly_popular(votes, numbers)
    ranked = [None if each is None else [named[a] for a in parse_letters(each)] for each in said]
    if kind == "vote":
        return decisions.plurality([each[0] if each else None for each in ranked])
    if kind == "approval":
        return decisions.approval(ranked, answers)
    if kind == "runoff":
        return decisions.instant_runoff(ranked, answers)
    first = min(MOST_POINTS, len(said)) if kind == "ranked" else None
    return decisions.borda(ranked, answers, first)
