"""Ask how sure a model is of its answer, in one of several ways.

"Can LLMs Express Their Uncertainty?  An Empirical Evaluation of Confidence Elicitation in LLMs",
Miao Xiong et al., arXiv 2306.13063: the prompts `vanilla`, `chain_of_thought`, `multi_step`,
`top_k` and `self_probing`; one sample or several, by the model's own randomness, by prompts that
vary or with misleading hints; and the four aggregations of several samples.  `p_true` is P(True) of
"Language Models (Mostly) Know What They Know", Saurav Kadavath et al., arXiv 2207.05221; its other
forms score stored replies (estimators/p_true.py).

Kept: the questions and how replies are read; a probability beside each guess; a second session,
which has seen nothing but question and possible answer, for `self_probing`; the hints' three
groups, their random answers, and that the first sample has none; all aggregations.  Different: the
words are ours (confidence_prompts.py); a percent sign is asked for, so that 1 is told from
certainty; an unreadable part is asked for once more, then missing; `p_true` is zero-shot and
normalised over True and False, which are the choices of the reply; which hints are given is drawn;
prompts vary by a sentence before the instruction; pair-rank takes the logarithm (the released form
is an option).  Ours: the number of samples, and the agent's temperature unless one is given (the
released code took 5 samples at 0.7, and one at 0); ties go to the answer that came first;
unreadable samples stay in the denominators.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from functools import partial
from typing import Annotated

from annotated_types import Ge, Le

from arena.errors import ProtocolError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.play.reading import Reader
from arena.private import PrivateNumber
from arena.types import STATED, Answer, Sampling, Seat, Subject, Turn
from protocols import asking
from protocols.confidence_aggregation import BY_LISTS, Aggregation, aggregate_samples
from protocols.confidence_prompts import (
    POSSIBLE,
    PROBE,
    TRUE_OR_FALSE,
    Around,
    SamplingStrategy,
    Strategy,
    can_hint,
    check_hints,
    task,
    texts_beside,
)
from protocols.parsing import confidence as readers

VERSION = "1"

OPTIONS = ("True", "False")
PROBING_STRATEGIES = ("self_probing", "p_true")
Sample = tuple[Answer, tuple[readers.Guess, ...]]
# What a model must be able to do (Model.can), by strategy.
NEEDS = {"p_true": "choices", "sequence_probability": "measures"}


async def confidence_elicitation(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    strategy: Strategy = "vanilla",
    samples: Annotated[int, Ge(1)] = 1,
    aggregation: Aggregation = "consistency",
    k: Annotated[int, Ge(1), Le(9)] = 4,
    step_score: readers.StepScore = "overall",
    temperature: Annotated[float, Ge(0)] | None = None,
    reask: bool = True,
    sampling_strategy: SamplingStrategy = "self_random",
    hints_around: Around = "right answer",
    released_pair_rank: bool = False,
) -> list[Answer]:
    """Return the solver's answer with its confidence in [0, 1].

    Of several samples each has a confidence of its own, and the last answer is made of all.

    `strategy`: vanilla (answer and confidence at once); chain_of_thought; multi_step (each step
    with a confidence; `step_score` takes the stated confidence in the whole, or the product); top_k
    (`k` guesses, of which the first counts); self_probing (a second session rates the answer);
    p_true (the probability that the model gives to "True", for models with "choices");
    sequence_probability (the probability of the whole reply, its reasoning included if the model
    thinks, for models with "measures").  `aggregation`, of more than one sample, is one of
    confidence_aggregation.py; top_k_average and pair_rank read the guesses of `top_k`, pair_rank in
    the released code's form with `released_pair_rank`.  `sampling_strategy`: self_random (one
    prompt); prompt_variation; misleading (all samples but the first are given a hint with an answer
    drawn around the right one, or by `hints_around` around the first sample's own).  `reask` asks
    once more for an answer that cannot be read where it is all that is asked for; a stated
    confidence is always asked for once more.
    """
    check_capability(solver, strategy)
    misleading = sampling_strategy == "misleading" and samples > 1
    check_samples(question, strategy, aggregation, hints_around if misleading else None)
    # One sample speaks from the solver's own seat.  A probe has a seat of its own, since it may see
    # nothing of the answer's session.
    seats = [solver] if samples == 1 else [Seat(f"path{i}", solver.agent) for i in range(samples)]
    probes = [Seat("probe" if samples == 1 else f"probe{i}", solver.agent) for i in range(samples)]
    read = reply_reader(question, strategy, step_score, reask)
    sampling = asking.sampling_at(solver.agent, temperature)

    async def answer_sample(seat: Seat, probe: Seat, beside: str) -> Sample:
        """Return one sample's answer with its own confidence, and its guesses.

        `beside` stands between question and instruction.
        """
        prompt = asking.with_images(question, task(question, strategy, k, beside))
        said = await episode.ask(seat, prompt, phase="answer", read=read, sampling=sampling)
        confidence = said.confidence
        source = "probability" if strategy in NEEDS else STATED
        if strategy in PROBING_STRATEGIES:
            confidence = await probe_confidence(
                episode, question, said.answer, probe, strategy, sampling
            )
        elif strategy == "sequence_probability":
            confidence = probability(said)
        answer = Answer(
            seat.name,
            said.answer,
            confidence=confidence,
            final=False,
            confidence_source=None if confidence is None else source,
        )
        return answer, readers.ranked_guesses(said, LETTERS[: len(question.choices)])

    alone = misleading and hints_around == "own answer"
    first = [await answer_sample(seats[0], probes[0], "")] if alone else []
    centre = first[0][0].answer if alone else question.gold
    if alone and not can_hint(question, centre):
        # Nothing to draw hints around: an answer without a confidence, since none was tested.
        return [first[0][0], asking.voted_answer(solver, centre, None)]
    # Drawn before other samples speak, since they may end in any order.
    rng = episode.rng("hints")
    beside = ["", *texts_beside(rng, question, sampling_strategy, samples - 1, centre)]
    asked = list(zip(seats, probes, beside, strict=True))[len(first) :]
    # A probe follows its own sample at once, without waiting for the other samples.
    rest = await asyncio.gather(*(answer_sample(*one) for one in asked))
    said, lists = zip(*first, *rest, strict=True)
    if samples == 1:
        return [replace(said[0], final=True)]
    aggregate = aggregate_samples(
        said,
        question,
        solver,
        aggregation,
        lists=lists,
        first_decides=misleading,
        released=released_pair_rank,
    )
    return [*said, aggregate]


def check_samples(
    question: Subject, strategy: Strategy, aggregation: Aggregation, around: Around | None
) -> None:
    """Raise ProtocolError for an aggregation without guesses, or hints that cannot be drawn."""
    if aggregation in BY_LISTS and strategy != "top_k":
        raise ProtocolError(
            f"{aggregation} reads several guesses of each sample, which {strategy} does not ask"
            " for; take the strategy top_k, or another aggregation"
        )
    if around is not None:
        check_hints(question, around)


def check_capability(solver: Seat, strategy: Strategy) -> None:
    """Raise ProtocolError if the solver's model does not give the numbers that a strategy reads."""
    ability = NEEDS.get(strategy)
    if ability is not None and ability not in solver.agent.model.capabilities:
        raise ProtocolError(
            f"{strategy} needs a model with {ability!r}, which {solver.agent.model.name} has not;"
            " take a local model, or another strategy"
        )


def reply_reader(
    question: Subject, strategy: Strategy, step_score: readers.StepScore, reask: bool = True
) -> Reader:
    """Return the reader of the solver's reply."""
    letters, options = LETTERS[: len(question.choices)], question.choices
    match strategy:
        case "vanilla" | "chain_of_thought":
            return partial(readers.answer_and_confidence, letters=letters, options=options)
        case "multi_step":
            return partial(
                readers.answer_and_steps, letters=letters, options=options, score=step_score
            )
        case "top_k":
            return partial(readers.top_guess, letters=letters)
        case _:
            return asking.reader(question, reask)


async def probe_confidence(
    episode: Episode,
    question: Subject,
    answer: str | None,
    probe: Seat,
    strategy: Strategy,
    sampling: Sampling | None,
) -> float | PrivateNumber | None:
    """Return the confidence of a second session; None if it gives none, or without an answer.

    The session is shown the question and a possible answer, and nothing else.
    """
    if answer is None:
        return None
    prompt = asking.question_text(question) + POSSIBLE.format(answer=answer)

    def shown(end: str) -> Prompt:
        """Return the prompt with this end."""
        return asking.with_images(question, prompt + end)

    ask = partial(episode.ask, probe, phase="probe", round=1)
    if strategy == "self_probing":
        said = await ask(shown(PROBE), read=readers.confidence_only, sampling=sampling)
        return said.confidence
    # Choices are scored, not sampled, so that neither the agent's sampling nor a temperature
    # matters here.
    choices = Sampling(choices=OPTIONS)
    said = await ask(shown(TRUE_OR_FALSE), read=readers.true_or_false, sampling=choices)
    return (said.measures or {}).get(f"probability of {OPTIONS[0]}")


def probability(said: Turn) -> float | None:
    """Return the probability of a whole reply, in [0, 1]; None if it was not measured."""
    logprob = (said.measures or {}).get("logprob_sum")
    # A sum of log probabilities can end a bit above 0 by rounding.
    return None if logprob is None else min(1.0, math.exp(logprob))


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls, re-asks apart.  Raises StudyError below one."""
    asking.check_calls(calls, 1, "confidence_elicitation needs a sample")
    return {"samples": calls}
