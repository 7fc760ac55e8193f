"""What a model's configuration asks for is done, or refused by name before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents import model
from agents.local import sizing
from agents.local.configured import NEUTRAL, configured_problem
from arena.errors import StudyError
from arena.types import Sampling
from tests.tiny_models import tiny

CHOSEN = Sampling(temperature=1.0)


@pytest.mark.parametrize("name", NEUTRAL)
def test_every_setting_that_changes_draws_is_named(name: str) -> None:
    asked = [[7]] if "tokens" in name or "ids" in name else 3
    assert f"asks for {name} {asked!r}" in str(configured_problem({name: asked}))
    for value in NEUTRAL[name]:
        assert configured_problem({name: value, "temperature": 0.6, "top_k": 20}) is None
    assert configured_problem({name: None}) is None


def test_a_model_that_asks_for_a_penalty_is_refused_unless_a_temperature_is_set(
    tmp_path: Path,
) -> None:
    folder = tiny(tmp_path)
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"repetition_penalty": 1.05}))
    local = model(f"local/{folder}")
    assert "repetition_penalty 1.05" in str(local.unsupported_reason(Sampling()))
    assert local.unsupported_reason(CHOSEN) is None
    assert local.unsupported_reason(Sampling(choices=("yes", "no"))) is None


async def test_rows_that_do_not_fit_the_memory_are_refused_on_opening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = model("toy/sum?slots=64&context=2048")
    monkeypatch.setattr(sizing, "free_bytes", lambda device: 2**25)
    with pytest.raises(StudyError, match=r"64 rows of context=2048 need .* GiB .* or slots=\d+"):
        await toy.open()
    monkeypatch.setattr(sizing, "free_bytes", lambda device: 2**33)
    await toy.open()
    await toy.close()


def test_arguments_of_the_chat_template_are_taken_and_other_extras_refused() -> None:
    toy = model("toy/sum")
    for extra, words in (
        ({"chat_template_kwargs": {"enable_thinking": False}}, None),
        ({"chat_template_kwargs": {"tokenize": True}}, "tokenize"),
        ({"chat_template_kwargs": 1}, "chat_template_kwargs alone"),
        ({"guided_regex": "a"}, "chat_template_kwargs alone"),
    ):
        why = toy.unsupported_reason(Sampling(temperature=1.0, extra=extra))
        assert (why is None) if words is None else (words in str(why))
    assert toy.unsupported_reason(Sampling(temperature=1.0, repetition_penalty=1.0)) is None
    assert "presence" in str(toy.unsupported_reason(Sampling(temperature=1, presence_penalty=1)))
