"""Read tokens and dollars: of our calls by contestant, and by model as published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analysis.read.selection import LABELS, By, open_selected

# Failed attempts count, as far as their tokens are known.  A sum of reasoning tokens that leaves
# replies out would look like little reasoning.
CALLS = """
    select e.study, if(c.seat in ('proposition', 'opposition'), 'debater', 'other seat') as role,
           coalesce(s.{label}, 'unknown') as contestant, coalesce(s.model, 'unknown') as model,
           count(distinct c.episode),
           count(*) filter (c.status <> 'failed'), count(*) filter (c.status = 'failed'),
           sum(c.tokens_in), sum(c.tokens_out), sum(c.cost_usd),
           count(*) filter (c.cost_usd is null),
           if(bool_and(c.status = 'failed' or c.tokens_reasoning is not null),
              sum(c.tokens_reasoning), null)::bigint
    from calls c join episodes e using (episode)
    left join contestants s on s.episode = c.episode and s.seat = c.seat
    where ($study is null or e.study = $study) and c.status <> 'cached'
    group by all order by all
"""
# Prices stand in a file of their own, by model: dollars are ours, made of both.
PUBLISHED = """
    with prices as (
        select model, max(value) filter (name = 'usd_per_million_prompt_tokens') as of_prompts,
               max(value) filter (name = 'usd_per_million_completion_tokens') as of_completions
        from published_numbers where episode is null group by model),
    counts as (
        select e.study, p.role, p.model, count(distinct p.item) as plays,
               sum(value) filter (name = 'successful_calls') as calls,
               sum(value) filter (name = 'failed_calls') as failed,
               sum(value) filter (name in ('successful_prompt_tokens', 'failed_prompt_tokens'))
                   as prompts,
               sum(value) filter (
                   name in ('successful_completion_tokens', 'failed_completion_tokens'))
                   as completions
        from published_numbers p join episodes e using (episode)
        where $study is null or e.study = $study group by all)
    select study, role, c.model, c.model, plays, calls::bigint, failed::bigint, prompts::bigint,
           completions::bigint, (prompts * of_prompts + completions * of_completions) / 1e6,
           if(of_prompts is null or of_completions is null, calls::bigint, 0), null
    from counts c left join prices using (model) order by all
"""
# A play of which a reply has no count has no total: it would be too low.
TOKENS_OUT = """
    select episode, sum(tokens_out)::bigint from calls join episodes using (episode)
    where study in $studies and calls.status in ('ok', 'cached')
    group by episode having count(*) = count(tokens_out)
"""
SOME = "select exists (from published_numbers)"
TOTALS = """
    select sum(value) filter (name = 'total_debates')::bigint,
           sum(value) filter (name = 'total_cost_usd')
    from published_numbers where episode is null and model = ''
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a contestant used in a study, in a role ("debater", "judge", "other seat").

    A publication's counts are by model, which is the contestant then.  Calls and tokens are None if
    nobody counted them, `tokens_reasoning` (part of `tokens_out`) also if a reply is without.
    `cost_usd` is None if unknown; `calls_of_unknown_cost` are not in it.
    """

    role: str
    contestant: str
    model: str
    plays: int
    calls: int | None
    failed: int | None
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    calls_of_unknown_cost: int | None
    tokens_reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class StudyUsage:
    """What the contestants of one study used: by our `calls`, None if not read, and as `published`.

    `total_debates` and `total_usd` are what the publication states over all its debates, None if
    it does not.
    """

    calls: tuple[Usage, ...] | None
    published: tuple[Usage, ...]
    total_debates: int | None = None
    total_usd: float | None = None


def read_usage(
    con: duckdb.DuckDBPyConnection, study: str | None, *, calls: bool, by: By = "agent"
) -> dict[str, StudyUsage]:
    """Return the usage of each study that has some, by calls only where `calls` asks for it.

    `con` is of `open_selected`, with the views episodes, contestants and calls; `by` says who is
    one contestant.
    """
    asked = {"study": study}
    ours = by_study(con.execute(CALLS.format(label=LABELS[by]), asked).fetchall() if calls else [])
    some = con.execute(SOME).fetchone()
    theirs = by_study(con.execute(PUBLISHED, asked).fetchall() if some and some[0] else [])
    totals = con.execute(TOTALS).fetchone() if theirs else None
    return {
        name: StudyUsage(
            tuple(ours[name]) if calls else None,
            tuple(theirs[name]),
            *(totals or () if name in theirs else ()),
        )
        for name in sorted({*ours, *theirs})
    }


def by_study(rows: list[tuple[object, ...]]) -> defaultdict[str, list[Usage]]:
    """Return the rows, of which the first column is the study, by study."""
    found: defaultdict[str, list[Usage]] = defaultdict(list)
    for study, *row in rows:
        found[str(study)].append(Usage(*row))  # type: ignore[arg-type]  # columns of SQL
    return found


def read_tokens_out(path: Path, studies: Sequence[str]) -> dict[str, int]:
    """Return the generated tokens of all replies of each episode of some studies.

    Reasoning is included, failed attempts are not; episodes with a reply without a count are left
    out.  Raises StoreError if the store cannot be read.
    """
    with open_selected(path) as (con, _):
        rows = con.execute(TOKENS_OUT, {"studies": list(studies)}).fetchall()
    return dict(rows)
