"""Call any OpenAI-compatible chat server over aiohttp: vLLM, SGLang, llama.cpp, proxies, providers.

A reference is `http/<model>@<base url>`; the request goes to `<base url>/chat/completions`.  One
call is one attempt on the wire: retries, rate limits and prices belong to other layers; a cost that
the provider states is kept.  Left out: streaming, tools, several choices, redirects,
proxies and cookies.  A key comes from the environment (ARENA_HTTP_API_KEY) and goes only into the
header of requests that nobody can overhear: https, or plain http to this machine or a private
network.  Text of servers is not trusted: it is cut, cleaned and freed of the key.
"""

from __future__ import annotations

import re

import orjson

from agents.providers import addresses, wire
from agents.providers.api_model import ApiModel
from agents.providers.chat_requests import chat_settings
from agents.providers.completions import chat_messages, read_reply
from agents.providers.faults import read_fault, too_long_error
from agents.providers.http_batches import http_batches
from agents.providers.http_server import HttpServer, HttpServers
from arena.calls.absences import Absence
from arena.errors import ModelError, RefusedError, StudyError, UnreachableError
from arena.types import Reply, Request, Sampling


def split_reference(kind: str, rest: str) -> tuple[str, str]:
    """Return model and address of a reference without its "http/" or "vllm/" (`kind`).

    Raises StudyError if one of them is missing.
    """
    match = re.fullmatch(r"(.+?)@([A-Za-z][A-Za-z0-9+.-]*://.*)", rest, re.DOTALL)
    if match is None:
        # The part after the name may be a broken address with a password in it.
        name = re.split("@|://", rest)[0]
        raise StudyError(
            f"{kind}/{name} lacks a model or an address: write {kind}/<model>@<base url> with"
            f" http:// or https://, such as {addresses.EXAMPLE}"
        )
    return match[1], match[2]


def http_model(rest: str) -> HttpModel:
    """Return the model of a reference without its "http/": `<model>@<base url>`.

    Raises StudyError if the model or the address is missing or not usable, or a key is needed and
    not set.
    """
    return HttpModel(*split_reference("http", rest))


class HttpModel(ApiModel):
    """A model behind an OpenAI-compatible server.

    `model` is the server's name for it, `base_url` the address before /chat/completions, or several
    between commas: each episode stays at one of them, and goes to another where it is gone.
    `timeout_s` > 0 is the longest that a call may take.  Raises StudyError if an address is not
    usable or a key is missing.
    """

    kind = "http"
    abilities = frozenset({"seed", "logprobs", "images", "response_schema"})

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        timeout_s: float = wire.TIMEOUT_S,
    ) -> None:
        if not model.isprintable() or model != model.strip() or not model:
            raise StudyError(
                f"{model!r} is no model name: give the name under which the server knows it, as in"
                f" {addresses.EXAMPLE}"
            )
        self.name = f"{self.kind}/{model}"
        self.capabilities = self.abilities
        self.address = base_url
        self._model = model
        self._supported: Sampling | None = None
        self._servers = HttpServers(
            [HttpServer(self.name, url, timeout_s) for url in base_url.split(",")]
        )
        # A server with several addresses keeps batches at the first.
        self.batches = http_batches(self, self._servers.all[0])

    @property
    def absences(self) -> tuple[Absence, ...]:
        """Return the latest absence of each of several addresses that was ever found gone."""
        return self._servers.absences

    def __repr__(self) -> str:
        return f"<{self.name} at {self._servers.shown}>"

    def own_settings(self, request: Request) -> dict[str, object]:
        """Return the settings besides model and messages, under the server's names."""
        return chat_settings(request)

    def make_body(self, request: Request, settings: dict[str, object]) -> dict[str, object]:
        """Return the JSON of a request; a last assistant message is continued."""
        body: dict[str, object] = {
            "model": self._model,
            "messages": chat_messages(request.messages),
            **settings,
        }
        if request.messages[-1].role == "assistant":
            # The names of these two settings are those of vLLM and SGLang.
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body

    async def __call__(self, request: Request) -> Reply:
        """Send the request once, to one address; where nobody was there, to the next.

        Raises RateLimitedError, RefusedError, ContextOverflowError, EmptyReplyError,
        UnreachableError or BadReplyError; never an error of aiohttp, whose details hold the headers
        that were sent.
        """
        # Nearly all calls of an agent have one sampling.
        if request.sampling is not self._supported:
            why = self.unsupported_reason(request.sampling)
            if why is not None:
                raise RefusedError(f"{self.name} was not asked: {why}", sent=False)
            self._supported = request.sampling
        tried: list[HttpServer] = []
        while True:
            server = self._servers.choose(request.place.episode, tried)
            try:
                reply = await self.ask(server, request)
            except ModelError as error:
                if not isinstance(error, UnreachableError) or not error.server_down:
                    if error.http_status is not None:
                        server.note_answer()
                    raise
                error.server = self._servers.shown
                self._servers.note_gone(server)
                tried.append(server)
                if len(tried) == len(self._servers.all):
                    raise
            else:
                server.note_answer()
                return reply

    async def ask(self, server: HttpServer, request: Request) -> Reply:
        """Send the request to one address."""
        sent = self.request_body(request)
        status, body = await self.post(server, "/chat/completions", sent)
        return read_reply(body, endpoint=server.endpoint, key=server.key, http_status=status)

    async def post(
        self, server: HttpServer, path: str, sent: dict[str, object]
    ) -> tuple[int, bytes]:
        """Return status and body of a successful answer; raise the error of any other one."""
        alone = len(self._servers.all) == 1
        status, headers, body = await server.post(path, orjson.dumps(sent), probe=not alone)
        if not 200 <= status < 300:
            fault = read_fault(status, headers, body, endpoint=server.endpoint, key=server.key)
            raise self.learn_from(fault, status, body, sent)
        if len(body) > wire.MAX_REPLY_BYTES:
            raise too_long_error(server.endpoint, status, None)
        return status, body

    def on_episode_end(self, episode: str) -> None:
        """Forget at which address an episode was played."""
        self._servers.forget(episode)

    async def close(self) -> None:
        """Close the connections of the running loop; the model can be used again afterwards."""
        for server in self._servers.all:
            await server.close()
