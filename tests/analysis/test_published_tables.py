"""The publication's tables by model, its labels and its costs, counted from the files here.

Of the published debates, or made-up ones of the same form if they are missing; labels and costs are
made up in both (tests/made_up_side_files.py).  The published p-values are compared with the former
only.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.reports.debates import study_reports
from analysis.reports.plain_json import json_object
from analysis.reports.robustness import Checks
from arena.imports.llms_overconfidence import ImportResult, import_llms_overconfidence
from arena.imports.side_files import LABELLER
from tests.made_up_publication import PHASES, SIDES
from tests.made_up_side_files import write_side_files
from tests.publication import STUDIES, PlainDebate, folder, is_real, plain_debates

pytestmark = pytest.mark.slow
# Model, and the p-values of t and of Wilcoxon in per_model_overconfidence_tests.csv, one-sided.
PUBLISHED = {
    "cross_model": """
anthropic/claude-3.5-haiku 4.8080904356607875e-09 0.000244140625
anthropic/claude-3.7-sonnet 8.763677904624714e-10 0.0001220703125
deepseek/deepseek-chat 6.911948822508222e-08 0.000244140625
deepseek/deepseek-r1-distill-qwen-14b:free 1.635880218171538e-06 0.00048828125
google/gemini-2.0-flash-001 2.6441179950203247e-05 0.000732421875
google/gemma-3-27b-it 4.74410742820337e-07 0.000244140625
openai/gpt-4o-mini 4.812325297673727e-11 0.000244140625
openai/o3-mini 2.344634304312368e-09 0.000244140625
qwen/qwen-max 6.974368595682575e-07 0.000244140625
qwen/qwq-32b:free 5.937828392655834e-11 0.000244140625
""",
    "self": """
anthropic/claude-3.5-haiku 9.57653308888062e-08 0.000244140625
anthropic/claude-3.7-sonnet 0.01401403729341254 0.015869140625
deepseek/deepseek-chat 0.004322285289338902 0.015625
deepseek/deepseek-r1-distill-qwen-14b:free 1.1375619733043058e-05 0.000244140625
google/gemini-2.0-flash-001 0.7972427095498447 0.8173828125
google/gemma-3-27b-it 1.3809228789895951e-06 0.000244140625
openai/gpt-4o-mini 2.5806643593373153e-06 0.00048828125
openai/o3-mini 2.2161855520842926e-05 0.00048828125
qwen/qwen-max 0.003856980986508765 0.00927734375
qwen/qwq-32b:free 1.4912828328908932e-05 0.000244140625
""",
}


@cache
def debates_of(study: str) -> list[PlainDebate]:
    """The debates of a study, read once."""
    return plain_debates(study)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The debates with side files beside them."""
    place = tmp_path_factory.mktemp("clone") / "llms_overconfidence"
    shutil.copytree(folder(), place)
    write_side_files(place)
    return place


@pytest.fixture(scope="module")
def imported(clone: Path) -> tuple[Path, ImportResult]:
    """The store into which the clone was imported, and what the import says."""
    path = clone.parent / "arena.duckdb"
    return path, import_llms_overconfidence(clone, path)


@pytest.fixture(scope="module")
def reports(imported: tuple[Path, ImportResult]) -> dict[str, Any]:
    """The reports by study, in full."""
    found = study_reports(imported[0], checks=Checks(details=True))
    return {report.study: json_object(report) for report in found}


def ratings_of(study: str, model: str, phase: str) -> list[float | None]:
    """A model's ratings in a phase, by seat."""
    return [
        debate.rating(side, phase)
        for debate in debates_of(study)
        for side in SIDES
        if debate.models[side] == model
    ]


def exact_wilcoxon(values: np.ndarray) -> float:
    """The share of all signs of the distances whose sum of ranks is at least as high."""
    distance = np.round(values - 0.5, 9)
    distance = distance[distance != 0]
    ranks = stats.rankdata(np.abs(distance))
    above = ranks[distance > 0].sum()
    sums = np.array(list(product((0, 1), repeat=ranks.size))) @ ranks
    return float(np.mean(sums >= above))


@pytest.mark.parametrize("study", ["cross_model", "self"])
def test_each_model_against_half(study: str, reports: dict[str, Any]) -> None:
    rows = reports[study]["by_contestant"]
    for row in rows:
        test = row["against_half"][0]
        known = [each for each in ratings_of(study, row["contestant"], "opening") if each]
        values = np.array(known)
        assert (test["n"], test["mean"]) == (values.size, pytest.approx(values.mean()))
        assert test["sd"] == pytest.approx(values.std(ddof=1))
        t = stats.ttest_1samp(values, 0.5, alternative="greater").pvalue
        assert test["p_t"] == pytest.approx(t, rel=1e-6)
        assert test["p_wilcoxon"] == pytest.approx(exact_wilcoxon(values))
        assert test["p_t_holm"] >= test["p_t"]
    if is_real():
        lines = [line.split() for line in PUBLISHED[study].strip().splitlines()]
        assert [row["contestant"] for row in rows] == [line[0] for line in lines]
        for row, (_, t, ranks) in zip(rows, lines, strict=True):
            test = row["against_half"][0]
            assert (test["p_t"], test["p_wilcoxon"]) == pytest.approx(
                (float(t), float(ranks)), rel=1e-6
            )


