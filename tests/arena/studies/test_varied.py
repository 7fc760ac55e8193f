"""Random factors: the values of an option are spread over the plays of an arm, evenly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Literal

import pytest

from arena.errors import StudyError
from arena.studies.study import Arm, Play, Study, plays
from arena.types import Subject
from protocols.debate import debate
from tests.fake_agents import agent

SPEAKERS = [agent(name, lambda request: "x") for name in "abc"]
LINEUPS = [{"proposition": each, "opposition": each} for each in SPEAKERS]
STUDY = Study(
    "s",
    [Arm("a", debate, LINEUPS), Arm("b", debate, LINEUPS, {"rating": "stake"})],
    [Subject(f"motion {number}") for number in range(6)],
    repeats=3,
    vary=["wording"],
)


def wordings(of: list[Play], *features: str) -> Counter[Any]:
    """Count plays by some of their features and their wording."""
    return Counter(
        (*(str(getattr(play, name)) for name in features), play.options.get("wording", "first"))
        for play in of
    )


@pytest.mark.parametrize("features", [(), ("arm",), ("lineup",), ("repeat",), ("subject",)])
def test_each_value_is_played_equally_often_with_everything_else(features: tuple[str, ...]) -> None:
    counts = wordings(plays(STUDY), *features)
    assert len(set(counts.values())) == 1
    assert len({key[-1] for key in counts}) == 3


def test_with_as_many_repeats_as_values_every_debate_is_played_in_each() -> None:
    assert set(wordings(plays(STUDY), "arm", "lineup", "subject").values()) == {1}


def test_plays_with_the_default_value_are_those_of_a_study_that_varies_nothing() -> None:
    before = {play.episode for play in plays(replace(STUDY, vary=()))}
    for play in plays(STUDY):
        assert (play.episode in before) == ("wording" not in play.options)


def test_several_options_are_varied_in_all_combinations() -> None:
    both = replace(STUDY, vary=["wording", "reflection"], repeats=6)
    counts = Counter(
        (play.options.get("wording"), play.options.get("reflection")) for play in plays(both)
    )
    assert len(counts) == 6
    assert len(set(counts.values())) == 1


async def other(
    episode: Any, question: Subject, solver: Any, *, mode: Literal["a", "b"] = "b"
) -> None:
    """A protocol without wordings."""


other.__globals__["VERSION"] = "1"


def test_an_arm_without_the_option_is_played_as_it_is() -> None:
    arm = Arm("other", other, [{"solver": SPEAKERS[0]}])
    mixed = plays(replace(STUDY, arms=[*STUDY.arms, arm]))
    assert all(play.options == {} for play in mixed if play.arm == "other")


@pytest.mark.parametrize(
    ("vary", "options", "words"),
    [
        (["wordings"], {}, "has no such option"),
        (["memory"], {}, "must name its values"),
        (["wording"], {"wording": "second"}, "leave it out of one of both"),
        ("wording", {}, r"is a list of options, such as \['wording'\]"),
    ],
)
def test_what_cannot_be_varied_is_refused(
    vary: Any, options: dict[str, object], words: str
) -> None:
    arm = Arm("a", debate, LINEUPS, options)
    with pytest.raises(StudyError, match=words):
        plays(replace(STUDY, arms=[arm], vary=vary))
