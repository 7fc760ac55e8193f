"""What a reviewer asks of the findings about debates: does another analysis, or another choice of ratings, say the same?

The slope over phases two ways (escalation.py), the headlines without doubtful and with missing ratings (sensitivity.py), equivalence to
50% where that is the claim (equivalence.py), and p-values adjusted for how many models were looked at (multiplicity.py).  All but the
mixed-effects model are closed forms and stand in every report.  Left out: a sensitivity to the choice of judges, which is `arena rank`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import nan
from typing import Any

import numpy as np

from analysis.read.debates import Debates
from analysis.statistics.equivalence import equivalence
from analysis.statistics.escalation import mixed_model, slope
from analysis.statistics.multiplicity import holm
from analysis.statistics.sensitivity import Headlines, bounds, complete_debates, headlines

Json = dict[str, Any]
RULES = {
    "slope": "A straight line through all ratings over phases 0, 1, 2 in playing order, with debates as clusters. With all ratings of"
    " three phases it is half the rise.",
    "sensitivity": "Each row takes the ratings that it names. Flagged: the turn carries a doubt in words. Missing, set to 0 or 100%: the"
    " lowest and highest that each number can be, whatever the missing ratings are (Manski's bounds, without an interval).",
    "holm": "p-values of one family (models; phases against 50%; pairs of arms) adjusted by Holm's method, valid however they depend.",
}
EQUIVALENCE_RULE = {
    "equivalence": "Two one-sided tests at 5% with debates as clusters. equivalent: the 90% interval lies within the margin around 50%;"
    " different: it lies outside; undecided: neither.",
}
MIXED_RULE = {
    "mixed": "confidence ~ phase, with intercept and slope by debate and an intercept by side within debates; REML, Wald's test.",
}


@dataclass(frozen=True, slots=True)
class Checks:
    """What to check: `margin` around 50% in [0, 1], whether to fit the mixed-effects model, and on how many debates at most."""

    margin: float = 0.05
    mixed: bool = False
    sample: int | None = None


DEFAULT_CHECKS = Checks()


def robustness(debates: Debates, checks: Checks) -> Json | None:
    """All checks of a set of debates as a dictionary, nan where undefined; None without a phase in which ratings were asked for."""
    if not debates.phases:
        return None
    whole = np.ones(debates.confidence.shape, dtype=bool)
    variants = {
        "as_reported": whole,
        "without_flagged": ~debates.flagged,
        "complete_debates": complete_debates(debates.confidence, debates.asked),
    }
    fitted = asdict(mixed_model(debates.confidence, sample=checks.sample)) if checks.mixed else None
    return {
        "slope": asdict(slope(debates.confidence)) if len(debates.phases) > 1 else None,
        "mixed": fitted,
        "sensitivity": {
            "phase": debates.phases[-1],
            **{
                name: headline_row(headlines(debates.confidence, kept))
                for name, kept in variants.items()
            },
            "bounds": bounds_row(debates),
        },
        "equivalence": equivalence_rows(debates, checks.margin),
    }


def headline_row(found: Headlines) -> Json:
    """The headline numbers of some ratings as a row."""
    last = {
        name: getattr(found.last, name) for name in ("n", "clusters", "mean", "ci_low", "ci_high")
    }
    return {
        "left_out": found.left_out,
        "last": last,
        "rise": asdict(found.rise),
        "both": asdict(found.both),
    }


def bounds_row(debates: Debates) -> Json:
    """The bounds as a row."""
    found = bounds(debates.confidence, debates.asked)
    pairs = {"last": found.last, "rise": found.rise, "both_above_75": found.both}
    limits = {
        f"{name}_{end}": value
        for name, pair in pairs.items()
        for end, value in zip(("low", "high"), pair, strict=True)
    }
    return {"missing": found.missing, "debates": found.debates, **limits}


def equivalence_rows(debates: Debates, margin: float) -> list[Json] | None:
    """Equivalence to 50% by phase, over debates of a model against itself; None where there are none."""
    part = debates.select(debates.against_itself())
    return [
        {"phase": phase, **asdict(equivalence(part.confidence[:, :, k], margin=margin))}
        for k, phase in enumerate(part.phases)
    ] or None


def adjust_p_values(rows: Sequence[Json], p: str, name: str) -> list[Json]:
    """The rows of one family with the entry `p` adjusted by Holm's method as a further entry `name`; rows without a p keep nan."""
    found = holm([nan if row[p] is None else row[p] for row in rows])
    return [row | {name: float(value)} for row, value in zip(rows, found, strict=True)]
