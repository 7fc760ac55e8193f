"""Keys and values of many sequences in rows of one preallocated block, and the forward pass over some of the rows.

Each row has a length of its own.  A pass covers neighbouring rows, so that what attention reads is a view and not a copy; new keys are
written at (row, position), and a mask hides what lies behind a row's own position.  Chunks of a prompt are padded on the left; what padding
writes goes into a spare last column that nobody reads.  Models whose attention cannot be kept like this (sliding windows, state spaces,
mixtures of them) run row by row with the cache that transformers makes for them: slower, with the same results.
"""

from __future__ import annotations

import inspect
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

PADDING = -1


class Rows(Protocol):
    """What the engine needs of a cache.  `cuttable`: whether a row can be cut back to a prefix of it."""

    slots: int
    capacity: int
    can_truncate: bool

    def forward(
        self, first: int, ids: np.ndarray, positions: np.ndarray, keep: int = 1
    ) -> torch.Tensor:
        """Run tokens through the model; see SlotRows.forward."""
        ...

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of a row."""
        ...

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange two rows, of which no position from `length` on is in use."""
        ...

    def clear(self, row: int) -> None:
        """Let go of a row's content."""
        ...


@dataclass(slots=True)
class RowWindow:
    """Where the pass that is being made reads and writes: rows [first, last), read up to `longest`, and written at `positions` [rows, n], or
    all at the last of these where there are none."""

    slots: int
    capacity: int
    first: int = 0
    last: int = 0
    longest: int = 0
    rows: torch.Tensor | None = None
    positions: torch.Tensor | None = None


class SlotLayer(CacheLayerMixin):
    """Keys and values of one layer: [slots, heads, capacity + 1, head size] each, made when the first ones come."""

    is_sliding = False

    def __init__(self, window: RowWindow) -> None:
        super().__init__()
        self.window = window

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make room: zeros, since what is masked is still multiplied, and garbage may be NaN."""
        slots, length = self.window.slots, self.window.capacity + 1
        self.keys = key_states.new_zeros(slots, key_states.shape[1], length, key_states.shape[3])
        self.values = value_states.new_zeros(
            slots, value_states.shape[1], length, value_states.shape[3]
        )
        self.is_initialized = True

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *args: object,
        kwargs: object = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values [rows, heads, n, head size]; returns those of the window, up to its longest row."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        window = self.window
        if window.rows is None:
            here = (
                slice(window.first, window.last),
                slice(None),
                slice(window.longest - 1, window.longest),
            )
            self.keys[here], self.values[here] = key_states, value_states
        else:
            self.keys[window.rows, :, window.positions] = key_states.transpose(1, 2)
            self.values[window.rows, :, window.positions] = value_states.transpose(1, 2)
        seen = (slice(window.first, window.last), slice(None), slice(window.longest))
        return self.keys[seen], self.values[seen]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(length, offset) of the keys that a mask covers."""
        return self.window.longest, 0

    def get_seq_length(self) -> int:
        """How many tokens stand before a single new one, where all rows are of one length; otherwise mask and positions are given."""
        return self.window.longest - 1

    def get_max_length(self) -> int:
        """The longest that a row can be."""
        return self.window.capacity


