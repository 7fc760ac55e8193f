"""Write the toy model with heads of 32 numbers, which vLLM on a CPU can compute, instead of 16.

It computes the same.  Rows of zeros are added to q, k and v, columns of zeros to o.  The rotary
pair i of 16 goes to place 2i of 32, which turns as fast.  With half the numbers zero, q and k are
normalised to sqrt(2) times as much each, and the scale falls by sqrt(2): k_norm makes up for it.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

SMALL = 16
LARGE = 32


def pad(tensor: torch.Tensor, dim: int, places: list[int]) -> torch.Tensor:
    """Return a tensor whose heads along a dimension have their numbers at these places."""
    heads = tensor.shape[dim] // SMALL
    shape = list(tensor.shape)
    shape[dim] = heads * LARGE
    index = torch.tensor([head * LARGE + place for head in range(heads) for place in places])
    return torch.zeros(shape, dtype=tensor.dtype).index_copy_(dim, index, tensor)


def main(source: Path, target: Path) -> None:
    """Write the padded model."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    half = SMALL // 2
    turned = [2 * i for i in range(half)] + [2 * i + SMALL for i in range(half)]
    plain = list(range(SMALL))
    weights = load_file(source / "model.safetensors")
    for name, tensor in weights.items():
        if ".q_norm." in name or ".k_norm." in name:
            scale = math.sqrt(2) if ".k_norm." in name else 1.0
            weights[name] = pad(tensor, 0, turned) / scale
        elif ".q_proj." in name or ".k_proj." in name:
            weights[name] = pad(tensor, 0, turned)
        elif ".v_proj." in name:
            weights[name] = pad(tensor, 0, plain)
        elif ".o_proj." in name:
            weights[name] = pad(tensor, 1, plain)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    config["head_dim"] = LARGE
    (target / "config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
