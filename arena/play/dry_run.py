"""Estimate the cost of a study before a model is asked: play it with stand-ins for the models.

A stand-in answers every request with a reply of an assumed length, in the form that the debates of
this project ask for.  Anything that a protocol cannot read in it is taken as it is and not asked
again.  A protocol may end early, or go on, by how a reply ended and whether an answer was in it: a
few plays of each arm are played in all WAYS, and the arm in the one that asks most.  So the count
of calls is exact unless a protocol decides by other words of the replies.
Replies are as long as those of stored calls in the same phase, and a token of a prompt has as many
bytes as there; where nothing is stored, a token is taken as four characters.  What a reader would
ask once more is in the worst case alone; retries are not included, nor replies from another study.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat

from arena.calls.estimate import CostEstimate, ModelEstimate, sum_if_known
from arena.calls.ledger import RunContext
from arena.calls.prices import cost_usd, price_in_batch, price_of, prompt_bytes, worst_case_usd
from arena.calls.prompt_caches import BYTES_A_TOKEN as LEAST_BYTES_A_TOKEN
from arena.calls.prompt_caches import EpisodePrefixes, beginnings, most_tokens_of
from arena.calls.rate_limits import RateLimiter
from arena.calls.stored_lengths import BYTES_A_TOKEN, ReplyLength, StoredLengths
from arena.errors import ProtocolError, ReaderError, StudyError, error_kind
from arena.images import TOKENS_OF_AN_IMAGE
from arena.play.episode import Episode, Step
from arena.play.preflight import describe_left_out
from arena.play.reading import reask_of_nothing
from arena.play.records import error_location, first_cause
from arena.play.results import check_result_on_stand_ins
from arena.play.stand_in_words import (
    WAYS,
    Way,
    assumed_length,
    pairs_text,
    stand_in_text,
    with_public_words,
)
from arena.store.replay import StudyState
from arena.studies.study import Play, protocol_name
from arena.types import (
    Agent,
    BaseModel,
    Message,
    Model,
    Price,
    Reading,
    Reply,
    Request,
    Seat,
    Turn,
)

# The assumed length of a reply.
REPLY_TOKENS = 500
NOTHING_STORED = StoredLengths()
NO_PREFIXES: Mapping[str, EpisodePrefixes] = {}
MOST_TURNS = 2000
LONGEST_S = 20.0
# Plays of an arm that are played in all ways, and the most turns of one of these.
TRIED_PLAYS = 3
TRIED_TURNS = 500
StepWatch = Callable[[Step, Request], None]
# What Python says of wrong arguments, and turns and private values of their use as text.
WRONG_USE = re.compile(
    r"(?:Episode\.\w+|(?:Answer|Verdict|Reading|Seat)\.__init__)\(\) |a turn is not text"
    r"|<private .*> cannot become text|private text has no "
)


class NoJournal:
    """A journal that keeps nothing."""

    def append(self, *lines: bytes) -> None:
        """Forget the lines."""

    append_later = append

    async def wait_until_written(self) -> None:
        """Return at once."""

    async def wait_until_durable(self) -> None:
        """Return at once."""


@dataclass
class StandIn(BaseModel):
    """A model that takes another's place: it answers by itself, and counts the other's calls.

    `ratings` are those that it states, out of 100; in the episodes `finished` it ends each reply.
    """

    model: Model
    reply_tokens: int
    price: Price | None = None
    bytes_a_token: float = BYTES_A_TOKEN
    length_of: Callable[[Request], ReplyLength | None] = lambda request: None
    ratings: Iterator[int] = field(default_factory=lambda: repeat(60))
    finished: Collection[str] = ()
    calls: int = 0
    reasks: int = 0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    kept: set[bytes] = field(default_factory=set)
    usd: list[float | None] = field(default_factory=list)
    usd_if_longest: list[float | None] = field(default_factory=list)

    simulated = True

    def __post_init__(self) -> None:
        self.capabilities = self.model.capabilities
        self.prompt_cache = self.model.prompt_cache

    @property
    def name(self) -> str:
        """Return the name of the other model, so that requests and ids are the same."""
        return self.model.name

    async def __call__(self, request: Request) -> Reply:
        """Answer and count."""
        self.calls += 1
        length = self.length_of(request) or assumed_length(self.reply_tokens)
        most = request.sampling.max_tokens or length.tokens
        tokens_out = min(length.tokens, most)
        # A reply with a limit is assumed to reach it: protocols that continue a cut thought would
        # otherwise end with the first.
        ends = request.sampling.max_tokens is None or request.place.episode in self.finished
        finish = "stop" if ends else "length"
        tokens_in = tokens_of(request, self.bytes_a_token)
        text = stand_in_text(length, next(self.ratings), share=tokens_out / max(1, length.tokens))
        if "pairs" in self.capabilities:
            text = pairs_text(request.messages[-1].content)
        cached, written = self.look_up(request)
        reply = Reply(
            text,
            finish_reason=finish,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens_cached=cached,
            tokens_cache_written=written,
        )
        self.tokens_in += tokens_in
        self.tokens_cached += cached
        self.tokens_out += tokens_out
        free = 0.0 if self.model.simulated else None
        self.usd.append(cost_usd(self.price, reply) if self.price else free)
        self.usd_if_longest.append(worst_case_usd(self.price, request) if self.price else free)
        return reply

    def look_up(self, request: Request) -> tuple[int, int]:
        """Return how many tokens of a prompt its provider's cache serves, and how many it takes."""
        cached = end = 0
        for prefix, key in zip(request.shared, beginnings(self.model, request), strict=True):
            # Stand-ins speak alike in all episodes, models do not.
            if not prefix.by_episodes:
                key += request.place.episode.encode()
            characters = most_tokens_of(request.messages, prefix.message, prefix.end)
            tokens = round(characters * LEAST_BYTES_A_TOKEN / self.bytes_a_token)
            if key in self.kept:
                cached = tokens
            elif prefix.readers:
                self.kept.add(key)
                end = tokens
        return cached, max(0, end - cached)

    def count_reask(self, request: Request) -> None:
        """Count a second ask that may come after the first reply to this request."""
        self.reasks += 1
        free = 0.0 if self.model.simulated else None
        worst = worst_case_usd(self.price, request, replies_in_prompt=1) if self.price else free
        self.usd_if_longest.append(worst)

    def extrapolate(self, scale: float) -> ModelEstimate:
        """Return the counts times `scale`."""
        usd = sum_if_known(self.usd)
        longest = sum_if_known(self.usd_if_longest)
        return ModelEstimate(
            self.name,
            round(self.calls * scale),
            round((self.calls + self.reasks) * scale),
            round(self.tokens_in * scale),
            round(self.tokens_out * scale),
            None if usd is None else usd * scale,
            None if longest is None else longest * scale,
            round(self.tokens_cached * scale),
        )


