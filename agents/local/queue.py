"""Who is served next: groups in turn, rows with kept words left to those who will go on from them.  Pure bookkeeping, no tensors.

A group is what moves in step: the seats of one episode.  Groups take turns, in the order in which they came; within a group those go first
whose words are kept in a row already.  A group that holds no row yet waits until it can be admitted whole (or in waves of as many as there
are rows), unless the groups before it did not move in step.  The rows of a group that is being played are not given to others while it goes
on from them: taking them would only make both read their prompts again and again.  Whoever has waited longer than PATIENCE_S may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

PATIENCE_S = 30.0
# How long a group counts as being played after its last reply, where nobody says that it is over: other models may be asked meanwhile.
GRACE_S = 2.0
# The members of a group ask one after another, not at the same instant; those that are on their way are known besides.
SETTLED_S = 0.01


class QueueItem(Protocol):
    """What waits: its group, a priority (lower goes first), and when it came (monotonic seconds)."""

    group: str
    priority: int
    came_at: float


@dataclass(slots=True)
class Group:
    """What a group has waiting and running; `wave` counts how often it began to ask again after a pause, `turn` orders the groups."""

    turn: int
    waiting: list[QueueItem] = field(default_factory=list)
    running: int = 0
    wave: int = 0
    last_seen: float = 0.0
    blocked_at: float | None = None
    came_at: float = 0.0
    widest: int = 0
    width: int = 0
    last_width: int = 0

    def is_complete(self, now: float) -> bool:
        """Whether all of its members that will ask have done so, as far as can be told: as many as last time, or none for a moment."""
        return 0 < self.last_width <= len(self.waiting) or now - self.came_at >= SETTLED_S

    def may_start(self, room: int, rows: int, now: float, max_wait_s: float) -> bool:
        """Whether a group that holds no row may take some: `room` are to be had, of `rows` in all.  After `whole_s` a part of them will do."""
        if room >= min(len(self.waiting), rows):
            return True
        self.blocked_at = now if self.blocked_at is None else self.blocked_at
        return room > 0 and now - self.blocked_at >= max_wait_s


class Queue:
    """The groups and what they have waiting."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.max_wait_s = PATIENCE_S
        self.on_their_way: Counter[str] = Counter()
        self._turns = 0

    def __len__(self) -> int:
        return sum(len(group.waiting) for group in self.groups.values())

    def add(self, one: QueueItem, now: float) -> None:
        """Let one wait at the end of its group."""
        self._forget(now)
        group = self.groups.get(one.group)
        if group is None:
            self._turns += 1
            group = self.groups[one.group] = Group(self._turns)
        if not group.waiting and not group.running:
            group.wave += 1
            group.last_width, group.width = group.width, 0
        group.waiting.append(one)
        group.width += 1
        group.widest = max(group.widest, group.width)
        group.last_seen = group.came_at = now

    def start(self, one: QueueItem) -> None:
        """One is no longer waiting but running."""
        group = self.groups[one.group]
        group.waiting.remove(one)
        group.running += 1
        group.blocked_at = None

    def end(self, one: QueueItem, now: float) -> None:
        """One that was running is through."""
        group = self.groups[one.group]
        group.running -= 1
        group.last_seen = now

    def end_group(self, name: str) -> None:
        """A group is over: nobody will go on from its rows.

        What it did is what the next ones will do: one whose members came back moves in step, and would read everything again and again on
        fewer rows than it has members; one whose members came once can be served bit by bit.
        """
        group = self.groups.get(name)
        if group is None or group.waiting or group.running:
            return
        if group.widest > 1:
            self.max_wait_s = PATIENCE_S if group.wave > 1 else 0.0
        del self.groups[name]

    def drop(self, one: QueueItem) -> None:
        """One that was waiting has given up."""
        self.groups[one.group].waiting.remove(one)

    def move_to_back(self, name: str) -> None:
        """A group has had its turn and goes behind the others."""
        self._turns += 1
        self.groups[name].turn = self._turns

    def in_turn(self, now: float, *, busy: bool) -> list[tuple[str, Group]]:
        """The groups that have something waiting: by priority, then by turn.  Where others wait or the engine is `busy`, a group goes in when
        all of its members have come."""
        waiting = [(name, group) for name, group in self.groups.items() if group.waiting]
        if busy or len(waiting) > 1:
            waiting = [
                (name, group)
                for name, group in waiting
                if name not in self.on_their_way and group.is_complete(now)
            ]
        return sorted(
            waiting, key=lambda pair: (min(one.priority for one in pair[1].waiting), pair[1].turn)
        )

    def everyone(self) -> Iterator[QueueItem]:
        """All that wait."""
        for group in self.groups.values():
            yield from group.waiting

    def wave(self, name: str) -> int:
        """The group's wave; 0 for one that is forgotten."""
        return self.groups[name].wave if name in self.groups else 0

    def is_held(self, owner: str, wave: int, now: float) -> bool:
        """Whether a row that `owner` left words in during its wave `wave` will probably be gone on from by that group."""
        group = self.groups.get(owner)
        if group is None or group.wave - wave > 1:
            return False
        return bool(group.waiting or group.running) or now - group.last_seen < GRACE_S

    def _forget(self, now: float) -> None:
        for name in [
            n
            for n, g in self.groups.items()
            if not g.waiting and not g.running and now - g.last_seen > PATIENCE_S
        ]:
            del self.groups[name]
