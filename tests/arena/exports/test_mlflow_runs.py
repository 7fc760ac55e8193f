"""A run of a study becomes a run of MLflow; tested where MLflow is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.arena import Arena
from arena.exports.mlflow_runs import mlflow_runs
from tests.fake_agents import study


@pytest.mark.slow
def test_a_run_is_a_run_of_mlflow_with_its_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'runs'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    Arena(tmp_path / "a.duckdb", hooks=[mlflow_runs(every_s=0)]).run(
        study(), watch=lambda stats: None
    )
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("talks")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["episodes"] == "2"
    assert run.data.tags["models"] == "scripted/echo"
    assert (run.data.metrics["done"], run.data.metrics["calls"]) == (2, 12)
