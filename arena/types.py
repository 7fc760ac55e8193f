"""Define the words that every part of the arena shares, as frozen data.

An agent (a model with a system prompt and a sampling) sits in a seat.  A request goes to its model
and a reply comes back; a reading is the information taken out of the reply, and a turn is the
finished step of the seat.  A turn has faces: the public one for everybody, the rated one where
ratings are public, and those with its private words for its author alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from arena.batches import BatchState, BatchTerms
from arena.former_names import former_property
from arena.images import Image, PlacedImage
from arena.price import Price as Price
from arena.price import PromptCache as PromptCache
from arena.private import PrivateNumber, PrivateText
from arena.reply import Alternative as Alternative
from arena.reply import Reply as Reply
from arena.reply import TokenChoice as TokenChoice
from arena.sampling import Sampling as Sampling
from arena.subject import Subject as Subject

Role = Literal["system", "user", "assistant"]
Face = Literal[
    "public", "checked", "own", "notes", "rated", "verbatim", "reask_prompt", "reask_text"
]
READ = "read"
NOT_ASKED = "not asked"
# The source of a confidence that a reply states; names of further numbers that it states begin so.
STATED = "stated"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as chat models take it: text, with images at their places."""

    role: Role
    content: str
    images: tuple[PlacedImage, ...] = ()

    def identity(self) -> dict[str, object]:
        """Return the message for hashes, which must never change: images only where it has some."""
        words = {"role": self.role, "content": self.content}
        images = [[placed.at, placed.image.hash] for placed in self.images]
        return words | ({"images": images} if images else {})

    def pieces(self) -> Iterator[str | Image]:
        """Yield the texts and the images in order, without empty texts."""
        start = 0
        for placed in self.images:
            if text := self.content[start : placed.at]:
                yield text
            yield placed.image
            start = placed.at
        if text := self.content[start:]:
            yield text


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a request in a play, by which simulated models answer; it is never sent."""

    episode: str
    seat: str
    step: int
    ask: int
    phase: str
    round: int


@dataclass(frozen=True, slots=True)
class GeneratedSpan:
    """A stretch of a message that a local model generated itself.

    Characters [start, end) of the message with the index `message` are the beginning of the text of
    `token_ids`.  The same `model` continues from these tokens, because the text does not determine
    how it was cut into tokens.
    """

    message: int
    start: int
    end: int
    token_ids: tuple[int, ...]
    model: str | None


@dataclass(frozen=True, slots=True)
class SharedPrefix:
    """A beginning of a prompt that other requests to the same model have as well.

    It ends after `end` characters of the message with the index `message`.  `readers` are further
    requests that are expected to read it; `by_episodes` says whether they are in other episodes.
    """

    message: int
    end: int
    readers: int = 1
    by_episodes: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model, with a seed in [0, 2**31); a last assistant message is a prefill.

    `generated_spans` marks text that a local model generated, and `shared` the beginnings of the
    prompt that other requests have too; neither identifies the request.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    place: Place
    generated_spans: tuple[GeneratedSpan, ...] = ()
    shared: tuple[SharedPrefix, ...] = ()


class Model(Protocol):
    """Anything that can answer a request.  Derive it from `BaseModel` and state the differences."""

    @property
    def name(self) -> str:
        """Return the reference without address or key, as it stands in episode ids."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Return the abilities of the model, any of these words.

        "seed": a seed is sent.  "same seed, same reply": replies repeat with it.  "prefill": a
        reply that has begun is continued.  "logprobs", "measures": replies hold them.  "choices":
        a reply is chosen among given texts.  "images": messages may hold images.  "readouts": a
        given reply is read and measured.  "response_schema": a reply keeps to a JSON schema.
        """

    @property
    def simulated(self) -> bool:
        """Return whether a generator invents its words, so that every report can say so."""

    @property
    def has_own_queue(self) -> bool:
        """Return whether it queues calls itself, so that they need no slot of the run."""

    @property
    def price(self) -> Price | None:
        """Return the price of its tokens, None if unknown."""

    @property
    def prompt_cache(self) -> PromptCache | None:
        """Return how its provider keeps prompts, if their price is known; None: it does not."""

    @property
    def longest_reply(self) -> int | None:
        """Return its own limit of tokens where the sampling has none; None if nothing bounds it."""

    async def __call__(self, request: Request) -> Reply:
        """Answer the request, or raise a ModelError."""

    async def open(self) -> None:
        """Prepare for calls before the first of a run, or raise StudyError."""

    async def close(self) -> None:
        """Release connections and memory at the end of a run."""

    def on_episode_end(self, episode: str) -> None:
        """Note that an episode has ended or was put off, and asks nothing more in this run."""

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return why it cannot sample this way; None if it can, or if only its provider knows."""

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Return the sampling without the settings that the model does not take."""

    def request_settings(self, request: Request) -> dict[str, object] | None:
        """Return the settings sent beside the messages, by the provider's names; None: nothing."""

    @property
    def batches(self) -> BatchEndpoint | None:
        """Return the endpoint by which its provider answers many requests later, None: none."""


