"""Draw and measure the tokens of lanes in plain torch, which kernels do on a GPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from agents.local.choosing import TokenSampling, choose
from agents.local.lane_inputs import Lane
from agents.local.measures import measure
from agents.local.rows import Result, Rules


def draw_lanes(logits: torch.Tensor, lanes: Sequence[Lane], likeliest: int, rules: Rules) -> Result:
    """Return the token of each lane and its measures, for logits [lanes, vocabulary], float32.

    The logits are shifted in place.  See Rows.step for `likeliest` and `rules`.
    """
    if not lanes:
        return Result(torch.empty(0, 4, dtype=torch.int32))
    token = torch.tensor([lane.forced for lane in lanes], device=logits.device)
    faults: dict[int, Exception] = {}
    if rules.lanes:
        # Mostly all lanes are ruled, and their logits need not be copied.
        every = len(rules.lanes) == len(lanes)
        found = rules.apply(logits if every else logits[rules.lanes])
        faults = {rules.lanes[number]: error for number, error in found.faults.items()}
        token[rules.lanes] = torch.tensor(found.given, device=token.device)
        if found.logits is not None:
            changed = [rules.lanes[number] for number in found.numbers]
            choose_unless_given(token, changed, found.logits, lanes)
    rest = (token < 0).nonzero()[:, 0].tolist()
    if rest:
        choose_unless_given(token, rest, logits if len(rest) == len(lanes) else logits[rest], lanes)
    measures = measure(logits, token)
    others = None
    if likeliest:
        top = logits.log_softmax(-1).topk(min(likeliest, logits.shape[1]))
        others = (top.values, top.indices)
    block = torch.cat((token.int()[:, None], measures.T.contiguous().view(torch.int32)), 1)
    return Result(block.cpu(), None, others, faults)


def choose_unless_given(
    token: torch.Tensor, numbers: Sequence[int], logits: torch.Tensor, lanes: Sequence[Lane]
) -> None:
    """Draw the tokens of some lanes where `token` [lanes] is below 0: logits [numbers, ...]."""
    some = [lanes[number] for number in numbers]
    drawn = choose(logits, [lane.sampling for lane in some], [lane.uniform for lane in some])
    token[numbers] = torch.where(token[numbers] < 0, drawn, token[numbers])


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
