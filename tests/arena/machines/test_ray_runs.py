"""A study that is played with engines on a real Ray is the study that one process plays.

One Ray is started for this file, on this machine's processors.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent
from agents.toy.problems import sums
from arena import Agent, Arena, Arm, RunSelection, Sampling, Study, Subject, Summary
from arena.calls.run_stats import RunStats
from arena.errors import StudyError
from arena.machines import ray_cluster
from arena.machines.places import OnRay
from arena.machines.playing import run_on
from arena.machines.ray_engine import Home
from arena.machines.ray_engines import EngineActor, check_code
from arena.machines.ray_models import ENGINES, SERVERS
from arena.machines.ray_server import COMMAND
from arena.machines.shards_on_ray import RayRecord
from arena.machines.study_source import StudySource
from arena.tournaments.study_file import load_study
from arena.types import BaseModel, Reply, Request
from protocols.leap import leap
from protocols.self_consistency import self_consistency
from tests.arena.machines.ended_processes import pids_in, wait_until_gone

# Sizes that suit the toy, as in experiments/leap.py.
LEAP = {
    **{"paths": 4, "top_k": 2, "turns": 4, "part": [0]},
    **{"think_tokens": 24, "summary_tokens": 16, "answer_tokens": 8},
}
# The processes of servers, which end with Ray.
SERVED: list[int] = []
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

    # What is set later does not reach the processes of Ray.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv(COMMAND, f"{sys.executable} {Path(__file__).with_name('small_server.py')}")
        yield
        ENGINES.clear()
        SERVERS.clear()
        ray.shutdown()
        wait_until_gone(SERVED)


def kill_an_engine(killed: list[int]) -> None:
    """Kill the first engine of the first place."""
    (engines,) = ENGINES.values()
    first = engines._all[0]
    assert first.home is not None
    killed.append(first.home.pid)
    os.kill(first.home.pid, signal.SIGKILL)


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
            kill_an_engine(killed)

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


class CountingModel(BaseModel):
    """A model of a study's own file, which engines may hold."""

    name = "own/counting"
    on_engines = True
    simulated = True

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, request: Request) -> Reply:
        """Answer with the process that it is in."""
        self.asked += 1
        return Reply(f"Answer: {os.getpid()}")


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_a_model_of_the_users_own_travels_by_itself(tmp_path: Path) -> None:
    model = CountingModel()
    arm = Arm("vote", self_consistency, [{"solver": Agent("own", model)}], {"paths": 4})
    subjects = [Subject(f"How many are {number}?", "question", "1") for number in range(8)]
    arena = Arena(tmp_path / "own.duckdb")
    summary = arena.run(
        Study("own", [arm], subjects), on="ray", engines=2, watch=lambda stats: None
    )
    assert (summary.done, summary.failed, model.asked) == (8, 0, 0)
    # Each episode stays with one engine.
    where = "select count(distinct text) from turns group by episode"
    assert {count for (count,) in arena.sql(where).rows} == {1}
    assert arena.sql("select count(distinct text) from turns").rows == ((2,),)


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_servers_of_the_run_are_started_and_started_again(tmp_path: Path) -> None:
    weights = tmp_path / "small"
    weights.mkdir()
    solver = agent(f"vllm/{weights}@ray?max-model-len=64")
    assert solver.model.name == "vllm/small"
    arm = Arm("vote", self_consistency, [{"solver": solver}], {"paths": 4})
    killed: list[int] = []

    def kill_once(stats: RunStats) -> None:
        """Kill one of the two servers in the middle."""
        if stats.replies > 40 and not killed:
            pid = next(iter(weights.glob("*.pids"))).read_text().split()[0]
            killed.append(int(pid))
            os.kill(killed[0], signal.SIGKILL)

    arena = Arena(tmp_path / "served.duckdb", concurrency=8)
    study = Study("served", [arm], sums(60))
    summary: Summary = arena.run(study, on="ray", engines=2, watch=kill_once)
    assert (summary.done, summary.failed, len(killed)) == (60, 0, 1)
    assert any("gone from" in alarm or "is gone since" in alarm for alarm in summary.alarms)
    # The next run finds both servers.
    arena.run(Study("more", [arm], sums(4)), on="ray", engines=2, watch=lambda stats: None)
    assert len(list(weights.glob("*.pids"))) == 3
    SERVED.extend(pids_in(weights))


SHARES = """
import asyncio
from agents.scripted import scripted_model
from arena import Agent, Arm, Study, Subject, against_itself
from words import SPEECH
from protocols.debate import debate

async def reply(request):
    await asyncio.sleep(0.05)
    return f"<speech>{SPEECH} {request.seed}</speech>\\n<rating>70</rating>"

def study() -> Study:
    speaker = Agent("slow", scripted_model(reply, "slow"))
    motions = [Subject(f"This house would count to {n}.") for n in range(24)]
    return Study("debates", [Arm("only", debate, against_itself([speaker]))], motions)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_workers_play_shares_with_one_record_also_where_one_is_killed(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text(SHARES)
    (tmp_path / "words.py").write_text("SPEECH = 'The house counts.'")
    study = load_study(tmp_path / "study.py")
    source = StudySource(str(tmp_path / "study.py"))
    place = replace(OnRay(shards=2), source=source)
    there = Arena(tmp_path / "there.duckdb", concurrency=8)
    killed: list[int] = []

    def kill_once(stats: RunStats) -> None:
        """Kill a worker in the middle."""
        if stats.replies > 30 and not killed:
            assert isinstance(stats.parts, RayRecord)
            first = min(part.name for part in stats.parts.parts)
            killed.append(int(first.split("process ")[1]))
            os.kill(killed[0], signal.SIGKILL)

    done = run_on(place, there, study, watch=kill_once)
    assert (done.done, done.failed, len(killed)) == (24, 0, 1)
    here = Arena(tmp_path / "here.duckdb")
    here.run(study, watch=lambda stats: None)
    assert there.sql(TEXTS).rows == here.sql(TEXTS).rows
    counts = dict(there.sql("select status, count(*) from calls group by all").rows)
    assert counts["ok"] == 144
    assert counts.keys() <= {"ok", "unknown"}
