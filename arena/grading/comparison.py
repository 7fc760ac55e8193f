"""Compare the value of an answer with that of the gold answer.

The outcome is True, False, None with a reason, or UNDECIDED: then math-verify is asked.

Two numbers are the same or not, exactly: 0.333333 is not 1/3, but since it may be meant as 1/3 to
six places it is not told ("a rounded number"); two plain decimals that differ are not equal.  A
unit on one side alone is left out; two units are converted (5 km is 5000 m), and two of which
nothing is known are not told.  A percent sign is a unit that may be left out or be written as a
fraction (50% is 50 and 0.5), but 3 is not 3%.  The order of tuples counts, that of sets and of
lists without brackets does not.
"""

from __future__ import annotations

from fractions import Fraction

from arena.grading.units import Unit, differ_in_case, may_be_converted, ratio, same_unit
from arena.grading.value_type import Value

GRADED = "graded"
Outcome = tuple[bool | None, str]
RIGHT: Outcome = (True, GRADED)
WRONG: Outcome = (False, GRADED)
UNDECIDED: Outcome = (None, "")
ROUNDED: Outcome = (None, "a rounded number")
OTHER_UNIT: Outcome = (None, "another unit")
PERCENT: Outcome = (None, "a percent sign that the gold answer lacks")
VARIABLE: Outcome = (None, "a unit or a variable")
SIDES: Outcome = (None, "an equation of different numbers")
TOO_LARGE: Outcome = (None, "too large to be computed")
OTHER_ORDER: Outcome = (None, "in another order")
ORDERED = ("tuple", "interval")
COLLECTIONS = ("tuple", "list", "set", "interval")


def compare_values(gold: Value, answer: Value) -> Outcome:
    """Compare two values."""
    if "too large" in (gold.kind, answer.kind):
        return TOO_LARGE
    if "false equation" in (gold.kind, answer.kind):
        return _compare_sides(gold, answer)
    if gold.kind == "number" and answer.kind == "number":
        return _compare_numbers(gold, answer)
    if gold.kind in COLLECTIONS and answer.kind in COLLECTIONS:
        return _compare_collections(gold, answer)
    if gold.kind == answer.kind == "ratio":
        return _compare_ratios(gold, answer)
    kinds = {gold.kind, answer.kind}
    if "formula" in kinds:
        return _compare_formulas(gold, answer)
    if "union" in kinds or "empty set" in kinds or "ratio" in kinds:
        return RIGHT if gold.key == answer.key else UNDECIDED
    return WRONG


def _compare_sides(gold: Value, answer: Value) -> Outcome:
    """Compare where one value is an equation such as 8 = 7, which says two numbers."""
    golds = gold.items if gold.kind == "false equation" else (gold,)
    answers = answer.items if answer.kind == "false equation" else (answer,)
    outcomes = [compare_values(one, other) for one in golds for other in answers]
    return SIDES if any(outcome != WRONG for outcome in outcomes) else WRONG


def _compare_numbers(gold: Value, answer: Value) -> Outcome:
    """Compare two numbers with their units."""
    equal = gold.key == answer.key
    one = gold.unit
    other = answer.unit
    if other is not None and other.percent and not (one is not None and one.percent):
        as_fraction = _times(answer, Fraction(1, 100))
        if one is None and as_fraction == gold.number is not None:
            return RIGHT
        if equal:
            return PERCENT if one is None else OTHER_UNIT
        return WRONG if one is None else OTHER_UNIT
    if one is not None and one.percent and other is None:
        return (
            RIGHT
            if equal or _times(gold, Fraction(1, 100)) == answer.number
            else _unequal(gold, answer)
        )
    if one is not None and other is not None and not same_unit(one, other):
        factor = ratio(other, one)
        if factor is None:
            return OTHER_UNIT
        converted = _times(answer, factor)
        if converted == gold.number is not None:
            return RIGHT
        # 5 ML may be meant as 5 ml.
        untold = converted is None or (equal and differ_in_case(one, other))
        return OTHER_UNIT if untold else WRONG
    if equal:
        return RIGHT
    unit = one or other
    if (
        unit is not None
        and (one is None or other is None)
        and _may_be_other_unit(gold, answer, unit)
    ):
        return OTHER_UNIT
    return _unequal(gold, answer)


def _times(value: Value, factor: Fraction) -> Fraction | None:
    """Return an exact number times a factor, None if it is not exact."""
    return None if value.number is None else value.number * factor


def _may_be_other_unit(gold: Value, answer: Value, unit: Unit) -> bool:
    """Tell whether two numbers may be one quantity in two units, of which one is not said."""
    if not gold.number or not answer.number:
        return False
    with_unit, without = (answer, gold) if answer.unit is not None else (gold, answer)
    assert with_unit.number is not None
    assert without.number is not None
    return may_be_converted(without.number / with_unit.number, unit)


def _unequal(gold: Value, answer: Value) -> Outcome:
    """Return the outcome for two numbers that differ: one may be the other, rounded."""
    if gold.plain and answer.plain:
        return WRONG
    for rounded, exact in ((answer, gold), (gold, answer)):
        if not exact.plain and rounded.rounds(exact):
            return ROUNDED
    return WRONG


def _compare_formulas(gold: Value, answer: Value) -> Outcome:
    """Compare a formula with another, or with a number."""
    if gold.key == answer.key:
        return RIGHT
    for one, other in ((gold, answer), (answer, gold)):
        # 5m beside 5: five metres, or five times m.
        if one.unit is not None and one.unit.glued and other.kind == "number":
            return VARIABLE
    # A formula without a value at one of the points may still be the same.
    unknown = any("?" in value.formula.points for value in (gold, answer) if value.formula)
    return UNDECIDED if unknown else WRONG


def _compare_collections(gold: Value, answer: Value) -> Outcome:
    """Compare tuples, lists, sets and intervals, item by item."""
    brackets = [value.key[0] + value.key[-1] for value in (gold, answer)]
    if "interval" in (gold.kind, answer.kind) and brackets[0] != brackets[1]:
        return WRONG
    in_order = _compare_items(gold.items, answer.items)
    if in_order != WRONG or len(gold.items) != len(answer.items):
        return in_order
    if "interval" in (gold.kind, answer.kind) or gold.kind == answer.kind == "tuple":
        return WRONG
    # Every item has a partner on the other side.
    left = list(answer.items)
    for item in gold.items:
        partner = next((one for one in left if compare_values(item, one) == RIGHT), None)
        if partner is None:
            return WRONG
        left.remove(partner)
    return OTHER_ORDER if "tuple" in (gold.kind, answer.kind) else RIGHT


def _compare_items(gold: tuple[Value, ...], answer: tuple[Value, ...]) -> Outcome:
    """Compare items one by one: one that is wrong decides, then one that is not told."""
    if len(gold) != len(answer):
        return WRONG
    outcomes = [compare_values(one, other) for one, other in zip(gold, answer, strict=True)]
    if WRONG in outcomes:
        return WRONG
    return next((outcome for outcome in outcomes if outcome != RIGHT), RIGHT)


def _compare_ratios(gold: Value, answer: Value) -> Outcome:
    """Compare 3:4 with 6:8, which may be the same ratio, or no ratio but times of day."""
    if gold.key == answer.key:
        return RIGHT
    if len(gold.items) != len(answer.items):
        return WRONG
    pairs = list(zip(gold.items, answer.items, strict=True))
    if any(not one.number or not other.number for one, other in pairs):
        return WRONG
    factors = {one.number / other.number for one, other in pairs if one.number and other.number}
    return (None, "a ratio in other terms") if len(factors) == 1 else WRONG
