"""Replies of earlier studies are used for identical requests, and no two samples become one."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from arena import Arena, Study
from arena.types import Agent, Request, Sampling
from tests.fake_agents import agent, by_seed, study

WORDS = (
    "select e.repeat, s.text as motion, seat, step, t.text, reask_text"
    " from turns t join episodes e using (episode) join subjects s using (subject)"
)


def renamed(made: Study, name: str) -> Study:
    return Study(name, made.arms, made.subjects, made.repeats)


def counting(first: int = 0) -> Agent:
    """Never says the same twice."""
    count = itertools.count(first)
    return agent("echo", lambda request: f"{request.place.seat} says {next(count)}|50")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.duckdb"


@pytest.mark.slow
def test_an_identical_study_of_another_name_asks_nothing_and_says_so_in_calls(path: Path) -> None:
    Arena(path).run(study(counting(), repeats=2))
    summary = Arena(path, cache=True).run(renamed(study(counting(), repeats=2), "again"))
    assert (summary.done, summary.replies, summary.cached) == (4, 0, 24)
    assert "24 replies taken from earlier studies" in str(summary)
    words = [
        Arena(path).sql(f"{WORDS} where study = '{name}' order by all").rows
        for name in ("talks", "again")
    ]
    assert words[0] == words[1]
    calls = (
        "select calls.status, cost_usd, cost_source, count(*), count(distinct cached_from)"
        " from calls join episodes using (episode)"
    )
    assert Arena(path).sql(f"{calls} where study = 'again' group by all").rows == (
        ("cached", 0.0, "cache", 24, 4),
    )


@pytest.mark.slow
def test_it_is_off_by_default_and_a_study_does_not_use_its_own(path: Path) -> None:
    Arena(path).run(study(counting()))
    assert Arena(path, cache=True).run(study(counting(), repeats=2)).cached == 0
    assert Arena(path).run(renamed(study(counting()), "again")).cached == 0


def test_repeated_samples_are_never_collapsed(path: Path) -> None:
    Arena(path).run(study(counting(), subjects=1, repeats=3))
    Arena(path, cache=True).run(renamed(study(counting(100), subjects=1, repeats=5), "again"))
    openings = (
        Arena(path)
        .sql(
            "select count(*), count(distinct (seat, text)) from turns join episodes using (episode)"
            " where step = 0 and study = 'again'"
        )
        .rows[0]
    )
    assert openings == (10, 10)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["model", "sampling", "system", "motion", "seats"])
def test_another_request_is_asked(path: Path, change: str) -> None:
    Arena(path).run(study(agent("a"), agent("b"), subjects=1))
    changed = {
        "model": lambda: study(agent("a"), agent("c"), subjects=1),
        "sampling": lambda: study(
            Agent("a", agent("a").model, sampling=Sampling(temperature=0.0)), agent("b"), subjects=1
        ),
        "system": lambda: study(
            Agent("a", agent("a").model, system="be brief"), agent("b"), subjects=1
        ),
        "motion": lambda: Study(
            "x", study(agent("a"), agent("b")).arms, [study(subjects=2).subjects[1]]
        ),
        "seats": lambda: study(agent("b"), agent("a"), subjects=1),
    }[change]()
    assert Arena(path, cache=True).run(renamed(changed, "again")).cached == 0


@pytest.mark.slow
def test_a_reask_is_used_again_with_its_first_reply(path: Path) -> None:
    def unsure(request: Request) -> str:
        return "no number" if request.place.ask == 0 else by_seed(request)

    Arena(path).run(study(agent(reply=unsure), subjects=1))
    summary = Arena(path, cache=True).run(renamed(study(agent(reply=unsure), subjects=1), "again"))
    assert (summary.replies, summary.cached) == (0, 12)
    words = [
        Arena(path).sql(f"{WORDS} where study = '{name}' order by all").rows
        for name in ("talks", "again")
    ]
    assert words[0] == words[1]


@pytest.mark.slow
def test_a_study_with_cached_replies_is_replayed_like_any_other(path: Path) -> None:
    from arena import RunSelection

    Arena(path).run(study(counting(), subjects=3))
    again = renamed(study(counting(), subjects=3), "again")
    Arena(path, cache=True).run(again, selection=RunSelection(limit=1))
    summary = Arena(path, cache=True).run(again)
    assert (summary.done, summary.cached, summary.replies) == (3, 12, 0)
