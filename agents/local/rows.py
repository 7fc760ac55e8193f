"""What the engine asks of the rows of a cache, whatever they are made of.

A row holds keys and values of one sequence.  A step runs lanes: a lane is one token of one row, the
next of a reply or one of a prompt.  Prompts are also read in pieces of many tokens.  Rows of one
block on any device are in cache.py, rows in pages for a GPU in lanes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agents.local.lane_inputs import Lane, Piece

NOT_GIVEN = -1


class Ruled(NamedTuple):
    """How the tokens of lanes are drawn.

    A token is the one that is `given`; where there is none (NOT_GIVEN), it is drawn from the logits
    of the lane, or from others: `logits` [n, vocabulary] are those of the lanes `numbers` [n].
    `faults` are errors of lanes, by their number.
    """

    numbers: list[int]
    logits: torch.Tensor | None
    given: list[int]
    faults: dict[int, Exception]


class Rules(NamedTuple):
    """Lanes whose tokens the host decides about: `apply` takes their logits [n, vocabulary]."""

    lanes: list[int]
    apply: Callable[[torch.Tensor], Ruled]


NO_RULES = Rules([], lambda _: Ruled([], None, [], {}))


@dataclass(slots=True)
class Result:
    """The outcome of a step, perhaps on its way to the host; `faults` are errors of rules, by lane.

    `block` [lanes, 4], int32, holds a token and three measures (float32) of each lane; `likeliest`
    are the log probabilities and the tokens, [lanes, n], of the likeliest.
    """

    block: torch.Tensor
    done: torch.cuda.Event | None = None
    likeliest: tuple[torch.Tensor, torch.Tensor] | None = None
    faults: dict[int, Exception] = field(default_factory=dict)

    def wait(self) -> tuple[list[int], NDArray[np.float32]]:
        """Return tokens [lanes] and measures [lanes, 3], once they are there."""
        if self.done is not None:
            self.done.synchronize()
        block = self.block.numpy()
        return block[:, 0].tolist(), block[:, 1:].view(np.float32)


class Rows:
    """Rows of up to `capacity` tokens each, `slots` of them."""

    # Whether a row can be cut back to a prefix of it.
    can_truncate = True
    # Whether every step has the same number of lanes, so that prompts are never read in pieces.
    exact = False
    # Whether a test has shown that a row's logits do not depend on its company.
    seeds_hold = False
    # Whether a lane can take its token from a step whose result the host has not seen.
    leads = False
    # The most tokens of a prompt that go along as lanes; longer ones are read in pieces.
    mixed = 0
    # The most rows that guess their next tokens, and lanes of a step that does.
    guessing_rows = 4
    guessing_lanes = 52

    def __init__(self, slots: int, capacity: int, widest: int) -> None:
        self.slots = slots
        self.capacity = capacity
        # The most lanes of a step.
        self.widest = widest
        # The logits [lanes, vocabulary] of the last step.
        self.logits = torch.empty(0)

    def step(self, lanes: Sequence[Lane], likeliest: int = 0, rules: Rules = NO_RULES) -> Result:
        """Start a step; with `likeliest`, also return so many likeliest tokens of each lane.

        Lanes that are in `rules` draw their tokens under them.
        """
        raise NotImplementedError

    def read(self, pieces: Sequence[Piece], likeliest: int = 0, rules: Rules = NO_RULES) -> Result:
        """Read pieces of prompts; the result has an entry for each of their lanes."""
        raise NotImplementedError

    def next_length(self, lengths: Sequence[int], left: int, chunk: int) -> int:
        """Return how many of `left` tokens go along with pieces of some lengths; 0 for none.

        A pass takes the time of `chunk` tokens at most.
        """
        return min(left, chunk - sum(lengths))

    def missing_pages(self, source: int, target: int, keep: int, length: int) -> int:
        """Return how many pages are missing for `seat` with the same arguments."""
        return 0

    def seat(self, source: int, target: int, keep: int, length: int) -> None:
        """Let row `target` begin with the first `keep` tokens of row `source`, if not below 0.

        It will hold `length` tokens.
        """
        raise NotImplementedError

    def swap(self, left: int, right: int, length: int) -> None:
        """Exchange two rows, of which only the first `length` positions are in use."""
        raise NotImplementedError

    def trim(self, row: int, length: int) -> None:
        """Let go of the memory of a row behind its first `length` positions, where it can be."""

    def clear(self, row: int) -> None:
        """Let go of the content of a row."""

    def free(self) -> None:
        """Give all memory back; no step can be run after that."""
