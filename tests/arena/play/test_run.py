"""Playing studies: failures as records, stopping and continuing, one player at a time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from arena.calls.run_stats import RunStats
from arena.errors import RefusedError, StoreError, StudyError
from arena.play.run import Arena, RunSelection
from arena.studies.study import Arm, Study
from arena.types import Agent, Answer, BaseModel, Reply, Request, Subject, Verdict
from tests.fake_agents import agent, by_seed, study

VERSION = "1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.duckdb"


def test_a_failed_episode_is_a_row_and_the_others_go_on(path: Path) -> None:
    def reply(request: Request) -> str:
        if "number 1" in request.messages[0].content:
            raise RefusedError("nothing came")
        return by_seed(request)

    summary = Arena(path).run(study(agent(reply=reply), subjects=4))
    assert (summary.planned, summary.done, summary.failed, summary.open) == (4, 3, 1, 0)
    assert Arena(path).sql(
        "select error_kind, error from episodes where status = 'failed'"
    ).rows == (("Refused", "nothing came"),)
    assert Arena(path).sql("select what, reason, n from missing").rows == (
        ("episode", "failed: Refused", 1),
    )


@pytest.mark.slow
def test_failed_episodes_are_played_again_only_when_asked_for(path: Path) -> None:
    def reply(request: Request) -> str:
        raise RefusedError("nothing came")

    Arena(path).run(study(agent(reply=reply)))
    assert Arena(path).run(study(agent())).failed == 2
    assert Arena(path).run(study(agent()), selection=RunSelection(retry_failed=True)).done == 2
    assert Arena(path).sql("select status, count(*) from episodes group by all").rows == (
        ("done", 2),
    )


def test_the_same_study_again_asks_nothing(path: Path) -> None:
    Arena(path).run(study())
    again = Arena(path).run(study())
    assert (again.done, again.replies) == (2, 0)
    assert Arena(path).run(study(repeats=2)).replies == 12
    assert Arena(path).sql("select count(*), count(distinct episode) from episodes").rows == (
        (4, 4),
    )


@pytest.mark.slow
def test_limit_and_shards_take_their_share(path: Path, tmp_path: Path) -> None:
    assert Arena(path).run(study(subjects=5), selection=RunSelection(limit=2)).open == 3
    assert Arena(path).run(study(subjects=5), selection=RunSelection(limit=2)).open == 1
    done = [
        Arena(tmp_path / f"{i}.duckdb")
        .run(study(subjects=20), selection=RunSelection(shard=(i, 3)))
        .done
        for i in (1, 2, 3)
    ]
    assert sum(done) == 20
    assert min(done) > 0
    with pytest.raises(StudyError, match="1 <= i <= n"):
        Arena(path).run(study(), selection=RunSelection(shard=(4, 3)))


def test_calls_in_flight_stay_within_the_concurrency(path: Path) -> None:
    seen: list[int] = []
    flying = [0]

    async def reply(request: Request) -> str:
        flying[0] += 1
        seen.append(flying[0])
        await asyncio.sleep(0.002)
        flying[0] -= 1
        return by_seed(request)

    Arena(path, concurrency=3).run(study(agent(reply=reply), subjects=6))
    assert max(seen) == 3


async def test_a_study_runs_inside_a_running_loop(path: Path) -> None:
    assert Arena(path).run(study()).done == 2
    assert (await Arena(path).play(study(repeats=2))).done == 4


def test_progress_is_told_while_it_runs(path: Path) -> None:
    told: list[tuple[int, int]] = []

    async def reply(request: Request) -> str:
        await asyncio.sleep(0.05)
        return by_seed(request)

    def watch(tally: RunStats) -> None:
        told.append((tally.planned, tally.done))

    Arena(path).run(study(agent(reply=reply)), watch=watch)
    assert told[0] == (2, 0)
    assert told[-1] == (2, 2)


@pytest.mark.slow
def test_a_changed_protocol_is_refused_for_half_played_episodes_only(
    path: Path, tmp_path: Path
) -> None:
    source = textwrap.dedent("""
        VERSION = "1"
        async def speak(episode, motion, speaker):
            await episode.ask(speaker, "one", phase="a")
            await episode.ask(speaker, "two", phase="b")
    """)

    def made(text: str, name: str) -> Study:
        (tmp_path / f"{name}.py").write_text(text)
        scope: dict[str, object] = {}
        exec(compile(text, str(tmp_path / f"{name}.py"), "exec"), scope)
        return Study(
            "s", [Arm("a", scope["speak"], [{"speaker": agent(reply=replies)}])], [Subject("m")]
        )  # type: ignore[arg-type]

    def replies(request: Request) -> str:
        if request.place.step == 1 and stop:
            raise StoreError("as if the disk were full")
        return by_seed(request)

    stop = True
    for name, text in (("old", source), ("documented", "# What is asked, twice.\n" + source)):
        with pytest.raises(StoreError):
            Arena(path).run(made(text, name))
    stop = False
    changed = source.replace("two", "2")
    with pytest.raises(StudyError, match="--accept-code-change"):
        Arena(path).run(made(changed, "new"))
    assert (
        Arena(path).run(made(changed, "new"), selection=RunSelection(accept_code_change=True)).done
        == 1
    )
    assert Arena(path).run(made(changed.replace("one", "1"), "newest")).changed == 1


def test_two_runs_never_play_one_study_into_one_store(path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    async def reply(request: Request) -> str:
        started.set()
        await asyncio.to_thread(go_on.wait, 10)
        return by_seed(request)

    first = threading.Thread(
        target=lambda: Arena(path).run(study(agent(reply=reply)), watch=lambda tally: None)
    )
    first.start()
    started.wait(10)
    try:
        with pytest.raises(
            StudyError, match=rf"played into .* already, by process {os.getpid()} .*arena status"
        ):
            Arena(path).run(study())
        assert Arena(path).sql("select status, count(*) from episodes group by all").rows == (
            ("open", 2),
        )
        assert Arena(path).sql("select distinct status from calls").rows == (("unknown",),)
    finally:
        go_on.set()
        first.join(10)
    assert Arena(path).sql("select status, count(*) from episodes group by all").rows == (
        ("done", 2),
    )


def test_results_of_protocols_become_rows(path: Path) -> None:
    async def judge(episode: object, debate: Subject, judge: object) -> Verdict:
        return Verdict("d1", "m", None, None, None, "no winner tag")

    async def solve(episode: object, question: Subject, solver: object) -> Answer:
        return Answer("solver", "42", True, 0.9)

    arms = [Arm("j", judge, [{"judge": agent()}]), Arm("s", solve, [{"solver": agent()}])]
    Arena(path).run(Study("s", arms, [Subject("what?", "question", gold="42")]))
    assert Arena(path).sql(
        "select debate, judge, winner, status, seat_order from verdicts"
    ).rows == (("d1", "m", None, "no winner tag", "as played"),)
    assert Arena(path).sql("select arm, questions, correct, accuracy from accuracy").rows == (
        ("s", 1, 1, 1.0),
    )


def test_models_are_closed_at_the_end(path: Path) -> None:
    class Closing(BaseModel):
        name = "scripted/closing"
        simulated = True
        closed = 0

        async def __call__(self, request: Request) -> Reply:
            return await agent().model(request)

        async def close(self) -> None:
            self.closed += 1

    model = Closing()
    Arena(path).run(study(Agent("a", model)))
    assert model.closed == 1


def test_simulated_words_are_marked(path: Path) -> None:
    Arena(path).run(study())
    assert Arena(path).sql("select study, simulated, origin from studies").rows == (
        ("talks", True, "played"),
    )


def test_one_simulated_run_marks_the_whole_study(path: Path) -> None:
    real = agent("real")
    object.__setattr__(real.model, "simulated", False)
    Arena(path).run(study(real))
    assert Arena(path).sql("select simulated from studies").rows == ((False,),)
    Arena(path).run(study(real, agent(), repeats=1))
    assert Arena(path).sql("select simulated from studies").rows == ((True,),)


def test_a_folder_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write beside"):
        Arena(tmp_path / "file" / "a.duckdb").run(study())


@pytest.mark.slow
def test_a_disk_that_takes_no_more_keeps_what_was_said(path: Path) -> None:
    """A limit on file size refuses the process in the middle of a line, as a full disk does."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.fake_agents import agent, study
