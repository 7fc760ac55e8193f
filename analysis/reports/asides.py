"""Compare what seats say aside with what they say in their turns: ratings in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.read.asides import Asides, read_asides
from analysis.statistics.clustered import CHANGE, Array, MeanEstimate, clustered_mean


@dataclass(frozen=True, slots=True)
class AsideDifference:
    """How much surer an agent is aside than in its turns of one phase; ratings in [0, 1].

    Of `pairs` turns both ratings could be read; `stated` and `aside` are their means, and
    `difference` estimates aside minus stated, with the debates as clusters.  Of further turns the
    rating of the turn (`without_stated`) or of the aside (`without_aside`) is missing.
    """

    aside_study: str
    ask: str
    agent: str
    phase: str
    pairs: int
    stated: float
    aside: float
    difference: MeanEstimate
    without_stated: int
    without_aside: int


def aside_differences(path: Path, study: str) -> list[AsideDifference]:
    """Return the differences of a study, by what was asked, agent and phase."""
    return [difference_of(one) for one in read_asides(path, study)]


def difference_of(asides: Asides) -> AsideDifference:
    """Return the difference between asides and turns of one agent and phase."""
    both = ~np.isnan(asides.stated) & ~np.isnan(asides.aside)
    count = int(both.sum())
    return AsideDifference(
        asides.aside_study,
        asides.ask,
        asides.agent,
        asides.phase,
        count,
        float(asides.stated[both].mean()) if count else np.nan,
        float(asides.aside[both].mean()) if count else np.nan,
        clustered_mean(rows_by_play(asides), within=CHANGE),
        int(np.isnan(asides.stated).sum()),
        int(np.isnan(asides.aside).sum()),
    )


def rows_by_play(asides: Asides) -> Array:
    """Return (plays, most) the differences of each play, nan where there is none."""
    change = asides.aside - asides.stated
    plays = int(asides.episode.max()) + 1
    most = int(np.bincount(asides.episode).max())
    rows = np.full((plays, most), np.nan)
    # The place of each pair among those of its play.
    order = np.argsort(asides.episode, kind="stable")
    first = np.searchsorted(asides.episode[order], asides.episode[order])
    rows[asides.episode[order], np.arange(len(order)) - first] = change[order]
    return rows
