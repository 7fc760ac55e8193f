"""The studies of ways of decoding play on the toy, and find what is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena import Arena
from arena.errors import StudyError
from arena.tournaments.study_file import load_study

ROOT = Path(__file__).resolve().parents[2]

# Each loads torch and generates some thousand tokens.
pytestmark = pytest.mark.slow


def accuracy(folder: Path, name: str, *options: str) -> dict[str, float]:
    """Play a study, and return the accuracy of its arms."""
    study = load_study(ROOT / "experiments" / f"{name}.py", options)
    arena = Arena(folder / "arena.duckdb")
    summary = arena.run(study)
    assert summary.failed == 0
    rows = arena.sql("select arm, accuracy from accuracy order by all").rows
    return {str(arm): float(share) for arm, share in rows}


def test_a_hot_toy_thinks_better_softly_and_just_as_well_greedily(tmp_path: Path) -> None:
    found = accuracy(tmp_path, "soft_thinking", "number=12", "temperature=1.7")
    assert found["soft"] >= found["plain"]
    assert found["greedy thought"] >= 0.7


def test_a_toy_that_is_sure_of_every_step_is_cut_off_too_soon(tmp_path: Path) -> None:
    found = accuracy(tmp_path, "certainty_stop", "number=10", "thresholds=9,11")
    # A threshold that nothing reaches changes nothing.
    assert found["sure-11"] == found["plain"] == 1.0
    assert found["sure-9"] < 0.5


def test_knowledge_alone_is_the_toy_without_what_it_was_told(tmp_path: Path) -> None:
    found = accuracy(tmp_path, "ck_plug", "number=6", "alphas=0,1")
    assert found["alpha-1"] == found["closed"] == 1.0
    # What the toy cannot read divides noise by noise.
    assert found["alpha-0"] < 0.5


def test_help_at_every_paragraph_helps_and_help_by_words_that_never_come_does_not(
    tmp_path: Path,
) -> None:
    found = accuracy(tmp_path, "speculative_thinking", "number=10")
    assert found["every"] > found["smaller"]
    assert found["larger"] == 1.0


def test_noise_in_the_place_of_thoughts_helps_nobody(tmp_path: Path) -> None:
    found = accuracy(tmp_path, "soft_cot", "number=6", "initial_tokens=4")
    assert found["plain"] == 1.0
    assert found["one thought"] <= found["plain"]
    rows = Arena(tmp_path / "arena.duckdb").sql(
        "select arm, count(distinct value) from measures join episodes using (episode)"
        " where name = 'initial_token' group by arm order by arm"
    )
    assert rows.rows == (("one thought", 1), ("soft_cot", 4))


def test_guesses_of_any_kind_change_no_text(tmp_path: Path) -> None:
    found = accuracy(tmp_path, "kangaroo", "number=6")
    assert found["lookup"] == found["kangaroo"] == found["plain"]
    arena = Arena(tmp_path / "arena.duckdb")
    texts = "select subject, text from turns join episodes using (episode)"
    assert len(arena.sql(f"select distinct * from ({texts})").rows) == 6
    guessing = arena.sql(
        "select distinct arm from measures join episodes using (episode)"
        " where name = 'guesses_true_share' order by arm"
    )
    assert guessing.rows == (("kangaroo",), ("lookup",))


@pytest.mark.parametrize(("name", "option"), [("soft_cot", "weights"), ("kangaroo", "draft")])
def test_another_model_than_the_toy_needs_given_weights(name: str, option: str) -> None:
    with pytest.raises(StudyError, match=f"needs given weights .* -o {option}=FOLDER"):
        load_study(ROOT / "experiments" / f"{name}.py", ["model=local/x/y"])
