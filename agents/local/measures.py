"""Read numbers off the logits while a reply is generated.

Three float32 numbers a token, 12 bytes, are kept instead of one a vocabulary entry.  They are of
the logits as the model gives them, before temperature and filters, so that they mean the same at
every temperature.  All are in nats:

- the log probability of the token that was drawn;
- the entropy of the distribution;
- self-certainty, the divergence KL(U || p) of the distribution p from the uniform distribution U:
  "Scalable Best-of-N Selection for Large Language Models via Self-Certainty", arXiv 2502.18581,
  eq. 7.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

# Logits that are measured at once on a CPU, so that intermediate results stay in its cache.
LOGITS_PER_CHUNK = 2**19
LOWEST_SHARE = 0.1


def measure(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return log probability, entropy and self-certainty (nats): [3, rows], float32.

    `logits` is [rows, vocabulary], float32; `chosen` [rows] holds the tokens that were drawn.  The
    logits are shifted in place, so that the largest of each row is 0: that changes no probability,
    and saves a copy of them.
    """
    if logits.device.type != "cpu":
        return _measure(logits, chosen)
    rows = max(1, LOGITS_PER_CHUNK // logits.shape[-1])
    return torch.cat(
        [
            _measure_on_cpu(logits[row : row + rows], chosen[row : row + rows])
            for row in range(0, len(logits), rows)
        ],
        dim=1,
    )


def _measure_on_cpu(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return what `_measure` does: numpy takes a third less time for a few rows."""
    shifted = logits.numpy()
    shifted -= shifted.max(-1, keepdims=True)
    mean = shifted.mean(-1)
    if np.isneginf(mean).any():
        return _measure(logits, chosen)
    weight = np.exp(shifted)
    total = weight.sum(-1)
    log_total = np.log(total)
    entropy = log_total - np.einsum("ij,ij->i", weight, shifted) / total
    drawn = shifted[np.arange(len(shifted)), chosen.numpy()]
    certainty = log_total - mean - np.log(np.float32(shifted.shape[1]))
    return torch.from_numpy(np.stack((drawn - log_total, entropy, certainty)))


def _measure(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    shifted = logits.sub_(logits.amax(-1, keepdim=True))
    drawn = shifted.gather(-1, chosen[:, None])[:, 0]
    mean = shifted.mean(-1)
    count = torch.full_like(mean, logits.shape[-1])
    weight = shifted.exp()
    if bool(torch.isneginf(mean).any()):
        # Tokens that the model rules out (-inf) count for nothing, as if it did not know them.
        known = torch.isfinite(shifted)
        count = known.sum(-1).to(mean)
        shifted = shifted.masked_fill(~known, 0.0)
        mean = shifted.sum(-1) / count
    total = weight.sum(-1)
    log_total = total.log()
    # With x the shifted logits and Z their sum of exponentials, log p = x - log Z.  Hence the
    # entropy is log Z - E_p[x], and KL(U || p) is log Z - mean(x) - log(vocabulary).
    entropy = log_total - torch.linalg.vecdot(weight, shifted) / total
    return torch.stack((drawn - log_total, entropy, log_total - mean - count.log()))


def reply_measures(
    logprobs: NDArray[np.float32], entropy_sum: float, certainty_sum: float
) -> dict[str, float]:
    """Return the measures of a whole reply (nats), an empty dict for a reply without tokens.

    `logprobs` [tokens] are the log probabilities of its tokens; the other two are sums over them.
    `logprob_lowest_tenth` is the mean over the least likely tenth of the tokens, at least one.
    """
    count = len(logprobs)
    if count == 0:
        return {}
    lowest = np.sort(logprobs)[: max(1, round(count * LOWEST_SHARE))]
    # Summed in float64: a reply of 30,000 tokens would lose digits in float32.
    return {
        "logprob_sum": float(logprobs.sum(dtype=np.float64)),
        "logprob_mean": float(logprobs.mean(dtype=np.float64)),
        "logprob_lowest_tenth": float(lowest.mean(dtype=np.float64)),
        "entropy_mean": entropy_sum / count,
        "self_certainty_mean": certainty_sum / count,
    }
