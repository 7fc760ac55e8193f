"""Call every other provider through LiteLLM, in its form of references: `gemini/<model>`.

Others are `bedrock/<model>` or `openrouter/<model>`.  LiteLLM is held to what is asked of it: one
request on the wire for a call (its own second try after a lost connection, and redirects, are
stopped at the transport), no list of prices from the network, no `.env` file, no loggers, callbacks
or their worker, no dropping of parameters.  Facts that its errors leave out or make up (every lost
connection is "500") are read from the answer itself, which the same watch sees; so are finish
reasons that it turns into "stop" though the reply is broken or was cut, and errors at status 200.
LiteLLM says "stop" if a provider gives no finish reason, and repeats the name of the model that was
asked if the provider does not name the one that served.

Keys: the variables that LiteLLM names, such as GEMINI_API_KEY; `<PROVIDER>_API_BASE` names another
address.  The import takes seconds, and happens when a reference is read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from agents.providers import faults, litellm_settings, sdk, wire
from agents.providers.addresses import address_in
from agents.providers.api_model import NOWHERE, ApiModel
from agents.providers.cache_marks import ANTHROPIC_MARK, mark_beginnings
from agents.providers.completions import chat_messages, completion_counts, first_choice
from agents.providers.keys import refuse_without_key
from agents.providers.litellm_batches import litellm_batches
from agents.providers.litellm_wire import EXCHANGE, Exchange
from agents.providers.litellm_wire import litellm_library as litellm_library
from agents.providers.prices import price_of_reference, prompt_cache_of_reference
from agents.providers.sampling import drop_settings, drop_unset, unsupported_among
from arena.calls.secrets import known_secrets
from arena.errors import BadReplyError, ContextOverflowError, ModelError, RefusedError, StudyError
from arena.play.reading import unfinished_reason
from arena.types import Message, Reply, Request, Sampling

if TYPE_CHECKING:
    import httpx

# Providers that have no address of their own; others of the kind, such as ollama, are looked for on
# this machine.
OWN_SERVERS = ("hosted_vllm", "litellm_proxy", "lm_studio", "oobabooga", "xinference")
# Models whose thoughts are served in the words of another model.
SUMMARISED = re.compile(r"gemini|claude-(?!3)")
# A request for the reading of an answer that was given before.
ANY_REQUEST = Request((Message("user", "-"),), Sampling(), 0, NOWHERE)
NO_HEADERS: Mapping[str, str] = {}
CONNECTION_ERRORS = {"TransportError", "ClientError", "Timeout", "TimeoutError"}


def litellm_model(reference: str, *, timeout_s: float = wire.TIMEOUT_S) -> LiteLLMModel:
    """Return the model of a whole reference, such as gemini/gemini-2.5-flash.

    `timeout_s` > 0 is the longest that a call may take.  Raises StudyError if LiteLLM is not
    installed, does not know the reference, or finds no key.
    """
    model = LiteLLMModel(reference, timeout_s=timeout_s)
    model.batches = litellm_batches(model)
    return model


class LiteLLMModel(ApiModel):
    """A model that LiteLLM knows, by its whole reference; made by `litellm_model`."""

    def __init__(self, reference: str, *, timeout_s: float = wire.TIMEOUT_S) -> None:
        provider, _, model = reference.partition("/")
        variable = f"{provider.upper()}_API_BASE"
        sdk.check_name(reference, provider, variable)
        sdk.check_installed(reference, "litellm")
        self.name = reference
        self._timeout_s = timeout_s
        self._base = address_in(variable, reference, key_variable="its own environment variable")
        if self._base is None and provider in OWN_SERVERS:
            raise StudyError(
                f"{reference} means a server of your own, and its address is not set: run `export"
                f" {variable}=http://...` first, or write vllm/{model}@<url> or http/{model}@<url>"
                " (without an address LiteLLM would ask another company's servers)"
            )
        self.address = self._base or ""
        library = litellm_library()
        check_key(library, reference)
        # LiteLLM reads the keys by itself, so that any of them may be echoed.
        self._key: wire.Key = tuple(known_secrets())
        self._supported = frozenset(
            library.get_supported_openai_params(model=model, custom_llm_provider=provider) or ()
        )
        self.price = price_of_reference(reference)
        self.prompt_cache = prompt_cache_of_reference(reference)
        # No provider lets Claude be hotter than 1; the limit of other models is not known here.
        self.max_temperature = 1.0 if "claude" in model else float("inf")
        self.capabilities: frozenset[str] = frozenset()
        entry = library.model_cost.get(reference) or library.model_cost.get(model) or {}
        abilities = {
            "seed": "seed" in self._supported,
            "logprobs": "logprobs" in self._supported,
            "prefill": entry.get("supports_assistant_prefill") is True,
            "response_schema": "response_schema"
            not in self.unsupported_settings(Sampling(response_schema={"type": "object"})),
            # Of a model without an entry its provider decides.
            "images": not entry or entry.get("supports_vision") is True,
        }
        self.capabilities = frozenset(name for name, has in abilities.items() if has)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def unsupported_settings(self, sampling: Sampling) -> dict[str, str]:
        """Return the reason for each setting that LiteLLM does not send as it is."""
        # LiteLLM's name, or names, of each setting.
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
        why = f"it does not take {', '.join(wrong)}, as LiteLLM's tables have it"
        # LiteLLM passes top_k on to some providers, min_p to fewer; its tables do not say which.
        others = unsupported_among(sampling, "top_k", "min_p", "choices")
        changed = {
            name: reason
            for name in litellm_settings.TRANSLATED
            if (reason := litellm_settings.why_not_sent(self.name, sampling, name)) is not None
        }
        return dict.fromkeys(wrong, why) | others | changed

    def own_settings(self, request: Request) -> dict[str, object]:
        """Return the settings besides model and messages.

        Those of reasoning, penalties and a schema stand here as LiteLLM sends them, the others as
        LiteLLM is asked for them.
        """
        sampling = self._left(request.sampling)
        return {**self._plain_settings(request), **litellm_settings.sent(self.name, sampling)}

    def _left(self, sampling: Sampling) -> Sampling:
        """Return a sampling without what the provider was found not to take."""
        names = litellm_settings.TRANSLATED
        left_out = [name for name in names if names[name] in self.adaptation.left_out]
        return drop_settings(sampling, dict.fromkeys(left_out, ""))

    def refused_among(
        self, request: Request, asked: Mapping[str, object], names: tuple[str, ...]
    ) -> Iterator[str]:
        """Yield those of the names, which are LiteLLM's, that a request asks for."""
        translated = litellm_settings.asked(self.name, request.sampling)
        return super().refused_among(request, self._plain_settings(request) | translated, names)

    def _plain_settings(self, request: Request) -> dict[str, object]:
        """Return the settings that have one name in LiteLLM."""
        sampling = request.sampling
        return drop_unset(
            dict(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                stop=list(sampling.stop) or None,
                seed=request.seed if "seed" in self.capabilities else None,
                logprobs=None if sampling.logprobs is None else True,
                top_logprobs=sampling.logprobs or None,
            )
        )

    def request_body(self, request: Request) -> dict[str, object]:
        """Return the arguments of which LiteLLM makes the JSON of a request."""
        request = self.adaptation.request(self.supported_request(request))
        sampling = self._left(request.sampling)
        asked = self._plain_settings(request) | litellm_settings.asked(self.name, sampling)
        messages = chat_messages(request.messages)
        if "claude" in self.name:
            messages = mark_beginnings(messages, request.shared, ANTHROPIC_MARK)
        settings = litellm_settings.with_seed(self.name, self.adaptation.settings(asked))
        return {"model": self.name, "messages": messages, **settings}

    def _arguments(self, body: dict[str, object]) -> dict[str, object]:
        """Return the arguments of the call."""
        import httpx

        return {
            "timeout": httpx.Timeout(self._timeout_s, connect=min(wire.CONNECT_S, self._timeout_s)),
            "num_retries": 0,
            "max_retries": 0,
            **drop_unset(dict(api_base=self._base)),
            **body,
        }

    async def __call__(self, request: Request) -> Reply:
        """Send the request once.

        Raises RateLimitedError, RefusedError, ContextOverflowError, EmptyReplyError,
        UnreachableError or BadReplyError; never an error of LiteLLM, whose details hold the
        request.
        """
        sdk.check_request(self, self.supported_request(request), self.name)
        return await self._ask(request, Exchange())

    async def draft(self, request: Request) -> httpx.Request:
        """Return the request that would be sent, with its address and headers; RefusedError: none.

        LiteLLM writes it, as for a single call.
        """
        sdk.check_request(self, self.supported_request(request), self.name)
        exchange = Exchange(replay=(400, b"{}"))
        with suppress(ModelError):
            await self._ask(request, exchange)
        if exchange.drafted is None:
            raise RefusedError(f"LiteLLM makes no request of this for {self.name}", sent=False)
        return exchange.drafted

    async def read_body(self, body: bytes, http_status: int) -> Reply:
        """Return the reply in the body of a successful answer, as LiteLLM reads it."""
        return await self._ask(ANY_REQUEST, Exchange(replay=(http_status, body)))

    def error_of(
        self, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS
    ) -> ModelError:
        """Return the error for an answer with another status."""
        exchange = Exchange(status=status, body=body, headers=dict(headers))
        return self._fault(ValueError(), exchange)

    async def _ask(self, request: Request, exchange: Exchange) -> Reply:
        """Send the request once, and note the traffic in an exchange."""
        sent = self.request_body(request)
        arguments = self._arguments(sent)
        library = litellm_library()
        from openai import OpenAIError

        token = EXCHANGE.set(exchange)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await library.acompletion(**arguments)
        # LiteLLM's errors are OpenAIError; the others come through if a provider's answer does not
        # have the form that it expects.
        except (OpenAIError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            fault = self._fault(error, exchange)
            if exchange.replay is None:
                fault = self.learn_from(fault, exchange.status, exchange.body, sent)
        else:
            return self._read(answer, exchange)
        finally:
            EXCHANGE.reset(token)
        raise fault

    def _fault(self, error: BaseException, exchange: Exchange) -> ModelError:
        """Return the error for a call that got no reply.

        The traffic on the wire comes before LiteLLM's own account of it.
        """
        status = exchange.status
        if status is not None and not 200 <= status < 300:
            return faults.read_fault(
                status,
                exchange.headers,
                exchange.body[: wire.READ_ERROR_BYTES],
                endpoint=self.name,
                key=self._key,
                variable="the provider's key",
            )
        served = self._served(exchange)
        if served is not None and faults.error_text(served.fields):
            return faults.wrong_schema_error(served, Reply("", http_status=status), lacks="a reply")
        names = {kind.__name__ for link in sdk.chain(error) for kind in type(link).__mro__}
        if names & CONNECTION_ERRORS:
            return sdk.transport_error(
                self.name, error, timeout_s=self._timeout_s, key=self._key, http_status=status
            )
        quoted = wire.excerpt(f"{type(error).__name__}: {error}", self._key)
        if faults.OVERFLOW.search(f"{type(error).__name__}: {error}"):
            words = f"{self.name}: the prompt does not fit the model: {quoted}"
            return ContextOverflowError(words, http_status=status)
        if status is None:
            words = f"LiteLLM did not send the request to {self.name}: {quoted}"
            return RefusedError(words, sent=False)
        words = f"{self.name} answered in a form that LiteLLM cannot read: {quoted}"
        return BadReplyError(words, http_status=status)

    def _served(self, exchange: Exchange) -> wire.Answer | None:
        """Return the provider's own answer, None if it was no JSON object at a status of 2xx."""
        status = exchange.status
        fields = wire.document_of(exchange.body)
        if status is None or not 200 <= status < 300 or not isinstance(fields, dict):
            return None
        return wire.Answer(exchange.body, fields, self.name, self._key, status)

    def _read(self, answer: Any, exchange: Exchange) -> Reply:
        """Return the reply in LiteLLM's answer, a pydantic model without types of its own.

        Raises EmptyReplyError, RefusedError if the model declined, BadReplyError if the text is
        longer than any reply, or the error that the provider's answer states.
        """
        status = exchange.status
        choice = answer.choices[0] if answer.choices else None
        message = getattr(choice, "message", None)
        text = getattr(message, "content", None)
        tokens = getattr(choice, "logprobs", None)
        # A pydantic model for some providers, a dictionary for others.
        if tokens is not None and hasattr(tokens, "model_dump"):
            tokens = tokens.model_dump()
        usage = answer.usage.model_dump() if getattr(answer, "usage", None) is not None else {}
        if not wire.count(usage, "prompt_tokens"):
            # No prompt has no tokens: LiteLLM fills in zeros if the provider gave no counts.
            usage = {name: value for name, value in usage.items() if "tokens" not in name}
        fingerprint = getattr(answer, "system_fingerprint", None)
        fields = {"model": answer.model, "system_fingerprint": fingerprint, "usage": usage}
        served = {"finish_reason": getattr(choice, "finish_reason", None), "logprobs": tokens}
        counts = completion_counts(fields, served, self._key, status)
        own = self._served(exchange)
        if own is not None:
            counts = replace(counts, finish_reason=own_finish_reason(own, counts.finish_reason))
            if unfinished_reason(counts) == "failed":
                raise faults.broken_reply_error(own, first_choice(own.fields), counts)
        if not isinstance(text, str) or not text.strip():
            tools = [name for name in faults.TOOLS if getattr(message, name, None)]
            raise faults.no_text_error(self.name, counts, parts=tools)
        if len(text) > wire.MAX_REPLY_BYTES:
            raise faults.too_long_error(self.name, status, faults.billable_reply(counts))
        thoughts = getattr(message, "reasoning_content", None)
        thoughts = wire.without_key(thoughts, self._key) if isinstance(thoughts, str) else None
        return replace(
            counts,
            text=wire.without_key(text, self._key),
            reasoning=thoughts or None,
            reasoning_source="summary" if thoughts and SUMMARISED.search(self.name) else None,
        )

    async def close(self) -> None:
        """Close the connections of LiteLLM, those of its other models included.

        All models can be used again afterwards.
        """
        library = litellm_library()
        from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

        await close_litellm_async_clients()
        library.in_memory_llm_clients_cache.flush_cache()
        # Clients that leave the cache are closed by a task, which must run while there is a loop.
        await asyncio.sleep(0)


def own_finish_reason(answer: wire.Answer, litellms: str | None) -> str | None:
    """Return the provider's word for how a reply ended if LiteLLM's would hide it, else LiteLLM's.

    Read from answers in the form of chat completions, Gemini, Messages and Bedrock's Converse.
    """
    fields = answer.fields
    candidates = fields.get("candidates")
    candidate = candidates[0] if isinstance(candidates, list) and candidates else None
    candidate = candidate if isinstance(candidate, dict) else {}
    words = (
        first_choice(fields).get("finish_reason"),
        candidate.get("finishReason"),
        fields.get("stop_reason"),
        fields.get("stopReason"),
    )
    word = next((found for word in words if (found := wire.label(word, answer.key))), None)
    if word is None:
        return litellms
    # Gemini's OTHER is an end without a cause, which LiteLLM calls a content filter.
    ending, told = (unfinished_reason(Reply("", finish_reason=name)) for name in (word, litellms))
    hidden = ending in ("failed", "cut off") and ending != told
    return word if hidden or word == "OTHER" else litellms


def check_key(library: ModuleType, reference: str) -> None:
    """Raise StudyError if LiteLLM finds no key for a reference."""
    missing = library.validate_environment(model=reference)["missing_keys"]
    # Clouds (AWS_..., VERTEXAI_...) may have their keys elsewhere: their own libraries find them,
    # or say so at the first call.
    if missing and all(name.endswith("_API_KEY") for name in missing):
        refuse_without_key(
            f"{reference} needs a key: run `export {missing[-1]}=...` first (LiteLLM looks at"
            f" {', '.join(missing)})"
        )
