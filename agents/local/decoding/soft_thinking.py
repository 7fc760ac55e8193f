"""Mix the likeliest next tokens into a concept token.

"Soft Thinking: Unlocking the Reasoning Potential of LLMs in Continuous Concept Space", arXiv
2505.15778, in the order of the released code: temperature, softmax, entropy, top-k, top-p, min-p,
the likeliest n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from arena.decoding import SoftThinking


class Mixture(NamedTuple):
    """The tokens of a concept token, likeliest first, and their weights [n], which sum to 1."""

    tokens: list[int]
    weights: list[float]


class Concepts(NamedTuple):
    """Concept tokens of rows: tokens [rows, n], weights [rows, n], entropies [rows] (nats).

    A weight of 0 belongs to a token that a filter forbids.
    """

    tokens: torch.Tensor
    weights: torch.Tensor
    entropy: torch.Tensor


def concepts(logits: torch.Tensor, way: SoftThinking) -> Concepts:
    """Return the concept tokens after logits [rows, vocabulary], float32.

    At a temperature of 0 they are the likeliest token alone; the entropy is that of temperature 1.
    """
    log_p = (logits / (way.temperature or 1.0)).log_softmax(-1)
    p = log_p.exp()
    entropy = -torch.linalg.vecdot(p, log_p.clamp(min=torch.finfo(p.dtype).min))
    n = 1 if way.temperature == 0 else min(way.concepts, p.shape[-1])
    value, token = p.topk(min(max(n, way.top_k), p.shape[-1]), dim=-1)
    allowed = value[:, : way.top_k] if way.top_k else value
    # With top-k, top-p is a share of the mass of those tokens, as everywhere in the engine.
    mass = allowed.sum(-1, keepdim=True) if way.top_k else torch.ones_like(value[:, :1])
    before = allowed.cumsum(-1) - allowed
    keep = (before < way.top_p * mass) & (allowed >= way.min_p * allowed[:, :1])
    weight = (allowed * keep)[:, :n]
    return Concepts(token[:, : weight.shape[1]], weight / weight.sum(-1, keepdim=True), entropy)


def embed_mixtures(embedding: nn.Module, mixtures: list[Mixture]) -> torch.Tensor:
    """Return the embeddings [mixtures, size] of concept tokens, in the format of the model's own.

    The sum is in float32, each with the same number of terms whatever its company, so that it
    depends on nothing else.
    """
    device = next(embedding.parameters()).device
    width = max(len(each.tokens) for each in mixtures)
    tokens = torch.zeros(len(mixtures), width, dtype=torch.long)
    weights = torch.zeros(len(mixtures), width)
    for row, each in enumerate(mixtures):
        tokens[row, : len(each.tokens)] = torch.tensor(each.tokens)
        weights[row, : len(each.weights)] = torch.tensor(each.weights)
    parts = embedding(tokens.to(device))
    mixed = (parts.float() * weights.to(device)[:, :, None]).sum(1)
    return mixed.to(parts.dtype)


def embed_soft(embedding: nn.Module, inputs: Sequence[Mixture | torch.Tensor]) -> torch.Tensor:
    """Return the embeddings [inputs, size] of concept tokens, and of vectors [size] themselves."""
    mixtures = [each for each in inputs if isinstance(each, Mixture)]
    vectors = [each for each in inputs if not isinstance(each, Mixture)]
    if not vectors:
        return embed_mixtures(embedding, mixtures)
    like = next(embedding.parameters())
    found = like.new_empty(len(inputs), len(vectors[0]))
    are_mixed = torch.tensor([isinstance(each, Mixture) for each in inputs], device=like.device)
    found[~are_mixed] = torch.stack(vectors).to(like)
    if mixtures:
        found[are_mixed] = embed_mixtures(embedding, mixtures)
    return found
