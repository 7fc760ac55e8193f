"""The cache and the decoding step of the fast path: many rows at once, one token each.

A step runs lanes.  A lane is one token of one row: the next of a reply, or one of a prompt.  The
forward pass, the draw and the measures of all lanes are one CUDA graph, captured for a number of
lanes and of pages at its first use; on a CPU the same code runs as it is.  The token that a lane
reads may be one that the step before has drawn, so that a step can be started before the host has
seen the last one's result.

With exact seeds every token, of a prompt too, goes through a step of the same number of lanes.  A
lane's result depends on nothing but its own row then, to the bit: matrix products have one shape,
and all other sums a fixed order.  With free seeds a step has as few lanes as it needs, and prompts
are read in long pieces.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from agents.local.decoding.soft_thinking import Mixture, embed_soft
from agents.local.forward import Forward, Mixed, Pages, functions_for, head_size, kv_heads
from agents.local.lane_inputs import (
    FIELDS,
    FORCED,
    Lane,
    LaneInputs,
    Pass,
    Piece,
    Span,
    Spans,
    Staging,
    lane_inputs,
)
from agents.local.pages import PageTable
from agents.local.rows import NO_RULES, Result, Rows, Rules

PAGE = 256
# With free seeds, the most tokens of a prompt that go along as lanes: longer ones are read in
# pieces, which takes less time for each token.
MOST_MIXED = 16
# Steps whose inputs are on their way at once.
IN_FLIGHT = 4
LOG = logging.getLogger("arena.local")


class LaneRows(Rows):
    """Rows whose keys and values are in pages, and the steps that run over them.

    `widest` is the largest number of lanes of a step; with `exact` every step has so many.
    """

    leads = True
    mixed = MOST_MIXED
    guessing_rows = guessing_lanes = 32

    def __init__(
        self,
        forward: Forward,
        slots: int,
        capacity: int,
        *,
        pages: int | None = None,
        widest: int = 256,
        exact: bool = True,
        page: int = PAGE,
    ) -> None:
        super().__init__(slots, capacity, widest)
        self.exact = exact
        # Why steps do not run as graphs, None if they do.
        self.eager: str | None = None
        model = forward.model
        self._device = model.device
        on_gpu = self._device.type == "cuda"
        if not on_gpu:
            self.eager = "there is no GPU"
        self._forward = forward
        self._run = functions_for(self._device)
        config = model.config.get_text_config()
        heads = config.num_attention_heads // kv_heads(model)
        self._together = self._run.lanes_together(heads)
        # More pages than all rows can fill are of no use; one more belongs to no row.
        most = slots * -(-capacity // page)
        pages = 1 + min(pages or most, most)
        self._book = PageTable(slots, capacity, pages, page)
        shape = (config.num_hidden_layers, pages, page, kv_heads(model), head_size(model))
        keys, values = (
            torch.zeros(shape, dtype=model.dtype, device=self._device) for _ in range(2)
        )
        table = torch.zeros(self._book.table.shape, dtype=torch.int32, device=self._device)
        self._pages = Pages(keys, values, table)
        self._graphs: dict[tuple[int, int, bool], torch.cuda.CUDAGraph] = {}
        # The concept tokens of a step, once there is one.
        self._mixed: Mixed | None = None
        self._pool = torch.cuda.graph_pool_handle() if on_gpu else None
        vocabulary = model.get_output_embeddings().weight.shape[0]
        self._inputs = torch.zeros(FIELDS, widest, dtype=torch.int32, device=self._device)
        # Of each lane: the token that was drawn, and three measures.
        self._out = torch.zeros(widest, 4, dtype=torch.int32, device=self._device)
        self.logits = torch.zeros(widest, vocabulary, dtype=model.dtype, device=self._device)
        self._staging = [
            Staging(widest, self._book.table.shape, pinned=on_gpu) for _ in range(IN_FLIGHT)
        ]
        self._turn = 0

    @property
    def page(self) -> int:
        """The number of tokens of a page."""
        return self._book.size

    def free(self) -> None:
        """Give all memory back; no step can be run after that."""
        nothing = torch.empty(0)
        self._graphs.clear()
        self._pages = Pages(nothing, nothing, nothing)
        self._inputs = self._out = self.logits = nothing
        self._mixed = None
        self._pool = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    # Rows.

    def missing_pages(self, source: int, target: int, keep: int, length: int) -> int:
        """Return how many pages are missing for `seat` with the same arguments."""
        return self._book.missing(source, target, keep, length)

    def seat(self, source: int, target: int, keep: int, length: int) -> None:
        """Give row `target` room for `length` tokens, the first `keep` of row `source` in it."""
        copied = self._book.seat(source, target, keep, length)
        if copied is not None:
            before, after = copied
            for block in (self._pages.keys, self._pages.values):
                block[:, after] = block[:, before]

    def swap(self, left: int, right: int, length: int) -> None:
        """Exchange two rows; nothing is moved."""
        self._book.swap(left, right)

    def trim(self, row: int, length: int) -> None:
        """Give the pages of a row behind its first `length` positions to others."""
        self._book.trim(row, length)

    def clear(self, row: int) -> None:
        """Give the pages of a row to others."""
        self._book.clear(row)

    # Steps.

    def step(self, lanes: Sequence[Lane], likeliest: int = 0, rules: Rules = NO_RULES) -> Result:
        """Start a step; with `likeliest`, also return so many likeliest tokens of each lane.

        Lanes that are in `rules` draw their tokens under them.
        """
        width = self.widest
        if not self.exact:
            width = next(size for size in bucket_sizes(self.widest) if size >= len(lanes))
        longest = max(lane.place for lane in lanes) // self.page + 1
        parts = min(1 << (longest - 1).bit_length(), self._book.table.shape[1])
        mixes = self._mix(lanes)
        graph = self._graph(width, parts, mixes)
        self._send(lanes, width, self._inputs[:, :width])
        if graph is None:
            self._compute(width, parts, mixes)
        else:
            graph.replay()
        out, logits = self._out[: len(lanes)], self.logits[: len(lanes)]
        faults = self._draw_again(rules, logits, self._inputs, out)
        return self._result(out, logits, likeliest, faults)

    def read(self, pieces: Sequence[Piece], likeliest: int = 0, rules: Rules = NO_RULES) -> Result:
        """Read pieces of prompts; the result has an entry for each of their lanes."""
        lanes = [lane for piece in pieces for lane in piece.lanes]
        block = torch.zeros(FIELDS, max(1, len(lanes)), dtype=torch.int32, device=self._device)
        self._send(lanes, max(1, len(lanes)), block)
        tokens, ids = self._pass_over(pieces)
        starts = np.cumsum([0, *(len(piece.ids) for piece in pieces)])
        wanted = [
            int(start) + lane.place - piece.place
            for start, piece in zip(starts, pieces, strict=False)
            for lane in piece.lanes
        ]
        hidden = self._forward.hidden(ids, tokens, self._pages, self._vectors(pieces))
        # At least one, so that the rest needs no case of its own.
        chosen = torch.tensor(wanted or [0], device=self._device)
        logits = self._forward.logits(hidden[chosen])
        out = torch.empty(len(chosen), 4, dtype=torch.int32, device=self._device)
        self._draw(logits, lane_inputs(block), out)
        faults = self._draw_again(rules, logits, block, out)
        return self._result(out[: len(lanes)], logits[: len(lanes)], likeliest, faults)

    def _pass_over(self, pieces: Sequence[Piece]) -> tuple[Pass, torch.Tensor]:
        """Return a pass over pieces of prompts, and its token ids [T], int64."""
        spans: list[Span] = []
        numbers = []
        keys = []
        for piece in pieces:
            start = spans[-1].end if spans else 0
            count = len(piece.ids)
            slot = self._book.slot_of[piece.row]
            spans.append(Span(start, start + count, slot, piece.place))
            places = np.arange(piece.place + count)
            numbers.append((piece.ids, np.full(count, slot), places[piece.place :]))
            pages = self._book.table[slot, places // self.page].astype(np.int64)
            keys.append(pages * self.page + places % self.page)
        device = self._device
        joined = np.stack([np.concatenate(part) for part in zip(*numbers, strict=True)])
        ids, slots, places = torch.from_numpy(joined.astype(np.int32)).to(device)
        lengths = [[span.end - span.start for span in spans], [len(part) for part in keys]]
        begins = [np.cumsum([0, *part]).astype(np.int32) for part in lengths]
        index = torch.from_numpy(np.concatenate(keys)).to(device)
        queries, there = (torch.from_numpy(part).to(device) for part in begins)
        found = Spans(spans, index, queries, there, *map(max, lengths))
        return Pass(slots, places, spans=found), ids.long()

    def _send(self, lanes: Sequence[Lane], width: int, block: torch.Tensor) -> None:
        """Send the inputs of a step to the device, and the page table if it has changed."""
        staging = self._staging[self._turn % IN_FLIGHT]
        self._turn += 1
        staging.wait()
        host = staging.fill(lanes, width, self._book.slot_of, self.slots, self._together)
        block.copy_(host, non_blocking=True)
        if self._book.changed:
            staging.table.numpy()[:] = self._book.table
            self._pages.table.copy_(staging.table, non_blocking=True)
            self._book.changed = False
        staging.sent()

    def _vectors(self, pieces: Sequence[Piece]) -> Mixed | None:
        """Return the soft thoughts in pieces of prompts, None if there are none."""
        starts = np.cumsum([0, *(len(piece.ids) for piece in pieces)])
        found = {
            int(start) + place - piece.place: vector
            for start, piece in zip(starts, pieces, strict=False)
            for place, vector in piece.vectors.items()
        }
        if not found:
            return None
        where, states = self._soft(found)
        mixed = Mixed(
            torch.zeros(int(starts[-1]), 1, dtype=torch.bool, device=self._device),
            states.new_zeros(int(starts[-1]), states.shape[1]),
        )
        mixed.lanes[where] = True
        mixed.states[where] = states
        return mixed

    def _soft(
        self, inputs: Mapping[int, Mixture | torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the numbers [n] of soft inputs, and their embeddings [n, size]."""
        embedding = self._forward.model.get_input_embeddings()
        where = torch.tensor([*inputs], device=self._device)
        return where, embed_soft(embedding, [*inputs.values()])

    def _mix(self, lanes: Sequence[Lane]) -> bool:
        """Put concept tokens and thoughts where a step finds them; return if there are any."""
        mixtures = {
            number: lane.mixture for number, lane in enumerate(lanes) if lane.mixture is not None
        }
        if mixtures:
            where, states = self._soft(mixtures)
            if self._mixed is None:
                size = (self.widest, states.shape[1])
                mask = torch.zeros(self.widest, 1, dtype=torch.bool, device=self._device)
                self._mixed = Mixed(mask, states.new_zeros(size))
            self._mixed.lanes.zero_()
            self._mixed.lanes[where] = True
            self._mixed.states[where] = states
        return bool(mixtures)

    def _compute(self, width: int, parts: int, mixes: bool) -> None:
        """Run the lanes of a step; all that it reads and writes stays where it is."""
        lanes = lane_inputs(self._inputs[:, :width])
        drawn = self._out[:, 0][lanes.source.clamp(min=0).long()]
        ids = torch.where(lanes.source >= 0, drawn, lanes.token).long()
        tokens = Pass(lanes.slots, lanes.places, parts, lanes.share)
        mixed = None
        if mixes and self._mixed is not None:
            mixed = Mixed(self._mixed.lanes[:width], self._mixed.states[:width])
        hidden = self._forward.hidden(ids, tokens, self._pages, mixed)
        logits = self.logits[:width]
        logits.copy_(self._forward.logits(hidden))
        self._draw(logits, lanes, self._out[:width])

    def _draw(self, logits: torch.Tensor, lanes: LaneInputs, out: torch.Tensor) -> None:
        token, measures = self._run.draw(logits, lanes)
        out[:, 0] = token
        out[:, 1:] = measures.contiguous().view(torch.int32)

    def _draw_again(
        self,
        rules: Rules,
        logits: torch.Tensor,
        inputs: torch.Tensor,
        out: torch.Tensor,
    ) -> dict[int, Exception]:
        """Draw the tokens of lanes under their rules; return the errors of these by lane."""
        if not rules.lanes:
            return {}
        where = torch.tensor(rules.lanes, device=self._device)
        own = logits[where]
        found = rules.apply(own)
        block = inputs[:, where].contiguous()
        token = torch.tensor(found.given, dtype=torch.int32, device=self._device)
        if found.logits is not None:
            changed = torch.tensor(found.numbers, device=self._device)
            some = block[:, changed].contiguous()
            drawn, _ = self._run.draw(found.logits, lane_inputs(some))
            token[changed] = torch.where(token[changed] >= 0, token[changed], drawn)
        # As a forced token it is measured by the logits before that.
        block[FORCED] = token
        again = torch.empty(len(where), out.shape[1], dtype=torch.int32, device=self._device)
        self._draw(own, lane_inputs(block), again)
        out[where] = again
        return {rules.lanes[number]: error for number, error in found.faults.items()}

    def _result(
        self,
        out: torch.Tensor,
        logits: torch.Tensor,
        likeliest: int,
        faults: dict[int, Exception],
    ) -> Result:
        """Start the way of a step's results to the host."""
        found = None
        if likeliest:
            scores = logits.float().log_softmax(-1)
            found = scores.topk(min(likeliest, scores.shape[1]), dim=-1)
        if self._device.type != "cuda":
            return Result(out.clone(), None, found and (found[0], found[1]), faults)
        block = torch.empty(out.shape, dtype=out.dtype, pin_memory=True)
        block.copy_(out, non_blocking=True)
        if found is not None:
            found = tuple(part.to("cpu", non_blocking=True) for part in found)
        done = torch.cuda.Event()
        done.record()
        return Result(block, done, found, faults)

    def _graph(self, width: int, parts: int, mixes: bool) -> torch.cuda.CUDAGraph | None:
        """Return the graph for so many lanes and pages, captured at its first use."""
        if self.eager is not None:
            return None
        graph = self._graphs.get((width, parts, mixes))
        if graph is None:
            try:
                graph = self._capture(width, parts, mixes)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                self.eager = str(error).partition("\n")[0]
                LOG.warning(
                    "%s runs without CUDA graphs, several times slower: %s",
                    type(self._forward.model).__name__,
                    self.eager,
                )
                torch.cuda.synchronize()
                return None
            self._graphs[width, parts, mixes] = graph
        return graph

    def _capture(self, width: int, parts: int, mixes: bool) -> torch.cuda.CUDAGraph:
        """Capture a step.  It runs before that, which compiles kernels, with lanes of no row."""
        drawn = self._out.clone()
        self._send([], width, self._inputs[:, :width])
        side = side_stream(self._device)
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            self._compute(width, parts, mixes)
        torch.cuda.current_stream(self._device).wait_stream(side)
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            self._compute(width, parts, mixes)
        # What the step before has drawn is read by the next one.
        self._out.copy_(drawn)
        return graph


@functools.cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream on which steps run before they are captured.

    One for all: cuBLAS keeps memory of its own for each stream that it has seen.
    """
    return torch.cuda.Stream(device)


def bucket_sizes(widest: int) -> list[int]:
    """Return the numbers of lanes for which there are graphs: powers of 2, up to `widest`."""
    sizes = [1 << n for n in range(widest.bit_length())]
    return [*(size for size in sizes if size < widest), widest]
