"""Write the settings of a request in the words of chat completions, and merge a user's own words.

Pure functions: the same request has the same body, whether it is sent alone or within a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from agents.providers.sampling import drop_unset
from arena.sampling import JsonObject, Sampling, thaw
from arena.types import Request

# The name that OpenAI asks for; nobody reads it.
SCHEMA_NAME = "reply"
# A lane sends these itself, or could not read or pay the reply to others.  Names are compared
# without case, "_" and "-".
OWN_FIELDS = frozenset(
    """
    model models messages input system systeminstruction instructions prompt contents seed
    randomseed stream streamoptions n candidatecount numreturnsequences bestof usebeamsearch
    background
    """.split()  # noqa: SIM905
)
# Other names for the limit of tokens, by which budgets are kept.
LIMITS = frozenset(
    """
    maxtokens maxcompletiontokens maxoutputtokens maxnewtokens maxgentokens maxgenlen
    maxtokenstosample maxtokencount maxlength numpredict npredict
    """.split()  # noqa: SIM905
)
# Objects in which servers take such names too.
CONTAINERS = frozenset(
    """
    options generationconfig inferenceconfig textgenerationconfig parameters samplingparams
    extrabody additionalmodelrequestfields
    """.split()  # noqa: SIM905
)
# What says the same as a field of the sampling in other words, inner names with a dot.
SAME = {
    "stop": ("stop_sequences", "stopSequences"),
    "reasoning_effort": (
        *("reasoning.effort", "output_config.effort", "chat_template_kwargs.reasoning_effort"),
        *("thinkingConfig.thinkingLevel", "thinking_config.thinking_level"),
    ),
    "thinking_tokens": (
        *("reasoning.max_tokens", "thinking.budget_tokens", "thinking_budget"),
        *("thinking_token_budget", "chat_template_kwargs.thinking_budget"),
        *("thinkingConfig.thinkingBudget", "thinking_config.thinking_budget"),
    ),
    "response_schema": (
        *("response_format", "text.format", "output_config.format", "json_schema", "format"),
        *("guided_json", "structured_outputs", "responseSchema", "response_json_schema"),
    ),
    "repetition_penalty": ("repeat_penalty",),
    "logprobs": ("top_logprobs", "n_probs"),
}


def chat_settings(request: Request, *, limit: str = "max_tokens") -> dict[str, object]:
    """Return the settings of a chat completion besides model and messages.

    The names are OpenAI's, and those of vLLM and SGLang for what OpenAI does not have.  What the
    sampling leaves open is left out, so that the server's own settings apply.  `limit` is the name
    of the limit of tokens.
    """
    return {"seed": request.seed, **sampling_settings(request.sampling, limit)}


@lru_cache(maxsize=256)
def known_settings(sampling: Sampling, limit: str) -> dict[str, object]:
    """Do what `sampling_settings` does, once for each sampling: the result is never changed."""
    return read_settings(sampling, limit)


def sampling_settings(sampling: Sampling, limit: str) -> dict[str, object]:
    """Return the settings of a sampling, in the words of chat completions."""
    try:
        return known_settings(sampling, limit)
    except TypeError:
        # A list in the place of a tuple, which is refused in better words when it is sent.
        return read_settings(sampling, limit)


def read_settings(sampling: Sampling, limit: str) -> dict[str, object]:
    """Do what `sampling_settings` does, without a look at what was read before."""
    schema = sampling.response_schema
    settings = drop_unset(
        {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            limit: sampling.max_tokens,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "stop": list(sampling.stop) or None,
            "logprobs": None if sampling.logprobs is None else True,
            "top_logprobs": sampling.logprobs,
            "reasoning_effort": sampling.reasoning_effort,
            "thinking_token_budget": sampling.thinking_tokens,
            "response_format": None if schema is None else response_format(schema),
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "repetition_penalty": sampling.repetition_penalty,
        }
    )
    return merge_extra(settings, sampling)


def response_format(schema: Mapping[str, object]) -> dict[str, object]:
    """Return a schema as chat completions take it."""
    return {"type": "json_schema", "json_schema": named_schema(schema)}


def named_schema(schema: Mapping[str, object]) -> dict[str, object]:
    """Return a schema with OpenAI's name for it, and whether a reply is held to it strictly.

    OpenAI refuses `strict` for a schema that leaves a property open or optional.
    """
    return {"name": SCHEMA_NAME, "schema": thaw(schema), "strict": is_strict(schema)}


def is_strict(schema: object) -> bool:
    """Return whether every object in a schema has all its properties required, and no others."""
    if isinstance(schema, list | tuple):
        return all(map(is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    required = schema.get("required", ())
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        names = set(properties) if isinstance(properties, Mapping) else set()
        listed = set(required) if isinstance(required, list | tuple) else set()
        if schema.get("additionalProperties") is not False or names != listed:
            return False
    return all(map(is_strict, schema.values()))


def merge_extra(settings: dict[str, object], sampling: Sampling) -> dict[str, object]:
    """Return settings with the ones in `extra`; an object in both has the names of both."""
    return settings if sampling.extra is None else merge(settings, sampling.extra)


def merge(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, object]:
    """Return two JSON objects as one; in a clash the second wins."""
    merged = dict(first)
    for name, value in second.items():
        mine = merged.get(name)
        both = isinstance(mine, Mapping) and isinstance(value, Mapping)
        merged[name] = merge(mine, value) if both else thaw(value)  # type: ignore[arg-type]
    return merged


def clashes(first: Mapping[str, object], second: Mapping[str, object]) -> Iterator[str]:
    """Yield the names that two JSON objects both set, of inner ones with a dot."""
    for name, value in second.items():
        if name in first:
            mine = first[name]
            if isinstance(mine, Mapping) and isinstance(value, Mapping):
                yield from (f"{name}.{inner}" for inner in clashes(mine, value))
            else:
                yield name


def plain_name(name: str) -> str:
    """Return a name without what providers write differently: case, "_" and "-"."""
    return name.lower().replace("_", "").replace("-", "")


FIELDS = {plain_name(name): name for name in Sampling.__dataclass_fields__ if name != "extra"}


def extra_clash(
    settings: Mapping[str, object], sampling: Sampling, extra: JsonObject
) -> str | None:
    """Return why `extra` cannot go beside these settings, None if it can.

    `settings` are those that the lane sends for the rest of the sampling.
    """
    for path in paths_in(extra):
        plain = plain_name(path.rpartition(".")[2])
        if plain in OWN_FIELDS:
            return (
                f"extra holds {path!r}, which the arena sends itself, or leaves out; leave it out"
            )
        field = "max_tokens" if plain in LIMITS else FIELDS.get(plain)
        if field is not None:
            also = "is a setting of its own" if plain == path else f"is {field} in other words"
            return f"extra holds {path!r}, which {also}: write Sampling({field}=...)"
    if extra.get("service_tier") == "priority":
        return "extra asks for the service tier 'priority', whose price is not known; leave it out"
    twice = next(clashes(settings, extra), None) or next(same_as(sampling, extra), None)
    if twice is None:
        return None
    return f"extra holds {twice!r}, which another setting says already; write it once"


def paths_in(extra: Mapping[str, object]) -> Iterator[str]:
    """Yield the names in `extra`, and those in objects in which a server takes settings."""
    for name, value in extra.items():
        yield name
        if plain_name(name) in CONTAINERS and isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in value)


def same_as(sampling: Sampling, extra: Mapping[str, object]) -> Iterator[str]:
    """Yield what `extra` says that a set field of the sampling says in other words."""
    for field, paths in SAME.items():
        if getattr(sampling, field) in (None, ()):
            continue
        for path in paths:
            name, _, inner = path.partition(".")
            value = extra.get(name)
            if name in extra and (not inner or (isinstance(value, Mapping) and inner in value)):
                yield path
