"""Arms in figures of answers have names that a reader knows, and no interval about nothing."""

from __future__ import annotations

import json

import duckdb
import pytest

from analysis.figures.answers import group_names
from analysis.figures.registry import figure
from arena.decoding import CertaintyStop
from arena.sampling import Sampling
from arena.store.views.contestants import SETTINGS
from tests.analysis.conftest import AddPlays

SAID = {"calls": [("solver", 9, 5, 0.0)]}


def test_an_arm_of_which_no_answer_was_read_is_marked_and_has_no_interval(solve: AddPlays) -> None:
    plays = [
        {"arm": arm, "question": question, "final": final, **SAID}
        for question in range(4)
        for arm, final in (("read", ("4", True, None)), ("lost", (None, None, None)))
    ]
    drawn = figure(solve("s", *plays), "s", "accuracy")
    upright, _, points = drawn.chart["layer"]
    assert [row["name"] for row in points["data"]["values"]] == ["read", "lost, none readable"]
    assert [row["name"] for row in upright["data"]["values"]] == ["read"]
    assert "1 arm without any readable answer" in drawn.caption


@pytest.mark.parametrize(
    ("pairs", "names"),
    [
        ([("vote", "m [a]"), ("soft", "m [b]")], ["vote", "soft"]),
        ([("vote", "m"), ("vote", "n")], ["m", "n"]),
        ([("vote", "m"), ("vote", "n"), ("soft", "m")], ["vote, m", "vote, n", "soft, m"]),
        ([("vote", "m")], ["vote"]),
    ],
)
def test_groups_are_named_by_that_which_tells_them_apart(
    pairs: list[tuple[str, str]], names: list[str]
) -> None:
    rows = [{"arm": arm, "models": models} for arm, models in pairs]
    assert list(group_names(rows).values()) == names


def test_a_setting_names_the_way_of_decoding() -> None:
    sampling = Sampling(temperature=1.7, decoding=CertaintyStop(threshold=8.0))
    given = {name: value for name, value in sampling.content().items() if value is not None}
    query = f"select {SETTINGS} from (select '' as system, $1::json as sampling)"
    [(settings,)] = duckdb.sql(query, params=[json.dumps(given)]).fetchall()
    assert "temperature 1.7" in settings
    assert any(each.startswith("decoding certainty stop ") for each in settings)
