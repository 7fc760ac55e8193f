"""Two studies on the same motions or questions, play by play: what changed from the first to the second?

Plays are matched by subject, models by seat, and repeat, and compared in pairs, so that what makes a motion or a question special cancels
out.  What has no partner is counted on both sides and left out (matching.py).  Means are compared with pairs as clusters (clusters.py),
shares of debates and of right answers as two arms on the same questions are (accuracy.py).

Left out: unpaired comparison of plays without a partner, which mixes the change with the choice of subjects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.read.answers import AnswerRecord, Plays, read_answers
from analysis.read.debates import DebateRecord, Debates, read_records
from analysis.reports.answers import by_question
from analysis.reports.debates import json_object
from analysis.statistics.accuracy import paired_difference
from analysis.statistics.clustered import Array, clustered_mean
from analysis.statistics.matching import (
    Codes,
    MatchBy,
    Matches,
    arms_in_common,
    match_keys,
    mean_by_key,
    partners,
    play_key,
)
from analysis.statistics.multiplicity import holm
from arena.errors import StudyError

Json = dict[str, Any]
RULES = {
    "pairs": "Plays with one subject, one model in each seat (with --by subject: whatever the models) and one repeat, of arms of one name where"
    " the studies share any. Where several plays share all that, their means are compared. Plays without a partner are counted and left out,"
    " as are those whose subject or models are unknown.",
    "interval": "95%, of the second study minus the first, with pairs as clusters (of answers: questions); Student's t.",
    "both": "Debates in which both sides are above 75% in the last common phase: difference of shares with a percentile interval over pairs;"
    " p is McNemar's, exact, of those that changed.",
    "answers": "Unreadable answers count as not right. Interval and p as in the report on answers: questions resampled, exact two-sided; Holm:"
    " adjusted for the number of arms.",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A play of the first study and its partner in the second.

    `kind` is "debate" or "question"; `models` are those of the first play's seats and `other_models` of its partner's.  A debate's `value`
    is the mean confidence of its two sides in the last common phase, in [0, 1]; a question's is 1 right, 0 not; None where missing.
    `difference` is `other_value - value`.  `outcome` is a debate's winner by the judges, or "right", "wrong" or "unreadable"; None where
    not judged.  `differs` if the outcomes differ, or whether both sides of a debate were above 75%.
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


@dataclass(frozen=True, slots=True)
class StudyPair:
    """What was read of the two studies that are compared; None where not both have debates, or answers."""

    a: str
    b: str
    debates: tuple[DebateRecord, DebateRecord] | None
    answers: tuple[AnswerRecord, AnswerRecord] | None


def compare(path: Path, a: str, b: str, *, by: MatchBy = "models") -> Json:
    """Everything that changed from study `a` to study `b`, JSON-ready, undefined as None; confidences and shares in [0, 1].

    `debates` and `answers` are None where the two do not both have them.  Raises StudyError for a study that is unknown, for one study
    twice, and for two that have nothing of one kind; StoreError where the store cannot be read.
    """
    return compare_studies(read_both(path, a, b), by)


def pairs(path: Path, a: str, b: str, *, by: MatchBy = "models") -> list[Pair]:
    """The pairs of plays that `compare` compares, debates before questions, those of one key in the order of their ids; raises as it does.

    Where a study has more plays of a key than the other, those left over stand in no pair.
    """
    return pair_plays(read_both(path, a, b), by)


def compare_studies(found: StudyPair, by: MatchBy) -> Json:
    """`compare`, of what has been read."""
    records = [record for two in (found.debates, found.answers) if two for record in two]
    unused = {"both": found.debates, "answers": found.answers}
    return json_object(
        {
            "a": found.a,
            "b": found.b,
            "by": by,
            "simulated": sorted({record.study for record in records if record.simulated}),
            "debates": compare_debates(found.debates[0].debates, found.debates[1].debates, by)
            if found.debates
            else None,
            "answers": compare_answers(*found.answers, by) if found.answers else None,
            "rules": {name: words for name, words in RULES.items() if unused.get(name, True)},
        }
    )


def pair_plays(found: StudyPair, by: MatchBy) -> list[Pair]:
    """`pairs`, of what has been read."""
    debates = (
        debate_pairs(found.debates[0].debates, found.debates[1].debates, by)
        if found.debates
        else []
    )
    return debates + (answer_pairs(*found.answers, by) if found.answers else [])


def read_both(path: Path, a: str, b: str) -> StudyPair:
    """Both studies, or StudyError."""
    if a == b:
        raise StudyError(f"two studies are needed to compare, found {a!r} twice")
    debates, answers = {}, {}
    for study in (a, b):
        answers |= {record.study: record for record in read_answers(path, study)}
        try:
            debates |= {record.study: record for record in read_records(path, study)}
        except StudyError:
            if study not in answers:
                raise
    found = StudyPair(
        a,
        b,
        *((kind[a], kind[b]) if a in kind and b in kind else None for kind in (debates, answers)),
    )
    if found.debates is None and found.answers is None:
        has = [
            f"{study!r} has {'debates' if study in debates else 'answers to questions'}"
            for study in (a, b)
        ]
        raise StudyError(f"there is nothing to compare: {' and '.join(has)}")
    return found


def match_debates(left: Debates, right: Debates, by: MatchBy) -> Matches:
    """The debates of two studies that belong together."""
    arms = arms_in_common(left.arm.tolist(), right.arm.tolist())
    keys = []
    for one in (left, right):
        rows = zip(
            one.subject.tolist(),
            map(tuple, one.model.tolist()),
            one.repeat.tolist(),
            one.arm.tolist(),
            strict=True,
        )
        keys.append([play_key(*row, by=by, arms=arms) for row in rows])
    return match_keys(*keys)


def difference_row(left: Array, right: Array, question: Codes | None = None) -> Json:
    """Means by key (keys, members) that both studies have, and their differences, right minus left; by `question` where keys share one."""
    change = right - left
    there = ~np.isnan(change)
    found = clustered_mean(change if question is None else by_question(change[:, 0], question))
    means = {
        name: float(values[there].mean()) if there.any() else nan
        for name, values in (("a", left), ("b", right))
    }
    return {
        "n": found.n,
        "clusters": found.clusters,
        **means,
        "mean": found.mean,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "p": found.p,
    }


def compare_debates(left: Debates, right: Debates, by: MatchBy) -> Json:
    """What changed between matched debates."""
    found = match_debates(left, right, by)
    phases = [phase for phase in left.phases if phase in right.phases]
    sides = ((left, found.left, found.left_key), (right, found.right, found.right_key))
    blocks = [common_phases(debates, rows, phases) for debates, rows, _ in sides]

    def difference_of_means(parts: Sequence[Array]) -> Json:
        """The difference row of ratings or rises (N, 2) of both studies."""
        return difference_row(
            *(
                mean_by_key(part, codes, found.keys)
                for part, (_, _, codes) in zip(parts, sides, strict=True)
            )
        )

    rises = [block[:, :, -1] - block[:, :, 0] for block in blocks] if len(phases) > 1 else []
    sure = [above_75(block) for block in blocks] if phases else []
    return {
        **match_counts(found, len(left.episode), len(right.episode)),
        "models": [
            sorted({name for name in one.model.ravel().tolist() if name is not None})
            for one in (left, right)
        ],
        "phases_of_one_only": sorted(set(left.phases) ^ set(right.phases)),
        "phases": [
            {"phase": phase, **difference_of_means([block[:, :, k] for block in blocks])}
            for k, phase in enumerate(phases)
        ],
        "rise": {"from": phases[0], "to": phases[-1], **difference_of_means(rises)}
        if rises
        else None,
        "both": {"phase": phases[-1], **both_row(*sure, found)} if sure else None,
        "outcomes": outcomes_row(left, right, found),
    }


def common_phases(debates: Debates, rows: Codes, phases: Sequence[str]) -> Array:
    """(N, 2, phases): the confidence of some debates in some phases."""
    block: Array = debates.confidence[rows][:, :, [debates.phases.index(phase) for phase in phases]]
    return block


def above_75(block: Array) -> Array:
    """(N,) 1 where both sides are above 75% in the last phase of (N, 2, P), 0 where not, nan where a rating is missing."""
    lower = block[:, :, -1].min(axis=1)
    return np.where(np.isnan(lower), nan, lower > 0.75)


def both_row(left: Array, right: Array, found: Matches) -> Json:
    """In what share of debates both sides were sure (N,) in each study, over keys for which both have a debate with both ratings."""
    there, other = ~np.isnan(left), ~np.isnan(right)
    change = paired_difference(
        right[other], found.right_key[other], left[there], found.left_key[there]
    )
    shares = [
        mean_by_key(values[:, None], codes, found.keys)[:, 0]
        for values, codes in ((left, found.left_key), (right, found.right_key))
    ]
    common = ~np.isnan(shares[0] + shares[1])
    counted = [
        values[there & common[codes]]
        for values, there, codes in ((left, there, found.left_key), (right, other, found.right_key))
    ]
    row = {
        "pairs": change.questions,
        "debates": [values.size for values in counted],
        "above_75": [int(values.sum()) for values in counted],
    }
    return (
        row
        | {"only_a": change.worse, "only_b": change.better}
        | asdict(change.all)
        | {"p_exact": change.p, "p_mid": change.p_mid}
    )


def outcomes_row(left: Debates, right: Debates, found: Matches) -> Json | None:
    """Who won in pairs of debates that were judged in both studies, and in how many that changed; None without any.

    Pairs that share their key with further debates are left out, since which belongs to which cannot be told.
    """
    winners = [
        (left.winner[one], right.winner[other])
        for one, other, alone in partners(found, left.episode, right.episode)
        if alone
    ]
    judged = [
        (before, after) for before, after in winners if before is not None and after is not None
    ]
    changes = Counter((before, after) for before, after in judged if before != after)
    rows = [{"a": before, "b": after, "n": n} for (before, after), n in sorted(changes.items())]
    return (
        {"judged": len(judged), "changed": sum(changes.values()), "changes": rows}
        if judged
        else None
    )


def match_counts(found: Matches, left: int, right: int) -> Json:
    """How many plays each study has, how many were matched and how many were not."""
    return {
        "plays": [left, right],
        "pairs": found.keys,
        "only_a": found.left_only,
        "only_b": found.right_only,
        "keys_shared": found.shared,
    }


def match_answers(left: AnswerRecord, right: AnswerRecord, by: MatchBy) -> Matches:
    """The plays of questions of two studies that belong together."""
    arms = arms_in_common(arm_labels(left), arm_labels(right))
    keys = []
    for one in (left, right):
        rows = zip(
            one.plays.subject.tolist(),
            play_models(one),
            one.plays.repeat.tolist(),
            arm_labels(one),
            strict=True,
        )
        keys.append([play_key(*row, by=by, arms=arms) for row in rows])
    return match_keys(*keys)


def arm_labels(record: AnswerRecord) -> list[str]:
    """The arm of each play."""
    return [record.arms[code] for code in record.plays.arm.tolist()]


def play_models(record: AnswerRecord) -> list[tuple[str | None]]:
    """The models that sat in each play, in one text; None where unknown."""
    names = [None if name == "unknown" else name for name in record.models]
    return [(names[code],) for code in record.plays.models.tolist()]


def compare_answers(left: AnswerRecord, right: AnswerRecord, by: MatchBy) -> Json:
    """What changed between matched plays of questions, of all and of each arm that both studies have; p adjusted over these arms."""
    found = match_answers(left, right, by)
    shared = sorted(arms_in_common(arm_labels(left), arm_labels(right)) or ())
    rows = []
    for arm in (None, *shared) if len(shared) > 1 else (None,):
        kept = [
            record.plays.arm == record.arms.index(arm)
            if arm
            else np.ones(record.plays.arm.size, dtype=bool)
            for record in (left, right)
        ]
        rows.append({"arm": arm, **answers_row(left.plays, right.plays, found, kept)})
    adjusted = holm([row["p_exact"] for row in rows[1:]])
    return {
        **match_counts(found, len(left.plays.arm), len(right.plays.arm)),
        "models": [
            sorted({name for (name,) in play_models(one) if name is not None})
            for one in (left, right)
        ],
        **rows[0],
        "arms": [row | {"p_holm": float(p)} for row, p in zip(rows[1:], adjusted, strict=True)],
    }


def answers_row(
    left: Plays, right: Plays, found: Matches, kept: Sequence[NDArray[np.bool_]]
) -> Json:
    """Accuracy of both, the difference, who flipped, and the change of stated confidence, over matched plays that are kept, masks (E,)."""
    one, other = found.left[kept[0][found.left]], found.right[kept[1][found.right]]
    names = {
        name: code
        for code, name in enumerate(
            dict.fromkeys([*left.subject[one].tolist(), *right.subject[other].tolist()])
        )
    }
    codes = [
        np.array([names[name] for name in plays.subject[rows].tolist()], dtype=np.int64)
        for plays, rows in ((left, one), (right, other))
    ]
    correct, other_correct = left.correct[one], right.correct[other]
    difference = paired_difference(other_correct, codes[1], correct, codes[0])
    alone = [
        (row, partner)
        for row, partner, only in partners(found, left.episode, right.episode)
        if only and kept[0][row]
    ]
    before, after = (
        outcome_words(plays.correct[[pair[k] for pair in alone]])
        for k, plays in ((0, left), (1, right))
    )
    flips = Counter(zip(before, after, strict=True))
    accuracy = {
        name: float((values == 1).mean()) if values.size else nan
        for name, values in (("a", correct), ("b", other_correct))
    }
    return {
        "plays_compared": [one.size, other.size],
        "questions": difference.questions,
        **accuracy,
        **asdict(difference.all),
        "better": difference.better,
        "worse": difference.worse,
        "p_exact": difference.p,
        "p_mid": difference.p_mid,
        "flips": [
            {"a": was, "b": now, "n": n} for (was, now), n in sorted(flips.items()) if was != now
        ],
        "confidence": confidence_row(left, right, found, kept),
    }


def confidence_row(
    left: Plays, right: Plays, found: Matches, kept: Sequence[NDArray[np.bool_]]
) -> Json:
    """The change of stated confidence, with questions as clusters."""
    values = [
        mean_by_key(np.where(mask, plays.confidence, nan)[rows][:, None], codes, found.keys)
        for plays, mask, rows, codes in (
            (left, kept[0], found.left, found.left_key),
            (right, kept[1], found.right, found.right_key),
        )
    ]
    question = np.zeros(found.keys, dtype=np.int64)
    question[found.left_key] = left.question[found.left]
    return difference_row(*values, question)


def outcome_words(correct: Array) -> list[str]:
    """Right, wrong or unreadable."""
    return [
        "unreadable" if isnan(value) else "right" if value else "wrong"
        for value in correct.tolist()
    ]


def debate_pairs(left: Debates, right: Debates, by: MatchBy) -> list[Pair]:
    """Pairs of debates."""
    found = match_debates(left, right, by)
    phases = [phase for phase in left.phases if phase in right.phases][-1:]
    values, sure = [], []
    for one in (left, right):
        block = (
            common_phases(one, np.arange(len(one.episode)), phases)
            if phases
            else np.full((len(one.episode), 2, 1), nan)
        )
        values.append(nan_to_none(block[:, :, -1].mean(axis=1)))
        sure.append(nan_to_none(above_75(block)))
    made = []
    for row, partner, _ in partners(found, left.episode, right.episode):
        names = (
            left.subject[row],
            left.arm[row],
            int(left.repeat[row]),
            tuple(left.model[row]),
            tuple(right.model[partner]),
        )
        before, after, outcome, other = (
            values[0][row],
            values[1][partner],
            left.winner[row],
            right.winner[partner],
        )
        differs = not_the_same(outcome, other) or not_the_same(sure[0][row], sure[1][partner])
        ids = left.episode[row], right.episode[partner]
        made.append(
            Pair(
                "debate",
                *names,
                *ids,
                before,
                after,
                subtract(after, before),
                outcome,
                other,
                differs,
            )
        )
    return made


def answer_pairs(left: AnswerRecord, right: AnswerRecord, by: MatchBy) -> list[Pair]:
    """Pairs of plays of questions."""
    found, plays = match_answers(left, right, by), left.plays
    arms, models, other_models = arm_labels(left), play_models(left), play_models(right)
    values, words = (
        [make(one.plays.correct) for one in (left, right)] for make in (nan_to_none, outcome_words)
    )
    made = []
    for row, partner, _ in partners(found, plays.episode, right.plays.episode):
        names = (
            plays.subject[row],
            arms[row],
            int(plays.repeat[row]),
            models[row],
            other_models[partner],
        )
        before, after, was, now = (
            values[0][row],
            values[1][partner],
            words[0][row],
            words[1][partner],
        )
        ids = plays.episode[row], right.plays.episode[partner]
        made.append(
            Pair(
                "question",
                *names,
                *ids,
                before,
                after,
                subtract(after, before),
                was,
                now,
                was != now,
            )
        )
    return made


def not_the_same(value: object, other: object) -> bool:
    """Whether two values are known and differ."""
    return value is not None and other is not None and value != other


def nan_to_none(values: Array) -> list[float | None]:
    """Numbers as a list, None for nan."""
    return [None if isnan(value) else value for value in values.tolist()]


def subtract(value: float | None, other: float | None) -> float | None:
    """The difference of two numbers, None where one is missing."""
    return None if value is None or other is None else value - other
