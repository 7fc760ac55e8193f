"""Read a quantity in several units as one: 1 hour 30 minutes, 5 feet 3 inches."""

from __future__ import annotations

import re
from fractions import Fraction

from arena.grading.units import Unit, parse_unit

# Possessive: a thousand spaces cost no more than their number.
PART = re.compile(
    r"\s*+(?P<joint>(?:,\s*+)?(?:and\s++)?)(?P<number>[0-9]++(?:\.[0-9]++)?)"
    r"\s*+(?P<unit>[^\W\d_]++\.?)"
)
# In these a comma or an "and" joins parts; "5 km and 3 m" may be two lengths.
JOINED = ("time", "dollars", "euros", "pounds")


def compound_quantity(text: str) -> tuple[Fraction, Unit] | None:
    """Return the sum of a quantity's parts in the unit of the last; None for any other text.

    Each part is less than one of the unit before it: 5 ft 14 in is no length that is written so.
    """
    total = Fraction(0)
    last: tuple[object, Fraction] | None = None
    unit = None
    place = 0
    parts = 0
    while place < len(text):
        match = PART.match(text, place)
        unit = parse_unit(match["unit"]) if match is not None else None
        if match is None or unit is None or unit.size is None:
            return None
        dimensions, size = unit.size
        amount = Fraction(match["number"]) * size
        if last is not None and (dimensions != last[0] or amount >= last[1]):
            return None
        if match["joint"].strip() and (last is None or dimensions[0][0] not in JOINED):
            return None
        total += amount
        last = (dimensions, size)
        place = match.end()
        parts += 1
    if parts < 2 or unit is None or last is None:
        return None
    return total / last[1], unit
