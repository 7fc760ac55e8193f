"""The answers section of `arena report`: how often each arm was right, at what cost, who changed, and how well confidence fits.

Every number is of finished plays; the rules that decide them are in RULES.  Pictures are in plots_answers.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields
from itertools import combinations
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.read.answers import AnswerRecord, Plays
from analysis.statistics.accuracy import (
    Accuracy,
    accuracy,
    mean_over_plays,
    paired_difference,
    path_scores,
)
from analysis.statistics.answer_changes import change
from analysis.statistics.bootstrap import Interval
from analysis.statistics.calibration import (
    auroc,
    auroc_interval,
    average_precision,
    brier,
    ece,
    overconfidence,
    selective_accuracy,
)
from analysis.statistics.clustered import Array, clustered_mean
from analysis.statistics.cost import TOLERANCE, compare_budgets, mean_known
from analysis.statistics.multiplicity import holm

Json = dict[str, Any]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]
RULES = {
    "answers": "Finished plays only. An answer that cannot be told right or wrong, or that is not there, is unreadable: counted as not right,"
    " except where it says 'of readable'.",
    "questions": "95% percentile intervals of 2,000 resamples of questions, with their repeats and paths. They speak of further questions of"
    " this kind; below 20 questions or so they are too narrow, and one without width says only that no resample differed.",
    "difference": "Over the questions that both arms have finished, resampled together. better and worse: questions with a larger and a"
    " smaller share right; p: exact two-sided (McNemar's with one play per question) and its mid-p form;"
    " Holm: the exact p adjusted for the number of pairs.",
    "paths": "Path answers, the last of each seat. Pass@1: share right, the mean over plays; Cons@n: the value with most votes, ties to the"
    " first path; any: at least one right. Unreadable ones are not right and cast no vote.",
    "change": "First to last: answers of one seat; path to final: a path's last answer and the play's. CL: right first answers that stay right;"
    " CS: wrong ones that become right; Acc2 = Acc1 CL + (1 - Acc1) CS; RSS = (Acc2 - Acc1^2) / (2 Acc1 (1 - Acc1)), 0.5 where nothing"
    " changes (arXiv 2412.19513). The pairs of a play weigh as one.",
    "confidence": "Stated confidence of readable answers. ECE: 10 bins of equal width, closed on the right, as for debates. AUROC: ties a half,"
    " interval of DeLong with questions as clusters. AUPRC+ and AUPRC-: average precision of finding right, and wrong, answers."
    " selective: mean share right among the k surest, ties by expectation. gap: mean confidence minus share right.",
    "budget": "Arms have the same budget where, on the questions that all have finished, mean calls with a reply differ by at most 1% and mean"
    " generated tokens by at most 10%.",
    "spent": "Calls are attempts; tokens and dollars of failed ones count as far as known, and cached replies as when they were asked for.",
}


def answers_report(record: AnswerRecord) -> Json:
    """Everything that is asked of a study's answers, as a dictionary; shares and confidences in [0, 1], nan where undefined."""
    plays = record.plays
    rows = [
        arm_row(record, plays.arm == number) | {"arm": arm}
        for number, arm in enumerate(record.arms)
    ]
    names, code = (
        (record.arms, plays.arm) if len(record.arms) > 1 else (record.models, plays.models)
    )
    several = len(record.models) > 1 and any(
        np.unique(plays.models[plays.arm == k]).size > 1 for k in range(len(record.arms))
    )
    return {
        "questions": record.questions,
        "episodes": episode_counts(record),
        "arms": [
            {"arm": row["arm"], "protocol": protocol, **row}
            for row, protocol in zip(rows, record.protocols, strict=True)
        ],
        "by_model": model_rows(record) if several else [],
        "differences": difference_rows(plays, names, code),
        "budget": budget(plays, names, code),
        "pooled": list(record.pooled),
    }


def episode_counts(record: AnswerRecord) -> Json:
    """Plays by status."""
    status = Counter[str]()
    for count in record.episodes:
        status[count.what] += count.n
    return {name: status[name] for name in ("done", "failed", "open")}


def arm_row(record: AnswerRecord, chosen: Mask) -> Json:
    """All findings about the chosen plays (E,)."""
    return {
        **accuracy_row(record.plays, chosen),
        "unreadable_because": dict(
            Counter(
                record.plays.status[chosen & np.isnan(record.plays.correct)].tolist()
            ).most_common()
        ),
        "paths": paths_row(record, chosen),
        "changes": change_rows(record, chosen),
        "calibration": calibration_rows(record, chosen),
    }


def accuracy_row(plays: Plays, chosen: Mask) -> Json:
    """Accuracy of the chosen plays both ways, and what a play of theirs took."""
    found = accuracy(plays.correct[chosen], plays.question[chosen])
    spent: Json = {}
    for name in ("calls", "answered", "tokens_in", "tokens_out", "cost_usd", "routes"):
        spent[name], spent[f"{name}_unknown"] = mean_known(getattr(plays, name)[chosen])
    kept = (
        "calls",
        "answered",
        "tokens_in",
        "tokens_in_unknown",
        "tokens_out",
        "tokens_out_unknown",
        "cost_usd",
        "cost_usd_unknown",
        "routes",
    )
    return accuracy_entries(found) | {name: spent[name] for name in kept}


