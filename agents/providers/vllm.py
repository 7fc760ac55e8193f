"""Call a vLLM or SGLang server, which goes on with a reply that was begun for it.

A reference is `vllm/<model>@<base url>`.  Both servers continue a last assistant message when they
are told to (`continue_final_message`); other servers take the same words, ignore them and begin
anew.  So before the first prefill each server is asked once or twice for a single token, which
shows what it does.  Serve reasoning models without a reasoning parser, so that the thought is text.
What the model has generated itself goes in as its tokens, where a server tells them
(token_prompts.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import orjson

from agents.providers import wire
from agents.providers.completions import (
    chat_messages,
    completion_counts,
    parse_answer,
    read_reply,
    token_ids,
)
from agents.providers.faults import read_fault
from agents.providers.http import HttpModel, split_reference
from agents.providers.http_server import HttpServer
from agents.providers.sampling import is_number
from agents.providers.token_prompts import (
    as_chat,
    completion_settings,
    own_spans,
    tokens_of_begun_reply,
)
from arena.errors import BadReplyError, ModelError, RefusedError
from arena.types import Message, Reply, Request, Sampling

BEGUN: list[dict[str, object]] = [
    {"role": "user", "content": "Count to four."},
    {"role": "assistant", "content": "one, two, three,"},
]
# Settings of a chat that its template reads.
TEMPLATE = ("chat_template_kwargs", "reasoning_effort")
# Statuses of a server that has no such path.
NOT_THERE = (404, 405, 501)
MOST_TOLD = 2000
FLAG = re.compile(r"continue_final_message|add_generation_prompt")


@dataclass(frozen=True, slots=True)
class ScoredPrompt:
    """The tokens of a prompt, the log probability (nats) of each one, and the server's counts."""

    token_ids: list[int]
    logprobs: list[float]
    counts: Reply


def shared_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two texts share from the beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def token_logprob(entry: object, token: int) -> float:
    """Return the log probability of a token in an entry of vLLM's `prompt_logprobs`, 0 if none."""
    stated = entry.get(str(token)) if isinstance(entry, dict) else None
    value = stated.get("logprob") if isinstance(stated, dict) else None
    return min(float(value), 0.0) if is_number(value) and math.isfinite(value) else 0.0


def add_counts(counts: Iterable[int | None]) -> int | None:
    """Return the sum of counts, None if one is not known."""
    known = [*counts]
    return None if None in known else sum(count or 0 for count in known)


def vllm_model(rest: str) -> VllmModel:
    """Return the model of a reference without its "vllm/": `<model>@<base url>`.

    Raises StudyError as `http_model` does.
    """
    return VllmModel(*split_reference("vllm", rest))


