"""Define ways of decoding: how a local model goes from its logits to the next token.

A way of decoding is a setting, `Sampling(decoding=SoftThinking())`, and part of the identity of an
episode.  Only models on this machine have them (agents/local/decoding); others refuse it by name.
docs/decoding.md says when to use which.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from arena.errors import StudyError

# Settings of a local reference that change what its model writes; others are of the machine.
WORDS_OF_WEIGHTS = ("adapter=", "dtype=int", "dtype=fp8")


@dataclass(frozen=True, slots=True)
class Decoding:
    """A way of decoding; `by` is its name in the record."""

    by: ClassVar[str] = ""

    def content(self) -> dict[str, object]:
        """Return its settings for ids and hashes, which must never change."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SoftThinking(Decoding):
    """Think in concept tokens, mixtures of the likeliest tokens' embeddings, then answer in tokens.

    "Soft Thinking", arXiv 2505.15778.  The reply begins with the thought.  Each concept token is
    the mean of the embeddings of the `concepts` likeliest tokens, weighted with their probabilities
    under `temperature` >= 0 (0: the likeliest alone), `top_k`, `top_p` and `min_p`.  The thought
    ends where the likeliest token completes the text `end`, or with a cold stop: once the entropy
    (nats) has been below `cold_entropy` for `cold_tokens` tokens in a row, `end` is written.  A
    `cold_entropy` of 0 turns that off.  With `cold_answer` the same rule ends an answer, as the
    released code does; such a reply is not complete.  The defaults are those published.
    """

    by: ClassVar[str] = "soft_thinking"
    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 30
    min_p: float = 0.001
    concepts: int = 10
    cold_entropy: float = 0.01
    cold_tokens: int = 256
    end: str = "</think>"
    cold_answer: bool = False

    def __post_init__(self) -> None:
        check_number("temperature", self.temperature, 0, math.inf)
        check_number("top_p", self.top_p, 1e-6, 1)
        check_number("min_p", self.min_p, 0, 1)
        check_number("cold_entropy", self.cold_entropy, 0, math.inf)
        check_count("top_k", self.top_k, 0)
        check_count("concepts", self.concepts, 1)
        check_count("cold_tokens", self.cold_tokens, 1)
        check_text("end", self.end)

    def content(self) -> dict[str, object]:
        """Return its settings for ids and hashes, which must never change."""
        return {
            "by": self.by,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "min_p": self.min_p,
            "concepts": self.concepts,
            "cold_entropy": self.cold_entropy,
            "cold_tokens": self.cold_tokens,
            "end": self.end,
            "cold_answer": self.cold_answer,
        }


@dataclass(frozen=True, slots=True)
class CkPlug(Decoding):
    """Weigh what a context says against what the model knows, where the context confuses it.

    CK-PLUG, "Parameters vs. Context", arXiv 2503.15888.  `context` is the part of the prompt that a
    second pass leaves out, word for word.  With p and c the distributions without and with it, and
    H their entropies (nats), the confidence gain is H(p) - H(c).  Where it is below `epsilon`, the
    next token is drawn from alpha log p + (1 - alpha) (log c - log p): `alpha` in [0, 1] is 1 for
    the model's own knowledge and 0 for the context, None for the weights that follow from the
    entropies.  The `rule` is "stated", or that of the released code: "released", which adjusts
    where H(p) - 2 H(c) is below epsilon.
    """

    by: ClassVar[str] = "ck_plug"
    context: str = ""
    alpha: float | None = 0.5
    epsilon: float = 0.0
    rule: str = "stated"

    def __post_init__(self) -> None:
        if not isinstance(self.context, str):
            raise StudyError(f"the context is a text, not {self.context!r:.60}")
        if self.alpha is not None:
            check_number("alpha", self.alpha, 0, 1)
        check_number("epsilon", self.epsilon, -math.inf, math.inf)
        if self.rule not in ("stated", "released"):
            raise StudyError(f"the rule is 'stated' or 'released', not {self.rule!r:.60}")

    def content(self) -> dict[str, object]:
        """Return its settings for ids and hashes, which must never change."""
        return {
            "by": self.by,
            "context": self.context,
            "alpha": self.alpha,
            "epsilon": self.epsilon,
            "rule": self.rule,
        }


