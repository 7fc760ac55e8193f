"""What a model takes of a sampling: values that no model takes, settings that this one does not, and the sampling without them.

A value out of range is always an error.  A setting that a model does not take is one too, unless its user lets it be dropped: then the agent
gets the sampling without it, so that ids, tables and the provider see the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from arena.types import Sampling

MOST_LOGPROBS = 20
UNSET = Sampling()


def out_of_range(sampling: Sampling, *, max_temperature: float = float("inf")) -> str | None:
    """What is wrong with the value of a setting, None where nothing is; `hottest` is the highest temperature that the model takes."""
    temperature, top_p, logprobs = sampling.temperature, sampling.top_p, sampling.logprobs
    if temperature is not None and not (
        is_number(temperature)
        and 0 <= temperature <= max_temperature
        and temperature < float("inf")
    ):
        to = "0 on" if max_temperature == float("inf") else f"0 to {max_temperature:g}"
        return f"it takes a temperature from {to}, not {temperature!r}; choose another, or leave it out"
    if top_p is not None and not (is_number(top_p) and 0 < top_p <= 1):
        return (
            f"it takes a top_p above 0 and up to 1, not {top_p!r}; choose another, or leave it out"
        )
    if sampling.max_tokens is not None and not (
        type(sampling.max_tokens) is int and sampling.max_tokens > 0
    ):
        return f"max_tokens is a whole number from 1 on, not {sampling.max_tokens!r}; choose another, or leave it out"
    if not isinstance(sampling.stop, tuple) or not all(
        isinstance(word, str) and word for word in sampling.stop
    ):
        return f"stop is a tuple of words, none of them empty, not {sampling.stop!r}; write stop=('END',), or leave it out"
    if logprobs is not None and not (type(logprobs) is int and 0 <= logprobs <= MOST_LOGPROBS):
        return f"logprobs is a whole number from 0 to {MOST_LOGPROBS}, not {logprobs!r}; choose another, or leave it out"
    if sampling.top_k is not None and not (type(sampling.top_k) is int and sampling.top_k > 0):
        return f"top_k is a whole number from 1 on, not {sampling.top_k!r}; choose another, or leave it out"
    if sampling.min_p is not None and not (is_number(sampling.min_p) and 0 <= sampling.min_p < 1):
        return f"min_p is a number from 0 on and below 1, not {sampling.min_p!r}; choose another, or leave it out"
    choices = sampling.choices
    if (
        not isinstance(choices, tuple)
        or not all(isinstance(text, str) and text for text in choices)
        or len(set(choices)) != len(choices)
    ):
        return f"choices is a tuple of texts, none of them empty or twice, not {choices!r}; write choices=('yes', 'no'), or leave it out"
    if any(one != other and other.startswith(one) for one in choices for other in choices):
        return f"no choice may begin with another, since it would be likelier by that alone: {choices!r}; end them with a mark, or leave them out"
    return None


def unsupported_among(sampling: Sampling, *names: str) -> dict[str, str]:
    """The reason for each setting among `names` that was made, though the provider has no such setting."""
    return {
        name: f"it takes no {name}" for name in names if getattr(sampling, name) not in (None, ())
    }


def is_number(value: object) -> bool:
    """Whether a value is a number, which True and False are not here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def unsupported_message(reasons: Mapping[str, str]) -> str | None:
    """The sentence about settings that a model does not take, from the reason for each, None where there are none."""
    if not reasons:
        return None
    whys = ", and ".join(dict.fromkeys(reasons.values()))
    return f"{whys}; leave {' and '.join(reasons)} out, or allow it to be left out by agent(..., drop_unsupported=True)"


def drop_settings(sampling: Sampling, reasons: Mapping[str, str]) -> Sampling:
    """The sampling without some settings, which are left to the provider."""
    return (
        replace(sampling, **{name: getattr(UNSET, name) for name in reasons})
        if reasons
        else sampling
    )
