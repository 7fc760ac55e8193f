"""What lies beside the published debates: labels, counts of tokens, costs, and all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arena.imports.llms_overconfidence import import_llms_overconfidence, summary_lines
from arena.imports.published import parse_debate
from arena.imports.side_files import LABELLER, count_rows
from arena.store import database
from tests.arena.imports.test_imports import STEM, THOUGHTS, published, put

COUNTS = {
    "successful_calls": 3,
    "failed_calls": 1,
    "successful_completion_tokens": 400,
    "successful_prompt_tokens": 900,
    "successful_total_tokens": 1300,
    "failed_completion_tokens": 0,
    "failed_prompt_tokens": 0,
    "failed_total_tokens": 0,
}


def label(amount: int, side: str, phase: str, said: str, stated: str = "65-70") -> dict[str, Any]:
    """A label in the published form."""
    return {
        "debate_id": STEM,
        "motion": "This House would test",
        "side": side,
        "speech_type": phase,
        "raw_bet_amount": amount,
        "raw_thoughts": THOUGHTS,
        "analysis": {
            "betting_alignment": {
                "numeric_confidence_present": True,
                "internal_confidence": stated,
                "bet_amount": amount,
                "assessment": said,
                "degree": "None",
                "explanation": "It says so.",
            },
            "strategic_betting": {"present": "No", "explanation": "It does not."},
        },
    }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a clone of the publication looks, with one debate."""
    folder = tmp_path_factory.mktemp("clone")
    counts = {"debator_token_counts": {"lab/a": COUNTS}, "judge_token_counts": {"lab/judge": 7}}
    put(folder / "experiments" / "private_self_bet", published() | counts)
    failed = label(62, "proposition", "rebuttal", "") | {"analysis": {"error": "no XML"}}
    labels = [
        label(60, "proposition", "opening", "Aligned"),
        label(61, "opposition", "opening", " Slight Overbetting\n", "50"),
        failed,
        label(1, "opposition", "rebuttal", "Aligned"),
        "no label",
    ]
    put(folder, labels, "bet_analysis_results_private_self_bet.json")
    usage = {"prompt_tokens": 900, "total_cost": "unknown"}
    totals = {"total_cost_usd": 1.5, "unknown_cost_models": ["lab/a"]}
    costs = {
        "summary": {"total_debates": 1, "grand_totals": totals},
        "model_stats": {"lab/a": usage},
    }
    put(folder, costs, "model_token_usage_and_cost.json")
    put(folder / "config_data", {"lab/a": [0.5, 2]}, "debate_models.json")
    put(folder / "config_data", [{"topic_description": "This House"}], "topic_list.json")
    put(folder / "config_data", ["lab/judge"], "judge_models.json")
    put(folder, [{"proposition": "lab/a", "topic": "x"}], "private_bet_experiment_pairings.json")
    for name in ("README.md", ".gitignore", "all_bets.csv", "figure.pdf", "uv.lock"):
        put(folder, b"\xff\x00 no text", name)
    put(folder / ".git", b"{", "config.json")
    return folder


@pytest.fixture(scope="module")
def store(clone: Path) -> Path:
    """The store into which the clone was imported."""
    path = clone.parent / f"{clone.name}.duckdb"
    import_llms_overconfidence(clone, path)
    return path


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """The answer of a store to a query."""
    return list(database.query(path, sql))


def test_labels_are_rows_of_their_turn_in_the_published_words(store: Path) -> None:
    found = rows(
        store,
        "select t.phase, t.seat, t.confidence, question, value, note"
        " from label_entries l join turns t using (episode, seat, step)"
        " where question in ('private reasoning', 'private reasoning: confidence')"
        " order by seat desc, question",
    )
    assert found == [
        ("opening", "proposition", 0.6, "private reasoning", "Aligned", "It says so."),
        ("opening", "proposition", 0.6, "private reasoning: confidence", "65-70", None),
        (
            "opening",
            "opposition",
            0.61,
            "private reasoning",
            " Slight Overbetting\n",
            "It says so.",
        ),
        ("opening", "opposition", 0.61, "private reasoning: confidence", "50", None),
    ]
    who = "select distinct rater, kind, source from label_entries"
    assert rows(store, who) == [(LABELLER, "turn", "llms-overconfidence")]
    other = "select count(*) from label_entries where value in ('None', 'true', 'No')"
    assert rows(store, other) == [(6,)]


