"""Define the settings of how a model samples, and JSON values that cannot change.

Settings identify episodes and requests, so they are frozen and can be hashed, a JSON schema and
settings in a provider's own words included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from reprlib import repr as short
from typing import TypeGuard

import orjson

from arena.decoding import Decoding
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
# How the keys of well-known providers begin, and about how they go on.
KEY = re.compile(
    r"(?<![A-Za-z0-9])"
    r"(sk-(?=[\w-]{0,200}\d)[\w-]{20}|sk-ant-[\w-]{20}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30}"
    r"|gsk_[A-Za-z0-9]{40}|xai-[A-Za-z0-9]{40}|AKIA[A-Z0-9]{16}|ghp_[A-Za-z0-9]{36})",
    re.ASCII,
)
SURROGATE = re.compile("[\ud800-\udfff]")
# What can be read off a model while it reads a reply; characters of the reply that are its answer
# may stand behind an @.
READOUTS = ("tokens", "attention_chain", "state")
READOUT = re.compile(rf"({'|'.join(READOUTS)})(?:@(\d{{1,9}}):(\d{{1,9}}))?", re.ASCII)
MOST_NESTED = 50
# Bytes of a schema or of `extra` as JSON: every call sends and hashes them.
MOST_BYTES = 2**20


class JsonObject(Mapping[str, object]):
    """A JSON object that cannot change; lists in it are tuples, objects in it are JsonObjects.

    Two are equal if they have the same names and values in the same order, since the order of the
    properties in a schema decides what a model writes first.  Raises StudyError, which begins with
    `what`, for a value that JSON does not have.
    """

    __slots__ = ("_items", "_json")

    def __init__(
        self, items: Mapping[str, object], what: str = "a JSON object", depth: int = 0
    ) -> None:
        for name in items:
            if not is_text(name):
                raise StudyError(
                    f"{what} has names that are texts, not {name!r:.60}; write it as one"
                )
        self._items = {name: freeze(each, what, depth + 1) for name, each in items.items()}
        self._json: bytes | None = None

    def __getitem__(self, name: str) -> object:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, JsonObject):
            return self.json == other.json
        try:
            return isinstance(other, Mapping) and self == JsonObject(other)
        except StudyError:
            return False

    def __hash__(self) -> int:
        return hash(self.json)

    def __repr__(self) -> str:
        return f"JsonObject({self.plain()})"

    def __reduce__(self) -> tuple[object, ...]:
        return JsonObject, (self.plain(),)

    @property
    def json(self) -> bytes:
        """Return the object as JSON, which tells 1, 1.0 and True apart as Python does not."""
        # Made once, and only where it is asked for: most objects are inside of another one.
        if self._json is None:
            self._json = orjson.dumps(thaw(self._items))
        return self._json

    def plain(self) -> dict[str, object]:
        """Return the object as dictionaries and lists, a new one at each call."""
        # Far quicker than to go through a large schema, which every request does.
        plain: dict[str, object] = orjson.loads(self.json)
        return plain


def freeze(value: object, what: str, depth: int = 0) -> object:
    """Return a JSON value that cannot change, equal to this one.

    Raises StudyError if it is no JSON value: its names are not texts, a number is not finite or not
    within 64 bits, or it is nested too deeply.
    """
    if depth > MOST_NESTED:
        raise StudyError(f"{what} is nested more than {MOST_NESTED} deep; make it flatter")
    if isinstance(value, Mapping):
        return JsonObject(value, what, depth)
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
    return isinstance(value, str) and SURROGATE.search(value) is None


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


def place_of_key(value: object, place: str) -> str | None:
    """Return where in a JSON value a text looks like a key, None if none does."""
    if isinstance(value, str) and KEY.search(value):
        return place
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if KEY.search(name):
                return f"a name in {place}"
            if (found := place_of_key(inner, f"{place}[{name!r:.60}]")) is not None:
                return found
    if isinstance(value, list | tuple):
        return next((found for each in value if (found := place_of_key(each, place))), None)
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

    With `readouts` nothing is generated either: the model reads the prompt and the prefill, a reply
    that is given, and measures it.  Each is one of READOUTS: "tokens" (log probabilities, entropy,
    self-certainty), "attention_chain" (UQAC) or "state" (numbers from the last hidden state of the
    prompt); "attention_chain@120:125" says that these characters of the prefill are the answer.

    `reasoning_effort` is one of EFFORTS; one word means another amount to each model.
    `thinking_tokens` >= 0 bounds the tokens of thought (0: none), where a model has such a bound.
    `response_schema` is a JSON schema that the reply keeps to.  `presence_penalty` and
    `frequency_penalty` lie in [-2, 2], `repetition_penalty` in (0, 2] (1: none).  `extra` holds
    settings in the provider's own words, as they stand in a request's body: it identifies episodes
    as the others do, and never holds a key.  Both take a dictionary, and keep it as a JsonObject.
    `decoding` is one of the ways of decoding in arena/decoding.py, which local models have.
    Raises StudyError if one of them is no JSON object or longer than MOST_BYTES, if `extra` holds a
    credential, and for a list or an object in another field.
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
    readouts: tuple[str, ...] = ()
    decoding: Decoding | None = None

    def __post_init__(self) -> None:
        for name in ("stop", "choices", "readouts"):
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        for name in ("response_schema", "extra"):
            object.__setattr__(self, name, json_setting(name, getattr(self, name)))
        for name in self.__dataclass_fields__:
            try:
                hash(value := getattr(self, name))
            except TypeError as error:
                raise StudyError(
                    f"{name} is no {type(value).__name__}, found {short(value)}; see arena.Sampling"
                    " for what it may be"
                ) from error
        if not (self.decoding is None or isinstance(self.decoding, Decoding)):
            raise StudyError(
                f"decoding is a way of arena/decoding.py, such as SoftThinking(), not"
                f" {short(self.decoding)}"
            )
        if (found := credential_in(self.extra)) is not None:
            raise StudyError(
                f"extra holds {found!r}, which looks like the name of a key: settings are stored,"
                " and keys belong into the environment alone"
            )
        if (place := place_of_key(self.extra, "extra")) is not None:
            raise StudyError(
                f"{place} looks like a key of a provider: settings are stored, and keys belong into"
                " the environment alone"
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
        if self.readouts:
            content["readouts"] = self.readouts
        if self.decoding is not None:
            content["decoding"] = self.decoding.content()
        return content


def json_setting(name: str, value: object) -> JsonObject | None:
    """Return a setting as a JSON object that cannot change, None for an empty one."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise StudyError(f"{name} is a JSON object, not {short(value)}; write a dictionary")
    if not isinstance(value, JsonObject):
        # The order of a request's settings means nothing, so it must not make another id.  The
        # order is that of the names as Python writes them, and must never change.
        items = (
            {each: value[each] for each in sorted(value, key=repr)} if name == "extra" else value
        )
        value = JsonObject(items, name)
    if len(value.json) > MOST_BYTES:
        raise StudyError(
            f"{name} is {len(value.json):,} bytes of JSON, and {MOST_BYTES:,} are the most, since"
            " every call sends them; make it smaller"
        )
    return value if value else None


def beside_messages(sampling: Sampling) -> int:
    """Return the bytes of JSON that a request holds beside its messages: a schema and `extra`."""
    settings = (sampling.response_schema, sampling.extra)
    return sum(len(each.json) for each in settings if isinstance(each, JsonObject))


# They came after version 0.1.0.
LATER_SETTINGS = (
    *("reasoning_effort", "thinking_tokens", "response_schema"),
    *("presence_penalty", "frequency_penalty", "repetition_penalty", "extra"),
)
