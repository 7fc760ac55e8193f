"""Numbers read off the logits while a reply is generated, without keeping the logits: 12 bytes a token instead of 4 a vocabulary entry.

All are of the logits as the model gives them, before temperature and filters, so that they mean the same at every temperature.  In nats:
the log probability of the token that was drawn, the entropy of the distribution, and self-certainty, the divergence KL(U || p) of the
uniform distribution from it ("Scalable Best-of-N Selection for LLMs via Self-Certainty", arXiv 2502.18581, eq. 7).
"""

from __future__ import annotations

import math

import numpy as np
import torch

# Logits that are measured at once, so that what lies between them and the result stays in a processor's cache.
LOGITS_PER_CHUNK = 2**19
LOWEST_SHARE = 0.1


def measure(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """[3, rows] float32 of logits [rows, vocabulary] and the tokens [rows] drawn: log probability, entropy, self-certainty (nats).

    The logits of a row are shifted in place, so that their largest is 0: that changes no probability, and saves a copy of them.
    """
    rows = (
        max(1, LOGITS_PER_CHUNK // logits.shape[-1]) if logits.device.type == "cpu" else len(logits)
    )
    return torch.cat(
        [
            _measure(logits[row : row + rows], chosen[row : row + rows])
            for row in range(0, len(logits), rows)
        ],
        dim=1,
    )


def _measure(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    shifted = logits.sub_(logits.amax(-1, keepdim=True))
    drawn, mean = shifted.gather(-1, chosen[:, None])[:, 0], shifted.mean(-1)
    weight = shifted.exp()
    total = weight.sum(-1)
    log_total = total.log()
    entropy = log_total - torch.linalg.vecdot(weight, shifted) / total
    return torch.stack((drawn - log_total, entropy, log_total - mean - math.log(logits.shape[-1])))


def reply_measures(
    logprobs: np.ndarray, entropy_sum: float, certainty_sum: float
) -> dict[str, float]:
    """The measures of a reply, from the log probabilities [tokens] of its tokens and the sums of the other two; nothing for no token.

    `logprob_lowest_tenth` is the mean over the tenth of the tokens that were least likely, at least one.
    """
    count = len(logprobs)
    if count == 0:
        return {}
    lowest = np.sort(logprobs)[: max(1, round(count * LOWEST_SHARE))]
    return {
        "logprob_sum": float(logprobs.sum(dtype=np.float64)),
        "logprob_mean": float(logprobs.mean(dtype=np.float64)),
        "logprob_lowest_tenth": float(lowest.mean(dtype=np.float64)),
        "entropy_mean": entropy_sum / count,
        "self_certainty_mean": certainty_sum / count,
    }
