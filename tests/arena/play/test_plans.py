"""Leftovers: what an earlier plan of a study played, and its last plan does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from agents import agent as agent_of
from arena.play.plans import is_other_plan, plan_change_lines
from arena.play.run import Arena, RunSelection
from arena.store.connection import show_leftovers
from arena.store.database import open_live
from arena.store.replay import StudyState
from arena.store.views.registry import ALL_VIEWS
from arena.studies.study import plays
from arena.text import utc_now
from arena.tournaments.stages import resolve_stage
from protocols.judging import jury
from tests.fake_agents import agent, study

# They show the whole record, or are parts of others that go by episodes.
COMPLETE = {
    *("all_episodes", "leftovers", "left_out", "studies", "calls", "saw", "cost"),
    *("latest_turns", "latest_rulings", "latest_answers", "agents", "contestants", "gradable"),
}
PLANS = {"a": study(agent("a"), subjects=1), "b": study(agent("b"), subjects=2)}
JURY = jury("jury", "talks", [agent_of("sim/judge")])


def play_and_judge(path: Path, plans: str) -> Arena:
    """Play plans of one study one after the other, each with its jury; return the arena."""
    arena = Arena(path)
    for name in plans:
        arena.run(PLANS[name])
        arena.run(resolve_stage(JURY, path))
    return arena


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which another plan has followed a plan that was played and judged."""
    return play_and_judge(tmp_path_factory.mktemp("plans") / "both.duckdb", "ab").path


def views(path: Path) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """Yield the rows of each view that counts something, without times."""
    with open_live(path) as con:
        for name, view in ALL_VIEWS.items():
            if view.parameters or name in COMPLETE:
                continue
            columns = con.execute(f"describe {name}").fetchall()
            kept = [f'"{column}"' for column, kind, *_ in columns if is_repeatable(column, kind)]
            yield name, con.execute(f"select {', '.join(kept)} from {name} order by all").fetchall()


def is_repeatable(column: str, kind: str) -> bool:
    """Tell whether a column is the same whenever and as often as something is played."""
    return not (kind.startswith(("TIMESTAMP", "DATE")) or column.endswith("_s"))


@pytest.mark.slow
def test_views_count_the_last_plan_as_if_it_had_been_the_only_one(
    store: Path, tmp_path: Path
) -> None:
    alone = play_and_judge(tmp_path / "alone.duckdb", "b").path
    expected = dict(views(alone))
    assert dict(views(store)) == expected
    assert min(len(expected[name]) for name in ("ratings", "outcomes", "debaters", "flips")) > 0


@pytest.mark.slow
def test_leftovers_are_shown_on_request(store: Path) -> None:
    arena = Arena(store)
    count = "select count(*), count(distinct episode) from {}"
    assert arena.sql(count.format("leftovers")).rows == ((3, 3),)
    assert arena.sql(count.format("all_episodes")).rows == ((9, 9),)
    assert arena.sql(count.format("episodes")).rows == ((6, 6),)
    with show_leftovers():
        assert arena.sql(count.format("episodes")).rows == ((9, 9),)
        assert arena.sql(count.format("ratings")).rows == ((18, 3),)
    assert arena.sql(count.format("ratings")).rows == ((12, 2),)


def test_only_changes_of_a_plan_are_rows_and_the_latest_is_the_last() -> None:
    all_plays = plays(study(subjects=2))
    ids = [play.episode for play in all_plays]
    later = utc_now() + timedelta(days=1)
    # As stored: the first is planned, the second was left out, the third is in no plan any more.
    status = dict.fromkeys([*ids, "third", "gone"], "done")
    left_out = frozenset([ids[1], "gone"])
    state = StudyState("played", status, planned=2, leftovers=left_out, plan_changed_at=later)
    rows = [orjson.loads(text) for text in plan_change_lines("r", all_plays, state)]
    assert [(row["episode"], row["planned"]) for row in rows] == [("third", False), (ids[1], True)]
    assert all(datetime.fromisoformat(row["changed_at"]) > later for row in rows)
    assert is_other_plan(all_plays, state)
    as_planned = StudyState("played", dict.fromkeys(ids, "done"), planned=2)
    assert not is_other_plan(all_plays, as_planned)
    assert is_other_plan(all_plays, replace(as_planned, planned=3))


@pytest.mark.slow
def test_verdicts_of_a_debate_that_is_a_leftover_do_not_count(tmp_path: Path) -> None:
    arena = play_and_judge(tmp_path / "a.duckdb", "a")
    assert len(arena.sql("from verdicts")) == 2
    arena.run(PLANS["b"], selection=RunSelection(limit=1))
    assert len(arena.sql("from verdicts")) == 0
    assert len(arena.sql("from leftovers")) == 1
    # Back in the plan, with nothing to play: the record says so all the same.
    summary = arena.run(PLANS["a"])
    assert (summary.replies, summary.others) == (0, 1)
    assert len(arena.sql("from verdicts")) == 2
    assert arena.sql("select planned from runs where study = 'talks'").rows == ((1,), (2,), (1,))
    # The same plan again is no news.
    arena.run(PLANS["a"])
    assert len(arena.sql("from plan_changes")) == 3
    assert len(arena.sql("from runs where study = 'talks'")) == 3


@pytest.mark.slow
def test_a_share_or_a_part_of_a_plan_leaves_nothing_out(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    for selection in (
        RunSelection(shard=(1, 2)),
        RunSelection(shard=(2, 2)),
        RunSelection(limit=1),
    ):
        arena.run(study(subjects=4), selection=selection)
    assert len(arena.sql("from plan_changes")) == 0
    assert len(arena.sql("from episodes where status = 'done'")) == 4
