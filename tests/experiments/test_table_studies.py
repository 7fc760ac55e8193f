"""The studies of tables, moderators, drafts and panels, played small and printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena import Arena, run_stages
from arena.tournaments.stages import resolve_stage
from arena.tournaments.study_file import load_stages
from tests.experiments.test_asking_studies import EXPERIMENTS, module_of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("round_table", ["number=6", "early=true"], "with up to 40% fewer input tokens"),
        ("moderated", ["number=6", "opposition=5,10"], "not reliably beaten"),
        ("drafting", ["number=4", "turns=3"], "+13.2 points"),
        ("drafting", ["number=3", "turns=3", "compare=decisions"], "+13.2 points"),
        ("drafting", ["number=3", "turns=2", "compare=paradigms"], "up to +7.4 points"),
        ("pair_panel", ["number=6"], "agreement with people up to about 75"),
    ],
)
def test_a_study_plays_and_prints_the_papers_numbers_beside_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, options: list[str], words: str
) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    stages = load_stages(EXPERIMENTS / f"{name}.py", options)
    assert all(summary.failed == 0 for summary in run_stages(arena, stages))
    module_of(name).show_results(arena, resolve_stage(stages[-1], arena.path))
    printed = " ".join(capsys.readouterr().out.split())
    assert "SIMULATED" in printed
    assert words in printed.replace(" %", "%")
    if name in ("round_table", "moderated"):
        assert "not known" in printed
