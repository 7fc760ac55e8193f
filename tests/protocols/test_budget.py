"""The same budget a question: sized(calls) is what is called, and tokens bound every call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.scripted import scripted_model
from arena import Agent, Arena, Sampling, Study
from arena.errors import StudyError
from arena.types import Answer, Reply, Request, Seat, Subject
from protocols import budget, named
from protocols.budget import PROTOCOLS, arms, estimate_question, options_function
from tests.question_agents import QUESTION, agent_with_capabilities, by_seed

EVERY = (*PROTOCOLS, "best_of_n")
FEWEST = {"single": 1, "self_consistency": 1, "best_of_n": 1, "society_of_minds": 4}
SOLVER = agent_with_capabilities(
    lambda request: Reply(by_seed(request), measures={"self_certainty_mean": 1.0}), "measures"
)


def expected(name: str, calls: int) -> int:
    """How many calls a protocol makes of those it may make."""
    layers = min(4, 1 + (calls - 1) // 2)
    odd = {
        "single": 1,
        "society_of_minds": calls - calls % 2,
        "moa": 1 + (layers - 1) * ((calls - 1) // max(1, layers - 1)),
    }
    return odd.get(name, calls)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_a_protocol_makes_the_calls_that_it_was_sized_for(name: str) -> None:
    for calls in range(FEWEST.get(name, 3), 24):
        made = estimate_question(named(name), SOLVER, options_function(named(name))(calls)).calls
        assert made == expected(name, calls) <= calls


@pytest.mark.parametrize("name", EVERY)
def test_too_few_calls_are_refused(name: str) -> None:
    with pytest.raises(StudyError, match="too few"):
        options_function(named(name))(FEWEST.get(name, 3) - 1)


def test_what_is_played_makes_the_calls_that_were_counted(tmp_path: Path) -> None:
    made = arms(SOLVER, calls=7, protocols=EVERY)
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", made, [QUESTION]), watch=lambda tally: None).done == len(EVERY)
    counted = dict(
        arena.sql("select arm, count(*) from calls join episodes using (episode) group by arm").rows
    )
    assert counted == {name: expected(name, 7) for name in EVERY}


def test_equal_tokens_are_shared_among_the_calls_a_protocol_makes() -> None:
    shares = {
        arm.label: arm.lineups[0]["solver"].sampling.max_tokens
        for arm in arms(SOLVER, calls=8, tokens=8000)
    }
    assert shares["single"] == 8000
    assert shares["self_consistency"] == shares["self_agreement"] == 1000
    assert shares["moa"] == 8000 // 7
    assert (
        arms(SOLVER, tokens=1600, protocols=["self_consistency"])[0]
        .lineups[0]["solver"]
        .sampling.max_tokens
        == 100
    )


def test_no_call_of_an_arm_may_generate_more_than_its_share(tmp_path: Path) -> None:
    limits: list[int | None] = []

    def noted(request: Request) -> Reply:
        limits.append(request.sampling.max_tokens)
        return Reply(by_seed(request))

    solver = Agent("s", scripted_model(noted), sampling=Sampling(temperature=0.7, max_tokens=5))
    Arena(tmp_path / "a.duckdb").run(
        Study("s", arms(solver, calls=4, tokens=400, protocols=["self_agreement"]), [QUESTION])
    )
    assert limits == [100] * 4


def test_a_model_that_refuses_a_temperature_is_not_asked_for_one() -> None:
    pytest.importorskip("openai")
    from agents.providers.openai_sdk import openai_model

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sk-none")
        reasoning = Agent("r", openai_model("gpt-5-mini"))
        assert arms(reasoning, calls=4, protocols=["self_agreement"])[0].options == {
            "paths": 3,
            "final_temperature": None,
        }
    assert "final_temperature" not in arms(SOLVER, calls=4, protocols=["self_agreement"])[0].options


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "needs a budget"),
        ({"calls": 2}, "too few"),
        ({"tokens": 9}, "too few for the"),
        ({"calls": 9, "protocols": ["majority"]}, "no protocol 'majority'"),
        (
            {"calls": 9, "protocols": ["debate"]},
            "debate is not sized by a number of calls a question",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(asked: dict, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        arms(SOLVER, **asked)


def test_a_protocol_that_is_larger_than_it_says_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        budget, "options_function", lambda protocol: lambda calls: {"paths": calls + 1}
    )
    with pytest.raises(StudyError, match="makes 4 calls"):
        arms(SOLVER, calls=3, protocols=["self_consistency"])


def test_a_protocol_that_the_model_cannot_play_is_refused() -> None:
    with pytest.raises(StudyError, match=r"best_of_n cannot be played by .*does not give"):
        arms(agent_with_capabilities(by_seed), calls=3, protocols=["best_of_n"])


async def boundless(episode: Any, question: Subject, solver: Seat) -> Answer:
    said = await episode.ask(solver, "?", phase="answer", sampling=Sampling(max_tokens=5000))
    return Answer(said.seat, None)


def test_a_protocol_with_limits_of_its_own_cannot_break_the_budget_in_silence() -> None:
    boundless.__globals__["VERSION"] = "1"
    assert arms(SOLVER, tokens=5000, protocols=[boundless])
    with pytest.raises(StudyError, match=r"may generate 5,000 tokens a question, not 4,999"):
        arms(SOLVER, tokens=4999, protocols=[boundless])


async def crowd(episode: Any, question: Subject, *solvers: Seat) -> None:
    for solver in solvers:
        await episode.ask(solver, "?", phase="answer")


def test_a_protocol_of_any_number_of_agents_is_told_that_a_budget_does_not_give_it() -> None:
    with pytest.raises(StudyError, match="crowd takes any number of agents as solvers, so that a"):
        arms(SOLVER, tokens=100, protocols=[crowd])


def test_a_budget_can_be_one_of_all_calls() -> None:
    named_arms = ["self_consistency", "society_of_minds"]
    once = arms(SOLVER, calls=4, protocols=named_arms, reask=False)
    assert all(arm.options["reask"] is False for arm in once)
    # Not set where it is not given: the ids of such studies stay as they are.
    assert all("reask" not in arm.options for arm in arms(SOLVER, calls=4, protocols=named_arms))


def test_a_table_that_may_end_early_is_estimated_by_its_longest_play() -> None:
    solver = agent_with_capabilities(by_seed)
    longest = {
        ("round_table", "reconcile"): 3 * 3,
        ("round_table", "ford"): 2 + 6,
        ("moderated", "mad"): 3 * 3 + 2,
        ("drafting", "memory"): 3 + 3 * 10,
        ("drafting", "vote"): 3 + 3 * 10 + 8 * (3 + 3),
    }
    for (name, preset), calls in longest.items():
        protocol = named(name)
        options = protocol.__globals__["PRESETS"][preset]
        assert estimate_question(protocol, solver, options).calls == calls, (name, preset)