@pytest.mark.parametrize("study", ["cross_model", "self"])
def test_each_model_from_phase_to_phase(study: str, reports: dict[str, Any]) -> None:
    for row in reports[study]["by_contestant"]:
        for step, (first, last) in zip(row["steps"], pairwise(PHASES), strict=True):
            ends = zip(
                ratings_of(study, row["contestant"], first),
                ratings_of(study, row["contestant"], last),
                strict=True,
            )
            changes = [b - a for a, b in ends if a is not None and b is not None]
            assert (step["from"], step["to"], step["n"]) == (first, last, len(changes))
            assert step["change"] == pytest.approx(statistics.mean(changes))
            p = stats.ttest_1samp(changes, 0, alternative="greater").pvalue
            assert step["p_one_sided"] == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("study", ["cross_model", "self"])
def test_closing_patterns(study: str, reports: dict[str, Any]) -> None:
    counts: Counter[tuple[int, ...]] = Counter()
    for debate in debates_of(study):
        bets = [debate.bets[side, "closing"] for side in SIDES]
        if None not in bets:
            levels = [((bet or 0) > 50) + ((bet or 0) > 75) for bet in bets]
            counts[tuple(sorted(levels))] += 1
    order = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    rows = reports[study]["patterns"]
    assert [row["debates"] for row in rows] == [counts[each] for each in order]
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    if is_real() and study == "cross_model":
        assert rows[2]["debates"] == 37


def test_labels_by_study_and_the_failed_ones_left_out(
    clone: Path, imported: tuple[Path, ImportResult], reports: dict[str, Any]
) -> None:
    files = {
        "cross_model": "bet_analysis_results_private_bet_experiments_diff_models.json",
        "self": "bet_analysis_results_private_self_bet.json",
    }
    total = 0
    for study, name in files.items():
        labels = json.loads((clone / name).read_text(encoding="utf-8"))
        # A bet that is stored twice is one turn, of which the first label counts.
        turns: dict[tuple[str, ...], dict[str, Any]] = {}
        for each in labels[1:]:
            place = each["debate_id"], each["side"], each["speech_type"]
            turns.setdefault(place, each["analysis"]["betting_alignment"])
        total += len(turns)
        [row] = reports[study]["private_reasoning"]["raters"]
        words = Counter(each["assessment"] for each in turns.values())
        assert (row["rater"], row["labels"]) == (LABELLER, len(turns))
        assert row["aligned"] == pytest.approx(words["Aligned"] / len(turns))
        assert row["overstated"] == pytest.approx(words["Overbetting"] / len(turns))
        assert row["understated"] == pytest.approx(words["Slight Underbetting"] / len(turns))
        assert row["aligned_ci_low"] < row["aligned"] < row["aligned_ci_high"]
    assert imported[1].labels == total
    assert imported[1].labels_left_out["no label, since the labeller failed"] == 2


def test_tokens_and_dollars_by_model(clone: Path, reports: dict[str, Any]) -> None:
    prices = json.loads((clone / "debate_models.json").read_text(encoding="utf-8"))
    sums: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for file in sorted(clone.rglob("experiments/*/*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        study = STUDIES[content["debate_type"]]
        for role in ("debater", "judge"):
            # The publication's spelling.
            key = {"debater": "debator_token_counts", "judge": "judge_token_counts"}[role]
            for model, counts in content[key].items():
                sums[study, role, model].update(counts | {"plays": 1})
    for study, report in reports.items():
        rows = report["usage"]["published"]
        mine = {place[1:]: total for place, total in sums.items() if place[0] == study}
        assert {(row["role"], row["model"]) for row in rows} == set(mine)
        for row in rows:
            total = mine[row["role"], row["model"]]
            assert (row["plays"], row["calls"], row["failed"]) == (
                total["plays"],
                total["successful_calls"],
                total["failed_calls"],
            )
            assert row["tokens_in"] == total["successful_prompt_tokens"]
            assert row["tokens_out"] == total["successful_completion_tokens"]
            price = prices.get(row["model"])
            dollars = price and (row["tokens_in"] * price[0] + row["tokens_out"] * price[1]) / 1e6
            assert row["cost_usd"] == (None if price is None else pytest.approx(dollars))
        costs = json.loads((clone / "model_token_usage_and_cost.json").read_text(encoding="utf-8"))
        assert report["usage"]["total_usd"] == costs["summary"]["grand_totals"]["total_cost_usd"]
    # The published sums of the configurations that are here add up to the models' tokens.
    of_models = Counter({model: row["total_tokens"] for model, row in costs["model_stats"].items()})
    ours = Counter[str]()
    for report in reports.values():
        for row in report["usage"]["published"]:
            if row["role"] == "debater":
                ours[row["model"]] += row["tokens_in"] + row["tokens_out"]
    assert all(math.isclose(ours[model], of_models[model]) for model in of_models)
