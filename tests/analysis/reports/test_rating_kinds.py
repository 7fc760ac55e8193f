"""What ratings are called, what both chances add up to, and where the variance comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent
from analysis.reports.debates import StudyReport, study_reports
from analysis.reports.rating_kinds import word_for
from analysis.reports.tables.debates import report_document
from analysis.reports.tables.rating_kinds import kind_notes
from arena import Arena, run_stages
from experiments.two_llms_debate import study
from protocols.debate import Rating
from protocols.judging import jury

DEBATERS = ["sim/modest", "sim/overconfident:stake=0.5:excess=0.2:noise=0.01:debate_sd=0"]
WAYS: list[Rating] = ["likelihood", "stake", "scored", "win_and_lose"]
# Those that play debates; the others take no time.
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with all ways to rate as arms of one study, and a study with three wordings."""
    path = tmp_path_factory.mktemp("kinds") / "a.duckdb"
    arena = Arena(path)
    several = study(models=DEBATERS, ratings=WAYS)
    arena.run(replace(several, subjects=several.subjects[:2]))
    varied = replace(study(models=DEBATERS), name="varied", repeats=3, vary=["wording"])
    arena.run(replace(varied, subjects=varied.subjects[:2]))
    judges = [agent(f"sim/judge:seed={seed}") for seed in (1, 2)]
    run_stages(arena, [jury("jury", "varied", judges)])
    return path


@pytest.fixture(scope="module")
def ratings(played: Path) -> StudyReport:
    """The report of the ways to rate."""
    [report] = study_reports(played, "two_llms_debate_self_ratings")
    return report


def text_of(report: StudyReport) -> str:
    """All titles and notes of a report."""
    blocks = report_document(report).blocks
    return "\n".join([words for block in blocks for words in (block.title, *block.notes)])


@slow
def test_each_arm_says_what_its_ratings_are(ratings: StudyReport) -> None:
    arms = {arm.arm: arm.debates.ratings for arm in ratings.arms or ()}
    assert {name: [count.source for count in each.kinds] for name, each in arms.items()} == {
        "likelihood": ["stated"],
        "stake": ["stake"],
        "scored": ["scored"],
        "win_and_lose": ["stated"],
    }
    assert [arms[name].word for name in WAYS] == ["confidence", "stake", "confidence", "confidence"]


@slow
def test_stakes_and_confidences_together_are_neither(ratings: StudyReport) -> None:
    words = text_of(ratings)
    assert "Ratings of debaters" in words
    assert "are no confidences: where the winner takes both stakes, the best stake is 0" in words
    assert "Confidence of debaters" not in words
    assert "sure of winning" not in words


@slow
def test_the_planted_sum_of_both_chances_comes_out(ratings: StudyReport) -> None:
    assert ratings.debates is not None
    chances = ratings.debates.ratings.chances
    assert chances is not None
    # One debater's chances add up to 100%, the other's to 120%.
    for row in chances:
        assert row.total.n == 8
        assert row.total.mean == pytest.approx(1.1, abs=0.003)
        assert (row.above, row.exact, row.below) == (4, 4, 0)


@slow
def test_what_was_varied_is_pooled_named_and_has_its_part(played: Path) -> None:
    [report] = study_reports(played, "varied")
    assert report.arms is None
    assert report.debates is not None
    found = report.debates.ratings
    assert found.varied == {"wording": 3}
    ratings, verdicts = found.variance or ()
    parts = {part.factor: part for part in ratings.parts}
    assert (ratings.phase, ratings.n) == ("closing", 24)
    assert parts["wording"].levels == 3
    # The debaters' confidences differ by 18 points and 3 a round, and one has no noise.
    assert 0.1 < parts["model"].sd < 0.2
    assert parts["opponent"].note == "varies with model alone: part of it"
    assert (verdicts.phase, verdicts.n) == (None, 48)
    assert {"judge", "wording", "debate"} < {part.factor for part in verdicts.parts}
    words = text_of(report)
    assert "Held fixed: system prompts, sampling and effort. Varied, and pooled: wording." in words


@pytest.mark.parametrize(
    ("sources", "word"),
    [
        (set(), "confidence"),
        ({"stated and stake"}, "confidence"),
        ({"stake"}, "stake"),
        ({"stake", "stated"}, "rating"),
        ({"scored", "stated"}, "confidence"),
    ],
)
def test_only_stakes_alone_are_called_so(sources: set[str], word: str) -> None:
    assert word_for(sources) == word


@slow
def test_of_plain_likelihoods_nothing_is_said(ratings: StudyReport) -> None:
    [likelihood] = [arm for arm in ratings.arms or () if arm.arm == "likelihood"]
    assert kind_notes(likelihood.debates.ratings) == []
