"""Report a study: the findings of its debates, its answers and its seats, with what stands beside.

The questions of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184) are asked of any
study with debates (debate_findings.py); studies whose protocols answer questions, or whose seats
vote, have sections of their own (answers.py, seats.py), and all have the rules behind the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from analysis.read.answers import AnswerRecord, read_answers
from analysis.read.beside import Beside, read_beside
from analysis.read.controls import ControlData, read_controls
from analysis.read.debates import Count, DebateRecord, read_records
from analysis.read.efforts import EffortRow
from analysis.read.prompt_caches import PromptCacheRow
from analysis.read.reply_forms import InTags
from analysis.read.seats import SeatRecord, read_seats
from analysis.read.selection import ALL, By, Chosen, Selection
from analysis.read.usage import StudyUsage
from analysis.reports.answers import AnswerFindings, answer_findings
from analysis.reports.assessments import Assessments
from analysis.reports.controls import ControlFindings, control_findings, only_arms
from analysis.reports.debate_findings import DebateFindings, findings_of
from analysis.reports.details import CalibrationDetails, calibration_details
from analysis.reports.labels import LabelFindings
from analysis.reports.plain_json import INLINE, OPTIONAL, JsonField, JsonObject, json_object
from analysis.reports.private_reasoning import PrivateReasoning, private_reasoning
from analysis.reports.registered import RegisteredFindings
from analysis.reports.robustness import DEFAULT_CHECKS, Checks
from analysis.reports.rows import EpisodeCounts, Pool, episode_counts
from analysis.reports.rules import rules
from analysis.reports.seats import SeatFindings, seat_findings
from arena.errors import StudyError

CALIBRATION_DETAILS = JsonField("calibration_details", optional=True)


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
    are `controls`, `debates` and `details` are of the other arms.  `in_tags` has the models that
    served no schema where the study asks for one.
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
    in_tags: Annotated[tuple[InTags, ...] | None, OPTIONAL] = None


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
