"""What a reviewer asks, in the report: adjusted p-values, other ratings, equivalence, slopes; and
on the published data from its files.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.reports.debates import report, study_reports
from analysis.reports.robustness import Checks
from analysis.reports.tables.debates import print_report
from arena.cli.main import main
from arena.imports import import_llms_overconfidence
from tests.made_up_publication import PHASES, SIDES
from tests.publication import folder, is_real, plain_debates

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

Add = Callable[..., Path]
RISING = {"ratings": [(50, 60, 80), (50, 65, 76)]}
LEVEL = {"ratings": [(60, 60, 61), (50, 52, 50)], "models": ("m/b", "m/c")}
OWN = {"ratings": [(50, 51, 52), (49, 50, 47)], "models": ("m/a", "m/a")}


def printed(path: Path, checks: Checks = Checks()) -> str:  # noqa: B008 (frozen)
    out = io.StringIO()
    print_report(study_reports(path, checks=checks), out)
    return out.getvalue()


def test_the_keys_are_a_promise(add: Add) -> None:
    [found] = report(add("s", RISING, OWN))
    checks = "slope motions mixed crossed sensitivity equivalence"
    assert set(found["robustness"]) == set(checks.split())
    assert set(found["robustness"]["sensitivity"]) == {
        "phase",
        "as_reported",
        "without_flagged",
        "complete_debates",
        "bounds",
    }
    assert found["robustness"]["mixed"] is None
    assert {"rise_p", "rise_p_holm"} < set(found["contestants"][0])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_models_rises_are_one_family(add: Add) -> None:
    """Three models with a p: the smallest is multiplied by 3."""
    path = add(
        "s",
        RISING,
        RISING | {"ratings": [(40, 50, 71), (50, 65, 70)]},
        LEVEL,
        LEVEL | {"ratings": [(60, 60, 70), (50, 52, 49)]},
    )
    [found] = report(path)
    p, adjusted = (
        sorted(row[name] for row in found["contestants"] if row[name] is not None)
        for name in ("rise_p", "rise_p_holm")
    )
    assert len(p) == 3
    assert adjusted[0] == pytest.approx(3 * p[0])
    assert "Of 3 contestants, with p adjusted by Holm's method" in printed(path)


def test_phases_against_half_are_one_family(add: Add) -> None:
    rows = report(
        add("s", OWN, OWN | {"ratings": [(55, 60, 70), (52, 60, 77)]}, OWN, RISING | OWN)
    )[0]["against_half"]
    assert min(row["p_holm"] for row in rows) == pytest.approx(3 * min(row["p"] for row in rows))


def test_equivalence_is_asked_only_of_a_model_against_itself_and_takes_the_margin(add: Add) -> None:
    path = add("s", OWN, OWN | {"ratings": [(50, 50, 51), (50, 52, 51)]}, RISING)
    rows = report(path)[0]["robustness"]["equivalence"]
    assert [(row["n"], row["margin"], row["verdict"]) for row in rows] == [
        (4, 0.05, "too few debates")
    ] * 3
    assert rows[0]["speaks_of"] == "these models"
    wide = report(path, checks=Checks(margin=0.4))[0]["robustness"]["equivalence"]
    assert [row["verdict"] for row in wide] == ["equivalent"] * 3
    assert "is the mean within 5 points of 50%?" in printed(path)
    assert report(add("other", RISING), "other")[0]["robustness"]["equivalence"] is None


def test_flagged_turns_are_left_out_of_one_row_and_bounds_stand_where_ratings_are_missing(
    add: Add,
) -> None:
    path = add(
        "s",
        RISING,
        RISING | {"ratings": [(50, 60, 90), (50, 65, "no rating tag")]},
        RISING | {"flags": ["zero"]},
    )
    found = report(path)[0]["robustness"]["sensitivity"]
    assert (found["without_flagged"]["left_out"], found["without_flagged"]["last"]["n"]) == (6, 3)
    assert found["without_flagged"]["last"]["mean"] == pytest.approx((80 + 76 + 90) / 300)
    assert (found["complete_debates"]["left_out"], found["bounds"]["missing"]) == (5, 1)
    assert (found["bounds"]["last_low"], found["bounds"]["last_high"]) == pytest.approx(
        (4.02 / 6, 5.02 / 6)
    )
    text = printed(path)
    for words in (
        "no flagged turns",
        "complete debates",
        "missing: 0 or 100      1 set",
        "67.0 to 83.7",
    ):
        assert words in text


def test_flags_go_along_with_the_phases_of_an_arm(add: Add) -> None:
    """The other arm has a phase that this one does not have."""
    short = {
        "ratings": [(50, 80), (50, 70)],
        "phases": ("opening", "closing"),
        "arm": "short",
        "flags": ["zero"],
    }
    arms = {
        arm["arm"]: arm["robustness"]["sensitivity"]
        for arm in report(add("s", RISING, short))[0]["arms"]
    }
    assert arms["short"]["without_flagged"]["left_out"] == 4
    assert arms["only"]["without_flagged"]["left_out"] == 0


def test_nothing_to_vary_is_one_sentence(add: Add) -> None:
    text = printed(add("s", RISING, LEVEL))
    assert "No rating of a finished debate is missing or flagged" in text
    assert "other ratings, percent" not in text


def test_the_section_fits_80_columns(add: Add) -> None:
    several = [
        {"ratings": [(50, 60, 70 + k), (50, 65, 80)], "models": ("m/a", "m/a")} for k in range(10)
    ]
    path = add(
        "s",
        *several,
        OWN | {"flags": ["zero"]},
        RISING | {"ratings": [(50, 60, 90), (50, 65, "no rating tag")]},
    )
    section = printed(path).split("For a reviewer")[1].split("Rules")[0]
    tables = [
        line for line in section.splitlines() if "   " in line and not line.startswith("    ")
    ]
    assert tables
    assert max(map(len, tables)) <= 80


def test_the_mixed_model_is_fitted_when_asked_for_and_a_sample_is_loud(
    add: Add, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    path = add("s", *({"ratings": rng.integers(40, 100, (2, 3)).tolist()} for _ in range(12)))
    assert main(["report", "--db", str(path), "--mixed", "8"]) == 0
    text = capsys.readouterr().out
    assert "Slope of the mixed-effects model" in text
    assert "ON A SAMPLE ONLY, mixed-effects model: fitted on 8 of 12 debates" in text
    assert main(["report", "--db", str(path), "--mixed", "--json", "--study", "s"]) == 0
    checks = json.loads(capsys.readouterr().out)["robustness"]
    assert checks["mixed"]["debates"] == 12
    assert [row["of"] for row in checks["crossed"]] == ["opening", "closing", "rise"]
    monkeypatch.setitem(sys.modules, "statsmodels.regression.mixed_linear_model", None)
    assert main(["report", "--db", str(path), "--mixed"]) == 2
    assert "pip install 'peer-arena[mixed]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        ["--margin", "0"],
        ["--margin", "50"],
        ["--margin", "nan"],
        ["--mixed", "1"],
        ["--mixed", "-3"],
    ],
)
def test_options_out_of_range_are_one_sentence(
    add: Add, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    assert main(["report", "--db", str(add("s", RISING)), *option]) == 2
    said = capsys.readouterr().err
    assert option[0] in said
    assert len(said.splitlines()) == 1


def test_a_report_imports_no_package_for_the_mixed_model(add: Add) -> None:
    path = add("s", RISING, OWN)
    code = (
        "import sys; from pathlib import Path; from analysis.reports.debates import report;"
        f" report(Path({str(path)!r})); print(sorted(set(sys.modules) &"
        f" {{'statsmodels', 'pandas', 'scipy.stats'}}))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def plain_ratings(study: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(ratings, whether thoughts, bet or speech look doubtful) of the published debates, (debates,
    2, 3), straight from the files; nan: missing.
    """
    debates = plain_debates(study)
    places = [(side, phase) for side in SIDES for phase in PHASES]
    amounts = [[debate.rating(*place) for place in places] for debate in debates]
    doubtful = [[bool(debate.flags[place]) for place in places] for debate in debates]
    shape = (len(debates), 2, 3)
    return np.array(amounts, dtype=float).reshape(shape), np.array(doubtful).reshape(shape)


