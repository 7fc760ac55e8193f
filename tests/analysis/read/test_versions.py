"""Reports say which versions of a protocol they pool, leave out or compare."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent
from analysis.read.selection import Selection
from analysis.reports.comparison import compare
from analysis.reports.report import debate_report, rank_report
from arena import Arena, Arm, RunSelection, Study, Subject, against_itself
from arena.store.merge import merge
from arena.studies.versions import study_in_version
from arena.tournaments.stages import resolve_stage, stages_in_version
from protocols.debate import debate
from protocols.judging import jury

OLD, NEW = "1", "2"
STUDY = Study(
    "held",
    [Arm("self", debate, against_itself([agent("sim/modest"), agent("sim/confident")]))],
    [Subject("This house would test."), Subject("This house would wait.")],
)
JURY = jury("jury", "held", [agent("sim/judge")])


def play(path: Path, version: str, name: str = "held", *, anew: bool = False) -> Arena:
    """Play and judge the study in a version."""
    arena = Arena(path)
    played = study_in_version(replace(STUDY, name=name), version)
    arena.run(played, selection=RunSelection(anew=anew))
    if name == "held":
        # Verdicts on debates that are left out hold up no jury of the new ones.
        (judged,) = stages_in_version([JURY], version)
        arena.run(resolve_stage(judged, path))
    return arena


@pytest.mark.slow
def test_reports_name_the_versions_that_they_pool_leave_out_or_compare(tmp_path: Path) -> None:
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    play(old, OLD, "earlier")
    play(old, OLD)
    play(new, NEW)
    assert debate_report(new).results[0].chosen is None
    both = tmp_path / "both.duckdb"
    shutil.copy(new, both)
    merge(both, old)
    pooled = "Pooled are the episodes of versions 1 (4) and 2 (4) of debate"
    verdicts = "Pooled are the verdicts of versions 1 (8) and 2 (8) of judging."
    for text in (str(debate_report(both, "held")), str(rank_report(both, "held"))):
        words = " ".join(text.split())
        assert pooled in words
        assert verdicts in words
    alone = debate_report(both, "held", selection=Selection(where="version = '2'"))
    assert "Pooled" not in str(alone)
    notes = compare(new_only(tmp_path, old), "earlier", "held")["notes"]
    assert notes[-1] == (  # type: ignore[index]
        "earlier was played by version 1 of debate, held by version 2: other prompts may be what"
        " differs."
    )


def new_only(tmp_path: Path, old: Path) -> Path:
    """Play the study of an old store anew; its report says what it leaves out."""
    play(old, NEW, anew=True)
    words = " ".join(str(debate_report(old, "held")).split())
    assert "4 episodes of an earlier plan are left out, 4 of which version 1 of debate" in words
    assert "Pooled" not in words
    return old
