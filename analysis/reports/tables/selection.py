"""Say at the top of a report which episodes it leaves out, and which contestants it pools."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.read.selection import By, Chosen
from analysis.reports.rows import Pool

# More names would hide the others.
MOST_NAMES = 8


def selection_lines(by: By, pooled: Sequence[Pool], chosen: Chosen | None) -> list[str]:
    """Return what a report leaves out and pools, in sentences; none, if it is all there is."""
    lines = [chosen.note] if chosen else []
    for pool in pooled:
        listed = ", ".join(pool.contestants[:MOST_NAMES])
        more = ", ..." if len(pool.contestants) > MOST_NAMES else ""
        size = len(pool.contestants)
        lines.append(f"By {by}: {pool.name} pools {size} contestants ({listed}{more}).")
    return lines
