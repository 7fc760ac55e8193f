"""The majority of many paths, on hand-made votes and on the toy model."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.toy.problems import sums
from arena import Arena, Arm, Sampling, Study
from arena.types import Agent
from protocols import laws
from protocols.self_consistency import self_consistency
from protocols.single import single
from tests.question_agents import CHOICE, QUESTION, by_seed, final, others, paths, play


def test_the_majority_wins_by_value_and_its_share_is_the_confidence(tmp_path: Path) -> None:
    arena = play(tmp_path / "a.duckdb", self_consistency, paths(5, "4.0", 4, 5, "04"), {"paths": 5})
    assert final(arena) == ("4.0", True, pytest.approx(3 / 5))
    assert others(arena)[0] == ("path0", 0, "5", False)
    assert len(arena.sql("from calls")) == 5


def test_equal_counts_go_to_the_answer_that_came_first(tmp_path: Path) -> None:
    assert final(
        play(tmp_path / "a.duckdb", self_consistency, paths(5, 4, 4, 5), {"paths": 4})
    ) == ("5", False, 0.5)


def test_a_path_that_cannot_be_read_casts_no_vote_and_is_not_wrong(tmp_path: Path) -> None:
    arena = play(
        tmp_path / "a.duckdb",
        self_consistency,
        paths(None, None, "(b)", None),
        {"paths": 4},
        CHOICE,
    )
    assert final(arena) == ("B", True, 0.25)
    assert others(arena)[0] == ("path0", 0, None, None)


def test_where_no_path_can_be_read_there_is_no_answer(tmp_path: Path) -> None:
    assert final(
        play(tmp_path / "a.duckdb", self_consistency, paths(None, None), {"paths": 2})
    ) == (None, None, None)


def test_self_consistency_obeys_the_laws() -> None:
    laws.check(
        self_consistency,
        {"solver": Agent("s", scripted_model(by_seed))},
        QUESTION,
        options={"paths": 3},
    )


@pytest.mark.slow
def test_the_majority_of_sixteen_beats_one_sample_by_twenty_points_on_the_toy(
    tmp_path: Path,
) -> None:
    pytest.importorskip("torch")
    toy = {"solver": agent("toy/sum", sampling=Sampling(temperature=1.7, max_tokens=100))}
    arms = [Arm("single", single, [toy]), Arm("majority", self_consistency, [toy], {"paths": 16})]
    arena = Arena(tmp_path / "a.duckdb", concurrency=32)
    assert arena.run(Study("toy", arms, sums(40)), watch=lambda tally: None).done == 80
    right = dict(
        arena.sql(
            "select arm, avg(coalesce(correct, false)::int) from answers join episodes using"
            " (episode) where final group by arm"
        ).rows
    )
    print(right)
    assert right["majority"] >= right["single"] + 0.2
