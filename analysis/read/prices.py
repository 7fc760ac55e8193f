"""Read what a debate of a study cost, and what each judge's readings of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.read.selection import open_selected

# A mean over debates of which some call has no known price would be too low: those are left out.
DEBATE = """
    select avg(usd) from (
        select sum(cost_usd) as usd from cost_per_episode where study = $1
        group by episode having count(*) = count(cost_usd))
"""
JUDGING = """
    with read as (
        select v.debate, v.judge, list(distinct v.episode) as episodes
        from verdicts v join episodes e on e.episode = v.debate
        where e.study = $1 and v.episode <> v.debate group by all),
    priced as (
        select episode, sum(cost_usd) as usd from cost_per_episode
        group by episode having count(*) = count(cost_usd))
    select avg(usd) from (
        select debate, judge, sum(usd) as usd
        from (select debate, judge, unnest(episodes) as episode from read) join priced
            using (episode)
        group by all)
"""


@dataclass(frozen=True, slots=True)
class Prices:
    """Mean dollars for a debate, and for one judge's readings of one; None where unknown."""

    debate_usd: float | None = None
    judging_usd: float | None = None


def read_prices(path: Path, study: str) -> Prices:
    """Return what the calls of a study cost; those of simulated models have no price.

    Raises StoreError if the store cannot be read.
    """
    with open_selected(path) as (con, _):
        found = [con.execute(query, [study]).fetchone() for query in (DEBATE, JUDGING)]
    return Prices(*(row[0] or None if row else None for row in found))
