"""Who debates whom: pairings as pure functions that yield lineups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from arena.errors import StudyError
from arena.study import Lineup
from arena.types import Agent


def round_robin(agents: Sequence[Agent], *, mirrored: bool = True) -> Iterator[Lineup]:
    """Every agent against every other; `mirrored` plays each pair a second time with the seats swapped.

    n agents give n(n-1)/2 lineups, twice as many when mirrored.  Raises StudyError with fewer than two agents.
    """
    if len(agents) < 2:
        raise StudyError(f"a round robin needs at least two agents, found {len(agents)}; for a model against itself use against_itself")
    for first, second in combinations(agents, 2):
        yield {"proposition": first, "opposition": second}
        if mirrored:
            yield {"proposition": second, "opposition": first}


def against_itself(agents: Sequence[Agent]) -> Iterator[Lineup]:
    """Every agent on both sides: the self-debates of the paper's configurations self, informed, public, red_team and multi_round."""
    for agent in agents:
        yield {"proposition": agent, "opposition": agent}
