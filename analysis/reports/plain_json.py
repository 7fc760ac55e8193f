"""Turn a report's rows into the JSON that `arena report --json` and its siblings promise.

A row is a frozen dataclass.  Its JSON has one entry for each field, in order, under the field's
name.  An annotation on the field says where the JSON differs, so that code can keep an interval in
one piece where the JSON has three flat numbers:

    gap: Annotated[Interval, interval_as("gap")]      # "gap", "gap_ci_low", "gap_ci_high"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from math import isfinite
from typing import Any, get_type_hints

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonField:
    """How the JSON of a field differs from its name and value.

    `key` is used instead of the field's name.  `inline` puts the entries of the field's own row
    into the row around it, `names` gives these entries other keys, and `only` says which are kept
    (all if empty).  An `optional` field has no entry if it is None.
    """

    key: str = ""
    inline: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    parts: Mapping[str, JsonField] = field(default_factory=dict)
    optional: bool = False


# The annotations that most rows need.
INLINE = JsonField(inline=True)
OPTIONAL = JsonField(optional=True)
AS_IT_IS = JsonField()


def interval_as(name: str, p: str = "", d: str = "") -> JsonField:
    """Return the annotation of a mean with its interval: three entries that begin with a name.

    With `p` and `d`, its p-value and effect size under these names too.
    """
    names = {"mean": name, "ci_low": f"{name}_ci_low", "ci_high": f"{name}_ci_high"}
    if p:
        names["p"] = p
    if d:
        names["d"] = d
    return JsonField(inline=True, names=names, only=tuple(names))


def without_noise(value: float) -> float:
    """Return a number with 12 significant digits: the rest is noise of adding up."""
    return float(f"{value:.12g}")


def plain_json(value: object) -> object:
    """Return a value as JSON has it: rows as dictionaries, nan and infinity as None."""
    if is_dataclass(value):
        return row_json(value, {})
    if isinstance(value, dict):
        return {key: plain_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(inner) for inner in value]
    # JSON has neither, and a number that differs with the order of adding up is no promise.
    if isinstance(value, float):
        return without_noise(value) if isfinite(value) else None
    return value


def json_object(row: object) -> JsonObject:
    """Return the JSON of a row, or of a dictionary, which is always an object; see `plain_json`."""
    result = plain_json(row)
    assert isinstance(result, dict)
    return result


def row_json(row: object, parts: Mapping[str, JsonField]) -> JsonObject:
    """Return the entries of a row, by `parts` and else by the annotations of its fields."""
    kind: Any = type(row)
    entries: JsonObject = {}
    for name, annotated in json_fields(kind):
        form = parts.get(name, annotated)
        value = getattr(row, name)
        if form.optional and value is None:
            continue
        inner = row_json(value, form.parts) if is_dataclass(value) else plain_json(value)
        if form.only:
            # A row that is not there keeps its keys: readers find None instead of a KeyError.
            inner = {key: inner[key] if isinstance(inner, dict) else None for key in form.only}
        if form.inline:
            assert inner is None or isinstance(inner, dict)
            renamed = {form.names.get(key, key): entry for key, entry in (inner or {}).items()}
            if clash := entries.keys() & renamed.keys():
                raise TypeError(f"{kind.__name__}.{name} repeats the keys {', '.join(clash)}")
            entries |= renamed
        else:
            entries[form.key or name] = inner
    return entries


@cache
def json_fields(kind: type[Any]) -> tuple[tuple[str, JsonField], ...]:
    """Return the fields of a row's type, each with its annotation."""
    # Annotations are texts until they are evaluated, which is slow: once for each type.
    hints = get_type_hints(kind, include_extras=True)
    forms = []
    for entry in fields(kind):
        notes = getattr(hints[entry.name], "__metadata__", ())
        form = next((note for note in notes if isinstance(note, JsonField)), AS_IT_IS)
        forms.append((entry.name, form))
    return tuple(forms)
