"""Decide among answers by ballots: pure functions, the same for every protocol.

A ballot is a vote, a set, a ranking or a number of points; None is one that could not be read, and
counts for nothing.  A ballot that breaks its rule (an answer twice, points that do not add up, an
answer that nobody may choose) counts for nothing either, and its index is in `invalid`.  Nothing is
decided by the order of ballots or answers: of equals all are `winners` and `tie` is set, and
`settle` picks by a named rule.

Sources: the rules of "Voting or Consensus?" (arXiv 2502.19130) with the repairs that the functions
name; the weights of ReConcile (arXiv 2309.13007); "A solution to the single-question crowd wisdom
problem" (Prelec, Seung and McCoy, Nature 541, 2017) for answers that are surprisingly popular;
"Optimal decision rules in uncertain dichotomous choice situations" (Nitzan and Paroush, 1982) for
weights by log odds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from arena.private import PrivateNumber, reveal

Number = float | PrivateNumber
Ballot = TypeVar("Ballot", bound=Collection[str])
Tie = Literal["first", "missing", "draw"]
# Sums of equal weights in another order may differ in the last bits.
ROUNDING = 1e-9
# ReConcile: the least confidence of each weight, from the highest; 1 alone has the whole weight.
RECONCILE = ((1.0, 1.0), (0.9, 0.8), (0.8, 0.5))
RECONCILE_MIDDLE, RECONCILE_LOW = 0.3, 0.1
# Log odds are infinite at 0 and 1.
SUREST = 0.99


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of a rule: all `winners` (none, one, or equals), and the score of each answer.

    `invalid` holds the indices of ballots that break the rule, `missing` of those that are None.
    """

    winners: tuple[str, ...] = ()
    scores: Mapping[str, Number] = field(default_factory=dict)
    tie: bool = False
    invalid: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()

    @property
    def winner(self) -> str | None:
        """The one winner; None without one, and of equals."""
        return self.winners[0] if len(self.winners) == 1 else None


def settle(
    decision: Decision, tie: Tie = "missing", rng: random.Random | None = None
) -> str | None:
    """Return the winner; of equals, by the rule `tie`, none, the one named first, or one drawn.

    Raises ValueError where one is to be drawn without `rng`.
    """
    if decision.winner is not None or not decision.winners or tie == "missing":
        return decision.winner
    if tie == "first":
        return decision.winners[0]
    if rng is None:
        raise ValueError("a tie is to be drawn; pass rng=episode.rng('tie')")
    return rng.choice(sorted(decision.winners))


def plurality(ballots: Sequence[str | None]) -> Decision:
    """Return the answer with the most votes."""
    return weighted(ballots, [1.0] * len(ballots))


def weighted(ballots: Sequence[str | None], weights: Sequence[Number | None]) -> Decision:
    """Return the answer whose votes weigh most; a vote without a weight counts for nothing.

    A weight below 0 makes its vote one against the answer.
    """
    scores: dict[str, Number] = {}
    for vote, weight in zip(ballots, weights, strict=True):
        if vote is not None and weight is not None:
            scores[vote] = scores.get(vote, 0.0) + weight
    unweighted = [
        number
        for number, (vote, weight) in enumerate(zip(ballots, weights, strict=True))
        if vote is not None and weight is None
    ]
    return highest(scores, unweighted, missing_in(ballots))


def share_of(ballots: Sequence[str | None], share: float) -> Decision:
    """Return the answer with at least this share of all ballots, missing ones included.

    At one half two answers may have it, which is a tie.
    """
    scores = plurality(ballots).scores
    least = share * len(ballots) - ROUNDING
    winners = tuple(answer for answer, count in scores.items() if count >= least)
    return Decision(winners, scores, len(winners) > 1, (), missing_in(ballots))


def majority(ballots: Sequence[str | None]) -> Decision:
    """Return the answer of more than half of all ballots."""
    decision = plurality(ballots)
    more = tuple(each for each in decision.winners if 2 * decision.scores[each] > len(ballots))
    return Decision(more, decision.scores, False, (), decision.missing)


def supermajority(ballots: Sequence[str | None]) -> Decision:
    """Return the answer of at least two thirds of all ballots."""
    return share_of(ballots, 2 / 3)


def unanimity(ballots: Sequence[str | None]) -> Decision:
    """Return the answer that every ballot gives; one that is missing agrees with nobody."""
    return share_of(ballots, 1.0)


def approval(
    ballots: Sequence[Collection[str] | None], answers: Collection[str] | None = None
) -> Decision:
    """Return the answer that most approve of.

    A ballot is a set: an answer that it names twice counts once (MALLM counts it each time).
    """
    valid, invalid = check_ballots(ballots, answers, repeats=True)
    scores: dict[str, Number] = dict.fromkeys(named_answers(valid, answers), 0.0)
    for ballot in valid:
        for answer in set(ballot):
            scores[answer] += 1
    # Where nobody approves of any, none has won.
    return highest(scores if any(scores.values()) else {}, invalid, missing_in(ballots))