class EndlessProtocolError(BaseException):
    """A protocol does not end.

    It is no Exception, so that a protocol which retries after any failure does not catch it.
    """


class DryRunEpisode(Episode):
    """An episode that accepts the replies of stand-ins, whatever the protocol's reader says."""

    ask_count = 0
    most_turns = MOST_TURNS
    use_stand_in: Callable[[Agent], Agent]
    replies: list[str]
    watch: StepWatch | None = None
    way = WAYS[0]

    async def _take_turn(self, step: Step) -> Turn:
        """Take a turn as an episode does, but of a stand-in, and never ask it again.

        Raises EndlessProtocolError if the protocol finds no end.
        """
        self.ask_count += 1
        if self.ask_count > self.most_turns:
            raise EndlessProtocolError(
                f"more than {self.most_turns} turns in one episode:"
                " does the protocol end when the models never agree?"
            )

        # A protocol may seat agents of its own: their models are not asked either.
        seat = Seat(step.seat.name, self.use_stand_in(step.seat.agent))
        request = self._request(step, 1, step.built.messages)
        if self.watch is not None:
            self.watch(step, request)

        def read_leniently(reply: Reply) -> Reading:
            """Read a reply; the whole text is public if the reader finds no speech."""
            self.replies.append(reply.text)
            reading = step.read(reply)
            question = reading.reask or reask_of_nothing(step.read)
            if question is not None and isinstance(seat.agent.model, StandIn):
                messages = (*request.messages, Message("user", question))
                seat.agent.model.count_reask(replace(request, messages=messages))
            if self.way.answered and reading.answer is None:
                reading = replace(reading, answer=str(self.ask_count))
            if reading.reask is None:
                return reading
            return replace(with_public_words(step.read, reply, reading), reask=None)

        return await super()._take_turn(replace(step, seat=seat, read=read_leniently))


