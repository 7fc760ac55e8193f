"""Ways of decoding are settings: part of ids where set, and refused by who does not have them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from agents import agent
from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Sampling, Study
from arena.decoding import (
    WAYS,
    CertaintyStop,
    CkPlug,
    Decoding,
    SoftCot,
    SoftThinking,
    SpeculativeThinking,
    stored_decoding,
)
from arena.errors import StudyError
from arena.store.replay import sampling_of
from arena.types import Request
from tests.fake_agents import MOTION

EACH: dict[str, Decoding] = {
    "soft_thinking": SoftThinking(),
    "ck_plug": CkPlug("The sky is green.", alpha=None),
    "speculative_thinking": SpeculativeThinking("local/Qwen/Qwen3-8B?dtype=int8&slots=4"),
    "certainty_stop": CertaintyStop(3.5),
    "soft_cot": SoftCot("local/Qwen/Qwen3-0.6B?slots=4", "trained", initial=2),
}
VERSION = "1"


def test_a_sampling_without_a_way_of_decoding_is_as_it_was() -> None:
    assert "decoding" not in Sampling(temperature=0.5).content()


@pytest.mark.parametrize("name", WAYS)
def test_every_setting_of_a_way_is_part_of_the_identity_and_comes_back_from_the_record(
    name: str,
) -> None:
    way = EACH[name]
    content = Sampling(decoding=way).content()["decoding"]
    assert isinstance(content, dict)
    assert list(content) == ["by", *(each.name for each in fields(way))]  # type: ignore[arg-type]
    stored = stored_decoding(content)
    assert stored is not None
    assert stored.content() == content
    assert sampling_of({"decoding": content}).decoding == stored
    assert stored_decoding({**content, "by": "another"}) is None


def test_of_the_larger_model_the_identity_has_what_changes_its_words() -> None:
    way = EACH["speculative_thinking"]
    assert way.content()["model"] == "local/Qwen/Qwen3-8B?dtype=int8"
    # Where a folder lies on this machine is no part of it.
    for folder in ("/models/large", "~/large/", "./a/b/large?slots=2"):
        assert SpeculativeThinking(f"local/{folder}").content()["model"] == "local/large"
    soft = SoftCot("toy/sum", "/somewhere/trained/").content()
    assert (soft["assistant"], soft["weights"]) == ("toy/sum", "trained")


@pytest.mark.parametrize(
    "make",
    [
        lambda: SoftThinking(top_p=0.0),
        lambda: SoftThinking(concepts=0),
        lambda: SoftThinking(end=""),
        lambda: CkPlug(alpha=1.5),
        lambda: CkPlug(rule="other"),
        lambda: CkPlug(epsilon=float("nan")),
        lambda: SpeculativeThinking("openai/gpt-5"),
        lambda: SpeculativeThinking("local/x/y", piece=0),
        lambda: CertaintyStop(True),
        lambda: SoftCot("openai/gpt-5", "trained"),
        lambda: SoftCot("local/x/y", ""),
        lambda: SoftCot("local/x/y", "trained", initial=-1),
        lambda: SoftCot("local/x/y", "trained", thoughts=0),
        lambda: Sampling(decoding="soft"),  # type: ignore[arg-type]
    ],
)
def test_values_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(StudyError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    "reference", ["openai/gpt-5-mini", "sim/solver", "anthropic/claude-opus-4-1"]
)
@pytest.mark.parametrize("way", EACH.values(), ids=EACH)
def test_other_lanes_refuse_it_by_name_or_leave_it_out(
    reference: str, way: Decoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "none")
    asked = Sampling(decoding=way)
    with pytest.raises(
        StudyError, match=f"{way.by} is a way of decoding, which needs a model on this machine"
    ):
        agent(reference, sampling=asked)
    assert agent(reference, sampling=asked, drop_unsupported=True).sampling == Sampling()


def test_an_agent_that_was_made_by_hand_is_refused_before_the_first_call(tmp_path: Path) -> None:
    calls = []

    def answer(request: Request) -> str:
        calls.append(request)
        return "yes"

    async def speak(episode: Any, motion: Any, speaker: Any) -> None:
        await episode.ask(speaker, motion.text, phase="speech")

    seated = Agent("one", scripted_model(answer), sampling=Sampling(decoding=SoftThinking()))
    study = Study("soft", [Arm("a", speak, [{"speaker": seated}])], [MOTION])
    with pytest.raises(StudyError, match="soft_thinking is a way of decoding"):
        Arena(tmp_path / "a.duckdb").run(study)
    assert calls == []


def test_a_stop_without_a_threshold_is_refused_in_a_sentence() -> None:
    with pytest.raises(StudyError, match="CertaintyStop needs a threshold in nats"):
        CertaintyStop()
