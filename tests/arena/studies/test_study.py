"""Studies: ids, options, lineups, and what is refused before anything starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arena.errors import StudyError
from arena.studies.study import Arm, Study, plays
from arena.tournaments.pairings import against_itself, round_robin
from arena.types import Agent, Sampling, Subject
from protocols import named
from tests.fake_agents import MOTION, agent, study, talk


def ids(made: Study) -> set[str]:
    return {play.episode for play in plays(made)}


def test_the_same_study_has_the_same_ids_and_one_more_repeat_adds_its_own() -> None:
    assert ids(study()) == ids(study())
    assert len(ids(study(repeats=2)) - ids(study())) == 2


def test_ids_are_the_same_in_every_process() -> None:
    assert sorted(ids(study(subjects=1))) == ["ca53319b6817e8ca44b3"]


def test_an_option_at_its_default_is_no_part_of_the_id() -> None:
    assert ids(study(rounds=3)) == ids(study())
    assert ids(study(rounds=2)).isdisjoint(ids(study()))


def test_everything_that_changes_what_is_asked_changes_the_id() -> None:
    plain = agent()
    variants = [
        replace(plain, system="be brief"),
        replace(plain, sampling=Sampling(temperature=0.5)),
        agent("other"),
    ]
    sets = [ids(study(variant)) for variant in (plain, *variants)]
    assert len(set.union(*sets)) == sum(len(s) for s in sets)
    assert ids(study(replace(plain, name="renamed"))) == ids(study(plain))


def arm(**changes: object) -> Study:
    lineup = {"proposition": agent(), "opposition": agent()}
    made = Arm("a", talk, [lineup])
    return Study("s", [replace(made, **changes)], [MOTION])  # type: ignore[arg-type]


async def unversioned(episode: object, subject: object, speaker: object) -> None:
    """A protocol whose module states no version."""


unversioned.__globals__.pop("VERSION", None)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Study("s", [], [MOTION]), "has no arms"),
        (Study("s", [Arm("a", talk, [])], []), "list of motions or questions is empty"),
        (Study(" ", [Arm("a", talk, [])], [MOTION]), "printable name"),
        (arm(lineups=[]), "no lineups"),
        (Study("s", arm().arms, "motion"), "subjects of a study are a list"),  # type: ignore[arg-type]
        (Study("s", ["a"], [MOTION]), "arms of a study are a list of Arm"),  # type: ignore[list-item]
        (Study("s", arm().arms, [MOTION], "2"), "whole number of repeats"),  # type: ignore[arg-type]
        (Study("s", arm().arms, [Subject("\ud800")]), "cannot be stored as JSON"),
        (arm(protocol=None), "a protocol function"),
        (arm(options="fast"), "a dictionary of options"),
        (arm(lineups=[[agent(), agent()]]), "dictionary from seats to agents"),
        (arm(lineups=[{"proposition": Agent("x", "gpt"), "opposition": agent()}]), "needs a model"),  # type: ignore[arg-type]
        (arm(options={"round": 3}), "no option 'round'; it has rounds"),
        (arm(options={"rounds": "many"}), "option rounds of talk cannot be 'many'"),
        (arm(lineups=[{"proposition": agent()}]), "the lineup names proposition"),
        (arm(lineups=[{"proposition": agent(), "opposition": "gpt"}]), "needs an Agent, found str"),
        (arm(protocol=unversioned, lineups=[{"speaker": agent()}]), "needs a text VERSION"),
        (Study("s", [arm().arms[0], arm().arms[0]], [MOTION]), "several arms labelled 'a'"),
        (Study("s", arm().arms, [MOTION, MOTION]), "the same episode 2 times"),
        (Study("s", arm().arms, [MOTION], repeats=0), "at least 1"),
    ],
)
def test_a_study_that_cannot_be_played_says_why(made: Study, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        plays(made)


def test_a_round_robin_meets_everybody_in_both_seats() -> None:
    agents = [agent(name) for name in "abcd"]
    pairs = [
        (lineup["proposition"].name, lineup["opposition"].name) for lineup in round_robin(agents)
    ]
    assert len(pairs) == len(set(pairs)) == 12
    assert all((b, a) in pairs for a, b in pairs)
    assert len(list(round_robin(agents, mirrored=False))) == 6
    assert [lineup["proposition"] is lineup["opposition"] for lineup in against_itself(agents)] == [
        True
    ] * 4


def test_a_round_robin_of_one_says_what_to_use() -> None:
    with pytest.raises(StudyError, match="against_itself"):
        list(round_robin([agent()]))


def test_an_agent_holds_no_behaviour() -> None:
    assert Agent("a", agent().model).sampling == Sampling()
    assert Subject("x").kind == "motion"


class ModelOf010:
    """A model as users wrote them for version 0.1.0."""

    name, can, simulated = "mine/old", frozenset({"seed"}), True

    async def __call__(self, request: object) -> object:
        raise AssertionError("nothing is asked")


class BareModel:
    """A model that does not derive from BaseModel."""

    name, capabilities, simulated = "mine/bare", frozenset[str](), True

    async def __call__(self, request: object) -> object:
        raise AssertionError("nothing is asked")


def test_a_model_of_0_1_0_is_sent_to_the_adapter() -> None:
    seated = Agent("old", ModelOf010())  # type: ignore[arg-type]
    with pytest.raises(StudyError, match=r"'old', mine/old, is .*Agent\('old', agents\.adapt\("):
        plays(study(seated))


def test_a_model_that_lacks_members_is_told_to_derive_from_base_model() -> None:
    seated = Agent("bare", BareModel())  # type: ignore[arg-type]
    words = r"mine/bare, has no has_own_queue, price, .*derive its class from arena\.types\.BaseMo"
    with pytest.raises(StudyError, match=words):
        plays(study(seated))


def test_numbers_beyond_all_reason_are_refused_in_a_sentence() -> None:
    with pytest.raises(StudyError, match="episodes, and 10,000,000 can be planned"):
        plays(replace(study(agent()), repeats=10**19))
    calm = replace(agent(), sampling=Sampling(max_tokens=10**20))
    with pytest.raises(StudyError, match="max_tokens must be less than"):
        plays(study(calm))


@pytest.mark.parametrize("name", ["relative_confidence", "judging", "p_true", "asked_aside"])
def test_a_protocol_about_stored_plays_is_not_played_on_plain_questions(name: str) -> None:
    made = Study("s", [Arm("a", named(name), [])], [MOTION])
    with pytest.raises(StudyError, match=rf"^{name} is about subjects of the type \w+, .* 'a' has"):
        plays(made)