def tokens_of(request: Request, bytes_a_token: float = BYTES_A_TOKEN) -> int:
    """Return about how many tokens the prompt has."""
    images = sum(len(message.images) for message in request.messages)
    return int(prompt_bytes(request.messages) / bytes_a_token) + TOKENS_OF_AN_IMAGE * images


def price_in(model: Model, prices: Mapping[str, Price], *, in_batches: bool) -> Price | None:
    """Return the price of a call, in a batch if it is asked in one; None if unknown."""
    price = price_of(model, prices)
    if price is None or not in_batches or model.batches is None:
        return price
    return price_in_batch(price, model.batches.terms.price_factor)


def failure_reason(error: BaseException) -> str:
    """Say why a dry run failed."""
    if isinstance(error, asyncio.CancelledError):
        return f"not through after {LONGEST_S:g} s"
    return f"{error_kind(error)}: {error}"


async def play_on_stand_ins(
    plays: Sequence[Play],
    state: StudyState,
    use_stand_in: Callable[[Agent], Agent],
    *,
    most_turns: int = MOST_TURNS,
    watch: StepWatch | None = None,
    prefixes: Mapping[str, EpisodePrefixes] = NO_PREFIXES,
    ways: Mapping[str, Way] | None = None,
) -> list[BaseException | None]:
    """Play episodes on stand-ins, with the turns that are stored; return the error of each.

    `ways` tell how the stand-ins speak, by episode.  StudyError stands for a fault of the protocol
    that other words would not mend.  `watch` is called with each step and its request.
    """
    run = RunContext("estimate", NoJournal(), RateLimiter(len(plays) + 1), prefixes=prefixes)

    async def play_one(play: Play) -> None:
        """Play one episode, and check what the protocol returns."""
        memo = state.memo.get(play.episode)
        episode = DryRunEpisode(play.episode, run, memo, play.sample, play.lineup, play.subject)
        episode.use_stand_in, episode.most_turns, episode.replies = use_stand_in, most_turns, []
        episode.watch = watch
        episode.way = (ways or {}).get(play.episode, WAYS[0])
        seats = {
            name: replace(seat, agent=use_stand_in(seat.agent))
            for name, seat in play.seats().items()
        }
        try:
            result = await play.start(episode, seats)
        except SystemExit as error:
            # Raised in a task, it would end the event loop.
            raise ProtocolError(f"SystemExit: {error}") from error
        await episode.settle()
        name, words = protocol_name(play.protocol), "\n".join(episode.replies)
        try:
            check_result_on_stand_ins(name, result, episode.seats, words)
        except ProtocolError as error:
            raise StudyError(str(error)) from error
        images = {image.hash for image in play.subject.images}
        # A judge may be shown the words of a debate alone, as its option says.
        if images - episode.shown_images and play.subject.kind not in ("debate", "replies"):
            raise StudyError(
                f"{name} shows nobody an image of its subject; put `subject.images` into its"
                " prompts, or leave the images out"
            )

    tasks = [asyncio.create_task(play_one(play)) for play in plays]
    try:
        await asyncio.wait(tasks, timeout=LONGEST_S)
    finally:
        for task in tasks:
            task.cancel()
    # A task that swallows its cancellation is left behind.
    ended, _ = await asyncio.wait(tasks, timeout=1)
    return [
        task.exception() if task in ended and not task.cancelled() else asyncio.CancelledError()
        for task in tasks
    ]


def raise_faults(errors: Sequence[BaseException]) -> None:
    """Raise StudyError if a protocol has a fault that other words of the models would not mend.

    These are results and options of a wrong type, readers that can read no reply, calls with wrong
    arguments, and private values that are used as text.  Whatever else fails may hang on the words
    of the stand-ins.
    """
    for error in map(first_cause, errors):
        wrong_use = isinstance(error, TypeError | AttributeError) and WRONG_USE.match(str(error))
        if wrong_use or isinstance(error, ReaderError | StudyError):
            raise StudyError(f"nothing was asked: {error}{error_location(error)}") from error


