"""Ask for a reply as one JSON object, and read it: the schema, its words, and the reader.

Where a model serves structured output ("response_schema" among its capabilities) the schema is sent
with the request, and the prompt describes the object.  Elsewhere a protocol asks for its tags, and
the same reader reads them.  It is another condition than tags alone: a grammar moves probability,
and numbers are drawn as digits, so that a protocol makes it an option of its own.

A provider's schema is no promise: a reply that is cut off or refused breaks it, and bounds of
numbers are not sent, since not all providers enforce them.  What cannot be read is missing with its
reason, as in tags, and a speech is public by the same rules (parsing/privacy.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from arena.play.reading import CUT_OFF, Reader, as_reply, holds, unfinished_reason
from arena.types import NOT_ASKED, STATED, Reading, Reply, Sampling, Seat
from protocols.parsing.forms import json_object
from protocols.parsing.numbers import number_in
from protocols.parsing.privacy import is_private
from protocols.parsing.tags import LONGEST_REPLY, has_part_line, has_tags, without_reasoning

Replies = Literal["tags", "schema"]
CAPABILITY = "response_schema"
NO_OBJECT = "no JSON object"
FORM = "\nReply with one JSON object and nothing else. Its fields, in this order:\n"


@dataclass(frozen=True, slots=True)
class SchemaField:
    """A field of a reply: its name, what it holds in words, and the part of a Reading that it is.

    `part` is "public", "thoughts" or "answer", which are texts, or "confidence" or the name of a
    measure ("stated ..."), which are numbers from 0 to 100.
    """

    name: str
    words: str
    part: str

    @property
    def is_number(self) -> bool:
        """Whether it holds a number from 0 to 100."""
        return self.part == "confidence" or self.part.startswith(STATED)


@dataclass(frozen=True, slots=True)
class ReplySchema:
    """A reply as one JSON object.

    `fields` in the order in which they are written, which decides whether a number comes before or
    after its reasons.  `source` says what kind of number the confidence is.
    """

    fields: tuple[SchemaField, ...]
    source: str = STATED

    def holds(self, part: str) -> bool:
        """Return whether one of its fields is this part of a Reading."""
        return any(field.part == part for field in self.fields)

    def json_schema(self) -> dict[str, object]:
        """Return the JSON schema, with all fields required and no others, as strict modes want."""
        properties = {
            field.name: {
                "type": "number" if field.is_number else "string",
                "description": field.words,
            }
            for field in self.fields
        }
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def form(self) -> str:
        """Return the end of a prompt that asks for the object."""
        return FORM + "".join(f"- {field.name}: {field.words}\n" for field in self.fields)

    def sampling(self, seat: Seat) -> Sampling | None:
        """Return the sampling of an ask with the schema; None where the model serves none."""
        if not serves_schema(seat):
            return None
        return replace(seat.agent.sampling, response_schema=self.json_schema())

    def reader(self, seat: Seat, otherwise: Reader) -> Reader:
        """Return the reader of a seat's replies: `otherwise` where tags are asked for instead."""
        return partial(
            read_object, schema=self, otherwise=None if serves_schema(seat) else otherwise
        )


def serves_schema(seat: Seat) -> bool:
    """Return whether the model in a seat keeps its reply to a JSON schema."""
    return CAPABILITY in seat.agent.model.capabilities


def read_object(
    reply: Reply | str, schema: ReplySchema, otherwise: Reader | None = None
) -> Reading:
    """Read a reply that is one JSON object, or by `otherwise` where no schema was sent.

    `confidence_status` is "read", or why there is no number: "no number", "out of range",
    "ambiguous scale", "no JSON object", or how the reply ended.  Flags: "empty speech", "tags
    inside the speech", "no JSON object", "cut off", "filtered", "refused", "failed".  `reask` asks
    for the whole object once more.
    """
    reply = as_reply(reply)
    if otherwise is not None:
        return otherwise(reply)
    values, reason = fields_of(reply.text), unfinished_reason(reply)
    if values is not None and reason in (None, CUT_OFF):
        reading = reading_of(values, schema)
    else:
        # An object that was not ended is none, and one that was refused says nothing.
        why = reason or NO_OBJECT
        status = why if schema.holds("confidence") else NOT_ASKED
        public = None if schema.holds("public") else ""
        reading = Reading(public, confidence_status=status, flags=(why,))
    parts = [field.part for field in schema.fields if field.part != "thoughts"]
    missing = tuple(part for part in parts if not holds(reading, part))
    return replace(reading, missing=missing, reask=ask_again(schema, missing) if missing else None)


def reading_of(values: Mapping[str, object], schema: ReplySchema) -> Reading:
    """Return the reading of an object by the names of its fields."""
    numbers: dict[str, tuple[float | None, str]] = {}
    texts: dict[str, str | None] = {}
    for field in schema.fields:
        value = values.get(field.name)
        if field.is_number:
            numbers[field.part] = percent(value)
        else:
            texts[field.part] = (value.strip() or None) if isinstance(value, str) else None
    speech = texts.get("public")
    doubt = doubt_about(speech) if schema.holds("public") else None
    confidence, status = numbers.pop("confidence", (None, NOT_ASKED))
    measures = {name: value for name, (value, _) in numbers.items() if value is not None}
    return Reading(
        public=(None if doubt else speech) if schema.holds("public") else "",
        thoughts=texts.get("thoughts"),
        confidence=confidence,
        confidence_status=status,
        answer=texts.get("answer"),
        flags=(doubt,) if doubt else (),
        confidence_source=None if confidence is None else schema.source,
        measures=measures or None,
    )


def fields_of(text: str) -> Mapping[str, object] | None:
    """Return the fields of a reply that is one JSON object without a name twice, else None."""
    words = without_reasoning(text)
    pairs = json_object(words) if len(words) <= LONGEST_REPLY else None
    if pairs is None or len({name for name, _ in pairs}) < len(pairs):
        return None
    return dict(pairs)


def percent(value: object) -> tuple[float | None, str]:
    """Return (number in [0, 1] or None, status) of a field that holds one from 0 to 100."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None, "no number"
    return number_in(str(value))


def doubt_about(speech: str | None) -> str | None:
    """Return why a speech is not public, None if it is."""
    if not speech:
        return "empty speech"
    is_doubtful = is_private(speech) or has_tags(speech) or has_part_line(speech)
    return "tags inside the speech" if is_doubtful else None


def ask_again(schema: ReplySchema, missing: tuple[str, ...]) -> str:
    """Return the question for the fields that could not be read."""
    names = [f'"{field.name}"' for field in schema.fields if field.part in missing]
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    fields = "\n".join(f"- {field.name}: {field.words}" for field in schema.fields)
    return (
        f"{listed} could not be read. Give the whole JSON object once more, and nothing else. Its"
        f" fields, in this order:\n{fields}"
    )
