"""Read how much each model reasoned, beside the effort that it was asked for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from analysis.read.selection import ALL, Selection, open_selected

# Studies in which a seat has an effort, or a bound of its thoughts.
ASKED = """
    select distinct e.study from seats s join episodes e using (episode)
    where ($study is null or e.study = $study)
      and (s.sampling->>'reasoning_effort' is not null
           or s.sampling->>'thinking_tokens' is not null)
"""
# Failed attempts are left out: they say how much was paid, not how much a reply was thought about.
SPENT = """
    select e.study, coalesce(s.model, 'unknown') as model,
           s.sampling->>'reasoning_effort' as effort,
           (s.sampling->>'thinking_tokens')::bigint as bound, count(*) as replies,
           count(c.tokens_reasoning) as counted, avg(c.tokens_reasoning),
           median(c.tokens_reasoning), max(c.tokens_reasoning), avg(c.tokens_out)
    from calls c join episodes e using (episode) left join seats s using (episode, seat)
    where e.study in (select unnest($studies)) and c.status = 'ok'
    group by all order by study, model, effort nulls first, bound nulls first
"""


@dataclass(frozen=True, slots=True)
class EffortRow:
    """How much a model reasoned at one effort: tokens of a reply, None where none was counted.

    `effort` and `bound` (thinking_tokens) are the settings of its seats, None: left to the
    provider.  `counted` of its `replies` have a number of reasoning tokens.
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


def read_efforts(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> dict[str, tuple[EffortRow, ...]]:
    """Return the rows of each study in which a seat has an effort or a bound of its thoughts.

    The calls of other studies are not read.  Raises StoreError if the store cannot be read.
    """
    with open_selected(path, selection) as (con, _):
        studies = [name for (name,) in con.execute(ASKED, {"study": study}).fetchall()]
        rows = con.execute(SPENT, {"studies": studies}).fetchall() if studies else []
    found: defaultdict[str, list[EffortRow]] = defaultdict(list)
    for name, *row in rows:
        found[name].append(EffortRow(*row))
    return {name: tuple(each) for name, each in found.items()}
