"""The table of estimators: what it says of replies with a known truth, and of a stored scoring."""

from __future__ import annotations

import asyncio
import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from analysis.figures.estimators import with_cost
from analysis.figures.registry import figure
from analysis.read.scores import EstimatorScores, ScoredGroup, Spent, read_scores
from analysis.reports.cascades import cascade, cascade_document, one_of
from analysis.reports.estimators import EstimatorTable, estimator_table
from analysis.reports.plain_json import json_object
from analysis.reports.tables.estimators import estimators_document
from analysis.statistics.clustered import Array
from arena import Agent, Arena, Arm, Sampling, Study, Subject, run_stages
from arena.cli.main import main
from arena.errors import StudyError
from arena.play.episode import Episode
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Seat
from arena.web.pages.estimators import estimators
from arena.web.site import Site
from arena.web.words import render
from protocols.debate import PRESETS, debate
from protocols.scoring import score
from protocols.self_consistency import self_consistency

VERSION = "1"
QUESTIONS, REPLIES = 60, 3
SOME = simulated_questions(12)


def scores(
    name: str,
    values: Array,
    kind: str = "score",
    *,
    samples: int = 1,
    source: str = "",
    features: Array | None = None,
    simulated: bool = False,
) -> EstimatorScores:
    """An estimator of the group, in a pass that took two calls a question."""
    missing = int(np.isnan(values).sum())
    reasons = {"why": missing} if missing else {}
    spent = Spent(2.0, 0.5, 3.0)
    return EstimatorScores(
        name, kind, values, reasons, samples, ("s", source or name), spent, features, simulated
    )


@pytest.fixture(scope="module")
def found() -> EstimatorTable:
    """Three estimators of replies of which two thirds are right, each reply one call."""
    rng = np.random.default_rng(0)
    size = QUESTIONS * REPLIES
    right = (rng.random(size) < 0.66).astype(np.float64)
    right[5] = np.nan
    known = np.nan_to_num(right)
    sees = known + rng.normal(size=size) / 3
    gaps = sees.copy()
    gaps[::2] = np.nan
    features = np.column_stack((sees, rng.normal(size=(size, 2))))
    group = ScoredGroup(
        *("study", "answers", "arm", "who", True),
        np.repeat(np.arange(QUESTIONS), REPLIES),
        right,
        rng.normal(500, 50, size),
        (1 - known).astype(np.int64),
        np.tile([1.0, 0.1, 2.0], (size, 1)),
        estimators=(
            scores("sees", sees, samples=REPLIES, source="pass"),
            scores("stated", np.clip(0.9 + rng.normal(size=size) / 50, 0, 1), "probability"),
            scores("gaps", gaps),
            scores("never", np.full(size, np.nan)),
            scores(
                *("probe", np.full(size, np.nan)),
                samples=REPLIES,
                source="pass",
                features=features,
                simulated=True,
            ),
        ),
    )
    return estimator_table(group)


def test_the_table_has_a_row_for_length_and_for_what_is_learned(found: EstimatorTable) -> None:
    rows = {row.name: row for row in found.estimators}
    assert sorted(rows) == ["gaps", "length", "probe, learned", "sees", "stated"]
    assert found.estimators[0].quality.over.mean > 0.95
    assert found.ungraded == 1
    assert found.replies == QUESTIONS * REPLIES - 1
    assert rows["length"].quality.may_be_best is None
    assert rows["gaps"].quality.may_be_best is None
    assert rows["stated"].quality.may_be_best is False
    assert list(found.not_available) == ["never", "probe"]
    assert rows["gaps"].missing == {"why": 90}


def test_calibration_is_of_stated_probabilities_or_named_by_its_recalibration(
    found: EstimatorTable,
) -> None:
    rows = {row.name: row for row in found.estimators}
    assert rows["sees"].calibration is None
    assert "temperature" not in rows["sees"].recalibrated
    stated = rows["stated"].calibration
    assert stated is not None
    assert stated.ece == pytest.approx(0.9 - found.right, abs=0.02)
    assert rows["stated"].recalibrated["Platt"].ece < 0.1


def test_costs_alone_and_shared(found: EstimatorTable) -> None:
    rows = {row.name: row for row in found.estimators}
    # Its pass, and the two other replies to each question.
    assert astuple(rows["sees"].alone) == pytest.approx((4.0, 0.7, 7.0))
    # Two estimators come of the pass and read the samples.
    assert astuple(rows["sees"].shared) == pytest.approx((2.0, 0.35, 3.5))
    # It reads each of three replies alone.
    assert astuple(rows["stated"].alone) == pytest.approx((2 / 3, 0.5 / 3, 1.0))
    assert rows["stated"].alone == rows["stated"].shared
    assert rows["length"].alone == Spent(0.0, 0.0, 0.0)