def accuracy_entries(found: Accuracy) -> Json:
    """An accuracy as a row."""
    counts = {
        "questions": found.questions,
        "plays": found.plays,
        "correct": found.correct,
        "unreadable": found.unreadable,
    }
    return (
        counts
        | interval_entries(found.all, "accuracy")
        | interval_entries(found.readable, "of_readable", "of_readable_")
    )


def interval_entries(value: Interval, name: str, prefix: str = "") -> Json:
    """A number and its interval as entries of a row."""
    return {name: value.mean, f"{prefix}ci_low": value.ci_low, f"{prefix}ci_high": value.ci_high}


def model_rows(record: AnswerRecord) -> list[Json]:
    """Accuracy by arm and models."""
    plays, rows = record.plays, []
    for arm, models in sorted(set(zip(plays.arm.tolist(), plays.models.tolist(), strict=True))):
        chosen = (plays.arm == arm) & (plays.models == models)
        rows.append(
            {
                "arm": record.arms[arm],
                "models": record.models[models],
                **accuracy_row(plays, chosen),
            }
        )
    return rows


def difference_rows(plays: Plays, names: tuple[str, ...], code: Codes) -> list[Json]:
    """Each two arms on their common questions, the later minus the earlier; `p_holm` is `p_exact` adjusted for the number of pairs."""
    rows = []
    for earlier, later in combinations(range(len(names)), 2):
        one, other = code == later, code == earlier
        found = paired_difference(
            plays.correct[one], plays.question[one], plays.correct[other], plays.question[other]
        )
        tested = {
            "better": found.better,
            "worse": found.worse,
            "p_exact": found.p,
            "p_mid": found.p_mid,
        }
        both = interval_entries(found.all, "mean") | interval_entries(
            found.readable, "of_readable", "of_readable_"
        )
        rows.append(
            {
                "arm": names[later],
                "against": names[earlier],
                "questions": found.questions,
                **both,
                **tested,
            }
        )
    return [
        row | {"p_holm": float(p)}
        for row, p in zip(rows, holm([row["p_exact"] for row in rows]), strict=True)
    ]


def budget(plays: Plays, names: tuple[str, ...], code: Codes) -> Json | None:
    """Did the arms have the same budget per question?  None with a single arm; `notes` say it in words."""
    played = [number for number in range(len(names)) if (code == number).any()]
    if len(played) < 2:
        return None
    questions = [plays.question[code == number] for number in played]
    result: Json = {}
    notes = []
    for name, words in (("answered", "calls with a reply"), ("tokens_out", "generated tokens")):
        spent = compare_budgets(
            [getattr(plays, name)[code == number] for number in played],
            questions,
            tolerance=TOLERANCE[name],
        )
        result[name] = {
            "equal": spent.equal,
            "by_arm": {
                names[number]: float(mean) for number, mean in zip(played, spent.mean, strict=True)
            },
        }
        result["questions"] = spent.questions
        if spent.equal is None:
            unknown = [
                names[number]
                for number, mean in zip(played, spent.mean, strict=True)
                if mean != mean
            ]
            notes.append(
                f"Whether the arms had the same {words} per question cannot be told: unknown for {', '.join(unknown)}."
            )
        elif not spent.equal:
            least, most = (
                played[int(found)] for found in (spent.mean.argmin(), spent.mean.argmax())
            )
            low, high = spent.mean.min(), spent.mean.max()
            notes.append(
                f"NOT THE SAME BUDGET: {words} per question from {low:,.1f} ({names[least]}) to {high:,.1f} ({names[most]})."
            )
    return result | {"notes": notes}


def paths_row(record: AnswerRecord, chosen: Mask) -> Json | None:
    """Pass@1, Cons@n and the oracle of the chosen plays that have path answers; None where none has."""
    given, plays = record.all_answers, record.plays
    mine = given.path & chosen[given.play]
    if not mine.any():
        return None
    found = path_scores(given.correct[mine], given.vote[mine], given.play[mine], chosen.size)
    there = found.n > 0
    question = plays.question[there]
    share, readable, some = mean_over_plays(
        np.stack((found.share, found.share_readable, found.any), axis=1)[there], question
    )
    voted = accuracy(found.majority[there], question)
    return {
        "plays": int(there.sum()),
        "n_min": int(found.n[there].min()),
        "n_max": int(found.n.max()),
        "paths": int(found.n.sum()),
        "unreadable": int(found.unreadable.sum()),
        "pass_at_1": interval_entries(share, "mean"),
        "pass_at_1_of_readable": interval_entries(readable, "mean"),
        "cons_at_n": interval_entries(voted.all, "mean"),
        "cons_at_n_of_readable": interval_entries(voted.readable, "mean"),
        "without_a_vote": voted.unreadable,
        "any": interval_entries(some, "mean"),
    }


