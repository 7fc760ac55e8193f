"""Studies of how models assess answers, played small: what was planted is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_self_preference
from analysis.read.selection import Selection
from analysis.reports.assessments import read_assessments
from analysis.reports.debates import study_reports
from arena import Arena, run_stages
from arena.errors import StudyError
from arena.tournaments.study_file import load_stages, load_study

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.mark.slow
def test_the_planted_confidence_level_and_critique_score_are_found(tmp_path: Path) -> None:
    options = ["models=sim/solver:stays=0.85:corrects=0.25", "number=60", "prompts=question"]
    study = load_study(EXPERIMENTS / "ask_again.py", options)
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(study).done == 60
    [report] = study_reports(arena.path, study.name)
    assert report.answers is not None
    found = report.answers.arms[0].changes[0]
    assert (found.what, found.pairs) == ("first to last", 240)
    assert found.all.cl.ci_low < 0.85 < found.all.cl.ci_high
    assert found.all.cs.ci_low < 0.25 < found.all.cs.ci_high
    acc1, acc2, cl, cs = (
        each.mean for each in (found.all.acc1, found.all.acc2, found.all.cl, found.all.cs)
    )
    assert acc2 == pytest.approx(acc1 * cl + (1 - acc1) * cs)


@pytest.mark.slow
def test_the_toy_is_surer_of_its_option_after_reasoning(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    study = load_study(EXPERIMENTS / "option_probability.py", ["number=10"])
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(study).done == 10
    found = read_assessments(arena.path, study.name)[study.name]
    assert found.reasoning is not None
    rows = {(row.kind, row.items): row for row in found.reasoning}
    # It was made to add digit by digit: at once it is near chance, afterwards nearly sure.
    assert rows["raw", "all"].change.ci_low > 0
    assert rows["share", "right at each time"].after > 0.9


@pytest.mark.slow
def test_a_planted_critic_is_found_and_its_self_check_makes_the_calls_of_its_control(
    tmp_path: Path,
) -> None:
    options = ["models=sim/solver:critic=0.8", "number=40", "paths=5"]
    stages = load_stages(EXPERIMENTS / "critique.py", options)
    arena = Arena(tmp_path / "a.duckdb")
    assert [each.open + each.failed for each in run_stages(arena, stages)] == [0, 0, 0]
    # A scoring goes with the replies that it scores, whatever its own arm is called.
    chosen = Selection(arms=("replies",))
    found = read_assessments(arena.path, "critique", chosen)["critique"]
    assert found.critiques is not None
    [row] = found.critiques
    assert row.own
    assert row.judged == 200
    assert row.accuracy.ci_low < 0.8 < row.accuracy.ci_high
    calls = "select arm, sum(answered) from question_plays where arm <> 'replies' group by all"
    made = dict(arena.sql(calls).rows)
    assert made["vote"] == 200
    # The samples of both arms differ, and so does how many votes are uncertain.
    assert made["self-check"] == pytest.approx(made["more samples"], rel=0.15)
    [report] = study_reports(arena.path, "critique votes")
    assert report.answers is not None
    [checked] = [row for row in report.answers.arms if row.arm == "self-check"]
    assert checked.paths is not None
    # The same samples, as they voted first: a critic that is right four times of five mends them.
    assert checked.accuracy.share.all.mean > checked.paths.cons_at_n.mean + 0.05


@pytest.mark.slow
def test_a_listener_that_length_sways_is_found_and_one_that_it_does_not_is_not(
    tmp_path: Path,
) -> None:
    listeners = "sim/solver:noise=0.05:swayed=0.5,sim/solver:noise=0.05"
    options = [f"listeners={listeners}", "number=40", "wordings=none"]
    stages = load_stages(EXPERIMENTS / "listener_gap.py", options)
    arena = Arena(tmp_path / "a.duckdb")
    assert [each.open + each.failed for each in run_stages(arena, stages)] == [0, 0, 0]
    found = read_assessments(arena.path, "listener_gap")["listener_gap"].listeners
    assert found is not None
    slope = {("swayed" in row.listener): row.slope for row in found.slopes if "sim" in row.listener}
    # Percents are rounded and end at 0 and 100, which takes something off the planted half.
    assert 0.3 < slope[True].mean < 0.55
    assert slope[True].ci_low > 0.2
    assert slope[False].ci_low < 0 < slope[False].ci_high


@pytest.mark.slow
def test_planted_abstentions_and_wandering_are_found_by_stage(tmp_path: Path) -> None:
    models = "sim/solver:abstains=0.3,sim/solver:wanders=1:noise=0.05"
    options = [f"models={models}", "stages=instruct,rl", "number=60"]
    study = load_study(EXPERIMENTS / "thinking_out_loud.py", options)
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(study).done == 120
    found = read_assessments(arena.path, study.name)[study.name].thinking
    assert found is not None
    rows = {row.arm: row for row in found}
    assert rows["instruct"].unknown_share.ci_low < 0.3 < rows["instruct"].unknown_share.ci_high
    assert rows["rl"].unknown == 0
    # Thoughts of one length have no correlation; those that wander are shorter the surer.
    assert rows["rl"].length_all.ci_high < -0.8
    assert "do not know" in str(arena.report(study.name))
    # Not an answer that could not be read, in either place where reasons are counted.
    [[unknown]] = arena.sql(
        "select count(*) from question_plays where status = 'does not know'"
    ).rows
    assert unknown == rows["instruct"].unknown
    [missing] = arena.sql("select reason, n from missing where what = 'answer'").rows
    assert missing == ("does not know", rows["instruct"].unknown)
    with pytest.raises(StudyError, match="2 models need as many stages, found 1"):
        load_study(EXPERIMENTS / "thinking_out_loud.py", [f"models={models}", "stages=rl"])


@pytest.mark.slow
def test_a_planted_love_of_ones_own_answers_is_found_and_the_other_judge_has_none(
    tmp_path: Path,
) -> None:
    lover, other = "solver:steps=3:love=1.5", "solver:steps=5:seed=1"
    panel = ["solver:ability=2.0", "solver:first=1.0", "solver:ability=-1.0"]
    options = [
        f"models=sim/{lover},sim/{other}",
        "judges=" + ",".join(f"sim/{each}" for each in panel),
        "number=150",
    ]
    stages = load_stages(EXPERIMENTS / "self_preference.py", options)
    arena = Arena(tmp_path / "a.duckdb")
    done = run_stages(arena, stages)
    assert [each.done for each in done] == [300, 150 * 5]
    rows = read_assessments(arena.path, "self_preference")["self_preference"].self_preference
    assert rows is not None
    found = {row.agent.startswith(f"sim/{lover}"): row for row in rows}
    questions = simulated_questions(150)
    truth = expected_self_preference(lover, other, panel, questions)
    assert truth > 0.2
    assert found[True].dbg.ci_low < truth < found[True].dbg.ci_high
    assert found[True].dbg.ci_low > 0.1
    fair = expected_self_preference(other, lover, panel, questions)
    assert found[False].dbg.ci_low < fair < found[False].dbg.ci_high
    assert found[True].flips == 0 < found[True].panel_flips
    assert "Self-preference" in str(arena.report("self_preference"))
    calls = len(arena.sql("from calls"))
    run_stages(arena, stages)
    assert len(arena.sql("from calls")) == calls
