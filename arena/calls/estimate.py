"""What a run is expected to take, as numbers: calls, tokens and dollars by model.  How they are found is a rehearsal (rehearsal.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """What the calls to one model are expected to take.

    `usd`: dollars, None where the price is not known.  `usd_if_longest`: with every reply as long as it may be, None where nothing bounds it.
    """

    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    usd: float | None
    usd_if_longest: float | None


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What is expected of `episodes` episodes, by model; `played` of them were played with stand-ins and stand for all.

    `simulated`: nothing of it would go to a real model.  `failed`: how many could not be played so, and `why` the first of them could not.
    """

    episodes: int
    played: int
    models: tuple[ModelEstimate, ...]
    simulated: bool = False
    failed: int = 0
    why: str | None = None

    @property
    def calls(self) -> int:
        """Calls to all models."""
        return sum(model.calls for model in self.models)

    @property
    def tokens_in(self) -> int:
        """Tokens of all prompts."""
        return sum(model.tokens_in for model in self.models)

    @property
    def tokens_out(self) -> int:
        """Tokens of all replies."""
        return sum(model.tokens_out for model in self.models)

    @property
    def usd(self) -> float | None:
        """Dollars in all, None where a price is not known."""
        return sum_if_known([model.usd for model in self.models])

    @property
    def usd_if_longest(self) -> float | None:
        """Dollars in all with every reply as long as it may be, None where a price or a bound is not known."""
        return sum_if_known([model.usd_if_longest for model in self.models])


def sum_if_known(parts: Sequence[float | None]) -> float | None:
    """The sum, None where a part is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def describe_estimate(expected: CostEstimate) -> str:
    """An estimate in one line."""
    text = (
        f"{expected.calls:,} calls, {expected.tokens_in:,} tokens in, {expected.tokens_out:,} out"
    )
    unknown = [model.model for model in expected.models if model.usd is None]
    text += (
        f", price of {', '.join(unknown)} not known" if unknown else f", ${expected.usd or 0:.4f}"
    )
    if expected.usd_if_longest:
        text += f" (${expected.usd_if_longest:.4f} if all replies are as long as they may be)"
    return text + (
        f"; {expected.failed} episodes could not be estimated ({expected.why})"
        if expected.failed
        else ""
    )
