"""Let a local model read stored replies again, for estimators that read numbers off it.

A model that reads its own reply reads what it was sent and what it said, to the token.  Another
model may stand in where the one that answered gives no numbers: it reads the question and the
public words alone, since prompts and raw replies hold what was private; `details` say which of the
two a number is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.play.prompt import Chat, Prompt, chat, spoken, verbatim
from arena.private import reveal
from arena.score import SCORED, Score, ScoreKind
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import Reading, Reply, Sampling, Seat, Turn
from protocols import asking

PHASE = "read"
# Readings that wait for the model at once.
LANES = 8
NO_ANSWER = "its answer does not stand in it to the letter"
HAS_IMAGES = "its prompt holds images, which no local model reads"


@dataclass(frozen=True, slots=True)
class Given:
    """A stored reply as a scorer reads it: prompt, prefill and the plain text of that.

    `status` says in words why it cannot be read; `details` are those of its scores.
    """

    prompt: Prompt | Chat = ""
    prefill: Prompt = ()
    text: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    status: str = SCORED

    def answer_place(self, reply: StoredReply) -> str | None:
        """Return where the answer stands last in the text, as readouts are told; None: nowhere."""
        answer = (reply.turn.answer or "").strip()
        # Behind the public words a raw reply may still say a rating.
        public = (reply.turn.public or "").strip()
        begin = self.text.rfind(public) if public else -1
        end = begin + len(public) if begin >= 0 else len(self.text)
        place = self.text.rfind(answer, max(begin, 0), end) if answer else -1
        return None if place < 0 else f"@{place}:{place + len(answer)}"


def given_to(scorer: Seat, samples: StoredSamples, reply: StoredReply) -> Given:
    """Return a reply as the scorer reads it."""
    model = scorer.agent.model.name
    about: dict[str, object] = {"scorer": model}
    if model != samples.model:
        if samples.question.images:
            return Given(status=HAS_IMAGES, details=about)
        if not (public := reply.turn.public):
            return Given(status="no readable speech", details=about)
        about |= {"context": "the question alone", "reply": "public words"}
        return Given(asking.question_text(samples.question), reply.turn, public, about)
    about |= {"context": "the prompt as it was sent", "reply": "as it was generated"}
    messages = [each for each in reply.messages if each.role != "system"]
    if any(each.images for each in messages):
        return Given(status=HAS_IMAGES, details=about)
    if not messages:
        return Given(status="what was asked is not on record", details=about)
    begun = messages.pop().content if messages[-1].role == "assistant" else ""
    items = [spoken(each.content) if each.role != "user" else each.content for each in messages]
    text = begun + reveal(reply.turn.text)
    return Given(chat(items), [begun, verbatim(reply.turn)], text, about)


async def read_each(
    episode: Episode, scorer: Seat, readings: Sequence[tuple[Given, Sampling]]
) -> list[Turn | None]:
    """Return what the scorer reads off each reply; None for one that it cannot read.

    Raises StudyError if its model has no readouts.
    """
    if "readouts" not in scorer.agent.model.capabilities:
        raise StudyError(
            f"{scorer.name} is to read replies, which needs a model on this machine;"
            f" {scorer.agent.model.name} is none: give a local model as their scorer"
        )
    turns: list[Turn | None] = [None] * len(readings)

    async def read_lane(number: int) -> None:
        """Read every LANES-th reply, one after the other."""
        lane = Seat(f"{scorer.name}{number}", scorer.agent)
        for place in range(number, len(readings), LANES):
            given, sampling = readings[place]
            if given.status == SCORED:
                turns[place] = await episode.ask(
                    lane,
                    given.prompt,
                    phase=PHASE,
                    read=read_text,
                    prefill=given.prefill,
                    sampling=sampling,
                )

    await asyncio.gather(*(read_lane(number) for number in range(min(LANES, len(readings)))))
    return turns


def read_text(reply: Reply) -> Reading:
    """Read the JSON that a reading gives, which nobody is shown."""
    return Reading(reply.text)


def scores_of(
    reply: StoredReply,
    given: Given,
    turn: Turn | None,
    measures: Mapping[str, tuple[str, ScoreKind]],
    status: str,
    details: Mapping[str, object] | None = None,
) -> Iterator[Score]:
    """Yield the score of each estimator from its measure; `status` says why that is missing."""
    found = {} if turn is None else turn.measures or {}
    about = {**given.details, **(details or {})}
    if "read_tokens" in found:
        about |= {
            "tokens": int(found["read_tokens"]),
            "stored_share": round(found["read_stored_share"], 6),
        }
    for name, (measure, kind) in measures.items():
        value = found.get(measure)
        why = SCORED if value is not None else given.status if given.status != SCORED else status
        yield Score(reply.turn, name, value, kind, why, details=about)
