"""Triton kernels that draw and measure a token of each lane; plain.py has their twin.

All sums are taken block by block, in the order of the vocabulary, by one program for a row: a row
is drawn and measured alike, to the bit, in any company.  Filters need no sorting: logits of 16 bits
have few values, so that the least value that a filter allows is found by halving.
"""

# Signatures of kernels are read by Triton, which knows no annotations but its own.
# mypy: ignore-errors

from __future__ import annotations

import torch
import triton
import triton.language as tl

from agents.local.lane_inputs import LaneInputs

# Logits that one program sums.
BLOCK = 2048
# Tokens that a filter may leave on the fast path.
MOST_KEPT = 4096


@triton.jit
def inverse(temperature):
    """Return 1 / temperature, and 1 for greedy rows, whose temperature is 0."""
    return tl.where(temperature > 0, 1.0 / tl.where(temperature > 0, temperature, 1.0), 1.0)


@triton.jit
def sums_kernel(x, temperature, sums, best, V, NB, BLOCK: tl.constexpr):
    """Of each block: maximum, sums of e, x e, x, of 1, and of e at the temperature.

    x is taken from the block's maximum, e is exp(x); -inf counts for nothing.
    """
    row = tl.program_id(0).to(tl.int64)
    k = tl.program_id(1)
    i = k * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + row * V + i, mask=i < V, other=float("-inf")).to(tl.float32)
    ok = v > float("-inf")
    m = tl.maximum(tl.max(v, 0), -1e30)
    z = tl.where(ok, v - m, 0.0)
    e = tl.where(ok, tl.exp(z), 0.0)
    t = inverse(tl.load(temperature + row))
    o = sums + (row * NB + k) * 6
    tl.store(o, m)
    tl.store(o + 1, tl.sum(e, 0))
    tl.store(o + 2, tl.sum(e * z, 0))
    tl.store(o + 3, tl.sum(z, 0))
    tl.store(o + 4, tl.sum(ok.to(tl.float32), 0))
    tl.store(o + 5, tl.sum(tl.where(ok, tl.exp(z * t), 0.0), 0))
    tl.store(best + row * NB + k, k * BLOCK + tl.argmax(v, 0))


@triton.jit
def key_of(v, BITS: tl.constexpr):
    """Return a number for each float32 that is larger for larger ones, from 0 to 2^BITS - 1.

    16 bits are enough for logits that came in 16 bits.
    """
    bits = (v + 0.0).to(tl.int32, bitcast=True)
    bits = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    if BITS == 16:
        key = (bits >> 16) + 32768
    else:
        key = bits.to(tl.int64) + 2147483648
    return key


@triton.jit
def value_of(key, BITS: tl.constexpr):
    """Return the float32 that has a key."""
    if BITS == 16:
        bits = (key - 32768) << 16
        bits = tl.where(bits < 0, (bits | 0xFFFF) ^ 0x7FFFFFFF, bits)
    else:
        bits = (key - 2147483648).to(tl.int32)
        bits = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return bits.to(tl.float32, bitcast=True)


@triton.jit
def mass_from(
    x, size, least, M, t, floor, COUNT: tl.constexpr, BITS: tl.constexpr, BLOCK: tl.constexpr
):
    """Return the weight, or number, of the tokens x [size] whose key is at least `least`."""
    total = 0.0
    for k in range(0, tl.cdiv(size, BLOCK)):
        i = k * BLOCK + tl.arange(0, BLOCK)
        v = tl.load(x + i, mask=i < size, other=float("-inf")).to(tl.float32)
        if COUNT:
            w = (v > float("-inf")).to(tl.float32)
        else:
            w = tl.exp((v - M) * t)
            w = tl.where((v > float("-inf")) & (w >= floor), w, 0.0)
        total += tl.sum(tl.where(key_of(v, BITS) >= least, w, 0.0), 0)
    return total


@triton.jit
def highest_bit(zero, BITS: tl.constexpr):
    """Return the largest power of 2 in a key."""
    step = zero + 1
    for _ in tl.static_range(BITS - 1):
        step = step * 2
    return step


