"""Ask a stored request once more, to see whether the model behind a name is still the same.

The design is that of "Model Equality Testing: Which Model Is This API Serving?", Irena Gao, Percy
Liang and Carlos Guestrin, arXiv 2410.20247: replies of two times to the same prompts are compared
as samples of two distributions (analysis/statistics/same_distribution.py).

Kept: prompts are strata, and the test is of the distribution, so that a request is asked with a new
seed.  Different: prompts are those of a study, mostly with one stored reply each, and the ratings
that the replies state are compared too.  Left out: a choice of prompts that tell models apart.

A recheck is a study like any other, with stored requests as subjects: nothing is written into the
study that is rechecked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.play.prompt import Chat, Prompt, chat, spoken
from arena.play.reading import Reader
from arena.studies.study import Arm, Study
from arena.tournaments.stored_requests import Speaker, StoredRequest, StoredRequests
from arena.types import Agent, Message, Model, Reading, Reply, Seat

VERSION = "1"

# The rating of the stored reply, by the reader that reads the new one.
BEFORE = "stated confidence in the stored reply"


async def recheck(episode: Episode, request: StoredRequest, speaker: Seat) -> None:
    """Ask one stored request again, and read the reply as its protocol does."""
    *said, last = [message for message in request.messages if message.role != "system"]
    # A last message of the assistant is the beginning of the reply.
    begun = last.content if last.role == "assistant" else ""
    said += [] if begun else [last]
    await episode.ask(
        speaker,
        prompt_of(said),
        phase=request.phase,
        round=request.round,
        read=partial(read_beside, read=request.read, before=request.confidence),
        prefill=begun,
        sampling=request.sampling,
    )


def prompt_of(messages: Sequence[Message]) -> Prompt | Chat:
    """Return messages as a prompt that becomes the same messages again."""
    if len(messages) == 1:
        return list(messages[0].pieces())
    return chat(
        spoken(*message.pieces()) if message.role == "assistant" else list(message.pieces())
        for message in messages
    )


def read_beside(reply: Reply, *, read: Reader, before: float | None) -> Reading:
    """Read a reply, and put the rating of the stored reply beside it as a measure."""
    reading = read(reply)
    if before is None:
        return reading
    return replace(reading, measures={**(reading.measures or {}), BEFORE: before})


def recheck_of(name: str, requests: StoredRequests, models: dict[str, Model]) -> Study:
    """Return the study that asks requests again; `models` are those to ask, by their names.

    Raises StudyError if there is nothing to ask.
    """
    by_speaker = {
        who: some for who, some in requests.by_speaker.items() if some and who.model in models
    }
    if not by_speaker:
        reasons = "; ".join(requests.left_out) or "the study has no turn of a model"
        raise StudyError(f"no request of it can be asked again: {reasons}")
    labels = labels_of(list(by_speaker))
    arms = [
        Arm(
            labels[who],
            recheck,
            [{"speaker": Agent(who.agent, models[who.model], who.system, who.sampling)}],
            subjects=some,
        )
        for who, some in by_speaker.items()
    ]
    return Study(name, arms, [request for some in by_speaker.values() for request in some])


def labels_of(speakers: Sequence[Speaker]) -> dict[Speaker, str]:
    """Return a label for each speaker: its agent's name, numbered where several have it."""
    labels: dict[Speaker, str] = {}
    for who in speakers:
        label, number = who.agent, 1
        while label in labels.values():
            number += 1
            label = f"{who.agent} {number}"
        labels[who] = label
    return labels
