"""Show further measures of confidence against the jury as a block."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.reports.blocks import Block, table
from analysis.reports.details import CalibrationDetails
from analysis.reports.tables.formatting import decimal


def details_block(details: Sequence[CalibrationDetails]) -> Block:
    """Return the measures by phase."""
    rows = []
    for row in details:
        more = row.measures
        errors = (row.ece, more.ece_floor, more.ece_equal_mass, more.smooth_ece, more.mce, more.nll)
        cells = [decimal(value, 3) for value in errors]
        ranks = [decimal(value, 2) for value in (more.spearman, more.kendall)]
        rows.append((row.phase, *cells, decimal(more.aurc_x1000, 1), *ranks))
    headings = "phase, ECE, by chance, equal counts, smooth, MCE, NLL, AURC x1000, rho, tau"
    notes = ["by chance: the ECE of perfectly calibrated debaters who state these confidences."]
    return table("More on calibration, ties left out", headings, rows, notes if rows else ())