def change_rows(record: AnswerRecord, chosen: Mask) -> list[Json]:
    """Who changed: a seat's first answer against its last, where seats answer more than once, and paths against the final answer."""
    given, plays = record.all_answers, record.plays
    mine = chosen[given.play]
    seat = given.play * (int(given.seat.max(initial=0)) + 1) + given.seat
    begun, ended = mine & given.first & ~given.last, mine & given.last & ~given.first
    assert (seat[begun] == seat[ended]).all()
    rows = [
        change_row(
            "first to last", given.correct[begun], given.correct[ended], given.play[begun], plays
        )
    ]
    # A final answer that is the seat's own later one is a pair of the kind above.
    alone = np.isin(seat, seat[given.final & ~given.first], invert=True)
    paths = mine & given.path & alone
    rows.append(
        change_row(
            "path to final",
            given.correct[paths],
            plays.correct[given.play[paths]],
            given.play[paths],
            plays,
        )
    )
    return [row for row in rows if row["pairs"]]


def change_row(what: str, first: Array, second: Array, play: Codes, plays: Plays) -> Json:
    """CL, CS and RSS of pairs of answers, with unreadable ones as not right and left out."""
    readable = ~(np.isnan(first) | np.isnan(second))
    row: Json = {"what": what, "pairs": first.size, "unreadable": int((~readable).sum())}
    for prefix, kept in (("", np.ones(first.size, dtype=bool)), ("of_readable", readable)):
        size = np.bincount(play[kept], minlength=len(plays.question))
        found = change(
            (first[kept] == 1).astype(np.float64),
            (second[kept] == 1).astype(np.float64),
            plays.question[play[kept]],
            1 / size[play[kept]],
        )
        values = {each.name: getattr(found, each.name) for each in fields(found)}
        entries = {
            name: interval_entries(value, "mean") if isinstance(value, Interval) else value
            for name, value in values.items()
        }
        row |= {prefix: entries} if prefix else entries
    return row


def calibration_rows(record: AnswerRecord, chosen: Mask) -> list[Json]:
    """Stated confidence against correctness, of final answers and of path answers, where there is any."""
    plays, given = record.plays, record.all_answers
    paths = given.path & chosen[given.play]
    rows = [
        calibration_row(
            "final", plays.confidence[chosen], plays.correct[chosen], plays.question[chosen]
        ),
        calibration_row(
            "paths",
            given.confidence[paths],
            given.correct[paths],
            plays.question[given.play[paths]],
        ),
    ]
    return [row for row in rows if row["n"]]


def calibration_row(what: str, confidence: Array, correct: Array, question: Codes) -> Json:
    """One row; what has no confidence or no correctness is left out and counted."""
    there = ~(np.isnan(confidence) | np.isnan(correct))
    x, y = confidence[there], correct[there]
    wide_x, wide_y = by_question(x, question[there]), by_question(y, question[there])
    squared, excess = clustered_mean(np.square(wide_x - wide_y)), clustered_mean(wide_x - wide_y)
    auroc_low, auroc_high = auroc_interval(wide_x, wide_y)
    return {
        "what": what,
        "n": x.size,
        "without": int((~there).sum()),
        "questions": len(wide_x),
        "brier": brier(x, y),
        "brier_ci_low": squared.ci_low,
        "brier_ci_high": squared.ci_high,
        "ece": ece(x, y),
        "ece_left_closed": ece(x, y, edges="left"),
        "auroc": auroc(x, y),
        "auroc_ci_low": auroc_low,
        "auroc_ci_high": auroc_high,
        "auprc_right": average_precision(x, y),
        "auprc_wrong": average_precision(1 - x, 1 - y),
        "selective_accuracy": selective_accuracy(x, y),
        "accuracy": float(y.mean()) if y.size else nan,
        "mean_minus_accuracy": overconfidence(x, y),
        "mean_minus_accuracy_ci_low": excess.ci_low,
        "mean_minus_accuracy_ci_high": excess.ci_high,
    }


def by_question(values: Array, question: Codes) -> Array:
    """(questions, most values of one question): the values of each question in a row, nan where it has fewer."""
    _, row, size = np.unique(question, return_inverse=True, return_counts=True)
    order = np.argsort(row, kind="stable")
    wide = np.full((size.size, int(size.max(initial=1))), nan)
    wide[row[order], np.arange(row.size) - np.repeat(np.cumsum(size) - size, size)] = values[order]
    return wide


def answers_only_report(record: AnswerRecord) -> Json:
    """The report of a study without debates."""
    return {
        "study": record.study,
        "simulated": record.simulated,
        "origin": record.origin,
        "episodes": episode_counts(record),
        "answers": answers_report(record),
        "missing": [asdict(count) for count in record.missing],
        "rules": RULES,
    }
