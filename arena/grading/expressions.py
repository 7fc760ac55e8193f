r"""Read closed expressions of LaTeX or plain text, and compute their values.

`\frac{1}{2}`, `0.5` and `2^{-1}` are one number; `(x-1)(x+1)` and `x^2-1` are one formula: both
have the same values at two points that follow from the names of the variables.  What is not of this
kind (equations, matrices, sums, limits) raises NoValueError and is left to math-verify.

The cost is linear in the length of a text, with bounded numbers (arithmetic.py).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from arena.grading import arithmetic
from arena.grading.arithmetic import Complex, NoValueError, Number, TooLargeError

DEEPEST = 40
MOST_STEPS = 1500
# The points at which formulas are compared: all variables positive, and all negative.
POINTS = (1, -1)

SIGNS = {
    r"\times": "*", r"\cdot": "*", "×": "*", "·": "*", "⋅": "*", "∗": "*", r"\ast": "*",
    r"\div": "/", "÷": "/", "**": "^", "√": r"\sqrt ", "π": r"\pi ", r"\lvert": "|",
    r"\rvert": "|", r"\vert": "|", r"\lparen": "(", r"\rparen": ")", "±": r"\pm ",
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\dbinom": r"\binom",
    r"\tbinom": r"\binom", r"\lbrack": "[", r"\rbrack": "]", r"\imath": "i", r"\mathrm{e}": "e",
    r"\mathrm{i}": "i", r"\mathrm{ e }": "e", r"\text{e}": "e", r"\lg": r"\log_{10}",
}  # fmt: skip
SIGN = re.compile(
    "|".join(
        re.escape(sign) + ("(?![A-Za-z])" if re.fullmatch(r"\\[a-z]+", sign) else "")
        for sign in sorted(SIGNS, key=len, reverse=True)
    )
)
DEGREE = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![A-Za-z])")
SPACE = re.compile(r"(?:\s|~|\\[,;:! ]|\\(?:quad|qquad)(?![A-Za-z]))*")
NUMBER = re.compile(
    r"(?:(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?P<decimals>\.[0-9]*)?"
    r"|(?P<point>\.[0-9]+))(?P<exponent>[eE][-+]?[0-9]{1,4}(?![0-9A-Za-z.]))?"
)
# 0.1\overline{6}, and 0.(3); 0.1(6) may be a product.
REPEATING = re.compile(
    r"([0-9]{0,20})\.(?:([0-9]{0,20})\\(?:overline|bar)\s*\{\s*([0-9]{1,20})\s*\}"
    r"|\(([0-9]{1,20})\))"
)
MIXED = re.compile(r"([0-9]+)(?:\s+|\s*\\[, ;:]\s*)([0-9]+)\s*/\s*([0-9]+)(?![0-9])")
MIXED_FRACTION = re.compile(
    r"([0-9]+)\s*\\frac\s*(?:\{\s*([0-9]+)\s*\}|([0-9]))\s*(?:\{\s*([0-9]+)\s*\}|([0-9]))"
)
BASES = dict(two=2, binary=2, three=3, four=4, five=5, six=6, seven=7, eight=8, nine=9, ten=10,
             twelve=12, sixteen=16)  # fmt: skip
IN_BASE = re.compile(
    r"(?:\(\s*)?(?P<digits>[0-9][0-9A-F]*)(?:\s*\))?\s*_\s*\{?\s*(?:\\(?:text|mathrm)\s*\{)?\s*"
    rf"(?P<base>[0-9]{{1,2}}|{'|'.join(BASES)})\s*\}}?\s*\}}?"
)
FUNCTIONS = ["sin", "cos", "tan", "cot", "sec", "csc", "ln", "log", "exp"]
NAMED = re.compile(rf"\\?(sqrt|{'|'.join(FUNCTIONS)})(?![A-Za-z])|\\(sqrt|pi)(?![A-Za-z])|(pi)\b")
LETTER = re.compile(
    r"\\(alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|kappa|lambda|mu|nu|xi"
    r"|rho|sigma|tau|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Phi|Psi|Omega)(?![A-Za-z])"
    r"|([A-Za-zα-ωΑ-Ω])"
)
SUBSCRIPT = re.compile(r"\s*_\s*(?:\{([A-Za-z0-9+, -]{1,12})\}|([A-Za-z0-9]))")
CONSTANTS: dict[str, Number] = {"e": Complex(arithmetic.E), "i": arithmetic.I}
# A run of letters that is a word and no product of variables.
WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}|(?<![^\s])[A-Za-z]{2,}(?=\s|[.,;:!?]|\Z)")
PLAIN_WORDS = frozenset([*FUNCTIONS, "sqrt", "pi", "max", "min"])


@dataclass(frozen=True, slots=True)
class Formula:
    """The value of an expression.

    `number` is its value if it has no variables, else `points` has one key for each of POINTS
    ("?" where it has no value), and `names` the variables.
    """

    number: Number | None
    names: tuple[str, ...] = ()
    points: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return one text for the value."""
        if self.number is not None:
            with arithmetic.bounded():
                return arithmetic.key(self.number)
        return f"{', '.join(self.names)}: {' '.join(self.points)}"


