"""Draw and measure the tokens of lanes in plain torch, which kernels do on a GPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from agents.local.choosing import TokenSampling, choose
from agents.local.lane_inputs import Lane
from agents.local.measures import measure
from agents.local.rows import Result, Rules

GREEDY = TokenSampling(0.0)


def draw_lanes(logits: torch.Tensor, lanes: Sequence[Lane], likeliest: int, rules: Rules) -> Result:
    """Return the token of each lane and its measures, for logits [lanes, vocabulary], float32.

    The logits are shifted in place.  See Rows.step for `likeliest` and `rules`.
    """
    if not lanes:
        return Result(torch.empty(0, 4, dtype=torch.int32))
    samplings = [lane.sampling for lane in lanes]
    forced = [lane.forced for lane in lanes]
    ruled = logits
    faults: dict[int, Exception] = {}
    if rules.lanes:
        found = rules.apply(logits[rules.lanes])
        faults = {rules.lanes[number]: error for number, error in found.faults.items()}
        if found.logits is not None:
            ruled = logits.clone()
            ruled[rules.lanes] = found.logits
        for lane, token in zip(rules.lanes, found.given, strict=True):
            if token >= 0:
                forced[lane] = token
                samplings[lane] = GREEDY
    token = choose_unless_forced(ruled, samplings, [lane.uniform for lane in lanes], forced)
    measures = measure(logits, token)
    others = None
    if likeliest:
        top = logits.log_softmax(-1).topk(min(likeliest, logits.shape[1]))
        others = (top.values, top.indices)
    block = torch.cat((token.int()[:, None], measures.T.contiguous().view(torch.int32)), 1)
    return Result(block.cpu(), None, others, faults)


def choose_unless_forced(
    logits: torch.Tensor,
    samplings: Sequence[TokenSampling],
    uniform: Sequence[float],
    forced: Sequence[int],
) -> torch.Tensor:
    """Return the tokens [rows], int64: those of `forced`, or drawn ones where that is below 0."""
    token = choose(logits, samplings, uniform)
    if max(forced) < 0:
        return token
    given = torch.tensor(forced, device=token.device)
    return torch.where(given >= 0, given, token)
