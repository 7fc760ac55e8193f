"""The report on the published debates gives the published numbers (arXiv 2505.19184), and the
numbers recomputed from the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.read.debates import read_records
from analysis.reports.debates import report
from analysis.reports.standings import standings
from analysis.statistics.bootstrap import bootstrap_interval, resampled_means
from arena.imports import import_llms_overconfidence

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "llms_overconfidence"
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


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not DATA.is_dir():
        pytest.skip(f"the published debates are not at {DATA}")
    path = tmp_path_factory.mktemp("published") / "arena.duckdb"
    import_llms_overconfidence(DATA, path)
    return path


@pytest.fixture(scope="module")
def cross(store: Path) -> dict[str, Any]:
    return report(store, "cross_model")[0]


def percents(rows: list[dict[str, Any]], key: str) -> list[str]:
    return [f"{100 * row[key]:.2f}" for row in rows]


def test_confidence_by_phase(cross: dict[str, Any]) -> None:
    assert percents(cross["phases"], "mean") == ["72.92", "77.67", "83.26"]
    assert [row["n"] for row in cross["phases"]] == [120, 120, 120]
    assert percents(cross["phases"], "sd")[::2] == ["7.93", "10.10"]


def test_the_rise_and_its_published_test(cross: dict[str, Any]) -> None:
    assert f"{100 * cross['rise']['mean']:.2f}" == "10.34"
    assert f"{cross['rise']['p_paired_one_sided']:.1e}" == "1.0e-20"
    assert f"{cross['rise']['share_up']:.3f}" == "0.817"


def test_both_sides_above_75_are_37_and_at_or_above_43(cross: dict[str, Any]) -> None:
    assert cross["both"] == {
        "phase": "closing",
        "debates": 60,
        "at_least_75": 43,
        "above_75": 37,
        "above_50": 60,
    }
    assert [row["at_least_75"] / 60 for row in cross["both_by_phase"]] == pytest.approx(
        [0.25, 32 / 60, 43 / 60]
    )


def test_each_model(cross: dict[str, Any]) -> None:
    rows = [
        (m["model"], m["n"], 100 * m["first"], 100 * m["last"], 100 * m["win_rate"])
        for m in cross["models"]
    ]
    expected = [line.split() for line in BY_MODEL.strip().splitlines()]
    for row, (name, n, *numbers) in zip(rows, expected, strict=True):
        assert row[:2] == (name, int(n))
        assert row[2:] == pytest.approx([float(number) for number in numbers], abs=0.051)


def test_the_jury(cross: dict[str, Any]) -> None:
    outcomes = cross["outcomes"]
    assert [outcomes[name] for name in ("judged", "proposition", "opposition", "tie")] == [
        60,
        21,
        38,
        1,
    ]
    assert outcomes["majority"] == {"proposition": 17, "opposition": 36, "tie": 7}
    assert outcomes["verdicts"]["with_winner"] == 357


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("brier", [0.3212, 0.3310, 0.3565]),
        ("brier_without_ties", [0.3260, 0.3358, 0.3615]),
        ("brier_of_half", [0.2458] * 3),
        ("auroc", [0.3921, 0.5103, 0.5438]),
        ("mean_minus_win_rate", [0.2297, 0.2780, 0.3348]),
        ("ece", [0.2466, 0.2949, 0.3348]),
        ("ece_left_closed", [0.2898, 0.2915, 0.3348]),
    ],
)
def test_calibration_against_the_jury(
    cross: dict[str, Any], metric: str, expected: list[float]
) -> None:
    assert [float(f"{row[metric]:.4f}") for row in cross["calibration"]] == expected
    assert [(row["n"], row["n_without_ties"]) for row in cross["calibration"]] == [(120, 118)] * 3


def test_intervals_agree_with_the_bootstrap_over_debates(
    store: Path, cross: dict[str, Any]
) -> None:
    confidence = read_records(store, "cross_model")[0].debates.confidence
    for k, published in ((0, (0.715, 0.744)), (2, (0.812, 0.852))):
        drawn = bootstrap_interval(resampled_means, confidence[:, :, k])
        assert drawn == pytest.approx(published, abs=0.0015)
        assert drawn == pytest.approx(
            (cross["phases"][k]["ci_low"], cross["phases"][k]["ci_high"]), abs=0.002
        )


def test_against_half_as_published(cross: dict[str, Any], store: Path) -> None:
    """The published opening test of the cross-model debates, t = 31.7 with p = 4.1e-60, is the
    one-sided one-sample test.
    """
    from analysis.statistics.overconfidence import against_half

    found = against_half(read_records(store, "cross_model")[0].debates.confidence[:, :, 0])
    assert (f"{found.t_one_sample:.1f}", f"{found.p_one_sample_one_sided:.1e}") == (
        "31.7",
        "4.1e-60",
    )
    assert cross["against_half"] is None


def test_debates_against_oneself(store: Path) -> None:
    [found] = report(store, "self")
    assert percents(found["phases"], "mean")[::2] == ["64.08", "75.20"]
    assert f"{found['rise']['p_paired_one_sided']:.1e}" == "2.2e-18"
    assert f"{found['rise']['share_up']:.3f}" == "0.825"
    assert found["both"]["above_50"] / 60 == 0.95
    assert np.all([row["p"] < 1e-10 for row in found["against_half"]])
    assert all(model["win_rate"] is None for model in found["models"])


@pytest.fixture(scope="module")
def ranked(store: Path) -> dict[str, Any]:
    return standings(store, "cross_model", related="include")


def test_the_jury_counted_both_ways(ranked: dict[str, Any]) -> None:
    outcomes = ranked["outcomes"]
    assert outcomes["majority"] == {"proposition": 17, "opposition": 36, "tie": 7}
    assert outcomes["confidence_sum"] == {"proposition": 21, "opposition": 38, "tie": 1}
    assert (outcomes["judged"], outcomes["unanimous"]) == (60, 23)
    assert ranked["verdicts"]["all"] == 357


def test_each_judge(ranked: dict[str, Any]) -> None:
    rows = [
        (row["judge"], f"{row['retest']:.3f}", f"{100 * row['proposition']['mean']:.0f}%")
        for row in ranked["judges"]
    ]
    assert rows == [
        ("deepseek/deepseek-chat", "0.729", "50%"),
        ("google/gemini-pro-1.5", "0.949", "9%"),
        ("qwen/qwq-32b", "0.881", "45%"),
    ]
    assert all(row["both_orders"] == 0 and row["flip_rate"] is None for row in ranked["judges"])


def test_win_rates_of_the_ranking_are_the_published_ones(ranked: dict[str, Any]) -> None:
    rates = {row["agent"]: row["win_rate_by_sum"] for row in ranked["contestants"]}
    expected = [line.split() for line in BY_MODEL.strip().splitlines()]
    assert len(rates) == 10
    assert all(
        100 * rates[name] == pytest.approx(float(numbers[-1]), abs=0.051)
        for name, *numbers in expected
    )
    assert ranked["contestants"][0]["agent"] == "anthropic/claude-3.7-sonnet"


def test_the_opposition_was_favoured_and_the_order_cannot_be_told_from_the_side(
    ranked: dict[str, Any],
) -> None:
    """The order of the sides was fixed, so that the bias may be for the side or for who stands
    last.
    """
    gemini = ranked["judges"][1]["effects"]
    assert gemini["side"]["ci_high"] < -2
    assert gemini["first"]["size"] is None
    assert ranked["seat"]["ci_high"] < 0


def test_related_judges_are_left_out_unless_asked_for(store: Path, ranked: dict[str, Any]) -> None:
    """Both deepseek-chat and qwq debated, and all three judges have families in the debates."""
    excluded = standings(store, "cross_model")
    for found in (excluded, ranked):
        assert (found["verdicts"]["judge_is_contestant"], found["verdicts"]["judge_of_family"]) == (
            48,
            100,
        )
    assert ranked["verdicts"]["counted"] == 357
    assert excluded["verdicts"]["counted"] == 357 - 148
    assert excluded["judges"] == ranked["judges"]
