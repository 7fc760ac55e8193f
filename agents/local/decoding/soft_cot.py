"""Turn an assistant's last hidden states into soft thoughts before a reply, by given weights.

SoftCoT++, "Test-Time Scaling with Soft Chain-of-Thought Reasoning", arXiv 2505.11484.  With E the
embeddings of the specialised initial tokens [K, d] and P, b the projection [D, d], [D]:

    the assistant reads its prompt with E[k] at the places of the thoughts
    h [n, d]            its last hidden states there, behind the last norm
    z = h P^T + b       [n, D] run through the base model at those places of its prompt

Weights are given: a folder with projection.bin, as the released code writes it
(https://github.com/xuyige/SoftCoT, commit fa7f537), or projection.safetensors, with the tensors
`weight`, `bias` and `embedding`.  Left out: training.  Different: the places are behind the last
message of the user, without the released words that announce them; the projection is computed in
float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agents.local.decoding.given_weights import read_tensors
from arena.decoding import SoftCot
from arena.errors import StudyError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAMES = ("weight", "bias", "embedding")
FILES = ("projection.safetensors", "projection.bin")
# Places of thoughts have numbers below those of other marks.
FIRST_NUMBER = -2


def weights_file(folder: Path) -> Path:
    """Return the file of given weights in a folder; StudyError if there is none."""
    found = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if found is None:
        raise StudyError(
            f"soft_cot needs given weights, and {folder} holds no {' or '.join(FILES)}: take a"
            " folder that training has written (nothing is trained here)"
        )
    return found


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the given weights of a folder, float32; StudyError if they are not such weights."""
    file = weights_file(folder)
    status = file.stat()
    return read_once(file, status.st_mtime_ns, status.st_size)


@cache
def read_once(file: Path, changed_ns: int, size: int) -> dict[str, torch.Tensor]:
    """Return the tensors of a file as it was at some time."""
    try:
        whole = read_tensors(file)
        weights = {name: whole[name].float() for name in NAMES}
    except (ValueError, KeyError, AttributeError) as error:
        raise StudyError(
            f"{file} holds no weights of soft_cot, which are {', '.join(NAMES)} ({error})"
        ) from error
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    large, small = (*shapes["weight"], 0, 0)[:2]
    rows = shapes["embedding"][:1]
    if shapes != {"weight": (large, small), "bias": (large,), "embedding": (*rows, small)}:
        raise StudyError(
            f"the weights in {file} do not belong together: weight is [large, small], bias [large]"
            f" and embedding [initial tokens, small], and they are {shapes}"
        )
    return weights


@cache
def hash_once(file: Path, changed_ns: int, size: int) -> str:
    """Return the sha256 of a file as it was at some time."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def weights_digest(folder: Path) -> str:
    """Return the sha256 of the given weights of a folder."""
    file = weights_file(folder)
    status = file.stat()
    return hash_once(file, status.st_mtime_ns, status.st_size)


def check_weights(way: SoftCot, base: Path, assistant: Path) -> None:
    """Raise StudyError unless the weights fit two models, as far as their folders are here."""
    weights = read_weights(Path(way.weights).expanduser())
    large, small = weights["weight"].shape
    count = len(weights["embedding"])
    if way.initial >= count:
        raise StudyError(
            f"the weights in {way.weights} have {count} initial tokens, 0 to {count - 1}, and no"
            f" {way.initial}"
        )
    sizes = [state_size(folder) for folder in (assistant, base)]
    if any(size not in (None, part) for size, part in zip(sizes, (small, large), strict=True)):
        raise StudyError(
            f"the weights in {way.weights} project states of {small} numbers to {large}, and the"
            f" assistant {way.assistant} has {sizes[0]}, this model {sizes[1]}: take the models"
            " that they were trained for"
        )


def state_size(folder: Path) -> int | None:
    """Return how many numbers a hidden state of a model has; None if its folder is not here."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    for part in (config, config.get("text_config") or {}):
        size = part.get("hidden_size", part.get("n_embd"))
        if isinstance(size, int):
            return size
    return None


def thinker(
    way: SoftCot, ids: tuple[int, ...], places: list[int]
) -> Callable[[PreTrainedModel], torch.Tensor]:
    """Return the pass of an assistant over its prompt, which gives soft thoughts [n, large].

    The ids at `places` [n] are no tokens.
    """
    weights = read_weights(Path(way.weights).expanduser())

    def think(model: PreTrainedModel) -> torch.Tensor:
        import torch

        tokens = torch.tensor([ids], device=model.device).clamp(min=0)
        states = model.get_input_embeddings()(tokens)
        states[0, places] = weights["embedding"][way.initial].to(states)
        hidden = model.base_model(inputs_embeds=states, use_cache=False)[0][0, places]
        return torch.nn.functional.linear(hidden.float().cpu(), weights["weight"], weights["bias"])

    return think


def numbers_of(thoughts: torch.Tensor) -> list[int]:
    """Return a number for each of some thoughts [n, large], the same only for the same thoughts.

    A prompt is found again by its ids, and those of all thoughts would be the same.
    """
    content = hashlib.shake_256(thoughts.contiguous().numpy().tobytes()).digest(4 * len(thoughts))
    parts = (content[start : start + 4] for start in range(0, len(content), 4))
    return [FIRST_NUMBER - (int.from_bytes(part) >> 2) for part in parts]
