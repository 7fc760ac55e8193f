"""A model that cannot be read is told of early, and stops the run where that is asked for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from arena import Arena
from arena.calls.run_stats import ModelTurns
from arena.errors import StudyError
from arena.play.progress import plain_lines
from arena.types import Request
from tests.fake_agents import agent, by_seed, study


@pytest.mark.parametrize(
    ("unreadable", "turns", "share", "too_many"),
    [
        (1, 2, 0.25, False),
        (2, 2, 0.25, False),
        (4, 4, 0.25, False),
        (3, 5, 0.25, True),
        (3, 12, 0.25, False),
        (26, 100, 0.25, True),
        (3, 5, 0.0, True),
        (2, 100, 0.0, False),
        (9, 9, 1.0, False),
    ],
)
def test_chance_is_no_alarm_and_a_share_above_the_largest_is(
    unreadable: int, turns: int, share: float, too_many: bool
) -> None:
    assert ModelTurns(turns, unreadable).exceeds(share) == too_many


def mute(request: Request) -> str:
    return "words without a number"


def test_a_model_that_cannot_be_read_is_told_of_once_while_playing_and_at_the_end(
    tmp_path: Path,
) -> None:
    out = io.StringIO()
    arena = Arena(tmp_path / "a.duckdb", concurrency=1)
    with plain_lines("talks", out) as watch:
        summary = arena.run(study(agent("mute", mute), agent("clear"), subjects=4), watch=watch)
    [line] = [line for line in out.getvalue().splitlines() if "cannot be read" in line]
    assert line.startswith("talks: 5 of 5 turns of scripted/mute cannot be read (missing: confid")
    [alarm] = summary.alarms
    assert alarm.startswith(
        "12 of 12 turns of scripted/mute cannot be read (missing: confidence in"
    )
    assert f"\nalarm: {alarm}" in str(summary)
    episode = alarm.partition("arena show ")[2].split()[0]
    assert arena.sql("select count(*) from turns where episode = ?", [episode]).rows == ((6,),)
    assert (summary.unreadable, summary.stopped, summary.done) == (12, None, 4)


@pytest.mark.slow
def test_a_share_that_is_exceeded_ends_the_run_and_a_larger_one_continues(tmp_path: Path) -> None:
    def half(request: Request) -> str:
        return mute(request) if request.place.seat == "opposition" else by_seed(request)

    path = tmp_path / "a.duckdb"
    made = study(agent(reply=half), subjects=20)
    summary = Arena(path, concurrency=2, max_unreadable=0.3).run(made)
    assert summary.stopped is not None
    assert "more than 30% of the turns of scripted/echo cannot be read" in str(summary)
    assert (summary.failed, summary.replies < 30) == (0, True)
    assert summary.remedies == ("a larger --max-unreadable",)
    again = Arena(path, max_unreadable=0.6).run(made)
    # Three turns of each side, and a second question to one of them: nothing is asked twice.
    assert (again.stopped, again.done, summary.replies + again.replies) == (None, 20, 20 * 9)


def test_the_largest_share_is_a_share(tmp_path: Path) -> None:
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(StudyError, match=r"lies in 0 to 1"):
            Arena(tmp_path / "a.duckdb", max_unreadable=share)
