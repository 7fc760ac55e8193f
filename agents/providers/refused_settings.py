"""Find out which setting a provider refused, and send the next request without it.

What a model takes is often said only by its provider, with status 400 or 422, in words of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agents.providers.wire import document_of
from arena.types import Message, Request

REFUSED_STATUSES = (400, 422)
# How providers say that they do not have a setting, or not this value of it at all.  Not here: a
# value out of range, which its user must change.
UNKNOWN = re.compile(
    r"unsupported|not supported|n't supported|does not support|doesn't support|not support"
    r"|unrecogni[sz]ed|unknown|unexpected|extra inputs|extra_forbidden|not permitted|not allowed"
    r"|cannot find field|not available|not enabled|deprecated|cannot be (?:used|specified|set)"
    r"|incompatible|is not a valid (?:parameter|argument|field)|no longer",
    re.IGNORECASE,
)
NO_SYSTEM = re.compile(
    r"system['\"`]? (?:role|message|prompt|instruction)s?['\"`]? .{0,40}not|developer instruction"
    r"|(?:does not|doesn't|not) support .{0,20}system|role ['\"`]?system['\"`]? .{0,40}not"
    r"|(?:invalid|unknown|unsupported) role:? ['\"`]?system",
    re.IGNORECASE,
)
# Objects whose settings can be left out one by one.
PARTED = ("output_config", "reasoning", "text", "chat_template_kwargs", "extra_body")
# What makes a request, and can never be left out.
KEPT = ("model", "messages", "input", "system", "store")
LIMIT = "max_tokens"
NEW_LIMIT = "max_completion_tokens"
SYSTEM = "system role"


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How requests to a model differ from what was asked for, since its provider refused that.

    `left_out` names settings, inner ones with a dot; with `renames_limit` max_tokens is sent as
    max_completion_tokens; with `folds_system` the system messages begin the first user message.
    """

    left_out: tuple[str, ...] = ()
    renames_limit: bool = False
    folds_system: bool = False

    def settings(self, settings: Mapping[str, object]) -> dict[str, object]:
        """Return the settings as they are sent."""
        if not self.left_out and not self.renames_limit:
            return dict(settings)
        adapted = {
            NEW_LIMIT if self.renames_limit and name == LIMIT else name: value
            for name, value in settings.items()
            if name not in self.left_out
        }
        for path in self.left_out:
            name, _, inner = path.partition(".")
            parts = adapted.get(name)
            if inner and isinstance(parts, Mapping):
                left = {part: value for part, value in parts.items() if part != inner}
                adapted |= {name: left}
                if not left:
                    del adapted[name]
        return adapted

    def request(self, request: Request) -> Request:
        """Return the request as it is sent."""
        if not self.folds_system:
            return request
        # Marks of what is shared count messages and characters of the prompt as it was.
        return replace(request, messages=fold(request.messages), shared=())

    def after(self, refused: str) -> Adaptation:
        """Return the adaptation without what was refused too: a setting, or SYSTEM."""
        if refused == SYSTEM:
            return replace(self, folds_system=True)
        if refused == LIMIT:
            return replace(self, renames_limit=True)
        return replace(self, left_out=tuple(dict.fromkeys((*self.left_out, refused))))


def fold(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return messages without a system role: its words begin the first user message."""
    words = "\n\n".join(message.content for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    first = next((n for n, message in enumerate(others) if message.role == "user"), None)
    if not words or first is None:
        return (Message("user", words), *others) if words else messages
    head = f"{words}\n\n"
    message = others[first]
    images = tuple(replace(image, at=image.at + len(head)) for image in message.images)
    others[first] = replace(message, content=head + message.content, images=images)
    return tuple(others)


def describe(refused: str) -> str:
    """Return what is done about a setting, or SYSTEM, that was refused."""
    if refused == SYSTEM:
        return "the system prompt is sent at the beginning of the first user message from now on"
    if refused == LIMIT:
        return f"{LIMIT} is sent as {NEW_LIMIT} from now on"
    return f"{refused} is left out from now on"


def remedy(refused: str) -> str:
    """Return what a user can do about a setting, or SYSTEM, that was refused."""
    allow = "allow it by agent(..., drop_unsupported=True)"
    if refused == SYSTEM:
        return f"to send the system prompt at the beginning of the first user message, {allow}"
    if refused == LIMIT:
        return f"to send {LIMIT} as {NEW_LIMIT}, {allow}"
    return f"it names {refused}: leave it out of the sampling, or {allow} to be left out"


def find_refused(status: int, answer: bytes, sent: Mapping[str, object]) -> str | None:
    """Return what a provider says it does not take: a setting of the body `sent`, or SYSTEM.

    None if it names none, or only a value that is out of range.
    """
    if status not in REFUSED_STATUSES:
        return None
    document = document_of(answer)
    texts = [*texts_in(document)] or [answer.decode("utf-8", "replace")]
    words = " ".join(texts)
    if has_system_role(sent) and NO_SYSTEM.search(words):
        return SYSTEM
    if not UNKNOWN.search(words):
        return None
    settings = {name: value for name, value in sent.items() if name not in KEPT}
    paths = [path for path in paths_of(settings) if can_go(path, words)]
    param = param_in(document)
    if param in paths:
        return param
    places = {path: place for path in paths if (place := place_in(words, path)) is not None}
    # The longest of those that are named first: output_config.effort before output_config.
    return min(places, key=lambda path: (places[path], -len(path)), default=None)


def has_system_role(sent: Mapping[str, object]) -> bool:
    """Return whether a body has a message of the role system."""
    messages = sent.get("messages")
    listed = messages if isinstance(messages, list) else []
    return any(isinstance(each, dict) and each.get("role") == "system" for each in listed)


def can_go(path: str, words: str) -> bool:
    """Return whether a setting may be left out: a limit may not, but it may get its other name."""
    if path == LIMIT:
        return NEW_LIMIT in words
    return path not in (NEW_LIMIT, "max_output_tokens")


def paths_of(settings: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of settings, and of the inner ones that can go alone, with a dot."""
    for name, value in settings.items():
        yield name
        if name in PARTED and isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in value)


def texts_in(document: object) -> Iterator[str]:
    """Yield all texts of a JSON document, a list of names (FastAPI's `loc`) as one with dots."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, Mapping):
        for value in document.values():
            yield from texts_in(value)
    elif isinstance(document, list):
        if all(isinstance(each, str | int) for each in document) and document:
            yield f"'{'.'.join(str(each) for each in document if each != 'body')}'"
        else:
            for each in document:
                yield from texts_in(each)


def param_in(document: Any) -> str | None:
    """Return the name in OpenAI's `param`, None if there is none."""
    error = document.get("error", document) if isinstance(document, dict) else None
    param = error.get("param") if isinstance(error, dict) else None
    return param if isinstance(param, str) else None


def place_in(words: str, path: str) -> int | None:
    """Return where a text names a setting, None if nowhere.

    A name that is a word of English too ("stop", "reasoning") must stand in quotes, before a colon,
    or after a word such as parameter.
    """
    name = re.escape(path)
    quoted = rf"['\"`]{name}['\"`.\[]|(?:^|[\s(]){name}:|\b{name}=" + (
        rf"|(?:parameter|argument|field|property|key|option|supplied|name)s?:? {name}\b"
    )
    found = re.search(rf"(?<![\w.]){name}\b" if "_" in path else quoted, words)
    return None if found is None else found.start()
