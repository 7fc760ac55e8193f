"""What a study will take, before a model is asked: the protocol itself, played with stand-ins for the models.

A stand-in answers every request with a reply of an assumed length, in the form that the debates of this project ask for; what a protocol
cannot read out of it is taken as it is and not asked again.  So calls are counted exactly as long as a protocol does not decide by what is
said.  Tokens are four characters each.  Not in it: retries, re-asks, and what is served from a cache.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from arena.calls.estimate import CostEstimate, ModelEstimate, sum_if_known
from arena.calls.ledger import RunContext
from arena.calls.prices import cost_usd, price_of, worst_case_usd
from arena.calls.rate_limits import RateLimiter
from arena.errors import error_kind
from arena.play.episode import Episode, Reader, read_as_public
from arena.play.prompt import Prompt
from arena.store.replay import StudyState
from arena.studies.study import Play
from arena.types import (
    Agent,
    BaseModel,
    Model,
    Price,
    Reading,
    Reply,
    Request,
    Sampling,
    Seat,
    Turn,
)

REPLY_TOKENS = 500
CHARACTERS_A_TOKEN = 4
MOST_TURNS = 2000
LONGEST_S = 20.0


class NoJournal:
    """Takes the lines of a play that is none, and keeps nothing."""

    def append(self, *lines: bytes) -> None:
        """Forget the lines."""

    append_later = append

    async def wait_until_durable(self) -> None:
        """There is nothing to wait for."""


@dataclass
class StandIn(BaseModel):
    """In the place of a model: answers by itself, and counts what the model would have been asked."""

    model: Model
    reply_tokens: int
    price: Price | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: list[float | None] = field(default_factory=list)
    usd_if_longest: list[float | None] = field(default_factory=list)

    simulated = True

    def __post_init__(self) -> None:
        self.capabilities = self.model.capabilities

    @property
    def name(self) -> str:
        """The model's, so that requests and ids are the same."""
        return self.model.name

    async def __call__(self, request: Request) -> Reply:
        """Answer, and count."""
        self.calls += 1
        tokens_out = min(self.reply_tokens, request.sampling.max_tokens or self.reply_tokens)
        # Whoever has a limit is taken to reach it: protocols that go on with a thought would otherwise end with the first.
        finish = "stop" if request.sampling.max_tokens is None else "length"
        reply = Reply(
            stand_in_text(tokens_out),
            finish_reason=finish,
            tokens_in=tokens_of(request),
            tokens_out=tokens_out,
        )
        self.tokens_in += reply.tokens_in or 0
        self.tokens_out += tokens_out
        self.usd.append(
            0.0
            if self.model.simulated and self.price is None
            else self.price and cost_usd(self.price, reply)
        )
        self.usd_if_longest.append(
            0.0
            if self.model.simulated and self.price is None
            else self.price and worst_case_usd(self.price, request)
        )
        return reply

    def extrapolate(self, scale: float) -> ModelEstimate:
        """What was counted, times `scale`."""
        usd, longest = sum_if_known(self.usd), sum_if_known(self.usd_if_longest)
        return ModelEstimate(
            self.name,
            round(self.calls * scale),
            round(self.tokens_in * scale),
            round(self.tokens_out * scale),
            None if usd is None else usd * scale,
            None if longest is None else longest * scale,
        )


class EndlessProtocolError(BaseException):
    """A protocol goes on and on; no Exception, so that one which tries again whatever happens does not catch it."""


