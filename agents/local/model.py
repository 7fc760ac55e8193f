"""Models on this machine, by reference: `local/<folder or hub id>`, and the toy, `toy/sum`.

A revision follows after an "@": of a hub id a branch, tag or commit, of a folder the first digits
of its digest (weights/digest.py).  It is part of the model's name, and so of every episode's id;
settings, which are not, follow after a question mark (settings.py):
`local/Qwen/Qwen3-0.6B?slots=32&context=8192&dtype=bfloat16&device=cuda:1`.

The weights are read when a run begins, and stay; agents of the same reference share one engine.  A
reply depends on model, prompt, sampling and seed, and on nothing else in the batch, except for
probabilities that differ by less than rounding does.  On a CPU in float32 such ties are rarer than
one token in 10,000; on a GPU with exact seeds (lanes.py) there are none between cards of one kind.
Elsewhere seeds are not promised.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from agents.local.answers import choice_reply, written_reply
from agents.local.configured import (
    configured_problem,
    logit_rules,
    read_generation_config,
    template_arguments,
    unsupported_later,
)
from agents.local.decoding.partners import Partners, Result
from agents.local.decoding.requests import generate, thoughts_in, wrong_decoding
from agents.local.settings import Settings, find_weights, parse_settings, portable
from agents.providers.sampling import ProviderModel
from arena.errors import ContextOverflowError, RefusedError, StudyError
from arena.types import Price, Reply, Request, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from agents.local.choosing import TokenSampling
    from agents.local.drafts import Job
    from agents.local.engine import Engine
    from agents.local.engines import Engines
    from agents.local.loading import LoadedModel
    from agents.local.prompts import ChatTokenizer

# Tokens of a reply for which the sampling sets no limit.
LONGEST_REPLY = 4096
# Below these values only the likeliest token is drawn: logits that are divided by a very small
# temperature overflow float32.
MIN_TEMPERATURE = 1e-4
MIN_TOP_P = 1e-6
CAPABILITIES = frozenset(
    {"seed", "prefill", "logprobs", "measures", "choices", "readouts", "decoding"}
)
SAME_SEED_SAME_REPLY = "same seed, same reply"
TOY = Path(__file__).resolve().parents[1] / "toy" / "weights"
# Every model in use, by its whole reference, so that weights are read once.  The values are weak: a
# model that nobody uses any more gives its memory back.
MODELS: weakref.WeakValueDictionary[str, LocalModel] = weakref.WeakValueDictionary()


def local_model(reference: str) -> LocalModel:
    """Return the model of a reference (without its "local/"); nothing is read yet.

    Raises StudyError if torch or transformers is missing, a setting is wrong, or the reference
    names a folder without a model, or a revision that none can have.
    """
    found = find_weights("local", reference, "Qwen/Qwen3-0.6B")
    return get_or_create_model(f"local/{reference}", *found)


def toy_model(reference: str) -> LocalModel:
    """Return the toy model of a reference (without its "toy/").

    Raises StudyError unless it is "sum".
    """
    task, _, query = reference.partition("?")
    if task != "sum":
        raise StudyError(f"there is no toy/{task}; the toy is toy/sum, which adds three numbers")
    return get_or_create_model(f"toy/{reference}", "toy/sum", str(TOY), query)


def get_or_create_model(
    key: str, name: str, where: str, query: str, revision: str | None = None
) -> LocalModel:
    """Return the model in use under the reference `key`, or a new one.

    Raises StudyError if torch or transformers is missing, or a setting is wrong.
    """
    missing = [package for package in ("torch", "transformers") if find_spec(package) is None]
    if missing:
        raise StudyError(f"{name} needs {' and '.join(missing)}: pip install 'peer-arena[local]'")
    model = MODELS.get(key)
    if model is None:
        settings = parse_settings(name, query)
        model = LocalModel(name + settings.name_suffix, where, settings, revision)
        MODELS[key] = model
    return model


def model_of(reference: str) -> LocalModel:
    """Return the model of a whole reference, "local/..." or "toy/..."; see the functions above."""
    kind, _, rest = reference.partition("/")
    return toy_model(rest) if kind == "toy" else local_model(rest)


class LocalModel(ProviderModel):
    """A model on this machine; `local_model` or its reference makes one."""

    has_own_queue = True
    on_engines = True
    price = Price(0.0, 0.0, longest_reply=LONGEST_REPLY, source="local")
    longest_reply = LONGEST_REPLY

    def __init__(
        self, name: str, where: str, settings: Settings, revision: str | None = None
    ) -> None:
        self.name = name
        self.capabilities = CAPABILITIES
        self.engine: Engine | Engines | None = None
        # The toy lies beside this file, wherever that is.
        self._where = where or str(TOY)
        self._settings = settings
        self._revision = revision
        self._digest: str | None = None
        self._configured: dict[str, object] = {}
        # The kind of GPU, on which replies to the same seed may be another's.
        self._card: str | None = None
        # One on each device.
        self._copies: list[LoadedModel] = []
        self._tokenizer: ChatTokenizer | None = None
        self._partners = Partners(model_of)
        self._lock = threading.Lock()
        self._users = 0

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> tuple[object, ...]:
        """Travel as the reference that it was made of, never with weights."""
        where, settings = portable(self._where, self._settings)
        made_of = (self.name, where.replace(str(TOY), ""), settings, self._revision)
        asked = {"drop_unsupported": self.drop_unsupported, "left_out": self.left_out}
        return LocalModel, made_of, asked

    async def open(self) -> None:
        """Read the weights unless they are in memory, and start the engine.

        It serves every run that has opened it and not closed it.  Raises StudyError if there is no
        such model.
        """
        # In a thread, since reading weights takes seconds and other agents share the event loop.
        await asyncio.to_thread(self._ensure_engine)
        with self._lock:
            self._users += 1

    def _ensure_engine(self) -> Engine | Engines:
        """Return the engine, started if it is not alive."""
        with self._lock:
            if self.engine is not None and self.engine.alive:
                return self.engine
            from agents.local.engines import start_engine
            from agents.local.loading import load_copies
            from agents.local.prompts import ChatTokenizer

            if not self._copies:
                if sys.stderr.isatty():
                    print(f"reading {self.name} …", file=sys.stderr)
                self._check_digest()
                self._copies = load_copies(self._where, self._settings, self._hub_revision())
                # Known only now if the weights were fetched.
                self.find_digest()
                self._tokenizer = ChatTokenizer(self._weights.tokenizer)
            cards = {card_name(copy.device) for copy in self._copies}
            self._card = " and ".join(sorted(card for card in cards if card)) or None
            if self.engine is not None:
                # It has died, or one of several has: their memory is needed now.
                self.engine.close()
            self.engine = start_engine(self._copies, self._settings, self._chat.decode)
            on_cpu = {(copy.dtype, copy.device) for copy in self._copies} == {("float32", "cpu")}
            if on_cpu or (self.engine.seeds_hold and len(cards) == 1):
                self.capabilities = CAPABILITIES | {SAME_SEED_SAME_REPLY}
            return self.engine

    async def running(self) -> tuple[Engine | Engines, ChatTokenizer]:
        """Return the engine, started if it is not alive, and the tokenizer."""
        engine = self.engine
        if engine is None or not engine.alive:
            engine = await asyncio.to_thread(self._ensure_engine)
        return engine, self._chat

    def find_digest(self) -> str | None:
        """Return the sha256 of the files that decide its replies; None: not on this disk.

        Hashing weights for the first time takes seconds for each GB or two.
        """
        if self._digest is None:
            # Imports the hub's library, which plans without local models do not need.
            from agents.local.weights.digest import digest_of, folder_of

            with suppress(OSError, ValueError, LookupError):
                folder = folder_of(self._where, self._hub_revision())
                if folder is not None:
                    self._digest = digest_of(folder, self.name, self._settings.adapter_folder)
        return self._digest

    def _hub_revision(self) -> str | None:
        """Return the revision for the hub; that of a folder is its digest."""
        return None if Path(self._where).is_dir() else self._revision

    def _check_digest(self) -> None:
        """Raise StudyError if a folder does not have the digest that its reference asks for.

        Takes the digest of the weights that are read next.
        """
        from agents.local.weights.digest import check_digest

        check_digest(self.name, self._where, self._revision, self.find_digest())

    @property
    def _weights(self) -> LoadedModel:
        """The model in memory, once it has been opened: the first of its copies."""
        return self._copies[0]

    @property
    def _chat(self) -> ChatTokenizer:
        """The tokenizer, once the model has been opened."""
        assert self._tokenizer is not None
        return self._tokenizer

    async def close(self) -> None:
        """Stop the engine and free its cache, unless other runs have opened it.

        The weights stay for the next run.
        """
        with self._lock:
            self._users = max(0, self._users - 1)
            if self._users:
                return
            engine = self.engine
            self.engine = None
        if engine is not None:
            await asyncio.to_thread(engine.close)
        await self._partners.close()

    def on_episode_end(self, episode: str) -> None:
        """Give the rows of an episode to others."""
        if self.engine is not None:
            self.engine.end_group(episode)
        self._partners.end_group(episode)

    def unsupported_settings(self, sampling: Sampling) -> dict[str, str]:
        """Return the reason for each setting that the engine does not have."""
        return unsupported_later(sampling)

    def wrong_value(self, sampling: Sampling) -> str | None:
        """Return why the values of a sampling cannot be had, or None.

        Without a temperature the model's own generation_config.json says how tokens are drawn.
        """
        wrong = super().wrong_value(sampling)
        generates = not (sampling.choices or sampling.readouts)
        if wrong is None and sampling.temperature is None and generates:
            wrong = configured_problem(self._generation_config())
        return wrong or wrong_decoding(sampling, model_of, self)

    def _generation_config(self) -> dict[str, object]:
        """Return the settings in generation_config.json, empty while they are not on this disk."""
        if not self._configured:
            self._configured = read_generation_config(self.folder())
        return self._configured

    def folder(self) -> Path:
        """Return the folder of its files, which may not be on this disk yet."""
        from agents.local.weights.digest import folder_of

        return folder_of(self._where, self._hub_revision()) or Path(self._where)

    def request_settings(self, request: Request) -> dict[str, object]:
        """Return the settings of a request as they take effect, with number format and device."""
        if not self._copies:
            return {"seed": request.seed}
        left_out = [*dict.fromkeys((*(self.left_out or ()), *self.lacks(request.sampling)))]
        sampling = request.sampling
        return {
            **asdict(self._token_sampling(sampling)),
            **({} if sampling.choices else logit_rules(self._generation_config(), sampling)),
            "max_tokens": sampling.max_tokens or LONGEST_REPLY,
            "stop": list(sampling.stop),
            **({"choices": list(sampling.choices)} if sampling.choices else {}),
            **({"readouts": list(sampling.readouts)} if sampling.readouts else {}),
            **({"decoding": sampling.decoding.content()} if sampling.decoding else {}),
            **self._partners.settings(sampling.decoding),
            "seed": request.seed,
            "dtype": self._weights.quantized or self._weights.dtype,
            "device": ",".join(copy.device for copy in self._copies),
            **({"adapter": adapter.name} if (adapter := self._settings.adapter_folder) else {}),
            **(
                {"card": self._card, "seeds": self._settings.seeds or "exact"} if self._card else {}
            ),
            **({"chat_template_kwargs": found} if (found := template_arguments(sampling)) else {}),
            **({"prompt_date": date} if (date := self._chat.date) else {}),
            **({"left_out": left_out} if left_out else {}),
        }

    def _token_sampling(self, sampling: Sampling) -> TokenSampling:
        """Return how tokens are drawn; what is left open is as in generation_config.json."""
        from agents.local.choosing import TokenSampling

        config = self._weights.model.generation_config
        if sampling.temperature is not None:
            # A user who sets a temperature chooses the distribution: filters of the model's own
            # configuration are off then.
            usual = TokenSampling(sampling.temperature)
        else:
            warmth = 1.0 if config.temperature is None else config.temperature
            usual = TokenSampling(
                warmth if config.do_sample else 0.0,
                config.top_k or 0,
                config.top_p or 1.0,
                config.min_p or 0.0,
            )
        size = self._weights.model.config.get_text_config().vocab_size
        return TokenSampling(
            usual.temperature if usual.temperature >= MIN_TEMPERATURE else 0.0,
            min(sampling.top_k or usual.top_k, size),
            max(sampling.top_p or usual.top_p, MIN_TOP_P),
            sampling.min_p or usual.min_p,
        )

    async def __call__(self, request: Request) -> Reply:
        """Answer a request.

        Raises ContextOverflowError if the prompt does not fit, RefusedError if a setting is out of
        range, UnreachableError if the engine has died (the next call starts another).
        """
        request = self.supported_request(request)
        reason = self.unsupported_reason(request.sampling)
        if reason is not None:
            raise RefusedError(f"{self.name} was not asked: {reason}", sent=False)
        engine, _ = await self.running()
        # Long prompts take a while to tokenize.  The seats of the episode that are done sooner
        # wait, so that a prompt that all of them share is read once.
        with engine.announce(request.place.episode):
            thoughts = thoughts_in(request.sampling)
            ids = await asyncio.to_thread(self._chat.ids, request, self.name, thoughts)
        if not ids:
            raise RefusedError(
                f"the prompt for {self.name} has no tokens: its tokenizer knows none of its text",
                sent=False,
            )
        known = self._weights.model.get_input_embeddings().num_embeddings
        if max(ids) >= known:
            raise RefusedError(
                f"the prompt for {self.name} has token {max(ids)}, and the model knows {known}:"
                " tokenizer and weights do not belong together",
                sent=False,
            )
        if request.sampling.readouts:
            from agents.local.readouts.given_replies import read_off

            return await read_off(self.name, self._chat, self._copies, engine, request)
        if request.sampling.choices:
            return await self._choose_reply(engine, request, ids)
        result = await generate(self._job(engine, request, ids), request, self, self._partners)
        return written_reply(self.name, self._chat, request, ids, result)

    async def run(self, work: Callable[[PreTrainedModel], Result], group: str) -> Result:
        """Return the result of work with its weights, done on the device thread."""
        engine, _ = await self.running()
        return await engine.run(lambda: work(self._weights.model), group)

    def _job(self, engine: Engine | Engines, request: Request, ids: tuple[int, ...]) -> Job:
        """Return the engine's job for a request; raises ContextOverflowError if it has no room."""
        from agents.local.drafts import Job
        from agents.local.logit_rules import processors

        sampling = request.sampling
        room = engine.capacity - len(ids)
        if room < 1:
            raise ContextOverflowError(
                f"the prompt of {len(ids)} tokens does not fit {self.name}, whose sequences have"
                f" {engine.capacity} here (?context= sets that, up to the positions of the model);"
                " shorten the prompt or the protocol's turns",
                sent=False,
            )
        rules = logit_rules(self._generation_config(), sampling)
        try:
            processors(rules, len(ids), engine.capacity, self._weights.end_ids)
        except (TypeError, ValueError) as error:
            why = f"{self.name} was not asked: its {' and '.join(rules)} cannot be had: {error}"
            raise RefusedError(why, sent=False) from error
        return Job(
            ids,
            min(sampling.max_tokens or LONGEST_REPLY, room),
            self._token_sampling(sampling),
            request.seed,
            self._weights.end_ids,
            tuple(sampling.stop),
            sampling.logprobs,
            rules=rules,
            group=request.place.episode,
        )

    async def _choose_reply(
        self, engine: Engine | Engines, request: Request, ids: tuple[int, ...]
    ) -> Reply:
        """Return the likeliest of the given choices as the reply.

        Each is scored as the beginning of a reply; nothing is generated.
        """
        from agents.local.drafts import Job

        options = request.sampling.choices
        encode = self._chat.tokenizer
        coded = [encode(option, add_special_tokens=False).input_ids for option in options]
        if not all(coded):
            why = f"{self.name} has no tokens for one of the choices {options!r}"
            raise RefusedError(why, sent=False)
        group = request.place.episode
        jobs = [Job((*ids, *code), 0, score_from=len(ids), group=group) for code in coded]
        scored = await asyncio.gather(*(engine.generate(job) for job in jobs))
        return choice_reply(self.name, options, ids, scored)


def card_name(device: str) -> str | None:
    """Return the kind of a GPU, None for other devices."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else None
