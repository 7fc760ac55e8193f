"""Waits between attempts, as a function of what failed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.calls.retry import Retry, wait_before_next
from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    ModelError,
    RateLimitedError,
    RefusedError,
    StudyError,
    UnreachableError,
)

RETRY = Retry(attempts=5, first_wait_s=1, longest_wait_s=4, deadline_s=100, identical=4)


def wait(*failures: ModelError, elapsed_s: float = 0, retry: Retry = RETRY) -> float | None:
    return wait_before_next(retry, failures, elapsed_s, random.Random(1))


@pytest.mark.parametrize(("failed", "low", "high"), [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (4, 2, 4)])
def test_waits_double_up_to_the_longest_with_jitter(failed: int, low: float, high: float) -> None:
    waits = [
        wait_before_next(
            RETRY, [UnreachableError(str(n)) for n in range(failed)], 0, random.Random(seed)
        )
        for seed in range(50)
    ]
    assert all(low <= w <= high for w in waits if w is not None)
    assert len(set(waits)) == 50


def test_what_cannot_go_well_is_not_tried_again() -> None:
    assert wait(RefusedError("no key")) is None
    assert wait(ContextOverflowError("too long")) is None


def test_the_number_of_attempts_is_what_was_configured() -> None:
    failures = [BadReplyError(str(n)) for n in range(5)]
    assert wait(*failures[:4]) is not None
    assert wait(*failures) is None
    assert wait(failures[0], retry=Retry(attempts=1)) is None
    with pytest.raises(StudyError, match="at least 1 attempt"):
        Retry(attempts=0)


def test_the_same_fault_over_and_over_is_permanent_but_a_rate_limit_is_not() -> None:
    assert wait(*[UnreachableError("503: out of order", http_status=503)] * 4) is None
    assert (
        wait(
            *[UnreachableError("503: out of order", http_status=503)] * 3, UnreachableError("reset")
        )
        is not None
    )
    assert wait(*[RateLimitedError("429", http_status=429)] * 4) is not None


@given(st.floats(0, 90))
def test_retry_after_is_honoured_and_never_shortened(asked_s: float) -> None:
    waited = wait(RateLimitedError("429", retry_after_s=asked_s))
    assert waited is not None
    assert asked_s <= waited <= asked_s + 1


def test_no_attempt_begins_after_the_deadline() -> None:
    assert wait(UnreachableError("x"), elapsed_s=99.9) is None
    assert wait(RateLimitedError("429", retry_after_s=200)) is None
