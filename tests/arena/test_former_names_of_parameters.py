"""Names of version 0.1.0 still work in this release, and say what to write instead."""

from __future__ import annotations

import copy
import importlib
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import arena.errors
from arena import Arena, Price, RunSelection, Sampling, Stage, run_stages
from arena.errors import UnreachableError, error_kind
from tests.fake_agents import agent, study

SOME: Any = ("True", "False")
CHEAP = Price(1.0, 2.0)


def test_sampling_takes_and_shows_its_former_options() -> None:
    sampling: Any
    with pytest.warns(DeprecationWarning, match="parameter options is called choices now"):
        sampling = Sampling(options=SOME)  # type: ignore[call-arg]
    assert sampling == Sampling(choices=SOME)
    with pytest.warns(DeprecationWarning, match=r"Sampling\.options is called choices now"):
        assert sampling.options == SOME
    with pytest.warns(DeprecationWarning, match="options is called choices"):
        assert replace(sampling, options=SOME[:1]).choices == SOME[:1]


def test_a_price_and_a_stage_take_and_show_their_former_fields() -> None:
    dear: Any
    with pytest.warns(DeprecationWarning, match="longer is called long_prompt_price now"):
        dear = Price(1.0, 2.0, longer=(1000, CHEAP))  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match=r"Price\.longer"):
        assert dear.longer == dear.long_prompt_price == (1000, CHEAP)
    stage: Any = Stage("s", lambda path: study(), lambda path: 3, ())
    with pytest.warns(DeprecationWarning, match=r"Stage\.expected is called count_episodes now"):
        assert stage.expected(Path()) == 3


def test_the_new_names_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampling = Sampling(choices=SOME)
        assert replace(sampling, top_k=1).choices == sampling.choices == SOME
        assert copy.deepcopy(sampling) == pickle.loads(pickle.dumps(sampling)) == sampling
        assert "choices" in repr(sampling)


def test_runs_take_their_selection_by_its_former_name(tmp_path: Path) -> None:
    played: Any = Arena(tmp_path / "a.duckdb")
    one = RunSelection(limit=1)
    words = "parameter which is called selection now"
    with pytest.warns(DeprecationWarning, match=words):
        assert played.dry_run(study(), which=one).episodes == 1
    with pytest.warns(DeprecationWarning, match=words) as seen:
        assert played.run(study(), which=one).done == 1
    # The warning points at the line that is to be changed.
    assert {Path(warning.filename) for warning in seen} == {Path(__file__)}


def test_stages_tell_their_ends_by_the_former_name(tmp_path: Path) -> None:
    ends: list[object] = []
    stages: Any = run_stages
    with pytest.warns(DeprecationWarning, match="told is called on_stage_end now"):
        summaries = stages(Arena(tmp_path / "a.duckdb"), [study(agent())], told=ends.append)
    assert ends == summaries


def test_errors_are_raised_and_caught_by_their_former_names() -> None:
    errors: Any = arena.errors
    with pytest.warns(
        DeprecationWarning, match="Unreachable is called arena.errors.UnreachableError now"
    ):
        assert errors.Unreachable is UnreachableError
    assert error_kind(UnreachableError("gone")) == "Unreachable"
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from arena.errors import Nothing")
    assert not hasattr(importlib.import_module("arena.errors"), "Endless")
