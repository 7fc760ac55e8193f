"""Report how sure listeners are of explained answers, beside the model's own confidence.

The calibration gap of arXiv 2401.13835, with other models in the place of people: a listener gap.
A listener that has the same numbers by length says whether longer explanations convince, though the
answers stay the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from analysis.read.assessed_replies import AssessedReplies
from analysis.reports.plain_json import INLINE, interval_as
from analysis.reports.rows import mean_interval
from analysis.statistics.bootstrap import Interval
from analysis.statistics.calibration_gap import CalibrationGap, calibration_gap, length_slope
from analysis.statistics.clustered import Array, Codes, Mask
from analysis.statistics.judge_bias import by_cluster
from analysis.statistics.signed_ranks import wilcoxon

# Replies with one of these flags are no fair explanations of the fixed answer.
LEFT_OUT = frozenset({"states a number", "another answer"})
PREFIX = "explanation: "
ALL = "all listeners, averaged"
# Pairs of which the first should convince more, if such things convince.
LENGTHS = (("long", "short"), ("long", "default"), ("default", "short"))
WORDINGS = (("high", "low"), ("high", "none"), ("none", "low"))


@dataclass(frozen=True, slots=True)
class ListenerRow:
    """How sure one listener is of the replies of one speaker in one arm and phase.

    `reply` is the phase, such as "long, none": an explanation's length and wording.  `without` have
    no number of the listener or the model, or no outcome; `unfair` state a number of how sure the
    model is, or another answer, and are left out too.
    """

    arm: str
    speaker: str
    listener: str
    reply: str
    without: int
    unfair: int
    gap: Annotated[CalibrationGap, INLINE]


@dataclass(frozen=True, slots=True)
class ConvincingRow:
    """By how much a listener is surer of one kind of explanation than of another.

    `more` and `less` are lengths at the same wording, or wordings at the same length, of one
    answer; `change` is over all pairs, `of_right` and `of_wrong` over those of right and of wrong
    answers.  Questions are clusters; `p` is Wilcoxon's over questions, two-sided.
    """

    arm: str
    speaker: str
    listener: str
    more: str
    less: str
    n: int
    questions: int
    change: Annotated[Interval, interval_as("change")]
    of_right: Annotated[Interval, interval_as("of_right")]
    of_wrong: Annotated[Interval, interval_as("of_wrong")]
    p: float


@dataclass(frozen=True, slots=True)
class SlopeRow:
    """By how much the logit of a listener's confidence rises with ln(characters), by answer."""

    arm: str
    speaker: str
    listener: str
    n: int
    slope: Annotated[Interval, interval_as("slope")]


@dataclass(frozen=True, slots=True)
class ListenerFindings:
    """All findings about the listeners of one study."""

    gaps: tuple[ListenerRow, ...]
    convincing: tuple[ConvincingRow, ...]
    slopes: tuple[SlopeRow, ...]


def listener_findings(found: Sequence[AssessedReplies]) -> ListenerFindings | None:
    """Return the findings about the listeners of one study; None without a listener."""
    if not found:
        return None
    groups = [*found, *averaged(found)]
    return ListenerFindings(
        tuple(row for each in groups for row in gap_rows(each)),
        tuple(row for each in groups for row in convincing_rows(each)),
        tuple(row for each in groups for row in slope_rows(each)),
    )


def averaged(found: Sequence[AssessedReplies]) -> Iterator[AssessedReplies]:
    """Yield the mean of all listeners by reply, of each speaker and arm that has several."""
    groups: defaultdict[tuple[str, str, str], list[AssessedReplies]] = defaultdict(list)
    for each in found:
        groups[each.arm, each.speaker, each.model].append(each)
    for several in groups.values():
        first, *others = several
        # Listeners of the same replies have them in the same order; others are not averaged.
        if not others or any(not same_replies(first, other) for other in others):
            continue
        yield with_value(first, np.mean([each.value for each in several], axis=0))