async def find_ways(plays: Sequence[Play]) -> dict[str, Way]:
    """Return by episode the way in which most is asked in the first plays of its arm."""
    arms: defaultdict[tuple[str, str], list[Play]] = defaultdict(list)
    for play in plays:
        arms[play.study, play.arm].append(play)
    tried = [play for some in arms.values() for play in some[:TRIED_PLAYS]]
    asked: dict[Way, Counter[tuple[str, str]]] = {}
    for way in WAYS:
        episodes = {play.episode: way for play in tried}
        finished = episodes if way.finished else ()
        counts: Counter[str] = Counter()

        def with_stand_in(agent: Agent, finished: Collection[str] = finished) -> Agent:
            """Return the agent with a stand-in for its model."""
            if isinstance(agent.model, StandIn):
                return agent
            return replace(agent, model=StandIn(agent.model, REPLY_TOKENS, finished=finished))

        def watch(step: Step, request: Request, counts: Counter[str] = counts) -> None:
            """Count a request."""
            counts[request.place.episode] += 1

        errors = await play_on_stand_ins(
            tried,
            StudyState(),
            with_stand_in,
            most_turns=TRIED_TURNS,
            watch=watch,
            ways=episodes,
        )
        asked[way] = Counter()
        for play, error in zip(tried, errors, strict=True):
            asked[way][play.study, play.arm] += 0 if error else counts[play.episode]
    # Of equal ones the first.
    best = {arm: max(WAYS, key=lambda way: asked[way][arm]) for arm in arms}
    return {play.episode: best[play.study, play.arm] for play in plays}


async def estimate_cost(
    todo: Sequence[Play],
    state: StudyState,
    prices: Mapping[str, Price],
    *,
    lengths: StoredLengths = NOTHING_STORED,
    reply_tokens: int = REPLY_TOKENS,
    prefixes: Mapping[str, EpisodePrefixes] = NO_PREFIXES,
    in_batches: bool = False,
    at_most: int = 1000,
) -> CostEstimate:
    """Estimate the cost of the episodes `todo`, without the turns that are stored already.

    At most `at_most` of them are played, a random choice with a fixed seed, and scaled up.
    `prices` are those given by hand.  Replies have their stored `lengths`, or else `reply_tokens`;
    `prefixes` tell what prompts share, which is read from a cache where it has a price;
    `in_batches` gives models with a batch endpoint the price of batches.  An episode that fails on
    stand-ins is counted in `failed`, and its calls are missing.  Raises StudyError for a reader
    that can read no reply.
    """
    sample = list(todo) if len(todo) <= at_most else random.Random(1).sample(list(todo), at_most)
    ways = await find_ways(sample)
    finished = {episode for episode, way in ways.items() if way.finished}
    stand_ins: dict[str, StandIn] = {}

    def with_stand_in(agent: Agent) -> Agent:
        """Return the agent with a stand-in for its model."""
        model = agent.model
        if isinstance(model, StandIn):
            return agent
        stand_in = StandIn(
            model,
            reply_tokens,
            price_in(model, prices, in_batches=in_batches),
            lengths.bytes_a_token.get(model.name, BYTES_A_TOKEN),
            lambda request: lengths.reply(
                model.name, protocols.get(request.place.episode, ""), request.place.phase
            ),
            finished=finished,
        )
        return replace(agent, model=stand_ins.setdefault(model.name, stand_in))

    protocols = {play.episode: protocol_name(play.protocol) for play in sample}
    outcomes = await play_on_stand_ins(sample, state, with_stand_in, prefixes=prefixes, ways=ways)
    errors = [error for error in outcomes if error is not None]
    raise_faults(errors)
    scale = len(todo) / len(sample)
    return CostEstimate(
        episodes=len(todo),
        played=len(sample),
        models=tuple(stand_in.extrapolate(scale) for _, stand_in in sorted(stand_ins.items())),
        simulated=all(agent.model.simulated for play in todo for agent in play.lineup.values()),
        failed=len(errors),
        why=failure_reason(errors[0]) if errors else None,
        lengths=lengths.describe(stand_ins),
        notes=tuple(describe_left_out(todo)),
    )
