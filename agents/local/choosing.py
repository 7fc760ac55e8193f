"""Drawing the next token of every row, so that a reply depends on its own seed alone and not on what else is in the batch.

Each row brings one uniform number from a generator of its own; the token is where that number falls in the row's cumulative distribution.
Filters apply in the order temperature, top-k, top-p, min-p.  Left out: penalties for repetition, and logit processors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

# The likeliest tokens that a filter looks at before it sorts the whole vocabulary, which at 150k entries costs more than the output layer.
LIKELIEST = 1024


@dataclass(frozen=True, slots=True)
class TokenSampling:
    """How a row's tokens are drawn: temperature >= 0 (0: the likeliest), top_k >= 0 (0: off), top_p in (0, 1], min_p in [0, 1)."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    @property
    def has_filter(self) -> bool:
        """Whether only some of the tokens can be drawn."""
        return self.temperature > 0 and (self.top_k > 0 or self.top_p < 1 or self.min_p > 0)


def choose(
    logits: torch.Tensor, how: Sequence[TokenSampling], uniform: Sequence[float]
) -> torch.Tensor:
    """The next tokens [rows] for logits [rows, vocabulary] in float32; `uniform` holds a number in [0, 1) for each row."""
    greedy = any(one.temperature == 0 for one in how)
    chosen = (
        likeliest(logits)
        if greedy
        else torch.empty(len(logits), dtype=torch.long, device=logits.device)
    )
    plain = [row for row, one in enumerate(how) if one.temperature > 0 and not one.has_filter]
    narrow = [row for row, one in enumerate(how) if one.has_filter]
    if plain:
        drawn = draw(scale_logits(logits, plain, how).softmax(-1), [uniform[row] for row in plain])
        chosen[plain] = drawn
    if narrow:
        chosen[narrow] = choose_filtered(
            scale_logits(logits, narrow, how),
            [how[row] for row in narrow],
            [uniform[row] for row in narrow],
        )
    return chosen


def likeliest(logits: torch.Tensor) -> torch.Tensor:
    """The likeliest token of each row; on a CPU by numpy, which finds it ten times faster than torch does."""
    return (
        torch.from_numpy(logits.numpy().argmax(-1))
        if logits.device.type == "cpu"
        else logits.argmax(-1)
    )


def scale_logits(
    logits: torch.Tensor, rows: list[int], how: Sequence[TokenSampling]
) -> torch.Tensor:
    """The logits of some rows, divided by their temperatures."""
    temperature = torch.tensor(
        [how[row].temperature for row in rows], device=logits.device, dtype=logits.dtype
    )
    return (logits if len(rows) == len(logits) else logits[rows]) / temperature[:, None]


def draw(weight: torch.Tensor, uniform: Sequence[float]) -> torch.Tensor:
    """Where each row's uniform number falls in its cumulative weights [rows, n]; an entry of weight 0 is never drawn."""
    reached = weight.cumsum(-1)
    total = reached[:, -1:]
    below = torch.nextafter(total, torch.zeros_like(total))
    target = torch.minimum(
        torch.tensor(uniform, device=weight.device, dtype=weight.dtype)[:, None] * total, below
    )
    return torch.searchsorted(reached, target, right=True)[:, 0].clamp_(max=weight.shape[-1] - 1)


def choose_filtered(
    logits: torch.Tensor, how: Sequence[TokenSampling], uniform: Sequence[float]
) -> torch.Tensor:
    """The next tokens where only some may be drawn; `logits` are divided by the temperature already."""
    every = torch.logsumexp(logits, -1, keepdim=True)
    value, token = logits.topk(
        min(max(LIKELIEST, *(one.top_k for one in how)), logits.shape[-1]), dim=-1
    )
    allowed, enough = allow((value - every).exp(), how)
    for row in (~enough).nonzero()[:, 0].tolist():
        # The mass that top-p asks for is not among the likeliest: a flat distribution, so sort all of it.
        ordered, order = logits[row : row + 1].sort(dim=-1, descending=True, stable=True)
        whole, _ = allow((ordered - every[row]).exp(), how[row : row + 1])
        token[row, 0] = order[0, draw(whole, uniform[row : row + 1])]
    place = torch.where(enough, draw(allowed, uniform), torch.zeros_like(token[:, 0]))
    return token.gather(-1, place[:, None])[:, 0]


def allow(
    probability: torch.Tensor, how: Sequence[TokenSampling]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(weights, enough): probabilities [rows, n], likeliest first, set to 0 where a filter forbids the token; and per row whether its
    filters are decided by these n tokens alone."""
    device, dtype, n = probability.device, probability.dtype, probability.shape[-1]
    top_k = torch.tensor([one.top_k or n for one in how], device=device)[:, None]
    top_p = torch.tensor([one.top_p for one in how], device=device, dtype=dtype)[:, None]
    min_p = torch.tensor([one.min_p for one in how], device=device, dtype=dtype)[:, None]
    unlimited = torch.tensor([one.top_k == 0 for one in how], device=device)[:, None]
    kept = torch.where(
        torch.arange(n, device=device) < top_k,
        probability,
        torch.zeros((), device=device, dtype=dtype),
    )
    # With top-k the mass counts among the kept; without it, among all, whose probabilities sum to 1.
    mass = torch.where(
        unlimited, torch.ones((), device=device, dtype=dtype), kept.sum(-1, keepdim=True)
    )
    before = kept.cumsum(-1) - kept
    weight = kept * (before < top_p * mass) * (kept >= min_p * kept[:, :1])
    closed = weight[:, -1] == 0
    return weight, closed | ~unlimited[:, 0] | (kept.sum(-1) >= 1 - 1e-6)
