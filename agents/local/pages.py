"""Share the memory for keys and values out in pages; pure bookkeeping, without tensors.

A row of the cache is a list of pages of `size` tokens each.  Rows that begin alike share their full
pages, which are counted; nothing is written to a page that two rows have.  Rows move by their
number alone: row r of the engine is slot `slot_of[r]` of the table that kernels read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Page 0 belongs to no row: lanes without a token write there.
NO_PAGE = 0


class PageTable:
    """The pages of each slot: `table` [slots + 1, longest / size], int32, NO_PAGE where unused.

    The last slot is that of lanes without a token.  `changed` tells that the table must be sent to
    the device again.
    """

    def __init__(self, slots: int, capacity: int, pages: int, size: int) -> None:
        self.size = size
        self.table: NDArray[np.int32] = np.zeros((slots + 1, -(-capacity // size)), np.int32)
        self.slot_of = list(range(slots))
        self.changed = True
        self._users = [0] * pages
        self._free = list(range(pages - 1, NO_PAGE, -1))
        self._pages: list[list[int]] = [[] for _ in range(slots)]

    @property
    def free(self) -> int:
        """The number of pages that no row has."""
        return len(self._free)

    def missing(self, source: int, target: int, keep: int, length: int) -> int:
        """Return how many pages too few there are for `seat` with the same arguments."""
        shared = keep // self.size
        # Pages that are given back: of another row all, of the same one those behind its share.
        old = self._row(target)[shared if target == source else 0 :]
        gained = sum(self._users[page] == 1 for page in old)
        return max(0, -(-length // self.size) - shared - gained - self.free)

    def seat(self, source: int, target: int, keep: int, length: int) -> tuple[int, int] | None:
        """Give row `target` room for `length` tokens, the first `keep` of row `source` among them.

        A `source` below 0 stands for none.  Returns the pages (from, to) to copy, or None.
        """
        shared = keep // self.size
        old = self._row(target)
        before = list(self._row(source)) if source >= 0 else []
        new = before[:shared]
        partial = before[shared] if keep % self.size else NO_PAGE
        # Counted before the old ones are given back, so that none of them is free in between.
        held = [*new, partial] if partial else new
        for page in held:
            self._users[page] += 1
        self._release(old)
        copied = None
        if partial and self._users[partial] == 1:
            # Nobody else has the page that is written next: it goes on as it is.
            new.append(partial)
        elif partial:
            self._release([partial])
            copied = partial
        new += [self._take() for _ in range(-(-length // self.size) - len(new))]
        self._write(target, new)
        return None if copied is None else (copied, new[shared])

    def trim(self, row: int, length: int) -> None:
        """Give the pages of a row back that are not needed for its first `length` tokens."""
        pages = self._row(row)
        count = -(-length // self.size)
        self._release(pages[count:])
        self._write(row, pages[:count])

    def clear(self, row: int) -> None:
        """Give all pages of a row back."""
        self._release(self._row(row))
        self._write(row, [])

    def swap(self, left: int, right: int) -> None:
        """Exchange the numbers of two rows."""
        slots = self.slot_of
        slots[left], slots[right] = slots[right], slots[left]

    def _row(self, row: int) -> list[int]:
        return self._pages[self.slot_of[row]]

    def _take(self) -> int:
        page = self._free.pop()
        self._users[page] = 1
        return page

    def _release(self, pages: list[int]) -> None:
        for page in pages:
            self._users[page] -= 1
            if not self._users[page]:
                self._free.append(page)

    def _write(self, row: int, pages: list[int]) -> None:
        slot = self.slot_of[row]
        self._pages[slot] = pages
        self.table[slot] = NO_PAGE
        self.table[slot, : len(pages)] = pages
        self.changed = True
