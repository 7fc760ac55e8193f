"""Say who reads whom at a table: pure functions of the number of seats.

`full`, `ring` and `hub` are those of "Improving Multi-Agent Debate with Sparse Communication
Topology" (arXiv 2406.11776); `full`, `hub`, `relay` and `pair_and_head` those of
"Exchange-of-Thought" (arXiv 2312.01823) under its names memory, report, relay and debate, all for
any number of seats; `relay_back` is the relay of MALLM (arXiv 2502.19130), in which it runs the
other way; `groups` that of GroupDebate (arXiv 2409.14051) within a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Readers = Literal["full", "ring", "hub", "relay", "relay_back", "pair_and_head", "groups"]
Graph = tuple[tuple[int, ...], ...]


def graph_of(readers: Readers, seats: int, group: int = 2) -> Graph:
    """Return for each seat, from 0, the other seats that it reads, in ascending order.

    ring: both neighbours; hub: seat 0 reads all, the others read seat 0 alone; relay: each reads
    the next seat, relay_back the one before; pair_and_head: seat 0 reads all, the others each other
    but not seat 0; groups: those of its own group of `group` seats in a row.
    """
    return tuple(
        tuple(sorted(set(_read_by(readers, seat, seats, group)) - {seat})) for seat in range(seats)
    )


def _read_by(readers: Readers, seat: int, seats: int, group: int) -> Sequence[int]:
    """Return whom a seat reads, perhaps itself, perhaps one twice."""
    everybody = range(seats)
    begin = seat - seat % group
    return {
        "full": everybody,
        "ring": ((seat - 1) % seats, (seat + 1) % seats),
        "hub": (0,) if seat else everybody,
        "relay": ((seat + 1) % seats,),
        "relay_back": ((seat - 1) % seats,),
        "pair_and_head": everybody[1:] if seat else everybody,
        "groups": range(begin, min(begin + group, seats)),
    }[readers]


def density(graph: Graph) -> float:
    """Return the share of ordered pairs of seats in which one reads the other, in [0, 1]."""
    seats = len(graph)
    return sum(map(len, graph)) / (seats * (seats - 1)) if seats > 1 else 0.0
