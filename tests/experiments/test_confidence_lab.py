"""The laboratory scores the same answers by every estimator that a model allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.play.run import Arena
from arena.tournaments.stages import run_stages
from arena.tournaments.study_file import load_stages
from protocols.estimators import HOME, NEEDS

FILE = Path(__file__).resolve().parents[2] / "experiments" / "confidence_lab.py"
SCORES = """
    select name, count(*)::int, count(value)::int, any_value(status) filter (value is null)
    from latest_scores group by all
"""


def test_what_functions_need_is_told_of_functions_that_there_are() -> None:
    assert NEEDS.keys() <= {function for _, function in HOME.values()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "absent"),
    [
        (["number=12", "comparisons=3"], {"uqac", "p_ik", "self_certainty", "pair_rank"}),
        (["number=6", "model=toy/sum"], {"p_true", "stated_confidence", "relative_confidence"}),
    ],
    ids=["simulated", "toy"],
)
def test_every_estimator_scores_all_replies_or_says_why_not(
    tmp_path: Path, options: list[str], absent: set[str]
) -> None:
    arena = Arena(tmp_path / "lab.duckdb")
    summaries = run_stages(arena, load_stages(FILE, options))
    assert [(each.failed, each.open) for each in summaries] == [(0, 0)] * len(summaries)
    replies = 5 * int(options[0].removeprefix("number="))
    found = {name: (count, known, why) for name, count, known, why in arena.sql(SCORES).rows}
    assert {count for count, _, _ in found.values()} == {replies}
    assert not any(why is None for _, known, why in found.values() if known < replies)
    assert not absent & {name for name, (_, known, _) in found.items() if known}
    # Most of what was tried has a number for every reply.
    assert sum(known == replies for _, known, _ in found.values()) >= 45