@triton.jit
def bound(
    x, size, target, M, t, floor, COUNT: tl.constexpr, STRICT: tl.constexpr,
    BITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Return the largest key from which on the mass reaches `target` (exceeds it if STRICT)."""
    key = key_of(M, BITS) * 0
    step = highest_bit(key, BITS)
    for _ in range(BITS):
        mass = mass_from(x, size, key + step, M, t, floor, COUNT, BITS, BLOCK)
        enough = mass > target if STRICT else mass >= target
        key = tl.where(enough, key + step, key)
        step = step // 2
    return key


@triton.jit
def keep_kernel(
    x, temperature, top_k, top_p, min_p, sums, kept, index, count, V, NB, NBP: tl.constexpr,
    BITS: tl.constexpr, BLOCK: tl.constexpr, MOST: tl.constexpr,
):  # fmt: skip
    """Gather the few tokens of a row that its filters may leave, by bounds that are easy to have.

    The k-th largest of the blocks' maxima is not above the k-th largest of all.  Tokens whose
    weight is under (1 - p) / V of all cannot add up to what top-p leaves out.  `count` is the
    number of tokens; more than MOST are not gathered.
    """
    row = tl.program_id(0).to(tl.int64)
    k = tl.load(top_k + row)
    p = tl.load(top_p + row)
    floor = tl.load(min_p + row)
    t = inverse(tl.load(temperature + row))
    if (tl.load(temperature + row) > 0) & ((k > 0) | (p < 1) | (floor > 0)):
        b = tl.arange(0, NBP)
        ok = b < NB
        m = tl.load(sums + (row * NB + b) * 6, mask=ok, other=float("-inf"))
        M = tl.max(m, 0)
        w = tl.load(sums + (row * NB + b) * 6 + 5, mask=ok, other=0.0)
        whole = tl.sum(tl.where(ok, w * tl.exp((m - M) * t), 0.0), 0)
        least = key_of(M, BITS) * 0
        # Rounding must not drop what the filter itself keeps.
        light = floor * 0.99
        if k == 0:
            light = tl.maximum(light, (1 - p) * whole / V * 0.99)
        elif k <= NB:
            step = highest_bit(least, BITS)
            keys = tl.where(ok, key_of(m, BITS), 0)
            for _ in range(BITS):
                above = tl.sum((keys >= least + step).to(tl.int32), 0)
                least = tl.where(above >= k, least + step, least)
                step = step // 2
        seen = 0
        for n in range(0, NB):
            top = tl.load(sums + (row * NB + n) * 6)
            if (key_of(top, BITS) >= least) & (tl.exp((top - M) * t) >= light):
                i = n * BLOCK + tl.arange(0, BLOCK)
                v = tl.load(x + row * V + i, mask=i < V, other=float("-inf"))
                f = v.to(tl.float32)
                keep = (f > float("-inf")) & (key_of(f, BITS) >= least)
                keep = keep & (tl.exp((f - M) * t) >= light)
                at = seen + tl.cumsum(keep.to(tl.int32), 0) - 1
                fits = keep & (at < MOST)
                tl.store(kept + row * MOST + at, v, mask=fits)
                tl.store(index + row * MOST + at, i, mask=fits)
                seen += tl.sum(keep.to(tl.int32), 0)
        tl.store(count + row, seen)


@triton.jit
def equal_at(x, size, key, place, BITS: tl.constexpr, BLOCK: tl.constexpr):
    """Return where the place-th token x [size] of a key is, or the last one if there are fewer."""
    seen = 0
    found = 0
    for n in range(0, tl.cdiv(size, BLOCK)):
        i = n * BLOCK + tl.arange(0, BLOCK)
        v = tl.load(x + i, mask=i < size, other=float("-inf")).to(tl.float32)
        equal = ((key_of(v, BITS) == key) & (i < size)).to(tl.int32)
        rank = seen + tl.cumsum(equal, 0)
        found = tl.maximum(found, tl.max(tl.where((equal > 0) & (rank <= place + 1), i, 0)))
        seen += tl.sum(equal, 0)
    return found


@triton.jit
def filter_kernel(
    x, temperature, u, top_k, top_p, min_p, sums, kept, index, count, token, V, NB,
    NBP: tl.constexpr, BITS: tl.constexpr, BLOCK: tl.constexpr, MOST: tl.constexpr,
):  # fmt: skip
    """Draw a token of a row that has filters, by descending weight, equal ones by their index."""
    row = tl.program_id(0).to(tl.int64)
    k = tl.load(top_k + row)
    p = tl.load(top_p + row)
    floor = tl.load(min_p + row)
    t = inverse(tl.load(temperature + row))
    if (tl.load(temperature + row) > 0) & ((k > 0) | (p < 1) | (floor > 0)):
        b = tl.arange(0, NBP)
        ok = b < NB
        m = tl.load(sums + (row * NB + b) * 6, mask=ok, other=-1e30)
        M = tl.max(m, 0)
        w = tl.load(sums + (row * NB + b) * 6 + 5, mask=ok, other=0.0)
        mass = tl.sum(w * tl.exp((m - M) * t), 0)
        size = tl.load(count + row)
        few = size <= MOST
        if few:
            start = kept + row * MOST
        else:
            start = x + row * V
            size = size * 0 + V
        last = key_of(M, BITS) * 0
        ties = V + 0.0
        if k > 0:
            want = tl.minimum(k, V).to(tl.float32)
            last = bound(start, size, want, M, t, 0.0, True, False, BITS, BLOCK)
            ties = want - mass_from(start, size, last + 1, M, t, 0.0, True, BITS, BLOCK)
            mass = mass_from(start, size, last + 1, M, t, 0.0, False, BITS, BLOCK)
            mass += ties * tl.exp((value_of(last, BITS) - M) * t)
        if p < 1:
            key = bound(start, size, p * mass, M, t, 0.0, False, False, BITS, BLOCK)
            above = mass_from(start, size, key + 1, M, t, 0.0, False, BITS, BLOCK)
            each = tl.exp((value_of(key, BITS) - M) * t)
            need = tl.maximum(tl.ceil((p * mass - above) / each), 1.0)
            if key > last:
                last = key
                ties = need
            elif key == last:
                ties = tl.minimum(ties, need)
        # Above the last key all tokens may be drawn, of its own the first `ties`.
        above = mass_from(start, size, last + 1, M, t, floor, False, BITS, BLOCK)
        each = tl.exp((value_of(last, BITS) - M) * t)
        each = tl.where((each >= floor) & (last > 0), each, 0.0)
        target = tl.load(u + row) * (above + tl.where(last > 0, ties * each, 0.0))
        key = last
        if target < above:
            key = bound(start, size, target, M, t, floor, False, True, BITS, BLOCK)
            above = mass_from(start, size, key + 1, M, t, floor, False, BITS, BLOCK)
            each = tl.exp((value_of(key, BITS) - M) * t)
            ties = V + 0.0
        place = tl.minimum(tl.floor(tl.maximum(target - above, 0.0) / each), ties - 1).to(tl.int32)
        found = equal_at(start, size, key, place, BITS, BLOCK)
        if few:
            found = tl.load(index + row * MOST + found)
        tl.store(token + row, found)
    else:
        tl.store(token + row, -1)


@triton.jit
def draw_kernel(
    x, temperature, u, forced, sums, best, token, out, V, NB, NBP: tl.constexpr, BLOCK: tl.constexpr
):
    """Take the forced token, the filtered one, the best one or draw it; measure it."""
    row = tl.program_id(0).to(tl.int64)
    k = tl.arange(0, NBP)
    ok = k < NB
    o = sums + (row * NB + k) * 6
    m = tl.load(o, mask=ok, other=-1e30)
    M = tl.max(m, 0)
    shift = m - M
    scale = tl.exp(shift)
    e = tl.load(o + 1, mask=ok, other=0.0)
    z = tl.sum(e * scale, 0)
    xe = tl.sum((tl.load(o + 2, mask=ok, other=0.0) + e * shift) * scale, 0)
    count = tl.load(o + 4, mask=ok, other=0.0)
    number = tl.sum(count, 0)
    sx = tl.sum(tl.load(o + 3, mask=ok, other=0.0) + tl.where(count > 0, count * shift, 0.0), 0)
    t = inverse(tl.load(temperature + row))
    w = tl.load(o + 5, mask=ok, other=0.0) * tl.exp(shift * t)
    whole = tl.sum(w, 0)
    target = tl.load(u + row) * whole
    block = tl.sum((ok & (tl.cumsum(w, 0) <= target)).to(tl.int32), 0)
    # Where rounding leaves the target at the end, the last block that has weight.
    block = tl.minimum(block, tl.max(tl.where(w > 0, k, 0), 0))
    before = tl.sum(tl.where(k < block, w, 0.0), 0)
    i = block * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + row * V + i, mask=i < V, other=float("-inf")).to(tl.float32)
    wi = tl.where(v > float("-inf"), tl.exp((v - M) * t), 0.0)
    at = tl.sum((before + tl.cumsum(wi, 0) <= target).to(tl.int32), 0)
    at = tl.minimum(at, tl.max(tl.where(wi > 0, tl.arange(0, BLOCK), 0), 0))
    drawn = block * BLOCK + at
    greedy = tl.load(best + row * NB + tl.argmax(m, 0))
    filtered = tl.load(token + row)
    asked = tl.load(forced + row)
    choice = tl.where(
        tl.load(temperature + row) == 0, greedy, tl.where(filtered >= 0, filtered, drawn)
    )
    choice = tl.where(asked >= 0, asked, choice)
    tl.store(token + row, choice)
    lz = tl.log(z)
    there = tl.load(x + row * V + choice).to(tl.float32)
    tl.store(out + row * 3, there - M - lz)
    tl.store(out + row * 3 + 1, lz - xe / z)
    tl.store(out + row * 3 + 2, lz - sx / number - tl.log(number))


def draw(logits: torch.Tensor, lanes: LaneInputs) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens [rows] (int32) and measures [rows, 3] (float32; see measures.py).

    A row whose temperature is 0 takes the likeliest token; `forced` tokens are only measured.
    """
    rows, size = logits.shape
    blocks = triton.cdiv(size, BLOCK)
    wide = triton.next_power_of_2(blocks)
    bits = 32 if logits.dtype == torch.float32 else 16

    def memory(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=logits.device)

    sums, out = memory(rows, blocks, 6), memory(rows, 3)
    best = memory(rows, blocks, dtype=torch.int32)
    token, count = (memory(rows, dtype=torch.int32) for _ in range(2))
    kept = memory(rows, MOST_KEPT, dtype=logits.dtype)
    index = memory(rows, MOST_KEPT, dtype=torch.int32)
    settings = (lanes.top_k, lanes.top_p, lanes.min_p)
    sums_kernel[(rows, blocks)](
        logits, lanes.temperature, sums, best, size, blocks, BLOCK=BLOCK, num_warps=4
    )
    keep_kernel[(rows,)](
        logits, lanes.temperature, *settings, sums, kept, index, count, size, blocks,
        NBP=wide, BITS=bits, BLOCK=BLOCK, MOST=MOST_KEPT, num_warps=8,
    )  # fmt: skip
    filter_kernel[(rows,)](
        logits, lanes.temperature, lanes.uniform, *settings, sums, kept, index, count, token, size,
        blocks, NBP=wide, BITS=bits, BLOCK=BLOCK, MOST=MOST_KEPT, num_warps=8,
    )  # fmt: skip
    draw_kernel[(rows,)](
        logits, lanes.temperature, lanes.uniform, lanes.forced, sums, best, token, out, size,
        blocks, NBP=wide, BLOCK=BLOCK, num_warps=8,
    )  # fmt: skip
    return token, out
