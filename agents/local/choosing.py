"""Draw the next token of every row of a batch.

A reply depends on its own seed alone and not on the other rows.  Each row brings one uniform number
from a generator of its own, and its token is the one at which the cumulative distribution of the
row passes that number (inverse transform sampling).  Drawing with torch's generator instead would
tie a row's tokens to the size of the batch and to its place in it.

Filters apply in the order temperature, top-k, top-p, min-p, as in transformers, to logits that
penalties and other rules have changed already (logit_rules.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

# The likeliest tokens that a filter looks at before it sorts the whole vocabulary, which at 150k
# entries costs more than the output layer.
LIKELIEST = 1024


@dataclass(frozen=True, slots=True)
class TokenSampling:
    """How the tokens of a row are drawn.

    temperature >= 0 (0: the likeliest token), top_k >= 0 (0: off), top_p in (0, 1] (1: off), min_p
    in [0, 1) (0: off; else the least probability as a share of the likeliest token's).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    @property
    def has_filter(self) -> bool:
        """Whether only some of the tokens can be drawn."""
        return self.temperature > 0 and (self.top_k > 0 or self.top_p < 1 or self.min_p > 0)


def choose(
    logits: torch.Tensor, samplings: Sequence[TokenSampling], uniform: Sequence[float]
) -> torch.Tensor:
    """Return the next tokens [rows], int64, for logits [rows, vocabulary], float32.

    `uniform` holds a number in [0, 1) for each row; greedy rows do not use theirs.
    """
    if any(sampling.temperature == 0 for sampling in samplings):
        chosen = likeliest(logits)
    else:
        chosen = torch.empty(len(logits), dtype=torch.long, device=logits.device)
    # Rows are drawn in two groups, since a plain draw needs no sorting.
    plain = [
        row
        for row, sampling in enumerate(samplings)
        if sampling.temperature > 0 and not sampling.has_filter
    ]
    filtered = [row for row, sampling in enumerate(samplings) if sampling.has_filter]
    if plain:
        weights = scale_logits(logits, plain, samplings).softmax(-1)
        chosen[plain] = draw(weights, [uniform[row] for row in plain])
    if filtered:
        chosen[filtered] = choose_filtered(
            scale_logits(logits, filtered, samplings),
            [samplings[row] for row in filtered],
            [uniform[row] for row in filtered],
        )
    return chosen


def likeliest(logits: torch.Tensor) -> torch.Tensor:
    """Return the likeliest token [rows], int64, of each row of logits [rows, vocabulary]."""
    # On a CPU numpy finds the largest entry ten times faster than torch does.
    if logits.device.type == "cpu":
        return torch.from_numpy(logits.numpy().argmax(-1))
    return logits.argmax(-1)


def scale_logits(
    logits: torch.Tensor, rows: list[int], samplings: Sequence[TokenSampling]
) -> torch.Tensor:
    """Return the logits [len(rows), vocabulary] of some rows, divided by their temperatures."""
    temperature = torch.tensor(
        [samplings[row].temperature for row in rows], device=logits.device, dtype=logits.dtype
    )
    return (logits if len(rows) == len(logits) else logits[rows]) / temperature[:, None]


def draw(weight: torch.Tensor, uniform: Sequence[float]) -> torch.Tensor:
    """Return the column [rows] at which each row's cumulative weights pass its uniform number.

    `weight` is [rows, n], not negative, and need not sum to 1; an entry of weight 0 is never drawn.
    """
    cumulative = weight.cumsum(-1)
    total = cumulative[:, -1:]
    # In float32 a number just below 1 rounds to 1: the target stays below the total, for otherwise
    # the search would end behind the last entry that has weight.
    below = torch.nextafter(total, torch.zeros_like(total))
    places = torch.tensor(uniform, device=weight.device, dtype=weight.dtype)[:, None]
    target = torch.minimum(places * total, below)
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp_(max=weight.shape[-1] - 1)


def choose_filtered(
    logits: torch.Tensor, samplings: Sequence[TokenSampling], uniform: Sequence[float]
) -> torch.Tensor:
    """Return the next tokens [rows] of rows with filters.

    `logits` [rows, vocabulary] are already divided by the temperature.
    """
    log_total = torch.logsumexp(logits, -1, keepdim=True)
    most = max(LIKELIEST, *(sampling.top_k for sampling in samplings))
    value, token = logits.topk(min(most, logits.shape[-1]), dim=-1)
    # Probabilities among all tokens, not among the likeliest alone, so that top-p means the same.
    allowed, enough = allow((value - log_total).exp(), samplings)
    for row in (~enough).nonzero()[:, 0].tolist():
        # The mass that top-p asks for is not among the likeliest: a flat distribution, so sort all.
        ordered, order = logits[row : row + 1].sort(dim=-1, descending=True, stable=True)
        whole, _ = allow((ordered - log_total[row]).exp(), samplings[row : row + 1])
        token[row, 0] = order[0, draw(whole, uniform[row : row + 1])]
    # A row that was sorted has its token in column 0 now.
    place = torch.where(enough, draw(allowed, uniform), torch.zeros_like(token[:, 0]))
    return token.gather(-1, place[:, None])[:, 0]


def allow(
    probability: torch.Tensor, samplings: Sequence[TokenSampling]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (weights [rows, n], enough [rows], bool) of the n likeliest tokens under the filters.

    `probability` is [rows, n], likeliest first; a weight is the probability, or 0 if a filter
    forbids the token.  `enough` tells whether these n tokens alone decide the filters of the row.
    """
    n = probability.shape[-1]
    top_k = probability.new_tensor([sampling.top_k or n for sampling in samplings])[:, None]
    top_p = probability.new_tensor([sampling.top_p for sampling in samplings])[:, None]
    min_p = probability.new_tensor([sampling.min_p for sampling in samplings])[:, None]
    unlimited = probability.new_tensor([sampling.top_k == 0 for sampling in samplings]).bool()
    ranks = torch.arange(n, device=probability.device)
    in_top_k = torch.where(ranks < top_k, probability, 0.0)
    # With top-k, top-p is a share of the mass of those tokens; without it, of 1.
    mass = in_top_k.sum(-1, keepdim=True).masked_fill(unlimited[:, None], 1.0)
    # The token that crosses the limit of top-p is still allowed: the mass before it counts.
    before = in_top_k.cumsum(-1) - in_top_k
    weight = in_top_k * (before < top_p * mass) * (in_top_k >= min_p * in_top_k[:, :1])
    closed = weight[:, -1] == 0
    return weight, closed | ~unlimited | (in_top_k.sum(-1) >= 1 - 1e-6)
