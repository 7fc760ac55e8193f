"""`arena forget`: it says what would go, and removes it when told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.cli.main import main
from arena.play.run import Arena
from tests.fake_agents import agent, study


@pytest.mark.slow
def test_what_would_go_is_counted_and_goes_with_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(study(agent("a")))
    arena.run(study(agent("b"), subjects=1))
    forget = ["forget", "--study", "talks", "--db", str(arena.path)]
    assert main([*forget, "--leftovers"]) == 0
    assert "to remove 2 episodes of study 'talks' (12 calls, $0.0000), add --yes" in (
        capsys.readouterr().out
    )
    assert len(arena.sql("from all_episodes")) == 3
    assert main([*forget, "--leftovers", "--yes"]) == 0
    assert "removed 2 episodes" in capsys.readouterr().out
    (episode,) = arena.sql("select episode from all_episodes").rows[0]
    assert main(["show", episode[:8], "--db", str(arena.path)]) == 0
    capsys.readouterr()
    for arguments, words in (
        ([], "say which episodes, in one way"),
        (["--all", episode], "say which episodes, in one way"),
        (["--leftovers"], "no such episode of the study 'talks': leftovers"),
        ([episode[:8], "zzz"], "no episode begins with 'zzz'"),
        (["--where", "status"], "--where does not fit: "),
    ):
        assert main([*forget, *arguments, "--yes"]) == 2
        assert words in capsys.readouterr().err
    assert main([*forget, episode[:8], "--yes"]) == 0
    assert len(arena.sql("from all_episodes")) == 0
