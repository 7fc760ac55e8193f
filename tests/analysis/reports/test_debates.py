"""The report as JSON: what it says of small studies that can be counted by hand, and of what is
missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from analysis.reports.debates import report, study_reports
from analysis.reports.tables.debates import print_report

Add = Callable[..., Path]
RISING = {"ratings": [(60, 70, 80), (50, 60, 80)]}
FALLING = {"ratings": [(80, 70, 70), (70, 80, 90)]}
KEYS = (
    "study simulated judges_simulated origin episodes phases rise steps both both_by_phase patterns"
    " contestants against_half outcomes calibration robustness losses missing ratings rules by"
    " pooled"
)


def test_the_keys_are_a_promise(add: Add) -> None:
    [found] = report(add("s", RISING, FALLING))
    assert sorted(found) == sorted(KEYS.split())
    assert (found["study"], found["simulated"], found["origin"]) == ("s", False, "played")
    assert set(found["phases"][0]) == {
        "phase",
        "n",
        "debates",
        "mean",
        "sd",
        "ci_low",
        "ci_high",
        "missing",
        "flagged",
        "speaks_of",
        "models",
        "these_models_ci_low",
        "these_models_ci_high",
        "these_models_p",
        "interval_note",
    }
    assert {"mean", "p", "share_up", "share_down"} < set(found["rise"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.slow
def test_real_debates_with_simulated_judges_say_so_where_judges_count(add: Add) -> None:
    judged = RISING | {"votes": (("proposition", 0.7),)}
    path = add("s", judged, FALLING)
    assert report(path)[0]["judges_simulated"] is False
    path = add("s", judged, simulated=True)
    [found] = study_reports(path)
    printed = StringIO()
    print_report([replace(found, simulated=False)], printed)
    assert found.judges_simulated is True
    assert "SIMULATED judges gave verdicts" in printed.getvalue()


def test_two_debates_by_hand(add: Add) -> None:
    [found] = report(add("s", RISING, FALLING))
    assert [row["mean"] for row in found["phases"]] == pytest.approx([0.65, 0.7, 0.8])
    assert (found["rise"]["from"], found["rise"]["to"]) == ("opening", "closing")
    assert found["rise"]["mean"] == pytest.approx((0.2 + 0.3 - 0.1 + 0.2) / 4)
    assert (found["rise"]["share_up"], found["rise"]["share_down"]) == (0.75, 0.25)
    both = found["both"]
    assert [both[name] for name in ("phase", "debates", "at_least_75", "above_75", "above_50")] == [
        "closing",
        2,
        1,
        1,
        2,
    ]
    assert both["above_75_share"]["share"] == 0.5
    assert (both["above_75_share"]["ci_low"], both["above_75_share"]["ci_high"]) == pytest.approx(
        (0.012579, 0.987421), abs=1e-6
    )


@pytest.mark.slow
def test_intervals_say_whom_they_speak_of(add: Add) -> None:
    """Two models cannot stand for others; six can, and the wider interval comes first."""
    few = report(add("few", RISING, FALLING), "few")[0]["phases"][0]
    assert (few["speaks_of"], few["models"]) == ("these models", 2)
    assert few["interval_note"] == "2 models, fewer than 6: models like these cannot be spoken for"
    many = add(
        "many",
        *(
            RISING
            | {
                "ratings": [(60 + 5 * k, 70, 80), (50 + k + j, 60, 80)],
                "models": (f"m/{k}", f"m/{(k + 1) % 6}"),
            }
            for k in range(6)
            for j in (0, 7)
        ),
    )
    row = report(many, "many")[0]["phases"][0]
    assert (row["speaks_of"], row["models"], row["interval_note"]) == ("models like these", 6, None)
    assert row["ci_low"] < row["these_models_ci_low"] < row["mean"] < row["these_models_ci_high"]
    printed = StringIO()
    print_report(study_reports(many, "many"), printed)
    words = " ".join(printed.getvalue().split())
    assert "Models like these: other models in other debates." in words
    assert "closing: no spread: all debates say the same." in words


def test_models_win_half_of_a_tie_and_nothing_against_themselves(add: Add) -> None:
    won = RISING | {"votes": [("proposition", 0.8)]}
    tied = RISING | {"votes": [("proposition", 0.8), ("opposition", 0.8)], "models": ("m/b", "m/a")}
    own = FALLING | {"votes": [("opposition", 0.8)], "models": ("m/a", "m/a")}
    first, second = report(add("s", won, tied, own))[0]["contestants"]
    assert (first["model"], first["n"], first["win_rate"]) == ("m/a", 4, 0.75)
    assert (second["model"], second["n"], second["win_rate"]) == ("m/b", 2, 0.25)
    assert (first["first"], first["last"]) == pytest.approx(
        ((60 + 50 + 80 + 70) / 400, (80 + 80 + 70 + 90) / 400)
    )
    assert second["rise"] == pytest.approx(0.25)


@pytest.mark.slow
def test_only_debates_against_oneself_are_held_against_half(add: Add) -> None:
    own = RISING | {"models": ("m/a", "m/a")}
    assert report(add("s", RISING))[0]["against_half"] is None
    rows = report(add("s", own, FALLING))[0]["against_half"]
    assert [(row["phase"], row["n"]) for row in rows] == [
        ("opening", 2),
        ("rebuttal", 2),
        ("closing", 2),
    ]
    assert rows[0]["difference"] == pytest.approx(0.05)


def test_calibration_leaves_ties_out_except_of_brier(add: Add) -> None:
    won = {"ratings": [(70, 80, 90), (60, 60, 60)], "votes": [("proposition", 0.8)]}
    tied = {
        "ratings": [(70, 70, 70), (50, 50, 50)],
        "votes": [("proposition", 0.7), ("opposition", 0.7)],
    }
    found = report(add("s", won, tied, RISING))[0]
    opening = found["calibration"][0]
    assert (opening["n"], opening["n_without_ties"], opening["debates"], opening["ties"]) == (
        4,
        2,
        2,
        1,
    )
    assert opening["brier"] == pytest.approx((0.09 + 0.36 + 0.04 + 0) / 4)
    assert opening["brier_without_ties"] == pytest.approx((0.09 + 0.36) / 2)
    assert opening["brier_of_half"] == pytest.approx(0.125)
    assert (opening["auroc"], opening["mean_minus_win_rate"]) == (1, pytest.approx(0.15))
    outcomes = found["outcomes"]
    assert (outcomes["judged"], outcomes["majority"]["proposition"]) == (2, 1)
    assert outcomes["majority"]["tie"] == outcomes["confidence_sum"]["tie"] == 1


def test_without_verdicts_there_is_no_calibration(add: Add) -> None:
    [found] = report(add("s", RISING))
    assert (found["calibration"], found["outcomes"]) == ([], None)


def test_verdicts_that_could_not_be_read_decide_nothing(add: Add) -> None:
    [found] = report(add("s", RISING | {"votes": [(None, None)]}))
    assert found["calibration"] == []
    assert found["outcomes"]["judged"] == 0
    assert found["outcomes"]["votes"] == {
        "for_a_side": 0,
        "abstained": 0,
        "flipped": 0,
        "missing": 1,
    }
    assert {
        "arm": "jury",
        "what": "winner",
        "phase": None,
        "reason": "no winner tag",
        "n": 1,
    } in found["missing"]


def test_missing_ratings_are_counted_and_never_numbers(add: Add) -> None:
    gap = {"ratings": [("no rating tag", 70, 80), (50, 60, "two numbers")]}
    [found] = report(add("s", gap, RISING))
    assert [(row["n"], row["missing"]) for row in found["phases"]] == [(3, 1), (4, 0), (3, 1)]
    assert found["rise"]["n"] == 2
    assert found["both"]["debates"] == 1
    assert [(row["phase"], row["reason"]) for row in found["missing"]] == [
        ("closing", "two numbers"),
        ("opening", "no rating tag"),
    ]


def test_flagged_values_stay_in_and_are_counted(add: Add) -> None:
    [found] = report(add("s", RISING | {"flags": ["zero", "thoughts are NA"]}, FALLING))
    assert found["phases"][0]["flagged"] == {"thoughts are NA": 2, "zero": 2}
    assert found["phases"][0]["n"] == 4


def test_arms_are_reported_each_when_there_are_several(add: Add) -> None:
    path = add(
        "s", RISING, FALLING | {"arm": "other"}, FALLING | {"arm": "broken", "status": "failed"}
    )
    [found] = report(path)
    arms = {arm["arm"]: arm for arm in found["arms"]}
    assert sorted(arms) == ["broken", "only", "other"]
    assert arms["only"]["rise"]["mean"] == pytest.approx(0.25)
    assert arms["other"]["rise"]["mean"] == pytest.approx(0.05)
    assert (
        arms["broken"]["episodes"]["failed"],
        arms["broken"]["phases"],
        arms["broken"]["both"],
    ) == (1, [], None)
    assert arms["broken"]["missing"][0]["reason"] == "failed: Refused"


def test_one_phase_cannot_rise(add: Add) -> None:
    [found] = report(add("s", {"ratings": [(60,), (50,)], "phases": ("opening",)}))
    assert found["rise"] is None
    assert found["phases"][0]["ci_low"] is None
    assert found["both"]["phase"] == "opening"


def test_a_study_in_which_nothing_is_finished_has_a_report(add: Add) -> None:
    [found] = report(add("s", RISING | {"status": "open"}))
    assert found["episodes"] == {"done": 0, "failed": 0, "open": 1}
    assert (found["phases"], found["rise"], found["both"], found["contestants"]) == (
        [],
        None,
        None,
        [],
    )


def test_numbers_carry_no_noise_of_adding_up(add: Add) -> None:
    assert report(add("s", RISING, RISING, RISING))[0]["phases"][0]["mean"] == 0.55
