"""Order seats so that no place and no neighbour favours anybody: Williams designs.

"Experimental designs balanced for the estimation of residual effects of treatments", E. J.
Williams, Australian Journal of Scientific Research A 2, 1949.  In all rows of a design together
every seat has every place equally often, and follows every other seat equally often, directly
(first-order carry-over).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from arena.studies.lineups import Lineup
from arena.tournaments.pairings import check_agent_names
from arena.types import Agent


@lru_cache(maxsize=256)
def williams(seats: int) -> tuple[tuple[int, ...], ...]:
    """Return the rows of the design for so many seats, each an order of 0 ... seats - 1.

    An even number has as many rows as seats, an odd one twice as many; 0 and 1 have one row.
    """
    if seats < 2:
        return (tuple(range(seats)),)
    # 0, 1, n - 1, 2, n - 2, ...: all differences of neighbours differ, so that shifts are balanced.
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(seats)]
    rows = [tuple((each + shift) % seats for each in zigzag) for shift in range(seats)]
    # An odd number has no such order with all differences; the mirrored rows have the others.
    return tuple(rows if seats % 2 == 0 else rows + [row[::-1] for row in rows])


def in_all_orders(agents: Sequence[Agent], seat: str = "solvers") -> list[Lineup]:
    """Return a lineup for each row of the design, with the agents in its order in the list `seat`.

    For protocols in which the order of the list is the order of speaking.  Raises StudyError
    without agents, or with two of one name.
    """
    check_agent_names(agents, "seat")
    return [{seat: [agents[each] for each in row]} for row in williams(len(agents))]
