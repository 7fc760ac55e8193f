"""The first page: every study of the store, how far it is, what it cost, and what is missing."""

from __future__ import annotations

from arena.web.site import Page, Query, Site

STUDIES = """
    with played as (
        select study, count(*) as n, count(*) filter (status = 'done') as done, count(*) filter (status = 'failed') as failed,
               max(ended_at) as last_end
        from episodes group by study),
    planned as (select study, arg_max(planned, started_at) as planned, max(started_at) as last_run from runs group by study),
    spent as (
        select study, count(*) as calls, sum(cost_usd) as cost_usd, count(*) filter (cost_usd is null) as unknown_cost
        from call_ends join plays using (episode) group by study)
    select study, simulated, origin, created_at, coalesce(done, 0) as done, coalesce(failed, 0) as failed,
           greatest(coalesce(planned, n, 0), coalesce(n, 0)) as planned, coalesce(calls, 0) as calls, cost_usd,
           coalesce(unknown_cost, 0) as unknown_cost, last_run, last_end
    from studies left join played using (study) left join planned using (study) left join spent using (study)
    order by coalesce(last_end, last_run) desc nulls last, study
"""
MISSING = "select study, sum(n)::bigint as n from missing where what <> 'episode' group by study"


def studies(site: Site, name: str, query: Query) -> Page:
    """All studies, those that were played last first."""
    with site.store(("studies", "missing")) as ask:
        rows = [row for row in ask(STUDIES) if not site.only or row["study"] in site.only]
        missing = {row["study"]: row["n"] for row in ask(MISSING)}
    unfinished = any(row["done"] + row["failed"] < row["planned"] for row in rows)
    return Page(
        "studies.html",
        "Studies",
        {"rows": rows, "missing": missing, "db": str(site.db.name)},
        live=unfinished,
    )
