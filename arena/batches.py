"""Define the terms of a provider for batches of requests, and how one of them stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """The terms of a provider for batches.

    A batch has at most `most_lines` requests in `most_bytes`.  A call in one costs the share
    `price_factor` of a single call's price, where no price list says what it costs.
    """

    most_lines: int
    most_bytes: int
    price_factor: float = 0.5


@dataclass(frozen=True, slots=True)
class BatchState:
    """How a batch stands at its provider.

    `state` is the provider's word for it.  If it has `ended`, nothing more is asked in it, and its
    results can be read; it is `partial` if not all of its lines were asked then, since it expired
    or was cancelled, and `cancelled` as soon as somebody has asked to end it.  `succeeded` and
    `failed` count lines, as far as the provider says.  `error` is the reason why the whole batch
    was refused, so that none of its lines was asked; `queue_full`: too many requests wait at the
    provider already, and a smaller batch may be taken later.
    """

    state: str
    ended: bool = False
    partial: bool = False
    cancelled: bool = False
    succeeded: int | None = None
    failed: int | None = None
    error: str | None = None
    queue_full: bool = False
