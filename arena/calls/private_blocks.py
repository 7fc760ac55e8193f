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
HALF = np.uint64(32)
THREE, SEVEN, FORTY_EIGHT = np.uint64(3), np.uint64(7), np.uint64(48)
BIT = np.array([1 << bit for bit in range(8)], np.uint8)
BITS_A_BLOCK = 64
MOST_RECENT = 256


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
        hashes = (sums[length:] - sums[:-length]) * self.inverses[: count - length + 1]
        hashes = (hashes ^ (hashes >> HALF)) * MIX
        return hashes ^ (hashes >> HALF)


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


@dataclass(slots=True)
class PrivateRuns:
    """One private text: its author, its normalised words, and which of its runs are private."""

    author: tuple[str, str]
    text: str
    private: NDArray[np.bool_]


@dataclass(slots=True)
class Table:
    """Blocks of private texts in one unit, by hash: sorted arrays, each twice as long as the next.

    `places` say where a block stands: the number of its text, and its first unit.  `marks` has one
    bit set for each block, by the first bits of its hash: where there is none, nothing is searched.
    """

    unit: Unit
    texts: list[PrivateRuns] = field(default_factory=list)
    tiers: list[tuple[Hashes, Numbers]] = field(default_factory=list)
    marks: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(2**12, np.uint8))
    recent: dict[int, Hashes] = field(default_factory=dict)
    count: int = 0

    def add(self, author: tuple[str, str], text: str, known: Sequence[str]) -> None:
        """Add a private text; runs that stand in a text of `known` are not private.

        A run that is private already is not added again: it has been found before.
        """
        unit = self.unit
        values = unit.values(text)
        runs = unit.windows(values, unit.run)
        if not len(runs):
            return
        private = np.zeros(len(runs), np.bool_)
        private[np.unique(runs, return_index=True)[1]] = True
        first_bits = np.zeros(2**16, np.bool_)
        first_bits[runs >> FORTY_EIGHT] = True
        for other in known:
            theirs = unit.windows(unit.values(other), unit.run)
            private &= ~np.isin(runs, theirs[first_bits[theirs >> FORTY_EIGHT]])
        for _, _, here in list(self.runs_in(text)):
            private[here] = False
        starts = np.arange(0, len(values) - unit.block + 1, unit.stride)
        # A block is needed if it is the first of a private run.
        before = np.concatenate((np.zeros(unit.stride - 1, np.bool_), private))
        before = np.concatenate((before, np.zeros(unit.run, np.bool_)))
        needed = np.any([before[starts + shift] for shift in range(unit.stride)], axis=0)
        starts = starts[needed]
        if not len(starts):
            return
        places = (np.int64(len(self.texts)) << 32) | starts.astype(np.int64)
        self.texts.append(PrivateRuns(author, text, private))
        self._insert(unit.windows(values, unit.block)[starts], places)

    def _insert(self, hashes: Hashes, places: Numbers) -> None:
        self.count += len(hashes)
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
        else:
            self._mark(hashes)

    def _mark(self, hashes: Hashes) -> None:
        bits = hashes >> self._shift()
        np.bitwise_or.at(self.marks, bits >> THREE, BIT[bits & SEVEN])

    def _are_marked(self, hashes: Hashes) -> NDArray[np.bool_]:
        bits = hashes >> self._shift()
        marked: NDArray[np.bool_] = (self.marks[bits >> THREE] & BIT[bits & SEVEN]) != 0
        return marked

    def _shift(self) -> np.uint64:
        return np.uint64(64 - 2 - len(self.marks).bit_length())

    def runs_in(self, text: str) -> Iterator[tuple[PrivateRuns, int, int]]:
        """Yield each private run that stands in a text.

        As the private text, the run's first unit there, and its first unit in this text.
        """
        unit = self.unit
        if not self.tiers or len(text) < unit.run:
            return
        values = unit.values(text)
        blocks = unit.windows(values, unit.block)
        runs = unit.windows(values, unit.run)
        places = once_each(np.flatnonzero(self._are_marked(blocks)), runs, unit.stride)
        blocks = blocks[places]
        for hashes, found in self.tiers:
            first = np.minimum(np.searchsorted(hashes, blocks), len(hashes) - 1)
            for hit in np.flatnonzero(hashes[first] == blocks):
                last = np.searchsorted(hashes, blocks[hit], "right")
                for place in found[first[hit] : last]:
                    yield from self._runs_around(runs, int(places[hit]), int(place))

    def _runs_around(
        self, runs: Hashes, here: int, place: int
    ) -> Iterator[tuple[PrivateRuns, int, int]]:
        """Yield the private runs around a block that stand at the same place of another text.

        `runs` are hashes of that text's runs, `here` the block's first unit in it.
        """
        private = self.texts[place >> 32]
        start = place & 0xFFFFFFFF
        shifts = [
            shift
            for shift in range(min(self.unit.stride, here + 1, start + 1))
            if here - shift < len(runs)
            and start - shift < len(private.private)
            and private.private[start - shift]
        ]
        if not shifts:
            return
        own = self._runs_of(place >> 32)
        for shift in shifts:
            if own[start - shift] == runs[here - shift]:
                yield private, start - shift, here - shift

    def _runs_of(self, number: int) -> Hashes:
        """Return the hashes of all runs of a private text; those of a few are kept."""
        if number not in self.recent:
            if len(self.recent) >= MOST_RECENT:
                self.recent.clear()
            values = self.unit.values(self.texts[number].text)
            self.recent[number] = self.unit.windows(values, self.unit.run)
        return self.recent[number]
