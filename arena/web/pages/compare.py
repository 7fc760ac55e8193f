"""Two studies side by side: paired tests of what changed, and each pair of plays with links.

The comparison is that of `analysis/reports/comparison.py`, as `arena compare` prints it; the page
adds the pairs behind it, all or those that differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, cast

from arena.errors import StudyError
from arena.web.site import PER_PAGE, Page, PageContent, Query, Row, Site, page_number

if TYPE_CHECKING:
    from analysis.reports.comparison import (
        AnswerComparison,
        Comparison,
        DebateComparison,
        MeanDifference,
    )
    from analysis.reports.play_pairs import Pair
    from analysis.statistics.bootstrap import Interval
    from analysis.statistics.clustered import MeanEstimate
    from analysis.statistics.matching import MatchBy

WAYS = {
    "agent": "same subject and same agents in the seats",
    "model": "same subject and same models in the seats",
    "setting": "same subject, system prompts and sampling",
    "subject": "same subject, whoever sat there",
}
TEXTS = "select subject, text from subjects where list_contains(?, subject)"


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """One line of the summary: both values, their difference with its interval, and p.

    Values are shares in [0, 1]; None if undefined.
    """

    name: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    sample: str
    p: float | None
    test: str


@dataclass(frozen=True, slots=True)
class CompareContent(PageContent):
    """The contents of the page; `comparison` is None before two studies are chosen.

    `lines` are the summary by kind, debates or answers; `page_query` is the query that links to
    this page keep; `texts` are the subjects' by id.
    """

    studies: Sequence[Row]
    a: str
    b: str
    by: str
    only: bool
    complaint: str = ""
    comparison: Comparison | None = None
    lines: Mapping[str, Sequence[ComparisonLine]] | None = None
    rows: Sequence[Pair] = ()
    total: int = 0
    page: int = 1
    pages: int = 0
    differing: int = 0
    every: int = 0
    texts: Mapping[str, str | None] | None = None
    page_query: Mapping[str, str | None] | None = None
    ways: Mapping[str, str] = field(default_factory=lambda: WAYS)


def compare(site: Site, name: str, query: Query) -> Page:
    """Return the page: the form alone without two studies, else with the comparison.

    A comparison that cannot be made puts its error above the form.
    """
    page = page_number(query)
    a, b, by = (query.get(key, "") for key in ("a", "b", "by"))
    by = by or "agent"
    only = query.get("only") == "differences"
    with site.store(("studies",)) as ask:
        studies = ask("select study, simulated from studies order by study")
    form = CompareContent(studies, a, b, by, only)
    if not (a and b):
        return Page("compare.html", "Compare", form)
    try:
        if by not in WAYS:
            raise StudyError(f"by must be one of {', '.join(WAYS)}; found {by[:80]!r}")
        comparison, every = cached_comparison(
            site.db, site.fingerprint(), a, b, cast("MatchBy", by)
        )
    except StudyError as error:
        return Page("compare.html", "Compare", replace(form, complaint=str(error)))
    listed = [pair for pair in every if pair.differs] if only else every
    rows = listed[PER_PAGE * (page - 1) : PER_PAGE * page]
    with site.store(()) as ask:
        texts = ask(TEXTS, [sorted({pair.subject for pair in rows})])
    content = replace(
        form,
        comparison=comparison,
        lines=summary_lines(comparison),
        rows=rows,
        total=len(listed),
        page=page,
        pages=-(-len(listed) // PER_PAGE),
        differing=sum(pair.differs for pair in every),
        every=len(every),
        texts={row["subject"]: row["text"] for row in texts},
        page_query={"a": a, "b": b, "by": by, "only": "differences" if only else None},
    )
    return Page("compare.html", f"{a} and {b}", content)


@lru_cache(maxsize=8)
def cached_comparison(
    db: Path, fingerprint: str, a: str, b: str, by: MatchBy
) -> tuple[Comparison, list[Pair]]:
    """Return the comparison and its pairs, cached while the store is the same: it takes seconds.

    Raises StudyError as `read_both` does.
    """
    from analysis.reports.comparison import compare_studies
    from analysis.reports.play_matching import read_both, selection_by
    from analysis.reports.play_pairs import pair_plays

    # Reading takes most of the time: once for the tests and for the pairs.
    both = read_both(db, a, b, selection_by(by))
    return compare_studies(both, by), pair_plays(both, by)


def summary_lines(comparison: Comparison) -> dict[str, list[ComparisonLine]]:
    """Return the lines of the summary by kind, debates or answers, of those that both have."""
    lines = {}
    if comparison.debates:
        lines["debates"] = debate_lines(comparison.debates)
    if comparison.answers:
        lines["answers"] = answer_lines(comparison.answers)
    return lines


def debate_lines(comparison: DebateComparison) -> list[ComparisonLine]:
    """Return confidence by phase, its rise, and debates in which both sides are sure."""
    lines = [
        mean_line(f"confidence, {row.phase}", row.change, "pairs", row.p_holm)
        for row in comparison.phases
    ]
    if rise := comparison.rise:
        name = f"rise of confidence, {rise.start} to {rise.end}"
        lines.append(mean_line(name, rise.change, "pairs", rise.p_holm))
    if both := comparison.both:
        name = f"both sides above 75%, {both.phase}"
        # Without debates the share is undefined.
        a, b = (
            count / total if total else nan
            for count, total in zip(both.above_75, both.debates, strict=True)
        )
        # A debate that is above 75% in A alone is worse in B.
        change = both.difference
        sample = f"{change.questions} pairs; {change.worse} only in A, {change.better} only in B"
        lines.append(line(name, a, b, change.all, sample, both.p_holm, "McNemar, exact, Holm"))
    return lines


def answer_lines(comparison: AnswerComparison) -> list[ComparisonLine]:
    """Return right answers and confidence, of all and by arm."""
    lines = []
    for row in (comparison.whole, *comparison.arms):
        arm = f", {row.arm}" if row.arm else ""
        change = row.difference
        sample = f"{change.questions} questions; {change.better} better, {change.worse} worse"
        p = row.p_holm if row.arm else change.p
        test = "exact, Holm over arms" if row.arm else "exact"
        lines.append(line(f"right answers{arm}", row.a, row.b, change.all, sample, p, test))
        if row.confidence.difference.n:
            lines.append(mean_line(f"confidence{arm}", row.confidence, "questions"))
    return lines


def mean_line(
    name: str, means: MeanDifference, clusters: str, p_holm: float | None = None
) -> ComparisonLine:
    """Return a line of two means; `clusters` says what the clusters of their test are.

    `p_holm` is its p adjusted for the other lines, None if it is not.
    """
    change = means.difference
    sample = f"{change.n} in {change.clusters} {clusters}"
    p, test = (change.p, "Student's t") if p_holm is None else (p_holm, "Student's t, Holm")
    return line(name, means.a, means.b, change, sample, p, test)


def line(
    name: str,
    a: float,
    b: float,
    change: MeanEstimate | Interval,
    sample: str,
    p: float | None,
    test: str,
) -> ComparisonLine:
    """Return one line of the summary, undefined numbers as None."""
    interval = (change.mean, change.ci_low, change.ci_high)
    mean, low, high = (none_if_nan(value) for value in interval)
    return ComparisonLine(
        name, none_if_nan(a), none_if_nan(b), mean, low, high, sample, none_if_nan(p), test
    )


def none_if_nan(value: float | None) -> float | None:
    """Return a number, or None for nan."""
    return None if value is None or isnan(value) else value
