"""Read what kind of number the ratings of debates are, and what else goes with them.

That is a stated confidence, a stake, a rating that is paid, by arm; the chance of losing where it
was asked for apart; the options of a protocol whose values were varied within an arm, as random
factors; and the readings of judges.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import duckdb
import orjson

# Before the record said it, and in imports, it follows from an option of the protocol.
KINDS = """
    select d.study, d.arm, coalesce(confidence_source,
               case coalesce(p.options->>'rating', 'both') when 'stake' then 'stake'
                    when 'both' then 'stated and stake' else 'stated' end) as source, sum(n)
    from (select row, confidence_source, count(*) as n from rating_rows
          where confidence is not null group by all)
    join debate_rows d on d.rowid = row join plays p using (episode)
    where confidence_source is not null or p.protocol = 'debate' group by all order by all
"""
LOSING = """
    select d.study, m.episode, (m.seat = 'opposition')::integer as side, r.label, m.value
    from measures m join latest_turns t using (episode, seat, step)
    join rating_rows r on r.episode = m.episode and r.seat = m.seat and r.round = t.round
    join debate_rows d on d.episode = m.episode
    where m.name = 'stated chance of losing'
"""
# Only of arms with several sets of options: of others the lists would be long and tell nothing.
OPTIONS = """
    with sets as (
        select d.study, d.arm, p.options::varchar as options, d.episode
        from debate_rows d join plays p using (episode))
    select study, arm, options, list(episode) from sets
    semi join (select study, arm from sets group by all having count(distinct options) > 1)
        using (study, arm)
    group by all
"""
HAS_LOSING = "select 1 from measures where name = 'stated chance of losing' limit 1"
READINGS = """
    select d.study, v.debate, v.judge, v.seat_order,
           coalesce(p.options->>'wording', 'the default'),
           (case v.winner when 'proposition' then 1 when 'opposition' then 0 else 0.5 end)::double
    from verdicts v join debate_rows d on d.episode = v.debate
    left join plays p on p.episode = v.episode where v.winner is not null
    order by all
"""
Varied = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many ratings of an arm are of one kind: "stated", "stake", "scored", ..."""

    arm: str
    source: str
    n: int


@dataclass(frozen=True, slots=True)
class RatingKinds:
    """What the ratings of one study are.

    `losing` has (episode, side, phase, chance of losing in [0, 1]), side 0 being the proposition.
    `varied` has for each option that was varied within an arm its value by episode.  `readings` has
    (debate, judge, seat order, the judge's wording, result), 1 where the proposition won, 0.5 for
    nobody.
    """

    counts: tuple[KindCount, ...] = ()
    losing: tuple[tuple[str, int, str, float], ...] = ()
    varied: Varied = field(default_factory=dict)
    readings: tuple[tuple[str, str, str, str, float], ...] = ()


NOTHING = RatingKinds()


def read_kinds(con: duckdb.DuckDBPyConnection, *, readings: bool) -> dict[str, RatingKinds]:
    """Return the kinds of ratings by study, from the temporary tables debate_rows and rating_rows.

    The readings of judges are there where an option was varied, or with `readings`.
    """
    counts, options = (by_study(con.execute(query).fetchall()) for query in (KINDS, OPTIONS))
    some_lose = con.execute(HAS_LOSING).fetchone() is not None
    losing = by_study(con.execute(LOSING).fetchall() if some_lose else [])
    varied = {study: varied_options(options[study]) for study in {*counts, *options}}
    # A row for each reading of each judge is much where nobody asks for it.
    is_needed = readings or any(varied.values())
    read = by_study(con.execute(READINGS).fetchall() if is_needed else [])
    return {
        study: RatingKinds(
            tuple(KindCount(*row) for row in counts[study]),
            tuple(losing[study]),
            varied[study],
            tuple(read[study]),
        )
        for study in varied
    }


def by_study(rows: list[tuple[Any, ...]]) -> defaultdict[str, list[Any]]:
    """Return rows without their first column, the study, by study."""
    result: defaultdict[str, list[Any]] = defaultdict(list)
    for study, *row in rows:
        result[study].append(tuple(row))
    return result


def varied_options(rows: list[tuple[str, str | None, list[str]]]) -> Varied:
    """Return the values by episode of each option that has several within one arm.

    `rows` are (arm, options as JSON, episodes).
    """
    values: defaultdict[str, dict[str, str]] = defaultdict(dict)
    of_arms: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    parsed = [(arm, orjson.loads(options or "{}"), names) for arm, options, names in rows]
    keys = {key for _, options, _ in parsed for key in options}
    for arm, options, episodes in parsed:
        for key in keys:
            # The default, which is not stored, is a value like the others.
            value = str(options.get(key, "the default"))
            of_arms[arm, key].add(value)
            values[key].update(dict.fromkeys(episodes, value))
    varied = {key for (_, key), different in of_arms.items() if len(different) > 1}
    return {key: values[key] for key in sorted(varied)}
