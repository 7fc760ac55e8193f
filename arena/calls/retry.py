"""Decide whether a failed call is tried again, and after how long: pure functions.

This is the only retry layer; the SDKs' own are off.  Waits grow by powers of two with jitter, so
that callers who failed together do not come back together (Brooker, "Exponential Backoff and
Jitter", 2015).  A Retry-After is honoured for the call that received it; slowing down the others
is the task of the rate limits.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from arena.errors import ModelError, RateLimitedError, StudyError


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long a call is tried.

    `attempts` bounds the requests on the wire for one ask, the first included.  `first_wait_s` is
    the wait in seconds before the second attempt, `longest_wait_s` the longest before any.
    `deadline_s` bounds the seconds of all attempts and the waits between them; an attempt is cut
    off at the deadline.  `identical` failures in a row with the same kind, status and text count as
    a permanent fault (rate limits excepted).  `server_wait_s` is how long a server that is gone is
    waited for, which counts for none of these (arena/calls/outages.py).
    """

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    deadline_s: float = 900.0
    identical: int = 4
    server_wait_s: float | None = None

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise StudyError(f"a call needs at least 1 attempt, found {self.attempts}")
        if not self.deadline_s > 0:
            raise StudyError(
                f"the deadline of a call must be more than 0 seconds, found {self.deadline_s}"
            )
        if self.server_wait_s is not None and not self.server_wait_s >= 0:
            raise StudyError(
                "a server that is gone is waited for 0 seconds or more, found"
                f" {self.server_wait_s}; leave it out for ten minutes"
            )


def wait_before_next(
    retry: Retry, failures: Sequence[ModelError], elapsed_s: float, draw: random.Random
) -> float | None:
    """Return the seconds to wait before the next attempt, None if there is none.

    `failures` are those of this ask in order.  `elapsed_s` counts the seconds of attempts and
    waits, without time in queues.
    """
    last = failures[-1]
    if not last.retryable or len(failures) >= retry.attempts:
        return None
    latest = failures[-retry.identical :]
    kinds = {(type(failure), failure.http_status, str(failure)) for failure in latest}
    permanent = len(kinds) == 1 and len(failures) >= retry.identical
    if permanent and not isinstance(last, RateLimitedError):
        return None
    # The exponent is bounded so that a float holds the power.
    doubled_s = retry.first_wait_s * 2 ** min(len(failures) - 1, 60)
    wait_s = min(retry.longest_wait_s, doubled_s) * draw.uniform(0.5, 1)
    if isinstance(last, RateLimitedError) and last.retry_after_s is not None:
        wait_s = last.retry_after_s + min(1.0, wait_s)
    return wait_s if elapsed_s + wait_s < retry.deadline_s else None
