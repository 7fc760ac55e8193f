"""The benchmark of interval coverage, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.simulated.debater import expected_confidence
from analysis.reports.debates import study_reports
from experiments.benchmarks.coverage import interval_coverage


@pytest.mark.slow
def test_the_reports_intervals_hold_what_was_put_into_simulated_debaters(tmp_path: Path) -> None:
    """Fewer than ten of these twelve 95% intervals hold the truth in one of fifty such tests."""
    held = [
        hit
        for seed in range(3)
        for hit in interval_coverage(
            tmp_path / f"{seed}.duckdb", "confident:unreadable=0.2", seed, 40
        ).values()
    ]
    assert len(held) == 12
    assert sum(held) >= 10


@pytest.mark.slow
def test_the_intervals_do_not_hold_what_was_not_put_in(tmp_path: Path) -> None:
    """The intervals are narrow: no one holds the truth of debaters five points surer."""
    interval_coverage(tmp_path / "a.duckdb", "confident", 1, 40)
    [report] = study_reports(tmp_path / "a.duckdb")
    assert report.simulated
    assert report.debates is not None
    for round, row in enumerate(report.debates.phases):
        assert row.rating.ci_high < expected_confidence("confident:bias=0.2", round)
