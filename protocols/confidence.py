"""Ask how sure a model is of its answer, in one of several ways.

"Can LLMs Express Their Uncertainty?  An Empirical Evaluation of Confidence Elicitation in LLMs",
Miao Xiong et al., arXiv 2306.13063: `vanilla`, `chain_of_thought`, `multi_step`, `top_k` and
`self_probing`, and the aggregation of several samples.  `p_true` is P(True) of "Language Models
(Mostly) Know What They Know", Saurav Kadavath et al., arXiv 2207.05221.

Kept: the questions and how replies are read; a probability beside each guess; a second session,
which has seen nothing but question and possible answer, for `self_probing`; consistency and the
weight share of confidences (not their mean) over samples.  Different: the words are ours; a percent
sign is asked for, so that 1 is told from certainty; an unreadable part is asked for once more, then
missing; `p_true` is zero-shot and normalised over True and False, which are the choices of the
reply.  Ours: the number of samples, and the agent's temperature unless one is given (the released
code took 5 samples at 0.7, and one at 0); ties go to the answer that came first; unreadable samples
stay in the denominators.  Left out: misleading hints, prompts that vary, the ranking of pairs of
guesses (all of them stand in `turns`), the mean over samples that list a guess, and few-shot
examples and brainstorming before P(True).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Le

from arena.errors import ProtocolError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.play.reading import Reader
from arena.private import PrivateNumber
from arena.types import STATED, Answer, Sampling, Seat, Subject, Turn
from protocols import asking
from protocols.parsing import confidence as readers

VERSION = "1"

Strategy = Literal[
    "vanilla",
    "chain_of_thought",
    "multi_step",
    "top_k",
    "self_probing",
    "p_true",
    "sequence_probability",
]
Aggregation = Literal["consistency", "average_confidence"]

MEANING = (
    "Your confidence says how likely it is that your answer is right, from 0% (certainly wrong) to"
    " 100% (certainly right)."
)
ANSWER = "Answer: your answer in \\boxed{}"
ANSWER_WITH_OPTIONS = "Answer: the letter of the option that you choose, in \\boxed{}"
CLOSING = "{answer}\nConfidence: N%\n"
VANILLA = (
    "\nGive your answer and your confidence in it, and do not explain them. "
    + MEANING
    + " Reply with these two lines and nothing else:\n"
)
CHAIN = (
    "\nThink step by step, and show your reasoning. Then give your answer and your confidence in"
    " it. " + MEANING + " End with these two lines:\n"
)
MULTI_STEP = (
    "\nSolve this in steps, and number them. After each step, say on a line of its own how likely"
    " it is that this step is right, as in `Confidence of step 1: N%`. Then give your answer and"
    " your confidence in the whole. " + MEANING + " End with these two lines:\n"
)
MULTI_STEP_CLOSING = "{answer}\nOverall confidence: N%\n"
TOP_K = (
    "\nGive your {k} best guesses, the likeliest first, and for each the probability, from 0 to 1,"
    " that it is right. Do not explain them, and reply with these lines and nothing else:\n"
)
GUESSED = "G{rank}: guess number {rank}, nothing but the answer\nP{rank}: its probability\n"
GUESSED_LETTER = (
    "G{rank}: guess number {rank}, nothing but the letter of an option\nP{rank}: its probability\n"
)
AT_ONCE = "\nGive your answer at once, without any reasoning.\n"
POSSIBLE = "\nPossible answer: \\boxed{{{answer}}}\n"
PROBE = (
    "\nHow likely is it that this possible answer is right? Reason briefly about this answer, not"
    " about one that you would prefer. End with one line, from 0% (certainly wrong) to 100%"
    " (certainly right):\nConfidence: N%\n"
)
TRUE_OR_FALSE = "\nIs the possible answer right? Reply with one word, True or False.\n"
OPTIONS = ("True", "False")
PROBING_STRATEGIES = ("self_probing", "p_true")
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
) -> list[Answer]:
    """Return the solver's answer with its confidence in [0, 1].

    Of several samples each has a confidence of its own, and the last answer is made of all.

    `strategy`: vanilla (answer and confidence at once); chain_of_thought; multi_step (each step
    with a confidence; `step_score` takes the stated confidence in the whole, or the product); top_k
    (`k` guesses, of which the first counts); self_probing (a second session rates the answer);
    p_true (the probability that the model gives to "True", for models with "choices");
    sequence_probability (the probability of the whole reply, its reasoning included if the model
    thinks, for models with "measures").  `aggregation`, of more than one sample: consistency (the
    most frequent answer and its share) or average_confidence (the answer with the largest share of
    all confidence).  `reask` asks once more for an answer that cannot be read where
    it is all that is asked for; a stated confidence is always asked for once more.
    """
    check_capability(solver, strategy)
    # One sample speaks from the solver's own seat.  A probe has a seat of its own, since it may see
    # nothing of the answer's session.
    seats = [solver] if samples == 1 else [Seat(f"path{i}", solver.agent) for i in range(samples)]
    probes = [Seat("probe" if samples == 1 else f"probe{i}", solver.agent) for i in range(samples)]
    prompt = asking.with_images(question, task(question, strategy, k))
    read = reply_reader(question, strategy, step_score, reask)
    sampling = asking.sampling_at(solver.agent, temperature)

    async def answer_sample(seat: Seat, probe: Seat) -> Answer:
        """Return one sample's answer with its own confidence."""
        said = await episode.ask(seat, prompt, phase="answer", read=read, sampling=sampling)
        confidence = said.confidence
        source = "probability" if strategy in NEEDS else STATED
        if strategy in PROBING_STRATEGIES:
            confidence = await probe_confidence(
                episode, question, said.answer, probe, strategy, sampling
            )
        elif strategy == "sequence_probability":
            confidence = probability(said)
        return Answer(
            seat.name,
            said.answer,
            confidence=confidence,
            final=False,
            confidence_source=None if confidence is None else source,
        )

    # A probe follows its own sample at once, without waiting for the other samples.
    said = await asyncio.gather(*map(answer_sample, seats, probes))
    if samples == 1:
        return [replace(said[0], final=True)]
    return [*said, aggregate_samples(said, question, solver, aggregation)]


