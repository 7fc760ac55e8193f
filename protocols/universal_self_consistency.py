"""Sample many chains of thought, and let one more call name the most consistent by its number.

"Universal Self-Consistency for Large Language Model Generation", Xinyun Chen, Renat Aksitov, Uri
Alon, Jie Ren, Kefan Xiao, Pengcheng Yin, Sushant Prakash, Charles Sutton, Xuezhi Wang and Denny
Zhou, arXiv 2311.17311; details as in the released code of Self-Certainty (arXiv 2502.18581), which
has it as a baseline.

Kept from that code: replies are numbered from 0; the last "Response k" that the pick names counts;
if it names none, or one that does not exist, Response 0 is taken, and if the reply that was taken
cannot be read, the first one that can.  Different: the first of these failures is a flag of the
pick's turn ("no response named", "no such response").  Ours: the number of paths, the words, the
greedy pick and the order as options, and the confidence (the share of all paths that give the same
answer).  Open-ended tasks are in open_answer.py.

VERSION 2 differs from 1: the instruction has no line break inside its paragraph.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.play.reading import as_reply, unfinished_reason
from arena.play.reasoning import part_reasoning
from arena.types import Answer, Reading, Reply, Seat, Subject
from protocols import asking

VERSION = "2"

PICK = """
Compare these replies. Which of them is the most consistent with the others, so that most of them \
reach what it reaches? Say why in a few sentences, and end with one line that names it by its \
number, such as: The most consistent is Response N
"""
# Markup may stand between the word and its number, as in "Response **3**" or "Response (3)".
RESPONSE_NUMBER = re.compile(r"\bresponse[ \t*_`#:({\[]{0,6}([0-9]{1,9})", re.IGNORECASE)


async def universal_self_consistency(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    paths: Annotated[int, Ge(1)] = 8,
    final_temperature: Annotated[float, Ge(0)] | None = 0.0,
    shuffled: bool = False,
    reask: bool = True,
) -> list[Answer]:
    """Return the answer of the reply that the solver finds the most consistent of `paths`.

    `final_temperature` is of the pick; None leaves it to the agent's sampling, for models that
    refuse a temperature.  `shuffled` numbers the replies in a random order.  `reask`
    asks a path once more where no answer can be read.
    """
    turns = await asking.sample_paths(episode, question, solver, paths, reask=reask)
    order = asking.order_paths(episode, turns, shuffled)
    prompt = [asking.shown_question(question), asking.list_replies(episode, order), PICK]
    read = partial(read_pick, count=paths)
    sampling = asking.sampling_at(solver.agent, final_temperature)
    pick = await episode.ask(solver, prompt, phase="pick", round=1, read=read, sampling=sampling)
    # The number is a position among the replies as shown, which a shuffle has moved.
    taken = order[0 if pick.answer is None else int(pick.answer)]
    given = taken.answer or next((turn.answer for turn in order if turn.answer is not None), None)
    share = asking.agreement(given, turns, question)
    return [*asking.answers(turns), asking.voted_answer(solver, given, share)]


def read_pick(reply: Reply | str, *, count: int) -> Reading:
    """Return the number of the last response, of `count`, that a pick names, as its answer.

    The answer is None, with a flag, if the pick names no response, or one that does not exist, or
    if it was not finished.
    """
    reply = as_reply(reply)
    parted = part_reasoning(reply.text)
    reason = unfinished_reason(reply)
    if reason is not None:
        return Reading(parted.public, flags=(reason,))
    # The last, because a reply compares several before it names one.
    numbers = [int(found[1]) for found in RESPONSE_NUMBER.finditer(parted.words)]
    if not numbers:
        return Reading(parted.public, flags=("no response named",))
    if numbers[-1] >= count:
        return Reading(parted.public, flags=("no such response",))
    return Reading(parted.public, answer=str(numbers[-1]))


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls a question, the pick included.

    Raises StudyError below three.
    """
    asking.check_calls(calls, 3, "universal_self_consistency needs two paths and the pick")
    return {"paths": calls - 1}
