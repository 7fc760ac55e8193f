r"""Take a unit off a number: words, symbols with powers, currency and percent signs.

A unit of any kind may stand beside a number (`18 eggs`, `18\,\mathrm{cm^2}`, `€18`, `18 km/h`,
`18 USD`).  Units of the tables below have a size, so that 5 km is 5000 m and not 5 m; other units
are only known to be the same or not.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

# Per dimension: names of a unit, and its size in the first unit of the line.  Sizes are exact.
SIZES = {
    "length": "m metre meter=1; km kilometre kilometer=1000; cm centimetre centimeter=1/100;"
    " mm millimetre millimeter=1/1000; dm=1/10; nm=1/1000000000; µm μm=1/1000000;"
    " in inch inches=127/5000; ft foot feet=381/1250; yd yard=1143/1250; mi mile=201168/125",
    "time": "s sec second=1; min minute=60; h hr hour=3600; day d=86400; week=604800;"
    " ms millisecond=1/1000",
    "mass": "g gram gramme=1; kg kilogram=1000; mg milligram=1/1000; t tonne=1000000",
    "volume": "l L litre liter=1; ml mL millilitre milliliter=1/1000; cl=1/100; dl=1/10",
    "dollars": "$ dollar usd us$ buck=1; ¢ cent=1/100",
    "euros": "€ euro eur=1; eurocent=1/100",
    "pounds": "£ gbp quid=1; penny pence=1/100",
    "yen": "¥ yen jpy=1",
    "energy": "j J joule=1; kj kJ kilojoule=1000",
    "electronvolts": "eV ev electronvolt=1",
    "voltage": "v V volt=1; mv mV=1/1000; kv kV=1000",
    "current": "amp ampere=1; ma mA=1/1000",
    "power": "w W watt=1; kw kW kilowatt=1000; MW megawatt=1000000",
    "frequency": "hz Hz hertz=1; kHz khz=1000; MHz=1000000; GHz=1000000000",
    "force": "N newton=1; kN=1000",
    "pressure": "pa Pa pascal=1; kPa kpa=1000",
    "number": "dozen=12",
}
# Symbols that take the prefixes of the SI, in whose case mJ and MJ differ.  Their size is 1 above.
PREFIXED = dict(length="m", mass="g", energy="J", electronvolts="eV", voltage="V", power="W",
                frequency="Hz", pressure="Pa")  # fmt: skip
PREFIXES = {"n": -9, "µ": -6, "μ": -6, "m": -3, "k": 3, "M": 6, "G": 9}
# Symbols without a size here; with those above, the words that may stand right behind a number.
SYMBOLS = (
    "° °C °F °K K rad deg mol bit byte kB MB GB TB mph kph kmh rpm ha acre lb lbs oz gal qt pt"
    " cal kcal Ω ohm px pts hrs mins secs cc sq cu kmph kWh Wh dB bps atm bar psi Cal"
    " kb Kb KB Mb Gb Tb mΩ kΩ MΩ zł Kč units unit inr rs rmb cny chf aud cad nok sek dkk pln rub"
)
PERCENT = frozenset({"%", "percent", "pct", "percentage", "percents", "percentage points"})
DEGREES = frozenset({"°", "deg", "degree", "degrees"})
# Words behind a number that make it another number, or no number, or no unit.
NO_UNIT = frozenset(
    [
        "or",
        "and",
        "not",
        "more",
        "less",
        "than",
        "minus",
        "plus",
        "times",
        "over",
        "half",
        "halves",
        "quarter",
        "third",
        "thirds",
        "fourth",
        "fourths",
        "fifth",
        "fifths",
        "tenth",
        "tenths",
        "hundredth",
        "hundredths",
        "squared",
        "cubed",
        "factorial",
        "least",
        "most",
        "few",
        "point",
        "hundred",
        "thousand",
        "million",
        "billion",
        "trillion",
        "am",
        "pm",
        "past",
        "bc",
        "ad",
        "bce",
        "ce",
        "st",
        "nd",
        "rd",
        "th",
        "to",
        "if",
        "except",
        "but",
        "maybe",
        "perhaps",
        "either",
        "nor",
        "no",
        "mod",
        "sin",
        "cos",
        "tan",
        "log",
        "ln",
        "sqrt",
        "pi",
        "max",
        "min",
        "gcd",
        "lcm",
        "is",
        "are",
        "was",
        "equals",
        "root",
        "roots",
        "i",
        "e",
        "x",
        "y",
        "z",
    ]
)
# Words that turn the sign of the number beside them.
OPPOSITES = {"below", "under", "negative", "debt", "short", "deficit", "loss", "owed", "owing"}
# The sign of a currency before a number, or its code.
CURRENCY = re.compile(
    r"(?P<sign>[-+]?)\s*(?:(?:US|CA|AU|NT|A|C|NZ|HK|S|R)?\\?(?P<dollar>\$)"
    r"|\\?(?P<mark>[€£¥₹₩₽₺₴¢₿₫₪₦฿₱])"
    r"|\\(?P<name>pounds|euro|EUR|yen|textdollar|texteuro|textsterling"
    r"|textyen)(?![A-Za-z])(?:\{\})?"
    r"|(?P<code>USD|EUR|GBP|JPY|CNY|RMB|INR|CHF|AUD|CAD|Rs\.?|NT)(?=[\s\d]))\s*(?=[-+.\d\\])"
)
NAMES = {"pounds": "£", "euro": "€", "eur": "€", "yen": "¥", "textdollar": "$"}
NAMES |= {"texteuro": "€", "textsterling": "£", "textyen": "¥"}
TEXT = (
    r"\\(?:text|textrm|textbf|textit|textnormal|mathrm|mathbf|mathit|mathsf|mbox|hbox|rm"
    r"|operatorname)\s*\{"
)
DEGREE = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![A-Za-z])|\\textdegree|º|˚")
POWER = re.compile(r"(?:\^\s*(?:\{\s*([-+]?[0-9]{1,2})\s*\}|([-+]?[0-9]))|\*\*([0-9]))")
FRACTION = re.compile(r"\\[dt]?frac\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
SIGNS = "%°¢$€£¥₹₩₽₺₴₿₫₪₦฿₱"
# One piece of a unit: a word, a sign, or what joins two.
PIECE = re.compile(
    rf"(?P<word>[^\W\d_]+(?:[-'’][^\W\d_]+)*\.?)|(?P<sign>[{SIGNS}'\"Ω])"
    r"|(?P<join>[/·*⋅×(). -])"
)
MOST_WORDS = 6


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit beside a number.

    `pieces` are its words and signs with their powers, sorted; `glued` says that it is one letter
    right behind the number, which may be a variable as well.
    """

    pieces: tuple[tuple[str, int], ...]
    glued: bool = False

    @property
    def percent(self) -> bool:
        """Return whether it is a percent sign or word."""
        return len(self.pieces) == 1 and self.pieces[0][0] == "%"

    @property
    def size(self) -> tuple[tuple[tuple[str, int], ...], Fraction] | None:
        """Return its dimensions with their powers, and its size in them; None if unknown."""
        dimensions: dict[str, int] = {}
        size = Fraction(1)
        for piece, power in self.pieces:
            if piece not in KNOWN:
                return None
            dimension, one = KNOWN[piece]
            dimensions[dimension] = dimensions.get(dimension, 0) + power
            size *= one**power
        return tuple(sorted(dimensions.items())), size


