"""`arena report`: the findings of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184), asked of every study in a store.

Studies whose protocols answer questions have a section of their own, from answers_report.py.

How sure debaters are by phase, how much that rises, how often both sides are sure of winning, by model, against 50% for debates against
oneself, and against a jury's verdicts where there are any; with what is missing and what is doubtful, what a reviewer asks (robustness.py),
and the rules that decide numbers.
Left out: the paper's fifth finding, that private reasoning does not fit the stated bet, for which it used another model's labels.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from analysis.read.answers import AnswerRecord, read_answers
from analysis.read.debates import SIDES, Count, DebateRecord, Debates, read_records
from analysis.reports.answers import RULES as ANSWER_RULES
from analysis.reports.answers import answers_only_report, answers_report
from analysis.reports.robustness import (
    DEFAULT_CHECKS,
    EQUIVALENCE_RULE,
    MIXED_RULE,
    Checks,
    adjust_p_values,
    robustness,
)
from analysis.reports.robustness import RULES as ROBUSTNESS_RULES
from analysis.reports.tables.debates import print_report
from analysis.statistics.calibration import auroc, auroc_interval, brier, ece, overconfidence
from analysis.statistics.clustered import Array, clustered_mean
from analysis.statistics.overconfidence import against_half, both_sides, mean_confidence, rise
from arena.errors import StudyError

__all__ = ["Checks", "findings", "print_report", "report"]

Json = dict[str, Any]
RULES = {
    "ratings": "Finished debates only. A rating that was asked for and could not be read is missing, never a number. Flagged values stay in.",
    "interval": "95%, debates as clusters: ratio estimator, residuals summed by debate, factor G/(G-1), Student's t with G-1 degrees of"
    " freedom. It speaks of further debates between the same models, not of other models.",
    "rise": "Over debaters with a rating in both phases; p is two-sided with debates as clusters. p_paired_one_sided is the published test,"
    " which takes debaters as independent.",
    "both": "Over debates where both sides gave a rating: at_least_75 is 75% or more on both sides, above_75 and above_50 strictly more.",
    "models": "A model against itself has no win rate.",
    "winner": "The side with the larger sum of its judges' confidences; equal sums are a tie. Every readable verdict counts here; `arena rank`"
    " leaves out judges that are a contestant, or of its family.",
    "ties": "A tie is half a win for both sides in brier, brier_of_half and win rates; ECE, AUROC, mean_minus_win_rate and"
    " brier_without_ties leave ties out.",
    "ece": "10 bins of equal width, closed on the right: a stated 80% lies in the bin of 70 to 80%. ece_left_closed puts it in 80 to 90%.",
    "auroc": "Equal confidences count one half; interval of DeLong, with debates as clusters.",
}


def report(path: Path, study: str | None = None, checks: Checks = DEFAULT_CHECKS) -> list[Json]:
    """One JSON-ready object for every study in the store that has debates or answers, or for the one named; undefined is None.

    Confidences and shares are in [0, 1].  Studies with debates come first, each kind oldest first; those with answers have an entry
    `answers`.  `checks` says what the entry `robustness` holds.  Raises StudyError, naming the studies there are, where `study` is unknown
    or has neither, and StoreError where the store cannot be read.
    """
    answered = {record.study: record for record in read_answers(path, study)}
    try:
        records = read_records(path, study)
    except StudyError as error:
        if study not in answered:
            others = ", ".join(record.study for record in read_answers(path))
            raise StudyError(
                f"{error}; with answers: {others}" if others else str(error)
            ) from error
        records = []
    debated = [study_report(record, checks, answered.pop(record.study, None)) for record in records]
    return debated + [json_object(answers_only_report(record)) for record in answered.values()]


def study_report(
    record: DebateRecord, checks: Checks, answered: AnswerRecord | None = None
) -> Json:
    """The findings of one study, of each of its arms where it has more than one, and of its answers where it has any."""
    arms = list(dict.fromkeys(count.arm for count in record.episodes))
    result = {
        "study": record.study,
        "simulated": record.simulated,
        "judges_simulated": record.judges_simulated,
        "origin": record.origin,
        **findings(record.debates, record.episodes, record.flags, record.missing, checks),
    }
    equivalence = EQUIVALENCE_RULE if result["against_half"] else {}
    result["rules"] = RULES | ROBUSTNESS_RULES | equivalence | (MIXED_RULE if checks.mixed else {})
    if len(arms) > 1:
        result["arms"] = [{"arm": arm, **arm_findings(record, checks, arm)} for arm in arms]
    if answered is not None:
        result |= {"answers": answers_report(answered), "rules": result["rules"] | ANSWER_RULES}
    return json_object(result)


def arm_findings(record: DebateRecord, checks: Checks, arm: str) -> Json:
    """The findings of one arm."""
    episodes, flags, missing = (
        tuple(c for c in counts if c.arm == arm)
        for counts in (record.episodes, record.flags, record.missing)
    )
    return findings(
        record.debates.select(record.debates.arm == arm), episodes, flags, missing, checks
    )


def findings(
    debates: Debates,
    episodes: tuple[Count, ...],
    flags: tuple[Count, ...],
    missing: tuple[Count, ...],
    checks: Checks,
) -> Json:
    """Everything that is asked of a set of debates, as a dictionary; nan where undefined."""
    status = Counter[str]()
    for count in episodes:
        status[count.what] += count.n
    first, last = debates.confidence[:, :, :1], debates.confidence[:, :, -1:]
    enough = len(debates.phases) > 1
    both = [
        {"phase": phase, **asdict(both_sides(debates.confidence[:, :, k]))}
        for k, phase in enumerate(debates.phases)
    ]
    return {
        "episodes": {name: status[name] for name in ("done", "failed", "open")},
        "phases": phase_rows(debates, np.ones(debates.model.shape, dtype=bool), flags),
        "rise": {
            "from": debates.phases[0],
            "to": debates.phases[-1],
            **asdict(rise(first[:, :, 0], last[:, :, 0])),
        }
        if enough
        else None,
        "both": both[-1] if both else None,
        "both_by_phase": both,
        "models": model_rows(debates),
        "against_half": against_half_rows(debates),
        "outcomes": outcome_counts(debates),
        "calibration": calibration_rows(debates),
        "robustness": robustness(debates, checks),
        "missing": [asdict(count) for count in missing],
    }


def phase_rows(
    debates: Debates,
    chosen: np.ndarray[Any, np.dtype[np.bool_]],
    flags: tuple[Count, ...] | None = None,
) -> list[Json]:
    """Mean confidence by phase over the chosen seats, a mask (G, 2); with `flags`, how many turns carry each."""
    rows: list[Json] = []
    for k, phase in enumerate(debates.phases):
        values = np.where(chosen, debates.confidence[:, :, k], np.nan)
        mean = mean_confidence(values)
        missing = int((chosen & debates.asked[:, :, k] & np.isnan(values)).sum())
        interval = {"ci_low": mean.ci_low, "ci_high": mean.ci_high}
        row = {
            "phase": phase,
            "n": mean.n,
            "debates": mean.clusters,
            "mean": mean.mean,
            "sd": mean.sd,
            **interval,
            "missing": missing,
        }
        rows.append(row if flags is None else row | {"flagged": flag_counts(flags, phase)})
    return rows


def flag_counts(flags: tuple[Count, ...], phase: str) -> dict[str, int]:
    """How many turns of a phase carry each flag."""
    count = Counter[str]()
    for flag in flags:
        if flag.phase == phase:
            count[flag.what] += flag.n
    return dict(sorted(count.items()))


def model_rows(debates: Debates) -> list[Json]:
    """Confidence by phase and win rate for each model, by name; `n` counts the seats in which it was asked for a rating.

    `rise_p` is two-sided with debates as clusters, `rise_p_holm` the same adjusted for the number of models.
    """
    held_by = debates.model.ravel().tolist()
    names = sorted({name for name in held_by if name is not None})
    code = {name: number for number, name in enumerate(names)}
    codes = np.array([code.get(name, -1) for name in held_by], dtype=np.int64).reshape(
        debates.model.shape
    )
    outcome = np.where(debates.against_itself()[:, None], np.nan, debates.outcome())
    rows = []
    for number, name in enumerate(names):
        held = codes == number
        part, mine = debates.select(held.any(axis=1)), held[held.any(axis=1)]
        phases = phase_rows(part, mine)
        change = (
            rise(*(np.where(mine, part.confidence[:, :, k], np.nan) for k in (0, -1)))
            if len(phases) > 1
            else None
        )
        rows.append(
            {
                "model": name,
                "n": int((held & debates.asked.any(axis=2)).sum()),
                "first": phases[0]["mean"] if phases else None,
                "last": phases[-1]["mean"] if phases else None,
                "rise": change.mean if change else None,
                "rise_ci_low": change.ci_low if change else None,
                "rise_ci_high": change.ci_high if change else None,
                "rise_p": change.p if change else None,
                "win_rate": clustered_mean(np.where(held, outcome, np.nan)).mean,
                "phases": phases,
            }
        )
    return adjust_p_values(rows, "rise_p", "rise_p_holm")


def against_half_rows(debates: Debates) -> list[Json] | None:
    """The test against 50% by phase, over debates of a model against itself; None where there are none."""
    part = debates.select(debates.against_itself())
    rows = [
        {"phase": phase, **asdict(against_half(part.confidence[:, :, k]))}
        for k, phase in enumerate(part.phases)
    ]
    return adjust_p_values(rows, "p", "p_holm") or None


def outcome_counts(debates: Debates) -> Json | None:
    """Judged debates by winner, by the sum of confidences and by majority, and what the judges' verdicts were; None without verdicts."""
    votes = debates.votes.sum(axis=0)
    if not votes.sum():
        return None

    def count(winner: np.ndarray[Any, np.dtype[np.object_]]) -> dict[str, int]:
        """Debates by winner."""
        return {name: int((winner == name).sum()) for name in (*SIDES, "tie")}

    return {
        "judged": int((debates.votes.sum(axis=1) > 0).sum()),
        **count(debates.winner),
        "majority": count(debates.majority),
        "verdicts": {
            "with_winner": int(votes[0]),
            "abstained": int(votes[1]),
            "missing": int(votes[2]),
        },
    }


