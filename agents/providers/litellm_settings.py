"""Translate settings as LiteLLM does, before a call: what it would send, and what it would change.

LiteLLM leaves some settings out without a word, puts another word in the place of an effort, or
adds a limit of tokens of its own.  Its translation runs here without a request, so that such a
setting can be refused by name, and so that the record holds the provider's words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from agents.providers import wire
from agents.providers.chat_requests import merge_extra, response_format
from agents.providers.sampling import drop_unset, is_number
from arena.sampling import EFFORTS, Sampling

# LiteLLM's name for each setting that it translates.
TRANSLATED = {
    "reasoning_effort": "reasoning_effort",
    "thinking_tokens": "thinking",
    "response_schema": "response_format",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repetition_penalty": "repetition_penalty",
}
# What LiteLLM adds for itself.
OWN = ("stream", "fake_stream", "json_mode", "extra_body")
LIMITS = ("max_tokens", "maxTokens", "max_output_tokens", "max_completion_tokens")
OFF = ("disabled", "none")


def own_words(reference: str, tokens: int | None) -> dict[str, object]:
    """Return a number of thinking tokens in words that LiteLLM does not have; {} if it has them."""
    provider = reference.partition("/")[0]
    if tokens and provider == "openrouter":
        return {"reasoning": {"max_tokens": tokens}}
    return {} if tokens is None or provider != "hosted_vllm" else {"thinking_token_budget": tokens}


def asked(reference: str, sampling: Sampling) -> dict[str, object]:
    """Return the settings that LiteLLM translates, as it is asked for them.

    Those that it passes on as they are stand in `extra_body`.
    """
    tokens = sampling.thinking_tokens
    passed = own_words(reference, tokens)
    if passed:
        tokens = None
    schema = sampling.response_schema
    thinking = {"type": "enabled", "budget_tokens": tokens} if tokens else {"type": "disabled"}
    return drop_unset(
        dict(
            reasoning_effort=sampling.reasoning_effort,
            thinking=None if tokens is None else thinking,
            response_format=None if schema is None else response_format(schema),
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            extra_body=merge_extra(passed, sampling) or None,
        )
    )


def translate(reference: str, arguments: Mapping[str, object]) -> dict[str, object] | str:
    """Return what LiteLLM makes of arguments, or its reason why it takes them not."""
    from litellm.utils import get_optional_params
    from openai import OpenAIError

    provider, _, model = reference.partition("/")
    try:
        made = get_optional_params(model=model, custom_llm_provider=provider, **arguments)
    except (OpenAIError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        words = str(error).replace("litellm.UnsupportedParamsError: ", "")
        return wire.excerpt(words.partition(". ")[0], None)
    return dict(made)


@lru_cache(maxsize=1024)
def sent(reference: str, sampling: Sampling) -> Mapping[str, object]:
    """Return what LiteLLM sends for `extra` and what it translates, in the provider's words.

    Empty if it takes them not.
    """
    settings = asked(reference, sampling)
    return changed_by(reference, sampling, settings) or {} if settings else {}


def with_seed(reference: str, arguments: Mapping[str, object]) -> dict[str, object]:
    """Return arguments in which a seed that LiteLLM sends in `extra_body` survives ours.

    Mistral's `random_seed` would be overwritten.
    """
    body = arguments.get("extra_body")
    made = translate(reference, {"seed": arguments["seed"]}) if "seed" in arguments else {}
    theirs = made.get("extra_body") if isinstance(made, dict) else None
    if not isinstance(body, dict) or not isinstance(theirs, dict):
        return dict(arguments)
    return {**arguments, "extra_body": theirs | body}


def changed_by(
    reference: str, sampling: Sampling, settings: Mapping[str, object]
) -> dict[str, object] | None:
    """Return what settings add to a request beside its limit of tokens; None: LiteLLM refuses."""
    limit = drop_unset(dict(max_tokens=sampling.max_tokens))
    before = translate(reference, limit)
    after = translate(reference, {**limit, **settings})
    if isinstance(before, str) or isinstance(after, str):
        return None
    inner = after.get("extra_body")
    after |= inner if isinstance(inner, dict) else {}
    return {
        name: value
        for name, value in after.items()
        if name not in OWN and before.get(name) != value
    }


@lru_cache(maxsize=4096)
def why_not_sent(reference: str, sampling: Sampling, name: str) -> str | None:
    """Return why LiteLLM does not send a setting as it is; None if it does, or if it is not set."""
    value = getattr(sampling, name)
    if value is None:
        return None
    if name == "thinking_tokens" and own_words(reference, value):
        return None
    settings = {TRANSLATED[name]: asked(reference, sampling)[TRANSLATED[name]]}
    changed = changed_by(reference, sampling, settings)
    if changed is None:
        refusal = translate(reference, settings)
        return f"LiteLLM does not send it: {refusal if isinstance(refusal, str) else 'no reason'}"
    leaves = list(leaves_of(changed))
    if not changed:
        return f"LiteLLM sends nothing for {name} to it"
    if any(limit in changed for limit in LIMITS):
        return f"LiteLLM would set max_tokens too for {name}, unless the sampling has one"
    if "tools" in changed or any(key.startswith("_") for key in changed):
        return f"LiteLLM would change the prompt, or offer a tool, in place of {name}"
    if name == "repetition_penalty" and not passes_on(reference):
        return f"LiteLLM does not pass {name} on to it"
    if name == "reasoning_effort":
        others = [word for leaf in leaves if (word := str(leaf).lower()) in EFFORTS]
        if others and value not in others:
            return f"LiteLLM would send the effort {others[0]!r} in place of {value!r}"
    elif name != "response_schema" and value not in leaves:
        off = value == 0 and any(leaf in OFF for leaf in leaves)
        return None if off else f"LiteLLM would not send the number of {name}"
    return None


def passes_on(reference: str) -> bool:
    """Return whether LiteLLM passes settings that it does not know on to the provider."""
    made = translate(reference, {})
    return isinstance(made, dict) and "extra_body" in made


def leaves_of(value: object) -> Iterator[object]:
    """Yield the texts and numbers in a value; true and false are none."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves_of(inner)
    elif isinstance(value, str) or is_number(value):
        yield value
