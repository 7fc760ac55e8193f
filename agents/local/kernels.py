"""Triton kernels of a decoding step; plain.py has the same functions in plain torch.

A step runs B lanes, one token each.  Every sum is added in an order that depends on nothing but the
lane itself: within a block by Triton's tree, over blocks of a fixed size from the first to the last
one.  No kernel uses atomics, so that a lane's result is the same to the bit in any company.
"""

# Signatures of kernels are read by Triton, which knows no annotations but its own.
# mypy: ignore-errors

from __future__ import annotations

import torch
import triton
import triton.language as tl

from agents.local.draw_kernels import draw
from agents.local.lane_inputs import Pass

__all__ = ["add_norm", "attend", "draw", "gate", "lanes_together", "place"]

# Keys that one program of the attention kernel reads at once.
KEYS = 64
WARPS, STAGES = 4, 2
# Partial results of attention that are joined at once.
PARTS = 8


@triton.jit
def norm_kernel(x, residual, weight, out, n, eps, FIRST: tl.constexpr, BLOCK: tl.constexpr):
    """Compute add_norm; a program a row."""
    row = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, BLOCK)
    ok = i < n
    a = tl.load(x + row * n + i, mask=ok, other=0.0).to(tl.float32)
    if not FIRST:
        a += tl.load(residual + row * n + i, mask=ok, other=0.0).to(tl.float32)
    # Rounded as the residual stream is, before it is measured.
    a = a.to(out.dtype.element_ty)
    tl.store(residual + row * n + i, a, mask=ok)
    a = a.to(tl.float32)
    scale = tl.rsqrt(tl.sum(a * a, 0) / n + eps)
    y = (a * scale).to(out.dtype.element_ty)
    tl.store(out + row * n + i, y * tl.load(weight + i, mask=ok, other=0.0), mask=ok)


def add_norm(
    x: torch.Tensor, residual: torch.Tensor, weight: torch.Tensor, eps: float, *, first: bool
) -> torch.Tensor:
    """Add x [T, n] to the residual stream in place; return its RMS norm.

    If `first`, x becomes the residual stream.
    """
    out = torch.empty_like(x)
    n = x.shape[1]
    block = triton.next_power_of_2(n)
    warps = 8 if n >= 2048 else 4
    norm_kernel[(x.shape[0],)](
        x, residual, weight, out, n, eps, FIRST=first, BLOCK=block, num_warps=warps
    )
    return out


