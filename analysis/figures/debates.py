"""Parts of the figures about debates: masks of seats, names of phases, samples, sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.figures.charts.style import Row, cut, distinct_names, short_names
from analysis.read.debates import Debates
from arena.text import pluralize

Mask = NDArray[np.bool_]
SEED = 0
MOST_DRAWN = 300
MOST_PANELS = 12
INTERVAL = "Bars are 95% intervals with debates as clusters."
PHASE_LETTERS, PANEL_LETTERS = 18, 27


def model_seats(debates: Debates) -> list[tuple[str, Mask]]:
    """Return (name, mask (G, 2) of the seats that it holds) for each model, by name."""
    names = sorted({name for name in debates.model.ravel().tolist() if name is not None})
    return [(name, np.asarray(debates.model == name, dtype=bool)) for name in names]


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


def phase_names(rows: Sequence[Row]) -> dict[str, str]:
    """Return how each phase is called in a figure, by phase."""
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    return distinct_names(phases, [cut(phase, PHASE_LETTERS) for phase in phases])


def debate_count_words(debates: Debates) -> str:
    """Return how many debates there are, in words."""
    return pluralize(len(debates.arm), "finished debate")
