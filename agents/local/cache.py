"""Keys and values of many sequences in the rows of one preallocated block, and the forward pass.

Each row has a length of its own.  A pass covers neighbouring rows, so that the keys and values that
attention reads are a view and not a copy.  New ones are written at (row, position), and a mask
hides the columns behind a row's own position.  Chunks of a prompt are padded on the left; the keys
and values of padding go into a spare last column that nobody reads.

Layers with windows keep all of a row, and a mask of their own hides what lies before the window.
Other layers cannot be kept like this (state spaces, chunks).  Models with some run row by row with
the cache that transformers makes for them: slower, with the same results.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

from agents.local.decoding.soft_thinking import Mixture, embed_soft
from agents.local.drawing import draw_lanes
from agents.local.lane_inputs import Lane, Piece
from agents.local.row_attention import attention_by, row_attention_of
from agents.local.rows import NO_RULES, Result, Rows, Rules

# The position of a padded column.
PADDING = -1
CACHE_NAMES = ("cache", "past_key_values", "cache_params")
Ints = NDArray[np.int64]
# Concept tokens and soft thoughts by row and column of a pass.
Mixtures = Mapping[tuple[int, int], Mixture | torch.Tensor]
NO_MIXTURES: Mixtures = MappingProxyType({})


class ForwardRows(Rows):
    """Rows that run through the model by passes over neighbouring ones."""

    def __init__(self, slots: int, capacity: int) -> None:
        super().__init__(slots, capacity, max(slots, self.guessing_lanes))

    def forward(
        self,
        first: int,
        ids: Ints,
        positions: Ints,
        keep: int = 1,
        mixtures: Mixtures = NO_MIXTURES,
    ) -> torch.Tensor:
        """Run tokens `ids` [rows, n] of the rows from `first` on through the model.

        `positions` [rows, n] are their places in the rows, PADDING on the left; `mixtures` stand in
        the place of some tokens, by row and column.  Returns the logits of the last `keep` columns:
        [rows, keep, vocabulary], float32.
        """
        raise NotImplementedError

    def next_length(self, lengths: Sequence[int], left: int, chunk: int) -> int:
        """Return how many of `left` tokens go along: all are padded to the longest piece."""
        left = min(left, chunk)
        fits = max((*lengths, left)) * (len(lengths) + 1) <= chunk
        return left if fits or not lengths else 0

    def step(self, lanes: Sequence[Lane], likeliest: int = 0, rules: Rules = NO_RULES) -> Result:
        """Run lanes of neighbouring rows, those of one row side by side."""
        if lanes[-1].row - lanes[0].row + 1 < len(lanes):
            return self.read(pieces_of(lanes), likeliest, rules)
        ids = np.array([[lane.token] for lane in lanes], np.int64)
        places = np.array([[lane.place] for lane in lanes], np.int64)
        mixed = enumerate(lane.mixture for lane in lanes)
        mixtures = {(row, 0): mixture for row, mixture in mixed if mixture is not None}
        self.logits = self.forward(lanes[0].row, ids, places, 1, mixtures)[:, 0]
        return draw_lanes(self.logits, lanes, likeliest, rules)

    def read(self, pieces: Sequence[Piece], likeliest: int = 0, rules: Rules = NO_RULES) -> Result:
        """Read pieces of neighbouring rows."""
        width = max(len(piece.ids) for piece in pieces)
        ids = np.zeros((len(pieces), width), np.int64)
        positions = np.full((len(pieces), width), PADDING, np.int64)
        lanes: list[Lane] = []
        rows, columns = [], []
        for number, piece in enumerate(pieces):
            count = len(piece.ids)
            ids[number, width - count :] = piece.ids
            positions[number, width - count :] = range(piece.place, piece.place + count)
            lanes += piece.lanes
            rows += [number] * len(piece.lanes)
            columns += [lane.place - piece.place - count for lane in piece.lanes]
        keep = -min(columns, default=-1)
        mixtures = {
            (row, width + column): lane.mixture
            for row, column, lane in zip(rows, columns, lanes, strict=True)
            if lane.mixture is not None
        } | {
            (number, width - len(piece.ids) + place - piece.place): vector
            for number, piece in enumerate(pieces)
            for place, vector in piece.vectors.items()
        }
        logits = self.forward(pieces[0].row, ids, positions, keep, mixtures)
        # Of one column a view does.
        one_each = keep == 1 and len(lanes) == len(pieces)
        self.logits = logits[:, 0] if one_each else logits[rows, columns]
        return draw_lanes(self.logits, lanes, likeliest, rules)


def pieces_of(lanes: Sequence[Lane]) -> list[Piece]:
    """Return lanes in pieces, those of one row together."""
    pieces = []
    for row, group in groupby(lanes, key=lambda lane: lane.row):
        own = list(group)
        ids = np.array([lane.token for lane in own], np.int32)
        pieces.append(Piece(row, own[0].place, ids, own))
    return pieces


@dataclass(slots=True)
class RowWindow:
    """The part of the block that the running pass reads and writes; all layers share one window.

    Rows [first, last) are read up to column `longest`.  New keys and values go to `rows` [rows, 1]
    and `positions` [rows, n], both int64; if these are None, to the last `new` columns of all rows.
    """

    slots: int
    capacity: int
    first: int = 0
    last: int = 0
    longest: int = 0
    new: int = 1
    rows: torch.Tensor | None = None
    positions: torch.Tensor | None = None


class SlotLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers counts as untyped
    """Keys and values of one layer, allocated at the first pass.

    Each is [slots, heads, capacity + 1, head size] in the model's dtype.
    """

    is_sliding = False

    def __init__(self, window: RowWindow) -> None:
        super().__init__()
        self.window = window

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Allocate the block with the number and size of heads of the first keys and values."""
        # The last column takes the keys and values of padding.
        length = self.window.capacity + 1
        # Zeros: masked values are still multiplied by 0, and empty memory may hold NaN.
        self.keys, self.values = (
            zeros_like((self.window.slots, states.shape[1], length, states.shape[3]), states)
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *args: object,
        kwargs: object = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values [rows, heads, n, head size].

        Returns all keys and values of the window: [rows, heads, longest, head size], views.
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        window = self.window
        rows = slice(window.first, window.last)
        if window.rows is None:
            columns = slice(window.longest - window.new, window.longest)
            self.keys[rows, :, columns] = key_states
            self.values[rows, :, columns] = value_states
        else:
            # Two index tensors around a slice put their dimensions first: [rows, n, heads, size].
            self.keys[window.rows, :, window.positions] = key_states.transpose(1, 2)
            self.values[window.rows, :, window.positions] = value_states.transpose(1, 2)
        return self.keys[rows, :, : window.longest], self.values[rows, :, : window.longest]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return (length, offset) of the keys that a mask covers."""
        return self.window.longest, 0

    def get_seq_length(self) -> int:
        """Return the number of tokens before the new ones, for rows of equal length.

        For rows of other lengths the pass brings its own mask and positions.
        """
        return self.window.longest - self.window.new

    def get_max_length(self) -> int:
        """Return the number of tokens that a row holds at most."""
        return self.window.capacity


class SlotRows(ForwardRows):
    """Rows of one block, which run through the model together."""

    def __init__(self, model: PreTrainedModel, slots: int, capacity: int) -> None:
        super().__init__(slots, capacity)
        self._dtype = model.dtype
        self._device = model.device
        self._window = RowWindow(slots, capacity)
        layers = model.config.get_text_config().num_hidden_layers
        self._layers = [SlotLayer(self._window) for _ in range(layers)]
        self._model = CachedModel(model, Cache(layers=self._layers), row_attention_of(model))
        # The mask is added to the attention scores.  A boolean one would be turned into such a mask
        # again in every layer.
        self._least = torch.finfo(model.dtype).min
        self._windows = attention_windows(model.config.get_text_config()) or {"": None}

    def forward(
        self,
        first: int,
        ids: Ints,
        positions: Ints,
        keep: int = 1,
        mixtures: Mixtures = NO_MIXTURES,
    ) -> torch.Tensor:
        """Run tokens of some rows through the model together; see ForwardRows.forward."""
        window = self._window
        tokens = to_tensor(ids, self._device)
        seen = np.maximum(positions, 0)
        places = to_tensor(seen, self._device)
        window.first = first
        window.last = first + len(ids)
        window.longest = int(seen.max()) + 1
        window.new = ids.shape[1]
        slides = any(size is not None and size < window.longest for size in self._windows.values())
        # No padding, no row before another, and one token of each or all of them.
        begin = window.longest - window.new
        if not slides and positions[:, 0].min() == begin and (begin == 0 or window.new == 1):
            # Rows of equal length, such as samples of one prompt: nothing is to be hidden but what
            # comes after a token, and attention without a mask of ours is faster.
            window.rows = window.positions = None
            return self._model.forward(tokens, None, places[:1], keep, mixtures)
        window.rows = torch.arange(first, window.last, device=self._device)[:, None]
        columns = np.where(positions == PADDING, self.capacity, positions)
        window.positions = to_tensor(columns, self._device)
        return self._model.forward(tokens, self._masks(places), places, keep, mixtures)

    def _masks(self, places: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return what is added to the attention scores of tokens at `places` [rows, n].

        A mask is [rows, 1, n, longest]; models with layers of several kinds get one for each.
        """
        columns = torch.arange(self._window.longest, device=self._device)
        place = places[:, None, :, None]
        masks: dict[int | None, torch.Tensor] = {}
        for size in self._windows.values():
            if size not in masks:
                # A token sees the columns up to its own position, as far back as its window.
                hidden = columns > place
                if size is not None:
                    hidden |= columns <= place - size
                mask = torch.zeros(hidden.shape, dtype=self._dtype, device=self._device)
                masks[size] = mask.masked_fill_(hidden, self._least)
        if len(self._windows) == 1:
            return next(iter(masks.values()))
        return {kind: masks[size] for kind, size in self._windows.items()}

    def seat(self, source: int, target: int, keep: int, length: int) -> None:
        """Copy the first `keep` positions of another row, if there is one."""
        if source >= 0 and source != target:
            for block in self._blocks():
                block[target, :, :keep] = block[source, :, :keep]

    def swap(self, left: int, right: int, length: int) -> None:
        """Exchange two rows, of which only the first `length` positions are in use."""
        for block in self._blocks() if length else ():
            spare = block[left, :, :length].clone()
            block[left, :, :length] = block[right, :, :length]
            block[right, :, :length] = spare

    def _blocks(self) -> list[torch.Tensor]:
        return [
            block
            for layer in self._layers
            if layer.is_initialized
            for block in (layer.keys, layer.values)
        ]


class SoloRows(ForwardRows):
    """Rows that run through the model one by one, each with transformers' own cache."""

    can_truncate = False

    def __init__(self, model: PreTrainedModel, slots: int, capacity: int) -> None:
        super().__init__(slots, capacity)
        self._model = model
        self._caches: list[DynamicCache | None] = [None] * slots

    def forward(
        self,
        first: int,
        ids: Ints,
        positions: Ints,
        keep: int = 1,
        mixtures: Mixtures = NO_MIXTURES,
    ) -> torch.Tensor:
        """Run tokens through the model, row by row; see ForwardRows.forward."""
        logits = []
        device = self._model.device
        for row, (all_ids, all_places) in enumerate(zip(ids, positions, strict=True), first):
            real = all_places != PADDING
            padding = len(real) - int(real.sum())
            own = {
                (0, column - padding): each
                for (number, column), each in mixtures.items()
                if number == row - first
            }
            tokens = to_tensor(all_ids[real][None], device)
            places = to_tensor(all_places[real][None], device)
            # A row that is read from position 0 starts over: its cache cannot be cut back.
            if self._caches[row] is None or all_places[real][0] == 0:
                self._caches[row] = DynamicCache(config=self._model.config)
            model = CachedModel(self._model, self._caches[row])
            last = model.forward(tokens, None, places, min(keep, tokens.shape[1]), own)
            # Zeros on the left, where a row of fewer than `keep` tokens has padding.
            logits.append(torch.nn.functional.pad(last, (0, 0, keep - last.shape[1], 0)))
        return torch.cat(logits)

    def seat(self, source: int, target: int, keep: int, length: int) -> None:
        """Copy the whole of another row, since it cannot be cut back; without one begin anew."""
        if source < 0:
            self._caches[target] = None
        elif source != target:
            self._caches[target] = deepcopy(self._caches[source])

    def swap(self, left: int, right: int, length: int) -> None:
        """Exchange two rows."""
        self._caches[left], self._caches[right] = self._caches[right], self._caches[left]

    def clear(self, row: int) -> None:
        """Let go of the content of a row."""
        self._caches[row] = None


class CachedModel:
    """A model that runs with one cache, and attends by the function of a name, None for its own."""

    def __init__(self, model: PreTrainedModel, cache: Cache, attention: str | None = None) -> None:
        names = inspect.signature(model.forward).parameters
        self._model = model
        self._options = {cache_name(model): cache}
        self._attention = attention
        # Whether the model can be asked for the logits of the last tokens alone.
        self._has_logits_to_keep = "logits_to_keep" in names

    def forward(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | dict[str, torch.Tensor] | None,
        positions: torch.Tensor,
        keep: int,
        mixtures: Mixtures = NO_MIXTURES,
    ) -> torch.Tensor:
        """Run one forward pass; return the last `keep` logits: [rows, keep, vocabulary], float32.

        `ids` and `positions` are int64, [rows, n] (or [1, n] for positions that all rows share);
        `mask` is added to the attention scores: [rows, 1, n, keys] in the model's dtype, one for
        each kind of layer, or None.
        """
        last = {"logits_to_keep": keep} if self._has_logits_to_keep else {}
        inputs = {"input_ids": ids}
        if mixtures:
            embedding = self._model.get_input_embeddings()
            states = embedding(ids)
            rows, columns = zip(*mixtures, strict=True)
            states[list(rows), list(columns)] = embed_soft(embedding, [*mixtures.values()])
            inputs = {"inputs_embeds": states}
        with attention_by(self._model, self._attention):
            output = self._model(
                **inputs,
                attention_mask=mask,
                position_ids=positions,
                use_cache=True,
                **self._options,
                **last,
            )
        return output.logits[:, -keep:].float()


def attention_windows(config: object) -> dict[str, int | None] | None:
    """Return how far back the layers of each kind see, None for those that see everything.

    The kinds are those of transformers' `layer_types`, "" where a model has but one.  None if some
    layers are neither full attention nor a window.
    """
    kinds = set(getattr(config, "layer_types", None) or ())
    window = getattr(config, "sliding_window", None)
    if not kinds:
        return {"": window if getattr(config, "use_sliding_window", True) else None}
    if kinds - {"full_attention", "sliding_attention"}:
        return None
    return {kind: window if kind == "sliding_attention" else None for kind in sorted(kinds)}


def zeros_like(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Return zeros in the format and on the device of another tensor."""
    if like.device.type != "cpu":
        return like.new_zeros(shape)
    # Of memory that numpy gets from the system as zeros, a page costs nothing until it is written.
    block = np.zeros(math.prod(shape) * like.element_size(), np.uint8)
    return torch.from_numpy(block).view(like.dtype).view(shape)


def cache_name(model: nn.Module) -> str:
    """Return the name of the argument with which a model takes its cache.

    It differs between models and transformers versions; by another name the cache would be ignored
    without a word.  Raises TypeError if the model takes none.
    """
    names = inspect.signature(model.forward).parameters
    found = next((name for name in CACHE_NAMES if name in names), None)
    if found is None:
        raise TypeError(f"{type(model).__name__} takes no cache")
    return found


def to_tensor(array: Ints, device: torch.device) -> torch.Tensor:
    """Return an array as int64 on a device."""
    return torch.from_numpy(np.ascontiguousarray(array, np.int64)).to(device)