def check_capability(solver: Seat, strategy: Strategy) -> None:
    """Raise ProtocolError if the solver's model does not give the numbers that a strategy reads."""
    ability = NEEDS.get(strategy)
    if ability is not None and ability not in solver.agent.model.capabilities:
        raise ProtocolError(
            f"{strategy} needs a model with {ability!r}, which {solver.agent.model.name} has not;"
            " take a local model, or another strategy"
        )


def task(question: Subject, strategy: Strategy, k: int) -> str:
    """Return the solver's prompt."""
    text = asking.question_text(question)
    answer = ANSWER_WITH_OPTIONS if question.choices else ANSWER
    match strategy:
        case "vanilla":
            return text + VANILLA + CLOSING.format(answer=answer)
        case "chain_of_thought":
            return text + CHAIN + CLOSING.format(answer=answer)
        case "multi_step":
            return text + MULTI_STEP + MULTI_STEP_CLOSING.format(answer=answer)
        case "top_k":
            guess = GUESSED_LETTER if question.choices else GUESSED
            guesses = [guess.format(rank=rank) for rank in range(1, k + 1)]
            return text + TOP_K.format(k=k) + "".join(guesses)
        case "sequence_probability":
            return text + AT_ONCE + asking.form(question)
        case _:
            return text + asking.STEPS + asking.form(question)


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


def aggregate_samples(
    said: Sequence[Answer], question: Subject, solver: Seat, aggregation: Aggregation
) -> Answer:
    """Return the answer of all samples.

    score(a) = count(a) / samples, or the sum of a's confidences / the sum of all.  Without any
    confidence above 0 to weigh by, the answer is the most frequent one and has no confidence.
    """
    votes = asking.votes(said, question)
    weights: list[float | PrivateNumber] = [1.0] * len(said)
    if aggregation == "average_confidence":
        # A sample without a confidence weighs nothing, but its vote is still one.
        weights = [sample.confidence or 0.0 for sample in said]
    # If all weights are 0 there is no share to give: count votes, and give no confidence.
    weighed = any(
        weight > 0 and vote is not None for weight, vote in zip(weights, votes, strict=True)
    )
    best, share = asking.winner(votes, weights if weighed else None)
    return asking.final_answer(solver, said, best, share if weighed else None)


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls, re-asks apart.  Raises StudyError below one."""
    asking.check_calls(calls, 1, "confidence_elicitation needs a sample")
    return {"samples": calls}
