"""Report how often judges who cannot read the text decide rightly, by format.

Accuracy is that of single decisions, one in each order of the letters, as in Khan et al. (arXiv
2402.06782); a decision that cannot be read is left out and counted.  Beside the mean stands the
accuracy where the first side, the protagonist, argued for the right and for the wrong answer, as in
Kenton et al. (arXiv 2407.04622): a mean can hide that a judge believes whoever speaks.  Where one
arm has consultants for the right answer and another those for a wrong one, a row of both together
is the accuracy of consultancy that the papers have.  Questions are the clusters.

Strengths by a judge are those of Khan et al.: ratings from 1500 that minimise the squared error of
the pairwise win rates under 1 / (1 + 10^((b - a) / 400)), with those for arguing the right and the
wrong answer apart.  Only differences mean anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2, nan
from typing import Annotated

import numpy as np
import orjson

from analysis.read.oversight import Argument, JudgeDecisions
from analysis.reports.plain_json import JsonField
from analysis.statistics.clustered import SHARE, Array, Mask, MeanEstimate, clustered_mean
from analysis.statistics.elo_of_win_rates import fit_ratings

ONLY = JsonField(only=("n", "mean", "ci_low", "ci_high"))
# Points of Michael et al. (arXiv 2311.08702) that a judge loses each time it lets sides go on.
COST_OF_A_QUESTION = 0.05


@dataclass(frozen=True, slots=True)
class FormatRow:
    """How one judge decided in one arm.

    `accuracy` over all its decisions, `when_right` and `when_wrong` where the first side argued for
    the right and the wrong answer; `confidence` is its mean, `overconfidence` the mean of
    confidence minus right, `brier` the mean squared error of the probability of the right answer.
    `missing` decisions cannot be read.  `in_first`, `in_second`: accuracy in each order of the
    letters.  `quotes` counts quotes, `verified_right` and `verified_wrong` are the shares of those
    for the right and the wrong answer that stand in the text.  `payoff` is log2 of the probability
    of the right answer less 0.05 a question.  `debaters`: what sides rate their chances, minus how
    often the judge decides for them.
    """

    arm: str
    judge: str
    protocol: str
    plays: int
    missing: int
    accuracy: Annotated[MeanEstimate, ONLY]
    when_right: Annotated[MeanEstimate, ONLY]
    when_wrong: Annotated[MeanEstimate, ONLY]
    in_first: float
    in_second: float
    confidence: float
    overconfidence: Annotated[MeanEstimate, ONLY]
    brier: float
    quotes: int
    verified_right: float
    verified_wrong: float
    payoff: float
    debaters: Annotated[MeanEstimate, ONLY]


@dataclass(frozen=True, slots=True)
class DebaterRating:
    """The strength of a debater as one judge sees it, over all debates that it judged."""

    judge: str
    agent: str
    rating: float
    arguing_right: float
    arguing_wrong: float
    debates: int


@dataclass(frozen=True, slots=True)
class OversightFindings:
    """The formats of one study, and the strengths of its debaters by judge."""

    formats: tuple[FormatRow, ...]
    debaters: tuple[DebaterRating, ...]


def oversight_findings(found: Sequence[JudgeDecisions]) -> OversightFindings | None:
    """Return the findings of one study; None without decisions."""
    if not found:
        return None
    by_judge: defaultdict[str, list[JudgeDecisions]] = defaultdict(list)
    for each in found:
        by_judge[each.judge].append(each)
    formats = [row for each in found for row in (format_row(each), *both_sides_row(each, found))]
    ratings = [row for judge, some in by_judge.items() for row in debater_ratings(judge, some)]
    return OversightFindings(tuple(formats), tuple(ratings))


def both_sides_row(last: JudgeDecisions, found: Sequence[JudgeDecisions]) -> Iterator[FormatRow]:
    """Yield the row of consultants for the right and for a wrong answer, after the later arm."""
    if last.protocol != "consultancy":
        return
    same = [
        each
        for each in found
        if (each.judge, each.protocol, each.study) == (last.judge, last.protocol, last.study)
        and others_of(each) == others_of(last)
        and argues(each) in ("right", "wrong")
    ]
    # Several arms of one side are no pair, and an arm whose consultants choose is none of it.
    if len(same) != 2 or argues(same[0]) == argues(same[1]) or last is not same[-1]:
        return
    one, two = same
    label = one.arm.removesuffix(argues(one)).rstrip(" ,")
    if label != two.arm.removesuffix(argues(two)).rstrip(" ,"):
        label = f"{one.arm} and {two.arm}"
    yield format_row(
        replace(
            one,
            arm=f"{label}, both",
            question=np.concatenate((one.question, two.question)),
            episode=np.concatenate((one.episode, two.episode)),
            swapped=np.concatenate((one.swapped, two.swapped)),
            correct=np.concatenate((one.correct, two.correct)),
            confidence=np.concatenate((one.confidence, two.confidence)),
            argument=(*one.argument, *two.argument),
        )
    )


def argues(found: JudgeDecisions) -> str:
    """Return for which answer the consultant of an arm argues; at its default that is not named."""
    return str(orjson.loads(found.options).get("argues", "right"))


def others_of(found: JudgeDecisions) -> dict[str, object]:
    """Return the other options of an arm."""
    return {name: value for name, value in orjson.loads(found.options).items() if name != "argues"}


def format_row(found: JudgeDecisions) -> FormatRow:
    """Return how one judge decided in one arm."""
    firsts = np.array([first_right(each) for each in found.argument])
    read = ~np.isnan(found.correct)
    sure = read & ~np.isnan(found.confidence)
    right = found.correct
    # The probability of the right answer, of which the confidence is that of the decision.
    chance = np.where(right == 1, found.confidence, 1 - found.confidence)
    _, first_of_play = np.unique(found.episode, return_index=True)
    arguments = [found.argument[place] for place in first_of_play]
    quotes = [quote for each in arguments if each is not None for quote in each.quotes]
    questions = np.array([0 if each is None else each.questions for each in found.argument])
    payoffs = [
        log2(max(p, 1e-6)) - COST_OF_A_QUESTION * n
        for p, n in zip(chance[sure].tolist(), questions[sure].tolist(), strict=True)
    ]
    return FormatRow(
        found.arm,
        found.judge,
        found.protocol,
        first_of_play.size,
        int((~read).sum()),
        by_question(found, right, read),
        by_question(found, right, read & (firsts == 1)),
        by_question(found, right, read & (firsts == 0)),
        mean(right[read & ~found.swapped]),
        mean(right[read & found.swapped]),
        mean(found.confidence[sure]),
        by_question(found, found.confidence - right, sure, (-1.0, 1.0)),
        mean((1 - chance[sure]) ** 2),
        len(quotes),
        mean(np.array([float(verified) for is_right, verified in quotes if is_right])),
        mean(np.array([float(verified) for is_right, verified in quotes if not is_right])),
        mean(np.array(payoffs)),
        overconfidence_of_sides(found, read),
    )


def first_right(argument: Argument | None) -> float:
    """Return 1 if the first side argued for the right answer, 0 for a wrong one; nan: unknown."""
    return nan if argument is None or argument.first_right is None else float(argument.first_right)


def mean(values: Array) -> float:
    """Return the mean, nan of nothing."""
    return float(values.mean()) if values.size else nan


def by_question(
    found: JudgeDecisions, values: Array, chosen: Mask, within: tuple[float, float] = SHARE
) -> MeanEstimate:
    """Return the mean of chosen values with an interval, the questions as clusters."""
    return clustered_mean(
        rows_by_code(values[chosen].tolist(), found.question[chosen].tolist()), within=within
    )


def rows_by_code(values: Sequence[float], codes: Sequence[int]) -> Array:
    """Return values (N,) as (codes, most of one code), nan where a code has fewer."""
    groups: defaultdict[int, list[float]] = defaultdict(list)
    for value, each in zip(values, codes, strict=True):
        groups[each].append(value)
    width = max(map(len, groups.values()), default=1)
    rows = [each + [nan] * (width - len(each)) for each in groups.values()]
    return np.array(rows, np.float64).reshape(len(rows), width)


def overconfidence_of_sides(found: JudgeDecisions, read: Mask) -> MeanEstimate:
    """Return how much surer sides are of the judge than it decides for them, in [-1, 1]."""
    gaps: list[float] = []
    codes: list[int] = []
    decided = zip(
        found.argument, found.correct.tolist(), found.question.tolist(), read, strict=True
    )
    for argument, correct, question, is_read in decided:
        if argument is None or not is_read:
            continue
        for is_right, rating, _ in argument.ratings:
            gaps.append(rating - (correct if is_right else 1 - correct))
            codes.append(question)
    return clustered_mean(rows_by_code(gaps, codes), within=(-1.0, 1.0))


def debater_ratings(judge: str, found: Sequence[JudgeDecisions]) -> list[DebaterRating]:
    """Return the strengths of the debaters of two-sided debates by one judge; none for one agent.

    A win is the mean over the decisions of a debate in favour of a side.
    """
    wins: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for each in found:
        for argument, correct in zip(each.argument, each.correct.tolist(), strict=True):
            if argument is None or np.isnan(correct) or len(argument.claims) != 2:
                continue
            (one, one_right), (other, other_right) = argument.claims.values()
            if one_right == other_right:
                continue
            pair = (one, other) if one_right else (other, one)
            wins[pair].append(correct)
    agents = sorted({agent for pair in wins for agent in pair})
    if len(agents) < 2:
        return []
    rates = {pair: sum(values) / len(values) for pair, values in wins.items()}
    whole = fit_ratings(agents, both_sides(rates))
    # An agent that argues for the right answer and the same one that argues for a wrong one.
    roles = [f"{agent} right" for agent in agents] + [f"{agent} wrong" for agent in agents]
    apart = fit_ratings(
        roles, {(f"{a} right", f"{b} wrong"): rate for (a, b), rate in rates.items()}
    )
    debates = {a: sum(len(v) for pair, v in wins.items() if a in pair) for a in agents}
    return [
        DebaterRating(judge, a, whole[a], apart[f"{a} right"], apart[f"{a} wrong"], debates[a])
        for a in agents
    ]


def both_sides(rates: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Return the win rates of pairs of agents, over both answers; of an agent itself none."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for (right, wrong), rate in rates.items():
        if right != wrong:
            first, second = sorted((right, wrong))
            found[first, second].append(rate if right == first else 1 - rate)
    return {pair: sum(each) / len(each) for pair, each in found.items()}