def cumulative(
    ballots: Sequence[Mapping[str, float] | None],
    answers: Collection[str] | None = None,
    points: float = 10,
) -> Decision:
    """Return the answer with the most points.

    A ballot divides exactly `points` among answers, none of them below 0.
    """
    _, wrong = check_ballots(ballots, answers)
    broken = {
        number
        for number, ballot in enumerate(ballots)
        if ballot is not None
        and (
            any(each < 0 for each in ballot.values())
            or not abs(math.fsum(ballot.values()) - points) <= ROUNDING
        )
    }
    invalid = sorted({*wrong, *broken})
    valid = [
        ballot
        for number, ballot in enumerate(ballots)
        if ballot is not None and number not in invalid
    ]
    scores: dict[str, Number] = dict.fromkeys(named_answers(valid, answers), 0.0)
    for ballot in valid:
        for answer, given in ballot.items():
            scores[answer] += given
    return highest(scores if valid else {}, invalid, missing_in(ballots))


def borda(
    ballots: Sequence[Sequence[str] | None],
    answers: Collection[str],
    first: float | None = None,
) -> Decision:
    """Return the answer with the most points by rank: m - place, of m answers, places from 0.

    `first` are the points of a first place in place of m, as MALLM gives min(5, voters).  An answer
    that a ballot does not rank has 0 from it; no answer has less.  A ballot that ranks an answer
    twice is invalid.
    """
    valid, invalid = check_ballots(ballots, answers)
    top = len(answers) if first is None else first
    scores: dict[str, Number] = dict.fromkeys(answers, 0.0)
    for ballot in valid:
        for place, answer in enumerate(ballot):
            scores[answer] += max(0.0, top - place)
    return highest(scores if valid else {}, invalid, missing_in(ballots))


def instant_runoff(ballots: Sequence[Sequence[str] | None], answers: Collection[str]) -> Decision:
    """Return the answer that has more than half of the first places, after the last are dropped.

    In each round all answers with the fewest first places among those left are dropped together, so
    that no order decides; if these are all that are left, they are a tie.  A ballot whose answers
    are all dropped counts no more.  `scores` are the first places in the last round.
    """
    valid, invalid = check_ballots(ballots, answers)
    left = set(answers)
    missing = missing_in(ballots)
    while True:
        tops = [next((each for each in ballot if each in left), None) for ballot in valid]
        scores = {answer: float(tops.count(answer)) for answer in answers if answer in left}
        cast = sum(scores.values())
        decision = highest(scores if cast else {}, invalid, missing)
        if decision.winner is not None and 2 * scores[decision.winner] > cast:
            return decision
        fewest = min(scores.values(), default=0.0)
        last = {answer for answer in left if scores[answer] == fewest}
        if last == left:
            return decision
        left -= last


def agreement_count(talk: Sequence[str | None], seats: int) -> tuple[str | None, int]:
    """Return the standing proposal of a talk, and how many of the last `seats` entries are for it.

    An entry is the answer that a contribution stands for, None if unreadable.  An answer that
    differs from the one before is a proposal and begins the count anew; the same answer agrees.
    The proposer counts (in MALLM's code an agreeing reply begins anew, so that three never agree).
    """
    standing, begun = None, 0
    for number, answer in enumerate(talk):
        if answer is not None and answer != standing:
            standing, begun = answer, number
    since = talk[max(begun, len(talk) - seats) :]
    return standing, sum(1 for answer in since if answer is not None and answer == standing)


def consensus(talk: Sequence[str | None], seats: int, share: float) -> Decision:
    """Return the standing proposal if at least this share of `seats` seats is for it.

    A proposal alone, to which nobody has agreed, is none, whatever its share.
    """
    standing, count = agreement_count(talk, seats)
    if standing is None:
        return Decision()
    reached = count >= share * seats - ROUNDING and (count > 1 or seats == 1)
    return Decision((standing,) if reached else (), {standing: float(count)})


def hybrid_share(turn: int, seats: int) -> float:
    """Return the share that MALLM's hybrid rule asks for in a turn, from 1: all, later 3 of 4."""
    return 1.0 if turn < 5 or seats <= 3 else 0.75


def reconcile_weight(confidence: Number) -> float:
    """Return the weight of a vote by its confidence in [0, 1], by the table of ReConcile.

    Raises ValueError for any other number.
    """
    if not 0 <= confidence <= 1:
        raise ValueError("a confidence lies in [0, 1]")
    for least, weight in RECONCILE:
        if confidence >= least:
            return weight
    return RECONCILE_MIDDLE if confidence > 0.6 else RECONCILE_LOW


def log_odds(probability: Number, answers: int = 2) -> Number:
    """Return the weight of a vote that is right with this probability, among so many answers.

    log(p (answers - 1) / (1 - p)): 0 for a guess, below 0 for worse; p is cut to 0.01 ... 0.99.
    With independent voters no other weights are right more often (Nitzan and Paroush).
    """
    cut = min(max(reveal(probability), 1 - SUREST), SUREST)
    weight = math.log(cut * (answers - 1) / (1 - cut))
    # What is computed from a private number is private.
    return PrivateNumber(weight) if isinstance(probability, PrivateNumber) else weight


