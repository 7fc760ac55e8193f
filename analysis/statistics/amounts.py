"""Pair units of two groups whose amounts are about equal, as many pairs as there can be.

Matching within a caliper on one number (Rosenbaum and Rubin, "Constructing a control group using
multivariate matched sampling methods", 1985): two amounts may pair if the larger is at most
`CALIPER` times the smaller.  Outcomes are not looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

CALIPER = 1.25


def pair_within(
    left: Sequence[float], right: Sequence[float], caliper: float = CALIPER
) -> list[tuple[int, int]]:
    """Return pairs (index on the left, index on the right) of about equal amounts, >= 0.

    Both sides are walked from the smallest amount on, and the smaller one that can pair with
    nothing that is left is passed over: no other rule makes more pairs.  Equal amounts go in their
    order.
    """
    rows = sorted(range(len(left)), key=left.__getitem__)
    others = sorted(range(len(right)), key=right.__getitem__)
    pairs = []
    i = j = 0
    while i < len(rows) and j < len(others):
        a, b = left[rows[i]], right[others[j]]
        if max(a, b) <= caliper * min(a, b):
            pairs.append((rows[i], others[j]))
            i += 1
            j += 1
        elif a < b:
            i += 1
        else:
            j += 1
    return pairs


def pair_groups(
    left: Sequence[tuple[Hashable | None, float | None]],
    right: Sequence[tuple[Hashable | None, float | None]],
) -> tuple[list[int | None], list[int | None]]:
    """Return for each unit (group, amount) the number of its pair, None if it has none.

    Pairs are made within a group; a unit without a group or of an unknown amount has none.
    """
    groups, other_groups = (by_group(units) for units in (left, right))
    numbers: list[int | None] = [None] * len(left)
    other_numbers: list[int | None] = [None] * len(right)
    number = 0
    for group, units in groups.items():
        others = other_groups.get(group, {})
        rows, other_rows = list(units), list(others)
        for i, j in pair_within(list(units.values()), list(others.values())):
            numbers[rows[i]] = other_numbers[other_rows[j]] = number
            number += 1
    return numbers, other_numbers


def by_group(
    units: Sequence[tuple[Hashable | None, float | None]],
) -> Mapping[Hashable, dict[int, float]]:
    """Return by group the amounts of its units, by their index; unknown ones are left out."""
    groups: defaultdict[Hashable, dict[int, float]] = defaultdict(dict)
    for row, (group, amount) in enumerate(units):
        if group is not None and amount is not None:
            groups[group][row] = amount
    return groups
