"""Describe the expected cost of a run in numbers: calls, tokens and dollars by model.

A dry run (arena/play/dry_run.py) finds the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena.calls.earlier_versions import EarlierVersion


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """The expected cost of the calls to one model.

    `usd` is in dollars, None if the price is unknown.  `calls_at_most` and `usd_if_longest` assume
    that whatever may be asked once more is, and `usd_if_longest` also that every reply is as long
    as it may be: None if nothing bounds its length.  Of `tokens_in`, the provider's cache is
    expected to serve `tokens_cached`.
    """

    model: str
    calls: int
    calls_at_most: int
    tokens_in: int
    tokens_out: int
    usd: float | None
    usd_if_longest: float | None
    tokens_cached: int = 0


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The expected cost of a number of episodes, by model.

    `played` of the `episodes` were played with stand-ins and represent all of them.  `simulated`
    says that no call would go to a real model.  `failed` counts episodes that the stand-ins could
    not play, and `why` is the reason of the first of them.  `earlier` versions of the protocols
    have played episodes of the study, beside which these would be played anew.  `lengths` says what
    was learned from stored calls, None if nothing was.  `notes` are sentences for the user.
    """

    episodes: int
    played: int
    models: tuple[ModelEstimate, ...]
    simulated: bool = False
    failed: int = 0
    why: str | None = None
    earlier: tuple[EarlierVersion, ...] = ()
    lengths: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def calls(self) -> int:
        """Return the calls to all models."""
        return sum(model.calls for model in self.models)

    @property
    def calls_at_most(self) -> int:
        """Return the calls to all models if all that may be asked once more is."""
        return sum(model.calls_at_most for model in self.models)

    @property
    def tokens_in(self) -> int:
        """Return the tokens of all prompts."""
        return sum(model.tokens_in for model in self.models)

    @property
    def tokens_cached(self) -> int:
        """Return the tokens of all prompts that caches are expected to serve."""
        return sum(model.tokens_cached for model in self.models)

    @property
    def tokens_out(self) -> int:
        """Return the tokens of all replies."""
        return sum(model.tokens_out for model in self.models)

    @property
    def usd(self) -> float | None:
        """Return the dollars for all models, None if a price is unknown."""
        return sum_if_known([model.usd for model in self.models])

    @property
    def usd_if_longest(self) -> float | None:
        """Return the dollars if every reply is as long as it may be, and all are asked once more.

        None if a price or a bound is unknown.
        """
        return sum_if_known([model.usd_if_longest for model in self.models])


def sum_if_known(parts: Sequence[float | None]) -> float | None:
    """Return the sum, None if any part is unknown."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def describe_estimate(expected: CostEstimate) -> str:
    """Describe an estimate in one line."""
    calls = f"{expected.calls:,} calls"
    if expected.calls_at_most > expected.calls:
        calls += f" (at most {expected.calls_at_most:,} with re-asks)"
    cached = f" ({expected.tokens_cached:,} from caches)" if expected.tokens_cached else ""
    text = f"{calls}, {expected.tokens_in:,} tokens in{cached}, {expected.tokens_out:,} out"
    unknown = [model.model for model in expected.models if model.usd is None]
    if unknown:
        text += f", price of {', '.join(unknown)} not known"
    else:
        text += f", ${expected.usd or 0:.4f}"
    if expected.usd_if_longest:
        text += f" (at most ${expected.usd_if_longest:.4f} with re-asks and the longest replies)"
    if expected.failed:
        text += f"; {expected.failed} episodes could not be estimated ({expected.why})"
    return text
