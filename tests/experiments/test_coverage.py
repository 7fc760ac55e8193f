"""The benchmark of interval coverage, in small."""

from __future__ import annotations

from pathlib import Path

from experiments.benchmarks.coverage import covered


def test_the_reports_intervals_hold_what_was_put_into_simulated_debaters(tmp_path: Path) -> None:
    """Three seeds, four intervals each; ten of twelve is what 95% intervals miss in one of fifty such tests."""
    held = [hit for seed in range(3) for hit in covered(tmp_path / f"{seed}.duckdb", "confident:unreadable=0.2", seed, 40).values()]
    assert len(held) == 12
    assert sum(held) >= 10


def test_an_interval_around_something_else_would_be_noticed(tmp_path: Path) -> None:
    """Debaters that are surer by 10 points than the truth that is asked for are outside of every interval."""
    from analysis.report import report

    covered(tmp_path / "a.duckdb", "confident", 1, 40)
    [found] = report(tmp_path / "a.duckdb")
    assert all(row["ci_high"] - row["ci_low"] < 0.1 for row in found["phases"])
    assert found["simulated"]
