"""A model behind a provider's own Python SDK: what the openai and anthropic packages, twins of one generator, have in common.

The SDK builds the request, signs it, and holds the connections; its retries and redirects are off, so that one call is one request on the
wire.  The answer is taken as the bytes that came, and read like that of any other server: the SDKs' own parsing passes broken answers on
as Python errors, and costs more.  Left out: streaming to the caller, tools, pictures, several choices.  The proxies of the environment are
used, as the SDKs do.  The package is imported when the first call is made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from types import ModuleType
from typing import Any, Protocol

from agents.providers.prices import limit_longest_reply, price_of_reference
from agents.providers.sampling import drop_settings, out_of_range, unsupported_message
from agents.providers.wire import (
    CONNECT_S,
    KEEP_ALIVE_S,
    MAX_ERROR_BYTES,
    MAX_REPLY_BYTES,
    TIMEOUT_S,
    Key,
    excerpt,
    is_private,
    key_in,
    parse_address,
    read_fault,
)
from arena.errors import BadReplyError, ModelError, RefusedError, StudyError, UnreachableError
from arena.types import BaseModel, Reply, Request, Sampling


class Reader(Protocol):
    """Reads the body of a successful answer, or raises a ModelError."""

    def __call__(self, body: bytes, *, endpoint: str, key: Key, http_status: int) -> Reply:
        """The reply in the body; `asked` names model and server in errors."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """One API of one SDK.

    `client` and `resource` are names in the package.  `settings` are those that go out beside model and messages, under the API's names, and
    `arguments` what the resource's `create` takes with them.  `not_taken` has the reason for each setting that a model does not take, as far
    as is known; `hottest` is the highest temperature, `longest_reply` the tokens of a reply at most where the sampling has no limit.
    """

    package: str
    client: str
    resource: str
    address: str
    settings: Callable[[Request], dict[str, object]]
    arguments: Callable[[str, Request, dict[str, object]], dict[str, object]]
    read: Reader
    unsupported_settings: Callable[[str, Sampling], dict[str, str]]
    max_temperature: float
    longest_reply: int | None = None

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the key."""
        return f"{self.package.upper()}_API_KEY"

    @property
    def address_variable(self) -> str:
        """The environment variable that holds another address than the provider's."""
        return f"{self.package.upper()}_BASE_URL"


@cache
def import_sdk(package: str) -> tuple[ModuleType, ModuleType]:
    """An SDK and the HTTP library that it sits on, which is httpx or httpx2."""
    sdk = import_module(package)
    return sdk, import_module(sdk.DefaultAsyncHttpxClient.__base__.__module__)


