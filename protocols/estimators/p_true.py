"""Ask how probable it is that a stored answer is True: P(True).

"Language Models (Mostly) Know What They Know", Saurav Kadavath et al., arXiv 2207.05221: question,
proposed answer, and True or False as the options of the next reply.

    p_true               the probability of True
    p_true_own_samples   with other answers of the model to the question shown before
    p_true_empirical     without probabilities: the share of True among n sampled replies

Kept: the proposed answer is one of the model's own; the samples are shown before it, as answers
that the model has thought of; examples of other questions with their verdicts, 20 of them in the
paper.  Different: the words are ours; options are the words True and False in place of (A) and (B);
the probability is that of True over True and False (`normalised`), in the details stand both, since
lm-polygraph takes the raw probability of the one token; samples are shown by their answers alone,
and each value is asked about once, whatever replies gave it.  `p_true_empirical` is lm-polygraph's:
10 replies of one token; a reply that says neither is left out of the share, and counted.  Left out:
the temperature that recalibrates a model.

Examples need to be known as right or wrong, which nothing in a stored reply says: they are options
of the protocol, [question, possible answer, whether it is right], which `examples_of` makes of
questions that are held out.  An example about the question that is scored is never shown.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from annotated_types import Ge

from arena.errors import ProtocolError, StudyError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Sampling, Seat, Subject, Turn
from protocols import asking
from protocols.confidence_prompts import POSSIBLE, TRUE_OR_FALSE
from protocols.estimators.possible_answers import (
    Found,
    own_answers,
    score_answers,
    shown_question,
    usable_examples,
)
from protocols.parsing.confidence import true_or_begun, true_or_false

VERSION = "1"

TRUE, FALSE = "True", "False"
IDEAS = "\nThese answers to it have been thought of before:\n{ideas}"
EXAMPLES = "Below stand {count} examples, and then the question that is yours.\n"
EXAMPLE = "\nExample {number}: {question}{possible}{form}{verdict}\n"
YOURS = "\nYours: "
NO_OTHERS = "no other sample of this question to show"
Example = tuple[str, str, bool]


async def p_true(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    *,
    normalised: bool = True,
    examples: Sequence[Example] = (),
) -> list[Score]:
    """Return the probability that the scorer gives to True, for each answer.

    For models with "choices".
    """
    return await by_choices(episode, samples, scorer, "p_true", normalised, examples, 0)


async def p_true_own_samples(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    *,
    shown: Annotated[int, Ge(2)] = 5,
    normalised: bool = True,
    examples: Sequence[Example] = (),
) -> list[Score]:
    """Return the same with the answers of the first `shown` replies before the question."""
    name = "p_true_own_samples"
    if len(own_answers(samples, shown)) < 2:
        return [
            Score(reply.turn, name, None, "probability", NO_OTHERS) for reply in samples.replies
        ]
    return await by_choices(episode, samples, scorer, name, normalised, examples, shown)


async def p_true_empirical(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    *,
    replies: Annotated[int, Ge(1)] = 10,
    temperature: Annotated[float, Ge(0)] | None = None,
    max_tokens: Annotated[int, Ge(1)] | None = 1,
    examples: Sequence[Example] = (),
) -> list[Score]:
    """Return the share of True among so many sampled replies, for each answer.

    `temperature` None is the agent's own.  `max_tokens` None is the agent's own limit, for models
    that think before they speak.
    """
    own = scorer.agent.sampling
    sampling = replace(
        own,
        temperature=own.temperature if temperature is None else temperature,
        max_tokens=max_tokens or own.max_tokens,
    )
    known = usable_examples(samples, examples)

    async def find(number: int, answer: str) -> Found:
        """Return the share of True for one possible answer."""
        prompt = prompt_of(samples, answer, known, [])
        seats = [Seat(f"probe{number}_{each}", scorer.agent) for each in range(replies)]
        turns = await asyncio.gather(
            *(
                episode.ask(seat, prompt, phase="probe", read=true_or_begun, sampling=sampling)
                for seat in seats
            )
        )
        said = [turn.answer for turn in turns]
        counts = {"true": said.count(TRUE), "false": said.count(FALSE)}
        read = counts["true"] + counts["false"]
        details = {
            **counts,
            "unreadable": replies - read,
            "readout": f"share of True among {replies} replies",
            "examples": len(known),
        }
        if not read:
            return Found(None, "no reply said True or False", details=details)
        return Found(counts["true"] / read, details=details)

    return await score_answers(samples, "p_true_empirical", find)


async def by_choices(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    name: str,
    normalised: bool,
    examples: Sequence[Example],
    shown: int,
) -> list[Score]:
    """Return the score of each reply from the probabilities of True and False."""
    check_choices(scorer, name)
    known = usable_examples(samples, examples)
    ideas = own_answers(samples, shown)

    async def find(number: int, answer: str) -> Found:
        """Return the probability of True for one possible answer."""
        turn = await episode.ask(
            Seat(f"probe{number}", scorer.agent),
            prompt_of(samples, answer, known, ideas),
            phase="probe",
            read=true_or_false,
            # Choices are scored, not sampled: neither the agent's sampling nor a seed matters.
            sampling=Sampling(choices=(TRUE, FALSE)),
        )
        return found_in(turn, normalised, len(ideas), len(known))

    return await score_answers(samples, name, find)


def found_in(turn: Turn, normalised: bool, ideas: int, examples: int) -> Found:
    """Return the probability of True as a model's measures hold it, renormalised or raw."""
    measures = turn.measures or {}
    over_both = measures.get(f"probability of {TRUE}")
    logprob = measures.get(f"logprob of {TRUE}")
    raw = None if logprob is None else min(1.0, math.exp(logprob))
    value = over_both if normalised else raw
    details: dict[str, object] = {
        "readout": "p(True) / (p(True) + p(False))" if normalised else "p(True)",
        "normalised": over_both,
        "raw": raw,
        "shown": ideas,
        "examples": examples,
    }
    if value is None:
        return Found(None, "the model gave no probability of True", details=details)
    return Found(value, samples=max(1, ideas), details=details)