def _known_units() -> dict[str, tuple[str, Fraction]]:
    """Return (dimension, size) by the name of a unit."""
    known = {}
    for dimension, line in SIZES.items():
        for part in line.split(";"):
            names, _, size = part.partition("=")
            for name in names.split():
                known[name] = (dimension, Fraction(size))
    for dimension, symbol in PREFIXED.items():
        for prefix, power in PREFIXES.items():
            known.setdefault(prefix + symbol, (dimension, Fraction(10) ** power))
    return known


KNOWN = _known_units()
SHORT = frozenset(SYMBOLS.split()) | KNOWN.keys()


def _cased_symbols() -> frozenset[str]:
    """Return the symbols, in small letters, that are several units in several cases: mm, mb."""
    units: dict[str, set[object]] = {}
    for symbol in SHORT:
        units.setdefault(symbol.casefold(), set()).add(KNOWN.get(symbol, symbol))
    return frozenset(symbol for symbol, found in units.items() if len(found) > 1)


CASED = _cased_symbols()


def same_unit(one: Unit, other: Unit) -> bool:
    """Tell whether two units are the same, or one says more of the same ("apples in all")."""
    if one.pieces == other.pieces:
        return True
    first, second = set(one.pieces), set(other.pieces)
    if one.size and other.size:
        return one.size == other.size
    return (first <= second or second <= first) and not (one.size or other.size)


