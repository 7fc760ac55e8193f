"""Report how often the arms of a study answered right, at what cost, and how sure they were of it.

Also who changed from one answer to another.  Every number is of finished plays; rules.md says how
each is decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import nan
from typing import Annotated

import numpy as np

from analysis.read.answers import AnswerRecord, Plays
from analysis.read.oversight import PROTOCOLS as TWO_ORDERS
from analysis.reports.changed_answers import (
    ChangeRow,
    FlipContrastRow,
    FlipRow,
    change_rows,
    flip_contrast_rows,
    flip_rows,
)
from analysis.reports.contrasts import ContrastRow, contrast_rows, difference_of
from analysis.reports.details import CalibrationMeasures, calibration_measures
from analysis.reports.plain_json import INLINE, JsonField, interval_as
from analysis.reports.rows import (
    EpisodeCounts,
    Scores,
    episode_counts,
    mean_interval,
    scores,
    scores_with,
)
from analysis.statistics.accuracy import (
    Accuracy,
    Difference,
    accuracy,
    path_scores,
    shares_over_plays,
)
from analysis.statistics.bootstrap import Interval
from analysis.statistics.calibration import average_precision, selective_accuracy
from analysis.statistics.clustered import Array, Codes, Mask
from analysis.statistics.cost import TOLERANCE, compare_budgets, mean_known
from analysis.statistics.judge_bias import by_cluster
from analysis.statistics.multiplicity import holm

READABLE = interval_as("of_readable")
SHARE = JsonField(
    inline=True,
    parts={"all": JsonField(inline=True, names={"mean": "accuracy"}), "readable": READABLE},
)
DIFFERENCE = JsonField(
    inline=True, names={"p": "p_exact"}, parts={"all": INLINE, "readable": READABLE}
)


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """How often plays were right, and the means of their calls, tokens and dollars.

    `share.all` counts unreadable answers as not right, `share.readable` leaves them out.
    `answered` are calls with a reply.  A mean leaves out the `<name>_unknown` plays whose number is
    not known.
    """

    share: Annotated[Accuracy, SHARE]
    calls: float
    answered: float
    tokens_in: float
    tokens_in_unknown: int
    tokens_out: float
    tokens_out_unknown: int
    cost_usd: float
    cost_usd_unknown: int
    routes: float


@dataclass(frozen=True, slots=True)
class PathsRow:
    """The paths of `plays` plays: right one by one, by majority, and at best."""

    plays: int
    n_min: int
    n_max: int
    paths: int
    unreadable: int
    pass_at_1: Interval
    pass_at_1_of_readable: Interval
    cons_at_n: Interval
    cons_at_n_of_readable: Interval
    without_a_vote: int
    any: Interval


@dataclass(frozen=True, slots=True)
class ConfidenceRow:
    """Confidence against correctness over `n` answers; `source` says what it is, "vote share" say.

    `without` counts answers without confidence, or of unknown correctness, which are left out.
    """

    what: str
    source: str
    n: int
    without: int
    questions: int
    brier: Annotated[Interval, interval_as("brier")]
    scores: Annotated[Scores, scores_with("mean_minus_accuracy")]
    auprc_right: float
    auprc_wrong: float
    selective_accuracy: float
    accuracy: float
    details: CalibrationMeasures


@dataclass(frozen=True, slots=True)
class ArmRow:
    """All findings about one arm."""

    arm: str
    protocol: str
    accuracy: Annotated[AccuracyRow, INLINE]
    unreadable_because: Mapping[str, int]
    paths: PathsRow | None
    changes: tuple[ChangeRow, ...]
    calibration: tuple[ConfidenceRow, ...]


@dataclass(frozen=True, slots=True)
class ModelsRow:
    """Accuracy of one arm with one lineup of models."""

    arm: str
    models: str
    accuracy: Annotated[AccuracyRow, INLINE]


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """By how much `arm` is more often right than `against` on their common questions."""

    arm: str
    against: str
    difference: Annotated[Difference, DIFFERENCE]
    p_holm: float = nan


@dataclass(frozen=True, slots=True)
class Spending:
    """The mean by arm, and whether the arms had the same; None if that cannot be told."""

    equal: bool | None
    by_arm: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Budget:
    """Whether the arms had the same budget on their common questions; `notes` say it in words.

    With no question in common, each arm over all of its own.
    """

    answered: Spending
    questions: int
    tokens_out: Spending
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerFindings:
    """The findings about a study's answers; shares and confidences in [0, 1].

    `contrasts` are those of methods with their controls; `budget` is None with a single arm;
    `pooled` names arms that were played with several sets of options.
    """

    questions: int
    episodes: EpisodeCounts
    arms: tuple[ArmRow, ...]
    by_model: tuple[ModelsRow, ...]
    differences: tuple[DifferenceRow, ...]
    contrasts: tuple[ContrastRow, ...]
    flips: tuple[FlipRow, ...]
    flip_contrasts: tuple[FlipContrastRow, ...]
    budget: Budget | None
    pooled: tuple[str, ...]


def answer_findings(record: AnswerRecord) -> AnswerFindings:
    """Return the findings about a study's answers."""
    plays = record.plays
    # With a single arm, the question is which of the models that played it is better.
    names = record.arms
    code = plays.arm
    if len(names) < 2:
        names = record.models
        code = plays.models
    return AnswerFindings(
        record.questions,
        episode_counts(record.episodes),
        tuple(arm_row(record, number) for number in range(len(record.arms))),
        model_rows(record),
        difference_rows(plays, names, code),
        contrast_rows(record),
        flip_rows(record),
        flip_contrast_rows(record),
        budget(plays, names, code),
        record.pooled,
    )