def check_choices(scorer: Seat, name: str) -> None:
    """Raise ProtocolError if the scorer's model does not score options."""
    if "choices" not in scorer.agent.model.capabilities:
        raise ProtocolError(
            f"{name} needs a model with 'choices', which {scorer.agent.model.name} has not; take a"
            " local model, or p_true_empirical"
        )


def prompt_of(
    samples: StoredSamples, answer: str, examples: Sequence[Example], ideas: Sequence[str]
) -> Prompt:
    """Return the prompt: examples with their verdicts, question, ideas and the possible answer."""
    text = ""
    if examples:
        text = EXAMPLES.format(count=len(examples))
        text += "".join(
            EXAMPLE.format(
                number=number,
                question=f"{question.rstrip()}\n",
                possible=POSSIBLE.format(answer=asking.in_box(possible)),
                form=TRUE_OR_FALSE,
                verdict=TRUE if right else FALSE,
            )
            for number, (question, possible, right) in enumerate(examples, 1)
        )
        text += YOURS
    text += shown_question(samples)
    if ideas:
        text += IDEAS.format(ideas="".join(f"- {asking.on_one_line(idea)}\n" for idea in ideas))
    text += POSSIBLE.format(answer=asking.in_box(answer)) + TRUE_OR_FALSE
    return asking.with_images(samples.question, text)


def examples_of(questions: Sequence[Subject], number: int = 20, seed: int = 0) -> list[Example]:
    """Return examples of held-out questions, every second one with a wrong answer.

    The right answer is the question's own, a wrong one another option, or else the right answer of
    another question.  Questions that are scored must not be among them.  Raises StudyError for too
    few questions with a right answer.
    """
    known = [question for question in questions if question.gold is not None]
    if len(known) < max(number, 2):
        raise StudyError(
            f"{number} examples were asked for, and {len(known)} of {len(questions)} held-out"
            " questions have a right answer; give more questions, or take fewer examples"
        )
    rng = random.Random(f"p_true examples {seed}")
    chosen = rng.sample(known, number)
    examples: list[Example] = []
    for place, question in enumerate(chosen):
        text = asking.question_text(question)
        right = str(question.gold)
        if place % 2 == 0:
            examples.append((text, right, True))
            continue
        if question.choices:
            others = [each for each in LETTERS[: len(question.choices)] if each != right]
        else:
            others = [str(other.gold) for other in known if other.gold != right]
        if not others:
            raise StudyError(f"no wrong answer to {question.text[:60]!r} is known; leave it out")
        examples.append((text, rng.choice(others), False))
    rng.shuffle(examples)
    return examples
