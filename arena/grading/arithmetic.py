"""Compute with exact fractions, and with decimals of 60 digits where nothing is exact.

A number is a Fraction while it can be, else a pair of Decimals (real and imaginary part).  Every
operation has a bound on its cost: a number that grows too large raises `NoValueError`.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

DIGITS = 60
# Digits that two ways of computing one number share, and digits of a number's key.
AGREED = Decimal(10) ** -40
KEY_DIGITS = 25
LARGEST_BITS = 12_000
LARGEST_FACTORIAL = 300
LARGEST_DENOMINATOR = 10**6
# A number that is not exact is held to be a fraction only if it is of ordinary size.
LARGEST_RATIONAL = Decimal(10) ** 20
PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899863"
)
E = Decimal("2.71828182845904523536028747135266249775724709369995957496696762772407663035355")
CONTEXT = decimal.Context(
    prec=DIGITS,
    Emax=99_999,
    Emin=-99_999,
    traps=[
        decimal.Overflow,
        decimal.Underflow,
        decimal.InvalidOperation,
        decimal.DivisionByZero,
    ],
)


class NoValueError(Exception):
    """A text or a computation that has no value here."""


class TooLargeError(NoValueError):
    """A value that exceeds the bounds on the cost of its computation."""


class Complex(NamedTuple):
    """A number that is not exact."""

    real: Decimal
    imaginary: Decimal = Decimal(0)


Number = Fraction | Complex
I = Complex(Decimal(0), Decimal(1))  # noqa: E741 - the imaginary unit has no other name


@contextmanager
def bounded() -> Iterator[None]:
    """Compute inside of this with bounded decimals; what exceeds them raises NoValueError."""
    try:
        with decimal.localcontext(CONTEXT):
            yield
    except (decimal.Overflow, decimal.Underflow, OverflowError) as error:
        raise TooLargeError(str(error)) from error
    except (decimal.DecimalException, ZeroDivisionError) as error:
        raise NoValueError(str(error)) from error


def inexact(number: Number) -> Complex:
    """Return a number as decimals."""
    if isinstance(number, Complex):
        return number
    return Complex(Decimal(number.numerator) / Decimal(number.denominator))


def tidy(number: Number) -> Number:
    """Return a number that is exact if it can be seen to be, and no larger than the bound."""
    if isinstance(number, Complex):
        if abs(number.imaginary) > AGREED or abs(number.real) > LARGEST_RATIONAL:
            return number
        near = Fraction(number.real).limit_denominator(LARGEST_DENOMINATOR)
        distance = abs(inexact(near).real - number.real)
        return near if distance <= AGREED else number
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > LARGEST_BITS:
        return inexact(number)
    return number


def add(one: Number, other: Number, sign: int = 1) -> Number:
    """Return the sum, or with sign -1 the difference."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return tidy(one + sign * other)
    a = inexact(one)
    b = inexact(other)
    return Complex(a.real + sign * b.real, a.imaginary + sign * b.imaginary)


def multiply(one: Number, other: Number) -> Number:
    """Return the product."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return tidy(one * other)
    a = inexact(one)
    b = inexact(other)
    real = a.real * b.real - a.imaginary * b.imaginary
    return Complex(real, a.real * b.imaginary + a.imaginary * b.real)


def divide(one: Number, other: Number) -> Number:
    """Return the quotient; NoValueError for a division by zero."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        if other == 0:
            raise NoValueError("a division by zero")
        return tidy(one / other)
    b = inexact(other)
    size = b.real * b.real + b.imaginary * b.imaginary
    if size <= AGREED * AGREED:
        raise NoValueError("a division by zero")
    product = inexact(multiply(one, Complex(b.real, -b.imaginary)))
    return Complex(product.real / size, product.imaginary / size)


def power(base: Number, exponent: Number) -> Number:
    """Return a power: of any number to a whole one, of a positive number to a real one."""
    exponent = tidy(exponent)
    if isinstance(exponent, Complex) and exponent.imaginary:
        # Euler: b^(x+iy) is b^x (cos(y ln b) + i sin(y ln b)).
        logarithm = Complex(_positive(base).ln())
        turned = inexact(multiply(exponent, logarithm))
        sine, cosine = _sine_and_cosine(turned.imaginary)
        size = turned.real.exp()
        return tidy(Complex(size * cosine, size * sine))
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return _whole_power(base, exponent.numerator)
    if isinstance(exponent, Fraction) and exponent.denominator <= 64:
        return _whole_power(root(base, exponent.denominator), exponent.numerator)
    return tidy(Complex(_positive(base) ** inexact(exponent).real))


def _positive(base: Number) -> Decimal:
    """Return a base that is a positive number as a decimal, or raise NoValueError."""
    value = inexact(base)
    if value.imaginary or value.real <= 0:
        raise NoValueError("a power of a number that is not positive")
    return value.real


def _whole_power(base: Number, exponent: int) -> Number:
    """Return a power with a whole exponent."""
    if isinstance(base, Fraction):
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if base == 0 and exponent < 0:
            raise NoValueError("a division by zero")
        if base in (0, 1, -1) or size * abs(exponent) <= LARGEST_BITS:
            small = exponent if base not in (0, 1, -1) else exponent % 2 + 2 * (exponent != 0)
            return base**small
        base = inexact(base)
    if not base.imaginary:
        sign = -1 if base.real < 0 and exponent % 2 else 1
        return Complex(sign * abs(base.real) ** Decimal(exponent))
    if abs(exponent) > 64:
        raise TooLargeError("a high power of a complex number")
    result: Number = Fraction(1)
    for _ in range(abs(exponent)):
        result = multiply(result, base)
    return result if exponent >= 0 else divide(Fraction(1), result)


