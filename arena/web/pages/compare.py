"""Two studies side by side: what changed from the first to the second, in paired tests, and each pair of plays with links to both.

The comparison is `analysis/reports/comparison.py`'s, as `arena compare` prints it; here it stands with the pairs behind it, all or those that differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.errors import StudyError
from arena.web.site import PER_PAGE, Page, Query, Row, Site, page_number, store_fingerprint

if TYPE_CHECKING:
    from analysis.reports.comparison import Pair

WAYS = {
    "models": "same subject and same models in the seats",
    "subject": "same subject, whatever the models",
}


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """One line of the summary: what is compared, both values and the difference with its interval, of how many, and p; shares in [0, 1]."""

    what: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    sample: str
    p: float | None
    test: str


def compare(site: Site, name: str, query: Query) -> Page:
    """The page; without two studies only the form, and a comparison that cannot be made says why above it."""
    page, a, b, by = (
        page_number(query),
        query.get("a", ""),
        query.get("b", ""),
        query.get("by") or "models",
    )
    only = query.get("only") == "differences"
    with site.store(("studies",)) as ask:
        studies = ask("select study, simulated from studies order by study")
        content: dict[str, Any] = {
            "studies": studies,
            "a": a,
            "b": b,
            "by": by,
            "only": only,
            "ways": WAYS,
            "found": None,
            "complaint": "",
        }
    if not (a and b):
        return Page("compare.html", "Compare", content)
    try:
        if by not in WAYS:
            raise StudyError(f"by must be one of {', '.join(WAYS)}; found {by[:80]!r}")
        found, every = cached_comparison(site.db, store_fingerprint(site.db), a, b, by)
    except StudyError as error:
        return Page("compare.html", "Compare", content | {"complaint": str(error)})
    listed = [pair for pair in every if pair.differs] if only else every
    rows = listed[PER_PAGE * (page - 1) : PER_PAGE * page]
    with site.store(()) as ask:
        texts = ask(
            "select subject, text from subjects where list_contains(?, subject)",
            [sorted({pair.subject for pair in rows})],
        )
    content |= {
        "found": found,
        "lines": {
            kind: summary_lines(found[kind]) for kind in ("debates", "answers") if found[kind]
        },
        "rows": rows,
    }
    content |= {
        "total": len(listed),
        "page": page,
        "pages": -(-len(listed) // PER_PAGE),
        "differing": sum(pair.differs for pair in every),
    }
    content |= {"texts": {row["subject"]: row["text"] for row in texts}, "every": len(every)}
    content |= {"asked": {"a": a, "b": b, "by": by, "only": "differences" if only else None}}
    return Page("compare.html", f"{a} and {b}", content)


@lru_cache(maxsize=8)
def cached_comparison(
    db: Path, moment: str, a: str, b: str, by: str
) -> tuple[Mapping[str, Any], list[Pair]]:
    """The comparison and its pairs, kept for as long as the store is the same: it takes seconds.  Raises StudyError as `compare` does."""
    from analysis.reports.comparison import compare, pairs

    way = "subject" if by == "subject" else "models"
    return compare(db, a, b, by=way), pairs(db, a, b, by=way)


def summary_lines(found: Mapping[str, Any]) -> list[ComparisonLine]:
    """The lines of a comparison of debates or of answers."""
    return debate_lines(found) if "phases" in found else answer_lines(found)


def debate_lines(found: Mapping[str, Any]) -> list[ComparisonLine]:
    """Confidence by phase, its rise, and debates in which both sides are sure."""
    lines = [mean_line(f"confidence, {row['phase']}", row, "pairs") for row in found["phases"]]
    if rise := found["rise"]:
        lines.append(
            mean_line(f"rise of confidence, {rise['from']} to {rise['to']}", rise, "pairs")
        )
    if both := found["both"]:
        shares = [
            count / of if of else None
            for count, of in zip(both["above_75"], both["debates"], strict=True)
        ]
        of = f"{both['pairs']} pairs; {both['only_a']} only in A, {both['only_b']} only in B"
        words = f"both sides above 75%, {both['phase']}"
        lines.append(
            ComparisonLine(
                words,
                *shares,
                both["mean"],
                both["ci_low"],
                both["ci_high"],
                of,
                both["p_exact"],
                "McNemar, exact",
            )
        )
    return lines


def answer_lines(found: Mapping[str, Any]) -> list[ComparisonLine]:
    """Right answers and stated confidence, of all and by arm."""
    lines = []
    for row in (found, *found["arms"]):
        arm = f", {row['arm']}" if row["arm"] else ""
        p, test = (
            (row["p_holm"], "exact, Holm over arms") if row["arm"] else (row["p_exact"], "exact")
        )
        of = f"{row['questions']} questions; {row['better']} better, {row['worse']} worse"
        lines.append(
            ComparisonLine(
                f"right answers{arm}",
                row["a"],
                row["b"],
                row["mean"],
                row["ci_low"],
                row["ci_high"],
                of,
                p,
                test,
            )
        )
        if row["confidence"]["n"]:
            lines.append(mean_line(f"stated confidence{arm}", row["confidence"], "questions"))
    return lines


def mean_line(what: str, row: Row, of: str) -> ComparisonLine:
    """A line of means that are compared with pairs or questions as clusters."""
    return ComparisonLine(
        what,
        row["a"],
        row["b"],
        row["mean"],
        row["ci_low"],
        row["ci_high"],
        f"{row['n']} in {row['clusters']} {of}",
        row["p"],
        "Student's t",
    )