def same_replies(one: AssessedReplies, other: AssessedReplies) -> bool:
    """Return whether two listeners read the same replies."""
    return np.array_equal(one.episode, other.episode) and np.array_equal(one.phase, other.phase)


def with_value(found: AssessedReplies, value: Array) -> AssessedReplies:
    """Return replies with the mean of all listeners in place of one's number."""
    return replace(found, value=value, assessor=ALL, assessor_model="")


def fair(found: AssessedReplies) -> Mask:
    """Return which replies (N,) state no number and keep to the answer."""
    return np.array([not LEFT_OUT & flags for flags in found.flagged], dtype=bool)


def gap_rows(found: AssessedReplies) -> Iterator[ListenerRow]:
    """Yield the gaps of a listener by kind of reply, in the order of their names."""
    known = ~np.isnan(found.value + found.stated + found.correct)
    fine = fair(found)
    for phase in dict.fromkeys(found.phase.tolist()):
        mine = found.phase == phase
        chosen = mine & fine & known
        if not chosen.any():
            continue
        gap = calibration_gap(
            found.stated[chosen],
            found.value[chosen],
            found.correct[chosen],
            found.question[chosen],
        )
        unfair = int((mine & ~fine).sum())
        without = int((mine & fine & ~known).sum())
        names = found.arm, found.speaker, found.assessor, phase.removeprefix(PREFIX)
        yield ListenerRow(*names, without, unfair, gap)


def convincing_rows(found: AssessedReplies) -> Iterator[ConvincingRow]:
    """Yield by how much a listener is surer of longer explanations, and of surer words."""
    for place, pairs in ((0, LENGTHS), (1, WORDINGS)):
        for more, less in pairs:
            row = convincing_row(found, place, more, less)
            if row.n:
                yield row


def convincing_row(found: AssessedReplies, place: int, more: str, less: str) -> ConvincingRow:
    """Return the row of two lengths (place 0) or wordings (1), paired by answer and the other."""
    sides: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    fine = fair(found) & ~np.isnan(found.value)
    for number in np.flatnonzero(fine).tolist():
        is_explanation, _, words = str(found.phase[number]).partition(PREFIX)
        parts = words.split(", ")
        if is_explanation == "" and len(parts) == 2 and parts[place] in (more, less):
            key = str(found.episode[number]), parts[1 - place]
            sides[key][parts[place]] = number
    both = [(pair[more], pair[less]) for pair in sides.values() if len(pair) == 2]
    high, low = np.array(both, dtype=np.int64).reshape(-1, 2).T
    change = found.value[high] - found.value[low]
    question, correct = found.question[high], found.correct[high]
    of_question = np.nanmean(by_cluster(change, question), axis=1) if len(both) else np.empty(0)
    test = wilcoxon(of_question, against=0.0, alternative="two-sided")
    return ConvincingRow(
        found.arm,
        found.speaker,
        found.assessor,
        more,
        less,
        len(both),
        of_question.size,
        clustered(change, question, np.ones(len(both), dtype=bool)),
        clustered(change, question, correct == 1),
        clustered(change, question, correct == 0),
        test.p,
    )


def clustered(change: Array, question: Codes, chosen: Mask) -> Interval:
    """Return the mean of the chosen changes, with questions as clusters."""
    return mean_interval(by_cluster(change[chosen], question[chosen]))


def slope_rows(found: AssessedReplies) -> Iterator[SlopeRow]:
    """Yield the slope of confidence with length over the explanations of a speaker."""
    is_explanation = np.char.startswith(found.phase, PREFIX)
    chosen = is_explanation & fair(found) & ~np.isnan(found.value) & (found.characters > 0)
    if chosen.any():
        # The same answer is what explanations have in common: a play, not a question.
        _, play = np.unique(found.episode[chosen], return_inverse=True)
        slope = length_slope(found.value[chosen], found.characters[chosen], play)
        yield SlopeRow(found.arm, found.speaker, found.assessor, int(chosen.sum()), slope)
