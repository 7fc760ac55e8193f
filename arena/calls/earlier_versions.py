"""Count the episodes of a study that an earlier version of their protocol played, and their cost.

A protocol that asks otherwise has another VERSION, which is part of the ids of episodes.  So a
study that goes on with the new one would begin anew, beside episodes that have been paid for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.store.database import select_rows
from arena.text import UNKNOWN_COST, describe_cost, pluralize

# Leftovers are no part of the study any more, nor what judged them; an import has no protocol that
# could go on.
COUNTED = """
    with counted as (
        select e.* from all_episodes e join studies using (study)
        left join subjects s using (subject) left join leftovers judged on judged.episode = s.source
        where not e.leftover and judged.episode is null
            and coalesce(origin, 'played') = 'played' and e.version is not null)
"""
PLAYED = f"""{COUNTED}
    select study, arm, protocol, version, count(*), count(*) filter (status = 'done')
    from counted where coalesce(study = ?, true) group by all order by all"""
# A cached reply was no call.
SPENT = f"""{COUNTED}
    select study, arm, protocol, version, count(*), sum(tokens_in), sum(tokens_out), sum(cost_usd),
        count(*) filter (cost_usd is null)
    from calls join counted using (episode)
    where calls.status <> 'cached' and list_contains(?, study) group by all"""
Versions = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """The episodes of a study that a version of a protocol played, where it has another today.

    `calls` are attempts; tokens and `usd` are those of the calls of which they are known, None of
    none, and the cost of `unpriced` calls is not.  `kept`: the protocol can still be played in it.
    """

    study: str
    protocol: str
    version: str
    today: str
    episodes: int
    done: int
    calls: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    unpriced: int = 0
    kept: bool = False

    def __str__(self) -> str:
        return (
            f"{pluralize(self.episodes, 'episode')} of study {self.study!r} ({self.done:,} done)"
            f" that version {self.version} of {self.protocol} played, which is at {self.today} now,"
            f" in {pluralize(self.calls, 'call')} that cost {self._cost()}"
        )

    def _cost(self) -> str:
        """Return what the calls cost, as far as it is known."""
        tokens = ""
        if self.tokens_in is not None and self.tokens_out is not None:
            tokens = f" ({self.tokens_in:,} tokens in, {self.tokens_out:,} out)"
        cost = describe_cost(self.usd if self.calls else 0.0, self.unpriced)
        return f"{'an unknown sum' if cost == UNKNOWN_COST else cost}{tokens}"


def load_earlier_versions(
    path: Path, study: str | None, today: Versions
) -> tuple[EarlierVersion, ...]:
    """Return what earlier versions have played of a study, of all studies for None.

    `today` is the version of each (arm, protocol) of the plan, and of each ("", protocol) for arms
    that the plan does not hold.  Raises StoreError if the store cannot be read.
    """
    arms: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for *place, episodes, done in select_rows(path, PLAYED, [study]).rows:
        name, arm, protocol, version = place
        now = today.get((arm, protocol), today.get(("", protocol)))
        if now is not None and is_earlier(version, now):
            arms.setdefault((name, protocol, version, now), []).append((arm, episodes, done))
    if not arms:
        return ()
    rows = select_rows(path, SPENT, [sorted({name for name, *_ in arms})]).rows
    spent = {tuple(row[:4]): row[4:] for row in rows}
    found = []
    for (name, protocol, version, now), played in arms.items():
        nothing = (0, None, None, None, 0)
        costs = [spent.get((name, arm, protocol, version), nothing) for arm, *_ in played]
        episodes, done = (sum(row[column] for row in played) for column in (1, 2))
        sums = map(sum_of_known, zip(*costs, strict=True))
        found.append(EarlierVersion(name, protocol, version, now, episodes, done, *sums))
    return tuple(found)


def sum_of_known(values: Iterable[Any]) -> Any:
    """Return the sum of the values that are known, None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def is_earlier(version: str, today: str) -> bool:
    """Tell whether a version is another one than today's, and no larger number."""
    if version.isdecimal() and today.isdecimal():
        return int(version) < int(today)
    return version != today


def describe_earlier(earlier: Iterable[EarlierVersion]) -> str:
    """Return what earlier versions have played, in words."""
    return "; ".join(map(str, earlier))


def ways_on(earlier: Iterable[EarlierVersion]) -> str:
    """Return what a user can do about them."""
    kept = sorted({f"-o version={one.version}" for one in earlier if one.kept})
    go_on = "to keep both, give the study another name, -o name=NAME"
    if kept:
        go_on = f"to go on with the old prompts, and ask nothing twice, add {' or '.join(kept)}"
    return (
        f"to play anew, add --anew (the old ones stay, as leftovers that no report counts); {go_on}"
    )
