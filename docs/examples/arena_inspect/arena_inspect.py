"""Seat the models of Inspect AI in Peer Arena, and play its protocols as solvers of Inspect AI.

    pip install ./docs/examples/arena_inspect
    arena run self_agreement -o model=inspect/openai/gpt-4o -o questions=my.jsonl
    inspect eval task.py --solver arena_inspect/as_solver -S protocol=self_consistency

`inspect/<provider>/<model>` is any model of Inspect AI, with its keys and addresses.  One call is
one request: Inspect's retries, its cache and the retries of the provider's SDK are off, since the
arena has its own.  `as_solver` plays a protocol for each sample: every word is in the arena's
store; public words, ratings and the answer are in Inspect's log, where its scorers grade them.

Written and tested with inspect-ai 0.3.285.  Left out: tools, pictures, prefills, Inspect's batches.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    ModelOutput,
    ModelRefusalError,
    ModelUsage,
    RetryDecision,
    get_model,
)
from inspect_ai.model import Model as ModelOfInspect
from inspect_ai.model._generate_config import active_generate_config
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import LimitExceededError
from tenacity import RetryError

import agents
from arena import Agent, Arena, Arm, RunSelection, Sampling, Study, Subject
from arena.calls.secrets import without_secrets
from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    StudyError,
    UnreachableError,
)
from arena.studies.lineups import map_agents, seats_of
from arena.studies.study import Protocol, plays
from arena.types import Alternative, BaseModel, Model, Reply, Request, TokenChoice
from protocols import named

# The providers that take a setting, as the documentation of GenerateConfig has them.
SEED = {"openai", "google", "mistral", "groq", "hf", "vllm", "sglang", "mockllm"}
LOGPROBS = {"openai", "grok", "together", "hf", "llama-cpp-python", "vllm", "sglang", "mockllm"}
TOP_K = {"anthropic", "bedrock", "google", "hf", "together", "vllm", "sglang", "mockllm"}
PASSED_ON = {"temperature", "top_p", "max_tokens", "stop"}
# The arena's word for a reply that was cut: protocols ask for it.
FINISH_REASONS = {"max_tokens": "length"}
ROLES = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
# One request a call, and the arena alone decides how many are in flight.
ONE_REQUEST = GenerateConfig(max_retries=0)
NO_LIMIT = GenerateConfig(max_connections=10_000)
MARKUP = re.compile(r"\[/?[a-z ]*\]")


def inspect_model(name: str, **options: Any) -> InspectModel:
    """Return the model of a reference without its "inspect/", such as openai/gpt-4o.

    `options` go to the provider of Inspect (`device="cuda"` for hf, say).  Nothing is sent.  Raises
    StudyError if Inspect does not know the provider, or a package or key is missing.
    """

    if name.startswith("mockllm/"):
        # For outputs without counts the mock counts itself, by a file from the network.
        options = {"custom_outputs": lambda *request: uncounted_output()} | options

    def make() -> ModelOfInspect:
        return get_model(name, config=NO_LIMIT, memoize=False, **options)

    try:
        return InspectModel(name, make(), make)
    # Each provider raises what it likes, with marks for the terminal in its words.
    except Exception as error:
        words = " ".join(MARKUP.sub("", str(error)).split())
        raise StudyError(
            f"Inspect AI cannot make the model of inspect/{name}: {words or type(error).__name__}"
        ) from error


def uncounted_output() -> ModelOutput:
    """Return what Inspect's mock says, without counts of tokens."""
    output = ModelOutput.from_content("mockllm", "Default output from mockllm/model")
    output.usage = ModelUsage()
    return output


