"""Check a sampling: values that no model supports, and settings that this model does not support.

A value out of range is always an error.  So is a setting that a model does not support, unless its
user allows it to be dropped: then the agent gets the sampling without it, so that ids, tables and
the provider see the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeGuard

from arena.decoding import decoding_problem
from arena.sampling import EFFORTS, READOUT, READOUTS
from arena.types import BaseModel, Request, Sampling

MOST_LOGPROBS = 20
UNSET = Sampling()


def out_of_range(sampling: Sampling, *, max_temperature: float = float("inf")) -> str | None:
    """Return the reason why the value of a setting is out of range, None if all are in range.

    `max_temperature` is the highest temperature that the model supports.
    """
    temperature = sampling.temperature
    if temperature is not None and not (
        is_number(temperature)
        and 0 <= temperature <= max_temperature
        and temperature < float("inf")
    ):
        to = "0 on" if max_temperature == float("inf") else f"0 to {max_temperature:g}"
        return out_of(f"it takes a temperature from {to}", temperature)
    if sampling.top_p is not None and not (is_number(sampling.top_p) and 0 < sampling.top_p <= 1):
        return out_of("it takes a top_p above 0 and up to 1", sampling.top_p)
    for name in ("max_tokens", "top_k"):
        value = getattr(sampling, name)
        if value is not None and not (type(value) is int and value > 0):
            return out_of(f"{name} is a whole number from 1 on", value)
    logprobs = sampling.logprobs
    if logprobs is not None and not (type(logprobs) is int and 0 <= logprobs <= MOST_LOGPROBS):
        return out_of(f"logprobs is a whole number from 0 to {MOST_LOGPROBS}", logprobs)
    if sampling.min_p is not None and not (is_number(sampling.min_p) and 0 <= sampling.min_p < 1):
        return out_of("min_p is a number from 0 on and below 1", sampling.min_p)
    return wrong_reasoning(sampling) or wrong_penalty(sampling) or wrong_texts(sampling)


def wrong_reasoning(sampling: Sampling) -> str | None:
    """Return the reason why effort or tokens of thought are out of range, None if they are not."""
    effort = sampling.reasoning_effort
    if effort is not None and effort not in EFFORTS:
        return out_of(f"reasoning_effort is one of {', '.join(EFFORTS)}", effort)
    tokens = sampling.thinking_tokens
    if tokens is not None and not (type(tokens) is int and tokens >= 0):
        return out_of("thinking_tokens is a whole number from 0 on", tokens)
    # Both count thoughts: without a difference no token is left for the reply.
    if tokens is not None and sampling.max_tokens is not None and tokens >= sampling.max_tokens:
        return out_of(f"thinking_tokens is less than max_tokens ({sampling.max_tokens})", tokens)
    return None


def wrong_penalty(sampling: Sampling) -> str | None:
    """Return the reason why a penalty is out of range, None if all are in range."""
    for name in ("presence_penalty", "frequency_penalty"):
        value = getattr(sampling, name)
        if value is not None and not (is_number(value) and -2 <= value <= 2):
            return out_of(f"{name} is a number from -2 to 2", value)
    value = sampling.repetition_penalty
    if value is not None and not (is_number(value) and 0 < value <= 2):
        return out_of("repetition_penalty is a number above 0 and up to 2", value)
    return None


def out_of(rule: str, value: object) -> str:
    """Return the reason for a value that breaks a rule."""
    return f"{rule}, not {value!r}; choose another, or leave it out"


def wrong_texts(sampling: Sampling) -> str | None:
    """Return the reason why stop words or choices cannot be used, None if they can."""
    if not is_tuple_of_texts(sampling.stop):
        return (
            f"stop is a tuple of words, none of them empty, not {sampling.stop!r};"
            " write stop=('END',), or leave it out"
        )
    choices = sampling.choices
    if not is_tuple_of_texts(choices) or len(set(choices)) != len(choices):
        return (
            f"choices is a tuple of texts, none of them empty or twice, not {choices!r};"
            " write choices=('yes', 'no'), or leave it out"
        )
    # The longer text contains the shorter one, so that its probability can never be higher.
    if any(text != other and other.startswith(text) for text in choices for other in choices):
        return (
            "no choice may begin with another, since it would be likelier by that alone:"
            f" {choices!r}; end them with a mark, or leave them out"
        )
    return wrong_readouts(sampling)


def wrong_readouts(sampling: Sampling) -> str | None:
    """Return the reason why readouts are none, None if they can be had."""
    readouts = sampling.readouts
    known = is_tuple_of_texts(readouts) and all(READOUT.fullmatch(each) for each in readouts)
    if not known or len({each.partition("@")[0] for each in readouts}) < len(readouts):
        return (
            f"readouts is a tuple of some of {', '.join(READOUTS)}, each once, with the place of"
            f" the answer as in attention_chain@120:125, not {readouts!r}; write"
            " readouts=('tokens',), or leave it out"
        )
    if readouts and sampling.choices:
        return "readouts and choices are two questions; ask them one after the other"
    return None


def is_tuple_of_texts(value: object) -> bool:
    """Return whether a value is a tuple of texts that are not empty."""
    return isinstance(value, tuple) and all(isinstance(text, str) and text for text in value)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number; True and False are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def unsupported_among(sampling: Sampling, *names: str) -> dict[str, str]:
    """Return the reason for each setting among `names` that is set; the provider has none."""
    return {
        name: f"it takes no {name}" for name in names if getattr(sampling, name) not in (None, ())
    }


def drop_unset(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings that are not None; the provider's own values apply to the others."""
    return {name: value for name, value in settings.items() if value is not None}


