"""Take a rise in confidence apart, by control arms of one study of debates.

A rating may rise in a debate by one's own words, because somebody answers, by what the answer says,
or because one is asked again, and being asked may itself change what is said.  Each contrast is a
difference between two arms that differ in one of these and in nothing else
(protocols/debate_controls.py), debate by debate: debates are matched by motion, contestants by
seat, and repeat (matching.py), so that whatever makes a motion or a model special cancels out.

Intervals are those of the other findings: debates and models as clusters (claims.py), and motions
too where there are six or more (motions.py).  p is adjusted by Holm's method over all contrasts.

The contrasts are ours: the paper has no control arm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Annotated, Literal

import numpy as np

from analysis.read.controls import CONTROLS, PLAIN, ArmOptions, ControlData
from analysis.read.debates import DebateRecord, Debates
from analysis.reports.plain_json import JsonField
from analysis.reports.rows import CLAIMS
from analysis.statistics import matching
from analysis.statistics.claims import Claims, mean_claims
from analysis.statistics.clustered import ANY, CHANGE, Array, Codes, MeanEstimate
from analysis.statistics.motions import MotionClaim, over_motions
from analysis.statistics.multiplicity import holm

BEFORE = "before"
What = Literal["opening", "rise", "closing", "words", "wins"]
DIFFERENCE = JsonField(
    inline=True,
    only=("n", "clusters", "mean", "ci_low", "ci_high", "p"),
    names={"clusters": "pairs"},
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference between two arms by their roles, and in words what it isolates."""

    name: str
    what: What
    arm: str
    control: str
    isolates: str


CONTRASTS = (
    Contrast(
        "own speech",
        "opening",
        "plain",
        "before",
        "what giving one's own first speech does, before anything of the opponent is read",
    ),
    Contrast(
        "being answered",
        "rise",
        "misplaced",
        "unheard",
        "what it does to read speeches of an opponent at all, be they on another motion",
    ),
    Contrast(
        "what is answered",
        "rise",
        "plain",
        "misplaced",
        "what the opponent's words on this motion do, beyond its words on another one",
    ),
    Contrast(
        "the opponent",
        "rise",
        "plain",
        "unheard",
        "all that the opponent does: the sum of the two above",
    ),
    Contrast(
        "asked before",
        "closing",
        "plain",
        "once",
        "what having rated before does to the last rating",
    ),
    Contrast(
        "asked at all",
        "words",
        "plain",
        "never",
        "whether speeches are longer where a rating is asked for",
    ),
    Contrast(
        "asked at all",
        "wins",
        "plain",
        "never",
        "whether judges decide otherwise on debates in which ratings were asked for",
    ),
)


@dataclass(frozen=True, slots=True)
class ContrastRow:
    """A contrast of two arms: their means `a` and `b` over matched debates, and the difference.

    Ratings and wins (the proposition's share, a tie half a win) are in [0, 1], words are words of a
    speech.  `over_motions` is the interval of models and motions like these, `plain` the arm whose
    controls these are.
    """

    name: str
    what: What
    arm: str
    control: str
    isolates: str
    a: float
    b: float
    difference: Annotated[MeanEstimate, DIFFERENCE]
    claims: Annotated[Claims, CLAIMS]
    over_motions: MotionClaim
    plain: str
    p_holm: float = nan


@dataclass(frozen=True, slots=True)
class ControlFindings:
    """The contrasts of a study with control arms.

    `plain` names the arms that are no controls, of which alone the study's own findings speak.
    `notes` say which arms could not be compared.
    """

    plain: tuple[str, ...]
    contrasts: tuple[ContrastRow, ...]
    notes: tuple[str, ...] = ()


def control_findings(debates: Debates, data: ControlData) -> ControlFindings:
    """Return the contrasts that a study's arms allow."""
    plain = [arm for arm in data.arms if arm.role == PLAIN]
    notes = [
        f"Arm {arm.arm} leaves out several things at once, and stands in no contrast."
        for arm in data.arms
        if arm.role == "several"
    ]
    rows: list[ContrastRow] = []
    for base in plain:
        family = {arm.role: arm for arm in data.arms if likeness(arm) == likeness(base)}
        if sum(likeness(arm) == likeness(base) for arm in plain) > 1:
            notes.append(
                f"Arm {base.arm} stands in no contrast: several arms have the same controls."
            )
            continue
        rows += [
            row
            for contrast in CONTRASTS
            if {contrast.arm, contrast.control} <= family.keys()
            for row in contrast_rows(debates, data, contrast, family)
        ]
    adjusted = holm([row.difference.p for row in rows]).tolist()
    return ControlFindings(
        tuple(arm for arm in dict.fromkeys(debates.arm.tolist()) if arm not in data.controls),
        tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True)),
        tuple(notes),
    )


