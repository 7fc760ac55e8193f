"""Keep a run of MLflow for each run of a study: who played, counts, tokens, dollars, warnings.

    from arena.exports.mlflow_runs import mlflow_runs

    Arena("arena.duckdb", hooks=[mlflow_runs()])

The experiment has the study's name.  Numbers are logged as metrics while the run goes on, at most
once in `every_s` seconds, with the count of ended episodes as the step.  MLflow keeps them where
its own settings say (MLFLOW_TRACKING_URI).  No word of a model is logged.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from arena.errors import StudyError
from arena.events import (
    CallEnded,
    EpisodeEnded,
    EpisodeStarted,
    Event,
    Hook,
    RunWarning,
    StudyEnded,
    StudyStarted,
)

EVERY_S = 5.0


def mlflow_runs(*, every_s: float = EVERY_S) -> Hook:
    """Return a hook that logs to MLflow.  Raises StudyError if it is not installed."""
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise StudyError("the hook for MLflow needs it: pip install mlflow-skinny") from error
    # MLflow has no types of its own.
    return Hook(Tracker(MlflowClient(), every_s))


@dataclass
class Tracker:
    """The runs that go on; called with each event."""

    client: Any
    every_s: float
    ids: dict[str, str] = field(default_factory=dict)
    counts: dict[str, defaultdict[str, float]] = field(default_factory=dict)
    models: dict[str, set[str]] = field(default_factory=dict)
    logged_at: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Begin, count, log or end a run."""
        if isinstance(event, StudyStarted):
            self._begin(event)
            return
        counts = self.counts[event.run]
        match event:
            case EpisodeStarted():
                self.models[event.run].update(event.models.values())
            case CallEnded():
                counts["calls"] += 1
                counts["failed_calls"] += event.status == "failed"
                for name in ("tokens_in", "tokens_cached", "tokens_out", "cost_usd"):
                    # A metric that nobody knows is none: zero would be a number.
                    if (value := getattr(event, name)) is not None:
                        counts[name] += value
                counts["calls_of_unknown_cost"] += event.cost_usd is None
            case EpisodeEnded():
                counts[event.status] += 1
            case RunWarning():
                counts["warnings"] += 1
                tag = f"warning_{counts['warnings']:.0f}"
                self.client.set_tag(self.ids[event.run], tag, event.sentence)
            case StudyEnded():
                counts["open"] = event.open
                self._log(event.run)
                models = ", ".join(sorted(self.models[event.run]))
                self.client.set_tag(self.ids[event.run], "models", models)
                status = "FINISHED" if event.open == 0 else "KILLED"
                self.client.set_terminated(self.ids[event.run], status)
                return
        if time.monotonic() - self.logged_at[event.run] >= self.every_s:
            self._log(event.run)

    def _begin(self, event: StudyStarted) -> None:
        """Create a run in the experiment of the study's name."""
        found = self.client.get_experiment_by_name(event.study)
        experiment = found.experiment_id if found else self.client.create_experiment(event.study)
        tags = {"arena.run": event.run, "simulated": str(event.simulated)}
        created = self.client.create_run(experiment, run_name=event.run, tags=tags)
        self.ids[event.run] = created.info.run_id
        self.counts[event.run] = defaultdict(float)
        self.models[event.run] = set()
        self.logged_at[event.run] = time.monotonic()
        for name, value in (("episodes", event.episodes), ("budget_usd", event.budget_usd)):
            if value is not None:
                self.client.log_param(created.info.run_id, name, value)

    def _log(self, run: str) -> None:
        """Log all numbers of a run so far."""
        self.logged_at[run] = time.monotonic()
        counts = self.counts[run]
        step = counts["done"] + counts["failed"]
        for name, value in counts.items():
            self.client.log_metric(self.ids[run], name, value, step=int(step))
