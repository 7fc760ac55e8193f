r"""Read an answer as a value: a number with its unit, a formula, a tuple, a set or an interval.

`key` is one text for one value, by which votes are counted.  Without a value (None) an answer is
words, or mathematics that only math-verify knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from operator import itemgetter

from arena.grading.arithmetic import NoValueError, TooLargeError, inexact
from arena.grading.brackets import bracket_depth, closes_at_end, split_outside
from arena.grading.compound_units import compound_quantity
from arena.grading.expressions import Formula, evaluate
from arena.grading.number_words import WORD_NUMBER, expand_magnitudes, spelt_number
from arena.grading.spelling import close_braces, plain_mathematics, unwrap
from arena.grading.units import split_unit
from arena.grading.value_type import Kind, Value

EMPTY = re.compile(r"\\(?:emptyset|varnothing)|∅|\\\{\s*\\\}|\{\s*\}|(?:the )?empty set", re.I)
REALS = re.compile(r"\\(?:mathbb|mathbf)\s*\{?\s*R\s*\}?|\\R|ℝ|(?:all )?real(?: number)?s", re.I)
INFINITY = re.compile(r"([-+]?)\s*(?:\\infty|∞|\binfinity\b|\boo\b)", re.I)
NAME = r"(?:\\?[A-Za-zα-ωΑ-Ω]+(?:_\{?[A-Za-z0-9]+\}?)?(?:\([A-Za-z0-9, ]{1,12}\))?'?)"
# Digits of a left side belong to a name (x_1, a^2): `2x + 4y - 3 = 0` is an equation.
LEFT_SIDE = re.compile(
    r"\s*+((?:\\[A-Za-z]++|[A-Za-zα-ωΑ-Ω'|()^{}:/_+*·, -]|(?<=[A-Za-z_^{}])[0-9])++)="
)
APPROXIMATE = re.compile(r"\s*(?:≈|≃|≅|\\approx(?![A-Za-z])|\\simeq(?![A-Za-z]))")
AND = re.compile(
    r"\s*+,?\s*+(?:\\text\s*\{[\s,]*(?:and|or)\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])"
    r"|\\(?:land|lor|wedge|vee)(?![A-Za-z]))\s*"
)
ELEMENT = re.compile(r"\s*([A-Za-z]|\\[a-z]+)\s*(?:\\in(?![a-z])|∈)\s*")
COMPARISONS = {r"\leq": "<=", r"\le": "<=", "≤": "<=", r"\leqslant": "<=", r"\geq": ">=",
               r"\ge": ">=", "≥": ">=", r"\geqslant": ">=", r"\lt": "<", r"\gt": ">"}  # fmt: skip
COMPARISON = re.compile(r"\\(?:leqslant|geqslant|leq|geq|le|ge|lt|gt)(?![A-Za-z])|≤|≥|<=|>=|<|>")
CUP = re.compile(r"\s*(?:\\cup(?![a-z])|∪|(?<=[\])])\s*U\s*(?=[\[(]))\s*")
OPEN = {"(": ")", "[": "]", "{": "}"}
ANGLES = {r"\langle": "(", r"\rangle": ")", r"\lbrace": r"\{", r"\rbrace": r"\}", "⟨": "(",
          "⟩": ")", r"\lbrack": "[", r"\rbrack": "]", r"\lparen": "(", r"\rparen": ")"}  # fmt: skip
NEGATIVE = re.compile(r"\A(?:negative|minus)\s+(?=[0-9.\\√])", re.I)
ORDINAL = re.compile(r"(?<=[0-9])\s*(?:\^\s*\{?\s*)?(?:\\text\s*\{\s*)?(?:st|nd|rd|th)\}*\Z")
# The dash of a whole price before its currency: 18,- €, 18.– CHF, Rs 18/-.
PRICE_DASH = re.compile(r"(?<=[0-9])(?:[.,]\s?|/)[-–—]{1,2}(?=\s*[$€£¥₹₩₽₺₪]|\s+[^\W\d_]{2}|\s*\Z)")
POINTED = re.compile(r"<([^<>]*[,;][^<>]*)>")
ANGLE = re.compile("|".join(re.escape(sign) for sign in ANGLES))
DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)\.([0-9]+)")
PLAIN = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?")
GROUPS = re.compile(r"[-+]?[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?")
SPELT_OUT = re.compile(r"(.*[0-9}])\s*\(([A-Za-z -]+)\)")
TRIGONOMETRY = re.compile(r"sin|cos|tan|cot|sec|csc")
LETTERS_ALONE = re.compile(r"(?!(?:pi|π)\Z)[^\W\d_ ]+")
DOLLAR = re.compile(r"(?<!\\)\$")
MOST_ITEMS = 100
MOST_SIDES = 20
DEEPEST = 30


def read(answer: str) -> Value | None:
    """Return the value of an answer as it is written, None if it is none that can be told here."""
    return read_unwrapped(unwrap(answer))


@lru_cache(maxsize=4096)
def read_unwrapped(text: str) -> Value | None:
    """Return the value of a text without wrappers around it.

    It is of the kind "too large", with the text as its key, if its cost has no bound.
    """
    try:
        prepared = _prepare(text)
        if bracket_depth(prepared) > DEEPEST:
            return Value("too large", text)
        return _value(prepared)
    except (TooLargeError, RecursionError):
        return Value("too large", text)
    except NoValueError:
        return None


def _prepare(text: str) -> str:
    """Return a text with its magnitudes in figures and brackets of one kind."""
    spelt = SPELT_OUT.fullmatch(text)
    if spelt is not None and spelt_number(spelt[2]) is not None:
        number = read_unwrapped(spelt[1])
        if number is not None and number.number == spelt_number(spelt[2]):
            text = spelt[1]
    text = POINTED.sub(r"(\1)", close_braces(text) or "")
    # Dollars around a part of the text, as in `$18$ cm`.
    if len(DOLLAR.findall(text)) % 2 == 0:
        text = DOLLAR.sub(" ", text)
    text = PRICE_DASH.sub("", ORDINAL.sub("", NEGATIVE.sub("-", text)))
    text = ANGLE.sub(lambda match: ANGLES[match[0]], plain_mathematics(text))
    text = expand_magnitudes(text, "*")
    return text.replace(",\\!", ",").replace("{,}", ",").strip()


def _value(text: str, inside: bool = False) -> Value:
    """Return the value of a prepared text, or raise NoValueError."""
    if EMPTY.fullmatch(text):
        return Value("empty set", "∅")
    if INFINITY.fullmatch(text):
        return _end(text)
    if REALS.fullmatch(text):
        return _interval("(", r"-\infty", r"\infty", ")")
    spelt = _spelt(text)
    if spelt is not None:
        return spelt
    compound = compound_quantity(text)
    if compound is not None:
        number, unit = compound
        return Value("number", str(number), number, Formula(number), unit=unit, plain=True)
    element = ELEMENT.match(text)
    if element is not None:
        return _value(text[element.end() :].strip())
    parts = split_outside(text, CUP)
    if len(parts) > 1:
        pieces = tuple(sorted((_value(part) for part in parts), key=lambda piece: piece.key))
        return Value("union", "∪".join(piece.key for piece in pieces), items=pieces)
    relation = _relation(text)
    if relation is not None:
        return relation
    collection = _collection(text)
    if collection is not None:
        return collection
    named = _last_side(text)
    if named != text:
        last = _value(unwrap(named), inside)
        return _false_equation(text, last) or last
    items = _items(text, inside)
    if len(items) > 1:
        return _list(items)
    if text.startswith("(") and closes_at_end(text):
        return _value(text[1:-1].strip(), inside)
    parts = split_outside(text, COLON)
    if len(parts) > 1:
        terms = tuple(_scalar(part.strip()) for part in parts)
        return Value("ratio", ":".join(term.key for term in terms), items=terms)
    return _scalar(text, inside)


def _last_side(text: str) -> str:
    """Return the last side of `x = 3` and of `17 + 25 = 42`, or the text itself.

    A sign of approximation ends what counts: in `x = 1/3 ≈ 0.33` that is 1/3.  NoValueError for
    an equation.
    """
    exact = APPROXIMATE.split(text, maxsplit=1)
    if len(exact) > 1 and exact[0].strip():
        left = exact[0].strip()
        text = exact[1].strip() if re.fullmatch(NAME, left) else left
    parts = [part.strip() for part in split_outside(text, EQUALS)]
    if len(parts) < 2:
        return text
    if len(parts) > MOST_SIDES:
        raise TooLargeError("many sides")
    if any(NOT.search(part) for part in parts[:-1]):
        raise NoValueError("an inequality")
    if len(split_outside(text, LIST)) > 1:
        # `(x, y) = (3, 4)` and `n = 1, 2, 3` have one name for all; `x = 3, y = 4` has two.
        return parts[1] if len(parts) == 2 and _is_left_side(parts[0]) else text
    constants = {key for part in parts if (key := _constant(part)) is not None}
    for part in parts[:-1]:
        if _constant(part) is None and not _is_left_side(part):
            raise NoValueError("an equation")
    # 7 = 11a + c states no value, and a^2 + b = 0 none of a name.  Of 1 + 1 = 3 the end counts.
    compound = any(re.search(r"[-+*/^]", part) for part in parts[:-1])
    if (constants and _constant(parts[-1]) is None) or (
        constants == {"0"} and compound and _constant(parts[0]) is None
    ):
        raise NoValueError("an equation")
    return parts[-1]


def _false_equation(text: str, last: Value) -> Value | None:
    """Return the sides of `2 + 2 = 5` as one value, None if the equation may be true.

    Rounded sides and sides of which both have units, or one a percent sign, may be.
    """
    if last.kind != "number" or (last.unit is not None and last.unit.percent):
        return None
    sides = [last]
    for part in split_outside(APPROXIMATE.split(text, maxsplit=1)[0], EQUALS):
        try:
            side = _scalar(part.strip())
        except NoValueError:
            continue
        both = side.unit is not None and (last.unit is not None or side.unit.percent)
        if side.kind == "number" and not both and not last.rounds(side):
            sides.append(side)
    different = {side.key for side in sides}
    return Value("false equation", text, items=tuple(sides)) if len(different) > 1 else None


def _is_left_side(part: str) -> bool:
    """Tell whether a side is only a name: x, m+n, f(x), AB, |AB|, V_1:V_2."""
    return (
        LEFT_SIDE.fullmatch(part + "=") is not None and re.search("[A-Za-zα-ω]", part) is not None
    )


def _constant(part: str) -> str | None:
    """Return the key of a side that is a number, else None."""
    try:
        found = _scalar(part)
    except NoValueError:
        return None
    return found.key if found.kind == "number" else None


COMMA = re.compile(r"\s*[,;]\s*")
EQUALS = re.compile(r"(?<![<>!:])=")
NOT = re.compile(r"(?:\\neq?|≠|\\not)\s*\Z")
LIST = re.compile(rf"[,;]|{AND.pattern}")
SEMICOLON = re.compile(r"\s*;\s*")
COLON = re.compile(r"\s*(?::|\\colon(?![a-z]))\s*")


def _items(text: str, inside: bool) -> list[str]:
    """Return the items of a list without brackets; outside of brackets 1,234 is one number."""
    separator = re.compile(rf"{AND.pattern}|{COMMA.pattern}")
    if len(split_outside(text, SEMICOLON)) > 1:  # p = 5, q = 2; p = 7, q = 2
        separator = SEMICOLON
    elif not inside:
        thousands = r"(?<![0-9]),|,(?![0-9]{3}(?![0-9]))|;"
        separator = re.compile(rf"{AND.pattern}|\s*(?:{thousands})\s*|\s*,\s+")
    parts = [part.strip() for part in split_outside(text, separator)]
    return [part.removeprefix("\\").strip() for part in parts if part.strip("\\ ")]


def _list(items: Sequence[str]) -> Value:
    """Return the value of items beside each other, each with or without a name."""
    if len(items) > MOST_ITEMS:
        raise TooLargeError("a long list")
    names = []
    values: list[Value] = []
    for item in items:
        name = re.match(rf"\s*({NAME})\s*=", item)
        names.append(name[1] if name else "")
        found = _value(item.strip(), inside=True)
        values.extend(found.items if found.kind == "list" else [found])
    distinct = len(set(names)) == len(names) == len(values)
    if all(names) and distinct:
        # x = 3, y = 4 is the point (3, 4), in whichever order it is written.
        ordered = [value for _, value in sorted(zip(names, values, strict=True), key=itemgetter(0))]
        return _collected("tuple", ordered)
    return _collected("list", values)


def _collection(text: str) -> Value | None:
    """Return the value of a text that is one pair of brackets with commas in it, else None."""
    is_set = text.startswith("\\{") and text.endswith("\\}")
    opening = text[1:2] if is_set else text[:1]
    if opening not in OPEN or text[-1:] not in (")", "]", "}"):
        return None
    inner = text[2:-2] if is_set else text[1:-1]
    if not closes_at_end(text):
        return None
    parts = [part.strip() for part in split_outside(inner, COMMA)]
    if len(parts) < 2 and not is_set:
        return None
    if not all(parts):
        raise NoValueError("an empty place in a collection")
    if opening == "{":
        return _collected("set", [_value(part, inside=True) for part in parts])
    mixed = opening + text[-1]
    if len(parts) == 2 and (mixed != "()" or any(INFINITY.fullmatch(part) for part in parts)):
        return _interval(opening, parts[0], parts[1], text[-1])
    return _collected("tuple", [_value(part, inside=True) for part in parts])


def _interval(opening: str, low: str, high: str, closing: str) -> Value:
    """Return an interval; an open one has the key of a pair, since both are written alike."""
    ends = tuple(_end(part) for part in (low, high))
    key = f"{opening}{ends[0].key},{ends[1].key}{closing}"
    if (opening, closing) == ("(", ")"):
        return Value("tuple", key, items=ends)
    return Value("interval", key, items=ends)


def _end(text: str) -> Value:
    """Return an end of an interval, which may be infinite."""
    infinite = INFINITY.fullmatch(text.strip())
    if infinite is not None:
        return Value("formula", "-oo" if infinite[1] == "-" else "oo")
    return _value(text.strip(), inside=True)


def _relation(text: str) -> Value | None:
    """Return `x > 3` and `1 <= x < 2` as intervals, None if a text is no such relation."""
    signs = [COMPARISONS.get(sign, sign) for sign in COMPARISON.findall(text)]
    if not signs:
        return None
    sides = [side.strip() for side in COMPARISON.split(text)]
    named = [place for place, side in enumerate(sides) if re.fullmatch(NAME, side)]
    named = [place for place in named if sides[place] not in (r"\infty", r"\pi", "e", "i")]
    if len(named) != 1 or len(signs) > 2 or len(sides) != len(signs) + 1:
        raise NoValueError("a relation")
    at = named[0]
    low: tuple[str, str] = ("(", r"-\infty")
    high: tuple[str, str] = (r"\infty", ")")
    for place, sign in enumerate(signs):
        # The sign points from the left side to the right one; the name is on one of them.
        if at not in (place, place + 1):
            raise NoValueError("a relation")
        other = sides[place + 1] if place == at else sides[place]
        below = sign.startswith("<") == (place == at)  # the name is below the other side
        closed = sign.endswith("=")
        if below:
            high = (other, "]" if closed else ")")
        else:
            low = ("[" if closed else "(", other)
    if len(signs) == 2 and ((low[1] == r"-\infty") or (high[0] == r"\infty")):
        raise NoValueError("a relation")
    return _interval(low[0], low[1], high[0], high[1])


def _collected(kind: Kind, values: Sequence[Value]) -> Value:
    """Return a collection with its key; that of a set is the tuple of its sorted members."""
    # {1 ± 2, 5} has three members.
    flat = [part for value in values for part in (value.items if value.kind == "list" else [value])]
    if len(flat) > MOST_ITEMS:
        raise TooLargeError("a long collection")
    values = flat
    if kind == "set":
        members = {value.key: value for value in values}
        values = sorted(members.values(), key=_place_in_order)
    if len(values) == 1:
        return values[0]
    return Value(kind, f"({','.join(value.key for value in values)})", items=tuple(values))


def _place_in_order(value: Value) -> tuple[float, str]:
    """Return by what the members of a set are sorted: their size, then their key."""
    if value.number is not None:
        return float(value.number), value.key
    formula = value.formula
    if formula is not None and formula.number is not None:
        return float(inexact(formula.number).real), value.key
    return float("inf"), value.key


def _scalar(text: str, inside: bool = True) -> Value:
    """Return the value of a text that is one number or formula, with its unit."""
    if GROUPS.fullmatch(text):
        text = text.replace(" ", ",")
    # Letters alone are words: CO is not OC.
    if not inside and LETTERS_ALONE.fullmatch(text):
        raise NoValueError("letters")
    body, unit = split_unit(text)
    if unit is not None and (
        unit.glued or (unit.pieces == (("°", 1),) and TRIGONOMETRY.search(body))
    ):
        # 5m is kept as the formula 5·m, and grading knows that it may be a unit; the degrees of
        # sin 30° are no unit of it.
        body = text
        unit = unit if unit.glued else None
    try:
        formulas = evaluate(unwrap(body) if unit else body)
    except NoValueError:
        if unit is None:
            raise
        formulas = evaluate(text)
        unit = None
    values = [_of_formula(formula, body) for formula in formulas]
    if len(values) > 1:
        return _collected("list", values)
    return replace(values[0], unit=unit)


def _of_formula(formula: Formula, body: str) -> Value:
    """Return the value of a formula, with the decimals of its text."""
    number = formula.number
    if isinstance(number, Fraction):
        text = unwrap(body).replace("$", "").strip()
        places = DECIMAL.fullmatch(text)
        return Value(
            "number",
            str(number),
            number,
            formula,
            places=len(places[1]) if places else None,
            plain=PLAIN.fullmatch(text) is not None,
        )
    return Value("number" if number is not None else "formula", formula.key, None, formula)


def _spelt(text: str) -> Value | None:
    """Return the value of a text that begins with a number in words: twenty-five dollars."""
    match = WORD_NUMBER.match(text)
    if match is None:
        return None
    number = spelt_number(match[0])
    if number is None:
        return None
    # "Seven Samurai" is a name, "Seven samurai" a number of them.
    if match[0][0].isupper() and text[match.end() : match.end() + 1].isupper():
        return None
    body, unit = split_unit(f"{number} {text[match.end() :]}")
    if body.strip() != str(number):
        return None
    return Value("number", str(number), number, Formula(number), unit=unit, plain=True)
