"""Let a model write its own demonstrations, and solve the question after them (SEC).

"Are Human-generated Demonstrations Necessary for In-context Learning?" (self-contemplation
prompting), Rui Li, Guoyin Wang and Jiwei Li, arXiv 2309.14681.

Kept: a first call writes questions like the one at hand, each with a solution and an answer, in a
fixed form; a second one is shown them and then the question, so that every question has
demonstrations of its own; with reasoning (CoT-SEC) or with answers alone (SEC).  Control arms:
demonstrations that people wrote (`source="given"`: in-context learning) and none (`source="none"`).
Different: all that are written are shown (of 5 the released code shows 4); what does not keep to
the form is left out, and a reply without any demonstration is asked for once more; if there is none
then, the question is put without.  Ours: the words, the form in tags, and `paths`, a vote over
several answers after the same demonstrations, for a comparison at equal calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge

from arena.errors import ProtocolError
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Answer, Reading, Reply, Seat, Subject
from protocols import asking
from protocols.parsing.tagged import tagged

VERSION = "1"

Source = Literal["own", "given", "none"]

WRITE = "\nDo not answer this question. Write {count} new questions of its kind, and solve each."
WITH_STEPS = " Think step by step in the solution, and show your reasoning."
WITHOUT_STEPS = " Give the answer alone, without a solution."
FORM = " Give each in this form:\n<example>\n<question>the new question{options}</question>\n"
OPTIONS = ", with its options by letter"
SOLUTION = "<solution>how it is solved</solution>\n"
ANSWER = "<answer>{answer}</answer>\n</example>\n"
SHOWN = "Here are examples of questions with their answers.\n\n"
NOW = "\nNow the question that you answer:\n\n"
ASK_EXAMPLES = (
    "No example could be read. Write the examples once more, each between <example> and </example>,"
    " in the form that was given."
)
NO_EXAMPLES = "no demonstrations"
FEWER = "fewer demonstrations"
PARTS = ("question", "solution", "answer")
# Where another example would begin.
BETWEEN = re.compile(r"\n(?=Question: )")


async def own_demonstrations(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    source: Source = "own",
    demonstrations: Annotated[int, Ge(1)] = 4,
    reasoning: bool = True,
    given: Sequence[str] = (),
    paths: Annotated[int, Ge(1)] = 1,
    reask: bool = True,
) -> list[Answer]:
    """Return the answer that the solver gives after demonstrations, of `paths` the majority.

    `source` says whose they are: its own, of which so many are asked for; `given`, texts of whole
    examples; or none.  `reasoning` says whether own ones hold a solution.
    `reask` asks once more where no demonstration or answer can be read.  Raises ProtocolError
    where given ones are to be shown and there are none, or the other way round.
    """
    if (source == "given") != bool(given):
        raise ProtocolError(
            f"source={source!r} with {len(given)} given demonstrations: give their texts with"
            " source='given', and with nothing else"
        )
    examples: Prompt = "\n".join(given)
    if source == "own":
        turn = await episode.ask(
            solver,
            writing_prompt(question, demonstrations, reasoning),
            phase="demonstrations",
            read=partial(read_examples, least=demonstrations, reasoning=reasoning, reask=reask),
        )
        examples = [] if turn.public is None else turn
    before: list[Prompt] = [SHOWN, examples, NOW] if examples else []
    prompt = [*before, asking.question_prompt(question)]
    return await asking.answer_after(episode, question, solver, prompt, paths, reask=reask)


def writing_prompt(question: Subject, count: int, reasoning: bool) -> Prompt:
    """Return the prompt that asks for demonstrations like the question."""
    answer = "the letter of the right option" if question.choices else "its answer alone"
    form = FORM.format(options=OPTIONS if question.choices else "")
    task = WRITE.format(count=count) + (WITH_STEPS if reasoning else WITHOUT_STEPS) + form
    task += (SOLUTION if reasoning else "") + ANSWER.format(answer=answer)
    return [asking.shown_question(question), task]


def read_examples(
    reply: Reply | str, *, least: int, reasoning: bool = True, reask: bool = True
) -> Reading:
    """Read the examples of a reply; they are its public words, in the form in which they are shown.

    None, with a flag, where none has all its parts; a flag where there are fewer than `least`.  Of
    a reply that was cut off the examples that were closed count.
    """
    reply = as_reply(reply)
    words = part_reasoning(reply.text).words
    found = [example_text(each, reasoning) for each in tagged(words, "example")]
    whole = [each for each in found if each is not None]
    unfinished = unfinished_reason(reply)
    doubts = (unfinished,) if unfinished else ()
    if not whole:
        ask = ASK_EXAMPLES if reask else None
        return Reading(None, flags=(*doubts, NO_EXAMPLES), reask=ask, missing=("public",))
    flags = (*doubts, FEWER) if len(whole) < least else doubts
    return Reading("\n".join(whole), flags=flags, composed=True)


def example_text(example: str, reasoning: bool) -> str | None:
    """Return an example as it is shown, None if one of its parts is missing or empty."""
    said = {part: next(iter(tagged(example, part)), "") for part in PARTS}
    if not said["question"] or not said["answer"] or (reasoning and not said["solution"]):
        return None
    solution = f"Solution: {BETWEEN.sub(' ', said['solution'])}\n" if reasoning else ""
    # The form in which the question at hand is to be answered, too.
    answer = f"Answer: \\boxed{{{asking.in_box(said['answer'])}}}\n"
    # A question on one line, so that no word of it begins another example.
    return f"Question: {asking.on_one_line(said['question'])}\n{solution}{answer}"


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls: one that writes, the others answer.

    Raises StudyError below two.
    """
    asking.check_calls(calls, 2, "own_demonstrations needs a call that writes and one that answers")
    return {"paths": calls - 1}
