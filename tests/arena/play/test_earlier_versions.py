"""A study that an earlier version of its protocol has played stops before it asks anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arena import Agent, Arena, Arm, Price, RunSelection, Study, Subject
from arena.errors import StudyError
from arena.studies.versions import in_version, study_in_version
from arena.types import BaseModel, Reply, Request
from tests import versioned

ANEW = RunSelection(anew=True)


class Paid(BaseModel):
    """A model whose calls cost something, nobody knows how much without a price."""

    name = "acme/b"

    async def __call__(self, request: Request) -> Reply:
        """Answer."""
        return Reply("So.", tokens_in=1000, tokens_out=500)


SPEAKER = Agent("a", Paid())
PRICES = {SPEAKER.model.name: Price(1.0, 2.0)}


@pytest.fixture(scope="module")
def polls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package whose protocol is at version 4, and keeps 3."""
    with versioned.polls(tmp_path_factory.mktemp("packages")) as module:
        yield module


def study(*protocols: Any, subjects: int = 2) -> Study:
    """A study with an arm for each protocol."""
    arms = [Arm(f"arm {n}", each, [{"speaker": SPEAKER}]) for n, each in enumerate(protocols)]
    return Study("vote", arms, [Subject(f"Motion {n}.") for n in range(subjects)])


@pytest.fixture(scope="module")
def earlier(polls: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which version 3 has played two episodes, one without a known price."""
    path = tmp_path_factory.mktemp("earlier") / "a.duckdb"
    old = study(in_version(polls.poll, "3"))
    Arena(path, prices=PRICES).run(old, selection=RunSelection(limit=1))
    Arena(path).run(old)
    return path


def test_it_stops_and_says_what_was_paid_and_what_anew_would_cost(
    polls: ModuleType, earlier: Path
) -> None:
    content = earlier.read_bytes()
    arena = Arena(earlier, prices=PRICES)
    with pytest.raises(StudyError) as refusal:
        arena.run(study(polls.poll, subjects=3))
    words = str(refusal.value)
    assert "2 episodes of study 'vote' (2 done) that version 3 of poll played" in words
    assert "which is at 4 now, in 2 calls that cost $0.0020 and 1 call of unknown cost" in words
    assert "(2,000 tokens in, 1,000 out)" in words
    assert "in the new version this run would play 3 episodes, in 3 calls, 3,000 tokens in" in words
    assert "add --anew" in words
    assert "add -o version=3" in words
    assert earlier.read_bytes() == content
    (told,) = arena.dry_run(study(polls.poll, subjects=3)).earlier
    assert str(told) in words
    assert not arena.dry_run(study(polls.poll), selection=ANEW).earlier
    # In the old version nothing is asked, and another study is none of it.
    assert arena.run(study_in_version(study(polls.poll), "3")).calls == 0


@pytest.mark.slow
def test_anew_plays_beside_the_old_ones_which_are_leftovers(
    polls: ModuleType, earlier: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.duckdb"
    shutil.copy(earlier, path)
    arena = Arena(path, prices=PRICES)
    now = study(polls.poll)
    summary = arena.run(now, selection=RunSelection(anew=True, limit=1))
    assert (summary.done, summary.open, summary.others) == (1, 1, 2)
    # The study is at the new version from then on, and goes on without the word, or with it.
    assert arena.run(now).calls == 1
    assert arena.run(now, selection=ANEW).calls == 0
    count = "select version, leftover, count(*) from all_episodes group by all order by all"
    assert arena.sql(count).rows == (("3", True, 2), ("4", False, 2))
    # Back, where all is paid for, and forth again; a larger plan of the old version asks for more.
    assert arena.run(study_in_version(now, "3")).calls == 0
    assert arena.sql(count).rows == (("3", False, 2), ("4", True, 2))
    assert arena.run(now).calls == 0
    assert arena.run(study_in_version(study(polls.poll, subjects=3), "3")).calls == 1
    with pytest.raises(StudyError, match="3 episodes"):
        arena.run(study(polls.poll, subjects=3))


@pytest.mark.slow
def test_two_arms_of_two_versions_are_one_plan(polls: ModuleType, tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb", prices=PRICES)
    old = in_version(polls.poll, "3")
    assert arena.run(study(old, polls.poll)).done == 4
    assert arena.run(study(old, polls.poll, subjects=3)).calls == 2
    with pytest.raises(StudyError, match=r"3 episodes of study 'vote' \(3 done\) that version 3"):
        arena.run(study(polls.poll, polls.poll))
