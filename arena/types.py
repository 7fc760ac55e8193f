"""The words that every part of the arena shares, as frozen data.

An agent (a model, its system prompt and its sampling) sits in a seat; a request goes to the model and a reply comes back; what can be read
out of the reply is a reading, and the seat's finished step is a turn.  A turn has three faces: the public one that everybody may see, its
own (with private thoughts and rating) for its author alone, and the rated one (public text and rating) for protocols with public ratings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from arena.deprecated import former_fields

Role = Literal["system", "user", "assistant"]
Face = Literal["public", "own", "rated", "verbatim"]
READ = "read"
NOT_ASKED = "not asked"


@former_fields(options="choices")
@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model samples; None leaves a setting to the provider, as the debate paper did.

    `temperature` >= 0, `top_p` in (0, 1], `max_tokens` counts generated tokens, reasoning included.  `logprobs` asks for the log probability
    of every generated token, with so many alternatives (0 to 20) beside it.  `top_k` >= 1 lets only the likeliest k tokens be drawn, `min_p`
    in [0, 1) only those at least that likely, relative to the likeliest.  `options`: nothing is generated; the reply is the likeliest of
    these texts as the reply's beginning, and the measures hold the probability of each.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    top_k: int | None = None
    min_p: float | None = None
    choices: tuple[str, ...] = ()

    def content(self) -> dict[str, object]:
        """The settings as they go into ids and hashes: one that came later is left out where it is not set, so that old ids stay."""
        fields: dict[str, object] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "stop": self.stop,
        }
        if self.logprobs is not None:
            fields["logprobs"] = self.logprobs
        if self.top_k is not None:
            fields["top_k"] = self.top_k
        if self.min_p is not None:
            fields["min_p"] = self.min_p
        if self.choices:
            fields["options"] = self.choices
        return fields


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as chat models take it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands in a play: never sent to a provider, but simulated and scripted models answer by it."""

    episode: str
    seat: str
    step: int
    ask: int
    phase: str
    round: int


