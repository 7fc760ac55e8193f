"""Groups take turns, rows are held for those who go on from them, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agents.local.queue import GRACE_S, PATIENCE_S, SETTLED_S, Queue

LONG_S = 1.0


@dataclass(eq=False)
class Item:
    """Something that waits."""

    group: str
    priority: int = 0
    came_at: float = 0.0


def filled(*groups: str) -> Queue:
    queue = Queue()
    for group in groups:
        queue.add(Item(group), 0.0)
    return queue


def names(queue: Queue) -> list[str]:
    return [name for name, _ in queue.in_turn(1.0, busy=False)]


def test_groups_take_turns() -> None:
    queue = filled("a", "a", "b", "c")
    assert names(queue) == ["a", "b", "c"]
    queue.move_to_back("a")
    assert names(queue) == ["b", "c", "a"]


def test_a_group_waits_for_its_members_where_others_wait() -> None:
    queue = filled("a")
    assert [name for name, _ in queue.in_turn(0.0, busy=False)] == ["a"]
    assert queue.in_turn(0.0, busy=True) == []
    queue.add(Item("b"), 0.0)
    assert queue.in_turn(SETTLED_S / 2, busy=False) == []
    assert len(queue.in_turn(SETTLED_S, busy=False)) == 2


def test_a_lower_priority_goes_first() -> None:
    queue = filled("a", "b")
    queue.add(Item("c", priority=-1), 0.0)
    assert names(queue) == ["c", "a", "b"]


def test_rows_are_held_for_a_group_while_it_is_played_and_a_moment_longer() -> None:
    queue = filled("a")
    item = queue.groups["a"].waiting[0]
    queue.start(item)
    assert queue.is_held("a", 1, 0.0)
    queue.end(item, 5.0)
    assert queue.is_held("a", 1, 5.0 + GRACE_S / 2)
    assert not queue.is_held("a", 1, 5.0 + GRACE_S * 2)
    assert not queue.is_held("never seen", 1, 5.0)


def test_rows_of_a_group_that_is_over_are_held_no_longer() -> None:
    queue = filled("a")
    item = queue.groups["a"].waiting[0]
    queue.end_group("a")
    assert queue.is_held("a", 1, 0.0)
    queue.start(item)
    queue.end(item, 0.0)
    queue.end_group("a")
    assert not queue.is_held("a", 1, 0.0)


def test_a_row_that_nobody_went_on_from_for_two_waves_is_given_up() -> None:
    queue = filled("a")
    for _ in range(2):
        item = queue.groups["a"].waiting[0]
        queue.start(item)
        queue.end(item, 0.0)
        queue.add(Item("a"), 0.0)
    assert queue.wave("a") == 3
    assert (queue.is_held("a", 1, 0.0), queue.is_held("a", 2, 0.0)) == (False, True)


def test_a_group_starts_whole_or_after_a_while() -> None:
    queue = filled("a", "a", "a")
    group = queue.groups["a"]
    assert group.may_start(3, 4, 0.0, LONG_S)
    assert not group.may_start(2, 4, 0.0, LONG_S)
    assert group.may_start(2, 2, 0.0, LONG_S)
    assert not group.may_start(2, 4, LONG_S / 2, LONG_S)
    assert group.may_start(2, 4, LONG_S, LONG_S)
    assert not group.may_start(0, 4, LONG_S, LONG_S)


@pytest.mark.parametrize(("waves", "max_wait_s"), [(1, 0.0), (2, PATIENCE_S)])
def test_what_a_group_did_is_expected_of_the_next(waves: int, max_wait_s: float) -> None:
    queue = Queue()
    for _ in range(waves):
        members = [Item("a"), Item("a")]
        for item in members:
            queue.add(item, 0.0)
        for item in members:
            queue.start(item)
            queue.end(item, 0.0)
    queue.end_group("a")
    assert queue.max_wait_s == max_wait_s


def test_groups_that_are_through_are_forgotten() -> None:
    queue = filled("a")
    queue.drop(queue.groups["a"].waiting[0])
    queue.add(Item("b"), 2 * PATIENCE_S)
    assert set(queue.groups) == {"b"}
