"""Let a model work on an open task, which has no answer to be right or wrong, at a number of calls.

"LLMs Can Generate a Better Answer by Aggregating Their Own Responses" (GSA), arXiv 2503.04104,
compares these ways on open-ended tasks, all at equal calls:

    sample        one reply, whatever `calls` says
    aggregation   calls - 1 replies, and a new one after them (GSA, self_aggregation.py)
    universal     calls - 1 replies, and the most consistent (universal_self_consistency.py)
    refine        a reply, and feedback and a new one in turn (self_refine.py)
    certain       calls replies, and the one with the most certain tokens (best_of_n.py)

Kept: what each of the papers keeps, as their files say.  Different: there is no box, and no vote.
Ours: the final text is compared blind, by judges who are told of no method (blind_jury.py), since
nothing grades it; the paper's judges and tasks were not available.

The answer that the record has is the name of the seat whose last turn is the final text.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.play.reading import read_as_public
from arena.types import Answer, Sampling, Seat, Subject, Turn
from protocols import asking, best_of_n
from protocols.self_aggregation import WRITE_ANEW
from protocols.self_refine import refine
from protocols.universal_self_consistency import PICK, read_pick

VERSION = "1"

Way = Literal["sample", "aggregation", "universal", "refine", "certain"]
LEAST: dict[Way, int] = {"sample": 1, "aggregation": 3, "universal": 3, "refine": 3, "certain": 2}


async def open_answer(
    episode: Episode,
    task: Subject,
    solver: Seat,
    *,
    way: Way = "aggregation",
    calls: Annotated[int, Ge(1)] = 4,
    final_temperature: Annotated[float, Ge(0)] | None = None,
) -> Answer:
    """Return the seat whose last turn is the text that this way ends with.

    At most `calls` calls are made.  `final_temperature` is of the new reply and of the pick; None
    leaves it to the agent's sampling.  Raises StudyError where these calls are too few for the way,
    and ProtocolError, by certainty, for a model that gives no token probabilities.
    """
    check_calls_of(way, calls)
    shown = asking.shown_question(task)
    if way == "sample":
        return ends_with(await episode.ask(solver, shown, phase="reply"))
    if way == "refine":
        critic = Seat("critic", solver.agent)
        rounds = (calls - 1) // 2
        # Without a second ask for a verdict, so that no more calls are made than there are.
        refined = await refine(episode, task, solver, critic, shown, read_as_public, rounds, False)
        return ends_with(refined[-1])
    if way == "certain":
        score = best_of_n.score_for(solver.agent, None)
        sampling = best_of_n.sampling_for(solver.agent, score, 5)
        turns = await replies(episode, task, solver, calls, sampling)
        best_of_n.check_measured(turns, best_of_n.MEASURES[score], solver.agent)
        taken = best_of_n.most_certain_first(turns, best_of_n.MEASURES[score])[0]
        return ends_with(turns[taken])
    turns = await replies(episode, task, solver, calls - 1, None)
    last = asking.sampling_at(solver.agent, final_temperature)
    if way == "aggregation":
        # In an order of its own for each episode, as where answers are graded.
        listed = asking.list_replies(episode, asking.order_paths(episode, turns, True))
        prompt = [shown, listed, WRITE_ANEW]
        asked = episode.ask(solver, prompt, phase="aggregation", round=1, sampling=last)
        return ends_with(await asked)
    read = partial(read_pick, count=len(turns))
    prompt = [shown, asking.list_replies(episode, turns), PICK]
    pick = await episode.ask(solver, prompt, phase="pick", round=1, read=read, sampling=last)
    return ends_with(turns[0 if pick.answer is None else int(pick.answer)])


def check_calls_of(way: Way, calls: int) -> None:
    """Raise StudyError where a way cannot write its text in so many calls."""
    if calls < LEAST[way]:
        raise StudyError(f"{way} needs {LEAST[way]} calls; {calls} are too few")


def ends_with(turn: Turn) -> Answer:
    """Return the answer that names the seat of a final text; None if that holds no word."""
    has_words = any(map(str.isalnum, turn.public or ""))
    return Answer(turn.seat, turn.seat if has_words else None)


async def replies(
    episode: Episode, task: Subject, solver: Seat, count: int, sampling: Sampling | None
) -> list[Turn]:
    """Return independent replies to a task, of the seats path0, path1, ..."""
    seats = [Seat(f"path{number}", solver.agent) for number in range(count)]
    ask = partial(episode.ask, prompt=asking.shown_question(task), phase="reply", sampling=sampling)
    return await asyncio.gather(*map(ask, seats))


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: a new reply after the others.

    Raises StudyError below three.
    """
    asking.check_calls(calls, 3, "open_answer by aggregation needs two replies and one more")
    return {"calls": calls}