class InspectModel(BaseModel):
    """A model of Inspect AI.

    `make` makes it anew after its connections were closed, at the end of a run; None if it belongs
    to somebody else, who closes it.
    """

    def __init__(
        self, name: str, model: ModelOfInspect, make: Callable[[], ModelOfInspect] | None = None
    ) -> None:
        provider = name.partition("/")[0]
        self.name = f"inspect/{name}"
        self.simulated = provider == "mockllm"
        able = {"seed": provider in SEED, "logprobs": provider in LOGPROBS}
        self.capabilities = frozenset(word for word, has in able.items() if has)
        self._top_k = {"top_k"} if provider in TOP_K else set()
        self._model: ModelOfInspect | None = model
        self._make = make

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def unsupported_settings(self, sampling: Sampling) -> dict[str, Any]:
        """Return the settings that are set and do not reach the provider, with their defaults."""
        able = PASSED_ON | ({"logprobs"} & self.capabilities) | self._top_k
        # By what is passed on, so that a setting of a later arena is refused and not forgotten.
        unset = {setting.name: getattr(Sampling(), setting.name) for setting in fields(Sampling)}
        return {
            name: default
            for name, default in unset.items()
            if name not in able and getattr(sampling, name) != default
        }

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return why the model does not take the sampling; None if it does, as far as known."""
        wrong = ", ".join(self.unsupported_settings(sampling))
        return f"through Inspect AI it takes no {wrong}; leave {wrong} out" if wrong else None

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Return the sampling without the settings that the model does not take."""
        return replace(sampling, **self.unsupported_settings(sampling))

    def request_settings(self, request: Request) -> dict[str, object]:
        """Return the settings in Inspect's words, as the record keeps them."""
        return self._config(request).model_dump(exclude_none=True)

    def _config(self, request: Request) -> GenerateConfig:
        sampling = request.sampling
        return GenerateConfig(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            stop_seqs=list(sampling.stop) or None,
            seed=request.seed if "seed" in self.capabilities else None,
            logprobs=None if sampling.logprobs is None else True,
            top_logprobs=sampling.logprobs or None,
        )

    async def __call__(self, request: Request) -> Reply:
        """Send the request once.  Raises a ModelError of the arena, or a limit of Inspect."""
        if (why := self.unsupported_reason(request.sampling)) is not None:
            raise RefusedError(f"{self.name} was not asked: {why}", sent=False)
        if self._model is None and self._make is not None:
            self._model = self._make()
        model = self._model
        assert model is not None
        # Inspect leaves retries to the SDKs of some providers, which have two of their own.
        client: Any = getattr(model.api, "client", None)
        if hasattr(client, "max_retries"):
            client.max_retries = 0
        messages: list[ChatMessage] = [
            ROLES[message.role](content=message.content) for message in request.messages
        ]
        try:
            config = self._config(request).merge(ONE_REQUEST)
            output = await model.generate(messages, config=config, cache=False)
        except LimitExceededError:
            raise
        except Exception as error:
            fault = self._fault(model, error)
        else:
            return read_output(self.name, output)
        # Outside of the handler: Inspect's errors hold the request, which is no part of ours.
        raise fault

    def _fault(self, model: ModelOfInspect, error: BaseException) -> ModelError:
        """Return the arena's error for one of Inspect, or of the provider's SDK below it."""
        if isinstance(error, RetryError):
            error = error.last_attempt.exception() or error
        if isinstance(error, ModelRefusalError):
            return RefusedError(f"{self.name} declined to answer")
        # An error that a provider returned is wrapped, together with the whole request.
        wrapped = error.__cause__ if hasattr(error, "provider_message") else None
        cause = wrapped or error
        status = next(filter(None, map(status_of, chain(cause))), None)
        words = " ".join(without_secrets(str(cause)).split())[:200]
        words = f"{self.name}: {words or type(cause).__name__}"
        decision = model.api.should_retry(cause if isinstance(cause, Exception) else RuntimeError())
        kind = decision.kind if isinstance(decision, RetryDecision) else "transient"
        if status == 429 or (decision and kind == "rate_limit"):
            after = decision.retry_after if isinstance(decision, RetryDecision) else None
            if "insufficient_quota" in str(cause):
                return RefusedError(words, http_status=status)
            return RateLimitedError(words, http_status=status, retry_after_s=after)
        if decision or isinstance(cause, OSError) or (status is not None and status >= 500):
            return UnreachableError(words, http_status=status)
        return RefusedError(words, http_status=status, sent=status is not None)

    async def close(self) -> None:
        """Close the connections, unless somebody else does; the next call opens others."""
        if self._make is not None and self._model is not None:
            await self._model.api.aclose()
            self._model = None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the errors that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an SDK's error states, None if it states none."""
    statuses = (getattr(error, name, None) for name in ("status_code", "code"))
    return next((each for each in statuses if type(each) is int and 100 <= each < 600), None)


