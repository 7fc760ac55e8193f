"""Decide which draft gets which row, and which of the tokens that rows hold it can reuse.

The rows are in regions: [0, decoding) generate, [decoding, reading) wait for the row that they go
along with, [reading, active) have their prompts read, and those from `active` on are idle but keep
their tokens, keys and values.  A forward pass covers neighbouring rows, so drafts that start or end
are swapped to the border of their region.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.local.drafts import NO_ROW, Draft
from agents.local.queue import PATIENCE_S, Group, Queue
from agents.local.rows import Rows

# A prefix of fewer tokens is read again rather than copied.
SHORTEST_COPY = 8


@dataclass(slots=True)
class Row:
    """A row of the cache: its tokens, and the draft that it belongs to.

    `tokens` [capacity], int32, are known up to `planned`; the cache holds keys and values of the
    first `filled`.  `owner` and `wave` are the group that used the row last and its wave then;
    `used` orders rows by their last use.  `home` is the index of `tokens` in `Seating.tokens`; it
    stays when the row moves.
    """

    home: int
    tokens: NDArray[np.int32]
    filled: int = 0
    planned: int = 0
    occupant: Draft | None = None
    owner: str = ""
    wave: int = 0
    used: int = 0

    @property
    def draft(self) -> Draft:
        """The draft of a row that is active."""
        assert self.occupant is not None
        return self.occupant

    @property
    def left(self) -> int:
        """The tokens of its prompt that are to be read before it generates.

        The last one of rows that go along with each other runs through the model for both at once.
        """
        return self.planned - self.filled - self.draft.is_paired


@dataclass(slots=True)
class Counts:
    """The work of an engine so far.

    `prefilled` and `decoded` count tokens of prompts and of replies that ran through the model,
    without padding; `reused` counts tokens of prompts that a row held already.
    """

    prefilled: int = 0
    decoded: int = 0
    steps: int = 0
    reused: int = 0
    copied_rows: int = 0
    out_of_memory: int = 0


@dataclass(frozen=True, slots=True)
class ReusablePrefix:
    """The tokens of a draft that rows hold already.

    `source` is the row with the longest usable prefix, of `tokens` tokens (NO_ROW and 0 without
    one).  `coming`: a row is just reading so much more of the draft that it pays to wait for it.
    `ready` holds for each row the length of its prefix in common with the draft.
    """

    source: int
    tokens: int
    coming: bool
    ready: NDArray[np.int64]


class Seating:
    """The rows of a cache, the drafts in them, and the queue for them."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.counts = Counts()
        self.queue: Queue[Draft] = Queue()
        # [slots, capacity]: one array, so that a draft is compared with all rows at once.
        self.tokens = np.zeros((rows.slots, rows.capacity), np.int32)
        self.table = [Row(home, self.tokens[home]) for home in range(rows.slots)]
        self.decoding = 0
        self.reading = 0
        self.active = 0
        self.most_active = rows.slots
        self._uses = 0

    @property
    def has_work(self) -> bool:
        """Whether a draft waits or is in a row."""
        return self.active > 0 or len(self.queue) > 0

    def admit(self) -> None:
        """Seat the waiting drafts for which there are rows."""
        now = time.monotonic()
        groups = self.queue.in_turn(now, busy=self.active > 0)
        begun = {name for name, group in groups if self._is_seated(name, group, now)}
        in_step = self.queue.max_wait_s > 0
        if in_step:
            # Groups that have begun go on first: one that moves in step waits for its last member.
            groups.sort(key=lambda pair: pair[0] not in begun)
        for name, group in groups:
            if self.active >= self.most_active:
                return
            oldest = min(draft.came_at for draft in group.waiting)
            idle = range(self.active, self.rows.slots)
            free = sum(self._may_take(row, name, oldest, now) for row in idle)
            room = min(free, self.most_active - self.active)
            if name in begun:
                may_enter = room > 0
            else:
                if in_step:
                    # Rows that the groups in play will need are not free for a new one.
                    in_play = [other for other_name, other in groups if other_name in begun]
                    room -= sum(len(other.waiting) for other in in_play)
                may_enter = group.may_start(room, self.most_active, now, self.queue.max_wait_s)
            if may_enter and self._admit_group(group, now):
                self.queue.move_to_back(name)
                begun.add(name)

    def _is_seated(self, name: str, group: Group[Draft], now: float) -> bool:
        """Return whether a group has begun: it is running, or will go on from tokens in a row."""
        return group.running > 0 or any(
            row.owner == name and self.queue.is_held(name, row.wave, now) for row in self.table
        )

    def _admit_group(self, group: Group[Draft], now: float) -> bool:
        """Admit the drafts of a group that fit; return whether there was any.

        Drafts that continue tokens in a row go first, as otherwise others would overwrite these.
        """
        waiting = sorted(group.waiting[: 2 * self.rows.slots], key=lambda draft: draft.priority)
        if group.wave > 1:
            waiting.sort(key=lambda draft: (draft.priority, -self._reusable_prefix(draft).tokens))
        admitted = False
        for draft in waiting:
            if self.active + 1 + draft.is_paired > max(self.most_active, 1 + draft.is_paired):
                break
            prefix = self._reusable_prefix(draft)
            if prefix.coming:
                # It waits for the row that reads its prompt, and copies from there.
                continue
            if not self._find_seat(draft, prefix, now) or not self._seat_companion(draft, now):
                break
            admitted = True
        return admitted

    def _find_seat(self, draft: Draft, prefix: ReusablePrefix, now: float) -> bool:
        """Put a draft into a row if it can have one; return whether it can."""
        target = self._target(draft, prefix, now)
        if target == NO_ROW or not self._make_room(draft, prefix, target, now):
            return False
        self._seat(draft, prefix.source, prefix.tokens, target)
        return True

    def _seat_companion(self, draft: Draft, now: float) -> bool:
        """Seat the draft that goes along with another; without a row for it neither is seated."""
        companion = draft.companion
        if companion is None:
            return True
        self.queue.add(companion, now)
        if self._find_seat(companion, self._reusable_prefix(companion), now):
            self.finish_reading(draft)
            self.finish_reading(companion)
            return True
        self.queue.drop(companion)
        self.queue.add(self.release(draft.row), now)
        return False

    def _reusable_prefix(self, draft: Draft) -> ReusablePrefix:
        """Return the longest prefix of a draft that rows hold."""
        # The last position is always read anew: its logits are needed and not kept.
        ids = np.array(draft.ids, np.int32)[: draft.first_needed]
        differs = self.tokens[:, : len(ids)] != ids
        # A column that always differs ends the comparison, also of no tokens at all.
        end = np.ones((self.rows.slots, 1), bool)
        first = np.concatenate((differs, end), axis=1).argmax(1)
        homes, planned, filled = np.array(
            [(row.home, row.planned, row.filled) for row in self.table]
        ).T
        shared = np.minimum(first[homes], planned)
        ready = np.minimum(shared, filled)
        usable = ready >= SHORTEST_COPY
        if not self.rows.can_truncate:
            usable &= ready == filled
        # Of equal ones an idle row that holds little more: it can be continued in place, without
        # a copy, and takes nothing from another draft.
        longest = np.flatnonzero(usable & (ready == ready[usable].max(initial=0)))
        source = min(
            longest.tolist(),
            key=lambda number: (self.table[number].occupant is not None, int(filled[number])),
            default=NO_ROW,
        )
        tokens = 0 if source == NO_ROW else int(ready[source])
        # It pays to wait for a row that will hold all of the prompt, or a quarter of it more.
        most = int(shared.max())
        gain = most - tokens
        worth = most == len(ids) or 4 * gain >= len(ids)
        coming = self.rows.can_truncate and gain > 0 and worth and most >= SHORTEST_COPY
        return ReusablePrefix(source, tokens, coming, ready)

    def _target(self, draft: Draft, prefix: ReusablePrefix, now: float) -> int:
        """Return the idle row that a draft gets; NO_ROW if others hold all of them.

        The first choice is the row of its prefix, unless many other tokens would be lost with it;
        then a row that nobody will go on from, empty ones before those used least recently; then,
        of the rows that its own group holds, the one that shares most with it.
        """
        source = prefix.source
        if source >= self.active and self._may_take(source, draft.group, draft.came_at, now):
            lost = self.table[source].filled - prefix.tokens
            if 4 * lost <= prefix.tokens:
                return source
        idle = range(self.active, self.rows.slots)
        free = [row for row in idle if self._may_take(row, draft.group, draft.came_at, now)]
        given_up = [row for row in free if row != source and not self._is_held(row, now)]
        if given_up:
            return min(given_up, key=lambda row: (self.table[row].filled > 0, self.table[row].used))
        return max(
            free, key=lambda row: (int(prefix.ready[row]), -self.table[row].used), default=NO_ROW
        )

    def _length(self, draft: Draft) -> int:
        """Return how many tokens a draft needs room for."""
        return min(len(draft.job.ids) + draft.job.max_tokens, self.rows.capacity)

    def _make_room(self, draft: Draft, prefix: ReusablePrefix, target: int, now: float) -> bool:
        """Let idle rows go until there are pages for a draft; return whether there are.

        Those that nobody will go on from go first, and of these the ones used least recently.
        """
        seat = (prefix.source, target, prefix.tokens, self._length(draft))
        if not self.rows.missing_pages(*seat):
            return True
        idle = [
            row
            for row in range(self.active, self.rows.slots)
            if row not in (prefix.source, target)
            and self.table[row].filled
            and self._may_take(row, draft.group, draft.came_at, now)
        ]
        idle.sort(key=lambda row: (self._is_held(row, now), self.table[row].used), reverse=True)
        while idle and self.rows.missing_pages(*seat):
            given_up = idle.pop()
            self.rows.clear(given_up)
            self.table[given_up].filled = self.table[given_up].planned = 0
        return not self.rows.missing_pages(*seat)

    def _is_held(self, number: int, now: float) -> bool:
        row = self.table[number]
        return row.filled > 0 and self.queue.is_held(row.owner, row.wave, now)

    def _may_take(self, row: int, group: str, came_at: float, now: float) -> bool:
        return (
            self.table[row].owner == group
            or not self._is_held(row, now)
            or now - came_at > PATIENCE_S
        )

    def _seat(self, draft: Draft, source: int, usable: int, target: int) -> None:
        """Put a draft into row `target`, with `usable` tokens of row `source`, and start it.

        The row moves to the region of those whose prompts are being read.
        """
        row = self.table[target]
        self.rows.seat(source, target, usable, self._length(draft))
        if source not in (target, NO_ROW):
            self.counts.copied_rows += 1
            self._touch(self.table[source])
        row.tokens[: len(draft.ids)] = draft.ids
        row.filled = usable
        row.planned = len(draft.ids)
        row.occupant = draft
        row.owner = draft.group
        row.wave = self.queue.wave(draft.group)
        self._touch(row)
        draft.reused += usable
        self.counts.reused += usable
        self.queue.start(draft)
        self._swap(target, self.active)
        self.active += 1

    def _touch(self, row: Row) -> None:
        self._uses += 1
        row.used = self._uses

    def _swap(self, left: int, right: int) -> None:
        if left != right:
            filled = max(self.table[left].filled, self.table[right].filled)
            self.rows.swap(left, right, filled)
            self.table[left], self.table[right] = self.table[right], self.table[left]
        for number in (left, right):
            occupant = self.table[number].occupant
            if occupant is not None:
                occupant.row = number

    def finish_reading(self, draft: Draft) -> None:
        """Let a draft whose prompt has been read generate, together with one that goes along."""
        if self.table[draft.row].left > 0 or draft.row < self.reading:
            return
        self._swap(draft.row, self.reading)
        self.reading += 1
        pair = [each for each in (draft, draft.companion, draft.lead) if each is not None]
        if all(self.decoding <= each.row < self.reading for each in pair):
            for each in pair:
                self._swap(each.row, self.decoding)
                self.decoding += 1

    def release(self, number: int) -> Draft:
        """Take the draft out of a row, which becomes idle and keeps its tokens.

        A row that goes along with another is released with it; the first of them is returned.
        """
        draft = self.table[number].draft
        draft = draft.lead or draft
        for each in (draft, draft.companion):
            if each is not None and each.row != NO_ROW:
                self._release(each.row)
        return draft

    def _release(self, number: int) -> None:
        draft = self.table[number].draft
        # Over all borders, to the end of each region.
        if number < self.decoding:
            self.decoding -= 1
            self._swap(number, self.decoding)
            number = self.decoding
        if number < self.reading:
            self.reading -= 1
            self._swap(number, self.reading)
            number = self.reading
        self.active -= 1
        self._swap(number, self.active)
        row = self.table[self.active]
        row.occupant = None
        # A token that is still being drawn is nobody's any more.
        row.planned = row.filled = min(row.filled, row.planned)
        self.rows.trim(self.active, row.filled)
        draft.row = NO_ROW
        self._touch(row)
        self.queue.end(draft, time.monotonic())