def differ_in_case(one: Unit, other: Unit) -> bool:
    """Tell whether two units that are not the same have the same letters: ml and ML."""
    folded = [[(name.casefold(), power) for name, power in unit.pieces] for unit in (one, other)]
    return sorted(folded[0]) == sorted(folded[1])


def ratio(one: Unit, other: Unit) -> Fraction | None:
    """Return how many of the other unit are one of this; None if that is not known."""
    if one.size is None or other.size is None or one.size[0] != other.size[0]:
        return None
    return one.size[1] / other.size[1]


def may_be_converted(factor: Fraction, unit: Unit) -> bool:
    """Tell whether a factor leads from this unit to another of its dimension."""
    if unit.percent:
        return factor in (100, Fraction(1, 100))
    if unit.size is None or len(unit.size[0]) != 1:
        return False
    ((dimension, power),) = unit.size[0]
    sizes = {size for name, size in KNOWN.values() if name == dimension}
    return any(unit.size[1] / size**power == factor for size in sizes) and factor != 1


def split_unit(text: str) -> tuple[str, Unit | None]:
    """Return a text of mathematics without the unit before or behind its number, and the unit."""
    currency = CURRENCY.match(text)
    if currency is not None:
        mark = currency["dollar"] or currency["mark"] or (currency["name"] or "").lower()
        code = (currency["code"] or "").lower().rstrip(".")
        sign = NAMES.get(mark, mark) or code
        rest = currency["sign"] + text[currency.end() :]
        body, behind = split_unit_behind(rest)
        # "$5 USD" has one unit twice, "$5 a day" one more.
        unit = Unit(((_piece(sign), 1),))
        if behind is None or same_unit(unit, behind):
            return body, unit
        return body, Unit(tuple(sorted({*unit.pieces, *behind.pieces})))
    return split_unit_behind(text)


def split_unit_behind(text: str) -> tuple[str, Unit | None]:
    """Return a text without the unit that ends it, and the unit; (text, None) without one."""
    start = _start_of_unit(text)
    if start is None:
        return text, None
    body = text[:start].rstrip()
    tail = text[start:]
    unit = parse_unit(tail)
    while body.endswith(("\\", "~", ",", "\\,")):  # a thin space before the unit
        body = body.rstrip("\\~, ")
    if unit is None or not body or body[-1] not in "0123456789.})]|!πie":
        return text, None
    explicit = re.search(TEXT, tail) is not None
    spaced = re.match(r"\s|~|\\[,;: ]", tail) is not None or text[start - 1] in "},~"
    word = re.sub(r"[^A-Za-z]", "", tail)
    if not explicit and "frac" in tail and not all(name in SHORT for name, _ in unit.pieces):
        return text, None  # 3 m/n is no speed
    if not explicit and not unit.percent and word:
        plain = re.sub("(?<=[a-z])[23]", "", POWER.sub("", tail)).strip()
        # 18/day has a unit; 18/ab may be a quotient.
        if tail.lstrip().startswith("/") and not set(re.split(r"[/\s]+", plain)) & SHORT:
            return text, None
        symbol = plain in SHORT or any(name in SHORT for name in re.split(r"[/·*. ]+", plain))
        if not spaced and len(word) == 1 and "°" not in DEGREE.sub("°", tail):
            # 5m: five metres, or five times m.
            return (body, Unit(unit.pieces, glued=True)) if symbol else (text, None)
        if not symbol and (len(word) < 2 or (not spaced and len(word) < 4)):
            return text, None
    return body, unit