def read_output(name: str, output: ModelOutput) -> Reply:
    """Return the reply in an output of Inspect.

    Raises ContextOverflowError, RefusedError, BadReplyError or EmptyReplyError, each with the
    tokens that are billed, if the output is no whole reply.
    """
    usage = output.usage
    # Inspect fills in zeros where a provider does not count, and no prompt has no tokens.
    if usage is not None and not usage.total_tokens:
        usage = None
    stop = "unknown" if output.empty else output.stop_reason
    cached = None if usage is None else usage.input_tokens_cache_read
    written = None if usage is None else usage.input_tokens_cache_write
    counts = Reply(
        "",
        model_served=output.model or None,
        finish_reason=FINISH_REASONS.get(stop, stop),
        # Inspect leaves out of its input what was read from a cache, or written to one.
        tokens_in=None if usage is None else usage.input_tokens + (cached or 0) + (written or 0),
        tokens_cached=cached,
        tokens_out=None if usage is None else usage.output_tokens,
        tokens_reasoning=None if usage is None else usage.reasoning_tokens,
        cost_usd=None if usage is None else usage.total_cost,
        cost_source=None if usage is None or usage.total_cost is None else "Inspect AI",
    )
    billed = None if usage is None else counts
    why = without_secrets(output.error or "").strip()[:200]
    if stop == "model_length":
        raise ContextOverflowError(f"{name}: the prompt does not fit the model", reply=billed)
    if stop == "content_filter":
        raise RefusedError(f"{name} declined to answer: {why or 'no reason given'}", reply=billed)
    if output.error:
        raise BadReplyError(f"{name} answered with an error: {why}", reply=billed)
    if not output.completion.strip():
        raise EmptyReplyError(f"{name} answered without any text ({stop})", reply=billed)
    content = output.message.content
    parts = [] if isinstance(content, str) else content
    thoughts = [
        (part.summary if part.redacted else part.reasoning) or ""
        for part in parts
        if isinstance(part, ContentReasoning)
    ]
    return replace(
        counts,
        text=without_secrets(output.completion),
        reasoning=without_secrets("\n\n".join(filter(None, thoughts))) or None,
        logprobs=token_choices(output),
    )


def token_choices(output: ModelOutput) -> tuple[TokenChoice, ...] | None:
    """Return the log probabilities of an output, None if it has none."""
    logprobs = output.choices[0].logprobs
    if logprobs is None or not logprobs.content:
        return None
    return tuple(
        TokenChoice(
            token.token,
            min(token.logprob, 0.0),
            tuple(Alternative(o.token, min(o.logprob, 0.0)) for o in token.top_logprobs or ()),
        )
        for token in logprobs.content
    )


# The other way: a protocol as a solver.

EVALUATED = "evaluated"
Row = dict[str, Any]
# A study has one run at a time, and other models and tasks may be played into it: by event loop,
# store and study.
LOCKS: dict[tuple[object, Path, str], asyncio.Lock] = {}


