"""Load a model from a folder or a hub id, and size the rows for its keys and values."""

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
from agents.local.settings import Settings
from arena.errors import StudyError

SLOTS = 16
# Tokens of a row, if the user does not choose: between these, as memory allows.
LONGEST_ROW = 32_768
SHORTEST_ROW = 512
CPU_CACHE_BYTES = 4 * 2**30
# Smaller weights are read in a moment, without a progress bar.
SMALL_WEIGHTS_BYTES = 2**28
# How far the logits of the batched path may lie from those of the model alone, in standard
# deviations of the logits: rounding differs with the order of sums, and grows with short formats.
LOGIT_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.15, torch.float16: 0.05}
LOG = getLogger("arena.local")
SLIDING = ("sliding_attention", "chunked_attention")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory with its tokenizer.

    `dtype` and `device` are spelled as in "bfloat16" and "cuda:0"; `end_ids` are the tokens that
    end a reply.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    dtype: str
    device: str
    end_ids: frozenset[int]


def load(where: str, settings: Settings, revision: str | None = None) -> LoadedModel:
    """Read weights and tokenizer from a folder, or from the hub (its cache on disk first).

    `revision` is a branch, tag or commit of the hub; None stands for its main branch.
    On a GPU the weights keep their format; on a CPU they become float32, which is faster there and
    makes replies repeatable.  Raises StudyError if there is no such model, or it cannot be fetched.
    """
    device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    default = torch.float32 if device == "cpu" else "auto"
    dtype = getattr(torch, settings.dtype) if settings.dtype else default
    try:
        model, tokenizer = read_pretrained(where, dtype, revision, local_files_only=True)
    except (OSError, ValueError) as error:
        if Path(where).exists() or os.environ.get("HF_HUB_OFFLINE") == "1":
            raise unreadable_model_error(where, error, revision) from error
        try:
            model, tokenizer = read_pretrained(where, dtype, revision, local_files_only=False)
        except (OSError, ValueError) as again:
            raise unreadable_model_error(where, again, revision) from again
    try:
        model = model.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise StudyError(
            f"local/{where} cannot be put on {device}: {str(error).splitlines()[0]}"
        ) from error
    # The configuration names one token, several or none; chat models often end with another one
    # than their tokenizer says, so both count.
    eos = model.generation_config.eos_token_id
    end_ids = {eos} if isinstance(eos, int) else set(eos or ())
    end_ids |= {tokenizer.eos_token_id} - {None}
    known = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > known:
        LOG.warning(
            "the tokenizer of %s has %d tokens and its weights %d: prompts with the others are"
            " refused",
            where,
            len(tokenizer),
            known,
        )
    format_name = str(model.dtype).removeprefix("torch.")
    return LoadedModel(model, tokenizer, format_name, str(model.device), frozenset(end_ids))


