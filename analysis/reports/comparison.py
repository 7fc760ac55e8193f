"""Compare two studies on the same motions or questions, play by play (`arena compare`).

Plays are matched by subject, contestants by seat, and repeat, and compared in pairs, so that
whatever makes a motion or a question special cancels out.  Plays without a partner are counted on
both sides and left out (matching.py).  Means are compared with pairs as clusters (clustered.py),
shares of debates and of right answers as two arms on the same questions are (accuracy.py).  The
pairs themselves are in play_pairs.py.

Left out: an unpaired comparison of plays without a partner, which mixes the change with the choice
of subjects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Annotated

import numpy as np

from analysis.read.answers import AnswerRecord, Plays
from analysis.read.debates import Debates
from analysis.read.selection import ALL, Selection
from analysis.reports import play_matching
from analysis.reports.plain_json import INLINE, OPTIONAL, JsonField, JsonObject, json_object
from analysis.reports.play_matching import StudyPair
from analysis.reports.rules import rules
from analysis.reports.token_matching import MatchOn, read_matched
from analysis.statistics import matching
from analysis.statistics.accuracy import Difference, paired_difference
from analysis.statistics.clustered import (
    CHANGE,
    Array,
    Codes,
    Mask,
    MeanEstimate,
    clustered_mean,
)
from analysis.statistics.judge_bias import by_cluster
from analysis.statistics.matching import MatchBy, Matches
from analysis.statistics.multiplicity import holm
from analysis.statistics.overconfidence import both_above

# The JSON has no difference of readable answers here.
KEPT = ("questions", "mean", "ci_low", "ci_high", "better", "worse", "p", "p_mid")
ANSWER_DIFFERENCE = JsonField(inline=True, only=KEPT, names={"p": "p_exact"}, parts={"all": INLINE})
BOTH_DIFFERENCE = replace(
    ANSWER_DIFFERENCE,
    names={"questions": "pairs", "worse": "only_a", "better": "only_b", "p": "p_exact"},
)


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """How many plays each study has, and how many have a partner.

    `keys_shared` counts pairs in which several plays have the same subject, contestants and repeat.
    """

    plays: tuple[int, int]
    pairs: int
    only_a: int
    only_b: int
    keys_shared: int


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """Two means over what both studies have, and their difference, the second minus the first."""

    a: float
    b: float
    difference: Annotated[
        MeanEstimate,
        JsonField(inline=True, only=("n", "clusters", "mean", "ci_low", "ci_high", "p")),
    ]


@dataclass(frozen=True, slots=True)
class PhaseDifference:
    """How confidence in one phase differs; `p_holm` is adjusted for all tests of the debates."""

    phase: str
    change: Annotated[MeanDifference, INLINE]
    p_holm: float = nan


@dataclass(frozen=True, slots=True)
class RiseDifference:
    """How the rise of confidence from the first to the last common phase differs."""

    start: Annotated[str, JsonField("from")]
    end: Annotated[str, JsonField("to")]
    change: Annotated[MeanDifference, INLINE]
    p_holm: float = nan


@dataclass(frozen=True, slots=True)
class BothDifference:
    """In how many debates both sides were above 75% in the last common phase, in each study."""

    phase: str
    debates: tuple[int, int]
    above_75: tuple[int, int]
    difference: Annotated[Difference, BOTH_DIFFERENCE]
    p_holm: float = nan


@dataclass(frozen=True, slots=True)
class Change:
    """How many plays were `a` in the first study and `b` in the second."""

    a: str
    b: str
    n: int


@dataclass(frozen=True, slots=True)
class WinnerChanges:
    """Pairs of debates judged in both studies, and those whose winner changed."""

    judged: int
    changed: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class DebateComparison:
    """How matched debates changed; `contestants` of each study.

    None: `rise` with a single common phase, `both` without one, `outcomes` without verdicts in
    both.
    """

    match: Annotated[MatchCounts, INLINE]
    contestants: tuple[list[str], list[str]]
    phases_of_one_only: list[str]
    phases: tuple[PhaseDifference, ...]
    rise: RiseDifference | None
    both: BothDifference | None
    outcomes: WinnerChanges | None


@dataclass(frozen=True, slots=True)
class AnswerDifference:
    """Accuracy in both studies, of one arm or of all (None), and who changed.

    `p_holm` is adjusted for the number of arms; None for the row of all.
    """

    arm: str | None
    plays_compared: tuple[int, int]
    a: float
    b: float
    difference: Annotated[Difference, ANSWER_DIFFERENCE]
    flips: tuple[Change, ...]
    confidence: MeanDifference
    p_holm: Annotated[float | None, OPTIONAL] = None


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """How matched plays of questions changed: all, and those of each arm that both studies have."""

    match: Annotated[MatchCounts, INLINE]
    contestants: tuple[list[str], list[str]]
    whole: Annotated[AnswerDifference, INLINE]
    arms: tuple[AnswerDifference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that changed from study `a` to study `b`; shares in [0, 1], nan if undefined.

    `simulated` names the studies in which simulated models spoke; `notes` say in sentences what is
    left out, and which contestants count as one; `debates` and `answers` are None
    if the two do not both have them.
    """

    a: str
    b: str
    by: MatchBy
    simulated: list[str]
    debates: DebateComparison | None
    answers: AnswerComparison | None
    rules: Mapping[str, str]
    notes: tuple[str, ...] = ()