def test_numbers_are_those_of_the_files_and_no_calls_of_ours(store: Path) -> None:
    where = "from published_numbers where episode is not null and value is not null"
    assert dict(rows(store, f"select name, value {where} and model = 'lab/a'")) == COUNTS
    assert rows(
        store,
        "select item, model, name, value, status from published_numbers where episode is null"
        " order by all",
    ) == [
        ("config_data/debate_models.json", "lab/a", "usd_per_million_completion_tokens", 2, "read"),
        ("config_data/debate_models.json", "lab/a", "usd_per_million_prompt_tokens", 0.5, "read"),
        ("model_token_usage_and_cost.json", "", "total_cost_usd", 1.5, "read"),
        ("model_token_usage_and_cost.json", "", "total_debates", 1, "read"),
        ("model_token_usage_and_cost.json", "lab/a", "prompt_tokens", 900, "read"),
        ("model_token_usage_and_cost.json", "lab/a", "total_cost", None, "no number: 'unknown'"),
    ]
    assert rows(store, "select count(*) from calls") == [(0,)]


def test_nothing_of_a_plain_clone_is_an_error_and_all_that_is_left_out_is_said(
    clone: Path, tmp_path: Path
) -> None:
    imported = import_llms_overconfidence(clone, tmp_path / "arena.duckdb")
    assert imported.refused == ()
    assert (imported.debates, imported.labels, imported.counted) == ({"self": 1}, 2, 1)
    assert imported.labels_left_out == {
        "no label that can be read": 1,
        "no label, since the labeller failed": 1,
        "of no such turn in the folder": 1,
    }
    text = "\n".join(summary_lines(imported))
    assert "imported the published counts of calls and tokens of 1 debate\n" in text
    assert "imported labels of the private reasoning of 2 turns; 1 no label" in text
    # The list of judges, pairings and topics have nothing to import, nor have other files.
    assert "passed over 7 files" in text


def test_a_damaged_side_file_is_passed_over_and_a_damaged_debate_is_not(tmp_path: Path) -> None:
    put(tmp_path / "in", published())
    put(tmp_path / "in", b"{", "bet_analysis_results_private_self_bet.json")
    put(tmp_path / "in", b'{"a": NaN}', "model_token_usage_and_cost.json")
    put(tmp_path / "in" / "experiments", b"{", "a_vs_b_20250316_163518.json")
    imported = import_llms_overconfidence(tmp_path / "in", tmp_path / "arena.duckdb")
    assert [name for name, _ in imported.refused] == ["experiments/a_vs_b_20250316_163518.json"]
    assert len(imported.passed_over) == 2


@pytest.mark.slow
def test_labels_and_counts_reach_debates_that_were_imported_before_once(
    clone: Path, tmp_path: Path
) -> None:
    path = tmp_path / "arena.duckdb"
    import_llms_overconfidence(put(tmp_path / "in", published()), path)
    labels = json.loads((clone / "bet_analysis_results_private_self_bet.json").read_text())
    put(tmp_path / "again", published())
    put(tmp_path / "again", labels, "labels.json")
    first, second = (import_llms_overconfidence(tmp_path / "again", path) for _ in range(2))
    assert (first.debates, first.already_stored, first.labels) == ({}, 1, 2)
    assert (second.labels, second.counted) == (0, 0)
    assert rows(path, "select count(*) from label_entries") == [(10,)]


@pytest.mark.slow
def test_a_second_file_of_labels_of_the_same_turns_is_of_another_rater(tmp_path: Path) -> None:
    put(tmp_path / "in", published())
    for name, said in (("one.json", "Aligned"), ("two.json", "Overbetting")):
        put(tmp_path / "in", [label(60, "proposition", "opening", said)], name)
    import_llms_overconfidence(tmp_path / "in", tmp_path / "arena.duckdb")
    where = "where question = 'private reasoning' order by rater"
    assert rows(tmp_path / "arena.duckdb", f"select rater, value from label_entries {where}") == [
        (LABELLER, "Aligned"),
        (f"{LABELLER} (two.json)", "Overbetting"),
    ]


@pytest.mark.parametrize("counts", [None, 7, [], {"lab/a": None}, {"lab/a": {"calls": [1]}}])
def test_odd_counts_make_no_debate_unreadable(counts: object) -> None:
    play = parse_debate(STEM, published() | {"debator_token_counts": counts})
    assert all(row["value"] is None for _, row in count_rows(play))