def arm_row(record: AnswerRecord, number: int) -> ArmRow:
    """Return all findings about an arm."""
    plays = record.plays
    chosen = plays.arm == number
    unreadable = Counter(plays.status[chosen & np.isnan(plays.correct)].tolist())
    calibrated = confidence_rows(record, chosen, record.arms[number])
    # What one judge says in both orders of the letters is neither paths nor a change of mind.
    two_orders = record.protocols[number] in TWO_ORDERS
    return ArmRow(
        record.arms[number],
        record.protocols[number],
        accuracy_row(plays, chosen),
        dict(unreadable.most_common()),
        None if two_orders else paths_row(record, chosen),
        () if two_orders else change_rows(record, chosen),
        tuple(row for row in calibrated if row.what == "final" or not two_orders),
    )


def accuracy_row(plays: Plays, chosen: Mask) -> AccuracyRow:
    """Return the accuracy of the chosen plays, a mask (E,), and the means of what they used."""
    return AccuracyRow(
        accuracy(plays.correct[chosen], plays.question[chosen]),
        # Attempts, replies and summaries are counted by the arena itself and never unknown.
        mean_known(plays.calls[chosen])[0],
        mean_known(plays.answered[chosen])[0],
        *mean_known(plays.tokens_in[chosen]),
        *mean_known(plays.tokens_out[chosen]),
        *mean_known(plays.cost_usd[chosen]),
        mean_known(plays.routes[chosen])[0],
    )


def model_rows(record: AnswerRecord) -> tuple[ModelsRow, ...]:
    """Return the accuracy by arm and models, or nothing if no arm has several."""
    plays = record.plays
    # As many pairs as arms: every arm has one lineup, and its row says it all.
    played = sorted(set(zip(plays.arm.tolist(), plays.models.tolist(), strict=True)))
    if len(played) == len({arm for arm, _ in played}):
        return ()
    rows = []
    for arm, models in played:
        chosen = (plays.arm == arm) & (plays.models == models)
        row = ModelsRow(record.arms[arm], record.models[models], accuracy_row(plays, chosen))
        rows.append(row)
    return tuple(rows)


def difference_rows(plays: Plays, names: tuple[str, ...], code: Codes) -> tuple[DifferenceRow, ...]:
    """Return each two arms on their common questions, the later minus the earlier.

    `p_holm` is `p_exact` adjusted for the number of pairs.
    """
    rows = []
    for earlier, later in combinations(range(len(names)), 2):
        mine, other = code == later, code == earlier
        difference = difference_of(plays, mine, other)
        rows.append(DifferenceRow(names[later], names[earlier], difference))
    # Every pair of arms is one test of a family: the more arms, the more false differences.
    adjusted = holm([row.difference.p for row in rows]).tolist()
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def budget(plays: Plays, names: tuple[str, ...], code: Codes) -> Budget | None:
    """Return whether the arms had the same budget per question, or None with a single arm."""
    played = [number for number in range(len(names)) if (code == number).any()]
    if len(played) < 2:
        return None
    # An arm whose plays all failed has no budget to compare.
    masks = [code == number for number in played]
    questions = [plays.question[mask] for mask in masks]
    if no_common := not set.intersection(*(set(each.tolist()) for each in questions)):
        questions = [np.zeros_like(each) for each in questions]
    spendings: dict[str, Spending] = {}
    notes: list[str] = []
    common = 0
    for values, name, words in (
        (plays.answered, "answered", "calls with a reply"),
        (plays.tokens_out, "tokens_out", "generated tokens"),
    ):
        spent = compare_budgets(
            [values[mask] for mask in masks], questions, tolerance=TOLERANCE[name]
        )
        by_arm = {
            names[number]: float(mean) for number, mean in zip(played, spent.mean, strict=True)
        }
        spendings[name] = Spending(spent.equal, by_arm)
        notes += budget_notes(spendings[name], words)
        common = 0 if no_common else spent.questions
    if no_common:
        notes.append("No question is common to all arms: budgets are over each arm's own.")
    return Budget(spendings["answered"], common, spendings["tokens_out"], tuple(notes))


