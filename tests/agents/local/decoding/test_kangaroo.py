"""An adapter guesses what its formulas say, and changes no reply, whatever its weights."""

from __future__ import annotations

import asyncio
import json
from array import array
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.decoding.kangaroo import NAMES, Adapter, Kangaroo
from agents.local.drafts import GenerationResult, Job
from agents.local.engine import Engine
from agents.local.engines import drafter_for
from agents.local.loading import LoadedModel, load
from agents.local.settings import Settings, parse_settings
from arena.errors import StudyError
from tests.tiny_models import tiny

SIZE, HEADS, KV_HEADS = 48, 4, 2


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load(str(tiny(tmp_path_factory.mktemp("tiny"), "llama")), Settings())


def adapter_folder(folder: Path, scale: float = 0.3) -> Path:
    """Write an adapter with random weights, as the released code keeps them but for the file."""
    generator = torch.Generator().manual_seed(3)
    kv_size = KV_HEADS * SIZE // HEADS
    shapes = [(SIZE, SIZE), (kv_size, SIZE), (kv_size, SIZE), (SIZE, SIZE), (SIZE,), (SIZE,)]
    tensors = {
        name: torch.randn(shape, generator=generator) * scale + (len(shape) == 1)
        for name, shape in zip(NAMES, shapes, strict=True)
    }
    save_file(tensors, folder / "model.safetensors")
    config = {"num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "early_stop_layer": 1}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def reference(loaded: LoadedModel, adapter: Adapter, ids: list[int]) -> torch.Tensor:
    """Return the logits after some tokens, computed at once, head by head."""
    model = loaded.model
    output = model(torch.tensor([ids]), output_hidden_states=True)
    x = output.hidden_states[adapter.exit][0]

    def norm(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return weight * values / (values.square().mean(-1, keepdim=True) + adapter.eps).sqrt()

    h = norm(x, adapter.before)
    size = SIZE // HEADS
    joined = []
    for head in range(HEADS):
        kv = head * KV_HEADS // HEADS
        q = h @ adapter.q[head * size : (head + 1) * size].T
        k, v = (h @ part[kv * size : (kv + 1) * size].T for part in (adapter.k, adapter.v))
        # Pairs of numbers as complex ones, turned by their angles.
        places = torch.arange(len(ids))[:, None]
        angle = places / 10_000.0 ** (torch.arange(size // 2) / (size // 2))
        turn = torch.polar(torch.ones_like(angle), angle)
        q, k = (torch.complex(p[:, : size // 2], p[:, size // 2 :]) * turn for p in (q, k))
        score = (q @ k.conj().T).real / size**0.5
        score += torch.full_like(score, float("-inf")).triu(1)
        joined.append(score.softmax(-1) @ v)
    x = x + torch.cat(joined, -1) @ adapter.o.T
    return model.lm_head(norm(x, adapter.after)[-1])


@torch.inference_mode()
def test_guesses_are_those_of_a_plain_reference(loaded: LoadedModel, tmp_path: Path) -> None:
    adapter = Adapter(adapter_folder(tmp_path), loaded.model)
    guesses = Kangaroo(loaded.model, adapter)
    text = list(range(5, 25))
    # It reads on, and forgets what was guessed wrong or taken back.
    for ids in (text, [*text, 7, 8], [*text, 7, 9, 3], text[:9]):
        found = guesses.next_tokens(array("i", ids), 4)
        assert 1 <= len(found) <= 4
        for n, token in enumerate(found):
            logits = reference(loaded, adapter, [*ids, *found[:n]])
            assert token == int(logits.argmax())
            assert n + 1 == len(found) or float(logits.softmax(-1).max()) >= 0.6
        again = Kangaroo(loaded.model, adapter).logits(ids)
        torch.testing.assert_close(again, reference(loaded, adapter, ids), rtol=0, atol=1e-5)


def test_replies_are_the_same_with_an_adapter_of_any_weights(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    adapter = Adapter(adapter_folder(tmp_path, scale=0.01), loaded.model)
    samplings = (TokenSampling(0.0), TokenSampling(0.2))
    jobs = [Job((n, 3, 9, 4, n), 25, samplings[n % 2], seed=n) for n in range(4)]

    def play(drafter: object) -> tuple[list[GenerationResult], int]:
        rows = SlotRows(loaded.model, 4, 96)
        engine = Engine(rows, loaded.tokenizer.decode, drafter=drafter)

        async def ask() -> list[GenerationResult]:
            return list(await asyncio.gather(*map(engine.generate, jobs)))

        try:
            return asyncio.run(ask()), engine.counts.decoded
        finally:
            engine.close()

    plain, tokens = play(None)
    guessed, more = play(partial(Kangaroo, loaded.model, adapter))
    assert [reply.ids for reply in guessed] == [reply.ids for reply in plain]
    assert more > tokens
    assert all(0 <= reply.measures["guesses_true_share"] <= 1 for reply in guessed)


def test_what_is_no_adapter_of_this_model_is_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="given weights of an adapter of Kangaroo"):
        parse_settings("local/x", f"draft={tmp_path}")
    folder = adapter_folder(tmp_path)
    settings = parse_settings("local/x", f"draft={folder}")
    assert drafter_for(loaded.model, settings) is not None
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"early_stop_layer": 2}))
    with pytest.raises(StudyError, match=r"is of another model: this one has states of 48"):
        drafter_for(loaded.model, settings)
    for name in ("model.safetensors", "pytorch_model.bin"):
        (folder / "model.safetensors").unlink(missing_ok=True)
        (folder / name).write_bytes(b"none")
        with pytest.raises(StudyError, match="holds no adapter of Kangaroo"):
            drafter_for(loaded.model, settings)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(StudyError, match="holds no adapter of Kangaroo"):
        drafter_for(loaded.model, settings)
