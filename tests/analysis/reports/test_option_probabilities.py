"""Probabilities of options before and after reasoning: by hand, with a planted change, and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.read.option_probabilities import OptionScores, scored_turn
from analysis.read.selection import ALL
from analysis.reports.assessments import read_assessments
from analysis.reports.option_probabilities import paired_row, reasoning_rows
from arena import Arena, Arm, Study
from protocols.ask_again import ask_again
from protocols.option_probability import option_probability
from tests.option_agents import SCORER, scorer
from tests.question_agents import CHOICE


def scores(
    share: list[list[float]], right: list[list[int]], question: list[int] | None = None
) -> OptionScores:
    pairs = np.array(share)
    codes = np.arange(len(share)) if question is None else np.array(question)
    return OptionScores("s", "a", codes, pairs * np.nan, pairs, np.array(right, float), 0)


def test_rows_are_of_all_items_of_the_same_ones_and_of_those_right_at_each_time() -> None:
    found = scores(
        [[0.5, 0.9], [0.6, 0.8], [0.4, 0.6], [0.3, 0.7]], [[1, 1], [0, 1], [0, 0], [1, 0]]
    )
    rows = {row.items: row for row in reasoning_rows(found)}
    assert {row.kind for row in rows.values()} == {"share"}
    assert (rows["all"].n, rows["all"].before, rows["all"].after) == (4, 0.45, 0.75)
    assert rows["all"].change.mean == pytest.approx(0.3)
    # Four rises: the chance that four signs agree, twice.
    assert rows["all"].p == pytest.approx(2 / 2**4)
    assert (rows["right both times"].n, rows["wrong both times"].n) == (1, 1)
    each = rows["right at each time"]
    assert (each.n, each.before, each.after) == pytest.approx((3, 0.4, 0.85))
    each = rows["wrong at each time"]
    assert (each.n, each.before, each.after) == pytest.approx((3, 0.5, 0.65))
    assert np.isnan(each.p)


def test_a_planted_change_is_found_and_plays_of_one_question_are_one() -> None:
    rng = np.random.default_rng(3)
    question = np.repeat(np.arange(40), 3)
    held = 0
    for _ in range(100):
        moved = 0.1 + rng.normal(0, 0.1, 40)[question] + rng.normal(0, 0.05, 120)
        pairs = np.stack((np.full(120, 0.4), 0.4 + moved), axis=1)
        found = OptionScores("s", "a", question, pairs, pairs, pairs, 0)
        row = paired_row(found, "share", "all", pairs, np.ones(120, dtype=bool))
        held += row.change.ci_low < 0.1 < row.change.ci_high
        assert row.questions == 40
    assert 88 <= held <= 100


def test_options_are_read_by_letter_or_by_boxed_text_and_a_missing_one_is_none() -> None:
    names = ["logprob of A", "probability of A", "logprob of B", "probability of B"]
    found = scored_turn(names, [-1.0, 0.75, -2.0, 0.25], ["x", "y"])
    assert found is not None
    assert found.share == (0.75, 0.25)
    assert found.raw == pytest.approx((np.exp(-1), np.exp(-2)))
    boxed = scored_turn(
        ["probability of \\boxed{x}", "probability of \\boxed{y}"], [0.1, 0.9], ["x", "y"]
    )
    assert boxed is not None
    assert boxed.share == (0.1, 0.9)
    assert scored_turn(names[:2], [-1.0, 0.75], ["x", "y"]) is None


@pytest.mark.slow
def test_a_report_reads_both_protocols_from_the_store(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    arms = [
        Arm("again", ask_again, [{"solver": SCORER}], {"form": "options"}),
        Arm("reasoned", option_probability, [{"solver": scorer()}]),
    ]
    assert arena.run(Study("s", arms, [CHOICE])).done == 2
    found = read_assessments(arena.path, "s", ALL)["s"]
    assert found.options is not None
    assert found.reasoning is not None
    [change] = [row.change for row in found.options]
    # Right is B: first 0.25, then 1 after B, 0.2 after A (0.5) and 0.5 after C (0.25).
    assert change.acc1.mean == 0.25
    assert change.cl.mean == 1
    assert change.cs.mean == pytest.approx((0.5 * 0.2 + 0.25 * 0.5) / 0.75)
    [row] = [each for each in found.reasoning if each.items == "all"]
    assert (row.before, row.after) == (0.5, 0.8)
    assert "before and after reasoning" in str(arena.report("s"))
    [told] = arena.report("s").json()
    assert told["assessments"]["options"][0]["cl"]["mean"] == 1
    assert {"options", "reasoning"} <= told["rules"].keys()
