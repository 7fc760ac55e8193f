"""Guess the next tokens of a reply by the first layers of its own model and a trained adapter.

"Kangaroo: Lossless Self-Speculative Decoding via Double Early Exiting", arXiv 2404.18911.  The
states behind the first layers go through an adapter, which is one block of attention and norms, and
through the model's own head.  Up to six tokens are guessed; the first that is not likely enough
(.6) is the last one.  Weights are given: a folder as the released code has it
(https://github.com/Equationliu/Kangaroo, commit 4f0949d), with config.json and pytorch_model.bin or
model.safetensors; `early_stop_layer` of the configuration is the number of layers, 2 without it.

Kept: the block, its norms, the head, drafts and threshold.  Different: guesses count as those of
the engine do (speculation.py), so that sampled replies keep their seeds and several rows guess at
once, where the released code is greedy with one row; and the pass that checks guesses runs the
first layers again, where the released code goes on from their states.
"""

from __future__ import annotations

import copy
import json
from array import array
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from agents.local.cache import cache_name
from agents.local.decoding.given_weights import read_tensors
from agents.local.speculation import Guesses
from arena.errors import StudyError

MOST_DRAFTS = 6
LEAST_PROBABILITY = 0.6
USUAL_LAYER = 2
NAMES = (
    *(f"layers.0.self_attn.{part}_proj.weight" for part in "qkvo"),
    *("layers.0.input_layernorm.weight", "norm.weight"),
)


class Adapter:
    """The block of a folder, for a model."""

    def __init__(self, folder: Path, model: PreTrainedModel) -> None:
        """Read the weights; StudyError if they are not those of an adapter for this model."""
        try:
            config = json.loads((folder / "config.json").read_text())
            safe = folder / "model.safetensors"
            whole = read_tensors(safe if safe.is_file() else folder / "pytorch_model.bin")
            weights = [whole[name].to(model.device, model.dtype) for name in NAMES]
            heads = int(config["num_attention_heads"])
        except (OSError, ValueError, KeyError) as error:
            raise StudyError(
                f"{folder} holds no adapter of Kangaroo: it needs config.json, and"
                f" pytorch_model.bin or model.safetensors with {', '.join(NAMES)} ({error})"
            ) from error
        self.q, self.k, self.v, self.o, self.before, self.after = weights
        size = model.config.hidden_size
        self.head = size // heads
        kv_size = int(config.get("num_key_value_heads") or heads) * self.head
        shapes = [(size, size), (kv_size, size), (kv_size, size), (size, size), (size,), (size,)]
        layers = model.config.num_hidden_layers
        self.exit = int(config.get("early_stop_layer", USUAL_LAYER))
        if [tuple(weight.shape) for weight in weights] != shapes or not 0 < self.exit < layers:
            raise StudyError(
                f"the adapter in {folder} is of another model: this one has states of {size}"
                f" numbers and {layers} layers, of which the adapter takes the first {self.exit}"
            )
        self.eps = float(config.get("rms_norm_eps", 1e-6))
        self.base = float(config.get("rope_theta", 10_000.0))

    def norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the RMS norm of x [n, size]."""
        return weight * nn.functional.rms_norm(x.float(), weight.shape, None, self.eps).to(x.dtype)

    def rotate(self, x: torch.Tensor, start: int) -> torch.Tensor:
        """Return heads [heads, n, size] turned by their positions from `start` on."""
        places = torch.arange(start, start + x.shape[1], device=x.device)[:, None]
        steps = torch.arange(0, self.head, 2, device=x.device) / self.head
        angle = places * self.base**-steps
        first, second = x.float().chunk(2, -1)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat((first * cos - second * sin, second * cos + first * sin), -1).to(x.dtype)

    def run(
        self, x: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return states [n, size] behind the block, and the keys and values of all tokens."""
        h = self.norm(x, self.before)
        q, k, v = (
            (h @ part.T).view(len(x), -1, self.head).transpose(0, 1)
            for part in (self.q, self.k, self.v)
        )
        start = past[0].shape[1]
        keys = torch.cat((past[0], self.rotate(k, start)), 1)
        values = torch.cat((past[1], v), 1)
        sees = torch.ones(len(x), keys.shape[1], dtype=torch.bool, device=x.device).tril(start)
        q = self.rotate(q, start)[None]
        out = nn.functional.scaled_dot_product_attention(
            q, keys[None], values[None], attn_mask=sees, enable_gqa=True
        )
        x = x + out[0].transpose(0, 1).flatten(1) @ self.o.T
        return self.norm(x, self.after), (keys, values)


class Kangaroo(Guesses):
    """The guesses for one reply; `model` and `adapter` are those of all replies."""

    def __init__(self, model: PreTrainedModel, adapter: Adapter) -> None:
        super().__init__()
        self._model = model
        self._adapter = adapter
        self._early = first_layers(model, adapter.exit)
        self._name = cache_name(model.base_model)
        self._cache = DynamicCache(config=model.config)
        nothing = torch.empty(
            len(adapter.k) // adapter.head, 0, adapter.head, device=model.device, dtype=model.dtype
        )
        self._past = (nothing, nothing)
        self._known: list[int] = []

    def next_tokens(self, ids: array[int], most: int) -> list[int]:
        """Return the tokens that may follow `ids`, at most `most` of them."""
        text = ids.tolist()
        pairs = zip(self._known, text, strict=False)
        same = next((n for n, pair in enumerate(pairs) if pair[0] != pair[1]), len(self._known))
        # The last token is always read: what follows it is wanted.
        self._cut(min(same, len(text) - 1))
        new = text[len(self._known) :]
        drafts: list[int] = []
        while len(drafts) < min(most, MOST_DRAFTS):
            share, token = self.logits(new).softmax(-1).max(-1)
            drafts.append(int(token))
            if float(share) < LEAST_PROBABILITY:
                break
            new = drafts[-1:]
        return drafts

    def logits(self, new: list[int]) -> torch.Tensor:
        """Return the logits [vocabulary], float32, after further tokens of the text."""
        ids = torch.tensor([new], device=self._model.device)
        states = self._early(input_ids=ids, use_cache=True, **{self._name: self._cache})[0][0]
        states, self._past = self._adapter.run(states, self._past)
        self._known += new
        return self._model.get_output_embeddings()(states[-1]).float()

    def _cut(self, length: int) -> None:
        """Forget all tokens behind the first `length`."""
        dropped = len(self._known) - length
        if dropped > 0:
            self._cache.crop(-dropped)
            self._past = (self._past[0][:, :length], self._past[1][:, :length])
            del self._known[length:]

    def note(self, made: int, true: int) -> None:
        """Note how many of the guesses of a step came true."""
        self.made += made
        self.true += true


def first_layers(model: PreTrainedModel, count: int) -> nn.Module:
    """Return the body of a model with its first layers alone, and no norm behind them.

    It has the weights of the model, which stays as it is.
    """
    early = copy.copy(model.base_model)
    early._modules = dict(early._modules)
    early.layers = early.layers[:count]
    early.norm = nn.Identity()
    return early