def check_installed(name: str, package: str) -> None:
    """Raise StudyError where a package is not installed; it is not imported."""
    if find_spec(package) is None:
        raise StudyError(
            f"{name} needs the package {package}, which is not installed: run `pip install 'peer-arena[api]'`"
        )


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def read_up_to(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """The bytes of a body, all of them or, where there are more than `limit`, some more than `limit` of them."""
    body: list[bytes] = []
    size = 0
    async for chunk in chunks:
        body.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    return b"".join(body)


def transport_error(
    endpoint: str, error: BaseException, *, timeout_s: float, key: Key, http_status: int | None
) -> ModelError:
    """The error for a call that got no whole answer, in the names that httpx, httpx2 and asyncio have for what happened."""
    names = {kind.__name__ for link in chain(error) for kind in type(link).__mro__}
    if "DecodingError" in names:
        return BadReplyError(
            f"{endpoint} answered with a body that cannot be decompressed", http_status=http_status
        )
    if "ConnectTimeout" in names:
        why = f"took no connection within {min(CONNECT_S, timeout_s):g} s: is the server up?"
    elif "TimeoutException" in names or "TimeoutError" in names:
        why = f"gave no whole answer within {timeout_s:g} s: it is overloaded, or hangs"
    elif "ConnectError" in names:
        said = next(str(link) for link in chain(error) if type(link).__name__ == "ConnectError")
        why = f"cannot be reached: {excerpt(said, key)}; is the server up?"
    else:
        last = list(chain(error))[-1]
        why = f"broke the connection before its answer was whole ({type(last).__name__}): try again"
    return UnreachableError(
        f"{endpoint} {why}",
        http_status=http_status,
        sent=not names & {"ConnectTimeout", "ConnectError"},
    )


class SdkModel(BaseModel):
    """A model of a provider, asked through its SDK; `name` is the reference, `model` the provider's name for it.

    `timeout_s` > 0 is the longest a call may take, the wait for a connection (at most 30 s) included.  The number of connections is not
    limited here: the arena limits the calls in flight.  Raises StudyError where the SDK or the key is missing or the address not usable.
    """

    def __init__(
        self,
        name: str,
        model: str,
        api: Api,
        *,
        capabilities: frozenset[str],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if not model.isprintable() or model != model.strip() or not model:
            raise StudyError(
                f"{name!r} names no model: write {api.package}/<model>, with the name under which {api.package} knows it"
            )
        if "://" in model:
            raise StudyError(
                f"{name.partition('@')[0]} takes no address in its reference: set {api.address_variable}, or write http/<model>@<url>"
            )
        check_installed(name, api.package)
        self._key = key_in(api.key_variable)
        if not self._key:
            raise StudyError(
                f"{name} needs a key, and {api.key_variable} is not set: run `export {api.key_variable}=...` first"
            )
        self._address = os.environ.get(api.address_variable, "").strip() or api.address
        url = parse_address(
            f"{name} in {api.address_variable}", self._address, variable=api.key_variable
        )
        if url.scheme == "http" and not is_private(url.hostname or ""):
            raise StudyError(
                f"{api.address_variable} would send the key of {name} over http, where anybody can read it: use https"
            )
        self.name, self.capabilities, self.longest_reply = name, capabilities, api.longest_reply
        self.price = limit_longest_reply(price_of_reference(name), api.longest_reply)
        self._model, self._api, self._timeout_s = model, api, timeout_s
        self._endpoint = (
            name if self._address == api.address else f"{name} at {url.scheme}://{url.netloc}"
        )
        self._create = attrgetter(f"{api.resource}.with_streaming_response.create")
        self._clients: dict[asyncio.AbstractEventLoop, Any] = {}

    def __repr__(self) -> str:
        return f"<{self._endpoint}>"

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Why the model cannot be sampled so; None where it can, or where only the provider knows."""
        return out_of_range(
            sampling, max_temperature=self._api.max_temperature
        ) or unsupported_message(self._api.unsupported_settings(self._model, sampling))

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """The sampling without the settings that the model does not take."""
        return drop_settings(sampling, self._api.unsupported_settings(self._model, sampling))

    def request_settings(self, request: Request) -> dict[str, object]:
        """The settings that go out beside model and messages, under the provider's names."""
        return self._api.settings(request)

    def _client(self) -> Any:
        """The SDK's client of the running loop: connections cannot be shared between loops."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients = {
                other: client for other, client in self._clients.items() if not other.is_closed()
            }
            sdk, http = import_sdk(self._api.package)
            limits = http.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE_S
            )
            self._clients[loop] = getattr(sdk, self._api.client)(
                api_key=self._key,
                base_url=self._address,
                max_retries=0,
                timeout=http.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s)),
                http_client=sdk.DefaultAsyncHttpxClient(follow_redirects=False, limits=limits),
            )
        return self._clients[loop]

    def _arguments(self, request: Request) -> dict[str, object]:
        """The arguments of the call.  Raises Refused where the model is known not to take them."""
        why = self.unsupported_reason(request.sampling)
        if (
            why is None
            and request.messages[-1].role == "assistant"
            and "prefill" not in self.capabilities
        ):
            why = "it cannot go on with a reply that was begun for it (prefill)"
        if why is not None:
            raise RefusedError(f"{self._endpoint} was not asked: {why}", sent=False)
        return self._api.arguments(self._model, request, self.request_settings(request))

    async def __call__(self, request: Request) -> Reply:
        """Send the request once.

        Raises RateLimited, Refused, ContextOverflow, EmptyReply, Unreachable or BadReply; never an error of the SDK's, whose details hold
        the headers that were sent.
        """
        arguments = self._arguments(request)
        sdk, http = import_sdk(self._api.package)
        # The SDKs import an API when it is first asked for, which is not to count against the call.
        create, status = self._create(self._client()), None
        try:
            async with asyncio.timeout(self._timeout_s), create(**arguments) as response:
                status = response.status_code
                body = await read_up_to(response.http_response.aiter_bytes(), MAX_REPLY_BYTES)
        except sdk.APIStatusError as error:
            answer, variable = error.response, self._api.key_variable
            fault = read_fault(
                answer.status_code,
                answer.headers,
                answer.content[:MAX_ERROR_BYTES],
                endpoint=self._endpoint,
                key=self._key,
                variable=variable,
            )
        except (sdk.APIError, http.HTTPError, OSError) as error:
            fault = transport_error(
                self._endpoint, error, timeout_s=self._timeout_s, key=self._key, http_status=status
            )
        else:
            if len(body) <= MAX_REPLY_BYTES:
                return self._api.read(
                    body, endpoint=self._endpoint, key=self._key, http_status=status
                )
            fault = BadReplyError(
                f"{self._endpoint} answered with more than {MAX_REPLY_BYTES // 2**20} MB: too long",
                http_status=status,
            )
        raise fault

    async def close(self) -> None:
        """Close the connections of the running loop; the model can be used again afterwards."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()