from arena.play.run import Arena
from arena.store.database import create
from pathlib import Path
create(Path({str(path)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
Arena({str(path)!r}, concurrency=1).run(study(agent(), subjects=20))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "StoreError: the journal" in ended.stderr
    assert "run the same command again" in ended.stderr
    kept = Arena(path).sql("select count(*) from turns").rows[0][0]
    assert 1 < kept < 120
    summary = Arena(path).run(study(agent(), subjects=20))
    assert (summary.done, summary.replies) == (20, 120 - kept)


def test_an_imported_study_is_not_played_on(path: Path) -> None:
    from arena.store.database import create, fold, journal_folder
    from arena.store.journal import line, write_journal

    create(path)
    write_journal(
        journal_folder(path) / "i.jsonl",
        [line("runs", {"run": "i", "study": "talks", "origin": "imported from elsewhere"})],
    )
    fold(path)
    with pytest.raises(StudyError, match="imported from elsewhere; give yours another name"):
        Arena(path).run(study())


def test_episodes_outside_of_the_plan_are_named(path: Path) -> None:
    Arena(path).run(study(agent("a")))
    summary = Arena(path).run(study(agent("b")))
    assert summary.others == 2
    assert "the study also holds 2 episodes that are not in this plan" in str(summary)
    assert "reports leave them out" in str(summary)


def test_a_clock_that_goes_back_does_not_bring_an_old_failure_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from arena.play import records
    from arena.text import utc_now

    def fail(request: Request) -> str:
        raise RefusedError("no")

    Arena(path).run(study(agent(reply=fail)))
    monkeypatch.setattr(records, "utc_now", lambda: utc_now() - timedelta(hours=1))
    assert Arena(path).run(study(agent()), selection=RunSelection(retry_failed=True)).done == 2
    assert Arena(path).sql("select distinct status from episodes").rows == (("done",),)


def test_what_a_protocol_gets_wrong_fails_its_own_episode_with_file_and_line(path: Path) -> None:
    async def cancelled(episode: object, subject: Subject, speaker: object) -> None:
        raise asyncio.CancelledError

    async def grouped(episode: object, subject: Subject, speaker: object) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(int, "x"))

    async def leaves(episode: object, subject: Subject, speaker: object) -> None:
        raise SystemExit("bye")

    async def answers_nonsense(episode: object, subject: Subject, speaker: object) -> Answer:
        return Answer("speaker", "\ud800")

    arms = [
        Arm(f.__name__, f, [{"speaker": agent()}])
        for f in (answers_nonsense, cancelled, grouped, leaves)
    ]
    summary = Arena(path).run(Study("s", arms, [Subject("m")]))
    assert (summary.failed, summary.open) == (4, 0)
    errors = dict(Arena(path).sql("select arm, error_kind || ': ' || error from episodes").rows)
    assert (
        errors["leaves"]
        == f"SystemExit: bye (test_run.py, line {leaves.__code__.co_firstlineno + 1})"
    )
    assert errors["grouped"].startswith("ValueError: invalid literal")
    assert errors["cancelled"].startswith("CancelledError")
    assert "TypeError" in errors["answers_nonsense"] or "JSON" in errors["answers_nonsense"]
