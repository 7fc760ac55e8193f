"""The bound of calls that a dry run gives holds for every study and estimator that comes along."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from arena import Arena, Stage

SOME = {"number": 2}
STUDIES = [
    ("ask_again", {}),
    ("critique", {}),
    ("listener_gap", {}),
    ("option_probability", {}),
    ("open_tasks", {}),
    ("own_demonstrations", {}),
    ("self_questioning", {}),
    ("self_refine", {}),
    ("situated_faithfulness", {}),
    ("iterative_deepening", {}),
    ("block_influence", {}),
    ("prefix_trap", {}),
    ("p_true", {"shots": 2}),
    ("relative_confidence", {"order": "both"}),
    ("self_ensembling", {}),
    ("self_familiarity", {}),
    ("self_familiarity", {"form": "forced", "models": ["toy/sum"]}),
    ("self_preference", {}),
    ("thinking_out_loud", {}),
    ("token_uncertainty", {}),
    ("confidence_lab", {}),
    ("confidence_lab", {"model": "toy/sum"}),
    ("asides", {"repeats": 1}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), STUDIES, ids=str)
def test_no_more_is_asked_than_the_dry_run_says(
    tmp_path: Path, name: str, options: dict[str, object]
) -> None:
    make = import_module(f"experiments.{name}").study
    some = SOME if "number" in inspect.signature(make).parameters else {}
    made = make(**some, **options)
    arena = Arena(tmp_path / "a.duckdb")
    for part in made if isinstance(made, list | tuple) else [made]:
        study = part.write(arena.path) if isinstance(part, Stage) else part
        expected = arena.dry_run(study)
        asked = arena.run(study).calls
        assert expected.failed == 0
        assert 0 < asked <= expected.calls_at_most
