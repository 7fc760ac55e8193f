"""Canned queries on the published debates, beside numbers counted from their JSON files here.

The debates are those of arXiv 2505.19184, or made-up ones of the same form if they are missing
(tests/publication.py); published numbers are compared with the former only.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.statistics.calibration import auroc, bin_of, brier, ece
from analysis.statistics.judge_bias import won_by_more
from arena.imports import import_llms_overconfidence
from arena.store.database import query
from tests.made_up_publication import PHASES, SIDES
from tests.publication import STUDIES, PlainDebate, folder, is_real, other_side, plain_debates


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "arena.duckdb"
    import_llms_overconfidence(folder(), path)
    return path


@pytest.fixture(scope="module")
def debates() -> list[PlainDebate]:
    found = plain_debates()
    if is_real():
        assert Counter(debate.study for debate in found) == {"cross_model": 60, "self": 60}
    return found


def of_study(debates: list[PlainDebate], study: str) -> list[PlainDebate]:
    return [debate for debate in debates if debate.study == study]


def seats(debates: list[PlainDebate]) -> Iterator[tuple[PlainDebate, str]]:
    """(debate, side) of every seat."""
    return itertools.product(debates, SIDES)


def bets(debates: list[PlainDebate]) -> Iterator[tuple[PlainDebate, str, str, int]]:
    """(debate, side, phase, bet in percent) of every rating that can be read."""
    for debate in debates:
        for (side, phase), bet in debate.bets.items():
            if bet is not None:
                yield debate, side, phase, bet


def both_bets(debates: list[PlainDebate]) -> Iterator[tuple[PlainDebate, str, int, int]]:
    """(debate, phase, the proposition's bet, the opposition's) of phases that have both."""
    for debate, phase in itertools.product(debates, PHASES):
        first, second = (debate.bets[side, phase] for side in SIDES)
        if first is not None and second is not None:
            yield debate, phase, first, second


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    return list(query(store, sql).rows)


def test_confidence_by_model(store: Path, debates: list[PlainDebate]) -> None:
    said: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for debate, side, phase, bet in bets(debates):
        said[debate.study, debate.models[side], phase].append(bet)
    asked = Counter(
        (debate.study, debate.models[side], phase)
        for debate, side in seats(debates)
        for phase in PHASES
    )
    found = rows(
        store,
        "select study, model, phase, n, 100 * mean, 100 * sd, missing from confidence_by_model",
    )
    expected = {
        key: (
            len(values),
            statistics.mean(values),
            statistics.stdev(values) if len(values) > 1 else None,
            asked[key] - len(values),
        )
        for key, values in said.items()
    }
    assert {row[:3]: row[3:] for row in found} == {
        key: pytest.approx(numbers) for key, numbers in expected.items()
    }
    assert len(found) == 2 * 10 * 3


def test_both_sides_together_claim_more_than_everything(
    store: Path, debates: list[PlainDebate]
) -> None:
    """Published: 66.5 points over 100 at closing between models, 50.4 against oneself."""
    found = rows(
        store, "select study, phase, debates, 100 * mean_excess, missing from excess_by_phase"
    )
    for study, phase, *numbers in found:
        own = of_study(debates, study)
        excess = [first + second - 100 for _, at, first, second in both_bets(own) if at == phase]
        assert numbers == pytest.approx(
            [len(excess), statistics.mean(excess), len(own) - len(excess)]
        )
    assert len(found) == 2 * 3
    if is_real():
        closing = {row[0]: round(row[3], 1) for row in found if row[1] == "closing"}
        assert closing == {"cross_model": 66.5, "self": 50.4}
    expected = sorted((first, second) for _, _, first, second in both_bets(debates))
    each = rows(
        store,
        "select round(100 * proposition)::int, round(100 * opposition)::int, excess"
        " from side_confidence where excess is not null order by 1, 2",
    )
    assert [row[:2] for row in each] == expected
    assert [row[2] for row in each] == pytest.approx([(p + o - 100) / 100 for p, o in expected])


def test_who_rises(store: Path, debates: list[PlainDebate]) -> None:
    columns = "n, share_up, share_down"
    for study in STUDIES.values():
        changes = [
            last - first
            for debate, side in seats(of_study(debates, study))
            if (first := debate.bets[side, "opening"]) is not None
            and (last := debate.bets[side, "closing"]) is not None
        ]
        shares = [np.mean(np.sign(changes) == sign) for sign in (1, -1)]
        assert rows(store, f"select {columns} from rise where study = '{study}'") == [
            (len(changes), *map(pytest.approx, shares))
        ]
    if is_real():
        assert [
            (n, f"{up:.3f}") for n, up in rows(store, "select n, share_up from rise order by study")
        ] == [(120, "0.817"), (120, "0.825")]


def test_which_models_rise(store: Path, debates: list[PlainDebate]) -> None:
    ends: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for debate, side in seats(of_study(debates, "cross_model")):
        first, last = (debate.bets[side, phase] for phase in ("opening", "closing"))
        if first is not None and last is not None:
            ends[debate.models[side]].append((first, last))
    found = rows(
        store,
        "select model, n, 100 * first, 100 * last from rise_by_model where study = 'cross_model'",
    )
    assert {row[0]: row[1:] for row in found} == {
        model: pytest.approx((len(pairs), *np.mean(pairs, axis=0))) for model, pairs in ends.items()
    }
    if is_real():
        rounded = {row[0]: (row[1], round(row[2], 1), round(row[3], 1)) for row in found}
        assert rounded["google/gemma-3-27b-it"] == (12, 67.5, 88.3)
        assert rounded["google/gemini-2.0-flash-001"] == (12, 65.4, 64.0)
        assert max(found, key=lambda row: row[3] - row[2])[0] == "google/gemma-3-27b-it"


def test_common_and_round_numbers(store: Path, debates: list[PlainDebate]) -> None:
    for study, odd in (("cross_model", 8), ("self", 14)):
        stated = Counter(bet for *_, bet in bets(of_study(debates, study)))
        found = rows(
            store,
            "select round(100 * confidence)::int, n from common_confidences"
            f" where study = '{study}'",
        )
        assert dict(found) == dict(stated)
        assert found[0][1] == max(stated.values())
        counts = rows(
            store,
            "select sum(n), sum(multiples_of_5), sum(multiples_of_10) from round_numbers"
            f" where study = '{study}'",
        )
        multiples = [sum(n for bet, n in stated.items() if bet % by == 0) for by in (1, 5, 10)]
        assert counts == [tuple(multiples)]
        if is_real():
            assert multiples[:2] == [360, 360 - odd]


def test_spread_of_a_model_against_itself(store: Path, debates: list[PlainDebate]) -> None:
    gaps: dict[tuple[str, str], list[int]] = defaultdict(list)
    for debate, phase, first, second in both_bets(of_study(debates, "self")):
        gaps[debate.models["proposition"], phase].append(first - second)
    found = rows(
        store,
        "select model, phase, debates, 100 * mean_spread, 100 * mean_lead, 100 * widest"
        " from self_spread",
    )
    expected = {
        key: (len(g), statistics.mean(map(abs, g)), statistics.mean(g), max(map(abs, g)))
        for key, g in gaps.items()
    }
    assert {row[:2]: row[2:] for row in found} == {
        key: pytest.approx(numbers, abs=1e-9) for key, numbers in expected.items()
    }


def heard(debates: list[PlainDebate]) -> Iterator[tuple[str, str, int | None, int]]:
    """(study, speech, its bet, the listener's next bet minus the one before) of speeches whose
    listener has both; within a phase neither side hears the other.
    """
    for debate, side in seats(debates):
        for now, then in itertools.pairwise(PHASES):
            before, after = (debate.bets[other_side(side), phase] for phase in (now, then))
            if before is not None and after is not None:
                speech = debate.speeches[side, now]
                yield debate.study, speech, debate.bets[side, now], after - before


def test_what_follows_an_empty_speech(store: Path, debates: list[PlainDebate]) -> None:
    moved: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for study, speech, _, change in heard(debates):
        moved[study, len(speech.split()) < 5].append(change)
    found = rows(store, "select study, empty, n, 100 * mean_change from next_after_empty")
    assert {row[:2]: row[2:] for row in found} == {
        key: pytest.approx((len(c), statistics.mean(c))) for key, c in moved.items()
    }
    if is_real():
        assert sum(row[2] for row in found) == 480


def test_confidence_that_the_opponent_does_not_see(store: Path, debates: list[PlainDebate]) -> None:
    for study in STUDIES.values():
        pairs = np.array(
            [
                (said, change)
                for name, _, said, change in heard(debates)
                if name == study and said is not None
            ],
            dtype=float,
        ).T
        slope = np.polyfit(pairs[0], pairs[1], 1)[0]
        found = rows(
            store,
            "select visible, n, correlation, slope from visible_confidence"
            f" where study = '{study}'",
        )
        correlation = np.corrcoef(pairs)[0, 1]
        assert found == [(False, pairs.shape[1], pytest.approx(correlation), pytest.approx(slope))]
        if is_real():
            assert pairs.shape[1] == 240


def test_private_words_that_slipped(store: Path, debates: list[PlainDebate]) -> None:
    """Published counts: 5 and 10 speeches with the tag of thoughts, 4 and 5 with that of the bet, 2
    and 3 with its number.
    """
    counts = "count(*) filter (private_tag), count(*) filter (rating_tag), count(*) filter (rating)"
    found = rows(store, f"select study, {counts} from private_words group by study order by study")
    names = ("private tag in speech", "rating tag in speech", "rating in speech")
    for study, *numbers in found:
        flags = Counter(
            flag for each in of_study(debates, study) for own in each.flags.values() for flag in own
        )
        assert numbers == [flags[name] for name in names]
    assert len(found) == 2
    if is_real():
        assert found == [("cross_model", 5, 4, 2), ("self", 10, 5, 3)]
    leaks = [
        change
        for study, speech, _, change in heard(debates)
        if re.search(r"bet_(logic_private|amount)", speech.replace("\\", ""), re.I)
    ]
    moved = rows(
        store,
        "select round(100 * opponent_change)::int from private_words"
        " where opponent_change is not null order by all",
    )
    assert [change for (change,) in moved] == sorted(leaks)


def test_numbers_in_thoughts(store: Path, debates: list[PlainDebate]) -> None:
    expected = []
    for debate, side, phase, bet in bets(debates):
        named = re.findall(
            r"(\d{1,3}(?:\.\d+)?)\s?(?:%|percent\b|out of 100\b|/\s?100\b)",
            debate.thoughts[side, phase],
            re.ASCII,
        )
        if named and float(named[-1]) <= 100:
            expected.append((bet, float(named[-1]), len(named)))
    found = rows(
        store,
        "select round(100 * confidence)::int, round(100 * in_thoughts, 6), numbers, difference"
        " from stated_in_thoughts",
    )
    assert sorted(row[:3] for row in found) == sorted(expected)
    assert all(row[3] == pytest.approx((row[0] - row[1]) / 100) for row in found)


def test_drift_by_date(store: Path, debates: list[PlainDebate]) -> None:
    """Known: closing at 75.5, 68.0 and 82.3 on three days of the debates against oneself, whose
    models and motions differ.
    """
    stated: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for debate, _, phase, bet in bets(debates):
        stated[debate.study, debate.day, phase].append(bet)
    found = rows(store, "select study, day::varchar, phase, 100 * mean from drift_by_date")
    means = {row[:3]: row[3] for row in found}
    assert means == pytest.approx({key: statistics.mean(own) for key, own in stated.items()})
    if is_real():
        days = [round(means["self", f"2025-05-{day}", "closing"], 1) for day in ("03", "09", "10")]
        assert days == [75.5, 68.0, 82.3]
    assert rows(store, "select distinct model_served from drift_by_date") == [(None,)]


def judged(debates: list[PlainDebate], phase: str) -> Iterator[tuple[str, float, float]]:
    """(model, confidence, result) of every seat between models that has both."""
    for debate, side in seats(of_study(debates, "cross_model")):
        rating, result = debate.rating(side, phase), debate.result(side)
        if rating is not None and result is not None:
            yield debate.models[side], rating, result


def test_calibration_by_phase(store: Path, debates: list[PlainDebate]) -> None:
    columns = "n, n_without_ties, brier, brier_without_ties, auroc, 100 * overconfidence, ece"
    found = rows(store, f"select {columns} from calibration_by_phase order by round")
    for phase, row in zip(PHASES, found, strict=True):
        confidence, won = np.array([seat[1:] for seat in judged(debates, phase)]).T
        x, y = confidence[won != 0.5], won[won != 0.5]
        scores = (auroc(x, y), 100 * (x - y).mean(), ece(x, y))
        assert row == pytest.approx(
            (won.size, y.size, brier(confidence, won), brier(x, y), *scores)
        )
    if is_real():
        assert [
            (*row[:2], *(round(row[k], digits) for k, digits in enumerate((4, 4, 3, 1, 4), 2)))
            for row in found
        ] == [
            (120, 106, 0.2971, 0.3301, 0.375, 23.2, 0.2736),
            (120, 106, 0.3056, 0.3354, 0.508, 27.8, 0.2882),
            (120, 106, 0.3302, 0.356, 0.557, 33.0, 0.3298),
        ]


@pytest.mark.parametrize("phase", PHASES)
def test_calibration_by_model(store: Path, debates: list[PlainDebate], phase: str) -> None:
    found = rows(
        store,
        "select model, n, brier, ece, auroc, win_rate from calibration_by_model"
        f" where phase = '{phase}' order by model",
    )
    for model, n, *numbers in found:
        confidence, won = np.array([row[1:] for row in judged(debates, phase) if row[0] == model]).T
        decided = won != 0.5
        x, y = confidence[decided], won[decided]
        area = auroc(x, y)
        assert n == confidence.size
        assert numbers == pytest.approx(
            [brier(confidence, won), ece(x, y), None if np.isnan(area) else area, y.mean()]
        )
    assert len(found) == 10


def test_reliability(store: Path, debates: list[PlainDebate]) -> None:
    for phase in PHASES:
        confidence, won = np.array([row[1:] for row in judged(debates, phase) if row[2] != 0.5]).T
        bins = bin_of(confidence) + 1
        expected = [
            (k, (bins == k).sum(), confidence[bins == k].mean(), won[bins == k].mean())
            for k in np.unique(bins)
        ]
        found = rows(
            store,
            "select bin, n, mean_confidence, win_rate from reliability"
            f" where phase = '{phase}' order by bin",
        )
        assert found == [pytest.approx(row) for row in expected]


def test_wins_by_motion(store: Path, debates: list[PlainDebate]) -> None:
    expected: dict[str, Counter[float | None]] = defaultdict(Counter)
    for debate in of_study(debates, "cross_model"):
        if debate.votes:
            expected[debate.motion][debate.result("proposition")] += 1
    found = rows(
        store,
        "select motion, proposition, opposition, ties, undecided, win_rate"
        " from proposition_wins_by_motion",
    )
    assert {row[0]: row[1:5] for row in found} == {
        motion: (count[1.0], count[0.0], count[0.5], count[None])
        for motion, count in expected.items()
    }
    assert all(row[5] == pytest.approx((row[1] + row[3] / 2) / sum(row[1:4])) for row in found)
    if is_real():
        assert [sum(row[k] for row in found) for k in (1, 2, 3, 4)] == [17, 36, 7, 0]


def test_vote_splits(store: Path, debates: list[PlainDebate]) -> None:
    found = rows(store, "select split, debates from vote_splits")
    splits: Counter[str] = Counter()
    for debate in debates:
        if debate.votes:
            more, fewer = sorted((len(debate.named(side)) for side in SIDES), reverse=True)
            splits[f"{more}-{fewer}"] += 1
    assert dict(found) == dict(splits)
    if is_real():
        assert found == [("6-0", 22), ("5-1", 11), ("3-0", 1), ("4-2", 19), ("3-3", 7)]


def test_longer_and_surer_sides(store: Path, debates: list[PlainDebate]) -> None:
    decided = [debate for debate in debates if debate.result("proposition") is not None]
    won = np.array([debate.result("proposition") for debate in decided])
    words = np.array(
        [
            [sum(len(debate.speeches[side, phase].split()) for phase in PHASES) for side in SIDES]
            for debate in decided
        ]
    )
    same = words[:, 0] == words[:, 1]
    expected = won_by_more(won, words)[~same]
    found = rows(store, "select debates, longer_won, ties, share, same_length from longer_sides")
    ties = (won[~same] == 0.5).sum()
    assert found == [
        (
            expected.size,
            (expected == 1).sum(),
            ties,
            pytest.approx(expected.mean()),
            same.sum(),
        )
    ]
    if is_real():
        assert (expected.size, ties, same.sum()) == (60, 7, 0)
    closing = [
        (first - second, debate.result("proposition"))
        for debate, phase, first, second in both_bets(decided)
        if phase == "closing"
    ]
    lead, result = np.array(closing).T
    surer = np.where(lead > 0, result, 1 - result)[lead != 0]
    columns = "debates, surer_won, ties, share, same_rating"
    assert rows(store, f"select {columns} from higher_confidence_wins where phase = 'closing'") == [
        (
            surer.size,
            (surer == 1).sum(),
            (surer == 0.5).sum(),
            pytest.approx(surer.mean()),
            (lead == 0).sum(),
        )
    ]


def test_judges(store: Path, debates: list[PlainDebate]) -> None:
    """Published: test and retest .729, .949, .881; votes for the proposition 50, 9 and 45
    percent.
    """
    same: dict[tuple[str, str], list[bool]] = defaultdict(list)
    votes: dict[str, list[bool]] = defaultdict(list)
    for debate in debates:
        named = [vote for vote in debate.votes if vote.winner is not None]
        for vote in named:
            votes[vote.judge].append(vote.winner == "proposition")
        for one, other in itertools.combinations(named, 2):
            low, high = sorted((one.judge, other.judge))
            same[low, high].append(one.winner == other.winner)
    found = rows(
        store,
        "select judge, other, pairs, same from judge_agreement"
        " union all select judge, judge, pairs, same from judge_repeats",
    )
    assert {row[:2]: row[2:] for row in found} == {
        key: (len(pairs), sum(pairs)) for key, pairs in same.items()
    }
    bias = rows(
        store,
        "select judge, named, share_proposition, share_first from side_bias order by judge",
    )
    assert bias == [
        (judge, len(own), pytest.approx(statistics.mean(own)), None)
        for judge, own in sorted(votes.items())
    ]
    if is_real():
        repeats = rows(store, "select share from judge_repeats order by judge")
        assert [round(share, 3) for (share,) in repeats] == [0.729, 0.949, 0.881]
        assert [(row[1], round(100 * row[2])) for row in bias] == [(119, 50), (119, 9), (119, 45)]


def test_payout_of_tokens(store: Path, debates: list[PlainDebate]) -> None:
    paid: dict[str, list[int]] = defaultdict(list)
    for debate, phase, *stakes in both_bets(debates):
        for side, mine, other in zip(SIDES, stakes, reversed(stakes), strict=True):
            result = debate.result(side)
            if phase == "closing" and result is not None:
                paid[debate.models[side]].append({1.0: other, 0.0: -mine, 0.5: 0}[result])
    found = rows(
        store,
        "select model, debates, mean_payout, mean_balance from token_payout"
        " where phase = 'closing'",
    )
    expected = {
        model: (len(gains), statistics.mean(gains), 100 + statistics.mean(gains))
        for model, gains in paid.items()
    }
    assert {row[0]: row[1:] for row in found} == {
        model: pytest.approx(numbers) for model, numbers in expected.items()
    }


def test_model_motion_and_side(store: Path, debates: list[PlainDebate]) -> None:
    cells: dict[tuple[str, str, str], list[tuple[float, float | None]]] = defaultdict(list)
    for debate, side in seats(of_study(debates, "cross_model")):
        readable = [bet for phase in PHASES if (bet := debate.rating(side, phase)) is not None]
        key = debate.models[side], debate.motion, side
        cells[key].append((readable[-1], debate.result(side)))
    found = rows(
        store,
        "select model, motion, seat, debates, last, decided, win_rate from model_motion_side"
        " where study = 'cross_model'",
    )
    expected = {}
    for key, cell in cells.items():
        won = [result for _, result in cell if result is not None]
        last = statistics.mean(rating for rating, _ in cell)
        rate = statistics.mean(won) if won else None
        expected[key] = (len(cell), pytest.approx(last), len(won), pytest.approx(rate))
    assert {row[:3]: row[3:] for row in found} == expected


def test_a_transcript_and_the_debates_of_a_model(store: Path, debates: list[PlainDebate]) -> None:
    [(episode, model)] = rows(
        store,
        "select episode, model from seats where seat = 'proposition' order by episode limit 1",
    )
    said = rows(store, f"select phase, seat, model from transcript('{episode[:8]}')")
    assert [row[:2] for row in said] == [(phase, side) for phase in PHASES for side in SIDES]
    assert said[0][2] == model
    results = [
        debate.result(side)
        for debate, side in seats(of_study(debates, "cross_model"))
        if "qwq" in debate.models[side]
    ]
    won = [result for result in results if result is not None]
    assert rows(
        store, "select count(*), sum(result) from debates_of('QWQ') where study = 'cross_model'"
    ) == [(len(results), sum(won))]


@pytest.mark.parametrize(
    "name",
    [
        "latency",
        "critical_path",
        "attempts",
        "reasked",
        "cost_per_episode",
        "cost_by_arm",
        "flips",
        "paths",
    ],
)
def test_what_the_publication_does_not_keep_is_empty_and_not_zero(store: Path, name: str) -> None:
    assert rows(store, f"from {name}") == []
