"""From a folder or a hub id to a model that runs: weights, number format, device, and how much room there is for keys and values."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from agents.local.cache import PADDING, Rows, SlotRows, SoloRows
from arena.errors import StudyError

SLOTS = 16
LONGEST_ROW = 32_768
SHORTEST_ROW = 512
CPU_CACHE_BYTES = 4 * 2**30
SMALL_WEIGHTS_BYTES = 2**28
# How far the logits of the batched path may lie from those of the model's own, in standard deviations of the logits.
LOGIT_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.15, torch.float16: 0.05}
LOG = getLogger("arena.local")
SLIDING = ("sliding_attention", "chunked_attention")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user says about how a model runs; None: chosen.  `slots`: sequences at once; `context`: tokens of a sequence at most."""

    dtype: str | None = None
    device: str | None = None
    slots: int | None = None
    context: int | None = None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory with its tokenizer; `dtype` and `device` in words; `ends` are the tokens that end a reply."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    dtype: str
    device: str
    end_ids: frozenset[int]


def load(where: str, settings: Settings) -> LoadedModel:
    """Read weights and tokenizer from a folder, or from the hub (first from what is on disk).

    On a GPU the weights keep their format; on a CPU they become float32, which is faster there and makes replies repeatable.
    Raises StudyError where there is no such model, or it cannot be fetched.
    """
    device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = (
        getattr(torch, settings.dtype)
        if settings.dtype
        else (torch.float32 if device == "cpu" else "auto")
    )
    try:
        model, tokenizer = read_pretrained(where, dtype, local_files_only=True)
    except (OSError, ValueError) as error:
        if Path(where).exists() or os.environ.get("HF_HUB_OFFLINE") == "1":
            raise unreadable_model_error(where, error) from error
        try:
            model, tokenizer = read_pretrained(where, dtype, local_files_only=False)
        except (OSError, ValueError) as again:
            raise unreadable_model_error(where, again) from again
    try:
        model = model.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise StudyError(
            f"local/{where} cannot be put on {device}: {str(error).splitlines()[0]}"
        ) from error
    given = model.generation_config.eos_token_id
    ends = {given} if isinstance(given, int) else set(given or ())
    ends |= {tokenizer.eos_token_id} - {None}
    return LoadedModel(
        model,
        tokenizer,
        str(model.dtype).removeprefix("torch."),
        str(model.device),
        frozenset(ends),
    )


def read_pretrained(
    where: str, dtype: torch.dtype | str, *, local_files_only: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer as transformers reads them; code that comes with a model is never run."""
    # Where a person looks and the weights are not read in a moment, transformers draws its bar.
    if not sys.stderr.isatty() or weight_bytes(where) < SMALL_WEIGHTS_BYTES:
        logging.disable_progress_bar()
    else:
        logging.enable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=local_files_only)
    model = AutoModelForCausalLM.from_pretrained(
        where, dtype=dtype, local_files_only=local_files_only
    )
    return model, tokenizer


def weight_bytes(where: str) -> float:
    """How large the weights of a folder are; infinite where it is no folder."""
    folder = Path(where)
    return (
        sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        if folder.is_dir()
        else float("inf")
    )


def unreadable_model_error(where: str, error: BaseException) -> StudyError:
    """The error for a model that is not there, in one sentence."""
    found = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if Path(where).exists():
        return StudyError(f"transformers cannot read a causal language model from {where}: {found}")
    return StudyError(
        f"local/{where} is neither a folder nor in the hub's cache on this disk, and it could not be fetched; give a folder that holds"
        f" config.json, tokenizer and safetensors, or open the network once ({found})"
    )


def rows_for(loaded: LoadedModel, settings: Settings) -> Rows:
    """The rows that a model gets: as many and as long as its memory allows and its positions go.

    Raises StudyError where longer rows are asked for than the model has positions.
    """
    model = loaded.model
    config = model.config.get_text_config()
    slots = settings.slots or SLOTS
    longest = getattr(config, "max_position_embeddings", None) or LONGEST_ROW
    room = cache_bytes(model) // (slots * bytes_per_token(model) or 1)
    if settings.context is not None and settings.context > longest:
        raise StudyError(
            f"context={settings.context} is more than the {longest} positions that this model has; leave it out, or take less"
        )
    context = settings.context or min(longest, max(SHORTEST_ROW, min(LONGEST_ROW, room)))
    if not can_be_kept_in_rows(config, context):
        why = "not all of its attention is full"
    elif (found := batching_problem(model, SlotRows(model, 2, 16))) is not None:
        why = found
    else:
        return SlotRows(model, slots, context)
    LOG.warning(
        "%s takes the slower path, one sequence after another: %s", type(model).__name__, why
    )
    return SoloRows(model, slots, context)


def can_be_kept_in_rows(config: object, context: int) -> bool:
    """Whether every layer sees all of a sequence of `context` tokens: full attention, or a window that is as long."""
    kinds = set(getattr(config, "layer_types", None) or ())
    window = getattr(config, "sliding_window", None)
    if kinds - {"full_attention", *SLIDING}:
        return False
    slides = (
        bool(kinds & set(SLIDING))
        if kinds
        else getattr(config, "use_sliding_window", True) and window is not None
    )
    return not slides or (window or 0) >= context


@torch.inference_mode()
def batching_problem(model: PreTrainedModel, rows: SlotRows) -> str | None:
    """Why sequences cannot be batched: None where two padded chunks and a decoding step give the logits of the model alone, which proves that
    its attention heeds our mask."""
    size = model.config.get_text_config().vocab_size
    ids = np.random.default_rng(0).integers(0, size, (1, 12))
    alone = model(input_ids=torch.from_numpy(ids).to(model.device)).logits[0, -2:].float()
    ours = []
    try:
        rows.forward(0, ids[:, :5], np.arange(5)[None])
        rows.forward(1, ids[:, :9], np.arange(9)[None])
        both = np.concatenate(
            (ids[:, 5:11], np.concatenate((np.zeros((1, 4), np.int64), ids[:, 9:11]), axis=1))
        )
        places = np.array([range(5, 11), [PADDING] * 4 + [9, 10]])
        ours.append(rows.forward(0, both, places)[:, -1])
        ours.append(
            rows.forward(0, np.repeat(ids[:, 11:], 2, axis=0), np.array([[11], [11]]))[:, -1]
        )
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, IndexError, RuntimeError, AttributeError) as error:
        # A model that does not take a mask of four dimensions, or keeps something else than keys and values.
        return f"it cannot be given a mask for each sequence ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
    far = max(float((alone[step] - ours[step]).abs().max()) for step in range(2))
    return (
        None
        if far <= LOGIT_TOLERANCE[model.dtype] * float(alone.std())
        else "its logits differ when sequences are batched"
    )


def bytes_per_token(model: PreTrainedModel) -> int:
    """Bytes that keys and values of one token take in all layers."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or getattr(
        config, "num_attention_heads", 1
    )
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize


def cache_bytes(model: PreTrainedModel) -> int:
    """Bytes that keys and values may take: on a GPU 85% of what is free after the weights, on a CPU a quarter of what is available."""
    if model.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(model.device)
        return int(free * 0.85)
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return CPU_CACHE_BYTES
    return min(CPU_CACHE_BYTES, available // 4)
