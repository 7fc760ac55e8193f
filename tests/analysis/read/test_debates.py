"""What is read of a store, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.read.debates import read_records
from arena.errors import StoreError, StudyError

Add = Callable[..., Path]
ONE = {"ratings": [(60, 70, 80), (50, 60, 70)]}


def test_ratings_lie_by_debate_side_and_phase(add: Add) -> None:
    [record] = read_records(
        add("s", ONE, {"ratings": [(90, 90, 90), (10, 20, 30)], "models": ("m/c", "m/c")})
    )
    debates = record.debates
    assert debates.phases == ("opening", "rebuttal", "closing")
    assert debates.confidence == pytest.approx(
        np.array([[[0.6, 0.7, 0.8], [0.5, 0.6, 0.7]], [[0.9, 0.9, 0.9], [0.1, 0.2, 0.3]]])
    )
    assert debates.model.tolist() == [["m/a", "m/b"], ["m/c", "m/c"]]
    assert debates.against_itself().tolist() == [False, True]


def test_only_finished_debates_are_read_and_the_others_counted(add: Add) -> None:
    [record] = read_records(add("s", ONE, ONE | {"status": "failed"}, ONE | {"status": "open"}))
    assert len(record.debates.confidence) == 1
    assert {count.what: count.n for count in record.episodes} == {"done": 1, "failed": 1, "open": 1}
    assert {(count.what, count.reason, count.n) for count in record.missing} == {
        ("episode", "failed: Refused", 1),
        ("episode", "open", 1),
    }


def test_an_unreadable_rating_is_missing_and_one_never_asked_for_is_not(add: Add) -> None:
    [record] = read_records(
        add("s", {"ratings": [(60, "no rating tag", "none"), (50, 60, "none")]})
    )
    assert record.debates.phases == ("opening", "rebuttal")
    assert np.isnan(record.debates.confidence[0, 0, 1])
    assert record.debates.asked.all()
    assert [(count.phase, count.reason, count.n) for count in record.missing] == [
        ("rebuttal", "no rating tag", 1)
    ]


def test_arms_share_a_phase_by_its_name(add: Add) -> None:
    """The closing of three speeches and the closing of four are both closings."""
    four = {
        "arm": "four",
        "phases": ("opening", "rebuttal_1", "rebuttal_2", "closing"),
        "ratings": [(1, 2, 3, 4), (5, 6, 7, 8)],
    }
    [record] = read_records(add("s", ONE, four))
    assert record.debates.phases == ("opening", "rebuttal", "rebuttal_1", "rebuttal_2", "closing")
    assert record.debates.confidence[:, 0, -1] == pytest.approx([0.04, 0.8])
    assert record.debates.select(record.debates.arm == "only").phases == (
        "opening",
        "rebuttal",
        "closing",
    )


def test_a_phase_that_is_played_twice_is_told_apart_by_its_round(add: Add) -> None:
    [record] = read_records(add("s", ONE | {"phases": ("opening", "rebuttal", "rebuttal")}))
    assert record.debates.phases == ("opening", "rebuttal, round 1", "rebuttal, round 2")


def test_the_winner_has_more_votes_and_by_confidence_sum_the_larger_sum(add: Add) -> None:
    opposition = ONE | {"votes": [("proposition", 0.9), ("opposition", 0.4), ("opposition", 0.4)]}
    tie = ONE | {
        "votes": [("proposition", 0.6), ("opposition", 0.6), (None, None), ("abstain", 0.5)]
    }
    debates = read_records(add("s", opposition, tie, ONE))[0].debates
    assert debates.winner.tolist() == ["opposition", "tie", None]
    assert debates.by_confidence_sum.tolist() == ["proposition", "tie", None]
    assert debates.votes.tolist() == [[3, 0, 0, 0], [2, 1, 0, 1], [0, 0, 0, 0]]
    unknown = [np.nan, np.nan]
    assert debates.outcome() == pytest.approx(np.array([[0, 1], [0.5, 0.5], unknown]), nan_ok=True)
    assert debates.outcome_by_confidence_sum() == pytest.approx(
        np.array([[1, 0], [0.5, 0.5], unknown]), nan_ok=True
    )


def test_flags_are_counted_by_phase_and_their_values_kept(add: Add) -> None:
    [record] = read_records(add("s", ONE | {"flags": ["zero"]}, ONE))
    assert [(count.phase, count.what, count.n) for count in record.flags] == [
        ("closing", "zero", 2),
        ("opening", "zero", 2),
        ("rebuttal", "zero", 2),
    ]
    assert not np.isnan(record.debates.confidence).any()


def test_a_journal_that_is_not_folded_is_read_too(add: Add) -> None:
    add("s", ONE)
    path = add("s", ONE, ONE, fold=False)
    assert len(read_records(path)[0].debates.confidence) == 3


@pytest.mark.slow
def test_each_study_is_read_by_itself(add: Add) -> None:
    add("first", ONE)
    path = add("second", ONE, {"ratings": [(1,), (2,)], "phases": ("opening",)})
    assert [(record.study, len(record.debates.confidence)) for record in read_records(path)] == [
        ("first", 1),
        ("second", 2),
    ]
    assert [record.study for record in read_records(path, "second")] == ["second"]
    assert np.nanmax(read_records(path, "second")[0].debates.confidence[1]) == pytest.approx(0.02)


def test_one_run_with_simulated_debaters_marks_the_study(add: Add) -> None:
    assert not read_records(add("s", ONE))[0].simulated
    assert read_records(add("s", ONE, simulated=True))[0].simulated


def test_a_study_without_debates_is_passed_over_or_named(add: Add) -> None:
    add("empty")
    path = add("full", ONE)
    assert [record.study for record in read_records(path)] == ["full"]
    with pytest.raises(StudyError, match="'empty' has no debates; with debates there are: full"):
        read_records(path, "empty")
    with pytest.raises(
        StudyError, match=r"no study 'fool' in .*arena.duckdb; with debates there are: full"
    ):
        read_records(path, "fool")


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        read_records(tmp_path / "none.duckdb")
