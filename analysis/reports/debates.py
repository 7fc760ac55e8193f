"""Ask of any study the questions of "When Two LLMs Debate, Both Think They'll Win".

The findings of arXiv 2505.19184: how sure debaters are by phase, how much that rises, how often
both sides are sure of winning; by contestant, against 50% in debates of one against itself, and
against a jury's verdicts if there are any; missing and doubtful ratings, the checks of a reviewer
(robustness.py), and the rules behind the numbers.  Studies whose protocols answer questions have a
section of their own (answers.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Annotated

import numpy as np

from analysis.read.answers import AnswerRecord, read_answers
from analysis.read.beside import Beside, read_beside
from analysis.read.controls import ControlData, read_controls
from analysis.read.debates import Count, DebateRecord, Debates, Unfinished, read_records
from analysis.read.efforts import EffortRow
from analysis.read.prompt_caches import PromptCacheRow
from analysis.read.rating_kinds import NOTHING, RatingKinds
from analysis.read.seats import SeatRecord, read_seats
from analysis.read.selection import ALL, By, Chosen, Selection
from analysis.read.usage import StudyUsage
from analysis.reports.against_jury import (
    CalibrationRow,
    OutcomeCounts,
    calibration_rows,
    outcome_counts,
)
from analysis.reports.answers import AnswerFindings, answer_findings
from analysis.reports.assessments import Assessments
from analysis.reports.controls import ControlFindings, control_findings, only_arms
from analysis.reports.details import CalibrationDetails, calibration_details
from analysis.reports.labels import LabelFindings
from analysis.reports.losses import Losses, losses
from analysis.reports.plain_json import (
    INLINE,
    OPTIONAL,
    JsonField,
    JsonObject,
    interval_as,
    json_object,
)
from analysis.reports.private_reasoning import PrivateReasoning, private_reasoning
from analysis.reports.rating_kinds import RatingFindings, rating_findings
from analysis.reports.registered import RegisteredFindings
from analysis.reports.robustness import DEFAULT_CHECKS, Checks, Robustness, robustness
from analysis.reports.rows import (
    CLAIMS,
    CLAIMS_OF_SHARE,
    EpisodeCounts,
    Pool,
    episode_counts,
    totals,
)
from analysis.reports.rules import rules
from analysis.reports.seats import SeatFindings, seat_findings
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
from arena.errors import StudyError

# The JSON calls the clusters by their name, and leaves out the test against 0.
RATING = JsonField(
    inline=True,
    only=("n", "clusters", "mean", "sd", "ci_low", "ci_high"),
    names={"clusters": "debates"},
)
CALIBRATION_DETAILS = JsonField("calibration_details", optional=True)
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


@dataclass(frozen=True, slots=True)
class ArmReport:
    """The findings of one arm."""

    arm: str
    episodes: EpisodeCounts
    debates: Annotated[DebateFindings, INLINE]
    missing: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class StudyReport:
    """The report of one study: its `debates`, `answers`, and `seats` of other protocols.

    `arms` has the findings of each arm if its debates have several.  `by` says who counts as one
    contestant, `pooled` which several do.  `chosen` is None if no episode is left out.  Where there
    are `controls`, `debates` and `details` are of the other arms.
    """

    study: str
    simulated: bool
    judges_simulated: Annotated[bool | None, OPTIONAL]
    origin: str | None
    episodes: EpisodeCounts
    debates: Annotated[DebateFindings | None, INLINE]
    missing: tuple[Count, ...]
    rules: Mapping[str, str]
    details: Annotated[tuple[CalibrationDetails, ...] | None, CALIBRATION_DETAILS]
    arms: Annotated[tuple[ArmReport, ...] | None, OPTIONAL] = None
    answers: Annotated[AnswerFindings | None, OPTIONAL] = None
    seats: Annotated[SeatFindings | None, OPTIONAL] = None
    by: By = "agent"
    pooled: tuple[Pool, ...] = ()
    chosen: Annotated[Chosen | None, OPTIONAL] = None
    registration: Annotated[RegisteredFindings | None, OPTIONAL] = None
    labels: Annotated[tuple[LabelFindings, ...] | None, OPTIONAL] = None
    private_reasoning: Annotated[PrivateReasoning | None, OPTIONAL] = None
    usage: Annotated[StudyUsage | None, OPTIONAL] = None
    controls: Annotated[ControlFindings | None, OPTIONAL] = None
    efforts: Annotated[tuple[EffortRow, ...] | None, OPTIONAL] = None
    caches: Annotated[tuple[PromptCacheRow, ...] | None, OPTIONAL] = None
    assessments: Annotated[Assessments | None, OPTIONAL] = None


def report(
    path: Path,
    study: str | None = None,
    checks: Checks = DEFAULT_CHECKS,
    selection: Selection = ALL,
) -> list[JsonObject]:
    """Return the JSON of `study_reports`, as `arena report --json` prints it; undefined is None."""
    return [json_object(each) for each in study_reports(path, study, checks, selection)]


def study_reports(
    path: Path,
    study: str | None = None,
    checks: Checks = DEFAULT_CHECKS,
    selection: Selection = ALL,
) -> list[StudyReport]:
    """Return the report of the study, or of every study in the store that is not a judging.

    Studies with debates come first, then those with answers, each kind oldest first; `checks`
    chooses the checks of `robustness`, `selection` the episodes.  Raises StudyError, naming the
    studies there are, if `study` is unknown or has nothing to report, and StoreError if the store
    cannot be read.
    """
    # A study may have all kinds of plays, and is unknown only if it has none of them.
    answered = {record.study: record for record in read_answers(path, study, selection)}
    seated = {record.study: record for record in read_seats(path, study, selection)}
    try:
        records = read_records(path, study, selection, readings=checks.mixed)
        debated = {record.study: record for record in records}
    except StudyError as error:
        if study not in answered and study not in seated:
            others = ", ".join(record.study for record in read_answers(path))
            raise StudyError(
                f"{error}; with answers: {others}" if others else str(error)
            ) from error
        debated = {}
    extra = read_beside(path, study, selection, calls=checks.details) if debated else {}
    controls = read_controls(path, debated, selection) if debated else {}
    by = selection.by
    reports = [
        study_report(
            debated.get(name), answered.get(name), seated.get(name), checks, by, controls.get(name)
        )
        for name in dict.fromkeys((*debated, *answered, *seated))
    ]
    return [
        with_beside(row, extra[row.study]) if row.debates and row.study in extra else row
        for row in reports
    ]


def with_beside(report: StudyReport, beside: Beside) -> StudyReport:
    """Return a report with what stands beside its debates."""
    said = private_reasoning(beside.labels)
    more = rules("private reasoning") if said else {}
    words = {**report.rules, **more, **(rules("usage") if beside.usage else {})}
    return replace(report, private_reasoning=said, usage=beside.usage, rules=words)


def study_report(
    debated: DebateRecord | None,
    answered: AnswerRecord | None,
    seated: SeatRecord | None,
    checks: Checks,
    by: By = "agent",
    controlled: ControlData | None = None,
) -> StudyReport:
    """Return the report of a study with plays of any kind; one of them is not None."""
    record = debated or answered or seated
    assert record is not None
    debates = None
    arms = None
    # Only rules that a number of this report needs.
    sections = []
    controls = None
    headline = debated
    if debated is not None:
        if controlled is not None:
            controls = control_findings(debated.debates, controlled)
            # Of ratings before a debate, or of debates past each other, no headline may speak.
            headline = only_arms(debated, controls.plain) if controls.plain else debated
        debates = findings_of(headline or debated, checks)
        names = dict.fromkeys(count.arm for count in debated.episodes)
        # A single arm would only repeat the findings of the study.
        if len(names) > 1:
            arms = tuple(arm_report(debated, checks, arm) for arm in names)
        sections = ["debates", "robustness"]
        sections += ["equivalence"] if debates.against_half else []
        sections += ["mixed"] if checks.mixed else []
        sections += ["controls"] if controls else []
    sections += ["answers"] if answered else []
    seats = seat_findings(seated) if seated else None
    sections += ["seats"] if seats else []
    sections += ["ballots"] if seats and seats.ballots else []
    return StudyReport(
        record.study,
        record.simulated,
        debated.judges_simulated if debated else None,
        record.origin,
        episode_counts(record.episodes),
        debates,
        record.missing,
        {name: words for section in sections for name, words in rules(section).items()},
        calibration_details(headline.debates) if headline else None,
        arms,
        answer_findings(answered) if answered else None,
        seats,
        by,
        tuple(Pool(*row) for row in (debated.pooled if debated else ())),
        record.chosen,
        controls=controls,
    )


def arm_report(record: DebateRecord, checks: Checks, arm: str) -> ArmReport:
    """Return the findings of one arm."""
    episodes = [count for count in record.episodes if count.arm == arm]
    part = only_arms(record, [arm])
    return ArmReport(arm, episode_counts(episodes), findings_of(part, checks), part.missing)


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
