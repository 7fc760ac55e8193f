"""Parts of the figures about debates: masks of seats, names of phases, samples, sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.figures.charts.style import Row, cut, distinct_names, short_names
from analysis.read.debates import Debates
from analysis.statistics.claims import LIKE_THESE
from arena.text import pluralize

Mask = NDArray[np.bool_]
SEED = 0
MOST_DRAWN = 300
MOST_PANELS = 12
# Of rows with one contestant each, and of rows of all.
OF_EACH_CONTESTANT = "Bars are 95% intervals, of other debates of the same contestant."
OF_DEBATES = "Bars are 95% intervals, of other debates of the same models."
PHASE_LETTERS, PANEL_LETTERS = 18, 27


def contestant_seats(debates: Debates) -> list[tuple[str, Mask]]:
    """Return (name, mask (G, 2) of the seats that it holds) for each contestant, by name."""
    return [
        (name, np.asarray(debates.contestant == name, dtype=bool)) for name in debates.contestants()
    ]


def sample_rows(pool: NDArray[Any]) -> NDArray[Any]:
    """Return at most MOST_DRAWN rows, drawn with a fixed seed, in their order."""
    if len(pool) <= MOST_DRAWN:
        return pool
    return pool[np.sort(np.random.default_rng(SEED).choice(len(pool), MOST_DRAWN, replace=False))]


def estimate_rows(rows: Sequence[Row], name: str, value: str, size: str) -> list[Row]:
    """Return rows of shares as `estimates_chart` takes them: in percent, with n at the right."""
    called = short_names([row[name] for row in rows])
    estimates = []
    for row in rows:
        numbers = {
            key: None if row[entry] is None else 100 * row[entry]
            for key, entry in (("value", value), ("low", "ci_low"), ("high", "ci_high"))
        }
        estimates.append({"name": called[row[name]], **numbers, "label": f"n = {row[size]:,}"})
    return estimates


def interval_sentence(rows: Sequence[Row]) -> str:
    """Say what the bars of rows speak of: models like these, where all rows do, or these models."""
    models = max((row["models"] for row in rows), default=0)
    if rows and all(row["speaks_of"] == LIKE_THESE for row in rows):
        return f"Bars are 95% intervals, of models like these {models}, in other debates."
    if any(row["speaks_of"] == LIKE_THESE for row in rows):
        return "Bars are 95% intervals, of models like these where they can be spoken for."
    return f"Bars are 95% intervals, of other debates of the same {pluralize(models, 'model')}."


def phase_names(rows: Sequence[Row]) -> dict[str, str]:
    """Return how each phase is called in a figure, by phase."""
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    return distinct_names(phases, [cut(phase, PHASE_LETTERS) for phase in phases])


def debate_count_words(debates: Debates) -> str:
    """Return how many debates there are, in words."""
    return pluralize(len(debates.arm), "finished debate")