def budget_notes(spending: Spending, words: str) -> list[str]:
    """Say that arms differ in such a budget, or that it cannot be told; nothing if they do not."""
    by_arm = spending.by_arm
    if spending.equal is None:
        unknown = ", ".join(name for name, mean in by_arm.items() if np.isnan(mean))
        unknown = "all arms" if np.isnan(list(by_arm.values())).all() else unknown
        return [
            f"Whether the arms had the same {words} per question cannot be told:"
            f" unknown for {unknown}."
        ]
    # Equal budgets need no words here: one sentence of the table covers both.
    if spending.equal:
        return []
    least, most = min(by_arm, key=by_arm.__getitem__), max(by_arm, key=by_arm.__getitem__)
    return [
        f"NOT THE SAME BUDGET: {words} per question from {by_arm[least]:,.1f} ({least})"
        f" to {by_arm[most]:,.1f} ({most})."
    ]


def paths_row(record: AnswerRecord, chosen: Mask) -> PathsRow | None:
    """Return Pass@1, Cons@n and the oracle of the chosen plays with path answers, or None."""
    answers = record.all_answers
    plays = record.plays
    mine = answers.path & chosen[answers.play]
    if not mine.any():
        return None
    paths = path_scores(answers.correct[mine], answers.vote[mine], answers.play[mine], chosen.size)
    has_paths = paths.n > 0
    question = plays.question[has_paths]
    shares = np.stack((paths.share, paths.share_readable), axis=1)[has_paths]
    share, readable = shares_over_plays(shares, question, paths.n[has_paths].astype(np.float64))
    [best] = shares_over_plays(paths.any[has_paths, None], question, np.ones(question.size))
    # A tie without any vote has no majority: unreadable, not wrong.
    voted = accuracy(paths.majority[has_paths], question)
    return PathsRow(
        int(has_paths.sum()),
        int(paths.n[has_paths].min()),
        int(paths.n.max()),
        int(paths.n.sum()),
        int(paths.unreadable.sum()),
        share,
        readable,
        voted.all,
        voted.readable,
        voted.unreadable,
        best,
    )


def confidence_rows(record: AnswerRecord, chosen: Mask, arm: str) -> tuple[ConfidenceRow, ...]:
    """Return confidence against correctness, of final answers and of path answers."""
    plays = record.plays
    answers = record.all_answers
    paths = answers.path & chosen[answers.play]
    asked = plays.question[chosen]
    asked_of_paths = plays.question[answers.play[paths]]
    final, path = (record.sources.get((arm, each), "unknown") for each in (True, False))
    of_paths = answers.confidence[paths], answers.correct[paths], asked_of_paths
    rows = (
        confidence_row("final", final, plays.confidence[chosen], plays.correct[chosen], asked),
        confidence_row("paths", path, *of_paths),
    )
    return tuple(row for row in rows if row.n)


def confidence_row(
    what: str, source: str, confidence: Array, correct: Array, question: Codes
) -> ConfidenceRow:
    """Return one row; answers without confidence or correctness are left out and counted."""
    there = ~(np.isnan(confidence) | np.isnan(correct))
    stated = confidence[there]
    right = correct[there]
    # Answers to one question hang together: a row each, so that intervals take it as one cluster.
    wide_stated, wide_right = (by_cluster(values, question[there]) for values in (stated, right))
    return ConfidenceRow(
        what,
        source,
        stated.size,
        int((~there).sum()),
        len(wide_stated),
        mean_interval(np.square(wide_stated - wide_right)),
        scores(wide_stated, wide_right),
        average_precision(stated, right),
        average_precision(1 - stated, 1 - right),
        selective_accuracy(stated, right),
        float(right.mean()) if right.size else nan,
        calibration_measures(stated, right),
    )