def only_arms(record: DebateRecord, arms: Collection[str]) -> DebateRecord:
    """Return the record of some arms; counts of episodes are those of the study."""
    flags, missing = (
        tuple(count for count in counts if count.arm in arms)
        for counts in (record.flags, record.missing)
    )
    return replace(
        record,
        debates=record.debates.select(np.isin(record.debates.arm, list(arms))),
        flags=flags,
        missing=missing,
        unfinished=tuple(each for each in record.unfinished if each.arm in arms),
    )


def likeness(arm: ArmOptions) -> str:
    """Return what arms have in common that differ as controls alone."""
    beside = (*CONTROLS, "other_motions")
    return repr(sorted((key, value) for key, value in arm.options.items() if key not in beside))


def contrast_rows(
    debates: Debates, data: ControlData, contrast: Contrast, family: Mapping[str, ArmOptions]
) -> list[ContrastRow]:
    """Return the row of a contrast; none without a matched pair that has both numbers."""
    arms = [family[role] for role in (contrast.arm, contrast.control)]
    rows, others = (np.flatnonzero(debates.arm == arm.arm) for arm in arms)
    matches = matching.match_keys(keys_of(debates, rows), keys_of(debates, others))
    if not matches.keys:
        return []
    values, other_values = (
        values_of(debates.select(debates.arm == arm.arm), data, contrast.what, arm) for arm in arms
    )
    left = matching.mean_by_key(values[matches.left], matches.left_key, matches.keys)
    right = matching.mean_by_key(other_values[matches.right], matches.right_key, matches.keys)
    change = left - right
    there = ~np.isnan(change)
    if not there.any():
        return []
    # Any row of a key says which models and which motion it has.
    row = np.zeros(matches.keys, dtype=np.int64)
    row[matches.left_key] = rows[matches.left]
    model, motion = debates.model_code[row], codes_of(debates.subject[row].tolist())
    within = ANY if contrast.what == "words" else CHANGE
    return [
        ContrastRow(
            contrast.name,
            contrast.what,
            arms[0].arm,
            arms[1].arm,
            contrast.isolates,
            float(left[there].mean()),
            float(right[there].mean()),
            *mean_claims(change, model, within=within),
            over_motions(change, model, motion, within=within),
            family[PLAIN].arm,
        )
    ]


def keys_of(debates: Debates, rows: Codes) -> list[matching.Key | None]:
    """Return what a debate and its match share: motion, contestants by seat, and repeat."""
    return [
        matching.play_key(
            debates.subject[row],
            tuple(debates.contestant[row].tolist()),
            debates.repeat[row],
            "",
            by="agent",
            arms=None,
        )
        for row in rows
    ]


def values_of(debates: Debates, data: ControlData, what: What, arm: ArmOptions) -> Array:
    """Return (G, 2) what is compared, of each side in the debates of one arm; nan if missing."""
    if what == "words":
        episodes = debates.episode.tolist()
        words = [[data.words.get((each, side), nan) for side in (0, 1)] for each in episodes]
        return np.array(words, dtype=np.float64).reshape(len(episodes), 2)
    if what == "wins":
        # A verdict belongs to both of a debate's models at once: it stands under both.
        return np.repeat(debates.outcome()[:, :1], 2, axis=1)
    first = next((place for place, name in enumerate(debates.phases) if name != BEFORE), 0)
    ratings = debates.confidence
    if not debates.phases:
        return np.full((len(debates.episode), 2), nan)
    if what == "closing":
        return ratings[:, :, -1]
    if what == "rise":
        rise: Array = ratings[:, :, -1] - ratings[:, :, first]
        return rise
    opening = ratings[:, :, first].copy()
    if arm.options.get("schedule") == "sequential" and arm.role != BEFORE:
        # The opposition has read the proposition's opening by then.
        opening[:, 1] = nan
    return opening


def codes_of(values: Sequence[object]) -> Codes:
    """Return a code for each value."""
    known = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([known[value] for value in values], dtype=np.int64)
