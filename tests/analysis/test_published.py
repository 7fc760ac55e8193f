"""Reports on published debates give the numbers that are counted from their files here.

The debates are those of "When Two LLMs Debate" (arXiv 2505.19184), or made-up ones of the same form
if they are missing (tests/publication.py); the numbers of the paper are compared with the former
only.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from math import isnan, nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.read.debates import read_records
from analysis.reports.debates import report
from analysis.reports.standings import standings
from analysis.statistics.clustered import clustered_mean
from analysis.statistics.overconfidence import against_half
from analysis.statistics.signed_ranks import wilcoxon
from arena.imports import import_llms_overconfidence
from tests.analysis.resampling import bootstrap_interval, resampled_means
from tests.made_up_publication import PHASES, SIDES
from tests.publication import NOT_HERE, PlainDebate, folder, is_real, plain_debates

# The two sides' values in one debate; None: missing.
Pair = tuple[float | None, float | None]
BY_MODEL = """
anthropic/claude-3.5-haiku 12 71.7 83.3 50.0
anthropic/claude-3.7-sonnet 13 67.3 82.7 92.3
deepseek/deepseek-chat 12 74.6 80.0 33.3
deepseek/deepseek-r1-distill-qwen-14b:free 11 79.1 86.4 9.1
google/gemini-2.0-flash-001 12 65.4 64.0 54.2
google/gemma-3-27b-it 12 67.5 88.3 54.2
openai/gpt-4o-mini 12 75.0 82.1 16.7
openai/o3-mini 12 77.5 84.5 33.3
qwen/qwen-max 12 73.3 88.8 66.7
qwen/qwq-32b:free 12 78.8 92.8 83.3
"""
METRICS = {
    "brier": [0.2971, 0.3056, 0.3302],
    "brier_without_ties": [0.3301, 0.3354, 0.3560],
    "brier_of_half": [0.2208] * 3,
    "auroc": [0.3750, 0.5077, 0.5573],
    "mean_minus_win_rate": [0.2321, 0.2778, 0.3298],
    "ece": [0.2736, 0.2882, 0.3298],
    "ece_left_closed": [0.3151, 0.2844, 0.3298],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "arena.duckdb"
    import_llms_overconfidence(folder(), path)
    return path


@pytest.fixture(scope="module")
def cross(store: Path) -> dict[str, Any]:
    return report(store, "cross_model")[0]


@pytest.fixture(scope="module")
def own(store: Path) -> dict[str, Any]:
    return report(store, "self")[0]


@pytest.fixture(scope="module")
def debates() -> list[PlainDebate]:
    """The debates between different models, straight from the files."""
    return plain_debates("cross_model")


def percents(rows: list[dict[str, Any]], key: str) -> list[str]:
    return [f"{100 * row[key]:.2f}" for row in rows]


def pairs(debates: list[PlainDebate], phase: str) -> list[Pair]:
    """Both sides' ratings in a phase, by debate."""
    return [(each.rating(SIDES[0], phase), each.rating(SIDES[1], phase)) for each in debates]


def present(clusters: Iterable[Iterable[float | None]]) -> list[float]:
    """All values that are not missing."""
    return [value for values in clusters for value in values if value is not None]


def changes(debates: list[PlainDebate]) -> list[Pair]:
    """How far both sides went up from the first phase to the last, by debate."""
    ends = zip(pairs(debates, "opening"), pairs(debates, "closing"), strict=True)
    return [(minus(last[0], first[0]), minus(last[1], first[1])) for first, last in ends]


def minus(last: float | None, first: float | None) -> float | None:
    return None if last is None or first is None else round(last - first, 9)


def interval(debates: list[PlainDebate], clusters: list[Pair]) -> tuple[float, float]:
    """The 95% interval of a mean for models like these (Cameron, Gelbach and Miller 2011), each
    variance by leaving one cluster out at a time; nan with fewer than six models.
    """
    cells = [
        (number, debate.models[side], value)
        for number, (debate, pair) in enumerate(zip(debates, clusters, strict=True))
        for side, value in zip(SIDES, pair, strict=True)
        if value is not None
    ]
    mean = statistics.mean(value for _, _, value in cells)

    def variance(name: Callable[[int, str], Any]) -> tuple[float, int]:
        """Return the jackknife variance of the mean and the number of clusters."""
        groups = {name(number, model) for number, model, _ in cells}
        without = [
            statistics.mean(value for number, model, value in cells if name(number, model) != group)
            for group in groups
        ]
        return (len(groups) - 1) / len(groups) * sum((each - mean) ** 2 for each in without), len(
            groups
        )

    (of_debates, number), (of_models, models), (of_cells, _) = (
        variance(name) for name in (lambda n, m: n, lambda n, m: m, lambda n, m: (n, m))
    )
    if models < 6:
        return nan, nan
    width = float(stats.t.ppf(0.975, min(number, models) - 1))
    width *= sqrt(of_debates + of_models - of_cells)
    return mean - width, mean + width


