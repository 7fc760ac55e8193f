"""Look up private texts by the hashes of their blocks, in words and in characters.

Every private text is cut into blocks that are shorter than a run and lie so close that any run
holds a whole one.  Hashes of the blocks are looked up for every place of a text that is to be sent,
and only where one is found are runs compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from arena.text import words_of

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]
# Any odd number: powers of it have inverses modulo 2 ** 64.
BASE = 0x9E3779B97F4A7C15
MIX = np.uint64(0xBF58476D1CE4E5B9)
THREE, SEVEN, TWENTY = map(np.uint64, (3, 7, 20))
BIT = np.array([1 << bit for bit in range(8)], np.uint8)
BITS_A_BLOCK = 64
MOST_RECENT = 256
# A block that stands in more texts is a phrase of many, behind and before which they differ: from
# then on its runs are kept one by one.
MOST_ALIKE = 16


def powers(base: int, count: int) -> Hashes:
    """Return base ** 0, base ** 1, ... modulo 2 ** 64."""
    steps = np.full(count, base & 0xFFFFFFFFFFFFFFFF, np.uint64)
    steps[:1] = 1
    return np.cumprod(steps, dtype=np.uint64)


class Unit:
    """A unit in which runs are counted: words, or characters.

    A run has `run` units; blocks have `block`, and begin every `stride` units, so that every run
    holds one: block + stride - 1 <= run.
    """

    def __init__(self, run: int, block: int, stride: int) -> None:
        self.run, self.block, self.stride = run, block, stride
        self.powers = powers(BASE, 1)
        self.inverses = powers(pow(BASE, -1, 2**64), 1)

    def values(self, text: str) -> Hashes:
        """Return one number a unit of a normalised text."""
        raise NotImplementedError

    def words(self, text: str, start: int) -> str:
        """Return the words of the run that begins at this unit."""
        raise NotImplementedError

    def stands_in(self, words: str, text: str) -> bool:
        """Return whether the words of a run stand in a normalised text."""
        raise NotImplementedError

    def windows(self, values: Hashes, length: int) -> Hashes:
        """Return a hash of each stretch of `length` units."""
        count = len(values)
        if count < length:
            return np.empty(0, np.uint64)
        if count > len(self.powers):
            self.powers = powers(BASE, 2 * count)
            self.inverses = powers(pow(BASE, -1, 2**64), 2 * count)
        sums = np.zeros(count + 1, np.uint64)
        np.cumsum(values * self.powers[:count], out=sums[1:])
        return (sums[length:] - sums[:-length]) * self.inverses[: count - length + 1]


class Words(Unit):
    """Words, without the punctuation between them."""

    def values(self, text: str) -> Hashes:
        """Return a hash of each word."""
        hashes = np.fromiter(map(hash, words_of(text)), np.int64)
        return hashes.view(np.uint64)

    def words(self, text: str, start: int) -> str:
        """Return the words of a run, joined by spaces."""
        return " ".join(words_of(text)[start : start + self.run])

    def stands_in(self, words: str, text: str) -> bool:
        """Return whether a text has these words one after another, as whole words."""
        # The longest word is the rarest: hardly any text has to be taken apart.
        if max(words.split(), key=len) not in text:
            return False
        return f" {words} " in f" {' '.join(words_of(text))} "


class Characters(Unit):
    """Characters, spaces and punctuation included."""

    def values(self, text: str) -> Hashes:
        """Return the code point of each character."""
        # A lone surrogate is a character too.
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        return points.astype(np.uint64)

    def words(self, text: str, start: int) -> str:
        """Return the characters of a run."""
        return text[start : start + self.run]

    def stands_in(self, words: str, text: str) -> bool:
        """Return whether the characters stand in a text, but for a space at an end."""
        return words.strip() in text


UNITS = (Words(8, 6, 3), Characters(40, 28, 13))


def once_each(places: Numbers, runs: Hashes, stride: int) -> Numbers:
    """Return the places of blocks without those where the same runs stand as at an earlier one.

    A text that says one thing again and again has many of these.
    """
    inner = (places >= stride - 1) & (places < len(runs))
    among = places[inner]
    # The first and the last run around a block hold all between them.
    around = runs[among - (stride - 1)] * MIX ^ runs[among]
    first = np.unique(around, return_index=True)[1]
    return np.concatenate((places[~inner], among[first]))


@dataclass(frozen=True, slots=True)
class IndexedText:
    """One private text: its author, its normalised words, and what the author knew beside them.

    `harmless` are the first units of runs that were found to stand elsewhere.
    """

    author: tuple[str, str]
    words: str
    known: tuple[str, ...]
    harmless: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Table:
    """Blocks of private texts in one unit, by hash: sorted arrays, each twice as long as the next.

    `places` say where a block stands: the number of its text, and its first unit.  `marks` has two
    bits set for each block, by bits of its hash: where one is missing, nothing is searched.
    `common` has the places of runs around blocks of many texts, by the hash of the run.
    """

    unit: Unit
    texts: list[IndexedText] = field(default_factory=list)
    tiers: list[tuple[Hashes, Numbers]] = field(default_factory=list)
    marks: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(2**12, np.uint8))
    common: dict[int, int] = field(default_factory=dict)
    recent: dict[int, Hashes] = field(default_factory=dict)
    count: int = 0

    def add(self, author: tuple[str, str], words: str, known: tuple[str, ...]) -> None:
        """Add the runs of private words, which are normalised; `known` as in IndexedText."""
        unit, number = self.unit, len(self.texts)
        values = unit.values(words)
        if len(values) < unit.run:
            return
        self.texts.append(IndexedText(author, words, known))
        starts = np.arange(0, len(values) - unit.block + 1, unit.stride)
        blocks = unit.windows(values, unit.block)[starts]
        many = self._count(blocks) >= MOST_ALIKE
        if many.any():
            runs = unit.windows(values, unit.run).tolist()
            for start in starts[many].tolist():
                for first in range(max(0, start - unit.stride + 1), min(start + 1, len(runs))):
                    self.common.setdefault(runs[first], number << 32 | first)
            starts, blocks = starts[~many], blocks[~many]
        if len(blocks):
            self._insert(blocks, (np.int64(number) << 32) | starts)

    def _count(self, blocks: Hashes) -> Numbers:
        """Return how often each block is in the table and among these."""
        _, which, alike = np.unique(blocks, return_inverse=True, return_counts=True)
        count: Numbers = alike[which]
        marked = self._marked(blocks)
        for hashes, _ in self.tiers if len(marked) else ():
            ends = (np.searchsorted(hashes, blocks[marked], side) for side in ("right", "left"))
            count[marked] += next(ends) - next(ends)
        return count

    def _insert(self, hashes: Hashes, places: Numbers) -> None:
        self.count += len(hashes)
        self._mark(hashes)
        while self.tiers and len(self.tiers[-1][0]) <= 2 * len(hashes):
            more_hashes, more_places = self.tiers.pop()
            hashes = np.concatenate((more_hashes, hashes))
            places = np.concatenate((more_places, places))
        order = np.argsort(hashes, kind="stable")
        self.tiers.append((hashes[order], places[order]))
        if BITS_A_BLOCK * self.count > 8 * len(self.marks):
            self.marks = np.zeros(4 * len(self.marks), np.uint8)
            for some, _ in self.tiers:
                self._mark(some)

    def _mark(self, hashes: Hashes) -> None:
        for bits in self._bits(hashes):
            np.bitwise_or.at(self.marks, bits >> THREE, BIT[bits & SEVEN])

    def _marked(self, hashes: Hashes) -> Numbers:
        """Return the places of hashes that both their marks are set for."""
        first = next(self._bits(hashes))
        places = np.flatnonzero(self.marks[first >> THREE] & BIT[first & SEVEN])
        if len(places):
            *_, second = self._bits(hashes[places])
            places = places[(self.marks[second >> THREE] & BIT[second & SEVEN]) != 0]
        return places

    def _bits(self, hashes: Hashes) -> Iterator[Hashes]:
        """Yield the number of each hash's first mark, and of its second."""
        shift = np.uint64(64 - 2 - len(self.marks).bit_length())
        yield hashes >> shift
        yield (hashes << TWENTY) >> shift

    def runs_in(self, words: str) -> Iterator[tuple[IndexedText, int]]:
        """Yield each private run that stands in normalised words: its text, its first unit there.

        Those that were found to be harmless are left out.
        """
        unit = self.unit
        if not self.tiers or len(words) < unit.run:
            return
        values = unit.values(words)
        blocks = unit.windows(values, unit.block)
        places = self._marked(blocks)
        if not len(places):
            return
        runs = unit.windows(values, unit.run)
        places = once_each(places, runs, unit.stride)
        blocks = blocks[places]
        for hashes, found in self.tiers:
            first = np.minimum(np.searchsorted(hashes, blocks), len(hashes) - 1)
            for hit in np.flatnonzero(hashes[first] == blocks):
                here = int(places[hit])
                last = np.searchsorted(hashes, blocks[hit], "right")
                for place in found[first[hit] : last].tolist():
                    yield from self._runs_around(runs, here, place)
                begin = max(0, here - unit.stride + 1)
                for run in runs[begin : here + 1].tolist() if self.common else ():
                    if (place := self.common.get(run)) is not None:
                        yield from self._harmful(place >> 32, [place & 0xFFFFFFFF])

    def _runs_around(
        self, runs: Hashes, here: int, place: int
    ) -> Iterator[tuple[IndexedText, int]]:
        """Yield the private runs around a block that stand at the same place of other words.

        `runs` are hashes of the runs of these words, `here` the block's first unit in them.
        """
        number, start = place >> 32, place & 0xFFFFFFFF
        own = self._runs_of(number)
        shifts = range(min(self.unit.stride, here + 1, start + 1))
        yield from self._harmful(
            number,
            [
                start - shift
                for shift in shifts
                if here - shift < len(runs)
                and start - shift < len(own)
                and own[start - shift] == runs[here - shift]
            ],
        )

    def _harmful(self, number: int, starts: Sequence[int]) -> Iterator[tuple[IndexedText, int]]:
        text = self.texts[number]
        yield from ((text, start) for start in starts if start not in text.harmless)

    def _runs_of(self, number: int) -> Hashes:
        """Return the hashes of all runs of a private text; those of a few are kept."""
        if number not in self.recent:
            if len(self.recent) >= MOST_RECENT:
                self.recent.clear()
            values = self.unit.values(self.texts[number].words)
            self.recent[number] = self.unit.windows(values, self.unit.run)
        return self.recent[number]
