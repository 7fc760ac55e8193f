"""Compute the claims that a study was registered with, and say in what it departs.

A claim is named after a number of the report.  Its number is made as the report's is, of the
registered episodes and with the registered margin, whatever the report was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isnan, nan
from pathlib import Path

from analysis.read.selection import Selection
from analysis.reports.debate_findings import DebateFindings
from analysis.reports.debates import StudyReport, study_reports
from analysis.reports.registered import ClaimRow, Estimate, Kind, RegisteredFindings
from analysis.reports.robustness import Checks
from analysis.reports.rules import rules
from analysis.statistics.bootstrap import Interval
from analysis.statistics.clustered import Array
from analysis.statistics.multiplicity import benjamini_hochberg, bonferroni, holm
from arena.errors import StudyError
from arena.studies.registered import Standing, load_registrations, standing
from arena.studies.registration import (
    Analysis,
    Claim,
    Deviation,
    Registration,
    compare_analysis,
)

ADJUST: Mapping[str, Callable[[Sequence[float]], Array]] = {
    "holm": holm,
    "bonferroni": bonferroni,
    "bh": benjamini_hochberg,
}


@dataclass(frozen=True, slots=True)
class ReportClaim:
    """A number of the report that can be claimed: what it is, and how to find it in a report.

    `find` is given the report, and an arm or "" for all of them.
    """

    words: str
    find: Callable[[StudyReport, str], Iterator[Estimate]]


def of_debates(
    find: Callable[[DebateFindings], Iterator[Estimate]], report: StudyReport, arm: str
) -> Iterator[Estimate]:
    """Yield estimates about the debates of a study, or of one arm."""
    found = report.debates
    if arm and report.arms is not None:
        found = next((each.debates for each in report.arms if each.arm == arm), None)
    if found is not None:
        yield from find(found)


def confidence(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield the mean confidence in the last phase."""
    for row in debates.phases[-1:]:
        limits = row.claims.ci_low, row.claims.ci_high
        yield Estimate(f"mean confidence, {row.phase}", row.rating.mean, *limits)


