"""Let a model say in words how likely a stored answer is right, in a session of its own.

The self-probing of "Can LLMs Express Their Uncertainty?", Miao Xiong et al., arXiv 2306.13063, for
replies that are stored: the strategy of protocols/confidence.py probes an answer as it is given.

Kept: the probe sees question and possible answer and nothing else, reasons shortly about that
answer, and states a confidence.  Different: the words are ours; each value is asked about once,
whatever replies gave it; the model that is asked is the one that answered, or any other.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from arena.play.episode import Episode
from arena.private import reveal
from arena.score import SCORED, Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import READ, Seat
from protocols import asking
from protocols.confidence_prompts import POSSIBLE, PROBE
from protocols.estimators.possible_answers import Found, score_answers, shown_question
from protocols.parsing.confidence import confidence_only

VERSION = "1"


async def self_probing(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    *,
    temperature: Annotated[float, Ge(0)] | None = None,
) -> list[Score]:
    """Return the confidence in [0, 1] that the scorer states in each answer.

    `temperature` None is the agent's own.
    """
    sampling = asking.sampling_at(scorer.agent, temperature)
    by = {"asked": scorer.agent.name, "itself": scorer.agent.model.name == samples.model}

    async def find(number: int, answer: str) -> Found:
        """Return the confidence in one possible answer."""
        possible = POSSIBLE.format(answer=asking.in_box(answer))
        turn = await episode.ask(
            Seat(f"probe{number}", scorer.agent),
            asking.with_images(samples.question, shown_question(samples) + possible + PROBE),
            phase="probe",
            read=confidence_only,
            sampling=sampling,
        )
        status = SCORED if turn.confidence_status == READ else turn.confidence_status
        return Found(reveal(turn.confidence), status, details=by)

    return await score_answers(samples, "self_probing", find)
