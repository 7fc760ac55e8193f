"""The study of LeaP: its arms differ by one thing each, and its sizes are those of the models."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from arena import Arm
from arena.errors import StudyError
from arena.tournaments.study_file import load_study

LEAP = Path(__file__).resolve().parents[2] / "experiments" / "leap.py"
LADDER = ["independent", "prompt only", "no block", "no peers", "leap dispersed-3"]
SERVED = "@http://127.0.0.1:8000/v1"


def arms(*options: str) -> list[Arm]:
    """Return the arms of the study with these options."""
    return list(load_study(LEAP, ["number=1", *options]).arms)


def differences(one: Arm, other: Arm) -> list[Any]:
    """Return what differs between two arms: names of options, or "protocol" or "agents"."""
    names = dict(one.options) | dict(other.options)
    changed: list[Any] = [n for n in names if one.options.get(n) != other.options.get(n)]
    changed += ["protocol"] if one.protocol is not other.protocol else []
    return changed + (["agents"] if one.lineups != other.lineups else [])


def test_each_arm_differs_from_the_one_before_by_one_thing() -> None:
    ladder = arms()
    assert [arm.label for arm in ladder] == LADDER
    steps = [differences(*pair) for pair in pairwise(ladder)]
    assert steps == [["prompt"], ["communication"], ["communication"], ["router"]]


def test_control_arms_can_be_chosen_and_left_out() -> None:
    assert [arm.label for arm in arms("controls=")] == [LADDER[0], LADDER[-1]]
    some = arms("controls=no_peers", "routers=random,hybrid")
    assert [arm.label for arm in some] == [*LADDER[::3], "leap random-3", "leap hybrid-3"]
    with pytest.raises(StudyError, match="controls cannot be 'none'"):
        arms("controls=none")


def test_chat_models_play_the_segmented_variant_with_the_arms_that_it_can_have() -> None:
    ladder = arms(f"model=http/some{SERVED}")
    assert [arm.label for arm in ladder] == [*LADDER[:2], LADDER[3], "segmented dispersed-3"]
    # As many words in one turn as in four, whose default is 400.
    assert differences(*ladder[1:3]) == ["turns", "words"]
    assert (ladder[1].options["words"], ladder[1].options["turns"]) == (1600, 1)
    assert differences(*ladder[2:]) == ["router"]


@pytest.mark.parametrize(
    ("model", "paths", "peers", "tokens"),
    [
        ("vllm/deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 32, 4, 16_384),
        ("vllm/deepseek-r1-distill-qwen-14b", 32, 4, 16_384),
        ("vllm/QwQ-32B", 32, 4, 32_768),
        ("vllm/mistral-small", 8, 3, 16_384),
    ],
)
def test_a_published_model_has_the_sizes_of_the_paper(
    model: str, paths: int, peers: int, tokens: int
) -> None:
    sizes = arms(f"model={model}{SERVED}")[-1].options
    assert (sizes["paths"], sizes["top_k"]) == (paths, peers)
    assert sizes["turns"] * sizes["think_tokens"] == tokens  # type: ignore[operator]
    assert arms(f"model={model}{SERVED}", "sizes=qwq-32b", "paths=2")[-1].options["turns"] == 8


def test_version_1_has_the_arms_of_0_1_0_alone() -> None:
    then = arms("version=1", f"model=vllm/QwQ-32B{SERVED}")
    assert [arm.label for arm in then] == ["independent", "leap dispersed-3"]
    assert dict(then[0].options) == {"paths": 8}
    [agent] = then[0].lineups[0].values()  # type: ignore[index]
    # Four turns, three summaries and an answer, as long as LeaP's were.
    assert agent.sampling.max_tokens == 4 * 4096 + 3 * 256 + 256
