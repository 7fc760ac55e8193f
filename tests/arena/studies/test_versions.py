"""A protocol is found in the versions that its package keeps, and a study is played in one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arena import Arm, Stage, Study, Subject
from arena.errors import StudyError
from arena.studies.study import protocol_version
from arena.studies.versions import in_version, versions_of
from arena.tournaments.stages import resolve_stage, stages_in_version
from protocols.self_consistency import self_consistency
from tests import versioned
from tests.fake_agents import talk


@pytest.fixture(scope="module")
def polls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A package of somebody else whose protocol is at version 4, and keeps 3."""
    with versioned.polls(tmp_path_factory.mktemp("packages")) as module:
        yield module


def versions(stages: Any) -> list[list[str]]:
    """The versions of the arms of stages."""
    studies = [resolve_stage(stage, Path("none")) for stage in stages]
    return [[protocol_version(arm.protocol) for arm in study.arms] for study in studies]


def study(*protocols: Any) -> Study:
    """A study with an arm for each protocol."""
    arms = [Arm(str(number), each, []) for number, each in enumerate(protocols)]
    return Study("mine", arms, [Subject("?")])


def test_an_earlier_version_stands_beside_todays(polls: ModuleType) -> None:
    assert list(versions_of(polls.poll)) == ["4", "3"]
    earlier = in_version(polls.poll, "3")
    assert earlier.__module__ == "acme_polls.version_3.poll"
    assert in_version(earlier, "4") is polls.poll
    assert in_version(polls.poll, "4") is polls.poll
    for version in ("2", "", "../poll", "5"):
        with pytest.raises(StudyError, match=r"^poll has versions 4 and 3, and no version"):
            in_version(polls.poll, version)


def test_a_protocol_of_no_package_has_its_own_version_alone() -> None:
    scope: dict[str, Any] = {"__name__": "arena_study_mine"}
    exec(versioned.POLL.format("2024-a"), scope)
    assert list(versions_of(scope["poll"])) == ["2024-a"]
    assert list(versions_of(talk)) == ["1"]
    with pytest.raises(StudyError, match=r"^poll has version 2024-a, and no version '1'"):
        in_version(scope["poll"], "1")


def test_a_study_is_played_in_a_version_that_one_of_its_protocols_has(polls: ModuleType) -> None:
    mine = study(polls.poll, self_consistency)
    assert versions(stages_in_version([mine], "3")) == [["3", "1"]]
    assert versions(stages_in_version([mine], "4")) == [["4", "1"]]
    # None has come to it; one does not keep it any more.
    with pytest.raises(StudyError, match=r"no protocol of this study has a version '5': poll has"):
        stages_in_version([mine], "5")
    with pytest.raises(StudyError, match="poll has versions 4 and 3, and no version '1'"):
        stages_in_version([mine], "1")
    assert versions([mine]) == [["4", "1"]]


def test_a_stage_is_written_in_the_version(polls: ModuleType) -> None:
    stage = Stage("mine", lambda path: study(polls.poll), lambda path: 1, ())
    alone = Stage("mine", lambda path: study(self_consistency), lambda path: 1, ())
    assert versions(stages_in_version([stage], "3")) == [["3"]]
    # Beside a study that has the version, one that has not come to it is played as it is.
    assert versions(stages_in_version([study(polls.poll), alone], "3")) == [["3"], ["1"]]
    with pytest.raises(StudyError, match="no protocol of this study has a version '3'"):
        versions(stages_in_version([alone], "3"))
