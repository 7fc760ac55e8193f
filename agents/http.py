"""Any OpenAI-compatible chat server over aiohttp: vLLM, SGLang, llama.cpp, proxies, and providers with such an endpoint.

A reference is `http/<model>@<base url>`; the request goes to `<base url>/chat/completions`.  One call is one attempt on the wire: retries,
rate limits and prices belong to other layers.  Left out: streaming, tools, pictures, several choices, redirects, proxies and cookies.
A key comes from the environment (ARENA_HTTP_API_KEY) and goes nowhere but into the header of requests that nobody can overhear: https,
or plain http to this machine or a private network.  What servers write is not trusted: it is cut, cleaned and freed of the key.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import aiohttp
import orjson

from arena.errors import BadReply, ContextOverflow, EmptyReply, ModelError, RateLimited, Refused, StudyError, Unreachable
from arena.journal import writable
from arena.types import Reply, Request

KEY_VARIABLE = "ARENA_HTTP_API_KEY"
EXAMPLE = "http/llama-3.1-8b@http://127.0.0.1:8000/v1"
TIMEOUT_S = 600.0
CONNECT_S = 30.0
# uvicorn (vLLM, SGLang) and llama.cpp close an idle connection after 5 s; a request sent at that moment would be lost.
KEEP_ALIVE_S = 4.0
MAX_REPLY_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 64 * 2**10
EXCERPT_CHARACTERS = 200
# The wordings of OpenAI, vLLM (older and newer), llama.cpp (sometimes at status 500), llama-cpp-python, SGLang, TGI and Anthropic.
OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|maximum model length|max_tokens must be at least 1, got -|exceed_context_size"
    r"|available context size|context size has been exceeded|exceed context window|model's context length"
    r"|input length .{0,40}exceeds the maximum|inputs`? tokens \+ `?max_new_tokens|prompt is too long",
    re.IGNORECASE,
)


def http_model(rest: str) -> HttpModel:
    """The model of a reference, given without its "http/": `<model>@<base url>`.

    Raises StudyError where the model or the address is missing or not usable, or a key is needed and not set.
    """
    match = re.fullmatch(r"(.+?)@([A-Za-z][A-Za-z0-9+.-]*://.*)", rest, re.DOTALL)
    if match is None:
        found = re.split("@|://", rest)[0]
        raise StudyError(f"http/{found} lacks a model or an address: write http/<model>@<base url> with http:// or https://, such as {EXAMPLE}")
    return HttpModel(match[1], match[2])


def is_private(host: str) -> bool:
    """Whether a host is on this machine or, as far as its name or number tells, on a private network; no look-up is made."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or number."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def checked_address(name: str, base_url: str) -> SplitResult:
    """The parts of a base url.  Raises StudyError, which never repeats the address where it may hold a secret."""
    try:
        url = urlsplit(base_url)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x20\x7f\\]", base_url):
        raise StudyError(f"the address of {name} is not usable: it must begin with http:// or https:// and have a host, as in {EXAMPLE}")
    if "@" in url.netloc:
        raise StudyError(f"the address of {name} holds a user name or a password; leave them out and put the key into {KEY_VARIABLE}")
    if "?" in base_url or "#" in base_url:
        raise StudyError(f"the address of {name} holds a query or a fragment; give only the base url, and put a key into {KEY_VARIABLE}")
    return url


def key_for(name: str, url: SplitResult) -> str | None:
    """The key to send to an address, or None.  Raises StudyError where one is needed and not set, or cannot stand in a header."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    host = url.hostname or ""
    if not key and url.scheme == "https" and not is_loopback(host):
        raise StudyError(
            f"{name} at https://{host} needs a key, and {KEY_VARIABLE} is not set: run `export {KEY_VARIABLE}=...` first "
            "(any word will do where the server wants none)"
        )
    if not (key.isascii() and key.isprintable()):
        raise StudyError(f"{KEY_VARIABLE} holds characters that no key has, such as a line break: set it again")
    return key if key and (url.scheme == "https" or is_private(host)) else None


def excerpt(text: str, key: str | None) -> str:
    """The first 200 printable characters of what a server wrote, without the key."""
    words = " ".join("".join(c if c.isprintable() else " " if c.isspace() else "" for c in text[:MAX_ERROR_BYTES]).split())
    if key:
        words = words.replace(key, "[key]")
    return words if len(words) <= EXCERPT_CHARACTERS else words[: EXCERPT_CHARACTERS - 1] + "…"


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """Seconds that a Retry-After header asks for, >= 0, from a number or a date; None where there is none or it is neither."""
    value = headers.get("Retry-After", "").strip()
    try:
        if re.fullmatch(r"\d{1,9}(\.\d*)?", value):
            return float(value)
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def document_of(body: bytes) -> object:
    """The JSON of a body, None where it is not JSON in UTF-8 or is nested too deeply."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Slower, but takes lone surrogates and NaN, which some servers write.
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def words_of(body: bytes) -> str:
    """A body, or the beginning of a long one, as text."""
    return body[:MAX_ERROR_BYTES].decode("utf-8", "replace")


