"""Who reads whom."""

from __future__ import annotations

import pytest

from protocols.topologies import Readers, density, graph_of


@pytest.mark.parametrize(
    ("readers", "graph"),
    [
        ("full", ((1, 2), (0, 2), (0, 1))),
        ("hub", ((1, 2), (0,), (0,))),
        ("relay", ((1,), (2,), (0,))),
        ("relay_back", ((2,), (0,), (1,))),
        ("pair_and_head", ((1, 2), (2,), (1,))),
        ("groups", ((1,), (0,), ())),
    ],
)
def test_three_seats_read_as_exchange_of_thought_has_it(
    readers: Readers, graph: tuple[tuple[int, ...], ...]
) -> None:
    assert graph_of(readers, 3) == graph


@pytest.mark.parametrize(("seats", "share"), [(2, 1), (3, 1), (4, 0.667), (5, 0.5), (6, 0.4)])
def test_the_density_of_a_ring(seats: int, share: float) -> None:
    assert density(graph_of("ring", seats)) == pytest.approx(share, abs=1e-3)


def test_nobody_reads_itself_or_somebody_twice() -> None:
    assert graph_of("ring", 2) == ((1,), (0,))
    assert graph_of("ring", 1) == graph_of("full", 1) == ((),)
    assert graph_of("groups", 4, 3) == ((1, 2), (0, 2), (0, 1), ())