def compare(
    path: Path,
    a: str,
    b: str,
    *,
    by: MatchBy = "agent",
    selection: Selection = ALL,
    match: MatchOn = "repeat",
) -> JsonObject:
    """Return the JSON of `compare_studies`, as `arena compare --json` prints it; undefined is None.

    Raises as `read_matched` does.
    """
    return json_object(compare_studies(read_matched(path, a, b, by, selection, match), by))


def compare_studies(studies: StudyPair, by: MatchBy) -> Comparison:
    """Return everything that changed from the first study to the second."""
    records = [*(studies.debates or ()), *(studies.answers or ())]
    debates = None
    answers = None
    if studies.debates:
        left, right = studies.debates
        debates = compare_debates(left.debates, right.debates, by)
    if studies.answers:
        answers = compare_answers(*studies.answers, by)
    # Rules about numbers that are not there would only raise questions.
    unused = {"both": debates is None, "answers": answers is None}
    return Comparison(
        studies.a,
        studies.b,
        by,
        sorted({record.study for record in records if record.simulated}),
        debates,
        answers,
        {name: words for name, words in rules("comparison").items() if not unused.get(name)},
        play_matching.selection_notes(studies),
    )


def match_counts(matches: Matches, left: int, right: int) -> MatchCounts:
    """Return how many of so many plays were matched."""
    return MatchCounts(
        (left, right), matches.keys, matches.left_only, matches.right_only, matches.shared
    )


def mean_difference(left: Array, right: Array, question: Codes | None = None) -> MeanDifference:
    """Return how means by key (keys, members) differ, over what both studies have.

    Each key is a cluster; with `question`, (keys,), and one member, the keys of a question are one.
    """
    change = right - left
    there = ~np.isnan(change)
    # Repeats of one question share whatever makes it easy: they count as one cluster.
    rows = change if question is None else by_cluster(change[:, 0], question)
    estimate = clustered_mean(rows, within=CHANGE)
    a, b = (float(values[there].mean()) if there.any() else nan for values in (left, right))
    return MeanDifference(a, b, estimate)


def compare_debates(left: Debates, right: Debates, by: MatchBy) -> DebateComparison:
    """Return how matched debates changed."""
    matches = play_matching.match_plays(
        play_matching.debate_plays(left), play_matching.debate_plays(right), by
    )
    phases = [phase for phase in left.phases if phase in right.phases]
    blocks = (
        play_matching.common_phases(left, matches.left, phases),
        play_matching.common_phases(right, matches.right, phases),
    )

    def difference(before: Array, after: Array) -> MeanDifference:
        """Compare ratings or rises (N, 2) of both studies."""
        return mean_difference(
            matching.mean_by_key(before, matches.left_key, matches.keys),
            matching.mean_by_key(after, matches.right_key, matches.keys),
        )

    # Without a common phase there is nothing to be sure of, and with one nothing to rise to.
    rise = None
    both = None
    if len(phases) > 1:
        # Rises first, then means by key: a debate without one of the two ratings has no rise.
        rises = (block[:, :, -1] - block[:, :, 0] for block in blocks)
        rise = RiseDifference(phases[0], phases[-1], difference(*rises))
    if phases:
        sure, other_sure = (both_above(block[:, :, -1]) for block in blocks)
        both = both_difference(phases[-1], sure, other_sure, matches)
    rows = tuple(
        PhaseDifference(phase, difference(*(block[:, :, number] for block in blocks)))
        for number, phase in enumerate(phases)
    )
    return DebateComparison(
        match_counts(matches, len(left.episode), len(right.episode)),
        (left.contestants(), right.contestants()),
        sorted(set(left.phases) ^ set(right.phases)),
        *adjusted_tests(rows, rise, both),
        winner_changes(left, right, matches),
    )


def adjusted_tests(
    rows: tuple[PhaseDifference, ...], rise: RiseDifference | None, both: BothDifference | None
) -> tuple[tuple[PhaseDifference, ...], RiseDifference | None, BothDifference | None]:
    """Return the rows with p adjusted by Holm's method: all are one family of tests."""
    tests = [row.change.difference.p for row in rows]
    tests += [rise.change.difference.p if rise else nan, both.difference.p if both else nan]
    *by_phase, of_rise, of_both = holm(tests).tolist()
    return (
        tuple(replace(row, p_holm=p) for row, p in zip(rows, by_phase, strict=True)),
        replace(rise, p_holm=of_rise) if rise else None,
        replace(both, p_holm=of_both) if both else None,
    )


