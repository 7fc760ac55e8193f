"""Tell what is damaged in a store, its database file or its journals, and say it in words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import duckdb

from arena.errors import StoreWarning
from arena.store.journal_reader import NOT_IN_ORDER, Damage
from arena.store.unfolded import known_damage

SHOWN_LINES = 5
# Errors within DuckDB.  Damage leads to them, and now and then a query that users write.
INTERNAL = (duckdb.FatalException, duckdb.InternalException)


def shows_damage(error: duckdb.Error, path: Path) -> bool:
    """Tell whether DuckDB found a store's file, and no other, to be other than it was written."""
    # A checksum that is wrong is an error of no kind.
    kinds = (duckdb.Error, duckdb.IOException, duckdb.SerializationException)
    words = (str(path.resolve()), "Corrupt", "corrupt", "checksum")
    return type(error) in kinds and any(word in str(error) for word in words)


def describe_damage(damaged: Sequence[Damage]) -> str:
    """Return in one sentence which lines of which journals are damaged, and what to do."""
    places = "; ".join(
        f"{journal}: {describe_lines([damage.line for damage in found])}"
        for journal, found in groupby(damaged, key=lambda damage: damage.journal)
    )
    return (
        f"{places}; put whole copies of these files in their place, or ask the lost replies again"
        " with: arena run STUDY --ask-damaged-again (the damaged files are kept)"
    )


def describe_lines(numbers: Sequence[int]) -> str:
    """Return in words that these lines of a journal are damaged."""
    if NOT_IN_ORDER in numbers:
        return "lines are missing or not in their order"
    shown = ", ".join(map(str, numbers[:SHOWN_LINES]))
    more = f" and {len(numbers) - SHOWN_LINES:,} more" if len(numbers) > SHOWN_LINES else ""
    return f"line {shown} is damaged" if len(numbers) == 1 else f"lines {shown}{more} are damaged"


def warn_of_left_out(path: Path, entries: Sequence[Path]) -> None:
    """Warn, once for each, of what a reader of a store has to leave out: StoreWarning."""
    for entry in entries:
        if not entry.is_file():
            kind = "a link to nothing" if entry.is_symlink() else "no file"
            warnings.warn(f"{entry} is {kind}, and left out", StoreWarning, stacklevel=1)
    if damaged := known_damage(path):
        words = f"what is damaged is left out: {describe_damage(damaged)}"
        warnings.warn(words, StoreWarning, stacklevel=1)
