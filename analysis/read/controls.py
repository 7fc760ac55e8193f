"""Read what sets the arms of a study of debates apart, and how long its speeches are.

For studies that have control arms (protocols/debate_controls.py); of all others nothing is read
but the options of their arms.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from analysis.read.selection import ALL, Selection, open_selected

ARMS = """
    select study, arm, list_sort(list(distinct coalesce(options::varchar, '{}')))
    from episodes where protocol = 'debate' and list_contains($1, study)
    group by all order by all
"""
# A phase before the debate has no speech.
WORDS = """
    select episode, (seat = 'opposition')::integer, avg(words)
    from rated_turns where list_contains($1, study) and phase <> 'before' and words is not null
    group by all
"""
CONTROLS = ("opponent", "asked", "confidence", "phases")
PLAIN = "plain"
Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ArmOptions:
    """The options of an arm that are not the defaults; those that were varied in it are left out.

    `role` is "plain", or what the arm leaves out as a control: "unheard", "misplaced", "once",
    "never", "before"; "several" of these.
    """

    arm: str
    role: str
    options: Options


@dataclass(frozen=True, slots=True)
class ControlData:
    """The arms of a study with controls, and the mean words of a speech by (episode, side)."""

    arms: tuple[ArmOptions, ...]
    words: Mapping[tuple[str, int], float]

    @property
    def controls(self) -> set[str]:
        """The labels of the arms that leave something out."""
        return {arm.arm for arm in self.arms if arm.role != PLAIN}


def read_controls(
    path: Path, studies: Collection[str], selection: Selection = ALL
) -> dict[str, ControlData]:
    """Return the data of those of the studies that have control arms."""
    with open_selected(path, selection) as (con, _):
        arms: dict[str, list[ArmOptions]] = {}
        for study, arm, options in con.execute(ARMS, [list(studies)]).fetchall():
            sets = [orjson.loads(each) for each in options]
            fixed = {
                name: value
                for name, value in sets[0].items()
                if all(name in each and each[name] == value for each in sets)
            }
            arms.setdefault(study, []).append(ArmOptions(arm, role_of(fixed), fixed))
        controlled = [
            study for study, found in arms.items() if any(arm.role != PLAIN for arm in found)
        ]
        words: dict[tuple[str, int], float] = {}
        if controlled:
            rows = con.execute(WORDS, [controlled]).fetchall()
            words = {(episode, side): mean for episode, side, mean in rows}
    return {study: ControlData(tuple(arms[study]), words) for study in controlled}


def role_of(options: Options) -> str:
    """Return which control an arm with these options is."""
    roles = []
    if options.get("phases") == ["before"]:
        roles.append("before")
    if options.get("confidence") == "none":
        roles.append("never")
    if options.get("asked") == "once":
        roles.append("once")
    roles += [options["opponent"]] if options.get("opponent", "heard") != "heard" else []
    if not roles:
        return PLAIN
    return roles[0] if len(roles) == 1 else "several"