def both_difference(phase: str, left: Array, right: Array, matches: Matches) -> BothDifference:
    """Compare in how many debates both sides were sure (N,).

    Over keys for which both studies have a debate with both ratings.
    """
    rated, other_rated = ~np.isnan(left), ~np.isnan(right)
    change = paired_difference(
        right[other_rated], matches.right_key[other_rated], left[rated], matches.left_key[rated]
    )
    # A key counts if both studies have at least one debate of it with both ratings.
    common = np.intersect1d(matches.left_key[rated], matches.right_key[other_rated])
    # Counts are of debates, also of several with one key, as the report counts them.
    before = left[rated & np.isin(matches.left_key, common)]
    after = right[other_rated & np.isin(matches.right_key, common)]
    sure = (int(before.sum()), int(after.sum()))
    return BothDifference(phase, (before.size, after.size), sure, change)


def winner_changes(left: Debates, right: Debates, matches: Matches) -> WinnerChanges | None:
    """Return who won in pairs of debates that were judged in both studies, or None without any.

    Pairs that share their key with further debates are left out: nobody can tell which belong
    together.
    """
    winners = [
        (left.winner[row], right.winner[partner])
        for row, partner, alone in matching.partners(
            matches, left.episode.tolist(), right.episode.tolist()
        )
        if alone and left.winner[row] is not None and right.winner[partner] is not None
    ]
    changes = count_changes(winners)
    if not winners:
        return None
    return WinnerChanges(len(winners), sum(change.n for change in changes), changes)


def count_changes(pairs: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
    """Return how often each value became each other one."""
    count = Counter((before, after) for before, after in pairs if before != after)
    return tuple(Change(before, after, n) for (before, after), n in sorted(count.items()))


def compare_answers(left: AnswerRecord, right: AnswerRecord, by: MatchBy) -> AnswerComparison:
    """Return how matched plays of questions changed; p is adjusted over the common arms."""
    matches = play_matching.match_plays(
        play_matching.answer_plays(left), play_matching.answer_plays(right), by
    )
    shared = sorted(
        matching.arms_in_common(play_matching.arm_labels(left), play_matching.arm_labels(right))
        or ()
    )
    rows = []
    # With one common arm its row would be that of all.
    for arm in shared if len(shared) > 1 else ():
        masks = [record.plays.arm == record.arms.index(arm) for record in (left, right)]
        rows.append(answer_difference(arm, left.plays, right.plays, matches, *masks))
    adjusted = holm([row.difference.p for row in rows]).tolist()
    everything = [np.ones(record.plays.arm.size, dtype=bool) for record in (left, right)]
    contestants = [
        sorted({name for (name,) in play_matching.seated_together(record) if name is not None})
        for record in (left, right)
    ]
    return AnswerComparison(
        match_counts(matches, len(left.plays.arm), len(right.plays.arm)),
        (contestants[0], contestants[1]),
        answer_difference(None, left.plays, right.plays, matches, *everything),
        tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True)),
    )


def answer_difference(
    arm: str | None, left: Plays, right: Plays, matches: Matches, kept: Mask, other_kept: Mask
) -> AnswerDifference:
    """Compare the accuracy and the confidence of matched plays that are kept, masks (E,)."""
    rows = matches.left[kept[matches.left]]
    other_rows = matches.right[other_kept[matches.right]]
    # Codes of subjects differ between studies: number them anew, over both.
    subjects = [*left.subject[rows].tolist(), *right.subject[other_rows].tolist()]
    number = {subject: code for code, subject in enumerate(dict.fromkeys(subjects))}
    codes = np.array([number[subject] for subject in subjects], dtype=np.int64)
    correct, other_correct = left.correct[rows], right.correct[other_rows]
    difference = paired_difference(other_correct, codes[rows.size :], correct, codes[: rows.size])
    # Flips need partners that are known to belong together; means by key do not.
    alone = [
        (row, partner)
        for row, partner, only in matching.partners(
            matches, left.episode.tolist(), right.episode.tolist()
        )
        if only and kept[row]
    ]
    before = play_matching.outcome_words(left.correct[[row for row, _ in alone]])
    after = play_matching.outcome_words(right.correct[[partner for _, partner in alone]])
    a, b = (
        float((values == 1).mean()) if values.size else nan for values in (correct, other_correct)
    )
    return AnswerDifference(
        arm,
        (rows.size, other_rows.size),
        a,
        b,
        difference,
        count_changes(list(zip(before, after, strict=True))),
        confidence_difference(left, right, matches, kept, other_kept),
    )


def confidence_difference(
    left: Plays, right: Plays, matches: Matches, kept: Mask, other_kept: Mask
) -> MeanDifference:
    """Return the change of confidence, with questions as clusters."""
    before = np.where(kept, left.confidence, nan)[matches.left][:, None]
    after = np.where(other_kept, right.confidence, nan)[matches.right][:, None]
    question = np.zeros(matches.keys, dtype=np.int64)
    question[matches.left_key] = left.question[matches.left]
    return mean_difference(
        matching.mean_by_key(before, matches.left_key, matches.keys),
        matching.mean_by_key(after, matches.right_key, matches.keys),
        question,
    )
