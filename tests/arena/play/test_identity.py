"""A study goes on only with the models that it began with, and says where a provider's changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import agent as by_reference
from agents.scripted import scripted_model
from arena import Agent, Arena, RunSelection, Study
from arena.errors import RefusedError, StudyError
from arena.play.identity import check_models
from arena.store.speakers import StoredModel
from arena.studies.study import plays
from arena.types import Request
from tests.fake_agents import study
from tests.fake_server import chat_server


def first(request: Request) -> str:
    return "these words|70"


def second(request: Request) -> str:
    return "other words|70"


def spoken_by(
    reply: Callable[[Request], str], version: str | None = None, *, subjects: int = 1
) -> Study:
    """A study of `talk` in which both sides are one function."""
    return study(Agent("voice", scripted_model(reply, "voice", version)), subjects=subjects)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("played") / "a.duckdb"
    assert Arena(path).run(spoken_by(first)).done == 1
    return path


def test_a_scripted_function_that_changed_under_its_name_stops_the_run(played: Path) -> None:
    before = Arena(played).sql("select count(*) from calls")
    for changed in (spoken_by(second), spoken_by(second, subjects=2)):
        with pytest.raises(
            StudyError, match=r"1 episode in .* under the name scripted/voice"
        ) as told:
            Arena(played).run(changed)
        assert "version" in str(told.value)
        assert "another name" in str(told.value)
        with pytest.raises(StudyError, match="scripted/voice"):
            Arena(played).dry_run(changed)
    assert Arena(played).sql("select count(*) from calls") == before
    assert Arena(played).run(spoken_by(first)).replies == 0


def test_a_version_tells_functions_apart_and_is_the_only_change_of_ids(played: Path) -> None:
    versioned = Arena(played).run(spoken_by(second, "2"))
    assert (versioned.done, versioned.replies, versioned.others) == (1, 6, 1)
    query = """
        select model, count(distinct code_hash), count(distinct episode) from seats
        group by all order by all
    """
    rows = Arena(played).sql(query).rows
    assert rows == (("scripted/voice", 1, 1), ("scripted/voice@2", 1, 1))


def test_what_no_function_has_said_yet_may_be_mended(tmp_path: Path) -> None:
    def broken(request: Request) -> str:
        raise RefusedError("a bug")

    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(spoken_by(broken)).failed == 1
    mended = arena.run(spoken_by(first), selection=RunSelection(retry_failed=True))
    assert (mended.done, mended.failed) == (1, 0)


def test_a_function_without_a_source_is_not_compared() -> None:
    typed = eval("lambda request: 'words|70'")
    for stored, today in ((None, first), ("ast:0", typed)):
        known = StoredModel("scripted/voice", None, stored, 1)
        check_models([known], "s", plays(spoken_by(today)))
    with pytest.raises(StudyError, match="scripted/voice"):
        check_models([replace(known, code_hash="ast:0")], "s", plays(spoken_by(first)))


@pytest.mark.slow
def test_the_cache_has_no_replies_of_another_function(played: Path) -> None:
    arena = Arena(played, cache=True)
    cached = []
    for name, reply in (("same", first), ("other", second)):
        copied = replace(spoken_by(reply), name=name)
        cached.append(arena.run(copied).cached)
    assert cached == [6, 0]


def answers(*served: tuple[str, str | None]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A provider that answers by these models and fingerprints in turn, then by the last."""
    left = list(served)

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        model, fingerprint = left.pop(0) if len(left) > 1 else left[0]
        choice = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": "words|70"}}
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        return {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "system_fingerprint": fingerprint,
            "choices": [choice],
            "usage": usage,
        }

    return answer


JUNE = ("gpt-4o-2026-06-01", "fp_1")
JULY = ("gpt-4o-2026-07-01", "fp_2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reference", "variable"),
    [("openai/gpt-4o", "OPENAI_BASE_URL"), ("deepseek/gpt-4o", "DEEPSEEK_API_BASE")],
)
async def test_two_snapshots_behind_one_name_are_told_of_when_they_come_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, variable: str
) -> None:
    monkeypatch.setenv(f"{variable.split('_')[0]}_API_KEY", "sk-test-0123456789")
    arena = Arena(tmp_path / "a.duckdb", concurrency=1)
    notes: list[str] = []
    async with chat_server(answers(JUNE, JUNE, JULY)) as server:
        monkeypatch.setenv(variable, server.url)
        made = study(by_reference(reference, name="Gina"), subjects=2)
        whole = await arena.play(made, watch=lambda stats: notes.extend(stats.notes))
    (told,) = {note for note in notes if "answered by" in note}
    assert told.startswith(
        f"Gina ({reference}) was answered by gpt-4o-2026-06-01 and gpt-4o-2026-07-01"
    )
    assert whole.alarms == (told,)
    rows = arena.sql("select agent, model, model_served, fingerprint, turns from served_models")
    assert rows.rows == (("Gina", reference, *JUNE, 2), ("Gina", reference, *JULY, 10))


@pytest.mark.slow
async def test_what_was_served_is_compared_with_earlier_runs_and_two_models_are_two_contestants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    arena = Arena(tmp_path / "a.duckdb", concurrency=1)
    alarms: list[tuple[str, ...]] = []
    # Alias and snapshot; another configuration of it; another snapshot.
    for served in ([("gpt-4o", "fp_1"), JUNE], [(JUNE[0], "fp_9")], [JULY]):
        async with chat_server(answers(*served)) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            subjects = len(alarms) + 1
            whole = await arena.play(study(by_reference("openai/gpt-4o"), subjects=subjects))
            alarms.append(whole.alarms)
    assert alarms[0] == ()
    assert "2 configurations of gpt-4o" in alarms[1][0]
    assert (
        "openai/gpt-4o was answered by gpt-4o, gpt-4o-2026-06-01 and gpt-4o-2026-07" in alarms[2][0]
    )
    assert [len(each) for each in alarms] == [0, 1, 1]
    seats = "select contestant, count(*) from contestants group by all order by all"
    assert arena.sql(seats).rows == (
        ("openai/gpt-4o [default]", 4),
        ("openai/gpt-4o [served gpt-4o-2026-07-01]", 2),
    )
    models = "select proposition_contestant, opposition_contestant from debates"
    assert len(set(arena.sql(models).rows)) == 2