def complaint(document: object) -> str | None:
    """The message and code of an error document, in the forms that servers use; None where it is not one."""
    if not isinstance(document, dict):
        return None
    error = document.get("error", document if document.get("object") == "error" else document.get("detail"))
    if isinstance(error, dict):
        return " ".join(str(error[k]) for k in ("message", "type", "code") if error.get(k) not in (None, ""))
    return None if error in (None, "") else str(error)


def count(usage: object, *path: str) -> int | None:
    """A token count in a usage document, None where it is absent or not a whole number from 0 on."""
    for step in path:
        usage = usage.get(step) if isinstance(usage, dict) else None
    return usage if type(usage) is int and 0 <= usage < 2**63 else None


def label(value: object, key: str | None) -> str | None:
    """A short word that a server gave, such as a finish reason; None where there is none."""
    return excerpt(value, key) or None if isinstance(value, str) else None


def read_reply(body: bytes, *, asked: str, key: str | None = None, http_status: int = 200) -> Reply:
    """The reply in the body of a successful answer.

    `asked` names model and server in errors.  Counts that are absent or no whole numbers are None.  Raises BadReply where the body is not
    UTF-8, not JSON or has no choices with a message, EmptyReply where the message has no text, ContextOverflow where it says so.
    """
    document = document_of(body)
    if document is None:
        raise BadReply(f"{asked} answered, but not with JSON in UTF-8: {excerpt(words_of(body), key)!r}", http_status=http_status)
    try:
        choice = document["choices"][0]  # type: ignore[index]
        message = choice["message"]
        text, thinking = message.get("content"), message.get("reasoning_content") or message.get("reasoning")
    except (LookupError, TypeError, AttributeError):
        raise wrong_schema(document, body, asked=asked, key=key, http_status=http_status) from None
    finish_reason = label(choice.get("finish_reason"), key)
    if text is None or (isinstance(text, str) and not text.strip()):
        spent = finish_reason == "length"
        why = "it used up its tokens before it said anything; raise max_tokens" if spent else "try again, or take another model"
        raise EmptyReply(f"{asked} answered without any text (finish reason {finish_reason}): {why}", http_status=http_status)
    if not isinstance(text, str):
        raise wrong_schema(document, body, asked=asked, key=key, http_status=http_status)
    usage = document.get("usage")  # type: ignore[union-attr]
    return Reply(
        text=writable(text),
        reasoning=writable(thinking) if thinking and isinstance(thinking, str) else None,
        model_served=label(document.get("model"), key),  # type: ignore[union-attr]
        finish_reason=finish_reason,
        http_status=http_status,
        tokens_in=count(usage, "prompt_tokens"),
        tokens_cached=count(usage, "prompt_tokens_details", "cached_tokens"),
        tokens_out=count(usage, "completion_tokens"),
        tokens_reasoning=count(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def wrong_schema(document: object, body: bytes, *, asked: str, key: str | None, http_status: int) -> ModelError:
    """The error for a successful answer that is no chat completion: some servers report errors at status 200."""
    said = complaint(document)
    if said is not None and OVERFLOW.search(said):
        return ContextOverflow(f"{asked}: the prompt does not fit the model: {excerpt(said, key)}", http_status=http_status)
    found = excerpt(words_of(body) if said is None else said, key)
    return BadReply(f"{asked} answered without choices[0].message.content: {found!r}; is this a chat server?", http_status=http_status)


def read_fault(status: int, headers: Mapping[str, str], body: bytes, *, asked: str, key: str | None) -> ModelError:
    """The error for an answer with a status that is not 2xx.

    3xx is BadReply (redirects are not followed), 429 RateLimited, any wording of a full context ContextOverflow, 408 and 5xx Unreachable,
    the rest Refused.  `headers` may hold Retry-After.
    """
    said = complaint(document_of(body)) or words_of(body)
    found = f"status {status}: {excerpt(said, key)}"
    if status < 400:
        to = excerpt(headers.get("Location", "nowhere"), key)
        return BadReply(f"{asked} redirects to {to} (status {status}), which is not followed: give the address itself", http_status=status)
    if status == 429:
        return RateLimited(f"{asked} asks to slow down: {found}", http_status=status, retry_after_s=wait_asked(headers))
    if OVERFLOW.search(said):
        return ContextOverflow(f"{asked}: the prompt does not fit the model: {found}; serve a longer context", http_status=status)
    if status in (401, 403):
        why = f"check {KEY_VARIABLE}" if key else f"set {KEY_VARIABLE} (it is sent over https, and over http to private networks)"
        return Refused(f"{asked} wants another key: {found}; {why}", http_status=status)
    if status == 404:
        return Refused(f"{asked} does not know the model or the path: {found}; most base urls end in /v1", http_status=status)
    if status == 408 or status >= 500:
        return Unreachable(f"{asked} failed: {found}; try again", http_status=status)
    return Refused(f"{asked} refused the request: {found}", http_status=status)


async def read_up_to(content: aiohttp.StreamReader, limit: int) -> bytes:
    """The bytes of a body, all of them or, where there are more than `limit`, some more than `limit` of them."""
    chunks: list[bytes] = []
    size = 0
    while size <= limit and (chunk := await content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def request_body(model: str, request: Request) -> bytes:
    """The JSON of a request: what the sampling leaves open is left out, so that the server's own settings hold."""
    sampling = request.sampling
    settings = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
    }
    return orjson.dumps(
        {
            "model": model,
            "messages": [{"role": m.role, "content": writable(m.content)} for m in request.messages],
            "seed": request.seed,
            **{name: value for name, value in settings.items() if value is not None},
        }
    )


class HttpModel:
    """A model behind an OpenAI-compatible server; `model` is the server's name for it, `base_url` what stands before /chat/completions.

    `timeout_s` > 0 is the longest a call may take, the wait for a connection (at most 30 s) included.  The number of connections is not
    limited here: the arena limits the calls in flight.  Raises StudyError where the address is not usable or a key is missing.
    """

    simulated = False
    can = frozenset({"seed"})

    def __init__(self, model: str, base_url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        if not model.isprintable() or model != model.strip() or not model:
            raise StudyError(f"{model!r} is no model name: give the name under which the server knows it, as in {EXAMPLE}")
        self.name = f"http/{model}"
        url = checked_address(self.name, base_url)
        self._model = model
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._asked = f"{self.name} at {url.scheme}://{url.netloc}"
        self._key = key_for(self.name, url)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S, timeout_s))
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    def __repr__(self) -> str:
        return f"<{self._asked}>"

    def _session(self) -> aiohttp.ClientSession:
        """The session of the running loop: connections cannot be shared between loops, and a model may be used by one run after another."""
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            self._sessions = {other: session for other, session in self._sessions.items() if not other.is_closed()}
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
        status = None
        try:
            async with self._session().post(self._url, data=request_body(self._model, request), allow_redirects=False) as response:
                status, headers = response.status, response.headers
                fine = 200 <= status < 300
                body = await read_up_to(response.content, MAX_REPLY_BYTES if fine else MAX_ERROR_BYTES)
        except (aiohttp.ClientError, OSError) as error:
            fault = self._fault(error, status)
        else:
            if not fine:
                fault = read_fault(status, headers, body, asked=self._asked, key=self._key)
            elif len(body) > MAX_REPLY_BYTES:
                fault = BadReply(f"{self._asked} answered with more than {MAX_REPLY_BYTES // 2**20} MB: too long", http_status=status)
            else:
                return read_reply(body, asked=self._asked, key=self._key, http_status=status)
        raise fault

    def _fault(self, error: Exception, status: int | None) -> ModelError:
        """The error for a call that got no whole answer; aiohttp's own words are left out where they quote the server."""
        if isinstance(error, aiohttp.ClientResponseError):
            return BadReply(f"{self._asked} answered with something that is not HTTP/1.1: are the port and http:// or https:// right?")
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            why = f"took no connection within {self._timeout.connect:g} s: is the server up?"
        elif isinstance(error, TimeoutError):
            why = f"gave no whole answer within {self._timeout.total:g} s: it is overloaded, or hangs"
        elif isinstance(error, aiohttp.ClientConnectorCertificateError):
            why = f"has a certificate that is not trusted: {excerpt(str(error.certificate_error), self._key)}"
        elif isinstance(error, aiohttp.ClientConnectorError):
            why = f"cannot be reached: {error.os_error}; is the server up?"
        else:
            word = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            why = f"broke the connection before its answer was whole ({word}): try again"
        return Unreachable(f"{self._asked} {why}", http_status=status)

    async def close(self) -> None:
        """Close the connections of the running loop; the model can be used again afterwards."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()