class VllmModel(HttpModel):
    """A model behind vLLM or SGLang servers."""

    kind = "vllm"
    abilities = HttpModel.abilities | {"prefill", "choices"}

    def __init__(self, model: str, base_url: str, *, timeout_s: float = wire.TIMEOUT_S) -> None:
        super().__init__(model, base_url, timeout_s=timeout_s)
        # Whether a server continues a begun reply, once that is known.
        self._continues: dict[HttpServer, bool] = {}
        # Servers that turn no text into tokens, such as SGLang's.
        self._without_tokens: set[HttpServer] = set()
        # What servers have told of tokens: each step of a path begins with those of the last one.
        self._told: dict[tuple[HttpServer, str, bytes], dict[str, Any]] = {}
        self._probing: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    async def ask(self, server: HttpServer, request: Request) -> Reply:
        """Send the request to one address, a prefill only where it is continued."""
        goes_on = request.messages[-1].role == "assistant" or bool(request.sampling.choices)
        if goes_on and not await self.continues(server):
            raise RefusedError(
                f"{server.endpoint} was not asked: it does not go on with a reply that was begun"
                " (it ignores continue_final_message, and would begin anew); use vLLM, SGLang or a"
                " local model",
                sent=False,
            )
        if request.sampling.choices:
            return await self._choose_reply(server, request)
        prompt = await self._prompt_of_tokens(server, request)
        if prompt is not None:
            return await self._continue_tokens(server, request, prompt)
        return await super().ask(server, request)

    def make_body(self, request: Request, settings: dict[str, object]) -> dict[str, object]:
        """Return the JSON of a request, which asks for the tokens of the reply, too."""
        return {"return_token_ids": True, **super().make_body(request, settings)}

    async def _prompt_of_tokens(self, server: HttpServer, request: Request) -> list[int] | None:
        """Return a prompt whose begun reply holds the tokens that this model generated.

        None where there are none, or the server cannot tell tokens: then the text is sent.
        """
        spans = own_spans(request, self._model)
        *earlier, last = request.messages
        if not spans or server in self._without_tokens or any(each.images for each in earlier):
            return None
        settings = self.own_settings(request)
        template = {name: settings[name] for name in TEMPLATE if name in settings}
        chat = {"messages": chat_messages(earlier), "add_generation_prompt": True, **template}
        try:
            head = await self._tokens_of(server, chat)
            begun = await tokens_of_begun_reply(
                last.content,
                spans,
                lambda text: self._tokens_of(server, {"prompt": text, "add_special_tokens": False}),
                lambda ids: self._text_of(server, ids),
            )
        except ModelError as error:
            if error.http_status not in NOT_THERE and not isinstance(error, BadReplyError):
                raise
            self._without_tokens.add(server)
            return None
        return head + begun

    async def _continue_tokens(
        self, server: HttpServer, request: Request, prompt: list[int]
    ) -> Reply:
        """Return what the model writes behind the tokens of a prompt."""
        settings = completion_settings(self.adaptation.settings(self.own_settings(request)))
        sent = {"return_token_ids": True, "model": self._model, "prompt": prompt, **settings}
        status, body = await self.post(server, "/completions", sent)
        answer = parse_answer(body, endpoint=server.endpoint, key=server.key, http_status=status)
        whole = wire.body_of(as_chat(answer.fields))
        return read_reply(whole, endpoint=server.endpoint, key=server.key, http_status=status)

    async def _tokens_of(self, server: HttpServer, content: dict[str, object]) -> list[int]:
        """Return the tokens of a text or chat; RefusedError or BadReplyError if it tells none."""
        answer = await self._tell(server, "tokenize", content)
        told = answer.get("tokens")
        ids = token_ids(told)
        # Some vocabularies have no token for a sign.
        if ids is None and told != []:
            raise BadReplyError(f"{server.endpoint} gave no tokens", retryable=False)
        return [*(ids or ())]

    async def _text_of(self, server: HttpServer, ids: Sequence[int]) -> str:
        """Return the text of tokens; RefusedError or BadReplyError if the server tells none."""
        answer = await self._tell(server, "detokenize", {"tokens": [*ids]})
        text = answer.get("prompt")
        if not isinstance(text, str):
            raise BadReplyError(f"{server.endpoint} gave no text of tokens", retryable=False)
        return text

    async def _tell(
        self, server: HttpServer, what: str, content: dict[str, object]
    ) -> dict[str, Any]:
        """Return what a server tells of tokens."""
        asked = {"model": self._model, **content}
        key = (server, what, hashlib.sha256(orjson.dumps(asked)).digest())
        if key not in self._told:
            # Beside /v1, in which the address ends.
            status, body = await self.post(server, f"/../{what}", asked)
            answer = parse_answer(
                body, endpoint=server.endpoint, key=server.key, http_status=status
            )
            if len(self._told) >= MOST_TOLD:
                self._told.clear()
            self._told[key] = answer.fields
        return self._told[key]

    def unsupported_settings(self, sampling: Sampling) -> dict[str, str]:
        """Return no reason: choices, too, are taken here."""
        return {}

    def request_settings(self, request: Request) -> dict[str, object]:
        """Return the settings that are sent besides model and messages, and the choices."""
        settings = super().request_settings(request)
        choices = request.sampling.choices
        return settings | ({"choices": list(choices), "prompt_logprobs": 0} if choices else {})

    async def _choose_reply(self, server: HttpServer, request: Request) -> Reply:
        """Return the likeliest of the given choices as the reply.

        The server reads each one as the beginning of the reply, and says how likely its tokens are
        (`prompt_logprobs`).  One more request shows where the beginning begins.
        """
        choices = request.sampling.choices
        answers = await asyncio.gather(
            *(self._score(server, request, choice) for choice in ("", *choices))
        )
        head = answers[0].token_ids
        totals = []
        for choice, answer in zip(choices, answers[1:], strict=True):
            shared = shared_beginning(head, answer.token_ids)
            if shared == len(answer.token_ids):
                raise RefusedError(f"{server.endpoint} has no tokens for the choice {choice!r}")
            totals.append(math.fsum(answer.logprobs[shared:]))
        # The largest is subtracted first: probabilities of long choices are too small for a float.
        weights = [math.exp(total - max(totals)) for total in totals]
        measures = {f"logprob of {one}": total for one, total in zip(choices, totals, strict=True)}
        measures |= {
            f"probability of {one}": weight / math.fsum(weights)
            for one, weight in zip(choices, weights, strict=True)
        }
        counts = [answer.counts for answer in answers]
        return replace(
            counts[0],
            text=choices[totals.index(max(totals))],
            finish_reason="options",
            tokens_in=add_counts(each.tokens_in for each in counts),
            tokens_cached=add_counts(each.tokens_cached for each in counts),
            tokens_out=add_counts(each.tokens_out for each in counts),
            measures=measures,
        )

    async def _score(self, server: HttpServer, request: Request, choice: str) -> ScoredPrompt:
        """Return the tokens of a prompt that ends in a choice, and their log probabilities."""
        *earlier, last = request.messages
        if last.role == "assistant":
            earlier, choice = [*earlier], last.content + choice
        else:
            earlier = [*earlier, last]
        begun = (Message("assistant", choice),) if choice else ()
        settings: dict[str, object] = {
            "max_tokens": 1,
            "prompt_logprobs": 0,
            "return_token_ids": True,
            "seed": request.seed,
        }
        sent = self.make_body(replace(request, messages=(*earlier, *begun)), settings)
        status, body = await self.post(server, "/chat/completions", sent)
        answer = parse_answer(body, endpoint=server.endpoint, key=server.key, http_status=status)
        counts = completion_counts(answer.fields, {}, server.key, status)
        ids = answer.fields.get("prompt_token_ids")
        listed = answer.fields.get("prompt_logprobs")
        if not isinstance(ids, list) or not isinstance(listed, list) or len(ids) != len(listed):
            raise BadReplyError(
                f"{server.endpoint} gave no prompt_token_ids with prompt_logprobs, by which choices"
                " are told: use a vLLM server from 0.10 on, or a local model",
                http_status=status,
                retryable=False,
            )
        # The first token of a prompt has no probability.
        logprobs = [token_logprob(entry, id) for id, entry in zip(ids, listed, strict=True)]
        return ScoredPrompt(ids, logprobs, counts)

    async def continues(self, server: HttpServer) -> bool:
        """Return whether a server continues a begun reply; it is asked once."""
        loop = asyncio.get_running_loop()
        async with self._probing.setdefault(loop, asyncio.Lock()):
            if server not in self._continues:
                self._continues[server] = await self._find_whether_it_continues(server)
            return self._continues[server]

    async def _find_whether_it_continues(self, server: HttpServer) -> bool:
        """Ask a server for a token behind a begun reply.

        vLLM refuses both flags at once, and names them.  Where they are taken, they must change how
        many tokens the prompt has: a reply that begins anew stands behind the end of the begun one.
        """
        plain = {"model": self._model, "messages": BEGUN, "max_tokens": 1, "temperature": 0}
        flags = {"continue_final_message": True, "add_generation_prompt": True}
        status, headers, body = await server.post("/chat/completions", orjson.dumps(plain | flags))
        if status in (400, 422) and FLAG.search(wire.body_text(body)):
            return True
        if not 200 <= status < 300:
            raise read_fault(status, headers, body, endpoint=server.endpoint, key=server.key)
        without = (await self.post(server, "/chat/completions", plain))[1]
        counts = [
            wire.count(wire.document_of(answer), "usage", "prompt_tokens")
            for answer in (body, without)
        ]
        # A server that counts nothing shows nothing, and a silent new reply would be wrong.
        return None not in counts and counts[0] != counts[1]
