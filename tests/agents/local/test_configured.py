"""What a model's configuration asks for is done, or refused by name before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents import model
from agents.local import sizing
from agents.local.configured import REFUSED, RULES, configured_problem, logit_rules
from arena.errors import StudyError
from arena.types import Sampling
from tests.provider_faults import ask
from tests.tiny_models import tiny

CHOSEN = Sampling(temperature=1.0)


@pytest.mark.parametrize("name", REFUSED)
def test_every_setting_that_cannot_be_had_is_named(name: str) -> None:
    assert f"asks for {name} 3" in str(configured_problem({name: 3}))
    for value in REFUSED[name]:
        assert configured_problem({name: value, "temperature": 0.6, "top_k": 20}) is None
    assert configured_problem({name: None}) is None


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_followed_unless_a_temperature_is_set(name: str) -> None:
    assert logit_rules({name: 3, "temperature": 0.6}, Sampling()) == {name: 3}
    for value in RULES[name]:
        assert logit_rules({name: value}, Sampling()) == {}
    assert configured_problem({name: 3}) is None
    assert logit_rules({name: 3}, CHOSEN) == {}


async def test_what_took_effect_is_told_and_a_sampling_says_otherwise(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    file = folder / "generation_config.json"
    asked = {"repetition_penalty": 1.05, "suppress_tokens": [7], "typical_p": 0.9}
    file.write_text(json.dumps(json.loads(file.read_text()) | asked))
    local = model(f"local/{folder}?slots=2&context=96")
    assert "typical_p 0.9" in str(local.unsupported_reason(Sampling()))
    assert local.unsupported_reason(CHOSEN) is None
    assert local.unsupported_reason(Sampling(choices=("yes", "no"))) is None
    await local.open()
    told = local.request_settings(ask(sampling=Sampling(repetition_penalty=1.2)))
    assert (told["repetition_penalty"], told["suppress_tokens"]) == (1.2, [7])
    penal = Sampling(temperature=0.0, presence_penalty=2.0, max_tokens=4)
    told = local.request_settings(ask(sampling=penal))
    assert told["presence_penalty"] == 2.0
    assert "suppress_tokens" not in told
    assert (await local(ask(sampling=penal))).text
    await local.close()


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
    assert toy.unsupported_reason(Sampling(temperature=1.0, presence_penalty=1.0)) is None
    assert "thinking_tokens" in str(toy.unsupported_reason(Sampling(thinking_tokens=9)))
