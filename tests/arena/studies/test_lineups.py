"""Lineups: a seat that takes any number of agents, and what is refused before anything starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from arena import Arena, Arm, Episode, Price, Seat, Study, Subject, round_robin
from arena.errors import StudyError
from arena.studies.study import plays
from arena.tournaments.stages import model_and_provider_names
from tests.fake_agents import MOTION, agent, rating, study

VERSION = "1"


async def hearing(
    episode: Episode, motion: Subject, host: Seat, /, *audience: Seat, rounds: int = 1
) -> None:
    """The host speaks, then all listeners, each of whom reads its own words again."""
    assert isinstance(audience, tuple)
    said = await episode.ask(host, motion.text, phase="host", read=rating)
    for round in range(rounds):
        await asyncio.gather(
            *(
                episode.ask(seat, [seat.name, said], phase="heard", round=round, read=rating)
                for seat in audience
            )
        )


def hearings(*lineups: object, protocol: object = hearing) -> Study:
    return Study("h", [Arm("a", protocol, lineups)], [MOTION])  # type: ignore[arg-type]


def listeners(count: int) -> list[object]:
    return [agent(f"l{number}") for number in range(1, count + 1)]


def test_a_list_of_agents_sits_in_numbered_seats_in_the_order_of_the_protocol(
    tmp_path: Path,
) -> None:
    ten = {"audience": listeners(10), "host": agent("h")}
    (play,) = plays(hearings(ten))
    names = ["host", *(f"audience{number}" for number in range(1, 11))]
    assert list(play.lineup) == list(play.seats()) == names
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(hearings(ten)).done == 1
    seats = arena.sql("select seat, agent from seats").rows
    agents = ["h", *(f"l{number}" for number in range(1, 11))]
    assert sorted(seats) == sorted(zip(names, agents, strict=True))
    readers = arena.sql("select seat from saw where seen_seat = 'host' order by all").rows
    assert readers == tuple((name,) for name in sorted(names[1:]))
    prompts = dict(arena.sql("select seat, prompt[1].text from turns where phase = 'heard'").rows)
    assert prompts == {name: name for name in names[1:]}


def test_each_list_is_an_episode_of_its_own_and_lists_know_no_names_of_agents() -> None:
    host, (first, second, third) = agent("h"), listeners(3)
    lists = [[first], [first, second], [second, first], [first, second, third], [first] * 3]
    made = [plays(hearings({"host": host, "audience": seated}))[0] for seated in lists]
    assert len({play.episode for play in made}) == len(lists)
    as_tuple = {"host": host, "audience": (replace(first, name="other"),)}  # type: ignore[type-var]
    assert plays(hearings(as_tuple))[0].episode == made[0].episode


async def taken(episode: Episode, motion: Subject, audience2: Seat, *audience: Seat) -> None:
    """A protocol whose seat has the name of a numbered one."""


async def nobody(episode: Episode, motion: Subject) -> None:
    """A protocol without seats."""


async def strict(episode: Episode, motion: Subject, solver: Seat, *, rounds: int) -> None:
    """A protocol with an option that has no default."""


ONE = agent("x")
WRONG: list[tuple[object, Mapping[str, object], str]] = [
    (hearing, {"host": ONE}, r"the seats host, audience \(a list of agents\); .* names host$"),
    (hearing, {"host": ONE, "audience": []}, "list of one or more agents, found an empty one;"),
    (
        hearing,
        {"host": ONE, "audience": ONE},
        r"found one Agent; write 'audience': \[agent, \.\.\.",
    ),
    (hearing, {"host": ONE, "audience": "gpt"}, "takes a list of .* agents, found one str"),
    (hearing, {"host": ONE, "audience": [ONE, "gpt"]}, "seat audience2 .* an Agent, found str"),
    (
        hearing,
        {"host": [ONE], "audience": [ONE]},
        r"host .* found a list; .* a star, \*host: Seat,",
    ),
    (hearing, {"host": ONE, "audience1": ONE}, "host, audience1; all agents of audience stand in"),
    (hearing, {"host": ONE, "audience": [ONE], "audience2": ONE}, "one list, 'audience': "),
    (
        taken,
        {"audience2": ONE, "audience": [ONE] * 2},
        r"audience2, which .* of \*audience .* rename",
    ),
    (nobody, {"solver": ONE}, r"no seats \(its positional parameters after .* names solver$"),
    (strict, {"solver": ONE}, "option rounds of strict has no default; give it among the options"),
]


@pytest.mark.parametrize(("protocol", "lineup", "words"), WRONG)
def test_a_lineup_that_does_not_fit_is_said_in_one_sentence(
    protocol: object, lineup: Mapping[str, object], words: str
) -> None:
    with pytest.raises(StudyError, match=words) as caught:
        plays(hearings(lineup, protocol=protocol))
    assert "\n" not in str(caught.value)


def test_a_numbered_name_is_free_while_no_list_reaches_it() -> None:
    (play,) = plays(hearings({"audience2": agent(), "audience": [agent()]}, protocol=taken))
    assert list(play.lineup) == ["audience2", "audience1"]


def test_limits_prices_and_stages_know_the_agents_of_lists(tmp_path: Path) -> None:
    made = hearings({"host": agent("h"), "audience": listeners(2)})
    assert model_and_provider_names(made) == {"scripted"} | {
        f"scripted/{name}" for name in ("h", "l1", "l2")
    }
    path = tmp_path / "a.duckdb"
    assert Arena(path, prices={"scripted/l2": Price(1.0, 1.0)}).run(made).done == 1
    with pytest.raises(StudyError, match="for 'scripted/l3', but the models of this study are"):
        Arena(path, prices={"scripted/l3": Price(1.0, 1.0)}).run(made)
    estimate = Arena(tmp_path / "b.duckdb").dry_run(made)
    assert [(model.model, model.calls) for model in estimate.models] == [
        ("scripted/h", 1),
        ("scripted/l1", 1),
        ("scripted/l2", 1),
    ]


def test_a_list_may_stand_beside_the_seats_of_a_pairing() -> None:
    async def watched(
        episode: Episode, motion: Subject, proposition: Seat, opposition: Seat, *audience: Seat
    ) -> None:
        """A debate with listeners."""

    pairs = round_robin([agent("a"), agent("b")])
    made = hearings(*({**pair, "audience": listeners(2)} for pair in pairs), protocol=watched)
    assert [list(play.lineup) for play in plays(made)] == [
        ["proposition", "opposition", "audience1", "audience2"]
    ] * 2
    assert plays(study())  # whose lineups have no list