def check_claims(row: dict[str, Any], expected: tuple[float, float]) -> None:
    """Compare the interval of models like these, which is only there for six models or more.

    It is never narrower than that of these models, which holds where it would be.
    """
    these = row["these_models_ci_low"], row["these_models_ci_high"]
    if not isnan(expected[0]) and these[0] < expected[0]:
        assert these[1] > expected[1]
        expected = these
    if isnan(expected[0]):
        assert row["speaks_of"] == "these models"
        assert "fewer than 6" in row["interval_note"]
    else:
        assert row["speaks_of"] == "models like these"
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(expected)
        assert row["ci_low"] <= row["these_models_ci_low"] <= row["these_models_ci_high"]


def any_of(pair: Pair) -> bool:
    return pair != (None, None)


def both(clusters: list[Pair], holds: Callable[[float], bool]) -> int:
    """In how many debates something holds for the ratings of both sides."""
    return sum(all(value is not None and holds(value) for value in pair) for pair in clusters)


def check_phases(rows: list[dict[str, Any]], debates: list[PlainDebate]) -> None:
    """Compare a report's phases with the files."""
    assert [row["phase"] for row in rows] == list(PHASES)
    for row in rows:
        ratings = pairs(debates, row["phase"])
        values = present(ratings)
        assert (row["n"], row["debates"]) == (len(values), sum(map(any_of, ratings)))
        assert row["missing"] == 2 * len(debates) - len(values)
        assert (row["mean"], row["sd"]) == pytest.approx(
            (statistics.mean(values), statistics.stdev(values))
        )
        check_claims(row, interval(debates, ratings))
        flags = Counter(
            flag for each in debates for side in SIDES for flag in each.flags[side, row["phase"]]
        )
        assert row["flagged"] == flags


def check_rise(found: dict[str, Any], debates: list[PlainDebate]) -> None:
    """Compare a report's rise, and the counts of debates with two sure sides, with the files."""
    moved = changes(debates)
    values = present(moved)
    rise = found["rise"]
    published = stats.ttest_1samp(values, 0, alternative="greater").pvalue
    assert (rise["n"], rise["from"], rise["to"]) == (len(values), "opening", "closing")
    assert rise["mean"] == pytest.approx(statistics.mean(values))
    check_claims(rise, interval(debates, moved))
    assert rise["p_paired_one_sided"] == pytest.approx(published, rel=1e-6)
    assert rise["share_up"] == pytest.approx(sum(value > 0 for value in values) / len(values))
    assert rise["share_down"] == pytest.approx(sum(value < 0 for value in values) / len(values))
    counts = ("phase", "debates", "at_least_75", "above_75", "above_50")
    assert [{name: row[name] for name in counts} for row in found["both_by_phase"]] == [
        {
            "phase": phase,
            "debates": both(pairs(debates, phase), lambda _: True),
            "at_least_75": both(pairs(debates, phase), lambda rating: rating >= 0.75),
            "above_75": both(pairs(debates, phase), lambda rating: rating > 0.75),
            "above_50": both(pairs(debates, phase), lambda rating: rating > 0.5),
        }
        for phase in PHASES
    ]
    assert found["both"] == found["both_by_phase"][-1]


@pytest.mark.skipif(not is_real(), reason=NOT_HERE)
def test_the_headlines_are_those_of_the_paper(cross: dict[str, Any], own: dict[str, Any]) -> None:
    """The tests below compare its other numbers too, if the publication is here."""
    assert percents(cross["phases"], "mean") == ["72.92", "77.67", "83.26"]
    assert percents(own["phases"], "mean")[::2] == ["64.08", "75.20"]


def test_confidence_by_phase(cross: dict[str, Any], debates: list[PlainDebate]) -> None:
    check_phases(cross["phases"], debates)
    if is_real():
        assert [row["n"] for row in cross["phases"]] == [120, 120, 120]
        assert percents(cross["phases"], "sd")[::2] == ["7.93", "10.10"]


