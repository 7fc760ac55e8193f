"""Models on this machine, by reference: `local/<folder or hub id>`, with settings after a question mark, and `toy/sum`.

`local/Qwen/Qwen3-0.6B?slots=32&context=8192&dtype=bfloat16&device=cuda:1`: sequences at once, tokens of a sequence at most, number format,
device; what is left out is chosen.  Weights are read when a run begins and stay; agents of the same reference share one engine.  A reply
depends on model, prompt, sampling and seed, and on nothing else in the batch, but for ties closer than rounding: on a CPU in float32 they
are rarer than one token in 10,000, on a GPU in bfloat16 they are not, so that seeds are promised on CPUs only.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import weakref
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from agents.providers.sampling import out_of_range
from arena.errors import ContextOverflowError, RefusedError, StudyError
from arena.types import Alternative, BaseModel, Price, Reply, Request, Sampling, TokenChoice

if TYPE_CHECKING:
    from agents.local.choosing import TokenSampling
    from agents.local.drafts import GenerationResult, Job
    from agents.local.engine import Engine
    from agents.local.loading import LoadedModel
    from agents.local.prompts import ChatTokenizer

LONGEST_REPLY = 4096
MIN_TEMPERATURE, MIN_TOP_P = 1e-4, 1e-6
MAX_SETTINGS = {"slots": 4096, "context": 2**24}
DTYPES = ("float32", "bfloat16", "float16")
CAPABILITIES = frozenset({"seed", "prefill", "logprobs", "measures", "choices"})
SAME_SEED_SAME_REPLY = "same seed, same reply"
THOUGHT = re.compile(
    r"\A\s*(?:<(think|thinking|reasoning)>)?(?P<thought>.*)</(?:think|thinking|reasoning)>\s*",
    re.DOTALL,
)
TOY = Path(__file__).resolve().parents[1] / "toy" / "weights"
# Every model that is in use, by its whole reference: the weights are read once.
MODELS: weakref.WeakValueDictionary[str, LocalModel] = weakref.WeakValueDictionary()


def local_model(reference: str) -> LocalModel:
    """The model of a reference, given without its "local/"; nothing is read yet.

    Raises StudyError where torch or transformers is missing, a setting is none, or the reference names a folder that holds no model.
    """
    where, _, query = reference.partition("?")
    if not where:
        raise StudyError(
            "local/ names no model; give a folder or a hub id, such as local/Qwen/Qwen3-0.6B"
        )
    folder = Path(where).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise StudyError(f"the folder {folder} holds no model: it has no config.json")
    looks_like_folder = where.startswith((".", "/", "~")) or where.count("/") != 1
    if looks_like_folder and not folder.is_dir():
        raise StudyError(
            f"there is no folder {folder}; a hub id has the form <organisation>/<model>"
        )
    name = f"local/{folder.resolve().name if looks_like_folder else where}"
    return get_or_create_model(
        f"local/{reference}", name, str(folder) if folder.is_dir() else where, query
    )


def toy_model(reference: str) -> LocalModel:
    """The toy model of a reference, given without its "toy/".  Raises StudyError where it is not "sum"."""
    task, _, query = reference.partition("?")
    if task != "sum":
        raise StudyError(f"there is no toy/{task}; the toy is toy/sum, which adds three numbers")
    return get_or_create_model(f"toy/{reference}", "toy/sum", str(TOY), query)


def get_or_create_model(key: str, name: str, where: str, query: str) -> LocalModel:
    """The model in use under this reference, or a new one.  Raises StudyError where torch or transformers is missing, or a setting is none."""
    missing = [package for package in ("torch", "transformers") if find_spec(package) is None]
    if missing:
        raise StudyError(
            f"{name} needs {' and '.join(missing)}: pip install 'peer-arena[local]' (pip install '.[local]' in a clone)"
        )
    model = MODELS.get(key)
    if model is None:
        model = MODELS[key] = LocalModel(name, where, settings_of(name, query))
    return model


def settings_of(name: str, query: str) -> dict[str, str | int]:
    """The settings that stand behind the question mark of a reference.  Raises StudyError for any other."""
    given: dict[str, str | int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in ("dtype", "device", "slots", "context"):
            raise StudyError(
                f"{name} has no setting {key!r}: dtype, device, slots and context can be set"
            )
        if key in MAX_SETTINGS and not (
            value.isdecimal() and len(value) < 12 and 0 < int(value) <= MAX_SETTINGS[key]
        ):
            raise StudyError(
                f"{key} of {name} is a whole number from 1 to {MAX_SETTINGS[key]}, not {value!r}"
            )
        if key == "dtype" and value not in DTYPES:
            raise StudyError(f"the dtype of {name} is one of {', '.join(DTYPES)}, not {value!r}")
        given[key] = int(value) if key in ("slots", "context") else value
    return given


class LocalModel(BaseModel):
    """A model on this machine; made by `local_model` or by its reference."""

    has_own_queue = True
    price = Price(0.0, 0.0, longest_reply=LONGEST_REPLY, source="local")
    longest_reply = LONGEST_REPLY

    def __init__(self, name: str, where: str, settings: dict[str, str | int]) -> None:
        self.name = name
        self.capabilities = CAPABILITIES
        self.engine: Engine | None = None
        self._where = where
        self._settings = settings
        self._loaded: LoadedModel | None = None
        self._tokenizer: ChatTokenizer | None = None
        self._lock = threading.Lock()
        self._users = 0

    def __repr__(self) -> str:
        return f"<{self.name}>"

    async def open(self) -> None:
        """Read the weights where they are not in memory, and start the engine, which serves every run that has opened it and not closed it.

        Raises StudyError where there is no such model.
        """
        await asyncio.to_thread(self._ensure_engine)
        with self._lock:
            self._users += 1

    def _ensure_engine(self) -> Engine:
        with self._lock:
            if self.engine is not None and self.engine.alive:
                return self.engine
            from agents.local.engine import Engine
            from agents.local.loading import Settings, load, rows_for
            from agents.local.prompts import ChatTokenizer

            settings = Settings(**self._settings)
            if self._loaded is None:
                if sys.stderr.isatty():
                    print(f"reading {self.name} …", file=sys.stderr)
                self._loaded = load(self._where, settings)
                self._tokenizer = ChatTokenizer(self._loaded.tokenizer)
            self.engine = Engine(rows_for(self._loaded, settings), self._tokenizer.decode)
            promised = (
                {SAME_SEED_SAME_REPLY}
                if (self._loaded.dtype, self._loaded.device) == ("float32", "cpu")
                else set()
            )
            self.capabilities = CAPABILITIES | promised
            return self.engine

    async def close(self) -> None:
        """Stop the engine and let go of its cache, when nobody else has opened it; the weights stay for the next run."""
        with self._lock:
            self._users = max(0, self._users - 1)
            if self._users:
                return
            engine, self.engine = self.engine, None
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def on_episode_end(self, episode: str) -> None:
        """Let go of what was kept for an episode."""
        if self.engine is not None:
            self.engine.end_group(episode)

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Why the model cannot be sampled so; None where it can."""
        return out_of_range(sampling)

    def request_settings(self, request: Request) -> dict[str, object]:
        """The settings of a request as they take effect, with number format and device."""
        if self._loaded is None:
            return {"seed": request.seed}
        how = self._token_sampling(request.sampling)
        settings = {name.name: getattr(how, name.name) for name in fields(how)}
        limit = {
            "max_tokens": request.sampling.max_tokens or LONGEST_REPLY,
            "stop": list(request.sampling.stop),
        }
        options = {"choices": list(request.sampling.choices)} if request.sampling.choices else {}
        return {
            **settings,
            **limit,
            **options,
            "seed": request.seed,
            "dtype": self._loaded.dtype,
            "device": self._loaded.device,
        }

    def _token_sampling(self, sampling: Sampling) -> TokenSampling:
        """How tokens are drawn: what the sampling leaves open is as the model's own generation_config.json has it."""
        from agents.local.choosing import TokenSampling

        own = self._loaded.model.generation_config
        usual = TokenSampling(
            (1.0 if own.temperature is None else own.temperature) if own.do_sample else 0.0,
            own.top_k or 0,
            own.top_p or 1.0,
            own.min_p or 0.0,
        )
        size = self._loaded.model.config.get_text_config().vocab_size
        temperature = usual.temperature if sampling.temperature is None else sampling.temperature
        return TokenSampling(
            # What is colder than float32 can tell apart is the likeliest token.
            temperature if temperature >= MIN_TEMPERATURE else 0.0,
            # A user who chooses a temperature has chosen the distribution; what narrows it is then said too, or off.
            min(sampling.top_k or (usual.top_k if sampling.temperature is None else 0), size),
            max(
                sampling.top_p or (usual.top_p if sampling.temperature is None else 1.0), MIN_TOP_P
            ),
            sampling.min_p or (usual.min_p if sampling.temperature is None else 0.0),
        )

    async def __call__(self, request: Request) -> Reply:
        """Answer.

        Raises ContextOverflow where the prompt does not fit, Refused where a setting is out of range, Unreachable where the engine has died
        (the next call starts another).
        """
        why = self.unsupported_reason(request.sampling)
        if why is not None:
            raise RefusedError(f"{self.name} was not asked: {why}", sent=False)
        engine = (
            await asyncio.to_thread(self._ensure_engine)
            if self.engine is None or not self.engine.alive
            else self.engine
        )
        with engine.announce(request.place.episode):
            ids = await asyncio.to_thread(self._tokenizer.ids, request, self.name)
        if not ids:
            raise RefusedError(f"{self.name} was asked nothing that it has tokens for", sent=False)
        if request.sampling.choices:
            return await self._choose_reply(engine, request, ids)
        return self._reply(request, ids, await engine.generate(self._job(engine, request, ids)))

    def _job(self, engine: Engine, request: Request, ids: tuple[int, ...]) -> Job:
        from agents.local.drafts import Job

        sampling, place = request.sampling, request.place
        room = engine.capacity - len(ids)
        if room < 1:
            raise ContextOverflowError(
                f"the prompt of {len(ids)} tokens does not fit {self.name}, whose sequences have {engine.capacity} here (?context= sets"
                " that, up to the positions of the model); shorten the prompt or the protocol's turns",
                sent=False,
            )
        longest = min(sampling.max_tokens or LONGEST_REPLY, room)
        stop, alternatives = tuple(sampling.stop), sampling.logprobs
        how = self._token_sampling(sampling)
        return Job(
            ids,
            longest,
            how,
            request.seed,
            self._loaded.end_ids,
            stop,
            alternatives,
            group=place.episode,
        )

    def _reply(self, request: Request, ids: tuple[int, ...], said: GenerationResult) -> Reply:
        """The reply in what was generated, its thoughts apart where they are marked as such and nobody asked for them.

        A model that ends at once has said nothing, which is a reply like any other: asked again with the same seed, it would say the same.
        """
        text, stop = self._tokenizer.decode_after(ids, said.ids), request.sampling.stop
        ends = [at for word in stop if (at := text.find(word)) >= 0]
        text = text[: min(ends)] if ends else text
        begun = request.messages[-1].role == "assistant"
        thought = None if begun or any("</" in word for word in stop) else THOUGHT.match(text)
        return Reply(
            text[thought.end() :] if thought else text,
            thought["thought"].strip() if thought else None,
            self.name,
            said.finish,
            tokens_in=len(ids),
            tokens_cached=said.reused,
            tokens_out=len(said.ids),
            token_ids=None if thought else said.ids,
            logprobs=self._choices(said) if request.sampling.logprobs is not None else None,
            measures=said.measures,
            tokens_prefilled=said.prefilled,
            decode_steps=said.steps,
        )

    def _choices(self, said: GenerationResult) -> tuple[TokenChoice, ...]:
        word = self._tokenizer.decode
        return tuple(
            TokenChoice(
                word([one.token]),
                one.logprob,
                tuple(Alternative(word([token]), logprob) for token, logprob in one.alternatives),
            )
            for one in said.noted
        )

    async def _choose_reply(self, engine: Engine, request: Request, ids: tuple[int, ...]) -> Reply:
        """The likeliest of the options as the beginning of the reply; their probabilities, which sum to 1, are measures."""
        from agents.local.drafts import Job

        options = request.sampling.choices
        coded = [
            tuple(self._tokenizer.tokenizer(option, add_special_tokens=False).input_ids)
            for option in options
        ]
        if not all(coded):
            raise RefusedError(
                f"{self.name} has no tokens for one of the options {options!r}", sent=False
            )
        jobs = [
            Job((*ids, *code), 0, score_from=len(ids), group=request.place.episode)
            for code in coded
        ]
        scored = await asyncio.gather(*(engine.generate(job) for job in jobs))
        return choice_reply(self.name, options, ids, scored)


def choice_reply(
    name: str, options: tuple[str, ...], ids: tuple[int, ...], scored: list[GenerationResult]
) -> Reply:
    """The reply to a request with options, from what scoring each of them gave."""
    import numpy as np

    total = np.array([sum(one.scores) for one in scored])
    share = np.exp(total - total.max())
    share /= share.sum()
    measures = {
        f"logprob of {option}": float(value) for option, value in zip(options, total, strict=True)
    }
    measures |= {
        f"probability of {option}": float(value)
        for option, value in zip(options, share, strict=True)
    }
    return Reply(
        options[int(total.argmax())],
        model_served=name,
        finish_reason="options",
        tokens_in=sum(one.reused + one.prefilled for one in scored),
        tokens_cached=sum(one.reused for one in scored),
        tokens_out=0,
        measures=measures,
        tokens_prefilled=sum(one.prefilled for one in scored),
        decode_steps=0,
    )