def test_weighted_votes_beat_the_majority_where_values_know_more(found: EstimatorTable) -> None:
    votes = next(row.votes for row in found.estimators if row.name == "sees")
    assert votes is not None
    assert votes.surest > votes.majority
    assert votes.surest_less_majority.ci_low > 0


def test_the_document_and_the_json_say_the_same(found: EstimatorTable) -> None:
    document = estimators_document(found)
    assert document.warnings[0].startswith("SIMULATED")
    titles = [block.title for block in document.blocks]
    assert "AUROC: which questions are hard, and which replies are right" in titles
    assert "after Platt's recalibration, cross-fitted by question" in " ".join(titles)
    plain = json.loads(json.dumps(json_object(found), allow_nan=False))
    assert plain["estimators"][0]["quality"]["over"]["mean"] > 0.95
    assert plain["rules"]["winner"]


def test_rows_for_which_simulated_models_were_asked_are_marked(found: EstimatorTable) -> None:
    # Where simulated models answered, the whole table is marked and no row.
    assert len(estimators_document(found).warnings) == 1
    real = replace(found, simulated=False, winner=("probe, learned", "sees"))
    document = estimators_document(real)
    assert document.warnings[0].startswith("SIMULATED")
    assert document.warnings[0].endswith(": probe, learned")
    assert "probe, learned SIMULATED = sees (" in str(document.blocks)
    names = {str(row[0]).removesuffix(" *") for block in document.blocks for row in block.rows}
    assert "probe, learned SIMULATED" in names
    assert {"probe, learned", "sees SIMULATED"}.isdisjoint(names)
    told = {row["name"]: row["simulated"] for row in json_object(real)["estimators"]}
    assert [name for name, simulated in told.items() if simulated] == ["probe, learned"]


def test_rows_that_were_not_compared_are_told_from_those_that_are_worse(
    found: EstimatorTable,
) -> None:
    [areas] = [block for block in estimators_document(found).blocks if "hard" in block.title]
    names = [str(row[0]) for row in areas.rows]
    assert {"gaps -", "length", "sees *", "stated"} <= set(names)
    assert "- not compared with the others: more than 10% missing" in str(areas)


def test_without_a_right_or_wrong_reply_one_sentence_says_so(found: EstimatorTable) -> None:
    empty = replace(found, kind="speeches", replies=0, ungraded=24)
    [block] = [each for each in estimators_document(empty).blocks if each.notes or each.rows]
    assert "24 replies it cannot be told" in str(block)
    missing = estimators_document(found).blocks[-1]
    # What is learned has its own row, and no missing values beside it.
    assert {row[0] for row in missing.rows} == {"gaps", "never", "probe, learned"} & {
        *(row.name for row in found.estimators if row.missing),
        "never",
    }


def test_the_front_has_those_that_none_beats_for_less() -> None:
    rows = [
        {"auroc": 0.6, "dollars": 0.0, "calls": 0},
        {"auroc": 0.8, "dollars": 1.0, "calls": 1},
        {"auroc": 0.7, "dollars": 2.0, "calls": 1},
    ]
    drawn, unit = with_cost(rows)
    assert unit == "dollars"
    assert [row["front"] for row in drawn] == [True, True, False]
    unpriced, unit = with_cost([rows[0] | {"dollars": None}, rows[1]])
    assert unit == "calls"
    assert [row["cost"] for row in unpriced] == [0, 1]


