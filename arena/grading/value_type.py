"""Say what an answer is worth: the type of the values that values.py reads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from arena.grading.arithmetic import rounds_to
from arena.grading.expressions import Formula
from arena.grading.units import Unit

Kind = Literal[
    "number",
    "formula",
    "tuple",
    "list",
    "set",
    "interval",
    "union",
    "ratio",
    "empty set",
    "false equation",
    "too large",
]


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer is worth.

    `number` is set for exact numbers; `formula` for numbers that are not exact and for formulas
    with variables; `items` for collections.  `places` are the decimals of a plain decimal number,
    None for others.
    """

    kind: Kind
    key: str
    number: Fraction | None = None
    formula: Formula | None = None
    items: tuple[Value, ...] = ()
    unit: Unit | None = None
    places: int | None = None
    plain: bool = False

    def rounds(self, exact: Value) -> bool:
        """Tell whether it is a decimal number, and another number rounded to its places."""
        size = exact.formula.number if exact.formula is not None else None
        if self.places is None or self.number is None or size is None:
            return False
        return rounds_to(self.number, self.places, size)
