"""The functions of kernels.py in plain torch, for a CPU and for tests."""

from __future__ import annotations

import torch
from torch.nn.functional import rms_norm, silu

from agents.local.choosing import TokenSampling
from agents.local.drawing import choose_unless_forced
from agents.local.lane_inputs import LaneInputs, Pass
from agents.local.measures import measure


def add_norm(
    x: torch.Tensor, residual: torch.Tensor, weight: torch.Tensor, eps: float, *, first: bool
) -> torch.Tensor:
    """Add x [T, n] to the residual stream in place; return its RMS norm."""
    residual.copy_(x if first else residual + x)
    return weight * rms_norm(residual.float(), weight.shape, None, eps).to(x.dtype)


def place(
    qkv: torch.Tensor,
    norms: torch.Tensor | None,
    cos: torch.Tensor,
    sin: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    table: torch.Tensor,
    tokens: Pass,
    eps: float,
) -> torch.Tensor:
    """Return the queries [T, heads, size]; write keys and values to their pages."""
    _, _, kv_heads, size = keys.shape
    heads = qkv.shape[1] // size - 2 * kv_heads
    q, k, v = qkv.view(len(qkv), -1, size).split((heads, kv_heads, kv_heads), 1)
    if norms is not None:
        q = norms[0] * rms_norm(q.float(), (size,), None, eps).to(q.dtype)
        k = norms[1] * rms_norm(k.float(), (size,), None, eps).to(k.dtype)
    write(rotate(k, cos, sin, tokens.places), v, keys, values, table, tokens)
    return rotate(q, cos, sin, tokens.places)


def rotate(
    x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, places: torch.Tensor
) -> torch.Tensor:
    """Return heads [T, heads, size] turned by their positions."""
    first, second = x.float().chunk(2, -1)
    c, s = cos[places.long(), None].float(), sin[places.long(), None].float()
    return torch.cat((first * c - second * s, second * c + first * s), -1).to(x.dtype)


def write(
    k: torch.Tensor,
    v: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    table: torch.Tensor,
    tokens: Pass,
) -> None:
    """Write keys and values [T, kv heads, size] to their pages."""
    where = tokens.places.long()
    page = keys.shape[1]
    pages = table[tokens.slots.long(), where // page].long()
    keys[pages, where % page] = k
    values[pages, where % page] = v


def attend(
    q: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    table: torch.Tensor,
    tokens: Pass,
    scale: float,
) -> torch.Tensor:
    """Return the attention [T, heads, size] of each lane over positions 0 to its own place."""
    lanes, heads, size = q.shape
    kv_heads = keys.shape[2]
    pages = table[tokens.slots.long(), : tokens.parts].long()
    k, v = (block[pages].flatten(1, 2).float() for block in (keys, values))
    grouped = q.view(lanes, kv_heads, heads // kv_heads, size).float()
    score = torch.einsum("tkgd,tnkd->tkgn", grouped, k) * scale
    hidden = torch.arange(k.shape[1], device=q.device) > tokens.places[:, None]
    weight = score.masked_fill(hidden[:, None, None], float("-inf")).softmax(-1)
    return torch.einsum("tkgn,tnkd->tkgd", weight, v).reshape(lanes, heads, size).to(q.dtype)


def gate(gate_up: torch.Tensor) -> torch.Tensor:
    """Return silu(gate) x up [T, n] of gate_up [T, 2 n]."""
    gate, up = gate_up.chunk(2, -1)
    return silu(gate) * up


def lanes_together(group: int) -> int:
    """Return 1: the attention of each lane is computed by itself."""
    return 1


def draw(logits: torch.Tensor, lanes: LaneInputs) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens [rows] (int32) and measures [rows, 3] (float32; see measures.py)."""
    logits = logits.float()
    settings = (lanes.temperature, lanes.top_k, lanes.top_p, lanes.min_p)
    samplings = [
        TokenSampling(*row) for row in zip(*(part.tolist() for part in settings), strict=True)
    ]
    uniform, forced = lanes.uniform.tolist(), lanes.forced.tolist()
    token = choose_unless_forced(logits, samplings, uniform, forced)
    return token.int(), measure(logits.clone(), token).T