@solver
def as_solver(
    protocol: str | Protocol,
    lineup: Mapping[str, str | Agent] | str = EVALUATED,
    *,
    options: Mapping[str, object] | None = None,
    kind: Literal["question", "motion"] | None = None,
    store: str = "arena.duckdb",
    study: str | None = None,
) -> Solver:
    """Return a solver that plays a protocol for each sample.

    `protocol` is a function or a name (`protocols.named`).  `lineup` gives each seat an agent or a
    reference; "evaluated", for one seat or for all, is the model that Inspect evaluates, with its
    settings.  `kind` says what a sample's input is: a question if it has a target, else a motion.
    The answer of the protocol, or its verdict, is the output that scorers grade; without either it
    is the public transcript.

    The record is the study `study` of `store` (by default named after the protocol; each further
    epoch is a study of its own).  What it holds already is not asked again: an evaluation that was
    killed goes on, and one that is repeated gives the same words; take another study for new ones.
    Samples that wait are played together, and a sample waits for those played with it.
    """
    function = named(protocol) if isinstance(protocol, str) else protocol
    who = dict.fromkeys(seats_of(function).fixed, lineup) if isinstance(lineup, str) else lineup
    arena = Arena(store, concurrency=1000)
    tables: dict[tuple[object, ...], Table] = {}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        evaluated = evaluated_agent() if EVALUATED in who.values() else None
        settings = evaluated and (get_model(), evaluated.sampling)
        # One solver may serve several models, and evaluations one after the other.
        key = (asyncio.get_running_loop(), state.epoch, settings)
        if key not in tables:
            seated = {seat: agent_of(one, evaluated) for seat, one in who.items()}
            name = study or f"inspect {function.__name__}"
            name += f" epoch {state.epoch}" if state.epoch > 1 else ""
            arm = Arm(function.__name__, function, [seated], options or {})
            tables[key] = Table(arena, Study(name, [arm], []))
        record = await tables[key].play(subject_of(state, kind))
        show(record, state)
        return state

    return solve


def subject_of(state: TaskState, kind: Literal["question", "motion"] | None) -> Subject:
    """Return a sample as the arena's subject; its targets are right answers, told to nobody."""
    targets = [target for target in state.target if target]
    kind = kind or ("question" if targets else "motion")
    if kind == "motion":
        return Subject(state.input_text)
    choices = tuple(choice.value for choice in state.choices)
    gold = targets[0] if targets else None
    return Subject(state.input_text, "question", gold, choices, accepted=tuple(targets[1:]))


def agent_of(who: str | Agent, evaluated: Agent | None) -> Agent:
    """Return an agent: itself, the one that is evaluated, or that of a reference."""
    if isinstance(who, Agent):
        return who
    return evaluated if who == EVALUATED and evaluated is not None else agents.agent(who)


def evaluated_agent() -> Agent:
    """Return the model that Inspect evaluates, with its settings, as an agent."""
    model = get_model()
    # Settings are part of an episode's identity: other settings, other episodes.
    config = model.config.merge(active_generate_config())
    sampling = Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        stop=tuple(config.stop_seqs or ()),
        top_k=config.top_k,
    )
    seated = InspectModel(str(model), model)
    return Agent(seated.name, seated, sampling=sampling)


class SampleModel:
    """A model that answers in the context of the sample for which it is asked.

    Inspect books events, tokens and limits to the sample of the running context, and the arena
    plays many samples in one.
    """

    def __init__(self, model: Model, table: Table) -> None:
        self.model = model
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    async def __call__(self, request: Request) -> Reply:
        """Pass the request on, and keep a limit of Inspect for the sample that has reached it."""
        episode = request.place.episode
        # A copy for each call: calls of one sample run at the same time.
        context = self._table.contexts[episode].copy()
        try:
            return await asyncio.create_task(self._answer(request), context=context)
        except LimitExceededError as limit:
            self._table.limits[episode] = limit
            raise

    async def _answer(self, request: Request) -> Reply:
        return await self.model(request)