@dataclass(frozen=True, slots=True)
class SpeculativeThinking(Decoding):
    """Let a larger model take over where a smaller one reflects in its thought.

    "Speculative Thinking", arXiv 2504.12329.  `model` is the reference of the larger one
    (local/...), whose tokens are the same.  At each end of a paragraph the smaller model drafts
    `piece` tokens.  A draft that holds words of reflection or of decision is replaced by as many of
    the larger model; a piece with a word of checking lets the larger one go on for `check_tokens`.
    After `most_negative` paragraphs that reflect, the larger model writes a check of
    `check_tokens`: each time the next comes `negative_step` paragraphs later, up to
    `negative_limit`, and is `check_step` tokens longer, up to `check_limit`.  With `every` each
    paragraph goes to the larger model, which also begins with `first_tokens`: for small models that
    do not reason by themselves.  The defaults are those published.
    """

    by: ClassVar[str] = "speculative_thinking"
    model: str
    piece: int = 20
    most_negative: int = 15
    negative_step: int = 5
    negative_limit: int = 30
    check_tokens: int = 125
    check_step: int = 25
    check_limit: int = 200
    every: bool = False
    first_tokens: int = 100

    def __post_init__(self) -> None:
        if not is_local(self.model):
            raise StudyError(
                f"the larger model of speculative thinking is one on this machine (local/...), not"
                f" {self.model!r:.60}; over servers, play the protocol speculative_thinking"
            )
        for name in ("piece", "most_negative", "negative_limit", "check_tokens", "check_limit"):
            check_count(name, getattr(self, name), 1)
        for name in ("negative_step", "check_step", "first_tokens"):
            check_count(name, getattr(self, name), 0)

    def content(self) -> dict[str, object]:
        """Return its settings for ids and hashes, which must never change."""
        return {
            "by": self.by,
            "model": named(self.model),
            "piece": self.piece,
            "most_negative": self.most_negative,
            "negative_step": self.negative_step,
            "negative_limit": self.negative_limit,
            "check_tokens": self.check_tokens,
            "check_step": self.check_step,
            "check_limit": self.check_limit,
            "every": self.every,
            "first_tokens": self.first_tokens,
        }


@dataclass(frozen=True, slots=True)
class CertaintyStop(Decoding):
    """End a thought once the model has been sure of its tokens for a while; a method of ours.

    The reply begins with the thought.  Where the mean self-certainty (nats; arXiv 2502.18581, eq.
    7) of its last `window` tokens is `threshold` or more, the text `end` is written and the model
    goes on with its answer; not within the first `least` tokens.  What a threshold means depends on
    the size of the vocabulary: take it from the measures of plain replies.
    """

    by: ClassVar[str] = "certainty_stop"
    threshold: float = math.nan
    window: int = 64
    least: int = 0
    end: str = "</think>"

    def __post_init__(self) -> None:
        if isinstance(self.threshold, float) and math.isnan(self.threshold):
            raise StudyError("CertaintyStop needs a threshold in nats, such as threshold=8.0")
        check_number("threshold", self.threshold, 0, math.inf)
        check_count("window", self.window, 1)
        check_count("least", self.least, 0)
        check_text("end", self.end)

    def content(self) -> dict[str, object]:
        """Return its settings for ids and hashes, which must never change."""
        return {
            "by": self.by,
            "threshold": self.threshold,
            "window": self.window,
            "least": self.least,
            "end": self.end,
        }


