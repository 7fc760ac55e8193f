"""Check the findings about debates as a reviewer would, by other methods and other ratings.

The slope over phases two ways (escalation.py), the headlines with motions as a third cluster
(motions.py) and as crossed random effects (crossed.py), without doubtful and with missing ratings
(sensitivity.py), equivalence to 50% (equivalence.py), and p-values adjusted for how many models
were looked at (multiplicity.py).  All but the mixed-effects models are closed forms and stand in
every report.  Left out: a sensitivity to the choice of judges, which is `arena rank`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from analysis.read.debates import Debates
from analysis.reports.plain_json import INLINE, JsonField
from analysis.reports.rows import CLAIMS
from analysis.statistics.clustered import CHANGE, SHARE, Array, Codes, Mask
from analysis.statistics.crossed import CrossedFit, crossed_mean
from analysis.statistics.equivalence import Equivalence, equivalence
from analysis.statistics.escalation import MixedFit, Slope, mixed_model, slope
from analysis.statistics.motions import MotionClaim, over_motions
from analysis.statistics.sensitivity import Bounds, Headlines, bounds, complete_debates, headlines


@dataclass(frozen=True, slots=True)
class Checks:
    """The choices of a reviewer.

    `margin` around 50% in [0, 1]; whether to fit the mixed-effects model, and on how many debates
    at most (None: on all); whether to give the tests and steps of each contestant.
    """

    margin: float = 0.05
    mixed: bool = False
    sample: int | None = None
    details: bool = False


# Of the mean in the last phase the JSON keeps what the report says of phases.
HEADLINES = JsonField(
    parts={
        "last": JsonField(only=("n", "clusters", "mean", "ci_low", "ci_high")),
        "rise": JsonField(parts={"claims": CLAIMS}),
    }
)


EQUIVALENCE = JsonField(
    inline=True,
    names={"these": "these_models", "note": "interval_note"},
    parts={"test": INLINE},
)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The headline numbers with other ratings; `phase` is the last."""

    phase: str
    as_reported: Annotated[Headlines, HEADLINES]
    without_flagged: Annotated[Headlines, HEADLINES]
    complete_debates: Annotated[Headlines, HEADLINES]
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class EquivalenceRow:
    """Equivalence to 50% in one phase."""

    phase: str
    test: Annotated[Equivalence, EQUIVALENCE]


@dataclass(frozen=True, slots=True)
class MotionRow:
    """The interval of models and motions like these of one headline, a phase or "rise"."""

    of: str
    claim: Annotated[MotionClaim, INLINE]


@dataclass(frozen=True, slots=True)
class CrossedRow:
    """One headline, a phase or "rise", by crossed random effects."""

    of: str
    fit: Annotated[CrossedFit, INLINE]


@dataclass(frozen=True, slots=True)
class Robustness:
    """All checks of a set of debates; None for a check that was not asked for or does not apply."""

    slope: Annotated[Slope | None, JsonField(parts={"claims": CLAIMS})]
    motions: tuple[MotionRow, ...]
    mixed: MixedFit | None
    crossed: tuple[CrossedRow, ...] | None
    sensitivity: Sensitivity
    equivalence: tuple[EquivalenceRow, ...] | None


DEFAULT_CHECKS = Checks()


def robustness(debates: Debates, checks: Checks, model: Codes) -> Robustness | None:
    """Return all checks, or None without a phase in which ratings were asked for.

    `model` (G, 2) are the codes of models that intervals speak of.
    """
    if not debates.phases:
        return None
    ratings = debates.confidence
    reported = headlines(ratings, np.ones(ratings.shape, dtype=bool), model)

    def with_only(kept: Mask) -> Headlines:
        """Return the headlines over some ratings, which are those reported if none is left out."""
        all_kept = bool((kept | np.isnan(ratings)).all())
        return reported if all_kept else headlines(ratings, kept, model)

    return Robustness(
        # A line needs two phases.
        slope(ratings, model) if len(debates.phases) > 1 else None,
        motion_rows(debates, model),
        mixed_model(ratings, sample=checks.sample) if checks.mixed else None,
        crossed_rows(debates, model, checks.sample) if checks.mixed else None,
        Sensitivity(
            debates.phases[-1],
            reported,
            with_only(~debates.flagged),
            with_only(complete_debates(ratings, debates.asked)),
            # Missing ratings may be missing because they are extreme: bounds need no assumption.
            bounds(ratings, debates.asked),
        ),
        equivalence_rows(debates, checks.margin),
    )


def headline_values(debates: Debates) -> dict[str, tuple[Array, tuple[float, float]]]:
    """Return the values (G, 2) behind each headline, and the range in which they can be."""
    first, last = debates.confidence[:, :, 0], debates.confidence[:, :, -1]
    values = {debates.phases[-1]: (last, SHARE)}
    if len(debates.phases) > 1:
        values = {debates.phases[0]: (first, SHARE), **values, "rise": (last - first, CHANGE)}
    return values


def motion_codes(debates: Debates) -> Codes:
    """Return (G,) a code of each debate's motion; unknown ones are each a motion of their own."""
    place: dict[str, int] = {}
    codes = [
        place.setdefault(name if name is not None else f"unknown {number}", len(place))
        for number, name in enumerate(debates.subject.tolist())
    ]
    return np.array(codes, dtype=np.int64)


def motion_rows(debates: Debates, model: Codes) -> tuple[MotionRow, ...]:
    """Return the headlines with motions as a third cluster."""
    motion = motion_codes(debates)
    return tuple(
        MotionRow(name, over_motions(values, model, motion, within=within))
        for name, (values, within) in headline_values(debates).items()
    )


def crossed_rows(debates: Debates, model: Codes, sample: int | None) -> tuple[CrossedRow, ...]:
    """Return the headlines by crossed random effects, of at most `sample` debates."""
    motion = motion_codes(debates)
    return tuple(
        CrossedRow(name, crossed_mean(values, model, motion, within=within, sample=sample))
        for name, (values, within) in headline_values(debates).items()
    )


def equivalence_rows(debates: Debates, margin: float) -> tuple[EquivalenceRow, ...] | None:
    """Return equivalence to 50% by phase, over debates of a model against itself, or None."""
    part = debates.select(debates.against_itself())
    model = part.model_code
    rows = (
        EquivalenceRow(phase, equivalence(part.confidence[:, :, number], model, margin=margin))
        for number, phase in enumerate(part.phases)
    )
    return tuple(rows) or None