def unsupported_message(reasons: Mapping[str, str]) -> str | None:
    """Return one sentence about unsupported settings, given the reason for each; None for none."""
    if not reasons:
        return None
    # Several settings may share one reason.
    whys = ", and ".join(dict.fromkeys(reasons.values()))
    return (
        f"{whys}; leave {' and '.join(reasons)} out, or allow it to be left out by"
        " agent(..., drop_unsupported=True)"
    )


def drop_settings(sampling: Sampling, reasons: Mapping[str, str]) -> Sampling:
    """Return the sampling without the settings in `reasons`, which are left to the provider."""
    unset = {name: getattr(UNSET, name) for name in reasons}
    return replace(sampling, **unset) if unset else sampling


class ProviderModel(BaseModel):
    """A model of a provider, which is not asked with settings that it is known not to support.

    `drop_unsupported`: whether settings that only its provider knows may be left out once refused.
    """

    drop_unsupported = False
    max_temperature = float("inf")

    def unsupported_settings(self, sampling: Sampling) -> dict[str, str]:
        """Return the reason for each setting that is known not to be supported."""
        return unsupported_among(sampling, "choices")

    def unsupported(self, sampling: Sampling) -> dict[str, str]:
        """Return the reasons of `unsupported_settings`, and that for a way of decoding."""
        reasons = self.unsupported_settings(sampling)
        why = decoding_problem(sampling.decoding, self.capabilities)
        return reasons if why is None else {**reasons, "decoding": why}

    def wrong_value(self, sampling: Sampling) -> str | None:
        """Return why a value cannot be sent to this model, whatever may be left out, else None."""
        return out_of_range(sampling, max_temperature=self.max_temperature) or (
            # Never left out: the estimator that asks for them cannot read another reply.
            "readouts need a model on this machine: give a local/ model as the scorer"
            if sampling.readouts and "readouts" not in self.capabilities
            else None
        )

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return why the model does not support the sampling; None if it does, as far as known."""
        wrong = self.wrong_value(sampling)
        return wrong or unsupported_message(self.unsupported(sampling))

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Return the sampling without the settings that the model does not support."""
        return drop_settings(sampling, self.unsupported(sampling))

    def lacks(self, sampling: Sampling) -> dict[str, str]:
        """Return the reason for each setting of a question that is left out, where that is allowed.

        Choices are never: a protocol that asks for one cannot read another reply.
        """
        if not self.drop_unsupported:
            return {}
        unsupported = self.unsupported(sampling)
        return {name: why for name, why in unsupported.items() if name != "choices"}

    def supported_request(self, request: Request) -> Request:
        """Return the request without the settings of its question that are left out."""
        lacked = self.lacks(request.sampling)
        if not lacked:
            return request
        return replace(request, sampling=drop_settings(request.sampling, lacked))