@dataclass(frozen=True, slots=True)
class SoftCot(Decoding):
    """Read soft thoughts of a smaller model before the reply, through weights that were trained.

    SoftCoT++, "Test-Time Scaling with Soft Chain-of-Thought Reasoning", arXiv 2505.11484.
    `assistant` is the reference of the smaller model (local/...), which reads the same messages,
    and behind the last of a user `thoughts` times one embedding of its own, number `initial` of
    those in `weights`.  Its last hidden states there are projected to the size of this model's
    embeddings, and stand behind the same message in this model's prompt.  `weights` is a folder
    with projection.bin, as the released code writes it, or projection.safetensors.  Both models
    stay as they are; nothing is trained here.  The default of `thoughts` is that of the paper's
    tests; one thought for each `initial`, and a vote over them, is protocols/soft_cot.py.
    """

    by: ClassVar[str] = "soft_cot"
    assistant: str
    weights: str
    initial: int = 0
    thoughts: int = 4

    def __post_init__(self) -> None:
        if not is_local(self.assistant):
            raise StudyError(
                f"the assistant of soft_cot is a model on this machine (local/...), not"
                f" {self.assistant!r:.60}: its hidden states are read"
            )
        check_text("weights", self.weights)
        check_count("initial", self.initial, 0)
        check_count("thoughts", self.thoughts, 1)

    def content(self) -> dict[str, object]:
        """Return its settings for ids and hashes, which must never change."""
        return {
            "by": self.by,
            "assistant": named(self.assistant),
            "weights": self.weights.rstrip("/").rpartition("/")[2],
            "initial": self.initial,
            "thoughts": self.thoughts,
        }


WAYS: dict[str, type[Decoding]] = {
    way.by: way for way in (SoftThinking, CkPlug, SpeculativeThinking, CertaintyStop, SoftCot)
}


def is_local(reference: object) -> bool:
    """Return whether this is the reference of a model on this machine."""
    return isinstance(reference, str) and reference.startswith(("local/", "toy/"))


def named(reference: str) -> str:
    """Return a reference as it stands in the identity of an episode.

    A folder stands there without those around it, and of the settings those that change words.
    """
    where, _, query = reference.partition("?")
    kind, _, name = where.partition("/")
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        name = name.rstrip("/").rpartition("/")[2]
    name = f"{kind}/{name}"
    words = sorted(each for each in query.split("&") if each.startswith(WORDS_OF_WEIGHTS))
    return f"{name}?{'&'.join(words)}" if words else name


def decoding_problem(decoding: Decoding | None, capabilities: Collection[str]) -> str | None:
    """Return why a model with these capabilities has no such way of decoding, or None."""
    if decoding is None or "decoding" in capabilities:
        return None
    return f"{decoding.by} is a way of decoding, which needs a model on this machine (local/...)"


def stored_decoding(content: Mapping[str, object]) -> Decoding | None:
    """Return the way of decoding that a record holds; None for one that is not known here.

    Settings that are not known here are ignored.
    """
    way = WAYS.get(str(content.get("by")))
    if way is None:
        return None
    names = {each.name for each in fields(way)}
    return way(**{name: value for name, value in content.items() if name in names})


def check_number(name: str, value: object, least: float, most: float) -> None:
    """Raise StudyError unless a value is a number from `least` to `most`."""
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    if not (math.isfinite(number) and least <= number <= most):
        raise StudyError(
            f"{name} is a number from {least:g} to {most:g}, not {value!r:.60}; choose another"
        )


def check_count(name: str, value: object, least: int) -> None:
    """Raise StudyError unless a value is a whole number from `least` on."""
    if not (type(value) is int and value >= least):
        raise StudyError(
            f"{name} is a whole number from {least} on, not {value!r:.60}; choose another"
        )


def check_text(name: str, value: object) -> None:
    """Raise StudyError unless a value is a text that is not empty."""
    if not (isinstance(value, str) and value):
        raise StudyError(f"{name} is a text that is not empty, not {value!r:.60}; choose another")
