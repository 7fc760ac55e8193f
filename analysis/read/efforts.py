"""Read how much each model reasoned, beside the effort that it was asked for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.read.selection import ALL, Selection, open_selected

# Studies in which a seat or a question has an effort, or a bound of its thoughts, or in which a
# setting was left out.
ASKED = """
    select distinct e.study from seats s join episodes e using (episode)
    where ($study is null or e.study = $study)
      and (s.sampling->>'reasoning_effort' is not null
           or s.sampling->>'thinking_tokens' is not null)
    union
    select distinct e.study from calls c join episodes e using (episode)
    where ($study is null or e.study = $study)
      and (contains(c.sent::varchar, '"left_out"') or contains(c.sent::varchar, 'effort"')
           or contains(c.sent::varchar, 'budget'))
"""
# Failed attempts are left out: they say how much was paid, not how much a reply was thought about.
# What was sent comes before what the seat has: a question may have a sampling of its own.
SPENT = """
    with replies as (
        select e.study, coalesce(s.model, 'unknown') as model, s.agent, c.tokens_reasoning,
               c.tokens_out, s.sampling,
               json_extract_string(c.sent, ['$.reasoning_effort', '$.reasoning.effort',
                                            '$.output_config.effort']) as efforts,
               json_extract_string(c.sent, ['$.thinking_token_budget', '$.thinking.budget_tokens',
                                            '$.reasoning.max_tokens']) as bounds,
               coalesce(from_json(json_extract(c.sent, '$.left_out'), '["VARCHAR"]'), []) as without
        from calls c join episodes e using (episode) left join seats s using (episode, seat)
        where e.study in (select unnest($studies)) and c.status = 'ok')
    select study, model,
           coalesce(efforts[1], efforts[2], efforts[3], sampling->>'reasoning_effort') as effort,
           try_cast(coalesce(bounds[1], bounds[2], bounds[3],
                             sampling->>'thinking_tokens') as bigint) as bound,
           count(*) as replies, count(tokens_reasoning) as counted, avg(tokens_reasoning),
           median(tokens_reasoning), max(tokens_reasoning), avg(tokens_out),
           coalesce(efforts[1], efforts[2], efforts[3], bounds[1], bounds[2], bounds[3]) is null
           and len(list_filter(without, lambda name: name similar to '.*(effort|think).*')) > 0
               as lost,
           list_sort(without) as left_out, list(distinct agent order by agent) as agents
    from replies group by study, model, effort, bound, lost, left_out
    order by study, model, effort nulls first, bound nulls first, left_out
"""


@dataclass(frozen=True, slots=True)
class EffortRow:
    """How much a model reasoned at one effort: tokens of a reply, None where none was counted.

    `effort` and `bound` (thinking_tokens) were asked for, None: left to the provider.  `counted` of
    its `replies` have a number of reasoning tokens.  `left_out` names settings that its `agents`
    were asked for and no request carried, in the words of the sampling or the provider;
    `lost_effort` says that the effort, or the bound, is among them.
    """

    model: str
    effort: str | None
    bound: int | None
    replies: int
    counted: int
    mean: float | None
    median: float | None
    most: int | None
    mean_out: float | None
    lost_effort: bool = False
    left_out: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()

    @property
    def has_effort(self) -> bool:
        """Return whether an effort or a bound of thoughts was asked for."""
        return self.effort is not None or self.bound is not None


def read_efforts(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> dict[str, tuple[EffortRow, ...]]:
    """Return the rows of each study that has an effort, a bound of thoughts, or a setting left out.

    Tokens of other studies are not read.  Raises StoreError if the store cannot be read.
    """
    with open_selected(path, selection) as (con, _):
        studies = [name for (name,) in con.execute(ASKED, {"study": study}).fetchall()]
        rows = con.execute(SPENT, {"studies": studies}).fetchall() if studies else []
    found: defaultdict[str, list[EffortRow]] = defaultdict(list)
    for name, *row in rows:
        *counts, lost, left_out, agents = row
        counted = EffortRow(*counts)
        names, agents = tuple(left_out), tuple(agents or ())
        found[name].append(replace(counted, lost_effort=bool(lost), left_out=names, agents=agents))
    return {name: tuple(each) for name, each in found.items()}
