"""List the pairs of plays behind a comparison of two studies.

`arena compare --pairs` and the viewer show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import numpy as np

from analysis.read.answers import AnswerRecord
from analysis.read.debates import Debates
from analysis.reports import play_matching
from analysis.reports.play_matching import Play, StudyPair, selection_by
from analysis.statistics.clustered import Array
from analysis.statistics.matching import MatchBy, partners
from analysis.statistics.overconfidence import both_above


@dataclass(frozen=True, slots=True)
class Pair:
    """A play of the first study and its partner in the second.

    `kind` is "debate" or "question"; `contestants` are those of the first play's seats and
    `other_contestants` of its partner's.  A debate's `value` is the mean confidence of its two
    sides in the last common phase, in [0, 1]; a question's is 1 if right, else 0; None if missing.
    `difference` is `other_value - value`.  `outcome` is a debate's winner by the judges, or
    "right", "wrong" or "unreadable"; None if not judged.  `differs` if the outcomes differ, or
    whether both sides of a debate were above 75%.
    """

    kind: str
    subject: str
    arm: str
    repeat: int
    contestants: tuple[str | None, ...]
    other_contestants: tuple[str | None, ...]
    episode: str
    other_episode: str
    value: float | None
    other_value: float | None
    difference: float | None
    outcome: str | None
    other_outcome: str | None
    differs: bool


@dataclass(frozen=True, slots=True)
class PlayRow:
    """A play of one study with its id, and value and outcome as those of `Pair`.

    `both_sure` is 1 for a debate with both sides above 75%, 0 if not, None if missing.
    """

    play: Play
    episode: str
    value: float | None
    outcome: str | None
    both_sure: float | None = None


def pairs(path: Path, a: str, b: str, *, by: MatchBy = "agent") -> list[Pair]:
    """Return the pairs of plays that `compare` compares; raises as it does.

    Debates stand before questions, pairs of one key in the order of their ids.  If a study has more
    plays of a key than the other, those left over stand in no pair.
    """
    return pair_plays(play_matching.read_both(path, a, b, selection_by(by)), by)


def pair_plays(studies: StudyPair, by: MatchBy) -> list[Pair]:
    """Return the pairs of plays of two studies that have been read."""
    pairs_of_both: list[Pair] = []
    if studies.debates:
        left, right = (record.debates for record in studies.debates)
        # The last phase that both studies have, even if one went on.
        last = [phase for phase in left.phases if phase in right.phases][-1:]
        rows = (debate_rows(debates, last) for debates in (left, right))
        pairs_of_both += make_pairs("debate", *rows, by=by)
    if studies.answers:
        rows = (answer_rows(record) for record in studies.answers)
        pairs_of_both += make_pairs("question", *rows, by=by)
    return pairs_of_both


def debate_rows(debates: Debates, last: list[str]) -> list[PlayRow]:
    """Return the debates of one study, with the confidence in a phase; `last` has one or none."""
    size = len(debates.episode)
    # Without a common phase every value is missing, and only winners can differ.
    block = np.full((size, 2, 1), nan)
    if last:
        block = play_matching.common_phases(debates, np.arange(size), last)
    ratings = block[:, :, -1]
    columns = (
        play_matching.debate_plays(debates),
        debates.episode.tolist(),
        nan_to_none(ratings.mean(axis=1)),
        debates.winner.tolist(),
        nan_to_none(both_above(ratings)),
    )
    return [PlayRow(*row) for row in zip(*columns, strict=True)]


def answer_rows(record: AnswerRecord) -> list[PlayRow]:
    """Return the plays of questions of one study."""
    plays = record.plays
    values = nan_to_none(plays.correct)
    outcomes = play_matching.outcome_words(plays.correct)
    columns = (play_matching.answer_plays(record), plays.episode.tolist(), values, outcomes)
    return [PlayRow(*row) for row in zip(*columns, strict=True)]


def make_pairs(kind: str, left: list[PlayRow], right: list[PlayRow], *, by: MatchBy) -> list[Pair]:
    """Return the pairs of plays that belong together."""
    plays, other_plays = ([row.play for row in rows] for rows in (left, right))
    episodes, other_episodes = ([row.episode for row in rows] for rows in (left, right))
    matches = play_matching.match_plays(plays, other_plays, by)
    result = []
    for place, other_place, _ in partners(matches, episodes, other_episodes):
        before, after = left[place], right[other_place]
        subject, contestants, repeat, arm = before.play
        assert subject is not None  # a play of an unknown subject has no partner
        result.append(
            Pair(
                kind,
                subject,
                arm,
                repeat,
                contestants,
                after.play[1],
                before.episode,
                after.episode,
                before.value,
                after.value,
                subtract(after.value, before.value),
                before.outcome,
                after.outcome,
                # Not by confidence: every pair differs in that a little.
                both_known_and_differ(before.outcome, after.outcome)
                or both_known_and_differ(before.both_sure, after.both_sure),
            )
        )
    return result


def both_known_and_differ(value: object, other: object) -> bool:
    """Tell whether two values are known and differ."""
    return value is not None and other is not None and value != other


def nan_to_none(values: Array) -> list[float | None]:
    """Return numbers as a list, None for nan."""
    return [None if isnan(value) else value for value in values.tolist()]


def subtract(value: float | None, other: float | None) -> float | None:
    """Return the difference of two numbers, None if one is missing."""
    return None if value is None or other is None else value - other