class DryRunEpisode(Episode):
    """An episode that takes what stand-ins say as readable, whatever the protocol's own reader thinks of it."""

    ask_count = 0
    use_stand_in: Callable[[Agent], Agent]

    async def ask(
        self,
        seat: Seat,
        prompt: Prompt,
        *,
        phase: str,
        round: int = 0,
        read: Reader = read_as_public,
        public_rating: bool = False,
        prefill: Prompt = (),
        sampling: Sampling | None = None,
    ) -> Turn:
        """As an episode does, but nothing is asked again; Endless where the protocol finds no end."""
        self.ask_count += 1
        if self.ask_count > MOST_TURNS:
            raise EndlessProtocolError(
                f"more than {MOST_TURNS} turns in one episode: does the protocol end when the models never agree?"
            )

        def read_leniently(text: str) -> Reading:
            """What the reader finds, with the whole text in public where it finds no speech."""
            found = read(text)
            if found.reask is None:
                return found
            return replace(found, public=text if found.public is None else found.public, reask=None)

        # Also where a protocol seats agents of its own: no model is asked here.
        seat = Seat(seat.name, self.use_stand_in(seat.agent))
        return await super().ask(
            seat,
            prompt,
            phase=phase,
            round=round,
            read=read_leniently,
            public_rating=public_rating,
            prefill=prefill,
            sampling=sampling,
        )


def stand_in_text(tokens: int) -> str:
    """A reply of about so many tokens: a third of it private thoughts, the rest a speech, and a rating."""
    words = tokens * CHARACTERS_A_TOKEN
    return f"<thoughts>{'word ' * (words // 15)}</thoughts>\n<speech>{'word ' * (words * 2 // 15)}</speech>\n<rating>60</rating>"


def tokens_of(request: Request) -> int:
    """About how many tokens the prompt has."""
    return sum(len(message.content) for message in request.messages) // CHARACTERS_A_TOKEN


def failure_reason(error: BaseException) -> str:
    """Why a rehearsal failed, in words."""
    if isinstance(error, asyncio.CancelledError):
        return f"not through after {LONGEST_S:g} s"
    return f"{error_kind(error)}: {error}"


async def estimate_cost(
    todo: Sequence[Play],
    known: StudyState,
    prices: Mapping[str, Price],
    *,
    reply_tokens: int = REPLY_TOKENS,
    at_most: int = 1000,
) -> CostEstimate:
    """What the episodes `todo` will take, with what is `known` of them left out; at most so many are played, and scaled up.

    `prices` are those given by hand.  A protocol that fails on stand-ins is counted in `failed`, and its calls are missing.
    """
    played = list(todo) if len(todo) <= at_most else random.Random(1).sample(list(todo), at_most)
    stand_ins: dict[str, StandIn] = {}

    def with_stand_in(agent: Agent) -> Agent:
        """The agent with a stand-in for its model."""
        model = agent.model
        if isinstance(model, StandIn):
            return agent
        return replace(
            agent,
            model=stand_ins.setdefault(
                model.name, StandIn(model, reply_tokens, price_of(model, prices))
            ),
        )

    async def rehearse(play: Play) -> None:
        """Play one episode with stand-ins."""
        episode = DryRunEpisode(
            play.episode, run, known.memo.get(play.episode), play.sample, play.lineup
        )
        episode.use_stand_in = with_stand_in
        seats = {name: Seat(name, with_stand_in(agent)) for name, agent in play.lineup.items()}
        await play.protocol(episode, play.subject, **seats, **play.options)
        await episode.settle()

    run = RunContext("estimate", NoJournal(), RateLimiter(len(todo) + 1))
    rehearsals = [asyncio.create_task(rehearse(play)) for play in played]
    _, late = await asyncio.wait(rehearsals, timeout=LONGEST_S)
    for task in late:
        task.cancel()
    # Whoever does not heed that is left behind.
    ended, deaf = await asyncio.wait(rehearsals, timeout=1)
    errors = [
        asyncio.CancelledError() if task.cancelled() else task.exception()
        for task in rehearsals
        if task in ended
    ]
    errors = [error for error in errors if error is not None] + [asyncio.CancelledError()] * len(
        deaf
    )
    scale = len(todo) / len(played)
    return CostEstimate(
        len(todo),
        len(played),
        tuple(stand_in.extrapolate(scale) for _, stand_in in sorted(stand_ins.items())),
        all(agent.model.simulated for play in todo for agent in play.lineup.values()),
        len(errors),
        failure_reason(errors[0]) if errors else None,
    )
