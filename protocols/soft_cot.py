"""Let a model answer behind several soft thoughts of an assistant, and count votes over all.

SoftCoT++, "Test-Time Scaling with Soft Chain-of-Thought Reasoning", arXiv 2505.11484.

Kept: one soft thought for each specialised initial token, some replies behind each, sampled, and a
majority over all of them.  The engine reads the thoughts (arena/decoding.py), so that only local
models can take this seat, and through given weights alone: nothing is trained here.  Ours: the
words of the prompt, the confidence, which is the share of votes, and equal counts go to the answer
that came first.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

from annotated_types import Ge

from arena.decoding import SoftCot
from arena.errors import StudyError
from arena.play.episode import Episode
from arena.types import Answer, Seat, Subject
from protocols import asking

VERSION = "1"


async def soft_cot(
    episode: Episode,
    question: Subject,
    solver: Seat,
    *,
    initial_tokens: Annotated[int, Ge(1)] = 10,
    samples: Annotated[int, Ge(1)] = 1,
    reask: bool = True,
) -> list[Answer]:
    """Return the majority of `samples` answers behind each of `initial_tokens` thoughts.

    The solver's sampling has decoding=SoftCot(...), whose `initial` is replaced here: the first is
    0.  Raises StudyError otherwise, or if the weights have fewer initial tokens.
    """
    own = solver.agent.sampling
    way = own.decoding
    if not isinstance(way, SoftCot):
        raise StudyError(
            "soft_cot is played by a model with Sampling(decoding=SoftCot(assistant=..., "
            "weights=...)): give the solver one"
        )
    prompt = asking.question_prompt(question)
    read = asking.reader(question, reask)
    asks = []
    for initial in range(initial_tokens):
        sampling = replace(own, decoding=replace(way, initial=initial))
        for sample in range(samples):
            # A seat for each, so that their seeds differ.
            seat = Seat(f"thought{initial}_{sample}", solver.agent)
            asks.append(episode.ask(seat, prompt, phase="path", read=read, sampling=sampling))
    turns = await asyncio.gather(*asks)
    return [*asking.answers(turns), asking.majority(solver, turns, question)]


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make `calls` calls a question: one behind each thought, up to 10."""
    asking.check_calls(calls, 1, "soft_cot needs a thought")
    initial = next(count for count in range(min(10, calls), 0, -1) if calls % count == 0)
    return {"initial_tokens": initial, "samples": calls // initial, "reask": False}
