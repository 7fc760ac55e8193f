"""Every other provider through LiteLLM: `gemini/<model>`, `bedrock/<model>`, `openrouter/<model>`, in LiteLLM's own form.

LiteLLM is kept to what it is asked for: one request on the wire for a call (its own second try after a lost connection, and redirects, are
stopped where the request leaves), no list of prices from the network, no `.env` file, no loggers, callbacks or their worker, no dropping of
parameters.  What its errors leave out or make up (every lost connection is "500") is read from the answer itself, which the same watch sees.
LiteLLM says "stop" where a provider gives no finish reason, and the model that was asked where it does not name the one that served.  Keys:
the variables that LiteLLM names, such as GEMINI_API_KEY; `<PROVIDER>_API_BASE` names another address.  The import takes seconds, and is made
when a reference is read.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from types import ModuleType
from typing import Any

from agents.providers.prices import price_of_reference
from agents.providers.sampling import (
    drop_settings,
    out_of_range,
    unsupported_among,
    unsupported_message,
)
from agents.providers.sdk import chain, check_installed, transport_error
from agents.providers.wire import (
    CONNECT_S,
    MAX_ERROR_BYTES,
    MAX_REPLY_BYTES,
    OVERFLOW,
    TIMEOUT_S,
    Key,
    billable_reply,
    count,
    excerpt,
    is_private,
    label,
    no_text_error,
    parse_address,
    read_fault,
    stated_cost,
    token_choices,
    without_key,
)
from arena.calls.secrets import known_secrets
from arena.errors import BadReplyError, ContextOverflowError, ModelError, RefusedError, StudyError
from arena.text import writable
from arena.types import BaseModel, Reply, Request, Sampling

CONNECTION_ERRORS = {"TransportError", "ClientError", "Timeout", "TimeoutError"}


@dataclass(slots=True)
class Exchange:
    """What one call has put on the wire: the requests that left, the status and headers of the last answer, its body unless it is 2xx."""

    requests: list[str] = field(default_factory=list)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


EXCHANGE: ContextVar[Exchange | None] = ContextVar("EXCHANGE", default=None)


@cache
def litellm_library() -> ModuleType:
    """LiteLLM, imported and silenced.  Raises StudyError where its version has not the place where requests are watched."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    litellm.suppress_debug_info, litellm.drop_params, litellm.num_retries = True, False, 0
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).disabled = True
    if not hasattr(AsyncHTTPHandler, "create_async_transport") or not hasattr(
        GLOBAL_LOGGING_WORKER, "ensure_initialized_and_enqueue"
    ):
        raise StudyError(
            "this version of litellm is not known here, and might send requests twice: run `pip install litellm==1.106.2`"
        )

    def skip_logging(async_coroutine: Coroutine[object, object, object]) -> None:
        async_coroutine.close()

    GLOBAL_LOGGING_WORKER.ensure_initialized_and_enqueue = skip_logging
    made = AsyncHTTPHandler.create_async_transport
    # What it is given differs from version to version.
    AsyncHTTPHandler.create_async_transport = staticmethod(
        lambda *given, **named: watch_transport(made(*given, **named))
    )
    # Some clients are made by the import itself, before they could be watched.
    litellm.in_memory_llm_clients_cache.flush_cache()
    return litellm


def watch_transport(transport: Any) -> Any:
    """The HTTP transport, noting what passes in the call's exchange, and sending nothing a second time."""
    import httpx

    transport = transport or httpx.AsyncHTTPTransport()
    send = transport.handle_async_request

    async def handle_async_request(request: httpx.Request) -> httpx.Response:
        exchange = EXCHANGE.get()
        if exchange is None:
            return await send(request)
        what = f"{request.method} {request.url}"
        if (request.method == "POST" and what in exchange.requests) or (
            exchange.status is not None and 300 <= exchange.status < 400
        ):
            raise httpx.ReadError("a second request for the same call was not sent")
        exchange.requests.append(what)
        response = await send(request)
        exchange.status, exchange.headers = (
            response.status_code,
            {name.title(): value for name, value in response.headers.items()},
        )
        if not 200 <= response.status_code < 300:
            exchange.body = await response.aread()
        return response

    transport.handle_async_request = handle_async_request
    return transport


def litellm_model(reference: str, *, timeout_s: float = TIMEOUT_S) -> LiteLLMModel:
    """The model of a whole reference, such as gemini/gemini-2.5-flash; `timeout_s` > 0 is the longest a call may take.

    Raises StudyError where LiteLLM is not installed, does not know the reference, or finds no key.
    """
    return LiteLLMModel(reference, timeout_s=timeout_s)


