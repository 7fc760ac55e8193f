"""Read what raters say of private reasoning against the stated number, turn by turn.

Raters are the labellers of a publication, whose words are imported, and those of our protocol
`private_reasoning`: models, and rules.  Thoughts are not read here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from math import nan
from typing import Literal

import duckdb

# The questions of imported labels: is the number above what the thoughts say, below, or as much?
DIRECTION = "private reasoning"
CONFIDENCE = "private reasoning: confidence"
DEGREE = "private reasoning: degree"
NUMBER_STATED = "private reasoning: number stated"
STRATEGIC = "private reasoning: strategic"

Direction = Literal["aligned", "overstated", "understated"]
DIRECTIONS: tuple[Direction, ...] = ("aligned", "overstated", "understated")
# The publication's words, also where they come with a degree: "Slight Overbetting".
PUBLISHED_WORDS: tuple[tuple[str, Direction], ...] = (
    ("aligned", "aligned"),
    ("overbet", "overstated"),
    ("underbet", "understated"),
)
ESTIMATE = re.compile(
    r"\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*(?:(?:-|–|to)\s*(\d{1,3}(?:\.\d+)?)\s*%?)?\s*"
)

# A turn as EPISODE/SEAT/STEP.
ITEM = "'(.*)/([^/]+)/([0-9]+)'"
SOME = """
    select exists (from label_entries where question = $question)
        or exists (from {plays} where protocol = 'private_reasoning')
"""
# Whatever is left out of the report: its debates decide which labels count.
EVERY_PLAY = "select 1 from duckdb_views() where view_name = 'plays_of_all_episodes'"
LABELS = """
    with latest as (
        select * from label_entries where question in ($direction, $confidence)
        qualify imported_at = max(imported_at) over (partition by item, question, rater))
    select e.study, l.episode, l.seat, l.step, l.rater,
           max(l.value) filter (l.question = $direction) as direction,
           max(l.value) filter (l.question = $confidence) as estimate, t.confidence
    from latest l join episodes e using (episode)
    left join latest_turns t on t.episode = l.episode and t.seat = l.seat and t.step = l.step
    where $study is null or e.study = $study group by all having direction is not null order by all
"""
# Of several readings by one labeller the first counts.
LABELLED = """
    with readings as (
        select regexp_extract(m.source, {item}, 1) as debate,
               regexp_extract(m.source, {item}, 2) as seat,
               regexp_extract(m.source, {item}, 3)::integer as step, t.answer, p.episode,
               concat(s.agent, if(p.options->>'number' = 'shown', ' (number shown)', ''),
                      if(coalesce(r.simulated, false), ' SIMULATED', '')) as rater,
               coalesce(p.repeat, 0) as repeat
        from {plays} p join subjects m using (subject)
        join latest_turns t on t.episode = p.episode and t.seat = 'labeller'
        join seats s on s.episode = p.episode and s.seat = 'labeller'
        left join studies r on r.study = p.study
        where p.protocol = 'private_reasoning' and regexp_full_match(m.source, {item})
        qualify row_number() over (
            partition by m.source, rater order by repeat, p.episode) = 1)
    select e.study, r.debate, r.seat, r.step, r.rater, r.answer, low.value, high.value, t.confidence
    from readings r join episodes e on e.episode = r.debate
    left join latest_turns t on t.episode = r.debate and t.seat = r.seat and t.step = r.step
    left join measures low on low.episode = r.episode and low.seat = 'labeller'
        and low.name = 'stated chance in the thoughts, lowest'
    left join measures high on high.episode = r.episode and high.seat = 'labeller'
        and high.name = 'stated chance in the thoughts, highest'
    where $study is null or e.study = $study order by all
"""
TURNS = """
    select e.study, count(*) filter (t.thoughts is not null),
           count(*) filter (t.thoughts is null and t.reasoning is not null)
    from latest_turns t join episodes e using (episode)
    where t.seat in ('proposition', 'opposition') and t.confidence is not null
      and e.status = 'done' and list_contains($studies, e.study) group by all
"""


@dataclass(frozen=True, slots=True)
class Label:
    """What one rater says of one turn, `item`, of a debate.

    `direction` is None where the rater found no chance in the thoughts, or none could be read;
    `difference` in [-1, 1] is how far the number lies above (below: negative) the range of chances
    that the rater reads from the thoughts, 0 within it and nan if unknown.
    """

    episode: str
    item: str
    rater: str
    direction: Direction | None
    difference: float


@dataclass(frozen=True, slots=True)
class PrivateLabels:
    """The labels of one study.

    `turns` counts finished turns with a number and with thoughts that were asked for as private;
    `reasoning_only` those that have a provider's text of reasoning and no such thoughts.
    """

    labels: tuple[Label, ...]
    turns: int
    reasoning_only: int


def read_labels(con: duckdb.DuckDBPyConnection, study: str | None) -> dict[str, PrivateLabels]:
    """Return the labels of each study that has some.

    `con` is of `open_selected`, with the views episodes and latest_turns.
    """
    plays = "plays_of_all_episodes" if con.execute(EVERY_PLAY).fetchone() else "plays"
    some = con.execute(SOME.format(plays=plays), {"question": DIRECTION}).fetchone()
    if some is None or not some[0]:
        return {}
    found: defaultdict[str, list[Label]] = defaultdict(list)
    asked = {"direction": DIRECTION, "confidence": CONFIDENCE, "study": study}
    for own, episode, seat, step, rater, words, estimate, number in con.execute(
        LABELS, asked
    ).fetchall():
        said = difference(number, *estimate_in(estimate))
        item = f"{episode}/{seat}/{step}"
        found[own].append(Label(episode, item, rater, published_direction(words), said))
    for own, episode, seat, step, rater, answer, low, high, number in con.execute(
        LABELLED.format(plays=plays, item=ITEM), {"study": study}
    ).fetchall():
        direction = answer if answer in DIRECTIONS else None
        item = f"{episode}/{seat}/{step}"
        found[own].append(Label(episode, item, rater, direction, difference(number, low, high)))
    counts = con.execute(TURNS, {"studies": list(found)}).fetchall()
    turns = {own: numbers for own, *numbers in counts}
    return {
        own: PrivateLabels(tuple(labels), *turns.get(own, (0, 0)))
        for own, labels in sorted(found.items())
    }


def published_direction(words: str) -> Direction | None:
    """Return what a published label says, None if it is none of the three."""
    plain = words.casefold()
    said = {direction for word, direction in PUBLISHED_WORDS if word in plain}
    return said.pop() if len(said) == 1 else None


def estimate_in(words: str | None) -> tuple[float | None, float | None]:
    """Return the ends of a published estimate, "65" or "65-70" percent, in [0, 1]."""
    match = ESTIMATE.fullmatch(words or "")
    if match is None:
        return None, None
    low = float(match[1]) / 100
    high = low if match[2] is None else float(match[2]) / 100
    return (low, high) if 0 <= low <= high <= 1 else (None, None)


def difference(number: float | None, low: float | None, high: float | None) -> float:
    """Return how far a number lies outside of a range; nan if anything is unknown."""
    if number is None or low is None or high is None:
        return nan
    return max(number - high, 0.0) - max(low - number, 0.0)
