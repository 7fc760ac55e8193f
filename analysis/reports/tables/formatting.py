"""Write numbers and names as the text of a report.

Confidences and shares stand in percent, differences in points.  Undefined and missing numbers are
"-".  Names and reasons come from models and imports: characters that could steer a terminal are
replaced.
"""

from __future__ import annotations

from math import isinf, isnan
from typing import Protocol

from analysis.reports.plain_json import without_noise


class HasInterval(Protocol):
    """Anything with an interval, nan if undefined."""

    @property
    def ci_low(self) -> float:
        """The lower end."""

    @property
    def ci_high(self) -> float:
        """The upper end."""


class HasMean(HasInterval, Protocol):
    """Anything with a mean and its interval, nan if undefined."""

    @property
    def mean(self) -> float:
        """The mean."""


def clean(text: str) -> str:
    """Return the text without characters that could steer a terminal, line breaks among them."""
    # Escapes, controls and marks of writing direction are all not printable.
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def is_defined(value: float | None) -> bool:
    """Tell whether there is a number."""
    return value is not None and not isnan(value)


def decimal(value: float | None, digits: int, *, scale: int = 1, signed: bool = False) -> str:
    """Return a number times `scale` with so many digits after the point, or "-"."""
    if value is None or isnan(value):
        return "-"
    # As in the JSON, which then rounds to the same digits as the text.
    # A small number below 0 is 0, not -0.
    number = round(scale * without_noise(value), digits) + 0.0
    return f"{number:+.{digits}f}" if signed else f"{number:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as percent, without the sign, or "-"."""
    return decimal(value, digits, scale=100)


def points(value: float | None, digits: int = 1) -> str:
    """Return a difference of shares in points, signed, or "-"."""
    return decimal(value, digits, scale=100, signed=True)


def interval(row: HasInterval, digits: int = 1) -> str:
    """Return the interval of a row in percent, or "-"."""
    if isnan(row.ci_low):
        return "-"
    return f"{percent(row.ci_low, digits)} to {percent(row.ci_high, digits)}"


def number_interval(row: HasInterval, digits: int = 2, *, signed: bool = False) -> str:
    """Return the interval of a row in its own unit, or "-"; an open end has no number."""
    if isnan(row.ci_low):
        return "-"
    low, high = (decimal(end, digits, signed=signed) for end in (row.ci_low, row.ci_high))
    if isinf(row.ci_high):
        return "open" if isinf(row.ci_low) else f"from {low}"
    return f"up to {high}" if isinf(row.ci_low) else f"{low} to {high}"


def interval_words(row: HasInterval, digits: int = 1) -> str:
    """Return the interval of a row in brackets after a space, or nothing."""
    return "" if isnan(row.ci_low) else f" (95% interval {interval(row, digits)})"


def mean_with_interval(row: HasMean | None) -> str:
    """Return the mean of a row in points, signed, with its interval, or "-"."""
    if row is None or isnan(row.mean):
        return "-"
    return f"{points(row.mean)} ({interval(row)})"


def share_with_interval(row: HasMean) -> str:
    """Return a share in percent, without a sign, with its interval in whole percent, or "-"."""
    return percent(row.mean) + (f" ({interval(row, 0)})" if is_defined(row.ci_low) else "")


def count_with_share(count: int, whole: int) -> str:
    """Return a count with its share in percent."""
    # Of no debates no share is known, and 0 (nan) would look like an error.
    return f"{count} ({100 * count / whole:.1f})" if whole else "0"


def p_value(p: float | None) -> str:
    """Return a p-value, or "-"."""
    return "-" if p is None or isnan(p) else f"{p:.2g}"
