"""Ask a question in other words, and with another meaning, and see whether the answer follows.

`stability_under_paraphrase` of a reply is the share of rewordings that get its answer again: the
sampling with perturbed inputs of SPUQ, "Perturbation-Based Uncertainty Quantification for Large
Language Models", Xiang Gao et al., arXiv 2403.02509, in its form by paraphrase and equal answers.
`sensitivity_to_meaning` is ours: the share of questions changed in meaning that get another answer,
so that a model which never listens is told from one that is sure.

Kept: a model writes the rewordings, and each is answered in a session of its own.  Different:
answers are equal by value, in place of similar by ROUGE or BERT; an unreadable answer is neither
the same nor another.  Left out: perturbed system prompts, dummy tokens and temperatures.  Nobody
checks that a rewording keeps the meaning: details hold all of them with their answers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from annotated_types import Ge, Le

from arena.play.episode import Episode
from arena.play.reading import unfinished_reason
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Reading, Reply, Seat, Subject, Turn
from protocols import asking
from protocols.estimators.reply_texts import Compared, Values, compared, scores_of
from protocols.parsing.confidence import said_in

VERSION = "1"

REWORD = (
    "\nPut this question in {count} other ways: other words and another order, with the same"
    " meaning and the same right answer. Do not answer it. Write each between <question> and"
    " </question>, and nothing else.\n"
)
CHANGE = (
    "\nWrite {count} questions that differ from this one by a small change, by which another answer"
    " is right{options}. Do not answer them. Write each between <question> and </question>, and"
    " nothing else.\n"
)
AMONG_OPTIONS = " (the options stay as they are, and one of them is right)"
ASK_QUESTIONS = "No question could be read. Write each between <question> and </question>."
# No question holds the beginning of another one, so that hostile text is searched once.
QUESTION = re.compile(r"<question>((?:(?!</?question>).){1,20000})</question>", re.DOTALL)


async def paraphrase(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    writer: Seat,
    *,
    rewordings: Annotated[int, Ge(1), Le(20)] = 3,
    changes: Annotated[int, Ge(0), Le(20)] = 3,
) -> list[Score]:
    """Return stability and sensitivity of each reply, in [0, 1].

    The writer writes `rewordings` and `changes` of the question, in one call each; the scorer, who
    answers all of them, is the agent that is scored.  Unreadable answers stay in the denominator.
    """
    chosen = with_values(samples, compared(samples, "answer"))
    question = samples.question
    options = AMONG_OPTIONS if question.choices else ""
    same = await rewrite(episode, question, writer, REWORD.format(count=rewordings), rewordings)
    other: list[str] = []
    if changes:
        words = CHANGE.format(count=changes, options=options)
        other = await rewrite(episode, question, writer, words, changes)
    said = await asyncio.gather(
        *(answer_to(episode, question, scorer, "reworded", k, text) for k, text in enumerate(same)),
        *(answer_to(episode, question, scorer, "changed", k, text) for k, text in enumerate(other)),
    )
    given = asking.votes(said, question)
    again, changed = given[: len(same)], given[len(same) :]
    values = [samples.replies[place].canonical for place in chosen.used]
    rows: list[Values] = [
        (
            "stability_under_paraphrase",
            [share_of(again, value, equal=True) for value in values]
            if any(again)
            else why_none(same, "rewording"),
        ),
        (
            "sensitivity_to_meaning",
            [share_of(changed, value, equal=False) for value in values]
            if any(changed)
            else why_none(other, "change"),
        ),
    ]
    details = {
        "writer": writer.agent.model.name,
        "rewordings": [list(each) for each in zip(same, again, strict=True)],
        "changes": [list(each) for each in zip(other, changed, strict=True)],
    }
    return scores_of(samples, chosen, rows, details, alone=[name for name, _ in rows])


def with_values(samples: StoredSamples, chosen: Compared) -> Compared:
    """Return the replies whose answers have a value, by which others can equal them."""
    used = tuple(place for place in chosen.used if samples.replies[place].canonical is not None)
    texts = tuple(chosen.texts[chosen.used.index(place)] for place in used)
    left_out = {place: "no answer to compare" for place in chosen.used if place not in used}
    return Compared(chosen.kind, used, texts, {**chosen.missing, **left_out})


async def rewrite(
    episode: Episode, question: Subject, writer: Seat, instruction: str, count: int
) -> list[str]:
    """Return the questions that the writer makes of a question, each once, at most `count`."""
    prompt = asking.with_images(question, asking.question_text(question) + instruction)
    said = await episode.ask(writer, prompt, phase="rewrite", read=read_questions)
    found = [text.strip() for text in QUESTION.findall(said.public or "")]
    return [text for text in dict.fromkeys(found) if text and text != question.text][:count]


async def answer_to(
    episode: Episode, question: Subject, scorer: Seat, phase: str, number: int, text: str
) -> Turn:
    """Return the scorer's answer to a rewritten question, in a session of its own."""
    asked = replace(question, text=text)
    seat = Seat(f"{phase}{number}", scorer.agent)
    return await episode.ask(
        seat, asking.question_prompt(asked), phase=phase, round=1, read=asking.reader(asked)
    )


def share_of(given: Sequence[str | None], value: str | None, *, equal: bool) -> float:
    """Return the share of answers that equal a value, or that are another one."""
    return sum(each is not None and (each == value) is equal for each in given) / len(given)


def why_none(texts: Sequence[str], what: str) -> str:
    """Return why there is no answer to a rewritten question."""
    if not texts:
        return f"no {what} of the question was written"
    return f"no answer to a {what} of the question could be read"


def read_questions(reply: Reply) -> Reading:
    """Read the questions between their tags; none at all is asked for once more."""
    public, _ = said_in(reply)
    if unfinished_reason(reply) or not QUESTION.search(public or ""):
        return Reading(public, flags=("no question",), reask=ASK_QUESTIONS, missing=("answer",))
    return Reading(public)