@dataclass(frozen=True, slots=True)
class GeneratedSpan:
    """A stretch of a message that a model generated itself: characters [start, end) of that message are the beginning of what the tokens say.

    A local model that served it as `model` goes on from the tokens, since the text does not tell how it was cut into them.
    """

    message: int
    start: int
    end: int
    token_ids: tuple[int, ...]
    model: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked: the messages (a last assistant message is a prefill), the sampling and a seed in [0, 2**31).

    `spoken` says where in the messages stand tokens of a local model; it is no part of what identifies the request.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    place: Place
    generated_spans: tuple[GeneratedSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have stood in a place, with the natural logarithm of its probability (<= 0)."""

    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """A generated token with its log probability (natural, <= 0), and the likeliest tokens in its place, itself included, as far as served."""

    token: str
    logprob: float
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.  Counts are tokens; None means that the provider did not say.

    `reasoning` is reasoning text that the provider serves apart from `text`; `tokens_out` includes `tokens_reasoning`.  `cost_usd` is set
    where the provider itself states it (`cost_source` is then "provider"); from prices it is computed by the arena.  `measures` are numbers
    read off token probabilities, by name; local models also say how many prompt tokens they really read, and in how many steps they decoded.
    """

    text: str
    reasoning: str | None = None
    model_served: str | None = None
    finish_reason: str | None = None
    http_status: int | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    cost_usd: float | None = None
    cost_source: str | None = None
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[TokenChoice, ...] | None = None
    measures: Mapping[str, float] | None = None
    tokens_prefilled: int | None = None
    decode_steps: int | None = None


@former_fields(longer="long_prompt_price")
@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens.

    `tokens_cached`, `tokens_reasoning`: where they cost otherwise than `tokens_in` and `tokens_out`.  `longest_reply`: tokens that a reply
    can have at most, None where that is not known.  `longer`: (tokens, price): a prompt of more than so many tokens costs that price
    instead.  `source` says where the figures come from.
    """

    tokens_in: float
    tokens_out: float
    tokens_cached: float | None = None
    tokens_reasoning: float | None = None
    longest_reply: int | None = None
    long_prompt_price: tuple[int, Price] | None = None
    source: str = "by hand"


class Model(Protocol):
    """Whoever can answer a request.

    `BaseModel` gives every member but `name` and the call itself a default: derive from it, and state what differs.
    """

    @property
    def name(self) -> str:
        """The reference without address or key, as it goes into episode ids."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model can do.

        "seed": a seed is sent.  "same seed, same reply": and kept to.  "prefill": a begun reply is continued.  "logprobs", "measures":
        replies bring them.  "choices": a reply is chosen among given texts.
        """
        ...

    @property
    def simulated(self) -> bool:
        """Whether its words come from a generator, so that every report can say so."""
        ...

    @property
    def has_own_queue(self) -> bool:
        """Whether it queues by itself, so that its calls take no place in flight."""
        ...

    @property
    def price(self) -> Price | None:
        """What its tokens cost; None where that is not known."""
        ...

    @property
    def longest_reply(self) -> int | None:
        """The tokens that it asks for at most where the sampling has no limit; None where nothing bounds a reply."""
        ...

    async def __call__(self, request: Request) -> Reply:
        """Answer, or raise a ModelError."""
        ...

    async def open(self) -> None:
        """Get ready: awaited before the first call of a run.  Raises StudyError where that is impossible."""
        ...

    async def close(self) -> None:
        """Let go of connections and memory: awaited at the end of a run."""
        ...

    def on_episode_end(self, episode: str) -> None:
        """Note that an episode is over or put off: nothing more is asked for it in this run."""
        ...

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return why the model cannot be sampled so; None where it can, or where only its provider knows."""
        ...

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Return the sampling without the settings that the model does not take."""
        ...

    def request_settings(self, request: Request) -> dict[str, object] | None:
        """Return the settings that go out beside the messages, under the provider's names; None where nothing is sent."""
        ...


class BaseModel:
    """The default of every member of a `Model` but its name and the call: a real model that promises nothing."""

    capabilities: frozenset[str] = frozenset()
    simulated: bool = False
    has_own_queue: bool = False
    price: Price | None = None
    longest_reply: int | None = None

    async def open(self) -> None:
        """Get ready, which takes nothing."""

    async def close(self) -> None:
        """Let go of nothing."""

    def on_episode_end(self, episode: str) -> None:
        """Keep nothing for an episode."""

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Know of nothing that speaks against a sampling."""
        return None

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Take every setting."""
        return sampling

    def request_settings(self, request: Request) -> dict[str, object] | None:
        """Send nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Agent:
    """Who speaks: a model with a system prompt and a sampling.  No behaviour."""

    name: str
    model: Model
    system: str = ""
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where an agent sits; one agent may hold several seats (self-debate)."""

    name: str
    agent: Agent


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read out of a reply.  What could not be read is None, and its status or a flag says why.

    `confidence` is in [0, 1]; `reask` is the question to put once in the same conversation when something was unreadable, else None.
    """

    public: str | None
    thoughts: str | None = None
    confidence: float | None = None
    confidence_status: str = NOT_ASKED
    answer: str | None = None
    flags: tuple[str, ...] = ()
    reask: str | None = None

    def fill_gaps_from(self, second: Reading) -> Reading:
        """This reading, with only what it lacks taken from the reply to the re-ask; what was readable stays."""
        rating = (
            self if self.confidence is not None or self.confidence_status == NOT_ASKED else second
        )
        # A flag doubts the words that are kept: those of the reply that the speech was taken from, of both where there is none.
        flags = (
            self.flags
            if self.public is not None
            else second.flags
            if second.public is not None
            else self.flags + second.flags
        )
        return replace(
            self,
            public=self.public if self.public is not None else second.public,
            thoughts=self.thoughts if self.thoughts is not None else second.thoughts,
            confidence=rating.confidence,
            confidence_status=rating.confidence_status,
            answer=self.answer if self.answer is not None else second.answer,
            flags=tuple(dict.fromkeys(flags)),
            reask=None,
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One finished step of a seat.  Put the turn itself into a prompt; its text never goes there by way of a format string.

    `text` is the raw reply, `public` what others may read (None: no readable speech), `thoughts` and `confidence` (in [0, 1]) the private
    face, `rating_public` whether its author was told that others see the rating.  `finish_reason` is how the reply ended, in the provider's
    words ("stop", "length", ...); `token_ids` are the tokens that a local model, `model_served`, generated; `measures` are numbers read off
    token probabilities, by name (arena/calls/token_measures.py), None where there are none.  All are of the first reply, where there was a re-ask.
    """

    episode: str
    seat: str
    step: int
    phase: str
    round: int
    text: str
    public: str | None
    thoughts: str | None = None
    confidence: float | None = None
    confidence_status: str = NOT_ASKED
    answer: str | None = None
    flags: tuple[str, ...] = ()
    rating_public: bool = False
    finish_reason: str | None = None
    model_served: str | None = None
    token_ids: tuple[int, ...] | None = None
    measures: Mapping[str, float] | None = field(default=None, hash=False)

    def __str__(self) -> str:
        raise TypeError(
            "a turn is not text: put the turn itself into the prompt, or own(turn) for its author, so that who saw what is known"
        )

    def __format__(self, spec: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<Turn {self.seat} {self.phase} (round {self.round}, step {self.step})>"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is debated, answered or judged.  `kind` is "motion", "question" or "debate"; `gold` and `choices` belong to questions.

    `source` and `licence` say where it comes from and on what terms, as far as known.
    """

    text: str
    kind: Literal["motion", "question", "debate"] = "motion"
    gold: str | None = None
    choices: tuple[str, ...] = ()
    source: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judge's word on one debate; `winner` is a seat's name, "abstain", or None where it could not be read (`status` says why).

    The arena writes the repeat of the play in the place of `repeat`.
    """

    debate: str
    judge: str
    winner: str | None
    confidence: float | None
    reasons: str | None
    status: str
    seat_order: str = "as played"
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question, as it was read; the arena grades it, where `correct` is not set.

    `confidence` in [0, 1]; `final`: whether it is the episode's answer, which one at most is.  Where a seat answers more than once, `stage`
    counts its answers from 0, so that it can be seen who changed from right to wrong.
    """

    seat: str
    answer: str | None
    correct: bool | None = None
    confidence: float | None = None
    final: bool = True
    stage: int = 0
