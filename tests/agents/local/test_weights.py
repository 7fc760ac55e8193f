"""Adapters, weights in few bits and copies on several devices are what they say they are."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from agents import model
from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.drafts import Job
from agents.local.engines import Engines, start_engine
from agents.local.loading import load, load_copies
from agents.local.settings import Settings
from agents.local.sizing import batching_problem
from agents.local.weights.quantized import QuantizedLinear
from arena.errors import StudyError
from arena.types import Sampling
from tests.provider_faults import ask
from tests.tiny_models import tiny

PLAIN = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "init_lora_weights": True}
IDS = torch.arange(30)[None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("weights") / "small")


def adapter(
    folder: Path, config: dict[str, object] | None = None, change: str | None = None
) -> dict[str, torch.Tensor]:
    """Write an adapter of every linear layer, as peft does; return its tensors.

    `change` is the end of the name of one that is left out.
    """
    draw = torch.Generator().manual_seed(1)
    sizes = {"q": (48, 48), "k": (48, 24), "v": (48, 24), "o": (48, 48)}
    sizes |= {"gate": (48, 96), "up": (48, 96), "down": (96, 48)}
    tensors = {}
    for layer in range(2):
        for name, (inputs, outputs) in sizes.items():
            part = "mlp" if name in ("gate", "up", "down") else "self_attn"
            place = f"base_model.model.model.layers.{layer}.{part}.{name}_proj.lora"
            tensors[f"{place}_A.weight"] = torch.randn(4, inputs, generator=draw) / 8
            tensors[f"{place}_B.weight"] = torch.randn(outputs, 4, generator=draw) / 8
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**PLAIN, **(config or {})}))
    kept = {name: part for name, part in tensors.items() if not (change and name.endswith(change))}
    save_file(kept, folder / "adapter_model.safetensors")
    return tensors


def logits_beside(
    folder: Path, tensors: dict[str, torch.Tensor], scale: dict[str, float], other: float
) -> torch.Tensor:
    """Return the logits of a model whose adapter is computed beside the weights, as peft does."""
    whole = load(str(folder), Settings()).model

    def beside(name: str) -> object:
        a, b = (tensors[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
        factor = next((scale[end] for end in scale if name.endswith(end)), other)
        return lambda module, inputs, out: out + factor * (inputs[0] @ a.T @ b.T)

    for name, module in whole.named_modules():
        if name.endswith("_proj"):
            module.register_forward_hook(beside(name))
    with torch.inference_mode():
        logits: torch.Tensor = whole(IDS).logits
    return logits


@pytest.mark.parametrize(
    ("config", "scale", "other"),
    [
        ({}, {}, 2.0),
        ({"use_rslora": True}, {}, 4.0),
        ({"alpha_pattern": {"q_proj": 1, r"layers\.1\.mlp\.up_proj": 6}},
         {"q_proj": 0.25, "1.mlp.up_proj": 1.5}, 2.0),
    ],
)  # fmt: skip
def test_a_merged_adapter_is_the_one_beside_the_weights(
    folder: Path,
    tmp_path: Path,
    config: dict[str, object],
    scale: dict[str, float],
    other: float,
) -> None:
    tensors = adapter(tmp_path / "lora", config)
    merged = load(str(folder), Settings(adapter=str(tmp_path / "lora"))).model
    with torch.inference_mode():
        ours = merged(IDS).logits
        plain = load(str(folder), Settings()).model(IDS).logits
    expected = logits_beside(folder, tensors, scale, other)
    assert torch.allclose(ours, expected, atol=1e-4)
    assert not torch.allclose(ours, plain, atol=1e-1)


@pytest.mark.parametrize(
    ("config", "change", "words"),
    [
        ({"use_dora": True}, None, "use_dora True"),
        ({"init_lora_weights": "pissa"}, None, "init_lora_weights 'pissa'"),
        ({"peft_type": "IA3"}, None, "peft_type 'IA3'"),
        ({}, "1.mlp.up_proj.lora_B.weight", "half of a pair alone, of model.layers.1.mlp.up_proj"),
    ],
)
def test_what_is_not_plain_lora_is_refused_by_name(
    folder: Path, tmp_path: Path, config: dict[str, object], change: str | None, words: str
) -> None:
    adapter(tmp_path, config, change)
    with pytest.raises(StudyError, match=words):
        load(str(folder), Settings(adapter=str(tmp_path)))


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    adapter(tmp_path / "lora")
    other = tiny(tmp_path / "other", hidden_size=24)
    with pytest.raises(StudyError, match=r"of another model: .*_proj.weight of \("):
        load(str(other), Settings(adapter=str(tmp_path / "lora")))
    with pytest.raises(StudyError, match=r"holds adapter_config\.json"):
        model(f"local/{other}?adapter={tmp_path}")


def test_an_adapter_is_part_of_the_name_and_of_the_digest(folder: Path, tmp_path: Path) -> None:
    adapter(tmp_path / "lora")
    plain, bits = model(f"local/{folder}"), model(f"local/{folder}?dtype=int4")
    with_adapter = model(f"local/{folder}?adapter={tmp_path}/lora&dtype=int8")
    assert (bits.name, with_adapter.name) == ("local/small+int4", "local/small+lora+int8")
    digests = {plain.find_digest(), bits.find_digest(), before := with_adapter.find_digest()}
    assert len(digests) == 2
    adapter(tmp_path / "lora", {"lora_alpha": 9})
    again = model(f"local/{folder}?adapter={tmp_path}/lora")
    assert again.find_digest() not in {before, None}


@pytest.mark.parametrize(("kind", "error"), [("int8", 0.01), ("int4", 0.2), ("fp8", 0.06)])
def test_weights_in_few_bits_are_close_and_small(folder: Path, kind: str, error: float) -> None:
    plain = load(str(folder), Settings()).model
    small = load(str(folder), Settings(dtype=kind)).model
    layers = dict(plain.named_modules())
    count = 0
    for name, layer in small.named_modules():
        if isinstance(layer, QuantizedLinear):
            weight = layers[name].weight.detach()
            assert float((layer.weight_now() - weight).norm() / weight.norm()) < error
            bits = 4 if kind == "int4" else 8
            assert layer.packed.nbytes * 8 == weight.numel() * bits
            count += 1
    assert count == 14
    assert batching_problem(small, lambda: SlotRows(small, 2, 16)) is None


def test_what_would_not_get_smaller_is_refused(tmp_path: Path) -> None:
    # Its layers are not linear ones of torch.
    with pytest.raises(StudyError, match=r"dtype=int8 keeps linear layers .* only 0% of"):
        load(str(tiny(tmp_path, "gpt2")), Settings(dtype="int8"))


async def test_what_took_effect_is_told(folder: Path) -> None:
    bits = model(f"local/{folder}?dtype=fp8&device=cpu,cpu&slots=2&context=96")
    await bits.open()
    request = ask(sampling=Sampling(temperature=0.0, max_tokens=3))
    told = bits.request_settings(request)
    assert told is not None
    assert (told["dtype"], told["device"]) == ("fp8", "cpu,cpu")
    assert (await bits(request)).text
    await bits.close()


async def test_episodes_go_to_devices_in_turn_and_say_there_what_they_say_elsewhere(
    folder: Path,
) -> None:
    settings = Settings(device="cpu,cpu", slots=16, context=96)
    copies = load_copies(str(folder), settings)
    sampling = TokenSampling(1.3)
    jobs = [Job(tuple(range(n, 40)), 8, sampling, n, group=str(n // 4)) for n in range(16)]

    async def replies(engine: object) -> list[tuple[int, ...]]:
        try:
            return [r.ids for r in await asyncio.gather(*map(engine.generate, jobs))]
        finally:
            engine.close()

    both = start_engine(copies, settings, copies[0].tokenizer.decode)
    assert isinstance(both, Engines)
    together = await replies(both)
    counts = [engine.counts for engine in both._engines]
    # Four episodes, two on each: their prompts are read once there.
    assert [count.prefilled > 0 for count in counts] == [True, True]
    assert {both.engine_of(group) for group in "0123"} == set(both._engines)
    both.end_group("0")
    assert both.engine_of("9") is both._engines[0]
    assert not both.alive
    one = start_engine(copies[:1], settings, copies[0].tokenizer.decode)
    assert await replies(one) == together


def test_scales_of_zero_rows_leave_zeros() -> None:
    layer = torch.nn.Linear(32, 2, bias=False)
    torch.nn.init.zeros_(layer.weight)
    assert QuantizedLinear(layer, "int4").weight_now().abs().max() == 0
    assert math.isfinite(float(QuantizedLinear(layer, "fp8").scale.max()))
