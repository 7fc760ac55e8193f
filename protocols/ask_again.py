"""Ask the same question again, to see whether right answers stay and wrong ones are mended.

"Confidence v.s. Critique: A Decomposition of Self-Correction Capability for LLMs", Zhe Yang et al.,
arXiv 2412.19513.  The analysis is CL, CS and RSS: analysis/statistics/answer_changes.py for answers
that are drawn, option_changes.py for probabilities of options.

Kept: the second answer is given in the same conversation, after the question and the model's own
first answer, to the same question and without any hint (`prompt="question"`); of `samples` first
answers each gets one second answer; of questions with options (`form="options"`) the first
probabilities are those of the options alone, and the second ones are asked for after every possible
first answer.  The two other prompts are in our words: `confidence` asks to hold to the first
answer, `critique` to distrust it.  Different: a first answer that cannot be read is asked again
about as well; the conversation shows the reply without a model's reasoning.  Ours: the number of
samples (the paper's is said to be 10), and the final answer (of several samples the majority of the
second ones).  Left out: examples of self-correction in the prompt, and confidence tuning, which
trains weights.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from annotated_types import Ge

from arena.errors import ProtocolError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Chat, Prompt, chat, spoken
from arena.types import Answer, Sampling, Seat, Subject, Turn
from protocols import asking

VERSION = "1"

Again = Literal["question", "confidence", "critique"]
Form = Literal["samples", "options"]

# The words before the question when it is put again; none, in the paper's own procedure.
BEFORE: dict[Again, str] = {
    "question": "",
    "confidence": (
        "Be confident in the answer that you have given: change it only if you are sure that it is"
        " wrong. Here is the question again.\n\n"
    ),
    "critique": (
        "Distrust the answer that you have given: look for a mistake in it, and change it if you"
        " find one. Here is the question again.\n\n"
    ),
}
LETTER_ALONE = "\nReply with the letter of one option, and with nothing else.\n"


async def ask_again(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    samples: Annotated[int, Ge(1)] = 1,
    prompt: Again = "question",
    form: Form = "samples",
    reask: bool = True,
) -> list[Answer]:
    """Let the solver answer, and answer the same question once more in the same conversation.

    First answers have the stage 0, second ones the stage 1.  With `form="options"` nothing is
    drawn: the model, which must have "choices", gives each option a probability, first and after
    each first answer, and `samples` is not used; the answers are the likeliest ones.  `reask` asks
    once more in place of an answer that cannot be read.

    Raises ProtocolError if `form="options"` meets a question without options or a model without
    "choices".
    """
    if form == "options":
        return await ask_options(episode, question, solver, prompt)
    seats = [solver] if samples == 1 else [Seat(f"path{i}", solver.agent) for i in range(samples)]
    pairs = await asyncio.gather(
        *(ask_twice(episode, question, seat, prompt, reask) for seat in seats)
    )
    first, second = ([pair[stage] for pair in pairs] for stage in (0, 1))
    if samples == 1:
        return [*asking.answers(first), Answer(solver.name, second[0].answer, stage=1)]
    return [*asking.answers([*first, *second]), asking.majority(solver, second, question)]


async def ask_twice(
    episode: Episode, question: Subject, seat: Seat, prompt: Again, reask: bool
) -> tuple[Turn, Turn]:
    """Return the first and the second answer of a seat."""
    read = asking.reader(question, reask)
    task = asking.question_prompt(question)
    first = await episode.ask(seat, task, phase="answer", read=read)
    second = await episode.ask(
        seat, put_again(task, first, prompt), phase=f"again: {prompt}", round=1, read=read
    )
    return first, second


def put_again(task: Prompt, said: Turn | str, prompt: Again) -> Chat:
    """Return the conversation in which a question was answered and is put again."""
    mine = spoken(said) if isinstance(said, str) else said
    return chat([task, mine, [BEFORE[prompt], task]])


async def ask_options(
    episode: Episode, question: Subject, solver: Seat, prompt: Again
) -> list[Answer]:
    """Return the likeliest first answer, and the likeliest second one after it.

    The probabilities of all options stand in `measures`: of the first turn, and of one turn for
    each possible first answer, which its phase names.
    """
    letters = LETTERS[: len(question.choices)]
    check_options(question, solver)
    task = asking.with_images(question, asking.question_text(question) + LETTER_ALONE)
    sampling = Sampling(choices=tuple(letters))
    read = asking.reader(question, reask=False)
    first = await episode.ask(solver, task, phase="options", read=read, sampling=sampling)
    # A seat for each first answer: none of them was said, and no one hears of another.
    asks = [
        episode.ask(
            Seat(f"after{letter}", solver.agent),
            put_again(task, letter, prompt),
            phase=f"options after {letter}: {prompt}",
            round=1,
            read=read,
            sampling=sampling,
        )
        for letter in letters
    ]
    second = dict(zip(letters, await asyncio.gather(*asks), strict=True))
    chosen = second[first.answer].answer if first.answer in second else None
    return [Answer(solver.name, first.answer, final=False), Answer(solver.name, chosen, stage=1)]


def check_options(question: Subject, solver: Seat) -> None:
    """Raise ProtocolError unless there are options, and the model can score them."""
    if not question.choices:
        raise ProtocolError(
            "probabilities of options were asked for, and a question has none:"
            f" {question.text[:80]!r}; give questions with options, or form='samples'"
        )
    if "choices" not in solver.agent.model.capabilities:
        raise ProtocolError(
            f"{solver.agent.model.name} does not score given options; use a local model or a vLLM"
            " server, or form='samples'"
        )


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls.  Raises StudyError below two."""
    asking.check_calls(calls, 2, "ask_again asks twice")
    return {"samples": calls // 2}