def root(base: Number, index: int) -> Number:
    """Return a root: of a negative number the real one for odd indices, else along i."""
    base = tidy(base)
    if isinstance(base, Complex) and base.imaginary:
        if index != 2:
            raise NoValueError("a root of a complex number")
        size = (base.real * base.real + base.imaginary * base.imaginary).sqrt()
        real = ((size + base.real) / 2).sqrt()
        imaginary = ((size - base.real) / 2).sqrt()
        return Complex(real, imaginary if base.imaginary >= 0 else -imaginary)
    negative = base < 0 if isinstance(base, Fraction) else base.real < 0
    if negative:
        positive = root(multiply(Fraction(-1), base), index)
        if index % 2:
            return multiply(Fraction(-1), positive)
        if index == 2:
            return multiply(I, positive)
        raise NoValueError("an even root of a negative number")
    if isinstance(base, Fraction):
        top = whole_root(base.numerator, index)
        bottom = whole_root(base.denominator, index)
        if top is not None and bottom is not None:
            return Fraction(top, bottom)
    value = inexact(base).real
    return Complex(value.sqrt() if index == 2 else value ** (Decimal(1) / Decimal(index)))


def whole_root(number: int, index: int) -> int | None:
    """Return the whole root of a whole number >= 0, None if it has none."""
    if index == 2:
        found = math.isqrt(number)
        return found if found * found == number else None
    if number.bit_length() > 1000:
        return None
    near = round(number ** (1 / index)) if number.bit_length() < 900 else 0
    return next((n for n in (near - 1, near, near + 1) if n >= 0 and n**index == number), None)


def factorial(number: Number) -> Number:
    """Return the factorial of a whole number from 0 to LARGEST_FACTORIAL."""
    return Fraction(math.factorial(whole(number, LARGEST_FACTORIAL)))


def binomial(top: Number, bottom: Number) -> Number:
    """Return a binomial coefficient of whole numbers."""
    return Fraction(math.comb(whole(top, LARGEST_FACTORIAL), whole(bottom, LARGEST_FACTORIAL)))


def whole(number: Number, largest: int) -> int:
    """Return a number as an int from 0 to `largest`, or raise NoValueError."""
    number = tidy(number)
    if isinstance(number, Fraction) and number.denominator == 1 and number >= 0:
        if number > largest:
            raise TooLargeError(f"a whole number over {largest}")
        return int(number)
    raise NoValueError(f"{number} is no whole number from 0 to {largest}")


def absolute(number: Number) -> Number:
    """Return the absolute value."""
    if isinstance(number, Fraction):
        return abs(number)
    return Complex((number.real * number.real + number.imaginary * number.imaginary).sqrt())


def real(number: Number) -> Decimal:
    """Return a real number as a decimal, or raise NoValueError."""
    value = inexact(number)
    if value.imaginary:
        raise NoValueError("a function of a complex number")
    return value.real


def function(name: str, number: Number, base: Number | None = None) -> Number:
    """Return the value of an elementary function at a real number."""
    x = real(number)
    if name in ("ln", "log", "lg"):
        if x <= 0:
            raise NoValueError("a logarithm of a number that is not positive")
        # log without a base is the natural one in some books and the decimal one in others.
        if name == "log" and base is None:
            raise NoValueError("a logarithm without a base")
        if name == "ln" or base is None:
            return tidy(Complex(x.ln() if name == "ln" else x.log10()))
        return tidy(divide(Complex(x.ln()), Complex(real(base).ln())))
    if name == "exp":
        return Complex(x.exp())
    sine, cosine = _sine_and_cosine(x)
    top, bottom = {
        "sin": (sine, Decimal(1)),
        "cos": (cosine, Decimal(1)),
        "tan": (sine, cosine),
        "cot": (cosine, sine),
        "sec": (Decimal(1), cosine),
        "csc": (Decimal(1), sine),
    }[name]
    return tidy(divide(Complex(top), Complex(bottom)))


def _sine_and_cosine(x: Decimal) -> tuple[Decimal, Decimal]:
    """Return sine and cosine of an angle in radians, by their series."""
    if abs(x) > 10**6:
        raise TooLargeError("a large angle")
    x = x % (2 * PI)
    sums = [Decimal(0), Decimal(0)]
    term = Decimal(1)
    for n in range(120):  # 7**120 / 120! is below 10**-97
        # cos has the terms with even powers, sin those with odd ones.
        sums[n % 2] += term if n % 4 < 2 else -term
        term = term * x / (n + 1)
    cosine, sine = sums
    return sine, cosine


def rounds_to(rounded: Fraction, places: int, exact: Number) -> bool:
    """Tell whether a number of so many decimals is a real number below 10**30, rounded."""
    if isinstance(exact, Complex):
        if exact.imaginary or abs(exact.real) >= 10**30:
            return False
        exact = Fraction(exact.real)
    distance = abs(exact - rounded) * Fraction(10) ** places
    return distance <= Fraction(1, 2)


def key(number: Number) -> str:
    """Return one text for a number, the same for each way of computing it."""
    number = tidy(number)
    if isinstance(number, Fraction):
        return str(number)
    parts = [tidy(Complex(part)) for part in number]
    if isinstance(parts[1], Fraction) and parts[1] == 0:
        return _inexact_key(number.real)
    return f"{key(parts[0])}+({key(parts[1])})i"


def _inexact_key(value: Decimal) -> str:
    """Return an irrational number to so many digits that no other number is meant."""
    rounded = decimal.Context(prec=KEY_DIGITS).plus(value).normalize()
    return f"≈{rounded}"
