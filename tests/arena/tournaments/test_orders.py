"""Orders of seats in which no place and no neighbour favours anybody."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from agents import agent
from arena.errors import StudyError
from arena.tournaments.orders import in_all_orders, williams


@pytest.mark.parametrize("seats", range(2, 12))
def test_every_seat_has_every_place_and_follows_every_other_equally_often(seats: int) -> None:
    rows = williams(seats)
    assert len(rows) == seats * (1 + seats % 2)
    assert all(sorted(row) == list(range(seats)) for row in rows)
    places = Counter((place, each) for row in rows for place, each in enumerate(row))
    assert set(places.values()) == {len(rows) // seats}
    assert len(places) == seats**2
    neighbours = Counter(pair for row in rows for pair in pairwise(row))
    assert set(neighbours.values()) == {len(rows) // seats}
    assert len(neighbours) == seats * (seats - 1)


def test_one_seat_has_one_order() -> None:
    assert (williams(1), williams(0)) == (((0,),), ((),))


def test_agents_are_seated_in_all_orders() -> None:
    three = [agent(f"sim/solver:ability={n}", name=f"a{n}") for n in range(3)]
    lineups = in_all_orders(three)
    assert [[each.name[-1] for each in lineup["solvers"]] for lineup in lineups[:2]] == [
        ["0", "1", "2"],
        ["1", "2", "0"],
    ]
    assert len(lineups) == 6
    with pytest.raises(StudyError, match="two agents are seats"):
        in_all_orders([three[0], three[0]])