def test_a_cascade_takes_first_replies_to_common_questions() -> None:
    def group(part: str, subjects: tuple[str, ...], right: list[float]) -> ScoredGroup:
        values = np.arange(len(right), dtype=np.float64)
        question = np.repeat(np.arange(len(subjects)), 2)
        return ScoredGroup(
            *("s", "answers", "arm", part, False, question, np.array(right), values),
            *(np.zeros(len(right), dtype=np.int64), np.ones((len(right), 3)), subjects),
            (scores("sure", values, simulated=True),),
        )

    small = group("small", ("a", "b", "c"), [0, 1, 1, 1, 0, 1])
    large = group("large", ("b", "c", "d"), [1, 0, np.nan, 1, 0, 0])
    found = cascade(small, large)
    # Of c the large model's second reply is the first that was graded.
    assert (found.questions, found.small_right, found.large_right) == (2, 0.5, 1.0)
    [row] = found.rows
    assert row.curve.quality.tolist() == [0.5, 0.5, 1.0]
    assert row.curve.dollars.tolist() == [1.0, 1.5, 2.0]
    titles = [block.title for block in cascade_document(found).blocks]
    assert "Cascades" in titles
    assert "sure SIMULATED" in str(cascade_document(found).blocks)
    assert cascade_document(found).warnings[0].endswith(": sure")
    with pytest.raises(StudyError, match="found 0; there are: arm: small"):
        one_of([small], "huge", "s")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored study of a simulated solver."""
    path = tmp_path_factory.mktemp("scored") / "scored.duckdb"
    solver = agent("sim/solver", sampling=Sampling(logprobs=5))
    arm = Arm("votes", self_consistency, [{"solver": solver}], {"paths": 3})
    study = Study("lab", [arm], SOME)
    estimators = ["length", "logprob_mean", "stated_confidence", "semantic_entropy"]
    scoring = score("scores", study, estimators, entailment=agent("sim/pairs"))

    async def play() -> None:
        arena = Arena(path)
        await arena.play(study)
        await arena.play(scoring.write(path))

    asyncio.run(play())
    return path


@pytest.mark.slow
def test_numbers_of_simulated_models_are_told_from_those_of_the_model_that_answered(
    tmp_path: Path,
) -> None:
    simulated = agent("sim/solver", sampling=Sampling(logprobs=5))
    model = replace(simulated.model, name="http/solver", simulated=False)  # type: ignore[type-var]
    real = Agent("solver", model, sampling=simulated.sampling)
    study = Study("lab", [Arm("votes", self_consistency, [{"solver": real}], {"paths": 3})], SOME)
    wanted = ["length", "semantic_entropy", "p_true_empirical"]
    arena = Arena(tmp_path / "mixed.duckdb")
    run_stages(arena, [study, score("scores", study, wanted, entailment=agent("sim/pairs"))])
    [table] = arena.estimators("lab")
    assert not table.simulated
    told = {row.name: row.simulated for row in table.estimators}
    assert told["semantic_entropy"]
    assert not told["length"]
    assert not told["p_true_empirical"]
    drawn = figure(arena.path, "lab", "estimators")
    assert "SIMULATED" in drawn.caption
    assert "SIMULATED" in drawn.svg()
    site = Site(arena.path, private=True)
    assert "semantic_entropy SIMULATED" in render(site, estimators(site, "lab", {}))


async def asks_once(episode: Episode, samples: StoredSamples, scorer: Seat) -> list[Score]:
    """Ask one call a reply."""
    found = []
    for number, reply in enumerate(samples.replies):
        await episode.ask(Seat(f"s{number}", scorer.agent), "How sure?", phase="ask")
        found.append(Score(reply.turn, "asked", number / 10))
    return found


@pytest.mark.slow
def test_a_pass_over_speeches_of_several_phases_is_paid_once(tmp_path: Path) -> None:
    debater = agent("sim/even")
    lineup = {"proposition": debater, "opposition": debater}
    study = Study("debates", [Arm("self", debate, [lineup], PRESETS["self"])], [Subject("M.")])
    arena = Arena(tmp_path / "d.duckdb")
    scorer = Agent("scorer", scripted_model(lambda request: "sure"))
    scoring = score("scores", study, [asks_once], scorers={debater.name: scorer})
    run_stages(arena, [study, scoring])
    groups = read_scores(arena.path, "debates")
    assert len(groups) == 3
    # Two speeches a phase, and one call each.
    assert [group.estimators[0].spent.calls for group in groups] == pytest.approx([2, 2, 2])
    tables = map(estimator_table, groups)
    costs = [row.alone.calls for table in tables for row in table.estimators if row.name == "asked"]
    assert costs == pytest.approx([1.0] * len(costs))


@pytest.mark.slow
def test_scores_are_read_with_outcomes_reasons_and_costs(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [group] = read_scores(store, "lab")
    assert (group.kind, group.arm, group.simulated) == ("answers", "votes", True)
    assert (group.questions, group.correct.size) == (12, 36)
    by_name = {each.name: each for each in group.estimators}
    assert by_name["stated_confidence"].missing == {"no confidence: not asked": 36}
    assert by_name["semantic_entropy"].samples == 3
    assert 0 < by_name["semantic_entropy"].spent.calls <= 1
    assert by_name["token_quantiles"].features is not None
    assert np.allclose(by_name["length"].values, -group.length)
    drawn = figure(store, "lab", "estimators")
    assert "SIMULATED" in drawn.caption
    assert "logprob_lowest_tenth" in drawn.svg()
    counted = Arena(store).sql(drawn.sql)
    assert {row["name"]: row["n"] for row in counted}["logprob_mean"] == 36
    assert main(["report", "--db", str(store), "--estimators", "--study", "lab"]) == 0
    assert "AUROC at equal length" in capsys.readouterr().out
    assert [each.arm for each in Arena(store).estimators("lab")] == ["votes"]
    shown = Site(store, private=False)
    page = render(shown, estimators(shown, "lab", {}))
    assert "AUROC at equal length of the reply" in page
    assert shown.link("figure", "lab", {"figure": "estimators"}).replace("&", "&amp;") in page
    with pytest.raises(StudyError, match="there is no study 'other'"):
        read_scores(store, "other")
    assert main(["report", "--db", str(store), "--estimators", "--arms", "votes"]) == 2
    assert "whole studies" in capsys.readouterr().err
