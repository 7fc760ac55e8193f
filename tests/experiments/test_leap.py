"""The study of LeaP: its arms differ by one thing each, and its sizes are those of the models."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agents.scripted import scripted_model
from analysis.reports.debates import study_reports
from arena import Agent, Arena, Arm, Study, Subject
from arena.errors import StudyError
from arena.tournaments.study_file import load_study
from arena.types import Reply, Request
from experiments.leap import leap_arms

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


def planted(effect: str) -> Agent:
    """Return a solver that is right in half of its paths, and 40 points more or less by one thing.

    "prompt": less under an instruction with tags.  "peers": more where a peer's words were read.
    """

    def solve(request: Request) -> Reply:
        if request.place.phase != "answer":
            return Reply(f"I am at {request.seed}.", finish_reason="length")
        prompt, begun = (message.content for message in request.messages[-2:])
        right = 0.5
        right -= 0.4 * (effect == "prompt" and "<comment>" in prompt)
        right += 0.4 * (effect == "peers" and "<comment> Peer 1" in begun)
        is_right = request.seed % 1000 < 1000 * right
        return Reply("4}" if is_right else f"{5 + request.seed % 7}}}", finish_reason="stop")

    return Agent("solver", scripted_model(solve))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effect", "sign", "found"), [("prompt", -1, "the prompt"), ("peers", 1, "the peers")]
)
def test_a_planted_effect_is_found_in_its_own_contrast_and_in_no_other(
    tmp_path: Path, effect: str, sign: int, found: str
) -> None:
    sizes = {"paths": 4, "top_k": 2, "turns": 2}
    sizes |= {"think_tokens": 20, "summary_tokens": 9, "answer_tokens": 5}
    played = leap_arms(planted(effect), sizes, [], ["random"])
    questions = [Subject(f"What is 2+2, for the {k}th time?", "question", "4") for k in range(24)]
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(Study("leap", played, questions), watch=lambda tally: None)
    [report] = study_reports(arena.path)
    assert report.answers is not None
    rows = {row.isolates: row.paths for row in report.answers.contrasts}
    assert list(rows) == ["the prompt", "the cuts", "the block", "the peers", "all together"]
    for name, paths in rows.items():
        if name in (found, "all together"):
            assert abs(paths.mean - sign * 0.4) < 0.2
            assert min(sign * paths.ci_low, sign * paths.ci_high) > 0
        else:
            assert paths.ci_low < 0 < paths.ci_high, name