@pytest.mark.parametrize("study", ["cross_model", "self"])
def test_the_published_headlines_without_doubtful_turns_are_those_of_the_files(
    tmp_path: Path, study: str
) -> None:
    path = tmp_path / "arena.duckdb"
    import_llms_overconfidence(folder(), path)
    found = report(path, study)[0]["robustness"]["sensitivity"]
    amounts, doubtful = plain_ratings(study)
    assert not is_real() or amounts.shape == (60, 2, 3)
    kept = np.where(doubtful, np.nan, amounts)
    row, last, rise = found["without_flagged"], kept[:, :, 2], kept[:, :, 2] - kept[:, :, 0]
    assert (row["left_out"], row["last"]["n"], row["rise"]["n"]) == (
        (doubtful & ~np.isnan(amounts)).sum(),
        (~np.isnan(last)).sum(),
        (~np.isnan(rise)).sum(),
    )
    assert (row["last"]["mean"], row["rise"]["mean"]) == pytest.approx(
        (np.nanmean(last), np.nanmean(rise))
    )
    whole = ~np.isnan(last).any(axis=1)
    assert (row["both"]["debates"], row["both"]["above_75"]) == (
        whole.sum(),
        (last[whole] > 0.75).all(axis=1).sum(),
    )
    complete = np.where(np.isnan(amounts).any(axis=(1, 2), keepdims=True), np.nan, amounts)
    assert found["complete_debates"]["last"]["mean"] == pytest.approx(np.nanmean(complete[:, :, 2]))
    lowest, highest = (np.nan_to_num(amounts, nan=value) for value in (0.0, 1.0))
    ends = ((lowest, highest), (highest, lowest))
    bounds = found["bounds"]
    assert bounds["missing"] == np.isnan(amounts[:, :, [0, 2]]).sum()
    assert [bounds[f"last_{end}"] for end in ("low", "high")] == pytest.approx(
        [last[:, :, 2].mean() for last, _ in ends]
    )
    assert [bounds[f"rise_{end}"] for end in ("low", "high")] == pytest.approx(
        [(last[:, :, 2] - first[:, :, 0]).mean() for last, first in ends]
    )
    assert [bounds[f"both_above_75_{end}"] for end in ("low", "high")] == pytest.approx(
        [(last[:, :, 2] > 0.75).all(axis=1).mean() for last, _ in ends]
    )
    if is_real():
        assert found["complete_debates"] == found["as_reported"]
