"""A study that is played with engines on a real Ray is the study that one process plays.

One Ray is started for this file, on this machine's processors.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import agent
from agents.toy.problems import sums
from arena import Arena, Arm, RunSelection, Sampling, Study
from arena.calls.run_stats import RunStats
from arena.errors import StudyError
from arena.machines import ray_cluster
from arena.machines.ray_engine import Home
from arena.machines.ray_engines import EngineActor, check_code
from arena.machines.ray_models import ENGINES
from protocols.leap import leap
from protocols.self_consistency import self_consistency

# Sizes that suit the toy, as in experiments/leap.py.
LEAP = {
    **{"paths": 4, "top_k": 2, "turns": 4, "part": [0]},
    **{"think_tokens": 24, "summary_tokens": 16, "answer_tokens": 8},
}
TEXTS = "select episode, seat, step, text, token_ids from turns order by all"


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"--on ray needs Ray.*pip install 'peer-arena\[ray\]'"):
        Arena(tmp_path / "a.duckdb").run(study_of_sums(1), on="ray")
    assert not (tmp_path / "a.duckdb").exists()


def test_an_engine_with_other_code_is_refused() -> None:
    engine = EngineActor(1, None, Home("node-7", 1, "another"))
    with pytest.raises(StudyError, match="engine 2 on node-7 runs other code of peer-arena"):
        check_code(engine)


def study_of_sums(number: int) -> Study:
    """LeaP and a vote over so many sums."""
    solver = agent("toy/sum", sampling=Sampling(temperature=0.8, max_tokens=60))
    arms = [
        Arm("vote", self_consistency, [{"solver": solver}], {"paths": 4}),
        Arm("leap", leap, [{"solver": solver}], LEAP),
    ]
    return Study("sums", arms, sums(number))


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """Ray as a run starts it, shut down when the tests of this file are over."""
    import ray

    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    ENGINES.clear()
    ray.shutdown()


def kill_an_engine(killed: list[int]) -> Iterator[None]:
    """Kill the first engine of the first place, once."""
    (engines,) = ENGINES.values()
    first = engines._all[0]
    assert first.home is not None
    killed.append(first.home.pid)
    os.kill(first.home.pid, signal.SIGKILL)
    yield


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_two_engines_say_what_one_process_says_also_where_one_is_killed(tmp_path: Path) -> None:
    here = Arena(tmp_path / "here.duckdb")
    here.run(study_of_sums(20), watch=lambda stats: None)
    texts = here.sql(TEXTS).rows
    assert len(texts) == 400

    there = Arena(tmp_path / "there.duckdb")
    # A study goes on from one process to engines, and back.
    there.run(study_of_sums(20), selection=RunSelection(limit=4), watch=lambda stats: None)
    killed: list[int] = []

    def kill_once(stats: RunStats) -> None:
        """Kill an engine in the middle."""
        if stats.replies > 60 and not killed:
            next(kill_an_engine(killed))

    done = there.run(study_of_sums(20), on="ray", engines=2, watch=kill_once)
    assert (done.done, done.failed, len(killed)) == (40, 0, 1)
    assert there.sql(TEXTS).rows == texts
    assert any("engine 1" in alarm and "gone" in alarm for alarm in done.alarms)
    # What was in flight is a failed attempt, and costs nothing.
    costs = "select status, count(*) > 0, sum(cost_usd) from calls group by all order by 1"
    assert there.sql(costs).rows == (("failed", True, 0.0), ("ok", True, 0.0))
    assert (
        there.sql("select distinct seeds, digest from seats").rows
        == here.sql("select distinct seeds, digest from seats").rows
    )
    settings = "select distinct sent->>'dtype', sent->>'max_tokens' from calls order by 1, 2"
    assert there.sql(settings).rows == here.sql(settings).rows
    again = there.run(study_of_sums(20), watch=lambda stats: None)
    assert again.replies == 0
