"""Choose how a model runs, size the rows for its keys and values, and prove that they work."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from logging import getLogger
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from agents.local.cache import SlotRows, SoloRows, attention_windows
from agents.local.forward import Forward, ModelForward, OwnForward, family_problem
from agents.local.lane_inputs import Lane, Piece
from agents.local.lanes import PAGE, LaneRows
from agents.local.loading import LoadedModel
from agents.local.rows import Rows
from agents.local.settings import Settings
from arena.errors import StudyError

SLOTS = 16
# Lanes of a step on a GPU.  With exact seeds all steps have as many: at 128, products of matrices
# still take hardly longer than reading the weights does.
EXACT_LANES = 128
FREE_LANES = 256
# Tokens of a row, if the user does not choose: between these, as memory allows.
LONGEST_ROW = 32_768
SHORTEST_ROW = 512
CPU_CACHE_BYTES = 4 * 2**30
# Bytes on a GPU that pieces of prompts, graphs and the libraries need.
GPU_WORKSPACE_BYTES = 3 * 2**30
# The window of layers that have one, while a model is compared with transformers.
SHORT_WINDOW = 5
# How many times further from the model's own logits than rounding moves them ours may lie.  Both
# are rounded, so that their difference has sqrt(2) times the spread; three of these.
ROUNDING_FACTOR = 4.0
# Rounding that moves logits by more than this share of their spread hides any mistake.
MOST_NOISE = 0.25
LOG = getLogger("arena.local")


def rows_for(loaded: LoadedModel, settings: Settings) -> Rows:
    """Return the rows for a model, as long as its memory and its positions allow.

    Raises StudyError if longer rows are asked for than the model has positions, or memory has room
    for.
    """
    model = loaded.model
    config = model.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None) or LONGEST_ROW
    if settings.context is not None and settings.context > positions:
        raise StudyError(
            f"context={settings.context} is more than the {positions} positions of this model;"
            " leave it out, or take less"
        )
    problem: str | None = None
    if model.device.type == "cuda" and can_be_kept_in_pages(
        config, settings.context or min(positions, LONGEST_ROW)
    ):
        rows = lane_rows(model, settings, positions)
        if isinstance(rows, LaneRows):
            return rows
        LOG.warning("%s runs without the fast path: %s", type(model).__name__, rows)
    slots = settings.slots or SLOTS
    room = cache_bytes(model) // (slots * bytes_per_token(model) or 1)
    check_room(model, slots, settings.context)
    context = settings.context or min(positions, max(SHORTEST_ROW, min(LONGEST_ROW, room)))
    if attention_windows(config) is None:
        kinds = sorted(set(config.layer_types) - {"full_attention", "sliding_attention"})
        problem = f"it has layers of the kind {' and '.join(kinds)}, which are not batched"
    else:
        with short_windows(model):
            problem = batching_problem(model, lambda: SlotRows(model, 2, 16))
    if problem is None:
        return SlotRows(model, slots, context)
    LOG.warning(
        "%s takes the slower path, one sequence after another: %s", type(model).__name__, problem
    )
    return SoloRows(model, slots, context)


def check_room(model: PreTrainedModel, slots: int, context: int | None) -> None:
    """Raise StudyError if rows of a length that was asked for need more memory than is free."""
    needed = slots * (context or 0) * bytes_per_token(model)
    free = free_bytes(model.device)
    if needed > free:
        raise StudyError(
            f"{slots} rows of context={context} need {needed / 2**30:.1f} GiB for keys and values,"
            f" and {free / 2**30:.1f} GiB are free: take"
            f" context={max(1, free // (slots * bytes_per_token(model)))} or less, or"
            f" slots={max(1, free // ((context or 1) * bytes_per_token(model)))}"
        )


def lane_rows(model: PreTrainedModel, settings: Settings, positions: int) -> LaneRows | str:
    """Return rows in pages, on which steps run as graphs; or why the model cannot have them.

    Raises StudyError if memory has no room for one row.
    """
    exact = settings.seeds != "free"
    slots = settings.slots or (EXACT_LANES if exact else FREE_LANES)
    # The lanes of exact seeds are the same for any smaller number of rows.
    widest = max(EXACT_LANES if exact else 1, 1 << (slots - 1).bit_length())
    pages = page_count(model, widest)
    longest = (pages - 1) * PAGE
    if longest < (settings.context or SHORTEST_ROW):
        fits = f"?context={longest}" if longest > 0 else "a GPU with more memory"
        raise StudyError(
            f"a sequence of {settings.context or SHORTEST_ROW} tokens does not fit the memory that"
            f" this GPU has left beside the weights, {max(0, longest)} do: take {fits}, or a"
            " smaller ?dtype="
        )
    context = settings.context or min(positions, LONGEST_ROW, longest)
    why = []
    ways: list[type[OwnForward] | type[ModelForward]] = [ModelForward]
    if (reason := family_problem(model)) is None:
        ways.insert(0, OwnForward)
    else:
        why.append(reason)
    for way in ways:
        try:
            forward: Forward = way(model, context)
            small = LaneRows(forward, 3, 64, widest=widest, exact=exact)
            problem = batching_problem(model, lambda rows=small: rows)
        except torch.OutOfMemoryError:
            raise
        except (
            *(TypeError, ValueError, IndexError, RuntimeError, AttributeError),
            ImportError,  # Triton is not there.
        ) as error:
            problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if problem is None:
            same = exact and is_same_in_any_company(small)
            if exact and not same:
                LOG.warning(
                    "%s: logits on this GPU depend on what runs beside a row, so that seeds are not"
                    " promised",
                    type(model).__name__,
                )
            small.free()
            pages = page_count(model, widest)
            rows = LaneRows(forward, slots, context, pages=pages, widest=widest, exact=exact)
            rows.seeds_hold = same
            return rows
        why.append(f"{forward.name}: {problem}")
    return "; ".join(why)


def page_count(model: PreTrainedModel, widest: int) -> int:
    """Return how many pages of keys and values the memory of a GPU has room for."""
    config = model.config.get_text_config()
    logits = 3 * widest * config.vocab_size * model.dtype.itemsize
    room = torch.cuda.mem_get_info(model.device)[0] - GPU_WORKSPACE_BYTES - logits
    return max(0, int(room)) // (PAGE * bytes_per_token(model))


def can_be_kept_in_pages(config: object, context: int) -> bool:
    """Return whether every layer sees all of a sequence of `context` tokens.

    It does with full attention, or with a window that is as long.
    """
    windows = attention_windows(config)
    return windows is not None and all(size is None or size >= context for size in windows.values())


@contextmanager
def short_windows(model: PreTrainedModel) -> Iterator[None]:
    """Let the windows of a model be short, so that a few tokens tell whether they are kept."""
    config = model.config.get_text_config()
    before = getattr(config, "sliding_window", None)
    if before is None:
        yield
        return
    config.sliding_window = min(before, SHORT_WINDOW)
    try:
        yield
    finally:
        config.sliding_window = before


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def batching_problem(model: PreTrainedModel, make_rows: Callable[[], Rows]) -> str | None:
    """Return why sequences cannot be batched in some rows, or None.

    The logits after each of the last two of 12 tokens, of two rows that are read in different ways,
    may differ from those of the model alone as much as rounding explains.
    """
    size = model.config.get_text_config().vocab_size
    ids = np.random.default_rng(0).integers(0, size, (1, 12))
    tokens = torch.from_numpy(ids).to(model.device)
    alone = centred(model(input_ids=tokens).logits[0, -2:].float())
    try:
        found = probe_logits(make_rows(), ids)
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, IndexError, RuntimeError, AttributeError) as error:
        # The model does not take a mask of four dimensions, or caches other things than keys and
        # values.
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        return f"it cannot be given a mask for each sequence ({reason})"
    noise = rounding_noise(model, tokens, alone)
    spread = float(alone.std())
    if not noise <= MOST_NOISE * spread:
        return f"rounding alone moves its logits by {noise / spread:.0%} of their spread"
    distance = max(
        float((alone[step] - row).square().mean().sqrt())
        for step, rows in enumerate(found)
        for row in rows
    )
    if distance <= ROUNDING_FACTOR * noise:
        return None
    return (
        f"its logits differ when sequences are batched, by {distance / spread:.2%} of their spread"
        f" where rounding explains {ROUNDING_FACTOR * noise / spread:.2%}"
    )


def rounding_noise(model: PreTrainedModel, tokens: torch.Tensor, alone: torch.Tensor) -> float:
    """Return how far rounding moves logits: the root mean square over the last two tokens.

    Every result of every module is changed by a random part of a unit in its last place, which is
    what rounding does to it (Monte Carlo arithmetic; Parker 1997).  Sums of float32 products are
    rounded in float32 themselves, where n terms add up to about sqrt(n) such units.
    """
    generator = torch.Generator(model.device).manual_seed(0)
    unit = torch.finfo(model.dtype).eps / 2
    if model.dtype == torch.float32:
        unit *= math.sqrt(model.config.get_text_config().hidden_size)

    def blur(module: nn.Module, inputs: object, output: object) -> object:
        if not isinstance(output, torch.Tensor) or not output.is_floating_point():
            return None
        # In float32: the product would be rounded back otherwise, which is rounding once more.
        noise = torch.rand(output.shape, generator=generator, device=output.device) * 2 - 1
        return (output.float() * (1 + unit * noise)).to(output.dtype)

    leaves = [module for module in model.modules() if next(module.children(), None) is None]
    hooks = [module.register_forward_hook(blur) for module in leaves]
    try:
        moved = centred(model(input_ids=tokens).logits[0, -2:].float())
    finally:
        for hook in hooks:
            hook.remove()
    return float((moved - centred(alone)).square().mean().sqrt())


def probe_logits(rows: Rows, ids: np.ndarray) -> list[torch.Tensor]:
    """Return the logits of two rows of equal tokens; see batching_problem.

    One is read in pieces, where rows are, and one as lanes; the piece of one goes along with more
    tokens of the other, and the last tokens of both with each other.
    """
    tokens = ids[0].astype(np.int32)
    for row in range(2):
        rows.seat(-1, row, 0, 12)

    def lanes(row: int, start: int, end: int) -> list[Lane]:
        return [Lane(row, place, int(tokens[place])) for place in range(start, end)]

    def read(*parts: tuple[int, int, int]) -> None:
        if rows.exact:
            start_lanes(rows, [lane for part in parts for lane in lanes(*part)])
        else:
            rows.read([Piece(row, start, tokens[start:end], []) for row, start, end in parts])

    read((0, 0, 5))
    for start in range(0, 9, rows.widest):
        start_lanes(rows, lanes(1, start, min(9, start + rows.widest)))
    read((0, 5, 10), (1, 9, 10))
    found = []
    for place in (10, 11):
        both = [lane for row in range(2) for lane in lanes(row, place, place + 1)]
        parts = [both] if rows.widest > 1 else [[lane] for lane in both]
        found.append(torch.cat([start_lanes(rows, part) for part in parts]))
    return [centred(logits) for logits in found]


def centred(logits: torch.Tensor) -> torch.Tensor:
    """Return logits [..., vocabulary] with a mean of 0: measuring may shift them."""
    return logits - logits.mean(-1, keepdim=True)


def start_lanes(rows: Rows, lanes: list[Lane]) -> torch.Tensor:
    """Run a step; return the logits [lanes, vocabulary], float32."""
    rows.step(lanes).wait()
    return rows.logits[: len(lanes)].float()


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def is_same_in_any_company(rows: LaneRows) -> bool:
    """Return whether a row has the same logits, to the bit, whatever runs beside it."""
    draw = np.random.default_rng(1)
    size = rows.logits.shape[1]
    ids = draw.integers(0, size, 40)
    for row in range(3):
        rows.seat(-1, row, 0, 64)

    def lanes(row: int, start: int, end: int) -> list[Lane]:
        return [Lane(row, place, int(ids[place])) for place in range(start, end)]

    rows.step(lanes(0, 0, 39))
    alone = start_lanes(rows, lanes(0, 39, 40))[0]
    for start in range(0, 39, 13):
        # Others before it, of other lengths, with other tokens.
        others = [Lane(2, place, int(draw.integers(size))) for place in range(start, start + 7)]
        rows.step([*others, *lanes(1, start, start + 13)])
    company = start_lanes(rows, [*(Lane(2, n, 5) for n in range(21, 40)), *lanes(1, 39, 40)])[-1]
    return bool(torch.equal(alone, company))


def bytes_per_token(model: PreTrainedModel) -> int:
    """Return the bytes of the keys and values of one token in all layers."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None)
    heads = heads or getattr(config, "num_attention_heads", 1)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size * model.dtype.itemsize)


def cache_bytes(model: PreTrainedModel) -> int:
    """Return the bytes that keys and values take if the user does not say how long rows are.

    On a GPU this is 85% of the memory that the weights leave free; on a CPU it is a quarter of the
    available memory, at most 4 GiB.
    """
    free = free_bytes(model.device)
    return int(free * 0.85) if model.device.type == "cuda" else min(CPU_CACHE_BYTES, free // 4)


def free_bytes(device: torch.device) -> int:
    """Return the bytes of memory that nobody uses on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    # What the system keeps of files can be had too, where it says so.
    with suppress(OSError):
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
        if found is not None:
            return int(found[1]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 4 * CPU_CACHE_BYTES