@triton.jit
def place_kernel(
    qkv, norms, cos, sin, q_out, keys, values, table, slots, places, eps, PAGES,
    HQ: tl.constexpr, HKV: tl.constexpr, D: tl.constexpr, HALF: tl.constexpr,
    PAGE: tl.constexpr, NORM: tl.constexpr,
):  # fmt: skip
    """Compute place; a program a token and head of queries, keys and values."""
    lane = tl.program_id(0).to(tl.int64)
    h = tl.program_id(1)
    i = tl.arange(0, HALF)
    ok = i < D // 2
    start = qkv + (lane * (HQ + 2 * HKV) + h) * D
    a = tl.load(start + i, mask=ok, other=0.0).to(tl.float32)
    b = tl.load(start + D // 2 + i, mask=ok, other=0.0).to(tl.float32)
    place = tl.load(places + lane).to(tl.int64)
    dtype = q_out.dtype.element_ty
    if h < HQ + HKV:
        if NORM:
            scale = tl.rsqrt((tl.sum(a * a, 0) + tl.sum(b * b, 0)) / D + eps)
            w = norms + (h >= HQ).to(tl.int64) * D
            first = tl.load(w + i, mask=ok, other=0.0)
            second = tl.load(w + D // 2 + i, mask=ok, other=0.0)
            a = ((a * scale).to(dtype) * first).to(tl.float32)
            b = ((b * scale).to(dtype) * second).to(tl.float32)
        c = tl.load(cos + place * (D // 2) + i, mask=ok, other=0.0).to(tl.float32)
        s = tl.load(sin + place * (D // 2) + i, mask=ok, other=0.0).to(tl.float32)
        turned = a * c - b * s
        b = b * c + a * s
        a = turned
    if h < HQ:
        target = q_out + (lane * HQ + h) * D
    else:
        slot = tl.load(slots + lane).to(tl.int64)
        page = tl.load(table + slot * PAGES + place // PAGE).to(tl.int64)
        at = page * PAGE + place % PAGE
        if h < HQ + HKV:
            target = keys + (at * HKV + h - HQ) * D
        else:
            target = values + (at * HKV + h - HQ - HKV) * D
    tl.store(target + i, a.to(dtype), mask=ok)
    tl.store(target + D // 2 + i, b.to(dtype), mask=ok)


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
    """Return the queries [T, heads, size]; write keys and values to their pages.

    `qkv` is [T, (heads + 2 x kv heads) x size]; `norms` [2, size] are the weights of the norms of
    queries and keys, or None; `cos` and `sin` are [positions, size / 2]; `keys` and `values` are
    [pages, page, kv heads, size]; `table` [slots, n] has the pages of each slot.
    """
    _, page, hkv, d = keys.shape
    hq = qkv.shape[1] // d - 2 * hkv
    q = torch.empty(qkv.shape[0], hq, d, dtype=qkv.dtype, device=qkv.device)
    place_kernel[(qkv.shape[0], hq + 2 * hkv)](
        qkv, cos if norms is None else norms, cos, sin, q, keys, values, table, tokens.slots,
        tokens.places, eps, table.shape[1], HQ=hq, HKV=hkv, D=d,
        HALF=triton.next_power_of_2(d // 2), PAGE=page, NORM=norms is not None, num_warps=1,
    )  # fmt: skip
    return q


@triton.jit
def attend_kernel(
    q, keys, values, table, slots, places, share, part, top, total, scale, PAGES, S,
    HQ: tl.constexpr, HKV: tl.constexpr, G: tl.constexpr, GP: tl.constexpr, D: tl.constexpr,
    DP: tl.constexpr, PAGE: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """Attend with the queries of a few lanes of one row to one page of its keys.

    Neighbouring tokens of a prompt share what is read; each has a length of its own.
    """
    lane = tl.program_id(0).to(tl.int64)
    h = tl.program_id(1)
    s = tl.program_id(2)
    lanes = tl.load(share + lane)
    g = tl.arange(0, GP)
    own = lane + g // G
    taken = g < lanes * G
    lengths = tl.load(places + own, mask=taken, other=-1) + 1 - s * PAGE
    longest = tl.minimum(tl.max(lengths, 0), PAGE)
    if (lanes > 0) & (longest > 0):
        slot = tl.load(slots + lane).to(tl.int64)
        page = tl.load(table + slot * PAGES + s).to(tl.int64)
        d = tl.arange(0, DP)
        real = taken[:, None] & (d < D)[None, :]
        heads = own * HQ + h * G + g % G
        query = tl.load(q + heads[:, None] * D + d[None, :], mask=real, other=0.0)
        m = tl.full([GP], -1e30, tl.float32)
        z = tl.zeros([GP], tl.float32)
        acc = tl.zeros([GP, DP], tl.float32)
        start = (page * PAGE * HKV + h) * D
        for j in range(0, longest, N):
            n = j + tl.arange(0, N)
            at = start + n[:, None] * (HKV * D) + d[None, :]
            inside = (n < longest)[:, None] & (d < D)[None, :]
            k = tl.load(keys + at, mask=inside, other=0.0)
            score = tl.dot(query, tl.trans(k), input_precision="ieee") * scale
            score = tl.where(n[None, :] < lengths[:, None], score, -1e30)
            higher = tl.maximum(m, tl.max(score, 1))
            p = tl.exp(score - higher[:, None])
            shrink = tl.exp(m - higher)
            z = z * shrink + tl.sum(p, 1)
            v = tl.load(values + at, mask=inside, other=0.0)
            acc = acc * shrink[:, None] + tl.dot(p.to(v.dtype), v, input_precision="ieee")
            m = higher
        o = heads * S + s
        tl.store(top + o, m, mask=taken)
        tl.store(total + o, z, mask=taken)
        tl.store(part + o[:, None] * D + d[None, :], acc, mask=real)


@triton.jit
def join_kernel(
    part, top, total, places, out, S, HQ: tl.constexpr, D: tl.constexpr, DP: tl.constexpr,
    PAGE: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """Join the attention to the pages of a lane, from the first page to the last."""
    lane = tl.program_id(0).to(tl.int64)
    o = lane * HQ + tl.program_id(1)
    count = tl.load(places + lane).to(tl.int32) // PAGE + 1
    d = tl.arange(0, DP)
    m = tl.full([1], -1e30, tl.float32)
    z = tl.zeros([1], tl.float32)
    acc = tl.zeros([DP], tl.float32)
    # From the first part to the last in steps of N: the order depends on the length alone.
    for j in range(0, count, N):
        s = j + tl.arange(0, N)
        ok = s < count
        here = tl.load(top + o * S + s, mask=ok, other=-1e30)
        higher = tl.maximum(m, tl.max(here, 0))
        w = tl.where(ok, tl.exp(here - higher), 0.0)
        shrink = tl.exp(m - higher)
        z = z * shrink + tl.sum(w * tl.load(total + o * S + s, mask=ok, other=0.0), 0)
        inside = ok[:, None] & (d < D)[None, :]
        rows = tl.load(part + (o * S + s)[:, None] * D + d[None, :], mask=inside, other=0.0)
        acc = acc * shrink + tl.sum(rows * w[:, None], 0)
        m = higher
    tl.store(out + o * D + d, (acc / z).to(out.dtype.element_ty), mask=d < D)


def lanes_together(group: int) -> int:
    """Return how many lanes of one row the attention takes at once, for heads in such groups."""
    return max(16, triton.next_power_of_2(group)) // group


def attend(
    q: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    table: torch.Tensor,
    tokens: Pass,
    scale: float,
) -> torch.Tensor:
    """Return the attention [T, heads, size] of each lane over positions 0 to its own place."""
    parts = tokens.parts
    lanes, hq, d = q.shape
    _, page, hkv, _ = keys.shape
    group = hq // hkv
    part = torch.empty(lanes, hq, parts, d, dtype=torch.float32, device=q.device)
    top = torch.empty(lanes, hq, parts, dtype=torch.float32, device=q.device)
    total = torch.empty_like(top)
    out = torch.empty_like(q)
    wide = max(16, triton.next_power_of_2(d))
    attend_kernel[(lanes, hkv, parts)](
        q, keys, values, table, tokens.slots, tokens.places, tokens.share, part, top, total, scale,
        table.shape[1], parts,
        HQ=hq, HKV=hkv, G=group, GP=max(16, triton.next_power_of_2(group)), D=d, DP=wide,
        PAGE=page, N=min(KEYS, page), num_warps=WARPS,
        num_stages=STAGES,
    )  # fmt: skip
    join_kernel[(lanes, hq)](
        part,
        top,
        total,
        tokens.places,
        out,
        parts,
        HQ=hq,
        D=d,
        DP=wide,
        PAGE=page,
        N=PARTS,
        num_warps=4,
    )
    return out


@triton.jit
def gate_kernel(gate_up, out, n, BLOCK: tl.constexpr):
    """Compute gate; a program a row and block."""
    row = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    ok = i < n
    gate = tl.load(gate_up + row * 2 * n + i, mask=ok, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * n + n + i, mask=ok, other=0.0)
    y = (gate / (1 + tl.exp(-gate))).to(out.dtype.element_ty)
    tl.store(out + row * n + i, y * up, mask=ok)


def gate(gate_up: torch.Tensor) -> torch.Tensor:
    """Return silu(gate) x up [T, n] of gate_up [T, 2 n]."""
    rows, n = gate_up.shape[0], gate_up.shape[1] // 2
    out = torch.empty(rows, n, dtype=gate_up.dtype, device=gate_up.device)
    gate_kernel[(rows, triton.cdiv(n, 1024))](gate_up, out, n, BLOCK=1024, num_warps=4)
    return out
