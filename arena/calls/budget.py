"""Keep a budget in dollars.

The worst case of a call is reserved before it is sent, and its cost is booked when it has ended.  A
call that does not fit waits, first come first served, while others are in flight, since most cost
far less than their worst case.  If nothing is in flight and it still does not fit, the budget is
spent, and nothing more is started, not even a smaller call.
"""

from __future__ import annotations

import asyncio
from collections import deque

from arena.errors import BudgetSpentError, StudyError


class Budget:
    """The money that a run may spend: `limit_usd` in all, of which `spent_usd` is spent.

    Earlier runs of the study count as spent from the beginning.
    """

    def __init__(self, limit_usd: float, spent_usd: float = 0.0) -> None:
        if not 0 < limit_usd < float("inf"):
            raise StudyError(f"a budget must be more than 0 dollars, found {limit_usd}")
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self.reserved_usd = 0.0
        self.closed: str | None = None
        self._in_flight = 0
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """Return how many calls wait for others to end and free their reservations."""
        return len(self._waiting)

    @property
    def has_calls_in_flight(self) -> bool:
        """Return whether calls are in flight, whose end may make room."""
        return self._in_flight > 0

    def try_reserve(self, worst_usd: float) -> bool:
        """Reserve the worst case of a call if it fits now; return whether it did."""
        fits = self.closed is None and not self._waiting and self._fits(worst_usd)
        if fits:
            self._take(worst_usd)
        return fits

    def reserve_spent(self, worst_usd: float) -> None:
        """Reserve the worst case of a call of an earlier run, which counts as spent so far."""
        self.spent_usd -= worst_usd
        self._take(worst_usd)

    async def reserve(self, worst_usd: float) -> None:
        """Reserve the worst case of a call; every reservation must be settled.

        Raises BudgetSpentError if the call does not fit.
        """
        if self.try_reserve(worst_usd):
            return
        if self.closed is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((worst_usd, waiter))
            self._let_through()
            try:
                await waiter
                return
            except asyncio.CancelledError:
                # The reservation may have been granted in the same tick as the cancellation.
                if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                    self.settle(worst_usd, 0.0)
                else:
                    self._let_through()
                raise
        raise BudgetSpentError(self.closed)

    def settle(self, worst_usd: float, cost_usd: float) -> None:
        """Book the cost of a call in place of its reservation."""
        self._in_flight -= 1
        # Exactly zero at rest: sums of floats leave a remainder behind.
        self.reserved_usd = self.reserved_usd - worst_usd if self._in_flight else 0.0
        self.spent_usd += cost_usd
        self._let_through()

    def _fits(self, worst_usd: float) -> bool:
        # A trillionth of a dollar is the rounding of sums, not money.
        return self.spent_usd + self.reserved_usd + worst_usd <= self.limit_usd + 1e-12

    def _take(self, worst_usd: float) -> None:
        self._in_flight += 1
        self.reserved_usd += worst_usd

    def _let_through(self) -> None:
        """Let waiting calls go in their order, as far as they fit.

        If no call can fit any more, all of them are refused.
        """
        while self._waiting:
            worst_usd, waiter = self._waiting[0]
            if waiter.done():
                self._waiting.popleft()
            elif self._fits(worst_usd) and self.closed is None:
                self._waiting.popleft()
                self._take(worst_usd)
                waiter.set_result(None)
            elif self._in_flight and self.closed is None:
                return
            else:
                self.closed = self.closed or (
                    f"the budget of ${self.limit_usd:g} allows no further call:"
                    f" ${self.spent_usd:.4f} is spent, and the next call may cost"
                    f" ${worst_usd:.4f}; all replies so far are kept, continue with a larger"
                    " budget (or a smaller max_tokens)"
                )
                self._waiting.popleft()
                waiter.set_exception(BudgetSpentError(self.closed))
