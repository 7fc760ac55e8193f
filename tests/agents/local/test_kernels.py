"""Kernels do what their plain twins do; run by Triton's interpreter where there is no GPU."""

from __future__ import annotations

import os
from types import ModuleType

import pytest
import torch

from agents.local import plain
from agents.local.lane_inputs import FIELDS, LaneInputs, Pass, lane_inputs

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("kernels need a GPU, or TRITON_INTERPRET=1", allow_module_level=True)
pytest.importorskip("triton", reason="triton is not installed")

# The interpreter takes seconds.
pytestmark = pytest.mark.slow

HEADS, KV_HEADS, SIZE, PAGE, SLOTS, PAGES = 4, 2, 12, 16, 3, 4


@pytest.fixture(scope="module")
def kernels() -> ModuleType:
    from agents.local import kernels

    return kernels


def some(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).to(DEVICE, dtype)


def ints(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32, device=DEVICE)


@pytest.mark.parametrize("first", [True, False])
def test_norms(kernels: ModuleType, first: bool) -> None:
    x, weight = some(5, 48), some(48, seed=1)
    residuals = [some(5, 48, seed=2) for _ in range(2)]
    ours, twin = (
        module.add_norm(x, residual, weight, 1e-6, first=first)
        for module, residual in zip((kernels, plain), residuals, strict=True)
    )
    torch.testing.assert_close(ours, twin)
    torch.testing.assert_close(*residuals)


def test_gates(kernels: ModuleType) -> None:
    x = some(3, 2 * 1100)
    torch.testing.assert_close(kernels.gate(x), plain.gate(x))


@pytest.mark.parametrize("normed", [True, False])
def test_places_and_attention(kernels: ModuleType, normed: bool) -> None:
    table = ints(*range(1, SLOTS * PAGES + 1)).view(SLOTS, PAGES)
    # Three neighbouring tokens of a prompt, which share what they read, between single ones.
    slots, places = ints(0, 2, 2, 2, 2, 1), ints(0, 31, 32, 33, 5, 63)
    tokens = Pass(slots, places, PAGES, share=ints(1, 3, 0, 0, 1, 1))
    norms = some(2, SIZE, seed=3) if normed else None
    cos, sin = some(PAGE * PAGES, SIZE // 2, seed=4), some(PAGE * PAGES, SIZE // 2, seed=5)
    qkv = some(6, (HEADS + 2 * KV_HEADS) * SIZE)
    caches = []
    queries = []
    attended = []
    for module in (kernels, plain):
        keys, values = (some(SLOTS * PAGES + 1, PAGE, KV_HEADS, SIZE, seed=seed) for seed in (6, 7))
        q = module.place(qkv, norms, cos, sin, keys, values, table, tokens, 1e-6)
        attended.append(module.attend(q, keys, values, table, tokens, 0.3))
        queries.append(q)
        caches.append(torch.stack((keys, values)))
    torch.testing.assert_close(*queries)
    torch.testing.assert_close(*caches)
    torch.testing.assert_close(*attended, rtol=1e-4, atol=1e-5)
    alone = Pass(slots, places, PAGES, share=ints(1, 1, 1, 1, 1, 1))
    again = kernels.attend(queries[0], *caches[0], table, alone, 0.3)
    assert torch.equal(again, attended[0])


def inputs(rows: int, settings: tuple[float, int, float, float]) -> LaneInputs:
    lanes = lane_inputs(torch.zeros(FIELDS, rows, dtype=torch.int32, device=DEVICE))
    temperature, top_k, top_p, min_p = settings
    lanes.temperature[:] = temperature
    lanes.top_k[:] = top_k
    lanes.top_p[:] = top_p
    lanes.min_p[:] = min_p
    lanes.uniform[:] = (torch.arange(rows) + 0.5) / rows
    lanes.forced[:] = -1
    lanes.forced[0] = 7
    return lanes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("block", [256, 2048])
@pytest.mark.parametrize(
    "settings",
    [
        (0.0, 0, 1.0, 0.0),
        (1.0, 0, 1.0, 0.0),
        (0.7, 20, 1.0, 0.0),
        (1.0, 0, 0.8, 0.0),
        (1.3, 0, 1.0, 0.02),
        (0.6, 40, 0.9, 0.05),
        (1e30, 0, 1.0, 0.0),
    ],
)
def test_draws_and_measures(
    kernels: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
    dtype: torch.dtype,
    settings: tuple[float, int, float, float],
) -> None:
    from agents.local import draw_kernels

    # More blocks than a filter asks for tokens, and fewer: their maxima bound it or not.
    monkeypatch.setattr(draw_kernels, "BLOCK", block)
    monkeypatch.setattr(draw_kernels, "MOST_KEPT", 512 if settings[2] == 0.8 else 4096)
    rows, size = 12, 5000
    # Steps of a quarter give bfloat16 rows with many equal logits.
    logits = (some(1, size) * 3).expand(rows, size).to(dtype).contiguous()
    logits[:, 100:200] = float("-inf")
    lanes = inputs(rows, settings)
    token, measures = kernels.draw(logits, lanes)
    twin, expected = plain.draw(logits, lanes)
    assert token[0] == 7
    # A cumulative sum may round to the other side of a number; equal logits have no order.
    row = torch.arange(rows, device=DEVICE)
    same = logits[row, token.long()] == logits[row, twin.long()]
    assert int((~same).sum()) <= 1
    torch.testing.assert_close(measures[same], expected[same], rtol=1e-4, atol=1e-4)


def test_a_row_is_drawn_and_measured_alike_in_any_company(kernels: ModuleType) -> None:
    logits = some(6, 4500) * 2
    lanes = inputs(6, (0.9, 50, 0.95, 0.0))
    token, measures = kernels.draw(logits, lanes)
    for row in range(6):
        block = torch.stack(
            [getattr(lanes, name)[row : row + 1].view(torch.int32) for name in LaneInputs.__slots__]
        )
        alone, numbers = kernels.draw(logits[row : row + 1], lane_inputs(block))
        assert alone[0] == token[row]
        assert torch.equal(numbers[0], measures[row])
