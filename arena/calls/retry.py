"""When a failed call is tried again, and after how long: pure functions.  The only retry layer; the SDKs' own are off.

Waits grow by powers of two with jitter, so that callers who failed together do not come back together (Brooker, "Exponential Backoff and
Jitter", 2015).  A Retry-After is honoured for the call that got it; slowing down the others is what limits are for.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from arena.errors import ModelError, RateLimitedError, StudyError


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long a call is tried.

    `attempts`: requests on the wire for one ask at most, the first included.  `first_wait_s`, `longest_wait_s`: seconds before the second
    attempt, and at most before any.  `deadline_s`: seconds that attempts and the waits between them may take; an attempt is cut off when
    they are over.  `identical`: so many failures in a row with the same kind, status and text are a permanent fault (rate limits apart).
    """

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    deadline_s: float = 900.0
    identical: int = 4

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise StudyError(f"a call needs at least 1 attempt, found {self.attempts}")
        if not self.deadline_s > 0:
            raise StudyError(
                f"the deadline of a call must be more than 0 seconds, found {self.deadline_s}"
            )


def wait_before_next(
    retry: Retry, failures: Sequence[ModelError], elapsed_s: float, draw: random.Random
) -> float | None:
    """Seconds to wait before the next attempt, or None where there is none.

    `failures` are those of this ask in order, `elapsed_s` the seconds that attempts and waits have taken, time in queues left out.
    """
    last = failures[-1]
    if not last.retryable or len(failures) >= retry.attempts:
        return None
    alike = {
        (type(failure), failure.http_status, str(failure))
        for failure in failures[-retry.identical :]
    }
    if (
        not isinstance(last, RateLimitedError)
        and len(failures) >= retry.identical
        and len(alike) == 1
    ):
        return None
    wait_s = min(
        retry.longest_wait_s, retry.first_wait_s * 2 ** min(len(failures) - 1, 60)
    ) * draw.uniform(0.5, 1)
    if isinstance(last, RateLimitedError) and last.retry_after_s is not None:
        wait_s = last.retry_after_s + min(1.0, wait_s)
    return wait_s if elapsed_s + wait_s < retry.deadline_s else None
