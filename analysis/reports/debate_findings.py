"""Find what a set of debates says of its speakers' confidence.

How sure they are by phase, how much that rises, how often both sides are sure of winning; by
contestant, against 50% in debates of one against itself, and against a jury's verdicts if there are
any; with missing and doubtful ratings, and the checks of a reviewer (robustness.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.debates import Count, DebateRecord, Debates, Unfinished
from analysis.read.rating_kinds import NOTHING, RatingKinds
from analysis.reports.against_jury import (
    CalibrationRow,
    OutcomeCounts,
    calibration_rows,
    outcome_counts,
)
from analysis.reports.losses import Losses, losses
from analysis.reports.plain_json import INLINE, OPTIONAL, JsonField, interval_as
from analysis.reports.rating_kinds import RatingFindings, rating_findings
from analysis.reports.robustness import Checks, Robustness, robustness
from analysis.reports.rows import CLAIMS, CLAIMS_OF_SHARE, totals
from analysis.reports.steps import (
    AgainstHalfRow,
    ContestantDetails,
    PatternRow,
    RiseRow,
    against_half_rows,
    contestant_details,
    pattern_rows,
    step_rows,
)
from analysis.statistics import overconfidence
from analysis.statistics.claims import Claims, mean_claims
from analysis.statistics.clustered import Array, Codes, Mask, MeanEstimate
from analysis.statistics.multiplicity import holm
from analysis.statistics.sensitivity import average

# The JSON calls the clusters by their name, and leaves out the test against 0.
RATING = JsonField(
    inline=True,
    only=("n", "clusters", "mean", "sd", "ci_low", "ci_high"),
    names={"clusters": "debates"},
)
SURE = JsonField(parts={"claims": CLAIMS_OF_SHARE})


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """The confidence stated in one phase; the interval is that of the wider of both claims.

    `missing` counts ratings that were asked for and could not be read, `flagged` turns by flag.
    """

    phase: str
    rating: Annotated[MeanEstimate, RATING]
    claims: Annotated[Claims, CLAIMS]
    missing: int
    flagged: Annotated[Mapping[str, int] | None, OPTIONAL] = None


@dataclass(frozen=True, slots=True)
class BothRow:
    """In how many debates both sides were sure, in one phase, and two of the shares."""

    phase: str
    counts: Annotated[overconfidence.BothSides, INLINE]
    above_75_share: Annotated[overconfidence.SureShare, SURE]
    above_50_share: Annotated[overconfidence.SureShare, SURE]


@dataclass(frozen=True, slots=True)
class ContestantRow:
    """One contestant: `n` seats in which it was asked for a rating, and means in its end phases.

    `model` is its model, or what they are if it has several.  Intervals speak of further debates of
    this contestant.  The rise is None with a single phase; its p is two-sided with debates as
    clusters, `rise_p_holm` the same adjusted for the number of contestants.  Of `judged` debates
    against others it won so many by the majority of votes, a tie half a win, or by confidence sum.
    """

    contestant: str
    model: str
    n: int
    first: float
    last: float
    rise: Annotated[overconfidence.Rise | None, interval_as("rise", p="rise_p", d="rise_d")]
    judged: int
    wins: float
    win_rate: float
    wins_by_confidence_sum: float
    win_rate_by_confidence_sum: float
    phases: tuple[PhaseRow, ...]
    rise_p_holm: float = nan


@dataclass(frozen=True, slots=True)
class DebateFindings:
    """The findings about a set of debates; confidences and shares in [0, 1].

    `both` is the last of `both_by_phase`, `patterns` are of the last phase.  None: nothing to
    report, such as no verdicts for `outcomes`.
    """

    phases: tuple[PhaseRow, ...]
    rise: RiseRow | None
    steps: tuple[RiseRow, ...]
    both: BothRow | None
    both_by_phase: tuple[BothRow, ...]
    patterns: tuple[PatternRow, ...]
    contestants: tuple[ContestantRow, ...]
    against_half: tuple[AgainstHalfRow, ...] | None
    outcomes: OutcomeCounts | None
    calibration: tuple[CalibrationRow, ...]
    robustness: Robustness | None
    losses: Losses
    ratings: RatingFindings
    by_contestant: Annotated[tuple[ContestantDetails, ...] | None, OPTIONAL] = None


def findings_of(record: DebateRecord, checks: Checks) -> DebateFindings:
    """Return the findings about the debates of a record."""
    return debate_findings(record.debates, record.flags, checks, record.unfinished, record.kinds)


def debate_findings(
    debates: Debates,
    flags: tuple[Count, ...],
    checks: Checks,
    unfinished: Sequence[Unfinished] = (),
    kinds: RatingKinds = NOTHING,
) -> DebateFindings:
    """Return the findings about a set of debates; `flags` are counts of its flagged turns."""
    phases = debates.phases
    ratings = debates.confidence
    model = debates.model_code
    both = tuple(
        both_row(phase, ratings[:, :, number], model) for number, phase in enumerate(phases)
    )
    # From the first to the last phase, whatever lies between: the paper's opening and closing.
    change = None
    if len(phases) > 1:
        change = RiseRow(
            phases[0], phases[-1], overconfidence.rise(ratings[:, :, 0], ratings[:, :, -1], model)
        )
    checked = robustness(debates, checks, model)
    return DebateFindings(
        phase_rows(debates, np.ones(model.shape, dtype=bool), model, flags),
        change,
        step_rows(debates),
        both[-1] if both else None,
        both,
        pattern_rows(ratings[:, :, -1], model, intervals=checks.details) if phases else (),
        contestant_rows(debates),
        against_half_rows(debates),
        outcome_counts(debates),
        calibration_rows(debates),
        checked,
        losses(debates, unfinished, checked.sensitivity.bounds if checked else None),
        rating_findings(debates, kinds, split=checks.mixed),
        contestant_details(debates) if checks.details else None,
    )


def both_row(phase: str, confidence: Array, model: Codes) -> BothRow:
    """Return in how many debates (G, 2) both sides were sure."""
    counts = overconfidence.both_sides(confidence)
    shares = (overconfidence.sure_share(confidence, level, model) for level in (0.75, 0.5))
    return BothRow(phase, counts, *shares)


def phase_rows(
    debates: Debates, chosen: Mask, model: Codes | None, flags: tuple[Count, ...] | None = None
) -> tuple[PhaseRow, ...]:
    """Return the confidence of the chosen seats, a mask (G, 2), by phase.

    `model` (G, 2) are the codes of models that intervals speak of, None if one model holds the
    seats.  Turns are counted by flag if `flags` are given.
    """
    rows = []
    for number, phase in enumerate(debates.phases):
        values = np.where(chosen, debates.confidence[:, :, number], nan)
        # A side that was not asked misses nothing.
        missing = int((chosen & debates.asked[:, :, number] & np.isnan(values)).sum())
        flagged = None
        if flags is not None:
            flagged = dict(sorted(totals(flag for flag in flags if flag.phase == phase).items()))
        rows.append(PhaseRow(phase, *mean_claims(values, model), missing, flagged))
    return tuple(rows)


def contestant_rows(debates: Debates) -> tuple[ContestantRow, ...]:
    """Return the confidence and win rate of each contestant, by name."""
    # Against itself a contestant both wins and loses each debate: 50%, whatever it says.
    same_name = debates.contestant[:, :1] == debates.contestant[:, 1:]
    alone = debates.against_itself()[:, None] | same_name
    outcome = np.where(alone, nan, debates.outcome())
    by_sum = np.where(alone, nan, debates.outcome_by_confidence_sum())
    rows = []
    asked = debates.asked.any(axis=2)
    for name in debates.contestants():
        held = debates.contestant == name
        present = held.any(axis=1)
        # Phases in which this contestant was never asked are left out of its rows.
        part = debates.select(present)
        mine = held[present]
        won, won_by_sum = (each[held][~np.isnan(each[held])] for each in (outcome, by_sum))
        # One contestant: its intervals are over further debates of its own.
        phases = phase_rows(part, mine, None)
        change = None
        if len(phases) > 1:
            ends = [np.where(mine, part.confidence[:, :, end], nan) for end in (0, -1)]
            change = overconfidence.rise(*ends)
        rows.append(
            ContestantRow(
                name,
                ", ".join(sorted({model or "unknown" for model in debates.model[held].tolist()})),
                int((held & asked).sum()),
                phases[0].rating.mean if phases else nan,
                phases[-1].rating.mean if phases else nan,
                change,
                won.size,
                float(won.sum()),
                average(won),
                float(won_by_sum.sum()),
                average(won_by_sum),
                phases,
            )
        )
    # The rises of all contestants are one family of tests: all are needed to adjust any.
    adjusted = holm([row.rise.p if row.rise else nan for row in rows]).tolist()
    return tuple(replace(row, rise_p_holm=p) for row, p in zip(rows, adjusted, strict=True))
