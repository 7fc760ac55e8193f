"""Tests of what play does to its process while calls are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from arena.play.concurrent import NEW_OBJECTS, collect_seldom


@pytest.fixture(autouse=True)
def _same_afterwards() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_collection_is_seldom_only_meanwhile() -> None:
    gc.set_threshold(700, 10, 10)
    with suppress(ZeroDivisionError), collect_seldom():
        assert gc.get_threshold() == (NEW_OBJECTS, 10, 10)
        raise ZeroDivisionError
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("first", [0, NEW_OBJECTS + 1])
def test_a_collector_that_is_off_or_slower_is_left_alone(first: int) -> None:
    gc.set_threshold(first, 10, 10)
    with collect_seldom():
        assert gc.get_threshold()[0] == first
    assert gc.get_threshold()[0] == first


def test_runs_that_overlap_leave_nothing_behind() -> None:
    gc.set_threshold(700, 10, 10)
    one, other = collect_seldom(), collect_seldom()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    other.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 10)