def calibrated(table: Sequence[tuple[float, float]]) -> Callable[[Number], float]:
    """Return the function from a stated confidence to the accuracy that was measured at it.

    `table` has (least confidence, accuracy), both in [0, 1], in any order; below the least of all
    the lowest row holds.  Raises ValueError for an empty table.
    """
    if not table:
        raise ValueError("a table of calibration needs at least one row (confidence, accuracy)")
    rows = sorted(table)

    def accuracy(confidence: Number) -> float:
        reached = [row for row in rows if confidence >= row[0]]
        return (reached or rows)[-1 if reached else 0][1]

    return accuracy


def surprisingly_popular(
    votes: Sequence[str | None], predictions: Sequence[Mapping[str, float] | None]
) -> Decision:
    """Return the answer whose share of votes exceeds its predicted share by most.

    A prediction gives the share of the others' votes that its author expects for each answer;
    shares are scaled to add up to 1, and an answer that it does not name is expected by nobody.
    Only answers that got a vote can win.  A prediction below 0, of 0 in all, or without bound is
    invalid.  Without any prediction nothing is decided.
    """
    invalid = [
        number
        for number, each in enumerate(predictions)
        if each is not None
        and (min(each.values(), default=0.0) < 0 or not 0 < sum(each.values()) < math.inf)
    ]
    valid = [
        each
        for number, each in enumerate(predictions)
        if each is not None and number not in invalid
    ]
    cast = [vote for vote in votes if vote is not None]
    scores: dict[str, Number] = {}
    for answer in dict.fromkeys(cast) if valid else ():
        expected = [each.get(answer, 0.0) / sum(each.values()) for each in valid]
        scores[answer] = cast.count(answer) / len(cast) - math.fsum(expected) / len(valid)
    return highest(scores, invalid, missing_in(votes))


def score_pairs(
    shown: Sequence[tuple[float, float] | None], swapped: Sequence[tuple[float, float] | None]
) -> Decision:
    """Return which of two texts, "1" or "2", has the higher sum of scores, over both orders.

    Of each referee two pairs (score of the text that is read first, of the other): with text 1
    first, and with text 2 first.  A referee without one of them is left out of both, since the
    place of a text would weigh; it stands in `missing`.
    """
    scores: dict[str, Number] = {"1": 0.0, "2": 0.0}
    pairs = list(zip(shown, swapped, strict=True))
    whole = [(one, two) for one, two in pairs if one is not None and two is not None]
    missing = [n for n, (one, two) in enumerate(pairs) if one is None or two is None]
    for one, two in whole:
        scores["1"] += one[0] + two[1]
        scores["2"] += one[1] + two[0]
    return highest(scores if whole else {}, (), missing)


def first_letter_probability(first: float, second: float) -> float:
    """Return the probability of the first of two letters from their log probabilities."""
    # Of the difference, so that two very small ones do not vanish.
    return 1 / (1 + math.exp(min(second - first, 700.0)))


def both_orders(as_first: float, as_second: float) -> tuple[Decision, float]:
    """Return the decision of a judge who was asked in both orders, and its bias for the first.

    The arguments are the probabilities, in [0, 1], that the judge gives to text "1" where it stands
    first and where it stands second; the score is their mean, the bias their difference.
    """
    mean = (as_first + as_second) / 2
    return highest({"1": mean, "2": 1 - mean}, (), ()), as_first - as_second


def highest(
    scores: Mapping[str, Number], invalid: Sequence[int], missing: Sequence[int]
) -> Decision:
    """Return the decision for all answers with the highest score."""
    best = max(scores.values(), default=None)
    if best is None:
        return Decision((), scores, False, tuple(invalid), tuple(missing))
    winners = tuple(answer for answer, score in scores.items() if score >= best - ROUNDING)
    return Decision(winners, scores, len(winners) > 1, tuple(invalid), tuple(missing))


def missing_in(ballots: Sequence[object]) -> tuple[int, ...]:
    """Return the indices of the ballots that are None."""
    return tuple(number for number, ballot in enumerate(ballots) if ballot is None)


def check_ballots(
    ballots: Sequence[Ballot | None],
    answers: Collection[str] | None,
    repeats: bool = False,
) -> tuple[list[Ballot], list[int]]:
    """Return the valid ballots, and the indices of those that name what they may not.

    `answers` are those that may be named (None: any), and `repeats` lets one be named twice.
    """
    valid: list[Ballot] = []
    invalid: list[int] = []
    for number, ballot in enumerate(ballots):
        if ballot is None:
            continue
        unknown = answers is not None and not set(ballot) <= set(answers)
        if unknown or (not repeats and len(set(ballot)) < len(ballot)):
            invalid.append(number)
        else:
            valid.append(ballot)
    return valid, invalid


def named_answers(ballots: Sequence[Collection[str]], answers: Collection[str] | None) -> list[str]:
    """Return the answers that may be named, in their order; if any may, all that are, by name."""
    if answers is not None:
        return list(answers)
    return sorted({answer for ballot in ballots for answer in ballot})
