"""Weigh a context against what a model knows by itself, where the context confuses it.

CK-PLUG, "Parameters vs. Context: Fine-Grained Control of Knowledge Reliance in Language Models",
arXiv 2503.15888, as the released code computes it, with the rule of the text beside its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from arena.decoding import CkPlug

# Tokens are left out that lie below this share of the likeliest one's probability, in both
# distributions, and are not among the first ten of one.
RELATIVE_TOP = 0.01
LEAST_TOKENS = 10
# Log probability of a token that the model rules out: differences of infinities are no numbers.
RULED_OUT = -1e4


class Plugged(NamedTuple):
    """What became of rows.

    `logits` [rows, vocabulary] are those to draw from, minus infinity for tokens that are left out;
    `gain` [rows] is the confidence gain (nats), and `adjusted` [rows], bool, whether knowledge and
    context were weighed.
    """

    logits: torch.Tensor
    gain: torch.Tensor
    adjusted: torch.Tensor


def plug(with_context: torch.Tensor, without: torch.Tensor, ways: Sequence[CkPlug]) -> Plugged:
    """Weigh two passes: logits [rows, vocabulary] with and without the context."""
    c = with_context.float().log_softmax(-1)
    p = without.float().log_softmax(-1)
    left_out = (c < threshold(c)) & (p < threshold(p))
    c = c.masked_fill(left_out, -math.inf).log_softmax(-1)
    p = p.masked_fill(left_out, -math.inf).log_softmax(-1)
    h_c, h_p = entropy(c), entropy(p)
    like = {"device": c.device, "dtype": c.dtype}
    epsilon = torch.tensor([way.epsilon for way in ways], **like)
    times = torch.tensor([2.0 if way.rule == "released" else 1.0 for way in ways], **like)
    adjusted = h_p - times * h_c < epsilon
    on_p, on_context = weights(h_c, h_p, ways)
    c, p = c.clamp(min=RULED_OUT), p.clamp(min=RULED_OUT)
    weighed = on_p[:, None] * p + on_context[:, None] * (c - p)
    logits = torch.where(adjusted[:, None], weighed, c).masked_fill(left_out, -math.inf)
    return Plugged(logits, h_p - h_c, adjusted)


def threshold(log_p: torch.Tensor) -> torch.Tensor:
    """Return the log probability [rows, 1] below which a distribution lets a token go."""
    tenth = log_p.topk(min(LEAST_TOKENS, log_p.shape[-1]), dim=-1).values
    return torch.minimum(tenth[:, -1:], tenth[:, :1] + math.log(RELATIVE_TOP))


def entropy(log_p: torch.Tensor) -> torch.Tensor:
    """Return the entropies [rows] (nats) of log probabilities [rows, n]."""
    return -torch.linalg.vecdot(log_p.exp(), log_p.clamp(min=RULED_OUT))


def weights(
    h_c: torch.Tensor, h_p: torch.Tensor, ways: Sequence[CkPlug]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights [rows] of knowledge and of context.

    They are alpha and 1 - alpha; without an alpha 2 H(c)/D and 2 H(p)/D, where
    D = H(c) + H(p) (1 + |H(c) - H(p)| / (H(c) + H(p))), and 1 where both entropies are 0.
    """
    alpha = torch.tensor([math.nan if way.alpha is None else way.alpha for way in ways]).to(h_c)
    total = h_c + h_p
    d = h_c + h_p * (1 + (h_c - h_p).abs() / total)
    on_p = torch.where(total > 0, 2 * h_c / d, 1.0)
    on_context = torch.where(total > 0, 2 * h_p / d, 1.0)
    fixed = ~alpha.isnan()
    return torch.where(fixed, alpha, on_p), torch.where(fixed, 1 - alpha, on_context)
