"""Hold words and numbers that only their author may see, so that they cannot become text unnoticed.

A protocol may compute with a private number: add it up, weigh a vote by it; the number that comes
out is private again.  Comparisons give plain answers.  Private text tells its length, and whether
it equals or contains a text.  Neither can be formatted, cut, joined, pickled or written as JSON:
that raises TypeError.  To show them to their author, put the turn that they come from into the
prompt; to compute with the plain value, `reveal` it, by name.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, overload

Plain = TypeVar("Plain")


def refuse(self: object, *arguments: object) -> NoReturn:
    """Raise TypeError, for every way in which a private value would become text."""
    raise TypeError(
        f"{self!r} cannot become text or a plain number: put the turn itself into the prompt, or"
        " own(turn) for its author; to compute with the plain value, use reveal(...)"
    )


class PrivateText:
    """Text that stays private.  `len`, `==` and `in` answer; anything else raises TypeError."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PrivateText):
            return self._text == other._text
        return self._text == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __contains__(self, words: str) -> bool:
        return words in self._text

    def __repr__(self) -> str:
        return f"<private text of {len(self._text)} characters>"

    def __deepcopy__(self, memo: object) -> PrivateText:
        return self

    def __copy__(self) -> PrivateText:
        return self

    def __getattr__(self, name: str) -> NoReturn:
        # An AttributeError, so that hasattr answers no.
        raise AttributeError(
            f"private text has no {name}: to compute with the plain text, use reveal(...)"
        )

    __str__ = __format__ = __getitem__ = __iter__ = __add__ = __radd__ = __mod__ = refuse
    __mul__ = __rmul__ = __bytes__ = __setattr__ = __reduce_ex__ = refuse


def calculation(operate: Callable[..., Any], *, swapped: bool = False) -> Callable[..., Any]:
    """Return a method that computes with a private number, and gives a private one."""

    def compute(self: PrivateNumber, *others: float | PrivateNumber) -> object:
        numbers = [self._number, *map(reveal, others)]
        if not all(isinstance(number, int | float | None) for number in numbers):
            return NotImplemented
        return PrivateNumber(operate(*(reversed(numbers) if swapped else numbers)))

    return compute


def comparison(operate: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a method that compares a private number with another number."""

    def compare(self: PrivateNumber, other: object) -> bool:
        plain = reveal(other)
        return operate(self._number, plain) if isinstance(plain, int | float) else NotImplemented

    return compare


class PrivateNumber:
    """A number that stays private, and whatever is computed from it; comparisons answer."""

    __slots__ = ("_number",)
    _number: float

    def __init__(self, number: float) -> None:
        object.__setattr__(self, "_number", number)

    __add__ = calculation(operator.add)
    __radd__ = calculation(operator.add, swapped=True)
    __sub__ = calculation(operator.sub)
    __rsub__ = calculation(operator.sub, swapped=True)
    __mul__ = calculation(operator.mul)
    __rmul__ = calculation(operator.mul, swapped=True)
    __truediv__ = calculation(operator.truediv)
    __rtruediv__ = calculation(operator.truediv, swapped=True)
    __floordiv__ = calculation(operator.floordiv)
    __pow__ = calculation(operator.pow)
    __rpow__ = calculation(operator.pow, swapped=True)
    __neg__ = calculation(operator.neg)
    __abs__ = calculation(abs)
    __round__ = calculation(round)
    __eq__ = comparison(operator.eq)
    __lt__ = comparison(operator.lt)
    __le__ = comparison(operator.le)
    __gt__ = comparison(operator.gt)
    __ge__ = comparison(operator.ge)

    def __hash__(self) -> int:
        return hash(self._number)

    def __bool__(self) -> bool:
        return bool(self._number)

    def __repr__(self) -> str:
        return "<private number>"

    def __deepcopy__(self, memo: object) -> PrivateNumber:
        return self

    def __copy__(self) -> PrivateNumber:
        return self

    __str__ = __format__ = __float__ = __int__ = __index__ = __trunc__ = refuse
    __floor__ = __ceil__ = __setattr__ = __reduce_ex__ = refuse


@overload
def reveal(value: PrivateText) -> str: ...
@overload
def reveal(value: PrivateNumber) -> float: ...
@overload
def reveal(value: Plain) -> Plain: ...
def reveal(value: object) -> object:
    """Return the plain text or number of a private value; anything else as it is.

    The words are then the protocol's to keep: whole, or in pieces of eight words or forty
    characters, they are still found in what others are sent (LeakError); a number or a shorter
    piece is not.
    """
    if isinstance(value, PrivateText):
        return value._text
    return value._number if isinstance(value, PrivateNumber) else value
