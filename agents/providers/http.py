"""Any OpenAI-compatible chat server over aiohttp: vLLM, SGLang, llama.cpp, proxies, and providers with such an endpoint.

A reference is `http/<model>@<base url>`; the request goes to `<base url>/chat/completions`.  One call is one attempt on the wire: retries,
rate limits and prices belong to other layers; what a provider itself says a call cost is kept.  Left out: streaming, tools, pictures, several
choices, redirects, proxies and cookies.  A key comes from the environment (ARENA_HTTP_API_KEY) and goes nowhere but into the header of
requests that nobody can overhear: https, or plain http to this machine or a private network.  What servers write is not trusted: it is cut,
cleaned and freed of the key.

`vllm/<model>@<base url>` is the same for vLLM and SGLang, which go on with a last assistant message when they are told to
(`continue_final_message`): what LeaP needs.  Serve reasoning models without a reasoning parser then, so that the thought is text.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import SplitResult

import aiohttp
import orjson

from agents.providers.sampling import (
    drop_settings,
    out_of_range,
    unsupported_among,
    unsupported_message,
)
from agents.providers.wire import (
    CONNECT_S,
    EXAMPLE,
    KEEP_ALIVE_S,
    KEY_VARIABLE,
    MAX_ERROR_BYTES,
    MAX_REPLY_BYTES,
    TIMEOUT_S,
    excerpt,
    is_loopback,
    is_private,
    key_in,
    parse_address,
    read_fault,
    read_reply,
)
from arena.errors import BadReplyError, ModelError, RefusedError, StudyError, UnreachableError
from arena.text import writable
from arena.types import BaseModel, Reply, Request, Sampling


def http_model(rest: str, *, supports_prefill: bool = False) -> HttpModel:
    """The model of a reference, given without its "http/" or "vllm/": `<model>@<base url>`; `continues`: the server goes on with begun replies.

    Raises StudyError where the model or the address is missing or not usable, or a key is needed and not set.
    """
    match = re.fullmatch(r"(.+?)@([A-Za-z][A-Za-z0-9+.-]*://.*)", rest, re.DOTALL)
    if match is None:
        found = re.split("@|://", rest)[0]
        kind = "vllm" if supports_prefill else "http"
        raise StudyError(
            f"{kind}/{found} lacks a model or an address: write {kind}/<model>@<base url> with http:// or https://, such as {EXAMPLE}"
        )
    return HttpModel(match[1], match[2], supports_prefill=supports_prefill)


def key_for(name: str, url: SplitResult) -> str | None:
    """The key to send to an address, or None.  Raises StudyError where one is needed and not set, or cannot stand in a header."""
    key = key_in(KEY_VARIABLE)
    host = url.hostname or ""
    if not key and url.scheme == "https" and not is_loopback(host):
        raise StudyError(
            f"{name} at https://{host} needs a key, and {KEY_VARIABLE} is not set: run `export {KEY_VARIABLE}=...` first "
            "(any word will do where the server wants none)"
        )
    return key if key and (url.scheme == "https" or is_private(host)) else None


async def read_up_to(content: aiohttp.StreamReader, limit: int) -> bytes:
    """The bytes of a body, all of them or, where there are more than `limit`, some more than `limit` of them."""
    chunks: list[bytes] = []
    size = 0
    while size <= limit and (chunk := await content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def settings(request: Request) -> dict[str, object]:
    """The settings of a request beside model and messages: what the sampling leaves open is left out, so that the server's own hold."""
    sampling = request.sampling
    sent: dict[str, object] = {"seed": request.seed}
    if sampling.temperature is not None:
        sent["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        sent["top_p"] = sampling.top_p
    if sampling.max_tokens is not None:
        sent["max_tokens"] = sampling.max_tokens
    if sampling.top_k is not None:
        sent["top_k"] = sampling.top_k
    if sampling.min_p is not None:
        sent["min_p"] = sampling.min_p
    if sampling.stop:
        sent["stop"] = list(sampling.stop)
    if sampling.logprobs is not None:
        sent |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    return sent


def request_body(model: str, request: Request) -> bytes:
    """The JSON of a request; a last assistant message is gone on with, by the names that vLLM and SGLang have for it."""
    messages = [{"role": m.role, "content": writable(m.content)} for m in request.messages]
    begun = (
        {"continue_final_message": True, "add_generation_prompt": False}
        if messages[-1]["role"] == "assistant"
        else {}
    )
    return orjson.dumps({"model": model, "messages": messages, **settings(request), **begun})


class HttpModel(BaseModel):
    """A model behind an OpenAI-compatible server; `model` is the server's name for it, `base_url` what stands before /chat/completions.

    `continues`: whether the server goes on with a begun reply.  `timeout_s` > 0 is the longest a call may take, the wait for a connection (at
    most 30 s) included.  The number of connections is not limited here: the arena limits the calls in flight.  Raises StudyError where the
    address is not usable or a key is missing.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        supports_prefill: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if not model.isprintable() or model != model.strip() or not model:
            raise StudyError(
                f"{model!r} is no model name: give the name under which the server knows it, as in {EXAMPLE}"
            )
        self.name = f"vllm/{model}" if supports_prefill else f"http/{model}"
        self.capabilities = frozenset(
            {"seed", "logprobs", *(("prefill",) if supports_prefill else ())}
        )
        url = parse_address(self.name, base_url)
        self._model = model
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._endpoint = f"{self.name} at {url.scheme}://{url.netloc}"
        self._key = key_for(self.name, url)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S, timeout_s))
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    def __repr__(self) -> str:
        return f"<{self._endpoint}>"

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Why no server can be asked to sample so; what this one takes, only it knows."""
        return out_of_range(sampling) or unsupported_message(unsupported_among(sampling, "choices"))

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """The sampling without what no server can be asked for."""
        return drop_settings(sampling, unsupported_among(sampling, "choices"))

    def request_settings(self, request: Request) -> dict[str, object]:
        """The settings that go out beside model and messages, under the server's names."""
        return settings(request)

    def _session(self) -> aiohttp.ClientSession:
        """The session of the running loop: connections cannot be shared between loops, and a model may be used by one run after another."""
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            self._sessions = {
                other: session for other, session in self._sessions.items() if not other.is_closed()
            }
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                timeout=self._timeout,
                trust_env=False,
            )
        return self._sessions[loop]

    async def __call__(self, request: Request) -> Reply:
        """Send the request once.

        Raises RateLimited, Refused, ContextOverflow, EmptyReply, Unreachable or BadReply; never an error of aiohttp's, whose details hold
        the headers that were sent.
        """
        why = self.unsupported_reason(request.sampling)
        if why is not None:
            raise RefusedError(f"{self._endpoint} was not asked: {why}", sent=False)
        status = None
        try:
            async with self._session().post(
                self._url, data=request_body(self._model, request), allow_redirects=False
            ) as response:
                status, headers = response.status, response.headers
                fine = 200 <= status < 300
                body = await read_up_to(
                    response.content, MAX_REPLY_BYTES if fine else MAX_ERROR_BYTES
                )
        except (aiohttp.ClientError, OSError) as error:
            fault = self._fault(error, status)
        else:
            if not fine:
                fault = read_fault(status, headers, body, endpoint=self._endpoint, key=self._key)
            elif len(body) > MAX_REPLY_BYTES:
                fault = BadReplyError(
                    f"{self._endpoint} answered with more than {MAX_REPLY_BYTES // 2**20} MB: too long",
                    http_status=status,
                )
            else:
                return read_reply(body, endpoint=self._endpoint, key=self._key, http_status=status)
        raise fault

    def _fault(self, error: Exception, status: int | None) -> ModelError:
        """The error for a call that got no whole answer; aiohttp's own words are left out where they quote the server."""
        if isinstance(error, aiohttp.ClientResponseError):
            return BadReplyError(
                f"{self._endpoint} answered with something that is not HTTP/1.1: are the port and http:// or https:// right?"
            )
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            why = f"took no connection within {self._timeout.connect:g} s: is the server up?"
        elif isinstance(error, TimeoutError):
            why = (
                f"gave no whole answer within {self._timeout.total:g} s: it is overloaded, or hangs"
            )
        elif isinstance(error, aiohttp.ClientConnectorCertificateError):
            why = f"has a certificate that is not trusted: {excerpt(str(error.certificate_error), self._key)}"
        elif isinstance(error, aiohttp.ClientConnectorError):
            why = f"cannot be reached: {error.os_error}; is the server up?"
        else:
            word = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            why = f"broke the connection before its answer was whole ({word}): try again"
        never = isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError)
        return UnreachableError(f"{self._endpoint} {why}", http_status=status, sent=not never)

    async def close(self) -> None:
        """Close the connections of the running loop; the model can be used again afterwards."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()
