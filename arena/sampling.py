"""Define the settings of how a model samples, and JSON values that cannot change.

Settings identify episodes and requests, so they are frozen and can be hashed, a JSON schema and
settings in a provider's own words included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from arena.errors import StudyError
from arena.former_names import former_fields

# The words of all providers, from none to the most; each model takes some of them.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# The first four have been part of every id from the beginning, set or not.
FIRST_SETTINGS = ("temperature", "top_p", "max_tokens", "stop")
# Names of what opens an account, compared without case, "_" and "-".
CREDENTIAL = re.compile(
    r"(api|access|secret|private|subscription|account|master|signing)key(id)?$|^(key|token|auth)$"
    r"|(access|auth|session|refresh|api|bearer|security|hub|hf)token$"
    r"|secret|password|passwd|passphrase|credential|authorization|bearer|cookie"
)
MOST_NESTED = 50


class JsonObject(Mapping[str, object]):
    """A JSON object that cannot change; lists in it are tuples, objects in it are JsonObjects.

    Two are equal if they have the same names and values in the same order, since the order of the
    properties in a schema decides what a model writes first.  Raises StudyError, which begins with
    `what`, for a value that JSON does not have.
    """

    __slots__ = ("_items", "_words")

    def __init__(
        self, items: Mapping[str, object], what: str = "a JSON object", depth: int = 0
    ) -> None:
        wrong = next((name for name in items if not is_text(name)), None)
        if wrong is not None:
            raise StudyError(f"{what} has names that are texts, not {wrong!r:.60}; write it as one")
        self._items = {name: freeze(each, what, depth + 1) for name, each in items.items()}
        # Tells 1, 1.0 and True apart, which are equal in Python and not in JSON.
        self._words = repr(self.plain())

    def __getitem__(self, name: str) -> object:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsonObject):
            return isinstance(other, Mapping) and self._words == repr(thaw(other))
        return self._words == other._words

    def __hash__(self) -> int:
        return hash(self._words)

    def __repr__(self) -> str:
        return f"JsonObject({self._words})"

    def __reduce__(self) -> tuple[object, ...]:
        return JsonObject, (self.plain(),)

    def plain(self) -> dict[str, object]:
        """Return the object as dictionaries and lists, a new one at each call."""
        return {name: thaw(value) for name, value in self._items.items()}


def freeze(value: object, what: str, depth: int = 0) -> object:
    """Return a JSON value that cannot change, equal to this one.

    Raises StudyError if it is no JSON value: its names are not texts, a number is not finite or not
    within 64 bits, or it is nested too deeply.
    """
    if depth > MOST_NESTED:
        raise StudyError(f"{what} is nested more than {MOST_NESTED} deep; make it flatter")
    if isinstance(value, Mapping):
        return value if isinstance(value, JsonObject) else JsonObject(value, what, depth)
    if isinstance(value, list | tuple):
        return tuple(freeze(each, what, depth + 1) for each in value)
    whole = type(value) is int and -(2**63) <= value < 2**63
    if value is None or isinstance(value, bool) or whole or is_text(value):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    raise StudyError(
        f"{what} holds JSON values (texts, finite numbers, true, false, null, lists and objects of"
        f" these), not {value!r:.60}; write it as one of them"
    )


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is a text that UTF-8 can hold."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def thaw(value: object) -> object:
    """Return a JSON value as dictionaries and lists, a new one at each call."""
    if isinstance(value, Mapping):
        return {name: thaw(each) for name, each in value.items()}
    return [thaw(each) for each in value] if isinstance(value, list | tuple) else value


def credential_in(value: object) -> str | None:
    """Return the first name in a JSON value that looks like that of a credential, None if none."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if CREDENTIAL.search(re.sub(r"[^a-z0-9]", "", name.lower())):
                return str(name)
            if (found := credential_in(inner)) is not None:
                return found
    if isinstance(value, list | tuple):
        return next((found for each in value if (found := credential_in(each))), None)
    return None


@former_fields({"options": "choices"})
@dataclass(frozen=True, slots=True)
class Sampling:
    """Settings of how a model samples; None leaves a setting to the provider.

    `temperature` >= 0, `top_p` in (0, 1]; `max_tokens` counts generated tokens, reasoning included;
    `stop` holds texts that end a reply.  `logprobs` asks for the log probability of every generated
    token, with that many alternatives (0 to 20) beside it.  `top_k` >= 1 restricts the draw to the
    likeliest k tokens, `min_p` in [0, 1) to tokens with at least that fraction of the highest
    probability.  With `choices` nothing is generated: the reply is the one of these texts that is
    the likeliest beginning of a reply, and the measures hold the probability of each.

    `reasoning_effort` is one of EFFORTS; one word means another amount to each model.
    `thinking_tokens` >= 0 bounds the tokens of thought (0: none), where a model has such a bound.
    `response_schema` is a JSON schema that the reply keeps to.  `presence_penalty` and
    `frequency_penalty` lie in [-2, 2], `repetition_penalty` in (0, 2] (1: none).  `extra` holds
    settings in the provider's own words, as they stand in a request's body: it identifies episodes
    as the others do, and never holds a key.  Both take a dictionary, and keep it as a JsonObject.
    Raises StudyError if one of them is no JSON object, or if `extra` names a credential.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    top_k: int | None = None
    min_p: float | None = None
    choices: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    thinking_tokens: int | None = None
    response_schema: Mapping[str, object] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    extra: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        for name in ("response_schema", "extra"):
            value = getattr(self, name)
            if value is None or isinstance(value, JsonObject):
                continue
            if not isinstance(value, Mapping):
                raise StudyError(f"{name} is a JSON object, not {value!r:.60}; write a dictionary")
            # The order of a request's settings means nothing, so it must not make another id.
            items = dict(sorted(value.items(), key=str)) if name == "extra" else value
            object.__setattr__(self, name, JsonObject(items, name) if items else None)
        if (found := credential_in(self.extra)) is not None:
            raise StudyError(
                f"extra holds {found!r}, which looks like the name of a key: settings are stored,"
                " and keys belong into the environment alone"
            )

    def content(self) -> dict[str, object]:
        """Return the settings for ids and hashes, which must never change.

        A field that came later is left out while unset, and a renamed one keeps its old key.
        """
        content: dict[str, object] = {name: getattr(self, name) for name in FIRST_SETTINGS}
        for name in ("logprobs", "top_k", "min_p"):
            if (value := getattr(self, name)) is not None:
                content[name] = value
        if self.choices:
            content["options"] = self.choices
        for name in LATER_SETTINGS:
            if (value := getattr(self, name)) is not None:
                content[name] = thaw(value)
        return content


# They came after version 0.1.0.
LATER_SETTINGS = (
    *("reasoning_effort", "thinking_tokens", "response_schema"),
    *("presence_penalty", "frequency_penalty", "repetition_penalty", "extra"),
)