def evaluate(text: str) -> tuple[Formula, ...]:
    r"""Return the value of an expression, two if it has a `\pm`; NoValueError if it has none."""
    plain = DEGREE.sub("°", SIGN.sub(lambda match: SIGNS[match[0]], text)).strip()
    if not plain or set(WORD.findall(plain)) - PLAIN_WORDS:
        raise NoValueError("no expression")
    if r"\pm" in plain or r"\mp" in plain:
        found = [_evaluate(plain, sign) for sign in (1, -1)]
        return tuple(found) if found[0] != found[1] else tuple(found[:1])
    return (_evaluate(plain, 1),)


def _evaluate(text: str, sign: int) -> Formula:
    """Return the value with this sign for each plus-minus."""
    points = []
    reader = None
    for point in POINTS:
        reader = _Reader(text, sign, point)
        try:
            with arithmetic.bounded():
                value = arithmetic.tidy(reader.whole())
                points.append(arithmetic.key(value))
        except NoValueError:
            if point == POINTS[0]:
                raise
            points.append("?")
            continue
        if not reader.names:
            return Formula(value)
    assert reader is not None
    names = tuple(sorted(reader.names))
    # A formula that does not depend on its variables (x - x + 2) is a number.
    if points[0] == points[1]:
        return Formula(value)
    return Formula(None, names, tuple(points))


def variable(name: str, point: int) -> Complex:
    """Return the value of a variable at a point: from 1 to 2, at the second from -1 to -2."""
    digest = hashlib.sha256(f"{name} {point}".encode()).digest()
    return Complex(point * (1 + Decimal(int.from_bytes(digest[:8], "big")) / Decimal(2**64)))


