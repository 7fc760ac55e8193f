"""Which draft gets which row: kept beginnings, copies of them, and the three regions of rows.

Rows [0, decoding) decode, [decoding, active) have their prompts read, and those from `active` on are idle but keep what they hold.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from agents.local.cache import Rows
from agents.local.drafts import NO_ROW, Draft
from agents.local.queue import PATIENCE_S, Group, Queue

# A beginning shorter than this is read again rather than copied.
SHORTEST_COPY = 8


@dataclass(slots=True)
class Row:
    """What the cache holds in a row: the first `filled` of `tokens`, of which `planned` are known; who left it there, in which wave, and when
    it was last used.  `home` is the place of `tokens` in the engine's table of them, which stays when the row moves."""

    home: int
    tokens: np.ndarray
    filled: int = 0
    planned: int = 0
    draft: Draft | None = None
    owner: str = ""
    wave: int = 0
    used: int = 0


@dataclass(slots=True)
class Counts:
    """What the engine has done: tokens run through the model (padding not counted), read ahead and decoded; steps; and mishaps."""

    prefilled: int = 0
    decoded: int = 0
    steps: int = 0
    reused: int = 0
    copied_rows: int = 0
    out_of_memory: int = 0


@dataclass(frozen=True, slots=True)
class ReusablePrefix:
    """What rows hold of a draft: the row (`source`) with the longest usable beginning and how many tokens that is; whether some row is just
    reading so much more of it that it pays to wait (`coming`); and for each row how many of its tokens are a beginning (`ready`)."""

    source: int
    tokens: int
    coming: bool
    ready: list[int]


