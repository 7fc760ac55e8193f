"""References become models and agents, or one sentence that says what to write instead."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import agents
from agents.references import agent, model
from arena.errors import StudyError
from arena.play.memory import MemoryJournal, play_in_memory
from arena.studies.study import Arm, Study, plays
from arena.types import BaseModel, Reply, Request, Sampling, Subject
from protocols.single import single

HERE = "http://127.0.0.1:8000/v1"


def test_a_reference_names_a_model_and_its_address_stays_out_of_the_name() -> None:
    assert model(f"http/meta/llama-3@{HERE}").name == "http/meta/llama-3"
    assert not model(f"http/meta/llama-3@{HERE}").simulated


def test_an_agent_is_named_after_its_reference_unless_told_otherwise() -> None:
    assert agent(f"http/llama@{HERE}").name == "http/llama"
    named = agent(
        f"http/llama@{HERE}", name="Ada", system="be brief", sampling=Sampling(temperature=0.5)
    )
    assert (named.name, named.system, named.sampling.temperature) == ("Ada", "be brief", 0.5)


def test_a_simulated_model_is_marked_as_simulated() -> None:
    pytest.importorskip(
        "agents.simulated.debater", reason="the simulated debaters are not in this tree"
    )
    assert model("sim/overconfident").simulated


@pytest.mark.parametrize("reference", ["", "gpt-4o", "nonsense/x", "HTTPS/x"])
def test_an_unknown_reference_is_told_which_there_are(reference: str) -> None:
    with pytest.raises(
        StudyError, match=r"no model reference.*http/<model>@<base url>.*sim/<profile>"
    ) as caught:
        model(reference)
    assert repr(reference) in str(caught.value)


SPELLINGS = [
    ("htp/llama", "http/llama"),
    ("HTTP/llama", "http/llama"),
    ("opnai/gpt-5", "openai/gpt-5"),
    ("gemni/pro", "gemini/pro"),
    ("simm/x", "sim/x"),
]


@pytest.mark.parametrize(("wrong", "right"), SPELLINGS)
def test_a_misspelling_is_met_with_the_right_spelling(wrong: str, right: str) -> None:
    with pytest.raises(StudyError, match=rf"did you mean {right}\?"):
        model(wrong)


@pytest.mark.parametrize(
    "reference",
    [
        "http://u:secret@h/v1",
        "htp/m@http://u:secret@h/v1",
        "openai/m@http://u:secret@h",
        "gemini/m@http://u:secret@h",
    ],
)
def test_no_error_repeats_what_may_be_a_password(reference: str) -> None:
    with pytest.raises(StudyError) as caught:
        model(reference)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("reference", ["openai/", "anthropic", "gemini/", "gemini/ pro"])
def test_a_provider_without_a_model_is_told_what_is_missing(reference: str) -> None:
    with pytest.raises(
        StudyError, match=rf"names no model: write {reference.partition('/')[0]}/<model>"
    ):
        model(reference)


def test_a_scripted_model_is_pointed_to_its_function() -> None:
    with pytest.raises(StudyError, match=r"agents\.scripted\.scripted"):
        model("scripted/x")


def test_what_is_no_text_is_told_how_it_is_seated() -> None:
    for wrong, says in (
        (print, r"found builtin_function.*Agent\(name, scripted_model\(function\)\)"),
        (model("sim/overconfident"), r"found SimulatedDebater; seat it as Agent\(name, model\)"),
        (agent("sim/overconfident"), r"found Agent; it is an agent already"),
        (None, r"found NoneType; give a reference"),
    ):
        with pytest.raises(StudyError, match=rf"^agents\.agent\(\.\.\.\) .*{says}"):
            agent(wrong)  # type: ignore[arg-type]  # what a user may give


def test_the_package_exports_three_names_and_imports_nothing_heavy() -> None:
    assert agents.__all__ == ["adapt", "agent", "model"]
    assert agents.model is model
    with pytest.raises(AttributeError, match="no attribute 'modle'"):
        agents.modle  # noqa: B018
    heavy = (
        "import sys, agents; agents.model; print([m for m in ('aiohttp', 'numpy', 'scipy',"
        " 'duckdb') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", heavy], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_a_reference_may_end_in_an_effort_which_names_its_agent_too() -> None:
    low = agent(f"http/llama@{HERE}?effort=low&thinking_tokens=100", sampling=Sampling(0.5))
    assert low.sampling == Sampling(0.5, reasoning_effort="low", thinking_tokens=100)
    assert (low.name, low.model.name) == ("http/llama?effort=low&thinking_tokens=100", "http/llama")
    assert agent("sim/even?effort=high").sampling.reasoning_effort == "high"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("sim/even?effort=some", "reasoning_effort is one of none, minimal, low"),
        ("sim/even?effort=", "reasoning_effort is one of"),
        ("sim/even?thinking_tokens=few", "thinking_tokens is a whole number"),
        ("sim/even?effort=high&colour=red", "has no setting 'colour'"),
    ],
)
def test_a_wrong_setting_in_a_reference_is_an_error(reference: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        agent(reference)


def test_an_effort_is_said_once_and_only_of_an_agent() -> None:
    with pytest.raises(StudyError, match="'low' in its reference and 'high' in its sampling"):
        agent("sim/even?effort=low", sampling=Sampling(reasoning_effort="high"))
    with pytest.raises(StudyError, match="a setting of an agent, not of a model"):
        model("sim/even?effort=low")


@pytest.mark.parametrize("kind", ["hosted_vllm", "lm_studio", "litellm_proxy"])
def test_a_server_of_ones_own_is_refused_without_its_address(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"{kind.upper()}_API_BASE", raising=False)
    with pytest.raises(
        StudyError, match=f"its address is not set: run `export {kind.upper()}_API_"
    ):
        model(f"{kind}/qwen3-8b")


class Pausing(BaseModel):
    """A model of another package, which pauses and takes no temperature."""

    name = "other/pausing"

    async def __call__(self, request: Request) -> Reply:
        """Pause."""
        return Reply("...", finish_reason="stop")

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Refuse a temperature."""
        return None if sampling.temperature is None else "a pause has no temperature"

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Drop the temperature."""
        return replace(sampling, temperature=None)


async def test_a_model_of_another_package_says_what_it_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.references.model", lambda reference: Pausing())
    hot, cold = (
        agent(
            "other/pausing", name=name, sampling=Sampling(temperature=heat), drop_unsupported=True
        )
        for name, heat in (("hot", 1.5), ("cold", 0.0))
    )
    assert isinstance(hot.model, Pausing)
    assert hot.model.left_out == {"temperature": "a pause has no temperature"}
    journal = MemoryJournal()
    arm = Arm("one", single, [{"solver": hot}])
    (play,) = plays(Study("s", [arm], [Subject("2 + 2?", "question", "4")]))
    await play_in_memory(play, journal)
    assert {row["sent"]["left_out"][0] for row in journal.rows("call_starts")} == {"temperature"}
    both = replace(arm, lineups=[{"solver": hot}, {"solver": cold}])
    with pytest.raises(StudyError, match="tell nobody apart: temperature of other/pausing"):
        plays(Study("s", [both], [Subject("2 + 2?", "question", "4")]))
