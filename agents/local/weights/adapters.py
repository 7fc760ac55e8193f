"""Add a LoRA adapter to the weights of a model, once, when it is loaded.

An adapter is a folder as peft writes it: adapter_config.json and adapter_model.safetensors.  Each
of its pairs adds scale * B A to a weight, with scale = alpha / r, or alpha / sqrt(r) for rsLoRA
("LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685, section 4.1; "A Rank
Stabilization Scaling Factor for Fine-Tuning with LoRA", arXiv 2312.03732).  Weights that were
trained as a whole (peft's modules_to_save and biases) take the place of the model's own.

Left out, and refused by name: kinds of adapters other than LoRA, DoRA, and starts that change the
weights below the adapter (PiSSA, OLoRA, LoftQ, ...).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel

from arena.errors import StudyError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
# What peft puts before the names of the model's own modules.
PREFIX = "base_model.model."
PART = re.compile(r"(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(\.[^.]+)?")
# Settings that are not plain LoRA, with the values at which they are.
PLAIN: dict[str, tuple[object, ...]] = {
    "peft_type": ("LORA",),
    "use_dora": (None, False),
    "use_qalora": (None, False),
    "lora_bias": (None, False),
    "layer_replication": (None, []),
    "target_parameters": (None, []),
    "trainable_token_indices": (None, []),
    "megatron_config": (None,),
    "init_lora_weights": (None, True, False, "gaussian", "eva", "orthogonal"),
}


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch counts as untyped
def merge_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Add the adapter in a folder to the weights of a model.

    Sums are taken in float32 and rounded once.  Raises StudyError if the folder holds no adapter,
    one that is not plain LoRA, or one of another model.
    """
    config, tensors = read_adapter(folder)
    own = dict(model.named_parameters())
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        part = PART.fullmatch(name.removesuffix(".weight"))
        if part is None:
            # A weight that was trained as a whole, or kept beside its pair.
            whole = re.sub(r"\.(modules_to_save(\.default)?|base_layer)\b", "", name)
            weight = weight_for(whole, own, tensor.shape, folder)
            weight.copy_(tensor)
            continue
        sides = pairs.setdefault(part["module"], {})
        # Of an embedding, A is [r, vocabulary] and B [size, r]: its weight is the other way round.
        sides[part["side"]] = tensor.T if part["embedding"] else tensor
        if part["embedding"]:
            sides["is embedding"] = tensor
    for module, sides in pairs.items():
        if not {"A", "B"} <= set(sides):
            raise StudyError(f"the adapter in {folder} has half of a pair alone, of {module}")
        change = pair_change(module, sides, config)
        weight = weight_for(f"{module}.weight", own, change.shape, folder)
        weight.copy_(weight.float() + change.to(weight.device))


def read_adapter(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the settings of an adapter, and its tensors by the names of the model's modules."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise StudyError(
            f"{folder} holds no adapter that can be read: it needs {CONFIG} and {WEIGHTS}, as peft"
            f" writes them ({error})"
        ) from error
    odd = [
        f"{name} {config.get(name)!r:.40}"
        for name, plain in PLAIN.items()
        if config.get(name) not in plain
    ]
    if odd:
        raise StudyError(
            f"the adapter in {folder} is not plain LoRA ({', '.join(odd)}): merge it into the"
            " weights with peft, and load that folder"
        )
    return config, {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}


def pair_change(
    module: str, sides: Mapping[str, torch.Tensor], config: Mapping[str, Any]
) -> torch.Tensor:
    """Return what a pair adds to the weight of a module, float32."""
    a, b = (sides[side].float() for side in "AB")
    if "is embedding" in sides:
        # Both were turned: [vocabulary, r] and [r, size].
        rank, change = a.shape[1], a @ b
    else:
        rank, change = len(a), b @ a
    # The first pattern that matches the end of a module's name counts, as in peft.
    patterns = (config.get("alpha_pattern") or {}).items()
    matching = (value for key, value in patterns if re.fullmatch(rf"(.*\.)?({key})", module))
    alpha = next(matching, config["lora_alpha"])
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return scale * (change.T if config.get("fan_in_fan_out") else change)


def weight_for(
    name: str, own: Mapping[str, torch.Tensor], shape: torch.Size, folder: Path
) -> torch.Tensor:
    """Return the weight of a model that a tensor of an adapter belongs to."""
    weight = own.get(name)
    if weight is None or weight.shape != shape:
        found = "none" if weight is None else f"one of {tuple(weight.shape)}"
        raise StudyError(
            f"the adapter in {folder} is of another model: it has a weight {name} of"
            f" {tuple(shape)}, and this model has {found}"
        )
    return weight