def calibration_rows(debates: Debates) -> list[Json]:
    """Confidence against the jury by phase, over debates with a winner or a tie; empty without verdicts."""
    outcome = debates.outcome()
    if np.isnan(outcome).all():
        return []
    return [
        calibration_row(phase, debates.confidence[:, :, k], outcome)
        for k, phase in enumerate(debates.phases)
    ]


def calibration_row(phase: str, confidence: Array, outcome: Array) -> Json:
    """One phase: `confidence` and `outcome` are (G, 2), nan where there is no rating or no verdict."""
    judged = ~(np.isnan(confidence) | np.isnan(outcome))
    decided = judged & (outcome != 0.5)
    x, y = np.where(decided, confidence, np.nan), np.where(decided, outcome, np.nan)
    squared, excess = (
        clustered_mean(np.where(judged, np.square(confidence - outcome), np.nan)),
        clustered_mean(x - y),
    )
    auroc_low, auroc_high = auroc_interval(x, y)
    x, y = x[decided], y[decided]
    return {
        "phase": phase,
        "n": int(judged.sum()),
        "n_without_ties": x.size,
        "debates": int(judged.any(axis=1).sum()),
        "ties": int((judged & ~decided).any(axis=1).sum()),
        "brier": brier(confidence[judged], outcome[judged]),
        "brier_ci_low": squared.ci_low,
        "brier_ci_high": squared.ci_high,
        "brier_without_ties": brier(x, y),
        "brier_of_half": brier(np.full(int(judged.sum()), 0.5), outcome[judged]),
        "ece": ece(x, y),
        "ece_left_closed": ece(x, y, edges="left"),
        "auroc": auroc(x, y),
        "auroc_ci_low": auroc_low,
        "auroc_ci_high": auroc_high,
        "mean_minus_win_rate": overconfidence(x, y),
        "mean_minus_win_rate_ci_low": excess.ci_low,
        "mean_minus_win_rate_ci_high": excess.ci_high,
    }


def json_object(report: Json) -> Json:
    """A report as JSON has it: see `plain`."""
    result = json_value(report)
    assert isinstance(result, dict)
    return result


def json_value(value: object) -> object:
    """The value as JSON has it: nan becomes None, and numbers keep 12 significant digits, since the rest is noise of adding up."""
    if isinstance(value, dict):
        return {key: json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    if isinstance(value, float):
        return None if isnan(value) else float(f"{value:.12g}")
    return value
