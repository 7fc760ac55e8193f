"""What `arena run` says at the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Study
from arena.cli.commands.play import print_missing
from protocols.single import single
from tests.question_agents import QUESTION


def test_what_is_missing_in_several_arms_is_one_line_with_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lineup = [{"solver": Agent("s", scripted_model(lambda request: "…"))}]
    arms = [Arm(name, single, lineup) for name in ("one", "two")]
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(Study("s", arms, [QUESTION]), watch=lambda tally: None)
    print_missing(arena.path, "s")
    assert capsys.readouterr().out == "  missing: 2 x answer: no answer (one, two)\n"