def test_the_rise_and_both_sides_sure(cross: dict[str, Any], debates: list[PlainDebate]) -> None:
    """Published: both above 75% in 37 of 60 debates; in 43 at 75% or above."""
    check_rise(cross, debates)
    if is_real():
        assert f"{100 * cross['rise']['mean']:.2f}" == "10.34"
        assert f"{cross['rise']['p_paired_one_sided']:.1e}" == "1.0e-20"
        assert f"{cross['rise']['share_up']:.3f}" == "0.817"
        sure = [cross["both"][name] for name in ("debates", "at_least_75", "above_75", "above_50")]
        assert sure == [60, 43, 37, 60]
        assert [row["at_least_75"] for row in cross["both_by_phase"]] == [15, 32, 43]


def test_each_model(cross: dict[str, Any], debates: list[PlainDebate]) -> None:
    seats = [(each, side) for each in debates for side in SIDES]
    for row in cross["contestants"]:
        mine = [(each, side) for each, side in seats if each.models[side] == row["model"]]
        first, last = (
            present([[each.rating(side, phase) for each, side in mine]])
            for phase in ("opening", "closing")
        )
        won = present([[each.result(side) for each, side in mine]])
        by_sum = present([[each.by_confidence_sum(side) for each, side in mine]])
        rates = ("win_rate", "win_rate_by_confidence_sum")
        assert row["n"] == len(mine)
        assert [row[key] for key in ("first", "last", *rates)] == pytest.approx(
            [statistics.mean(values) for values in (first, last, won, by_sum)]
        )
    names = [row["model"] for row in cross["contestants"]]
    assert names == sorted({each.models[side] for each, side in seats})
    if is_real():
        for row, line in zip(cross["contestants"], BY_MODEL.strip().splitlines(), strict=True):
            name, n, *numbers = line.split()
            assert (row["model"], row["n"]) == (name, int(n))
            assert [100 * row[key] for key in ("first", "last", rates[1])] == pytest.approx(
                [float(number) for number in numbers], abs=0.051
            )


def winners(results: list[float | None]) -> dict[str, int]:
    """Debates by winner, from the proposition's results."""
    counts = Counter(results)
    return {"proposition": counts[1.0], "opposition": counts[0.0], "tie": counts[0.5]}


def test_the_jury(cross: dict[str, Any], debates: list[PlainDebate]) -> None:
    outcomes = cross["outcomes"]
    votes = [vote for each in debates for vote in each.votes]
    missing = sum(vote.winner is None for vote in votes)
    assert outcomes == {
        "judged": sum(each.result("proposition") is not None for each in debates),
        "majority": winners([each.result("proposition") for each in debates]),
        "confidence_sum": winners([each.by_confidence_sum("proposition") for each in debates]),
        "votes": {
            "for_a_side": len(votes) - missing,
            "abstained": 0,
            "flipped": 0,
            "missing": missing,
        },
        "retest": outcomes["retest"],
    }
    if is_real():
        assert outcomes["judged"] == 60
        assert outcomes["confidence_sum"] == {"proposition": 21, "opposition": 38, "tie": 1}
        assert outcomes["majority"] == {"proposition": 17, "opposition": 36, "tie": 7}
        assert outcomes["votes"]["for_a_side"] == 357


def test_the_retest_of_the_jury(cross: dict[str, Any], debates: list[PlainDebate]) -> None:
    """Published: the judges agreed with themselves in .729, .949 and .881 of 59 pairs each."""
    named = [
        [vote.winner for vote in each.votes if vote.judge == judge and vote.winner]
        for each in debates
        for judge in {vote.judge for vote in each.votes}
    ]
    pairs = [one == two for winners in named for one, two in itertools.combinations(winners, 2)]
    retest = cross["outcomes"]["retest"]
    assert (retest["pairs"], retest["same"]) == (
        len(pairs),
        pytest.approx(statistics.mean(pairs)),
    )
    assert 0 < retest["slope_together"] < retest["slope_apart"] < 1
    if is_real():
        assert [f"{retest[key]:.3f}" for key in ("same", "error", "slope_together")] == [
            "0.853",
            "0.080",
            "0.840",
        ]


