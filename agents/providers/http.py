"""Call any OpenAI-compatible chat server over aiohttp: vLLM, SGLang, llama.cpp, proxies, providers.

A reference is `http/<model>@<base url>`; the request goes to `<base url>/chat/completions`.  One
call is one attempt on the wire: retries, rate limits and prices belong to other layers; a cost that
the provider states is kept.  Left out: streaming, tools, several choices, redirects,
proxies and cookies.  A key comes from the environment (ARENA_HTTP_API_KEY) and goes only into the
header of requests that nobody can overhear: https, or plain http to this machine or a private
network.  Text of servers is not trusted: it is cut, cleaned and freed of the key.

`vllm/<model>@<base url>` is the same for vLLM and SGLang, which continue a last assistant message
when they are told to (`continue_final_message`); LeaP needs that.  Serve reasoning models without a
reasoning parser then, so that the thought is text.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import SplitResult

import aiohttp
import orjson

from agents.providers import addresses, wire
from agents.providers.api_model import ApiModel
from agents.providers.chat_requests import chat_settings
from agents.providers.completions import chat_messages, read_reply
from agents.providers.faults import read_fault, too_long_error
from arena.errors import BadReplyError, ModelError, RefusedError, StudyError, UnreachableError
from arena.types import Reply, Request


def http_model(rest: str, *, supports_prefill: bool = False) -> HttpModel:
    """Return the model of a reference without its "http/" or "vllm/": `<model>@<base url>`.

    `supports_prefill`: whether the server continues a begun reply.  Raises StudyError if the model
    or the address is missing or not usable, or a key is needed and not set.
    """
    match = re.fullmatch(r"(.+?)@([A-Za-z][A-Za-z0-9+.-]*://.*)", rest, re.DOTALL)
    if match is None:
        kind = "vllm" if supports_prefill else "http"
        # The part after the name may be a broken address with a password in it.
        name = re.split("@|://", rest)[0]
        raise StudyError(
            f"{kind}/{name} lacks a model or an address: write {kind}/<model>@<base url> with"
            f" http:// or https://, such as {addresses.EXAMPLE}"
        )
    return HttpModel(match[1], match[2], supports_prefill=supports_prefill)


def key_for(name: str, url: SplitResult) -> str | None:
    """Return the key to send to an address, or None.

    Raises StudyError if a key is needed and not set, or cannot stand in a header.
    """
    variable = addresses.KEY_VARIABLE
    key = addresses.key_in(variable)
    host = url.hostname or ""
    if not key and url.scheme == "https" and not addresses.is_loopback(host):
        raise StudyError(
            f"{name} at https://{host} needs a key, and {variable} is not set: run"
            f" `export {variable}=...` first (any word will do if the server wants none)"
        )
    return key if key and (url.scheme == "https" or addresses.is_private(host)) else None


class HttpModel(ApiModel):
    """A model behind an OpenAI-compatible server.

    `model` is the server's name for it, `base_url` the address before /chat/completions.
    `supports_prefill`: whether the server continues a begun reply.  `timeout_s` > 0 is the longest
    that a call may take, including the wait for a connection (at most 30 s).  The number of
    connections is not limited here: the arena limits the calls in flight.  Raises StudyError if
    the address is not usable or a key is missing.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        supports_prefill: bool = False,
        timeout_s: float = wire.TIMEOUT_S,
    ) -> None:
        if not model.isprintable() or model != model.strip() or not model:
            raise StudyError(
                f"{model!r} is no model name: give the name under which the server knows it, as in"
                f" {addresses.EXAMPLE}"
            )
        self.name = f"vllm/{model}" if supports_prefill else f"http/{model}"
        prefill = ("prefill",) if supports_prefill else ()
        self.capabilities = frozenset({"seed", "logprobs", "images", "response_schema", *prefill})
        url = addresses.parse_address(self.name, base_url)
        self._model = model
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._endpoint = f"{self.name} at {url.scheme}://{url.netloc}"
        self._key = key_for(self.name, url)
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_s, connect=min(wire.CONNECT_S, timeout_s)
        )
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    def __repr__(self) -> str:
        return f"<{self._endpoint}>"

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

    def _session(self) -> aiohttp.ClientSession:
        """Return the session of the running loop.

        Connections cannot be shared between loops, and each run may have a loop of its own.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            # Sessions of loops that were closed cannot be closed any more, only forgotten.
            self._sessions = {
                other: session for other, session in self._sessions.items() if not other.is_closed()
            }
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=wire.KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                timeout=self._timeout,
                trust_env=False,
            )
        return self._sessions[loop]

    async def __call__(self, request: Request) -> Reply:
        """Send the request once.

        Raises RateLimitedError, RefusedError, ContextOverflowError, EmptyReplyError,
        UnreachableError or BadReplyError; never an error of aiohttp, whose details hold the headers
        that were sent.
        """
        why = self.unsupported_reason(request.sampling)
        if why is not None:
            raise RefusedError(f"{self._endpoint} was not asked: {why}", sent=False)
        sent = self.request_body(request)
        status = None
        try:
            async with self._session().post(
                self._url, data=orjson.dumps(sent), allow_redirects=False
            ) as response:
                status = response.status
                headers = response.headers
                succeeded = 200 <= status < 300
                limit = wire.MAX_REPLY_BYTES if succeeded else wire.READ_ERROR_BYTES
                body = await wire.read_up_to(response.content.iter_any(), limit)
        except (aiohttp.ClientError, OSError) as error:
            fault = self._fault(error, status)
        else:
            if not succeeded:
                fault = read_fault(status, headers, body, endpoint=self._endpoint, key=self._key)
                fault = self.learn_from(fault, status, body, sent)
            elif len(body) > wire.MAX_REPLY_BYTES:
                fault = too_long_error(self._endpoint, status, None)
            else:
                return read_reply(body, endpoint=self._endpoint, key=self._key, http_status=status)
        # Outside the handler: aiohttp's error, which holds the headers, must not be its context.
        raise fault

    def _fault(self, error: Exception, status: int | None) -> ModelError:
        """Return the error for a call that got no whole answer.

        aiohttp's own words are left out if they quote the server.
        """
        if isinstance(error, aiohttp.ClientResponseError):
            return BadReplyError(
                f"{self._endpoint} answered with something that is not HTTP/1.1: are the port and"
                " http:// or https:// right?"
            )
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            why = f"took no connection within {self._timeout.connect:g} s: is the server up?"
        elif isinstance(error, TimeoutError):
            seconds = f"{self._timeout.total:g} s"
            why = f"gave no whole answer within {seconds}: it is overloaded, or hangs"
        elif isinstance(error, aiohttp.ClientConnectorCertificateError):
            quoted = wire.excerpt(str(error.certificate_error), self._key)
            why = f"has a certificate that is not trusted: {quoted}"
        elif isinstance(error, aiohttp.ClientConnectorError):
            why = f"cannot be reached: {error.os_error}; is the server up?"
        else:
            word = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            why = f"broke the connection before its answer was whole ({word}): try again"
        # Without a connection nothing was sent, and the provider bills nothing.
        unsent = isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError)
        # A certificate is wrong also after a wait.
        gone = unsent and not isinstance(error, aiohttp.ClientConnectorCertificateError)
        return UnreachableError(
            f"{self._endpoint} {why}",
            http_status=status,
            sent=not unsent,
            server_down=gone,
            server=self._endpoint.rpartition(" at ")[2],
        )

    async def close(self) -> None:
        """Close the connections of the running loop; the model can be used again afterwards."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()
