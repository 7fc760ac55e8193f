"""Who meets whom: round robin, given pairs, and Swiss rounds as functions of the results so far."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from agents import agent
from arena import Agent, Lineup, given_pairs, round_robin, swiss
from arena.errors import StudyError
from arena.tournaments.pairings import standings
from arena.tournaments.stored_debates import DebateResult

Pair = tuple[str, str]


def agents(n: int) -> list[Agent]:
    """n contestants, the first the strongest."""
    return [agent("sim/even", name=f"a{number:02}") for number in range(n)]


def names(lineups: Sequence[Lineup]) -> list[Pair]:
    """Who sits where."""
    return [(lineup["proposition"].name, lineup["opposition"].name) for lineup in lineups]


def played(pairs: Sequence[Pair]) -> list[DebateResult]:
    """The lower number wins."""
    return [DebateResult(one, other, float(one < other)) for one, other in pairs]


def tournament(n: int, rounds: int, seed: int = 0) -> list[list[Pair]]:
    """The pairs of each round, in one seat order."""
    found: list[list[Pair]] = []
    for _ in range(rounds):
        found.append(
            names(
                list(
                    swiss(agents(n), [played(pairs) for pairs in found], seed=seed, mirrored=False)
                )
            )
        )
    return found


def test_a_round_robin_is_every_pair_in_both_seats() -> None:
    found = names(list(round_robin(agents(4))))
    assert len(found) == 12
    assert set(found) == {
        (one.name, other.name) for one in agents(4) for other in agents(4) if one.name != other.name
    }


def test_given_pairs_are_taken_as_given_and_mirrored() -> None:
    one, other = agents(2)
    assert names(list(given_pairs([(other, one)]))) == [("a01", "a00"), ("a00", "a01")]
    assert names(list(given_pairs([(other, one)], mirrored=False))) == [("a01", "a00")]


@pytest.mark.parametrize("n", [2, 5, 8, 11])
def test_a_swiss_round_seats_everybody_once_with_one_out_where_odd(n: int) -> None:
    for pairs in tournament(n, 3 if n > 2 else 1):
        seated = [name for pair in pairs for name in pair]
        assert len(seated) == len(set(seated)) == n - n % 2


@pytest.mark.parametrize(("n", "rounds"), [(6, 3), (7, 5), (16, 8), (30, 12)])
def test_nobody_meets_the_same_opponent_again_while_it_can_be_helped(n: int, rounds: int) -> None:
    met = Counter(frozenset(pair) for pairs in tournament(n, rounds) for pair in pairs)
    assert max(met.values()) == 1


def test_everybody_has_met_everybody_before_anybody_meets_again() -> None:
    met = Counter(frozenset(pair) for pairs in tournament(4, 4) for pair in pairs)
    assert len(met) == 6
    assert sorted(met.values()) == [1, 1, 1, 1, 2, 2]


def test_sitting_out_goes_round() -> None:
    out = [
        {f"a{number:02}" for number in range(5)} - {name for pair in pairs for name in pair}
        for pairs in tournament(5, 5)
    ]
    assert len(set.union(*out)) == 5


def test_equals_meet() -> None:
    """After two rounds the two who won both meet, and so do the two who lost both."""
    rounds = tournament(4, 2)
    points = standings([f"a{n:02}" for n in range(4)], [played(pairs) for pairs in rounds])[0]
    assert sorted(points.values()) == [0, 1, 1, 2]
    first = tournament(8, 2)
    winners = {min(pair) for pair in first[0]}
    assert all((one in winners) == (other in winners) for one, other in first[1])


def test_the_draw_hangs_on_the_seed_and_on_nothing_else() -> None:
    assert tournament(10, 4, seed=3) == tournament(10, 4, seed=3)
    assert tournament(10, 1, seed=3) != tournament(10, 1, seed=4)
    shuffled = agents(10)
    random.Random(1).shuffle(shuffled)
    results = played(tournament(10, 1)[0])
    random.Random(2).shuffle(results)
    assert names(list(swiss(shuffled, [results], mirrored=False))) == tournament(10, 2)[1]


def test_a_round_is_worth_the_share_of_its_debates() -> None:
    """Two of four debates won and one tied are five eighths of a point; sitting out is one."""
    results = [
        DebateResult("a", "b", 1.0),
        DebateResult("b", "a", 0.0),
        DebateResult("a", "b", 0.5),
        DebateResult("a", "b", 0.0),
    ]
    points, met, sat_out = standings(["a", "b", "c"], [results])
    assert points == {"a": 0.625, "b": 0.375, "c": 1.0}
    assert met == {frozenset("ab"): 1}
    assert sat_out == {"a": 0, "b": 0, "c": 1}


def test_a_large_tournament_is_paired_at_once() -> None:
    """Also where no pairing without a second meeting is left, and a full search would never end."""
    began = time.perf_counter()
    met = Counter(frozenset(pair) for pairs in tournament(31, 40) for pair in pairs)
    assert time.perf_counter() - began < 10
    assert max(met.values()) <= 3
    assert len(met) > 400


def test_what_cannot_be_paired_is_said_in_a_sentence() -> None:
    with pytest.raises(StudyError, match="at least two agents, found 1"):
        list(round_robin(agents(1)))
    with pytest.raises(StudyError, match="at least two agents, found 1"):
        list(swiss(agents(1), []))
    with pytest.raises(StudyError, match="contestants under the name 'a00'"):
        list(swiss([*agents(2), *agents(1)], []))
