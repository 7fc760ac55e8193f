"""Keep the weights of a model's linear layers in 8 or 4 bits, to save memory.

Weights alone are rounded, each row or group to a number of its own times a small integer ("int8": a
scale for each output; "int4": a scale for each 32 inputs, two weights a byte) or a float of 8 bits
("fp8", e4m3).  Products are computed in the model's number format, for which a layer's weights are
unpacked and dropped again: a model takes a half or a quarter of the memory and more time a token.
Embeddings and the output layer stay as they are.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from transformers import PreTrainedModel

from arena.errors import StudyError

GROUP = 32
LARGEST = {"int8": 127.0, "int4": 7.0, "fp8": 448.0}
# A model whose weights are mostly of other layers (fused experts, say) would stay as large.
LEAST_SHARE = 0.5


class QuantizedLinear(nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """A linear layer whose weight is kept in few bits.

    `packed` are the small numbers [outputs, inputs] (int4: two in a byte), and `scale` [outputs,
    groups, 1] what they are multiplied by, in the number format of the model.
    """

    def __init__(self, linear: nn.Linear, kind: str) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.kind = kind
        self.bias = linear.bias
        weight = linear.weight.detach()
        size = math.gcd(GROUP, self.in_features) if kind == "int4" else self.in_features
        groups = weight.float().view(self.out_features, -1, size)
        # A row of zeros is kept as zeros, whatever its scale.
        largest = groups.abs().amax(-1, keepdim=True).clamp_min(1e-12)
        scale = (largest / LARGEST[kind]).to(weight.dtype)
        # Divided by the scale as it is kept, so that its rounding does not add to the error.
        small = groups / scale.float().clamp_min(1e-30)
        small = small.clamp_(-LARGEST[kind], LARGEST[kind])
        self.register_buffer("scale", scale)
        self.register_buffer("packed", pack(small, kind))

    def weight_now(self) -> torch.Tensor:
        """Return the weight [outputs, inputs] in the number format of the model."""
        small = unpack(self.packed, self.kind).to(self.scale.dtype)
        groups = small.view(self.out_features, self.scale.shape[1], -1)
        return (groups * self.scale).view(self.out_features, self.in_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product of x [..., inputs] with the weight."""
        return nn.functional.linear(x, self.weight_now(), self.bias)


def pack(small: torch.Tensor, kind: str) -> torch.Tensor:
    """Return numbers [outputs, groups, size], which lie in the range of their kind, as it is kept.

    They are rounded to the nearest.
    """
    flat = small.flatten(1)
    if kind == "fp8":
        return flat.to(torch.float8_e4m3fn)
    whole = flat.round().to(torch.int8)
    if kind == "int8":
        return whole
    # From 0 to 15, the first of two in the lower half of the byte.
    nibbles = (whole + 8).to(torch.uint8)
    return nibbles[:, ::2] | nibbles[:, 1::2] << 4


def unpack(packed: torch.Tensor, kind: str) -> torch.Tensor:
    """Return the small numbers [outputs, inputs] of packed ones."""
    if kind != "int4":
        return packed
    return torch.stack((packed & 15, packed >> 4), -1).flatten(1).to(torch.int8) - 8


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch counts as untyped
def quantize(model: PreTrainedModel, kind: str) -> None:
    """Keep the linear layers of a model in few bits: `kind` is "int8", "int4" or "fp8".

    Raises StudyError if most of its weights are not in such layers, so that it would not get
    smaller.
    """
    ends = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    owners = [
        (owner, name, child)
        for owner in model.modules()
        for name, child in owner.named_children()
        if type(child) is nn.Linear and id(child) not in ends and child.in_features % 2 == 0
    ]
    taken = sum(child.weight.numel() for _, _, child in owners)
    other = {
        id(weight): weight.numel()
        for module in model.modules()
        if id(module) not in ends
        for weight in module.parameters(recurse=False)
    }
    if taken < LEAST_SHARE * sum(other.values()):
        raise StudyError(
            f"dtype={kind} keeps linear layers in few bits, and of {type(model).__name__} only"
            f" {taken / max(1, sum(other.values())):.0%} of the weights are in such layers: leave"
            " it out"
        )
    for owner, name, child in owners:
        setattr(owner, name, QuantizedLinear(child, kind))
