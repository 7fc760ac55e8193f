"""Call a model through the provider's own Python SDK: the common part of openai and anthropic.

Both packages come from one generator.  The SDK builds the request, signs it, and holds the
connections; its retries and redirects are off, so that one call is one request on the wire.  The
answer is taken as bytes and read like that of any other server: the SDKs' own parsing passes broken
answers on as Python errors, and costs more.  Left out: streaming to the caller, tools, pictures,
several choices.  The proxies of the environment are used, as the SDKs do.  The package is imported
with the first call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import urlsplit

from agents.providers import wire
from agents.providers.addresses import address_in, key_in
from agents.providers.api_model import ApiModel
from agents.providers.batch_endpoints import BatchModel
from agents.providers.cache_marks import count_marks
from agents.providers.faults import read_fault, too_long_error
from agents.providers.keys import refuse_without_key
from agents.providers.prices import (
    limit_longest_reply,
    price_of_reference,
    prompt_cache_of_reference,
)
from arena.errors import BadReplyError, ModelError, RefusedError, StudyError, UnreachableError
from arena.types import BatchEndpoint, Model, Reply, Request, Sampling, SharedPrefix

NO_HEADERS: Mapping[str, str] = {}


class Reader(Protocol):
    """A function that reads the body of a successful answer, or raises a ModelError."""

    def __call__(self, body: bytes, *, endpoint: str, key: wire.Key, http_status: int) -> Reply:
        """Return the reply in the body; `endpoint` names model and server in errors."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """One API of one SDK.

    `client` and `resource` are names in the package.  `settings` returns the settings of a model
    besides its name and the messages, under the API's names, and `body` the whole JSON of a request
    with them, of which `parameters` are arguments of the resource's `create`.
    `unsupported_settings` returns the reason for each setting that a model is known not to support,
    `wrong_value` why a value cannot be sent to it, `thinks` whether a sampling asks for thoughts
    that rule a prefill out, `marks` where a cache is to keep the prompt.  `max_temperature` is the
    highest temperature, `longest_reply` the tokens of a reply at most if the sampling has no limit.
    `batches` returns the batch endpoint of a model.
    """

    package: str
    client: str
    resource: str
    address: str
    settings: Callable[[str, Request], dict[str, object]]
    body: Callable[[str, Request, dict[str, object]], dict[str, object]]
    parameters: tuple[str, ...]
    read: Reader
    unsupported_settings: Callable[[str, Sampling], dict[str, str]]
    max_temperature: float
    wrong_value: Callable[[str, Sampling], str | None] = lambda model, sampling: None
    thinks: Callable[[Sampling], bool] = lambda sampling: False
    marks: Callable[[str, Request], Sequence[SharedPrefix]] = lambda model, request: ()
    longest_reply: int | None = None
    batches: Callable[[BatchModel], BatchEndpoint] | None = None

    @property
    def key_variable(self) -> str:
        """The environment variable of the key."""
        return f"{self.package.upper()}_API_KEY"

    @property
    def address_variable(self) -> str:
        """The environment variable of an address other than the provider's."""
        return f"{self.package.upper()}_BASE_URL"


@cache
def import_sdk(package: str) -> tuple[ModuleType, ModuleType]:
    """Return an SDK and the HTTP library below it, which is httpx or httpx2."""
    sdk = import_module(package)
    return sdk, import_module(sdk.DefaultAsyncHttpxClient.__base__.__module__)


def check_installed(name: str, package: str) -> None:
    """Raise StudyError if a package is not installed; it is not imported."""
    if find_spec(package) is None:
        raise StudyError(
            f"{name} needs the package {package}, which is not installed: run"
            " `pip install 'peer-arena[api]'`"
        )


def check_name(reference: str, provider: str, address_variable: str) -> None:
    """Raise StudyError if a reference has no model's name, or an address in the place of one."""
    model = reference.partition("/")[2]
    if not model.isprintable() or model != model.strip() or not model:
        raise StudyError(
            f"{reference!r} names no model: write {provider}/<model>, with the name under which"
            f" {provider} knows it"
        )
    if "://" in model:
        raise StudyError(
            f"{reference.partition('@')[0]} takes no address in its reference: set"
            f" {address_variable}, or write http/<model>@<url>"
        )


