"""Read weights that were trained elsewhere from a file, without running what it may hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file of safetensors, or of one that torch wrote, by name.

    Raises ValueError, in one line, if they cannot be read.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} holds no tensors by name")
    return found
