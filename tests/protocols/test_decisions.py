"""Rules of decision: worked examples, and a naive reading of each rule on drawn ballots."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.private import PrivateNumber, reveal
from protocols import decisions
from protocols.decisions import Decision

CYCLE = [["0", "2", "1"]] * 2 + [["1", "2", "0"]] * 2 + [["2", "1", "0"]]
ABC = ["a", "b", "c"]
VOTES = st.lists(st.sampled_from([*ABC, None]), max_size=9)
RANKINGS = st.lists(
    st.one_of(st.none(), st.lists(st.sampled_from([*ABC, "d"]), max_size=4)), max_size=7
)


def scores_of(decision: Decision) -> list[float]:
    """The scores by the names of the answers."""
    return [reveal(decision.scores[answer]) for answer in sorted(decision.scores)]


@pytest.mark.parametrize(
    ("votes", "winners", "tie"),
    [
        (["0", "1", "1"], ("1",), False),
        (["0", "1", "2"], ("0", "1", "2"), True),
        ([], (), False),
        ([None, None], (), False),
    ],
)
def test_plurality(votes: list[str | None], winners: tuple[str, ...], tie: bool) -> None:
    decision = decisions.plurality(votes)
    assert (decision.winners, decision.tie) == (winners, tie)
    assert decision.winner == (winners[0] if len(winners) == 1 else None)
    assert decision.missing == tuple(n for n, vote in enumerate(votes) if vote is None)


@pytest.mark.parametrize(
    ("ballots", "scores", "winner"),
    [
        ([["0", "1", "2"], ["1", "0", "2"], ["1", "2", "0"]], [6, 8, 4], "1"),
        ([["0", "1"], ["1", "0"]], [3, 3], None),
        (CYCLE, [19, 20, 21], "2"),
    ],
)
def test_points_by_rank_as_the_paper_on_votes_gives_them(
    ballots: list[list[str]], scores: list[float], winner: str | None
) -> None:
    answers = sorted({answer for ballot in ballots for answer in ballot})
    decision = decisions.borda(ballots, answers, first=min(5, len(ballots)))
    assert (scores_of(decision), decision.winner) == (scores, winner)


def test_borda_and_instant_runoff_may_differ() -> None:
    answers = ["0", "1", "2"]
    decision = decisions.borda(CYCLE, answers)
    assert (scores_of(decision), decision.winner) == ([9, 10, 11], "2")
    decision = decisions.instant_runoff(CYCLE, answers)
    assert (decision.scores, decision.winner) == ({"0": 2, "1": 3}, "1")


def test_a_ranking_that_repeats_an_answer_is_invalid() -> None:
    ballots = [["0", "0", "0"], ["1"], ["1"]]
    decision = decisions.borda(ballots, ["0", "1"], first=3)
    assert (decision.winner, decision.invalid) == ("1", (0,))
    assert decisions.instant_runoff(ballots, ["0", "1"]).invalid == (0,)


@pytest.mark.parametrize(
    ("ballots", "winner"),
    [
        ([{"0", "1"}, {"1", "2"}, {"1"}], "1"),
        ([{"0", "1"}, {"0", "1"}], None),
        ([["0", "0", "0"], ["1"], ["1"]], "1"),
        ([set(), None], None),
    ],
)
def test_approval(ballots: list[set[str] | None], winner: str | None) -> None:
    assert decisions.approval(ballots).winner == winner
    assert decisions.approval([{"7", "1"}], ["0", "1"]).invalid == (0,)


@pytest.mark.parametrize(
    ("ballots", "scores", "winner"),
    [
        ([{"0": 6, "1": 4}, {"1": 10}, {"2": 9, "0": 1}], [7, 14, 9], "1"),
        ([{"0": 5, "1": 5}, {"2": 10}, {"0": 5, "1": 5}], [10, 10, 10], None),
    ],
)
def test_cumulative(
    ballots: list[dict[str, float]], scores: list[float], winner: str | None
) -> None:
    decision = decisions.cumulative(ballots)
    assert (scores_of(decision), decision.winner) == (scores, winner)


@pytest.mark.parametrize("ballot", [{"0": 9}, {"0": 11, "1": -1}, {"3": 10}, {"0": math.nan}])
def test_points_that_break_the_rule_are_invalid(ballot: dict[str, float]) -> None:
    decision = decisions.cumulative([ballot, {"1": 10}], ["0", "1", "2"])
    assert (decision.winner, decision.invalid) == ("1", (0,))


@pytest.mark.parametrize(
    ("talk", "seats", "standing", "count", "half", "two_thirds"),
    [
        (["S", "S", "S"], 3, "S", 3, True, True),
        (["R", "R", "S", "S"], 4, "S", 2, True, False),
        (["S", "S", "T"], 3, "T", 1, False, False),
        (["S", None, "S"], 3, "S", 2, True, True),
        (["S", "S", "S", "S"], 3, "S", 3, True, True),
        ([None], 3, None, 0, False, False),
        ([], 3, None, 0, False, False),
    ],
)
def test_consensus_counts_the_proposer_and_who_agrees_since(
    talk: list[str | None],
    seats: int,
    standing: str | None,
    count: int,
    half: bool,
    two_thirds: bool,
) -> None:
    assert decisions.agreement_count(talk, seats) == (standing, count)
    assert (decisions.consensus(talk, seats, 0.5).winner is not None) == half
    assert (decisions.consensus(talk, seats, 0.66).winner is not None) == two_thirds


def test_shares_of_ballots() -> None:
    assert decisions.share_of(["a", "a", "b"], 0.66).winner == "a"
    assert decisions.share_of(["a"] * 3 + ["b"] * 2, 0.66).winner is None
    assert decisions.share_of(["a"] * 4 + ["b"], 0.66).winner == "a"
    assert decisions.supermajority(["a", "a", "b"]).winner == "a"
    assert decisions.share_of(["a", "b"], 0.5).tie
    assert decisions.majority(["a", "b"]).winner is None
    assert decisions.majority(["a", "a", "b", None]).winner is None
    assert decisions.unanimity(["a", "a", None]).winner is None
    assert decisions.unanimity(["a", "a"]).winner == "a"
    assert decisions.unanimity([None, None]).winners == ()


@pytest.mark.parametrize(
    ("seats", "agree", "turn", "reached"), [(4, 3, 4, False), (4, 3, 5, True), (3, 2, 5, False)]
)
def test_the_hybrid_rule(seats: int, agree: int, turn: int, reached: bool) -> None:
    talk = ["R"] * (seats - agree) + ["S"] * agree
    share = decisions.hybrid_share(turn, seats)
    assert (decisions.consensus(talk, seats, share).winner == "S") == reached


@pytest.mark.parametrize(
    ("votes", "confidences", "scores", "winner"),
    [
        ("ABB", (1.0, 0.85, 0.7), [1.0, 0.8], "A"),
        ("ABB", (0.95, 0.8, 0.75), [0.8, 0.8], None),
        ("ABB", (0.8, 0.7, 0.5), [0.5, 0.4], "A"),
    ],
)
def test_the_weighted_vote_of_reconcile(
    votes: str, confidences: tuple[float, ...], scores: list[float], winner: str | None
) -> None:
    weights = [decisions.reconcile_weight(each) for each in confidences]
    decision = decisions.weighted(list(votes), weights)
    assert (scores_of(decision), decision.winner) == (pytest.approx(scores), winner)
    assert decision.tie == (winner is None)
    assert decisions.plurality(list(votes)).winner == "B"


def test_the_weights_of_reconcile() -> None:
    stated = (0, 0.6, 0.61, 0.79, 0.8, 0.89, 0.9, 0.99, 1)
    weights = [0.1, 0.1, 0.3, 0.3, 0.5, 0.5, 0.8, 0.8, 1]
    assert [decisions.reconcile_weight(each) for each in stated] == weights
    assert decisions.reconcile_weight(PrivateNumber(0.85)) == 0.5
    for wrong in (85, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
            decisions.reconcile_weight(wrong)


def test_a_vote_without_a_weight_counts_for_nothing_and_is_named() -> None:
    decision = decisions.weighted(["a", "b", None], [None, 0.1, 0.9])
    assert (decision.winner, decision.invalid, decision.missing) == ("b", (0,), (2,))


def test_calibrated_weights() -> None:
    accuracy = decisions.calibrated([(0.9, 0.6), (0.5, 0.3)])
    assert [accuracy(each) for each in (0.1, 0.5, 0.89, 0.9, 1.0)] == [0.3, 0.3, 0.3, 0.6, 0.6]
    with pytest.raises(ValueError, match="at least one row"):
        decisions.calibrated([])
    assert decisions.log_odds(0.5) == 0
    assert decisions.log_odds(0.25, 4) == pytest.approx(0)
    assert decisions.log_odds(1.0) == pytest.approx(math.log(99))
    assert isinstance(decisions.log_odds(PrivateNumber(0.8)), PrivateNumber)


def test_a_prediction_that_is_infinite_or_no_number_is_invalid() -> None:
    for wrong in (math.inf, math.nan):
        found = decisions.surprisingly_popular(["A", "B"], [{"A": wrong}, {"A": 0.9, "B": 0.1}])
        assert (found.winner, found.invalid) == ("B", (0,))


def test_where_nobody_approves_of_any_answer_none_has_won() -> None:
    found = decisions.approval([set(), set()], ["A", "B"])
    assert (found.winners, found.tie, decisions.settle(found, "first")) == ((), False, None)


def test_a_surprisingly_popular_answer_beats_a_popular_one() -> None:
    # Most say Philadelphia, and everybody expects most to: fewer were expected to say Harrisburg.
    votes = ["P", "P", "P", "H", "H", None]
    predictions = [{"P": 90, "H": 10}] * 4 + [{"P": 70, "H": 30}, None]
    decision = decisions.surprisingly_popular(votes, predictions)
    assert (decision.winner, decision.missing) == ("H", (5,))
    assert reveal(decision.scores["H"]) == pytest.approx(0.4 - 0.14)
    assert decisions.plurality(votes).winner == "P"
    assert decisions.surprisingly_popular(votes, [None] * 6).winners == ()
    wrong = [{"P": -1, "H": 2}, {"P": 0}, {"P": 1.0}]
    assert decisions.surprisingly_popular(["P"], wrong).invalid == (0, 1)


def test_score_pairs_are_summed_over_both_orders() -> None:
    decision = decisions.score_pairs([(7, 8), (6, 6)], [(9, 6), (7, 7)])
    assert (decision.scores, decision.winner) == ({"1": 26, "2": 30}, "2")
    decision = decisions.score_pairs([(7, 8), (10, 1)], [(9, 6), None])
    assert (decision.winner, decision.missing) == ("2", (1,))
    assert decisions.score_pairs([None], [None]).winners == ()


def test_a_letter_is_judged_in_both_orders() -> None:
    assert decisions.first_letter_probability(-0.2, -1.8) == pytest.approx(0.832, abs=5e-4)
    assert decisions.first_letter_probability(-2000, 0) == pytest.approx(0)
    decision, bias = decisions.both_orders(0.8, 0.6)
    assert (reveal(decision.scores["1"]), bias) == (pytest.approx(0.7), pytest.approx(0.2))
    assert decisions.both_orders(0.9, 0.1)[0].tie


def test_ties_are_settled_by_the_rule_that_is_named() -> None:
    tie = decisions.plurality(["b", "a"])
    assert decisions.settle(tie) is None
    assert decisions.settle(tie, "first") == "b"
    assert {decisions.settle(tie, "draw", random.Random(seed)) for seed in range(9)} == {"a", "b"}
    with pytest.raises(ValueError, match="rng="):
        decisions.settle(tie, "draw")
    assert decisions.settle(decisions.plurality(["a"]), "missing") == "a"


@given(VOTES)
def test_votes_agree_with_a_naive_count(votes: list[str | None]) -> None:
    counts = Counter(vote for vote in votes if vote)
    best = max(counts.values(), default=0)
    decision = decisions.plurality(votes)
    assert set(decision.winners) == {answer for answer in counts if counts[answer] == best}
    for rule, least in ((decisions.supermajority, 2 / 3), (decisions.unanimity, 1)):
        enough = {each for each in counts if counts[each] / len(votes) > least - 1e-6}
        assert set(rule(votes).winners) == enough
    assert set(decisions.majority(votes).winners) == {
        each for each in counts if counts[each] * 2 > len(votes)
    }


@given(RANKINGS)
def test_borda_agrees_with_counting_who_stands_below(ballots: list[list[str] | None]) -> None:
    valid = [b for b in ballots if b is not None and len(set(b)) == len(b) and "d" not in b]
    # Of m answers, the one at place p stands above m - 1 - p, and has one point more than that.
    expected = {
        each: sum(1 + len(ABC) - 1 - b.index(each) for b in valid if each in b) for each in ABC
    }
    decision = decisions.borda(ballots, ABC)
    assert decision.scores == (expected if valid else {})
    assert len(decision.invalid) + len(decision.missing) + len(valid) == len(ballots)


def naive_runoff(ballots: Sequence[Sequence[str]], left: frozenset[str]) -> set[str]:
    """The winners of a runoff, by recursion over who is left."""
    tops = [[each for each in ballot if each in left][:1] for ballot in ballots]
    counts = {each: tops.count([each]) for each in left}
    cast = sum(counts.values())
    if not cast:
        return set()
    winners = {each for each in left if counts[each] > cast / 2}
    worst = {each for each in left if counts[each] == min(counts.values())}
    if winners:
        return winners
    return set(left) if worst == left else naive_runoff(ballots, left - worst)


@given(RANKINGS)
def test_a_runoff_agrees_with_a_naive_one(ballots: list[list[str] | None]) -> None:
    valid = [b for b in ballots if b is not None and len(set(b)) == len(b) and "d" not in b]
    winners = set(decisions.instant_runoff(ballots, ABC).winners)
    assert winners == naive_runoff(valid, frozenset(ABC))


@given(st.lists(st.one_of(st.none(), st.sets(st.sampled_from(ABC))), max_size=7))
def test_approval_agrees_with_counting_sets(ballots: list[set[str] | None]) -> None:
    counts = {each: sum(each in b for b in ballots if b is not None) for each in ABC}
    best = max(counts.values())
    decision = decisions.approval(ballots)
    expected = {each for each in ABC if counts[each] == best} if best else set()
    assert set(decision.winners) == expected


@given(st.lists(st.sampled_from(["R", "S", None]), max_size=8), st.integers(1, 4))
def test_consensus_agrees_with_a_naive_walk(talk: list[str | None], seats: int) -> None:
    standing = next((each for each in reversed(talk) if each), None)
    count = 0
    for answer in reversed(talk[-seats:]):
        if answer not in (None, standing):
            break
        count += answer is not None
    assert decisions.agreement_count(talk, seats) == (standing, count)


@given(
    st.lists(st.sampled_from(ABC), min_size=1, max_size=6), st.lists(st.floats(0, 1), min_size=6)
)
def test_weights_agree_with_sums_by_answer(votes: list[str], weights: list[float]) -> None:
    used = weights[: len(votes)]
    one = decisions.weighted(votes, used)
    cast = list(zip(votes, used, strict=True))
    sums = {each: math.fsum(weight for vote, weight in cast if vote == each) for each in ABC}
    best = max(sums.values())
    assert all(sums[each] >= best - 1e-8 for each in one.winners)


def test_reconcile_weights_never_fall() -> None:
    weights = [decisions.reconcile_weight(percent / 100) for percent in range(101)]
    assert all(one <= two for one, two in pairwise(weights))
