"""References become models and agents, or one sentence that says what to write instead."""

from __future__ import annotations

import subprocess
import sys

import pytest

import agents
from agents.references import agent, model
from arena.errors import StudyError
from arena.types import Sampling

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