def _start_of_unit(text: str) -> int | None:
    """Return where the unit at the end of a text begins, None if none can."""
    # Walk back over words, signs, powers and \text{}, to the last character of the number.
    last = None
    for match in re.finditer(
        rf"[0-9}})\]|!](?=\s*(?:\\[,;:! ]|~|\\\s|\s)*\s*(?:{TEXT}|[^\W\d_]|[{SIGNS}]|\\[%$]"
        r"|\\(?:circ|degree)|\^\s*\{?\s*\\circ|º|˚|-[a-z]|/\s*[^\W\d_]{2}|\\[dt]?frac\s*\{))"
        r"|(?<=[^A-Za-z\\])(?:[πie]|pi)(?=\s+[a-z]{2})|\\(?:pi|infty|theta)(?![A-Za-z])",
        text,
    ):
        tail = text[match.end() :]
        if tail.strip() and len(tail) <= 120 and parse_unit(tail) is not None:
            last = match.end()
            break
    return last


def parse_unit(tail: str) -> Unit | None:
    """Return the unit that a text is, None if it is none."""
    text = FRACTION.sub(r" \1 / \2 ", DEGREE.sub("°", tail))
    text = re.sub(TEXT, "{", text).replace("\\%", "%").replace("\\$", "$")
    text = re.sub(r"\\(?:cdot|times)(?![A-Za-z])|\\[,;:! ]|~", " ", text).replace("\\mu", "µ")
    if "\\" in text or len(text) > 120:
        return None
    pieces: list[tuple[str, int]] = []
    sign = 1
    words = 0
    titled = 0
    place = 0
    while place < len(text):
        power = POWER.match(text, place)
        if power is not None:
            if not pieces:
                return None
            name, before = pieces[-1]
            number = int(power[1] or power[2] or power[3])
            pieces[-1] = (name, number * (1 if before > 0 else -1))
            place = power.end()
            continue
        piece = PIECE.match(text, place)
        if piece is None:
            if text[place] in "{}":
                place += 1
                continue
            return None
        place = piece.end()
        if piece["join"]:
            sign = -1 if piece["join"] == "/" else sign
            continue
        word = (piece["word"] or piece["sign"]).rstrip(".")
        lower = word.casefold()
        if lower in OPPOSITES or (lower in NO_UNIT and word not in SHORT):
            return None
        if lower in ("per", "a", "an", "each") and pieces:
            sign = -1
            continue
        if word in SHORT and text[place : place + 1] in ("2", "3"):  # 18 m2
            pieces.append((_piece(word), sign * int(text[place])))
            words += 1
            place += 1
            continue
        words += 1
        # "3 Doors Down" is a name.
        titled += word[:1].isupper() and word[1:].islower() and _piece(word) not in KNOWN
        if lower in POWERS and words <= MOST_WORDS:
            pieces.append((lower, POWERS[lower]))
            continue
        pieces.append((_piece(word), sign))
    found = _join_powers(pieces)
    return Unit(found) if found and words <= MOST_WORDS and titled < 2 else None


# "square metres", "sq. ft", "cubic centimetres".
POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
FILLERS = frozenset(
    ["of", "in", "the", "all", "total", "altogether", "long", "wide", "high", "tall", "away", "old"]
)


def _join_powers(pieces: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return pieces with "square" and "cubic" as powers of the next one, sorted."""
    joined = []
    power = 1
    for name, exponent in pieces:
        if name in POWERS:
            power = POWERS[name]
        elif name not in FILLERS:
            joined.append((name, exponent * power))
            power = 1
    if not joined and pieces:
        joined = [piece for piece in pieces if piece[0] not in POWERS]
    return tuple(sorted(joined))


def _piece(word: str) -> str:
    """Return the one spelling of a unit's name."""
    if word in KNOWN or word in ("°",):
        return _first_name(word)
    lower = unicodedata.normalize("NFC", word).casefold()
    if lower in CASED or len(word) == 1:
        return word
    if lower in PERCENT or lower.rstrip("s") in PERCENT:
        return "%"
    if lower in DEGREES:
        return "°"
    for name in (lower, lower.removesuffix("s"), lower.removesuffix("es"), lower[:-3] + "y"):
        if name in KNOWN:
            return _first_name(name)
    for ending, single in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch")):
        if lower.endswith(ending) and len(lower) > 4:
            return lower.removesuffix(ending) + single
    return lower.removesuffix("s") if len(lower) > 2 and not lower.endswith("ss") else lower


def _first_name(name: str) -> str:
    """Return the first name of a unit that has a size."""
    for line in SIZES.values():
        for part in line.split(";"):
            names = part.partition("=")[0].split()
            if name in names:
                return names[0]
    return name