def check_request(model: Model, request: Request, endpoint: str) -> None:
    """Raise RefusedError if the model is known not to support the sampling or a prefill."""
    why = model.unsupported_reason(request.sampling)
    prefilled = request.messages[-1].role == "assistant"
    if why is None and prefilled and "prefill" not in model.capabilities:
        why = "it cannot continue a reply that was begun for it (prefill)"
    if why is not None:
        raise RefusedError(f"{endpoint} was not asked: {why}", sent=False)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the errors that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def transport_error(
    endpoint: str, error: BaseException, *, timeout_s: float, key: wire.Key, http_status: int | None
) -> ModelError:
    """Return the error for a call that got no whole answer."""
    # By the names of classes: httpx and httpx2 have the same names, and neither is imported here.
    names = {kind.__name__ for link in chain(error) for kind in type(link).__mro__}
    if "DecodingError" in names:
        return BadReplyError(
            f"{endpoint} answered with a body that cannot be decompressed", http_status=http_status
        )
    if "ConnectTimeout" in names:
        why = f"took no connection within {min(wire.CONNECT_S, timeout_s):g} s: is the server up?"
    elif "TimeoutException" in names or "TimeoutError" in names:
        why = f"gave no whole answer within {timeout_s:g} s: it is overloaded, or hangs"
    elif "ConnectError" in names:
        cause = next(link for link in chain(error) if type(link).__name__ == "ConnectError")
        why = f"cannot be reached: {wire.excerpt(str(cause), key)}; is the server up?"
    else:
        root = list(chain(error))[-1]
        why = f"broke the connection before its answer was whole ({type(root).__name__}): try again"
    return UnreachableError(
        f"{endpoint} {why}",
        http_status=http_status,
        sent=not names & {"ConnectTimeout", "ConnectError"},
    )


