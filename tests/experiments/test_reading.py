"""The benchmark of reading at a small size: what cannot be read is counted once everywhere."""

from __future__ import annotations

from pathlib import Path

from tests.experiments.test_studies import benchmark


async def test_unreadable_turns_over_loopback_are_counted_alike_in_line_summary_and_store(
    tmp_path: Path,
) -> None:
    reading = benchmark("reading")
    # Two habits that leave something open, and a second answer that often does so again.
    habits = reading.Habits(0.4, 0.3, reading.HABITS[-2:])
    found = await reading.count(tmp_path / "a.duckdb", 6, habits=habits)
    assert found.turns == 36
    assert 0 < found.store < found.asked_again < found.turns
    assert found.line == found.summary == found.store