def address_in(variable: str, name: str) -> str | None:
    """The address that an environment variable holds, if any.  Raises StudyError where it is not usable, or would betray the key."""
    address = os.environ.get(variable, "").strip()
    if not address:
        return None
    url = parse_address(f"{name} in {variable}", address, variable="its own environment variable")
    if url.scheme == "http" and not is_private(url.hostname or ""):
        raise StudyError(
            f"{variable} would send the key of {name} over http, where anybody can read it: use https"
        )
    return address


class LiteLLMModel(BaseModel):
    """A model that LiteLLM knows, by its whole reference; made by `litellm_model`."""

    def __init__(self, reference: str, *, timeout_s: float = TIMEOUT_S) -> None:
        provider, _, model = reference.partition("/")
        if not model or not reference.isprintable() or model != model.strip():
            raise StudyError(
                f"{reference!r} names no model: write {provider}/<model>, with the name under which {provider} knows it"
            )
        check_installed(reference, "litellm")
        if "://" in model:
            variable = f"{provider.upper()}_API_BASE"
            raise StudyError(
                f"{reference.partition('@')[0]} takes no address in its reference: set {variable}, or write http/<model>@<url>"
            )
        self.name, self._timeout_s = reference, timeout_s
        self._base = address_in(f"{provider.upper()}_API_BASE", reference)
        library = litellm_library()
        missing = library.validate_environment(model=reference)["missing_keys"]
        # Clouds (AWS_..., VERTEXAI_...) may have their keys elsewhere: their own libraries find them, or say so at the first call.
        if missing and all(name.endswith("_API_KEY") for name in missing):
            raise StudyError(
                f"{reference} needs a key: run `export {missing[-1]}=...` first (LiteLLM looks at {', '.join(missing)})"
            )
        self._key: Key = tuple(known_secrets())
        self._supported = frozenset(
            library.get_supported_openai_params(model=model, custom_llm_provider=provider) or ()
        )
        self.price = price_of_reference(reference)
        # Nobody lets Claude be hotter than 1; what other models take, only their providers know.
        self._max_temperature = 1.0 if "claude" in model else float("inf")
        info = library.model_cost.get(reference) or library.model_cost.get(model) or {}
        abilities = {
            "seed": "seed" in self._supported,
            "logprobs": "logprobs" in self._supported,
            "prefill": info.get("supports_assistant_prefill") is True,
        }
        self.capabilities = frozenset(name for name, has in abilities.items() if has)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def _unsupported_settings(self, sampling: Sampling) -> dict[str, str]:
        """The reason for each setting that LiteLLM's tables say the model does not take."""
        names = {
            "temperature": {"temperature"},
            "top_p": {"top_p"},
            "max_tokens": {"max_tokens", "max_completion_tokens"},
            "stop": {"stop"},
            "logprobs": {"top_logprobs" if sampling.logprobs else "logprobs"},
        }
        wrong = [
            name
            for name, any_of in names.items()
            if getattr(sampling, name) not in (None, ()) and not any_of & self._supported
        ]
        known = dict.fromkeys(
            wrong, f"it does not take {', '.join(wrong)}, as LiteLLM's tables have it"
        )
        # LiteLLM passes top_k on to some providers, min_p to fewer, and its tables do not say to which.
        return known | unsupported_among(sampling, "top_k", "min_p", "choices")

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Why the model cannot be sampled so, as far as LiteLLM's tables know; None where it can."""
        return out_of_range(sampling, max_temperature=self._max_temperature) or unsupported_message(
            self._unsupported_settings(sampling)
        )

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """The sampling without the settings that the model does not take."""
        return drop_settings(sampling, self._unsupported_settings(sampling))

    def request_settings(self, request: Request) -> dict[str, object]:
        """The settings that are given to LiteLLM beside model and messages, which it translates into the provider's."""
        sampling = request.sampling
        settings = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "stop": list(sampling.stop) or None,
            "seed": request.seed if "seed" in self.capabilities else None,
            "logprobs": None if sampling.logprobs is None else True,
            "top_logprobs": sampling.logprobs or None,
        }
        return {name: value for name, value in settings.items() if value is not None}

    def _arguments(self, request: Request) -> dict[str, object]:
        """The arguments of the call.  Raises Refused where the model is known not to take them."""
        import httpx

        why = self.unsupported_reason(request.sampling)
        if (
            why is None
            and request.messages[-1].role == "assistant"
            and "prefill" not in self.capabilities
        ):
            why = "it cannot go on with a reply that was begun for it (prefill)"
        if why is not None:
            raise RefusedError(f"{self.name} was not asked: {why}", sent=False)
        return {
            "model": self.name,
            "messages": [
                {"role": m.role, "content": writable(m.content)} for m in request.messages
            ],
            "timeout": httpx.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s)),
            "num_retries": 0,
            "max_retries": 0,
            **({} if self._base is None else {"api_base": self._base}),
            **self.request_settings(request),
        }

    async def __call__(self, request: Request) -> Reply:
        """Send the request once.

        Raises RateLimited, Refused, ContextOverflow, EmptyReply, Unreachable or BadReply; never an error of LiteLLM's, whose details hold
        what was sent.
        """
        arguments = self._arguments(request)
        library = litellm_library()
        from openai import OpenAIError

        exchange = Exchange()
        token = EXCHANGE.set(exchange)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await library.acompletion(**arguments)
        # LiteLLM's errors are OpenAIError; the others come through where a provider's answer has not the form that it expects.
        except (OpenAIError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            fault = self._fault(error, exchange)
        else:
            return self._read(answer, exchange.status)
        finally:
            EXCHANGE.reset(token)
        raise fault

    def _fault(self, error: BaseException, exchange: Exchange) -> ModelError:
        """The error for a call that got no reply, from what passed on the wire before what LiteLLM says."""
        status = exchange.status
        if status is not None and not 200 <= status < 300:
            body = exchange.body[:MAX_ERROR_BYTES]
            return read_fault(
                status,
                exchange.headers,
                body,
                endpoint=self.name,
                key=self._key,
                variable="the provider's key",
            )
        names = {kind.__name__ for link in chain(error) for kind in type(link).__mro__}
        if names & CONNECTION_ERRORS:
            return transport_error(
                self.name, error, timeout_s=self._timeout_s, key=self._key, http_status=status
            )
        said = f"{type(error).__name__}: {error}"
        found = excerpt(said, self._key)
        if OVERFLOW.search(said):
            return ContextOverflowError(
                f"{self.name}: the prompt does not fit the model: {found}", http_status=status
            )
        if status is None:
            return RefusedError(
                f"LiteLLM did not send the request to {self.name}: {found}", sent=False
            )
        return BadReplyError(
            f"{self.name} answered in a form that LiteLLM cannot read: {found}", http_status=status
        )

    def _read(self, answer: Any, status: int | None) -> Reply:
        """The reply in LiteLLM's answer.  Raises EmptyReply, Refused where the model declined, BadReply where the text is endless."""
        choice = answer.choices[0] if answer.choices else None
        text = choice.message.content if choice is not None else None
        usage = answer.usage.model_dump() if getattr(answer, "usage", None) is not None else None
        # No prompt has no tokens: LiteLLM fills in zeros where the provider gave no counts.
        told, cost = usage if count(usage, "prompt_tokens") else None, stated_cost(usage)
        reply = Reply(
            text="",
            model_served=label(answer.model, self._key),
            finish_reason=label(choice.finish_reason if choice is not None else None, self._key),
            http_status=status,
            tokens_in=count(told, "prompt_tokens"),
            tokens_cached=count(told, "prompt_tokens_details", "cached_tokens"),
            tokens_out=count(told, "completion_tokens"),
            tokens_reasoning=count(told, "completion_tokens_details", "reasoning_tokens"),
            cost_usd=cost,
            cost_source=None if cost is None else "provider",
        )
        if not isinstance(text, str) or not text.strip():
            raise no_text_error(self.name, reply)
        if len(text) > MAX_REPLY_BYTES:
            why = f"{self.name} answered with more than {MAX_REPLY_BYTES // 2**20} MB: too long"
            raise BadReplyError(why, http_status=status, reply=billable_reply(reply))
        thoughts, tokens = (
            getattr(choice.message, "reasoning_content", None),
            getattr(choice, "logprobs", None),
        )
        listed = (
            tokens.model_dump().get("content")
            if hasattr(tokens, "model_dump")
            else tokens.get("content")
            if isinstance(tokens, dict)
            else None
        )
        return replace(
            reply,
            text=without_key(text, self._key),
            reasoning=without_key(thoughts, self._key)
            if isinstance(thoughts, str) and thoughts
            else None,
            logprobs=token_choices(listed, self._key),
        )

    async def close(self) -> None:
        """Close the connections that LiteLLM keeps, those of its other models included; all can be used again afterwards."""
        library = litellm_library()
        from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

        await close_litellm_async_clients()
        library.in_memory_llm_clients_cache.flush_cache()
        # What leaves the cache is closed once more, by a task that has to run while there is a loop.
        await asyncio.sleep(0)