@dataclass
class Table:
    """A study whose subjects come one by one: those that wait are played in one run.

    `waiting` holds subjects with the contexts of their samples, `contexts` those that are played;
    the keys are episodes.
    """

    arena: Arena
    study: Study
    waiting: dict[str, tuple[Subject, contextvars.Context]] = field(default_factory=dict)
    contexts: dict[str, contextvars.Context] = field(default_factory=dict)
    limits: dict[str, LimitExceededError] = field(default_factory=dict)
    records: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (arm,) = self.study.arms
        (lineup,) = arm.lineups
        seated = map_agents(
            lineup, lambda agent: replace(agent, model=cast(Model, SampleModel(agent.model, self)))
        )
        self.study = replace(self.study, arms=[replace(arm, lineups=[seated])])

    async def play(self, subject: Subject) -> Row:
        """Return the record of a subject's episode, once it is played.

        Raises StudyError if the episode failed, and Inspect's own error if it reached a limit.
        """
        (play,) = plays(replace(self.study, subjects=[subject]))
        episode = play.episode
        mine = (subject, contextvars.copy_context())
        self.waiting[episode] = mine
        place = (asyncio.get_running_loop(), self.arena.path.resolve(), self.study.name)
        async with LOCKS.setdefault(place, asyncio.Lock()):
            # The others of this moment come before the run begins, and not just after it.
            await asyncio.sleep(0.01)
            if episode not in self.records:
                # Two samples may be the same, and the other one took the record.
                self.waiting.setdefault(episode, mine)
                await self.play_waiting()
            record = self.records.pop(episode)
        if (limit := self.limits.pop(episode, None)) is not None:
            raise limit
        if record["status"] != "done":
            raise StudyError(
                f"the episode {episode} failed with {record['error_kind']}: {record['error']}"
            )
        return record

    async def play_waiting(self) -> None:
        """Play the subjects that wait, and read their records; those of a stopped run wait on."""
        batch = self.waiting
        self.waiting = {}
        self.contexts = {episode: context for episode, (_, context) in batch.items()}
        study = replace(self.study, subjects=[subject for subject, _ in batch.values()])
        try:
            await self.arena.play(study, selection=RunSelection(retry_failed=True))
            # In a thread, since it takes long, and other samples may be speaking.
            self.records |= await asyncio.to_thread(read_records, self.arena, list(batch))
        except BaseException:
            self.waiting = batch | self.waiting
            raise


def read_records(arena: Arena, episodes: list[str]) -> dict[str, Row]:
    """Return episodes by id, each with its turns, answers and rulings, from the store."""

    def rows(columns: str, table: str) -> list[Row]:
        # Ids are hexadecimal digits: nothing in them has to be quoted.
        ids = ", ".join(f"'{episode}'" for episode in episodes)
        result = arena.sql(f"select episode, {columns} from {table} where episode in ({ids})")
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    found = rows("study, status, error_kind, error", "episodes")
    records: dict[str, Row] = {
        row["episode"]: row | {"turns": [], "answers": [], "rulings": []} for row in found
    }
    turns = rows(
        "seat, phase, round, step, public, public_status, confidence, confidence_status,"
        " model_served, started_at",
        "turns",
    )
    answers = rows("seat, stage, answer, confidence, correct, status, final", "answers")
    rulings = rows("judge, winner, confidence, reasons, status", "rulings")
    # Times are of Python's kind, which JSON has not.
    for turn in sorted(turns, key=lambda turn: (turn.pop("started_at"), turn["seat"])):
        records[turn.pop("episode")]["turns"].append(turn)
    for answer in sorted(answers, key=lambda answer: (answer["seat"], answer["stage"])):
        records[answer.pop("episode")]["answers"].append(answer)
    for ruling in rulings:
        records[ruling.pop("episode")]["rulings"].append(ruling)
    return records


def show(record: Row, state: TaskState) -> None:
    """Write an episode into a sample's state: turns as messages, the answer as the output."""
    transcript = []
    for turn in record["turns"]:
        public = turn["public"] if turn["public"] is not None else f"({turn['public_status']})"
        words = f"{turn['seat']}, {turn['phase']} {turn['round']}:\n\n{public}"
        metadata = {name: value for name, value in turn.items() if name != "public"}
        state.messages.append(ChatMessageAssistant(content=words, metadata=metadata))
        transcript.append(words)
    finals = [answer["answer"] for answer in record["answers"] if answer["final"]]
    winners = [ruling["winner"] for ruling in record["rulings"]]
    # What could not be read is no answer; its reason stands in the metadata.
    outcome = [each or "" for each in finals or winners]
    completion = outcome[0] if outcome else "\n\n".join(transcript)
    state.output = ModelOutput.from_content(str(state.model), completion)
    state.metadata["arena"] = {name: value for name, value in record.items() if name != "turns"}