class SdkModel(ApiModel):
    """A model of a provider, called through its SDK.

    `name` is the reference, `model` the provider's name for it.  `timeout_s` > 0 is the longest
    that a call may take, including the wait for a connection (at most 30 s).  The number of
    connections is not limited here: the arena limits the calls in flight.  Raises StudyError if the
    SDK or the key is missing or the address is not usable.
    """

    def __init__(
        self,
        name: str,
        model: str,
        api: Api,
        *,
        capabilities: frozenset[str],
        timeout_s: float = wire.TIMEOUT_S,
    ) -> None:
        check_name(name, api.package, api.address_variable)
        check_installed(name, api.package)
        self._key = key_in(api.key_variable)
        if not self._key:
            refuse_without_key(
                f"{name} needs a key, and {api.key_variable} is not set: run"
                f" `export {api.key_variable}=...` first"
            )
        address = address_in(api.address_variable, name, key_variable=api.key_variable)
        self.address = address or api.address
        url = urlsplit(self.address)
        # Errors name the server only if it is not the provider's.
        own = self.address != api.address
        self._endpoint = f"{name} at {url.scheme}://{url.netloc}" if own else name
        self.name = name
        self.capabilities = capabilities
        self.max_temperature = api.max_temperature
        self.longest_reply = api.longest_reply
        self.price = limit_longest_reply(price_of_reference(name), api.longest_reply)
        self.prompt_cache = prompt_cache_of_reference(name)
        self._model = model
        self._api = api
        self._timeout_s = timeout_s
        self._create = attrgetter(f"{api.resource}.with_streaming_response.create")
        # The SDK is imported late, so its client has no type here.
        self._clients: dict[asyncio.AbstractEventLoop, Any] = {}
        if api.batches is not None:
            self.batches = api.batches(self)

    def __repr__(self) -> str:
        return f"<{self._endpoint}>"

    def unsupported_settings(self, sampling: Sampling) -> dict[str, str]:
        """Return the reason for each setting that the model is known not to support."""
        return self._api.unsupported_settings(self._model, sampling)

    def wrong_value(self, sampling: Sampling) -> str | None:
        """Return why a value cannot be sent to the model, whatever may be left out, else None."""
        return super().wrong_value(sampling) or self._api.wrong_value(self._model, sampling)

    def own_settings(self, request: Request) -> dict[str, object]:
        """Return the settings besides model and messages, under the provider's names."""
        return self._api.settings(self._model, request)

    def request_settings(self, request: Request) -> dict[str, object]:
        """Return the settings that are sent, and how many marks a cache finds in the prompt."""
        settings = super().request_settings(request)
        marks = count_marks(request, self._api.marks(self._model, request))
        return settings | ({"cache_marks": marks} if marks else {})

    def make_body(self, request: Request, settings: dict[str, object]) -> dict[str, object]:
        """Return the JSON of a request with these settings."""
        return self._api.body(self._model, request, settings)

    def _arguments(self, body: dict[str, object]) -> dict[str, object]:
        """Return a body as arguments of the SDK."""
        given = {name: body[name] for name in self._api.parameters}
        # The SDKs lack parameters for some settings, each version for others.
        rest = {name: value for name, value in body.items() if name not in given}
        return given | ({"extra_body": rest} if rest else {})

    def _client(self) -> Any:
        """Return the SDK's client of the running loop; loops cannot share connections."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            # Clients of loops that were closed cannot be closed any more, only forgotten.
            self._clients = {
                other: client for other, client in self._clients.items() if not other.is_closed()
            }
            sdk, http = import_sdk(self._api.package)
            limits = http.Limits(
                max_connections=None,
                max_keepalive_connections=None,
                keepalive_expiry=wire.KEEP_ALIVE_S,
            )
            self._clients[loop] = getattr(sdk, self._api.client)(
                api_key=self._key,
                base_url=self.address,
                max_retries=0,
                timeout=http.Timeout(self._timeout_s, connect=min(wire.CONNECT_S, self._timeout_s)),
                http_client=sdk.DefaultAsyncHttpxClient(follow_redirects=False, limits=limits),
            )
        return self._clients[loop]

    async def __call__(self, request: Request) -> Reply:
        """Send the request once.

        Raises RateLimitedError, RefusedError, ContextOverflowError, EmptyReplyError,
        UnreachableError or BadReplyError; never an error of the SDK, whose details hold the headers
        that were sent.
        """
        self.check(request)
        sent = self.request_body(request)
        arguments = self._arguments(sent)
        sdk, http = import_sdk(self._api.package)
        # The SDKs import an API when it is first used, which must not count against the call.
        create = self._create(self._client())
        status = None
        try:
            async with asyncio.timeout(self._timeout_s), create(**arguments) as response:
                status = response.status_code
                body = await wire.read_up_to(
                    response.http_response.aiter_bytes(), wire.MAX_REPLY_BYTES
                )
        except sdk.APIStatusError as error:
            body = error.response.content[: wire.READ_ERROR_BYTES]
            fault = self.error_of(error.response.status_code, body, error.response.headers)
            fault = self.learn_from(fault, error.response.status_code, body, sent)
        except (sdk.APIError, http.HTTPError, OSError) as error:
            fault = transport_error(
                self._endpoint, error, timeout_s=self._timeout_s, key=self._key, http_status=status
            )
        else:
            if len(body) <= wire.MAX_REPLY_BYTES:
                return await self.read_body(body, status)
            fault = too_long_error(self._endpoint, status, None)
        # Outside the handlers: the SDK's error, which holds the headers, must not be its context.
        raise fault

    def check(self, request: Request) -> None:
        """Raise RefusedError if the model is known not to take a request."""
        request = self.supported_request(request)
        check_request(self, request, self._endpoint)
        if request.messages[-1].role == "assistant" and self._api.thinks(request.sampling):
            raise RefusedError(
                f"{self._endpoint} was not asked: it cannot think about a reply that was begun for"
                " it (prefill); leave reasoning_effort and thinking_tokens out",
                sent=False,
            )

    async def read_body(self, body: bytes, http_status: int) -> Reply:
        """Return the reply in the body of a successful answer, or raise a ModelError."""
        return self._api.read(body, endpoint=self._endpoint, key=self._key, http_status=http_status)

    def error_of(
        self, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS
    ) -> ModelError:
        """Return the error for an answer with another status."""
        return read_fault(
            status,
            headers,
            body,
            endpoint=self._endpoint,
            key=self._key,
            variable=self._api.key_variable,
        )

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
    ) -> bytes:
        """Send another request to the same server, about batches, and return its answer.

        `file` has a name and content, beside which `body` holds the fields of a form.  Raises a
        ModelError; never an error of the SDK, whose details hold the headers that were sent.
        """
        sdk, http = import_sdk(self._api.package)
        options: dict[str, Any] = {} if query is None else {"params": query}
        content: dict[str, Any] = {} if body is None else {"body": {**body}}
        if file is not None:
            options["headers"] = {"Content-Type": "multipart/form-data"}
            content["files"] = {"file": file}
        send = self._client().get if method == "GET" else self._client().post
        try:
            answer = await send(path, cast_to=http.Response, options=options, **content)
            received: bytes = answer.content
            return received
        except sdk.APIStatusError as error:
            shown = error.response.content[: wire.READ_ERROR_BYTES]
            fault = self.error_of(error.response.status_code, shown, error.response.headers)
        except (sdk.APIError, http.HTTPError, OSError) as error:
            fault = transport_error(
                self._endpoint, error, timeout_s=self._timeout_s, key=self._key, http_status=None
            )
        # As above: the error that holds the headers must not be its context.
        raise fault

    async def close(self) -> None:
        """Close the connections of the running loop; the model can be used again afterwards."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()
