"""What a pass over the rows in pages reads: lanes, pieces of prompts, and their way to a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agents.local.choosing import TokenSampling
from agents.local.decoding.soft_thinking import Mixture

NONE = -1
NO_VECTORS: Mapping[int, torch.Tensor] = MappingProxyType({})
# The fields of LaneInputs, of which the first are whole numbers.
INTEGERS = 7
FIELDS = 11
FORCED = 4


class Lane(NamedTuple):
    """One token of a step.

    It stands at `place` of a row.  It is `token`, or what lane `source` of the step before drew.
    The lane draws the token after it with `uniform`, unless `forced` is that token.  A `mixture`,
    or a soft thought [size], runs through the model in the place of the token.
    """

    row: int
    place: int
    token: int = 0
    source: int = NONE
    forced: int = NONE
    uniform: float = 0.0
    sampling: TokenSampling = TokenSampling(0.0)
    mixture: Mixture | torch.Tensor | None = None


class Piece(NamedTuple):
    """A piece of a prompt: tokens that stand in a row from `place` on.

    Of its last `needed` positions the next token is drawn or measured, as the lanes say.  `vectors`
    [size] run through the model in the place of some tokens, by place.
    """

    row: int
    place: int
    ids: NDArray[np.int32]
    lanes: Sequence[Lane]
    vectors: Mapping[int, torch.Tensor] = NO_VECTORS


@dataclass(frozen=True, slots=True)
class LaneInputs:
    """What a step reads, one entry a lane: views of one block on the device.

    `share` is the number of lanes whose attention is computed with that of this one: neighbouring
    tokens of one row; 0 if it is computed with that of a lane before.
    """

    slots: torch.Tensor
    places: torch.Tensor
    token: torch.Tensor
    source: torch.Tensor
    forced: torch.Tensor
    share: torch.Tensor
    top_k: torch.Tensor
    temperature: torch.Tensor
    uniform: torch.Tensor
    top_p: torch.Tensor
    min_p: torch.Tensor


def lane_inputs(block: torch.Tensor) -> LaneInputs:
    """Return the fields of a block [11, lanes], int32, of which the last four are float32."""
    return LaneInputs(*block[:INTEGERS], *block[INTEGERS:].view(torch.float32))


class Span(NamedTuple):
    """Neighbouring tokens of a pass, [start, end), that stand in a slot from `place` on."""

    start: int
    end: int
    slot: int
    place: int


@dataclass(frozen=True, slots=True)
class Spans:
    """The pieces of prompts of a pass.

    `index` are the places of all their keys in the pages of a layer, one row after another;
    `queries` and `keys` [pieces + 1], int32, are where the tokens and the keys of each begin.
    """

    pieces: Sequence[Span]
    index: torch.Tensor
    queries: torch.Tensor
    keys: torch.Tensor
    most_queries: int
    most_keys: int


@dataclass(frozen=True, slots=True)
class Pass:
    """The tokens of a pass: each with its slot and its place in it, int32 [T].

    Without `spans` each token is a lane, `parts` is the number of pages of the longest, and `share`
    that of LaneInputs; with them a pass reads pieces of prompts.
    """

    slots: torch.Tensor
    places: torch.Tensor
    parts: int = 0
    share: torch.Tensor | None = None
    spans: Spans | None = None


class Staging:
    """Memory of the host from which inputs of a step go to the device."""

    def __init__(self, widest: int, table: tuple[int, ...], *, pinned: bool) -> None:
        self._block = torch.zeros(FIELDS * widest, dtype=torch.int32, pin_memory=pinned)
        self.table = torch.zeros(table, dtype=torch.int32, pin_memory=pinned)
        self._event = torch.cuda.Event() if pinned else None

    def wait(self) -> None:
        """Wait until what was sent last has left."""
        if self._event is not None:
            self._event.synchronize()

    def sent(self) -> None:
        """Note that all that was filled in is on its way."""
        if self._event is not None:
            self._event.record()

    def fill(
        self,
        lanes: Sequence[Lane],
        width: int,
        slot_of: Sequence[int],
        nowhere: int,
        together: int,
    ) -> torch.Tensor:
        """Write lanes down; those behind them stand in the slot that is no row's.

        Returns the block [11, width] of LaneInputs.
        """
        host = self._block[: FIELDS * width].view(FIELDS, width)
        block = host.numpy()
        block[:] = 0
        block[0] = nowhere
        block[3:5] = NONE
        block[5] = 1
        floats = block[INTEGERS:].view(np.float32)
        floats[2] = 1.0
        count = len(lanes)
        if count == 0:
            return host
        rows, *numbers, uniform, samplings, _ = zip(*lanes, strict=True)
        block[0, :count] = [slot_of[row] for row in rows]
        block[1:5, :count] = numbers
        block[5, :count] = shares(block[0, :count], block[1, :count], together)
        block[6, :count] = [sampling.top_k for sampling in samplings]
        # Numbers that float32 does not hold become infinite, which is what they mean here.
        with np.errstate(over="ignore"):
            floats[0, :count] = [sampling.temperature for sampling in samplings]
        floats[1, :count] = uniform
        floats[2, :count] = [sampling.top_p for sampling in samplings]
        floats[3, :count] = [sampling.min_p for sampling in samplings]
        return host


def shares(slots: NDArray[np.int32], places: NDArray[np.int32], most: int) -> NDArray[np.int64]:
    """Return `share` of LaneInputs for lanes [n], at most `most` together."""
    count = len(slots)
    follows = np.zeros(count, bool)
    follows[1:] = (slots[1:] == slots[:-1]) & (places[1:] == places[:-1] + 1)
    number = np.arange(count)
    begin = np.maximum.accumulate(np.where(follows, 0, number))
    leads = (number - begin) % most == 0
    share = np.zeros(count, np.int64)
    share[leads] = np.diff(np.append(number[leads], count))
    return share