def plain_ece(scored: list[tuple[float, float]], *, left_closed: bool) -> float:
    """The expected calibration error over ten bins of (confidence, result)."""
    errors = [0.0] * 10
    for confidence, result in scored:
        # In whole percent, so that rounding moves no rating over the border of a bin.
        stated = round(100 * confidence)
        place = min(stated // 10, 9) if left_closed else max((stated - 1) // 10, 0)
        errors[place] += confidence - result
    return sum(map(abs, errors)) / len(scored)


def plain_auroc(scored: list[tuple[float, float]]) -> float:
    """The share of pairs of a winner and a loser in which the winner stated more, ties a half."""
    won = [confidence for confidence, result in scored if result == 1]
    lost = [confidence for confidence, result in scored if result == 0]
    order = [(one > other) + (one == other) / 2 for one in won for other in lost]
    return statistics.mean(order)


def test_calibration_against_the_jury(cross: dict[str, Any], debates: list[PlainDebate]) -> None:
    for row in cross["calibration"]:
        seats = [
            (each.rating(side, row["phase"]), each.result(side))
            for each in debates
            for side in SIDES
        ]
        scored = [(c, won) for c, won in seats if c is not None and won is not None]
        decided = [(c, won) for c, won in scored if won != 0.5]
        assert (row["n"], row["n_without_ties"]) == (len(scored), len(decided))
        assert {name: row[name] for name in METRICS} == pytest.approx(
            {
                "brier": statistics.mean((c - won) ** 2 for c, won in scored),
                "brier_without_ties": statistics.mean((c - won) ** 2 for c, won in decided),
                "brier_of_half": statistics.mean((0.5 - won) ** 2 for _, won in scored),
                "auroc": plain_auroc(decided),
                "mean_minus_win_rate": statistics.mean(c - won for c, won in decided),
                "ece": plain_ece(decided, left_closed=False),
                "ece_left_closed": plain_ece(decided, left_closed=True),
            }
        )
    assert [row["phase"] for row in cross["calibration"]] == list(PHASES)
    if is_real():
        for name, expected in METRICS.items():
            assert [float(f"{row[name]:.4f}") for row in cross["calibration"]] == expected
        assert [(row["n"], row["n_without_ties"]) for row in cross["calibration"]] == [
            (120, 106)
        ] * 3


def test_intervals_over_debates_agree_with_the_bootstrap(store: Path) -> None:
    """Those of clustered.py, which rows of single models have."""
    confidence = read_records(store, "cross_model")[0].debates.confidence
    for k, published in ((0, (0.715, 0.744)), (2, (0.812, 0.852))):
        drawn = bootstrap_interval(resampled_means, confidence[:, :, k])
        plain = clustered_mean(confidence[:, :, k])
        assert drawn == pytest.approx(
            (plain.ci_low, plain.ci_high), abs=0.1 * (plain.ci_high - plain.ci_low)
        )
        if is_real():
            assert drawn == pytest.approx(published, abs=0.0015)


@pytest.mark.skipif(not is_real(), reason=NOT_HERE)
def test_intervals_of_models_like_these_are_those_of_an_outside_computation(
    cross: dict[str, Any], own: dict[str, Any]
) -> None:
    """Half-widths in points by two-way clusters and by strata, and p of both rises."""
    found = [
        [50 * (row["ci_high"] - row["ci_low"]) for row in (*each["phases"][::2], each["rise"])]
        for each in (cross, own)
    ]
    assert found[0] == pytest.approx([3.55, 5.59, 4.58], abs=0.005)
    assert found[1] == pytest.approx([7.20, 8.75, 4.05], abs=0.005)
    closings = [each["phases"][-1] for each in (cross, own)]
    assert [
        50 * (row["these_models_ci_high"] - row["these_models_ci_low"]) for row in closings
    ] == pytest.approx([1.41, 1.86], abs=0.005)
    assert [f"{each['rise']['p']:.0e}" for each in (cross, own)] == ["6e-04", "2e-04"]
    # Pigeonhole bootstrap over models: 28.6 to 92.3; its percentiles hold less often than they say.
    sure = cross["both"]["above_75_share"]
    assert sure["share"] == pytest.approx(37 / 60)
    assert 0.15 < sure["ci_low"] < 0.29
    assert 0.9 < sure["ci_high"] < 0.96


def test_against_half_as_published(
    cross: dict[str, Any], store: Path, debates: list[PlainDebate]
) -> None:
    """The published opening test of the cross-model debates, t = 31.7 with p = 4.1e-60, is the
    one-sided one-sample test.
    """
    found = against_half(read_records(store, "cross_model")[0].debates.confidence[:, :, 0])
    test = stats.ttest_1samp(present(pairs(debates, "opening")), 0.5, alternative="greater")
    assert found.t_one_sample == pytest.approx(test.statistic)
    assert found.p_one_sample_one_sided == pytest.approx(test.pvalue, rel=1e-6)
    assert cross["against_half"] is None
    if is_real():
        assert f"{found.t_one_sample:.1f}" == "31.7"
        assert f"{found.p_one_sample_one_sided:.1e}" == "4.1e-60"
        # The published signed-rank test of the same ratings.
        opening = np.array(present(pairs(debates, "opening")))
        assert f"{wilcoxon(opening).p:.1e}" == "6.3e-22"


def test_debates_against_oneself(own: dict[str, Any]) -> None:
    debates = plain_debates("self")
    check_phases(own["phases"], debates)
    check_rise(own, debates)
    for row in own["against_half"]:
        values = present(pairs(debates, row["phase"]))
        test = stats.ttest_1samp(values, 0.5, alternative="greater")
        assert row["difference"] == pytest.approx(statistics.mean(values) - 0.5)
        assert row["t_one_sample"] == pytest.approx(test.statistic)
    assert [row["phase"] for row in own["against_half"]] == list(PHASES)
    assert all(model["win_rate"] is None for model in own["contestants"])
    assert own["outcomes"] is None
    if is_real():
        assert f"{own['rise']['p_paired_one_sided']:.1e}" == "2.2e-18"
        assert f"{own['rise']['share_up']:.3f}" == "0.825"
        assert own["both"]["above_50"] / 60 == 0.95
        assert all(row["p"] < 0.002 for row in own["against_half"])
        assert all(row["these_models_p"] < 1e-10 for row in own["against_half"])


@pytest.fixture(scope="module")
def ranked(store: Path) -> dict[str, Any]:
    return standings(store, "cross_model")


def test_the_jury_counted_both_ways(ranked: dict[str, Any], debates: list[PlainDebate]) -> None:
    outcomes = ranked["outcomes"]
    named = [[vote.winner for vote in each.votes if vote.winner] for each in debates]
    assert outcomes == {
        "judged": sum(map(bool, named)),
        "majority": winners([each.result("proposition") for each in debates]),
        "confidence_sum": winners([each.by_confidence_sum("proposition") for each in debates]),
        "votes": {
            "for_a_side": sum(map(len, named)),
            "abstained": 0,
            "flipped": 0,
            "missing": sum(len(each.votes) for each in debates) - sum(map(len, named)),
        },
        "unanimous": sum(len(sides) >= 2 and len(set(sides)) == 1 for sides in named),
    }
    assert ranked["verdicts"]["all"] == sum(len(each.votes) for each in debates)
    if is_real():
        assert outcomes["majority"] == {"proposition": 17, "opposition": 36, "tie": 7}
        assert outcomes["confidence_sum"] == {"proposition": 21, "opposition": 38, "tie": 1}
        assert (outcomes["judged"], outcomes["unanimous"]) == (60, 23)
        assert ranked["verdicts"]["all"] == 357


def test_each_judge(ranked: dict[str, Any], debates: list[PlainDebate]) -> None:
    for row in ranked["judges"]:
        readings = [
            [vote.winner for vote in each.votes if vote.judge == row["judge"]] for each in debates
        ]
        named = [[side for side in sides if side] for sides in readings]
        again = [sides[0] == sides[1] for sides in named if len(sides) == 2]
        votes = [side == "proposition" for sides in named for side in sides]
        assert (row["readings"], row["retest_pairs"]) == (sum(map(len, readings)), len(again))
        assert row["missing"] == row["readings"] - len(votes)
        assert row["retest"] == pytest.approx(statistics.mean(again))
        assert row["proposition"]["mean"] == pytest.approx(statistics.mean(votes))
        assert (row["both_orders"], row["flip_rate"]) == (0, None)
    judges = [row["judge"] for row in ranked["judges"]]
    assert judges == sorted({vote.judge for each in debates for vote in each.votes})
    if is_real():
        assert [
            (row["judge"], f"{row['retest']:.3f}", f"{100 * row['proposition']['mean']:.0f}%")
            for row in ranked["judges"]
        ] == [
            ("deepseek/deepseek-chat", "0.729", "50%"),
            ("google/gemini-pro-1.5", "0.949", "9%"),
            ("qwen/qwq-32b", "0.881", "45%"),
        ]


def test_two_judges_agree_as_often_as_their_votes(
    ranked: dict[str, Any], debates: list[PlainDebate]
) -> None:
    for row in ranked["agreement"]["raw"]:
        same = [
            one.winner == other.winner
            for each in debates
            for one, other in itertools.product(each.votes, repeat=2)
            if [one.judge, other.judge] == row["judges"] and one.winner and other.winner
        ]
        assert (row["pairs"], row["same"]) == (len(same), pytest.approx(statistics.mean(same)))
    assert len(ranked["agreement"]["raw"]) == 3


def test_win_rates_of_the_ranking_are_those_of_the_files(
    ranked: dict[str, Any], debates: list[PlainDebate]
) -> None:
    for row in ranked["contestants"]:
        mine = [
            (each, side) for each in debates for side in SIDES if each.models[side] == row["agent"]
        ]
        by_sum = present([[each.by_confidence_sum(side) for each, side in mine]])
        by_votes = present([[each.result(side) for each, side in mine]])
        assert row["win_rate_by_confidence_sum"] == pytest.approx(statistics.mean(by_sum))
        assert row["wins_by_confidence_sum"] == sum(by_sum)
        assert row["wins"] == sum(by_votes)
        assert row["win_rate"] == pytest.approx(statistics.mean(by_votes))
        assert row["debates"] == len(by_votes)
        assert row["votes"] == sum(
            vote.winner is not None for each, _ in mine for vote in each.votes
        )
    assert len(ranked["contestants"]) == 10
    if is_real():
        rates = {
            row["agent"]: 100 * row["win_rate_by_confidence_sum"] for row in ranked["contestants"]
        }
        lines = [line.split() for line in BY_MODEL.strip().splitlines()]
        assert rates == pytest.approx({name: float(row[-1]) for name, *row in lines}, abs=0.051)
        assert ranked["contestants"][0]["agent"] == "anthropic/claude-3.7-sonnet"


def test_the_opposition_was_favoured_and_the_order_cannot_be_told_from_the_side(
    ranked: dict[str, Any],
) -> None:
    """The order of the sides was fixed, so that the bias may be for the side or for who stands
    last.
    """
    [gemini] = [row["effects"] for row in ranked["judges"] if "gemini" in row["judge"]]
    assert gemini["side"]["ci_high"] < -1
    assert all(row["effects"]["first"]["size"] is None for row in ranked["judges"])
    if is_real():
        assert gemini["side"]["ci_high"] < -2
        assert ranked["seat"]["ci_high"] < 0


def related(judge: str, models: Iterable[str]) -> str | None:
    """Whether a judge debated itself, or a model of its maker did, by the names used here."""
    if judge in {model.removesuffix(":free") for model in models}:
        return "contestant"
    makers = {"deepseek": "deepseek", "qwen": "qwen|qwq", "google": "google"}
    words = makers[judge.partition("/")[0]].split("|")
    return "family" if any(word in model for word in words for model in models) else None


def test_related_judges_count_unless_left_out(
    store: Path, ranked: dict[str, Any], debates: list[PlainDebate]
) -> None:
    """Both deepseek-chat and qwq debated, and all three judges have families in the debates."""
    excluded = standings(store, "cross_model", exclude_related=True)
    relations = [
        (related(vote.judge, each.models.values()), vote.winner)
        for each in debates
        for vote in each.votes
    ]
    counts = Counter(relation for relation, _ in relations)
    for found, done in ((excluded, "left out"), (ranked, "counted")):
        assert found["related"]["judges"] == done
        assert found["related"]["judge_is_contestant"] == counts["contestant"]
        assert found["related"]["judge_of_family"] == counts["family"]
    assert ranked["related"]["first"] == excluded["related"]["first_otherwise"]
    assert excluded["related"]["first"] == ranked["related"]["first_otherwise"]
    counted = [relation for relation, winner in relations if winner is not None]
    assert ranked["outcomes"]["votes"]["for_a_side"] == len(counted)
    assert excluded["outcomes"]["votes"]["for_a_side"] == counted.count(None)
    assert excluded["judges"] == ranked["judges"]
    if is_real():
        assert (len(counted), counts["contestant"], counts["family"]) == (357, 48, 100)