def change(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield the rise from the first to the last phase."""
    if row := debates.rise:
        rise = row.change
        what = f"rise from {row.start} to {row.end}"
        yield Estimate(what, rise.mean, rise.ci_low, rise.ci_high, rise.p, kind="change")


def slope(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield the slope of confidence over phases."""
    if debates.robustness and (line := debates.robustness.slope):
        number = line.slope, line.ci_low, line.ci_high, line.p
        yield Estimate("rise per phase", *number, kind="change")


def both_sure(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield the share of debates in which both sides were above 75%."""
    if both := debates.both:
        share = both.above_75_share
        what = f"debates with both sides above 75%, {both.phase}"
        yield Estimate(what, share.share, share.claims.ci_low, share.claims.ci_high)


def above_half(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield the mean in debates of a model against itself, tested against 50%."""
    for row in (debates.against_half or ())[-1:]:
        test = row.test
        what = f"against itself, mean against 50%, {row.phase}"
        yield Estimate(what, test.mean, test.ci_low, test.ci_high, test.p)


def equal_half(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield the test of equality to 50% within the margin."""
    rows = debates.robustness.equivalence if debates.robustness else None
    for row in (rows or ())[-1:]:
        tost = row.test.test
        what = f"against itself, mean (90% interval), {row.phase}"
        number = row.test.mean, tost.ci_low, tost.ci_high, tost.p
        yield Estimate(what, *number, verdict=tost.verdict)


def gap(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield mean confidence minus the share of wins in the last phase."""
    for row in debates.calibration[-1:]:
        yield of_interval(f"confidence minus wins, {row.phase}", row.scores.gap, "change")


def brier(debates: DebateFindings) -> Iterator[Estimate]:
    """Yield the Brier score of the last phase."""
    for row in debates.calibration[-1:]:
        yield of_interval(f"Brier score, {row.phase}", row.brier, "score")


def accuracy(report: StudyReport, arm: str) -> Iterator[Estimate]:
    """Yield how often each arm is right."""
    for row in report.answers.arms if report.answers else ():
        if arm in ("", row.arm):
            yield of_interval(f"right, {row.arm}", row.accuracy.share.all)


def difference(report: StudyReport, arm: str) -> Iterator[Estimate]:
    """Yield by how much arms are more often right than others."""
    for row in report.answers.differences if report.answers else ():
        if arm in ("", row.arm, row.against):
            what = f"{row.arm} minus {row.against}, right"
            found = of_interval(what, row.difference.all, "change")
            yield replace(found, p=row.difference.p)


def contrast(report: StudyReport, arm: str) -> Iterator[Estimate]:
    """Yield by how much paths of LeaP are more often right than those of its control arms."""
    for row in report.answers.contrasts if report.answers else ():
        if arm in ("", row.arm, row.against):
            what = f"{row.isolates}: {row.arm} minus {row.against}, paths right"
            paths = row.paths
            yield Estimate(what, paths.mean, paths.ci_low, paths.ci_high, paths.p, kind="change")


def control(report: StudyReport, arm: str) -> Iterator[Estimate]:
    """Yield what sets a debate apart from its control arms."""
    for row in report.controls.contrasts if report.controls else ():
        if arm in ("", row.arm, row.control):
            # Words of a speech are no share.
            kind: Kind = "score" if row.what == "words" else "change"
            found = row.difference
            what = f"{row.name}: {row.what}, {row.arm} minus {row.control}"
            yield Estimate(what, found.mean, found.ci_low, found.ci_high, found.p, kind=kind)


def of_interval(what: str, interval: Interval, kind: Kind = "share") -> Estimate:
    """Return a number with its interval as an estimate."""
    return Estimate(what, interval.mean, interval.ci_low, interval.ci_high, kind=kind)


CLAIMS: Mapping[str, ReportClaim] = {
    "confidence": ReportClaim("mean confidence in the last phase", partial(of_debates, confidence)),
    "rise": ReportClaim(
        "change of confidence from the first phase to the last, tested against 0",
        partial(of_debates, change),
    ),
    "slope": ReportClaim("rise per phase, tested against 0", partial(of_debates, slope)),
    "both_above_75": ReportClaim(
        "share of debates in which both sides are above 75% in the last phase",
        partial(of_debates, both_sure),
    ),
    "above_half": ReportClaim(
        "a model against itself: mean confidence in the last phase, tested against 50%",
        partial(of_debates, above_half),
    ),
    "equivalence": ReportClaim(
        "a model against itself: equal to 50% within the margin, by two one-sided tests",
        partial(of_debates, equal_half),
    ),
    "gap": ReportClaim(
        "confidence in the last phase minus the share of wins by verdicts",
        partial(of_debates, gap),
    ),
    "brier": ReportClaim(
        "Brier score of the last phase against verdicts", partial(of_debates, brier)
    ),
    "accuracy": ReportClaim("share of questions answered right, by arm", accuracy),
    "difference": ReportClaim(
        "difference of arms in the share answered right, tested against 0", difference
    ),
    "control": ReportClaim(
        "a debate and its control arms: differences in ratings, words and wins", control
    ),
    "contrast": ReportClaim(
        "LeaP and its control arms: differences in the share of paths that are right", contrast
    ),
}


def with_registrations(
    path: Path, reports: Sequence[StudyReport], checks: Checks, selection: Selection
) -> list[StudyReport]:
    """Return reports with what their studies were registered with, as far as they were."""
    registrations = load_registrations(path)
    found = []
    for report in reports:
        own = [each for each in registrations if each.study == report.study]
        if own:
            findings = registered_findings(path, report, own, checks, selection)
            stated = {**rules("registration"), **report.rules}
            report = replace(report, registration=findings, rules=stated)
        found.append(report)
    return found


def registered_findings(
    path: Path,
    report: StudyReport,
    registrations: Sequence[Registration],
    checks: Checks,
    selection: Selection,
) -> RegisteredFindings:
    """Return what a study's registration says of its results, or that none of them counts."""
    stands = standing(path, registrations, report.study)
    if stands is None:
        last = registrations[-1]
        return RegisteredFindings(last.hash, time_words(last), fault=last.fault)
    plan = stands.plan
    registered = plan.analysis
    own = registered_selection(stands)
    used = Analysis(
        selection.by,
        selection.models,
        selection.arms,
        selection.where,
        selection.leftovers,
        checks.margin,
    )
    why_not = ""
    of_registered: StudyReport | None = report
    if stands.added["arms"] and not stands.arms:
        of_registered, why_not = None, "no registered arm was played"
    elif own != selection or registered.margin != checks.margin:
        try:
            of_registered = study_reports(path, plan.study, Checks(registered.margin), own)[0]
        except StudyError as error:
            of_registered, why_not = None, str(error)
    rows = [
        ClaimRow(claim.name, claim.primary, claim.words, estimate, number=claim.number)
        for claim in registered.claims
        for estimate in estimates_of(claim, of_registered, why_not)
    ]
    faults = [
        Deviation("registrations", f"registration {each.hash[:12]}: {each.fault}")
        for each in stands.others
        if each.fault
    ]
    return RegisteredFindings(
        stands.registration.hash,
        time_words(stands.registration),
        stands.late,
        plan.played_before,
        plan.question,
        registered.multiplicity,
        registered.margin,
        exclusions(registered, any(stands.added.values())),
        tuple(adjust(rows, registered.multiplicity)),
        (*faults, *stands.deviations, *compare_analysis(registered, used)),
        stands.earlier,
    )


def time_words(registration: Registration) -> str:
    """Return when a study was registered."""
    return f"{registration.registered_at:%Y-%m-%d %H:%M:%S} UTC"


def exclusions(registered: Analysis, is_more: bool) -> str:
    """Say which episodes the registered results leave out, also whether more was played since."""
    words = Selection(
        registered.by, registered.models, registered.arms, registered.where, registered.leftovers
    ).filters
    added = "arms, subjects and repeats that were added since" if is_more else ""
    return "; ".join(filter(None, (words, added))) or "none"


def registered_selection(stands: Standing) -> Selection:
    """Return the episodes that registered results are of: none of an arm or motion added since."""
    registered, added = stands.plan.analysis, stands.added
    arms = registered.arms
    if added["arms"] and not arms:
        arms = stands.arms
    conditions = [f"({registered.where}\n)"] if registered.where else []
    for column, part in (("subject", "subjects"), ("repeat", "repeats")):
        if added[part]:
            # Ids and numbers, which are hex digits.
            values = ", ".join(f"'{item}'" for item in added[part])
            conditions.append(f"{column}::varchar not in ({values})")
    # As it was typed where nothing else is left out, so that it is the same as in this report.
    where = (
        " and ".join(conditions) if len(conditions) > bool(registered.where) else registered.where
    )
    return Selection(registered.by, registered.models, arms, where, registered.leftovers)


def estimates_of(claim: Claim, report: StudyReport | None, why_not: str) -> list[Estimate]:
    """Return the numbers of a claim; where there is none, one that says why."""
    kind, _, arm = claim.name.partition("@")
    if report is None or kind not in CLAIMS:
        return [Estimate(why_not or "this version has no such number")]
    return list(CLAIMS[kind].find(report, arm)) or [Estimate("nothing to compute it from")]


def adjust(rows: Sequence[ClaimRow], multiplicity: str) -> list[ClaimRow]:
    """Return rows with the p-values of primary claims adjusted."""
    primary = [row.estimate.p if row.primary else nan for row in rows]
    if multiplicity not in ADJUST or all(map(isnan, primary)):
        return list(rows)
    adjusted = ADJUST[multiplicity](primary).tolist()
    return [replace(row, p_adjusted=p) for row, p in zip(rows, adjusted, strict=True)]
