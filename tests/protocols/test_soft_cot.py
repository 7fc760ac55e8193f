"""A reply behind each soft thought, and a vote over all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arena.decoding import SoftCot
from arena.types import Agent, Request, Sampling
from protocols import laws
from protocols.soft_cot import options_for_calls, soft_cot
from tests.in_memory import final_of, rows_of_play
from tests.question_agents import QUESTION, Script, agent_with_capabilities, box, by_seed

WAY = SoftCot("local/a/smaller", "trained", initial=7)


def thinker(script: Script) -> Agent:
    return replace(
        agent_with_capabilities(script, "decoding"), sampling=Sampling(1.0, decoding=WAY)
    )


def test_each_thought_is_sampled_and_all_replies_vote() -> None:
    seen: list[tuple[int, int]] = []

    def script(request: Request) -> str:
        way = request.sampling.decoding
        assert isinstance(way, SoftCot)
        assert replace(way, initial=7) == WAY
        seen.append((way.initial, request.seed))
        # Only the thought of the middle initial token is right.
        return box(4 if way.initial == 1 else 10 + len(seen))

    options: dict[str, object] = {"initial_tokens": 3, "samples": 2}
    answer, _, confidence, *_ = final_of(rows_of_play(soft_cot, thinker(script), options))
    assert answer == "4"
    assert confidence == pytest.approx(2 / 6)
    assert sorted(initial for initial, _ in seen) == [0, 0, 1, 1, 2, 2]
    assert len({seed for _, seed in seen}) == 6


@pytest.mark.parametrize(("calls", "initial", "samples"), [(1, 1, 1), (10, 10, 1), (30, 10, 3),
                                                           (7, 7, 1), (16, 8, 2)])  # fmt: skip
def test_calls_are_shared_among_thoughts(calls: int, initial: int, samples: int) -> None:
    options = options_for_calls(calls)
    assert (options["initial_tokens"], options["samples"]) == (initial, samples)


def test_a_solver_without_given_weights_is_refused() -> None:
    with pytest.raises(laws.BrokenLawError, match=r"StudyError: soft_cot is played by a model"):
        laws.check(soft_cot, {"solver": agent_with_capabilities(by_seed, "decoding")}, QUESTION)


def test_laws() -> None:
    options = {"initial_tokens": 2, "samples": 2}
    laws.check(soft_cot, {"solver": thinker(by_seed)}, QUESTION, options=options)
