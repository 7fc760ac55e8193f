"""The first page: every study of the store, its progress, its cost and its missing values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena.store.views.record import KNOWN_USD
from arena.web.site import Page, PageContent, Query, Row, Site

# The view `cost` also joins every call with its turn's phase, which takes seconds in a large store.
STUDIES = f"""
    with played as (
        select study, count(*) as n, count(*) filter (status = 'done') as done,
               count(*) filter (status = 'failed') as failed, max(ended_at) as last_end
        from episodes group by study),
    planned as (
        select study, arg_max(planned, started_at) as planned, max(started_at) as last_run
        from runs group by study),
    spent as (
        select study, count(*) as calls, {KNOWN_USD},
               count(*) filter (cost_usd is null) as unknown_cost
        from call_ends join plays using (episode) group by study)
    select study, simulated, origin, created_at, coalesce(done, 0) as done,
           coalesce(failed, 0) as failed,
           greatest(coalesce(planned, n, 0), coalesce(n, 0)) as planned,
           coalesce(calls, 0) as calls, cost_usd, coalesce(unknown_cost, 0) as unknown_cost,
           last_run, last_end
    from studies left join played using (study) left join planned using (study)
    left join spent using (study)
    order by coalesce(last_end, last_run) desc nulls last, study
"""
MISSING = """
    select study, sum(n)::bigint as n from missing where what <> 'episode' group by study
"""


@dataclass(frozen=True, slots=True)
class StudiesContent(PageContent):
    """The contents of the first page; `missing` counts missing values by study."""

    rows: Sequence[Row]
    missing: Mapping[str, int]


def studies(site: Site, name: str, query: Query) -> Page:
    """Return the page of all studies, the latest first."""
    with site.store(("studies", "missing")) as ask:
        rows = [row for row in ask(STUDIES) if not site.only or row["study"] in site.only]
        missing = {row["study"]: row["n"] for row in ask(MISSING)}
    unfinished = any(row["done"] + row["failed"] < row["planned"] for row in rows)
    return Page("studies.html", "Studies", StudiesContent(rows, missing), live=unfinished)