class SlotRows:
    """Rows of one block; `slots` of them, each of up to `capacity` tokens."""

    can_truncate = True

    def __init__(self, model: PreTrainedModel, slots: int, capacity: int) -> None:
        self.slots, self.capacity = slots, capacity
        self._model = model
        self._device = model.device
        self._window = RowWindow(slots, capacity)
        layers = model.config.get_text_config().num_hidden_layers
        self._layers = [SlotLayer(self._window) for _ in range(layers)]
        self._cache = Cache(layers=self._layers)
        self._options = forward_options(model, self._cache)
        # Added to the scores, once for all layers: one of yes and no would be turned into this in each.
        self._least = torch.finfo(model.dtype).min

    def forward(
        self, first: int, ids: np.ndarray, positions: np.ndarray, keep: int = 1
    ) -> torch.Tensor:
        """Run tokens `ids` [rows, n] of the rows from `first` on through the model, at `positions` [rows, n], PADDING on the left.

        Returns float32 logits [rows, keep, vocabulary] of the last `keep` columns.
        """
        window, seen = self._window, np.maximum(positions, 0)
        window.first, window.last, window.longest = first, first + len(ids), int(seen.max()) + 1
        if ids.shape[1] == 1 and positions.min() == window.longest - 1:
            # Samples of one prompt keep step: nothing is to be hidden, and attention without a mask is faster.
            window.rows = window.positions = None
            return run_forward(
                self._model, self._tensor(ids), None, self._tensor(seen[:1]), self._options, keep
            )
        window.rows = torch.arange(first, window.last, device=self._device)[:, None]
        window.positions = self._tensor(np.where(positions == PADDING, self.capacity, positions))
        at = self._tensor(seen)
        hidden = torch.arange(window.longest, device=self._device) > at[:, None, :, None]
        mask = torch.zeros(hidden.shape, dtype=self._model.dtype, device=self._device).masked_fill_(
            hidden, self._least
        )
        return run_forward(self._model, self._tensor(ids), mask, at, self._options, keep)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.int64)).to(self._device)

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of a row."""
        for block in self._blocks():
            block[target, :, :length] = block[source, :, :length]

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange two rows, of which no position from `length` on is in use."""
        for block in self._blocks():
            kept = block[one, :, :length].clone()
            block[one, :, :length] = block[other, :, :length]
            block[other, :, :length] = kept

    def clear(self, row: int) -> None:
        """Nothing to let go: the room stays."""

    def _blocks(self) -> list[torch.Tensor]:
        return [
            block
            for layer in self._layers
            if layer.is_initialized
            for block in (layer.keys, layer.values)
        ]


class SoloRows:
    """Rows that the model runs through one by one, each with the cache that transformers makes for this model."""

    can_truncate = False

    def __init__(self, model: PreTrainedModel, slots: int, capacity: int) -> None:
        self.slots, self.capacity = slots, capacity
        self._model = model
        self._caches: list[DynamicCache | None] = [None] * slots

    def forward(
        self, first: int, ids: np.ndarray, positions: np.ndarray, keep: int = 1
    ) -> torch.Tensor:
        """Run tokens through the model; as SlotRows.forward."""
        logits = []
        for row, (tokens, at) in enumerate(zip(ids, positions, strict=True), first):
            real = at != PADDING
            if self._caches[row] is None or at[real][0] == 0:
                self._caches[row] = DynamicCache(config=self._model.config)
            options = forward_options(self._model, self._caches[row])
            tensor = torch.from_numpy(tokens[real][None].astype(np.int64)).to(self._model.device)
            place = torch.from_numpy(at[real][None].astype(np.int64)).to(self._model.device)
            one = run_forward(self._model, tensor, None, place, options, min(keep, tensor.shape[1]))
            logits.append(torch.nn.functional.pad(one, (0, 0, keep - one.shape[1], 0)))
        return torch.cat(logits)

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy a row, the whole of it, since it cannot be cut."""
        self._caches[target] = deepcopy(self._caches[source])

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange two rows."""
        self._caches[one], self._caches[other] = self._caches[other], self._caches[one]

    def clear(self, row: int) -> None:
        """Let go of a row's content."""
        self._caches[row] = None


@dataclass(frozen=True, slots=True)
class ForwardOptions:
    """What a model's forward calls its cache and its number of logits: names differ between models and versions of transformers."""

    cache: Cache
    cache_name: str
    has_logits_to_keep: bool


def forward_options(model: PreTrainedModel, cache: Cache) -> ForwardOptions:
    """How to call a model's forward with this cache."""
    names = inspect.signature(model.forward).parameters
    return ForwardOptions(
        cache, "cache" if "cache" in names else "past_key_values", "logits_to_keep" in names
    )


def run_forward(
    model: PreTrainedModel,
    ids: torch.Tensor,
    mask: torch.Tensor | None,
    positions: torch.Tensor,
    options: ForwardOptions,
    keep: int,
) -> torch.Tensor:
    """One forward pass; returns float32 logits [rows, keep, vocabulary]."""
    named = {
        options.cache_name: options.cache,
        **({"logits_to_keep": keep} if options.has_logits_to_keep else {}),
    }
    output = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, **named
    )
    return output.logits[:, -keep:].float()