class BatchEndpoint(Protocol):
    """The endpoint of a provider that answers a batch of requests later, at a lower price.

    All methods that ask the provider raise ModelError where it gives no usable answer.
    """

    @property
    def terms(self) -> BatchTerms:
        """Return how large a batch may be, and what it costs."""

    async def is_available(self) -> bool:
        """Return whether the provider has it; ModelError if it cannot be asked."""

    async def line(self, custom_id: str, request: Request) -> bytes:
        """Return a request as a line of a batch; RefusedError if the model does not take it."""

    async def create(self, key: str, lines: Sequence[bytes]) -> str:
        """Create a batch of these lines, marked with our key, and return the provider's id."""

    async def find(
        self, key: str, since: datetime, lines: int, known_ids: Collection[str]
    ) -> str | None:
        """Return the id of the batch of so many lines that was created with this key, if any.

        It is not older than `since` (UTC), and none of `known_ids`.  Raises BatchUnclearError while
        one runs that may be it.
        """

    async def poll(self, id: str) -> BatchState:
        """Return how a batch stands."""

    def results(self, id: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the results of a batch that has ended, in any order: (custom id, line)."""

    async def read(self, line: bytes, request: Request | None) -> Reply:
        """Return the reply in the line of a result, of this request if it is known, or raise."""

    async def cancel(self, id: str) -> None:
        """Ask the provider to end a batch; what it has answered by then is kept and billed."""


class BaseModel:
    """The defaults of a `Model` except its name and the call: a model that promises nothing."""

    capabilities: frozenset[str] = frozenset()
    simulated: bool = False
    has_own_queue: bool = False
    price: Price | None = None
    prompt_cache: PromptCache | None = None
    longest_reply: int | None = None
    batches: BatchEndpoint | None = None
    left_out: Mapping[str, str] | None = None  # Settings that were asked for in vain, and why.
    # Whether engines on other machines may hold it: a pickle of it is opened there.
    on_engines: bool = False
    # A hash of the source of a scripted function; None: not scripted, or not known.
    code_hash: str | None = None
    # The name under which studies of version 0.1.0 read a model's abilities.
    can = former_property("can", "capabilities")

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def on_episode_end(self, episode: str) -> None:
        """Do nothing."""

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return None: nothing is known to be unsupported."""
        return None

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Return the sampling as it is."""
        return sampling

    def request_settings(self, request: Request) -> dict[str, object] | None:
        """Return None: nothing is sent."""
        return None

    def find_digest(self) -> str | None:
        """Return None; of a local model a sha256 of its files, which may take a minute."""
        return None


@dataclass(frozen=True, slots=True)
class Agent:
    """A model with a system prompt and a sampling: who speaks.  It has no behaviour.

    `model` is any object that answers: what `agents.model` returns for a reference, or one of your
    own, derived from `BaseModel`, as docs/writing_a_provider.md shows.
    """

    name: str
    model: Model
    system: str = ""
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in a protocol that an agent takes; one agent may hold several (self-debate)."""

    name: str
    agent: Agent


@dataclass(frozen=True, slots=True)
class Reading:
    """The information taken out of a reply.

    Whatever could not be read is None, and its status or a flag says why.  `confidence` lies in
    [0, 1]; `confidence_source` says what kind of number it is ("stated", "stake").  `reask` is the
    question to ask once more in the same conversation when something was unreadable, else None.
    `missing` names what was asked for and could not be read: "public",
    "confidence", "answer".  `public` holds words of the reply, in their order; a reader that puts
    words of its own between them says so by `composed`.  `measures` are further numbers that the
    reply states, by names that begin with "stated "; they are as private as a rating, and become
    rows of the table `measures`.
    """

    public: str | None
    thoughts: str | None = None
    confidence: float | None = None
    confidence_status: str = NOT_ASKED
    answer: str | None = None
    flags: tuple[str, ...] = ()
    reask: str | None = None
    missing: tuple[str, ...] = ()
    composed: bool = False
    confidence_source: str | None = None
    # Left out of the hash, since a mapping has none.
    measures: Mapping[str, float] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """One finished step of a seat.

    Put the turn itself into a prompt; formatting it as text raises TypeError.  `public` is the part
    that others may read (None: no readable speech).  The raw reply, `text`, the `thoughts` and the
    `confidence` (in [0, 1]) are private values (arena/private.py), the confidence not if
    `rating_public`: others see it.  `confidence_source` says what kind of number it is,
    `finish_reason` in the provider's word how the reply ended.  `token_ids` are the tokens that the
    local model `model_served` generated, `measures` numbers from token probabilities.  After a
    re-ask these describe the first reply; `reask_prompt`, `reask_text`, private, are the rest.
    """

    episode: str
    seat: str
    step: int
    phase: str
    round: int
    text: str | PrivateText
    public: str | None
    thoughts: str | PrivateText | None = None
    confidence: float | PrivateNumber | None = None
    confidence_status: str = NOT_ASKED
    answer: str | None = None
    flags: tuple[str, ...] = ()
    rating_public: bool = False
    finish_reason: str | None = None
    model_served: str | None = None
    token_ids: tuple[int, ...] | None = None
    # Left out of the hash, since a mapping has none.
    measures: Mapping[str, float] | None = field(default=None, hash=False)
    confidence_source: str | None = None
    reask_prompt: str | PrivateText | None = None
    reask_text: str | PrivateText | None = None

    def __post_init__(self) -> None:
        for name in ("text", "thoughts", "reask_prompt", "reask_text"):
            if isinstance(words := getattr(self, name), str):
                object.__setattr__(self, name, PrivateText(words))
        if isinstance(self.confidence, int | float) and not self.rating_public:
            object.__setattr__(self, "confidence", PrivateNumber(self.confidence))

    # An f-string or str() would paste words into a prompt without a row of who saw them.
    def __str__(self) -> str:
        raise TypeError(
            "a turn is not text: put the turn itself into the prompt, or own(turn) for its author,"
            " so that the record shows who saw what"
        )

    def __format__(self, spec: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<Turn {self.seat} {self.phase} (round {self.round}, step {self.step})>"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of one judge about one debate.

    `winner` is a seat's name, "abstain", or None if it could not be read (`status` says why).  The
    arena sets `repeat` to the repeat of the play.
    """

    debate: str
    judge: str
    winner: str | None
    confidence: float | PrivateNumber | None
    reasons: str | None
    status: str
    seat_order: str = "as played"
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question; the arena grades it unless `correct` is set.

    `confidence` lies in [0, 1]; `confidence_source` says what kind of number it is: "stated", "vote
    share", "probability", ...  `final` marks the answer of the episode, at most one.  A seat that
    answers more than once counts its answers in `stage` from 0, so that changes from right to wrong
    can be seen.
    """

    seat: str
    answer: str | None
    correct: bool | None = None
    confidence: float | PrivateNumber | None = None
    final: bool = True
    stage: int = 0
    confidence_source: str | None = None