def read_pretrained(
    where: str, dtype: torch.dtype | str, revision: str | None, *, local_files_only: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return model and tokenizer as transformers reads them.

    Code that comes with a model is never run.
    """
    # transformers draws its progress bar only on a terminal, and only if reading takes a while.
    if not sys.stderr.isatty() or weight_bytes(where) < SMALL_WEIGHTS_BYTES:
        logging.disable_progress_bar()
    else:
        logging.enable_progress_bar()
    place = {"revision": revision or "main", "local_files_only": local_files_only}
    tokenizer = AutoTokenizer.from_pretrained(where, **place)
    model = AutoModelForCausalLM.from_pretrained(where, dtype=dtype, **place)
    return model, tokenizer


def weight_bytes(where: str) -> float:
    """Return the bytes of the weights in a folder; infinity if it is not a folder."""
    folder = Path(where)
    if not folder.is_dir():
        return float("inf")
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def unreadable_model_error(
    where: str, error: BaseException, revision: str | None = None
) -> StudyError:
    """Return the error for a model that cannot be read, in one sentence."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if Path(where).exists():
        return StudyError(
            f"transformers cannot read a causal language model from {where}: {reason}"
        )
    place = where if revision is None else f"{where}@{revision}"
    return StudyError(
        f"local/{place} is neither a folder nor in the hub's cache on this disk, and it could not"
        " be fetched; give a folder that holds config.json, tokenizer and safetensors, or open the"
        f" network once ({reason})"
    )


def rows_for(loaded: LoadedModel, settings: Settings) -> Rows:
    """Return the rows for a model, as long as its memory and its positions allow.

    Raises StudyError if longer rows are asked for than the model has positions.
    """
    model = loaded.model
    config = model.config.get_text_config()
    slots = settings.slots or SLOTS
    longest = getattr(config, "max_position_embeddings", None) or LONGEST_ROW
    room = cache_bytes(model) // (slots * bytes_per_token(model) or 1)
    if settings.context is not None and settings.context > longest:
        raise StudyError(
            f"context={settings.context} is more than the {longest} positions of this model;"
            " leave it out, or take less"
        )
    context = settings.context or min(longest, max(SHORTEST_ROW, min(LONGEST_ROW, room)))
    if not can_be_kept_in_rows(config, context):
        problem: str | None = "not all of its attention is full"
    else:
        problem = batching_problem(model, SlotRows(model, 2, 16))
    if problem is None:
        return SlotRows(model, slots, context)
    LOG.warning(
        "%s takes the slower path, one sequence after another: %s", type(model).__name__, problem
    )
    return SoloRows(model, slots, context)


def can_be_kept_in_rows(config: object, context: int) -> bool:
    """Return whether every layer sees all of a sequence of `context` tokens.

    It does with full attention, or with a window that is as long.
    """
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


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def batching_problem(model: PreTrainedModel, rows: SlotRows) -> str | None:
    """Return why sequences cannot be batched, or None.

    Two sequences are read in padded chunks of different lengths, and then go on by one step.  If
    the logits are those of the model alone, its attention heeds our mask.
    """
    size = model.config.get_text_config().vocab_size
    ids = np.random.default_rng(0).integers(0, size, (1, 12))
    alone = model(input_ids=torch.from_numpy(ids).to(model.device)).logits[0, -2:].float()
    ours = []
    try:
        # The same 12 tokens in both rows, read as 5 + 6 + 1 and as 9 + 2 + 1.
        rows.forward(0, ids[:, :5], np.arange(5)[None])
        rows.forward(1, ids[:, :9], np.arange(9)[None])
        both = np.array([ids[0, 5:11], [0] * 4 + [*ids[0, 9:11]]])
        places = np.array([range(5, 11), [PADDING] * 4 + [9, 10]])
        ours.append(rows.forward(0, both, places)[:, -1])
        last = np.repeat(ids[:, 11:], 2, axis=0)
        ours.append(rows.forward(0, last, np.array([[11], [11]]))[:, -1])
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, IndexError, RuntimeError, AttributeError) as error:
        # The model does not take a mask of four dimensions, or caches other things than keys and
        # values.
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        return f"it cannot be given a mask for each sequence ({reason})"
    largest = max(float((alone[step] - ours[step]).abs().max()) for step in range(2))
    return (
        None
        if largest <= LOGIT_TOLERANCE[model.dtype] * float(alone.std())
        else "its logits differ when sequences are batched"
    )


def bytes_per_token(model: PreTrainedModel) -> int:
    """Return the bytes of the keys and values of one token in all layers."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None)
    heads = heads or getattr(config, "num_attention_heads", 1)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size * model.dtype.itemsize)


def cache_bytes(model: PreTrainedModel) -> int:
    """Return the bytes that keys and values may take.

    On a GPU this is 85% of the memory that the weights leave free; on a CPU it is a quarter of the
    available memory, at most 4 GiB.
    """
    if model.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(model.device)
        return int(free * 0.85)
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return CPU_CACHE_BYTES
    return min(CPU_CACHE_BYTES, available // 4)
