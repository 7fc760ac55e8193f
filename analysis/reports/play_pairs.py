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
from analysis.reports.play_matching import StudyPair
from analysis.statistics.clustered import Array
from analysis.statistics.matching import MatchBy, partners
from analysis.statistics.overconfidence import both_above


@dataclass(frozen=True, slots=True)
class Pair:
    """A play of the first study and its partner in the second.

    `kind` is "debate" or "question"; `models` are those of the first play's seats and
    `other_models` of its partner's.  A debate's `value` is the mean confidence of its two sides in
    the last common phase, in [0, 1]; a question's is 1 if right, else 0; None if missing.
    `difference` is `other_value - value`.  `outcome` is a debate's winner by the judges, or
    "right", "wrong" or "unreadable"; None if not judged.  `differs` if the outcomes differ, or
    whether both sides of a debate were above 75%.
    """

    kind: str
    subject: str
    arm: str
    repeat: int
    models: tuple[str | None, ...]
    other_models: tuple[str | None, ...]
    episode: str
    other_episode: str
    value: float | None
    other_value: float | None
    difference: float | None
    outcome: str | None
    other_outcome: str | None
    differs: bool


def pairs(path: Path, a: str, b: str, *, by: MatchBy = "models") -> list[Pair]:
    """Return the pairs of plays that `compare` compares; raises as it does.

    Debates stand before questions, pairs of one key in the order of their ids.  If a study has more
    plays of a key than the other, those left over stand in no pair.
    """
    return pair_plays(play_matching.read_both(path, a, b), by)


def pair_plays(studies: StudyPair, by: MatchBy) -> list[Pair]:
    """Return the pairs of plays of two studies that have been read."""
    debates = []
    questions = []
    if studies.debates:
        left, right = studies.debates
        debates = debate_pairs(left.debates, right.debates, by)
    if studies.answers:
        questions = answer_pairs(*studies.answers, by)
    return debates + questions


def debate_pairs(left: Debates, right: Debates, by: MatchBy) -> list[Pair]:
    """Return pairs of debates."""
    # The last phase that both studies have, even if one went on.
    last = [phase for phase in left.phases if phase in right.phases][-1:]
    means = []
    sure = []
    for debates in (left, right):
        size = len(debates.episode)
        # Without a common phase every value is missing, and only winners can differ.
        block = np.full((size, 2, 1), nan)
        if last:
            block = play_matching.common_phases(debates, np.arange(size), last)
        means.append(nan_to_none(block[:, :, -1].mean(axis=1)))
        sure.append(nan_to_none(both_above(block[:, :, -1])))
    matches = play_matching.match_plays(
        play_matching.debate_plays(left), play_matching.debate_plays(right), by
    )
    result = []
    for row, partner, _ in partners(matches, left.episode.tolist(), right.episode.tolist()):
        # The mean of both sides stands for a debate, as one number to sort by.
        before, after = means[0][row], means[1][partner]
        winner, other_winner = left.winner[row], right.winner[partner]
        result.append(
            Pair(
                "debate",
                left.subject[row],
                left.arm[row],
                int(left.repeat[row]),
                tuple(left.model[row]),
                tuple(right.model[partner]),
                left.episode[row],
                right.episode[partner],
                before,
                after,
                subtract(after, before),
                winner,
                other_winner,
                # Not by confidence: every pair differs in that a little.
                both_known_and_differ(winner, other_winner)
                or both_known_and_differ(sure[0][row], sure[1][partner]),
            )
        )
    return result


def answer_pairs(left: AnswerRecord, right: AnswerRecord, by: MatchBy) -> list[Pair]:
    """Return pairs of plays of questions."""
    plays = left.plays
    other_plays = right.plays
    arms = play_matching.arm_labels(left)
    models = play_matching.play_models(left)
    other_models = play_matching.play_models(right)
    values, other_values = nan_to_none(plays.correct), nan_to_none(other_plays.correct)
    words, other_words = (
        play_matching.outcome_words(plays.correct),
        play_matching.outcome_words(other_plays.correct),
    )
    matches = play_matching.match_plays(
        play_matching.answer_plays(left), play_matching.answer_plays(right), by
    )
    rows = partners(matches, plays.episode.tolist(), other_plays.episode.tolist())
    return [
        Pair(
            "question",
            plays.subject[row],
            arms[row],
            int(plays.repeat[row]),
            models[row],
            other_models[partner],
            plays.episode[row],
            other_plays.episode[partner],
            values[row],
            other_values[partner],
            subtract(other_values[partner], values[row]),
            words[row],
            other_words[partner],
            words[row] != other_words[partner],
        )
        for row, partner, _ in rows
    ]


def both_known_and_differ(value: object, other: object) -> bool:
    """Tell whether two values are known and differ."""
    return value is not None and other is not None and value != other


def nan_to_none(values: Array) -> list[float | None]:
    """Return numbers as a list, None for nan."""
    return [None if isnan(value) else value for value in values.tolist()]


def subtract(value: float | None, other: float | None) -> float | None:
    """Return the difference of two numbers, None if one is missing."""
    return None if value is None or other is None else value - other