@dataclass
class _Reader:
    """A reader of one expression from left to right, by recursive descent."""

    text: str
    sign: int
    point: int
    place: int = 0
    depth: int = 0
    steps: int = 0
    names: set[str] = field(default_factory=set)

    def whole(self) -> Number:
        """Return the value of the whole text."""
        value = self.sum()
        self.skip()
        if self.place < len(self.text):
            raise NoValueError(f"{self.text[self.place :]!r:.20} was not expected")
        return value

    def skip(self) -> str:
        """Skip white space, and return the next character, "" at the end."""
        match = SPACE.match(self.text, self.place)
        self.place = match.end() if match else self.place
        return self.text[self.place : self.place + 1]

    def take(self, sign: str) -> bool:
        """Skip this sign if it comes next, and tell whether it did."""
        self.skip()
        if not self.text.startswith(sign, self.place):
            return False
        if sign[0] == "\\" and sign[-1:].isalpha():
            after = self.text[self.place + len(sign) : self.place + len(sign) + 1]
            if after.isalpha():
                return False
        self.place += len(sign)
        return True

    def expect(self, sign: str) -> None:
        """Skip this sign, or raise NoValueError."""
        if not self.take(sign):
            raise NoValueError(f"{sign!r} is missing")

    def plus_or_minus(self) -> int:
        """Skip a sign between terms and return it as a number, 0 without one."""
        for sign, number in (("+", 1), ("-", -1), (r"\pm", self.sign), (r"\mp", -self.sign)):
            if self.take(sign):
                return number
        return 0

    def sum(self) -> Number:
        """Read terms with signs between them."""
        self.depth += 1
        self.steps += 1
        if self.depth > DEEPEST or self.steps > MOST_STEPS:
            raise TooLargeError("an expression that is too deep or too long")
        total: Number = Fraction(0)
        sign = self.plus_or_minus() or 1
        while True:
            total = arithmetic.add(total, self.term(), sign)
            sign = self.plus_or_minus()
            if not sign:
                self.depth -= 1
                return total

    def term(self) -> Number:
        """Read factors; after a division nothing may be multiplied without a sign (1/2x)."""
        value = self.factor()
        divided = False
        while True:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise TooLargeError("an expression that is too long")
            if self.take("*"):
                value = arithmetic.multiply(value, self.signed_factor())
                divided = False
            elif self.take("/"):
                value = arithmetic.divide(value, self.signed_factor())
                divided = True
            elif (character := self.skip()) and character not in "+-)]},;=<>|:!^_":
                is_operator = self.text.startswith((r"\pm", r"\mp", r"\}"), self.place)
                if is_operator:
                    return value
                # Two numbers side by side are no product.
                if divided or character.isdigit() or character == ".":
                    raise NoValueError("numbers side by side, or a product under a fraction")
                value = arithmetic.multiply(value, self.factor())
            else:
                return value

    def signed_factor(self) -> Number:
        """Read a factor that may have a sign (2 * -3)."""
        negative = self.take("-")
        value = self.factor()
        return arithmetic.multiply(Fraction(-1), value) if negative else value

    def factor(self) -> Number:
        """Read a primary with its factorials and its power."""
        value = self.primary()
        while True:
            if self.take("!"):
                value = arithmetic.factorial(value)
            elif self.take("^"):
                return arithmetic.power(value, self.exponent())
            else:
                return value

    def exponent(self) -> Number:
        """Read an exponent: in braces, or one factor with a sign."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooLargeError("an expression that is too deep")
        value = self.signed_factor()
        self.depth -= 1
        return value

    def group(self, closing: str) -> Number:
        """Read a sum up to a closing bracket."""
        value = self.sum()
        self.expect(closing)
        return value

    def argument(self) -> Number:
        r"""Read an argument of a command: in braces, or one digit or letter (`\frac12`)."""
        if self.take("{"):
            return self.group("}")
        character = self.skip()
        if character.isdigit():
            self.place += 1
            return Fraction(int(character))
        return self.primary()

    def primary(self) -> Number:
        """Read a number, a group, a command or a variable."""
        character = self.skip()
        for opening, closing in (("(", ")"), ("[", "]"), ("{", "}"), ("|", "|")):
            in_base = IN_BASE.match(self.text, self.place) if opening == "(" else None
            if character == opening and in_base is None:
                self.place += 1
                value = self.group(closing)
                return arithmetic.absolute(value) if opening == "|" else value
        if character.isdigit() or character in ".(":
            return self.number()
        if self.take(r"\frac"):
            top = self.argument()
            return arithmetic.divide(top, self.argument())
        if self.take(r"\binom"):
            top = self.argument()
            return arithmetic.binomial(top, self.argument())
        named = NAMED.match(self.text, self.place)
        if named is not None:
            self.place = named.end()
            return self.named(named[1] or named[2] or named[3])
        return self.letter()

    def number(self) -> Number:
        """Read a number: decimal, mixed, in another base, or with an exponent (1.2e3)."""
        in_base = IN_BASE.match(self.text, self.place)
        if in_base is not None:
            self.place = in_base.end()
            base = BASES.get(in_base["base"]) or int(in_base["base"])
            digits = in_base["digits"]
            if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in digits):
                raise NoValueError(f"{digits} has no value in base {base}")
            return Fraction(int(digits, base))
        for pattern in (MIXED, MIXED_FRACTION):
            mixed = pattern.match(self.text, self.place)
            if mixed is not None:
                self.place = mixed.end()
                one, top, bottom = (int(part) for part in mixed.groups() if part is not None)
                return arithmetic.add(
                    Fraction(one), arithmetic.divide(Fraction(top), Fraction(bottom))
                )
        repeating = REPEATING.match(self.text, self.place)
        if repeating is not None:
            self.place = repeating.end()
            whole, once, again = (
                repeating[1] or "0",
                repeating[2] or "",
                repeating[3] or repeating[4],
            )
            nines = 10 ** len(again) - 1
            return Fraction(f"{whole}.{once}0") + Fraction(int(again), nines * 10 ** len(once))
        match = NUMBER.match(self.text, self.place)
        if match is None:
            raise NoValueError("no number")
        self.place = match.end()
        digits = (match["digits"] or "0").replace(",", "")
        decimals = (match["decimals"] or "").rstrip(".") or match["point"] or ""
        value = Fraction(digits + decimals)
        if match["exponent"]:
            ten = arithmetic.power(Fraction(10), Fraction(int(match["exponent"][1:])))
            return arithmetic.multiply(value, ten)
        return value

    def named(self, name: str) -> Number:
        """Read the arguments of a root or a function, and return its value."""
        if name == "pi":
            return Complex(+arithmetic.PI)
        if name == "sqrt":
            index = 2
            if self.take("["):
                index = arithmetic.whole(self.group("]"), 64)
            if not index:
                raise NoValueError("a root of index 0")
            return arithmetic.root(self.argument(), index)
        base = self.argument() if self.take("_") else None
        exponent = self.exponent() if self.take("^") else None
        value = self.function_argument()
        result = arithmetic.function(name, value, base)
        if exponent is None:
            return result
        # sin^{-1} is the inverse function and no power.
        if exponent == Fraction(-1):
            raise NoValueError("an inverse function")
        return arithmetic.power(result, exponent)

    def function_argument(self) -> Number:
        """Read what a function is applied to: a group, or factors up to the next sign."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooLargeError("an expression that is too deep")
        if self.skip() in ("(", "{"):
            value = self.factor()
        else:
            value = self.factor()
            while (next_one := self.skip()) and (next_one.isalpha() or next_one == "\\"):
                if NAMED.match(self.text, self.place) and not self.text.startswith(
                    (r"\pi", "pi", r"\sqrt"), self.place
                ):
                    break
                if self.text.startswith((r"\pm", r"\mp", r"\}", r"\frac"), self.place):
                    break
                value = arithmetic.multiply(value, self.factor())
            if self.take("/"):
                value = arithmetic.divide(value, self.factor())
        if self.take("°"):
            value = arithmetic.multiply(value, Complex(arithmetic.PI / 180))
        self.depth -= 1
        return value

    def letter(self) -> Number:
        """Read a variable with its subscript, or one of the constants e and i."""
        match = LETTER.match(self.text, self.place)
        if match is None:
            raise NoValueError(f"{self.text[self.place :]!r:.20} is no expression")
        self.place = match.end()
        name = match[1] or match[2]
        subscript = SUBSCRIPT.match(self.text, self.place)
        if subscript is not None:
            self.place = subscript.end()
            name += f"_{(subscript[1] or subscript[2]).strip()}"
        if name in CONSTANTS:
            return CONSTANTS[name]
        self.names.add(name)
        return variable(name, self.point)