class Seating:
    """The rows of a cache and who sits in them."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.counts = Counts()
        self.queue = Queue()
        self.tokens = np.zeros((rows.slots, rows.capacity), np.int32)
        self.table = [Row(home, self.tokens[home]) for home in range(rows.slots)]
        self.decoding = 0
        self.active = 0
        self.most_active = rows.slots
        self._uses = 0

    def admit(self) -> None:
        """Seat whoever waits and finds a row."""
        now = time.monotonic()
        groups = [
            (self._is_seated(name, group, now), name, group)
            for name, group in self.queue.in_turn(now, busy=self.active > 0)
        ]
        in_step = self.queue.max_wait_s > 0
        if in_step:
            # Who has begun goes on: a group that moves in step waits for its last member.
            groups.sort(key=lambda each: not each[0])
        for seated, name, group in groups:
            if self.active >= self.most_active:
                return
            oldest = min(one.came_at for one in group.waiting)
            free = sum(
                self._may_take(row, name, oldest, now)
                for row in range(self.active, self.rows.slots)
            )
            room = min(free, self.most_active - self.active)
            if in_step and not seated:
                room -= sum(len(other.waiting) for begun, _, other in groups if begun)
            if (
                room
                if seated
                else group.may_start(room, self.most_active, now, self.queue.max_wait_s)
            ) and self._admit_group(group, now):
                self.queue.move_to_back(name)
                groups = [(begun or other is group, name_, other) for begun, name_, other in groups]

    def _is_seated(self, name: str, group: Group, now: float) -> bool:
        """Whether a group has begun: some of it is running, or left words in a row that it will go on from."""
        return group.running > 0 or any(
            row.owner == name and self.queue.is_held(name, row.wave, now) for row in self.table
        )

    def _admit_group(self, group: Group, now: float) -> bool:
        """Admit what fits of a group; those that go on from words of their own go first.  True when anybody was admitted."""
        waiting = sorted(group.waiting[: 2 * self.rows.slots], key=lambda one: one.priority)
        if group.wave > 1:
            waiting.sort(key=lambda one: (one.priority, -self._reusable_prefix(one).tokens))
        admitted = False
        for draft in waiting:
            if self.active >= self.most_active:
                break
            kept = self._reusable_prefix(draft)
            if kept.coming:
                continue
            target = self._target(draft, kept, now)
            if target == NO_ROW:
                break
            self._seat(draft, kept.source, kept.tokens, target)
            admitted = True
        return admitted

    def _reusable_prefix(self, draft: Draft) -> ReusablePrefix:
        """Which row holds the longest usable beginning of a draft."""
        ids = np.array(draft.ids, np.int32)[: draft.first_needed]
        differs = self.tokens[:, : len(ids)] != ids
        first = (
            np.where(differs.any(1), differs.argmax(1), len(ids))
            if len(ids)
            else np.zeros(self.rows.slots, np.int64)
        )
        shared = [min(int(first[row.home]), row.planned) for row in self.table]
        ready = [min(known, row.filled) for known, row in zip(shared, self.table, strict=True)]
        usable = [
            n
            for n, row in enumerate(self.table)
            if ready[n] >= SHORTEST_COPY and (self.rows.can_truncate or ready[n] == row.filled)
        ]
        # Of equal ones an idle row that holds no more: it can be gone on from in place, and takes nothing from a sibling.
        source = max(
            usable,
            key=lambda n: (ready[n], self.table[n].draft is None, -self.table[n].filled),
            default=NO_ROW,
        )
        tokens = 0 if source == NO_ROW else ready[source]
        gain = max(shared) - tokens
        worth = max(shared) == len(ids) or 4 * gain >= len(ids)
        coming = self.rows.can_truncate and gain > 0 and worth and max(shared) >= SHORTEST_COPY
        return ReusablePrefix(source, tokens, coming, ready)

    def _target(self, draft: Draft, kept: ReusablePrefix, now: float) -> int:
        """The idle row that a draft gets; NO_ROW where all are held by others.

        It is the one that the draft goes on from where little else would be lost; else one that nobody will go on from, empty ones before
        those used least recently; else, of those that its own group holds, the one that is most like it: what it left there itself.
        """
        free = [
            row
            for row in range(self.active, self.rows.slots)
            if self._may_take(row, draft.group, draft.came_at, now)
        ]
        if (
            kept.source in free
            and 4 * (self.table[kept.source].filled - kept.tokens) <= kept.tokens
        ):
            return kept.source
        given_up = [row for row in free if row != kept.source and not self._is_held(row, now)]
        if given_up:
            return min(given_up, key=lambda row: (self.table[row].filled > 0, self.table[row].used))
        return max(free, key=lambda row: (kept.ready[row], -self.table[row].used), default=NO_ROW)

    def _is_held(self, row: int, now: float) -> bool:
        kept = self.table[row]
        return kept.filled > 0 and self.queue.is_held(kept.owner, kept.wave, now)

    def _may_take(self, row: int, group: str, came_at: float, now: float) -> bool:
        return (
            self.table[row].owner == group
            or not self._is_held(row, now)
            or now - came_at > PATIENCE_S
        )

    def _seat(self, draft: Draft, source: int, usable: int, target: int) -> None:
        """Put a draft into a row, with the words that are kept, and the row to those whose prompts are being read."""
        row = self.table[target]
        if target != source:
            if source == NO_ROW:
                self.rows.clear(target)
            else:
                self.rows.copy(source, target, usable)
                self.counts.copied_rows += 1
                self._touch(self.table[source])
        row.tokens[: len(draft.ids)] = draft.ids
        row.filled, row.planned, row.draft = usable, len(draft.ids), draft
        row.owner, row.wave = draft.group, self.queue.wave(draft.group)
        self._touch(row)
        draft.reused += usable
        self.counts.reused += usable
        self.queue.start(draft)
        self._swap(target, self.active)
        self.active += 1

    def _touch(self, row: Row) -> None:
        self._uses += 1
        row.used = self._uses

    def _swap(self, one: int, other: int) -> None:
        if one != other:
            a, b = self.table[one], self.table[other]
            if a.filled or b.filled:
                self.rows.swap(one, other, max(a.filled, b.filled))
            self.table[one], self.table[other] = b, a
        for number in (one, other):
            if self.table[number].draft is not None:
                self.table[number].draft.row = number

    def promote(self, row: int) -> None:
        """A row whose prompt is read decodes from now on."""
        self._swap(row, self.decoding)
        self.decoding += 1

    def release(self, row: int) -> Draft:
        """Take the draft out of a row, which stays with what it holds, among the idle ones."""
        draft = self.table[row].draft
        if row < self.decoding:
            self.decoding -= 1
            self._swap(row, self.decoding)
            row = self.decoding
        self.active -= 1
        self._swap(row, self.active)
        kept = self.table[self.active]
        kept.draft, kept.planned = None, kept.filled
        draft.row = NO_ROW
        self._touch(kept)
        self.queue.end(draft, time.monotonic())
        return draft
