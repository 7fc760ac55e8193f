"""Load a model from a folder or a hub id."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from logging import getLogger
from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from agents.local.settings import Settings
from agents.local.weights.adapters import merge_adapter
from agents.local.weights.quantized import quantize
from arena.errors import StudyError

# Smaller weights are read in a moment, without a progress bar.
SMALL_WEIGHTS_BYTES = 2**28
# Of which format, and on which device, weights are laid out anew.
TURNED = (torch.float32, "cpu")
LOG = getLogger("arena.local")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory with its tokenizer.

    `dtype` and `device` are spelled as in "bfloat16" and "cuda:0"; `end_ids` are the tokens that
    end a reply.  `quantized` is the format of linear layers that are kept in few bits, if they are.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    dtype: str
    device: str
    end_ids: frozenset[int]
    quantized: str | None = None


def devices(settings: Settings) -> list[str]:
    """Return the devices that settings ask for, spelled as torch does."""
    if settings.device == "cuda" and torch.cuda.device_count() > 1:
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    default = "cuda" if torch.cuda.is_available() else "cpu"
    return (settings.device or default).split(",")


def load_copies(where: str, settings: Settings, revision: str | None = None) -> list[LoadedModel]:
    """Return the model of `load` on each of the devices that the settings ask for."""
    return [load(where, replace(settings, device=device), revision) for device in devices(settings)]


def load(where: str, settings: Settings, revision: str | None = None) -> LoadedModel:
    """Read weights and tokenizer from a folder, or from the hub (its cache on disk first).

    `revision` is a branch, tag or commit of the hub; None stands for its main branch.
    On a GPU the weights keep their format; on a CPU they become float32, which is faster there and
    makes replies repeatable.  Raises StudyError if there is no such model, or it cannot be fetched.
    """
    device = devices(settings)[0]
    default = torch.float32 if device == "cpu" else "auto"
    given = None if settings.quantized else settings.dtype
    dtype = getattr(torch, given) if given else default
    try:
        model, tokenizer = read_pretrained(where, dtype, revision, local_files_only=True)
    except (OSError, ValueError) as error:
        if Path(where).exists() or os.environ.get("HF_HUB_OFFLINE") == "1":
            raise unreadable_model_error(where, error, revision) from error
        try:
            model, tokenizer = read_pretrained(where, dtype, revision, local_files_only=False)
        except (OSError, ValueError) as again:
            raise unreadable_model_error(where, again, revision) from again
    if settings.adapter_folder is not None:
        merge_adapter(model, settings.adapter_folder)
    if settings.quantized is not None:
        quantize(model, settings.quantized)
    try:
        model = model.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise StudyError(
            f"local/{where} cannot be put on {device}: {str(error).splitlines()[0]}"
        ) from error
    turn_weights(model)
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
    return LoadedModel(
        model, tokenizer, format_name, str(model.device), frozenset(end_ids), settings.quantized
    )


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch counts as untyped
def turn_weights(model: PreTrainedModel) -> None:
    """Lay the weights of linear layers out by inputs, where they are float32 on a CPU.

    They have the same shape and values as before.  Products for 4 to 16 rows take a tenth to a half
    less time, since MKL need not turn the weights in each of them.
    """
    for module in model.modules():
        if type(module) is nn.Linear:
            weight = module.weight
            if (weight.dtype, weight.device.type) == TURNED:
                weight.data = weight.data.t().contiguous().t()


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
