"""Decide which group of requests is served next; pure bookkeeping, without tensors.

A group is the seats of one episode, which move in step.  Groups take turns in the order of their
arrival; within a group, requests that continue text kept in a row go first.  A group without a row
waits until all of it can be admitted (or as many as there are rows), unless the groups before it
did not move in step.

The rows of a group in play are not given to others while it goes on from them: otherwise both
would read their prompts again and again.  A request that has waited for more than PATIENCE_S may
take them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

PATIENCE_S = 30.0
# How long a group counts as being in play after its last reply, unless its end is announced: other
# models may be answering meanwhile.
GRACE_S = 2.0
# The members of a group ask one after another, not at the same instant.  Those that are still
# preparing their prompt are known besides, from `Queue.on_their_way`.
SETTLED_S = 0.01


class QueueItem(Protocol):
    """A request: its group, its priority (lower goes first), its arrival (monotonic seconds)."""

    group: str
    priority: int
    came_at: float


Item = TypeVar("Item", bound=QueueItem)


@dataclass(slots=True)
class Group(Generic[Item]):
    """The waiting and running requests of a group; times are monotonic seconds.

    A wave begins when a group without waiting or running requests asks again.  `wave` counts them;
    `width` and `last_width` are the numbers of requests in this wave and in the one before, and
    `widest` is the largest so far.  `turn` orders the groups.  Since `blocked_at` the group has
    been waiting for nothing but rows (None: it is not).
    """

    turn: int
    waiting: list[Item] = field(default_factory=list)
    running: int = 0
    wave: int = 0
    last_seen: float = 0.0
    blocked_at: float | None = None
    came_at: float = 0.0
    widest: int = 0
    width: int = 0
    last_width: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether no request waits or runs."""
        return not self.waiting and not self.running

    def is_complete(self, now: float) -> bool:
        """Return whether all members that will ask in this wave have probably done so.

        As many wait as asked in the last wave, or none has come for SETTLED_S.
        """
        return 0 < self.last_width <= len(self.waiting) or now - self.came_at >= SETTLED_S

    def may_start(self, room: int, rows: int, now: float, max_wait_s: float) -> bool:
        """Return whether a group that holds no row may take some.

        `room` of all `rows` can be had.  After `max_wait_s` a part of the members will do.
        """
        if room >= min(len(self.waiting), rows):
            return True
        self.blocked_at = now if self.blocked_at is None else self.blocked_at
        return room > 0 and now - self.blocked_at >= max_wait_s


class Queue(Generic[Item]):
    """The groups and their waiting requests.

    `max_wait_s` is how long a group waits for rows for all of its members; `on_their_way` counts
    the requests of each group that have been announced and have not come yet.
    """

    def __init__(self) -> None:
        self.groups: dict[str, Group[Item]] = {}
        self.max_wait_s = PATIENCE_S
        self.on_their_way: Counter[str] = Counter()
        self._turns = 0

    def __len__(self) -> int:
        return sum(len(group.waiting) for group in self.groups.values())

    def add(self, item: Item, now: float) -> None:
        """Put a request at the end of its group."""
        self._forget(now)
        group = self.groups.get(item.group)
        if group is None:
            self._turns += 1
            group = self.groups[item.group] = Group(self._turns)
        if group.is_idle:
            group.wave += 1
            group.last_width = group.width
            group.width = 0
        group.waiting.append(item)
        group.width += 1
        group.widest = max(group.widest, group.width)
        group.last_seen = group.came_at = now

    def start(self, item: Item) -> None:
        """Move a waiting request to the running ones."""
        group = self.groups[item.group]
        group.waiting.remove(item)
        group.running += 1
        group.blocked_at = None

    def end(self, item: Item, now: float) -> None:
        """Note that a running request has ended."""
        group = self.groups[item.group]
        group.running -= 1
        group.last_seen = now

    def end_group(self, name: str) -> None:
        """Forget a group that is over: nobody will go on from its rows.

        The next groups are expected to behave like it.  A group whose members came back moves in
        step, and on fewer rows than members it would read everything again and again; a group whose
        members came once can be served bit by bit.
        """
        group = self.groups.get(name)
        if group is None or not group.is_idle:
            return
        if group.widest > 1:
            self.max_wait_s = PATIENCE_S if group.wave > 1 else 0.0
        del self.groups[name]

    def drop(self, item: Item) -> None:
        """Remove a waiting request that was given up."""
        self.groups[item.group].waiting.remove(item)

    def move_to_back(self, name: str) -> None:
        """Put a group that has had its turn behind the others."""
        self._turns += 1
        self.groups[name].turn = self._turns

    def in_turn(self, now: float, *, busy: bool) -> list[tuple[str, Group[Item]]]:
        """Return the groups with waiting requests: by priority, then by turn.

        If several wait or the engine is `busy`, only groups whose members have all come are listed:
        a group that goes in without one would read its prompt once more for that member.
        """
        waiting = [(name, group) for name, group in self.groups.items() if group.waiting]
        if busy or len(waiting) > 1:
            waiting = [
                (name, group)
                for name, group in waiting
                if name not in self.on_their_way and group.is_complete(now)
            ]
        return sorted(
            waiting, key=lambda pair: (min(item.priority for item in pair[1].waiting), pair[1].turn)
        )

    def everyone(self) -> Iterator[Item]:
        """Yield all waiting requests."""
        for group in self.groups.values():
            yield from group.waiting

    def wave(self, name: str) -> int:
        """Return the number of a group's wave; 0 for a group that is forgotten."""
        return self.groups[name].wave if name in self.groups else 0

    def is_held(self, owner: str, wave: int, now: float) -> bool:
        """Return whether `owner` will probably go on from a row that it used in its wave `wave`.

        A row that the whole next wave left alone is given up.
        """
        group = self.groups.get(owner)
        if group is None or group.wave - wave > 1:
            return False
        return not group.is_idle or now - group.last_seen < GRACE_S

    def _forget(self, now: float) -> None:
        for name, group in list(self.groups.items()):
            if group.is_idle and now - group.last_seen > PATIENCE_S:
                del self.groups[name]
